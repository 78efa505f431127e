/* SPDX-License-Identifier: MIT */
/* Waiting for a queue.
 *
 * Why no wake-up is lost
 * ----------------------
 * Somebody who can neither put nor get enters the list of that side, passes a heavy fence, and
 * looks again before it sleeps. Whoever puts or gets lets the item, or the room, be seen by others,
 * passes a light fence, and looks whether anybody is in the list of the other side. So one of the
 * two sees the other (base/fence.h).
 *
 * An item may be there and not be seen: in the ring, before it lies one that is still being put.
 * Then whoever was fired for it goes back to sleep, at the front of the list; the put of the one
 * before fires somebody, who takes that and has to see that the second is there. So one that was
 * fired passes on when it leaves, with an item or without: if there is something for others, the
 * next is fired. A running thread that takes an item ahead of them leaves them on their way, and
 * need not.
 *
 * (The store enters the lists with its lock held, and needs no fence.)
 *
 * Lifetime
 * --------
 * As soon as an item can be seen, whoever gets it may free the queue; and only after that may its
 * put look at the list. So the lists do not lie in the queue but in memory that stays the sides of
 * queues for as long as the program runs. At worst they are another queue's by then, of which one
 * is fired for no reason: it looks again, and goes back to sleep. What a thread that was fired has
 * to pass on, it passes on before its own item can be seen, as that needs the queue. */
#include "base/alloc.h"
#include "port/thread.h"
#include "sync/queue.h"

#include <remuda/error.h>

/* ---- sides ---- */

enum { OWN_SIDES = 8 };

/* The first few need no memory. */
RMD_STATIC struct pool {
    rmdi_brief brief; /* guards what follows */
    rmdi_queue_sides *unused;
    size_t own_used;
    rmdi_queue_sides own[OWN_SIDES];
} pool;

rmdi_queue_sides *rmdi_queue_sides_take(void)
{
    rmdi_brief_enter(&pool.brief);
    rmdi_queue_sides *sides = RMD_PLAIN(pool.unused);
    if (sides)
        RMD_PLAIN_SET(pool.unused, RMD_PLAIN(sides->next));
    else if (RMD_PLAIN(pool.own_used) < OWN_SIDES) {
        sides = &pool.own[pool.own_used];
        RMD_PLAIN_SET(pool.own_used, pool.own_used + 1);
    }
    rmdi_brief_leave(&pool.brief);
    return sides ? sides : rmdi_alloc_zeroed(sizeof *sides);
}

void rmdi_queue_sides_give(rmdi_queue_sides *sides)
{
    rmdi_brief_enter(&pool.brief);
    RMD_PLAIN_SET(sides->next, RMD_PLAIN(pool.unused));
    RMD_PLAIN_SET(pool.unused, sides);
    rmdi_brief_leave(&pool.brief);
}

/* In a child of fork() nobody holds it, whoever held it in the parent; what it guards is right
 * after each of its writes. */
void rmdi_queue_sides_forked(void)
{
    pool.brief = (rmdi_brief){ 0 };
}

/* ---- waiting ---- */

static bool must_wait(rmd_queue *queue, const rmdi_queue_side *side, size_t bytes)
{
    return side == &queue->sides->putters ? queue->ops->is_full(queue, bytes)
                                          : queue->ops->is_empty(queue);
}

rmdi_waker rmdi_queue_pass_on(rmd_queue *queue, rmdi_queue_side *side)
{
    rmdi_waker waker = { 0 };
    if (!rmdi_wait_list_waits(&side->waits) || must_wait(queue, side, 0))
        return waker;
    rmdi_wait_list_enter(&side->waits);
    rmdi_wait_list_fire(&side->waits, NULL, &waker);
    rmdi_wait_list_leave(&side->waits);
    return waker;
}

static rmdi_queue_side *side_of(const rmdi_queue_call *c)
{
    return c->in ? &c->queue->sides->putters : &c->queue->sides->getters;
}

static int attempt(rmdi_queue_call *c)
{
    const rmdi_queue_ops *ops = c->queue->ops;
    return c->in ? ops->put(c->queue, c->in, c->n, c->done, c->fired)
                 : ops->get(c->queue, c->out, c->n, c->done);
}

