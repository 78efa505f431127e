/* SPDX-License-Identifier: MIT */
/* The processes pool whose workers die between any two steps: each task ends once, as it should; a
 * death costs at most the one task that had begun, and what had not begun is done by another
 * worker; who sleeps on what the dead one shared is woken, and its memory goes when the last has
 * let go. */
#include "processes_stage.h"

static const rmd_task_options twice = { .limits = { .crashes_max = 2 } };

static void call_two(void *arg)
{
    int first = *(int *)arg;
    call_task(first, NULL);
    call_task(first + 1, NULL);
}

static void await_one(void *arg)
{
    await_task(*(int *)arg);
}

static int numbers[STAGE_TASKS] = { 0, 1, 2, 3, 4, 5 };

static void call_and_await(void *arg)
{
    call_two(arg);
    await_task(*(int *)arg + 1);
}

/* ---- nobody dies ---- */

HARNESS(processes_do_what_two_threads_submit)
{
    crew all = { 0 };
    open_processes("processes:1");
    crew_add(&all, call_and_await, &numbers[2], "submits");
    call_and_await(&numbers[0]);
    crew_join(&all);
    close_processes(4);
}

HARNESS(processes_two_workers_share_the_work)
{
    crew all = { 0 };
    open_processes("processes:2");
    crew_add(&all, call_and_await, &numbers[2], "submits");
    call_two(&numbers[0]);
    crew_join(&all);
    close_processes(4);
}

/* ---- workers die ---- */

HARNESS(processes_whose_worker_dies, .kills_max = 1)
{
    crew all = { 0 };
    if (!open_processes("processes:1"))
        return;
    call_two(&numbers[0]);
    crew_add(&all, await_one, &numbers[0], "waits");
    call_task(2, NULL);
    await_task(2);
    crew_join(&all);
    close_processes(3);
}

/* What another one has in its ring is nobody's loss. */
HARNESS(processes_of_two_workers_one_dies, .kills_max = 1)
{
    crew all = { 0 };
    if (!open_processes("processes:2"))
        return;
    crew_add(&all, call_and_await, &numbers[2], "submits");
    call_two(&numbers[0]);
    crew_join(&all);
    close_processes(4);
}

/* The one in which it died is tried once more, and not more often than that. */
HARNESS(processes_a_crash_is_tried_again, .kills_max = 2)
{
    if (!open_processes("processes:1"))
        return;
    P->tries = 2;
    call_task(0, &twice);
    call_task(1, &twice);
    await_task(0);
    await_task(1);
    RMD_ASSERT(deaths() > 1 || outcome_of(0) == RMD_OUTCOME_OK);
    RMD_ASSERT(deaths() > 1 || outcome_of(1) == RMD_OUTCOME_OK);
    close_processes(2);
}

/* ---- and what else can happen meanwhile ---- */

static void cancel_one(void *arg)
{
    int err = rmd_future_cancel(P->futures[*(int *)arg]);
    RMD_ASSERT(err == 0 || err == RMD_ETOOLATE);
}

HARNESS(processes_a_task_is_cancelled, .kills_max = 1)
{
    crew all = { 0 };
    if (!open_processes("processes:1"))
        return;
    call_two(&numbers[0]);
    call_task(2, NULL);
    P->is_cancelled = true;
    crew_add(&all, cancel_one, &numbers[rmd_explore_choose(3)], "cancels");
    crew_add(&all, await_one, &numbers[1], "waits");
    await_task(0);
    crew_join(&all);
    close_processes(3);
}

