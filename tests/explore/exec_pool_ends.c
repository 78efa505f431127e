/* SPDX-License-Identifier: MIT */
/* The ends of a threads pool: a task is cancelled, or late, or tried again, and has one end; its
 * callbacks run once; a drain waits for all of that; and no failure is overlooked. */
#include "pool_stage.h"
#include "port/clock.h"

#include <string.h>

/* ---- cancel ---- */

static int until_cancelled(void *arg)
{
    run(arg);
    rmdi_event_set(&stage.begun);
    int err = rmdi_event_wait(&stage.gate, RMD_FOREVER);
    RMD_ASSERT(err == RMD_ECANCELED && rmd_task_cancelled());
    return err;
}

static void check_cancelled_or_run(rmd_future *future, int n)
{
    rmd_outcome outcome = rmd_future_outcome(future);
    if (outcome == RMD_OUTCOME_CANCELLED)
        RMD_ASSERT(rmd_future_error(future) == RMD_ECANCELED);
    else
        RMD_ASSERT(outcome == RMD_OUTCOME_OK && n == 1);
}

HARNESS(pool_cancel_comes_before_the_start_or_after)
{
    crew all = { 0 };
    open_pool("threads:1");
    RMD_ASSERT(submit_child(&stage.futures[0], run) == 0);
    crew_add(&all, cancel_first, NULL, "cancels 1");
    crew_add(&all, cancel_first, NULL, "cancels 2");
    if (rmd_explore_choose(2))
        RMD_ASSERT(rmd_future_wait(stage.futures[0], RMD_FOREVER) == 0);
    crew_join(&all);
    RMD_ASSERT(rmd_future_wait(stage.futures[0], RMD_FOREVER) == 0);
    check_cancelled_or_run(stage.futures[0], runs());
    free_futures(1);
    close_pool(1);
}

HARNESS(pool_cancel_ends_what_waits_inside)
{
    crew all = { 0 };
    open_pool("threads:1");
    RMD_ASSERT(submit_child(&stage.futures[0], until_cancelled) == 0);
    crew_add(&all, cancel_first, NULL, "cancels");
    RMD_ASSERT(rmd_future_wait(stage.futures[0], RMD_FOREVER) == 0);
    crew_join(&all);
    RMD_ASSERT(rmd_future_outcome(stage.futures[0]) == RMD_OUTCOME_CANCELLED);
    free_futures(1);
    close_pool(1);
}

