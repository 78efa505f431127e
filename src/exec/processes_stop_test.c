/* SPDX-License-Identifier: MIT */
/* Cancel and limits: what runs is ended, with all that it has started, before it is said to have
 * ended; what waits in a ring is taken out; and nothing else is hit. */
#include "exec/processes_testing.h"

#include "port/clock.h"

static int do_compute(rmd_call *call)
{
    volatile unsigned n = 0;
    for (arrive(text_at(call, 0));;)
        n++;
    return 0;
}

static int do_sleep(rmd_call *call)
{
    for (arrive(text_at(call, 0));;)
        pause();
    return 0;
}

static int do_ignore(rmd_call *call)
{
    signal(SIGTERM, SIG_IGN);
    return do_sleep(call);
}

/* One child in its group, one outside of it that has a child itself; all of them deaf. */
static int do_have_family(rmd_call *call)
{
    signal(SIGTERM, SIG_IGN);
    if (fork() == 0)
        do_sleep(call);
    if (fork() == 0) {
        setsid();
        (void)fork();
        do_sleep(call);
    }
    return do_sleep(call);
}

/* Takes the signal as a word of warning, and returns its number. */
static int do_finish_anyway(rmd_call *call)
{
    int signal = 0;
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    arrive(text_at(call, 0));
    sigwait(&all, &signal);
    return rmd_call_return(call, signal);
}

static const rmd_function own[] = {
    { .name = "compute", .fn = do_compute },
    { .name = "sleep", .fn = do_sleep },
    { .name = "ignore", .fn = do_ignore },
    { .name = "have_family", .fn = do_have_family },
    { .name = "finish_anyway", .fn = do_finish_anyway },
    { 0 },
};
WORKERS(own)

static const rmd_kill_step quick[] = { { SIGTERM, 30 }, { SIGKILL, 0 } };

static rmd_task_options run_limit(int64_t ms)
{
    return (rmd_task_options){ .limits = { .run_ms_max = ms, .ladder = quick, .ladder_len = 2 } };
}

#define CHECK_TIMEOUT(future)   CHECK_ENDED((future), RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT)
#define CHECK_CANCELLED(future) CHECK_ENDED((future), RMD_OUTCOME_CANCELLED, RMD_ECANCELED)

/* ---- what runs is ended ---- */

enum { FAMILY = 4 };

/* Waits until n processes of the task stand at the gate. */
static void hold_all(const gate *at, int *held, int n)
{
    for (int i = 0; i < n; i++)
        held[i] = hold_process(await_arrival(at));
}

static void check_gone(int *held, int n)
{
    for (int i = 0; i < n; i++) {
        CHECK(!is_alive(held[i]));
        close(held[i]);
    }
}

static void hit_limit(const char *function, int processes, int64_t at_least_ms)
{
    int held[FAMILY];
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool("processes:1");
    int64_t before = rmdi_clock_monotonic_ns();
    rmd_future *future = call_with(pool, function, RMD_ARGS("gate"),
                                   run_limit(300 * kit_patience()));
    hold_all(&at, held, processes);
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    check_gone(held, processes);
    CHECK_INT(rmdi_clock_monotonic_ns() - before, >=, at_least_ms * 1000000);
    CHECK_STR(detail_of(future), "stopped at its time limit");
    CHECK_TIMEOUT(future);
    check_works(pool);
    close_pool(pool);
}

TEST(a_run_limit_ends_a_task_that_computes)
{
    hit_limit("compute", 1, 300);
}

TEST(a_run_limit_ends_a_task_that_sleeps)
{
    hit_limit("sleep", 1, 300);
}

TEST(a_run_limit_ends_a_task_that_ignores_its_signal_by_the_ladder_given)
{
    hit_limit("ignore", 1, 330);
}

TEST(a_run_limit_ends_all_that_a_task_has_started)
{
    hit_limit("have_family", FAMILY, 330);
}

static void cancel_running(const char *function, int processes)
{
    int held[FAMILY];
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool("processes:1");
    rmd_task_options options = { .limits = { .ladder = quick, .ladder_len = 2 } };
    rmd_future *future = call_with(pool, function, RMD_ARGS("gate"), options);
    hold_all(&at, held, processes);
    CHECK_EQ(rmd_future_cancel(future), 0);
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    check_gone(held, processes);
    CHECK_STR(detail_of(future), "stopped while it ran");
    CHECK_EQ(rmd_future_cancel(future), RMD_ETOOLATE);
    CHECK_CANCELLED(future);
    check_works(pool);
    close_pool(pool);
}

