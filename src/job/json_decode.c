/* SPDX-License-Identifier: MIT */
/* One walk over the text, from left to right. Before it, the commas and brackets are counted, so
 * that the number of values is known, and one block is taken as rmd_value_decode() takes it: all
 * values, the root first, and behind them the bytes of texts and the like, which are never more
 * than the text has. Values whose list or map has not ended are on a stack; at its end they go to
 * the block, next to each other. */
#include "base/alloc.h"
#include "base/error.h"
#include "data/cbor.h"
#include "job/json_form.h"
#include "job/json_scanner.h"
#include "job/json_value.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* A map that is written as {"$map": [[key, value], …]} lies three deep. */
    NESTING_MAX = 3 * RMD_VALUE_DEPTH_MAX,
    FEW_PAIRS = 8,
};

typedef struct parser {
    rmdi_json_scanner scan;
    rmd_value_limits limits;
    rmd_value *values, *stack;
    size_t values_len, stack_len;
    size_t items; /* values so far, with those of the stack and those that were forms */
    unsigned nesting;
} parser;

/* ---- the pairs of a map ---- */

static int compare_pairs(const void *a, const void *b)
{
    const rmd_pair *x = a, *y = b;
    return rmdi_cbor_compare(&x->key, &y->key);
}

static int refuse_twice(const parser *p, const unsigned char *where, const rmd_value *key)
{
    char text[64];
    (void)rmd_value_format(key, text, sizeof text);
    return rmdi_json_refuse_at(&p->scan, where, RMD_ESYNTAX,
                               "the map that begins here has the key %s twice", text);
}

/* Pairs may stand in any order, so it is changed where there are many. */
static int check_keys(const parser *p, const unsigned char *where, rmd_pair *pairs, size_t count)
{
    if (count > FEW_PAIRS)
        qsort(pairs, count, sizeof *pairs, compare_pairs);
    for (size_t i = 1; i < count; i++)
        for (size_t j = count > FEW_PAIRS ? i - 1 : 0; j < i; j++)
            if (rmdi_cbor_compare(&pairs[i].key, &pairs[j].key) == 0)
                return refuse_twice(p, where, &pairs[i].key);
    return 0;
}

/* ---- lists and maps ---- */

static void skip_blanks(parser *p)
{
    while (p->scan.at < p->scan.end && (*p->scan.at == ' ' || *p->scan.at == '\n' ||
                                        *p->scan.at == '\r' || *p->scan.at == '\t'))
        p->scan.at++;
}

static int read_value(parser *p, rmd_value *to, unsigned *depth);

/* Puts what stands here on the stack. `depth` becomes that of the deepest so far. */
static int push_value(parser *p, unsigned *depth)
{
    rmd_value value = rmd_null();
    unsigned inside = 0;
    int err = read_value(p, &value, &inside);
    if (err < 0)
        return err;
    p->stack[p->stack_len++] = value;
    if (inside > *depth)
        *depth = inside;
    return 0;
}

static int push_pair(parser *p, unsigned *depth)
{
    if (p->scan.at == p->scan.end || *p->scan.at != '"')
        return rmdi_json_refuse(&p->scan, "a key is a text in \"…\"");
    int err = push_value(p, depth);
    if (err < 0)
        return err;
    skip_blanks(p);
    if (p->scan.at == p->scan.end || *p->scan.at != ':')
        return rmdi_json_refuse(&p->scan, "a : should follow the key");
    p->scan.at++;
    return push_value(p, depth);
}

/* Takes what lies above `base` off the stack, to its place in the block. */
static rmd_value *settle(parser *p, size_t base)
{
    rmd_value *place = &p->values[p->values_len];
    size_t count = p->stack_len - base;
    memcpy(place, p->stack + base, count * sizeof *place);
    p->values_len += count;
    p->stack_len = base;
    return place;
}

/* From behind the opening bracket to behind the closing one. */
static int push_all(parser *p, char closing, unsigned *depth)
{
    skip_blanks(p);
    if (p->scan.at < p->scan.end && *p->scan.at == closing) {
        p->scan.at++;
        return 0;
    }
    for (;;) {
        int err = closing == '}' ? push_pair(p, depth) : push_value(p, depth);
        if (err < 0)
            return err;
        skip_blanks(p);
        if (p->scan.at == p->scan.end || (*p->scan.at != ',' && *p->scan.at != closing))
            return rmdi_json_refuse(&p->scan, closing == '}' ? "a , or } should follow"
                                                             : "a , or ] should follow");
        if (*p->scan.at++ == closing)
            return 0;
        skip_blanks(p);
    }
}

