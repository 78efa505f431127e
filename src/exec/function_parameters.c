/* SPDX-License-Identifier: MIT */
#include "exec/function_parameters.h"

#include "base/alloc.h"
#include "base/error.h"
#include "data/value_get.h"

#include <string.h>

static const struct {
    const char *name;
    int type;
} types[] = {
    { "any", RMDI_PARAMETER_ANY },       { "null", RMD_TYPE_NULL },   { "bool", RMD_TYPE_BOOL },
    { "int", RMDI_PARAMETER_INT },       { "float", RMD_TYPE_FLOAT }, { "text", RMD_TYPE_TEXT },
    { "bytes", RMD_TYPE_BYTES },         { "list", RMD_TYPE_LIST },   { "map", RMD_TYPE_MAP },
    { "reference", RMD_TYPE_REFERENCE },
};
enum { TYPES = sizeof types / sizeof *types };

static const char *skip_blanks(const char *p)
{
    while (*p == ' ')
        p++;
    return p;
}

static size_t word_length(const char *p)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    return strspn(p, letters);
}

static int refuse(const char *at, const char *cause)
{
    return rmdi_fail(RMD_EINVAL, "parameters, at \"%.40s\": %s", at, cause);
}

/* Reads ":type" if it is there. */
static int read_type(const char **at, rmdi_parameter *p, bool wanted)
{
    const char *start = skip_blanks(*at);
    if (*start != ':')
        return wanted ? refuse(*at, "a name is followed by ':' and its type") : 0;
    start = skip_blanks(start + 1);
    size_t len = word_length(start);
    for (size_t i = 0; i < TYPES; i++) {
        if (strlen(types[i].name) == len && memcmp(types[i].name, start, len) == 0) {
            p->type = types[i].type;
            *at = start + len;
            return 0;
        }
    }
    return refuse(start,
                  "types are any, null, bool, int, float, text, bytes, list, map, reference");
}

static int read_one(const char **at, rmdi_parameter *p, bool is_rest)
{
    size_t len = word_length(*at);
    if (!len)
        return refuse(*at, "a name should stand here");
    *p = (rmdi_parameter){ .name = *at, .name_len = (int)len, .type = RMDI_PARAMETER_ANY };
    *at += len;
    int err = read_type(at, p, !is_rest);
    *at = skip_blanks(*at);
    if (err == 0 && **at == '=' && !is_rest) {
        p->optional = true;
        *at = skip_blanks(*at + 1);
    }
    return err;
}

/* A parameter among those that have been read before. */
static int check_one(const rmdi_parameters *all, const rmdi_parameter *p)
{
    if (rmdi_parameters_find(all, p->name, (size_t)p->name_len) < all->count)
        return refuse(p->name, "the name is there twice");
    if (p != &all->rest && !p->optional && all->count && all->items[all->count - 1].optional)
        return refuse(p->name, "what stands behind one that may be left out may be, too: '='");
    return 0;
}

static int read_next(const char **at, rmdi_parameters *all)
{
    bool is_rest = **at == '*';
    rmdi_parameter *p = is_rest ? &all->rest : &all->items[all->count];
    *at += is_rest;
    int err = read_one(at, p, is_rest);
    if (err == 0)
        err = check_one(all, p);
    if (err < 0)
        return err;
    if (is_rest)
        all->has_rest = true;
    else
        all->count++;
    if (**at == ',' && is_rest)
        return refuse(p->name, "the rest stands last");
    if (**at && **at != ',')
        return refuse(*at, "',' or the end should stand here");
    return 0;
}

static int read_all(const char *text, rmdi_parameters *all)
{
    const char *at = skip_blanks(text);
    int err = 0;
    while (*at && err == 0) {
        err = read_next(&at, all);
        if (err == 0 && *at == ',') {
            at = skip_blanks(at + 1);
            if (!*at)
                err = refuse(at, "a name should stand behind the last ','");
        }
    }
    return err;
}

int rmdi_parameters_parse(rmdi_parameters **parameters, const char *text)
{
    size_t count = 1;
    for (const char *p = text; *p; p++)
        count += *p == ',';
    if (count > RMDI_PARAMETERS_MAX)
        return rmdi_fail(RMD_EINVAL, "%zu parameters; the limit is %d", count, RMDI_PARAMETERS_MAX);
    rmdi_parameters *all = rmdi_alloc_zeroed(sizeof *all + count * sizeof all->items[0]);
    if (!all)
        return rmdi_fail_memory();
    int err = read_all(text, all);
    if (err < 0)
        rmdi_free(all);
    else
        *parameters = all;
    return err;
}

size_t rmdi_parameters_find(const rmdi_parameters *parameters, const char *name, size_t len)
{
    size_t i = 0;
    for (; i < parameters->count; i++) {
        const rmdi_parameter *p = &parameters->items[i];
        if ((size_t)p->name_len == len && memcmp(p->name, name, len) == 0)
            break;
    }
    return i;
}

bool rmdi_parameter_takes(const rmdi_parameter *parameter, const rmd_value *value)
{
    double x;
    bool b;
    if (parameter->type == RMDI_PARAMETER_ANY || parameter->type == (int)value->type)
        return true;
    if (!rmdi_type_is_int(value->type))
        return false;
    return parameter->type == RMDI_PARAMETER_INT ||
           (parameter->type == RMD_TYPE_BOOL && value->type == RMD_TYPE_INT &&
            rmdi_value_as_bool(value, &b)) ||
           (parameter->type == RMD_TYPE_FLOAT && rmdi_value_as_double(value, &x));
}

const char *rmdi_parameter_type_name(const rmdi_parameter *parameter)
{
    return parameter->type == RMDI_PARAMETER_ANY ? "any" : rmd_type_name((rmd_type)parameter->type);
}
