/* SPDX-License-Identifier: MIT */
/* The memory of tasks: it is used again, given back after a burst, and all of it is gone when the
 * last handle is, be that after the pool. Counted by an allocator of our own. */
#include "kit.h"

#include "exec/threads.h"

#include <remuda/alloc.h>
#include <remuda/pool.h>
#include <stdlib.h>

enum { BURST = 20000 };

static rmd_atomic(int64_t) blocks, asked; /* that are allocated; that ever were */
static rmd_future *futures[BURST];

static void *allocate(void *ctx, size_t bytes)
{
    (void)ctx;
    rmd_atomic_add(&blocks, 1, RMD_RELAXED);
    rmd_atomic_add(&asked, 1, RMD_RELAXED);
    return malloc(bytes);
}

static void *reallocate(void *ctx, void *p, size_t bytes)
{
    (void)ctx;
    if (!p)
        rmd_atomic_add(&blocks, 1, RMD_RELAXED);
    return realloc(p, bytes);
}

static void release(void *ctx, void *p)
{
    (void)ctx;
    if (p)
        rmd_atomic_sub(&blocks, 1, RMD_RELAXED);
    free(p);
}

static int64_t count(rmd_atomic(int64_t) *n)
{
    return rmd_atomic_load(n, RMD_RELAXED);
}

static const rmd_allocator counting = {
    .size = sizeof counting,
    .allocate = allocate,
    .reallocate = reallocate,
    .release = release,
};

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static rmd_pool *open_pool(void)
{
    rmd_pool *pool;
    REQUIRE(rmd_set_allocator(&counting) == 0);
    REQUIRE(rmd_pool_open(&pool, "threads:2", NULL, RMD_FOREVER) == 0);
    return pool;
}

static void close_pool(rmd_pool *pool)
{
    CHECK_EQ(rmd_pool_drain(pool, RMD_FOREVER), 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

static void submit_burst(rmd_pool *pool)
{
    for (int i = 0; i < BURST; i++)
        REQUIRE(rmd_submit(pool, &futures[i], nothing, NULL, NULL) == 0);
    for (int i = 0; i < BURST; i++)
        CHECK_EQ(rmd_future_wait(futures[i], RMD_FOREVER), 0);
}

/* All but each step-th, from first on. */
static void free_but(int first, int step)
{
    for (int i = 0; i < BURST; i++) {
        if (i % step == first)
            continue;
        rmd_future_free(futures[i]);
        futures[i] = NULL;
    }
}

static void free_rest(void)
{
    for (int i = 0; i < BURST; i++)
        rmd_future_free(futures[i]);
}

/* About as much is kept as tasks are worth keeping. */
enum { FEW = 2 * (RMDI_TASKS_KEPT_MAX / RMDI_BLOCK_TASKS + 1) + 32 };

TEST(most_of_a_burst_is_given_back)
{
    rmd_pool *pool = open_pool();
    int64_t before = count(&blocks);
    submit_burst(pool);
    CHECK_INT(count(&blocks) - before, >=, BURST / RMDI_BLOCK_TASKS);
    free_rest();
    CHECK_INT(count(&blocks) - before, <=, FEW);
    close_pool(pool);
}

/* A handle in ten keeps every block: what lies between them is used again. */
TEST(what_lies_between_tasks_that_stay_is_used_again)
{
    rmd_pool *pool = open_pool();
    rmd_future *kept[BURST / 10 + 1];
    int n = 0;
    submit_burst(pool);
    free_but(3, 10);
    for (int i = 3; i < BURST; i += 10)
        kept[n++] = futures[i];
    int64_t before = count(&asked);
    for (int i = 0; i < BURST / 10 * 8; i++)
        REQUIRE(rmd_submit(pool, &futures[i], nothing, NULL, NULL) == 0);
    if (RMDI_BLOCK_TASKS > 1)
        CHECK_INT(count(&asked) - before, <=, 64);
    for (int i = 0; i < BURST / 10 * 8; i++) {
        CHECK_EQ(rmd_future_wait(futures[i], RMD_FOREVER), 0);
        rmd_future_free(futures[i]);
    }
    while (n)
        rmd_future_free(kept[--n]);
    close_pool(pool);
}

TEST(nothing_is_left_when_the_last_handle_is_gone)
{
    int64_t before = count(&blocks);
    rmd_pool *pool = open_pool();
    submit_burst(pool);
    free_but(7, 100);
    close_pool(pool);
    CHECK_INT(count(&blocks) - before, >, BURST / 100 / RMDI_BLOCK_TASKS);
    for (int i = 7; i < BURST; i += 100)
        CHECK_EQ(rmd_future_outcome(futures[i]), RMD_OUTCOME_OK);
    free_rest();
    CHECK_EQ(count(&blocks) - before, 0);
}

/* All that a task can have, and then a plain one in the same memory, which has none of it. */
TEST(memory_comes_back_clean)
{
    static char ours;
    rmd_pool *pool = open_pool();
    rmd_group *group;
    REQUIRE(rmd_group_open(&group) == 0);
    rmd_task_options options = { .size = sizeof options,
                                 .ctx = &ours,
                                 .name = "named",
                                 .group = group,
                                 .limits = { .total_ms_max = 600000 } };
    for (int round = 0; round < 200; round++) {
        rmd_future *future;
        REQUIRE(rmd_submit(pool, &future, nothing, NULL, round % 2 ? NULL : &options) == 0);
        CHECK_EQ(rmd_future_wait(future, RMD_FOREVER), 0);
        CHECK(rmd_future_ctx(future) == (round % 2 ? NULL : &ours));
        CHECK_STR(rmd_future_name(future), round % 2 ? "task" : "named");
        rmd_future_free(future);
    }
    CHECK_EQ(rmd_group_wait(group, RMD_FOREVER), 0);
    CHECK_EQ(rmd_group_free(group), 0);
    close_pool(pool);
}
