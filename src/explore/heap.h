/* SPDX-License-Identifier: MIT */
/* The memory of one schedule: what rmdi_alloc() gives while it runs. No address is given twice, so
 * that every use after free is seen; all of it goes at the end. */
#ifndef RMDI_EXPLORE_HEAP_H
#define RMDI_EXPLORE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

/* Once: takes the place of the library's allocator. RMD_ENOMEM. And back. */
int rmdi_heap_open(void);
void rmdi_heap_close(void);

void rmdi_heap_begin(void);
void rmdi_heap_end(void);

/* May allocations fail in this exploration? */
void rmdi_heap_may_fail(bool may);

/* Blocks that are not freed yet, and their bytes. */
size_t rmdi_heap_left(size_t *bytes);

bool rmdi_heap_was_freed(const volatile void *p);

/* The C library's, for the explorer itself: the explored program's malloc() may be ours, too, if it
 * is linked so (remuda-explore.pc does it). */
void *rmdi_real_malloc(size_t bytes);
void *rmdi_real_realloc(void *p, size_t bytes);
void rmdi_real_free(void *p);

#endif
