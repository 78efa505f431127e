/* SPDX-License-Identifier: MIT */
/* A child that was forked beside a threads pool, or by a task of it: whatever state the pool is in
 * and whatever its threads hold just then, all calls answer in the child, at once, and the parent
 * finds its pool as it was. */
#include "kit.h"
#include "kit_soon.h"

#include "exec/threads.h"
#include "sync/event.h"

#include <remuda/completions.h>
#include <remuda/error.h>
#include <remuda/pool.h>
#include <remuda/promise.h>
#include <stdlib.h>
#include <unistd.h>

/* What the parent has, and its child finds. */
static struct {
    rmd_pool *pool;
    rmd_group *group;
    rmd_future *future, *later, *promised;
    rmd_promise *promise;
    rmd_completions *ends;
    rmdi_event begun, called, gate;
    pid_t child;
    bool ends_in_body;
} p;

static int run(void *arg)
{
    (void)arg;
    return 0;
}

static int go_on(rmd_future *first, void *arg)
{
    (void)first;
    return run(arg);
}

static void never_called(rmd_future *future, void *ctx)
{
    (void)future;
    (void)ctx;
    FAIL("a callback in the child");
}

static int wait_for_gate(void *arg)
{
    (void)arg;
    rmdi_event_set(&p.begun);
    return rmdi_event_wait(&p.gate, RMD_FOREVER);
}

static rmd_task_options in_group(void)
{
    return (rmd_task_options){ .size = sizeof(rmd_task_options), .group = p.group };
}

/* A pool of one worker, which runs one task, while another waits for it; and what else there is. */
static void begin(const char *kind)
{
    if (KIT_SANITIZED)
        SKIP("sanitizers let no child of a process with threads do much");
    REQUIRE(rmd_pool_open(&p.pool, kind, NULL, soon()) == 0);
    REQUIRE(rmd_group_open(&p.group) == 0);
    rmd_task_options options = in_group();
    REQUIRE(rmd_submit(p.pool, &p.future, wait_for_gate, NULL, &options) == 0);
    REQUIRE(rmdi_event_wait(&p.begun, soon()) == 0);
    REQUIRE(rmd_promise_open(&p.promise, &p.promised, NULL) == 0);
    REQUIRE(rmd_then(p.pool, &p.later, p.future, go_on, NULL, NULL) == 0);
    REQUIRE(rmd_completions_open(&p.ends, (rmd_future *[]){ p.future, p.promised }, 2) == 0);
}

/* The same in the parent: it has all it had. */
static void end(void)
{
    rmd_census census;
    rmdi_event_set(&p.gate);
    CHECK_EQ(rmd_promise_set(p.promise, 1), 0);
    CHECK_EQ(rmd_group_wait(p.group, soon()), 0);
    CHECK_EQ(rmd_future_wait(p.later, soon()), 0);
    CHECK_EQ(rmd_future_outcome(p.later), RMD_OUTCOME_OK);
    CHECK_EQ(rmd_completions_left(p.ends), 2);
    rmd_completions_free(p.ends);
    rmd_promise_free(p.promise);
    rmd_future_free(p.promised);
    rmd_future_free(p.future);
    rmd_future_free(p.later);
    CHECK_EQ(rmd_group_free(p.group), 0);
    CHECK_EQ(rmd_pool_drain(p.pool, soon()), 0);
    CHECK_EQ(rmd_pool_census(p.pool, &census), 0);
    CHECK(rmd_census_balances(&census));
    CHECK_EQ(census.submitted, census.ok);
    CHECK_EQ(rmd_pool_free(p.pool), 0);
}

/* ---- in the child ---- */

