/* SPDX-License-Identifier: MIT */
/* Every allocation of a threads pool fails once, and of all that goes with it: whoever needed it is
 * told, nothing is lost, nothing is left, and the pool goes on. */
#include "kit.h"
#include "kit_alloc.h"
#include "kit_soon.h"

#include <remuda/atomics.h>
#include <remuda/call.h>
#include <remuda/completions.h>
#include <remuda/context.h>
#include <remuda/error.h>
#include <remuda/function.h>
#include <remuda/map.h>
#include <remuda/pool.h>
#include <remuda/promise.h>
#include <string.h>

static rmd_atomic(int) runs;

static int run(void *arg)
{
    (void)arg;
    rmd_atomic_add(&runs, 1, RMD_RELAXED);
    return 0;
}

static int fail(void *arg)
{
    run(arg);
    return rmd_fail(-1001, "it fails, and says so in many words");
}

static int go_on(rmd_future *first, void *arg)
{
    (void)first;
    return run(arg);
}

static int say(rmd_call *call)
{
    const char *text;
    int err = rmd_call_get(call, 0, &text);
    return err < 0 ? err : rmd_call_return(call, text);
}

static const rmd_function functions[] = { { .name = "alloc.say", .fn = say }, { 0 } };

static void count_call(rmd_future *future, void *ctx)
{
    (void)future;
    rmd_atomic_add((rmd_atomic(int) *)ctx, 1, RMD_RELAXED);
}

/* Everything that was accepted has ended, once, and the pool still takes something. */
static int end(rmd_pool *pool, int err, uint64_t submitted)
{
    rmd_census census;
    rmd_future *future;
    int again = rmd_submit(pool, &future, run, NULL, NULL);
    if (again == RMD_ENOMEM) { /* that was the one */
        err = RMD_ENOMEM;
        again = rmd_submit(pool, &future, run, NULL, NULL);
    }
    CHECK_EQ(again, 0);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_OK);
    rmd_future_free(future);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_census(pool, &census), 0);
    CHECK(rmd_census_balances(&census));
    CHECK_EQ(census.submitted, submitted + 1);
    CHECK_EQ(census.queued + census.running, 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
    return err;
}

/* The limits' thread is the only one whose start can fail for want of memory. */
static bool is_memory(int err)
{
    return err == 0 || err == RMD_ENOMEM || err == RMD_EAGAIN;
}

static int open_and_close(void *arg)
{
    rmd_pool *pool;
    (void)arg;
    int err = rmd_pool_open(&pool, "threads:2", NULL, soon());
    if (err < 0)
        return err;
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
    return 0;
}

TEST(a_pool_that_cannot_be_opened_leaves_nothing)
{
    CHECK_INT(kit_alloc(open_and_close, NULL, RMD_ENOMEM), >, 3);
}

static rmd_pool *open_pool(int *err)
{
    rmd_pool *pool = NULL;
    *err = rmd_pool_open(&pool, "threads:1", NULL, soon());
    return *err < 0 ? NULL : pool;
}

static int wait_and_free(rmd_future *future)
{
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    int err = rmd_future_error(future);
    rmd_future_free(future);
    return err;
}

static int submit_one(void *arg)
{
    rmd_task_options *options = arg;
    rmd_future *future;
    int err;
    rmd_pool *pool = open_pool(&err);
    if (!pool)
        return err;
    err = rmd_submit(pool, &future, run, NULL, options);
    CHECK(is_memory(err));
    uint64_t accepted = err == 0;
    if (err == 0)
        err = wait_and_free(future);
    return end(pool, err, accepted);
}

TEST(a_submission_without_memory_is_refused)
{
    CHECK_INT(kit_alloc(submit_one, NULL, RMD_ENOMEM), >, 4);
}

TEST(a_submission_with_limits_without_memory_is_refused)
{
    rmd_limits limits = { .run_ms_max = 60000, .attempts_max = 2 };
    rmd_task_options options = { .size = sizeof options, .limits = limits };
    CHECK_INT(kit_alloc(submit_one, &options, RMD_ENOMEM), >, 5);
}

static const rmd_context_key key = { "alloc" };

static int submit_bound(void *arg)
{
    int err = 0;
    RMD_WITH_CONTEXT (&key, arg)
        err = submit_one(NULL);
    return err;
}

