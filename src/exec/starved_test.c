/* SPDX-License-Identifier: MIT */
/* When the system has no more descriptors or processes to give, tasks wait for a better
 * moment: none is lost, and none is run twice. */
#include "kit.h"

#include "exec/programs_testing.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { COUNT = 60 };

/* Each run of a task appends its number to this file. */
static char runs_path[512];

static void check_runs(void)
{
    int runs[COUNT] = { 0 }, number;
    FILE *file = fopen(runs_path, "r");
    REQUIRE(file != NULL);
    while (fscanf(file, "%d", &number) == 1)
        if (CHECK(number >= 0 && number < COUNT))
            runs[number]++;
    fclose(file);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(runs[i], 1);
    CHECK_EQ(truncate(runs_path, 0), 0);
}

static rmd_future *run_counted(rmd_pool *pool, int number, rmd_command command)
{
    char script[700];
    snprintf(script, sizeof script, "echo %d >>'%s'; echo out", number, runs_path);
    return run_with(pool, script, command);
}

static void limit_descriptors(int count, struct rlimit *before)
{
    struct rlimit limit;
    REQUIRE(getrlimit(RLIMIT_NOFILE, before) == 0);
    limit = *before;
    limit.rlim_cur = (rlim_t)count;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

TEST(with_few_descriptors_every_task_runs_once)
{
    struct rlimit before;
    rmd_future *futures[COUNT];
    snprintf(runs_path, sizeof runs_path, "%s/runs", getenv("TMPDIR"));
    for (int limit = 24; limit <= 40; limit += 2) {
        rmd_pool *pool = open_pool_with("programs:16",
                                        (rmd_pool_options){ .capture_bytes_max = 1 });
        CHECK_END(run(pool, "true"), RMD_OUTCOME_OK, 0); /* loads what is loaded once */
        limit_descriptors(limit, &before);
        rmd_stream none = { .kind = RMD_STREAM_NULL };
        for (int i = 0; i < COUNT; i++) /* with pipes or with nothing but the process itself */
            futures[i] = run_counted(
                pool, i, i % 2 ? (rmd_command){ 0 } : (rmd_command){ .out = none, .err = none });
        for (int i = 0; i < COUNT; i++) {
            CHECK_EQ(end_of(futures[i])->attempts, 1);
            CHECK_EQ(end_of(futures[i])->out_bytes, i % 2 ? 4 : 0);
            CHECK_END(futures[i], RMD_OUTCOME_OK, 0);
        }
        REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
        check_runs();
        close_pool(pool);
    }
}

TEST(with_no_descriptor_at_all_a_task_fails_and_the_pool_goes_on)
{
    struct rlimit before;
    rmd_pool *pool = open_pool("programs:2");
    limit_descriptors(3, &before);
    CHECK_END(run(pool, "true"), RMD_OUTCOME_FAILED, RMD_EMFILE);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK_END(run(pool, "true"), RMD_OUTCOME_OK, 0);
    close_pool(pool);
}

TEST(limits_and_cancels_hold_for_tasks_that_wait_for_a_better_moment)
{
    struct rlimit before;
    int told[2];
    REQUIRE(pipe2(told, O_CLOEXEC) == 0);
    rmd_pool *pool = open_pool("programs:4");
    rmd_future *runs = run_with(pool, "echo 1 >&3; sleep 60",
                                (rmd_command){ .fds = &told[1], .fds_len = 1 });
    read_number(told[0]);
    CHECK_END(run(pool, "true"), RMD_OUTCOME_OK, 0); /* the start of the first is all done */
    limit_descriptors(3, &before);
    rmd_future *limited = run_with(pool, "true", (rmd_command){ .limits.queue_ms_max = 50 });
    rmd_future *cancelled = run(pool, "true"), *patient = run(pool, "true");
    CHECK_EQ(end_of(limited)->attempts, 0);
    CHECK_END(limited, RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT);
    CHECK_EQ(rmd_future_cancel(cancelled), 0);
    CHECK_EQ(rmd_future_outcome(cancelled), RMD_OUTCOME_CANCELLED);
    CHECK_EQ(rmd_future_outcome(patient), RMD_PENDING);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK_EQ(rmd_future_cancel(runs), 0);
    CHECK_END(runs, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_END(patient, RMD_OUTCOME_OK, 0); /* its moment has come */
    rmd_future_free(cancelled);
    close_pool(pool);
}

/* What a sink must not see of starts that came to nothing. */
static int ends, bytes_after_end;

static void sink(void *ctx, int stream, const void *data, size_t len)
{
    (void)ctx;
    (void)stream;
    (void)data;
    bytes_after_end += ends && len;
    ends += len == 0;
}

TEST(a_sink_is_not_told_of_starts_that_came_to_nothing)
{
    struct rlimit before;
    int told[2];
    REQUIRE(pipe2(told, O_CLOEXEC) == 0);
    rmd_stream to_sink = { .kind = RMD_STREAM_SINK, .sink = sink };
    for (int spare = 0; spare < 8; spare++) { /* where it fails differs */
        ends = bytes_after_end = 0;
        rmd_pool *pool = open_pool("programs:3");
        rmd_future *runs = run_with(pool, "echo 1 >&3; sleep 0.05",
                                    (rmd_command){ .fds = &told[1], .fds_len = 1 });
        read_number(told[0]);
        CHECK_END(run(pool, "true"), RMD_OUTCOME_OK, 0);
        int highest = dup(0);
        close(highest);
        limit_descriptors(highest + spare, &before);
        rmd_future *future = run_with(pool, "echo out", (rmd_command){ .out = to_sink });
        CHECK_INT(rmd_future_wait(future, rmd_after_ms(5)), <=, 0);
        REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
        end_of(future);
        CHECK_INT(ends, <=, 1);
        CHECK_EQ(bytes_after_end, 0);
        rmd_future_free(future);
        rmd_future_free(runs);
        close_pool(pool);
    }
}

TEST(with_few_processes_every_task_runs_once)
{
    struct rlimit few = { 8, 8 };
    rmd_future *futures[COUNT];
    if (geteuid() != 0)
        SKIP("needs a user of its own, so that nobody else's processes count");
    uid_t user = 20000 + (uid_t)getpid();
    snprintf(runs_path, sizeof runs_path, "%s/runs", getenv("TMPDIR"));
    REQUIRE(chown(getenv("TMPDIR"), user, user) == 0 && setresuid(user, user, user) == 0);
    if (access(getenv("REMUDA_GUARD"), X_OK) < 0)
        SKIP("the guard is not there for other users");
    rmd_pool *pool = open_pool("programs:16");
    REQUIRE(setrlimit(RLIMIT_NPROC, &few) == 0);
    for (int i = 0; i < COUNT; i++) /* the shell itself does it: no further process */
        futures[i] = run_counted(pool, i, (rmd_command){ 0 });
    for (int i = 0; i < COUNT; i++)
        CHECK_END(futures[i], RMD_OUTCOME_OK, 0);
    check_runs();
    close_pool(pool);
}
