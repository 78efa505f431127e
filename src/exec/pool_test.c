/* SPDX-License-Identifier: MIT */
/* The front: what a pool is asked for, and who asks. */
#include "kit.h"
#include "kit_resources.h"

#include "exec/programs_testing.h"
#include "port/cpu.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static void refuse(const char *kind, const char *word)
{
    rmd_pool *pool = NULL;
    bool refused = CHECK_EQ(rmd_pool_open(&pool, kind, NULL, soon()), RMD_EINVAL);
    bool named = CHECK_CONTAINS(rmd_error_detail(), word);
    if (!refused || !named)
        fprintf(stderr, "kind \"%s\"\n", kind);
    CHECK(pool == NULL);
}

TEST(a_kind_that_is_not_understood_names_its_part)
{
    refuse("", "unknown kind \"\"");
    refuse("program", "unknown kind \"program\"");
    refuse("programs2:4", "unknown kind \"programs2\"");
    refuse("rabbits:4", "known: threads, processes, programs");
    refuse("programs:", "number of workers");
    refuse("programs:0", "number of workers");
    refuse("programs:-1", "number of workers");
    refuse("programs: 1", "number of workers");
    refuse("programs:65537", "number of workers");
    refuse("programs:99999999999999999999", "number of workers");
    refuse("programs:4x", "programs:4x");
    refuse("programs:4:5", "number of workers");
    refuse("programs?size=4", "unknown key \"size\"");
    refuse("programs:2?Queue=4", "unknown key \"Queue\"");
    refuse("programs:2?queue", "queue=N");
    refuse("programs:2?queue=", "queue=N");
    refuse("programs:2?queue=0", "queue=N");
    refuse("programs:2?queue=4294967296", "queue=N");
    refuse("programs:2?queue=4k", "queue=N");
    refuse("programs:2?queue=4&more=5", "unknown key \"more\"");
}

TEST(what_is_missing_or_of_another_version_is_refused)
{
    rmd_pool *pool;
    rmd_pool_options options = { .size = 1 };
    CHECK_EQ(rmd_pool_open(NULL, "programs", NULL, soon()), RMD_EINVAL);
    CHECK_EQ(rmd_pool_open(&pool, NULL, NULL, soon()), RMD_EINVAL);
    CHECK_EQ(rmd_pool_open(&pool, "programs", &options, soon()), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "size is 1");
}

