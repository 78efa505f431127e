/* SPDX-License-Identifier: MIT */
/* Promises: futures that somebody completes by hand. They look like those of tasks. */
#include "suite.h"

#include <stdatomic.h>

static rmd_promise *open_promise(rmd_future **future, const char *name)
{
    rmd_promise *promise = NULL;
    REQUIRE(rmd_promise_open(&promise, future, name) == 0);
    return promise;
}

CASE(a_promise_is_set_once, ANY)
{
    int number = 0;
    rmd_future *future;
    rmd_promise *promise = open_promise(&future, "answer");
    CHECK_STR(rmd_future_name(future), "answer");
    CHECK_EQ(rmd_future_outcome(future), RMD_PENDING);
    CHECK_EQ(rmd_future_get(future, &number), RMD_EBUSY);
    CHECK_EQ(rmd_future_wait(future, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_promise_set(promise, 42), 0);
    CHECK_EQ(rmd_promise_set(promise, 43), RMD_ETOOLATE);
    CHECK_EQ(rmd_promise_fail(promise, RMD_EIO, "late"), RMD_ETOOLATE);
    rmd_promise_free(promise);
    CHECK_EQ(rmd_future_get(future, &number), 0);
    CHECK_EQ(number, 42);
    CHECK_EQ(rmd_future_cancel(future), RMD_ETOOLATE);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
}

CASE(a_promise_copies_its_value, ANY)
{
    char text[] = "first";
    const char *got = NULL;
    rmd_future *future;
    rmd_promise *promise = open_promise(&future, NULL);
    CHECK_STR(rmd_future_name(future), "promise");
    CHECK_EQ(rmd_promise_set(promise, text), 0);
    memset(text, 'x', sizeof text - 1);
    rmd_promise_free(promise);
    CHECK_EQ(rmd_future_get(future, &got), 0);
    CHECK_STR(got, "first");
    CHECK_END(future, RMD_OUTCOME_OK, 0);
}

CASE(a_promise_fails_with_an_error_and_a_text, ANY)
{
    rmd_future *future;
    rmd_promise *promise = open_promise(&future, "answer");
    CHECK_EQ(rmd_promise_fail(promise, -1234, "%d of %d", 6, 7), 0);
    rmd_promise_free(promise);
    CHECK_EQ(failure_of(future).error, -1234);
    CHECK_STR(failure_of(future).detail, "6 of 7");
    CHECK_STR(failure_of(future).name, "answer");
    CHECK_END(future, RMD_OUTCOME_FAILED, -1234);
}

CASE(a_promise_that_is_cancelled_learns_of_it, ANY)
{
    rmd_future *future;
    rmd_promise *promise = open_promise(&future, NULL);
    CHECK(!rmd_promise_cancelled(promise));
    CHECK_EQ(rmd_future_cancel(future), 0);
    CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_CANCELLED);
    CHECK(rmd_promise_cancelled(promise));
    CHECK_EQ(rmd_promise_set(promise, 1), RMD_ETOOLATE);
    CHECK_EQ(rmd_future_cancel(future), RMD_ETOOLATE);
    rmd_promise_free(promise);
    CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
}

CASE(a_promise_that_is_freed_unset_is_lost, ANY)
{
    rmd_future *future;
    rmd_promise *promise = open_promise(&future, NULL);
    rmd_promise_free(promise);
    CHECK_END(future, RMD_OUTCOME_LOST, RMD_ELOST);
}

CASE(a_promise_may_outlive_its_future, ANY)
{
    rmd_future *future;
    rmd_promise *promise = open_promise(&future, NULL);
    rmd_future_free(future);
    CHECK_EQ(rmd_promise_set(promise, 1), 0);
    rmd_promise_free(promise);
    promise = open_promise(&future, NULL);
    rmd_future_free(future);
    rmd_promise_free(promise);
}

