/* SPDX-License-Identifier: MIT */
/* `remuda functions`: what can be called. */
#include "base/alloc.h"
#include "base/error.h"
#include "cli/calling.h"
#include "cli/option_table.h"
#include "cli/verb.h"
#include "data/utf8.h"
#include "exec/function.h"
#include "job/json.h"

#include <stdio.h>
#include <string.h>

enum { SIGNATURE_MAX = 40 }; /* the help of longer ones stands on a line of its own */

typedef struct listing {
    rmdi_calling calling;
    bool json;
    int width; /* of the widest signature that has its help beside it */
    unsigned count;
} listing;

static const rmdi_option rows[] = {
    RMDI_CALLING_SOURCES,
    { "json", 0, .help = "a JSON object for each function, in a line",
      .flag = offsetof(listing, json) },
    RMDI_CALLING_HELP,
};

static int refuse_word(void *to, const char *word)
{
    (void)to;
    return rmdi_fail(RMD_EINVAL, "\"%s\" is no option; remuda functions --help lists all", word);
}

static const rmdi_option_table table = { .verb = "functions",
                                         .rows = rows,
                                         .count = sizeof rows / sizeof *rows,
                                         .word = refuse_word };

static void help(void)
{
    printf(
        "usage: remuda functions [options]\n\n"
        "Lists the functions that remuda call and remuda map can call with the same options:\n"
        "name, parameters (those with = may be left out), type of the result, and what it does.\n"
        "\n");
    rmdi_options_help(&table);
    printf("\nExample:\n  remuda functions --load ./libdemo.so\nMore: man remuda-functions\n");
}

/* ---- for people ---- */

static int write_signature(const rmd_function *function, char *text, size_t size)
{
    return snprintf(text, size, "%s(%s)%s%s", function->name,
                    function->parameters ? function->parameters : "...",
                    function->result ? " -> " : "", function->result ? function->result : "");
}

static int measure(const rmd_function *function, void *ctx)
{
    listing *l = ctx;
    int width = write_signature(function, NULL, 0);
    if (width <= SIGNATURE_MAX && width > l->width)
        l->width = width;
    l->count++;
    return 0;
}

static int write_row(rmdi_buffer *row, const rmd_function *function, int width_max)
{
    char signature[4096];
    int width = write_signature(function, signature, sizeof signature);
    int err = rmdi_calling_add_shown(row, signature);
    if (err < 0 || !function->help)
        return err;
    if (width > width_max)
        err = rmdi_buffer_add_format(row, "\n%*s  ", width_max, "");
    else
        err = rmdi_buffer_add_format(row, "%*s  ", width_max - width, "");
    return err < 0 ? err : rmdi_calling_add_shown(row, function->help);
}

static int print_row(const rmd_function *function, void *ctx)
{
    const listing *l = ctx;
    rmdi_buffer row = { 0 };
    int err = write_row(&row, function, l->width);
    if (err == 0)
        printf("%s\n", row.data);
    rmdi_buffer_free(&row);
    return err;
}

/* ---- for programs ---- */

/* Texts of functions are C strings of any kind, those of JSON are UTF-8: what is none is U+FFFD. */
static json_t *text_json(const char *text)
{
    rmdi_buffer clean = { 0 };
    size_t len = text ? strlen(text) : 0, taken;
    int err = 0;
    for (size_t at = 0; at < len && err == 0; at += taken) {
        uint32_t c = rmdi_utf8_decode((const unsigned char *)text + at, len - at, &taken);
        err = c == RMDI_UTF8_REPLACEMENT ? rmdi_buffer_add_text(&clean, "\xef\xbf\xbd")
                                         : rmdi_buffer_add(&clean, text + at, taken);
    }
    json_t *json = json_null();
    if (text)
        json = err < 0 ? NULL : json_stringn(clean.len ? clean.data : "", clean.len);
    rmdi_buffer_free(&clean);
    return json;
}

static json_t *parameter_json(const rmdi_parameter *p, bool rest)
{
    return json_pack("{s:s%, s:s, s:b, s:b}", "name", p->name, p->name_len, "type",
                     rmdi_parameter_type_name(p), "optional", p->optional || rest, "rest", rest);
}

static json_t *parameters_json(const rmd_function *function)
{
    const rmdi_parameters *parameters = rmdi_function_parameters(function);
    json_t *list = parameters ? json_array() : json_null();
    for (size_t i = 0; parameters && i < parameters->count; i++)
        (void)json_array_append_new(list, parameter_json(&parameters->items[i], false));
    if (parameters && parameters->has_rest)
        (void)json_array_append_new(list, parameter_json(&parameters->rest, true));
    return list;
}

static int print_json(const rmd_function *function, void *ctx)
{
    (void)ctx;
    json_t *object = json_pack("{s:s, s:o, s:o, s:o}", "name", function->name, "parameters",
                               parameters_json(function), "result", text_json(function->result),
                               "help", text_json(function->help));
    char *line = object ? json_dumps(object, RMDI_JSON_LINE) : NULL;
    json_decref(object);
    if (!line)
        return rmdi_fail_memory();
    puts(line);
    rmdi_json_free(line);
    return 0;
}

/* ---- the verb ---- */

static int list_functions(listing *l)
{
    int err = rmdi_calling_add_functions(&l->calling);
    if (err < 0)
        return rmdi_complain_error("functions", err);
    rmd_functions_walk(measure, l);
    if (!l->count)
        fprintf(
            stderr,
            "remuda functions: there are none: --load and --service say where they come from\n");
    err = rmd_functions_walk(l->json ? print_json : print_row, l);
    return err < 0 ? rmdi_complain_error("functions", err) : 0;
}

int rmdi_verb_functions(int argc, char **argv)
{
    listing l = { .calling.verb = "functions" };
    int status = 0, err = rmdi_options_read(&table, &l, argc, argv);
    if (err < 0)
        status = rmdi_complain("functions", "%s", rmd_error_detail());
    else if (l.calling.help)
        help();
    else
        status = list_functions(&l);
    rmdi_calling_free(&l.calling);
    return status;
}
