/* SPDX-License-Identifier: MIT */
/* Whole numbers are read as a sign and a magnitude of 128 bits, whatever the variable is, and then
 * compared with what it can hold. */
#include "data/value_get.h"
#include "base/error.h"
#include "data/bignum.h"

#include <stdio.h>
#include <string.h>

enum { SHOWN_MAX = 80 }; /* bytes of a value in a message */

static const char *wanted_name(rmd_wanted wanted)
{
    switch (wanted) {
    case RMD_WANT_BOOL: return "a bool";
    case RMD_WANT_DOUBLE: return "a float";
    case RMD_WANT_TEXT: return "a text";
    case RMD_WANT_BYTES: return "bytes";
    case RMD_WANT_VALUE: return "a value";
    default: return "an int";
    }
}

void rmdi_value_show(const rmd_value *value, char *text, size_t size)
{
    int n = snprintf(text, size, "%s%s", rmd_type_name(value->type),
                     value->type == RMD_TYPE_NULL || value->type == RMD_TYPE_ABSENT ? "" : " ");
    if (value->type == RMD_TYPE_NULL || value->type == RMD_TYPE_ABSENT)
        return;
    int whole = rmd_value_format(value, text + n, size - (size_t)n);
    if (whole > 0 && (size_t)whole >= size - (size_t)n)
        memcpy(text + strlen(text) - 3, "...", 3);
}

static int refuse(int code, const rmd_value *value, const char *cause, const char *wanted)
{
    char text[SHOWN_MAX];
    rmdi_value_show(value, text, sizeof text);
    return rmdi_fail(code, "%s %s%s", text, cause, wanted);
}

static int refuse_type(const rmd_value *value, rmd_wanted wanted)
{
    return refuse(RMD_EINVAL, value, "is not ", wanted_name(wanted));
}

bool rmdi_type_is_int(rmd_type type)
{
    return type == RMD_TYPE_INT || type == RMD_TYPE_UINT || type == RMD_TYPE_BIG;
}

/* False: more than 128 bits. */
static bool magnitude_of(const rmd_value *value, bool *negative, rmd_uint128 *magnitude)
{
    *negative = false;
    if (value->type == RMD_TYPE_UINT) {
        *magnitude = value->as.natural;
    } else if (value->type == RMD_TYPE_INT) {
        *negative = value->as.integer < 0;
        rmd_int128 x = value->as.integer;
        *magnitude = (rmd_uint128)(x < 0 ? -x : x);
    } else {
        rmd_bytes bytes = rmdi_big_strip(rmd_value_magnitude(value));
        *negative = value->negative && bytes.len;
        if (bytes.len > sizeof *magnitude)
            return false;
        *magnitude = rmdi_big_to_number(bytes);
    }
    return true;
}

static void store(void *to, size_t size, rmd_uint128 number)
{
    uint64_t low = (uint64_t)number;
    switch (size) {
    case 1: memcpy(to, &(uint8_t){ (uint8_t)low }, 1); break;
    case 2: memcpy(to, &(uint16_t){ (uint16_t)low }, 2); break;
    case 4: memcpy(to, &(uint32_t){ (uint32_t)low }, 4); break;
    case 8: memcpy(to, &low, 8); break;
    default: memcpy(to, &number, sizeof number); break;
    }
}

static int read_int(const rmd_value *value, bool is_signed, size_t size, void *to)
{
    bool negative;
    rmd_uint128 magnitude;
    rmd_uint128 max = ~(rmd_uint128)0 >> (128 - 8 * size + is_signed);
    bool fits = magnitude_of(value, &negative, &magnitude);
    if (fits && negative)
        fits = is_signed && magnitude <= max + 1;
    else if (fits)
        fits = magnitude <= max;
    if (!fits) {
        char cause[64];
        snprintf(cause, sizeof cause, "does not fit an int of %zu bits%s", 8 * size,
                 is_signed ? "" : " without a sign");
        return refuse(RMD_E2BIG, value, cause, "");
    }
    store(to, size, negative ? -magnitude : magnitude);
    return 0;
}

