/* SPDX-License-Identifier: MIT */
/* A bounded queue for one thread that puts and one that gets: a ring with two positions, each of
 * which only one of them writes. No operation is more than loads and stores, and each side keeps
 * what it last saw of the other's position, so that it looks there only when it must: two caches
 * pass each other a line once for many items.
 *
 * `tail` is twice the number of items put, plus PUTTING from the beginning of a put to its end,
 * which is the store that lets its items be seen, and the last that it does to the queue.
 *
 * Closing may be done by any thread. A put announces itself by PUTTING and looks at `closed`, with
 * a light fence between; closing sets it to CLOSING, passes a heavy fence, and then sets it to
 * CLOSED. So a put that has not seen the former is seen by whoever sees the latter, and "that was
 * all" is answered only when there is none: no item comes after it.
 *
 * Orders. A position is published with release and read with acquire, in either direction: the
 * item, and that the cell may be used again. CLOSED likewise: PUTTING is seen by whoever sees it.
 *
 * Sources: L. Lamport, "Specifying Concurrent Program Modules", 1983 (one writer for each
 * position); P. Lee and others, "A Lock-Free, Cache-Efficient Shared Ring Buffer for Multi-Core
 * Architectures", 2009 (looking rarely). */
#include "base/alloc.h"
#include "sync/queue.h"

#include <remuda/error.h>
#include <stddef.h>

enum { PUTTING = 1, STEP = 2 };
enum { OPEN, CLOSING, CLOSED };

typedef struct pair {
    rmd_queue queue;
    uint64_t mask; /* of indices into the items */
    rmd_atomic(uint32_t) closed;
    char line_1[RMDI_LINE_BYTES];
    rmd_atomic(uint64_t) tail;
    uint64_t got_seen; /* the putting thread's: at least so many were got */
    char line_2[RMDI_LINE_BYTES];
    rmd_atomic(uint64_t) got;
    uint64_t put_seen; /* the getting thread's */
    char line_3[RMDI_LINE_BYTES];
    void *items[];
} pair;

/* ---- putting ---- */

static size_t room_for(pair *p, uint64_t put, size_t n)
{
    size_t items_max = p->queue.items_max, room = items_max - (put - RMD_PLAIN(p->got_seen));
    if (room < n) {
        RMD_PLAIN_SET(p->got_seen, rmd_atomic_load(&p->got, RMD_ACQUIRE));
        room = items_max - (put - RMD_PLAIN(p->got_seen));
    }
    return room < n ? room : n;
}

static int put(rmd_queue *queue, void *const *items, size_t n, size_t *done, bool fired)
{
    pair *p = (pair *)queue;
    rmdi_queue_sides *sides = queue->sides;
    uint64_t tail = rmd_atomic_load(&p->tail, RMD_RELAXED), put = tail / STEP;
    rmdi_waker waker = { 0 };
    int err = 0;
    *done = 0;
    if (tail & PUTTING)
        return RMD_EBUSY; /* another thread is here, against the rules */
    rmd_atomic_store(&p->tail, tail | PUTTING, RMD_RELEASE); /* goes on with the last one */
    rmdi_fence_light(); /* with the heavy one in close_pair() */
    if (rmd_atomic_load(&p->closed, RMD_RELAXED) != OPEN)
        err = RMD_ECLOSED;
    else if ((*done = room_for(p, put, n)) == 0)
        err = RMD_EAGAIN;
    for (size_t i = 0; i < *done; i++)
        RMD_PLAIN_SET(p->items[(put + i) & p->mask], items[i]);
    if (fired && err == 0)
        waker = rmdi_queue_pass_on(queue, &sides->putters);
    rmd_atomic_store(&p->tail, tail + *done * STEP, RMD_RELEASE);
    rmdi_waker_wake(&waker);
    rmdi_queue_tell(
        &sides->getters); /* without an item, too: they may wait for the end of PUTTING */
    return err;
}

/* ---- getting ---- */

/* Is there nothing, and will nothing come? */
static bool is_over(pair *p, uint64_t got)
{
    return rmd_atomic_load(&p->closed, RMD_ACQUIRE) == CLOSED &&
           rmd_atomic_load(&p->tail, RMD_ACQUIRE) == got * STEP;
}

static int get(rmd_queue *queue, void **items, size_t n, size_t *done)
{
    pair *p = (pair *)queue;
    uint64_t got = rmd_atomic_load(&p->got, RMD_RELAXED);
    size_t there = RMD_PLAIN(p->put_seen) - got;
    if (there < n) {
        RMD_PLAIN_SET(p->put_seen, rmd_atomic_load(&p->tail, RMD_ACQUIRE) / STEP);
        there = RMD_PLAIN(p->put_seen) - got;
    }
    *done = there < n ? there : n;
    if (*done == 0)
        return is_over(p, got) ? RMD_ECLOSED : RMD_EAGAIN;
    for (size_t i = 0; i < *done; i++)
        items[i] = RMD_PLAIN(p->items[(got + i) & p->mask]);
    rmd_atomic_store(&p->got, got + *done, RMD_RELEASE);
    rmdi_queue_tell(&queue->sides->putters);
    return 0;
}

/* ---- looking ---- */

static uint64_t were_put(rmd_queue *queue)
{
    return rmd_atomic_load(&((pair *)queue)->tail, RMD_RELAXED) / STEP;
}

static uint64_t were_got(rmd_queue *queue)
{
    return rmd_atomic_load(&((pair *)queue)->got, RMD_RELAXED);
}

static bool is_closed(rmd_queue *queue)
{
    return rmd_atomic_load(&((pair *)queue)->closed, RMD_RELAXED) != OPEN;
}

static bool is_full(rmd_queue *queue, size_t bytes)
{
    (void)bytes;
    return !is_closed(queue) && were_put(queue) - were_got(queue) == queue->items_max;
}

static bool is_empty(rmd_queue *queue)
{
    uint64_t got = were_got(queue);
    return were_put(queue) == got && !is_over((pair *)queue, got);
}

/* ---- the rest ---- */

static bool close_pair(rmd_queue *queue)
{
    pair *p = (pair *)queue;
    uint32_t was = OPEN;
    if (!rmd_atomic_cas(&p->closed, &was, CLOSING, RMD_RELAXED, RMD_RELAXED))
        return false;
    rmdi_fence_heavy();
    rmd_atomic_store(&p->closed, CLOSED, RMD_RELEASE);
    return true;
}

static const rmdi_queue_ops pair_ops = {
    .put = put,
    .get = get,
    .is_full = is_full,
    .is_empty = is_empty,
    .close = close_pair,
    .is_closed = is_closed,
    .were_put = were_put,
    .were_got = were_got,
};

rmd_queue *rmdi_queue_pair_new(size_t items_max, size_t name_bytes, char **name)
{
    size_t cells = 1;
    while (cells < items_max)
        cells *= 2;
    size_t bytes = offsetof(pair, items) + cells * sizeof(void *);
    pair *p = rmdi_alloc_zeroed(bytes + name_bytes);
    if (!p)
        return NULL;
    p->queue.ops = &pair_ops;
    p->mask = cells - 1;
    *name = (char *)p + bytes;
    return &p->queue;
}