static void check_pool(void)
{
    rmd_future *none = NULL;
    rmd_census census;
    rmd_statistics statistics;
    rmd_task task = { run, NULL };
    CHECK_EQ(rmd_submit(p.pool, &none, run, NULL, NULL), RMD_EFORKED);
    CHECK_EQ(rmd_submit_many(p.pool, &none, &task, 1, NULL), RMD_EFORKED);
    CHECK_EQ(rmd_pool_call(p.pool, &none, "f", RMD_ARGS(), NULL), RMD_EFORKED);
    CHECK_EQ(rmd_then(p.pool, &none, p.future, go_on, NULL, NULL), RMD_EFORKED);
    CHECK_EQ(rmd_pool_close(p.pool), RMD_EFORKED);
    CHECK_EQ(rmd_pool_cancel(p.pool, false), RMD_EFORKED);
    CHECK_EQ(rmd_pool_drain(p.pool, RMD_FOREVER), RMD_EFORKED);
    CHECK_EQ(rmd_pool_abort(p.pool, RMD_FOREVER), RMD_EFORKED);
    CHECK_EQ(rmd_pool_census(p.pool, &census), RMD_EFORKED);
    CHECK_EQ(rmd_pool_statistics(p.pool, &statistics), RMD_EFORKED);
    CHECK_INT(rmd_pool_size(p.pool), >, 0);
    CHECK_EQ(rmd_pool_free(p.pool), RMD_EFORKED);
    CHECK(none == NULL);
}

static void check_futures(void)
{
    rmd_future *next;
    CHECK_EQ(rmd_future_cancel(p.future), RMD_EFORKED);
    CHECK_EQ(rmd_future_wait(p.future, RMD_FOREVER), RMD_EFORKED);
    CHECK_EQ(rmd_future_on_end(p.future, never_called, NULL), RMD_EFORKED);
    CHECK_EQ(rmd_future_outcome(p.future), RMD_PENDING);
    CHECK_STR(rmd_future_name(p.future), "task");
    CHECK_EQ(rmd_futures_wait(&p.future, 1, RMD_WAIT_ANY, RMD_FOREVER), RMD_EFORKED);
    CHECK_EQ(rmd_promise_set(p.promise, 1), RMD_EFORKED);
    CHECK_EQ(rmd_future_wait(p.promised, RMD_FOREVER), RMD_EFORKED);
    CHECK_EQ(rmd_completions_next(p.ends, &next, RMD_FOREVER), RMD_EFORKED);
    CHECK_EQ(rmd_completions_add(p.ends, p.later), RMD_EFORKED);
    CHECK_EQ(rmd_completions_left(p.ends), 0);
}

static void check_group(void)
{
    rmd_census census;
    CHECK_EQ(rmd_group_wait(p.group, RMD_FOREVER), RMD_EFORKED);
    CHECK_EQ(rmd_group_free(p.group), RMD_EFORKED);
    rmd_group_cancel(p.group);
    rmd_group_census(p.group, &census);
    CHECK_EQ(census.submitted, 0);
}

static void free_all(void)
{
    rmd_completions_free(p.ends);
    rmd_promise_free(p.promise);
    rmd_future_free(p.promised);
    rmd_future_free(p.future);
    rmd_future_free(p.later);
}

/* One of its own works there, as nothing of the parent's is in its way. */
static void use_own_pool(void)
{
    rmd_pool *own;
    rmd_future *future = NULL;
    rmd_task_options parents = { .size = sizeof parents, .group = p.group };
    REQUIRE(rmd_pool_open(&own, "threads:2", NULL, soon()) == 0);
    CHECK_EQ(rmd_submit(own, &future, run, NULL, &parents), RMD_EFORKED);
    REQUIRE(rmd_submit(own, &future, run, NULL, NULL) == 0);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    rmd_future_free(future);
    CHECK_EQ(rmd_pool_drain(own, soon()), 0);
    CHECK_EQ(rmd_pool_free(own), 0);
}

static void be_child(void)
{
    alarm(15 * (unsigned)kit_patience()); /* if it hangs */
    check_pool();
    check_futures();
    check_group();
    free_all();
    use_own_pool();
}

/* kit's checks tell the case of what fails in a child. */
static void fork_here(void)
{
    pid_t child = fork();
    if (child == 0) {
        be_child();
        _exit(0);
    }
    CHECK_CHILD(child);
}

/* ---- beside the pool ---- */

TEST(a_child_of_an_idle_pool)
{
    begin("threads:2");
    fork_here();
    end();
}

TEST(a_child_while_a_task_runs_and_others_are_queued)
{
    begin("threads:1");
    rmd_task_options options = in_group();
    for (int i = 0; i < 5; i++)
        REQUIRE(rmd_submit(p.pool, NULL, run, NULL, &options) == 0);
    fork_here();
    end();
}

