/* SPDX-License-Identifier: MIT */
/* Cancelling, which tells the truth: never started, stopped, or finished anyway. */
#include "suite.h"

#include <stdatomic.h>

CASE(a_queued_task_that_is_cancelled_never_runs, ANY)
{
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    rmd_future *runs = begin_at(pool, &at, "gate", "a"), *waits = begin(pool, "count", RMD_ARGS());
    CHECK_EQ(rmd_future_cancel(waits), 0);
    CHECK_EQ(rmd_future_outcome(waits), RMD_OUTCOME_CANCELLED); /* at once */
    CHECK_EQ(failure_of(waits).attempt, 0);
    CHECK_EQ(rmd_future_cancel(waits), RMD_ETOOLATE);
    CHECK_EQ(census_of(pool).cancelled, 1);
    open_gate(&at);
    CHECK_END(runs, RMD_OUTCOME_OK, 0);
    CHECK_END(waits, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    end_pool(pool);
    CHECK_EQ(counted(), 0);
}

CASE(a_task_that_computes_stops_when_it_is_cancelled, ANY)
{
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin_at(pool, &at, "spin", "a");
    CHECK_EQ(rmd_future_cancel(future), 0);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(failure_of(future).attempt, 1);
    CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    check_works(pool); /* its worker is free */
    end_pool(pool);
}

CASE(a_task_that_sleeps_wakes_when_it_is_cancelled, ANY)
{
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin_at(pool, &at, "gate", "a");
    CHECK_EQ(rmd_future_cancel(future), 0);
    int again = rmd_future_cancel(future);
    CHECK(again == 0 || again == RMD_ETOOLATE);
    CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    end_pool(pool);
}

CASE(a_task_that_does_not_listen_finishes_anyway, CALLS | HERE)
{
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    rmd_future *future = begin_at(pool, &at, "stubborn", "a");
    rmd_future *behind = begin(pool, "count", RMD_ARGS());
    CHECK_EQ(rmd_future_cancel(future), 0);
    CHECK_EQ(rmd_future_wait(future, rmd_after_ms(20)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_future_state(future), RMD_STATE_RUNNING);
    CHECK_EQ(rmd_future_state(behind), RMD_STATE_QUEUED); /* its worker is not free */
    CHECK_EQ(counted(), 0);
    open_gate(&at);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    CHECK_END(behind, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

CASE(a_task_that_has_ended_is_cancelled_too_late, ANY)
{
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin(pool, "add", RMD_ARGS(1, 1));
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_cancel(future), RMD_ETOOLATE);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

CASE(what_was_cancelled_is_not_tried_again, ANY)
{
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin_with(pool, "gate", RMD_ARGS("a"),
                                    (rmd_task_options){ .limits.attempts_max = 5 });
    await_arrivals(&at, 1);
    CHECK_EQ(rmd_future_cancel(future), 0);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(failure_of(future).attempt, 1);
    CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    end_pool(pool);
}

CASE(of_a_pool_what_waits_or_everything_is_cancelled, ANY)
{
    gate at = make_gate("a");
    rmd_future *some[5];
    rmd_pool *pool = open_pool(2);
    for (int i = 0; i < 2; i++)
        some[i] = begin_at(pool, &at, "gate", "a");
    for (int i = 2; i < 5; i++)
        some[i] = begin(pool, "count", RMD_ARGS());
    CHECK_EQ(rmd_pool_cancel(pool, true), 0);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(rmd_future_outcome(some[i]), i < 2 ? RMD_PENDING : RMD_OUTCOME_CANCELLED);
    CHECK_EQ(rmd_pool_cancel(pool, false), 0);
    for (int i = 0; i < 5; i++)
        CHECK_END(some[i], RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    check_works(pool);
    CHECK_EQ(rmd_pool_cancel(pool, false), 0); /* with nothing to cancel */
    end_pool(pool);
    CHECK_EQ(counted(), 0);
}

/* ---- races ---- */

static void cancel_it(void *arg)
{
    int err = rmd_future_cancel(arg);
    CHECK(err == 0 || err == RMD_ETOOLATE);
}

CASE(many_threads_may_cancel_one_task, ANY)
{
    rmd_thread *threads[4];
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(0);
    for (int round = 0; round < 10; round++) {
        rmd_future *future = begin_at(pool, &at, "gate", "a");
        for (int i = 0; i < 4; i++)
            threads[i] = start_thread(cancel_it, future);
        CHECK_EQ(rmd_future_wait(future, soon()), 0);
        for (int i = 0; i < 4; i++)
            join_thread(threads[i]);
        CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    }
    CHECK_EQ(census_of(pool).cancelled, 10);
    end_pool(pool);
}

/* A task that is about to end, and a thread that is about to cancel it. */
typedef struct race {
    rmd_queue *starts; /* of futures */
    atomic_int called, ok, cancelled;
} race;

static void note_end(rmd_future *future, void *ctx)
{
    race *r = ctx;
    atomic_fetch_add(&r->called, 1);
    rmd_outcome outcome = rmd_future_outcome(future);
    atomic_fetch_add(outcome == RMD_OUTCOME_OK ? &r->ok : &r->cancelled, 1);
    CHECK(outcome == RMD_OUTCOME_OK || outcome == RMD_OUTCOME_CANCELLED);
}

static void cancel_each(void *arg)
{
    race *r = arg;
    void *future;
    while (rmd_queue_get(r->starts, &future, RMD_FOREVER) == 0) {
        int err = rmd_future_cancel(future);
        CHECK(err == 0 || err == RMD_ETOOLATE);
        rmd_outcome outcome = rmd_future_outcome(future);
        CHECK_EQ(rmd_future_wait(future, soon()), 0);
        CHECK(outcome == RMD_PENDING || outcome == rmd_future_outcome(future)); /* it stands */
        rmd_future_free(future);
    }
}

CASE_LIMIT(a_cancel_that_races_with_the_end_leaves_one_outcome, ANY, 120)
{
    race r = { 0 };
    int rounds = KIT_SANITIZED ? the_kind->cancel_races / 5 : the_kind->cancel_races;
    REQUIRE(rmd_queue_open(&r.starts, 2, NULL) == 0);
    rmd_pool *pool = open_pool(0);
    rmd_thread *canceller = start_thread(cancel_each, &r);
    for (int i = 0; i < rounds; i++) {
        rmd_future *future = begin(pool, "add", RMD_ARGS(1, i));
        CHECK_EQ(rmd_future_on_end(future, note_end, &r), 0);
        CHECK_EQ(rmd_queue_put(r.starts, future, RMD_FOREVER), 0);
    }
    CHECK_EQ(rmd_queue_close(r.starts), 0);
    join_thread(canceller);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    rmd_census census = census_of(pool);
    CHECK_EQ(census.submitted, rounds);
    CHECK_EQ(atomic_load(&r.called), rounds);
    CHECK_EQ(census.ok, atomic_load(&r.ok));
    CHECK_EQ(census.cancelled, atomic_load(&r.cancelled));
    char remark[64];
    snprintf(remark, sizeof remark, "%d ok, %d cancelled", atomic_load(&r.ok),
             atomic_load(&r.cancelled));
    kit_remark(remark);
    CHECK_EQ(rmd_pool_free(pool), 0);
    CHECK_EQ(rmd_queue_free(r.starts), 0);
}
