/* SPDX-License-Identifier: MIT */
/* Owners that end without a word: one second later nothing that they had started is alive,
 * in its group or escaped from it. */
#include "kit.h"

#include "exec/programs_testing.h"
#include "port/clock.h"
#include "port/fd.h"
#include "port/procfs.h"
#include "port/spawn.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { TASKS = 8 };

typedef struct owner {
    pid_t pid;
    int in, told;             /* our ends of its standard input and descriptor 3 */
    int processes[2 * TASKS]; /* of its tasks and of those that escaped from them */
} owner;

extern char **environ;

/* Starts it and waits until each task has told of itself and of its grandchild. */
static owner start_owner(const char *how)
{
    owner o;
    int in[2], told[2];
    char helper[4096], task[4096], name[] = "owner", count[] = "8", verb[] = "escape-stay",
                                   mode[16];
    snprintf(helper, sizeof helper, "%s", kit_helper("tests-chaos-owner_helper"));
    snprintf(task, sizeof task, "%s", kit_helper("exec-task_helper"));
    snprintf(mode, sizeof mode, "%s", how);
    char *argv[] = { name, mode, task, count, verb, NULL };
    REQUIRE(pipe2(in, O_CLOEXEC) == 0 && pipe2(told, O_CLOEXEC) == 0);
    int fds[] = { in[0], 1, 2, told[1] };
    rmdi_spawn spawn = { .path = helper, .argv = argv, .envp = environ, .fds = fds, .fds_len = 4 };
    rmdi_spawned child;
    REQUIRE(rmdi_spawn_program(&spawn, &child) == 0);
    close(child.pidfd);
    o.pid = child.pid;
    close(in[0]);
    close(told[1]);
    o.in = in[1];
    o.told = told[0];
    for (int i = 0; i < 2 * TASKS; i++) {
        o.processes[i] = hold_process(read_number(o.told));
        CHECK(is_alive(o.processes[i]));
    }
    return o;
}

static void all_end_within_a_second(owner *o)
{
    int64_t end = rmdi_clock_monotonic_ns() + INT64_C(1000000000) * kit_patience();
    for (int i = 0; i < 2 * TASKS; i++) {
        int64_t left = (end - rmdi_clock_monotonic_ns()) / 1000000;
        CHECK(ends_within(o->processes[i], left > 0 ? (int)left : 0));
        close(o->processes[i]);
    }
    close(o->in);
    close(o->told);
}

static void kill_owner(owner *o)
{
    kill(o->pid, SIGKILL);
    CHECK_EQ(waitpid(o->pid, NULL, 0), o->pid);
}

TEST_LIMIT(when_the_owner_is_killed_its_tasks_and_their_escapees_end, 60)
{
    for (int i = 0; i < 3; i++) {
        owner o = start_owner("plain");
        kill_owner(&o);
        all_end_within_a_second(&o);
    }
}

TEST(a_program_may_be_its_own_guard)
{
    setenv("REMUDA_GUARD", "/nowhere", 1);
    owner o = start_owner("self");
    kill_owner(&o);
    all_end_within_a_second(&o);
}

TEST(a_fork_of_the_owner_that_lives_on_changes_nothing)
{
    owner o = start_owner("fork");
    kill_owner(&o);
    all_end_within_a_second(&o);
}

TEST(an_owner_that_just_exits_leaves_nothing_either)
{
    owner o = start_owner("exit");
    REQUIRE(write(o.in, "\n", 1) == 1);
    CHECK_EQ(waitpid(o.pid, NULL, 0), o.pid);
    all_end_within_a_second(&o);
}

TEST(an_owner_that_executes_another_program_leaves_nothing_either)
{
    owner o = start_owner("exec");
    REQUIRE(write(o.in, "\n", 1) == 1);
    all_end_within_a_second(&o);
    CHECK_EQ(kill(o.pid, 0), 0); /* it goes on as the other program */
    kill_owner(&o);
}

TEST(tasks_do_not_depend_on_the_thread_that_opened_the_pool)
{
    owner o = start_owner("thread");
    for (int i = 0; i < 2 * TASKS; i++)
        CHECK(!ends_within(o.processes[i], 10));
    kill_owner(&o);
    all_end_within_a_second(&o);
}

