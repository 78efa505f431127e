/* SPDX-License-Identifier: MIT */
/* The threads pool as a whole: what is accepted runs once or is cancelled, has one end, and is
 * counted; whoever waits is woken; nobody waits for himself; at the end all threads and all memory
 * are gone. */
#include "crew.h"
#include "exec/function.h"
#include "exec/threads.h"
#include "pool_stage.h"
#include "port/clock.h"

#include <string.h>

static int wait_for_gate(void *arg)
{
    run(arg);
    rmdi_event_set(&stage.begun);
    return rmdi_event_wait(&stage.gate, RMD_FOREVER);
}

static int until_cancelled(void *arg)
{
    run(arg);
    rmdi_event_set(&stage.begun);
    int err = rmdi_event_wait(&stage.gate, RMD_FOREVER);
    RMD_ASSERT(err == RMD_ECANCELED && rmd_task_cancelled());
    return err;
}

/* ---- submit and wait ---- */

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

/* ---- tasks that wait for tasks ---- */

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

/* ---- circles ---- */

static int wait_for_other(void *arg)
{
    rmd_future **other = arg;
    int err = rmdi_event_wait(&stage.begun, RMD_FOREVER);
    RMD_ASSERT(err == 0);
    err = rmd_future_wait(*other, RMD_FOREVER);
    RMD_ASSERT(err == 0 || err == RMD_EDEADLK);
    if (err < 0) {
        RMD_ASSERT(strstr(rmd_error_detail(), "waits for") != NULL);
        rmd_atomic_add(&stage.refused, 1, RMD_RELAXED);
    }
    return err;
}

static void meet_in_a_circle(const char *kind, int n)
{
    open_pool(kind);
    for (int i = 0; i < n; i++)
        RMD_ASSERT(rmd_submit(stage.pool, &stage.futures[i], wait_for_other,
                              &stage.futures[(i + 1) % n], NULL) == 0);
    rmdi_event_set(&stage.begun);
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    RMD_ASSERT(refused() >= 1);
    free_futures(n);
    free_pool((uint64_t)n);
}

HARNESS(pool_a_circle_of_two_is_refused)
{
    meet_in_a_circle("threads:2", 2);
}

/* One worker: they run on top of each other, or on a spare. */
HARNESS(pool_a_circle_on_one_worker_is_refused)
{
    meet_in_a_circle("threads:1", 2);
}

HARNESS(pool_a_circle_of_three_is_refused)
{
    meet_in_a_circle("threads:2", 3);
}

HARNESS(pool_a_task_that_waits_for_itself_is_refused)
{
    meet_in_a_circle("threads:1", 1);
}

HARNESS(pool_a_task_that_waits_for_what_comes_after_it_is_refused)
{
    open_pool("threads:1");
    RMD_ASSERT(rmd_submit(stage.pool, &stage.futures[0], wait_for_other, &stage.futures[1], NULL) ==
               0);
    RMD_ASSERT(rmd_then(stage.pool, &stage.futures[1], stage.futures[0], go_on, NULL, NULL) == 0);
    rmdi_event_set(&stage.begun);
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    RMD_ASSERT(refused() == 1);
    RMD_ASSERT(rmd_future_error(stage.futures[1]) == RMD_EDEADLK);
    free_futures(2);
    free_pool(2);
}

static int wait_for_any_of(rmd_future *const *futures, size_t n)
{
    RMD_ASSERT(rmdi_event_wait(&stage.begun, RMD_FOREVER) == 0);
    int64_t found = rmd_futures_wait(futures, n, RMD_WAIT_ANY, RMD_FOREVER);
    RMD_ASSERT(found >= 0 || found == RMD_EDEADLK);
    rmd_atomic_add(&stage.refused, found < 0, RMD_RELAXED);
    return found < 0 ? (int)found : 0;
}

/* It takes part in the circle with all others. */
static int wait_for_any_other(void *arg)
{
    unsigned self = (unsigned)((rmd_future **)arg - stage.futures);
    RMD_ASSERT(rmdi_event_wait(&stage.begun, RMD_FOREVER) == 0);
    rmd_future *others[2] = { stage.futures[(self + 1) % 3], stage.futures[(self + 2) % 3] };
    return wait_for_any_of(others, 2);
}

