/* SPDX-License-Identifier: MIT */
/* The first error stays in the writer, and nothing is added after it. */
#include "base/error.h"
#include "data/bignum.h"
#include "data/cbor.h"
#include "data/utf8.h"
#include "data/value_text.h"
#include "job/base64.h"
#include "job/json_form.h"
#include "job/json_value.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In decimal a number has at most as many digits as are read back: 498 bytes have 1200. */
enum { DECIMAL_BYTES_MAX = 498, DECIMAL_TEXT = 1300 };

typedef struct writer {
    rmdi_buffer *to;
    int err;
} writer;

static void add(writer *w, const void *piece, size_t len)
{
    if (w->err == 0)
        w->err = rmdi_buffer_add(w->to, piece, len);
}

static void add_text(writer *w, const char *text)
{
    add(w, text, strlen(text));
}

static void fail(writer *w, int err)
{
    if (w->err == 0)
        w->err = err;
}

/* ---- numbers ---- */

static void add_hex(writer *w, rmd_bytes bytes)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = bytes.data;
    for (size_t i = 0; i < bytes.len; i++)
        add(w, (char[]){ digits[p[i] >> 4], digits[p[i] & 15] }, 2);
}

static void add_big(writer *w, const rmd_value *v)
{
    char digits[DECIMAL_TEXT];
    rmd_bytes magnitude = rmdi_big_strip(rmd_value_magnitude(v));
    const char *sign = v->negative && magnitude.len ? "-" : "";
    if (magnitude.len <= DECIMAL_BYTES_MAX) {
        size_t len = rmdi_big_decimal(magnitude, digits);
        add_text(w, sign);
        add(w, digits, len);
        return;
    }
    add_text(w, "{\"$int\":\"");
    add_text(w, sign);
    add_text(w, "0x");
    add_hex(w, magnitude);
    add_text(w, "\"}");
}

static void add_int(writer *w, const rmd_value *v)
{
    char digits[24];
    int len = v->type == RMD_TYPE_UINT
                  ? snprintf(digits, sizeof digits, "%llu", (unsigned long long)v->as.natural)
                  : snprintf(digits, sizeof digits, "%lld", (long long)v->as.integer);
    add(w, digits, (size_t)len);
}

/* The shortest digits, correctly rounded, that read back as x, which is finite: those in front of
 * the point and behind it, without the point, as how that is written depends on the language of the
 * program. Returns the power of ten of the first digit. */
static int shortest_digits(double x, char *digits)
{
    char text[64];
    /* 15 digits are always good, but below the least normal number fewer are. */
    for (int precision = x < DBL_MIN ? 0 : 14; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, x);
        if (strtod(text, NULL) == x) /* reads what snprintf writes, whatever the language */
            break;
    }
    size_t len = 0;
    char *exponent = strchr(text, 'e');
    for (const char *p = text; p < exponent; p++)
        if (*p >= '0' && *p <= '9')
            digits[len++] = *p;
    while (len > 1 && digits[len - 1] == '0')
        len--;
    digits[len] = 0;
    return atoi(exponent + 1);
}

static void add_zeros(writer *w, int count)
{
    while (count-- > 0)
        add(w, "0", 1);
}

/* As 1234.5, 0.0012 or 12.0: `power` is that of the first digit. */
static void add_plain(writer *w, const char *digits, int power)
{
    int len = (int)strlen(digits), whole = power + 1;
    if (whole <= 0) {
        add_text(w, "0.");
        add_zeros(w, -whole);
        add_text(w, digits);
        return;
    }
    add(w, digits, (size_t)(len < whole ? len : whole));
    add_zeros(w, whole - len);
    add_text(w, ".");
    add_text(w, len > whole ? digits + whole : "0");
}

/* As 1.2345e+30. */
static void add_scientific(writer *w, const char *digits, int power)
{
    char exponent[8];
    add(w, digits, 1);
    if (digits[1]) {
        add_text(w, ".");
        add_text(w, digits + 1);
    }
    snprintf(exponent, sizeof exponent, "e%+03d", power % 1000);
    add_text(w, exponent);
}

/* Never like an int: what is read back is a float. */
static void add_float(writer *w, double x)
{
    char digits[32];
    if (x != x || x - x != 0) {
        add_text(w, "{\"$float\":\"");
        add_text(w, x != x ? "nan" : x < 0 ? "-inf" : "inf");
        add_text(w, "\"}");
        return;
    }
    if (__builtin_signbit(x))
        add_text(w, "-");
    x = __builtin_fabs(x);
    int power = shortest_digits(x, digits);
    if (power < -4 || power >= 16)
        add_scientific(w, digits, power);
    else
        add_plain(w, digits, power);
}

/* ---- texts and bytes ---- */

/* What JSON does not allow as it is, what would begin a new line somewhere, or command a
 * terminal. */
static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
}

static void add_escaped(writer *w, uint32_t c)
{
    static const char escaped[] = "\"\\\n\r\t\b\f", as[] = "\"\\nrtbf";
    const char *special = c && c < 0x80 ? strchr(escaped, (int)c) : NULL;
    char code[8];
    if (special) {
        add(w, (char[]){ '\\', as[special - escaped] }, 2);
        return;
    }
    snprintf(code, sizeof code, "\\u%04x", (unsigned)c & 0xffff);
    add(w, code, 6);
}

