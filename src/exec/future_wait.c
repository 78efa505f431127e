/* SPDX-License-Identifier: MIT */
/* Waiting for futures. Before a thread sleeps it may do the work itself: see help(). */
#include "exec/future_wait.h"
#include "base/error.h"
#include "exec/future.h"
#include "exec/waits.h"
#include "port/forked.h"
#include "sync/select.h"
#include "sync/spin.h"

#include <remuda/completions.h>

/* Who waits is often faster awake, while the task runs. As long as it has not begun its worker is
 * perhaps just being woken: that goes three times as fast when the one who waits is asleep, and
 * leaves it the processor. */
RMD_STATIC rmdi_spin spin;

static bool has_begun(const rmd_future *future)
{
    return rmd_atomic_load(&future->word, RMD_RELAXED) & RMDI_FUTURE_STATE; /* a hint */
}

static bool ends_while_we_look(const rmd_future *future)
{
    unsigned pauses = RMDI_SPIN_PAUSES_FIRST;
    bool ended = false;
    if (!has_begun(future))
        return false;
    for (unsigned looks = rmdi_spin_looks(&spin); looks > 0 && !ended; looks--) {
        rmdi_spin_pause(&pauses);
        ended = rmdi_future_ended(future);
    }
    rmdi_spin_learn(&spin, ended);
    return ended;
}

bool rmdi_future_add_wait(rmd_future *future, rmdi_wait *wait, rmdi_waiter *waiter, uint32_t index)
{
    rmdi_wait_not_added(wait);
    rmdi_wait_list_enter(&future->waits);
    /* Acquire: of the end; see future.c. */
    uint32_t word = rmd_atomic_or(&future->word, RMDI_FUTURE_WAITED, RMD_ACQUIRE);
    bool ended = (word & RMDI_FUTURE_STATE) == RMDI_FUTURE_ENDED;
    if (!ended)
        rmdi_wait_list_add(&future->waits, wait, waiter, index);
    rmdi_wait_list_leave(&future->waits);
    return !ended;
}

/* A sleep in the way of the task's kind. */
typedef struct sleeping {
    rmdi_waiter waiter;
    rmd_future *future;
} sleeping;

static int sleep_its_way(rmdi_sleeper *self, rmdi_waiter *waiter, rmd_deadline deadline)
{
    rmd_future *future = RMDI_CONTAINER(waiter, sleeping, waiter)->future;
    (void)self;
    rmdi_self_now()->awake = waiter;
    int err = future->ops->sleep(future, waiter, deadline);
    rmdi_self_now()->awake = NULL;
    return err;
}

static void wake_its_way(rmdi_sleeper *self, rmdi_waiter *waiter)
{
    if (waiter != rmdi_self_now()->awake) /* that one looks by itself */
        rmdi_waiter_unpark(self, waiter);
}

static rmdi_sleeper its_way = { .sleep = sleep_its_way, .wake = wake_its_way };

static int sleep_until_ended(rmd_future *future, rmd_deadline deadline)
{
    sleeping s = { .future = future };
    rmdi_wait wait;
    rmdi_waiter_init(&s.waiter, true);
    if (future->ops->sleep && !rmdi_self_sleeper())
        s.waiter.sleeper = &its_way;
    if (!rmdi_future_add_wait(future, &wait, &s.waiter, 0))
        return 0;
    int err = rmdi_waiter_sleep(&s.waiter, deadline);
    rmdi_wait_list_remove(&future->waits, &wait);
    return err;
}

int rmdi_future_wait_parked(rmd_future *future, rmd_deadline deadline)
{
    rmdi_waits waits;
    if (deadline.ns > 0 && ends_while_we_look(future))
        return 0;
    if (deadline.ns <= 0)
        return rmdi_future_ended(future) ? 0 : rmdi_future_not_ended(future, RMD_ETIMEDOUT);
    int err = rmdi_waits_begin(&waits, (rmdi_awaited){ .future = future }, deadline);
    if (err < 0)
        return err;
    err = sleep_until_ended(future, deadline);
    rmdi_waits_end(&waits);
    return err < 0 ? rmdi_future_not_ended(future, err) : 0;
}

bool rmdi_future_may_help(const rmd_future *future)
{
    const rmdi_future_ops *ops = future->ops;
    return ops->help && !(ops->is_not_for_us && ops->is_not_for_us(future));
}

/* It may take any time, so only who has that helps: without a deadline, and, outside of the pool,
 * without anybody who may tell it to stop, or another task that may end earlier. (A worker helps
 * also then: if all of them slept there would be nobody left.) */
