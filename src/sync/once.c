/* SPDX-License-Identifier: MIT */
/* The state changes with the list entered; without, one only looks whether it is DONE. Whoever
 * finds it IDLE runs the function, with the list left. At its end either all who wait are woken,
 * for good, or one, to try in its turn: it may find that somebody who came meanwhile is faster,
 * waits again, and is woken at the end of that.
 *
 * Orders. DONE is stored with release and loaded with acquire: what the function wrote is seen. All
 * else is ordered by the list's brief lock.
 *
 * Lifetime. Whoever finds it DONE has not passed through the list, which the one that has done it
 * may still be leaving; a once has no free() that would. So its memory must outlive the calls, as
 * the header says; mostly it is static. */
#include "sync/once.h"

#include "base/error.h"

enum { IDLE, RUNNING, DONE };

/* What the public one holds; it is never used as its own type but to be zeroed. */
_Static_assert(sizeof(rmdi_once) <= sizeof(rmd_once), "rmd_once has room for it");
_Static_assert(_Alignof(rmdi_once) <= _Alignof(rmd_once), "and is aligned so");

bool rmdi_once_is_done(const rmdi_once *once)
{
    return rmd_atomic_load(&once->state, RMD_ACQUIRE) == DONE;
}

/* Enters the list and leaves it. 0: done; 1: the caller is to run it; RMD_EAGAIN: it runs, and the
 * entry is in the list; or an error. */
static int begin(rmdi_once *once, rmd_deadline deadline, rmdi_wait *wait, rmdi_waiter *waiter)
{
    const void *self = rmdi_self_id();
    int err = RMD_EAGAIN;
    rmdi_wait_list_enter(&once->waits);
    /* Relaxed: the list orders it. */
    uint32_t state = rmd_atomic_load(&once->state, RMD_RELAXED);
    if (state == DONE) {
        err = 0;
    } else if (state == IDLE) {
        rmd_atomic_store(&once->state, RUNNING, RMD_RELAXED);
        RMD_PLAIN_SET(once->runs, self);
        err = 1;
    } else if (RMD_PLAIN(once->runs) == self) {
        err = RMD_EDEADLK;
    } else if (deadline.ns <= 0) {
        err = RMD_ETIMEDOUT;
    } else {
        rmdi_wait_list_add(&once->waits, wait, waiter, 0);
    }
    rmdi_wait_list_leave(&once->waits);
    return err;
}

static void end(rmdi_once *once, bool done)
{
    rmdi_wait_list_enter(&once->waits);
    RMD_PLAIN_SET(once->runs, NULL);
    rmd_atomic_store(&once->state, done ? DONE : IDLE, RMD_RELEASE);
    if (done)
        rmdi_wait_list_leave_all(&once->waits);
    else
        rmdi_wait_list_leave_one(&once->waits);
}

static int run(rmdi_once *once, int (*fn)(void *arg), void *arg)
{
    int err = fn(arg);
    end(once, err >= 0);
    return err < 0 ? err : 0;
}

/* As begin(), but sleeps instead of RMD_EAGAIN. */
static int begin_or_wait(rmdi_once *once, rmd_deadline deadline)
{
    for (;;) {
        rmdi_waiter waiter;
        rmdi_wait wait;
        rmdi_waiter_init(&waiter, true);
        int err = begin(once, deadline, &wait, &waiter);
        if (err != RMD_EAGAIN)
            return err;
        err = rmdi_waiter_sleep(&waiter, deadline);
        rmdi_wait_list_remove(&once->waits, &wait);
        if (err < 0)
            return err;
    }
}

static int fail_to_begin(int err)
{
    return rmdi_fail(err, err == RMD_EDEADLK ? "once: called by the function that it runs"
                                             : "once: another thread still runs the function");
}

int rmdi_once_call(rmdi_once *once, int (*fn)(void *arg), void *arg, rmd_deadline deadline)
{
    if (rmdi_once_is_done(once))
        return 0;
    int err = begin_or_wait(once, deadline);
    if (err < 0)
        return fail_to_begin(err);
    return err == 1 ? run(once, fn, arg) : 0;
}

/* ---- the public once ---- */

int rmd_once_call(rmd_once *once, int (*fn)(void *arg), void *arg, rmd_deadline deadline)
{
    if (!once || !fn)
        return rmdi_fail(RMD_EINVAL, once ? "once: no function was given" : "once: none was given");
    return rmdi_once_call((rmdi_once *)once, fn, arg, deadline);
}

bool rmd_once_is_done(const rmd_once *once)
{
    return once && rmdi_once_is_done((const rmdi_once *)once);
}
