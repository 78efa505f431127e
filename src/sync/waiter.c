/* SPDX-License-Identifier: MIT */
/* Why no wake-up is lost
 * ----------------------
 * A caller adds its entry with the list's brief lock held, after having looked, under that lock,
 * whether it must wait. A waker changes what is waited for before it enters the list (or inside)
 * and then takes entries out under the same lock. Of the two sections one comes first. If it is the
 * waker's, the caller's look happens after the change, and it does not wait. If it is the caller's,
 * the waker finds the entry.
 *
 * From there on `state` decides. The waker sets it from 0 to 1 + index by compare-and-swap, then
 * wakes the sleeper. A thread parks only while the state is 0, which the kernel compares itself: it
 * either does not park or is parked when the wake-up comes.
 *
 * Why waking one lets exactly one run
 * -----------------------------------
 * A waiter ends once: all who want to end it, those who fire one of its entries, its stop token
 * and its own deadline, compete for the same compare-and-swap from 0. A waker that loses takes the
 * next entry, so a wake-up never ends in somebody who has gone already; when the list is empty it
 * says so, and the caller keeps what it had to give. A sleeper whose deadline has passed and who
 * loses was fired: it reports that and not the deadline, so the wake-up (and the gift) count. A
 * waiter that one list has fired leaves its entries in the other lists for a moment; they are
 * skipped.
 *
 * Lifetimes
 * ---------
 * Waiter and entries lie on the stack of their owner, who takes every entry out of its list before
 * it returns, and for that passes through the list's brief lock *even when the entry has been taken
 * out by a waker*. So:
 * (1) while a waker holds the brief lock, the entries it finds, and their waiters, are there;
 * (2) when the owner returns, no waker who fired it uses the list, which may be freed then (by the
 *     owner itself, for instance: wait for an event, then free it). Leaving a brief lock touches it
 *     once and no more. Objects that can be passed without sleeping, an event that is set, pass
 *     through it in their free(), and refuse while an entry is in it or was taken out by a waker
 *     (`taken`): its owner is on the way, and passes through the list once more.
 * After it has left the brief lock a waker has only an rmdi_waker: the sleeper and the *address* of
 * the waiter. For the sleeper of threads that is an address for the futex and never read: a dead
 * one wakes nobody, and one that has been used again for another waiter, or another word, wakes it
 * for no reason, which everything of ours that parks expects. Other sleepers need their objects
 * alive in wake(); they have settle(), which holds the owner back until wake() has been called.
 *
 * Calls of the system are made after the brief lock has been left, so that the woken do not run
 * into it. Waking all is done in batches, since the entries cannot be used any more to link those
 * who are to be woken; only a list of more than a crowd is woken with the lock held. It is not
 * left between batches: it would let in callers that came after the event, and (2) would not hold.
 *
 * Memory orders
 * -------------
 * The compare-and-swap that fires is a release, and reading a state other than 0 is an acquire:
 * what the waker wrote before (the gift, and what it is about) is seen by the woken. Where it fails
 * it has read only that the waiter is over, and uses nothing of it: relaxed. Timing out publishes
 * nothing, but where it fails it reads that it was fired: acquire. Everything else in lists and
 * entries is ordered by the brief lock. No fence is needed, and no order stronger than these. */
#include "sync/waiter.h"

#include "base/park.h"
#include "sync/self.h"
#include "sync/stop.h"

#include <remuda/error.h>

/* Of more than one batch: who is woken while the list is still entered runs into its brief lock, so
 * that a crowd takes half as long again. */
#ifdef RMD_EXPLORE
enum { CROWD = 2 };
#else
enum { CROWD = 1024 }; /* 16 KiB of stack */
#endif

/* ---- the sleeper of threads ---- */

static int park(rmdi_sleeper *self, rmdi_waiter *waiter, rmd_deadline deadline)
{
    (void)self;
    return rmdi_park(&waiter->state, 0, deadline);
}

void rmdi_waiter_unpark(rmdi_sleeper *self, rmdi_waiter *waiter)
{
    (void)self;
    rmdi_unpark_one(&waiter->state);
}

static rmdi_sleeper thread_sleeper = { .sleep = park, .wake = rmdi_waiter_unpark };

/* ---- the list; with the brief lock held ---- */

