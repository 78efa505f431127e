/* SPDX-License-Identifier: MIT */
/* The queue of a threads pool: the tasks that come from outside, and those that do not fit into a
 * worker's own deque. Per priority in the order of submission; any task can be taken out of the
 * middle at once, so one that is cancelled takes no place any more.
 *
 * Those of normal priority lie in a ring of pointers, with a brief lock at either end: `in` for
 * those who put, `out` for those who take, and for the rest. So a submitter and the workers meet in
 * the cells only. Nothing of a task is touched to take it: it is in the cache of whoever has
 * submitted it. One that is taken out of the middle leaves a hole. When the ring is full, and until
 * what came then has been taken, they go to a list like those of the other priorities.
 *
 * Both locks: `in` first. */
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
    rmdi_brief in;
    /* guarded by it: */
    uint32_t most;              /* how many there were at once */
    uint32_t seen_gone;         /* `gone` was at least that, and `head` that: */
    rmd_atomic(uint32_t) added; /* of normal priority, ever; written with it */
    uint64_t seen_head;
    uint64_t tail; /* of the ring: where the next is put */
    char line_1[RMDI_LINE_BYTES];

    rmdi_brief out;
    /* guarded by it, or written with it: */
    rmd_atomic(uint32_t) gone; /* of normal priority, ever: taken, or taken out of the middle */
    rmd_atomic(uint64_t) head; /* of the ring: where the next is taken */
    rmdi_link lists[RMDI_PRIORITIES];
    char line_2[RMDI_LINE_BYTES];

    /* How many are in the lists: written with `out`, grow with both locks. On a line of their own:
     * workers look at them before each task, and they seldom change. */
    rmd_atomic(uint32_t) low, listed, high;
    rmd_atomic(rmdi_link *) *ring; /* NULL: nothing there */
    uint64_t mask;
    char line_3[RMDI_LINE_BYTES];
} rmdi_injection;

/* A ring for about so many, or RMDI_RING_MAX. RMD_ENOMEM. */
int rmdi_injection_open(rmdi_injection *injection, uint32_t about);
void rmdi_injection_free(rmdi_injection *injection); /* also one that was not opened */

/* ---- hints, without a lock ---- */

/* How many there are of normal priority. It reads what submitters write all the time. */
uint32_t rmdi_injection_normal(const rmdi_injection *injection);

static inline uint32_t rmdi_injection_others(const rmdi_injection *injection)
{
    return rmd_atomic_load(&injection->high, RMD_RELAXED) +
           rmd_atomic_load(&injection->low, RMD_RELAXED);
}

static inline uint32_t rmdi_injection_all(const rmdi_injection *injection)
{
    return rmdi_injection_normal(injection) + rmdi_injection_others(injection);
}

/* Is there one of that priority? It reads nothing that submitters write but the next cell. */
bool rmdi_injection_has(const rmdi_injection *injection, unsigned priority);

/* ---- with `in` held ---- */

/* Are there fewer than so many in all? */
bool rmdi_injection_is_below(rmdi_injection *injection, uint32_t max);
/* *place is guarded by `out`, when it has been added, and tells rmdi_injection_remove() where. A
 * link that is in no list is zeroed. */
void rmdi_injection_add(rmdi_injection *injection, rmdi_link *link, uint32_t *place,
                        unsigned priority);
/* With both held. */
void rmdi_injection_add_here(rmdi_injection *injection, rmdi_link *link, uint32_t *place,
                             unsigned priority);

/* ---- with `out` held ---- */

/* Takes at most n of the oldest; how many. */
unsigned rmdi_injection_take(rmdi_injection *injection, unsigned priority, rmdi_link **links,
                             unsigned n);
/* Takes out one that was added. False: it has been taken before. */
bool rmdi_injection_remove(rmdi_injection *injection, rmdi_link *link, uint32_t place,
                           unsigned priority);
/* The oldest that is wanted, which stays; NULL: there is none. */
rmdi_link *rmdi_injection_find(const rmdi_injection *injection, unsigned priority,
                               bool (*wanted)(const rmdi_link *link, const void *ctx),
                               const void *ctx);

#endif
