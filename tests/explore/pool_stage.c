/* SPDX-License-Identifier: MIT */
#include "pool_stage.h"

#include "exec/threads.h"

#include <string.h>

pool_stage stage;

void clear_stage(void)
{
    memset(&stage, 0, sizeof stage);
}

void open_pool(const char *kind)
{
    clear_stage();
    RMD_ASSERT(rmd_pool_open(&stage.pool, kind, NULL, RMD_FOREVER) == 0);
}

int runs(void)
{
    return rmd_atomic_load(&stage.runs, RMD_RELAXED);
}

int refused(void)
{
    return rmd_atomic_load(&stage.refused, RMD_RELAXED);
}

int calls(void)
{
    return rmd_atomic_load(&stage.calls, RMD_RELAXED);
}

static bool is_over(const rmd_census *c, uint64_t submitted)
{
    return rmd_census_balances(c) && c->submitted == submitted && !c->queued && !c->running;
}

void free_pool(uint64_t submitted)
{
    rmd_census census;
    rmd_statistics statistics;
    RMD_ASSERT(rmd_pool_census(stage.pool, &census) == 0);
    RMD_ASSERT(is_over(&census, submitted));
    RMD_ASSERT(rmd_pool_statistics(stage.pool, &statistics) == 0 && statistics.blocked == 0);
    /* Who has blocked is back; there may still be more than the pool was opened with. */
    RMD_ASSERT(rmd_atomic_load(&((rmdi_threads *)(void *)stage.pool)->active, RMD_RELAXED) >=
               statistics.workers);
    RMD_ASSERT(rmd_pool_free(stage.pool) == 0);
}

void close_pool(uint64_t submitted)
{
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    free_pool(submitted);
}

void close_pool_at_most(int n)
{
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    free_pool((uint64_t)(n - refused()));
}

/* ---- what tasks do ---- */

int run(void *arg)
{
    (void)arg;
    rmd_atomic_add(&stage.runs, 1, RMD_RELAXED);
    return 0;
}

int write_result(void *arg)
{
    RMD_PLAIN_SET(stage.result, 5);
    return run(arg);
}

int fail(void *arg)
{
    run(arg);
    return rmd_fail(cause, "it fails");
}

int submit_two(void *arg)
{
    submit_if_open(arg);
    submit_if_open(arg);
    return 0;
}

int go_on(rmd_future *first, void *arg)
{
    RMD_ASSERT(rmd_future_outcome(first) == RMD_OUTCOME_OK);
    return run(arg);
}

/* ---- what others do ---- */

int submit_child(rmd_future **future, rmd_task_fn *fn)
{
    return rmd_submit(stage.pool, future, fn, NULL, NULL);
}

void submit_one(void *arg)
{
    RMD_ASSERT(submit_child(NULL, run) == 0);
    RMD_ASSERT(rmd_submit(stage.pool, NULL, run, arg,
                          &(rmd_task_options){ .size = sizeof(rmd_task_options),
                                               .priority = (rmd_priority)rmd_explore_choose(3) -
                                                           1 }) == 0);
}

void submit_if_open(void *arg)
{
    (void)arg;
    int err = submit_child(NULL, run);
    RMD_ASSERT(err == 0 || err == RMD_ECLOSED);
    if (err < 0)
        rmd_atomic_add(&stage.refused, 1, RMD_RELAXED);
}

void cancel_first(void *arg)
{
    (void)arg;
    int err = rmd_future_cancel(stage.futures[0]);
    RMD_ASSERT(err == 0 || err == RMD_ETOOLATE);
}

void free_futures(int n)
{
    for (int i = 0; i < n; i++)
        rmd_future_free(stage.futures[i]);
}

void count_call(rmd_future *future, void *ctx)
{
    (void)ctx;
    RMD_ASSERT(rmd_future_outcome(future) != RMD_PENDING);
    rmd_atomic_add(&stage.calls, 1, RMD_RELAXED);
}

void look_at(void *ctx, const rmd_failure *failure)
{
    (void)ctx;
    RMD_ASSERT(failure->error == cause && strcmp(failure->detail, "it fails") == 0);
    rmd_atomic_add(&stage.calls, 1, RMD_RELAXED);
}