/* Whatever was submitted before it is told, wherever it is just then. */
HARNESS(pool_cancel_of_all_misses_none)
{
    open_pool(rmd_explore_choose(2) ? "threads:1" : "threads:2");
    RMD_ASSERT(submit_child(NULL, until_cancelled) == 0);
    RMD_ASSERT(submit_child(NULL, until_cancelled) == 0);
    if (rmd_explore_choose(2))
        RMD_ASSERT(rmdi_event_wait(&stage.begun, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_pool_cancel(stage.pool, false) == 0);
    close_pool(2);
}

HARNESS(pool_abort_stops_what_begins)
{
    crew all = { 0 };
    open_pool("threads:2");
    RMD_ASSERT(submit_child(NULL, until_cancelled) == 0);
    RMD_ASSERT(submit_child(&stage.futures[0], until_cancelled) == 0);
    crew_add(&all, cancel_first, NULL, "cancels");
    RMD_ASSERT(rmd_pool_abort(stage.pool, RMD_FOREVER) == 0);
    crew_join(&all);
    free_futures(1);
    free_pool(2);
}

/* ---- limits ---- */

static int sleep_or_not(void *arg)
{
    run(arg);
    return rmd_explore_choose(2) ? rmdi_event_wait(&stage.gate, RMD_FOREVER) : 0;
}

static rmd_task_options limited(void)
{
    rmd_limits limits = { .attempts_max = 1 + rmd_explore_choose(2) };
    switch (rmd_explore_choose(3)) {
    case 0: limits.queue_ms_max = 1; break;
    case 1: limits.run_ms_max = 1; break;
    default: break;
    }
    limits.total_ms_max = 2; /* then it ends in any case */
    return (rmd_task_options){ .size = sizeof(rmd_task_options), .limits = limits };
}

HARNESS(pool_limits_end_what_is_late_once)
{
    crew all = { 0 };
    open_pool("threads:1");
    rmd_task_options options = limited();
    RMD_ASSERT(rmd_submit(stage.pool, &stage.futures[0], sleep_or_not, NULL, &options) == 0);
    RMD_ASSERT(rmd_submit(stage.pool, NULL, sleep_or_not, NULL, &options) == 0);
    if (rmd_explore_choose(2))
        crew_add(&all, cancel_first, NULL, "cancels");
    RMD_ASSERT(rmd_future_wait(stage.futures[0], RMD_FOREVER) == 0);
    crew_join(&all);
    rmd_outcome outcome = rmd_future_outcome(stage.futures[0]);
    RMD_ASSERT(outcome == RMD_OUTCOME_OK || outcome == RMD_OUTCOME_TIMEOUT ||
               outcome == RMD_OUTCOME_CANCELLED);
    free_futures(1);
    close_pool(2);
}

static int fail_once(void *arg)
{
    (void)arg;
    return rmd_atomic_add(&stage.runs, 1, RMD_RELAXED) ? 0 : cause;
}

HARNESS(pool_tries_again)
{
    rmd_task_options options = { .size = sizeof options, .limits = { .attempts_max = 2 } };
    open_pool("threads:1");
    RMD_ASSERT(rmd_submit(stage.pool, &stage.futures[0], fail_once, NULL, &options) == 0);
    RMD_ASSERT(rmd_future_wait(stage.futures[0], RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_future_error(stage.futures[0]) == 0 && runs() == 2);
    free_futures(1);
    close_pool(1);
}

static int64_t failed_ns;

/* The second attempt looks for some time whether it is told to stop. */
static int fail_and_look(void *arg)
{
    if (fail_once(arg) < 0) {
        failed_ns = rmdi_clock_monotonic_ns();
        return cause;
    }
    for (int i = 0; i < 4; i++)
        if (rmd_task_cancelled()) {
            RMD_ASSERT(rmdi_clock_monotonic_ns() - failed_ns >= 1000000);
            return RMD_ECANCELED;
        }
    return 0;
}

HARNESS(pool_limit_of_an_attempt_is_not_that_of_the_next)
{
    rmd_limits limits = { .attempts_max = 2, .run_ms_max = 1 };
    rmd_task_options options = { .size = sizeof options, .limits = limits };
    open_pool("threads:1");
    RMD_ASSERT(rmd_submit(stage.pool, NULL, fail_and_look, NULL, &options) == 0);
    close_pool(1);
    RMD_ASSERT(runs() >= 1);
}

/* ---- drain ---- */

static void drain_it(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
}

HARNESS(pool_drained_by_two)
{
    crew all = { 0 };
    open_pool("threads:2");
    RMD_ASSERT(submit_child(NULL, submit_two) == 0);
    crew_add(&all, drain_it, NULL, "drains");
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    crew_join(&all);
    close_pool_at_most(3); /* once more */
}

static void drain_impatiently(void *arg)
{
    (void)arg;
    int err = rmd_pool_drain(stage.pool, rmd_after_ms(1));
    /* Stuck: the grace has passed, too, which takes no time here. */
    RMD_ASSERT(err == 0 || err == RMD_ETIMEDOUT || err == RMD_ESTUCK);
}

/* What has not ended at the deadline is cancelled, also if another one is patient. */
HARNESS(pool_drained_by_one_who_is_impatient)
{
    crew all = { 0 };
    open_pool("threads:1");
    RMD_ASSERT(submit_child(NULL, until_cancelled) == 0);
    RMD_ASSERT(submit_child(NULL, until_cancelled) == 0);
    crew_add(&all, drain_impatiently, NULL, "drains a while");
    if (rmd_explore_choose(2))
        crew_add(&all, drain_it, NULL, "drains");
    crew_join(&all);
    close_pool(2);
}

/* ---- callbacks ---- */

static void call_and_free(rmd_future *future, void *ctx)
{
    count_call(future, ctx);
    rmd_future_free(future);
}

static void bring_two(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmd_future_on_end(stage.futures[0], count_call, NULL) == 0);
    RMD_ASSERT(rmd_future_on_end(stage.futures[0], call_and_free, NULL) == 0);
}

/* Before the end, at it, after it, while the pool is drained, and when it has been. */
HARNESS(pool_callbacks_run_whenever_they_come)
{
    crew all = { 0 };
    open_pool("threads:1");
    RMD_ASSERT(submit_child(&stage.futures[0], rmd_explore_choose(2) ? run : fail) == 0);
    crew_add(&all, bring_two, NULL, "brings");
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    crew_join(&all);
    RMD_ASSERT(calls() == 2);
    free_pool(1);
}

/* A drain waits for those that were brought before it. */
HARNESS(pool_drain_waits_for_callbacks)
{
    crew all = { 0 };
    open_pool("threads:2");
    RMD_ASSERT(submit_child(&stage.futures[0], run) == 0);
    bring_two(NULL);
    if (rmd_explore_choose(2))
        RMD_ASSERT(submit_child(NULL, run) == 0);
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    RMD_ASSERT(calls() == 2);
    free_pool((uint64_t)runs());
    crew_join(&all);
}

static void bring_one(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmd_future_on_end(stage.futures[0], call_and_free, NULL) == 0);
}

