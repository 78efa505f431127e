/* SPDX-License-Identifier: MIT */
#include "kit.h"
#include "kit_soon.h"

#include <remuda/error.h>
#include <remuda/event.h>
#include <remuda/pool.h>
#include <remuda/promise.h>
#include <remuda/select.h>
#include <remuda/task.h>
#include <remuda/thread.h>
#include <sched.h>

static void complete(void *promise)
{
    CHECK_EQ(rmd_promise_set(promise, 1), 0);
}

TEST(a_future_is_one_of_the_things_that_a_select_waits_for)
{
    rmd_event *event;
    rmd_promise *promise;
    rmd_future *future;
    rmd_thread *thread;
    REQUIRE(rmd_event_open(&event) == 0);
    REQUIRE(rmd_promise_open(&promise, &future, NULL) == 0);
    rmd_waitable what[] = { rmd_event_waitable(event), rmd_future_waitable(future) };
    CHECK_EQ(rmd_select(what, 2, RMD_NOW), RMD_ETIMEDOUT);
    REQUIRE(rmd_thread_start(&thread, complete, promise, NULL) == 0);
    CHECK_EQ(rmd_select(what, 2, soon()), 1);
    CHECK_EQ(rmd_select(what, 2, RMD_NOW), 1); /* and stays so */
    CHECK_EQ(rmd_thread_join(thread, soon()), 0);
    rmd_thread_free(thread);
    what[1] = rmd_future_waitable(NULL);
    CHECK_EQ(rmd_select(what, 2, RMD_NOW), RMD_EINVAL);
    rmd_promise_free(promise);
    rmd_future_free(future);
    CHECK_EQ(rmd_event_free(event), 0);
}

/* ---- nested, 10,000 deep ---- */

typedef struct level {
    rmd_pool *pool;
    int left;
} level;

static int nest_by_futures(void *arg)
{
    level *here = arg, next = { here->pool, here->left - 1 };
    rmd_future *future;
    if (!here->left)
        return 0;
    int err = rmd_submit(here->pool, &future, nest_by_futures, &next, NULL);
    if (err == 0)
        err = rmd_future_wait(future, RMD_FOREVER);
    if (err == 0)
        err = rmd_future_error(future);
    rmd_future_free(future);
    return err;
}

static int nest_by_groups(void *arg)
{
    level *here = arg, next = { here->pool, here->left - 1 };
    int err = 0;
    if (!here->left)
        return 0;
    RMD_WITH_GROUP (group, RMD_FOREVER, &err) {
        rmd_task_options options = { .size = sizeof options, .group = group };
        CHECK_EQ(rmd_submit(here->pool, NULL, nest_by_groups, &next, &options), 0);
    }
    return err;
}

static void nest(const char *kind, rmd_task_fn *fn, int depth)
{
    rmd_pool *pool;
    rmd_future *future;
    rmd_census census;
    REQUIRE(rmd_pool_open(&pool, kind, NULL, soon()) == 0);
    level first = { pool, depth };
    REQUIRE(rmd_submit(pool, &future, fn, &first, NULL) == 0);
    CHECK_EQ(rmd_future_wait(future, rmd_after_ms(60000)), 0);
    CHECK_EQ(rmd_future_error(future), 0);
    rmd_future_free(future);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_census(pool, &census), 0);
    CHECK_EQ(census.ok, (uint64_t)depth + 1);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

/* The address sanitizer makes frames several times as large. */
enum { DEPTH = KIT_SANITIZED ? 2000 : 10000 };

TEST(waits_for_futures_nest_ten_thousand_deep_on_one_worker_and_on_two)
{
    nest("threads:1", nest_by_futures, DEPTH);
    nest("threads:2", nest_by_futures, DEPTH);
}

TEST(waits_for_groups_nest_ten_thousand_deep_on_one_worker_and_on_two)
{
    nest("threads:1", nest_by_groups, DEPTH);
    nest("threads:2", nest_by_groups, DEPTH);
}

/* ---- nested deeper than a stack has room ---- */