/* Has a double room for it: are its first and its last 1 at most 53 bits apart? */
static bool fits_double(rmd_bytes magnitude, double *to)
{
    const unsigned char *p = magnitude.data;
    size_t len = magnitude.len;
    size_t dropped = 0;
    for (; len && !p[len - 1]; len--)
        dropped += 8;
    if (len > 8)
        return false;
    uint64_t number = (uint64_t)rmdi_big_to_number((rmd_bytes){ .data = p, .len = len });
    if (number) {
        unsigned zeros = (unsigned)__builtin_ctzll(number);
        number >>= zeros;
        dropped += zeros;
    }
    if (number >> 53 || dropped + 64 - (unsigned)(number ? __builtin_clzll(number) : 64) > 1024)
        return false;
    *to = (double)number;
    for (; dropped; dropped--)
        *to *= 2;
    return true;
}

bool rmdi_value_as_double(const rmd_value *value, double *to)
{
    unsigned char bytes[16];
    bool negative;
    rmd_uint128 magnitude;
    if (value->type == RMD_TYPE_FLOAT) {
        *to = value->as.real;
        return true;
    }
    rmd_bytes all = rmdi_big_strip(rmd_value_magnitude(value));
    if (magnitude_of(value, &negative, &magnitude)) {
        for (int i = 16; i-- > 0; magnitude >>= 8)
            bytes[i] = (unsigned char)magnitude;
        all = rmdi_big_strip((rmd_bytes){ .data = bytes, .len = sizeof bytes });
    }
    double x;
    if (!fits_double(all, &x))
        return false;
    *to = negative ? -x : x;
    return true;
}

bool rmdi_value_as_bool(const rmd_value *value, bool *to)
{
    bool is_int = value->type == RMD_TYPE_INT;
    if (is_int && value->as.integer != 0 && value->as.integer != 1)
        return false;
    *to = is_int ? value->as.integer == 1 : value->as.boolean;
    return true;
}

static int read_bool(const rmd_value *value, void *to)
{
    bool x;
    if (!rmdi_value_as_bool(value, &x))
        return refuse_type(value, RMD_WANT_BOOL);
    memcpy(to, &x, sizeof x);
    return 0;
}

static int read_double(const rmd_value *value, void *to)
{
    double x;
    if (!rmdi_value_as_double(value, &x))
        return refuse(RMD_E2BIG, value, "has no exact value as a float", "");
    memcpy(to, &x, sizeof x);
    return 0;
}

static int read_text(const rmd_value *value, void *to)
{
    const char *text = NULL;
    if (value->type != RMD_TYPE_NULL) {
        text = value->as.bytes.data;
        if (!value->terminated)
            return refuse(RMD_EINVAL, value, "has no 0 behind it; read it as rmd_bytes", "");
        if (memchr(text, 0, value->as.bytes.len))
            return refuse(RMD_EINVAL, value, "has a 0 inside; read it as rmd_bytes", "");
    }
    memcpy(to, &text, sizeof text);
    return 0;
}

/* May a value of that type be read so? */
static bool suits(rmd_type type, rmd_wanted wanted)
{
    switch (wanted) {
    case RMD_WANT_BOOL: return type == RMD_TYPE_BOOL || type == RMD_TYPE_INT;
    case RMD_WANT_DOUBLE: return type == RMD_TYPE_FLOAT || rmdi_type_is_int(type);
    case RMD_WANT_TEXT: return type == RMD_TYPE_TEXT || type == RMD_TYPE_NULL;
    case RMD_WANT_BYTES: return type == RMD_TYPE_TEXT || type == RMD_TYPE_BYTES;
    case RMD_WANT_VALUE: return true;
    default: return rmdi_type_is_int(type);
    }
}

int rmd_value_read(const rmd_value *value, rmd_wanted wanted, void *to)
{
    if (!value || !to)
        return rmdi_fail(RMD_EINVAL,
                         value ? "get: no place for %s was given" : "no value to be read as %s",
                         wanted_name(wanted));
    if (!suits(value->type, wanted))
        return refuse_type(value, wanted);
    switch (wanted) {
    case RMD_WANT_BOOL: return read_bool(value, to);
    case RMD_WANT_DOUBLE: return read_double(value, to);
    case RMD_WANT_TEXT: return read_text(value, to);
    case RMD_WANT_BYTES: memcpy(to, &value->as.bytes, sizeof(rmd_bytes)); return 0;
    case RMD_WANT_VALUE: memcpy(to, &value, sizeof(const rmd_value *)); return 0;
    default: break;
    }
    bool is_signed = wanted < RMD_WANT_UNSIGNED;
    return read_int(value, is_signed,
                    (size_t)(wanted - (is_signed ? RMD_WANT_SIGNED : RMD_WANT_UNSIGNED)), to);
}
