/* SPDX-License-Identifier: MIT */
/* Futures: one end, which all see who wait, cancel, or give back what they hold, whenever they
 * do. */
#include "future_stage.h"
#include "sync/event.h"
#include "sync/stop.h"

static void wait_a_while(void *arg)
{
    thing *t = arg;
    int err = rmd_future_wait(&t->future, rmd_after_ms(1));
    RMD_ASSERT(err == 0 || err == RMD_ETIMEDOUT);
    if (err == 0)
        check_ended(t);
    else
        RMD_ASSERT(rmd_future_error(&t->future) == RMD_EBUSY || rmdi_future_ended(&t->future));
}

HARNESS(future_end_wakes_all_who_wait)
{
    crew all = { 0 };
    thing *t = new_thing();
    crew_add(&all, wait_for_it, t, "waits 1");
    crew_add(&all, wait_for_it, t, "waits 2");
    crew_add(&all, wait_a_while, t, "waits a while");
    crew_add(&all, run_thing, t, "runs");
    crew_join(&all);
    free_thing(t);
}

HARNESS(future_cancel_tells_or_ends_or_comes_too_late)
{
    crew all = { 0 };
    thing *t = new_thing();
    crew_add(&all, run_thing, t, "runs");
    crew_add(&all, cancel_it, t, "cancels 1");
    crew_add(&all, cancel_it, t, "cancels 2");
    crew_add(&all, wait_for_it, t, "waits");
    crew_join(&all);
    free_thing(t);
}