/* Takes a good part of a small stack. */
static int nest_small(void *arg)
{
    level *here = arg, next = { here->pool, here->left - 1 };
    volatile char much[24 * 1024];
    rmd_future *future;
    much[here->left] = 1;
    if (!here->left || !much[here->left])
        return 0;
    int err = rmd_submit(here->pool, &future, nest_small, &next, NULL);
    if (err < 0)
        return err;
    err = rmd_future_wait(future, RMD_FOREVER);
    if (err == 0)
        err = rmd_future_error(future);
    else /* refused: it has not begun, and uses what lies on our stack */
        CHECK_EQ(rmd_future_cancel(future), 0);
    rmd_future_free(future);
    return err;
}

TEST(waits_that_nest_too_deep_for_all_stacks_are_refused_and_not_silent)
{
    rmd_pool *pool;
    rmd_future *future;
    rmd_pool_options options = { .size = sizeof options, .stack_bytes = 128 * 1024 };
    REQUIRE(rmd_pool_open(&pool, "threads:2", &options, soon()) == 0);
    level shallow = { pool, 3 }, deep = { pool, 1000 };
    REQUIRE(rmd_submit(pool, &future, nest_small, &shallow, NULL) == 0);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_error(future), 0);
    rmd_future_free(future);
    REQUIRE(rmd_submit(pool, &future, nest_small, &deep, NULL) == 0);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_error(future), RMD_EDEADLK);
    CHECK_CONTAINS(rmd_error_detail(), "nested too deep");
    rmd_future_free(future);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
    options.stack_bytes = 1000;
    CHECK_EQ(rmd_pool_open(&pool, "threads:2", &options, soon()), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "stack_bytes is 1000");
    options.stack_bytes = SIZE_MAX;
    CHECK_EQ(rmd_pool_open(&pool, "threads:2", &options, soon()), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "stack_bytes is 18446744073709551615");
}

/* ---- the last worker ---- */

/* A pool of one worker, and its one spare: both wait for the same, and there is other work. */
static struct {
    rmd_pool *pool;
    rmd_event *gate;
    rmd_future *awaited, *waiting[2];
} last;

static int wait_for_gate(void *arg)
{
    (void)arg;
    return rmd_event_wait(last.gate, RMD_FOREVER);
}

static int wait_for_awaited(void *arg)
{
    (void)arg;
    int err = rmd_future_wait(last.awaited, RMD_FOREVER);
    return err < 0 ? err : rmd_future_error(last.awaited);
}

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int go_on(rmd_future *first, void *arg)
{
    (void)first;
    return do_nothing(arg);
}

static void submit_last(rmd_future **future)
{
    rmd_task_options options = { .size = sizeof options, .priority = RMD_PRIORITY_LOW };
    REQUIRE(rmd_submit(last.pool, future, do_nothing, NULL, &options) == 0);
}

/* Nothing begins before the gate opens. */
static void open_last(void)
{
    REQUIRE(rmd_event_open(&last.gate) == 0);
    REQUIRE(rmd_pool_open(&last.pool, "threads:1", NULL, soon()) == 0);
    REQUIRE(rmd_submit(last.pool, NULL, wait_for_gate, NULL, NULL) == 0);
    for (int i = 0; i < 2; i++)
        REQUIRE(rmd_submit(last.pool, &last.waiting[i], wait_for_awaited, NULL, NULL) == 0);
}

static bool some_have_ended(void)
{
    return rmd_future_outcome(last.waiting[0]) != RMD_PENDING ||
           rmd_future_outcome(last.waiting[1]) != RMD_PENDING;
}

/* Until both wait. */
static void let_them_wait(void)
{
    rmd_statistics now = { 0 };
    rmd_event_set(last.gate);
    while (now.blocked < 2 && !some_have_ended()) {
        sched_yield();
        REQUIRE(rmd_pool_statistics(last.pool, &now) == 0);
    }
}

