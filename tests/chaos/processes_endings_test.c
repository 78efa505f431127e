/* SPDX-License-Identifier: MIT */
/* Processes pools that are opened and ended in all ways, again and again: nothing of them is left.
 * And programs that fork while they hold one, in whatever state it is. */
#include "processes_testing.h"

#include <pthread.h>
#include <sys/wait.h>

enum { GROWTH_KIB_MAX = 1024, SOME = 12 };

static int twice(rmd_call *call)
{
    int64_t n;
    int err = rmd_call_get(call, 0, &n);
    return err < 0 ? err : rmd_call_return(call, 2 * n);
}

static int crash(rmd_call *call)
{
    (void)call;
    _exit(9);
}

static int stay(rmd_call *call)
{
    (void)call;
    for (alarm(60);;)
        pause();
    return 0;
}

/* With one that has left the group. */
static int leave_one(rmd_call *call)
{
    if (fork() == 0) {
        setsid();
        alarm(60);
        for (;;)
            pause();
    }
    return rmd_call_return(call, 1);
}

static int fail(rmd_call *call)
{
    return rmd_call_fail(call, -1001, "as wanted");
}

static const rmd_function functions[] = {
    { .name = "twice", .fn = twice }, { .name = "crash", .fn = crash },
    { .name = "stay", .fn = stay },   { .name = "leave_one", .fn = leave_one },
    { .name = "fail", .fn = fail },   { 0 }
};
WORKERS(functions)

static rmd_atomic(int) called;

static void on_end(rmd_future *future, void *ctx)
{
    (void)ctx;
    rmd_atomic_add(&called, 1, RMD_RELEASE);
    rmd_future_free(future);
}

static void call(rmd_pool *pool, const char *function, int times)
{
    for (int i = 0; i < times; i++)
        REQUIRE(rmd_pool_call(pool, NULL, function, RMD_ARGS(i), NULL) == 0);
}

static void call_back(rmd_pool *pool, int times)
{
    for (int i = 0; i < times; i++) {
        rmd_future *future;
        REQUIRE(rmd_pool_call(pool, &future, "twice", RMD_ARGS(i), NULL) == 0);
        REQUIRE(rmd_future_on_end(future, on_end, NULL) == 0);
    }
}

static rmd_pool *open_two(void)
{
    return open_chaos("processes:2", (rmd_pool_options){ 0 });
}

/* ---- ways to end ---- */

static void drain_idle(void)
{
    end_chaos(open_two());
}

static void drain_busy(void)
{
    rmd_pool *pool = open_two();
    call(pool, "twice", SOME);
    call_back(pool, SOME);
    end_chaos(pool);
}

