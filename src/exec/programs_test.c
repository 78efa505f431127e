/* SPDX-License-Identifier: MIT */
/* Running programs: what they are given, how they end, and how they fail to start. */
#include "kit.h"
#include "kit_resources.h"

#include "exec/programs_testing.h"
#include "port/clock.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

static rmd_future *run_program(rmd_pool *pool, const char *program, const char *dir)
{
    const char *const argv[] = { program, "an argument", NULL };
    return run_argv(pool, argv, (rmd_command){ .dir = dir });
}

/* ---- how they end ---- */

TEST(the_account_of_a_program_is_complete)
{
    rmd_pool *pool = open_pool("programs:2");
    int64_t before = rmdi_clock_monotonic_ns(), real_before = rmdi_clock_realtime_ns();
    int mark;
    rmd_future *future = run_with(pool, "echo out; echo error >&2; exit 3",
                                  (rmd_command){ .ctx = &mark });
    const rmd_exit *account = end_of(future);
    CHECK_EQ(account->outcome, RMD_OUTCOME_FAILED);
    CHECK_EQ(account->error, RMD_EEXIT);
    CHECK_STR(account->detail, "exit status 3");
    CHECK_EQ(account->status, 3);
    CHECK_EQ(account->signal, 0);
    CHECK_EQ(account->attempts, 1);
    CHECK_INT(account->pid, >, 1);
    CHECK_INT(account->submitted_ns, >=, before);
    CHECK_INT(account->started_ns, >=, account->submitted_ns);
    CHECK_INT(account->executed_ns, >=, account->started_ns);
    CHECK_INT(account->exited_ns, >=, account->executed_ns);
    CHECK_INT(account->ended_ns, >=, account->exited_ns);
    CHECK_INT(account->started_realtime_ns, >=, real_before);
    CHECK_EQ(account->out_bytes, 4);
    CHECK_EQ(account->err_bytes, 6);
    CHECK_EQ(account->err_tail.len, 6);
    CHECK_MEM(account->err_tail.data, "error\n", 6);
    CHECK_STR(output_of(future, RMD_STDOUT), "out\n");
    CHECK(rmd_future_ctx(future) == &mark);
    CHECK_INT(rmd_future_id(future), >, 0);
    rmd_future_free(future);
    close_pool(pool);
}

TEST(success_and_death_by_signal_are_told_apart)
{
    rmd_pool *pool = open_pool("programs:2");
    rmd_future *future = run(pool, "kill -USR1 $$");
    const rmd_exit *account = end_of(future);
    CHECK_EQ(account->signal, SIGUSR1);
    CHECK_EQ(account->status, -1);
    CHECK_CONTAINS(account->detail, "signal 10");
    CHECK_END(future, RMD_OUTCOME_FAILED, RMD_ESIGNAL);
    CHECK_END(run(pool, "exit 0"), RMD_OUTCOME_OK, 0);
    CHECK_END(run(pool, "exit 255"), RMD_OUTCOME_FAILED, RMD_EEXIT);
    close_pool(pool);
}

TEST(one_worker_starts_tasks_in_the_order_of_their_submission)
{
    enum { COUNT = 50 };
    char path[512], text[512] = "", wanted[512] = "", script[600];
    rmd_future *futures[COUNT];
    snprintf(path, sizeof path, "%s/order", getenv("TMPDIR"));
    rmd_pool *pool = open_pool("programs:1");
    for (int i = 0; i < COUNT; i++) {
        snprintf(script, sizeof script, "printf '%d ' >> '%s'", i, path);
        futures[i] = run(pool, script);
        snprintf(wanted + strlen(wanted), 16, "%d ", i);
    }
    for (int i = 0; i < COUNT; i++)
        CHECK_END(futures[i], RMD_OUTCOME_OK, 0);
    FILE *file = fopen(path, "r");
    REQUIRE(file && fgets(text, sizeof text, file));
    CHECK_STR(text, wanted);
    close_pool(pool);
}

TEST(what_a_program_leaves_running_in_its_group_ends_with_it)
{
    int told[2];
    REQUIRE(pipe2(told, O_CLOEXEC) == 0);
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run_with(
        pool, "sleep 60 & echo $! >&3; read line",
        (rmd_command){ .fds = &told[1],
                       .fds_len = 1,
                       .in = { .kind = RMD_STREAM_BYTES, .bytes = { "x\n", 2 } } });
    int left = hold_process(read_number(told[0]));
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    CHECK(ends_within(left, 5000));
    close_pool(pool);
}

