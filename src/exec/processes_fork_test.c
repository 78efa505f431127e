/* SPDX-License-Identifier: MIT */
/* A program that uses a pool of processes forks by itself: the child is told that the pool is not
 * its own, whatever state that is in, and the parent does not notice. */
#include "exec/processes_testing.h"

#include "kit_resources.h"

/* The copy returns something else, and is gone before the task is done. */
static int do_return_in_both(rmd_call *call)
{
    int err = rmd_call_return(call, "the task's own");
    pid_t pid = fork();
    if (pid == 0)
        return rmd_call_return(call, "the copy's");
    return waitpid(pid, NULL, 0) == pid ? err : RMD_EIO;
}

/* The same, and says nothing, or fails. */
static int do_return_and_copy(rmd_call *call)
{
    int err = rmd_call_return(call, "the task's own");
    pid_t pid = fork();
    if (pid == 0)
        return (int)int_at(call, 0);
    return waitpid(pid, NULL, 0) == pid ? err : RMD_EIO;
}

static const rmd_function own[] = { { .name = "return_in_both", .fn = do_return_in_both },
                                    { .name = "return_and_copy", .fn = do_return_and_copy },
                                    { 0 } };
WORKERS(own)

static void refuse_all(rmd_pool *pool, rmd_future *running)
{
    rmd_census census;
    rmd_future *future = NULL;
    CHECK_EQ(rmd_pool_call(pool, &future, "add", RMD_ARGS(1, 2), NULL), RMD_EFORKED);
    CHECK_EQ(rmd_pool_census(pool, &census), RMD_EFORKED);
    CHECK_EQ(rmd_pool_close(pool), RMD_EFORKED);
    CHECK_EQ(rmd_pool_cancel(pool, false), RMD_EFORKED);
    CHECK_EQ(rmd_pool_drain(pool, RMD_FOREVER), RMD_EFORKED);
    CHECK_EQ(rmd_pool_abort(pool, RMD_FOREVER), RMD_EFORKED);
    CHECK_EQ(rmd_pool_free(pool), RMD_EFORKED);
    CHECK(!future);
    if (running) {
        CHECK_EQ(rmd_future_wait(running, RMD_FOREVER), RMD_EFORKED);
        CHECK_EQ(rmd_future_cancel(running), RMD_EFORKED);
        rmd_future_free(running);
    }
}

/* What the child does with the pool, and with one of its own. */
static void fork_with(rmd_pool *pool, rmd_future *running)
{
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        refuse_all(pool, running);
        if (!KIT_SANITIZED) { /* see kit.h */
            rmd_pool *ours = open_pool("processes:1");
            check_works(ours);
            CHECK_LOST(call(ours, "die", RMD_ARGS("9", "")));
            check_works(ours);
            close_pool(ours);
        }
        _exit(0);
    }
    CHECK_CHILD(pid);
}

TEST(the_child_of_an_owner_is_refused_and_may_have_its_own_pool)
{
    kit_resources before;
    kit_resources_take(&before);
    rmd_pool *pool = open_pool("processes:2");
    fork_with(pool, NULL);
    check_works(pool);
    close_pool(pool);
    CHECK_RESOURCES(&before);
}

TEST(an_owner_forks_while_tasks_run)
{
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *running = stand(pool, &at, "gate", NULL);
    rmd_future *waiting = call(pool, "add", RMD_ARGS(1, 2));
    fork_with(pool, running);
    fork_with(pool, waiting);
    open_gate(&at);
    CHECK_OK(running);
    CHECK_EQ(INT_OF(waiting), 3);
    close_pool(pool);
}

TEST(an_owner_forks_when_a_task_has_ended)
{
    int64_t n = 0;
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *future = call(pool, "add", RMD_ARGS(1, 2));
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_EQ(rmd_future_get(future, &n), 0); /* what is known stays known */
        CHECK_EQ(n, 3);
        rmd_future_free(future);
        refuse_all(pool, NULL);
        _exit(0);
    }
    CHECK_CHILD(pid);
    rmd_future_free(future);
    close_pool(pool);
}

TEST(an_owner_forks_when_its_pool_is_drained)
{
    rmd_pool *pool = open_pool("processes:1");
    check_works(pool);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    fork_with(pool, NULL);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

TEST(an_owner_forks_while_workers_are_born_and_die)
{
    rmd_pool *pool = open_pool("processes:2");
    for (int i = 0; i < 10; i++) {
        rmd_future *future = call(pool, "die", RMD_ARGS("9", ""));
        fork_with(pool, NULL);
        CHECK_LOST(future);
    }
    check_works(pool);
    close_pool(pool);
}

TEST(the_end_of_a_child_ends_nothing_of_its_parents)
{
    gate at = make_gate("gate");
    pid_t where;
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *running = stand(pool, &at, "gate", &where);
    pid_t pid = fork();
    if (pid == 0)
        exit(0); /* by all its exit handlers */
    CHECK_CHILD(pid);
    open_gate(&at);
    CHECK_EQ(INT_OF(running), where);
    CHECK_EQ(pid_of_worker(pool), where);
    close_pool(pool);
}

static void check_own(rmd_future *future)
{
    const char *text = "";
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    CHECK_EQ(rmd_future_get(future, &text), 0);
    CHECK_STR(text, "the task's own");
    rmd_future_free(future);
}

TEST(a_copy_of_a_task_does_not_touch_its_result)
{
    rmd_pool *pool = open_pool("processes:1");
    for (int i = 0; i < 3; i++) {
        check_own(call(pool, "return_in_both", RMD_ARGS()));
        check_own(call(pool, "return_and_copy", RMD_ARGS(0)));
        check_own(call(pool, "return_and_copy", RMD_ARGS(RMD_EIO)));
    }
    check_works(pool);
    close_pool(pool);
}