/* Sleeps in something else: nothing but its token ends that. */
static void sleep_until_told(void *arg)
{
    thing *t = arg;
    rmd_stop stop = { 0 };
    rmdi_event never = { 0 };
    if (rmdi_future_claim(&t->future, false)) {
        rmd_atomic_add(&t->begun, 1, RMD_RELAXED);
        RMD_PLAIN_SET(t->result, 5);
        RMD_PLAIN_SET(t->stop, &stop);
        uint32_t word = rmd_atomic_or(&t->future.word, FRAMED, RMD_ACQ_REL);
        if (word & RMDI_FUTURE_CANCEL)
            (void)rmd_stop_request(&stop);
        rmd_stop *before = rmd_stop_set(&stop);
        RMD_ASSERT(rmdi_event_wait(&never, RMD_FOREVER) == RMD_ECANCELED);
        rmd_stop_set(before);
        end_thing(t, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    }
    rmdi_future_drop(&t->future);
}

HARNESS(future_cancel_wakes_what_sleeps)
{
    crew all = { 0 };
    thing *t = new_thing();
    crew_add(&all, sleep_until_told, t, "sleeps");
    crew_add(&all, cancel_it, t, "cancels");
    crew_add(&all, wait_for_it, t, "waits");
    crew_join(&all);
    free_thing(t);
}

static void stop_it(void *stop)
{
    RMD_ASSERT(rmd_stop_request(stop) == 0);
}

typedef struct stoppable {
    thing *t;
    rmd_stop *stop;
} stoppable;

static void wait_stoppably(void *arg)
{
    stoppable *s = arg;
    rmd_stop_set(s->stop);
    int err = rmd_future_wait(&s->t->future, RMD_FOREVER);
    RMD_ASSERT(err == 0 || err == RMD_ECANCELED);
    rmd_stop_set(NULL);
}

HARNESS(future_wait_ends_when_it_is_told_to_stop)
{
    crew all = { 0 };
    stoppable s = { .t = new_thing() };
    RMD_ASSERT(rmd_stop_open(&s.stop) == 0);
    crew_add(&all, wait_stoppably, &s, "waits");
    crew_add(&all, stop_it, s.stop, "stops");
    crew_add(&all, run_thing, s.t, "runs");
    crew_join(&all);
    RMD_ASSERT(rmd_stop_free(s.stop) == 0);
    free_thing(s.t);
}

/* Whoever waits for it gives it back at once, while others still have to do with its end. */
static void wait_and_free(void *arg)
{
    thing *t = arg;
    RMD_ASSERT(rmd_future_wait(&t->future, RMD_FOREVER) == 0);
    check_ended(t);
    rmd_future_free(&t->future);
}

static void give_back(void *arg)
{
    rmd_future_free(arg);
}

HARNESS(future_is_freed_by_the_last)
{
    crew all = { 0 };
    thing *t = new_thing();
    bool waits = rmd_explore_choose(2);
    rmdi_future_hold(&t->future);
    crew_add(&all, run_thing, t, "runs");
    crew_add(&all, waits ? wait_and_free : give_back, t, "user");
    crew_add(&all, wait_and_free, t, "another user");
    crew_join(&all);
    RMD_ASSERT(destroyed() == 1);
}

/* ---- held, unclaimed, told again ---- */

static void begin_at_last(void *arg)
{
    thing *t = arg;
    rmd_atomic_and(&t->future.word, ~(uint32_t)RMDI_FUTURE_HELD, RMD_RELEASE);
    run_thing(t);
}

HARNESS(future_that_is_held_is_ended_by_cancel_only)
{
    crew all = { 0 };
    thing *t = new_thing_with(RMDI_FUTURE_HELD);
    RMD_ASSERT(!rmdi_future_claim(&t->future, false));
    crew_add(&all, begin_at_last, t, "begins");
    crew_add(&all, cancel_it, t, "cancels");
    crew_add(&all, wait_for_it, t, "waits");
    crew_join(&all);
    free_thing(t);
}

/* An attempt that leaves it to another one, here or elsewhere. */
static void begin_and_leave(void *arg)
{
    thing *t = arg;
    if (rmdi_future_claim(&t->future, false)) {
        RMD_PLAIN_SET(t->result, 4);
        rmdi_future_unclaim(&t->future);
    }
    run_thing(t);
}

HARNESS(future_is_begun_again_by_another)
{
    crew all = { 0 };
    thing *t = new_thing();
    rmdi_future_hold(&t->future);
    crew_add(&all, begin_and_leave, t, "begins 1");
    crew_add(&all, begin_and_leave, t, "begins 2");
    crew_add(&all, wait_for_it, t, "waits");
    crew_join(&all);
    free_thing(t);
}

static void reset_told(rmd_future *future)
{
    rmd_atomic_store(&thing_of(future)->told, 0, RMD_RELAXED);
}

/* Two attempts; a limit may end the first, a cancel both. */
static void run_twice(void *arg)
{
    thing *t = arg;
    rmd_stop stop = { 0 };
    if (rmdi_future_claim(&t->future, false)) {
        RMD_PLAIN_SET(t->stop, &stop);
        if (rmd_atomic_or(&t->future.word, FRAMED, RMD_ACQ_REL) & RMDI_FUTURE_CANCEL)
            (void)rmd_stop_request(&stop);
        bool again = rmdi_future_renew(&t->future, reset_told);
        rmd_atomic_add(&t->begun, 1, RMD_RELAXED);
        RMD_PLAIN_SET(t->result, 5);
        uint32_t word = rmd_atomic_load(&t->future.word, RMD_RELAXED);
        RMD_ASSERT(again || word & RMDI_FUTURE_CANCEL);
        end_thing(t, again ? RMD_OUTCOME_FAILED : RMD_OUTCOME_CANCELLED,
                  again ? cause : RMD_ECANCELED);
    }
    rmdi_future_drop(&t->future);
}

static void be_late(void *arg)
{
    thing *t = arg;
    rmdi_future_tell(&t->future, true, fire);
}

HARNESS(future_is_tried_again_after_a_limit_not_after_a_cancel)
{
    crew all = { 0 };
    thing *t = new_thing();
    crew_add(&all, run_twice, t, "runs");
    crew_add(&all, be_late, t, "is late");
    if (rmd_explore_choose(2))
        crew_add(&all, cancel_it, t, "cancels");
    crew_add(&all, wait_for_it, t, "waits");
    crew_join(&all);
    free_thing(t);
}
