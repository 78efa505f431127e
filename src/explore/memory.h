/* SPDX-License-Identifier: MIT */
/* What atomic operations do and what loads may see, in three models: see memory.c. The running
 * fiber acts; sizes are 1, 2, 4 or 8 bytes. None of these is a step. */
#ifndef RMDI_EXPLORE_MEMORY_H
#define RMDI_EXPLORE_MEMORY_H

#include "explore/schedule.h"

void rmdi_memory_begin(void);
void rmdi_memory_end(void); /* of all exploration: gives back what it kept */

/* The child knows what the parent knows (NULL: nothing). */
void rmdi_memory_start(rmdi_fiber *child, rmdi_fiber *parent);

/* The object begins: what was known of this memory is forgotten. */
void rmdi_memory_init(volatile void *p, unsigned size, uint64_t value);

uint64_t rmdi_memory_load(const volatile void *p, unsigned size, int order, bool *is_old);
void rmdi_memory_store(const rmdi_site *site, volatile void *p, unsigned size, uint64_t value,
                       int order);
/* Returns the value before. */
uint64_t rmdi_memory_rmw(volatile void *p, unsigned size, int operation, uint64_t value, int order);
bool rmdi_memory_cas(volatile void *p, unsigned size, uint64_t *expected, uint64_t value,
                     int success, int failure, bool weak, bool *is_old);
void rmdi_memory_fence(int order);
/* As if every fiber made a sequentially consistent fence now. */
void rmdi_memory_fence_all(void);

/* Makes the oldest, or every, store in the fiber's store buffer visible. */
void rmdi_memory_flush_one(rmdi_fiber *fiber);
void rmdi_memory_flush(rmdi_fiber *fiber);

/* The schedule's: whether anything is in the buffer. */
void rmdi_buffering(const rmdi_fiber *fiber, bool any);

#endif
