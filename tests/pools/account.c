/* SPDX-License-Identifier: MIT */
/* The account of a pool: the census, what was overlooked, figures. */
#include "suite.h"

#include <stdatomic.h>

typedef struct reader {
    rmd_pool *pool;
    atomic_bool stop;
    int read;
} reader;

static void read_census(void *arg)
{
    reader *r = arg;
    rmd_census last = { 0 };
    while (r->read < 10000 || !atomic_load(&r->stop)) {
        rmd_census now;
        CHECK_EQ(rmd_pool_census(r->pool, &now), 0);
        if (!CHECK(rmd_census_balances(&now)) || !CHECK(now.submitted >= last.submitted) ||
            !CHECK(now.ok >= last.ok) || !CHECK(now.failed >= last.failed) ||
            !CHECK(now.cancelled >= last.cancelled))
            break;
        last = now;
        r->read++;
    }
}

CASE_LIMIT(the_census_balances_at_every_moment, ANY, 60)
{
    rmd_pool *pool = open_pool(0);
    reader r = { .pool = pool };
    rmd_thread *thread = start_thread(read_census, &r);
    int rounds = the_kind->cancel_races / 3;
    for (int i = 0; i < rounds; i++) {
        rmd_future *future = i % 3 ? begin(pool, "add", RMD_ARGS(1, i))
                                   : begin(pool, "fail", RMD_ARGS(RMD_EIO, ""));
        if (i % 4 == 0)
            rmd_future_cancel(future);
        rmd_future_free(future);
    }
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    atomic_store(&r.stop, true);
    join_thread(thread);
    CHECK_INT(r.read, >=, 10000);
    rmd_census census = census_of(pool);
    CHECK_EQ(census.submitted, rounds);
    CHECK_EQ(census.ok + census.failed + census.cancelled, rounds);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

CASE(the_census_tells_what_became_of_each_task, ANY)
{
    char line[128];
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    CHECK_EQ(census_of(pool).submitted, 0);
    await(begin(pool, "add", RMD_ARGS(1, 1)));
    await(begin(pool, "fail", RMD_ARGS(RMD_EIO, "")));
    await(begin_with(pool, "gate", RMD_ARGS("a"),
                     (rmd_task_options){ .limits.run_ms_max = 100 * kit_patience() }));
    await_arrivals(&at, 1);
    rmd_future *runs = begin_at(pool, &at, "gate", "a"), *waits = begin(pool, "count", RMD_ARGS());
    rmd_census census = census_of(pool);
    rmd_census_format(&census, line, sizeof line);
    CHECK_STR(line, "5 submitted = 1 ok + 1 failed + 1 timeout + 1 queued + 1 running");
    CHECK_EQ(rmd_future_cancel(waits), 0);
    open_gate(&at);
    CHECK_END(runs, RMD_OUTCOME_OK, 0);
    CHECK_END(waits, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    census = census_of(pool); /* also of a drained pool */
    rmd_census_format(&census, line, sizeof line);
    CHECK_STR(line, "5 submitted = 2 ok + 1 failed + 1 cancelled + 1 timeout");
    CHECK_EQ(rmd_pool_free(pool), 0);
}

/* ---- what was overlooked ---- */

typedef struct overlooked {
    int count, unexpected;
    char names[256];
} overlooked;

static void note_failure(void *ctx, const rmd_failure *failure)
{
    overlooked *o = ctx;
    o->count++;
    o->unexpected += failure->outcome != RMD_OUTCOME_FAILED || failure->error != RMD_EIO ||
                     failure->attempt != 1 || failure->id == 0;
    if (o->count <= 8) {
        strcat(o->names, failure->name);
        strcat(o->names, failure->detail);
    }
}

static rmd_future *fail_as(rmd_pool *pool, const char *name, rmd_group *group)
{
    return begin_with(pool, "fail", RMD_ARGS(RMD_EIO, "!"),
                      (rmd_task_options){ .name = name, .group = group });
}

CASE(failures_that_nobody_looked_at_are_told, CALLS)
{
    rmd_failure failure;
    rmd_group *group;
    overlooked o = { 0 };
    uint64_t more = 7;
    rmd_pool *pool = open_pool(1);
    REQUIRE(rmd_group_open(&group) == 0);
    rmd_future_free(fail_as(pool, "freed", NULL));
    rmd_future *kept = fail_as(pool, "kept", NULL);
    rmd_future *seen[3] = { fail_as(pool, "a", NULL), fail_as(pool, "b", NULL),
                            fail_as(pool, "c", NULL) };
    rmd_future_free(fail_as(pool, "grouped", group));
    rmd_future *good = begin(pool, "add", RMD_ARGS(1, 1));
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rmd_future_wait(seen[i], soon()), 0);
    CHECK_EQ(rmd_future_error(seen[0]), RMD_EIO);
    CHECK_EQ(rmd_future_outcome(seen[1]), RMD_OUTCOME_FAILED);
    CHECK_EQ(rmd_future_failure(seen[2], &failure), 0);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_overlooked(pool, note_failure, &o, &more), 0);
    CHECK_EQ(o.count, 2);
    CHECK_EQ(o.unexpected, 0);
    CHECK_STR(o.names, "freed!kept!");
    CHECK_EQ(more, 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
    rmd_future_free(kept);
    rmd_future_free(good);
    for (int i = 0; i < 3; i++)
        rmd_future_free(seen[i]);
    CHECK_EQ(rmd_group_free(group), 0);
}

static int never(rmd_future *first, void *arg)
{
    (void)arg;
    return rmd_future_error(first);
}

static rmd_future *go_on_as(rmd_pool *pool, rmd_future *first, const char *name)
{
    rmd_future *future = NULL;
    rmd_task_options options = { .size = sizeof options, .name = name };
    REQUIRE(rmd_then(pool, &future, first, never, NULL, &options) == 0);
    return future;
}

/* A chain of three that fails, whose last is looked at or not. */
static void fail_in_a_chain(rmd_pool *pool, bool seen)
{
    rmd_future *links[3] = { fail_as(pool, "first", NULL) };
    for (int i = 1; i < 3; i++)
        links[i] = go_on_as(pool, links[i - 1], i == 1 ? "second" : "third");
    CHECK_EQ(rmd_future_wait(links[2], soon()), 0);
    if (seen)
        CHECK_EQ(rmd_future_error(links[2]), RMD_EIO);
    for (int i = 0; i < 3; i++)
        rmd_future_free(links[i]);
}

static void note_name(void *ctx, const rmd_failure *failure)
{
    overlooked *o = ctx;
    o->count++;
    strcat(o->names, failure->name);
}

CASE(a_failure_that_a_chain_hands_on_is_told_once, CALLS | THREADS)
{
    overlooked o = { 0 };
    rmd_pool *pool = open_pool(1);
    fail_in_a_chain(pool, false);
    fail_in_a_chain(pool, true);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_overlooked(pool, note_name, &o, NULL), 0);
    CHECK_STR(o.names, "third");
    CHECK_EQ(rmd_pool_free(pool), 0);
}

