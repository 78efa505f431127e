/* SPDX-License-Identifier: MIT */
/* The queue of a threads pool: the tasks that come from outside, and those that do not fit into a
 * worker's own deque. Per priority in the order of submission; any task can be taken out of the
 * middle at once, so one that is cancelled takes no place any more.
 *
 * Those of normal priority lie in a ring of pointers, with a brief lock at either end: `in` for
 * those who put, `out` for those who take, and for the rest. So a submitter and the workers meet in
 * the cells only. Nothing of a task is touched to take it from there: it is in the cache of whoever
 * has submitted it. One that is taken out of the middle leaves a hole. When the ring is full, and
 * until what came then has been taken, they go to a list like those of the other priorities.
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
    RMDI_RING_MAX = 32768, /* places are of 16 bits, and one of them tells the lap */
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
    uint64_t next_head;        /* when what was taken is put where others find it */
    uint32_t taken, taken_listed;
    rmdi_link lists[RMDI_PRIORITIES];
    char line_2[RMDI_LINE_BYTES];

    /* How many are in the lists: written with `out`, grow with both locks. On a line of their own:
     * workers look at them before each task, and they seldom change. */
    rmd_atomic(uint32_t) low, listed, high;
    rmd_atomic(uintptr_t) *ring; /* see injection.c */
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

/* How many more there may be until there are max in all, at most as many as are wanted. */
uint32_t rmdi_injection_room(rmdi_injection *injection, uint32_t max, uint32_t wanted);

/* Adds one. *place is guarded by `out` then, and tells rmdi_injection_remove() where. A link that
 * is in no list is zeroed. rmdi_injection_note_most() afterwards, once for several. */
static inline void rmdi_injection_add(rmdi_injection *injection, rmdi_link *link, uint16_t *place,
                                      unsigned priority);
static inline void rmdi_injection_note_most(rmdi_injection *injection);
/* The same with both held. */
void rmdi_injection_add_here(rmdi_injection *injection, rmdi_link *link, uint16_t *place,
                             unsigned priority);

/* ---- with `out` held ---- */

/* Takes at most n of the oldest; how many. To be followed by the other one when they are where
 * others find them, who until then find them said to be here. */
unsigned rmdi_injection_take(rmdi_injection *injection, unsigned priority, rmdi_link **links,
                             unsigned n);
void rmdi_injection_took(rmdi_injection *injection, unsigned priority);
/* Takes out one that was added. False: it has been taken before. */
bool rmdi_injection_remove(rmdi_injection *injection, rmdi_link *link, uint16_t place,
                           unsigned priority);
/* The oldest that is wanted, which stays; NULL: there is none. */
rmdi_link *rmdi_injection_find(const rmdi_injection *injection, unsigned priority,
                               bool (*wanted)(const rmdi_link *link, const void *ctx),
                               const void *ctx);

/* ---- inside: what submitting a plain task takes ---- */

static inline rmd_atomic(uintptr_t) *rmdi_injection_cell(const rmdi_injection *injection,
                                                         uint64_t place)
{
    return &injection->ring[place & injection->mask];
}

/* The bit of a cell that is filled for this place: 1 in the first lap, so that zero is not. */
static inline uintptr_t rmdi_injection_lap(const rmdi_injection *injection, uint64_t place)
{
    return !(place & (injection->mask + 1));
}

/* At most so many are there. */
static inline uint32_t rmdi_injection_at_most(const rmdi_injection *injection)
{
    return rmd_atomic_load(&injection->added, RMD_RELAXED) - RMD_PLAIN(injection->seen_gone) +
           rmdi_injection_others(injection);
}

/* More may be there than ever before. */
void rmdi_injection_note_more(rmdi_injection *injection);

static inline void rmdi_injection_note_most(rmdi_injection *injection)
{
    if (rmdi_injection_at_most(injection) > RMD_PLAIN(injection->most))
        rmdi_injection_note_more(injection);
}

static inline void rmdi_injection_count_added(rmdi_injection *injection)
{
    uint32_t added = rmd_atomic_load(&injection->added, RMD_RELAXED) + 1;
    rmd_atomic_store(&injection->added, added, RMD_RELAXED);
}

/* It seems to be. */
bool rmdi_injection_ring_is_full(rmdi_injection *injection);
void rmdi_injection_add_to_list(rmdi_injection *injection, rmdi_link *link, unsigned priority);

/* Into the ring. False: to the list, as it is full, or those in the list came earlier. (Only with
 * `in` held there come more.) */
static inline bool rmdi_injection_put(rmdi_injection *injection, rmdi_link *link, uint16_t *place)
{
    uint64_t tail = RMD_PLAIN(injection->tail);
    if (rmd_atomic_load(&injection->listed, RMD_RELAXED) ||
        (tail - RMD_PLAIN(injection->seen_head) > injection->mask &&
         rmdi_injection_ring_is_full(injection)))
        return false;
    *place = (uint16_t)tail;
    rmdi_injection_count_added(injection);
    /* Release: the task, its place, and that it was counted. */
    rmd_atomic_store(rmdi_injection_cell(injection, tail),
                     (uintptr_t)link | rmdi_injection_lap(injection, tail), RMD_RELEASE);
    RMD_PLAIN_SET(injection->tail, tail + 1);
    return true;
}

static inline void rmdi_injection_add(rmdi_injection *injection, rmdi_link *link, uint16_t *place,
                                      unsigned priority)
{
    if (priority != RMDI_PRIORITY_NORMAL || !rmdi_injection_put(injection, link, place))
        rmdi_injection_add_to_list(injection, link, priority);
}

#endif