CASE(a_value_that_cannot_be_encoded_leaves_the_promise_open, ANY)
{
    rmd_future *future;
    rmd_promise *promise = open_promise(&future, NULL);
    CHECK_EQ(rmd_promise_set(promise, "\xff"), RMD_EINVAL);
    CHECK_EQ(rmd_future_outcome(future), RMD_PENDING);
    CHECK_EQ(rmd_promise_set(promise, true), 0);
    rmd_promise_free(promise);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
}

static _Thread_local bool completes;
static atomic_int calls;

static void check_completing(rmd_future *future, void *ctx)
{
    (void)future;
    (void)ctx;
    CHECK(completes);
    atomic_fetch_add(&calls, 1);
}

CASE(callbacks_of_a_promise_run_where_it_is_completed, ANY)
{
    rmd_future *future;
    completes = true;
    for (int way = 0; way < 4; way++) {
        rmd_promise *promise = open_promise(&future, NULL);
        CHECK_EQ(rmd_future_on_end(future, check_completing, NULL), 0);
        CHECK_EQ(atomic_load(&calls), 2 * way);
        if (way == 0)
            CHECK_EQ(rmd_promise_set(promise, 1), 0);
        else if (way == 1)
            CHECK_EQ(rmd_promise_fail(promise, RMD_EIO, "no"), 0);
        else if (way == 2)
            CHECK_EQ(rmd_future_cancel(future), 0);
        rmd_promise_free(promise);
        CHECK_EQ(atomic_load(&calls), 2 * way + 1);
        CHECK_EQ(rmd_future_on_end(future, check_completing, NULL), 0);
        CHECK_EQ(atomic_load(&calls), 2 * way + 2);
        rmd_future_free(future);
    }
}

static void set_it(void *promise)
{
    CHECK_EQ(rmd_promise_set_value(promise, RMD_VALUE(12)), 0);
}

CASE(a_thread_that_waits_for_a_promise_is_woken, ANY)
{
    int number = 0;
    rmd_future *future;
    rmd_promise *promise = open_promise(&future, NULL);
    rmd_thread *thread = start_thread(set_it, promise);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_get(future, &number), 0);
    CHECK_EQ(number, 12);
    join_thread(thread);
    rmd_promise_free(promise);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
}

static void set_or_fail(void *promise)
{
    int err = rmd_promise_set_value(promise, RMD_VALUE(12));
    CHECK(err == 0 || err == RMD_ETOOLATE);
    atomic_fetch_add(&calls, err == 0);
}

CASE(of_several_that_complete_a_promise_one_wins, ANY)
{
    rmd_thread *threads[4];
    for (int round = 0; round < 50; round++) {
        rmd_future *future;
        rmd_promise *promise = open_promise(&future, NULL);
        atomic_store(&calls, 0);
        for (int i = 0; i < 4; i++)
            threads[i] = start_thread(set_or_fail, promise);
        bool cancelled = rmd_future_cancel(future) == 0;
        for (int i = 0; i < 4; i++)
            join_thread(threads[i]);
        CHECK_EQ(atomic_load(&calls) + cancelled, 1);
        rmd_promise_free(promise);
        CHECK_END(future, cancelled ? RMD_OUTCOME_CANCELLED : RMD_OUTCOME_OK,
                  cancelled ? RMD_ECANCELED : 0);
    }
}

static int set_in_task(void *promise)
{
    return rmd_promise_set_value(promise, RMD_VALUE("from a task"));
}

CASE(a_task_may_complete_a_promise, THREADS)
{
    const char *text = NULL;
    rmd_future *future;
    rmd_promise *promise = open_promise(&future, NULL);
    rmd_pool *pool = open_pool(0);
    rmd_future *task = submit(pool, set_in_task, promise);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_get(future, &text), 0);
    CHECK_STR(text, "from a task");
    CHECK_END(task, RMD_OUTCOME_OK, 0);
    rmd_promise_free(promise);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}
