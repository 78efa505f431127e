/* SPDX-License-Identifier: MIT */
/* Callbacks: each runs once, when its task has ended, and never inside the call that submits. */
#include "suite.h"

#include <pthread.h>
#include <stdatomic.h>

static atomic_int calls;

static void count_call(rmd_future *future, void *ctx)
{
    (void)ctx;
    CHECK(rmd_future_outcome(future) != RMD_PENDING);
    atomic_fetch_add(&calls, 1);
}

CASE(each_callback_runs_once, ANY)
{
    enum { COUNT = 60 };
    rmd_pool *pool = open_pool(0);
    for (int i = 0; i < COUNT; i++) {
        rmd_future *future = begin(pool, i % 3 ? "count" : "add",
                                   i % 3 ? RMD_ARGS() : RMD_ARGS(1, i));
        CHECK_EQ(rmd_future_on_end(future, count_call, NULL), 0);
        rmd_future_free(future);
    }
    end_pool(pool);
    CHECK_EQ(atomic_load(&calls), COUNT);
}

static char order[64];

static void note_order(rmd_future *future, void *ctx)
{
    (void)future;
    strcat(order, ctx);
}

CASE(several_callbacks_begin_in_the_order_given, ANY)
{
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin_at(pool, &at, "gate", "a");
    static char letters[][2] = { "a", "b", "c", "d" };
    for (int i = 0; i < 4; i++)
        CHECK_EQ(rmd_future_on_end(future, note_order, letters[i]), 0);
    open_gate(&at);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_pool(pool);
    CHECK_STR(order, "abcd");
}

CASE(a_callback_that_is_set_after_the_end_runs, ANY)
{
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin(pool, "add", RMD_ARGS(1, 1));
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_on_end(future, count_call, NULL), 0);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(atomic_load(&calls), 1);
    CHECK_EQ(rmd_future_on_end(future, count_call, NULL), 0); /* and after the drain, at once */
    CHECK_EQ(atomic_load(&calls), 2);
    CHECK_EQ(rmd_pool_free(pool), 0);
    rmd_future_free(future);
}

