/* SPDX-License-Identifier: MIT */
/* Pools that live on a loop of their user: it is turned by whoever waits, or by the user. */
#include "kit.h"
#include "kit_resources.h"

#include "exec/programs_testing.h"
#include "port/clock.h"
#include "sync/thread.h"
#include <fcntl.h>
#include <remuda/completions.h>
#include <remuda/event.h>
#include <remuda/pool.h>
#include <remuda/select.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

static rmd_loop *loop;

static rmd_pool *open_own(const char *kind)
{
    if (!loop)
        REQUIRE(rmd_loop_open(&loop) == 0);
    return open_pool_with(kind, (rmd_pool_options){ .loop = loop });
}

static void close_own(rmd_pool *pool)
{
    close_pool(pool);
    CHECK_EQ(rmd_loop_free(loop), 0);
    loop = NULL;
}

static void count(rmd_future *future, void *ctx)
{
    (void)future;
    CHECK(rmdi_thread_self() == (uintptr_t)((void **)ctx)[1]);
    ++*(int *)((void **)ctx)[0];
}

static void do_nothing(rmd_source *source, unsigned events, void *ctx)
{
    (void)source;
    (void)events;
    (void)ctx;
}

/* A source that is ready at every turn and keeps no run going. */
static rmd_source *busy_source(void)
{
    rmd_source *source;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    REQUIRE(rmd_loop_watch(loop, &source, fd, RMD_READABLE, do_nothing, NULL) == 0);
    rmd_source_set_background(source, true);
    return source;
}

/* ---- turning ---- */

TEST(a_run_of_the_loop_runs_all_tasks_and_then_ends)
{
    int calls = 0;
    void *ctx[2] = { &calls, (void *)rmdi_thread_self() };
    kit_resources before;
    kit_resources_take(&before);
    rmd_pool *pool = open_own("programs:2");
    for (int i = 0; i < 20; i++) {
        rmd_future *future = run(pool, "true");
        CHECK_EQ(rmd_future_on_end(future, count, ctx), 0);
        rmd_future_free(future);
    }
    CHECK_EQ(calls, 0); /* never from inside the submission */
    CHECK_EQ(rmd_loop_run(loop, soon()), 0);
    CHECK_EQ(calls, 20);
    close_own(pool);
    CHECK_RESOURCES(&before);
}

TEST(whoever_waits_turns_the_loop)
{
    rmd_group *group;
    rmd_pool *pool = open_own("programs:2");
    CHECK_END(run(pool, "true"), RMD_OUTCOME_OK, 0);
    REQUIRE(rmd_group_open(&group) == 0);
    for (int i = 0; i < 5; i++)
        rmd_future_free(run_with(pool, "true", (rmd_command){ .group = group }));
    CHECK_EQ(rmd_group_wait(group, soon()), 0);
    CHECK_EQ(rmd_group_free(group), 0);
    rmd_future *future = run(pool, "true");
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    close_own(pool);
}

TEST(whoever_waits_for_any_turns_the_loop)
{
    rmd_future *futures[3], *ended;
    rmd_completions *ends;
    rmd_pool *pool = open_own("programs:3");
    futures[0] = run(pool, "sleep 60");
    futures[1] = run(pool, "true");
    futures[2] = run(pool, "false");
    CHECK_EQ(rmd_futures_wait(futures, 2, RMD_WAIT_ANY, RMD_FOREVER), 1);
    CHECK_EQ(rmd_futures_wait(futures, 3, RMD_WAIT_FIRST_FAILURE, RMD_FOREVER), 2);
    REQUIRE(rmd_completions_open(&ends, futures, 1) == 0);
    CHECK_EQ(rmd_completions_next(ends, &ended, rmd_after_ms(20)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_future_cancel(futures[0]), 0);
    CHECK_EQ(rmd_completions_next(ends, &ended, RMD_FOREVER), 0);
    CHECK(ended == futures[0]);
    rmd_completions_free(ends);
    for (int i = 0; i < 3; i++)
        rmd_future_free(futures[i]);
    close_own(pool);
}

static int wait_until_open(void *gate)
{
    return rmd_event_wait(gate, RMD_FOREVER);
}

/* Of the process's first thread. */
static bool sleeps(void)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)getpid());
    FILE *file = fopen(path, "r");
    REQUIRE(file && fgets(text, sizeof text, file));
    fclose(file);
    const char *state = strrchr(text, ')');
    return state && state[1] == ' ' && state[2] == 'S';
}

