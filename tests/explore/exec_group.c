/* SPDX-License-Identifier: MIT */
/* Groups of tasks on a threads pool: who has waited for a group may free it, who has seen all its
 * tasks end, too; a task enters and leaves it once, whether it was run, cancelled, refused or late;
 * whoever cancels it misses none that was in it. */
#include "crew.h"
#include "exec/threads.h"
#include "sync/event.h"

#include <remuda.h>
#include <string.h>

static struct {
    rmd_pool *pool;
    rmd_group *group;
    rmd_future *futures[2];
    rmd_atomic(int) runs, accepted;
    rmdi_event gate, begun;
} g;

static void begin(const char *kind)
{
    memset(&g, 0, sizeof g);
    RMD_ASSERT(rmd_pool_open(&g.pool, kind, NULL, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_group_open(&g.group) == 0);
}

static uint64_t accepted(void)
{
    return (uint64_t)rmd_atomic_load(&g.accepted, RMD_RELAXED);
}

static uint64_t runs(void)
{
    return (uint64_t)rmd_atomic_load(&g.runs, RMD_RELAXED);
}

/* Of a group that nobody is in any more: as many as were accepted have ended. */
static void check_group(void)
{
    rmd_census c;
    rmd_group_census(g.group, &c);
    RMD_ASSERT(rmd_census_balances(&c) && c.submitted == accepted() && c.queued == 0);
}

static void free_group(void)
{
    check_group();
    RMD_ASSERT(rmd_group_free(g.group) == 0);
}

static void free_pool(void)
{
    rmd_census c;
    RMD_ASSERT(rmd_pool_drain(g.pool, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_pool_census(g.pool, &c) == 0);
    RMD_ASSERT(rmd_census_balances(&c) && c.submitted == accepted());
    RMD_ASSERT(c.queued == 0 && c.running == 0);
    RMD_ASSERT(rmd_pool_free(g.pool) == 0);
}

/* ---- tasks ---- */

static int run(void *arg)
{
    (void)arg;
    rmd_atomic_add(&g.runs, 1, RMD_RELAXED);
    return 0;
}

static int until_cancelled(void *arg)
{
    run(arg);
    rmdi_event_set(&g.begun);
    return rmdi_event_wait(&g.gate, RMD_FOREVER);
}

static rmd_task_options in_group(void)
{
    return (rmd_task_options){ .size = sizeof(rmd_task_options), .group = g.group };
}

static int submit_as(rmd_future **future, rmd_task_fn *fn, const rmd_task_options *options)
{
    int err = rmd_submit(g.pool, future, fn, NULL, options);
    RMD_ASSERT(err == 0 || err == RMD_ECLOSED);
    if (err == 0)
        rmd_atomic_add(&g.accepted, 1, RMD_RELAXED);
    return err;
}

static int submit(rmd_future **future, rmd_task_fn *fn)
{
    rmd_task_options options = in_group();
    return submit_as(future, fn, &options);
}

static void submit_two(void *arg)
{
    (void)arg;
    submit(NULL, run);
    submit(NULL, run);
}

/* With limits they enter the group before they are accepted. */
static void submit_two_with_limits(void *arg)
{
    rmd_task_options options = in_group();
    (void)arg;
    options.limits.attempts_max = 2;
    submit_as(NULL, run, &options);
    submit_as(NULL, run, &options);
}

static void submit_many(void *arg)
{
    rmd_task tasks[3] = { { run, NULL }, { run, NULL }, { run, NULL } };
    rmd_task_options options = in_group();
    (void)arg;
    options.full_ms = 1;
    int64_t n = rmd_submit_many(g.pool, NULL, tasks, 3, &options);
    RMD_ASSERT((n > 0 && n <= 3) || n == RMD_EFULL || n == RMD_ECLOSED);
    if (n > 0)
        rmd_atomic_add(&g.accepted, (int)n, RMD_RELAXED);
}

/* ---- waiting ---- */

HARNESS(group_is_freed_right_after_the_wait)
{
    begin("threads:2");
    submit(NULL, run);
    submit(NULL, run);
    submit(NULL, run);
    RMD_ASSERT(rmd_group_wait(g.group, RMD_FOREVER) == 0);
    RMD_ASSERT(runs() == 3);
    free_group();
    free_pool();
}

/* Whoever sees the last of its tasks end need not wait for the group. */
HARNESS(group_is_freed_by_who_saw_all_end)
{
    begin("threads:2");
    submit(&g.futures[0], run);
    submit(&g.futures[1], run);
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmd_future_wait(g.futures[i], RMD_FOREVER) == 0);
    free_group();
    for (int i = 0; i < 2; i++)
        rmd_future_free(g.futures[i]);
    free_pool();
}

static void wait_for_group(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmd_group_wait(g.group, RMD_FOREVER) == 0);
}