/* Nobody has taken it on. */
CASE(a_failure_whose_chain_was_cancelled_before_is_told, CALLS | THREADS)
{
    overlooked o = { 0 };
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    rmd_future *runs = begin_at(pool, &at, "gate", "a"), *first = fail_as(pool, "first", NULL);
    rmd_future *second = go_on_as(pool, first, "second");
    CHECK_EQ(rmd_future_cancel(second), 0);
    open_gate(&at);
    CHECK_END(runs, RMD_OUTCOME_OK, 0);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_overlooked(pool, note_name, &o, NULL), 0);
    CHECK_STR(o.names, "first");
    CHECK_EQ(rmd_pool_free(pool), 0);
    rmd_future_free(first);
    rmd_future_free(second);
}

CASE(of_many_overlooked_failures_the_oldest_are_kept_and_all_counted, CALLS)
{
    overlooked o = { 0 };
    uint64_t more = 0;
    rmd_pool *pool = open_pool(1);
    for (int i = 0; i < 100; i++)
        rmd_future_free(fail_as(pool, "x", NULL));
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_overlooked(pool, note_failure, &o, &more), 0);
    CHECK_EQ(o.count, 64);
    CHECK_EQ(more, 36);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

CASE(what_was_cancelled_is_not_overlooked, CALLS)
{
    overlooked o = { 0 };
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    rmd_future *runs = begin_at(pool, &at, "gate", "a");
    rmd_future_free(begin(pool, "count", RMD_ARGS()));
    CHECK_EQ(rmd_pool_cancel(pool, false), 0);
    rmd_future_free(runs);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_overlooked(pool, note_failure, &o, NULL), 0);
    CHECK_EQ(o.count, 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

CASE(failures_are_told_while_the_pool_works_too, CALLS)
{
    overlooked o = { 0 };
    rmd_pool *pool = open_pool(1);
    rmd_future_free(fail_as(pool, "early", NULL));
    await(begin(pool, "add", RMD_ARGS(1, 1)));
    check_works(pool);
    CHECK_EQ(rmd_pool_overlooked(pool, note_failure, &o, NULL), 0);
    CHECK_STR(o.names, "early!");
    end_pool(pool);
}

/* ---- figures ---- */

static void ignore_end(rmd_future *future, void *ctx)
{
    (void)ctx;
    rmd_future_free(future);
}

CASE(the_figures_of_a_pool_make_sense, CALLS)
{
    rmd_statistics s;
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(2);
    CHECK_EQ(rmd_pool_statistics(pool, &s), 0);
    CHECK_EQ(s.workers, 2);
    CHECK_EQ(s.blocked + s.spares + s.in_place + s.callbacks + s.queued_max, 0);
    rmd_future *stand[2];
    for (int i = 0; i < 2; i++)
        stand[i] = begin_at(pool, &at, "gate", "a");
    for (int i = 0; i < 10; i++)
        CHECK_EQ(rmd_future_on_end(begin(pool, "count", RMD_ARGS()), ignore_end, NULL), 0);
    open_gate(&at);
    for (int i = 0; i < 2; i++)
        CHECK_END(stand[i], RMD_OUTCOME_OK, 0);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_statistics(pool, &s), 0);
    CHECK_EQ(s.callbacks, 10);
    CHECK_EQ(s.queued_max, 10);
    CHECK_EQ(s.blocked, 0);
    CHECK_INT(s.stolen, <=, 12);
    CHECK_EQ(rmd_pool_free(pool), 0);
}
