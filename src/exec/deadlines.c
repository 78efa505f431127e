/* SPDX-License-Identifier: MIT */
/* One lock guards the heap and every due in it; the thread calls with the lock released.
 *
 * Why no due is missed
 * --------------------
 * The thread goes to sleep with the lock held: it has seen the earliest due, notes its time in
 * `sleeps_till`, adds itself to the list of sleepers, and only then releases the lock. Whoever arms
 * has the lock either before that, and the thread has seen the new due; or after, and then finds
 * how long the thread sleeps. A due that is earlier than that fires the thread, which takes the
 * lock and looks at the heap anew; one that is not is seen when the thread wakes for the earlier
 * one. After the first that fires it `sleeps_till` is the beginning of time: the thread is on its
 * way and will look, so that others need not fire it again. If the earliest is disarmed the thread
 * is let sleep, and wakes once for nothing.
 *
 * It calls only what is due by the clock, which it reads after it has woken: whatever woke it,
 * nothing is called early.
 *
 * Why none is called twice, or after it was disarmed
 * --------------------------------------------------
 * A due is armed, and in the heap, or it is not; only with the lock held does that change. The
 * thread takes it out, and remembers its id in `called`, in the same section. So disarming comes
 * first, and finds it in the heap (true: the thread will not find it), or the thread does, and
 * disarming finds it out of the heap and its id in `called`, or that the call is over (false). If
 * it has been armed anew during the call, both are the case: it is taken out, and the answer is
 * still false.
 *
 * What is touched when
 * --------------------
 * fn may free its due, and so may whoever disarmed it. So the thread uses *due up to the call and
 * not after it; what is left is the id. An id and not the address: another due may lie there by
 * then, and would be taken for one that is being called. Whoever arms wakes the thread after it has
 * left the lock; what it wakes with uses nothing of *deadlines (waiter.h).
 *
 * Waiting for the end of a call is in the same way a list that is entered with the lock held, and
 * fired with it held. */
#include "exec/deadlines.h"

#include "base/error.h"
#include "port/clock.h"

#include <stdio.h>

static const int64_t not_asleep = INT64_MIN;

static rmdi_due *of_link(rmdi_due_link *link)
{
    return RMDI_CONTAINER(link, rmdi_due, link);
}

/* Releases the lock, sleeps until it is fired or the time has come, acquires the lock again. The
 * thread's stop token does not matter. */
static void sleep_on(rmdi_wait_list *list, rmdi_lock *lock, int64_t until_ns)
{
    rmdi_waiter waiter;
    rmdi_wait wait;
    rmdi_waiter_init(&waiter, false);
    rmdi_wait_list_enter(list);
    rmdi_wait_list_add(list, &wait, &waiter, 0);
    rmdi_wait_list_leave(list);
    rmdi_lock_release(lock);
    int fired = rmdi_waiter_sleep(&waiter, RMD_DEADLINE_AT(until_ns));
    (void)fired; /* or the time has come: whoever sleeps looks again */
    rmdi_lock_enter(lock);
    rmdi_wait_list_remove(list, &wait);
}

/* ---- the thread ---- */

/* With the lock held, which is released for the call. */
static void call_first(rmdi_deadlines *d)
{
    rmdi_due *due = of_link(d->first);
    void (*fn)(rmdi_due *) = due->fn;
    RMD_PLAIN_WRITES(due, sizeof *due);
    rmdi_due_heap_remove(&d->first, &due->link);
    due->armed = false;
    d->called = due->id;
    rmdi_lock_release(&d->lock);
    fn(due); /* *due may be gone now */
    rmdi_lock_enter(&d->lock);
    RMD_PLAIN_SET(d->called, 0);
    if (rmdi_wait_list_waits(&d->ends))
        rmdi_wake_all(&d->ends);
}

static void keep(void *arg)
{
    rmdi_deadlines *d = arg;
    rmdi_lock_enter(&d->lock);
    d->self = rmdi_thread_self();
    while (!RMD_PLAIN(d->closing)) {
        int64_t due_ns = RMD_PLAIN(d->first) ? d->first->due_ns : INT64_MAX;
        if (d->first && due_ns <= rmdi_clock_monotonic_ns()) {
            call_first(d);
        } else {
            d->sleeps_till = due_ns;
            sleep_on(&d->sleeper, &d->lock, due_ns);
            d->sleeps_till = not_asleep;
        }
    }
    rmdi_lock_release(&d->lock);
}