HARNESS(pool_a_circle_of_waits_for_any_is_refused)
{
    unsigned any = 1 + rmd_explore_choose(7); /* of which each does; the others for the next */
    open_pool("threads:2");
    for (int i = 0; i < 3; i++)
        RMD_ASSERT(rmd_submit(stage.pool, &stage.futures[i],
                              any >> i & 1 ? wait_for_any_other : wait_for_other,
                              &stage.futures[any >> i & 1 ? i : (i + 1) % 3], NULL) == 0);
    rmdi_event_set(&stage.begun);
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    RMD_ASSERT(refused() >= 1);
    free_futures(3);
    free_pool(3);
}

static int wait_for_any_but_first(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmdi_event_wait(&stage.gate, RMD_FOREVER) == 0); /* the other one has begun */
    return wait_for_any_of(&stage.futures[1], 2);
}

static int begin_and_wait_for_other(void *arg)
{
    rmdi_event_set(&stage.gate);
    return wait_for_other(arg);
}

static void complete(void *promise)
{
    RMD_ASSERT(rmd_promise_set(promise, 1) == 0);
    rmd_promise_free(promise);
}

HARNESS(pool_a_wait_for_any_that_may_end_is_not_refused)
{
    crew all = { 0 };
    rmd_promise *promise;
    open_pool("threads:2");
    RMD_ASSERT(rmd_promise_open(&promise, &stage.futures[2], NULL) == 0);
    RMD_ASSERT(submit_child(&stage.futures[0], wait_for_any_but_first) == 0);
    RMD_ASSERT(rmd_submit(stage.pool, &stage.futures[1], begin_and_wait_for_other,
                          &stage.futures[0], NULL) == 0);
    rmdi_event_set(&stage.begun);
    crew_add(&all, complete, promise, "keeps");
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    RMD_ASSERT(refused() == 0);
    crew_join(&all);
    free_futures(3);
    free_pool(2);
}

/* Two wait for the next of the same, and are all that is left. */
static int wait_for_next(void *arg)
{
    rmd_future *next;
    RMD_ASSERT(rmdi_event_wait(&stage.begun, RMD_FOREVER) == 0);
    int err = rmd_completions_next(*(rmd_completions **)arg, &next, RMD_FOREVER);
    RMD_ASSERT(err == 0 || err == RMD_EDEADLK);
    rmd_atomic_add(&stage.refused, err < 0, RMD_RELAXED);
    return err;
}

HARNESS(pool_completions_of_those_who_wait_for_them_are_refused)
{
    rmd_completions *ends;
    open_pool("threads:2");
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmd_submit(stage.pool, &stage.futures[i], wait_for_next, &ends, NULL) == 0);
    RMD_ASSERT(rmd_completions_open(&ends, stage.futures, 2) == 0);
    rmdi_event_set(&stage.begun);
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    RMD_ASSERT(refused() >= 1);
    rmd_completions_free(ends);
    free_futures(2);
    free_pool(2);
}

/* Of another pool: each waits for the other one's end, or for the task in it. */
static struct {
    rmd_pool *pool;
    bool drains;
} ends[2];

static int wait_for_end(void *arg)
{
    unsigned other = arg == &ends[0];
    RMD_ASSERT(rmdi_event_wait(&stage.begun, RMD_FOREVER) == 0);
    int err = ends[!other].drains ? rmd_pool_drain(ends[other].pool, RMD_FOREVER)
                                  : rmd_future_wait(stage.futures[other], RMD_FOREVER);
    RMD_ASSERT(err == 0 || err == RMD_EDEADLK);
    rmd_atomic_add(&stage.refused, err < 0, RMD_RELAXED);
    return err;
}

HARNESS(pool_a_circle_through_the_end_of_a_pool_is_refused)
{
    open_pool("threads:1");
    ends[0].pool = stage.pool;
    RMD_ASSERT(rmd_pool_open(&ends[1].pool, "threads:1", NULL, RMD_FOREVER) == 0);
    ends[0].drains = true;
    ends[1].drains = rmd_explore_choose(2);
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmd_submit(ends[i].pool, &stage.futures[i], wait_for_end, &ends[i], NULL) == 0);
    rmdi_event_set(&stage.begun);
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmd_future_wait(stage.futures[i], RMD_FOREVER) == 0);
    RMD_ASSERT(refused() == 1);
    free_futures(2);
    RMD_ASSERT(rmd_pool_drain(ends[1].pool, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_pool_free(ends[1].pool) == 0);
    close_pool(1);
}

