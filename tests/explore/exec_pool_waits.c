/* SPDX-License-Identifier: MIT */
/* Tasks of a threads pool that wait: what they wait for runs on top of them, or elsewhere, and
 * another worker takes the place of who sleeps. */
#include "pool_stage.h"

static int nest(void *arg)
{
    rmd_future *child;
    int depth = *(int *)arg, below = depth - 1;
    run(NULL);
    if (depth == 0)
        return 0;
    RMD_ASSERT(rmd_submit(stage.pool, &child, nest, &below, NULL) == 0);
    int err = rmd_future_wait(child, RMD_FOREVER);
    /* Cancelled: by one beneath that was refused. */
    RMD_ASSERT(err == 0 || err == RMD_EDEADLK || err == RMD_ECANCELED);
    if (err < 0) { /* no stack, and no worker left: it uses our `below` */
        rmd_atomic_add(&stage.refused, 1, RMD_RELAXED);
        /* All of them: one that has no stack left, either, may wait for one that is queued. */
        RMD_ASSERT(rmd_pool_cancel(stage.pool, false) == 0);
        rmd_stop *before = rmd_stop_set(NULL);
        RMD_ASSERT(rmd_future_wait(child, rmd_after_ms(3600000)) == 0);
        rmd_stop_set(before);
    }
    rmd_future_free(child);
    return 0;
}

/* Deeper than there are spares; here a worker may have no stack left for helping. */
HARNESS(pool_tasks_wait_for_tasks, .no_early_timeouts = true)
{
    bool one = rmd_explore_choose(2);
    int depth = one ? 3 : 2;
    rmd_future *future;
    open_pool(one ? "threads:1" : "threads:2");
    RMD_ASSERT(rmd_submit(stage.pool, &future, nest, &depth, NULL) == 0);
    RMD_ASSERT(rmd_future_wait(future, RMD_FOREVER) == 0);
    rmd_future_free(future);
    RMD_ASSERT(refused() || runs() == depth + 1);
    rmd_census census;
    RMD_ASSERT(rmd_pool_census(stage.pool, &census) == 0);
    close_pool(census.submitted);
}

/* Any of several: one is run here, or the other one has ended meanwhile. */
static int take_completions(void *arg)
{
    rmd_future *futures[2], *next;
    rmd_completions *ends;
    (void)arg;
    RMD_ASSERT(submit_child(&futures[0], run) == 0);
    RMD_ASSERT(submit_child(&futures[1], run) == 0);
    RMD_ASSERT(rmd_completions_open(&ends, futures, 2) == 0);
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmd_completions_next(ends, &next, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_completions_next(ends, &next, RMD_FOREVER) == RMD_ENOENT);
    rmd_completions_free(ends);
    rmd_future_free(futures[0]);
    rmd_future_free(futures[1]);
    return 0;
}

HARNESS(pool_tasks_wait_for_any_of_their_tasks)
{
    rmd_future *future;
    rmd_statistics statistics;
    open_pool(rmd_explore_choose(2) ? "threads:1" : "threads:2");
    RMD_ASSERT(rmd_submit(stage.pool, &future, take_completions, NULL, NULL) == 0);
    RMD_ASSERT(rmd_future_wait(future, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_future_error(future) == 0);
    rmd_future_free(future);
    RMD_ASSERT(rmd_pool_statistics(stage.pool, &statistics) == 0 && statistics.workers >= 1);
    RMD_ASSERT(runs() == 2);
    close_pool(3);
}

/* ---- a spare takes the place ---- */

static int wait_a_while_for_child(void *arg)
{
    rmd_future *child;
    (void)arg;
    int err = submit_child(&child, run);
    if (err == RMD_ECLOSED) {
        rmd_atomic_add(&stage.refused, 1, RMD_RELAXED);
        return 0;
    }
    RMD_ASSERT(err == 0);
    err = rmd_future_wait(child, rmd_after_ms(1));
    RMD_ASSERT(err == 0 || err == RMD_ETIMEDOUT);
    RMD_ASSERT(rmd_future_wait(child, rmd_after_ms(3600000)) == 0);
    rmd_future_free(child);
    return 0;
}

/* With a deadline it does not run it itself: another worker takes its place. */
HARNESS(pool_a_spare_runs_what_a_worker_waits_for, .no_early_timeouts = true)
{
    open_pool("threads:1");
    RMD_ASSERT(submit_child(NULL, wait_a_while_for_child) == 0);
    RMD_ASSERT(submit_child(NULL, run) == 0);
    close_pool_at_most(3);
    RMD_ASSERT(runs() == 2 - refused());
}

static int open_gate(void *arg)
{
    (void)arg;
    rmdi_event_set(&stage.gate);
    return 0;
}

/* Waits for what another task has to do, by something that is no future. */
static int block_until_gate(void *arg)
{
    (void)arg;
    RMD_BLOCKING
    RMD_ASSERT(rmdi_event_wait(&stage.gate, RMD_FOREVER) == 0);
    return run(NULL);
}

HARNESS(pool_a_spare_takes_the_place_of_who_blocks)
{
    crew all = { 0 };
    open_pool("threads:1");
    bool twice = rmd_explore_choose(2);
    RMD_ASSERT(submit_child(NULL, block_until_gate) == 0);
    if (twice)
        crew_add(&all, submit_one, NULL, "submits");
    RMD_ASSERT(submit_child(NULL, open_gate) == 0);
    crew_join(&all);
    close_pool(twice ? 4 : 2);
}

static void submit_gate(void *arg)
{
    (void)arg;
    RMD_ASSERT(submit_child(NULL, open_gate) == 0);
}

HARNESS(pool_spares_come_and_go)
{
    crew all = { 0 };
    open_pool("threads:2");
    RMD_ASSERT(submit_child(NULL, block_until_gate) == 0);
    RMD_ASSERT(submit_child(NULL, block_until_gate) == 0);
    crew_add(&all, submit_gate, NULL, "submits");
    RMD_ASSERT(submit_child(NULL, run) == 0);
    crew_join(&all);
    RMD_ASSERT(submit_child(NULL, run) == 0);
    close_pool(5);
    RMD_ASSERT(runs() == 4);
}

/* Leaves something in its own deque, before and afterwards. */
static int submit_and_block(void *arg)
{
    rmdi_event *gate = arg;
    RMD_ASSERT(submit_child(NULL, run) == 0);
    RMD_BLOCKING
    RMD_ASSERT(rmdi_event_wait(gate, RMD_FOREVER) == 0);
    RMD_ASSERT(submit_child(NULL, run) == 0);
    return 0;
}

static int set_gate(void *arg)
{
    rmdi_event_set(arg);
    return 0;
}

/* The one from the bench: more threads there must not be. */
HARNESS(pool_a_spare_is_used_again, .steps_max = 40000, .no_early_timeouts = true)
{
    rmdi_event gates[3] = { 0 };
    open_pool("threads:1");
    for (int i = 0; i < 3; i++) {
        RMD_ASSERT(rmd_submit(stage.pool, &stage.futures[0], submit_and_block, &gates[i], NULL) ==
                   0);
        RMD_ASSERT(rmd_submit(stage.pool, NULL, set_gate, &gates[i], NULL) == 0);
        RMD_ASSERT(rmd_future_wait(stage.futures[0], rmd_after_ms(3600000)) == 0);
        rmd_future_free(stage.futures[0]);
    }
    close_pool(12);
    RMD_ASSERT(runs() == 6);
}

/* ---- behind work that waits ---- */

/* What it waits for comes after a task that has not begun: when no spare can be started, that is
 * run here. */
static int wait_for_first(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmdi_event_wait(&stage.begun, RMD_FOREVER) == 0);
    int err = rmd_future_wait(stage.futures[0], RMD_FOREVER);
    RMD_ASSERT(err == 0 || err == RMD_EDEADLK); /* no stack */
    return err;
}