static void close_last(void)
{
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(rmd_future_wait(last.waiting[i], soon()), 0);
        CHECK_EQ(rmd_future_error(last.waiting[i]), 0);
        rmd_future_free(last.waiting[i]);
    }
    CHECK_EQ(rmd_pool_drain(last.pool, soon()), 0);
    CHECK_EQ(rmd_pool_free(last.pool), 0);
    CHECK_EQ(rmd_event_free(last.gate), 0);
}

TEST(the_last_worker_waits_for_a_promise_while_others_wait_for_it)
{
    rmd_promise *promise;
    open_last();
    REQUIRE(rmd_promise_open(&promise, &last.awaited, NULL) == 0);
    submit_last(NULL);
    let_them_wait();
    CHECK_EQ(rmd_promise_set(promise, 1), 0);
    close_last();
    rmd_promise_free(promise);
    rmd_future_free(last.awaited);
}

TEST(the_last_worker_waits_for_a_task_of_another_pool)
{
    rmd_pool *other;
    open_last();
    REQUIRE(rmd_pool_open(&other, "programs:1", NULL, soon()) == 0);
    static const char *const argv[] = { "true", NULL };
    rmd_command command = { .size = sizeof command, .argv = argv };
    REQUIRE(rmd_pool_suspend(other) == 0);
    REQUIRE(rmd_pool_exec(other, &last.awaited, &command) == 0);
    submit_last(NULL);
    let_them_wait();
    CHECK_EQ(rmd_pool_resume(other), 0);
    close_last();
    rmd_future_free(last.awaited);
    CHECK_EQ(rmd_pool_drain(other, soon()), 0);
    CHECK_EQ(rmd_pool_free(other), 0);
}

TEST(the_last_worker_runs_what_it_waits_for_by_a_chain)
{
    rmd_future *first;
    open_last();
    submit_last(&first);
    REQUIRE(rmd_then(last.pool, &last.awaited, first, go_on, NULL, NULL) == 0);
    rmd_event_set(last.gate);
    close_last();
    rmd_future_free(first);
    rmd_future_free(last.awaited);
}

/* ---- long chains ---- */

/* All of it ends with its first, and is freed with its last. */
static void end_long_chain(bool cancelled)
{
    enum { LINKS = 200000 };
    rmd_pool *pool;
    rmd_future *first, *next, *end;
    REQUIRE(rmd_event_open(&last.gate) == 0);
    REQUIRE(rmd_pool_open(&pool, "threads:1", NULL, soon()) == 0);
    REQUIRE(rmd_submit(pool, NULL, wait_for_gate, NULL, NULL) == 0);
    REQUIRE(rmd_submit(pool, &first, do_nothing, NULL, NULL) == 0);
    end = first;
    for (int i = 0; i < LINKS; i++, end = next) {
        REQUIRE(rmd_then(pool, &next, end, go_on, NULL, NULL) == 0);
        if (end != first)
            rmd_future_free(end);
    }
    if (cancelled)
        CHECK_EQ(rmd_future_cancel(first), 0);
    rmd_event_set(last.gate);
    CHECK_EQ(rmd_future_wait(end, rmd_after_ms(60000)), 0);
    CHECK_EQ(rmd_future_error(end), cancelled ? RMD_ECANCELED : 0);
    rmd_future_free(first);
    rmd_future_free(end);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
    CHECK_EQ(rmd_event_free(last.gate), 0);
}

TEST(a_chain_of_two_hundred_thousand_tasks_takes_no_stack)
{
    end_long_chain(false);
    end_long_chain(true);
}

static int wait_for_end(void *arg)
{
    return rmd_future_wait(*(rmd_future **)arg, RMD_FOREVER);
}

