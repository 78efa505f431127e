/* SPDX-License-Identifier: MIT */
/* Foreign workers that stay: on threads, and on processes, whose workers learn of them by what is
 * carried. What each misbehaviour costs is its own task. */
#include "exec/foreign_testing.h"

#include "exec/call.h"
#include "exec/guard.h"
#include "kit_alloc.h"

#include <fcntl.h>
#include <remuda/group.h>
#include <remuda/map.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

static int die(rmd_call *call)
{
    (void)call;
    return kill(getpid(), SIGKILL);
}

static const rmd_function own[] = { { .name = "kill_itself", .fn = die }, { 0 } };

void kit_first(int *argc, char ***argv)
{
    if (rmd_functions_add(own) < 0)
        _exit(2);
    rmd_start(argc, argv);
}

/* ---- what they do well ---- */

static void check_answers(rmd_pool *pool, const char *name)
{
    static char big[200001];
    memset(big, 'b', sizeof big - 1);
    CHECK_ASK(pool, name, "hello", "hello");
    CHECK_ASK(pool, name, "", "");
    CHECK_FAILS(pool, name, "fail there is no such gene", RMD_FOREIGN_ERROR,
                "there is no such gene");
    CHECK_ASK(pool, name, "say words", "said");
    CHECK_ASK(pool, name, "print words", "said");
    CHECK_ASK(pool, name, "flood 300000", "said");
    int err;
    rmd_bytes bytes = { 0 };
    rmd_future *future = submit(pool, name, RMD_ARGS(big));
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    err = rmd_future_get(future, &bytes);
    CHECK(err == 0 && bytes.len == sizeof big - 1 && memcmp(bytes.data, big, bytes.len) == 0);
    rmd_future_free(future);
}

