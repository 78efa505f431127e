/* SPDX-License-Identifier: MIT */
/* Text that does not fit is counted all the same. It ends before the character that does not fit
 * whole, and then nothing follows, however small. */
#include "base/decimal.h"
#include "base/error.h"
#include "data/bignum.h"
#include "data/utf8.h"

#include <remuda/value.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>

typedef struct text {
    char *to;
    size_t size, len; /* room, with the 0; what there is to write */
    bool cut;
    bool bad; /* too deep */
} text;

/* A piece that is written whole or not at all. */
static void add(text *t, const char *piece, size_t len)
{
    if (!t->cut && t->len + len < t->size)
        memcpy(t->to + t->len, piece, len);
    else if (!t->cut) {
        t->cut = true;
        if (t->size)
            t->to[t->len] = 0;
    }
    t->len += len;
}

static void add_text(text *t, const char *piece)
{
    for (; *piece; piece++)
        add(t, piece, 1);
}

static void add_hex(text *t, rmd_bytes bytes)
{
    const unsigned char *p = bytes.data;
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.len; i++) {
        add(t, &digits[p[i] >> 4], 1);
        add(t, &digits[p[i] & 15], 1);
    }
}

/* What would begin a new line somewhere, or command a terminal. */
static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
}

static void add_character(text *t, uint32_t c, const unsigned char *p, size_t len)
{
    static const char escaped[] = "\"\\\n\r\t", as[] = "\"\\nrt";
    const char *special = *p ? strchr(escaped, *p) : NULL;
    char code[8];
    if (special) {
        add(t, (char[]){ '\\', as[special - escaped] }, 2);
    } else if (is_control(c)) {
        snprintf(code, sizeof code, "\\u%04x", (unsigned)c & 0xffff);
        add(t, code, 6);
    } else {
        add(t, (const char *)p, len);
    }
}

static void add_quoted(text *t, rmd_bytes bytes)
{
    const unsigned char *p = bytes.data;
    size_t taken;
    add(t, "\"", 1);
    for (size_t i = 0; i < bytes.len; i += taken) {
        uint32_t c = rmdi_utf8_decode(p + i, bytes.len - i, &taken);
        if (c == RMDI_UTF8_REPLACEMENT)
            add(t, "\xef\xbf\xbd", 3); /* such a text cannot be encoded, but shown */
        else
            add_character(t, c, p + i, taken);
    }
    add(t, "\"", 1);
}

static void add_number(text *t, bool negative, uint64_t number)
{
    char digits[RMDI_DECIMAL_MAX];
    rmdi_decimal(digits, number);
    if (negative)
        add(t, "-", 1);
    add_text(t, digits);
}

static void add_big(text *t, const rmd_value *v)
{
    char digits[RMDI_BIG_DECIMAL_MAX * 5 / 2 + 20];
    rmd_bytes magnitude = rmdi_big_strip(rmd_value_magnitude(v));
    if (v->negative && magnitude.len)
        add(t, "-", 1);
    if (magnitude.len > RMDI_BIG_DECIMAL_MAX) {
        add_text(t, "0x");
        add_hex(t, magnitude);
        return;
    }
    rmdi_big_decimal(magnitude, digits);
    add_text(t, digits);
}

/* The shortest of 15 to 17 digits that reads back as the same number, and never like an int. */
static void add_float(text *t, double x)
{
    char digits[40];
    if (x != x || x - x != 0) {
        add_text(t, x != x ? "nan" : x < 0 ? "-inf" : "inf");
        return;
    }
    for (int precision = 15; precision <= 17; precision++) {
        double back;
        snprintf(digits, sizeof digits, "%.*g", precision, x);
        if (sscanf(digits, "%lf", &back) == 1 && back == x)
            break;
    }
    for (char *p = digits; *p; p++)
        if (*p == ',') /* some languages write it so */
            *p = '.';
    add_text(t, digits);
    if (!strpbrk(digits, ".e"))
        add_text(t, ".0");
}

static void add_value(text *t, const rmd_value *v, unsigned depth);

static void add_list(text *t, const rmd_value *v, unsigned depth)
{
    add(t, "[", 1);
    for (size_t i = 0; i < v->as.list.count; i++) {
        if (i)
            add_text(t, ", ");
        add_value(t, &v->as.list.items[i], depth);
    }
    add(t, "]", 1);
}

static void add_map(text *t, const rmd_value *v, unsigned depth)
{
    add(t, "{", 1);
    for (size_t i = 0; i < v->as.map.count; i++) {
        if (i)
            add_text(t, ", ");
        add_value(t, &v->as.map.pairs[i].key, depth);
        add_text(t, ": ");
        add_value(t, &v->as.map.pairs[i].value, depth);
    }
    add(t, "}", 1);
}

static void add_reference(text *t, const rmd_value *v, unsigned depth)
{
    add_text(t, "ref(");
    if (v->as.content)
        add_value(t, v->as.content, depth);
    add(t, ")", 1);
}

static void add_nested(text *t, const rmd_value *v, unsigned depth)
{
    if (depth == RMD_VALUE_DEPTH_MAX) {
        t->bad = true;
        return;
    }
    if (v->type == RMD_TYPE_LIST)
        add_list(t, v, depth + 1);
    else if (v->type == RMD_TYPE_REFERENCE)
        add_reference(t, v, depth + 1);
    else
        add_map(t, v, depth + 1);
}

static void add_value(text *t, const rmd_value *v, unsigned depth)
{
    switch (v->type) {
    case RMD_TYPE_BOOL: add_text(t, v->as.boolean ? "true" : "false"); break;
    case RMD_TYPE_INT: {
        int64_t x = v->as.integer;
        add_number(t, x < 0, x < 0 ? -(uint64_t)x : (uint64_t)x);
        break;
    }
    case RMD_TYPE_UINT: add_number(t, false, v->as.natural); break;
    case RMD_TYPE_BIG: add_big(t, v); break;
    case RMD_TYPE_FLOAT: add_float(t, v->as.real); break;
    case RMD_TYPE_TEXT: add_quoted(t, v->as.bytes); break;
    case RMD_TYPE_BYTES:
        add_text(t, "h'");
        add_hex(t, v->as.bytes);
        add(t, "'", 1);
        break;
    case RMD_TYPE_LIST:
    case RMD_TYPE_MAP:
    case RMD_TYPE_NAMED:
    case RMD_TYPE_REFERENCE: add_nested(t, v, depth); break;
    default: add_text(t, rmd_type_name(v->type)); break;
    }
}

int rmd_value_format(const rmd_value *value, char *to, size_t size)
{
    text t = { .to = to, .size = to ? size : 0 };
    if (value)
        add_value(&t, value, 0);
    if (t.bad || t.len > INT_MAX) {
        if (t.size)
            *to = 0;
        return rmdi_fail(RMD_E2BIG,
                         t.bad ? "values lie more than %d deep in each other"
                               : "a text of more than %d bytes",
                         t.bad ? RMD_VALUE_DEPTH_MAX : INT_MAX);
    }
    if (t.size && !t.cut)
        to[t.len] = 0;
    return (int)t.len;
}