CASE(a_callback_runs_when_a_task_fails_or_is_cancelled, ANY)
{
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    rmd_future *runs = begin_at(pool, &at, "gate", "a");
    rmd_future *cancelled = begin(pool, "count", RMD_ARGS());
    rmd_future *fails = begin(pool, "fail", RMD_ARGS(RMD_EIO, ""));
    CHECK_EQ(rmd_future_on_end(cancelled, count_call, NULL), 0);
    CHECK_EQ(rmd_future_on_end(fails, count_call, NULL), 0);
    CHECK_EQ(rmd_future_on_end(runs, count_call, NULL), 0);
    CHECK_EQ(rmd_future_cancel(cancelled), 0);
    CHECK_EQ(rmd_future_cancel(runs), 0);
    CHECK_END(runs, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_END(cancelled, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_FAILED(fails, RMD_EIO);
    end_pool(pool);
    CHECK_EQ(atomic_load(&calls), 3);
}

/* ---- where it runs ---- */

static _Thread_local bool submits;

static void check_not_submitting(rmd_future *future, void *user)
{
    CHECK(!submits);
    CHECK(!pthread_equal(*(pthread_t *)user, pthread_self()));
    count_call(future, NULL);
}

CASE(no_callback_runs_in_a_thread_that_submits_or_waits, ANY)
{
    enum { COUNT = 50 };
    rmd_future *futures[COUNT];
    pthread_t user = pthread_self();
    rmd_pool *pool = open_pool_with(0, (rmd_pool_options){ .queue_max = 2 });
    for (int i = 0; i < COUNT; i++) {
        submits = true;
        futures[i] = begin(pool, "add", RMD_ARGS(1, i));
        submits = false;
        CHECK_EQ(rmd_future_on_end(futures[i], check_not_submitting, &user), 0);
        if (i % 4 == 3)
            CHECK_EQ(rmd_future_wait(futures[i], soon()), 0);
    }
    for (int i = 0; i < COUNT; i++)
        CHECK_END(futures[i], RMD_OUTCOME_OK, 0);
    end_pool(pool);
    CHECK_EQ(atomic_load(&calls), COUNT);
}

static int submit_many(rmd_call *call)
{
    rmd_future *futures[20];
    for (int i = 0; i < 20; i++) {
        submits = true;
        int err = rmd_pool_call(works_pool, &futures[i], "add", RMD_ARGS(1, i), NULL);
        submits = false;
        if (err < 0)
            return rmd_call_fail(call, err, "call %d: %s", i, rmd_error_detail());
        CHECK_EQ(rmd_future_on_end(futures[i], count_call, NULL), 0);
    }
    for (int i = 0; i < 20; i++)
        await(futures[i]);
    return 0;
}

static void check_not_inside(rmd_future *future, void *ctx)
{
    (void)ctx;
    CHECK(!submits);
    count_call(future, NULL);
}

CASE(no_callback_runs_inside_a_task_that_submits, CALLS | HERE)
{
    static const rmd_function functions[] = { { .name = "submit_many", .fn = submit_many }, { 0 } };
    REQUIRE(rmd_functions_add(functions) == 0);
    works_pool = open_pool_with(1, (rmd_pool_options){ .queue_max = 1 });
    rmd_future *future = begin(works_pool, "submit_many", RMD_ARGS());
    CHECK_EQ(rmd_future_on_end(future, check_not_inside, NULL), 0);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_pool(works_pool);
    CHECK_EQ(atomic_load(&calls), 21);
}

static pthread_t executors;

static int note_executor(void *arg)
{
    (void)arg;
    executors = pthread_self();
    return 0;
}

static void check_on_executor(rmd_future *future, void *ctx)
{
    CHECK(pthread_equal(executors, pthread_self()));
    count_call(future, ctx);
}

CASE(a_callback_may_run_on_an_executor, ANY)
{
    rmd_executor *executor;
    rmd_executor_options options = { .size = sizeof options, .start = note_executor };
    REQUIRE(rmd_executor_open(&executor, &options) == 0);
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin(pool, "add", RMD_ARGS(1, 1));
    CHECK_EQ(rmd_future_on_end_in(future, executor, check_on_executor, NULL), 0);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_on_end_in(future, executor, check_on_executor, NULL), 0);
    end_pool(pool); /* by then both have been posted, if not more */
    CHECK_EQ(rmd_executor_drain(executor, soon()), 0);
    CHECK_EQ(atomic_load(&calls), 2);
    rmd_future_free(future);
    CHECK_EQ(rmd_executor_free(executor), 0);
}

CASE(a_callback_runs_although_its_executor_is_closed, ANY)
{
    rmd_executor *executor;
    REQUIRE(rmd_executor_open(&executor, NULL) == 0);
    CHECK_EQ(rmd_executor_drain(executor, soon()), 0);
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin(pool, "add", RMD_ARGS(1, 1));
    CHECK_EQ(rmd_future_on_end_in(future, executor, count_call, NULL), 0);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_pool(pool);
    CHECK_EQ(atomic_load(&calls), 1);
    CHECK_EQ(rmd_executor_free(executor), 0);
}

/* ---- what it may do ---- */

static void free_it(rmd_future *future, void *ctx)
{
    count_call(future, ctx);
    rmd_future_free(future);
}

CASE(a_callback_may_free_the_future, ANY)
{
    rmd_pool *pool = open_pool(0);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(rmd_future_on_end(begin(pool, "add", RMD_ARGS(1, i)), free_it, NULL), 0);
    end_pool(pool);
    CHECK_EQ(atomic_load(&calls), 20);
}

static rmd_event *chain_ended;

static void submit_next(rmd_future *future, void *pool)
{
    int number = atomic_fetch_add(&calls, 1);
    rmd_future *next;
    if (number < 10 &&
        CHECK_EQ(try_begin(pool, &next, "count", RMD_ARGS(), (rmd_task_options){ .full_ms = -1 }),
                 0))
        CHECK_EQ(rmd_future_on_end(next, submit_next, pool), 0);
    rmd_future_free(future);
    if (number == 10)
        rmd_event_set(chain_ended);
}

CASE(a_callback_may_submit_the_next_task, ANY)
{
    REQUIRE(rmd_event_open(&chain_ended) == 0);
    rmd_pool *pool = open_pool(1);
    rmd_future *first = begin(pool, "count", RMD_ARGS());
    CHECK_EQ(rmd_future_on_end(first, submit_next, pool), 0);
    CHECK_EQ(rmd_event_wait(chain_ended, soon()), 0);
    end_pool(pool);
    CHECK_EQ(rmd_event_free(chain_ended), 0);
    CHECK_EQ(counted(), 11);
}

static void drain_inside(rmd_future *future, void *pool)
{
    CHECK_EQ(rmd_pool_drain(pool, RMD_FOREVER), RMD_EDEADLK);
    CHECK_EQ(rmd_pool_abort(pool, RMD_FOREVER), RMD_EDEADLK);
    CHECK_EQ(rmd_pool_free(pool), RMD_EBUSY);
    CHECK_EQ(rmd_future_wait(future, RMD_FOREVER), 0); /* it has ended */
    count_call(future, NULL);
}

CASE(a_callback_cannot_wait_for_its_pool, ANY)
{
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin(pool, "add", RMD_ARGS(1, 1));
    CHECK_EQ(rmd_future_on_end(future, drain_inside, pool), 0);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_pool(pool);
    CHECK_EQ(atomic_load(&calls), 1);
}
