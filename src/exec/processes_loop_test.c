/* SPDX-License-Identifier: MIT */
/* A pool of processes on a loop of its user's. */
#include "exec/processes_testing.h"

#include "kit_resources.h"

#include <remuda/completions.h>
#include <remuda/group.h>
#include <remuda/loop.h>

static const rmd_function own[] = { { 0 } };
WORKERS(own)

static rmd_loop *open_loop(void)
{
    rmd_loop *loop = NULL;
    REQUIRE(rmd_loop_open(&loop) == 0);
    return loop;
}

static void count(rmd_future *future, void *ctx)
{
    (void)future;
    ++*(int *)ctx;
}

TEST(a_pool_on_our_loop_waits_calls_back_and_drains)
{
    kit_resources before;
    kit_resources_take(&before);
    int called = 0;
    rmd_loop *loop = open_loop();
    rmd_pool *pool = open_pool_with("processes:2", (rmd_pool_options){ .loop = loop });
    check_works(pool);
    rmd_future *futures[20];
    for (int i = 0; i < 20; i++) {
        futures[i] = call(pool, "add", RMD_ARGS(i, 1));
        CHECK_EQ(rmd_future_on_end(futures[i], count, &called), 0);
    }
    CHECK_EQ(rmd_futures_wait(futures, 20, RMD_WAIT_ALL, soon()), 20);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(INT_OF(futures[i]), i + 1);
    CHECK_LOST(call(pool, "die", RMD_ARGS("9", "")));
    check_works(pool);
    close_pool(pool);
    CHECK_EQ(called, 20);
    CHECK_EQ(rmd_loop_free(loop), 0);
    CHECK_RESOURCES(&before);
}

TEST(a_run_of_the_loop_ends_when_the_pool_has_nothing_to_do)
{
    int called = 0;
    rmd_loop *loop = open_loop();
    rmd_pool *pool = open_pool_with("processes:2", (rmd_pool_options){ .loop = loop });
    CHECK_EQ(rmd_loop_run(loop, soon()), 0);
    for (int i = 0; i < 20; i++) {
        rmd_future *future = call(pool, "add", RMD_ARGS(i, 1));
        CHECK_EQ(rmd_future_on_end(future, count, &called), 0);
        rmd_future_free(future);
    }
    CHECK_EQ(rmd_loop_run(loop, soon()), 0);
    CHECK_EQ(called, 20);
    close_pool(pool);
    CHECK_EQ(rmd_loop_free(loop), 0);
}

TEST(a_pool_that_does_not_open_leaves_nothing_on_our_loop)
{
    rmd_pool *pool;
    rmd_loop *loop = open_loop();
    rmd_pool_options options = { .size = sizeof options,
                                 .loop = loop,
                                 .program = "/nowhere/nothing" };
    CHECK_EQ(rmd_pool_open(&pool, "processes:1", &options, soon()), RMD_EWORKER);
    CHECK_EQ(rmd_loop_run(loop, soon()), 0); /* no source is left */
    CHECK_EQ(rmd_loop_turn(loop, rmd_after_ms(50)), 0);
    options.program = NULL;
    options.initializer = "fail";
    options.initializer_args = RMD_ARGS(RMD_EIO, "so");
    CHECK_EQ(rmd_pool_open(&pool, "processes:1", &options, soon()), RMD_EIO);
    CHECK_EQ(rmd_loop_run(loop, soon()), 0);
    CHECK_EQ(rmd_loop_turn(loop, rmd_after_ms(50)), 0);
    CHECK_EQ(rmd_loop_free(loop), 0);
}

static void open_inside(void *ctx)
{
    rmd_loop *loop = ctx;
    rmd_pool *pool = NULL;
    rmd_pool_options options = { .size = sizeof options, .loop = loop };
    CHECK_EQ(rmd_pool_open(&pool, "processes:1", &options, soon()), RMD_EDEADLK);
    CHECK(!pool);
    rmd_pool *other = open_pool("processes:1"); /* with a keeper of its own */
    check_works(other);
    close_pool(other);
}

TEST(inside_a_callback_of_the_loop_no_pool_is_opened_on_it)
{
    kit_resources before;
    kit_resources_take(&before);
    rmd_loop *loop = open_loop();
    CHECK_EQ(rmd_loop_post(loop, open_inside, loop), 0);
    CHECK_EQ(rmd_loop_run(loop, soon()), 0);
    CHECK_EQ(rmd_loop_turn(loop, rmd_after_ms(200)), 0);
    CHECK_EQ(rmd_loop_free(loop), 0);
    CHECK_RESOURCES(&before);
}

TEST(groups_and_completions_on_our_loop)
{
    rmd_loop *loop = open_loop();
    rmd_pool *pool = open_pool_with("processes:2", (rmd_pool_options){ .loop = loop });
    rmd_group *group;
    rmd_completions *ends;
    rmd_future *futures[10], *ended;
    REQUIRE(rmd_group_open(&group) == 0);
    for (int i = 0; i < 10; i++)
        rmd_future_free(
            call_with(pool, "add", RMD_ARGS(i, 1), (rmd_task_options){ .group = group }));
    CHECK_EQ(rmd_group_wait(group, soon()), 0);
    CHECK_EQ(rmd_group_free(group), 0);
    for (int i = 0; i < 10; i++)
        futures[i] = call(pool, "add", RMD_ARGS(i, 1));
    REQUIRE(rmd_completions_open(&ends, futures, 10) == 0);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(rmd_completions_next(ends, &ended, soon()), 0);
    rmd_completions_free(ends);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(INT_OF(futures[i]), i + 1);
    gate at = make_gate("gate");
    futures[0] = stand(pool, &at, "gate", NULL);
    CHECK_EQ(rmd_future_wait(futures[0], rmd_after_ms(20)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_future_cancel(futures[0]), 0);
    CHECK_ENDED(futures[0], RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_EQ(rmd_pool_suspend(pool), 0);
    futures[0] = call(pool, "add", RMD_ARGS(1, 1));
    CHECK_EQ(rmd_future_wait(futures[0], rmd_after_ms(20)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_pool_resume(pool), 0);
    CHECK_EQ(INT_OF(futures[0]), 2);
    close_pool(pool);
    CHECK_EQ(rmd_loop_free(loop), 0);
}
