/* SPDX-License-Identifier: MIT */
/* Futures: waiting, callbacks, references. What they answer about programs is tested with
 * the pool. */
#include "kit.h"

#include "exec/programs_testing.h"
#include "port/clock.h"
#include "sync/thread.h"
#include <fcntl.h>

/* A program that ends when end_gated() is called, and its gate. */
static rmd_future *run_gated(rmd_pool *pool, int *gate)
{
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    rmd_future *future = run_with(pool, "read line",
                                  (rmd_command){ .in = { .kind = RMD_STREAM_FD, .fd = ends[0] } });
    *gate = ends[1];
    return future;
}

static void end_gated(int gate)
{
    REQUIRE(write(gate, "\n", 1) == 1);
}

/* ---- waiting ---- */

TEST(a_wait_that_is_not_answered_in_time_changes_nothing)
{
    int gate;
    const rmd_exit *account;
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run_gated(pool, &gate);
    CHECK_EQ(rmd_future_wait(future, RMD_NOW), RMD_ETIMEDOUT);
    rmd_deadline short_time = rmd_after_ms(20);
    CHECK_EQ(rmd_future_wait(future, short_time), RMD_ETIMEDOUT);
    CHECK(rmd_deadline_passed(short_time));
    CHECK_EQ(rmd_future_outcome(future), RMD_PENDING);
    CHECK_EQ(rmd_future_exit(future, &account), RMD_EBUSY);
    CHECK_EQ(rmd_future_read(future, RMD_STDOUT, 0, NULL, 0), RMD_EBUSY);
    end_gated(gate);
    CHECK_EQ(rmd_future_wait(future, RMD_FOREVER), 0);
    CHECK_EQ(rmd_future_wait(future, RMD_NOW), 0); /* for good */
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    close_pool(pool);
}

static void wait_for_end(void *future)
{
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_OK);
}

TEST(all_who_wait_are_woken)
{
    enum { THREADS = 4 };
    int gate;
    rmdi_thread threads[THREADS];
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run_gated(pool, &gate);
    for (int i = 0; i < THREADS; i++)
        REQUIRE(rmdi_thread_start(&threads[i], wait_for_end, future, "wait") == 0);
    end_gated(gate);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    close_pool(pool);
}