static void submit_to_full(void *arg)
{
    (void)arg;
    rmd_task_options options = in_group();
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rmd_submit(p.pool, NULL, run, NULL, &options), 0);
}

static void await_full(void)
{
    rmd_census census = { 0 };
    while (rmd_pool_census(p.pool, &census) == 0 && census.queued < 2) /* `later` is one */
        sched_yield();
}

TEST(a_child_while_a_submitter_waits_for_room)
{
    rmdi_thread thread;
    begin("threads:1?queue=1");
    REQUIRE(rmdi_thread_start(&thread, submit_to_full, NULL, "submits") == 0);
    await_full();
    for (int i = 0; i < 20; i++)
        fork_here();
    rmdi_event_set(&p.gate);
    CHECK_EQ(rmdi_thread_join(&thread, soon()), 0);
    end();
}

static void drain_pool(void *arg)
{
    (void)arg;
    CHECK_EQ(rmd_pool_drain(p.pool, soon()), 0);
}

TEST(a_child_while_another_thread_drains)
{
    rmdi_thread thread;
    begin("threads:2");
    REQUIRE(rmdi_thread_start(&thread, drain_pool, NULL, "drains") == 0);
    for (int i = 0; i < 20; i++)
        fork_here();
    rmdi_event_set(&p.gate);
    CHECK_EQ(rmdi_thread_join(&thread, soon()), 0);
    end();
}

static rmd_atomic(uint32_t) over;

static void keep_busy(void *arg)
{
    rmd_task_options options = in_group();
    rmd_completions *ends;
    rmd_future *future, *next;
    (void)arg;
    while (!rmd_atomic_load(&over, RMD_RELAXED)) {
        CHECK_EQ(rmd_submit(p.pool, &future, run, NULL, &options), 0);
        CHECK_EQ(rmd_completions_open(&ends, &future, 1), 0);
        CHECK_EQ(rmd_completions_next(ends, &next, soon()), 0);
        rmd_completions_free(ends);
        rmd_future_free(future);
        CHECK_EQ(rmd_submit(p.pool, NULL, run, NULL, &options), 0);
        CHECK_INT(rmd_group_wait(p.group, rmd_after_ms(1)), <=, 0);
    }
}

/* At any moment: whatever lock is held, and whichever list is half changed. */
TEST_LIMIT(a_child_of_a_busy_pool, 60)
{
    rmdi_thread threads[2];
    begin("threads:2");
    for (int i = 0; i < 2; i++)
        REQUIRE(rmdi_thread_start(&threads[i], keep_busy, NULL, "busy") == 0);
    for (int i = 0; i < 300; i++)
        fork_here();
    rmd_atomic_store(&over, 1, RMD_RELAXED);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], soon()), 0);
    end();
}

/* ---- by a task ---- */

static void call_in_child(rmd_future *future, void *ctx)
{
    (void)ctx;
    (void)future;
    p.child = fork();
    if (p.child == 0) {
        be_child();
        if (p.ends_in_body)
            _exit(0);
    }
    rmdi_event_set(&p.called);
}

static void not_in_child(rmd_future *future, void *ctx)
{
    (void)future;
    (void)ctx;
    CHECK(p.child != 0);
}

static void fork_in_a_callback(bool ends_there)
{
    rmd_future *future;
    begin("threads:2");
    p.ends_in_body = ends_there;
    REQUIRE(rmd_submit(p.pool, &future, run, NULL, NULL) == 0);
    REQUIRE(rmd_future_on_end(future, call_in_child, NULL) == 0);
    REQUIRE(rmd_future_on_end(future, not_in_child, NULL) == 0);
    CHECK_EQ(rmdi_event_wait(&p.called, soon()), 0);
    rmdi_event_set(&p.gate);
    CHECK_CHILD(p.child);
    rmd_future_free(future);
    end();
}

TEST(a_child_of_a_callback)
{
    fork_in_a_callback(true);
}

/* Its thread has nothing more to do: the child ends. */
TEST(a_child_that_returns_from_a_callback)
{
    fork_in_a_callback(false);
}

