/* SPDX-License-Identifier: MIT */
/* A growing run of bytes, and views into others. */
#ifndef RMDI_DATA_BYTES_H
#define RMDI_DATA_BYTES_H

#include "port/shared.h"

#include <remuda/bytes.h>

/* Zeroed is empty. data[len] is always 0 once something was added, so that text
 * in a buffer can be read as a C string. */
typedef struct rmdi_buffer {
    char *data;
    size_t len, capacity;
    bool lent; /* data is the memory of somebody else, which is used as long as it is enough */
} rmdi_buffer;

/* Each adds at the end: 0, or RMD_ENOMEM with the buffer as it was. */
RMDI_SHARED int rmdi_buffer_add(rmdi_buffer *buffer, const void *data, size_t len);
int rmdi_buffer_add_text(rmdi_buffer *buffer, const char *text);
int rmdi_buffer_add_byte(rmdi_buffer *buffer, char byte);
int rmdi_buffer_add_format(rmdi_buffer *buffer, const char *format, ...) RMD_PRINTF(2, 3);

/* Room for len more bytes behind the end, for a read(2) into data + buffer->len;
 * the caller then adds what came to buffer->len with rmdi_buffer_filled(). */
RMDI_SHARED int rmdi_buffer_reserve(rmdi_buffer *buffer, size_t len);
RMDI_SHARED void rmdi_buffer_filled(rmdi_buffer *buffer, size_t len);

/* Drops the first n bytes. */
void rmdi_buffer_consume(rmdi_buffer *buffer, size_t n);
void rmdi_buffer_clear(rmdi_buffer *buffer);            /* empty, memory kept */
RMDI_SHARED void rmdi_buffer_free(rmdi_buffer *buffer); /* empty, memory given back */
/* Gives back the memory that was only for growing. */
void rmdi_buffer_trim(rmdi_buffer *buffer);

/* A view of the bytes; valid until the next change. */
rmd_bytes rmdi_buffer_view(const rmdi_buffer *buffer);

/* A view of a C string. */
RMDI_SHARED rmd_bytes rmdi_bytes_of(const char *text);
RMDI_SHARED bool rmdi_bytes_equal(rmd_bytes a, rmd_bytes b);

#endif