static int open_when_it_turns(void *gate)
{
    while (!sleeps())
        sched_yield();
    return rmd_event_set(gate);
}

/* One of another pool, which ends while nothing happens on the loop. */
TEST(an_end_elsewhere_ends_the_turn)
{
    rmd_event *gate;
    rmd_future *futures[2], *opens;
    rmd_pool *pool = open_own("programs:1"), *threads = open_pool("threads:2");
    REQUIRE(rmd_event_open(&gate) == 0);
    futures[0] = run(pool, "sleep 60");
    REQUIRE(rmd_submit(threads, &futures[1], wait_until_open, gate, NULL) == 0);
    REQUIRE(rmd_submit(threads, &opens, open_when_it_turns, gate, NULL) == 0);
    CHECK_EQ(rmd_futures_wait(futures, 2, RMD_WAIT_ANY, rmd_after_ms(600000)), 1);
    CHECK_EQ(rmd_future_cancel(futures[0]), 0);
    CHECK_EQ(rmd_future_wait(futures[0], soon()), 0);
    rmd_future_free(futures[0]);
    rmd_future_free(futures[1]);
    rmd_future_free(opens);
    close_pool(threads);
    close_own(pool);
    CHECK_EQ(rmd_event_free(gate), 0);
}

static void wait_in_callback(rmd_future *future, void *ctx)
{
    rmd_future *other = ((rmd_future **)ctx)[0];
    (void)future;
    CHECK_EQ(rmd_futures_wait(&other, 1, RMD_WAIT_ANY, RMD_FOREVER), RMD_EDEADLK);
    CHECK(strstr(rmd_error_detail(), "callback"));
    ((rmd_future **)ctx)[1] = other;
}

TEST(a_callback_that_waits_for_any_of_its_pool_is_refused)
{
    rmd_pool *pool = open_own("programs:2");
    rmd_future *others[2] = { run(pool, "sleep 60"), NULL }, *future = run(pool, "true");
    CHECK_EQ(rmd_future_on_end(future, wait_in_callback, others), 0);
    while (!others[1])
        CHECK_INT(rmd_loop_turn(loop, soon()), >=, 0);
    CHECK_EQ(rmd_future_cancel(others[0]), 0);
    CHECK_END(others[0], RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    rmd_future_free(future);
    close_own(pool);
}

TEST(waits_keep_their_deadlines_although_there_is_always_something_to_do)
{
    rmd_group *group;
    rmd_pool *pool = open_own("programs:1?queue=1");
    REQUIRE(rmd_group_open(&group) == 0);
    rmd_future *future = run_with(pool, "sleep 60", (rmd_command){ .group = group });
    rmd_source *busy = busy_source();
    CHECK_EQ(rmd_future_wait(future, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_future_wait(future, rmd_after_ms(20)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_group_wait(group, rmd_after_ms(20)), RMD_ETIMEDOUT);
    rmd_future *queued = run(pool, "true"); /* there is a place: the first has started */
    static const char *const argv[] = { "true", NULL };
    rmd_command command = { .size = sizeof command, .argv = argv, .full_ms = 20 };
    CHECK_EQ(rmd_pool_exec(pool, NULL, &command), RMD_EFULL);
    CHECK_EQ(rmd_pool_drain(pool, rmd_after_ms(20)), RMD_ETIMEDOUT);
    CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_END(queued, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_EQ(rmd_group_free(group), 0);
    rmd_source_free(busy);
    close_own(pool);
}

TEST(a_stop_of_the_loop_is_for_runs_and_no_wait_burns_time_for_it)
{
    rmd_pool *pool = open_own("programs:1");
    rmd_future *future = run(pool, "sleep 0.3");
    rmd_loop_stop(loop);
    int64_t cpu = clock();
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_INT((clock() - cpu) * 1000 / CLOCKS_PER_SEC, <, 150 * kit_patience());
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), RMD_ECANCELED);
    close_own(pool);
}

TEST(a_full_queue_is_waited_for_by_turning)
{
    rmd_future *futures[20];
    rmd_pool *pool = open_own("programs:1?queue=1");
    for (int i = 0; i < 20; i++)
        futures[i] = run(pool, "true");
    for (int i = 0; i < 20; i++)
        CHECK_END(futures[i], RMD_OUTCOME_OK, 0);
    close_own(pool);
}

TEST(two_pools_may_live_on_one_loop)
{
    rmd_pool *a = open_own("programs:1"), *b = open_own("programs:1");
    rmd_future *first = run(a, "true"), *second = run(b, "true");
    CHECK_EQ(rmd_loop_run(loop, soon()), 0);
    CHECK_EQ(rmd_future_outcome(first), RMD_OUTCOME_OK);
    CHECK_EQ(rmd_future_outcome(second), RMD_OUTCOME_OK);
    rmd_future_free(first);
    rmd_future_free(second);
    close_pool(a);
    close_own(b);
}

TEST(the_loop_may_itself_live_in_a_foreign_one)
{
    rmd_pool *pool = open_own("programs:2");
    struct epoll_event event = { .events = EPOLLIN };
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, rmd_loop_fd(loop), &event) == 0);
    rmd_future *futures[] = { run(pool, "true"), run(pool, "sleep 0.05"),
                              run_with(pool, "sleep 60",
                                       (rmd_command){ .limits.run_ms_max = 50 }) };
    for (int i = 0; i < 3; i++)
        while (rmd_future_outcome(futures[i]) == RMD_PENDING) {
            REQUIRE(epoll_wait(epoll, &event, 1, 15000 * kit_patience()) == 1);
            CHECK_INT(rmd_loop_turn(loop, RMD_NOW), >=, 0);
        }
    CHECK_END(futures[0], RMD_OUTCOME_OK, 0);
    CHECK_END(futures[1], RMD_OUTCOME_OK, 0);
    CHECK_END(futures[2], RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT);
    close_own(pool);
    close(epoll);
}

