/* SPDX-License-Identifier: MIT */
/* What pools record. */
#include "kit.h"

#include <remuda/args.h>
#include <remuda/call.h>
#include <remuda/command.h>
#include <remuda/function.h>
#include <remuda/pool.h>
#include <remuda/recorder.h>
#include <remuda/start.h>
#include <remuda/task.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *in_folder(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", getenv("TMPDIR"), name);
    return path;
}

static const char *read_file(const char *path)
{
    static char text[1 << 20];
    FILE *file = fopen(path, "r");
    REQUIRE(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    return text;
}

static const char *record_now(void)
{
    REQUIRE(rmd_recorder_save(in_folder("now.txt"), RMD_RECORDER_TEXT) == 0);
    return read_file(in_folder("now.txt"));
}

/* When a worker goes to sleep is its own affair; nobody is told but the record. */
static void await_in_record(const char *words)
{
    rmd_deadline deadline = rmd_after_ms(10000 * kit_patience());
    while (!strstr(record_now(), words) && !rmd_deadline_passed(deadline))
        usleep(1000);
}

static rmd_pool *open_pool(const char *kind)
{
    rmd_pool *pool;
    REQUIRE(rmd_pool_open(&pool, kind, NULL, rmd_after_ms(10000 * kit_patience())) == 0);
    return pool;
}

static void end_pool(rmd_pool *pool)
{
    CHECK_EQ(rmd_pool_drain(pool, RMD_FOREVER), 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

static void wait_and_free(rmd_future *future)
{
    CHECK_EQ(rmd_future_wait(future, rmd_after_ms(10000 * kit_patience())), 0);
    rmd_future_free(future);
}

/* ---- threads ---- */

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int fail(void *arg)
{
    (void)arg;
    return -1;
}

TEST(tasks_on_threads_are_recorded)
{
    rmd_pool *pool = open_pool("threads:2");
    rmd_future *good, *bad;
    CHECK_EQ(rmd_submit(pool, &good, do_nothing, NULL, NULL), 0);
    wait_and_free(good);
    CHECK_EQ(rmd_submit(pool, &bad, fail, NULL, NULL), 0);
    wait_and_free(bad);
    await_in_record(" park\n");
    end_pool(pool);
    const char *text = record_now();
    CHECK_CONTAINS(text, " pool_open pool=1 workers=2\n");
    CHECK_CONTAINS(text, " submit task=1\n");
    CHECK_CONTAINS(text, " task_begin task=1 ");
    CHECK_CONTAINS(text, " task_end task=1 outcome=1\n");
    CHECK_CONTAINS(text, " task_failed task=2 outcome=2\n");
    CHECK_CONTAINS(text, " task_end task=2 outcome=2\n");
    CHECK_CONTAINS(text, " park\n");
    CHECK_CONTAINS(text, " threads-2 worker_end worker=2\n");
    CHECK_CONTAINS(text, " pool_drain pool=1\n");
    CHECK_CONTAINS(text, " pool_end pool=1 error=0\n");
}

static int submit_and_wait(void *arg)
{
    rmd_future *inner;
    int err = rmd_submit(arg, &inner, do_nothing, NULL, NULL);
    if (err == 0)
        err = rmd_future_wait(inner, RMD_FOREVER);
    if (err == 0)
        usleep(1000);
    rmd_future_free(inner);
    return strstr(record_now(), " live task=1 ") ? err : -1; /* again, after the inner one */
}

TEST(what_runs_on_top_of_a_task_does_not_hide_it)
{
    rmd_pool *pool = open_pool("threads:1");
    rmd_future *outer;
    CHECK_EQ(rmd_submit(pool, &outer, submit_and_wait, pool, NULL), 0);
    CHECK_EQ(rmd_future_wait(outer, rmd_after_ms(10000 * kit_patience())), 0);
    CHECK_EQ(rmd_future_outcome(outer), RMD_OUTCOME_OK);
    rmd_future_free(outer);
    end_pool(pool);
}

static int overwrite(void *arg)
{
    static int *volatile nowhere = (int *)(uintptr_t)0x10;
    (void)arg;
    return *nowhere = 1;
}

static void crash_in_pool(const char *path)
{
    rmd_recorder_options options = { .size = sizeof options, .path = path, .crash = true };
    rmd_task_options limited = { .size = sizeof limited, .limits.run_ms_max = 60000 };
    rmd_future *future;
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    if (rmd_recorder_on(&options) < 0)
        _exit(1);
    rmd_pool *pool = open_pool("threads:2");
    if (rmd_submit(pool, &future, overwrite, NULL, &limited) == 0) /* on a worker: a deadline */
        (void)!rmd_future_wait(future, rmd_after_ms(10000));
    _exit(1);
}

TEST(a_crash_on_a_worker_tells_which_task_it_was)
{
    if (KIT_SANITIZED)
        SKIP("the sanitizer has a way of its own to end");
    int status;
    pid_t pid = fork();
    if (pid == 0)
        crash_in_pool(in_folder("crash.txt"));
    waitpid(pid, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    const char *text = read_file(in_folder("crash.txt"));
    CHECK_CONTAINS(text, "because: crash 11 SIGSEGV thread=");
    CHECK_CONTAINS(text, " address=0x10\n");
    CHECK_CONTAINS(text, " live task=1 ");
    CHECK_CONTAINS(text, " task_begin task=1 ");
}

/* ---- processes ---- */

static int square(rmd_call *call)
{
    int64_t n;
    int err = rmd_call_get(call, 0, &n);
    return err < 0 ? err : rmd_call_return(call, n * n);
}

static int die(rmd_call *call)
{
    (void)call;
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    return overwrite(NULL);
}

static const rmd_function functions[] = { { .name = "square", .fn = square },
                                          { .name = "die", .fn = die },
                                          { 0 } };

void kit_first(int *argc, char ***argv)
{
    if (rmd_functions_add(functions) < 0)
        abort();
    rmd_start(argc, argv);
}

TEST(worker_processes_are_recorded_by_their_pool)
{
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *future;
    CHECK_EQ(rmd_pool_call(pool, &future, "square", RMD_ARGS(3), NULL), 0);
    wait_and_free(future);
    CHECK_EQ(rmd_pool_call(pool, &future, "die", RMD_ARGS(), NULL), 0);
    wait_and_free(future);
    CHECK_EQ(rmd_pool_call(pool, &future, "square", RMD_ARGS(4), NULL), 0);
    wait_and_free(future);
    end_pool(pool);
    const char *text = record_now();
    CHECK_CONTAINS(text, " template_begin pool=");
    CHECK_CONTAINS(text, " process_ready worker=1 pid=");
    CHECK_CONTAINS(text, " give task=1 worker=1\n");
    CHECK_CONTAINS(text, " answer task=1 worker=1\n");
    CHECK_CONTAINS(text, " process_end worker=1 pid=");
    CHECK_CONTAINS(text, " task_failed task=2 outcome=5\n");
    const char *dead = strstr(text, " process_end ");
    CHECK(dead && strstr(dead, " process_ready ")); /* its successor */
}

TEST(a_worker_that_crashes_leaves_a_record_if_the_environment_says_so)
{
    if (KIT_SANITIZED)
        SKIP("the sanitizer has a way of its own to end");
    char command[600];
    setenv("REMUDA_RECORD", in_folder("worker-%p.txt"), 1); /* the template reads it */
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *future;
    CHECK_EQ(rmd_pool_call(pool, &future, "die", RMD_ARGS(), NULL), 0);
    wait_and_free(future);
    end_pool(pool);
    snprintf(command, sizeof command,
             "cd %s && grep -q 'name=processes-1 live task=1 ' worker-*.txt", getenv("TMPDIR"));
    CHECK_EQ(system(command), 0);
}

/* ---- programs ---- */

TEST(programs_are_recorded)
{
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future;
    const char *argv[] = { "false", NULL };
    rmd_command command = { .size = sizeof command, .argv = argv };
    CHECK_EQ(rmd_pool_exec(pool, &future, &command), 0);
    wait_and_free(future);
    end_pool(pool);
    const char *text = record_now();
    CHECK_CONTAINS(text, " submit task=1\n");
    CHECK_CONTAINS(text, " program_begin task=1 pid=");
    CHECK_CONTAINS(text, " program_end task=1 outcome=2\n");
}
