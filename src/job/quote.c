/* SPDX-License-Identifier: MIT */
#include "job/quote.h"

#include <string.h>

static bool is_harmless(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '+' || c == '/' || c == '-';
}

static bool is_word(rmd_bytes value)
{
    const char *bytes = value.data;
    for (size_t i = 0; i < value.len; i++)
        if (!is_harmless(bytes[i]))
            return false;
    return value.len > 0;
}

/* Adds all or nothing: on failure the buffer is cut back to what it was. */
static int rewind_to(rmdi_buffer *text, size_t len, int err)
{
    if (err < 0 && text->len > len) {
        text->len = len;
        text->data[len] = 0;
    }
    return err;
}

static int add_all(rmdi_buffer *text, rmd_bytes value)
{
    const char *p = value.data, *end = p + value.len, *quote;
    while ((quote = p < end ? memchr(p, '\'', (size_t)(end - p)) : NULL)) {
        int err = rmdi_buffer_add(text, p, (size_t)(quote - p));
        if (err == 0)
            err = rmdi_buffer_add_text(text, "'\"'\"'");
        if (err < 0)
            return err;
        p = quote + 1;
    }
    return p < end ? rmdi_buffer_add(text, p, (size_t)(end - p)) : 0;
}

int rmdi_quote_add_in_single(rmdi_buffer *text, rmd_bytes value)
{
    size_t len = text->len;
    return rewind_to(text, len, add_all(text, value));
}

/* A value that begins or ends with a quote would leave '' there: an opening quote is left out when
 * the value begins with one, as is the closing one when it ends so. */
static int add_quoted(rmdi_buffer *text, rmd_bytes value)
{
    const char *bytes = value.data;
    bool opens = bytes[0] != '\'', closes = bytes[value.len - 1] != '\'';
    size_t len = text->len;
    int err = rmdi_buffer_add_text(text, "'");
    if (err == 0)
        err = add_all(text, value);
    if (err == 0)
        err = rmdi_buffer_add_text(text, "'");
    if (err == 0 && !closes) {
        text->len -= 2;
        text->data[text->len] = 0;
    }
    if (err == 0 && !opens) {
        memmove(text->data + len, text->data + len + 2, text->len - len - 1);
        text->len -= 2;
    }
    return rewind_to(text, len, err);
}

int rmdi_quote_add_always(rmdi_buffer *text, rmd_bytes value)
{
    return value.len ? add_quoted(text, value) : rmdi_buffer_add_text(text, "''");
}

int rmdi_quote_add(rmdi_buffer *text, rmd_bytes value)
{
    if (is_word(value))
        return rmdi_buffer_add(text, value.data, value.len);
    return rmdi_quote_add_always(text, value);
}

/* "!" as well: pasted into an interactive shell it would recall history. */
static bool is_harmless_in_double(rmd_bytes value)
{
    const char *bytes = value.data;
    for (size_t i = 0; i < value.len; i++)
        if (strchr("$`\"\\!", bytes[i]))
            return false;
    return true;
}

int rmdi_quote_add_in_double(rmdi_buffer *text, rmd_bytes value, bool glued)
{
    if (!value.len)
        return 0;
    if (!glued && is_harmless_in_double(value))
        return rmdi_buffer_add(text, value.data, value.len);
    size_t len = text->len;
    int err = rmdi_buffer_add_text(text, "\"");
    if (err == 0)
        err = rmdi_quote_add_always(text, value);
    if (err == 0)
        err = rmdi_buffer_add_text(text, "\"");
    return rewind_to(text, len, err);
}