/* ---- cancel ---- */

static void check_cancelled_or_run(rmd_future *future, int n)
{
    rmd_outcome outcome = rmd_future_outcome(future);
    if (outcome == RMD_OUTCOME_CANCELLED)
        RMD_ASSERT(rmd_future_error(future) == RMD_ECANCELED);
    else
        RMD_ASSERT(outcome == RMD_OUTCOME_OK && n == 1);
}

HARNESS(pool_cancel_comes_before_the_start_or_after)
{
    crew all = { 0 };
    open_pool("threads:1");
    RMD_ASSERT(submit_child(&stage.futures[0], run) == 0);
    crew_add(&all, cancel_first, NULL, "cancels 1");
    crew_add(&all, cancel_first, NULL, "cancels 2");
    if (rmd_explore_choose(2))
        RMD_ASSERT(rmd_future_wait(stage.futures[0], RMD_FOREVER) == 0);
    crew_join(&all);
    RMD_ASSERT(rmd_future_wait(stage.futures[0], RMD_FOREVER) == 0);
    check_cancelled_or_run(stage.futures[0], runs());
    free_futures(1);
    close_pool(1);
}

HARNESS(pool_cancel_ends_what_waits_inside)
{
    crew all = { 0 };
    open_pool("threads:1");
    RMD_ASSERT(submit_child(&stage.futures[0], until_cancelled) == 0);
    crew_add(&all, cancel_first, NULL, "cancels");
    RMD_ASSERT(rmd_future_wait(stage.futures[0], RMD_FOREVER) == 0);
    crew_join(&all);
    RMD_ASSERT(rmd_future_outcome(stage.futures[0]) == RMD_OUTCOME_CANCELLED);
    free_futures(1);
    close_pool(1);
}

/* Whatever was submitted before it is told, wherever it is just then. */
HARNESS(pool_cancel_of_all_misses_none)
{
    open_pool(rmd_explore_choose(2) ? "threads:1" : "threads:2");
    RMD_ASSERT(submit_child(NULL, until_cancelled) == 0);
    RMD_ASSERT(submit_child(NULL, until_cancelled) == 0);
    if (rmd_explore_choose(2))
        RMD_ASSERT(rmdi_event_wait(&stage.begun, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_pool_cancel(stage.pool, false) == 0);
    close_pool(2);
}

HARNESS(pool_abort_stops_what_begins)
{
    crew all = { 0 };
    open_pool("threads:2");
    RMD_ASSERT(submit_child(NULL, until_cancelled) == 0);
    RMD_ASSERT(submit_child(&stage.futures[0], until_cancelled) == 0);
    crew_add(&all, cancel_first, NULL, "cancels");
    RMD_ASSERT(rmd_pool_abort(stage.pool, RMD_FOREVER) == 0);
    crew_join(&all);
    free_futures(1);
    free_pool(2);
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

/* ---- a full queue ---- */

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

/* ---- the end ---- */

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

static void drain_it(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
}

HARNESS(pool_drained_by_two)
{
    crew all = { 0 };
    open_pool("threads:2");
    RMD_ASSERT(submit_child(NULL, submit_two) == 0);
    crew_add(&all, drain_it, NULL, "drains");
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    crew_join(&all);
    close_pool_at_most(3); /* once more */
}

static void drain_impatiently(void *arg)
{
    (void)arg;
    int err = rmd_pool_drain(stage.pool, rmd_after_ms(1));
    /* Stuck: the grace has passed, too, which takes no time here. */
    RMD_ASSERT(err == 0 || err == RMD_ETIMEDOUT || err == RMD_ESTUCK);
}

/* What has not ended at the deadline is cancelled, also if another one is patient. */
HARNESS(pool_drained_by_one_who_is_impatient)
{
    crew all = { 0 };
    open_pool("threads:1");
    RMD_ASSERT(submit_child(NULL, until_cancelled) == 0);
    RMD_ASSERT(submit_child(NULL, until_cancelled) == 0);
    crew_add(&all, drain_impatiently, NULL, "drains a while");
    if (rmd_explore_choose(2))
        crew_add(&all, drain_it, NULL, "drains");
    crew_join(&all);
    close_pool(2);
}

/* ---- callbacks ---- */

static void call_and_free(rmd_future *future, void *ctx)
{
    count_call(future, ctx);
    rmd_future_free(future);
}

static void bring_two(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmd_future_on_end(stage.futures[0], count_call, NULL) == 0);
    RMD_ASSERT(rmd_future_on_end(stage.futures[0], call_and_free, NULL) == 0);
}

/* Before the end, at it, after it, while the pool is drained, and when it has been. */
HARNESS(pool_callbacks_run_whenever_they_come)
{
    crew all = { 0 };
    open_pool("threads:1");
    RMD_ASSERT(submit_child(&stage.futures[0], rmd_explore_choose(2) ? run : fail) == 0);
    crew_add(&all, bring_two, NULL, "brings");
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    crew_join(&all);
    RMD_ASSERT(calls() == 2);
    free_pool(1);
}

/* A drain waits for those that were brought before it. */
HARNESS(pool_drain_waits_for_callbacks)
{
    crew all = { 0 };
    open_pool("threads:2");
    RMD_ASSERT(submit_child(&stage.futures[0], run) == 0);
    bring_two(NULL);
    if (rmd_explore_choose(2))
        RMD_ASSERT(submit_child(NULL, run) == 0);
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    RMD_ASSERT(calls() == 2);
    free_pool((uint64_t)runs());
    crew_join(&all);
}

static void bring_one(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmd_future_on_end(stage.futures[0], call_and_free, NULL) == 0);
}

