/* SPDX-License-Identifier: MIT */
#include "job/key.h"

#include "base/alloc.h"
#include "base/error.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct rmdi_keys {
    EVP_MD_CTX *common; /* has seen what all tasks share */
    EVP_MD_CTX *one;
};

/* Eight bytes, the lowest first, on every machine. */
static bool add_number(EVP_MD_CTX *digest, uint64_t n)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++, n >>= 8)
        bytes[i] = (uint8_t)n;
    return EVP_DigestUpdate(digest, bytes, sizeof bytes);
}

static bool add(EVP_MD_CTX *digest, const void *data, size_t len)
{
    return add_number(digest, len) && EVP_DigestUpdate(digest, data, len);
}

static bool add_text(EVP_MD_CTX *digest, const char *text)
{
    return add(digest, text, strlen(text));
}

/* NULL and "" differ. */
static bool add_choice(EVP_MD_CTX *digest, const char *text)
{
    return add(digest, "?", text != NULL) && add_text(digest, text ? text : "");
}

static bool add_words(EVP_MD_CTX *digest, const char *const *words)
{
    uint64_t n = 0;
    while (words && words[n])
        n++;
    bool ok = add_number(digest, n);
    for (uint64_t i = 0; ok && i < n; i++)
        ok = add_text(digest, words[i]);
    return ok;
}

static bool add_environment(EVP_MD_CTX *digest, const char *const *names)
{
    bool ok = add_words(digest, names);
    for (; ok && names && *names; names++)
        ok = add_choice(digest, getenv(*names));
    return ok;
}

static bool add_common(EVP_MD_CTX *digest, const rmdi_template_options *options, const char *dir,
                       const char *const *environment)
{
    const char flags[] = { options->never_append ? 'p' : '-', options->repeat_words ? 'r' : '-',
                           options->quote ? 'q' : '-' };
    return EVP_DigestInit_ex(digest, EVP_sha256(), NULL) && add_text(digest, "remuda task 1") &&
           add_words(digest, options->words) && add_choice(digest, options->replace) &&
           add_choice(digest, options->shell) && add(digest, flags, sizeof flags) &&
           add_choice(digest, dir) && add_environment(digest, environment);
}

int rmdi_keys_open(rmdi_keys **out, const rmdi_template_options *options, const char *dir,
                   const char *const *environment)
{
    rmdi_keys *keys = rmdi_alloc_zeroed(sizeof *keys);
    if (!keys)
        return rmdi_fail_memory();
    keys->common = EVP_MD_CTX_new();
    keys->one = EVP_MD_CTX_new();
    if (!keys->common || !keys->one || !add_common(keys->common, options, dir, environment)) {
        rmdi_keys_free(keys);
        return rmdi_fail_memory();
    }
    *out = keys;
    return 0;
}

void rmdi_keys_free(rmdi_keys *keys)
{
    if (!keys)
        return;
    EVP_MD_CTX_free(keys->common);
    EVP_MD_CTX_free(keys->one);
    rmdi_free(keys);
}

int rmdi_keys_make(rmdi_keys *keys, const rmd_bytes *values, size_t count, rmd_bytes block,
                   rmdi_key *key)
{
    bool ok = EVP_MD_CTX_copy_ex(keys->one, keys->common) && add_number(keys->one, count);
    for (size_t i = 0; ok && i < count; i++)
        ok = add(keys->one, values[i].data, values[i].len);
    ok = ok && add(keys->one, block.data, block.len) &&
         EVP_DigestFinal_ex(keys->one, key->bytes, NULL);
    return ok ? 0 : rmdi_fail_memory();
}
