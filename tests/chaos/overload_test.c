/* SPDX-License-Identifier: MIT */
/* More work than the system or the queue has room for: it waits, and nothing is lost. */
#include "kit.h"
#include "kit_soon.h"

#include <pthread.h>
#include <remuda/error.h>
#include <remuda/pool.h>
#include <sys/resource.h>

static int submit(rmd_pool *pool, const char *script, int64_t full_ms, rmd_future **future)
{
    const char *argv[] = { "sh", "-c", script, NULL };
    rmd_command command = { .size = sizeof command, .argv = argv, .full_ms = full_ms };
    return rmd_pool_exec(pool, future, &command);
}

static void end(rmd_pool *pool, uint64_t ok)
{
    rmd_census census;
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_census(pool, &census), 0);
    CHECK(rmd_census_balances(&census));
    CHECK_EQ(census.ok, ok);
    CHECK_EQ(census.submitted, ok);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

TEST(without_descriptors_tasks_wait_for_those_that_run)
{
    struct rlimit few = { .rlim_cur = 40, .rlim_max = 40 };
    rmd_pool *pool;
    REQUIRE(rmd_pool_open(&pool, "programs:30", NULL, soon()) == 0);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0); /* about eight programs at a time */
    for (int i = 0; i < 100; i++)
        CHECK_EQ(submit(pool, "echo x; sleep 0.01", 0, NULL), 0);
    end(pool, 100);
}

TEST(a_full_queue_refuses_or_waits_as_asked)
{
    rmd_pool *pool;
    REQUIRE(rmd_pool_open(&pool, "programs:1?queue=1", NULL, soon()) == 0);
    rmd_future *first, *second;
    CHECK_EQ(submit(pool, "sleep 0.3", 0, &first), 0);
    CHECK_EQ(submit(pool, "true", 0, &second), 0);
    int at_once = submit(pool, "true", -1, NULL), in_time = submit(pool, "true", 20, NULL);
    CHECK(at_once == RMD_EFULL || at_once == 0); /* 0: the first was not started yet */
    CHECK(in_time == RMD_EFULL || at_once == 0);
    CHECK_EQ(submit(pool, "true", 0, NULL), 0);
    rmd_future_free(first);
    rmd_future_free(second);
    end(pool, (uint64_t)(3 + (at_once == 0) + (in_time == 0)));
}

static void submit_more(rmd_future *future, void *ctx)
{
    int *refused = ctx, err = 0;
    rmd_pool *pool = rmd_future_ctx(future);
    for (int i = 0; i < 3 && err == 0; i++)
        err = submit(pool, "true", 0, NULL);
    __atomic_store_n(refused, err, __ATOMIC_RELAXED);
}

TEST(a_callback_is_told_that_the_queue_is_full_instead_of_waiting)
{
    rmd_pool *pool;
    int refused = 0;
    REQUIRE(rmd_pool_open(&pool, "programs:1?queue=2", NULL, soon()) == 0);
    const char *argv[] = { "true", NULL };
    rmd_command command = { .size = sizeof command, .argv = argv, .ctx = pool };
    rmd_future *future;
    REQUIRE(rmd_pool_exec(pool, &future, &command) == 0);
    CHECK_EQ(rmd_future_on_end(future, submit_more, &refused), 0);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    for (rmd_deadline limit = soon(); !rmd_deadline_passed(limit);)
        if (__atomic_load_n(&refused, __ATOMIC_RELAXED))
            break; /* the callback comes after the end, and before the pool is closed */
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(refused, RMD_EFULL);
    rmd_future_free(future);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

static void *drain(void *pool)
{
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    return NULL;
}

TEST(several_threads_may_drain_at_once)
{
    rmd_pool *pool;
    pthread_t threads[3];
    REQUIRE(rmd_pool_open(&pool, "programs:2", NULL, soon()) == 0);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(submit(pool, "sleep 0.02", 0, NULL), 0);
    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_create(&threads[i], NULL, drain, pool) == 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(submit(pool, "true", 0, NULL), RMD_ECLOSED);
    end(pool, 10);
}

TEST(what_is_not_done_at_the_deadline_of_a_drain_is_cancelled)
{
    rmd_pool *pool;
    rmd_census census;
    REQUIRE(rmd_pool_open(&pool, "programs:1", NULL, soon()) == 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(submit(pool, "sleep 1000", 0, NULL), 0);
    CHECK_EQ(rmd_pool_drain(pool, rmd_after_ms(100)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_pool_census(pool, &census), 0);
    CHECK_EQ(census.cancelled, 3);
    CHECK_EQ(rmd_pool_free(pool), 0);
}
