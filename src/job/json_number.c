/* SPDX-License-Identifier: MIT */
/* What has neither point nor exponent is an int, digit by digit; anything else a float. */
#include "base/error.h"
#include "data/bignum.h"
#include "job/json_scanner.h"

#include <stdlib.h>
#include <string.h>

enum { FAST_DIGITS = 18 }; /* of a number that is below 2^63 for sure */

static int read_big(rmdi_json_scanner *s, rmd_value *to, bool negative, rmd_bytes digits)
{
    rmdi_buffer magnitude = { 0 };
    int err = rmdi_big_from_decimal(&magnitude, digits);
    if (err == 0)
        *to = rmd_big_of(negative, (rmd_bytes){ rmdi_json_keep(s, magnitude.data, magnitude.len),
                                                magnitude.len });
    else if (err == RMD_E2BIG)
        err = rmdi_json_refuse_at(s, digits.data, err, "a number of %zu digits; the limit is 1200",
                                  digits.len);
    rmdi_buffer_free(&magnitude);
    return err;
}

static int read_int(rmdi_json_scanner *s, rmd_value *to, const unsigned char *begin)
{
    bool negative = *begin == '-';
    begin += negative;
    size_t len = (size_t)(s->at - begin);
    if (len > FAST_DIGITS)
        return read_big(s, to, negative, (rmd_bytes){ begin, len });
    long long number = 0;
    for (; begin < s->at; begin++)
        number = number * 10 + (*begin - '0');
    *to = rmd_int(negative ? -number : number);
    return 0;
}

/* The bytes of the block that are free have room for the text and a 0. */
static int read_float(rmdi_json_scanner *s, rmd_value *to, const unsigned char *begin)
{
    size_t len = (size_t)(s->at - begin);
    char *text = (char *)s->bytes;
    memcpy(text, begin, len);
    text[len] = 0;
    if (!s->plain)
        s->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!s->plain)
        return rmdi_fail_memory();
    double number = strtod_l(text, NULL, s->plain);
    if (number - number != 0)
        return rmdi_json_refuse_at(s, begin, RMD_ESYNTAX, "%.40s is more than a float can be",
                                   text);
    *to = rmd_float(number);
    return 0;
}

static int skip_digits(rmdi_json_scanner *s, const char *wanted)
{
    if (!rmdi_json_at_digit(s))
        return rmdi_json_refuse(s, wanted);
    while (rmdi_json_at_digit(s))
        s->at++;
    return 0;
}

int rmdi_json_read_number(rmdi_json_scanner *s, rmd_value *to)
{
    const unsigned char *begin = s->at;
    bool whole = true;
    s->at += *s->at == '-';
    bool zero = s->at < s->end && *s->at == '0';
    int err = skip_digits(s, "a digit should follow the sign");
    if (err == 0 && zero && s->at - begin > 1 + (*begin == '-'))
        return rmdi_json_refuse_at(s, begin, RMD_ESYNTAX,
                                   "a number does not begin with a 0 in front");
    if (err == 0 && s->at < s->end && *s->at == '.') {
        whole = false;
        s->at++;
        err = skip_digits(s, "a digit should follow the point");
    }
    if (err == 0 && s->at < s->end && (*s->at | 0x20) == 'e') {
        whole = false;
        s->at++;
        s->at += s->at < s->end && (*s->at == '+' || *s->at == '-');
        err = skip_digits(s, "the digits of the exponent should follow");
    }
    if (err < 0)
        return err;
    return whole ? read_int(s, to, begin) : read_float(s, to, begin);
}