static void link_between(rmdi_wait_list *list, rmdi_wait *wait, rmdi_wait *prev, rmdi_wait *next)
{
    RMD_PLAIN_WRITES(&list->first, sizeof list->first + sizeof list->last);
    RMD_PLAIN_WRITES(wait, sizeof *wait);
    wait->prev = prev;
    wait->next = next;
    *(prev ? &prev->next : &list->first) = wait;
    *(next ? &next->prev : &list->last) = wait;
    wait->queued = true;
    /* Relaxed, here and below: see `count`. */
    rmd_atomic_store(&list->count, rmd_atomic_load(&list->count, RMD_RELAXED) + 1, RMD_RELAXED);
}

static void unlink_wait(rmdi_wait_list *list, rmdi_wait *wait)
{
    RMD_PLAIN_WRITES(&list->first, sizeof list->first + sizeof list->last);
    RMD_PLAIN_WRITES(wait, sizeof *wait);
    *(wait->prev ? &wait->prev->next : &list->first) = wait->next;
    *(wait->next ? &wait->next->prev : &list->last) = wait->prev;
    wait->queued = false;
    rmd_atomic_store(&list->count, rmd_atomic_load(&list->count, RMD_RELAXED) - 1, RMD_RELAXED);
}

/* It stays its owner's, who has yet to pass through the list: who frees that must know. */
static void take_wait(rmdi_wait_list *list, rmdi_wait *wait)
{
    RMD_PLAIN_SET(wait->taken, true);
    RMD_PLAIN_SET(list->taken, RMD_PLAIN(list->taken) + 1);
}

static void prepare(rmdi_wait *wait, rmdi_waiter *waiter, uint32_t index)
{
    *wait = (rmdi_wait){ .waiter = waiter, .index = index };
}

void rmdi_wait_list_add(rmdi_wait_list *list, rmdi_wait *wait, rmdi_waiter *waiter, uint32_t index)
{
    prepare(wait, waiter, index);
    link_between(list, wait, RMD_PLAIN(list->last), NULL);
}

void rmdi_wait_list_add_first(rmdi_wait_list *list, rmdi_wait *wait, rmdi_waiter *waiter,
                              uint32_t index)
{
    prepare(wait, waiter, index);
    link_between(list, wait, NULL, RMD_PLAIN(list->first));
}

void rmdi_wait_list_drop(rmdi_wait_list *list, rmdi_wait *wait)
{
    if (RMD_PLAIN(wait->queued))
        unlink_wait(list, wait);
    else if (RMD_PLAIN(wait->taken))
        RMD_PLAIN_SET(list->taken, RMD_PLAIN(list->taken) - 1);
}

void rmdi_wait_list_remove(rmdi_wait_list *list, rmdi_wait *wait)
{
    rmdi_wait_list_enter(list);
    rmdi_wait_list_drop(list, wait);
    rmdi_wait_list_leave(list);
}

bool rmdi_wait_list_busy(rmdi_wait_list *list)
{
    rmdi_wait_list_enter(list);
    bool busy = rmdi_wait_list_waits(list) || RMD_PLAIN(list->taken);
    rmdi_wait_list_leave(list);
    return busy;
}

/* ---- firing ---- */

/* What is needed after the compare-and-swap is read before it. */
static bool fire(rmdi_wait *wait, void *gift, rmdi_waker *waker)
{
    uint32_t waits = 0;
    rmdi_waiter *waiter = wait->waiter;
    *waker = (rmdi_waker){ RMD_PLAIN(waiter->sleeper), waiter };
    wait->gift = gift;
    return rmd_atomic_cas(&waiter->state, &waits, 1 + wait->index, RMD_RELEASE, RMD_RELAXED);
}

bool rmdi_wait_list_fire_first(rmdi_wait_list *list, void *gift, rmdi_waker *waker)
{
    rmdi_wait *first = RMD_PLAIN(list->first);
    unlink_wait(list, first);
    take_wait(list, first);
    return fire(first, gift, waker);
}

bool rmdi_wait_list_fire(rmdi_wait_list *list, void *gift, rmdi_waker *waker)
{
    while (RMD_PLAIN(list->first))
        if (rmdi_wait_list_fire_first(list, gift, waker))
            return true;
    *waker = (rmdi_waker){ 0 };
    return false;
}

void rmdi_waker_wake(rmdi_waker *waker)
{
    if (waker->sleeper)
        waker->sleeper->wake(waker->sleeper, waker->waiter);
}

void rmdi_wakers_wake(rmdi_wakers *wakers)
{
    for (size_t i = 0; i < wakers->n; i++)
        rmdi_waker_wake(&wakers->batch[i]);
    wakers->n = 0;
}

void rmdi_wakers_add(rmdi_wakers *wakers, rmdi_waker waker)
{
    wakers->batch[wakers->n++] = waker;
    if (wakers->n == wakers->max)
        rmdi_wakers_wake(wakers);
}