TEST(calls_without_a_future_are_refused)
{
    const rmd_exit *account;
    CHECK_EQ(rmd_future_wait(NULL, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_future_cancel(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_future_exit(NULL, &account), RMD_EINVAL);
    CHECK_EQ(rmd_future_read(NULL, RMD_STDOUT, 0, NULL, 0), RMD_EINVAL);
    CHECK_EQ(rmd_future_on_end(NULL, NULL, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_future_outcome(NULL), RMD_PENDING);
    rmd_future_free(NULL);
}

TEST(ids_grow_and_what_has_ended_cannot_be_cancelled)
{
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *first = run(pool, "true"), *second = run(pool, "true");
    CHECK_INT(rmd_future_id(second), ==, rmd_future_id(first) + 1);
    end_of(first);
    CHECK_EQ(rmd_future_cancel(first), RMD_ETOOLATE);
    CHECK_END(first, RMD_OUTCOME_OK, 0);
    CHECK_END(second, RMD_OUTCOME_OK, 0);
    close_pool(pool);
}

TEST(a_future_that_is_freed_before_the_end_lets_its_task_go_on)
{
    int gate, told[2];
    rmd_census census;
    REQUIRE(pipe2(told, O_CLOEXEC) == 0);
    rmd_pool *pool = open_pool("programs:1");
    rmd_future_free(run_gated(pool, &gate));
    rmd_future_free(run_with(pool, "echo 42 >&3", (rmd_command){ .fds = &told[1], .fds_len = 1 }));
    const char *const argv[] = { "sh", "-c", "echo 43 >&3", NULL };
    rmd_command command = { .size = sizeof command, .argv = argv, .fds = &told[1], .fds_len = 1 };
    CHECK_EQ(rmd_pool_exec(pool, NULL, &command), 0); /* nobody wants the handle */
    end_gated(gate);
    CHECK_EQ(read_number(told[0]), 42);
    CHECK_EQ(read_number(told[0]), 43);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_census(pool, &census), 0);
    CHECK_EQ(census.ok, 3);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

TEST(a_future_outlives_its_pool_with_all_it_holds)
{
    char text[8] = "";
    rmd_pool *pool = open_pool_with("programs:1", (rmd_pool_options){ .capture_bytes_max = 1 });
    rmd_future *future = run(pool, "echo kept; echo error >&2");
    end_of(future);
    close_pool(pool);
    const rmd_exit *account = end_of(future);
    CHECK_MEM(account->err_tail.data, "error\n", 6);
    CHECK_EQ(rmd_future_read(future, RMD_STDOUT, 0, text, sizeof text), 5);
    CHECK_STR(text, "kept\n");
    CHECK_EQ(rmd_future_cancel(future), RMD_ETOOLATE);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
}

/* ---- callbacks ---- */

typedef struct calls {
    int counts[3];
    int order[8], used;
    uintptr_t thread;
    rmd_atomic(int) done;
} calls;

static calls seen;

static void note(int which)
{
    seen.counts[which]++;
    if (seen.used < 8)
        seen.order[seen.used++] = which;
    seen.thread = rmdi_thread_self();
    rmd_atomic_add(&seen.done, 1, RMD_RELEASE);
}

static void on_end(rmd_future *future, void *ctx)
{
    CHECK(rmd_future_outcome(future) != RMD_PENDING);
    note((int)(intptr_t)ctx);
}

static void wait_for_calls(int wanted)
{
    rmd_deadline limit = soon();
    while (rmd_atomic_load(&seen.done, RMD_ACQUIRE) < wanted && !rmd_deadline_passed(limit))
        sched_yield();
    CHECK_EQ(rmd_atomic_load(&seen.done, RMD_ACQUIRE), wanted);
}

TEST(callbacks_run_once_in_their_order_on_the_keeper)
{
    int gate;
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run_gated(pool, &gate);
    for (intptr_t i = 0; i < 3; i++)
        CHECK_EQ(rmd_future_on_end(future, on_end, (void *)i), 0);
    CHECK_EQ(rmd_atomic_load(&seen.done, RMD_ACQUIRE), 0);
    end_gated(gate);
    wait_for_calls(3);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(seen.order[i], i);
    CHECK(seen.thread != rmdi_thread_self());
    uintptr_t keeper = seen.thread;
    /* Set after the end they run as well, on the keeper; after the drain, on the caller. */
    CHECK_EQ(rmd_future_on_end(future, on_end, (void *)0), 0);
    wait_for_calls(4);
    CHECK(seen.thread == keeper);
    close_pool(pool);
    CHECK_EQ(seen.used, 4);
    CHECK_EQ(rmd_future_on_end(future, on_end, (void *)1), 0);
    CHECK_EQ(seen.used, 5);
    CHECK(seen.thread == rmdi_thread_self());
    rmd_future_free(future);
}

TEST(the_drain_waits_for_callbacks_that_were_set_late)
{
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run(pool, "true");
    end_of(future);
    for (int i = 0; i < 8; i++)
        CHECK_EQ(rmd_future_on_end(future, on_end, (void *)2), 0);
    close_pool(pool);
    CHECK_EQ(seen.counts[2], 8);
    rmd_future_free(future);
}

static void free_it(rmd_future *future, void *ctx)
{
    note((int)(intptr_t)ctx);
    rmd_future_free(future);
}

TEST(a_future_may_be_freed_in_its_callback_and_later_ones_still_run)
{
    int gate;
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run_gated(pool, &gate);
    CHECK_EQ(rmd_future_on_end(future, free_it, (void *)0), 0);
    CHECK_EQ(rmd_future_on_end(future, on_end, (void *)1), 0);
    end_gated(gate);
    wait_for_calls(2);
    rmd_future *cancelled = run(pool, "sleep 60");
    CHECK_EQ(rmd_future_on_end(cancelled, free_it, (void *)2), 0);
    CHECK_EQ(rmd_future_cancel(cancelled), 0);
    close_pool(pool);
    CHECK_EQ(seen.counts[0] + seen.counts[1] + seen.counts[2], 3);
}

static rmd_pool *resubmits_to;

static void run_another(rmd_future *future, void *ctx)
{
    int *left = ctx;
    rmd_future_free(future);
    if (--*left == 0)
        return;
    CHECK_EQ(rmd_future_on_end(run(resubmits_to, "true"), run_another, left), 0);
}

TEST(a_callback_may_submit_the_next_task)
{
    int left = 20;
    rmd_census census;
    resubmits_to = open_pool("programs:1");
    CHECK_EQ(rmd_future_on_end(run(resubmits_to, "true"), run_another, &left), 0);
    rmd_deadline limit = soon();
    do
        CHECK_EQ(rmd_pool_census(resubmits_to, &census), 0);
    while (census.ok < 20 && !rmd_deadline_passed(limit));
    close_pool(resubmits_to);
    CHECK_EQ(left, 0);
}

/* ---- callbacks that are set while the task ends ---- */

enum { RACES = 300 };

typedef struct race {
    rmd_future *future;
    rmd_atomic(int) calls;
} race;

static race races[RACES];
static rmd_atomic(int) started;

static void count_call(rmd_future *future, void *ctx)
{
    race *r = ctx;
    CHECK(future == r->future);
    rmd_atomic_add(&r->calls, 1, RMD_RELAXED);
}

static void set_callbacks(void *ctx)
{
    (void)ctx;
    for (int i = 0; i < RACES; i++) {
        while (rmd_atomic_load(&started, RMD_ACQUIRE) <= i)
            sched_yield();
        CHECK_EQ(rmd_future_on_end(races[i].future, count_call, &races[i]), 0);
    }
}

TEST(callbacks_that_race_with_the_end_run_exactly_once)
{
    rmdi_thread threads[2];
    rmd_pool *pool = open_pool("programs:2");
    for (int i = 0; i < 2; i++)
        REQUIRE(rmdi_thread_start(&threads[i], set_callbacks, NULL, "callbacks") == 0);
    for (int i = 0; i < RACES; i++) {
        races[i].future = run_argv(pool, (const char *const[]){ "true", NULL }, (rmd_command){ 0 });
        if (i % 2)
            rmd_future_cancel(races[i].future);
        else
            CHECK_EQ(rmd_future_wait(races[i].future, soon()), 0);
        rmd_atomic_store(&started, i + 1, RMD_RELEASE);
    }
    for (int i = 0; i < 2; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    close_pool(pool);
    for (int i = 0; i < RACES; i++) {
        CHECK_EQ(rmd_atomic_load(&races[i].calls, RMD_RELAXED), 2);
        rmd_future_free(races[i].future);
    }
}
