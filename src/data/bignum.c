/* SPDX-License-Identifier: MIT */
/* Decimal is made nine digits at a time, by dividing the whole number by 10^9 again and again: the
 * time grows with the square of the length, which is why there is a limit. */
#include "data/bignum.h"

#include "base/error.h"

#include <string.h>

enum { NINE_DIGITS = 1000000000, LIMBS = RMDI_BIG_DECIMAL_MAX / 4, DIGITS_MAX = 1200 };

rmd_bytes rmdi_big_strip(rmd_bytes magnitude)
{
    const unsigned char *p = magnitude.data;
    size_t len = magnitude.len;
    for (; len && !*p; p++)
        len--;
    return (rmd_bytes){ .data = p, .len = len };
}

rmd_uint128 rmdi_big_to_number(rmd_bytes magnitude)
{
    const unsigned char *p = magnitude.data;
    rmd_uint128 number = 0;
    for (size_t i = 0; i < magnitude.len; i++)
        number = number << 8 | p[i];
    return number;
}

int rmdi_big_compare(rmd_bytes a, rmd_bytes b)
{
    a = rmdi_big_strip(a);
    b = rmdi_big_strip(b);
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len ? memcmp(a.data, b.data, a.len) : 0;
}

size_t rmdi_big_decrease(rmd_bytes magnitude, unsigned char *to)
{
    size_t i = magnitude.len;
    memcpy(to, magnitude.data, magnitude.len);
    while (to[--i]-- == 0)
        ; /* borrows from the byte in front */
    return to[0] ? magnitude.len : magnitude.len - 1;
}

size_t rmdi_big_increase(rmd_bytes magnitude, unsigned char *to)
{
    size_t i = magnitude.len + 1;
    to[0] = 0;
    memcpy(to + 1, magnitude.data, magnitude.len);
    while (++to[--i] == 0)
        ; /* carries into the byte in front */
    return to[0] ? magnitude.len + 1 : magnitude.len;
}

/* Divides by 10^9, in place; returns what is left over. The most significant limb is the first. */
static uint32_t divide(uint32_t *limbs, size_t count)
{
    uint64_t rest = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t part = rest << 32 | limbs[i];
        limbs[i] = (uint32_t)(part / NINE_DIGITS);
        rest = part % NINE_DIGITS;
    }
    return (uint32_t)rest;
}

static size_t to_limbs(rmd_bytes magnitude, uint32_t *limbs)
{
    const unsigned char *p = magnitude.data;
    size_t count = (magnitude.len + 3) / 4;
    memset(limbs, 0, count * sizeof *limbs);
    for (size_t i = 0; i < magnitude.len; i++) /* i counts from the last byte */
        limbs[count - 1 - i / 4] |= (uint32_t)p[magnitude.len - 1 - i] << i % 4 * 8;
    return count;
}

size_t rmdi_big_decimal(rmd_bytes magnitude, char *to)
{
    uint32_t limbs[LIMBS];
    char reversed[RMDI_BIG_DECIMAL_MAX * 5 / 2 + 9];
    size_t len = 0;
    size_t count = to_limbs(rmdi_big_strip(magnitude), limbs);
    do {
        uint32_t nine = divide(limbs, count);
        for (int i = 0; i < 9; i++, nine /= 10)
            reversed[len++] = (char)('0' + nine % 10);
        while (count && !limbs[0])
            memmove(limbs, limbs + 1, --count * sizeof *limbs);
    } while (count);
    while (len > 1 && reversed[len - 1] == '0')
        len--;
    for (size_t i = 0; i < len; i++)
        to[i] = reversed[len - 1 - i];
    to[len] = 0;
    return len;
}

/* number = number * 10 + digit; the most significant byte is the first. */
static void append_digit(unsigned char *number, size_t len, unsigned digit)
{
    for (size_t i = len; i-- > 0;) {
        digit += number[i] * 10u;
        number[i] = (unsigned char)digit;
        digit >>= 8;
    }
}

int rmdi_big_from_decimal(rmdi_buffer *to, rmd_bytes digits)
{
    unsigned char number[RMDI_BIG_DECIMAL_MAX] = { 0 }; /* 1200 digits are 499 bytes */
    const char *p = digits.data;
    if (!digits.len)
        return rmdi_fail(RMD_EINVAL, "a number without digits");
    if (digits.len > DIGITS_MAX)
        return rmdi_fail(RMD_E2BIG, "a number of %zu digits; the limit is %d", digits.len,
                         DIGITS_MAX);
    for (size_t i = 0; i < digits.len; i++) {
        if (p[i] < '0' || p[i] > '9')
            return rmdi_fail(RMD_EINVAL, "\"%.*s\" is not a number", (int)digits.len, p);
        append_digit(number, sizeof number, (unsigned)(p[i] - '0'));
    }
    rmd_bytes all = rmdi_big_strip((rmd_bytes){ number, sizeof number });
    return rmdi_buffer_add(to, all.data, all.len);
}