static void wait_a_while(void *arg)
{
    (void)arg;
    int err = rmd_group_wait(g.group, rmd_after_ms(1));
    RMD_ASSERT(err == 0 || err == RMD_ETIMEDOUT);
}

HARNESS(group_is_waited_for_by_several)
{
    crew all = { 0 };
    begin("threads:1");
    submit(NULL, run);
    crew_add(&all, wait_for_group, NULL, "waits");
    crew_add(&all, wait_a_while, NULL, "waits a while");
    crew_add(&all, submit_two, NULL, "submits");
    submit(NULL, run);
    RMD_ASSERT(rmd_group_wait(g.group, RMD_FOREVER) == 0);
    crew_join(&all);
    wait_for_group(NULL);
    RMD_ASSERT(runs() == 4);
    free_group();
    free_pool();
}

/* A group that is not empty is not freed. */
HARNESS(group_with_tasks_is_busy)
{
    begin("threads:1");
    submit(NULL, until_cancelled);
    RMD_ASSERT(rmd_group_free(g.group) == RMD_EBUSY);
    RMD_ASSERT(rmd_group_wait(g.group, RMD_NOW) == RMD_ETIMEDOUT);
    rmdi_event_set(&g.gate);
    wait_for_group(NULL);
    free_group();
    free_pool();
}

/* ---- inside a task ---- */

static int wait_inside(void *arg)
{
    rmd_group *outer = g.group;
    int err = 0;
    (void)arg;
    RMD_WITH_GROUP (group, RMD_FOREVER, &err) {
        rmd_task_options options = { .size = sizeof options, .group = group };
        for (int i = 0; i < 2; i++) {
            err = rmd_submit(g.pool, NULL, run, NULL, &options);
            RMD_ASSERT(err == 0 || err == RMD_ECLOSED);
            if (err == 0)
                rmd_atomic_add(&g.accepted, 1, RMD_RELAXED);
        }
    }
    RMD_ASSERT(err == 0 && outer == g.group);
    return 0;
}

HARNESS(group_is_waited_for_inside_a_task)
{
    begin("threads:1");
    rmd_future *future;
    RMD_ASSERT(rmd_submit(g.pool, &future, wait_inside, NULL, NULL) == 0);
    RMD_ASSERT(rmd_future_wait(future, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_future_error(future) == 0);
    rmd_future_free(future);
    RMD_ASSERT(rmd_group_free(g.group) == 0);
    rmd_atomic_add(&g.accepted, 1, RMD_RELAXED);
    free_pool();
}

static int wait_for_own(void *arg)
{
    (void)arg;
    int err = rmd_group_wait(g.group, RMD_FOREVER);
    RMD_ASSERT(err == RMD_EDEADLK || err == 0);
    if (err < 0)
        rmd_atomic_add(&g.runs, 1, RMD_RELAXED);
    return 0;
}

/* Two of one group, that wait for it. The second finds itself alone, or is refused, too. */
HARNESS(group_that_waits_for_itself_is_refused)
{
    begin(rmd_explore_choose(2) ? "threads:1" : "threads:2");
    submit(NULL, wait_for_own);
    submit(NULL, wait_for_own);
    wait_for_group(NULL);
    RMD_ASSERT(runs() >= 1);
    free_group();
    free_pool();
}

/* ---- cancel ---- */

static void cancel_group(void *arg)
{
    (void)arg;
    rmd_group_cancel(g.group);
}

HARNESS(group_cancel_misses_none)
{
    begin("threads:2");
    submit(NULL, until_cancelled);
    submit(NULL, until_cancelled);
    submit(NULL, until_cancelled);
    if (rmd_explore_choose(2))
        RMD_ASSERT(rmdi_event_wait(&g.begun, RMD_FOREVER) == 0);
    rmd_group_cancel(g.group);
    wait_for_group(NULL);
    free_group();
    free_pool();
}

/* And one that is cancelled starts nothing more. */
static int count_starts(void *arg)
{
    RMD_ASSERT(arg == NULL);
    until_cancelled(arg);
    return RMD_ECANCELED;
}

HARNESS(group_cancel_starts_nothing)
{
    begin("threads:1");
    submit(NULL, count_starts);
    RMD_ASSERT(rmdi_event_wait(&g.begun, RMD_FOREVER) == 0);
    submit(NULL, run);
    submit(NULL, run);
    rmd_group_cancel(g.group);
    wait_for_group(NULL);
    RMD_ASSERT(runs() == 1);
    free_group();
    free_pool();
}

/* While one that waits for it runs its tasks itself. */
HARNESS(group_cancel_against_helping)
{
    crew all = { 0 };
    begin("threads:1");
    submit(NULL, run);
    submit(NULL, run);
    crew_add(&all, cancel_group, NULL, "cancels");
    crew_add(&all, wait_for_group, NULL, "waits");
    wait_for_group(NULL);
    crew_join(&all);
    free_group();
    free_pool();
}

HARNESS(group_cancel_against_submission)
{
    crew all = { 0 };
    begin("threads:1");
    crew_add(&all, submit_two, NULL, "submits");
    crew_add(&all, submit_many, NULL, "submits many");
    crew_add(&all, cancel_group, NULL, "cancels");
    crew_join(&all);
    wait_for_group(NULL);
    free_group();
    free_pool();
}

static void close_pool(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmd_pool_close(g.pool) == 0);
}

