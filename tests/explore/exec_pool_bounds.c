/* SPDX-License-Identifier: MIT */
/* The bounds of a threads pool: never more are queued than it was opened for, and of those who wait
 * for room nobody is forgotten. */
#include "pool_stage.h"

static void submit_two_to_full(void *arg)
{
    submit_two(arg);
}

HARNESS(pool_full_queue_wakes_all_who_submit)
{
    crew all = { 0 };
    open_pool("threads:1?queue=1");
    crew_add(&all, submit_two_to_full, NULL, "submits 1");
    crew_add(&all, submit_two_to_full, NULL, "submits 2");
    submit_two_to_full(NULL);
    crew_join(&all);
    close_pool(6);
    RMD_ASSERT(runs() == 6);
}

static void submit_many_and_one(void *arg)
{
    rmd_task tasks[3] = { { run, NULL }, { run, NULL }, { run, NULL } };
    (void)arg;
    RMD_ASSERT(rmd_submit_many(stage.pool, NULL, tasks, 3, NULL) == 3);
}

HARNESS(pool_full_queue_and_many_at_once)
{
    crew all = { 0 };
    open_pool("threads:1?queue=2");
    crew_add(&all, submit_many_and_one, NULL, "submits many");
    crew_add(&all, submit_if_open, NULL, "submits");
    submit_many_and_one(NULL);
    crew_join(&all);
    close_pool(7);
    RMD_ASSERT(runs() == 7);
}

static void submit_impatiently(void *arg)
{
    rmd_task_options options = { .size = sizeof options,
                                 .full_ms = rmd_explore_choose(2) ? 1 : -1 };
    int err = rmd_submit(stage.pool, NULL, run, arg, &options);
    RMD_ASSERT(err == 0 || err == RMD_EFULL || err == RMD_ECLOSED);
    if (err < 0)
        rmd_atomic_add(&stage.refused, 1, RMD_RELAXED);
}

HARNESS(pool_full_queue_refuses_the_impatient)
{
    crew all = { 0 };
    open_pool("threads:1?queue=1");
    crew_add(&all, submit_two_to_full, NULL, "submits");
    crew_add(&all, submit_impatiently, NULL, "impatient");
    submit_impatiently(NULL);
    crew_join(&all);
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    RMD_ASSERT(runs() == 4 - refused());
    free_pool(4 - (uint64_t)refused());
}

/* With limits it comes to the queue in two steps. */
static void submit_with_limits(void *arg)
{
    rmd_task_options options = { .size = sizeof options, .full_ms = -1 };
    options.limits.attempts_max = 2;
    int err = rmd_submit(stage.pool, NULL, run, arg, &options);
    RMD_ASSERT(err == 0 || err == RMD_EFULL);
    if (err < 0)
        rmd_atomic_add(&stage.refused, 1, RMD_RELAXED);
}

HARNESS(pool_full_queue_counts_what_is_about_to_be_in_it)
{
    crew all = { 0 };
    rmd_statistics statistics;
    open_pool("threads:1?queue=1");
    crew_add(&all, submit_with_limits, NULL, "submits 1");
    crew_add(&all, submit_with_limits, NULL, "submits 2");
    crew_join(&all);
    RMD_ASSERT(rmd_pool_statistics(stage.pool, &statistics) == 0 && statistics.queued_max == 1);
    close_pool_at_most(2);
}

/* Inside a task nobody waits for room. */
HARNESS(pool_full_queue_inside_a_task)
{
    open_pool("threads:1?queue=1");
    RMD_ASSERT(submit_child(NULL, submit_two) == 0);
    RMD_ASSERT(submit_child(NULL, submit_two) == 0);
    close_pool_at_most(6);
    RMD_ASSERT(runs() == 4 - refused());
}

/* ---- room without a worker ---- */

static int wait_for_gate(void *arg)
{
    run(arg);
    rmdi_event_set(&stage.begun);
    return rmdi_event_wait(&stage.gate, RMD_FOREVER);
}

HARNESS(pool_cancel_makes_room)
{
    crew all = { 0 };
    open_pool("threads:1?queue=1");
    RMD_ASSERT(submit_child(NULL, wait_for_gate) == 0);
    RMD_ASSERT(rmdi_event_wait(&stage.begun, RMD_FOREVER) == 0);
    RMD_ASSERT(submit_child(&stage.futures[0], run) == 0);
    crew_add(&all, submit_if_open, NULL, "submits");
    RMD_ASSERT(rmd_future_cancel(stage.futures[0]) == 0);
    crew_join(&all);
    rmdi_event_set(&stage.gate);
    free_futures(1);
    close_pool(3);
    RMD_ASSERT(runs() == 2);
}

static void close_it(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmd_pool_close(stage.pool) == 0);
}

HARNESS(pool_closed_while_others_wait_for_room)
{
    crew all = { 0 };
    open_pool("threads:1?queue=1");
    crew_add(&all, submit_two_to_full, NULL, "submits 1");
    crew_add(&all, submit_two_to_full, NULL, "submits 2");
    crew_add(&all, close_it, NULL, "closes");
    if (rmd_explore_choose(2))
        RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    crew_join(&all);
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    RMD_ASSERT(runs() == 4 - refused());
    free_pool(4 - (uint64_t)refused());
}
