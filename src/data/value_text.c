/* SPDX-License-Identifier: MIT */
#include "data/value_text.h"

#include "data/utf8.h"

#include <stdint.h>
#include <string.h>

/* How many bytes from here are ASCII for sure: most texts are all of it, eight at a time. */
static size_t ascii(const unsigned char *p, size_t len)
{
    size_t n = 0;
    for (uint64_t eight; len - n >= sizeof eight; n += sizeof eight) {
        memcpy(&eight, p + n, sizeof eight);
        if (eight & UINT64_C(0x8080808080808080))
            return n;
    }
    while (n < len && p[n] < 0x80)
        n++;
    return n;
}

size_t rmdi_text_check(const void *text, size_t len)
{
    const unsigned char *p = text;
    size_t taken;
    for (size_t n = 0;; n += taken) {
        n += ascii(p + n, len - n);
        if (n >= len)
            return len;
        /* A replacement character that is there in the text takes three bytes. */
        if (rmdi_utf8_decode(p + n, len - n, &taken) == RMDI_UTF8_REPLACEMENT && taken == 1)
            return n;
    }
}
