/* SPDX-License-Identifier: MIT */
/* Time limits, attempts, and the clock that stands while a pool is suspended. */
#include "kit.h"

#include "data/bytes.h"
#include "exec/programs_testing.h"
#include "port/clock.h"
#include <fcntl.h>
#include <sys/wait.h>

static const int64_t ms = 1000000;

/* A program that tells its number to told[0] and waits to be killed. */
static int told[2];

static rmd_future *run_deaf(rmd_pool *pool, rmd_limits limits)
{
    if (!told[1])
        REQUIRE(pipe2(told, O_CLOEXEC) == 0);
    const char *const argv[] = { kit_helper("exec-task_helper"), "deaf", NULL };
    return run_argv(pool, argv, (rmd_command){ .fds = &told[1], .fds_len = 1, .limits = limits });
}

/* Waits until our child has been stopped or continued. (A shell would not do: while it waits
 * for the exec of what it starts, it cannot be stopped.) */
static void await(int pid, int change)
{
    siginfo_t info;
    REQUIRE(waitid(P_PID, (id_t)pid, &info, change | WNOWAIT) == 0);
}

/* ---- limits ---- */

TEST(a_program_is_stopped_at_its_run_limit_and_not_before)
{
    rmd_pool *pool = open_pool("programs:2");
    for (int limit = 1; limit <= 64; limit *= 4) {
        rmd_future *future = run_with(pool, "sleep 60",
                                      (rmd_command){ .limits.run_ms_max = limit });
        const rmd_exit *account = end_of(future);
        CHECK_INT(account->ended_ns - account->started_ns, >=, limit * ms);
        CHECK_EQ(account->signal, SIGTERM);
        CHECK_CONTAINS(account->detail, "time limit");
        CHECK_END(future, RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT);
    }
    CHECK_END(run_with(pool, "true", (rmd_command){ .limits.run_ms_max = 10000 }), RMD_OUTCOME_OK,
              0);
    CHECK_END(run_with(pool, "true", (rmd_command){ .limits.run_ms_max = INT64_MAX }),
              RMD_OUTCOME_OK, 0);
    close_pool(pool);
}

