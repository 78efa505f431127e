/* SPDX-License-Identifier: MIT */
/* What happens to a pool when those behind it are killed, or stopped: the template process, the
 * guard, the thread that has opened it, its owner. */
#include "exec/processes_testing.h"

#include "exec/guard.h"
#include "kit_resources.h"

#include <pthread.h>

/* A child in its group, and one outside of it. */
static int do_have_family(rmd_call *call)
{
    for (int outside = 0; outside < 2; outside++)
        if (fork() == 0) {
            if (outside)
                setsid();
            arrive(text_at(call, 0));
            for (;;)
                pause();
        }
    for (arrive(text_at(call, 0));;)
        pause();
    return 0;
}

static const rmd_function own[] = { { .name = "have_family", .fn = do_have_family }, { 0 } };
WORKERS(own)

enum { FAMILY = 3 };

static void kill_template(void)
{
    pid_t pid = find_template();
    REQUIRE(pid > 0);
    int held = hold_process(pid);
    kill(pid, SIGKILL);
    CHECK(ends_within(held, 15000));
    close(held);
}

/* Until it is another one than that, and may fork. */
static void await_other_template(pid_t old)
{
    pid_t now;
    while ((now = find_template()) == 0 || now == old)
        sched_yield();
}

/* ---- the template ---- */

TEST(tasks_do_not_notice_that_the_template_is_killed)
{
    enum { BEHIND = 10 };
    rmd_future *behind[BEHIND], *held[2];
    pid_t pids[2];
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool("processes:2");
    for (int i = 0; i < 2; i++)
        held[i] = stand(pool, &at, "gate", &pids[i]);
    for (int i = 0; i < BEHIND; i++)
        behind[i] = call(pool, "add", RMD_ARGS(i, 1));
    kill_template();
    open_gate(&at);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(INT_OF(held[i]), pids[i]);
    for (int i = 0; i < BEHIND; i++)
        CHECK_EQ(INT_OF(behind[i]), i + 1);
    close_pool(pool);
}

TEST(after_the_template_was_killed_workers_are_replaced_as_ever)
{
    kit_resources before;
    kit_resources_take(&before);
    rmd_pool *pool = open_pool("processes:2");
    for (int i = 0; i < 8; i++) {
        kill_template();
        check_works(pool);
        CHECK_LOST(call(pool, "die", RMD_ARGS("9", "words")));
        check_works(pool);
        await_other_template(0);
    }
    close_pool(pool);
    CHECK_RESOURCES(&before);
}

TEST(a_worker_whose_template_was_killed_may_die_too)
{
    const rmd_exit *account = NULL;
    gate at = make_gate("gate");
    pid_t pid;
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *future = stand(pool, &at, "gate", &pid);
    rmd_future *behind = call(pool, "add", RMD_ARGS(2, 3));
    pid_t old = find_template();
    kill_template();
    await_other_template(old);
    kill(pid, SIGKILL);
    CHECK_CONTAINS(detail_of(future), "has ended, and how is not known");
    CHECK_EQ(rmd_future_exit(future, &account), 0);
    CHECK_EQ(account->status, -1);
    CHECK_EQ(account->signal, 0);
    CHECK_EQ(account->pid, pid);
    CHECK_LOST(future);
    CHECK_EQ(INT_OF(behind), 5);
    close_pool(pool);
}

static int count_children(pid_t pid)
{
    char path[64], list[4096] = "";
    int n = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    FILE *file = fopen(path, "re");
    if (file && !fgets(list, sizeof list, file))
        list[0] = 0;
    if (file)
        fclose(file);
    for (char *rest = list; strtok_r(rest, " \n", &rest) != NULL;)
        n++;
    return n;
}

static void outlive_templates(rmd_pool *pool, const gate *at, const char *name)
{
    pid_t pid, old;
    rmd_future *both[2], *future = stand(pool, at, "gate", &pid);
    for (int i = 0; i < 4; i++) {
        old = find_template();
        kill_template();
        await_other_template(old);
        check_works(pool);
    }
    kill(pid, SIGKILL);
    CHECK_LOST(future);
    gate again = make_gate(name);
    for (int i = 0; i < 2; i++)
        both[i] = stand(pool, &again, name, NULL);
    CHECK_INT(count_children(find_template()), <=, 2); /* its place was taken once */
    open_gate(&again);
    for (int i = 0; i < 2; i++)
        CHECK_OK(both[i]);
}

TEST(a_worker_that_has_outlived_several_templates_dies_once)
{
    char name[] = "a";
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool("processes:2");
    for (; name[0] < 'h'; name[0]++)
        outlive_templates(pool, &at, name);
    close_pool(pool);
}