/* In the group, and then not accepted after all. */
static void cancel_what_is_refused(void (*meanwhile)(void *arg))
{
    crew all = { 0 };
    begin("threads:1?queue=1");
    crew_add(&all, submit_two_with_limits, NULL, "submits");
    crew_add(&all, submit_many, NULL, "submits many");
    crew_add(&all, meanwhile, NULL, "meanwhile");
    if (rmd_explore_choose(2))
        crew_add(&all, close_pool, NULL, "closes");
    crew_join(&all);
    wait_for_group(NULL);
    free_group();
    free_pool();
}

HARNESS(group_cancel_against_refusal)
{
    cancel_what_is_refused(cancel_group);
}

HARNESS(group_helping_against_refusal)
{
    cancel_what_is_refused(wait_for_group);
}

/* A full queue inside a task: in place, unless it is cancelled before. */
static int submit_inside(void *arg)
{
    submit(NULL, run);
    submit(NULL, run);
    return run(arg);
}

HARNESS(group_cancel_against_running_in_place)
{
    crew all = { 0 };
    begin("threads:1?queue=1");
    submit(NULL, submit_inside);
    crew_add(&all, cancel_group, NULL, "cancels");
    submit(NULL, run);
    crew_join(&all);
    wait_for_group(NULL);
    free_group();
    free_pool();
}

/* ---- limits ---- */

HARNESS(group_of_late_tasks)
{
    rmd_task_options options;
    begin("threads:1");
    options = in_group();
    options.limits.total_ms_max = 1;
    options.limits.queue_ms_max = rmd_explore_choose(2);
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmd_submit(g.pool, NULL, until_cancelled, NULL, &options) == 0);
    rmd_atomic_add(&g.accepted, 2, RMD_RELAXED);
    wait_for_group(NULL);
    free_group();
    free_pool();
}

/* ---- a block ---- */

static void leave_block(void *arg)
{
    int err = -1;
    (void)arg;
    RMD_WITH_GROUP (group, RMD_FOREVER, &err) {
        rmd_task_options options = { .size = sizeof options, .group = group };
        int submitted = rmd_submit(g.pool, NULL, until_cancelled, NULL, &options);
        RMD_ASSERT(submitted == 0);
        rmd_atomic_add(&g.accepted, 1, RMD_RELAXED);
        break;
    }
}

HARNESS(group_of_a_block_that_is_left)
{
    crew all = { 0 };
    begin("threads:1");
    crew_add(&all, leave_block, NULL, "leaves");
    leave_block(NULL);
    crew_join(&all);
    RMD_ASSERT(rmd_group_free(g.group) == 0);
    free_pool();
}

HARNESS(group_without_memory, .faults_max = 1, .fail_allocations = true)
{
    memset(&g, 0, sizeof g);
    if (rmd_pool_open(&g.pool, "threads:1", NULL, RMD_FOREVER) < 0)
        return;
    int n = 0, err = 0;
    RMD_WITH_GROUP (group, RMD_FOREVER, &err) {
        rmd_task tasks[2] = { { run, NULL }, { run, NULL } };
        rmd_task_options options = { .size = sizeof options, .group = group };
        int one = rmd_submit(g.pool, NULL, run, NULL, &options);
        int64_t many = rmd_submit_many(g.pool, NULL, tasks, 2, &options);
        RMD_ASSERT((one == 0 || one == RMD_ENOMEM) && (many > 0 || many == RMD_ENOMEM));
        n = (one == 0) + (many > 0 ? (int)many : 0);
    }
    RMD_ASSERT(err == 0 || (err == RMD_ENOMEM && n == 0));
    rmd_atomic_init(&g.accepted, n);
    RMD_ASSERT(runs() == accepted());
    free_pool();
}
