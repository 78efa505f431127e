/* SPDX-License-Identifier: MIT */
/* Limits: never early, TIMEOUT when they are hit, nothing when they are not. */
#include "suite.h"

static const int64_t ms = 1000000;

CASE(a_task_that_waits_too_long_for_its_start_never_starts, ANY)
{
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    rmd_future *runs = begin_at(pool, &at, "gate", "a");
    int64_t before = now_ns();
    rmd_future *waits = begin_with(pool, "count", RMD_ARGS(),
                                   (rmd_task_options){ .limits.queue_ms_max = 30 });
    await_workers(waits);
    CHECK_INT(now_ns() - before, >=, 30 * ms);
    CHECK_EQ(failure_of(waits).attempt, 0);
    CHECK_END(waits, RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT);
    CHECK_EQ(rmd_future_outcome(runs), RMD_PENDING);
    open_gate(&at);
    CHECK_END(runs, RMD_OUTCOME_OK, 0);
    end_pool(pool);
    CHECK_EQ(counted(), 0);
}

CASE(a_task_is_stopped_at_its_run_limit_and_not_before, ANY)
{
    make_gate("a");
    rmd_pool *pool = open_pool(2);
    for (int limit = 1; limit <= 64; limit *= 4) {
        int64_t before = now_ns();
        rmd_future *future = begin_with(pool, "gate", RMD_ARGS("a"),
                                        (rmd_task_options){ .limits.run_ms_max = limit });
        CHECK_EQ(rmd_future_wait(future, soon()), 0);
        CHECK_INT(now_ns() - before, >=, limit * ms);
        CHECK_EQ(failure_of(future).attempt, 1);
        CHECK_END(future, RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT);
    }
    CHECK_EQ(census_of(pool).timeout, 4);
    end_pool(pool);
}

CASE(a_task_that_computes_is_stopped_at_its_run_limit, ANY)
{
    make_gate("a");
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin_with(pool, "spin", RMD_ARGS("a"),
                                    (rmd_task_options){ .limits.run_ms_max = 20 });
    CHECK_END(future, RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT);
    end_pool(pool);
}

CASE(the_total_limit_holds_while_a_task_waits_and_while_it_runs, ANY)
{
    gate at = make_gate("a"), other = make_gate("b");
    rmd_task_options total = { .limits.total_ms_max = 40 };
    rmd_pool *pool = open_pool(1);
    rmd_future *runs = begin_at(pool, &at, "gate", "a");
    int64_t before = now_ns();
    rmd_future *waits = begin_with(pool, "count", RMD_ARGS(), total);
    await_workers(waits);
    CHECK_INT(now_ns() - before, >=, 40 * ms);
    CHECK_END(waits, RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT);
    open_gate(&at);
    CHECK_END(runs, RMD_OUTCOME_OK, 0);
    before = now_ns();
    int64_t long_enough = 200 * kit_patience(); /* that it has begun by then */
    total.limits.total_ms_max = long_enough;
    rmd_future *begun = begin_with(pool, "gate", RMD_ARGS("b"), total);
    await_arrivals(&other, 1);
    CHECK_EQ(rmd_future_wait(begun, soon()), 0);
    CHECK_INT(now_ns() - before, >=, long_enough * ms);
    CHECK_END(begun, RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT);
    end_pool(pool);
    CHECK_EQ(counted(), 0);
}

