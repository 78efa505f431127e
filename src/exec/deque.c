/* SPDX-License-Identifier: MIT */
/* Positions count up from 0 and never wrap (63 bits); the item at position p lies in cell p mod
 * RMDI_DEQUE_MAX. The items are those from `top` to `bottom` - 1. Where there are at least two, the
 * owner takes the newest by writing `bottom` alone. Everything else, the oldest, and the newest
 * when it is the oldest as well, is taken by moving `top` on by compare-and-swap.
 *
 * Every item is obtained once
 * ---------------------------
 * Who moves `top` from p to p + 1 is one and only one, since `top` only grows. So it is left to
 * show that what the owner takes at p *without* moving `top` is nobody else's, and that whoever
 * moves `top` has read from the cell what belongs there now.
 *
 * (1) The owner takes at p: it stores `bottom` = p, passes a fence O, and loads `top` < p. A thief
 * steals at p: it loads `top` = p, passes a fence T, loads `bottom` > p, reads the cell, and moves
 * `top` from p. Both fences are sequentially consistent, and one is first.
 *      T first: the thief has read `top` = p before T, so the owner, after O, reads at least p: no.
 *      O first: the thief, after T, reads `bottom` = p or what was stored after it. That is > p
 *      only when the owner has put another item at p since: and that one is the thief's to have.
 * So a thief never has what was taken without it. If the owner loads `top` = p it moves `top` like
 * the others; `bottom` is p meanwhile, so that they see an empty deque at worst. Without a fence on
 * one side the load may be done before the store, or see an old value, on x86 in take() and on Arm
 * in both.
 *
 * (2) Every store of `bottom` is a release, and a thief's load an acquire. A value > p was stored
 * after the item had been put at p, so the thief reads that item from the cell, or what the owner
 * has put at p later, when that item had been taken by (1): then its `top` tells as in (1) that
 * this one is still there. Also the stores in take() have to be releases: since C++20 a relaxed
 * store of the same thread does not pass on what an earlier one has released, and Arm's does not.
 *
 * (3) The cell is used again for p + RMDI_DEQUE_MAX when the owner has read `top` > p by an
 * acquire. Whoever moved `top` from p read the cell before, and the move was a release, which later
 * moves pass on, being read-modify-writes: so it did not read the new item. Who reads the cell
 * later than that fails to move `top`, and forgets what it has read: cells are atomic, so that it
 * may. Loads of `top` that are relaxed do not count for this: see `seen_top`.
 *
 * The owner takes the oldest
 * --------------------------
 * It moves `top` like a thief, and needs no fence, with whatever thieves and its own take() do:
 * the fence is there for a thief to see the latest `bottom`, and the owner knows that, since it
 * alone writes it. Its take() and take_oldest() come one after the other. `top` may be older than
 * it thinks; then the move fails. Steal() by the owner is the same with a fence for nothing.
 *
 * When nobody takes
 * -----------------
 * A failed move means that another one's has succeeded, so there is always somebody who gets on;
 * take(), push() and steal() have no loops at all. To the owner two loads tell that it is empty: a
 * `top` that has reached `bottom` stays there until the owner puts something in.
 *
 * `top` is moved by sequentially consistent operations. Where C++20's rules hold, acquire and
 * release would do, but those of C11 before them order fences with such stores only.
 *
 * Source: D. Chase, Y. Lev, Dynamic Circular Work-Stealing Deque, SPAA 2005; the orders as in N. M.
 * Lê, A. Pop, A. Cohen, F. Zappa Nardelli, Correct and Efficient Work-Stealing for Weak Memory
 * Models, PPoPP 2013, with releasing stores for its release fence; bounded, and take_oldest(),
 * here. */
#include "exec/deque.h"

_Static_assert((RMDI_DEQUE_MAX & (RMDI_DEQUE_MAX - 1)) == 0, "the cells' number: a power of two");

/* A position from -1 on: take() asks for that of an empty deque. */
static inline rmd_atomic(void *) *cell_at(rmdi_deque *deque, int64_t position)
{
    return &deque->cells[(uint64_t)position & (RMDI_DEQUE_MAX - 1)];
}

/* ---- the owner ---- */

