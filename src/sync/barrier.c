/* SPDX-License-Identifier: MIT */
/* All is decided with the list entered. Whoever arrives counts itself; the one that completes the
 * number begins the next round and fires all who wait, in one section, so that nobody of the next
 * round is among them. Whoever wakes, for whatever reason, looks whether its round is over: then it
 * was part of it, even if its deadline passed or its token fired before it could be woken. Else it
 * takes itself out of the count, in the same section: the count is never of somebody who has left.
 *
 * Lifetime. Who completes a round, or closes, touches the barrier last in leaving the list, through
 * which all the others pass before they return. A barrier has no way past the list. */
#include "sync/barrier.h"

#include "base/alloc.h"
#include "base/error.h"

/* With the list entered. True: this one completes the round. */
static bool completes(const rmdi_barrier *b)
{
    return RMD_PLAIN(b->arrived) + 1 == b->parties;
}

static void begin_next_round(rmdi_barrier *b)
{
    RMD_PLAIN_SET(b->arrived, 0);
    RMD_PLAIN_SET(b->round, RMD_PLAIN(b->round) + 1);
    rmdi_wait_list_leave_all(&b->waits);
}

/* Enters the list and leaves it. RMD_EAGAIN: it has arrived, in *round, and is to wait. */
static int arrive(rmdi_barrier *b, rmd_deadline deadline, rmdi_wait *wait, rmdi_waiter *waiter,
                  uint64_t *round)
{
    int err = RMD_EAGAIN;
    rmdi_wait_list_enter(&b->waits);
    if (RMD_PLAIN(b->closed)) {
        err = RMD_ECLOSED;
    } else if (completes(b)) {
        begin_next_round(b); /* leaves the list */
        return RMD_BARRIER_LAST;
    } else if (deadline.ns <= 0) {
        err = RMD_ETIMEDOUT;
    } else {
        RMD_PLAIN_SET(b->arrived, RMD_PLAIN(b->arrived) + 1);
        *round = RMD_PLAIN(b->round);
        rmdi_wait_list_add(&b->waits, wait, waiter, 0);
    }
    rmdi_wait_list_leave(&b->waits);
    return err;
}

/* After the sleep, which ended with err: what became of it. */
static int depart(rmdi_barrier *b, rmdi_wait *wait, uint64_t round, int err)
{
    rmdi_wait_list_enter(&b->waits);
    rmdi_wait_list_drop(&b->waits, wait);
    if (RMD_PLAIN(b->round) != round) {
        err = 0;
    } else {
        RMD_PLAIN_SET(b->arrived, RMD_PLAIN(b->arrived) - 1);
        err = RMD_PLAIN(b->closed) ? RMD_ECLOSED : err;
    }
    rmdi_wait_list_leave(&b->waits);
    return err;
}

int rmdi_barrier_wait(rmdi_barrier *b, rmd_deadline deadline)
{
    rmdi_waiter waiter;
    rmdi_wait wait;
    uint64_t round;
    rmdi_waiter_init(&waiter, true);
    int err = arrive(b, deadline, &wait, &waiter, &round);
    if (err != RMD_EAGAIN)
        return err;
    err = rmdi_waiter_sleep(&waiter, deadline);
    return depart(b, &wait, round, err);
}

int rmdi_barrier_close(rmdi_barrier *b)
{
    rmdi_wait_list_enter(&b->waits);
    bool again = RMD_PLAIN(b->closed);
    RMD_PLAIN_SET(b->closed, true);
    rmdi_wait_list_leave_all(&b->waits);
    return again ? RMD_ECLOSED : 0;
}

bool rmdi_barrier_busy(rmdi_barrier *b)
{
    return rmdi_wait_list_busy(&b->waits);
}

/* ---- the public barrier ---- */

int rmd_barrier_open(rmd_barrier **barrier, uint32_t parties)
{
    if (!barrier)
        return rmdi_fail(RMD_EINVAL, "barrier: no place for it was given");
    *barrier = NULL;
    if (parties == 0)
        return rmdi_fail(RMD_EINVAL, "barrier: for nobody; it needs at least one party");
    rmd_barrier *b = rmdi_alloc_zeroed(sizeof *b);
    if (!b)
        return rmdi_fail_memory();
    b->barrier.parties = parties;
    *barrier = b;
    return 0;
}

int rmd_barrier_free(rmd_barrier *barrier)
{
    if (barrier && rmdi_barrier_busy(&barrier->barrier))
        return rmdi_fail(RMD_EBUSY, "a thread waits at the barrier");
    rmdi_free(barrier);
    return 0;
}

int rmd_barrier_wait(rmd_barrier *barrier, rmd_deadline deadline)
{
    if (!barrier)
        return rmdi_fail(RMD_EINVAL, "wait: no barrier was given");
    uint32_t parties = barrier->barrier.parties; /* it may be gone then */
    int err = rmdi_barrier_wait(&barrier->barrier, deadline);
    return err < 0 ? rmdi_fail(err, "not all %u parties came to the barrier", parties) : err;
}

int rmd_barrier_close(rmd_barrier *barrier)
{
    if (!barrier)
        return rmdi_fail(RMD_EINVAL, "close: no barrier was given");
    if (rmdi_barrier_close(&barrier->barrier) < 0)
        return rmdi_fail(RMD_ECLOSED, "close: the barrier is closed already");
    return 0;
}