static int nothing_more(rmd_future *first, void *arg)
{
    (void)first;
    return run(arg);
}

HARNESS(pool_waits_for_what_is_held_back_by_work_that_waits, .faults_max = 1,
        .fail_allocations = true)
{
    rmd_future *first;
    clear_stage();
    if (rmd_pool_open(&stage.pool, "threads:1", NULL, RMD_FOREVER) < 0)
        return;
    int n = 0;
    for (unsigned more = 1 + rmd_explore_choose(2); more > 0; more--)
        n += submit_child(NULL, wait_for_first) == 0;
    bool submitted = submit_child(&first, run) == 0;
    n += submitted;
    if (submitted && rmd_then(stage.pool, &stage.futures[0], first, nothing_more, NULL, NULL) == 0)
        n++;
    else /* there was no memory: anything that ends */
        RMD_ASSERT(submit_child(&stage.futures[0], run) == 0 && ++n);
    rmdi_event_set(&stage.begun);
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    if (submitted)
        rmd_future_free(first);
    rmd_future_free(stage.futures[0]);
    free_pool((uint64_t)n);
}

static int wait_for_any_of_first(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmdi_event_wait(&stage.begun, RMD_FOREVER) == 0);
    int err = (int)rmd_futures_wait(stage.futures, 1, RMD_WAIT_ANY, RMD_FOREVER);
    RMD_ASSERT(err == 0 || err == RMD_EDEADLK); /* no stack */
    return err;
}

HARNESS(pool_waits_for_any_that_are_held_back_by_work_that_waits)
{
    rmd_future *first;
    open_pool("threads:1");
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(submit_child(NULL, wait_for_any_of_first) == 0);
    RMD_ASSERT(submit_child(&first, run) == 0);
    RMD_ASSERT(rmd_then(stage.pool, &stage.futures[0], first, nothing_more, NULL, NULL) == 0);
    rmdi_event_set(&stage.begun);
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    rmd_future_free(first);
    rmd_future_free(stage.futures[0]);
    free_pool(4);
}

static int start_one(void *arg)
{
    (void)arg;
    return rmd_atomic_add(&stage.calls, 1, RMD_RELAXED) ? rmd_fail(cause, "no more") : 0;
}

HARNESS(pool_whose_spare_does_not_start_runs_what_is_waited_for)
{
    rmd_future *first;
    rmd_pool_options options = { .size = sizeof options, .start = start_one };
    clear_stage();
    RMD_ASSERT(rmd_pool_open(&stage.pool, "threads:1", &options, RMD_FOREVER) == 0);
    RMD_ASSERT(submit_child(NULL, wait_for_first) == 0);
    RMD_ASSERT(submit_child(&first, run) == 0);
    RMD_ASSERT(rmd_then(stage.pool, &stage.futures[0], first, nothing_more, NULL, NULL) == 0);
    RMD_ASSERT(submit_child(NULL, run) == 0);
    rmdi_event_set(&stage.begun);
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    rmd_future_free(first);
    rmd_future_free(stage.futures[0]);
    RMD_ASSERT(rmd_pool_free(stage.pool) == 0);
}