TEST(a_submission_under_a_context_without_memory_is_refused)
{
    int value = 1;
    CHECK_INT(kit_alloc(submit_bound, &value, RMD_ENOMEM), >, 5);
}

/* A failure's words need memory: without it, the task has still failed. */
static int submit_failing(void *arg)
{
    rmd_future *future;
    int err;
    (void)arg;
    rmd_pool *pool = open_pool(&err);
    if (!pool)
        return err;
    err = rmd_submit(pool, &future, fail, NULL, NULL);
    uint64_t accepted = err == 0;
    if (err == 0) {
        CHECK_EQ(rmd_future_wait(future, soon()), 0);
        CHECK_EQ(rmd_future_error(future), -1001);
        rmd_future_free(future);
    }
    return end(pool, err, accepted);
}

TEST(a_failure_without_memory_for_its_words)
{
    CHECK_INT(kit_alloc(submit_failing, NULL, RMD_ENOMEM), >, 4);
}

static int submit_many(void *arg)
{
    enum { N = 200 }; /* more than a batch, and than two blocks of memory */
    rmd_task tasks[N];
    rmd_future *futures[N];
    rmd_group *group = NULL;
    int err;
    for (int i = 0; i < N; i++)
        tasks[i] = (rmd_task){ run, NULL };
    rmd_pool *pool = open_pool(&err);
    if (!pool)
        return err;
    err = rmd_group_open(&group);
    rmd_task_options options = { .size = sizeof options, .group = arg ? group : NULL };
    int64_t n = err < 0 ? err : rmd_submit_many(pool, futures, tasks, N, &options);
    CHECK(n >= 0 || n == RMD_ENOMEM);
    for (int64_t i = 0; i < n; i++)
        CHECK_EQ(wait_and_free(futures[i]), 0);
    CHECK_EQ(rmd_group_free(group), 0);
    err = n == N ? 0 : RMD_ENOMEM;
    return end(pool, err, n < 0 ? 0 : (uint64_t)n);
}

TEST(of_many_as_many_are_accepted_as_there_is_memory_for)
{
    CHECK_INT(kit_alloc(submit_many, NULL, RMD_ENOMEM), >, 8);
}

TEST(of_many_of_a_group_as_many_are_accepted)
{
    int grouped = 1;
    CHECK_INT(kit_alloc(submit_many, &grouped, RMD_ENOMEM), >, 8);
}

static int call_one(void *arg)
{
    rmd_future *future;
    const char *text;
    int err;
    (void)arg;
    rmd_pool *pool = open_pool(&err);
    if (!pool)
        return err;
    char words[600];
    memset(words, 'w', sizeof words);
    words[sizeof words - 1] = 0;
    err = rmd_pool_call(pool, &future, "alloc.say", RMD_ARGS(words), NULL);
    uint64_t accepted = err == 0;
    if (err == 0) {
        CHECK_EQ(rmd_future_wait(future, soon()), 0);
        err = rmd_future_get(future, &text);
        if (err == 0)
            CHECK_STR(text, words);
        CHECK(err == 0 || rmd_future_outcome(future) == RMD_OUTCOME_FAILED);
        rmd_future_free(future);
    }
    return end(pool, err, accepted);
}

TEST(a_call_without_memory_is_refused_or_fails)
{
    REQUIRE(rmd_functions_add(functions) == 0);
    CHECK_INT(kit_alloc(call_one, NULL, RMD_ENOMEM), >, 6);
}

static int chain(void *arg)
{
    rmd_future *first = NULL, *second = NULL;
    int err;
    (void)arg;
    rmd_pool *pool = open_pool(&err);
    if (!pool)
        return err;
    err = rmd_submit(pool, &first, run, NULL, NULL);
    uint64_t accepted = err == 0;
    if (err == 0)
        err = rmd_then(pool, &second, first, go_on, NULL, NULL);
    accepted += err == 0;
    if (second)
        CHECK_EQ(wait_and_free(second), 0);
    if (first)
        CHECK_EQ(wait_and_free(first), 0);
    return end(pool, err, accepted);
}

TEST(a_continuation_without_memory_is_refused)
{
    CHECK_INT(kit_alloc(chain, NULL, RMD_ENOMEM), >, 6);
}

