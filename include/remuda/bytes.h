/* SPDX-License-Identifier: MIT */
/* floor: data */
/* Bytes that lie somewhere else. */
#ifndef REMUDA_BYTES_H
#define REMUDA_BYTES_H

#include <remuda/api.h>

RMD_BEGIN

/* A view: it borrows. data may be NULL when len is 0; not NUL-terminated. */
typedef struct rmd_bytes {
    const void *data;
    size_t len;
} rmd_bytes;

RMD_END

#endif