/* Looking again at once would find one item, and take the cache line from whoever is about to put
 * the next one into it, so that each item costs both sides such a transfer. Who waits for some
 * microseconds finds hundreds (two and a half times as many items in all); and sleeping would be
 * longer. */
enum { LOOKS = 3, PAUSES_FIRST = 256, PAUSES_MAX = 512 };
#ifdef RMD_EXPLORE
enum { YIELDS = 1 };
#else
enum { YIELDS = 4 };
#endif

/* Waits awake; then lets threads run that wait for a processor, a few times: they may be those we
 * wait for, and that is cheaper than going to sleep and being woken. */
static int spin(rmdi_queue_call *c)
{
    rmdi_queue_side *side = side_of(c);
    unsigned looks = rmdi_spin_looks(&side->spin);
    unsigned pauses = looks > 1 ? PAUSES_FIRST : RMDI_SPIN_PAUSES_FIRST;
    int err = RMD_EAGAIN;
    looks = looks < LOOKS ? looks : LOOKS;
    for (; looks > 0 && err == RMD_EAGAIN; looks--, pauses = PAUSES_MAX) {
        rmdi_spin_for(pauses);
        err = attempt(c);
    }
    rmdi_spin_learn(&side->spin, err != RMD_EAGAIN);
    for (int yields = 0; yields < YIELDS && err == RMD_EAGAIN; yields++) {
        rmdi_os_thread_yield();
        err = attempt(c);
    }
    return err;
}

static size_t bytes_wanted(const rmdi_queue_call *c)
{
    rmd_queue *queue = c->queue;
    return c->in && queue->bytes_max ? queue->bytes_of(queue->ctx, *c->in) : 0;
}

/* RMD_EAGAIN: try again; else it is over. */
static int sleep_once(rmdi_queue_call *c)
{
    rmdi_waiter waiter;
    rmdi_wait wait;
    rmdi_queue_side *side = side_of(c);
    size_t bytes = bytes_wanted(c);
    rmdi_waiter_init(&waiter, c->stoppable);
    rmdi_wait_list_enter(&side->waits);
    (c->fired ? rmdi_wait_list_add_first : rmdi_wait_list_add)(&side->waits, &wait, &waiter, 0);
    rmdi_wait_list_leave(&side->waits);
    if (!c->queue->ops->enters_lists)
        rmdi_fence_heavy(); /* with the light one in rmdi_queue_tell() */
    int err = must_wait(c->queue, side, bytes) ? rmdi_waiter_sleep(&waiter, c->deadline) : 0;
    rmdi_wait_list_remove(&side->waits, &wait);
    c->fired = c->fired || RMD_PLAIN(wait.taken); /* also if it came too late for us */
    return err < 0 ? err : RMD_EAGAIN;
}

/* Until it is done, or over. In the end it looks once more: whoever was to be woken before us, and
 * has not run yet, may have left something. */
static int wait_until(rmdi_queue_call *c)
{
    int err, last;
    while ((err = spin(c)) == RMD_EAGAIN && (err = sleep_once(c)) == RMD_EAGAIN)
        if ((err = attempt(c)) != RMD_EAGAIN)
            return err;
    if (err != RMD_ETIMEDOUT && err != RMD_ECANCELED)
        return err;
    last = attempt(c);
    return last == RMD_EAGAIN ? err : last;
}

int rmdi_queue_wait(rmdi_queue_call *c)
{
    if (c->deadline.ns <= 0)
        return RMD_ETIMEDOUT;
    int err = wait_until(c);
    if (c->fired && !(c->in && err == 0)) { /* else put has passed it on */
        rmdi_waker waker = rmdi_queue_pass_on(c->queue, side_of(c));
        rmdi_waker_wake(&waker);
    }
    c->fired = false; /* a call may go on after this */
    return err;
}

int rmdi_queue_do(rmdi_queue_call *c)
{
    int err = attempt(c);
    return err == RMD_EAGAIN ? rmdi_queue_wait(c) : err;
}
