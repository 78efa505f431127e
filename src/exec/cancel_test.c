/* SPDX-License-Identifier: MIT */
/* Cancelling: what ends, how, and that nothing is left when it is told. */
#include "kit.h"

#include "exec/attempt_id.h"
#include "exec/programs_testing.h"
#include "port/procfs.h"
#include "sync/thread.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int told[2];

/* Starts task_helper with a verb; it tells numbers to told[0]. */
static rmd_future *run_helper(rmd_pool *pool, const char *verb, rmd_limits limits)
{
    if (!told[1])
        REQUIRE(pipe2(told, O_CLOEXEC) == 0);
    const char *const argv[] = { kit_helper("exec-task_helper"), verb, NULL };
    return run_argv(pool, argv, (rmd_command){ .fds = &told[1], .fds_len = 1, .limits = limits });
}

/* ---- before the start ---- */

TEST(what_has_not_started_is_cancelled_at_once_and_never_starts)
{
    char path[512], script[600];
    snprintf(path, sizeof path, "%s/started", getenv("TMPDIR"));
    snprintf(script, sizeof script, "echo >'%s'", path);
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *first = run(pool, "sleep 60"), *second = run(pool, script);
    CHECK_EQ(rmd_future_cancel(second), 0);
    CHECK_EQ(rmd_future_outcome(second), RMD_OUTCOME_CANCELLED);
    CHECK_EQ(rmd_future_cancel(second), RMD_ETOOLATE);
    CHECK_EQ(end_of(second)->attempts, 0);
    CHECK_CONTAINS(end_of(second)->detail, "before it started");
    rmd_future_free(second);
    CHECK_EQ(rmd_future_cancel(first), 0);
    CHECK_END(first, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_END(run(pool, "true"), RMD_OUTCOME_OK, 0);
    CHECK_INT(access(path, F_OK), <, 0);
    close_pool(pool);
}

TEST(of_a_pool_only_what_waits_or_everything_is_cancelled)
{
    rmd_future *futures[6];
    rmd_pool *pool = open_pool("programs:2");
    for (int i = 0; i < 2; i++) {
        futures[i] = run_helper(pool, "deaf", (rmd_limits){ 0 });
        read_number(told[0]);
    }
    for (int i = 2; i < 6; i++)
        futures[i] = run(pool, "true");
    CHECK_EQ(rmd_pool_cancel(pool, true), 0);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(rmd_future_outcome(futures[i]), i < 2 ? RMD_PENDING : RMD_OUTCOME_CANCELLED);
    CHECK_EQ(rmd_pool_cancel(pool, false), 0);
    for (int i = 0; i < 6; i++)
        CHECK_END(futures[i], RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_END(run(pool, "true"), RMD_OUTCOME_OK, 0); /* the pool goes on */
    close_pool(pool);
}

/* ---- the kill ladder ---- */

TEST(the_ladder_is_climbed_in_order_with_its_pauses_and_ends_in_kill)
{
    static const rmd_kill_step ladder[] = { { SIGINT, 60 }, { SIGTERM, 40 }, { SIGHUP, 20 } };
    static const int wanted[] = { SIGINT, SIGCONT, SIGTERM, SIGCONT, SIGHUP, SIGCONT };
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run_helper(pool, "signals",
                                    (rmd_limits){ .ladder = ladder, .ladder_len = 3 });
    int process = hold_process(read_number(told[0]));
    rmd_deadline earliest = rmd_after_ms(60 + 40 + 20);
    CHECK_EQ(rmd_future_cancel(future), 0);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(read_number(told[0]), wanted[i]);
    const rmd_exit *account = end_of(future);
    CHECK(!is_alive(process));
    CHECK_INT(account->ended_ns, >=, earliest.ns);
    CHECK_EQ(account->signal, SIGKILL);
    CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    close_pool(pool);
}

TEST(who_obeys_the_first_step_is_spared_the_others)
{
    static const rmd_kill_step ladder[] = { { SIGUSR1, 60000 }, { SIGKILL, 0 } };
    rmd_limits limits = { .ladder = ladder, .ladder_len = 2 };
    rmd_pool *pool = open_pool("programs:1");
    if (!told[1])
        REQUIRE(pipe2(told, O_CLOEXEC) == 0);
    rmd_future *future = run_with(pool, "trap 'exit 5' USR1; echo 1 >&3; while :; do sleep 1; done",
                                  (rmd_command){ .fds = &told[1], .fds_len = 1, .limits = limits });
    read_number(told[0]);
    CHECK_EQ(rmd_future_cancel(future), 0);
    CHECK_EQ(rmd_future_cancel(future), 0); /* again is no more */
    CHECK_EQ(end_of(future)->status, 5);
    CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    close_pool(pool);
}

/* ---- nothing is left ---- */

TEST(the_whole_group_is_gone_when_a_cancel_is_told)
{
    rmd_pool *pool = open_pool("programs:1");
    REQUIRE(pipe2(told, O_CLOEXEC) == 0);
    rmd_future *future = run_with(pool,
                                  "(trap '' TERM; sleep 60 & echo $! >&3; wait) & "
                                  "sleep 60 & echo $! >&3; wait",
                                  (rmd_command){ .fds = &told[1], .fds_len = 1 });
    int members[2];
    for (int i = 0; i < 2; i++)
        members[i] = hold_process(read_number(told[0]));
    CHECK_EQ(rmd_future_cancel(future), 0);
    CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    for (int i = 0; i < 2; i++)
        CHECK(!is_alive(members[i]));
    close_pool(pool);
}

TEST(who_escaped_from_group_and_session_is_gone_when_a_cancel_is_told)
{
    rmd_pool *pool = open_pool("programs:1");
    for (int i = 0; i < 10; i++) {
        rmd_future *future = run_helper(pool, "escape-stay", (rmd_limits){ 0 });
        int leader = hold_process(read_number(told[0]));
        int escapee = hold_process(read_number(told[0]));
        CHECK(is_alive(leader) && is_alive(escapee));
        CHECK_EQ(rmd_future_cancel(future), 0);
        CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
        CHECK(!is_alive(leader));
        CHECK(!is_alive(escapee));
        close(leader);
        close(escapee);
    }
    close_pool(pool);
}

static char wanted_id[RMDI_ATTEMPT_ID_MAX];

static bool count_marked(void *count, pid_t pid)
{
    char id[RMDI_ATTEMPT_ID_MAX];
    if (rmdi_procfs_environment(pid, RMDI_ATTEMPT_ID_NAME, id, sizeof id) &&
        strcmp(id, wanted_id) == 0)
        ++*(int *)count;
    return true;
}

static bool set_next_number(int number)
{
    FILE *file = fopen("/proc/sys/kernel/ns_last_pid", "we");
    bool set = file && fprintf(file, "%d", number - 1) > 0;
    return file && fclose(file) == 0 && set;
}

/* Somebody with a higher number than all that are started soon, if we may: a walk through
 * the processes, which are listed in advance up to there, must not miss those. */
static void start_high_number(void)
{
    int now = rmdi_procfs_newest();
    if (!set_next_number(now + 3000))
        return;
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    CHECK(set_next_number(now + 1));
}

TEST(who_forks_on_and_on_is_gone_when_a_cancel_is_told)
{
    rmd_pool *pool = open_pool("programs:1");
    start_high_number();
    for (int i = 0; i < 50; i++) {
        int count = 0;
        rmd_future *future = run_helper(pool, "fork-on", (rmd_limits){ 0 });
        int pid = read_number(told[0]);
        REQUIRE(rmdi_procfs_environment(pid, RMDI_ATTEMPT_ID_NAME, wanted_id, sizeof wanted_id));
        CHECK_EQ(rmd_future_cancel(future), 0);
        CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
        rmdi_procfs_each(count_marked, &count);
        CHECK_EQ(count, 0);
    }
    close_pool(pool);
}

TEST(who_escaped_from_a_program_that_has_ended_is_swept_up)
{
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run_helper(pool, "escape", (rmd_limits){ 0 });
    read_number(told[0]);
    int escapee = hold_process(read_number(told[0]));
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    CHECK(ends_within(escapee, 5000 * kit_patience()));
    future = run_helper(pool, "escape", (rmd_limits){ 0 });
    read_number(told[0]);
    escapee = hold_process(read_number(told[0]));
    close_pool(pool); /* at once: before the sweep would have come by */
    CHECK(ends_within(escapee, 5000 * kit_patience()));
    CHECK_END(future, RMD_OUTCOME_OK, 0);
}

TEST(who_escaped_is_found_although_no_descriptor_is_free)
{
    struct rlimit before, none;
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run_helper(pool, "escape-stay", (rmd_limits){ 0 });
    int leader = hold_process(read_number(told[0]));
    int escapee = hold_process(read_number(told[0]));
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    none = before;
    none.rlim_cur = 64; /* more than are open */
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
    while (dup(0) >= 0)
        ;
    CHECK_EQ(rmd_future_cancel(future), 0);
    CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK(!is_alive(leader));
    CHECK(!is_alive(escapee));
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
    close_pool(pool);
}

/* ---- races ---- */

static void cancel_and_read(void *arg)
{
    rmd_future **futures = arg;
    for (int i = 0; i < 100; i++) {
        char byte;
        const rmd_exit *account;
        int err = rmd_future_cancel(futures[i]);
        CHECK(err == 0 || err == RMD_ETOOLATE);
        CHECK_EQ(rmd_future_wait(futures[i], soon()), 0);
        CHECK_EQ(rmd_future_exit(futures[i], &account), 0);
        CHECK_INT(rmd_future_read(futures[i], RMD_STDOUT, 0, &byte, 1), >=, 0);
        CHECK(account->outcome == RMD_OUTCOME_CANCELLED || account->outcome == RMD_OUTCOME_FAILED);
    }
}

TEST(a_cancel_may_come_between_two_attempts)
{
    enum { COUNT = 100 };
    rmd_future *futures[COUNT];
    rmdi_thread thread;
    rmd_pool *pool = open_pool_with("programs:2", (rmd_pool_options){ .capture_bytes_max = 1 });
    rmd_limits forever = { .attempts_max = 1000000 };
    for (int i = 0; i < COUNT; i++)
        futures[i] = run_argv(pool, (const char *const[]){ "ls", "/no/such", "/", NULL },
                              (rmd_command){ .limits = forever });
    REQUIRE(rmdi_thread_start(&thread, cancel_and_read, futures, "cancel") == 0);
    CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
    for (int i = 0; i < COUNT; i++)
        rmd_future_free(futures[i]);
    close_pool(pool);
}