static int fork_in_body(void *arg)
{
    (void)arg;
    p.child = fork();
    if (p.child == 0) {
        be_child();
        CHECK(!rmd_task_cancelled());
        RMD_BLOCKING
        {
            CHECK_STR(rmd_worker_name(), "");
        }
        if (p.ends_in_body)
            _exit(0);
    }
    return 0;
}

static int count_run(void *arg)
{
    rmd_atomic_add((rmd_atomic(int) *)arg, 1, RMD_RELAXED);
    return 0;
}

static void fork_in_a_task(bool ends_there)
{
    rmd_future *future;
    begin("threads:2");
    p.ends_in_body = ends_there;
    REQUIRE(rmd_submit(p.pool, &future, fork_in_body, NULL, NULL) == 0);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_OK);
    CHECK_CHILD(p.child);
    rmd_future_free(future);
    end();
}

TEST(a_child_of_a_task)
{
    fork_in_a_task(true);
}

TEST(a_child_that_returns_from_the_body_runs_nothing_of_the_pool)
{
    fork_in_a_task(false);
}

/* On top of another task, which waits for it: in the child that wait is told so, and its stop token
 * is the outer one's again. */
static int wait_for_forked(void *arg)
{
    rmd_future *child;
    (void)arg;
    int err = rmd_submit(p.pool, &child, fork_in_body, NULL, NULL);
    CHECK_EQ(err, 0);
    err = rmd_future_wait(child, RMD_FOREVER);
    if (p.child == 0) {
        CHECK_EQ(err, RMD_EFORKED);
        CHECK(!rmd_task_cancelled());
        rmdi_event never = { 0 };
        CHECK_EQ(rmdi_event_wait(&never, rmd_after_ms(1)), RMD_ETIMEDOUT); /* no dangling token */
        _exit(0);
    }
    CHECK_EQ(err, 0);
    rmd_future_free(child);
    return 0;
}

TEST(a_child_that_returns_to_a_task_that_waits)
{
    rmd_future *future;
    begin("threads:2");
    REQUIRE(rmd_submit(p.pool, &future, wait_for_forked, NULL, NULL) == 0);
    CHECK_EQ(rmd_future_wait(future, rmd_after_ms(600000)), 0); /* not helping */
    CHECK_CHILD(p.child);
    rmd_future_free(future);
    end();
}

/* Any of two: in the child the other one is not run. */
static int wait_for_any_forked(void *arg)
{
    rmd_future *futures[2];
    int err = rmd_submit(p.pool, &futures[0], fork_in_body, NULL, NULL);
    CHECK_EQ(err, 0);
    err = rmd_submit(p.pool, &futures[1], count_run, arg, NULL);
    CHECK_EQ(err, 0);
    int64_t which = rmd_futures_wait(futures, 2, RMD_WAIT_ANY, RMD_FOREVER);
    if (p.child == 0) {
        CHECK_EQ(which, RMD_EFORKED);
        CHECK_EQ(rmd_atomic_load((rmd_atomic(int) *)arg, RMD_RELAXED), 0);
        _exit(0);
    }
    CHECK_EQ(which, 0);
    rmd_future_free(futures[0]);
    rmd_future_free(futures[1]);
    return 0;
}

TEST(a_child_that_returns_to_a_task_that_waits_for_any)
{
    rmd_future *future;
    rmd_atomic(int) ran = 0;
    begin("threads:2");
    REQUIRE(rmd_submit(p.pool, &future, wait_for_any_forked, &ran, NULL) == 0);
    CHECK_EQ(rmd_future_wait(future, rmd_after_ms(600000)), 0); /* not helping */
    CHECK_CHILD(p.child);
    rmd_future_free(future);
    end();
}

static struct {
    rmd_pool *pool;
    rmdi_event blocks, gate;
    pid_t child;
} last;

static int fork_only(void *arg)
{
    (void)arg;
    last.child = fork();
    return 0;
}