bool rmdi_future_help(rmd_future *future, rmd_deadline deadline, bool any)
{
    if (!future->ops->help || deadline.ns != RMD_FOREVER.ns)
        return false;
    return future->ops->help(future, any || rmdi_self_stop());
}

static int wait_turning(rmd_future *future, rmd_deadline deadline)
{
    int err = 0;
    while (err == 0 && !rmdi_future_ended(future))
        err = future->ops->turn(future, deadline);
    if (rmdi_future_ended(future))
        return 0;
    return err == RMD_ETIMEDOUT || err == RMD_ECANCELED ? rmdi_future_not_ended(future, err) : err;
}

int rmd_future_wait(rmd_future *future, rmd_deadline deadline)
{
    if (future && rmdi_future_ended(future))
        return 0;
    int err = rmdi_future_check(future, "wait");
    if (err < 0 || rmdi_future_help(future, deadline, false))
        return err;
    err = rmdi_future_check(future,
                            "wait"); /* what we ran may have forked, and this be the child */
    if (err < 0)
        return err;
    err = future->ops->how_to_wait ? future->ops->how_to_wait(future) : RMD_EAGAIN;
    if (err == RMD_EAGAIN)
        return rmdi_future_wait_parked(future, deadline);
    return err < 0 ? err : wait_turning(future, deadline);
}

/* ---- among other things ---- */

static bool take(const rmd_waitable *what)
{
    return rmdi_future_ended(what->object);
}

static bool add(const rmd_waitable *what, rmdi_wait *wait, rmdi_waiter *waiter, uint32_t index)
{
    return rmdi_future_add_wait(what->object, wait, waiter, index);
}

static void take_out(const rmd_waitable *what, rmdi_wait *wait)
{
    rmdi_wait_list_remove(&((rmd_future *)what->object)->waits, wait);
}

static const rmdi_waitable_ops waitable_ops = { .take = take, .add = add, .remove = take_out };

rmd_waitable rmd_future_waitable(rmd_future *future)
{
    bool ours = future && rmdi_process_is(future->ops->process(future));
    return (rmd_waitable){ .ops = &waitable_ops, .object = ours ? future : NULL };
}

/* ---- several ---- */

static int64_t wait_for_all(rmd_future *const *futures, size_t n, rmd_deadline deadline)
{
    for (size_t i = 0; i < n; i++) {
        int err = rmd_future_wait(futures[i], deadline);
        if (err < 0)
            return err;
    }
    return (int64_t)n;
}

static bool is_wanted(const rmd_future *future, rmd_wait_for what)
{
    if (!rmdi_future_ended(future))
        return false;
    /* Not through rmd_future_outcome(): nobody has looked at it. */
    uint32_t word = rmd_atomic_load(&future->word, RMD_RELAXED);
    return what == RMD_WAIT_ANY || rmdi_future_outcome_in(word) != RMD_OUTCOME_OK;
}

/* The first that is; n: there is none. */
static size_t find(rmd_future *const *futures, size_t n, rmd_wait_for what)
{
    size_t i = 0;
    while (i < n && !is_wanted(futures[i], what))
        i++;
    return i;
}

static int64_t wait_for_one(rmd_future *const *futures, size_t n, rmd_wait_for what,
                            rmd_deadline deadline)
{
    rmd_completions *ends;
    rmd_future *ended;
    int err = rmd_completions_open(&ends, futures, n);
    if (err < 0)
        return err;
    do
        err = rmd_completions_next(ends, &ended, deadline);
    while (err == 0 && !is_wanted(ended, what));
    rmd_completions_free(ends);
    return err == 0 || err == RMD_ENOENT ? (int64_t)find(futures, n, what) : err;
}

static int check_all(rmd_future *const *futures, size_t n, rmd_wait_for what)
{
    if ((!futures && n) || (n == 0 && what == RMD_WAIT_ANY) ||
        (unsigned)what > RMD_WAIT_FIRST_FAILURE)
        return rmdi_fail(RMD_EINVAL, "wait: %zu futures, for %d", futures ? n : 0, (int)what);
    for (size_t i = 0; i < n; i++) {
        int err = rmdi_future_check(futures[i], "wait");
        if (err < 0)
            return err;
    }
    return 0;
}

int64_t rmd_futures_wait(rmd_future *const *futures, size_t n, rmd_wait_for what,
                         rmd_deadline deadline)
{
    int err = check_all(futures, n, what);
    if (err < 0)
        return err;
    if (what == RMD_WAIT_ALL)
        return wait_for_all(futures, n, deadline);
    size_t found = find(futures, n, what);
    return found < n ? (int64_t)found : wait_for_one(futures, n, what, deadline);
}
