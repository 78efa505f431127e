/* SPDX-License-Identifier: MIT */
#include "job/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Up to three bytes as four characters. */
static void write_group(const unsigned char *bytes, size_t len, char *to)
{
    uint32_t bits = (uint32_t)bytes[0] << 16;
    if (len > 1)
        bits |= (uint32_t)bytes[1] << 8;
    if (len > 2)
        bits |= bytes[2];
    to[0] = letters[bits >> 18];
    to[1] = letters[bits >> 12 & 63];
    to[2] = '=';
    to[3] = '=';
    if (len > 1)
        to[2] = letters[bits >> 6 & 63];
    if (len > 2)
        to[3] = letters[bits & 63];
}

int rmdi_base64_add(rmdi_buffer *to, rmd_bytes bytes)
{
    const unsigned char *from = bytes.data;
    size_t groups = (bytes.len + 2) / 3;
    int err = rmdi_buffer_reserve(to, groups * 4);
    if (err < 0)
        return err;
    char *text = to->data + to->len;
    for (size_t i = 0; i < groups; i++)
        write_group(from + 3 * i, bytes.len - 3 * i, text + 4 * i);
    rmdi_buffer_filled(to, groups * 4);
    return 0;
}

/* 0 to 63, or 64. */
static uint32_t value_of(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26u;
    if (c >= '0' && c <= '9')
        return c - '0' + 52u;
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Of four characters, of which the last `padding` are there to make them four. */
static bool read_group(const unsigned char *text, unsigned padding, unsigned char *to)
{
    uint32_t bits = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t value = i < 4 - padding ? value_of(text[i]) : 0;
        if (value == 64)
            return false;
        bits = bits << 6 | value;
    }
    if (bits & ((UINT32_C(1) << 8 * padding) - 1))
        return false;
    to[0] = (unsigned char)(bits >> 16);
    if (padding < 2)
        to[1] = (unsigned char)(bits >> 8);
    if (padding < 1)
        to[2] = (unsigned char)bits;
    return true;
}

int64_t rmdi_base64_read(rmd_bytes text, unsigned char *to)
{
    const unsigned char *from = text.data;
    size_t groups = text.len / 4;
    unsigned padding = 0;
    if (text.len % 4)
        return -1;
    if (groups && from[text.len - 1] == '=')
        padding = from[text.len - 2] == '=' ? 2 : 1;
    for (size_t i = 0; i < groups; i++)
        if (!read_group(from + 4 * i, i + 1 == groups ? padding : 0, to + 3 * i))
            return -1;
    return (int64_t)(groups * 3 - padding);
}