/* Who brings it has not returned when it has run, and freed the handle, and the pool is gone. */
HARNESS(pool_is_freed_while_a_callback_is_brought)
{
    crew all = { 0 };
    open_pool("threads:1");
    RMD_ASSERT(submit_child(&stage.futures[0], run) == 0);
    crew_add(&all, bring_one, NULL, "brings");
    close_pool(1);
    crew_join(&all);
    RMD_ASSERT(calls() == 1);
}

static void submit_more(rmd_future *future, void *ctx)
{
    (void)ctx;
    (void)future;
    int err = submit_child(NULL, until_cancelled);
    RMD_ASSERT(err == 0 || err == RMD_ECLOSED);
    rmd_atomic_add(&stage.refused, err < 0, RMD_RELAXED);
}

static void bring_more(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmd_future_on_end(stage.futures[0], submit_more, NULL) == 0);
}

/* Of a task that has ended long ago: a drain sees what it has submitted, and cancels that. */
HARNESS(pool_drain_sees_what_a_late_callback_submits)
{
    crew all = { 0 };
    open_pool(rmd_explore_choose(2) ? "threads:1" : "threads:2");
    RMD_ASSERT(submit_child(&stage.futures[0], run) == 0);
    RMD_ASSERT(rmd_future_wait(stage.futures[0], RMD_FOREVER) == 0);
    crew_add(&all, bring_more, NULL, "brings");
    int err = rmd_pool_drain(stage.pool, rmd_after_ms(1));
    RMD_ASSERT(err == 0 || err == RMD_ETIMEDOUT || err == RMD_ESTUCK);
    crew_join(&all);
    close_pool_at_most(2);
    free_futures(1);
}

/* Of a task that never began they run, too, and on a worker. */
static void be_on_worker(rmd_future *future, void *ctx)
{
    RMD_ASSERT(strncmp(rmd_worker_name(), "threads-", 8) == 0);
    count_call(future, ctx);
}

HARNESS(pool_callbacks_of_what_was_cancelled)
{
    open_pool("threads:1");
    RMD_ASSERT(submit_child(&stage.futures[0], run) == 0);
    RMD_ASSERT(rmd_future_on_end(stage.futures[0], be_on_worker, NULL) == 0);
    cancel_first(NULL);
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    RMD_ASSERT(calls() == 1);
    free_futures(1);
    free_pool(1);
}

/* ---- failures ---- */

HARNESS(pool_lists_failures_that_were_overlooked)
{
    open_pool("threads:2");
    RMD_ASSERT(submit_child(&stage.futures[0], fail) == 0);
    RMD_ASSERT(submit_child(NULL, fail) == 0);
    RMD_ASSERT(rmd_pool_overlooked(stage.pool, look_at, NULL, NULL) == 0);
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    rmd_atomic_store(&stage.calls, 0, RMD_RELAXED);
    bool seen = rmd_explore_choose(2);
    RMD_ASSERT(!seen || rmd_future_error(stage.futures[0]) == cause);
    bool freed = rmd_explore_choose(2);
    if (freed)
        free_futures(1);
    RMD_ASSERT(rmd_pool_overlooked(stage.pool, look_at, NULL, NULL) == 0);
    RMD_ASSERT(calls() == (seen ? 1 : 2));
    if (!freed)
        free_futures(1);
    free_pool(2);
}