/* How many bytes from p on stand as they are; the character behind them is in *c. */
static size_t plain_bytes(const unsigned char *p, size_t len, uint32_t *c, size_t *taken)
{
    size_t n = 0;
    for (; n < len; n += *taken) {
        *c = rmdi_utf8_decode(p + n, len - n, taken);
        if (*c == '"' || *c == '\\' || is_control(*c))
            break;
    }
    return n;
}

static void add_string(writer *w, rmd_bytes text)
{
    const unsigned char *p = text.data;
    size_t bad = rmdi_text_check(p, text.len), taken = 0;
    if (bad < text.len)
        fail(w, rmdi_fail(RMD_EINVAL, "byte %zu of a text is not UTF-8", bad));
    add_text(w, "\"");
    for (size_t at = 0; at < text.len && w->err == 0; at += taken) {
        uint32_t c = 0;
        size_t plain = plain_bytes(p + at, text.len - at, &c, &taken);
        add(w, p + at, plain);
        at += plain;
        if (at == text.len)
            break;
        add_escaped(w, c);
    }
    add_text(w, "\"");
}

static void add_bytes(writer *w, rmd_bytes bytes)
{
    add_text(w, "{\"$bytes\":\"");
    if (w->err == 0)
        w->err = rmdi_base64_add(w->to, bytes);
    add_text(w, "\"}");
}

/* ---- what holds others ---- */

static void add_value(writer *w, const rmd_value *v, unsigned depth);

static void add_list(writer *w, const rmd_value *v, unsigned depth)
{
    add_text(w, "[");
    for (size_t i = 0; i < v->as.list.count && w->err == 0; i++) {
        if (i)
            add_text(w, ",");
        add_value(w, &v->as.list.items[i], depth);
    }
    add_text(w, "]");
}

/* Do the pairs look like a map of JSON, and like nothing else? */
static bool is_plain(const rmd_value *v)
{
    const rmd_pair *pairs = v->as.map.pairs;
    for (size_t i = 0; i < v->as.map.count; i++)
        if (pairs[i].key.type != RMD_TYPE_TEXT)
            return false;
    return v->as.map.count != 1 || rmdi_json_form_of(&pairs[0].key) == RMDI_JSON_PLAIN;
}

static void add_pair(writer *w, const rmd_pair *pair, bool plain, unsigned depth)
{
    if (!rmdi_cbor_is_scalar(pair->key.type))
        fail(w, rmdi_fail(RMD_EINVAL, "a value of type %s cannot be the key of a map",
                          rmd_type_name(pair->key.type)));
    add_text(w, plain ? "" : "[");
    add_value(w, &pair->key, depth);
    add_text(w, plain ? ":" : ",");
    add_value(w, &pair->value, depth);
    add_text(w, plain ? "" : "]");
}

static void add_map(writer *w, const rmd_value *v, unsigned depth)
{
    bool plain = is_plain(v);
    add_text(w, plain ? "{" : "{\"$map\":[");
    for (size_t i = 0; i < v->as.map.count && w->err == 0; i++) {
        if (i)
            add_text(w, ",");
        add_pair(w, &v->as.map.pairs[i], plain, depth);
    }
    add_text(w, plain ? "}" : "]}");
}

static void add_reference(writer *w, const rmd_value *v, unsigned depth)
{
    const rmd_value *content = v->as.content;
    if (!content || (content->type != RMD_TYPE_TEXT && content->type != RMD_TYPE_BYTES &&
                     content->type != RMD_TYPE_LIST)) {
        fail(w, rmdi_fail(RMD_EINVAL, "a reference holds a text, bytes or a list"));
        return;
    }
    add_text(w, "{\"$reference\":");
    add_value(w, content, depth);
    add_text(w, "}");
}

static void add_nested(writer *w, const rmd_value *v, unsigned depth)
{
    if (depth == RMD_VALUE_DEPTH_MAX)
        fail(w, rmdi_fail(RMD_E2BIG, "values lie more than %d deep in each other",
                          RMD_VALUE_DEPTH_MAX));
    else if (v->type == RMD_TYPE_LIST)
        add_list(w, v, depth + 1);
    else if (v->type == RMD_TYPE_MAP)
        add_map(w, v, depth + 1);
    else
        add_reference(w, v, depth + 1);
}

static void add_value(writer *w, const rmd_value *v, unsigned depth)
{
    switch (v->type) {
    case RMD_TYPE_NULL: add_text(w, "null"); break;
    case RMD_TYPE_BOOL: add_text(w, v->as.boolean ? "true" : "false"); break;
    case RMD_TYPE_INT:
    case RMD_TYPE_UINT: add_int(w, v); break;
    case RMD_TYPE_BIG: add_big(w, v); break;
    case RMD_TYPE_FLOAT: add_float(w, v->as.real); break;
    case RMD_TYPE_TEXT: add_string(w, v->as.bytes); break;
    case RMD_TYPE_BYTES: add_bytes(w, v->as.bytes); break;
    case RMD_TYPE_LIST:
    case RMD_TYPE_MAP:
    case RMD_TYPE_REFERENCE: add_nested(w, v, depth); break;
    default:
        fail(w, rmdi_fail(RMD_EINVAL, "a value of type %s has no JSON", rmd_type_name(v->type)));
    }
}

int rmdi_json_encode(rmdi_buffer *to, const rmd_value *value)
{
    if (!value)
        return rmdi_fail(RMD_EINVAL, "no value was given");
    size_t before = to->len;
    writer w = { .to = to };
    add_value(&w, value, 0);
    if (w.err < 0 && to->data) {
        to->len = before;
        to->data[before] = 0;
    }
    return w.err;
}