TEST_LIMIT(tasks_are_answered_in_raw_and_in_cbor, 60)
{
    kit_resources before;
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    REQUIRE(dup2(null, STDERR_FILENO) >= 0); /* there is much of it */
    close(null);
    kit_resources_take(&before);
    add_worker("raw", "raw", (rmd_foreign){ 0 });
    add_worker("cbor", "cbor", (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        check_answers(pool, "raw");
        check_answers(pool, "cbor");
        close_pool(pool);
    }
    CHECK_RESOURCES(&before);
}

TEST(one_worker_does_a_thousand_tasks_and_ends_with_the_pool)
{
    add_worker("f", "raw", (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        pid_t pid = ask_number(pool, "f", "pid");
        for (int k = 0; k < 1000; k++) {
            char task[16];
            snprintf(task, sizeof task, "%d", k);
            CHECK_ASK(pool, "f", task, task);
        }
        CHECK_EQ(ask_number(pool, "f", "pid"), pid);
        close_pool(pool);
        CHECK(is_gone(pid));
    }
}

TEST(the_sentence_of_a_failure_is_fit_to_be_shown)
{
    static char task[408];
    memset(task, 'x', 405);
    memcpy(task, "fail ", 5);
    strcpy(task + 404, "\xc3\xbc"); /* the 400th and 401st byte of what is told */
    add_worker("f", "raw", (rmd_foreign){ 0 });
    rmd_pool *pool = open_pool("threads:1");
    int err;
    CHECK_STR(ask(pool, "f", "unclean", &err), "a?b ?[1m?\xc3\xbc");
    CHECK_EQ(err, RMD_FOREIGN_ERROR);
    const char *told = ask(pool, "f", task, &err);
    CHECK_INT(strlen(told), ==, 399);
    CHECK_INT(told[398], ==, 'x');
    close_pool(pool);
}

static void check_as_many(const char *kind, int most)
{
    enum { TASKS = 200 };
    rmd_pool *pool = open_pool(kind);
    rmd_future *futures[TASKS];
    pid_t seen[TASKS];
    int count = 0, err;
    for (int i = 0; i < TASKS; i++)
        futures[i] = submit(pool, "f", RMD_ARGS("pid"));
    for (int i = 0; i < TASKS; i++) {
        pid_t pid = atoi(result_of(futures[i], &err));
        int k = 0;
        while (k < count && seen[k] != pid)
            k++;
        if (k == count)
            seen[count++] = pid;
    }
    CHECK_INT(count, >=, 1);
    CHECK_INT(count, <=, most);
    close_pool(pool);
    for (int i = 0; i < count; i++)
        CHECK(is_gone(seen[i]));
}

TEST(there_are_no_more_of_them_than_workers_of_the_pool)
{
    add_worker("f", "raw", (rmd_foreign){ 0 });
    check_as_many("threads:3", 3);
    check_as_many("processes:3", 3);
}

TEST(two_functions_have_workers_of_their_own)
{
    add_worker("f", "raw", (rmd_foreign){ 0 });
    add_worker("g", "cbor", (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        pid_t f = ask_number(pool, "f", "pid"), g = ask_number(pool, "g", "pid");
        CHECK_INT(f, !=, g);
        CHECK_EQ(ask_number(pool, "f", "pid"), f);
        CHECK_EQ(ask_number(pool, "g", "pid"), g);
        close_pool(pool);
    }
}

TEST(arguments_that_raw_has_not_are_refused_and_cost_no_worker)
{
    int err;
    add_worker("f", "raw", (rmd_foreign){ 0 });
    add_worker("typed", "raw", (rmd_foreign){ .parameters = "words:text=" });
    rmd_pool *pool = open_pool("threads:1");
    pid_t pid = ask_number(pool, "f", "pid");
    CHECK_CONTAINS(result_of(submit(pool, "f", RMD_ARGS(1)), &err),
                   "takes bytes or a text, not int");
    CHECK_EQ(err, RMD_EINVAL);
    result_of(submit(pool, "f", RMD_ARGS("a", "b")), &err);
    CHECK_EQ(err, RMD_EINVAL);
    result_of(submit(pool, "f", RMD_ARGS(RMD_NAMED("a", "b"))), &err);
    CHECK_EQ(err, RMD_EINVAL);
    CHECK_STR(result_of(submit(pool, "f", RMD_ARGS()), &err), "");
    CHECK_STR(result_of(submit(pool, "typed", RMD_ARGS(RMD_NAMED("words", "hi"))), &err), "hi");
    result_of(submit(pool, "typed", RMD_ARGS(1)), &err);
    CHECK_EQ(err, RMD_EINVAL);
    CHECK_EQ(ask_number(pool, "f", "pid"), pid);
    close_pool(pool);
}

/* ---- what they note in a file of ours ---- */

static int open_notes(void)
{
    char path[64];
    int notes = memfd_create("notes", MFD_CLOEXEC);
    REQUIRE(notes >= 0);
    snprintf(path, sizeof path, "/proc/%d/fd/%d", getpid(), notes);
    setenv("FOREIGN_NOTES", path, 1);
    return notes;
}

/* All of them, and none are left. */
static const char *read_notes(int notes)
{
    static char text[64];
    ssize_t len = pread(notes, text, sizeof text - 1, 0);
    text[len > 0 ? len : 0] = 0;
    CHECK_EQ(ftruncate(notes, 0), 0);
    return text;
}

/* ---- what they do badly ---- */

typedef struct misdeed {
    const char *task;
    int error;
    const char *told;
} misdeed;

static const misdeed of_all[] = {
    { "exit 3", RMD_EEXIT, "has exited with status 3 before it answered" },
    { "exit 0", RMD_EIO, "has exited with status 0 before it answered" },
    { "kill 9", RMD_ESIGNAL, "was ended by signal 9 (Killed) before it answered" },
    { "words and exit 4", RMD_EEXIT, "it wrote last: first words | last words" },
    { "words and kill 11", RMD_ESIGNAL, "first words | last words" },
    { "half", RMD_EIO, "has exited with status 0 before it answered" },
    { "close", RMD_EIO, "has closed its stream before it answered" },
    { "garbage", RMD_ESYNTAX, "has answered \"what?\"" },
    { "twice", RMD_ESYNTAX, "has answered twice" },
    { "big 1065", RMD_E2BIG, "has answered with more than 1000 bytes" },
};

static const misdeed of_raw[] = {
    { "big 1001", RMD_E2BIG, "has answered with more than 1000 bytes" },
};

static const misdeed of_cbor[] = {
    { "wrong", RMD_ESYNTAX, "has answered task " },
    { "both", RMD_ESYNTAX, "neither \"result\" nor \"error\", or both" },
    { "misadd", RMD_ESYNTAX, "has answered with an \"add\" that is no list of tasks" },
    { "add cbor!x", RMD_ESYNTAX, "has answered with an \"add\" that is no list of tasks" },
};

/* Each fails its own task, and the next has another worker. */
static void check_misdeeds(rmd_pool *pool, const char *name, const misdeed *all, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pid_t pid = ask_number(pool, name, "pid");
        CHECK_FAILS(pool, name, all[i].task, all[i].error, all[i].told);
        CHECK(is_gone(pid));
        CHECK_INT(ask_number(pool, name, "pid"), !=, pid);
    }
}

TEST_LIMIT(each_misbehaviour_fails_its_own_task_with_a_sentence, 60)
{
    static char thousand[1001];
    memset(thousand, 'x', sizeof thousand - 1);
    kit_resources before;
    kit_resources_take(&before);
    add_worker("raw", "raw", (rmd_foreign){ .answer_bytes_max = 1000 });
    add_worker("cbor", "cbor", (rmd_foreign){ .answer_bytes_max = 1000 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        check_misdeeds(pool, "raw", of_all, sizeof of_all / sizeof *of_all);
        check_misdeeds(pool, "raw", of_raw, sizeof of_raw / sizeof *of_raw);
        CHECK_ASK(pool, "raw", "big 1000", thousand);
        check_misdeeds(pool, "cbor", of_all, sizeof of_all / sizeof *of_all);
        check_misdeeds(pool, "cbor", of_cbor, sizeof of_cbor / sizeof *of_cbor);
        close_pool(pool);
    }
    CHECK_RESOURCES(&before);
}

TEST(those_that_do_not_announce_themselves_as_they_should_are_told)
{
    add_worker("silent", "silent", (rmd_foreign){ .ready_ms = 50 });
    add_worker("nonsense", "nonsense", (rmd_foreign){ 0 });
    add_worker("newer", "newer", (rmd_foreign){ 0 });
    add_worker("huge", "huge", (rmd_foreign){ 0 });
    add_worker("eager", "eager", (rmd_foreign){ 0 });
    add_worker("hasty", "hasty", (rmd_foreign){ 0 });
    add_worker("die", "die", (rmd_foreign){ 0 });
    add_worker("json", "json", (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        CHECK_FAILS(pool, "silent", "x", RMD_EWORKER, "has not announced itself within 50 ms");
        CHECK_FAILS(pool, "nonsense", "x", RMD_EWORKER, "has announced itself as \"hello?there\"");
        CHECK_FAILS(pool, "newer", "x", RMD_EWORKER, "\"remuda 2 raw\", not as \"remuda 1 raw\"");
        CHECK_FAILS(pool, "huge", "x", RMD_EWORKER, "has not announced itself as it should");
        CHECK_FAILS(pool, "eager", "x", RMD_EWORKER, "has sent more than its announcement");
        CHECK_FAILS(pool, "hasty", "x", RMD_EWORKER, "has sent more than its announcement");
        CHECK_FAILS(
            pool, "die", "x", RMD_EEXIT,
            "has exited with status 7 before it announced itself; it wrote last: no licence");
        CHECK_FAILS(pool, "json", "x", RMD_ENOTSUP, "speaks JSON, which");
        close_pool(pool);
    }
}

TEST(one_that_answers_too_late_is_ended)
{
    add_worker("f", "raw", (rmd_foreign){ .answer_ms = 50 });
    add_worker("deaf", "deaf", (rmd_foreign){ .answer_ms = 50 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        pid_t pid = ask_number(pool, "f", "pid");
        CHECK_FAILS(pool, "f", "stay", RMD_ETIMEDOUT, "has not answered within 50 ms");
        CHECK(is_gone(pid));
        pid = ask_number(pool, "deaf", "pid");
        CHECK_FAILS(pool, "deaf", "stay", RMD_ETIMEDOUT, "has not answered within 50 ms");
        CHECK(is_gone(pid));
        CHECK_ASK(pool, "f", "hello", "hello");
        close_pool(pool);
    }
}

TEST(one_that_ends_between_two_tasks_costs_none)
{
    add_worker("f", "raw", (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        for (int k = 0; k < 20; k++)
            CHECK_ASK(pool, "f", "last", "the last");
        CHECK_ASK(pool, "f", "linger", "the last"); /* its child holds the stream */
        usleep(50000);
        pid_t pid = ask_number(pool, "f", "pid");
        kill(pid, SIGKILL);
        CHECK(is_gone_soon(pid));
        CHECK_ASK(pool, "f", "hello", "hello");
        close_pool(pool);
    }
}

/* It may have acted upon the little that it has read. */
TEST(one_that_has_read_some_of_a_task_costs_it_and_no_other_gets_it)
{
    int notes = open_notes();
    add_worker("f", "taste", (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        CHECK_FAILS(pool, "f", "acct 7", RMD_EEXIT, "has exited with status 7 before it answered");
        close_pool(pool);
    }
    CHECK_STR(read_notes(notes), "accacc");
}

TEST(an_answer_too_many_is_not_taken_for_the_next_one)
{
    add_worker("f", "raw", (rmd_foreign){ 0 });
    rmd_pool *pool = open_pool("threads:1");
    CHECK_ASK(pool, "f", "late", "one");
    usleep(60000);
    CHECK_ASK(pool, "f", "hello", "hello");
    close_pool(pool);
}

TEST(a_program_that_is_not_there_is_named)
{
    static const char *const nowhere[] = { "no-such-program-at-all", NULL };
    static const char *const locked[] = { "/etc/passwd", NULL };
    rmd_foreign a = { .size = sizeof a, .name = "nowhere", .argv = nowhere, .worker = true };
    rmd_foreign b = { .size = sizeof b, .name = "locked", .argv = locked, .worker = true };
    REQUIRE(rmd_foreign_add(&a) == 0 && rmd_foreign_add(&b) == 0);
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        CHECK_FAILS(pool, "nowhere", "x", RMD_ENOENT,
                    "\"no-such-program-at-all\": not found in PATH");
        CHECK_FAILS(pool, "locked", "x", RMD_EACCES, "/etc/passwd");
        close_pool(pool);
    }
}

/* On a thread that is no worker: so one is started, asked and ended in each run. */
static int ask_here(void *arg)
{
    rmdi_buffer arguments = { 0 }, result = { 0 };
    const rmd_args args = RMD_ARGS("hello");
    const rmd_function *function = rmd_function_find(arg);
    int err = rmdi_call_encode(&arguments, &args);
    if (err == 0)
        err = rmdi_call_run(function, rmdi_buffer_view(&arguments), 1, 1, NULL, &result, NULL);
    rmdi_buffer_free(&arguments);
    rmdi_buffer_free(&result);
    return err;
}

TEST_LIMIT(without_memory_a_call_fails_and_leaves_nothing, 60)
{
    static char raw[] = "raw", cbor[] = "cbor", program[] = "program";
    kit_resources before;
    kit_resources_take(&before);
    add_worker(raw, "raw", (rmd_foreign){ 0 });
    add_worker(cbor, "cbor", (rmd_foreign){ 0 });
    add_script(program, "cat", (rmd_foreign){ 0 });
    CHECK_INT(kit_alloc(ask_here, raw, RMD_ENOMEM), >, 5);
    CHECK_INT(kit_alloc(ask_here, cbor, RMD_ENOMEM), >, 5);
    CHECK_INT(kit_alloc(ask_here, program, RMD_ENOMEM), >, 3);
    CHECK_RESOURCES(&before);
}

/* ---- told to stop ---- */

static void check_outcome(rmd_future *future, rmd_outcome outcome)
{
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    CHECK_STR(rmd_outcome_name(rmd_future_outcome(future)), rmd_outcome_name(outcome));
    rmd_future_free(future);
}

static void await_running(rmd_future *future)
{
    while (rmd_future_state(future) == RMD_STATE_QUEUED)
        usleep(1000);
    usleep(20000);
}

TEST(cancel_ends_the_worker_and_tells_the_truth)
{
    add_worker("f", "raw", (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        pid_t pid = ask_number(pool, "f", "pid");
        rmd_future *future = submit(pool, "f", RMD_ARGS("stay"));
        await_running(future);
        rmd_future_cancel(future);
        check_outcome(future, RMD_OUTCOME_CANCELLED);
        CHECK(is_gone(pid));
        CHECK_ASK(pool, "f", "hello", "hello");
        close_pool(pool);
    }
}

TEST(limits_of_the_task_end_the_worker)
{
    add_worker("f", "raw", (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        pid_t pid = ask_number(pool, "f", "pid");
        rmd_task_options options = { .size = sizeof options, .limits = { .run_ms_max = 50 } };
        rmd_future *future;
        REQUIRE(rmd_pool_call(pool, &future, "f", RMD_ARGS("stay"), &options) == 0);
        check_outcome(future, RMD_OUTCOME_TIMEOUT);
        CHECK(is_gone(pid));
        close_pool(pool);
    }
}

static rmd_future *begin_to_stay(rmd_pool *pool, int64_t run_ms_max)
{
    rmd_task_options options = { .size = sizeof options, .limits = { .run_ms_max = run_ms_max } };
    rmd_future *future = NULL;
    ask_number(pool, "f", "pid"); /* so it is there */
    REQUIRE(rmd_pool_call(pool, &future, "f", RMD_ARGS("stay"), &options) == 0);
    await_running(future);
    return future;
}

/* On processes it is the worker process that is told first. */
TEST(who_is_told_to_stop_has_time_to_obey)
{
    int notes = open_notes();
    add_worker("f", "orderly", (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        rmd_future *future = begin_to_stay(pool, 0);
        rmd_future_cancel(future);
        check_outcome(future, RMD_OUTCOME_CANCELLED);
        CHECK_STR(read_notes(notes), "end");
        check_outcome(begin_to_stay(pool, 50), RMD_OUTCOME_TIMEOUT);
        CHECK_STR(read_notes(notes), "end");
        future = begin_to_stay(pool, 0);
        CHECK_EQ(rmd_pool_abort(pool, soon()), 0);
        CHECK_STR(read_notes(notes), "end");
        rmd_future_free(future);
        CHECK_EQ(rmd_pool_free(pool), 0);
    }
}

/* Its descriptors are all taken, so that nothing can wake who waits. */
TEST(a_worker_that_is_well_is_not_ended_because_we_lack_something)
{
    enum { FEW = 64 };
    struct rlimit before, few;
    int taken[FEW], n = 0;
    add_worker("f", "raw", (rmd_foreign){ 0 });
    rmd_pool *pool = open_pool("threads:1");
    pid_t pid = ask_number(pool, "f", "pid");
    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    few.rlim_cur = FEW;
    setrlimit(RLIMIT_NOFILE, &few);
    while (n < FEW && (taken[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        n++;
    CHECK_EQ(ask_number(pool, "f", "pid"), pid);
    rmd_future *future = submit(pool, "f", RMD_ARGS("stay"));
    await_running(future);
    rmd_future_cancel(future);
    check_outcome(future, RMD_OUTCOME_CANCELLED);
    while (n)
        close(taken[--n]);
    setrlimit(RLIMIT_NOFILE, &before);
    CHECK_ASK(pool, "f", "hello", "hello");
    close_pool(pool);
}

TEST(a_task_that_fails_is_tried_again_with_another_worker)
{
    add_worker("f", "cbor", (rmd_foreign){ 0 });
    rmd_pool *pool = open_pool("threads:1");
    rmd_task_options options = { .size = sizeof options, .limits = { .attempts_max = 3 } };
    rmd_future *future;
    REQUIRE(rmd_pool_call(pool, &future, "f", RMD_ARGS("exit 3"), &options) == 0);
    check_outcome(future, RMD_OUTCOME_FAILED);
    close_pool(pool);
}

TEST(abort_leaves_nothing)
{
    add_worker("f", "raw", (rmd_foreign){ 0 });
    add_worker("deaf", "deaf", (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        pid_t f = ask_number(pool, "f", "pid"), deaf = ask_number(pool, "deaf", "pid");
        rmd_future *future = submit(pool, "f", RMD_ARGS("stay"));
        await_running(future);
        CHECK_EQ(rmd_pool_abort(pool, soon()), 0);
        CHECK(is_gone(f));
        CHECK(is_gone(deaf));
        check_outcome(future, RMD_OUTCOME_CANCELLED);
        CHECK_EQ(rmd_pool_free(pool), 0);
    }
}

/* A worker that does not obey is ended sooner than the pool gives up. */
TEST(a_deaf_one_does_not_keep_the_pool_from_its_end)
{
    add_worker("deaf", "deaf", (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        pid_t deaf = ask_number(pool, "deaf", "pid");
        rmd_future *future = submit(pool, "deaf", RMD_ARGS("stay"));
        await_running(future);
        CHECK_EQ(rmd_pool_drain(pool, RMD_NOW), RMD_ETIMEDOUT);
        CHECK(is_gone(deaf));
        check_outcome(future, RMD_OUTCOME_CANCELLED);
        CHECK_EQ(rmd_pool_free(pool), 0);
    }
}

TEST(many_that_linger_end_at_the_same_time)
{
    static const char *const names[] = { "a", "b", "c", "d", "e" };
    enum { MANY = sizeof names / sizeof *names };
    for (int i = 0; i < MANY; i++)
        add_worker(names[i], "deaf", (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        pid_t pids[MANY];
        rmd_pool *pool = open_pool(kinds[i]);
        for (int k = 0; k < MANY; k++)
            pids[k] = ask_number(pool, names[k], "pid");
        rmd_deadline patience = rmd_after_ms(2000 + 2000 * kit_patience());
        close_pool(pool);
        CHECK(!rmd_deadline_passed(patience));
        for (int k = 0; k < MANY; k++)
            CHECK(is_gone(pids[k]));
    }
}

/* ---- what they leave behind ---- */

TEST(what_a_worker_has_detached_ends_with_it)
{
    add_worker("f", "raw", (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        pid_t detached = ask_number(pool, "f", "detach");
        CHECK(!is_gone(detached));
        close_pool(pool);
        CHECK(is_gone_soon(detached));
    }
}

TEST(it_ends_with_it_while_the_pool_goes_on)
{
    add_worker("f", "raw", (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        rmd_pool *pool = open_pool(kinds[i]);
        pid_t detached = ask_number(pool, "f", "detach");
        CHECK(!is_gone(detached));
        CHECK_FAILS(pool, "f", "exit 3", RMD_EEXIT, "has exited with status 3");
        CHECK(is_gone_soon(detached));
        close_pool(pool);
    }
}

TEST(one_whose_worker_process_is_killed_ends_with_it)
{
    int err;
    add_worker("f", "raw", (rmd_foreign){ 0 });
    add_worker("deaf", "deaf", (rmd_foreign){ 0 });
    rmd_pool *pool = open_pool("processes:1");
    pid_t f = ask_number(pool, "f", "pid"), deaf = ask_number(pool, "deaf", "pid");
    result_of(submit(pool, "kill_itself", RMD_ARGS()), &err);
    CHECK_EQ(err, RMD_ELOST);
    CHECK(is_gone_soon(f));
    CHECK(is_gone_soon(deaf));
    CHECK_INT(ask_number(pool, "f", "pid"), !=, f);
    close_pool(pool);
}

TEST(one_whose_worker_process_retires_ends_with_it)
{
    add_worker("f", "raw", (rmd_foreign){ 0 });
    rmd_pool *pool = open_pool_with("processes:1", (rmd_pool_options){ .tasks_max = 2 });
    pid_t first = ask_number(pool, "f", "pid");
    CHECK_EQ(ask_number(pool, "f", "pid"), first);
    CHECK_INT(ask_number(pool, "f", "pid"), !=, first);
    CHECK(is_gone_soon(first));
    close_pool(pool);
}

/* ---- threads that wait ---- */

static int next_pid(void *ctx, rmd_map_task *task)
{
    int *left = ctx;
    return (*left)-- > 0 ? rmd_map_call(task, "f", RMD_ARGS("pid")) : 0;
}

static pid_t kept;

static int check_kept(void *ctx, rmd_future *future, uint64_t index)
{
    char text[16];
    rmd_bytes answer = { 0 };
    (void)ctx;
    (void)index;
    CHECK_EQ(rmd_future_get(future, &answer), 0);
    snprintf(text, sizeof text, "%.*s", (int)answer.len, (const char *)answer.data);
    CHECK_INT(atoi(text), ==, kept);
    return 0;
}

static void check_map(rmd_pool *pool, bool as_completed)
{
    int left = 50;
    rmd_map_options options = { .size = sizeof options,
                                .next = next_pid,
                                .sink = check_kept,
                                .ctx = &left,
                                .as_completed = as_completed };
    CHECK_EQ(rmd_map(pool, &options, RMD_FOREVER), 0);
}

static void check_group(rmd_pool *pool)
{
    rmd_group *group;
    REQUIRE(rmd_group_open(&group) == 0);
    rmd_task_options options = { .size = sizeof options, .group = group };
    for (int i = 0; i < 50; i++)
        CHECK_EQ(rmd_pool_call(pool, NULL, "f", RMD_ARGS("hello"), &options), 0);
    CHECK_EQ(rmd_group_wait(group, RMD_FOREVER), 0);
    rmd_group_free(group);
}

/* It has no worker to keep. */
TEST(a_thread_that_waits_runs_no_foreign_task_itself)
{
    rmd_statistics figures = { 0 };
    add_worker("f", "raw", (rmd_foreign){ 0 });
    rmd_pool *pool = open_pool("threads:1");
    kept = ask_number(pool, "f", "pid");
    for (int i = 0; i < 50; i++) {
        rmd_future *future = submit(pool, "f", RMD_ARGS("pid"));
        CHECK_EQ(rmd_future_wait(future, RMD_FOREVER), 0);
        check_kept(NULL, future, 0);
        rmd_future_free(future);
    }
    check_map(pool, false);
    check_map(pool, true);
    check_group(pool);
    CHECK_EQ(rmd_pool_statistics(pool, &figures), 0);
    CHECK_INT(figures.helped, ==, 0);
    close_pool(pool);
}

TEST(what_a_call_has_failed_with_is_not_lost_when_its_worker_lingers)
{
    rmdi_buffer arguments = { 0 }, result = { 0 };
    const rmd_args args = RMD_ARGS("fail no such gene");
    add_worker("deaf", "deaf", (rmd_foreign){ 0 });
    REQUIRE(rmdi_call_encode(&arguments, &args) == 0);
    CHECK_EQ(rmdi_call_run(rmd_function_find("deaf"), rmdi_buffer_view(&arguments), 1, 1, NULL,
                           &result, NULL),
             RMD_FOREIGN_ERROR);
    CHECK_STR(rmd_error_detail(), "no such gene");
    rmdi_buffer_free(&arguments);
    rmdi_buffer_free(&result);
}

/* The owner, killed without a word, in a process of its own. */
static void own_and_tell(const char *kind, int told)
{
    rmd_pool *pool = open_pool(kind);
    dprintf(told, "%d\n%d\n", ask_number(pool, "f", "pid"), ask_number(pool, "f", "detach"));
    result_of(submit(pool, "f", RMD_ARGS("stay")), &(int){ 0 });
    _exit(1);
}

TEST(when_the_owner_is_killed_nothing_is_left)
{
    add_worker("f", "raw", (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        int told[2];
        REQUIRE(pipe2(told, O_CLOEXEC) == 0);
        pid_t owner = fork();
        if (owner == 0)
            own_and_tell(kinds[i], told[1]);
        close(told[1]);
        pid_t worker = read_number(told[0]), detached = read_number(told[0]);
        usleep(20000);
        kill(owner, SIGKILL);
        CHECK(is_gone_soon(worker));
        CHECK(is_gone_soon(detached));
        close(told[0]);
    }
}

/* ---- all at once ---- */

static const char *const mixture[] = { "hello",  "pid",     "exit 3",     "fail no", "twice",
                                       "detach", "kill 11", "big 100000", "last",    "garbage" };
enum { MIXTURE = sizeof mixture / sizeof *mixture };

static void submit_mixture(rmd_pool *pool, rmd_group *group, int tasks)
{
    rmd_task_options options = { .size = sizeof options, .group = group };
    for (int i = 0; i < tasks; i++)
        CHECK_EQ(rmd_pool_call(pool, NULL, i % 3 ? "raw" : "cbor",
                               RMD_ARGS(mixture[i * 7 / 3 % MIXTURE]), &options),
                 0);
}

TEST_LIMIT(good_and_bad_ones_at_once_are_all_accounted_for, 60)
{
    enum { TASKS = 300 };
    kit_resources before;
    rmd_census census;
    kit_resources_take(&before);
    add_worker("raw", "raw", (rmd_foreign){ 0 });
    add_worker("cbor", "cbor", (rmd_foreign){ 0 });
    for (int i = 0; i < 2; i++) {
        rmd_pool *pool = open_pool(i ? "processes:3" : "threads:3");
        rmd_group *group;
        REQUIRE(rmd_group_open(&group) == 0);
        submit_mixture(pool, group, TASKS);
        CHECK_EQ(rmd_group_wait(group, rmd_after_ms(50000)), 0);
        rmd_group_census(group, &census);
        CHECK(rmd_census_balances(&census));
        CHECK_EQ(census.ok + census.failed, TASKS);
        CHECK_INT(census.ok, >=, TASKS / 3);
        CHECK_INT(census.failed, >=, TASKS / 3);
        rmd_group_free(group);
        close_pool(pool);
    }
    CHECK_RESOURCES(&before);
}

TEST(a_guard_that_was_killed_is_there_again_for_the_next)
{
    add_worker("f", "raw", (rmd_foreign){ 0 });
    add_worker("g", "raw", (rmd_foreign){ 0 });
    rmd_pool *pool = open_pool("threads:1");
    CHECK_ASK(pool, "f", "hello", "hello");
    pid_t guard = rmdi_guard_pid();
    kill(guard, SIGKILL);
    CHECK(is_gone_soon(guard));
    CHECK_ASK(pool, "f", "hello", "hello");
    CHECK_ASK(pool, "g", "hello", "hello");
    CHECK_INT(rmdi_guard_pid(), !=, guard);
    close_pool(pool);
}

TEST(where_the_system_reaps_children_nobody_knows_how_they_ended)
{
    add_worker("f", "raw", (rmd_foreign){ 0 });
    signal(SIGCHLD, SIG_IGN);
    rmd_pool *pool = open_pool("threads:1");
    CHECK_ASK(pool, "f", "hello", "hello");
    CHECK_FAILS(pool, "f", "exit 3", RMD_ELOST, "how is not known");
    CHECK_ASK(pool, "f", "hello", "hello");
    close_pool(pool);
}

/* ---- tasks that add tasks ---- */

static int next_grow(void *ctx, rmd_map_task *task)
{
    int *begun = ctx;
    return (*begun)++ ? 0 : rmd_map_call(task, "cbor", RMD_ARGS("grow 5"));
}

TEST(a_foreign_worker_may_add_tasks_to_its_map)
{
    add_worker("cbor", "cbor", (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        int begun = 0;
        rmd_map_account account;
        rmd_map_options options = {
            .size = sizeof options, .next = next_grow, .ctx = &begun, .account = &account
        };
        rmd_pool *pool = open_pool(kinds[i]);
        CHECK_EQ(rmd_map(pool, &options, soon()), 0);
        CHECK_EQ(account.census.ok, 63);
        CHECK_EQ(account.added, 62);
        close_pool(pool);
    }
}

static int next_add_nobody(void *ctx, rmd_map_task *task)
{
    int *begun = ctx;
    return (*begun)++ ? 0 : rmd_map_call(task, "cbor", RMD_ARGS("add nobody"));
}

TEST(what_a_foreign_worker_cannot_add_fails_its_task_and_it_stays)
{
    add_worker("cbor", "cbor", (rmd_foreign){ 0 });
    for (int i = 0; i < KINDS; i++) {
        int begun = 0;
        rmd_map_options options = { .size = sizeof options,
                                    .next = next_add_nobody,
                                    .ctx = &begun };
        rmd_pool *pool = open_pool(kinds[i]);
        pid_t pid = ask_number(pool, "cbor", "pid");
        CHECK_FAILS(pool, "cbor", "add cbor", RMD_ENOTSUP, "only a task of a map can add tasks");
        CHECK_EQ(rmd_map(pool, &options, soon()), RMD_ENOENT);
        CHECK_CONTAINS(rmd_error_detail(), "no function is called \"nobody\"");
        CHECK_EQ(ask_number(pool, "cbor", "pid"), pid);
        close_pool(pool);
    }
}
