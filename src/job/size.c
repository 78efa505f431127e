/* SPDX-License-Identifier: MIT */
#include "job/size.h"

#include "base/error.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads 12 or 12.5, whatever the locale; behind it, or NULL when there is no number. long double
 * holds all 64-bit integers. */
static const char *read_number(const char *text, long double *number)
{
    if (!is_digit(*text))
        return NULL;
    for (*number = 0; is_digit(*text); text++)
        *number = *number * 10 + (*text - '0');
    if (*text != '.')
        return text;
    if (!is_digit(*++text))
        return NULL;
    for (long double unit = 0.1L; is_digit(*text); text++, unit /= 10)
        *number += unit * (*text - '0');
    return text;
}

/* ---- sizes ---- */

static long double power(long double base, size_t n)
{
    long double result = 1;
    while (n--)
        result *= base;
    return result;
}

/* k m g ...: 1000; K M G ...: 1024; with i: 1024. Behind it; NULL when it is no suffix. */
static const char *read_suffix(const char *text, long double *factor)
{
    static const char small[] = "kmgtpe", large[] = "KMGTPE";
    *factor = 1;
    if (!*text)
        return text;
    const char *decimal = strchr(small, *text), *binary = strchr(large, *text);
    if (!decimal && !binary)
        return NULL;
    size_t n = decimal ? (size_t)(decimal - small) + 1 : (size_t)(binary - large) + 1;
    bool with_i = text[1] == 'i' || text[1] == 'I';
    *factor = power(decimal && !with_i ? 1000 : 1024, n);
    return text + 1 + with_i;
}

static bool parse_size(const char *text, uint64_t *result)
{
    long double number, factor;
    const char *rest = read_number(text, &number);
    if (rest)
        rest = read_suffix(rest, &factor);
    if (!rest || *rest || number * factor >= 18446744073709551616.0L)
        return false;
    *result = (uint64_t)(number * factor);
    return true;
}

int rmdi_size_parse(const char *text, uint64_t *result)
{
    if (parse_size(text, result))
        return 0;
    return rmdi_fail(RMD_EINVAL,
                     "'%.80s' is no size: a number of bytes like 300, 10k (1000), "
                     "10K (1024), 1.5M or 1Gi",
                     text);
}

int rmdi_count_parse(const char *text, uint64_t min, uint64_t max, uint64_t *result)
{
    uint64_t number;
    if (!strchr(text, '.') && parse_size(text, &number) && number >= min && number <= max) {
        *result = number;
        return 0;
    }
    if (max == UINT64_MAX)
        return rmdi_fail(RMD_EINVAL, "'%.80s' is no whole number from %llu", text,
                         (unsigned long long)min);
    return rmdi_fail(RMD_EINVAL, "'%.80s' is no whole number from %llu to %llu", text,
                     (unsigned long long)min, (unsigned long long)max);
}

/* ---- durations and percentages ---- */

static long double unit_seconds(char unit)
{
    switch (unit | 0x20) {
    case 's': return 1;
    case 'm': return 60;
    case 'h': return 3600;
    case 'd': return 86400;
    default: return 0;
    }
}

/* 10 and 1.5 are seconds; else each number has a unit, and all are added. */
static bool parse_duration(const char *text, long double *seconds)
{
    long double number;
    const char *rest = read_number(text, seconds);
    if (!rest || !*rest)
        return rest != NULL;
    for (*seconds = 0; *text; text = rest + 1) {
        rest = read_number(text, &number);
        if (!rest || unit_seconds(*rest) == 0)
            return false;
        *seconds += number * unit_seconds(*rest);
    }
    return true;
}

int rmdi_duration_parse(const char *text, int64_t *result)
{
    long double seconds;
    if (!parse_duration(text, &seconds))
        return rmdi_fail(RMD_EINVAL,
                         "'%.80s' is no duration: seconds like 10 or 1.5, or parts with "
                         "a unit like 30s, 2m, 1h30m, 1d",
                         text);
    if (seconds * 1e9L >= 9223372036854775808.0L)
        return rmdi_fail(RMD_EINVAL, "'%.80s' is too long: at most 292 years", text);
    *result = (int64_t)(seconds * 1e9L + 0.5L);
    return 0;
}

int rmdi_percent_parse(const char *text, double *result)
{
    long double number;
    const char *rest = read_number(text, &number);
    if (!rest || strcmp(rest, "%") != 0)
        return rmdi_fail(RMD_EINVAL, "'%.80s' is no percentage like 50%% or 12.5%%", text);
    *result = (double)(number / 100);
    return 0;
}