/* Its worker is killed, unless it is faster; what comes behind it is not hit. */
HARNESS(processes_a_running_task_is_cancelled)
{
    crew all = { 0 };
    open_processes("processes:1");
    P->is_cancelled = true;
    P->has_gate = rmd_explore_choose(2);
    call_two(&numbers[0]);
    crew_add(&all, await_one, &numbers[1], "waits");
    await_begin(0);
    cancel_one(&numbers[0]);
    call_task(2, NULL);
    await_task(2);
    await_task(0);
    crew_join(&all);
    RMD_ASSERT(outcome_of(0) == RMD_OUTCOME_CANCELLED || outcome_of(0) == RMD_OUTCOME_OK);
    RMD_ASSERT(outcome_of(1) == RMD_OUTCOME_OK && outcome_of(2) == RMD_OUTCOME_OK);
    close_processes(3);
}

static void abort_pool(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmd_pool_abort(P->pool, RMD_FOREVER) == 0);
}

static void drain_pool(void *arg)
{
    (void)arg;
    rmd_deadline deadline = rmd_explore_choose(2) ? RMD_FOREVER : rmd_after_ms(1);
    int err = rmd_pool_drain(P->pool, deadline);
    RMD_ASSERT(err == 0 || err == RMD_ETIMEDOUT);
}

HARNESS(processes_the_end_comes_meanwhile, .kills_max = 1)
{
    crew all = { 0 };
    if (!open_processes("processes:1"))
        return;
    P->is_cancelled = true;
    crew_add(&all, rmd_explore_choose(2) ? abort_pool : drain_pool, NULL, "ends it");
    if (call_task(0, NULL) == 0)
        crew_add(&all, await_one, &numbers[0], "waits");
    call_task(1, NULL);
    crew_join(&all);
    close_processes(2);
}

/* A worker is new after each task: its last answer, and what is left in its ring, are not lost. */
HARNESS(processes_workers_wear_out, .kills_max = 1)
{
    if (!open_processes("processes:1"))
        return;
    P->tasks_max = 1;
    call_two(&numbers[0]);
    await_task(1);
    await_task(0);
    close_processes(2);
}

/* One may wait, so who submits the next waits for a place: that the first has begun, or a death. */
HARNESS(processes_a_place_is_waited_for, .kills_max = 1)
{
    crew all = { 0 };
    if (!open_processes("processes:1?queue=1"))
        return;
    P->has_gate = true;
    call_two(&numbers[0]);
    crew_add(&all, call_and_await, &numbers[2], "submits");
    open_gate();
    crew_join(&all);
    close_processes(4);
}

static const rmd_task_options first = { .priority = RMD_PRIORITY_HIGH };

/* What waits in a ring makes way. */
HARNESS(processes_a_task_of_high_priority_comes, .kills_max = 1)
{
    crew all = { 0 };
    if (!open_processes("processes:1"))
        return;
    crew_add(&all, call_and_await, &numbers[0], "submits");
    call_task(2, &first);
    await_task(2);
    crew_join(&all);
    close_processes(3);
}

static void count_call(rmd_future *future, void *ctx)
{
    (void)ctx;
    RMD_ASSERT(rmd_future_outcome(future) != RMD_PENDING);
    rmd_atomic_add(&P->calls, 1, RMD_RELAXED);
}

HARNESS(processes_callbacks_come_once, .kills_max = 1)
{
    if (!open_processes("processes:1"))
        return;
    call_two(&numbers[0]);
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmd_future_on_end(P->futures[i], count_call, NULL) == 0);
    await_task(1);
    RMD_ASSERT(rmd_pool_drain(P->pool, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_atomic_load(&P->calls, RMD_RELAXED) == 2);
    free_processes(2);
}

/* Suspended, nothing begins; what was begun ends, or dies. */
static void suspend_and_resume(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmd_pool_suspend(P->pool) == 0);
    RMD_ASSERT(rmd_pool_resume(P->pool) == 0);
}

HARNESS(processes_are_suspended_and_resumed, .kills_max = 1)
{
    crew all = { 0 };
    if (!open_processes("processes:1"))
        return;
    crew_add(&all, suspend_and_resume, NULL, "suspends");
    call_two(&numbers[0]);
    await_task(1);
    crew_join(&all);
    close_processes(2);
}
