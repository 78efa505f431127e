/* SPDX-License-Identifier: MIT */
#include "job/escapes.h"

#include <string.h>

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What the backslash at p stands for; returns how many characters it takes, 0: for itself. */
static size_t delimiter_escape(const char *p, char *byte)
{
    static const char names[] = "tnr", bytes[] = "\t\n\r";
    const char *name = p[1] ? strchr(names, p[1]) : NULL;
    if (name) {
        *byte = bytes[name - names];
        return 2;
    }
    if (is_octal(p[1]) && is_octal(p[2]) && is_octal(p[3])) {
        *byte = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + (p[3] - '0'));
        return 4;
    }
    *byte = (char)(p[1] - '0');
    return is_digit(p[1]) ? 2 : 0;
}

static size_t record_escape(const char *p, char *byte)
{
    static const char names[] = "0rnt'\"\\", bytes[] = "\0\r\n\t'\"\\";
    const char *name = p[1] ? strchr(names, p[1]) : NULL;
    *byte = name ? bytes[name - names] : 0;
    return name ? 2 : 0;
}

static int translate(const char *text, rmdi_buffer *out, size_t (*escape)(const char *, char *))
{
    int err = rmdi_buffer_reserve(out, strlen(text));
    while (err == 0 && *text) {
        char byte = *text;
        size_t taken = *text == '\\' ? escape(text, &byte) : 0;
        err = rmdi_buffer_add_byte(out, taken ? byte : *text);
        text += taken ? taken : 1;
    }
    return err;
}

int rmdi_escapes_delimiter(const char *text, rmdi_buffer *out)
{
    return translate(text, out, delimiter_escape);
}

int rmdi_escapes_record(const char *text, rmdi_buffer *out)
{
    return translate(text, out, record_escape);
}