TEST(a_cancel_ends_a_task_that_computes)
{
    cancel_running("compute", 1);
}

TEST(a_cancel_ends_a_task_that_sleeps)
{
    cancel_running("sleep", 1);
}

TEST(a_cancel_ends_a_task_that_ignores_its_signal)
{
    cancel_running("ignore", 1);
}

TEST(a_cancel_ends_all_that_a_task_has_started)
{
    cancel_running("have_family", FAMILY);
}

TEST(an_abort_ends_all_that_tasks_have_started)
{
    int held[2 * FAMILY];
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool("processes:2");
    rmd_task_options options = { .limits = { .ladder = quick, .ladder_len = 2 } };
    rmd_future *a = call_with(pool, "have_family", RMD_ARGS("gate"), options);
    rmd_future *b = call_with(pool, "have_family", RMD_ARGS("gate"), options);
    hold_all(&at, held, 2 * FAMILY);
    CHECK_EQ(rmd_pool_abort(pool, soon()), 0);
    check_gone(held, 2 * FAMILY);
    CHECK_CANCELLED(a);
    CHECK_CANCELLED(b);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

TEST(without_a_ladder_the_first_step_is_sigterm)
{
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *future = call(pool, "finish_anyway", RMD_ARGS("gate"));
    await_arrival(&at);
    CHECK_EQ(rmd_future_cancel(future), 0);
    CHECK_EQ(INT_OF(future), SIGTERM);
    check_works(pool);
    close_pool(pool);
}

TEST(a_ladder_of_ones_own_is_climbed_from_its_first_step)
{
    static const rmd_kill_step ladder[] = { { SIGUSR2, 60000 } };
    rmd_task_options options = { .limits = { .ladder = ladder, .ladder_len = 1 } };
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *future = call_with(pool, "finish_anyway", RMD_ARGS("gate"), options);
    await_arrival(&at);
    CHECK_EQ(rmd_future_cancel(future), 0);
    CHECK_EQ(INT_OF(future), SIGUSR2);
    check_works(pool); /* and nobody waits for the rest of it */
    close_pool(pool);
}

TEST(a_task_that_finishes_although_its_time_is_up_is_ok)
{
    make_gate("gate");
    rmd_pool *pool = open_pool("processes:1");
    rmd_task_options options = { .limits = { .run_ms_max = 300 } };
    rmd_future *future = call_with(pool, "finish_anyway", RMD_ARGS("gate"), options);
    CHECK_EQ(INT_OF(future), SIGTERM);
    check_works(pool);
    close_pool(pool);
}

TEST(what_comes_behind_one_that_is_told_is_not_hit_by_its_ladder)
{
    gate at = make_gate("gate"), other = make_gate("other");
    rmd_pool *pool = open_pool("processes:1");
    rmd_task_options options = { .limits = { .ladder = quick, .ladder_len = 2 } };
    rmd_future *future = call_with(pool, "finish_anyway", RMD_ARGS("gate"), options);
    pid_t pid = await_arrival(&at);
    rmd_future *behind = call(pool, "stand", RMD_ARGS("other"));
    CHECK_EQ(rmd_future_cancel(future), 0);
    CHECK_EQ(INT_OF(future), SIGTERM);
    CHECK_INT(await_arrival(&other), !=, pid);
    open_gate(&other);
    CHECK_OK(behind);
    close_pool(pool);
}

/* ---- what waits is taken out ---- */

TEST(one_that_waits_in_a_ring_is_cancelled_at_once)
{
    enum { BEHIND = 8 };
    rmd_future *behind[BEHIND];
    char notes[2] = "a";
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *future = stand(pool, &at, "gate", NULL);
    for (int i = 0; i < BEHIND; i++, notes[0]++)
        behind[i] = call(pool, "note", RMD_ARGS("notes", (const char *)notes));
    for (int i = 0; i < BEHIND; i += 2) {
        CHECK_EQ(rmd_future_cancel(behind[i]), 0);
        CHECK_EQ(rmd_future_outcome(behind[i]), RMD_OUTCOME_CANCELLED);
        CHECK_STR(detail_of(behind[i]), "cancelled before it started");
        CHECK_CANCELLED(behind[i]);
    }
    CHECK_EQ(rmd_future_outcome(future), RMD_PENDING);
    open_gate(&at);
    CHECK_OK(future);
    for (int i = 1; i < BEHIND; i += 2)
        CHECK_OK(behind[i]);
    CHECK_STR(lines_of("notes"), "bdfh");
    close_pool(pool);
}

static void wait_behind(rmd_limits limits, const char *words)
{
    rmd_failure failure;
    rmd_task_options options = { .limits = limits };
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *future = stand(pool, &at, "gate", NULL);
    rmd_future *late = call_with(pool, "note", RMD_ARGS("notes", "late"), options);
    rmd_future *behind = call(pool, "note", RMD_ARGS("notes", "behind"));
    CHECK_CONTAINS(detail_of(late), words);
    CHECK_EQ(rmd_future_failure(late, &failure), 0);
    CHECK_EQ(failure.attempt, 0);
    CHECK_TIMEOUT(late);
    CHECK_EQ(rmd_future_outcome(future), RMD_PENDING);
    open_gate(&at);
    CHECK_OK(future);
    CHECK_OK(behind);
    CHECK_STR(lines_of("notes"), "behind");
    close_pool(pool);
}

TEST(a_queue_limit_takes_a_task_out_of_a_ring)
{
    wait_behind((rmd_limits){ .queue_ms_max = 20 }, "it waited too long for its start");
}

TEST(a_total_limit_takes_a_task_out_of_a_ring)
{
    wait_behind((rmd_limits){ .total_ms_max = 20 }, "its time was over before it could start");
}

TEST(a_queue_limit_is_none_of_a_task_that_has_begun)
{
    gate at = make_gate("gate"), other = make_gate("other");
    rmd_pool *pool = open_pool("processes:2");
    rmd_task_options options = { .limits = { .queue_ms_max = 20 } };
    rmd_future *begun = call_with(pool, "stand", RMD_ARGS("gate"), options);
    await_arrival(&at);
    rmd_future *busy = stand(pool, &other, "other", NULL);
    rmd_future *late = call_with(pool, "pid", RMD_ARGS(), options); /* by then it is over */
    CHECK_TIMEOUT(late);
    open_gate(&at);
    open_gate(&other);
    CHECK_OK(begun);
    CHECK_OK(busy);
    close_pool(pool);
}

TEST(a_total_limit_ends_what_runs)
{
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool("processes:1");
    rmd_task_options options = { .limits = { .total_ms_max = 100, .attempts_max = 5 } };
    rmd_future *future = call_with(pool, "sleep", RMD_ARGS("gate"), options);
    int held = hold_process(await_arrival(&at));
    CHECK_TIMEOUT(future);
    check_gone(&held, 1);
    CHECK(!has_arrived(&at)); /* it has not been tried again */
    close_pool(pool);
}

TEST(each_attempt_has_the_time_of_a_run)
{
    rmd_failure failure;
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool("processes:1");
    rmd_task_options options = { .limits = { .run_ms_max = 30, .attempts_max = 3 } };
    int64_t before = rmdi_clock_monotonic_ns();
    rmd_future *future = call_with(pool, "sleep", RMD_ARGS("gate"), options);
    for (int i = 0; i < 3; i++)
        await_arrival(&at);
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    CHECK_INT(rmdi_clock_monotonic_ns() - before, >=, 90 * 1000000);
    CHECK_EQ(rmd_future_failure(future, &failure), 0);
    CHECK_EQ(failure.attempt, 3);
    CHECK_TIMEOUT(future);
    CHECK(!has_arrived(&at));
    close_pool(pool);
}

TEST(a_limit_of_one_does_not_hit_the_next_in_its_worker)
{
    enum { N = 300 };
    rmd_future *futures[N];
    rmd_pool *pool = open_pool("processes:1");
    rmd_task_options options = { .limits = { .run_ms_max = 10000, .total_ms_max = 20000 } };
    for (int i = 0; i < N; i++)
        futures[i] = call_with(pool, "add", RMD_ARGS(i, 1), options);
    for (int i = 0; i < N; i++)
        CHECK_EQ(INT_OF(futures[i]), i + 1);
    close_pool(pool);
}

/* ---- and nothing else ---- */

static unsigned roll(unsigned n)
{
    static unsigned dice = 1;
    dice = dice * 1664525 + 1013904223;
    return (dice >> 16) % n;
}

TEST(whenever_a_cancel_comes_it_hits_that_task_or_none)
{
    enum { ROUNDS = 60, N = 12 };
    int cancelled = 0;
    rmd_pool *pool = open_pool("processes:2");
    for (int round = 0; round < ROUNDS; round++) {
        rmd_future *futures[N];
        for (int i = 0; i < N; i++)
            futures[i] = call(pool, "add", RMD_ARGS(i, round));
        int hit = (int)roll(N);
        for (volatile unsigned pause = roll(20000); pause > 0; pause--)
            ;
        rmd_future_cancel(futures[hit]);
        for (int i = 0; i < N; i++) {
            REQUIRE(rmd_future_wait(futures[i], soon()) == 0);
            rmd_outcome outcome = rmd_future_outcome(futures[i]);
            if (i != hit)
                CHECK_EQ(outcome, RMD_OUTCOME_OK);
            else
                CHECK(outcome == RMD_OUTCOME_OK || outcome == RMD_OUTCOME_CANCELLED);
            cancelled += outcome == RMD_OUTCOME_CANCELLED;
            rmd_future_free(futures[i]);
        }
    }
    kit_remark(cancelled ? "some were cancelled" : "all were too late");
    close_pool(pool);
}

/* ---- stopped workers ---- */

TEST(what_a_stopped_worker_has_not_begun_is_run_by_others)
{
    enum { N = 20 };
    rmd_future *futures[N];
    pid_t stopped, other;
    gate at = make_gate("gate"), around = make_gate("around");
    rmd_pool *pool = open_pool("processes:2");
    rmd_future *held = stand(pool, &at, "gate", &stopped);
    rmd_future *busy = stand(pool, &around, "around", &other);
    for (int i = 0; i < N; i++)
        futures[i] = call(pool, "pid", RMD_ARGS());
    kill(stopped, SIGSTOP);
    open_gate(&around);
    CHECK_OK(busy);
    for (int i = 0; i < N; i++)
        CHECK_EQ(INT_OF(futures[i]), other);
    CHECK_EQ(rmd_future_outcome(held), RMD_PENDING);
    open_gate(&at);
    kill(stopped, SIGCONT);
    CHECK_EQ(INT_OF(held), stopped);
    gate again = make_gate("again"); /* both work again */
    busy = stand(pool, &again, "again", &other);
    rmd_future *last = stand(pool, &again, "again", &stopped);
    CHECK_INT(other, !=, stopped);
    open_gate(&again);
    CHECK_OK(busy);
    CHECK_OK(last);
    close_pool(pool);
}

TEST(a_stopped_worker_that_has_nothing_to_do_gets_nothing)
{
    gate at = make_gate("gate");
    rmd_future *both[2];
    pid_t pids[2];
    rmd_pool *pool = open_pool("processes:2");
    for (int i = 0; i < 2; i++)
        both[i] = stand(pool, &at, "gate", &pids[i]);
    open_gate(&at);
    for (int i = 0; i < 2; i++)
        CHECK_OK(both[i]);
    for (int i = 0; i < 2; i++) {
        kill(pids[i], SIGSTOP);
        for (int k = 0; k < 20; k++)
            CHECK_EQ(pid_of_worker(pool), pids[1 - i]);
        kill(pids[i], SIGCONT);
    }
    close_pool(pool);
}

TEST(a_task_is_run_when_the_only_worker_goes_on)
{
    gate at = make_gate("gate");
    pid_t pid;
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *held = stand(pool, &at, "gate", &pid);
    rmd_future *behind = call(pool, "pid", RMD_ARGS());
    kill(pid, SIGSTOP);
    open_gate(&at);
    CHECK_EQ(rmd_future_wait(behind, rmd_after_ms(30)), RMD_ETIMEDOUT);
    kill(pid, SIGCONT);
    CHECK_EQ(INT_OF(held), pid);
    CHECK_EQ(INT_OF(behind), pid);
    close_pool(pool);
}

TEST(a_stopped_task_can_be_cancelled)
{
    gate at = make_gate("gate");
    pid_t pid;
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *future = stand(pool, &at, "gate", &pid);
    kill(pid, SIGSTOP);
    CHECK_EQ(rmd_future_cancel(future), 0);
    CHECK_CANCELLED(future);
    check_works(pool);
    close_pool(pool);
}

TEST(a_pool_with_stopped_workers_ends)
{
    rmd_pool *pool = open_pool("processes:2");
    kill(pid_of_worker(pool), SIGSTOP);
    close_pool(pool);
}

TEST(a_stopped_worker_that_is_killed_loses_only_what_it_ran)
{
    gate at = make_gate("gate");
    pid_t pid;
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *future = stand(pool, &at, "gate", &pid);
    rmd_future *behind = call(pool, "add", RMD_ARGS(2, 3));
    kill(pid, SIGSTOP);
    kill(pid, SIGKILL);
    CHECK_LOST(future);
    CHECK_EQ(INT_OF(behind), 5);
    close_pool(pool);
}
