/* SPDX-License-Identifier: MIT */
/* A bounded queue for many on both sides, without a lock: an array of cells, each with a *stamp*
 * that says whose turn it is at that cell.
 *
 * Positions count what was put and got, as a lap and an index into the array. The cell of a
 * position p is
 *      p           empty: who puts at p may have it, or has taken p and is about to fill it
 *      p | FULL    full: who gets at p may have it, or has taken p and is about to empty it
 * and p plus one lap when it has been emptied. Putting takes the position `tail` by compare-and-
 * swap, which is done only if the cell's stamp says that it is its turn, fills the cell, and
 * publishes that by its stamp; getting likewise at `head`. So the ring is full, or empty, where
 * the stamp of the cell at `tail`, or `head`, is behind. CLOSED is a bit of `tail`: after it no
 * position can be taken, and what was taken before is still got: no item comes after "that was
 * all".
 *
 * Sleeping, and what a thread that was interrupted between taking a position and publishing its
 * cell means for others: see queue_wait.c.
 *
 * Orders. Publishing is a release, reading a stamp an acquire: what was written to a cell before
 * is seen by whoever has its turn there next. Positions order nothing: relaxed. CLOSED is set
 * before the lists are entered to fire everybody, and whoever adds itself to one looks again
 * afterwards: the list's brief lock orders the two.
 *
 * Source: D. Vyukov, bounded MPMC queue, 1024cores.net; the lap in the stamp as in crossbeam's
 * ArrayQueue, so that any number of cells will do. */
#include "base/alloc.h"
#include "sync/queue.h"

#include <remuda/error.h>
#include <stddef.h>

/* The bit below the index: FULL of a stamp, CLOSED of `tail`. */
enum { FULL = 1, CLOSED = 1, INDEX_SHIFT = 1, STEP = 1 << INDEX_SHIFT };

/* With one step of a position. More than that would keep the other side waiting, and be in vain
 * when another thread takes the position meanwhile. */
enum { AT_ONCE_MAX = 64 };

typedef struct cell {
    _Alignas(16) rmd_atomic(uint64_t) stamp; /* so that no cell lies in two cache lines */
    void *item;                              /* of whoever has its turn */
} cell;

typedef struct ring {
    rmd_queue queue;
    unsigned lap_shift; /* a lap is 1 << lap_shift */
    rmd_atomic(uint32_t)
        closed; /* so that whoever gets need not look at `tail`, which putting needs */
    char line_1[RMDI_LINE_BYTES];
    rmd_atomic(uint64_t) tail;
    char line_2[RMDI_LINE_BYTES];
    rmd_atomic(uint64_t) head;
    char line_3[RMDI_LINE_BYTES];
    cell cells[];
} ring;

/* ---- positions ---- */

static inline uint64_t lap(const ring *r)
{
    return UINT64_C(1) << r->lap_shift;
}

static inline uint64_t index_of(const ring *r, uint64_t position)
{
    return (position & (lap(r) - 1)) >> INDEX_SHIFT;
}

static inline cell *cell_at(ring *r, uint64_t position)
{
    return &r->cells[index_of(r, position)];
}

/* The next one; the indices from items_max on are passed over. */
static inline uint64_t after(const ring *r, uint64_t position)
{
    RMD_PLAIN_READS(&r->lap_shift, sizeof r->lap_shift); /* so that a late use is seen */
    uint64_t next = position + STEP;
    return index_of(r, next) == r->queue.items_max ? (position | (lap(r) - 1)) + 1 : next;
}

/* How many come before it. */
static uint64_t count(const ring *r, uint64_t position)
{
    return (position >> r->lap_shift) * r->queue.items_max + index_of(r, position);
}

static inline bool is_behind(uint64_t stamp, uint64_t other)
{
    return (int64_t)(stamp - other) < 0;
}

/* ---- turns ---- */

/* How many cells from that position on, at most max, have the stamp of their turn: position |
 * state. *end is the position after them. None: *stamp is what the first one has instead. */
static inline size_t turns(ring *r, uint64_t position, uint64_t state, size_t max, uint64_t *end,
                           uint64_t *stamp)
{
    size_t n = 0;
    max = max < AT_ONCE_MAX ? max : AT_ONCE_MAX;
    do {
        /* Acquire: what was done with the cell in the turn before is seen by us. */
        *stamp = rmd_atomic_load(&cell_at(r, position)->stamp, RMD_ACQUIRE);
        if (*stamp != (position | state))
            break;
        position = after(r, position);
    } while (++n < max);
    *end = position;
    return n;
}

static inline void end_turn(cell *c, uint64_t stamp)
{
    rmd_atomic_store(&c->stamp, stamp, RMD_RELEASE);
}

/* ---- putting and getting ---- */

