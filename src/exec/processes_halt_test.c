/* SPDX-License-Identifier: MIT */
/* Workers that die again and again are not started for ever: the pool halts, says why, loses
 * nothing in silence, and can be resumed. */
#include "exec/processes_testing.h"

/* Fails as long as there is a file "bad". */
static int do_check(rmd_call *call)
{
    if (access(path_of("bad"), F_OK) != 0)
        return 0;
    add_line("tries", "x");
    return rmd_call_fail(call, -1001, "there is a bad file");
}

static const rmd_function own[] = { { .name = "check", .fn = do_check }, { 0 } };
WORKERS(own)

static rmd_pool *open_checking(const char *kind)
{
    return open_pool_with(kind, (rmd_pool_options){ .initializer = "check" });
}

/* Waits until the pool takes nothing more, and says so. No worker must be free: what it does would
 * begin the count anew. */
static void await_halt(rmd_pool *pool)
{
    int err = 0;
    while (err == 0)
        err = rmd_pool_call(pool, NULL, "add", RMD_ARGS(1, 2), NULL);
    CHECK_EQ(err, RMD_EHALTED);
    CHECK_CONTAINS(rmd_error_detail(), "5 workers died within 10 s");
}

static void kill_and_await(rmd_pool *pool, pid_t pid)
{
    size_t before = strlen(lines_of("tries"));
    kill(pid, SIGKILL);
    while (strlen(lines_of("tries")) < before + 4) /* its own death may count */
        sched_yield();
    await_halt(pool);
}

TEST(after_five_deaths_a_pool_halts_and_what_waits_is_lost)
{
    enum { WAITING = 10 };
    rmd_future *waiting[WAITING];
    gate at = make_gate("gate");
    pid_t pid;
    rmd_pool *pool = open_checking("processes:1");
    rmd_future *held = stand(pool, &at, "gate", &pid);
    for (int i = 0; i < WAITING; i++)
        waiting[i] = call(pool, "add", RMD_ARGS(i, 1));
    add_line("bad", "");
    kill_and_await(pool, pid);
    CHECK_LOST(held);
    for (int i = 0; i < WAITING; i++)
        CHECK_ENDED(waiting[i], RMD_OUTCOME_LOST, RMD_EHALTED);
    CHECK_STR(lines_of("tries"), "xxxxx");
    close_pool(pool);
}

TEST(a_pool_that_has_halted_can_be_resumed)
{
    rmd_pool *pool = open_checking("processes:1");
    for (int i = 0; i < 2; i++) {
        add_line("bad", "");
        kill_and_await(pool, pid_of_worker(pool));
        unlink(path_of("bad"));
        CHECK_EQ(rmd_pool_resume(pool), 0);
        check_works(pool);
    }
    close_pool(pool);
}

TEST(a_pool_that_has_halted_can_be_drained)
{
    rmd_pool *pool = open_checking("processes:1");
    add_line("bad", "");
    kill_and_await(pool, pid_of_worker(pool));
    close_pool(pool);
}

TEST(with_tasks_done_between_workers_may_die_as_often_as_they_like)
{
    rmd_pool *pool = open_checking("processes:1");
    for (int i = 0; i < 12; i++) {
        int held = hold_process(pid_of_worker(pool));
        kill(pid_of_worker(pool), SIGKILL);
        CHECK(ends_within(held, 15000));
        close(held);
    }
    check_works(pool);
    close_pool(pool);
}

TEST(tasks_that_kill_their_workers_do_not_halt_the_pool)
{
    rmd_pool *pool = open_checking("processes:1");
    for (int i = 0; i < 12; i++)
        CHECK_LOST(call(pool, "die", RMD_ARGS("9", "")));
    check_works(pool);
    close_pool(pool);
}

TEST(nor_do_tasks_that_are_tried_again)
{
    rmd_task_options options = { .limits.crashes_max = 13 };
    rmd_pool *pool = open_checking("processes:1");
    CHECK_LOST(call_with(pool, "die", RMD_ARGS("9", ""), options));
    check_works(pool);
    close_pool(pool);
}

TEST(when_the_last_worker_dies_after_the_halt_what_it_had_is_lost)
{
    gate at = make_gate("gate");
    pid_t pid;
    rmd_pool *pool = open_checking("processes:2");
    rmd_future *held = stand(pool, &at, "gate", &pid), *behind = NULL;
    gate other = make_gate("other");
    pid_t dying;
    rmd_future *dies = stand(pool, &other, "other", &dying);
    add_line("bad", "");
    kill(dying, SIGSTOP); /* so that what comes waits behind the other one */
    for (int i = 0; i < 20; i++) {
        rmd_future_free(behind);
        behind = call(pool, "add", RMD_ARGS(1, i));
    }
    kill_and_await(pool, dying);
    CHECK_LOST(dies);
    CHECK_EQ(rmd_future_outcome(behind), RMD_PENDING);
    kill(pid, SIGKILL);
    CHECK_LOST(held);
    CHECK_ENDED(behind, RMD_OUTCOME_LOST, RMD_EHALTED);
    close_pool(pool);
}

TEST(what_runs_when_a_pool_halts_ends_as_it_likes)
{
    gate at = make_gate("gate"), other = make_gate("other");
    pid_t pid, dying;
    rmd_pool *pool = open_checking("processes:2");
    rmd_future *held = stand(pool, &at, "gate", &pid);
    rmd_future *dies = stand(pool, &other, "other", &dying);
    add_line("bad", "");
    kill_and_await(pool, dying);
    open_gate(&at);
    CHECK_EQ(INT_OF(held), pid);
    CHECK_LOST(dies);
    close_pool(pool);
}
