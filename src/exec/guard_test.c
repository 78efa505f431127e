/* SPDX-License-Identifier: MIT */
/* The guard from its owner's side. What it does when the owner is killed is in tests/chaos. */
#include "exec/guard.h"

#include "kit.h"
#include "kit_resources.h"

#include "exec/attempt_id.h"
#include "exec/programs_testing.h"
#include "port/procfs.h"
#include "sync/thread.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- the process ---- */

TEST(the_guard_is_there_while_it_is_held)
{
    kit_resources before;
    kit_resources_take(&before);
    CHECK_EQ(rmdi_guard_hold(), 0);
    pid_t pid = rmdi_guard_pid();
    int guard = hold_process(pid);
    CHECK(is_alive(guard));
    CHECK_EQ(rmdi_guard_hold(), 0);
    CHECK_EQ(rmdi_guard_pid(), pid); /* one for all */
    rmdi_guard_drop();
    CHECK(is_alive(guard));
    rmdi_guard_drop();
    CHECK(!is_alive(guard));
    close(guard);
    CHECK_RESOURCES(&before);
}

static const char *read_proc(pid_t pid, const char *file)
{
    static char text[4096];
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    return text;
}

/* It blocks signals before it does anything else, when all that its execution opens is closed. */
static void await_start(pid_t pid)
{
    rmd_deadline limit = soon();
    while (!strstr(read_proc(pid, "status"), "SigBlk:\tfffffffe7ffbfeff") &&
           !rmd_deadline_passed(limit))
        sched_yield();
}

TEST(the_guard_stands_apart_and_cannot_be_taken_for_a_task)
{
    char path[64], value[64];
    setenv("REMUDA_ATTEMPT_ID", "0123456789abcdef-1", 1);
    int extra = open("/dev/null", O_RDONLY); /* without close-on-exec */
    CHECK_INT(extra, >=, 0);
    REQUIRE(rmdi_guard_hold() == 0);
    pid_t pid = rmdi_guard_pid();
    await_start(pid);
    CHECK_EQ(getsid(pid), pid);
    CHECK_EQ(rmdi_procfs_environment(pid, "REMUDA_ATTEMPT_ID", value, sizeof value), 0);
    CHECK_STR(read_proc(pid, "cmdline"), "rmd:guard");
    snprintf(path, sizeof path, "/proc/%d/fd/6", pid); /* it opens one itself: the owner */
    CHECK_INT(access(path, F_OK), <, 0);
    rmdi_guard_drop();
}

TEST(signals_to_the_guard_do_not_end_it)
{
    REQUIRE(rmdi_guard_hold() == 0);
    pid_t pid = rmdi_guard_pid();
    int guard = hold_process(pid);
    await_start(pid);
    for (int signal = 1; signal < 32; signal++)
        if (signal != SIGKILL && signal != SIGSTOP)
            kill(pid, signal);
    CHECK(!ends_within(guard, 50));
    kill(pid, SIGSTOP);
    rmdi_guard_drop(); /* does not wait for one that has been stopped */
    CHECK(!is_alive(guard));
}

TEST(a_guard_that_has_ended_is_replaced_once_for_all_who_noticed)
{
    REQUIRE(rmdi_guard_hold() == 0);
    pid_t first = rmdi_guard_pid();
    kill(first, SIGKILL);
    CHECK_EQ(rmdi_guard_revive(first), 0);
    pid_t second = rmdi_guard_pid();
    CHECK(second != first);
    CHECK_EQ(rmdi_guard_revive(first), 0);
    CHECK_EQ(rmdi_guard_revive(0), 0);
    CHECK_EQ(rmdi_guard_pid(), second);
    rmdi_guard_drop();
}