/* Who brings it has not returned when it has run, and freed the handle, and the pool is gone. */
HARNESS(pool_is_freed_while_a_callback_is_brought)
{
    crew all = { 0 };
    open_pool("threads:1");
    RMD_ASSERT(submit_child(&stage.futures[0], run) == 0);
    crew_add(&all, bring_one, NULL, "brings");
    close_pool(1);
    crew_join(&all);
    RMD_ASSERT(calls() == 1);
}

static void submit_more(rmd_future *future, void *ctx)
{
    (void)ctx;
    (void)future;
    int err = submit_child(NULL, until_cancelled);
    RMD_ASSERT(err == 0 || err == RMD_ECLOSED);
    rmd_atomic_add(&stage.refused, err < 0, RMD_RELAXED);
}

static void bring_more(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmd_future_on_end(stage.futures[0], submit_more, NULL) == 0);
}

/* Of a task that has ended long ago: a drain sees what it has submitted, and cancels that. */
HARNESS(pool_drain_sees_what_a_late_callback_submits)
{
    crew all = { 0 };
    open_pool(rmd_explore_choose(2) ? "threads:1" : "threads:2");
    RMD_ASSERT(submit_child(&stage.futures[0], run) == 0);
    RMD_ASSERT(rmd_future_wait(stage.futures[0], RMD_FOREVER) == 0);
    crew_add(&all, bring_more, NULL, "brings");
    int err = rmd_pool_drain(stage.pool, rmd_after_ms(1));
    RMD_ASSERT(err == 0 || err == RMD_ETIMEDOUT || err == RMD_ESTUCK);
    crew_join(&all);
    close_pool_at_most(2);
    free_futures(1);
}

/* Of a task that never began they run, too, and on a worker. */
static void be_on_worker(rmd_future *future, void *ctx)
{
    RMD_ASSERT(strncmp(rmd_worker_name(), "threads-", 8) == 0);
    count_call(future, ctx);
}

HARNESS(pool_callbacks_of_what_was_cancelled)
{
    open_pool("threads:1");
    RMD_ASSERT(submit_child(&stage.futures[0], run) == 0);
    RMD_ASSERT(rmd_future_on_end(stage.futures[0], be_on_worker, NULL) == 0);
    cancel_first(NULL);
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    RMD_ASSERT(calls() == 1);
    free_futures(1);
    free_pool(1);
}

/* ---- limits ---- */

static int sleep_or_not(void *arg)
{
    run(arg);
    return rmd_explore_choose(2) ? rmdi_event_wait(&stage.gate, RMD_FOREVER) : 0;
}