TEST(a_suspension_on_the_loops_own_thread_is_done_when_the_call_returns)
{
    int told[2];
    siginfo_t info;
    REQUIRE(pipe2(told, O_CLOEXEC) == 0);
    const char *const argv[] = { kit_helper("exec-task_helper"), "deaf", NULL };
    rmd_pool *pool = open_own("programs:1");
    rmd_future *future = run_argv(pool, argv, (rmd_command){ .fds = &told[1], .fds_len = 1 });
    CHECK_EQ(rmd_future_wait(future, RMD_NOW), RMD_ETIMEDOUT); /* starts it */
    int pid = read_number(told[0]);
    CHECK_EQ(rmd_pool_suspend(pool), 0);
    REQUIRE(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT) == 0);
    CHECK_EQ(rmd_pool_resume(pool), 0);
    REQUIRE(waitid(P_PID, (id_t)pid, &info, WCONTINUED | WNOWAIT) == 0);
    rmd_future_cancel(future);
    CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    close_own(pool);
}

/* ---- other threads ---- */

static void drain(void *pool)
{
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
}

TEST(another_thread_drains_while_the_loop_is_turned_here)
{
    for (int i = 0; i < 20; i++) {
        rmdi_thread thread;
        rmd_pool *pool = open_own("programs:1");
        rmd_future *future = run(pool, "true");
        REQUIRE(rmdi_thread_start(&thread, drain, pool, "drain") == 0);
        while (rmdi_thread_join(&thread, RMD_NOW) < 0)
            CHECK_INT(rmd_loop_turn(loop, rmd_after_ms(1)), >=, 0);
        CHECK_END(future, RMD_OUTCOME_OK, 0);
        close_own(pool);
    }
}

TEST(another_thread_drains_and_so_does_the_one_that_must_turn)
{
    for (int i = 0; i < 50; i++) {
        rmdi_thread thread;
        rmd_pool *pool = open_own("programs:1");
        rmd_future *future = run(pool, "true");
        REQUIRE(rmdi_thread_start(&thread, drain, pool, "drain") == 0);
        if (i % 2)
            CHECK_EQ(rmd_future_wait(future, soon()), 0);
        CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
        CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
        CHECK_END(future, RMD_OUTCOME_OK, 0);
        close_own(pool);
    }
}

static void close_it(void *pool)
{
    CHECK_EQ(rmd_pool_close(pool), 0);
}

