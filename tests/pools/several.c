/* SPDX-License-Identifier: MIT */
/* Several pools, several threads, several processes. */
#include "suite.h"

#include <unistd.h>

CASE(several_pools_work_at_once, ANY)
{
    enum { POOLS = 4 };
    rmd_pool *pools[POOLS];
    rmd_future *futures[POOLS];
    for (int i = 0; i < POOLS; i++)
        pools[i] = open_pool((unsigned)i % 2 + 1);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < POOLS; i++)
            futures[i] = begin(pools[i], "count", RMD_ARGS());
        for (int i = 0; i < POOLS; i++)
            CHECK_END(futures[i], RMD_OUTCOME_OK, 0);
    }
    for (int i = 0; i < POOLS; i++) {
        CHECK_EQ(census_of(pools[i]).ok, 5);
        end_pool(pools[i]);
    }
    CHECK_EQ(counted(), 5 * POOLS);
}

static void use_pool(void *pool)
{
    for (int i = 0; i < 30; i++) {
        rmd_future *future = begin(pool, "count", RMD_ARGS());
        if (i % 5 == 4)
            rmd_future_cancel(future);
        CHECK_EQ(rmd_future_wait(future, soon()), 0);
        rmd_future_free(future);
    }
}

CASE(a_pool_may_be_used_by_several_threads, ANY)
{
    rmd_thread *threads[4];
    rmd_pool *pool = open_pool(0);
    for (int i = 0; i < 4; i++)
        threads[i] = start_thread(use_pool, pool);
    for (int i = 0; i < 4; i++)
        join_thread(threads[i]);
    rmd_census census = census_of(pool);
    CHECK_EQ(census.submitted, 120);
    CHECK_EQ(census.ok + census.cancelled, 120);
    CHECK_INT(counted(), >=, census.ok);
    end_pool(pool);
}

static void open_and_use(void *pool)
{
    *(rmd_pool **)pool = open_pool(0);
    check_works(*(rmd_pool **)pool);
}

CASE(a_pool_may_be_opened_used_and_ended_by_different_threads, ANY)
{
    rmd_pool *pool = NULL;
    join_thread(start_thread(open_and_use, &pool));
    check_works(pool);
    join_thread(start_thread(use_pool, pool));
    end_pool(pool);
}

/* What a forked process finds of its parent's pool; returns how many answers were wrong. */
static int use_in_child(rmd_pool *pool, rmd_future *future, rmd_promise *promise)
{
    rmd_future *untouched = NULL;
    rmd_census census;
    int wrong = 0;
    wrong += try_begin(pool, &untouched, "count", RMD_ARGS(), (rmd_task_options){ 0 }) !=
             RMD_EFORKED;
    wrong += rmd_pool_census(pool, &census) != RMD_EFORKED;
    wrong += rmd_pool_close(pool) != RMD_EFORKED;
    wrong += rmd_pool_cancel(pool, false) != RMD_EFORKED;
    wrong += rmd_pool_drain(pool, RMD_FOREVER) != RMD_EFORKED;
    wrong += rmd_pool_abort(pool, RMD_FOREVER) != RMD_EFORKED;
    wrong += rmd_pool_free(pool) != RMD_EFORKED;
    wrong += rmd_future_wait(future, RMD_FOREVER) != RMD_EFORKED;
    wrong += rmd_futures_wait(&future, 1, RMD_WAIT_ALL, RMD_FOREVER) != RMD_EFORKED;
    wrong += rmd_future_cancel(future) != RMD_EFORKED;
    wrong += rmd_promise_set(promise, 1) != RMD_EFORKED;
    wrong += rmd_pool_size(pool) == 0;
    wrong += untouched != NULL;
    return wrong;
}

CASE(in_a_forked_process_the_pool_is_its_parents, ANY)
{
    rmd_promise *promise;
    rmd_future *promised;
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin_at(pool, &at, "gate", "a");
    REQUIRE(rmd_promise_open(&promise, &promised, NULL) == 0);
    pid_t child = fork();
    if (child == 0)
        _exit(use_in_child(pool, future, promise));
    CHECK_CHILD(child);
    open_gate(&at);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    rmd_promise_free(promise);
    rmd_future_free(promised);
    end_pool(pool);
}

CASE(a_forked_process_may_have_a_pool_of_its_own, ANY)
{
    rmd_pool *pool = open_pool(0);
    check_works(pool);
    pid_t child = KIT_SANITIZED ? -1 : fork(); /* those let no child of threads start threads */
    if (child == 0) {
        rmd_pool *own = open_pool(0);
        check_works(own);
        end_pool(own);
        _exit(0);
    }
    if (child > 0)
        CHECK_CHILD(child);
    check_works(pool);
    end_pool(pool);
}

CASE(a_pool_is_suspended_and_resumed_or_says_that_it_cannot, ANY)
{
    rmd_pool *pool = open_pool(1);
    int err = rmd_pool_suspend(pool);
    if (the_kind->has & THREADS) {
        CHECK_EQ(err, RMD_ENOTSUP);
        CHECK_EQ(rmd_pool_resume(pool), RMD_ENOTSUP);
    } else {
        CHECK_EQ(err, 0);
        rmd_future *future = begin(pool, "count", RMD_ARGS());
        CHECK_EQ(rmd_future_wait(future, rmd_after_ms(20)), RMD_ETIMEDOUT);
        CHECK_EQ(counted(), 0);
        CHECK_EQ(rmd_pool_resume(pool), 0);
        CHECK_END(future, RMD_OUTCOME_OK, 0);
    }
    end_pool(pool);
}

CASE(what_a_kind_cannot_do_it_says, ANY)
{
    static const char *const words[] = { "true", NULL };
    rmd_command command = { .size = sizeof command, .argv = words };
    rmd_statistics statistics;
    rmd_pool *pool = open_pool(0);
    int exec = rmd_pool_exec(pool, NULL, &command);
    int call = rmd_pool_call(pool, NULL, "count", RMD_ARGS(), NULL);
    int figures = rmd_pool_statistics(pool, &statistics);
    bool calls = the_kind->has & CALLS;
    CHECK_EQ(exec, calls ? RMD_ENOTSUP : 0);
    CHECK_EQ(call, calls ? 0 : RMD_ENOTSUP);
    CHECK(figures == 0 || figures == RMD_ENOTSUP);
    CHECK_EQ(census_of(pool).submitted, 1);
    end_pool(pool);
}