TEST(a_guard_that_dies_again_and_again_is_given_up)
{
    int err = 0, deaths = 0;
    REQUIRE(rmdi_guard_hold() == 0);
    while (err == 0 && deaths < 20) {
        pid_t pid = rmdi_guard_pid();
        kill(pid, SIGKILL);
        deaths++;
        err = rmdi_guard_revive(pid);
    }
    CHECK_EQ(err, RMD_EGUARD);
    CHECK_EQ(deaths, 6);
    CHECK_CONTAINS(rmd_error_detail(), "6 times");
    CHECK_EQ(rmdi_guard_revive(0), RMD_EGUARD);
    rmdi_guard_drop();
    REQUIRE(rmdi_guard_hold() == 0); /* whoever opens a pool anew has a new one */
    CHECK_INT(rmdi_guard_pid(), >, 0);
    rmdi_guard_drop();
}

TEST(a_guard_that_could_not_be_replaced_is_tried_again)
{
    struct rlimit before, none;
    REQUIRE(rmdi_guard_hold() == 0);
    pid_t pid = rmdi_guard_pid();
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    none = before;
    none.rlim_cur = 3;
    kill(pid, SIGKILL);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
    CHECK_EQ(rmdi_guard_revive(pid), RMD_EMFILE);
    CHECK_EQ(rmdi_guard_revive(pid), RMD_EMFILE);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK_EQ(rmdi_guard_revive(0), 0);
    CHECK_INT(rmdi_guard_pid(), >, 0);
    rmdi_guard_drop();
}

/* ---- the table ---- */

TEST(attempts_have_numbers_of_their_own_and_share_slots_one_after_the_other)
{
    uint64_t numbers[3], again;
    uint32_t slots[3], slot;
    REQUIRE(rmdi_guard_hold() == 0);
    CHECK_EQ(strlen(rmdi_guard_instance()), RMDI_INSTANCE_LEN);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rmdi_guard_enter(&numbers[i], &slots[i]), 0);
    CHECK(slots[0] != slots[1] && slots[1] != slots[2] && slots[0] != slots[2]);
    CHECK(rmdi_guard_is_listed(numbers[1]));
    rmdi_guard_leave(slots[1]);
    CHECK(!rmdi_guard_is_listed(numbers[1]));
    CHECK(rmdi_guard_is_listed(numbers[0]) && rmdi_guard_is_listed(numbers[2]));
    CHECK_EQ(rmdi_guard_enter(&again, &slot), 0);
    CHECK_EQ(slot, slots[1]);
    CHECK(again > numbers[2]);
    rmdi_guard_leave(slots[0]);
    rmdi_guard_leave(slots[2]);
    rmdi_guard_leave(slot);
    rmdi_guard_drop();
}

/* ---- in a pool ---- */

TEST(tasks_go_on_when_the_guard_is_killed)
{
    rmd_pool *pool = open_pool("programs:2");
    rmd_future *during = run(pool, "sleep 0.2");
    for (int i = 0; i < 3; i++) {
        pid_t pid = rmdi_guard_pid();
        kill(pid, SIGKILL);
        rmd_deadline limit = soon();
        while (rmdi_guard_pid() == pid && !rmd_deadline_passed(limit))
            sched_yield();
        CHECK(rmdi_guard_pid() != pid);
        CHECK_END(run(pool, "true"), RMD_OUTCOME_OK, 0);
    }
    CHECK_END(during, RMD_OUTCOME_OK, 0);
    close_pool(pool);
}

TEST(without_a_guard_no_task_starts_and_the_pool_can_be_closed)
{
    rmd_pool *pool = open_pool("programs:1");
    setenv("REMUDA_GUARD", "/nowhere/guard", 1);
    kill(rmdi_guard_pid(), SIGKILL);
    rmd_future *future;
    do { /* until its end has been noticed */
        future = run(pool, "true");
        if (end_of(future)->error)
            break;
        rmd_future_free(future);
    } while (true);
    CHECK_CONTAINS(end_of(future)->detail, "/nowhere/guard");
    CHECK_EQ(end_of(future)->pid, 0);
    CHECK_END(future, RMD_OUTCOME_FAILED, RMD_EGUARD);
    unsetenv("REMUDA_GUARD");
    close_pool(pool);
}