TEST(who_turns_the_loop_while_waiting_for_a_place_is_told_of_a_close)
{
    static const char *const argv[] = { "true", NULL };
    rmd_command command = { .size = sizeof command, .argv = argv };
    rmdi_thread thread;
    rmd_pool *pool = open_own("programs:1?queue=1");
    rmd_future *first = run(pool, "sleep 60");
    CHECK_EQ(rmd_future_wait(first, RMD_NOW), RMD_ETIMEDOUT);
    rmd_future *second = run(pool, "true");
    REQUIRE(rmdi_thread_start(&thread, close_it, pool, "close") == 0);
    CHECK_EQ(rmd_pool_exec(pool, NULL, &command), RMD_ECLOSED);
    CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
    CHECK_EQ(rmd_pool_abort(pool, soon()), 0);
    CHECK_END(first, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_END(second, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    close_own(pool);
}

static void use(void *arg)
{
    rmd_pool *pool = arg;
    rmd_future *future = run(pool, "true"), *cancelled = run(pool, "sleep 60");
    CHECK_EQ(rmd_future_cancel(cancelled), 0);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    CHECK_END(cancelled, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    rmd_loop_stop(loop);
}

TEST(other_threads_submit_cancel_and_wait_while_the_loop_is_run_here)
{
    rmdi_thread thread;
    rmd_source *timer; /* so that the run goes on when nothing is to be done */
    rmd_pool *pool = open_own("programs:1");
    REQUIRE(rmd_loop_timer(loop, &timer, rmd_after_ms(60000), 0, do_nothing, NULL) == 0);
    REQUIRE(rmdi_thread_start(&thread, use, pool, "use") == 0);
    CHECK_EQ(rmd_loop_run(loop, soon()), RMD_ECANCELED);
    CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
    close_own(pool);
}

/* ---- callbacks ---- */

static rmd_pool *in_callback;

static void try_to_wait(rmd_future *future, void *ctx)
{
    rmd_future *other = ctx;
    CHECK_EQ(rmd_future_wait(other, RMD_FOREVER), RMD_EDEADLK);
    CHECK_EQ(rmd_pool_drain(in_callback, RMD_FOREVER), RMD_EDEADLK);
    CHECK_EQ(rmd_loop_free(loop), RMD_EBUSY);
    CHECK_EQ(rmd_pool_suspend(in_callback), 0);
    CHECK_EQ(rmd_pool_resume(in_callback), 0);
    rmd_future_free(future);
}

TEST(a_callback_can_neither_wait_nor_free_the_loop)
{
    in_callback = open_own("programs:2");
    rmd_future *other = run(in_callback, "sleep 0.05"), *future = run(in_callback, "true");
    CHECK_EQ(rmd_future_on_end(future, try_to_wait, other), 0);
    CHECK_EQ(rmd_loop_run(loop, soon()), 0);
    CHECK_END(other, RMD_OUTCOME_OK, 0);
    close_own(in_callback);
}

static void cancel_all(rmd_future *future, void *ctx)
{
    (void)future;
    CHECK_EQ(rmd_pool_cancel(ctx, false), 0);
}

static rmd_future *ended;

static void set_late_callback(void *pool)
{
    CHECK_EQ(rmd_future_on_end(ended, cancel_all, pool), 0);
}

/* The last callback, run by the keeper's last look, makes it want to look once more. */
TEST(nothing_of_a_freed_pool_is_left_in_the_loop)
{
    rmd_pool *pool = open_own("programs:1");
    ended = run(pool, "true");
    CHECK_EQ(rmd_future_wait(ended, soon()), 0);
    CHECK_EQ(rmd_loop_run(loop, soon()), 0);
    CHECK_EQ(rmd_loop_post(loop, set_late_callback, pool), 0);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
    rmd_future_free(ended);
    CHECK_EQ(rmd_loop_turn(loop, RMD_NOW), 0);
    CHECK_EQ(rmd_loop_free(loop), 0);
}

/* ---- told to stop ---- */

static void stop_soon(void *stop)
{
    CHECK_EQ(rmd_select(NULL, 0, rmd_after_ms(20)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_stop_request(stop), 0);
}

TEST(whoever_turns_the_loop_to_wait_wakes_when_it_is_told_to_stop)
{
    rmd_stop *stop;
    rmd_group *group;
    rmdi_thread thread;
    REQUIRE(rmd_stop_open(&stop) == 0);
    REQUIRE(rmd_group_open(&group) == 0);
    rmd_pool *pool = open_own("programs:1");
    rmd_future *future = run_with(pool, "sleep 60", (rmd_command){ .group = group });
    REQUIRE(rmdi_thread_start(&thread, stop_soon, stop, "stopper") == 0);
    rmd_stop_set(stop);
    CHECK_EQ(rmd_future_wait(future, soon()), RMD_ECANCELED);
    CHECK_CONTAINS(rmd_error_detail(), "has not ended");
    CHECK_EQ(rmd_group_wait(group, soon()), RMD_ECANCELED);
    CHECK_EQ(rmd_pool_drain(pool, soon()), RMD_ECANCELED);
    rmd_stop_set(NULL);
    CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
    CHECK_EQ(rmd_group_free(group), 0);
    CHECK_EQ(rmd_stop_free(stop), 0);
    close_own(pool);
}
