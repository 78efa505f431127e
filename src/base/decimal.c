/* SPDX-License-Identifier: MIT */
#include "base/decimal.h"

#include <string.h>

char *rmdi_decimal(char *to, uint64_t number)
{
    char digits[RMDI_DECIMAL_MAX], *first = digits + sizeof digits;
    do
        *--first = (char)('0' + number % 10);
    while (number /= 10);
    size_t len = (size_t)(digits + sizeof digits - first);
    memcpy(to, first, len);
    to[len] = 0;
    return to + len;
}