static void abort_busy(void)
{
    rmd_pool *pool = open_two();
    call(pool, "stay", SOME);
    CHECK_EQ(rmd_pool_abort(pool, soon()), 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

static void drain_late(void)
{
    rmd_pool *pool = open_two();
    call(pool, "stay", SOME);
    CHECK_EQ(rmd_pool_drain(pool, rmd_after_ms(1)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

static void cancel_and_drain(void)
{
    rmd_pool *pool = open_two();
    call(pool, "stay", SOME);
    CHECK_EQ(rmd_pool_cancel(pool, false), 0);
    end_chaos(pool);
}

static void suspend_and_abort(void)
{
    rmd_pool *pool = open_two();
    call(pool, "stay", SOME);
    CHECK_EQ(rmd_pool_suspend(pool), 0);
    CHECK_EQ(rmd_pool_abort(pool, soon()), 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

static void suspend_resume_and_drain(void)
{
    rmd_pool *pool = open_two();
    CHECK_EQ(rmd_pool_suspend(pool), 0);
    call(pool, "twice", SOME);
    CHECK_EQ(rmd_pool_resume(pool), 0);
    end_chaos(pool);
}

static void drain_after_crashes(void)
{
    rmd_pool *pool = open_two();
    call(pool, "crash", 3);
    call(pool, "twice", SOME);
    end_chaos(pool);
}

static void drain_with_one_left(void)
{
    rmd_pool *pool = open_two();
    call(pool, "leave_one", 2);
    end_chaos(pool);
}

static void drain_by_two(void *pool)
{
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
}

static void drain_twice_at_once(void)
{
    rmd_thread *other;
    rmd_pool *pool = open_two();
    call(pool, "twice", SOME);
    REQUIRE(rmd_thread_start(&other, drain_by_two, pool, NULL) == 0);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_thread_join(other, soon()), 0);
    rmd_thread_free(other);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

static void future_outlives_it(void)
{
    rmd_future *future;
    int64_t result = 0;
    rmd_pool *pool = open_two();
    REQUIRE(rmd_pool_call(pool, &future, "twice", RMD_ARGS(4), NULL) == 0);
    end_chaos(pool);
    CHECK(rmd_future_get(future, &result) == 0 && result == 8);
    rmd_future_free(future);
}

static void not_opened(const char *kind, rmd_pool_options options, rmd_deadline deadline, int err)
{
    rmd_pool *pool = NULL;
    options.size = sizeof options;
    CHECK_STR(rmd_error_name(rmd_pool_open(&pool, kind, &options, deadline)), rmd_error_name(err));
    CHECK(!pool);
}

static void open_in_vain(void)
{
    not_opened("processes:2", (rmd_pool_options){ .initializer = "fail" }, soon(), -1001);
    not_opened("processes:2", (rmd_pool_options){ .preload = "fail" }, soon(), -1001);
    not_opened("processes:2", (rmd_pool_options){ .initializer = "crash" }, soon(), RMD_EWORKER);
    not_opened("processes:2", (rmd_pool_options){ .program = "/none" }, soon(), RMD_EWORKER);
    not_opened("processes:2", (rmd_pool_options){ .program = "/bin/true" }, soon(), RMD_EWORKER);
    not_opened("processes:2", (rmd_pool_options){ .initializer = "stay" }, rmd_after_ms(1),
               RMD_ETIMEDOUT);
}

static void *open_failing(void *times)
{
    for (int i = 0; i < *(int *)times; i++)
        not_opened("processes:2", (rmd_pool_options){ .initializer = "fail" }, soon(), -1001);
    return NULL;
}

/* The end of a worker is told on another way than its error; several pools at once have either come
 * first. */
TEST_LIMIT(an_initializer_that_fails_is_told_whatever_comes_first, 60)
{
    pthread_t threads[8];
    int times = how_many(25, 3, 500);
    for (int i = 0; i < 8; i++)
        REQUIRE(pthread_create(&threads[i], NULL, open_failing, &times) == 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
}

static void (*const ways[])(void) = {
    drain_idle,         drain_busy,          abort_busy,          drain_late,
    cancel_and_drain,   suspend_and_abort,   open_in_vain,        suspend_resume_and_drain,
    future_outlives_it, drain_after_crashes, drain_with_one_left, drain_twice_at_once,
};
enum { WAYS = sizeof ways / sizeof *ways };

static long resident_kib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * sysconf(_SC_PAGESIZE) / 1024;
}

TEST_LIMIT(opened_and_ended_in_all_ways_nothing_is_left, 600)
{
    static char text[160];
    kit_resources before, each;
    int cycles = how_many(200, 24, 2000);
    long first = 0;
    mark_family();
    for (int i = 0; i < WAYS; i++) /* what is allocated once */
        ways[i]();
    kit_resources_take(&before);
    for (int i = 0; i < cycles; i++) {
        kit_resources_take(&each);
        ways[i % WAYS]();
        CHECK_EQ(family_size(), 0);
        if (!CHECK_RESOURCES(&each))
            printf("way %d\n", i % WAYS);
        if (i == cycles / 10)
            first = resident_kib();
    }
    long growth = resident_kib() - first;
    CHECK_RESOURCES(&before);
    if (!KIT_SANITIZED)
        CHECK_INT(growth, <=, GROWTH_KIB_MAX);
    snprintf(text, sizeof text, "%d pools, resident memory %+ld KiB", cycles, growth);
    kit_remark(text);
}

/* ---- forks of the program ---- */

/* In the child: nothing can be done with it, and nothing hangs. */
static void be_refused(rmd_pool *pool, rmd_future *future)
{
    rmd_census census;
    rmd_future *another = NULL;
    CHECK_EQ(rmd_pool_call(pool, &another, "twice", RMD_ARGS(1), NULL), RMD_EFORKED);
    if (rmd_future_outcome(future) == RMD_PENDING) { /* what had ended can be read */
        CHECK_EQ(rmd_future_wait(future, RMD_NOW), RMD_EFORKED);
        CHECK_EQ(rmd_future_cancel(future), RMD_EFORKED);
    }
    CHECK_EQ(rmd_pool_close(pool), RMD_EFORKED);
    CHECK_EQ(rmd_pool_cancel(pool, false), RMD_EFORKED);
    CHECK_EQ(rmd_pool_suspend(pool), RMD_EFORKED);
    CHECK_EQ(rmd_pool_census(pool, &census), RMD_EFORKED);
    CHECK_EQ(rmd_pool_abort(pool, RMD_NOW), RMD_EFORKED);
    CHECK_EQ(rmd_pool_drain(pool, RMD_NOW), RMD_EFORKED);
    CHECK_EQ(rmd_pool_free(pool), RMD_EFORKED);
}

static void fork_and_see(rmd_pool *pool, rmd_future *future)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        be_refused(pool, future);
        _exit(0);
    }
    CHECK_CHILD(pid);
}

static void skip_if_sanitized(void)
{
    if (KIT_SANITIZED)
        SKIP("a sanitizer's own locks do not survive a fork with threads");
}

static rmd_future *call_one(rmd_pool *pool, const char *function)
{
    rmd_future *future = NULL;
    REQUIRE(rmd_pool_call(pool, &future, function, RMD_ARGS(21), NULL) == 0);
    return future;
}

static void check_one(rmd_future *future, rmd_outcome outcome)
{
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_STR(rmd_outcome_name(rmd_future_outcome(future)), rmd_outcome_name(outcome));
    rmd_future_free(future);
}

TEST(a_fork_can_do_nothing_with_a_pool_that_is_idle_busy_suspended_or_drained)
{
    skip_if_sanitized();
    kit_resources before;
    kit_resources_take(&before);
    rmd_pool *pool = open_two();
    rmd_future *done = call_one(pool, "twice");
    CHECK_EQ(rmd_future_wait(done, soon()), 0);
    fork_and_see(pool, done);
    rmd_future *stays = call_one(pool, "stay"), *also = call_one(pool, "stay");
    rmd_future *waits = call_one(pool, "twice");
    fork_and_see(pool, stays);
    CHECK_EQ(rmd_pool_suspend(pool), 0);
    fork_and_see(pool, waits);
    CHECK_EQ(rmd_pool_resume(pool), 0);
    CHECK_EQ(rmd_future_cancel(stays), 0);
    fork_and_see(pool, stays);
    check_one(stays, RMD_OUTCOME_CANCELLED);
    check_one(waits, RMD_OUTCOME_OK);
    CHECK_EQ(rmd_future_cancel(also), 0);
    CHECK_EQ(rmd_pool_close(pool), 0);
    fork_and_see(pool, also);
    check_one(also, RMD_OUTCOME_CANCELLED);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    fork_and_see(pool, done);
    check_one(done, RMD_OUTCOME_OK);
    CHECK_EQ(rmd_pool_free(pool), 0);
    CHECK_RESOURCES(&before);
}

static void *submit_many(void *pool)
{
    for (int i = 0; i < 2000; i++)
        CHECK_EQ(rmd_pool_call(pool, NULL, "twice", RMD_ARGS(i), NULL), 0);
    return NULL;
}

TEST_LIMIT(forks_while_another_thread_submits_change_nothing, 60)
{
    skip_if_sanitized();
    kit_resources before;
    pthread_t submitter;
    kit_resources_take(&before);
    rmd_pool *pool = open_two();
    rmd_future *future = call_one(pool, "twice");
    REQUIRE(pthread_create(&submitter, NULL, submit_many, pool) == 0);
    for (int i = 0; i < 40; i++)
        fork_and_see(pool, future);
    pthread_join(submitter, NULL);
    check_one(future, RMD_OUTCOME_OK);
    rmd_census census = end_chaos(pool);
    CHECK_EQ(census.ok, 2001);
    CHECK_RESOURCES(&before);
}

static void fork_in_callback(rmd_future *future, void *ctx)
{
    rmd_pool *pool = ctx;
    fork_and_see(pool, future);
    rmd_atomic_add(&called, 1, RMD_RELEASE);
}

TEST(a_callback_may_fork)
{
    skip_if_sanitized();
    rmd_pool *pool = open_two();
    rmd_future *future = call_one(pool, "twice");
    REQUIRE(rmd_future_on_end(future, fork_in_callback, pool) == 0);
    CHECK(await_count(&called, 1));
    check_one(future, RMD_OUTCOME_OK);
    end_chaos(pool);
}

/* It has copies of all that the pool has open. */
TEST(a_fork_that_lives_on_does_not_hold_up_the_end)
{
    skip_if_sanitized();
    kit_resources before;
    kit_resources_take(&before);
    rmd_pool *pool = open_two();
    call(pool, "stay", 2);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        for (;;)
            pause();
    }
    int64_t begin = now_ns();
    CHECK_EQ(rmd_pool_abort(pool, soon()), 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
    CHECK_INT((now_ns() - begin) / 1000000, <, 1000 * kit_patience());
    kill(pid, SIGKILL);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    CHECK_RESOURCES(&before);
}

TEST(a_fork_may_have_a_pool_of_its_own)
{
    skip_if_sanitized();
    rmd_pool *pool = open_two();
    check_one(call_one(pool, "twice"), RMD_OUTCOME_OK);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        rmd_pool *own = open_two();
        check_one(call_one(own, "twice"), RMD_OUTCOME_OK);
        end_chaos(own);
        _exit(0);
    }
    CHECK_CHILD(pid);
    check_one(call_one(pool, "twice"), RMD_OUTCOME_OK);
    end_chaos(pool);
}

static void *open_some(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++)
        end_chaos(open_two());
    rmd_atomic_store(&called, 1, RMD_RELEASE);
    return NULL;
}

TEST_LIMIT(forks_while_pools_are_opened_and_ended_change_nothing, 60)
{
    skip_if_sanitized();
    kit_resources before;
    pthread_t opener;
    kit_resources_take(&before);
    REQUIRE(pthread_create(&opener, NULL, open_some, NULL) == 0);
    while (!rmd_atomic_load(&called, RMD_ACQUIRE)) {
        pid_t pid = fork();
        if (pid == 0) {
            rest_us(1000); /* with copies of what was open at that moment */
            _exit(0);
        }
        CHECK_EQ(waitpid(pid, NULL, 0), pid);
    }
    pthread_join(opener, NULL);
    CHECK_RESOURCES(&before);
}
