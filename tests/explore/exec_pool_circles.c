/* SPDX-License-Identifier: MIT */
/* Tasks of a threads pool that wait for each other: one of each circle is refused, and nobody whose
 * wait may still end. */
#include "pool_stage.h"

#include <string.h>

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

/* ---- for any of several ---- */

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

/* ---- for the end of a pool ---- */

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