static rmd_task_options limited(void)
{
    rmd_limits limits = { .attempts_max = 1 + rmd_explore_choose(2) };
    switch (rmd_explore_choose(3)) {
    case 0: limits.queue_ms_max = 1; break;
    case 1: limits.run_ms_max = 1; break;
    default: break;
    }
    limits.total_ms_max = 2; /* then it ends in any case */
    return (rmd_task_options){ .size = sizeof(rmd_task_options), .limits = limits };
}

HARNESS(pool_limits_end_what_is_late_once)
{
    crew all = { 0 };
    open_pool("threads:1");
    rmd_task_options options = limited();
    RMD_ASSERT(rmd_submit(stage.pool, &stage.futures[0], sleep_or_not, NULL, &options) == 0);
    RMD_ASSERT(rmd_submit(stage.pool, NULL, sleep_or_not, NULL, &options) == 0);
    if (rmd_explore_choose(2))
        crew_add(&all, cancel_first, NULL, "cancels");
    RMD_ASSERT(rmd_future_wait(stage.futures[0], RMD_FOREVER) == 0);
    crew_join(&all);
    rmd_outcome outcome = rmd_future_outcome(stage.futures[0]);
    RMD_ASSERT(outcome == RMD_OUTCOME_OK || outcome == RMD_OUTCOME_TIMEOUT ||
               outcome == RMD_OUTCOME_CANCELLED);
    free_futures(1);
    close_pool(2);
}

static int fail_once(void *arg)
{
    (void)arg;
    return rmd_atomic_add(&stage.runs, 1, RMD_RELAXED) ? 0 : cause;
}

HARNESS(pool_tries_again)
{
    rmd_task_options options = { .size = sizeof options, .limits = { .attempts_max = 2 } };
    open_pool("threads:1");
    RMD_ASSERT(rmd_submit(stage.pool, &stage.futures[0], fail_once, NULL, &options) == 0);
    RMD_ASSERT(rmd_future_wait(stage.futures[0], RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_future_error(stage.futures[0]) == 0 && runs() == 2);
    free_futures(1);
    close_pool(1);
}

static int64_t failed_ns;

/* The second attempt looks for some time whether it is told to stop. */
static int fail_and_look(void *arg)
{
    if (fail_once(arg) < 0) {
        failed_ns = rmdi_clock_monotonic_ns();
        return cause;
    }
    for (int i = 0; i < 4; i++)
        if (rmd_task_cancelled()) {
            RMD_ASSERT(rmdi_clock_monotonic_ns() - failed_ns >= 1000000);
            return RMD_ECANCELED;
        }
    return 0;
}

HARNESS(pool_limit_of_an_attempt_is_not_that_of_the_next)
{
    rmd_limits limits = { .attempts_max = 2, .run_ms_max = 1 };
    rmd_task_options options = { .size = sizeof options, .limits = limits };
    open_pool("threads:1");
    RMD_ASSERT(rmd_submit(stage.pool, NULL, fail_and_look, NULL, &options) == 0);
    close_pool(1);
    RMD_ASSERT(runs() >= 1);
}

/* ---- after another one ---- */

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

/* ---- what does not go well ---- */

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

HARNESS(pool_lists_failures_that_were_overlooked)
{
    open_pool("threads:2");
    RMD_ASSERT(submit_child(&stage.futures[0], fail) == 0);
    RMD_ASSERT(submit_child(NULL, fail) == 0);
    RMD_ASSERT(rmd_pool_overlooked(stage.pool, look_at, NULL, NULL) == 0);
    RMD_ASSERT(rmd_pool_drain(stage.pool, RMD_FOREVER) == 0);
    rmd_atomic_store(&stage.calls, 0, RMD_RELAXED);
    bool seen = rmd_explore_choose(2);
    RMD_ASSERT(!seen || rmd_future_error(stage.futures[0]) == cause);
    bool freed = rmd_explore_choose(2);
    if (freed)
        free_futures(1);
    RMD_ASSERT(rmd_pool_overlooked(stage.pool, look_at, NULL, NULL) == 0);
    RMD_ASSERT(calls() == (seen ? 1 : 2));
    if (!freed)
        free_futures(1);
    free_pool(2);
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
