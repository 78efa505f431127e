/* SPDX-License-Identifier: MIT */
/* A heap of dues, the earliest on top, made of links inside them: it needs no memory, so that
 * putting one in cannot fail. Adding takes constant time, taking one out logarithmic time, both
 * over many calls. Of those with the same time the first to come is mostly the first to go. One
 * thread at a time. */
#ifndef RMDI_EXEC_DUE_HEAP_H
#define RMDI_EXEC_DUE_HEAP_H

#include <stdint.h>

/* Zeroed before its first use. */
typedef struct rmdi_due_link {
    int64_t due_ns;
    struct rmdi_due_link *child; /* the first; none is earlier than this one */
    struct rmdi_due_link *next;  /* of the same parent */
    struct rmdi_due_link *prev;  /* the one before it there; of the first: the parent */
} rmdi_due_link;

/* *top is the earliest; NULL: the heap is empty. */
void rmdi_due_heap_add(rmdi_due_link **top, rmdi_due_link *due);
void rmdi_due_heap_remove(rmdi_due_link **top, rmdi_due_link *due); /* it is in */

#endif