CASE(the_queue_limit_ends_with_the_start, ANY)
{
    int64_t limit = 500 * kit_patience(); /* so long that it has begun by then */
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    rmd_future *future = begin_with(pool, "gate", RMD_ARGS("a"),
                                    (rmd_task_options){ .limits.queue_ms_max = limit });
    await_arrivals(&at, 1);
    CHECK_EQ(rmd_future_wait(future, rmd_after_ms(limit + 50)), RMD_ETIMEDOUT);
    open_gate(&at);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

CASE(limits_that_are_not_hit_change_nothing, ANY)
{
    static const rmd_limits some[] = {
        { .queue_ms_max = 60000, .run_ms_max = 60000, .total_ms_max = 60000, .attempts_max = 2 },
        { .queue_ms_max = INT64_MAX, .run_ms_max = INT64_MAX, .total_ms_max = INT64_MAX },
        { .attempts_max = UINT32_MAX },
    };
    rmd_pool *pool = open_pool(0);
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        rmd_future *future = begin_with(pool, "add", RMD_ARGS(40, 2),
                                        (rmd_task_options){ .limits = some[i] });
        CHECK_RESULT(future, "42");
        CHECK_END(future, RMD_OUTCOME_OK, 0);
    }
    end_pool(pool);
}

CASE(each_attempt_has_the_whole_run_limit, ANY)
{
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(0);
    int64_t before = now_ns(), limit = 100 * kit_patience();
    rmd_limits limits = { .run_ms_max = limit, .attempts_max = 3 };
    rmd_future *future = begin_with(pool, "gate", RMD_ARGS("a"),
                                    (rmd_task_options){ .limits = limits });
    await_arrivals(&at, 3);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_INT(now_ns() - before, >=, 3 * limit * ms);
    CHECK_EQ(failure_of(future).attempt, 3);
    CHECK_END(future, RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT);
    end_pool(pool);
}

CASE(all_attempts_share_the_total_limit, ANY)
{
    rmd_pool *pool = open_pool(0);
    int64_t before = now_ns();
    rmd_limits limits = { .total_ms_max = 100, .attempts_max = UINT32_MAX };
    rmd_future *future = begin_with(pool, "succeed_at", RMD_ARGS(INT32_MAX),
                                    (rmd_task_options){ .limits = limits });
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_INT(now_ns() - before, >=, 100 * ms);
    CHECK_INT(failure_of(future).attempt, >, 1);
    CHECK_INT(counted(), >=,
              failure_of(future).attempt - 1); /* the last may not have come so far */
    CHECK_INT(counted(), <=, failure_of(future).attempt);
    /* The last attempt was stopped, or had just failed by itself. */
    bool stopped = rmd_future_outcome(future) == RMD_OUTCOME_TIMEOUT;
    CHECK_END(future, stopped ? RMD_OUTCOME_TIMEOUT : RMD_OUTCOME_FAILED,
              stopped ? RMD_ETIMEDOUT : failed_with(RMD_EAGAIN));
    end_pool(pool);
}

CASE(limits_are_kept_for_many_tasks_at_once, ANY)
{
    enum { COUNT = 100 };
    rmd_future *futures[COUNT];
    int64_t before[COUNT];
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    rmd_future *runs = begin_at(pool, &at, "gate", "a");
    for (int i = 0; i < COUNT; i++) {
        before[i] = now_ns();
        futures[i] = begin_with(pool, "count", RMD_ARGS(),
                                (rmd_task_options){ .limits.queue_ms_max = 1 + i * 37 % COUNT });
    }
    for (int i = 0; i < COUNT; i++) {
        await_workers(futures[i]);
        CHECK_INT(now_ns() - before[i], >=, (1 + i * 37 % COUNT) * ms);
        CHECK_END(futures[i], RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT);
    }
    open_gate(&at);
    CHECK_END(runs, RMD_OUTCOME_OK, 0);
    CHECK_EQ(census_of(pool).timeout, COUNT);
    end_pool(pool);
    CHECK_EQ(counted(), 0);
}

CASE(a_task_that_finishes_after_its_run_limit_anyway_is_ok, CALLS | HERE)
{
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin_with(pool, "stubborn", RMD_ARGS("a"),
                                    (rmd_task_options){ .limits.run_ms_max = 1 });
    await_arrivals(&at, 1);
    CHECK_EQ(rmd_future_wait(future, rmd_after_ms(20)), RMD_ETIMEDOUT);
    open_gate(&at);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}