size_t rmdi_wait_list_leave_one(rmdi_wait_list *list)
{
    rmdi_waker waker;
    bool fired = rmdi_wait_list_fire(list, NULL, &waker);
    rmdi_wait_list_leave(list);
    rmdi_waker_wake(&waker);
    return fired;
}

static size_t leave_all_with(rmdi_wait_list *list, rmdi_wakers *wakers)
{
    rmdi_waker waker;
    size_t n = 0;
    for (; rmdi_wait_list_fire(list, NULL, &waker); n++)
        rmdi_wakers_add(wakers, waker);
    rmdi_wait_list_leave(list);
    rmdi_wakers_wake(wakers);
    return n;
}

static __attribute__((noinline)) size_t leave_crowd(rmdi_wait_list *list)
{
    rmdi_waker batch[CROWD];
    rmdi_wakers wakers = { batch, CROWD, 0 };
    return leave_all_with(list, &wakers);
}

size_t rmdi_wait_list_leave_all(rmdi_wait_list *list)
{
    rmdi_waker batch[RMDI_WAKERS_MAX];
    rmdi_wakers wakers = { batch, RMDI_WAKERS_MAX, 0 };
    /* Relaxed: we have entered the list. */
    if (rmd_atomic_load(&list->count, RMD_RELAXED) > RMDI_WAKERS_MAX)
        return leave_crowd(list);
    return leave_all_with(list, &wakers);
}

size_t rmdi_wake_one(rmdi_wait_list *list)
{
    rmdi_wait_list_enter(list);
    return rmdi_wait_list_leave_one(list);
}

size_t rmdi_wake_all(rmdi_wait_list *list)
{
    rmdi_wait_list_enter(list);
    return rmdi_wait_list_leave_all(list);
}

/* ---- sleeping ---- */

void rmdi_waiter_init(rmdi_waiter *waiter, bool stoppable)
{
    rmdi_sleeper *sleeper = rmdi_self_sleeper();
    RMD_PLAIN_WRITES(waiter, sizeof *waiter);
    waiter->sleeper = sleeper ? sleeper : &thread_sleeper;
    waiter->stop = stoppable ? rmdi_self_stop() : NULL;
    waiter->fired_itself = false;
    rmd_atomic_init(&waiter->state, 0);
}

bool rmdi_waiter_fire_itself(rmdi_waiter *waiter, uint32_t index)
{
    uint32_t waits = 0;
    /* Relaxed: the owner itself reads the state; its own reads are in order. */
    bool fired = rmd_atomic_cas(&waiter->state, &waits, 1 + index, RMD_RELAXED, RMD_RELAXED);
    if (fired)
        waiter->fired_itself = true;
    return fired;
}

/* The end of the sleep: the state, which is not 0. */
static uint32_t sleep_until_over(rmdi_waiter *waiter, rmd_deadline deadline)
{
    uint32_t state;
    rmdi_sleeper *sleeper = waiter->sleeper;
    while (!(state = rmd_atomic_load(&waiter->state, RMD_ACQUIRE))) {
        if (sleeper->sleep(sleeper, waiter, deadline) != RMD_ETIMEDOUT)
            continue;
        /* Failing, it leaves in `state` who was faster. */
        if (rmd_atomic_cas(&waiter->state, &state, RMDI_WAITER_TIMED_OUT, RMD_ACQUIRE, RMD_ACQUIRE))
            return RMDI_WAITER_TIMED_OUT;
        break;
    }
    if (sleeper->settle && !waiter->fired_itself)
        sleeper->settle(sleeper, waiter);
    return state;
}

int rmdi_waiter_sleep(rmdi_waiter *waiter, rmd_deadline deadline)
{
    rmdi_wait on_stop;
    /* Who does not sleep is not stopped. */
    rmd_stop *stop = deadline.ns > 0 ? waiter->stop : NULL;
    if (stop && !rmdi_stop_add(stop, &on_stop, waiter, RMDI_WAIT_STOPPED))
        rmdi_waiter_fire_itself(waiter, RMDI_WAIT_STOPPED);
    uint32_t state = sleep_until_over(waiter, deadline);
    if (stop)
        rmdi_wait_list_remove(&stop->waits, &on_stop);
    if (state == RMDI_WAITER_TIMED_OUT)
        return RMD_ETIMEDOUT;
    return state == 1 + RMDI_WAIT_STOPPED ? RMD_ECANCELED : (int)(state - 1);
}