/* What the map of one pair on the stack stands for takes its place. It lies less deep than it is
 * written, or, as a reference, as deep. */
static int end_form(parser *p, rmdi_json_form form, const unsigned char *where, rmd_value *to,
                    unsigned *depth)
{
    const char *wrong = rmdi_json_form_read(form, &p->stack[--p->stack_len],
                                            &p->values[p->values_len], to);
    p->stack_len--;
    if (wrong)
        return rmdi_json_refuse_at(&p->scan, where, RMD_ESYNTAX, "%s", wrong);
    if (form == RMDI_JSON_REFERENCE) {
        p->values_len++;
        ++*depth;
    }
    if (form != RMDI_JSON_MAP)
        return 0;
    size_t count = to->as.map.count;
    p->values_len += 2 * count;
    *depth -= count > 0;
    return check_keys(p, where, (rmd_pair *)(uintptr_t)to->as.map.pairs, count);
}

static int end_map(parser *p, size_t base, const unsigned char *where, rmd_value *to,
                   unsigned *depth)
{
    size_t count = (p->stack_len - base) / 2;
    rmdi_json_form form = count == 1 ? rmdi_json_form_of(&p->stack[base]) : RMDI_JSON_PLAIN;
    if (form != RMDI_JSON_PLAIN)
        return end_form(p, form, where, to, depth);
    rmd_pair *pairs = (rmd_pair *)(void *)settle(p, base);
    *to = rmd_map_value(pairs, count);
    ++*depth;
    return check_keys(p, where, pairs, count);
}

static void end_list(parser *p, size_t base, rmd_value *to, unsigned *depth)
{
    size_t count = p->stack_len - base;
    *to = rmd_list(settle(p, base), count);
    ++*depth;
}

static int read_nested(parser *p, rmd_value *to, unsigned *depth)
{
    const unsigned char *where = p->scan.at;
    size_t base = p->stack_len;
    bool map = *p->scan.at++ == '{';
    *depth = 0;
    if (p->nesting == NESTING_MAX)
        return rmdi_json_refuse_at(&p->scan, where, RMD_E2BIG,
                                   "lists and maps lie too deep in each other");
    p->nesting++;
    int err = push_all(p, map ? '}' : ']', depth);
    p->nesting--;
    if (err < 0)
        return err;
    if (map)
        return end_map(p, base, where, to, depth);
    end_list(p, base, to, depth);
    return 0;
}

/* ---- any value ---- */

static bool is_word(rmd_bytes word, const char *text)
{
    return rmdi_bytes_equal(word, rmdi_bytes_of(text));
}

/* null, true, false; and what other languages write, to be told how to write it here. */
static int read_word(parser *p, rmd_value *to)
{
    const unsigned char *begin = p->scan.at;
    while (p->scan.at < p->scan.end && (*p->scan.at | 0x20) >= 'a' && (*p->scan.at | 0x20) <= 'z')
        p->scan.at++;
    rmd_bytes word = { begin, (size_t)(p->scan.at - begin) };
    if (is_word(word, "null"))
        *to = rmd_null();
    else if (is_word(word, "true") || is_word(word, "false"))
        *to = rmd_bool(*begin == 't');
    else if (is_word(word, "NaN") || is_word(word, "Infinity"))
        return rmdi_json_refuse_at(&p->scan, begin, RMD_ESYNTAX,
                                   "JSON has no word for this; write {\"$float\": \"%s\"}",
                                   *begin == 'N' ? "nan" : "inf");
    else
        return rmdi_json_refuse_at(
            &p->scan, begin, RMD_ESYNTAX,
            "\"%.*s\" is no JSON: a text stands in \"…\"; words are null, true, false",
            word.len < 40 ? (int)word.len : 40, (const char *)begin);
    return 0;
}

