/* SPDX-License-Identifier: MIT */
#include "data/utf8.h"

#include <stdbool.h>

static bool continues(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

uint32_t rmdi_utf8_decode(const unsigned char *bytes, size_t len, size_t *taken)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t need = bytes[0] < 0x80   ? 1
                  : bytes[0] < 0xc2 ? 0
                  : bytes[0] < 0xe0 ? 2
                  : bytes[0] < 0xf0 ? 3
                                    : 4;
    *taken = 1;
    if (need == 1)
        return bytes[0];
    if (need == 0 || bytes[0] > 0xf4 || len < need)
        return RMDI_UTF8_REPLACEMENT;
    uint32_t value = bytes[0] & (0x7fu >> need);
    for (size_t i = 1; i < need; i++) {
        if (!continues(bytes[i]))
            return RMDI_UTF8_REPLACEMENT;
        value = value << 6 | (bytes[i] & 0x3fu);
    }
    if (value < least[need] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return RMDI_UTF8_REPLACEMENT;
    *taken = need;
    return value;
}