TEST(a_task_that_waits_too_long_for_its_start_never_starts)
{
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *first = run(pool, "sleep 60");
    rmd_future *queued = run_with(pool, "true", (rmd_command){ .limits.queue_ms_max = 30 });
    rmd_future *total = run_with(pool, "true", (rmd_command){ .limits.total_ms_max = 40 });
    rmd_future *patient = run_with(pool, "true", (rmd_command){ .limits.queue_ms_max = 60000 });
    const rmd_exit *account = end_of(queued);
    CHECK_INT(account->ended_ns - account->submitted_ns, >=, 30 * ms);
    CHECK_EQ(account->attempts, 0);
    CHECK_EQ(account->pid, 0);
    CHECK_CONTAINS(account->detail, "waited too long");
    CHECK_END(queued, RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT);
    account = end_of(total);
    CHECK_INT(account->ended_ns - account->submitted_ns, >=, 40 * ms);
    CHECK_END(total, RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT);
    rmd_future_cancel(first);
    CHECK_END(first, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_END(patient, RMD_OUTCOME_OK, 0);
    close_pool(pool);
}

TEST(the_queue_limit_ends_with_the_start_and_the_total_limit_goes_on)
{
    rmd_pool *pool = open_pool("programs:1");
    CHECK_END(run_with(pool, "sleep 0.1", (rmd_command){ .limits.queue_ms_max = 50 }),
              RMD_OUTCOME_OK, 0);
    rmd_future *future = run_with(pool, "sleep 60", (rmd_command){ .limits.total_ms_max = 50 });
    const rmd_exit *account = end_of(future);
    CHECK_INT(account->ended_ns - account->submitted_ns, >=, 50 * ms);
    CHECK_INT(account->pid, >, 0);
    CHECK_END(future, RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT);
    close_pool(pool);
}

TEST(limits_are_kept_for_many_tasks_at_once)
{
    enum { COUNT = 100 };
    rmd_future *futures[COUNT];
    rmd_pool *pool = open_pool("programs:4");
    rmd_future *first[4];
    for (int i = 0; i < 4; i++)
        first[i] = run(pool, "sleep 60");
    for (int i = 0; i < COUNT; i++)
        futures[i] = run_with(pool, "true",
                              (rmd_command){ .limits.queue_ms_max = 1 + i * 37 % COUNT });
    for (int i = 0; i < COUNT; i++) {
        const rmd_exit *account = end_of(futures[i]);
        CHECK_INT(account->ended_ns - account->submitted_ns, >=, (1 + i * 37 % COUNT) * ms);
        CHECK_END(futures[i], RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT);
    }
    CHECK_EQ(rmd_pool_cancel(pool, false), 0);
    for (int i = 0; i < 4; i++)
        CHECK_END(first[i], RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    close_pool(pool);
}

TEST(a_stopped_program_is_ended_by_its_limit_or_a_cancel_all_the_same)
{
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run_deaf(pool, (rmd_limits){ .run_ms_max = 100 });
    int pid = read_number(told[0]);
    CHECK_EQ(kill(pid, SIGSTOP), 0);
    await(pid, WSTOPPED);
    CHECK_END(future, RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT);
    future = run_deaf(pool, (rmd_limits){ 0 });
    pid = read_number(told[0]);
    CHECK_EQ(kill(pid, SIGSTOP), 0);
    await(pid, WSTOPPED);
    CHECK_EQ(rmd_future_cancel(future), 0);
    CHECK_EQ(end_of(future)->signal, SIGTERM); /* it was continued to obey */
    CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    close_pool(pool);
}

/* ---- attempts ---- */

TEST(a_program_that_fails_is_started_again_until_it_succeeds)
{
    rmd_pool *pool = open_pool("programs:2");
    rmd_future *future = run_with(pool, "echo attempt $REMUDA_ATTEMPT; test $REMUDA_ATTEMPT = 3",
                                  (rmd_command){ .limits.attempts_max = 5 });
    CHECK_EQ(end_of(future)->attempts, 3);
    CHECK_STR(output_of(future, RMD_STDOUT), "attempt 3\n"); /* of the last one only */
    CHECK_EQ(end_of(future)->out_bytes, 10);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    future = run_with(pool, "exit $REMUDA_ATTEMPT", (rmd_command){ .limits.attempts_max = 3 });
    CHECK_EQ(end_of(future)->attempts, 3);
    CHECK_EQ(end_of(future)->status, 3);
    CHECK_END(future, RMD_OUTCOME_FAILED, RMD_EEXIT);
    future = run_with(pool, "exit 1", (rmd_command){ 0 });
    CHECK_EQ(end_of(future)->attempts, 1);
    CHECK_END(future, RMD_OUTCOME_FAILED, RMD_EEXIT);
    close_pool(pool);
}

typedef struct attempts_told {
    rmdi_buffer text;
    bool wrong;
} attempts_told;

static void on_attempt(void *ctx, const rmd_exit *attempt)
{
    attempts_told *t = ctx;
    rmdi_buffer_add_format(&t->text, "%u %s %d %.*s;", attempt->attempts,
                           rmd_outcome_name(attempt->outcome), attempt->status,
                           (int)attempt->err_tail.len, (const char *)attempt->err_tail.data);
    t->wrong |= attempt->pid <= 0 || attempt->executed_ns < attempt->started_ns ||
                (attempt->outcome && attempt->ended_ns < attempt->exited_ns);
}

TEST(each_attempt_is_told_when_it_starts_and_when_another_follows)
{
    rmd_pool *pool = open_pool("programs:1");
    attempts_told t = { 0 };
    rmd_future *future = run_with(
        pool, "printf e$REMUDA_ATTEMPT >&2; exit $((3 - REMUDA_ATTEMPT))",
        (rmd_command){ .limits.attempts_max = 5, .on_attempt = on_attempt, .ctx = &t });
    CHECK_EQ(end_of(future)->outcome, RMD_OUTCOME_OK);
    CHECK_STR(t.text.data,
              "1 pending -1 ;1 failed 2 e1;2 pending -1 ;2 failed 1 e2;3 pending -1 ;");
    CHECK(!t.wrong);
    rmdi_buffer_free(&t.text);
    rmd_future_free(future);
    close_pool(pool);
}

/* Long enough that what ends at once ends before, on a busy machine, too. */
TEST(each_attempt_has_the_whole_run_limit_and_all_share_the_total)
{
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run_with(
        pool, "test $REMUDA_ATTEMPT = 3 || sleep 60",
        (rmd_command){ .limits = { .run_ms_max = 300, .attempts_max = 3 } });
    CHECK_EQ(end_of(future)->attempts, 3);
    CHECK_INT(end_of(future)->ended_ns - end_of(future)->submitted_ns, >=, 600 * ms);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    future = run_with(pool, "test $REMUDA_ATTEMPT = 3 && sleep 60; exit 1",
                      (rmd_command){ .limits = { .total_ms_max = 600, .attempts_max = 1000 } });
    CHECK_EQ(end_of(future)->attempts, 3);
    CHECK_INT(end_of(future)->ended_ns - end_of(future)->submitted_ns, >=, 600 * ms);
    CHECK_END(future, RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT);
    close_pool(pool);
}

TEST(what_was_cancelled_is_not_tried_again)
{
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run_deaf(pool, (rmd_limits){ .attempts_max = 5 });
    read_number(told[0]);
    CHECK_EQ(rmd_future_cancel(future), 0);
    CHECK_EQ(end_of(future)->attempts, 1);
    CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    close_pool(pool);
}

/* ---- suspension ---- */

TEST(a_suspended_pool_stops_its_programs_and_starts_none)
{
    rmd_pool *pool = open_pool("programs:2");
    rmd_future *first = run_deaf(pool, (rmd_limits){ 0 });
    int pid = read_number(told[0]);
    CHECK_EQ(rmd_pool_suspend(pool), 0);
    await(pid, WSTOPPED);
    rmd_future *second = run(pool, "true");
    CHECK_EQ(rmd_future_wait(second, rmd_after_ms(50)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_pool_suspend(pool), 0); /* twice is once */
    CHECK_EQ(rmd_pool_resume(pool), 0);
    await(pid, WCONTINUED);
    CHECK_END(second, RMD_OUTCOME_OK, 0);
    CHECK_EQ(rmd_pool_resume(pool), 0);
    rmd_future_cancel(first);
    CHECK_END(first, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    close_pool(pool);
}

TEST(a_program_in_a_suspended_pool_can_be_cancelled)
{
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *first = run_deaf(pool, (rmd_limits){ 0 });
    rmd_future *second = run(pool, "true");
    int pid = read_number(told[0]);
    CHECK_EQ(rmd_pool_suspend(pool), 0);
    await(pid, WSTOPPED);
    CHECK_EQ(rmd_future_cancel(first), 0);
    CHECK_END(first, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_EQ(rmd_future_outcome(second), RMD_PENDING);
    CHECK_EQ(rmd_pool_drain(pool, rmd_after_ms(10)), RMD_ETIMEDOUT); /* nothing starts meanwhile */
    CHECK_END(second, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

TEST(the_clock_of_the_limits_stands_while_the_pool_is_suspended)
{
    enum { LIMIT = 200, PAUSE = 400 };
    rmd_pool *pool = open_pool("programs:2");
    rmd_future *runs = run_deaf(pool, (rmd_limits){ .run_ms_max = LIMIT });
    int pid = read_number(told[0]);
    CHECK_EQ(rmd_pool_suspend(pool), 0);
    await(pid, WSTOPPED);
    rmd_future *in_total = run_with(
        pool, "sleep 0.05",
        (rmd_command){ .limits = { .total_ms_max = LIMIT, .run_ms_max = 60000 } });
    rmd_future *in_queue = run_with(pool, "true", (rmd_command){ .limits.queue_ms_max = LIMIT });
    CHECK_EQ(rmd_future_wait(runs, rmd_after_ms(PAUSE)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_future_outcome(in_total), RMD_PENDING);
    CHECK_EQ(rmd_pool_resume(pool), 0);
    CHECK_END(in_total, RMD_OUTCOME_OK, 0);
    CHECK_END(in_queue, RMD_OUTCOME_OK, 0);
    const rmd_exit *account = end_of(runs);
    CHECK_INT(account->ended_ns - account->started_ns, >=, (LIMIT + PAUSE) * ms);
    CHECK_END(runs, RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT);
    close_pool(pool);
}

TEST(limits_of_tasks_from_before_during_and_after_a_suspension_hold)
{
    enum { LIMIT = 50, PAUSE = 400 };
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *blocker = run(pool, "sleep 60");
    rmd_limits limits = { .queue_ms_max = LIMIT };
    rmd_future *futures[3] = { run_with(pool, "true", (rmd_command){ .limits = limits }) };
    CHECK_EQ(rmd_pool_suspend(pool), 0);
    futures[1] = run_with(pool, "true", (rmd_command){ .limits = limits });
    CHECK_EQ(rmd_future_wait(blocker, rmd_after_ms(PAUSE)), RMD_ETIMEDOUT);
    int64_t resumed = rmdi_clock_monotonic_ns();
    CHECK_EQ(rmd_pool_resume(pool), 0);
    for (int i = 0; i < 3; i++) {
        if (i == 2) /* when the timers of the others are out of the way */
            futures[i] = run_with(pool, "true", (rmd_command){ .limits = limits });
        const rmd_exit *account = end_of(futures[i]);
        CHECK_INT(account->ended_ns, >, resumed);
        CHECK_INT(account->ended_ns - account->submitted_ns, >=, LIMIT * ms);
        if (i == 2) /* the pause before its time does not count for it */
            CHECK_INT(account->ended_ns - account->submitted_ns, <, PAUSE * ms);
        CHECK_END(futures[i], RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT);
    }
    rmd_future_cancel(blocker);
    CHECK_END(blocker, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    close_pool(pool);
}
