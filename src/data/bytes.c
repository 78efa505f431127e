/* SPDX-License-Identifier: MIT */
#include "data/bytes.h"

#include "base/alloc.h"
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Out of what was lent, into memory of its own. */
static char *move_out(const rmdi_buffer *buffer, size_t capacity)
{
    char *own = rmdi_alloc(capacity);
    if (own && buffer->len)
        memcpy(own, buffer->data, buffer->len);
    return own;
}

int rmdi_buffer_reserve(rmdi_buffer *buffer, size_t len)
{
    size_t wanted;
    if (__builtin_add_overflow(buffer->len, len, &wanted) || wanted == SIZE_MAX)
        return rmdi_fail_memory();
    if (wanted < buffer->capacity)
        return 0;
    size_t capacity = buffer->capacity ? buffer->capacity : 64;
    while (capacity <= wanted)
        capacity = capacity > SIZE_MAX / 2 ? SIZE_MAX : capacity * 2;
    char *grown = buffer->lent ? move_out(buffer, capacity) : rmdi_realloc(buffer->data, capacity);
    if (!grown)
        return rmdi_fail_memory();
    buffer->lent = false;
    buffer->data = grown;
    buffer->capacity = capacity;
    return 0;
}

void rmdi_buffer_filled(rmdi_buffer *buffer, size_t len)
{
    buffer->len += len;
    buffer->data[buffer->len] = 0;
}

int rmdi_buffer_add(rmdi_buffer *buffer, const void *data, size_t len)
{
    int err = rmdi_buffer_reserve(buffer, len);
    if (err < 0)
        return err;
    if (len)
        memcpy(buffer->data + buffer->len, data, len);
    rmdi_buffer_filled(buffer, len);
    return 0;
}

int rmdi_buffer_add_text(rmdi_buffer *buffer, const char *text)
{
    return rmdi_buffer_add(buffer, text, strlen(text));
}

int rmdi_buffer_add_byte(rmdi_buffer *buffer, char byte)
{
    return rmdi_buffer_add(buffer, &byte, 1);
}

int rmdi_buffer_add_format(rmdi_buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int need = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (need < 0)
        return rmdi_fail(RMD_EINVAL, "text that cannot be formatted");
    int err = rmdi_buffer_reserve(buffer, (size_t)need);
    if (err < 0)
        return err;
    va_start(args, format);
    vsnprintf(buffer->data + buffer->len, (size_t)need + 1, format, args);
    va_end(args);
    buffer->len += (size_t)need;
    return 0;
}

void rmdi_buffer_consume(rmdi_buffer *buffer, size_t n)
{
    if (!n)
        return;
    memmove(buffer->data, buffer->data + n, buffer->len - n);
    buffer->len -= n;
    buffer->data[buffer->len] = 0;
}

void rmdi_buffer_clear(rmdi_buffer *buffer)
{
    buffer->len = 0;
    if (buffer->data)
        buffer->data[0] = 0;
}

void rmdi_buffer_free(rmdi_buffer *buffer)
{
    if (!buffer->lent)
        rmdi_free(buffer->data);
    *buffer = (rmdi_buffer){ 0 };
}

void rmdi_buffer_trim(rmdi_buffer *buffer)
{
    if (!buffer->len) {
        rmdi_buffer_free(buffer);
        return;
    }
    if (buffer->lent || buffer->capacity == buffer->len + 1)
        return;
    char *smaller = rmdi_realloc(buffer->data, buffer->len + 1);
    if (!smaller) /* as large as before, which is no harm */
        return;
    buffer->data = smaller;
    buffer->capacity = buffer->len + 1;
}

rmd_bytes rmdi_buffer_view(const rmdi_buffer *buffer)
{
    return (rmd_bytes){ .data = buffer->data, .len = buffer->len };
}

rmd_bytes rmdi_bytes_of(const char *text)
{
    return (rmd_bytes){ .data = text, .len = strlen(text) };
}

bool rmdi_bytes_equal(rmd_bytes a, rmd_bytes b)
{
    return a.len == b.len && (!a.len || memcmp(a.data, b.data, a.len) == 0);
}