/* With the lock held: has it look again, if it sleeps for longer than that. Wake it when the lock
 * has been released, so that it does not run into it. */
static void tell_thread(rmdi_deadlines *d, int64_t due_ns, rmdi_waker *waker)
{
    if (due_ns >= RMD_PLAIN(d->sleeps_till))
        return;
    d->sleeps_till = not_asleep;
    rmdi_wait_list_enter(&d->sleeper);
    rmdi_wait_list_fire(&d->sleeper, NULL, waker);
    rmdi_wait_list_leave(&d->sleeper);
}

/* With the lock held. */
static int start(rmdi_deadlines *d)
{
    if (RMD_PLAIN(d->started))
        return 0;
    int err = rmdi_thread_start(&d->thread, keep, d, d->name);
    d->started = err == 0;
    return err;
}

/* ---- arming ---- */

int rmdi_deadlines_open(rmdi_deadlines *deadlines, const char *name)
{
    *deadlines = (rmdi_deadlines){ .sleeps_till = not_asleep };
    snprintf(deadlines->name, sizeof deadlines->name, "%s", name);
    return 0;
}

/* With the lock held. Was it armed? */
static bool take_out(rmdi_deadlines *d, rmdi_due *due)
{
    RMD_PLAIN_WRITES(due, sizeof *due);
    bool was_armed = due->armed;
    if (was_armed)
        rmdi_due_heap_remove(&d->first, &due->link);
    due->armed = false;
    return was_armed;
}

static void put_in(rmdi_deadlines *d, rmdi_due *due, int64_t due_ns, void (*fn)(rmdi_due *due))
{
    due->fn = fn;
    due->link.due_ns = due_ns;
    due->armed = true;
    if (!due->id)
        due->id = ++d->last_id;
    rmdi_due_heap_add(&d->first, &due->link);
}

int rmdi_deadlines_arm(rmdi_deadlines *deadlines, rmdi_due *due, int64_t due_ns,
                       void (*fn)(rmdi_due *due))
{
    bool never = due_ns == INT64_MAX;
    rmdi_waker waker = { 0 };
    rmdi_lock_enter(&deadlines->lock);
    int err = never ? 0 : start(deadlines);
    if (err == 0) {
        take_out(deadlines, due);
        if (!never && !due->unwanted) {
            put_in(deadlines, due, due_ns, fn);
            tell_thread(deadlines, due_ns, &waker);
        }
    }
    rmdi_lock_release(&deadlines->lock);
    rmdi_waker_wake(&waker);
    return err;
}

/* ---- disarming ---- */

/* With the lock held. */
static bool is_called(const rmdi_deadlines *d, uint64_t id)
{
    return id && RMD_PLAIN(d->called) == id;
}

bool rmdi_deadlines_disarm(rmdi_deadlines *deadlines, rmdi_due *due)
{
    rmdi_lock_enter(&deadlines->lock);
    bool in_time = take_out(deadlines, due) && !is_called(deadlines, due->id);
    rmdi_lock_release(&deadlines->lock);
    return in_time;
}

bool rmdi_deadlines_disarm_wait(rmdi_deadlines *deadlines, rmdi_due *due)
{
    rmdi_deadlines *d = deadlines;
    rmdi_lock_enter(&d->lock);
    bool in_time = take_out(d, due) && !is_called(d, due->id);
    due->unwanted++; /* or a call that arms it again could follow another for ever */
    /* Calls come one after the other, so in fn it is fn itself that calls this. */
    while (is_called(d, due->id) && d->self != rmdi_thread_self())
        sleep_on(&d->ends, &d->lock, INT64_MAX);
    due->unwanted--;
    rmdi_lock_release(&d->lock);
    return in_time;
}

void rmdi_deadlines_close(rmdi_deadlines *deadlines)
{
    rmdi_waker waker = { 0 };
    rmdi_lock_enter(&deadlines->lock);
    RMD_PLAIN_SET(deadlines->closing, true);
    tell_thread(deadlines, not_asleep + 1, &waker);
    bool started = deadlines->started;
    rmdi_lock_release(&deadlines->lock);
    rmdi_waker_wake(&waker);
    if (!started)
        return;
    int err = rmdi_thread_join(&deadlines->thread, RMD_FOREVER);
    (void)err; /* the system cannot refuse: it is there, and joined once */
}
