/* SPDX-License-Identifier: MIT */
/* The queue of a threads pool: the tasks that come from outside, and those that do not fit into a
 * worker's own deque. One list per priority, in the order of submission, under one brief lock; any
 * task can be taken out of the middle at once, so one that is cancelled takes no place any more.
 *
 * Workers take several at a time, so the lock is the submitters' most of the time. That is the
 * whole argument: everything but the lengths is guarded by the lock, and those are written under
 * it, and read without as hints. */
#ifndef RMDI_EXEC_INJECTION_H
#define RMDI_EXEC_INJECTION_H

#include "base/list.h"
#include "sync/brief.h"
#include "sync/queue.h" /* for RMDI_LINE_BYTES */

enum { RMDI_PRIORITY_LOW, RMDI_PRIORITY_NORMAL, RMDI_PRIORITY_HIGH, RMDI_PRIORITIES };

typedef struct rmdi_injection {
    rmdi_brief brief;
    rmd_atomic(uint32_t) normal; /* the lengths are written with the brief lock */
    rmdi_link lists[RMDI_PRIORITIES];
    /* On a line of their own: workers look at them before each task, and they seldom change. */
    char line[RMDI_LINE_BYTES];
    rmd_atomic(uint32_t) low, high;
} rmdi_injection;

void rmdi_injection_init(rmdi_injection *injection);

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
/* The oldest; NULL: there is none. */
rmdi_link *rmdi_injection_take(rmdi_injection *injection, unsigned priority);
/* One that is in it. */
void rmdi_injection_remove(rmdi_injection *injection, rmdi_link *link, unsigned priority);

#endif