/* ---- the guard is killed first ---- */

static pid_t owner_pid, found_guard;

static bool find_guard(void *ctx, pid_t pid)
{
    char path[64], text[512] = "";
    int parent = 0;
    (void)ctx;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file || !fgets(text, sizeof text, file))
        text[0] = 0;
    if (file)
        fclose(file);
    const char *after = strrchr(text, ')');
    if (!after || sscanf(after, ") %*c %d", &parent) != 1 || parent != owner_pid)
        return true;
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    file = fopen(path, "re");
    if (file && fgets(text, sizeof text, file) && strcmp(text, "rmd:guard") == 0)
        found_guard = pid;
    if (file)
        fclose(file);
    return !found_guard;
}

/* Another guard of this owner than that one; waits until it is there. */
static pid_t guard_of(const owner *o, pid_t other)
{
    rmd_deadline limit = soon();
    owner_pid = o->pid;
    do {
        found_guard = 0;
        rmdi_procfs_each(find_guard, NULL);
    } while ((!found_guard || found_guard == other) && !rmd_deadline_passed(limit));
    CHECK(found_guard && found_guard != other);
    return found_guard;
}

TEST(a_guard_that_was_killed_is_replaced_and_the_new_one_does_its_work)
{
    owner o = start_owner("plain");
    pid_t guard = 0;
    for (int i = 0; i < 3; i++) {
        guard = guard_of(&o, guard);
        kill(guard, SIGKILL);
    }
    guard_of(&o, guard);
    for (int i = 0; i < 2 * TASKS; i++)
        CHECK(is_alive(o.processes[i])); /* nobody but the guard was hurt */
    kill_owner(&o);
    all_end_within_a_second(&o);
}

TEST(signals_that_can_be_blocked_do_not_keep_the_guard_from_its_work)
{
    owner o = start_owner("plain");
    pid_t guard = guard_of(&o, 0);
    for (int signal = 1; signal < 32; signal++)
        if (signal != SIGKILL && signal != SIGSTOP)
            kill(guard, signal);
    kill_owner(&o);
    all_end_within_a_second(&o);
}

/* ---- an owner that is itself a task ---- */

static rmd_future *run_owner(rmd_pool *pool, owner *o, const char *how)
{
    int told[2];
    REQUIRE(pipe2(told, O_CLOEXEC) == 0);
    char helper[4096], task[4096];
    snprintf(helper, sizeof helper, "%s", kit_helper("tests-chaos-owner_helper"));
    snprintf(task, sizeof task, "%s", kit_helper("exec-task_helper"));
    const char *const argv[] = { helper, how, task, "8", "escape-stay", NULL };
    rmd_future *future = run_argv(pool, argv, (rmd_command){ .fds = &told[1], .fds_len = 1 });
    o->pid = strcmp(how, "told") == 0 ? read_number(told[0]) : 0;
    for (int i = 0; i < 2 * TASKS; i++)
        o->processes[i] = hold_process(read_number(told[0]));
    o->in = told[1];
    o->told = told[0];
    return future;
}

TEST(an_owner_in_a_task_is_cancelled_with_all_that_it_owns)
{
    owner o;
    rmd_pool *pool = open_pool("programs:1");
    for (int i = 0; i < 3; i++) {
        rmd_future *future = run_owner(pool, &o, i == 1 ? "fork" : "plain");
        CHECK_EQ(rmd_future_cancel(future), 0);
        CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
        for (int k = 0; k < 2 * TASKS; k++)
            CHECK(!is_alive(o.processes[k])); /* at once: a cancel tells the truth */
    }
    close_pool(pool);
}

TEST(what_an_owner_in_a_task_leaves_behind_ends_with_it)
{
    owner o;
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run_owner(pool, &o, "told");
    CHECK_EQ(kill(o.pid, SIGKILL), 0);
    CHECK_END(future, RMD_OUTCOME_FAILED, RMD_ESIGNAL);
    all_end_within_a_second(&o);
    close_pool(pool);
}
