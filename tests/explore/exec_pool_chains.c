/* SPDX-License-Identifier: MIT */
/* Tasks of a threads pool that come after others: a chain goes on, or ends with the one that has
 * not gone well, and that failure is told once. */
#include "pool_stage.h"

HARNESS(pool_chain_goes_on_or_ends_with_its_first)
{
    crew all = { 0 };
    open_pool("threads:1");
    RMD_ASSERT(submit_child(&stage.futures[0], rmd_explore_choose(2) ? write_result : fail) == 0);
    crew_add(&all, cancel_first, NULL, "cancels the first");
    RMD_ASSERT(rmd_then(stage.pool, &stage.futures[1], stage.futures[0], go_on, NULL, NULL) == 0);
    RMD_ASSERT(rmd_then(stage.pool, &stage.futures[2], stage.futures[1], go_on, NULL, NULL) == 0);
    RMD_ASSERT(rmd_future_wait(stage.futures[2], RMD_FOREVER) == 0);
    crew_join(&all);
    RMD_ASSERT(rmd_future_error(stage.futures[0]) == rmd_future_error(stage.futures[2]));
    RMD_ASSERT(rmd_future_error(stage.futures[0]) || runs() == 3);
    free_futures(3);
    close_pool(3);
}

static void cancel_second(void *arg)
{
    (void)arg;
    int err = rmd_future_cancel(stage.futures[1]);
    RMD_ASSERT(err == 0 || err == RMD_ETOOLATE);
}

HARNESS(pool_chain_is_cancelled_in_the_middle)
{
    crew all = { 0 };
    open_pool("threads:1");
    RMD_ASSERT(submit_child(&stage.futures[0], run) == 0);
    RMD_ASSERT(rmd_then(stage.pool, &stage.futures[1], stage.futures[0], go_on, NULL, NULL) == 0);
    crew_add(&all, cancel_second, NULL, "cancels");
    RMD_ASSERT(rmd_then(stage.pool, &stage.futures[2], stage.futures[1], go_on, NULL, NULL) == 0);
    if (rmd_explore_choose(2))
        RMD_ASSERT(rmd_future_wait(stage.futures[1], RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    crew_join(&all);
    RMD_ASSERT(rmd_future_outcome(stage.futures[0]) == RMD_OUTCOME_OK);
    RMD_ASSERT(rmd_future_error(stage.futures[1]) == rmd_future_error(stage.futures[2]));
    free_futures(3);
    free_pool(3);
}

/* What it waits for is none of the pool's; and it may outlive it. */
static void keep_promise(void *arg)
{
    rmd_promise *promise = arg;
    if (rmd_explore_choose(2))
        (void)!rmd_promise_set(promise, 1);
    rmd_promise_free(promise);
}

HARNESS(pool_chain_after_a_promise)
{
    crew all = { 0 };
    rmd_promise *promise;
    open_pool("threads:1");
    RMD_ASSERT(rmd_promise_open(&promise, &stage.futures[0], NULL) == 0);
    RMD_ASSERT(rmd_then(stage.pool, NULL, stage.futures[0], go_on, NULL, NULL) == 0);
    crew_add(&all, keep_promise, promise, "keeps");
    rmd_future_free(stage.futures[0]);
    bool aborts = rmd_explore_choose(2);
    RMD_ASSERT((aborts ? rmd_pool_abort : rmd_pool_drain)(stage.pool, RMD_FOREVER) == 0);
    free_pool(1);
    crew_join(&all);
}

/* Of the one that it was handed on to, unless that was cancelled before. */
HARNESS(pool_lists_a_failure_of_a_chain_once)
{
    crew all = { 0 };
    open_pool("threads:1");
    RMD_ASSERT(submit_child(&stage.futures[0], fail) == 0);
    RMD_ASSERT(rmd_then(stage.pool, &stage.futures[1], stage.futures[0], go_on, NULL, NULL) == 0);
    crew_add(&all, cancel_second, NULL, "cancels the second");
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    crew_join(&all);
    if (rmd_explore_choose(2))
        free_futures(1);
    else
        stage.futures[2] = stage.futures[0];
    RMD_ASSERT(rmd_pool_overlooked(stage.pool, look_at, NULL, NULL) == 0);
    RMD_ASSERT(calls() == 1);
    rmd_future_free(stage.futures[1]);
    rmd_future_free(stage.futures[2]);
    free_pool(2);
}