static void *reap_strangers(void *stop)
{
    while (!__atomic_load_n((bool *)stop, __ATOMIC_RELAXED))
        waitpid(-1, NULL, WNOHANG);
    return NULL;
}

TEST(programs_that_somebody_else_reaps_are_lost_but_nothing_hangs)
{
    enum { COUNT = 200 };
    rmd_census census;
    bool stop = false;
    pthread_t thread;
    rmd_future *futures[COUNT];
    rmd_pool *pool = open_pool("programs:2");
    REQUIRE(pthread_create(&thread, NULL, reap_strangers, &stop) == 0);
    for (int i = 0; i < COUNT; i++)
        futures[i] = run_argv(pool, (const char *const[]){ "true", NULL }, (rmd_command){ 0 });
    for (int i = 0; i < COUNT; i++) {
        const rmd_exit *account = end_of(futures[i]);
        if (account->outcome == RMD_OUTCOME_LOST) {
            CHECK_EQ(account->error, RMD_ELOST);
            CHECK_CONTAINS(account->detail, "reaped");
            CHECK_EQ(account->status, -1);
        } else {
            CHECK_STR(rmd_outcome_name(account->outcome), "ok");
        }
        rmd_future_free(futures[i]);
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    CHECK_EQ(rmd_pool_census(pool, &census), 0);
    CHECK_INT(census.lost, >, 0);
    CHECK_EQ(census.lost + census.ok, COUNT);
    close_pool(pool);
}

/* ---- what they are given ---- */

TEST(the_environment_is_that_of_the_opening_or_the_commands_own)
{
    static const char *const add[] = { "B=new", "C=added", NULL }, *const whole[] = { "D=4", NULL };
    setenv("A", "at opening", 1);
    setenv("B", "old", 1);
    rmd_pool *pool = open_pool("programs:1");
    setenv("A", "later", 1);
    rmd_future *future = run_with(pool, "echo $A,$B,$C,$D", (rmd_command){ .env = add });
    end_of(future);
    CHECK_STR(output_of(future, RMD_STDOUT), "at opening,new,added,\n");
    rmd_future_free(future);
    future = run_with(pool, "echo $A,$B,$C,$D", (rmd_command){ .env = add, .envp = whole });
    end_of(future);
    CHECK_STR(output_of(future, RMD_STDOUT), ",new,added,4\n");
    rmd_future_free(future);
    close_pool(pool);
}

TEST(a_program_knows_its_attempt_and_the_one_around_it)
{
    char outer[1200], *inner;
    setenv("REMUDA_ATTEMPT_ID", "0123456789abcdef-1/fedcba9876543210-22", 1);
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run(pool, "echo $REMUDA_ATTEMPT_ID $REMUDA_ATTEMPT");
    end_of(future);
    const char *text = output_of(future, RMD_STDOUT);
    CHECK_EQ(strncmp(text, "0123456789abcdef-1/fedcba9876543210-22/", 39), 0);
    CHECK_EQ(strspn(text + 39, "0123456789abcdef"), 16);
    CHECK_STR(text + 39 + 16, "-1 1\n");
    rmd_future_free(future);
    close_pool(pool);
    memset(outer, 'x', sizeof outer - 1); /* of a path that is too long the outer part goes */
    outer[sizeof outer - 1] = 0;
    outer[1180] = '/';
    setenv("REMUDA_ATTEMPT_ID", outer, 1);
    pool = open_pool("programs:1");
    future = run(pool, "echo $REMUDA_ATTEMPT_ID");
    end_of(future);
    inner = strrchr(output_of(future, RMD_STDOUT), '/');
    CHECK(inner && strspn(inner + 1, "0123456789abcdef") == 16);
    rmd_future_free(future);
    close_pool(pool);
}

TEST(a_program_runs_in_its_directory_and_is_looked_for_from_there)
{
    char dir[512], tool[600];
    snprintf(dir, sizeof dir, "%s/there", getenv("TMPDIR"));
    snprintf(tool, sizeof tool, "%s/tool", dir);
    REQUIRE(mkdir(dir, 0755) == 0 && chdir(getenv("TMPDIR")) == 0);
    int fd = open(tool, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
    REQUIRE(fd >= 0 && write(fd, "#!/bin/sh\npwd\n", 14) == 14);
    close(fd);
    static const char *const dirs[] = { "there", NULL };
    rmd_pool *pool = open_pool("programs:1");
    for (int i = 0; i < 3; i++) { /* by a relative directory, an absolute one, and in PATH */
        static const char *const relative_path[] = { "PATH=.:/bin:/usr/bin", NULL };
        const char *const argv[] = { i == 2 ? "tool" : "./tool", NULL };
        rmd_future *future = run_argv(
            pool, argv,
            (rmd_command){ .dir = i == 1 ? dir : dirs[0], .env = i == 2 ? relative_path : NULL });
        if (CHECK_EQ(end_of(future)->error, 0))
            CHECK_CONTAINS(output_of(future, RMD_STDOUT), dir);
        else
            FAIL(end_of(future)->detail);
        rmd_future_free(future);
    }
    close_pool(pool);
}

static int named(const char *name)
{
    int fd = memfd_create(name, 0); /* without close-on-exec */
    REQUIRE(fd >= 0);
    return fd;
}

TEST(a_program_has_exactly_the_descriptors_that_are_listed)
{
    int red = named("red"), green = named("green"), fds[] = { green, red, green };
    for (int fd = 20; fd < 40; fd++)
        dup2(red, fd);
    rmd_pool *pool = open_pool("programs:1");
    char helper[4096];
    snprintf(helper, sizeof helper, "%s", kit_helper("port-look_helper"));
    const char *const argv[] = { helper, "1", NULL };
    rmd_future *future = run_argv(pool, argv, (rmd_command){ .fds = fds, .fds_len = 3 });
    CHECK_EQ(end_of(future)->error, 0);
    const char *text = output_of(future, RMD_STDOUT);
    int count = 0;
    for (const char *at = text; (at = strstr(at, "fd ")); at++)
        count++;
    CHECK_EQ(count, 6);
    CHECK_CONTAINS(text, "fd 0 /dev/null\n");
    CHECK_CONTAINS(text, "fd 1 pipe:");
    CHECK_CONTAINS(text, "fd 2 pipe:");
    CHECK_CONTAINS(text, "fd 3 /memfd:green (deleted)\n");
    CHECK_CONTAINS(text, "fd 4 /memfd:red (deleted)\n");
    CHECK_CONTAINS(text, "fd 5 /memfd:green (deleted)\n");
    CHECK(!strstr(text, "blocked"));
    CHECK(!strstr(text, "ignored 13"));
    CHECK_CONTAINS(text, "group own\n");
    rmd_future_free(future);
    close_pool(pool);
}

TEST(an_owner_without_standard_descriptors_runs_programs_all_the_same)
{
    int saved = fcntl(2, F_DUPFD_CLOEXEC, 50);
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run_with(
        pool, "cat; echo error >&2",
        (rmd_command){ .in = { .kind = RMD_STREAM_BYTES, .bytes = { "input", 5 } } });
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    char text[64];
    snprintf(text, sizeof text, "%.60s", output_of(future, RMD_STDOUT));
    const rmd_exit *account = end_of(future);
    CHECK_EQ(account->error, 0);
    CHECK_EQ(account->err_bytes, 6);
    rmd_future_free(future);
    close_pool(pool);
    for (int fd = 0; fd < 3; fd++)
        dup2(saved, fd);
    CHECK_STR(text, "input");
}

/* ---- how they fail to start ---- */

/* A file of this mode with this text; its path. */
static const char *make(const char *name, const char *text, unsigned mode)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", getenv("TMPDIR"), name);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, mode);
    REQUIRE(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    return path;
}

static void fails_to_start(rmd_pool *pool, const char *program, const char *dir, int error,
                           const char *word)
{
    rmd_future *future = run_program(pool, program, dir);
    const rmd_exit *account = end_of(future);
    CHECK_CONTAINS(account->detail, word);
    CHECK_EQ(account->started_ns, 0);
    CHECK_EQ(account->pid, 0);
    CHECK_EQ(account->status, -1);
    CHECK_EQ(account->attempts, 1);
    CHECK_EQ(rmd_future_read(future, RMD_STDOUT, 0, NULL, 0), 0);
    CHECK_END(future, RMD_OUTCOME_FAILED, error);
}

TEST(what_cannot_be_executed_is_named)
{
    kit_resources before;
    kit_resources_take(&before);
    rmd_pool *pool = open_pool("programs:1");
    fails_to_start(pool, "no-such-program", NULL, RMD_ENOENT, "\"no-such-program\"");
    fails_to_start(pool, "/no/such/program", NULL, RMD_ENOENT, "\"/no/such/program\"");
    fails_to_start(pool, "/etc/passwd", NULL, RMD_EACCES, "\"/etc/passwd\"");
    fails_to_start(pool, "/usr/bin", NULL, RMD_EACCES, "\"/usr/bin\"");
    fails_to_start(pool, "", NULL, RMD_ENOENT, "empty");
    fails_to_start(pool, "true", "/no/such/place", RMD_ENOENT, "directory \"/no/such/place\"");
    fails_to_start(pool, "true", "/etc/passwd", RMD_ENOENT, "directory \"/etc/passwd\"");
    const char *script = make("script", "#!/no/such/interpreter\n", 0755);
    fails_to_start(pool, script, NULL, RMD_EEXEC, "interpreter is missing");
    CHECK_EQ(unlink(script), 0);
    CHECK_END(run(pool, "true"), RMD_OUTCOME_OK, 0);
    close_pool(pool);
    CHECK_RESOURCES(&before);
}

TEST(a_program_that_was_moved_is_looked_for_again)
{
    char path[1200], a[512], b[512], from[600], to[600];
    const char *const env[] = { path, NULL };
    snprintf(a, sizeof a, "%s/a", getenv("TMPDIR"));
    snprintf(b, sizeof b, "%s/b", getenv("TMPDIR"));
    snprintf(from, sizeof from, "%s/tool", a);
    snprintf(to, sizeof to, "%s/tool", b);
    snprintf(path, sizeof path, "PATH=%s:%s", a, b);
    REQUIRE(mkdir(a, 0755) == 0 && mkdir(b, 0755) == 0 && symlink("/bin/true", from) == 0);
    rmd_pool *pool = open_pool("programs:1");
    for (int i = 0; i < 3; i++) {
        CHECK_END(
            run_argv(pool, (const char *const[]){ "tool", NULL }, (rmd_command){ .env = env }),
            RMD_OUTCOME_OK, 0);
        CHECK_EQ(i == 1 ? rename(from, to) : 0, 0);
    }
    CHECK_EQ(unlink(to), 0);
    CHECK_END(run_argv(pool, (const char *const[]){ "tool", NULL }, (rmd_command){ .env = env }),
              RMD_OUTCOME_FAILED, RMD_ENOENT);
    close_pool(pool);
}

TEST(arguments_that_are_too_long_fail_that_task_only)
{
    static char argument[200 * 1024];
    memset(argument, 'x', sizeof argument - 1);
    const char *const argv[] = { "true", argument, NULL };
    rmd_pool *pool = open_pool("programs:1");
    CHECK_END(run_argv(pool, argv, (rmd_command){ 0 }), RMD_OUTCOME_FAILED, RMD_E2BIG);
    CHECK_END(run(pool, "true"), RMD_OUTCOME_OK, 0);
    close_pool(pool);
}

TEST(a_text_without_an_interpreter_line_is_run_by_the_shell)
{
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run_program(pool, make("text", "echo \"$0: $1\"\n", 0755), NULL);
    CHECK_EQ(end_of(future)->error, 0);
    CHECK_CONTAINS(output_of(future, RMD_STDOUT), "/text: an argument\n");
    rmd_future_free(future);
    close_pool(pool);
}

TEST(files_for_streams_that_cannot_be_opened_are_named)
{
    rmd_pool *pool = open_pool("programs:1");
    static const char *const names[] = { "stdin", "stdout", "stderr" };
    for (int i = 0; i < 3; i++) {
        rmd_command command = { 0 };
        rmd_stream *streams[] = { &command.in, &command.out, &command.err };
        *streams[i] = (rmd_stream){ .kind = RMD_STREAM_FILE, .path = "/no/such/file" };
        rmd_future *future = run_with(pool, "true", command);
        CHECK_CONTAINS(end_of(future)->detail, names[i]);
        CHECK_CONTAINS(end_of(future)->detail, "/no/such/file");
        CHECK_END(future, RMD_OUTCOME_FAILED, RMD_ENOENT);
    }
    close_pool(pool);
}
