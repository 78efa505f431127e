/* SPDX-License-Identifier: MIT */
#include "cli/given.h"

#include "base/alloc.h"
#include "base/error.h"
#include "job/json_value.h"

#include <stdio.h>
#include <string.h>

int rmdi_given_open(rmdi_given *given, size_t count)
{
    *given = (rmdi_given){ .capacity = count };
    given->values = rmdi_alloc_zeroed((count + 1) * sizeof *given->values);
    given->named = rmdi_alloc_zeroed((count + 1) * sizeof *given->named);
    given->decoded = rmdi_alloc_zeroed((count + 1) * sizeof *given->decoded);
    given->args.values = given->values;
    given->args.named = given->named;
    if (given->values && given->named && given->decoded)
        return 0;
    rmdi_given_free(given);
    return rmdi_fail_memory();
}

void rmdi_given_free(rmdi_given *given)
{
    for (size_t i = 0; i < given->decoded_len; i++)
        rmd_value_free(given->decoded[i]);
    rmdi_free(given->decoded);
    rmdi_free(given->values);
    rmdi_free(given->named);
    *given = (rmdi_given){ 0 };
}

/* What was read lives as long as the arguments. */
static int read_json(rmdi_given *given, const char *text, rmd_value *value)
{
    const rmd_value *decoded;
    int err = rmdi_json_decode(&decoded, rmdi_bytes_of(text), NULL);
    if (err < 0)
        return err;
    given->decoded[given->decoded_len++] = decoded;
    *value = *decoded;
    return 0;
}

/* A word that a shell has taken the quotes of is what one gets wrong first. */
static int explain(int err, const char *what, const char *word)
{
    char detail[RMDI_ERROR_DETAIL_MAX];
    snprintf(detail, sizeof detail, "%s", rmd_error_detail());
    bool bare = err == RMD_ESYNTAX && *word && !strchr("[{\"", *word) && strlen(word) <= 40;
    if (bare)
        return rmdi_fail(err, "%s: %s. For a text write '\"%s\"', or give --text", what, detail,
                         word);
    return rmdi_fail(err, "%s: %s", what, detail);
}

void rmdi_given_add(rmdi_given *given, rmd_value value)
{
    given->values[given->args.count++] = value;
}

int rmdi_given_add_word(rmdi_given *given, const char *word, bool text)
{
    rmd_value value = rmd_text(word);
    char what[40];
    int err = text ? 0 : read_json(given, word, &value);
    snprintf(what, sizeof what, "argument %zu", given->args.count + 1);
    if (err < 0)
        return explain(err, what, word);
    rmdi_given_add(given, value);
    return 0;
}

int rmdi_given_add_named(rmdi_given *given, const char *word, bool text)
{
    size_t len = strcspn(word, "=");
    char what[80];
    if (!len || !word[len])
        return rmdi_fail(RMD_EINVAL, "--arg %.60s: takes NAME=VALUE", word);
    rmd_value value = rmd_text(word + len + 1);
    snprintf(what, sizeof what, "--arg %.60s", word);
    int err = text ? 0 : read_json(given, word + len + 1, &value);
    if (err < 0)
        return explain(err, what, word + len + 1);
    given->named[given->args.named_count++] = (rmd_pair){ rmd_text_of(word, len), value };
    return 0;
}