static int put(rmd_queue *queue, void *const *items, size_t n, size_t *done, bool fired)
{
    ring *r = (ring *)queue;
    rmdi_queue_sides *sides = queue->sides;
    rmdi_waker waker = { 0 };
    uint64_t end, stamp, tail = rmd_atomic_load(&r->tail, RMD_RELAXED);
    *done = 0;
    for (;;) {
        if (tail & CLOSED)
            return RMD_ECLOSED;
        *done = turns(r, tail, 0, n, &end, &stamp);
        if (*done == 0) {
            if (is_behind(stamp, tail))
                return RMD_EAGAIN;
            tail = rmd_atomic_load(&r->tail, RMD_RELAXED);
        } else if (rmd_atomic_cas_weak(&r->tail, &tail, end, RMD_RELAXED, RMD_RELAXED)) {
            break;
        }
    }
    for (uint64_t next; tail != end; tail = next) {
        cell *c = cell_at(r, tail);
        next = after(r, tail);
        RMD_PLAIN_SET(c->item, *items++);
        if (fired && next == end)
            waker = rmdi_queue_pass_on(queue, &sides->putters);
        end_turn(c, tail | FULL); /* after the last one the queue may be gone */
    }
    rmdi_waker_wake(&waker);
    rmdi_queue_tell(&sides->getters);
    return 0;
}

/* With nothing at `head`: will nothing come? */
static bool is_over(ring *r, uint64_t head)
{
    /* Acquire: whoever is told so may free the queue, and closing comes before that. */
    return rmd_atomic_load(&r->closed, RMD_ACQUIRE) &&
           rmd_atomic_load(&r->tail, RMD_RELAXED) == (head | CLOSED);
}

static int get(rmd_queue *queue, void **items, size_t n, size_t *done)
{
    ring *r = (ring *)queue;
    rmdi_queue_sides *sides = queue->sides;
    uint64_t end, stamp, head = rmd_atomic_load(&r->head, RMD_RELAXED);
    for (;;) {
        *done = turns(r, head, FULL, n, &end, &stamp);
        if (*done == 0) {
            if (is_behind(stamp, head | FULL))
                return is_over(r, head) ? RMD_ECLOSED : RMD_EAGAIN;
            head = rmd_atomic_load(&r->head, RMD_RELAXED);
        } else if (rmd_atomic_cas_weak(&r->head, &head, end, RMD_RELAXED, RMD_RELAXED)) {
            break;
        }
    }
    for (; head != end; head = after(r, head)) {
        cell *c = cell_at(r, head);
        *items++ = RMD_PLAIN(c->item);
        end_turn(c, head + lap(r));
    }
    rmdi_queue_tell(&sides->putters);
    return 0;
}

/* ---- looking ---- */

/* Is the cell at this position, of tail or head, before that stamp? Looks again where somebody has
 * taken the position meanwhile. */
static bool is_before(ring *r, rmd_atomic(uint64_t) *end, uint64_t state, uint64_t *position)
{
    for (;;) {
        *position = rmd_atomic_load(end, RMD_RELAXED);
        uint64_t due = (*position & ~(uint64_t)CLOSED) | state;
        uint64_t stamp = rmd_atomic_load(&cell_at(r, *position)->stamp, RMD_RELAXED);
        if (!is_behind(due, stamp))
            return stamp != due;
    }
}

static bool is_full(rmd_queue *queue, size_t bytes)
{
    ring *r = (ring *)queue;
    uint64_t tail;
    (void)bytes;
    return is_before(r, &r->tail, 0, &tail) && !(tail & CLOSED);
}

static bool is_empty(rmd_queue *queue)
{
    ring *r = (ring *)queue;
    uint64_t head;
    return is_before(r, &r->head, FULL, &head) && !is_over(r, head);
}

/* ---- the rest ---- */

static bool close_ring(rmd_queue *queue)
{
    ring *r = (ring *)queue;
    bool was_open = !(rmd_atomic_or(&r->tail, CLOSED, RMD_RELAXED) & CLOSED);
    rmd_atomic_store(&r->closed, 1, RMD_RELEASE);
    return was_open;
}

static bool is_closed(rmd_queue *queue)
{
    return rmd_atomic_load(&((ring *)queue)->tail, RMD_RELAXED) & CLOSED;
}

static uint64_t were_put(rmd_queue *queue)
{
    ring *r = (ring *)queue;
    return count(r, rmd_atomic_load(&r->tail, RMD_RELAXED));
}

static uint64_t were_got(rmd_queue *queue)
{
    ring *r = (ring *)queue;
    return count(r, rmd_atomic_load(&r->head, RMD_RELAXED));
}

static const rmdi_queue_ops ring_ops = {
    .put = put,
    .get = get,
    .is_full = is_full,
    .is_empty = is_empty,
    .close = close_ring,
    .is_closed = is_closed,
    .were_put = were_put,
    .were_got = were_got,
};

/* So many bits, the lowest included, has the index. */
static unsigned shift_of_lap(size_t items_max)
{
    unsigned shift = INDEX_SHIFT;
    while ((items_max - 1) >> (shift - INDEX_SHIFT))
        shift++;
    return shift;
}

rmd_queue *rmdi_queue_ring_new(size_t items_max, size_t name_bytes, char **name)
{
    size_t bytes = offsetof(ring, cells) + items_max * sizeof(cell);
    ring *r = rmdi_alloc_zeroed(bytes + name_bytes);
    if (!r)
        return NULL;
    r->queue.ops = &ring_ops;
    r->lap_shift = shift_of_lap(items_max);
    for (size_t i = 0; i < items_max; i++)
        rmd_atomic_init(&r->cells[i].stamp, i << INDEX_SHIFT);
    *name = (char *)r + bytes;
    return &r->queue;
}