/* Also when there is none for handing it to a worker. */
static int call_back(void *arg)
{
    rmd_future *future;
    rmd_atomic(int) calls = 0;
    int err, n = 0;
    (void)arg;
    rmd_pool *pool = open_pool(&err);
    if (!pool)
        return err;
    err = rmd_submit(pool, &future, run, NULL, NULL);
    uint64_t accepted = err == 0;
    if (err == 0) {
        err = rmd_future_on_end(future, count_call, &calls);
        n += err == 0;
        CHECK_EQ(rmd_future_wait(future, soon()), 0);
        int late = rmd_future_on_end(future, count_call, &calls);
        n += late == 0;
        err = err < 0 ? err : late;
        rmd_future_free(future);
    }
    err = end(pool, err, accepted);
    CHECK_EQ(rmd_atomic_load(&calls, RMD_ACQUIRE), n);
    return err;
}

/* One that cannot be handed over runs at once, so a run may need one less. */
TEST(callbacks_without_memory_are_refused_or_run)
{
    CHECK_INT(kit_alloc(call_back, NULL, RMD_ENOMEM), >, 5);
}

static int complete(void *arg)
{
    rmd_promise *promise;
    rmd_future *future, *next;
    rmd_completions *ends = NULL;
    (void)arg;
    int err = rmd_promise_open(&promise, &future, NULL);
    if (err < 0)
        return err;
    err = rmd_completions_open(&ends, &future, 1);
    if (err == 0)
        err = rmd_promise_set(promise, "what was promised");
    rmd_promise_free(promise);
    if (ends) {
        CHECK_EQ(rmd_completions_next(ends, &next, RMD_NOW), 0);
        CHECK(next == future);
    }
    CHECK_EQ(rmd_future_outcome(future), err ? RMD_OUTCOME_LOST : RMD_OUTCOME_OK);
    rmd_completions_free(ends);
    rmd_future_free(future);
    return err;
}

TEST(promises_and_completions_without_memory)
{
    CHECK_INT(kit_alloc(complete, NULL, RMD_ENOMEM), >, 4);
}

typedef struct mapping {
    int produced, consumed;
} mapping;

static int next(void *ctx, rmd_map_task *task)
{
    mapping *m = ctx;
    if (m->produced == 6)
        return 0;
    m->produced++;
    return rmd_map_submit(task, run, NULL);
}

static int sink(void *ctx, rmd_future *future, uint64_t index)
{
    mapping *m = ctx;
    (void)index;
    m->consumed++;
    return rmd_future_error(future);
}

static int map(void *arg)
{
    rmd_census census = { 0 };
    mapping m = { 0 };
    rmd_map_options options = { .size = sizeof options,
                                .next = next,
                                .sink = sink,
                                .ctx = &m,
                                .window = 2,
                                .as_completed = arg != NULL,
                                .census = &census };
    int err;
    rmd_pool *pool = open_pool(&err);
    if (!pool)
        return err;
    err = rmd_map(pool, &options, soon());
    CHECK(is_memory(err));
    if (err == 0)
        CHECK_EQ(m.consumed, 6);
    return end(pool, err, census.submitted);
}

TEST(a_map_without_memory_ends)
{
    CHECK_INT(kit_alloc(map, NULL, RMD_ENOMEM), >, 6);
}

TEST(a_map_as_completed_without_memory_ends)
{
    int yes = 1;
    CHECK_INT(kit_alloc(map, &yes, RMD_ENOMEM), >, 10);
}

static int use_group(void *arg)
{
    int err, in_block = 0;
    uint64_t accepted = 0;
    (void)arg;
    rmd_pool *pool = open_pool(&err);
    if (!pool)
        return err;
    RMD_WITH_GROUP (group, soon(), &err) {
        rmd_task_options options = { .size = sizeof options, .group = group };
        for (int i = 0; i < 3 && in_block == 0; i++) {
            in_block = rmd_submit(pool, NULL, run, NULL, &options);
            accepted += in_block == 0;
        }
    }
    return end(pool, err < 0 ? err : in_block, accepted);
}

TEST(a_group_without_memory)
{
    CHECK_INT(kit_alloc(use_group, NULL, RMD_ENOMEM), >, 6);
}