TEST(a_task_whose_template_was_killed_is_ended_with_all_that_it_has_started)
{
    int held[FAMILY];
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *future = call(pool, "have_family", RMD_ARGS("gate"));
    for (int i = 0; i < FAMILY; i++)
        held[i] = hold_process(await_arrival(&at));
    pid_t old = find_template();
    kill_template();
    await_other_template(old);
    CHECK_EQ(rmd_future_cancel(future), 0);
    CHECK_ENDED(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    for (int i = 0; i < FAMILY; i++)
        CHECK(!is_alive(held[i]));
    check_works(pool);
    close_pool(pool);
}

TEST(templates_that_are_killed_again_and_again_halt_the_pool)
{
    int err = 0;
    pid_t old = 0;
    rmd_pool *pool = open_pool("processes:1");
    gate at = make_gate("gate");
    rmd_future *held = stand(pool, &at, "gate", NULL);
    for (int i = 0; i < 5; i++) {
        await_other_template(old);
        old = find_template();
        kill_template();
    }
    while (err == 0)
        err = rmd_pool_call(pool, NULL, "add", RMD_ARGS(1, 2), NULL);
    CHECK_EQ(err, RMD_EHALTED);
    CHECK_CONTAINS(rmd_error_detail(), "template");
    open_gate(&at);
    CHECK_OK(held);
    CHECK_EQ(rmd_pool_resume(pool), 0);
    check_works(pool);
    CHECK_LOST(call(pool, "die", RMD_ARGS("9", "")));
    check_works(pool);
    close_pool(pool);
}

TEST(a_template_that_is_stopped_keeps_nobody_from_the_end)
{
    kit_resources before;
    kit_resources_take(&before);
    rmd_pool *pool = open_pool("processes:2");
    rmd_task_options options = { .limits = { .queue_ms_max = 50 } };
    kill(find_template(), SIGSTOP);
    for (int i = 0; i < 10; i++)
        check_works(pool);
    rmd_future *lost[2];
    for (int i = 0; i < 2; i++) /* that they have died is not known */
        lost[i] = call(pool, "die", RMD_ARGS("9", ""));
    CHECK_ENDED(call_with(pool, "add", RMD_ARGS(1, 2), options), RMD_OUTCOME_TIMEOUT,
                RMD_ETIMEDOUT);
    kill(find_template(), SIGCONT);
    for (int i = 0; i < 2; i++)
        CHECK_LOST(lost[i]);
    check_works(pool);
    kill(find_template(), SIGSTOP);
    close_pool(pool);
    CHECK_RESOURCES(&before);
}

/* What is inherited by a program that somebody else starts meanwhile. */
static void check_close_on_exec(void)
{
    char path[64], target[256];
    for (int fd = 3; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags < 0 || flags & FD_CLOEXEC)
            continue;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t len = readlink(path, target, sizeof target - 1);
        target[len < 0 ? 0 : len] = 0;
        FAIL(target);
    }
}

TEST(no_descriptor_is_left_to_those_whom_others_start)
{
    for (int fd = 3; fd < 256; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC); /* those that were here before */
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool("processes:2");
    rmd_future *held = stand(pool, &at, "gate", NULL);
    check_close_on_exec();
    pid_t old = find_template();
    kill_template();
    await_other_template(old);
    check_close_on_exec();
    open_gate(&at);
    CHECK_OK(held);
    close_pool(pool);
}

/* ---- the guard ---- */

TEST(a_guard_that_is_killed_is_replaced_and_tasks_do_not_notice)
{
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool("processes:2");
    rmd_future *held = stand(pool, &at, "gate", NULL);
    pid_t guard = rmdi_guard_pid();
    kill(guard, SIGKILL);
    check_works(pool);
    CHECK_LOST(call(pool, "die", RMD_ARGS("9", "")));
    check_works(pool);
    while (rmdi_guard_pid() == guard)
        sched_yield();
    open_gate(&at);
    CHECK_OK(held);
    close_pool(pool);
}

/* ---- the owner ---- */

static void *open_in_thread(void *arg)
{
    *(rmd_pool **)arg = open_pool("processes:2");
    check_works(*(rmd_pool **)arg);
    return NULL;
}

TEST(the_thread_that_has_opened_a_pool_may_end)
{
    pthread_t thread;
    rmd_pool *pool = NULL;
    REQUIRE(pthread_create(&thread, NULL, open_in_thread, &pool) == 0);
    pthread_join(thread, NULL);
    pid_t pid = pid_of_worker(pool);
    for (int i = 0; i < 20; i++)
        check_works(pool);
    CHECK_EQ(pid_of_worker(pool), pid);
    close_pool(pool);
}

/* A process that opens a pool and is killed, when all that it has started stand at the gate. */
static void kill_owner(bool template_too)
{
    int held[2 * FAMILY];
    int told[2];
    gate at = make_gate("gate");
    REQUIRE(pipe2(told, O_CLOEXEC) == 0);
    pid_t owner = fork();
    if (owner == 0) {
        rmd_pool *pool = open_pool("processes:2");
        for (int i = 0; i < 2; i++)
            REQUIRE(rmd_pool_call(pool, NULL, "have_family", RMD_ARGS("gate"), NULL) == 0);
        pid_t template = find_template();
        REQUIRE(write(told[1], &template, sizeof template) == sizeof template);
        pause();
    }
    pid_t template = 0;
    for (int i = 0; i < 2 * FAMILY; i++)
        held[i] = hold_process(await_arrival(&at));
    REQUIRE(read(told[0], &template, sizeof template) == sizeof template);
    int template_held = hold_process(template);
    if (template_too)
        kill(template, SIGKILL);
    kill(owner, SIGKILL);
    for (int i = 0; i < 2 * FAMILY; i++)
        CHECK(ends_within(held[i], 1000 * kit_patience()));
    CHECK(ends_within(template_held, 1000 * kit_patience()));
    waitpid(owner, NULL, 0);
}

TEST(when_the_owner_is_killed_nothing_outlives_it)
{
    kill_owner(false);
}

TEST(when_owner_and_template_are_killed_nothing_outlives_them)
{
    kill_owner(true);
}
