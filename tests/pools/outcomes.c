/* SPDX-License-Identifier: MIT */
/* What is told of a task before, and after, its end. */
#include "suite.h"

CASE(a_task_that_succeeds_is_ok_and_has_its_result, ANY)
{
    rmd_failure failure;
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin(pool, "add", RMD_ARGS(2, 3));
    CHECK_RESULT(future, "5");
    CHECK_EQ(rmd_future_state(future), RMD_STATE_ENDED);
    CHECK_EQ(rmd_future_failure(future, &failure), RMD_ENOENT);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

CASE(a_task_that_fails_has_an_error_and_says_why, ANY)
{
    char said[64] = "";
    rmd_pool *pool = open_pool(0);
    check_works(pool); /* so that ours is not the first */
    rmd_future *future = begin_with(pool, "fail", RMD_ARGS(RMD_EIO, "the disk is gone"),
                                    (rmd_task_options){ .name = "store" });
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    rmd_failure failure = failure_of(future);
    CHECK_EQ(failure.outcome, RMD_OUTCOME_FAILED);
    CHECK_EQ(failure.error, failed_with(RMD_EIO));
    CHECK_EQ(failure.id, rmd_future_id(future));
    CHECK_EQ(failure.attempt, 1);
    CHECK_STR(failure.name, "store");
    the_kind->said(future, said, sizeof said);
    CHECK_STR(said, "the disk is gone");
    CHECK_EQ(rmd_future_error(future), failure.error);
    CHECK_STR(rmd_error_detail(), failure.detail);
    CHECK_FAILED(future, RMD_EIO);
    end_pool(pool);
}

CASE(a_code_of_the_users_own_is_kept, CALLS)
{
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin(pool, "fail", RMD_ARGS(-1234, "mine"));
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(failure_of(future).error, -1234);
    CHECK_STR(failure_of(future).detail, "mine");
    CHECK_END(future, RMD_OUTCOME_FAILED, -1234);
    end_pool(pool);
}

CASE(a_text_said_by_one_task_does_not_go_to_another, CALLS)
{
    rmd_pool *pool = open_pool(1);
    await(begin(pool, "fail", RMD_ARGS(RMD_EIO, "of the first")));
    rmd_future *second = begin(pool, "fail", RMD_ARGS(RMD_EIO, ""));
    CHECK_EQ(rmd_future_wait(second, soon()), 0);
    CHECK(!strstr(failure_of(second).detail, "of the first"));
    CHECK_END(second, RMD_OUTCOME_FAILED, RMD_EIO);
    end_pool(pool);
}

CASE(before_its_end_nothing_is_told_of_a_task, ANY)
{
    rmd_failure failure;
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    rmd_future *runs = begin_at(pool, &at, "gate", "a"), *waits = begin(pool, "count", RMD_ARGS());
    CHECK_EQ(rmd_future_state(runs), RMD_STATE_RUNNING);
    CHECK_EQ(rmd_future_state(waits), RMD_STATE_QUEUED);
    CHECK_EQ(rmd_future_outcome(runs), RMD_PENDING);
    CHECK_EQ(rmd_future_error(runs), RMD_EBUSY);
    CHECK_EQ(rmd_future_failure(waits, &failure), RMD_EBUSY);
    CHECK_EQ(counted(), 0);
    open_gate(&at);
    CHECK_END(runs, RMD_OUTCOME_OK, 0);
    CHECK_END(waits, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

CASE(each_task_has_another_id_and_keeps_its_name_and_ctx, ANY)
{
    enum { COUNT = 8 };
    int ctx[COUNT];
    rmd_future *futures[COUNT];
    rmd_pool *pool = open_pool(0);
    for (int i = 0; i < COUNT; i++)
        futures[i] = begin_with(
            pool, "count", RMD_ARGS(),
            (rmd_task_options){ .name = i % 2 ? "odd" : "even", .ctx = &ctx[i] });
    for (int i = 0; i < COUNT; i++) {
        CHECK(rmd_future_id(futures[i]) > 0);
        CHECK(i == 0 || rmd_future_id(futures[i]) > rmd_future_id(futures[i - 1]));
        CHECK_STR(rmd_future_name(futures[i]), i % 2 ? "odd" : "even");
        CHECK(rmd_future_ctx(futures[i]) == &ctx[i]);
    }
    for (int i = 0; i < COUNT; i++)
        CHECK_END(futures[i], RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

CASE(a_call_has_the_name_of_its_function, CALLS)
{
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin(pool, "add", RMD_ARGS(1, 1));
    CHECK_STR(rmd_future_name(future), "add");
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

CASE(a_task_goes_on_when_its_future_is_freed, ANY)
{
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    rmd_future *runs = begin_at(pool, &at, "gate", "a");
    rmd_future_free(begin(pool, "count", RMD_ARGS()));
    rmd_future_free(runs);
    open_gate(&at);
    end_pool(pool);
    CHECK_EQ(counted(), 1);
}

CASE(a_task_runs_although_nobody_wants_its_future, ANY)
{
    rmd_pool *pool = open_pool(0);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(try_begin(pool, NULL, "count", RMD_ARGS(), (rmd_task_options){ 0 }), 0);
    end_pool(pool);
    CHECK_EQ(counted(), 5);
}

/* ---- attempts ---- */

CASE(a_task_that_fails_is_tried_again_until_it_succeeds, ANY)
{
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin_with(pool, "succeed_at", RMD_ARGS(3),
                                    (rmd_task_options){ .limits.attempts_max = 5 });
    CHECK_RESULT(future, "3");
    CHECK_EQ(counted(), 3);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

CASE(a_task_is_not_tried_more_often_than_it_may, ANY)
{
    rmd_pool *pool = open_pool(0);
    rmd_future *once = begin(pool, "succeed_at", RMD_ARGS(2));
    CHECK_EQ(rmd_future_wait(once, soon()), 0);
    CHECK_EQ(failure_of(once).attempt, 1);
    CHECK_FAILED(once, RMD_EAGAIN);
    CHECK_EQ(counted(), 1);
    rmd_future *thrice = begin_with(pool, "succeed_at", RMD_ARGS(4),
                                    (rmd_task_options){ .limits.attempts_max = 3 });
    CHECK_EQ(rmd_future_wait(thrice, soon()), 0);
    CHECK_EQ(failure_of(thrice).attempt, 3);
    CHECK_FAILED(thrice, RMD_EAGAIN);
    CHECK_EQ(counted(), 1 + 3);
    rmd_census census = census_of(pool);
    CHECK_EQ(census.submitted, 2);
    CHECK_EQ(census.failed, 2);
    end_pool(pool);
}
