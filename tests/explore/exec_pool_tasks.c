/* SPDX-License-Identifier: MIT */
/* The threads pool as a whole: what it accepts runs once and is counted, whoever submits it;
 * without memory it accepts nothing; at its end all threads and all memory are gone. */
#include "exec/function.h"
#include "exec/threads.h"
#include "pool_stage.h"

static void submit_and_wait(void *arg)
{
    rmd_future *future;
    (void)arg;
    RMD_ASSERT(submit_child(&future, write_result) == 0);
    RMD_ASSERT(rmd_future_wait(future, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_future_error(future) == 0);
    rmd_future_free(future);
}

HARNESS(pool_runs_a_task, .steps_max = 40000)
{
    open_pool(rmd_explore_choose(2) ? "threads:1" : "threads:2");
    submit_and_wait(NULL);
    RMD_ASSERT(RMD_PLAIN(stage.result) == 5);
    close_pool(1);
}

/* Two that wait for each other: as many as there are workers run at once, however they were taken
 * out of the queue. What runs before them, and what one of them has left, others must find. */
static int meet(void *arg)
{
    bool second = arg != NULL;
    run(NULL);
    rmdi_event_set(second ? &stage.begun : &stage.gate);
    return rmdi_event_wait(second ? &stage.gate : &stage.begun, RMD_FOREVER);
}

HARNESS(pool_as_many_run_at_once_as_there_are_workers)
{
    static int second;
    open_pool("threads:2");
    rmd_task tasks[] = {
        { run, NULL }, { run, NULL }, { meet, NULL }, { run, NULL }, { meet, &second }
    };
    RMD_ASSERT(rmd_submit_many(stage.pool, NULL, tasks, 5, NULL) == 5);
    close_pool(5);
    RMD_ASSERT(runs() == 5);
}

HARNESS(pool_runs_what_nobody_waits_for)
{
    crew all = { 0 };
    open_pool("threads:2");
    crew_add(&all, submit_one, NULL, "submits");
    submit_one(NULL);
    crew_join(&all);
    close_pool(4);
    RMD_ASSERT(runs() == 4);
}

HARNESS(pool_runs_what_its_tasks_submit)
{
    open_pool("threads:2");
    RMD_ASSERT(submit_child(NULL, submit_two) == 0);
    close_pool_at_most(3);
    RMD_ASSERT(runs() == 2 - refused());
}

/* The census balances whenever it is asked for. */
static void watch_census(void *arg)
{
    rmd_census c;
    (void)arg;
    for (int i = 0; i < 3; i++) {
        RMD_ASSERT(rmd_pool_census(stage.pool, &c) == 0);
        RMD_ASSERT(rmd_census_balances(&c) && c.submitted <= 3 && c.queued <= 3 && c.running <= 3);
    }
}

HARNESS(pool_census_balances_at_every_moment)
{
    crew all = { 0 };
    open_pool("threads:2");
    crew_add(&all, watch_census, NULL, "watches");
    RMD_ASSERT(submit_child(NULL, submit_two) == 0);
    crew_join(&all);
    close_pool_at_most(3);
}

/* ---- calls ---- */

static int add(rmd_call *call)
{
    int a = 0, b = 0;
    RMD_ASSERT(rmd_call_get(call, 0, &a) == 0 && rmd_call_get(call, 1, &b) == 0);
    return rmd_call_return(call, a + b);
}

static void call_and_get(void *arg)
{
    int sum = 0;
    rmd_future *future;
    (void)arg;
    int err = rmd_pool_call(stage.pool, &future, "add", RMD_ARGS(1, 2), NULL);
    RMD_ASSERT(err == 0 || err == RMD_ENOMEM);
    if (err < 0)
        return;
    RMD_ASSERT(rmd_future_wait(future, RMD_FOREVER) == 0);
    err = rmd_future_get(future, &sum);
    RMD_ASSERT(err == RMD_ENOMEM || (err == 0 && sum == 3));
    rmd_future_free(future);
    rmd_atomic_add(&stage.runs, 1, RMD_RELAXED);
}

static const rmd_function table[] = { { .name = "add", .fn = add }, { 0 } };

HARNESS(pool_calls_functions, .faults_max = 1, .fail_allocations = true)
{
    crew all = { 0 };
    clear_stage();
    int err = rmd_functions_add(table);
    if (err == 0)
        err = rmd_pool_open(&stage.pool, "threads:1", NULL, RMD_FOREVER);
    RMD_ASSERT(err == 0 || err == RMD_ENOMEM || err == RMD_EAGAIN);
    if (err == 0) {
        crew_add(&all, call_and_get, NULL, "calls");
        call_and_get(NULL);
        crew_join(&all);
        close_pool((uint64_t)runs());
    }
    rmdi_functions_forget();
}

/* ---- memory ---- */

static int start(void *arg)
{
    (void)arg;
    return rmd_explore_choose(3) ? 0 : rmd_fail(cause, "not today");
}

static void end(void *arg)
{
    (void)arg;
    rmd_atomic_add(&stage.calls, 1, RMD_RELAXED);
}

HARNESS(pool_opens_or_leaves_nothing, .faults_max = 1, .fail_allocations = true)
{
    rmd_pool_options options = { .size = sizeof options };
    clear_stage();
    if (rmd_explore_choose(2)) {
        options.start = start;
        options.end = end;
    }
    int err = rmd_pool_open(&stage.pool, "threads:2", &options,
                            rmd_explore_choose(2) ? RMD_FOREVER : rmd_after_ms(1));
    RMD_ASSERT(err == 0 || err == cause || err == RMD_ENOMEM || err == RMD_EAGAIN ||
               err == RMD_ETIMEDOUT);
    if (err < 0)
        return;
    err = rmd_submit(stage.pool, NULL, run, NULL, NULL);
    RMD_ASSERT(err == 0 || err == RMD_ENOMEM);
    close_pool(err == 0);
    RMD_ASSERT(!options.end || calls() == 2);
}

HARNESS(pool_without_memory_for_what_is_more, .faults_max = 2, .fail_allocations = true)
{
    rmd_limits limits = { .total_ms_max = 1 };
    rmd_task_options options = { .size = sizeof options, .limits = limits };
    clear_stage();
    if (rmd_pool_open(&stage.pool, "threads:1", NULL, RMD_FOREVER) < 0)
        return;
    int n = 0, err = submit_child(&stage.futures[0], fail);
    RMD_ASSERT(err == 0 || err == RMD_ENOMEM);
    if (err == 0) {
        n++;
        int later = rmd_then(stage.pool, NULL, stage.futures[0], go_on, NULL, NULL);
        RMD_ASSERT(later == 0 || later == RMD_ENOMEM);
        n += later == 0;
        int on_end = rmd_future_on_end(stage.futures[0], count_call, NULL);
        RMD_ASSERT(on_end == 0 || on_end == RMD_ENOMEM);
        rmd_future_free(stage.futures[0]);
    }
    err = rmd_submit(stage.pool, NULL, run, NULL, &options);
    RMD_ASSERT(err == 0 || err == RMD_ENOMEM || err == RMD_EAGAIN);
    n += err == 0;
    close_pool((uint64_t)n);
}

static void free_first_future(void *arg)
{
    (void)arg;
    rmd_future_free(stage.futures[0]);
}

/* The last handle goes while the pool does: either takes the rest with it. */
HARNESS(pool_is_freed_while_the_last_handle_is)
{
    crew all = { 0 };
    rmdi_tasks_kept_max = 2;
    open_pool("threads:1");
    RMD_ASSERT(submit_child(&stage.futures[0], run) == 0);
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    crew_add(&all, free_first_future, NULL, "frees the handle");
    RMD_ASSERT(rmd_pool_free(stage.pool) == 0);
    crew_join(&all);
    rmdi_tasks_kept_max = 0;
}

/* What was kept is used again by who submits, while workers give back more. */
HARNESS(pool_uses_memory_again)
{
    crew all = { 0 };
    rmdi_tasks_kept_max = 2;
    open_pool("threads:2");
    RMD_ASSERT(submit_child(NULL, run) == 0);
    crew_add(&all, submit_one, NULL, "submits");
    submit_one(NULL);
    crew_join(&all);
    close_pool(5);
    RMD_ASSERT(runs() == 5);
    rmdi_tasks_kept_max = 0;
}