/* Its own `bottom` needs no order. */
static inline int64_t own_bottom(rmdi_deque *deque)
{
    return rmd_atomic_load(&deque->bottom, RMD_RELAXED);
}

static bool is_full(rmdi_deque *deque, int64_t bottom)
{
    if (bottom - RMD_PLAIN(deque->seen_top) < RMDI_DEQUE_MAX)
        return false;
    /* Acquire: (3). It costs the cache line of those who steal, so this is asked seldom. */
    RMD_PLAIN_SET(deque->seen_top, rmd_atomic_load(&deque->top, RMD_ACQUIRE));
    return bottom - RMD_PLAIN(deque->seen_top) >= RMDI_DEQUE_MAX;
}

bool rmdi_deque_push(rmdi_deque *deque, void *item)
{
    int64_t bottom = own_bottom(deque);
    if (is_full(deque, bottom))
        return false;
    rmd_atomic_store(cell_at(deque, bottom), item, RMD_RELAXED);
    /* Release: the item, what it points to, and (2). */
    rmd_atomic_store(&deque->bottom, bottom + 1, RMD_RELEASE);
    return true;
}

/* The item at *top, if nobody else takes it; NULL, and the present `top`, if so. */
static inline void *move_top(rmdi_deque *deque, int64_t *top)
{
    void *item = rmd_atomic_load(cell_at(deque, *top), RMD_RELAXED); /* (2), or its own */
    bool moved = rmd_atomic_cas(&deque->top, top, *top + 1, RMD_SEQ_CST, RMD_RELAXED);
    return moved ? item : NULL;
}

void *rmdi_deque_take(rmdi_deque *deque)
{
    int64_t newest = own_bottom(deque) - 1;
    int64_t top = rmd_atomic_load(&deque->top, RMD_RELAXED);
    if (top > newest)
        return NULL;
    /* From here on nobody else begins with it. Release: (2). */
    rmd_atomic_store(&deque->bottom, newest, RMD_RELEASE);
    rmd_fence(RMD_SEQ_CST); /* O in (1) */
    top = rmd_atomic_load(&deque->top, RMD_RELAXED);
    if (top < newest)
        return rmd_atomic_load(cell_at(deque, newest), RMD_RELAXED); /* our own store */
    void *item = top == newest ? move_top(deque, &top) : NULL;
    rmd_atomic_store(&deque->bottom, newest + 1, RMD_RELEASE); /* empty, as `top` says: (2) */
    return item;
}

void *rmdi_deque_take_oldest(rmdi_deque *deque)
{
    int64_t bottom = own_bottom(deque), top = rmd_atomic_load(&deque->top, RMD_RELAXED);
    while (top < bottom) {
        void *item = move_top(deque, &top);
        if (item) {
            /* The move was an acquire, too: (3). */
            RMD_PLAIN_SET(deque->seen_top, top + 1);
            return item;
        }
    }
    return NULL;
}

void *rmdi_deque_peek(rmdi_deque *deque)
{
    int64_t newest = own_bottom(deque) - 1;
    /* Relaxed: a hint. */
    return rmd_atomic_load(&deque->top, RMD_RELAXED) <= newest
               ? rmd_atomic_load(cell_at(deque, newest), RMD_RELAXED)
               : NULL;
}

/* ---- everybody ---- */

void *rmdi_deque_steal(rmdi_deque *deque, bool *again)
{
    /* Acquire, as in the paper; the fence after it would do. */
    int64_t top = rmd_atomic_load(&deque->top, RMD_ACQUIRE);
    rmd_fence(RMD_SEQ_CST); /* T in (1) */
    *again = false;
    if (top >= rmd_atomic_load(&deque->bottom, RMD_ACQUIRE)) /* acquire: (2) */
        return NULL;
    void *item = move_top(deque, &top);
    *again = !item;
    return item;
}

size_t rmdi_deque_len(const rmdi_deque *deque)
{
    /* Relaxed, and at two moments: a hint. */
    int64_t top = rmd_atomic_load(&deque->top, RMD_RELAXED);
    int64_t len = rmd_atomic_load(&deque->bottom, RMD_RELAXED) - top;
    return len < 0 ? 0 : len > RMDI_DEQUE_MAX ? RMDI_DEQUE_MAX : (size_t)len;
}
