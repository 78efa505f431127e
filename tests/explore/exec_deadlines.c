/* SPDX-License-Identifier: MIT */
/* The keeper of deadlines: whatever is armed is called once, not early, and not later than it must;
 * what was disarmed in time is not called, and its memory may be gone at once. */
#include "crew.h"
#include "exec/deadlines.h"
#include "port/clock.h"

#include <remuda.h>
#include <stdlib.h>

static rmdi_deadlines *d;
static rmd_atomic(int) calls;

static void begin(void)
{
    d = calloc(1, sizeof *d);
    RMD_ASSERT(d != NULL);
    RMD_ASSERT(rmdi_deadlines_open(d, "deadlines") == 0);
    rmd_atomic_init(&calls, 0);
}

static void end(void)
{
    rmdi_deadlines_close(d);
    RMD_ASSERT(RMD_PLAIN(d->first) == NULL);
    free(d);
}

static int64_t in_an_hour(void)
{
    return rmd_after_ms(3600000).ns;
}

static int64_t soon(void)
{
    return rmd_after_ms(1 + (int)rmd_explore_choose(3)).ns;
}

/* What has a limit. Its end by the limit, and another one. */
typedef struct limited {
    rmdi_due due;
    int64_t due_ns;
    rmdi_event called;
    int is_called;
} limited;

static limited *new_limited(void)
{
    limited *l = calloc(1, sizeof *l);
    RMD_ASSERT(l != NULL);
    return l;
}

static void time_is_up(rmdi_due *due)
{
    limited *l = RMDI_CONTAINER(due, limited, due);
    RMD_ASSERT(rmdi_clock_monotonic_ns() >= RMD_PLAIN(l->due_ns));
    RMD_PLAIN_SET(l->is_called, RMD_PLAIN(l->is_called) + 1);
    rmd_atomic_add(&calls, 1, RMD_RELAXED);
    rmdi_event_set(&l->called);
}

static int arm(limited *l, int64_t due_ns)
{
    RMD_PLAIN_SET(l->due_ns, due_ns);
    return rmdi_deadlines_arm(d, &l->due, due_ns, time_is_up);
}

/* ---- what is armed is called ---- */

static void wait_for_limit(void *arg)
{
    limited *l = new_limited();
    (void)arg;
    RMD_ASSERT(arm(l, soon()) == 0);
    RMD_ASSERT(rmdi_event_wait(&l->called, RMD_FOREVER) == 0);
    RMD_ASSERT(!rmdi_deadlines_disarm_wait(d, &l->due));
    RMD_ASSERT(RMD_PLAIN(l->is_called) == 1);
    free(l);
}

HARNESS(deadlines_are_called)
{
    crew all = { 0 };
    begin();
    for (int i = 0; i < 3; i++)
        crew_add(&all, wait_for_limit, NULL, "waits");
    crew_join(&all);
    RMD_ASSERT(rmd_atomic_load(&calls, RMD_RELAXED) == 3);
    end();
}

/* The thread sleeps for an hour, or is about to. Time does not pass by itself here. */
HARNESS(deadlines_an_earlier_one_is_not_late, .no_early_timeouts = true)
{
    crew all = { 0 };
    begin();
    limited *late = new_limited();
    RMD_ASSERT(arm(late, in_an_hour()) == 0);
    for (int i = 0; i < 2; i++)
        crew_add(&all, wait_for_limit, NULL, "sooner");
    crew_join(&all);
    RMD_ASSERT(RMD_PLAIN(late->is_called) == 0);
    RMD_ASSERT(rmdi_deadlines_disarm(d, &late->due));
    free(late);
    end();
}

/* What it slept for is gone, and what is armed then is earlier or later. */
HARNESS(deadlines_go_on_after_one_was_disarmed, .no_early_timeouts = true)
{
    crew all = { 0 };
    begin();
    limited *first = new_limited(), *late = new_limited();
    RMD_ASSERT(arm(first, rmd_after_ms(2).ns) == 0);
    crew_add(&all, wait_for_limit, NULL, "waits");
    RMD_ASSERT(rmdi_deadlines_disarm(d, &first->due) != RMD_PLAIN(first->is_called));
    RMD_ASSERT(arm(late, in_an_hour()) == 0);
    crew_join(&all);
    RMD_ASSERT(!late->is_called && rmdi_deadlines_disarm(d, &late->due));
    RMD_ASSERT(!rmdi_deadlines_disarm_wait(d, &first->due));
    free(first);
    free(late);
    end();
}