static int read_value(parser *p, rmd_value *to, unsigned *depth)
{
    skip_blanks(p);
    if (p->items++ == p->limits.items_max)
        return rmdi_json_refuse_at(&p->scan, p->scan.at, RMD_E2BIG, "more than %zu values",
                                   p->limits.items_max);
    if (p->scan.at == p->scan.end)
        return rmdi_json_refuse(&p->scan, "a value should stand here");
    switch (*p->scan.at) {
    case '"': return rmdi_json_read_text(&p->scan, to);
    case '[':
    case '{': return read_nested(p, to, depth);
    default: break;
    }
    if (*p->scan.at == '-' || rmdi_json_at_digit(&p->scan))
        return rmdi_json_read_number(&p->scan, to);
    if ((*p->scan.at | 0x20) >= 'a' && (*p->scan.at | 0x20) <= 'z')
        return read_word(p, to);
    return rmdi_json_refuse(&p->scan,
                            "a value is a number, null, true, false, or begins with \" [ {");
}

static int read_whole(parser *p, rmd_value *root)
{
    unsigned depth = 0;
    int err = read_value(p, root, &depth);
    skip_blanks(p);
    if (err == 0 && p->scan.at < p->scan.end)
        err = rmdi_json_refuse_at(&p->scan, p->scan.at, RMD_ESYNTAX,
                                  "the value ends here, and more follows");
    if (err == 0 && depth > p->limits.depth_max)
        err = rmdi_json_refuse_at(&p->scan, p->scan.start, RMD_E2BIG,
                                  "lists and maps lie %u deep in each other; the limit is %zu",
                                  depth, p->limits.depth_max);
    return err;
}

/* ---- memory ---- */

/* How many values there can be: one, and one more for each of , : [ { outside of texts. */
static size_t count_values(rmd_bytes text)
{
    const unsigned char *p = text.data, *end = p + text.len;
    size_t count = 1;
    bool inside = false;
    for (; p < end; p++) {
        if (*p == '"')
            inside = !inside;
        else if (inside && *p == '\\')
            p++;
        else if (!inside && (*p == ',' || *p == ':' || *p == '[' || *p == '{'))
            count++;
    }
    return count;
}

static int set_limits(rmd_value_limits *limits, const rmd_value_limits *given, rmd_bytes text)
{
    if (given && given->size != sizeof *given)
        return rmdi_fail(RMD_EINVAL, "limits of size %zu, not %zu", given->size, sizeof *given);
    *limits = given ? *given : (rmd_value_limits){ 0 };
    if (!limits->bytes_max)
        limits->bytes_max = RMDI_JSON_TEXT_MAX;
    if (!limits->items_max)
        limits->items_max = RMDI_JSON_ITEMS_MAX;
    if (!limits->depth_max)
        limits->depth_max = RMD_VALUE_DEPTH_MAX;
    if (limits->depth_max > RMD_VALUE_DEPTH_MAX)
        return rmdi_fail(RMD_EINVAL, "depth_max %zu; values are at most %d deep", limits->depth_max,
                         RMD_VALUE_DEPTH_MAX);
    if (text.len > limits->bytes_max)
        return rmdi_fail(RMD_E2BIG, "a text of %zu bytes; the limit is %zu", text.len,
                         limits->bytes_max);
    return 0;
}

/* The block, which becomes the value, and the stack. What stands for something else may be copied
 * from one place of the block to another, and its old place is lost: so there are two for each. */
static int take_memory(parser *p, size_t text_len, size_t count)
{
    p->values = rmdi_alloc(2 * count * sizeof *p->values + text_len + 1);
    p->stack = count > 1 ? rmdi_alloc(count * sizeof *p->stack) : NULL;
    if (p->values && (p->stack || count == 1)) {
        p->values_len = 1;
        p->scan.bytes = (unsigned char *)(p->values + 2 * count);
        return 0;
    }
    rmdi_free(p->values);
    rmdi_free(p->stack);
    return rmdi_fail_memory();
}

int rmdi_json_decode(const rmd_value **value, rmd_bytes text, const rmd_value_limits *limits)
{
    parser p = { .scan.start = text.len ? text.data : (const unsigned char *)"" };
    p.scan.at = p.scan.start;
    p.scan.end = p.scan.start + text.len;
    int err = set_limits(&p.limits, limits, text);
    if (err < 0)
        return err;
    size_t count = count_values((rmd_bytes){ p.scan.start, text.len });
    if (count > p.limits.items_max)
        count = p.limits.items_max + 1; /* of more than that is the first to be refused */
    err = take_memory(&p, text.len, count);
    if (err < 0)
        return err;
    err = read_whole(&p, &p.values[0]);
    rmdi_free(p.stack);
    if (p.scan.plain)
        freelocale(p.scan.plain);
    if (err < 0)
        rmdi_free(p.values);
    else
        *value = p.values;
    return err;
}
