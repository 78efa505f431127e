/* SPDX-License-Identifier: MIT */
/* The deque of one worker: its *owner* puts tasks in at the bottom and may take them out again
 * there, the newest first; thieves, and mostly the owner, too, take the oldest at the top. Nobody
 * ever waits for another one, and every item is obtained once.
 *
 * Bounded: what does not fit goes elsewhere. The owner is a role and not a thread: it may be handed
 * over by whatever orders memory (a lock, the start of a thread). Zeroed is empty. */
#ifndef RMDI_EXEC_DEQUE_H
#define RMDI_EXEC_DEQUE_H

#include "sync/queue.h" /* for RMDI_LINE_BYTES */

#include <remuda/atomics.h>

enum {
#ifdef RMD_EXPLORE
    RMDI_DEQUE_MAX = 4, /* so that it is full, and goes round, soon */
#else
    RMDI_DEQUE_MAX = 256, /* a power of two */
#endif
};

typedef struct rmdi_deque {
    char line_1[RMDI_LINE_BYTES];
    rmd_atomic(int64_t) top; /* the position of the oldest; only grows: written by who takes it */
    char line_2[RMDI_LINE_BYTES];
    rmd_atomic(int64_t) bottom; /* the position after the newest; written by the owner */
    int64_t seen_top;           /* the owner's: `top` was at least that */
    char line_3[RMDI_LINE_BYTES];
    rmd_atomic(void *) cells[RMDI_DEQUE_MAX];
} rmdi_deque;

/* Puts an item in (not NULL), as the newest; what was written before is seen by who obtains it. By
 * the owner. False: the deque is full. To whoever looks afterwards whether somebody sleeps this is
 * a store without a fence: see base/fence.h. */
bool rmdi_deque_push(rmdi_deque *deque, void *item);

/* Takes the newest out. By the owner. NULL: there is none. */
void *rmdi_deque_take(rmdi_deque *deque);

/* Takes the oldest out, as rmdi_deque_steal() until that has an answer, but cheaper: no fence. By
 * the owner. NULL: there is none. */
void *rmdi_deque_take_oldest(rmdi_deque *deque);

/* The newest, which stays where it is; NULL: there is none. By the owner. A hint: a thief may take
 * it meanwhile, and end it, so this is to be compared and not to be used. */
void *rmdi_deque_peek(rmdi_deque *deque);

/* Takes the oldest out. Any thread, the owner, too. NULL with *again false: there was none; NULL
 * with *again true: another one was faster, and there may be more. */
void *rmdi_deque_steal(rmdi_deque *deque, bool *again);

/* How many there are, at most RMDI_DEQUE_MAX: a hint. Any thread. */
size_t rmdi_deque_len(const rmdi_deque *deque);

#endif