TEST(calls_without_a_pool_are_refused)
{
    rmd_census census;
    rmd_command command = { 0 };
    CHECK_EQ(rmd_pool_exec(NULL, NULL, &command), RMD_EINVAL);
    CHECK_EQ(rmd_pool_close(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_pool_drain(NULL, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_pool_abort(NULL, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_pool_cancel(NULL, true), RMD_EINVAL);
    CHECK_EQ(rmd_pool_suspend(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_pool_resume(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_pool_census(NULL, &census), RMD_EINVAL);
    CHECK_EQ(rmd_pool_free(NULL), 0);
}

TEST(a_pool_has_the_size_that_was_asked_for)
{
    rmd_pool *pool = open_pool("programs:3?queue=7");
    CHECK_EQ(rmd_pool_size(pool), 3);
    close_pool(pool);
    pool = open_pool("programs");
    CHECK_EQ(rmd_pool_size(pool), rmdi_cpu_usable());
    close_pool(pool);
}

static void thread_is_named(const char *name, bool wanted)
{
    char command[128];
    snprintf(command, sizeof command, "cat /proc/%d/task/*/comm | grep -qx '%s'", getpid(), name);
    CHECK_EQ(system(command) == 0, wanted);
}

TEST(the_keeper_is_named_after_the_pool)
{
    rmd_pool *pool = open_pool("programs:1");
    thread_is_named("programs", true);
    rmd_pool *other = open_pool_with("programs:1", (rmd_pool_options){ .name = "my tasks" });
    thread_is_named("my tasks", true);
    close_pool(pool);
    close_pool(other);
    thread_is_named("my tasks", false);
}

TEST(ignored_ends_of_children_are_refused_with_the_cure)
{
    rmd_pool *pool;
    signal(SIGCHLD, SIG_IGN);
    CHECK_EQ(rmd_pool_open(&pool, "programs", NULL, soon()), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "SIGCHLD");
    signal(SIGCHLD, SIG_DFL);
    close_pool(open_pool("programs"));
}

TEST(a_guard_that_cannot_be_started_is_named_with_the_cure)
{
    rmd_pool *pool;
    kit_resources before;
    kit_resources_take(&before);
    setenv("REMUDA_GUARD", "/nowhere/guard", 1);
    CHECK_EQ(rmd_pool_open(&pool, "programs", NULL, soon()), RMD_EGUARD);
    CHECK_CONTAINS(rmd_error_detail(), "/nowhere/guard");
    CHECK_CONTAINS(rmd_error_detail(), "rmd_start()");
    CHECK_RESOURCES(&before);
}

TEST(a_program_that_cannot_be_its_own_worker_is_told_the_cure)
{
    kit_resources before;
    rmd_pool *pool = NULL;
    kit_resources_take(&before);
    CHECK_EQ(rmd_pool_open(&pool, "processes:2", NULL, soon()), RMD_EWORKER);
    CHECK_CONTAINS(rmd_error_detail(), "rmd_start()");
    CHECK_CONTAINS(rmd_error_detail(), "rmd_pool_options.program");
    CHECK(!pool);
    CHECK_RESOURCES(&before);
}

TEST(a_pool_is_not_freed_before_it_is_drained)
{
    rmd_pool *pool = open_pool("programs:1");
    CHECK_EQ(rmd_pool_free(pool), RMD_EBUSY);
    CHECK_EQ(rmd_pool_close(pool), 0);
    CHECK_EQ(rmd_pool_free(pool), RMD_EBUSY);
    close_pool(pool);
}

/* ---- forks ---- */

static void use_as_a_stranger(rmd_pool *pool, rmd_future *future, rmd_group *group)
{
    static const char *const argv[] = { "true", NULL };
    rmd_command command = { .size = sizeof command, .argv = argv };
    rmd_census census;
    CHECK_EQ(rmd_pool_exec(pool, NULL, &command), RMD_EFORKED);
    CHECK_EQ(rmd_pool_close(pool), RMD_EFORKED);
    CHECK_EQ(rmd_pool_drain(pool, RMD_FOREVER), RMD_EFORKED);
    CHECK_EQ(rmd_pool_abort(pool, RMD_FOREVER), RMD_EFORKED);
    CHECK_EQ(rmd_pool_cancel(pool, false), RMD_EFORKED);
    CHECK_EQ(rmd_pool_suspend(pool), RMD_EFORKED);
    CHECK_EQ(rmd_pool_census(pool, &census), RMD_EFORKED);
    CHECK_EQ(rmd_pool_free(pool), RMD_EFORKED);
    CHECK_EQ(rmd_future_wait(future, RMD_FOREVER), RMD_EFORKED);
    CHECK_EQ(rmd_future_cancel(future), RMD_EFORKED);
    CHECK_EQ(rmd_future_on_end(future, NULL, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_group_wait(group, RMD_FOREVER), RMD_EFORKED);
    rmd_group_cancel(group);
    rmd_group_census(group, &census);
    CHECK_EQ(census.submitted, 0);
    CHECK_EQ(rmd_group_free(group), RMD_EFORKED);
}

static void never(rmd_future *future, void *ctx)
{
    (void)future;
    (void)ctx;
    FAIL("a callback in a fork");
}

TEST(in_a_fork_the_handles_answer_that_they_are_not_its_own)
{
    rmd_group *group;
    REQUIRE(rmd_group_open(&group) == 0);
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run_with(pool, "sleep 60", (rmd_command){ .group = group });
    pid_t pid = fork();
    if (pid == 0) {
        use_as_a_stranger(pool, future, group);
        CHECK_EQ(rmd_future_on_end(future, never, NULL), RMD_EFORKED);
        _exit(0);
    }
    CHECK_CHILD(pid);
    CHECK_EQ(rmd_future_outcome(future), RMD_PENDING);
    CHECK_EQ(rmd_future_cancel(future), 0);
    CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_EQ(rmd_group_free(group), 0);
    close_pool(pool);
}

TEST(a_fork_may_open_a_pool_of_its_own)
{
#if defined(__SANITIZE_THREAD__)
    SKIP("the thread sanitizer allows no threads in a fork of a process with threads");
#endif
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run(pool, "sleep 60");
    pid_t pid = fork();
    if (pid == 0) {
        rmd_pool *own = open_pool("programs:1");
        CHECK_END(run(own, "true"), RMD_OUTCOME_OK, 0);
        close_pool(own);
        _exit(0);
    }
    CHECK_CHILD(pid);
    CHECK_EQ(rmd_future_outcome(future),
             RMD_PENDING); /* the fork's guard has nothing to do with it */
    rmd_future_cancel(future);
    CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    close_pool(pool);
}

TEST(a_fork_that_lives_on_does_not_hold_up_the_drain)
{
    int leash[2];
    char byte;
    REQUIRE(pipe(leash) == 0);
    rmd_pool *pool = open_pool("programs:1");
    CHECK_END(run(pool, "true"), RMD_OUTCOME_OK, 0);
    pid_t pid = fork(); /* has a copy of the guard's lifeline */
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(leash[1]);
        _exit(read(leash[0], &byte, 1) != 0);
    }
    close_pool(pool);
    close(leash[1]);
    REQUIRE(waitpid(pid, NULL, 0) == pid);
}

TEST(two_pools_share_nothing_but_the_guard)
{
    kit_resources before;
    kit_resources_take(&before);
    rmd_pool *a = open_pool("programs:1"), *b = open_pool("programs:1");
    rmd_future *slow = run(a, "sleep 60"), *fast = run(b, "true");
    CHECK_END(fast, RMD_OUTCOME_OK, 0);
    close_pool(b);
    CHECK_EQ(rmd_future_outcome(slow), RMD_PENDING);
    b = open_pool("programs:1");
    CHECK_EQ(rmd_future_cancel(slow), 0);
    CHECK_END(slow, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    close_pool(a);
    CHECK_END(run(b, "true"), RMD_OUTCOME_OK, 0);
    close_pool(b);
    CHECK_RESOURCES(&before);
}

static void refuse_option(const char *kind, rmd_pool_options options, const char *word)
{
    rmd_pool *pool = NULL;
    options.size = sizeof options;
    CHECK_EQ(rmd_pool_open(&pool, kind, &options, soon()), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), word);
    CHECK(pool == NULL);
}

TEST(options_of_another_kind_are_refused_also_if_they_are_only_arguments)
{
    int arg = 0;
    rmd_pool_options start = { .arg = &arg };
    rmd_pool_options preload = { .preload_args = RMD_ARGS(1) };
    rmd_pool_options initializer = { .initializer_args = RMD_ARGS(RMD_NAMED("a", 1)) };
    refuse_option("programs:1", start, "programs has no use for arg");
    refuse_option("programs:1", preload, "programs has no use for preload_args");
    refuse_option("threads:1", preload, "threads has no use for preload_args");
    refuse_option("threads:1", initializer, "threads has no use for initializer_args");
}