/* ---- called or disarmed ---- */

static void end_in_time_or_not(void *arg)
{
    limited *l = new_limited();
    (void)arg;
    RMD_ASSERT(arm(l, soon()) == 0);
    if (rmd_explore_choose(2))
        RMD_ASSERT(rmdi_event_wait(&l->called, rmd_after_ms(1)) <= 0);
    if (rmd_explore_choose(2) && rmdi_deadlines_disarm(d, &l->due)) {
        free(l); /* nothing waits: it is not called, nor looked at */
        return;
    }
    bool in_time = rmdi_deadlines_disarm_wait(d, &l->due);
    RMD_ASSERT(in_time != RMD_PLAIN(l->is_called));
    free(l);
}

HARNESS(deadlines_are_called_or_disarmed)
{
    crew all = { 0 };
    begin();
    for (int i = 0; i < 3; i++)
        crew_add(&all, end_in_time_or_not, NULL, "ends");
    crew_join(&all);
    end();
}

/* Each is armed by one thread and moved, or disarmed, by another. */
static limited *shared;

static void move_it(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmdi_deadlines_arm(d, &shared->due, soon(), time_is_up) == 0);
}

HARNESS(deadlines_are_moved_by_others)
{
    crew all = { 0 };
    begin();
    shared = new_limited();
    for (int i = 0; i < 2; i++)
        crew_add(&all, move_it, NULL, "moves");
    bool in_time = rmdi_deadlines_disarm(d, &shared->due);
    crew_join(&all);
    bool in_time_at_last = rmdi_deadlines_disarm_wait(d, &shared->due);
    RMD_ASSERT(RMD_PLAIN(shared->is_called) + in_time + in_time_at_last <= 2);
    free(shared);
    end();
}

/* ---- who frees it ---- */

typedef struct held {
    rmdi_due due;
    rmd_atomic(int) references;
} held;

static void drop(held *h)
{
    if (rmd_atomic_sub(&h->references, 1, RMD_ACQ_REL) == 1)
        free(h);
}

static void drop_by_limit(rmdi_due *due)
{
    drop(RMDI_CONTAINER(due, held, due));
}

static void hold_and_drop(void *arg)
{
    held *h = calloc(1, sizeof *h);
    (void)arg;
    RMD_ASSERT(h != NULL);
    rmd_atomic_init(&h->references, 2);
    RMD_ASSERT(rmdi_deadlines_arm(d, &h->due, soon(), drop_by_limit) == 0);
    if (rmdi_deadlines_disarm(d, &h->due))
        drop(h); /* the limit's */
    drop(h);
}

HARNESS(deadlines_free_what_they_call)
{
    crew all = { 0 };
    begin();
    for (int i = 0; i < 3; i++)
        crew_add(&all, hold_and_drop, NULL, "holds");
    crew_join(&all);
    end();
}

/* The memory of one that is being called becomes that of another one. */
static rmdi_due slot;
static rmdi_event left;

static void never_called(rmdi_due *due)
{
    RMD_ASSERT(due == NULL);
}

static void leave_slot(rmdi_due *due)
{
    RMD_PLAIN_WRITES(due, sizeof *due);
    *due = (rmdi_due){ 0 };
    rmdi_event_set(&left); /* and is not over yet */
}

HARNESS(deadlines_do_not_take_one_for_another, .no_early_timeouts = true)
{
    begin();
    slot = (rmdi_due){ 0 };
    left = (rmdi_event){ 0 };
    RMD_ASSERT(rmdi_deadlines_arm(d, &slot, soon(), leave_slot) == 0);
    RMD_ASSERT(rmdi_event_wait(&left, RMD_FOREVER) == 0);
    RMD_ASSERT(rmdi_deadlines_arm(d, &slot, in_an_hour(), never_called) == 0);
    RMD_ASSERT(rmd_explore_choose(2) ? rmdi_deadlines_disarm(d, &slot)
                                     : rmdi_deadlines_disarm_wait(d, &slot));
    end();
}