TEST(a_circle_is_looked_for_along_a_long_chain_on_a_small_stack)
{
    enum { LINKS = 20000 };
    rmd_pool_options options = { .size = sizeof options, .stack_bytes = 128 * 1024 };
    rmd_future *first, *next, *end, *waiting;
    rmd_statistics now = { 0 };
    REQUIRE(rmd_event_open(&last.gate) == 0);
    REQUIRE(rmd_pool_open(&last.pool, "threads:2", &options, soon()) == 0);
    REQUIRE(rmd_submit(last.pool, &first, wait_for_gate, NULL, NULL) == 0);
    end = first;
    for (int i = 0; i < LINKS; i++, end = next) {
        REQUIRE(rmd_then(last.pool, &next, end, go_on, NULL, NULL) == 0);
        rmd_future_free(end);
    }
    REQUIRE(rmd_submit(last.pool, &waiting, wait_for_end, &end, NULL) == 0);
    for (; now.blocked < 1; sched_yield())
        REQUIRE(rmd_pool_statistics(last.pool, &now) == 0);
    rmd_event_set(last.gate);
    CHECK_EQ(rmd_future_wait(waiting, rmd_after_ms(60000)), 0);
    CHECK_EQ(rmd_future_error(waiting), 0);
    rmd_future_free(waiting);
    rmd_future_free(end);
    CHECK_EQ(rmd_pool_drain(last.pool, soon()), 0);
    CHECK_EQ(rmd_pool_free(last.pool), 0);
    CHECK_EQ(rmd_event_free(last.gate), 0);
}

/* ---- two pools on one stack ---- */

typedef struct two_pools {
    rmd_pool *ours, *others;
    rmd_event *returned, *never;
} two_pools;

static int wait_for_nothing(rmd_pool *pool)
{
    rmd_future *future;
    int err = rmd_submit(pool, &future, do_nothing, NULL, NULL);
    if (err == 0)
        err = rmd_future_wait(future, RMD_FOREVER);
    rmd_future_free(future);
    return err;
}

/* On top of the task of our pool, as it has no stop token; and one of our pool on top of it. */
static int visit(void *arg)
{
    two_pools *two = arg;
    return wait_for_nothing(two->ours);
}

__attribute__((noinline)) static void overwrite_stack(void)
{
    volatile char bytes[8 * 1024];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)0xa5;
}

static int have_visitor(void *arg)
{
    two_pools *two = arg;
    rmd_future *future;
    rmd_stop *stop = rmd_stop_set(NULL);
    CHECK_EQ(rmd_submit(two->others, &future, visit, two, NULL), 0);
    CHECK_EQ(rmd_future_wait(future, RMD_FOREVER), 0);
    rmd_stop_set(stop);
    rmd_future_free(future);
    overwrite_stack();
    CHECK_EQ(rmd_event_set(two->returned), 0);
    return rmd_event_wait(two->never, soon());
}

static int hold_until_told(void *arg)
{
    return rmd_event_wait(arg, soon());
}

TEST(a_task_is_found_and_told_to_stop_after_one_of_another_pool_ran_on_top_of_it)
{
    two_pools two;
    rmd_future *future;
    REQUIRE(rmd_pool_open(&two.ours, "threads:1", NULL, soon()) == 0);
    REQUIRE(rmd_pool_open(&two.others, "threads:1", NULL, soon()) == 0);
    REQUIRE(rmd_event_open(&two.returned) == 0 && rmd_event_open(&two.never) == 0);
    /* Its only worker is busy, so that who waits for the visit runs it. */
    REQUIRE(rmd_submit(two.others, NULL, hold_until_told, two.returned, NULL) == 0);
    REQUIRE(rmd_submit(two.ours, &future, have_visitor, &two, NULL) == 0);
    CHECK_EQ(rmd_event_wait(two.returned, soon()), 0);
    CHECK_EQ(rmd_pool_cancel(two.ours, false), 0);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_CANCELLED);
    rmd_future_free(future);
    CHECK_EQ(rmd_pool_drain(two.ours, soon()), 0);
    CHECK_EQ(rmd_pool_drain(two.others, soon()), 0);
    CHECK_EQ(rmd_pool_free(two.ours), 0);
    CHECK_EQ(rmd_pool_free(two.others), 0);
    CHECK_EQ(rmd_event_free(two.returned), 0);
    CHECK_EQ(rmd_event_free(two.never), 0);
}
