/* SPDX-License-Identifier: MIT */
/* floor: base */
/* Where Remuda takes its memory from. */
#ifndef REMUDA_ALLOC_H
#define REMUDA_ALLOC_H

#include <remuda/api.h>

RMD_BEGIN

typedef struct rmd_allocator {
    size_t size; /* sizeof(rmd_allocator) */
    void *(*allocate)(void *ctx, size_t bytes);
    void *(*reallocate)(void *ctx, void *p, size_t bytes); /* p may be NULL */
    void (*release)(void *ctx, void *p);                   /* p is never NULL */
    void *ctx;
} rmd_allocator;

/* Replaces malloc, realloc and free for everything Remuda allocates from now on.
 * Copies *allocator; NULL goes back to the C library's. Call it before the first
 * other call, from one thread: memory taken from one allocator is given back to
 * whichever is set at that time. The three functions may be called on any thread.
 * Errors: RMD_EINVAL when a function is missing or size is wrong. */
RMD_API int rmd_set_allocator(const rmd_allocator *allocator);

RMD_END

#endif