/* ---- a call that arms its own again ---- */

static void again(rmdi_due *due)
{
    rmd_atomic_add(&calls, 1, RMD_RELAXED);
    RMD_ASSERT(rmdi_deadlines_arm(d, due, 0, again) == 0);
}

static void end_it(void *arg)
{
    rmdi_deadlines_disarm_wait(d, arg);
}

HARNESS(deadlines_that_go_on_are_ended)
{
    crew all = { 0 };
    begin();
    rmdi_due *due = calloc(1, sizeof *due);
    RMD_ASSERT(due && rmdi_deadlines_arm(d, due, 0, again) == 0);
    crew_add(&all, end_it, due, "ends 1");
    crew_add(&all, end_it, due, "ends 2");
    crew_join(&all);
    RMD_ASSERT(!rmdi_deadlines_disarm(d, due) || rmd_atomic_load(&calls, RMD_RELAXED));
    end_it(due);
    free(due);
    end();
}

static rmdi_event go_on;

static void again_and_stay(rmdi_due *due)
{
    RMD_ASSERT(rmdi_deadlines_arm(d, due, 0, never_called) == 0);
    rmdi_event_set(&left);
    RMD_ASSERT(rmdi_event_wait(&go_on, RMD_FOREVER) == 0);
}

/* What is being called was not disarmed in time, be it armed again. */
HARNESS(deadlines_a_call_cannot_be_taken_back)
{
    begin();
    left = go_on = (rmdi_event){ 0 };
    rmdi_due *due = calloc(1, sizeof *due);
    RMD_ASSERT(due && rmdi_deadlines_arm(d, due, soon(), again_and_stay) == 0);
    RMD_ASSERT(rmdi_event_wait(&left, RMD_FOREVER) == 0);
    RMD_ASSERT(!rmdi_deadlines_disarm(d, due));
    rmdi_event_set(&go_on);
    RMD_ASSERT(!rmdi_deadlines_disarm_wait(d, due));
    free(due);
    end();
}

static void end_itself(rmdi_due *due)
{
    RMD_ASSERT(rmdi_deadlines_arm(d, due, 0, end_itself) == 0);
    RMD_ASSERT(!rmdi_deadlines_disarm_wait(d, due)); /* does not wait for itself */
    rmd_atomic_add(&calls, 1, RMD_RELAXED);
    rmdi_event_set(&left);
}

HARNESS(deadlines_a_call_ends_itself)
{
    begin();
    left = (rmdi_event){ 0 };
    rmdi_due *due = calloc(1, sizeof *due);
    RMD_ASSERT(due && rmdi_deadlines_arm(d, due, 0, end_itself) == 0);
    RMD_ASSERT(rmdi_event_wait(&left, RMD_FOREVER) == 0);
    RMD_ASSERT(!rmdi_deadlines_disarm_wait(d, due));
    RMD_ASSERT(rmd_atomic_load(&calls, RMD_RELAXED) == 1);
    free(due);
    end();
}

/* ---- the thread ---- */

HARNESS(deadlines_end_at_any_time)
{
    begin();
    unsigned how = rmd_explore_choose(3);
    limited *l = new_limited();
    if (how)
        RMD_ASSERT(arm(l, how == 1 ? soon() : in_an_hour()) == 0);
    rmdi_deadlines_disarm_wait(d, &l->due);
    RMD_ASSERT(arm(l, INT64_MAX) == 0);
    free(l);
    end();
}

HARNESS(deadlines_without_a_thread, .faults_max = 1)
{
    begin();
    limited *l = new_limited();
    if (arm(l, soon()) < 0) {
        RMD_ASSERT(!rmdi_deadlines_disarm(d, &l->due));
        RMD_ASSERT(arm(l, soon()) == 0);
    }
    RMD_ASSERT(rmdi_event_wait(&l->called, RMD_FOREVER) == 0);
    rmdi_deadlines_disarm_wait(d, &l->due);
    RMD_ASSERT(arm(l, in_an_hour()) == 0); /* once it is there, this cannot fail */
    rmdi_deadlines_disarm_wait(d, &l->due);
    free(l);
    end();
}
