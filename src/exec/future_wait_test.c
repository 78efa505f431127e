/* SPDX-License-Identifier: MIT */
#include "kit.h"

#include <remuda/error.h>
#include <remuda/event.h>
#include <remuda/pool.h>
#include <remuda/promise.h>
#include <remuda/select.h>
#include <remuda/task.h>
#include <remuda/thread.h>

static rmd_deadline soon(void)
{
    return rmd_after_ms(20000);
}

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