/* The last worker: it runs what keeps another task from ending. */
static int wait_for_what_is_held_back(void *arg)
{
    rmd_future *first, *later;
    rmd_task_options high = { .size = sizeof high, .priority = RMD_PRIORITY_HIGH };
    (void)arg;
    CHECK_EQ(rmd_submit(last.pool, &first, fork_only, NULL, &high), 0);
    CHECK_EQ(rmd_then(last.pool, &later, first, go_on, NULL, NULL), 0);
    int err = rmd_future_wait(later, RMD_FOREVER);
    if (last.child == 0)
        _exit(err == RMD_EFORKED ? 0 : 1);
    CHECK_EQ(err, 0);
    rmd_future_free(first);
    rmd_future_free(later);
    return 0;
}

static int block_for_gate(void *arg)
{
    int err = 0;
    (void)arg;
    RMD_BLOCKING
    {
        rmdi_event_set(&last.blocks);
        err = rmdi_event_wait(&last.gate, RMD_FOREVER);
    }
    return err;
}

TEST(a_child_that_returns_to_the_last_worker)
{
    rmd_future *future;
    if (KIT_SANITIZED)
        SKIP("sanitizers let no child of a process with threads do much");
    REQUIRE(rmd_pool_open(&last.pool, "threads:1", NULL, soon()) == 0);
    REQUIRE(rmd_submit(last.pool, NULL, block_for_gate, NULL, NULL) == 0);
    CHECK_EQ(rmdi_event_wait(&last.blocks, soon()), 0);
    REQUIRE(rmd_submit(last.pool, &future, wait_for_what_is_held_back, NULL, NULL) == 0);
    CHECK_EQ(rmd_future_wait(future, rmd_after_ms(600000)), 0); /* not helping */
    CHECK_CHILD(last.child);
    rmd_future_free(future);
    rmdi_event_set(&last.gate);
    CHECK_EQ(rmd_pool_drain(last.pool, soon()), 0);
    CHECK_EQ(rmd_pool_free(last.pool), 0);
}

/* Outside the pool: a thread that helps. */
TEST(a_child_that_returns_to_a_thread_that_helps)
{
    rmd_future *future;
    begin("threads:1"); /* which is busy */
    REQUIRE(rmd_submit(p.pool, &future, fork_in_body, NULL, NULL) == 0);
    int err = rmd_future_wait(future, RMD_FOREVER);
    if (p.child == 0) {
        CHECK_EQ(err, RMD_EFORKED);
        _exit(0);
    }
    CHECK_EQ(err, 0);
    CHECK_CHILD(p.child);
    rmd_future_free(future);
    end();
}

/* The same for a group: in the child none of its other tasks is run. */
TEST(a_child_that_returns_to_a_thread_that_helps_a_group)
{
    rmd_group *group;
    rmd_atomic(int) ran = 0;
    begin("threads:1"); /* which is busy */
    REQUIRE(rmd_group_open(&group) == 0);
    rmd_task_options options = { .size = sizeof options, .group = group };
    REQUIRE(rmd_submit(p.pool, NULL, fork_in_body, NULL, &options) == 0);
    REQUIRE(rmd_submit(p.pool, NULL, count_run, &ran, &options) == 0);
    int err = rmd_group_wait(group, RMD_FOREVER);
    if (p.child == 0) {
        CHECK_EQ(err, RMD_EFORKED);
        CHECK_EQ(rmd_atomic_load(&ran, RMD_RELAXED), 0);
        _exit(0);
    }
    CHECK_EQ(err, 0);
    CHECK_EQ(rmd_atomic_load(&ran, RMD_RELAXED), 1);
    CHECK_CHILD(p.child);
    CHECK_EQ(rmd_group_free(group), 0);
    end();
}

TEST(a_child_leaves_the_block_of_a_group)
{
    pid_t child = -1;
    int err = 0;
    begin("threads:1");
    RMD_WITH_GROUP (group, soon(), &err) {
        rmd_task_options options = { .size = sizeof options, .group = group };
        REQUIRE(rmd_submit(p.pool, NULL, run, NULL, &options) == 0);
        child = fork();
        if (child == 0) {
            alarm(15 * (unsigned)kit_patience());
            break;
        }
        rmdi_event_set(&p.gate);
    }
    if (child == 0)
        _exit(0);
    CHECK_EQ(err, 0);
    CHECK_CHILD(child);
    end();
}
