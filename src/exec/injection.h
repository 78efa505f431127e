/* SPDX-License-Identifier: MIT */
/* The queue of a threads pool: the tasks that come from outside, and those that do not fit into a
 * worker's own deque. Per priority in the order of submission, under one brief lock; any task can
 * be taken out of the middle at once, so one that is cancelled takes no place any more.
 *
 * Workers take several at a time, so the lock is the submitters' most of the time. What it guards
 * is everything but the lengths, which are written under it, and read without as hints.
 *
 * A list through the tasks would have to be followed with the lock held, and each task is in the
 * cache of whoever has submitted it. So those of normal priority lie in a ring of pointers, and
 * nothing of a task is touched to take it. One that is taken out of the middle leaves a hole. When
 * the ring is full, and until what came then has been taken, they go to a list like the others. */
#ifndef RMDI_EXEC_INJECTION_H
#define RMDI_EXEC_INJECTION_H

#include "base/list.h"
#include "sync/brief.h"
#include "sync/queue.h" /* for RMDI_LINE_BYTES */

enum {
    RMDI_PRIORITY_LOW,
    RMDI_PRIORITY_NORMAL,
    RMDI_PRIORITY_HIGH,
    RMDI_PRIORITIES,
    RMDI_RING_MAX = 65536,
};

typedef struct rmdi_injection {
    rmdi_brief brief;
    rmd_atomic(uint32_t) normal; /* the lengths are written with the brief lock */
    rmdi_link lists[RMDI_PRIORITIES];
    uint64_t head, tail; /* of the ring: where the next is taken, and put */
    rmdi_link **ring;    /* a link in it has no next, and its place as its prev */
    uint64_t mask;
    /* On a line of their own: workers look at them before each task, and they seldom change. */
    char line[RMDI_LINE_BYTES];
    rmd_atomic(uint32_t) low, high;
} rmdi_injection;

/* A ring for about so many, or RMDI_RING_MAX. RMD_ENOMEM. */
int rmdi_injection_open(rmdi_injection *injection, uint32_t about);
void rmdi_injection_free(rmdi_injection *injection); /* also one that was not opened */

/* How many there are of a priority, or in all: hints without the lock. */
static inline uint32_t rmdi_injection_len(const rmdi_injection *injection, unsigned priority)
{
    return rmd_atomic_load(priority == RMDI_PRIORITY_NORMAL ? &injection->normal
                           : priority == RMDI_PRIORITY_HIGH ? &injection->high
                                                            : &injection->low,
                           RMD_RELAXED);
}

static inline uint32_t rmdi_injection_all(const rmdi_injection *injection)
{
    return rmd_atomic_load(&injection->normal, RMD_RELAXED) +
           rmd_atomic_load(&injection->high, RMD_RELAXED) +
           rmd_atomic_load(&injection->low, RMD_RELAXED);
}

/* With the brief lock held. */
void rmdi_injection_add(rmdi_injection *injection, rmdi_link *link, unsigned priority);
/* Takes at most n of the oldest; how many. */
unsigned rmdi_injection_take(rmdi_injection *injection, unsigned priority, rmdi_link **links,
                             unsigned n);
/* Takes out one that was added. False: it has been taken before. */
bool rmdi_injection_remove(rmdi_injection *injection, rmdi_link *link, unsigned priority);
/* The oldest that is wanted, which stays; NULL: there is none. */
rmdi_link *rmdi_injection_find(const rmdi_injection *injection, unsigned priority,
                               bool (*wanted)(const rmdi_link *link, const void *ctx),
                               const void *ctx);

#endif
