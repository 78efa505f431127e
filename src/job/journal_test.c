/* SPDX-License-Identifier: MIT */
/* The journal from both sides: what is written is read back, by our own reader. */
#include "job/journal.h"

#include "job/journal_file.h"
#include "kit.h"
#include "kit_alloc.h"

#include <fcntl.h>
#include <remuda/command.h>
#include <remuda/error.h>
#include <remuda/journal.h>
#include <remuda/pool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct scene {
    rmd_loop *loop;
    rmdi_journal *journal;
    uint64_t committed;
    int failed;
    char path[256];
} scene;

static void on_committed(void *ctx, uint64_t ticket)
{
    ((scene *)ctx)->committed = ticket;
}

static void on_failed(void *ctx, int error)
{
    ((scene *)ctx)->failed = error;
}

static int open_journal(scene *s, rmdi_journal_options options)
{
    options.path = s->path;
    options.command = "remuda run true";
    options.slots = 2;
    options.committed = on_committed;
    options.failed = on_failed;
    options.ctx = s;
    return rmdi_journal_open(&s->journal, s->loop, &options);
}

static void set_up(scene *s)
{
    *s = (scene){ 0 };
    snprintf(s->path, sizeof s->path, "%s/journal", getenv("TMPDIR"));
    REQUIRE(rmd_loop_open(&s->loop) == 0);
}

static void begin(scene *s)
{
    set_up(s);
    REQUIRE(open_journal(s, (rmdi_journal_options){ 0 }) == 0);
}

static void close_journal(scene *s, int status)
{
    CHECK_EQ(rmdi_journal_close(s->journal, status, ""), 0);
    s->journal = NULL;
}

static void tear_down(scene *s)
{
    CHECK_EQ(rmd_loop_free(s->loop), 0);
}

static void wait_for(scene *s, uint64_t ticket)
{
    while (s->committed < ticket && !s->failed)
        REQUIRE(rmd_loop_turn(s->loop, rmd_after_ms(10000)) >= 0);
}

static rmdi_key key_of(const char *text)
{
    rmdi_key key = { { 0 } };
    memcpy(key.bytes, text, strlen(text));
    return key;
}

static int64_t add_task(scene *s, const char *name, uint64_t seq)
{
    rmdi_key key = key_of(name);
    int64_t id = 0;
    CHECK_INT(rmdi_journal_begin(s->journal, &id, &key, seq, (rmd_bytes){ name, strlen(name) }), >,
              0);
    return id;
}

static uint64_t end_task(scene *s, int64_t id, rmd_outcome outcome, const char *detail)
{
    return rmdi_journal_ended(s->journal, id, outcome, detail, NULL, NULL);
}

typedef struct seen {
    int runs, tasks, attempts;
    rmd_journal_run run;
    rmd_journal_task task;
    rmd_journal_attempt attempt;
    char text[256], more[256];
} seen;

static int on_run(void *ctx, const rmd_journal_run *run)
{
    seen *at = ctx;
    at->runs++;
    at->run = *run;
    return 0;
}

static int on_task(void *ctx, const rmd_journal_task *task)
{
    seen *at = ctx;
    at->tasks++;
    at->task = *task;
    snprintf(at->text, sizeof at->text, "%.*s", (int)task->command.len,
             (const char *)task->command.data);
    snprintf(at->more, sizeof at->more, "%s", task->detail);
    return 0;
}

static int on_attempt(void *ctx, const rmd_journal_attempt *attempt)
{
    seen *at = ctx;
    at->attempts++;
    at->attempt = *attempt;
    snprintf(at->text, sizeof at->text, "%.*s", (int)attempt->err_tail.len,
             (const char *)attempt->err_tail.data);
    snprintf(at->more, sizeof at->more, "%s/%s", attempt->output, attempt->detail);
    return 0;
}

static seen look(const scene *s, const rmd_journal_query *query)
{
    seen at = { 0 };
    rmd_journal *journal;
    REQUIRE(rmd_journal_open(&journal, s->path) == 0);
    CHECK_EQ(rmd_journal_runs(journal, on_run, &at), 0);
    CHECK_EQ(rmd_journal_tasks(journal, query, on_task, &at), 0);
    rmd_journal_free(journal);
    return at;
}

TEST(what_is_committed_is_read_while_the_run_goes_on)
{
    scene s;
    begin(&s);
    int64_t id = add_task(&s, "first", 7);
    rmdi_journal_count(s.journal,
                       &(rmdi_journal_counts){ .total = 9, .census = { .submitted = 1, .ok = 1 } });
    wait_for(&s, end_task(&s, id, RMD_OUTCOME_OK, ""));
    seen at = look(&s, NULL);
    CHECK_EQ(at.runs, 1);
    CHECK_EQ(at.run.pid, getpid());
    CHECK_EQ(at.run.ended_ns, 0);
    CHECK_EQ(at.run.status, -1);
    CHECK_EQ(at.run.slots, 2);
    CHECK_EQ(at.run.total, 9);
    CHECK(rmd_census_balances(&at.run.census));
    CHECK_EQ(at.run.census.ok, 1);
    CHECK_EQ(at.tasks, 1);
    CHECK_EQ(at.task.id, 1);
    CHECK_EQ(at.task.seq, 7);
    CHECK_EQ(at.task.outcome, RMD_OUTCOME_OK);
    CHECK_INT(at.task.ended_ns, >=, at.task.begun_ns);
    CHECK_STR(at.text, "first");
    close_journal(&s, 3);
    at = look(&s, NULL);
    CHECK_EQ(at.run.status, 3);
    CHECK_INT(at.run.ended_ns, >=, at.run.started_ns);
    tear_down(&s);
}

TEST(after_its_end_a_journal_is_one_file)
{
    scene s;
    char path[300];
    begin(&s);
    wait_for(&s, end_task(&s, add_task(&s, "a", 1), RMD_OUTCOME_OK, ""));
    snprintf(path, sizeof path, "%s-wal", s.path);
    CHECK_EQ(access(path, F_OK), 0);
    close_journal(&s, 0);
    CHECK_EQ(access(path, F_OK), -1);
    struct stat status;
    REQUIRE(stat(s.path, &status) == 0);
    CHECK_EQ(status.st_mode & 0777, 0600);
    tear_down(&s);
}

TEST(tasks_are_asked_for_by_what_they_are)
{
    scene s;
    begin(&s);
    end_task(&s, add_task(&s, "a", 1), RMD_OUTCOME_OK, "");
    end_task(&s, add_task(&s, "b", 2), RMD_OUTCOME_FAILED, "exit status 1");
    wait_for(&s, end_task(&s, add_task(&s, "c", 3), RMD_OUTCOME_TIMEOUT, "too long"));
    wait_for(&s, rmdi_journal_shown(s.journal, add_task(&s, "d", 4)));
    size_t size = sizeof(rmd_journal_query);
    CHECK_EQ(look(&s, &(rmd_journal_query){ .size = size }).tasks, 4);
    CHECK_EQ(look(&s, &(rmd_journal_query){ .size = size, .failed = true }).tasks, 2);
    CHECK_EQ(look(&s, &(rmd_journal_query){ .size = size, .failed = true, .limit = 1 }).tasks, 1);
    CHECK_EQ(look(&s, &(rmd_journal_query){ .size = size, .after = 1 }).tasks, 3);
    CHECK_EQ(look(&s, &(rmd_journal_query){ .size = size, .after = 3, .pending = true }).tasks, 1);
    CHECK_EQ(look(&s, &(rmd_journal_query){ .size = size, .after = 4, .pending = true }).tasks, 0);
    CHECK_EQ(look(&s, &(rmd_journal_query){ .size = size, .after = 2, .failed = true }).tasks, 1);
    CHECK_STR(look(&s, &(rmd_journal_query){ .size = size, .id = 2 }).more, "exit status 1");
    CHECK_STR(look(&s, &(rmd_journal_query){ .size = size, .seq = 3 }).text, "c");
    seen pending = look(&s, &(rmd_journal_query){ .size = size, .pending = true });
    CHECK_EQ(pending.tasks, 1);
    CHECK_STR(pending.text, "d");
    CHECK_EQ(look(&s, &(rmd_journal_query){ .size = size, .run = 2 }).tasks, 0);
    rmd_journal *journal;
    REQUIRE(rmd_journal_open(&journal, s.path) == 0);
    CHECK_INT(rmd_journal_tasks(NULL, NULL, on_task, NULL), ==, RMD_EINVAL);
    CHECK_INT(rmd_journal_tasks(journal, NULL, NULL, NULL), ==, RMD_EINVAL);
    CHECK_INT(rmd_journal_runs(journal, NULL, NULL), ==, RMD_EINVAL);
    CHECK_INT(rmd_journal_attempts(NULL, 0, on_attempt, NULL), ==, RMD_EINVAL);
    CHECK_INT(rmd_journal_begin(NULL), ==, RMD_EINVAL);
    CHECK_INT(rmd_journal_tasks(journal, &(rmd_journal_query){ .size = 1 }, on_task, NULL), ==,
              RMD_EINVAL);
    rmd_journal_free(journal);
    close_journal(&s, 0);
    tear_down(&s);
}

TEST(a_moment_can_be_held_while_others_write)
{
    scene s;
    rmd_journal *journal;
    seen at = { 0 };
    begin(&s);
    wait_for(&s, end_task(&s, add_task(&s, "a", 1), RMD_OUTCOME_OK, ""));
    REQUIRE(rmd_journal_open(&journal, s.path) == 0);
    REQUIRE(rmd_journal_begin(journal) == 0);
    CHECK_INT(rmd_journal_begin(journal), ==, RMD_EBUSY);
    wait_for(&s, end_task(&s, add_task(&s, "b", 2), RMD_OUTCOME_OK, ""));
    CHECK_EQ(rmd_journal_tasks(journal, NULL, on_task, &at), 0);
    CHECK_EQ(at.tasks, 1);
    rmd_journal_end(journal);
    CHECK_EQ(rmd_journal_tasks(journal, NULL, on_task, &at), 0);
    CHECK_EQ(at.tasks, 3);
    rmd_journal_free(journal);
    close_journal(&s, 0);
    tear_down(&s);
}

/* ---- attempts and outputs ---- */

static rmd_future *run_program(scene *s, const char *script, rmd_pool **pool)
{
    const char *argv[] = { "/bin/sh", "-c", script, NULL };
    rmd_command command = { .size = sizeof command,
                            .argv = argv,
                            .err = { .kind = RMD_STREAM_CAPTURE } };
    rmd_pool_options options = { .size = sizeof options, .loop = s->loop };
    rmd_future *future;
    REQUIRE(rmd_pool_open(pool, "programs:1", &options, RMD_FOREVER) == 0);
    REQUIRE(rmd_pool_exec(*pool, &future, &command) == 0);
    REQUIRE(rmd_future_wait(future, rmd_after_ms(10000)) == 0);
    return future;
}

static void close_pool(rmd_pool *pool, rmd_future *future)
{
    rmd_future_free(future);
    CHECK_EQ(rmd_pool_drain(pool, rmd_after_ms(10000)), 0);
    rmd_pool_free(pool);
}

TEST(an_attempt_is_recorded_as_it_was)
{
    scene s;
    rmd_pool *pool;
    rmd_journal *journal;
    const rmd_exit *account;
    seen at = { 0 };
    begin(&s);
    rmd_future *future = run_program(&s, "echo out; echo err >&2; exit 3", &pool);
    REQUIRE(rmd_future_exit(future, &account) == 0);
    int64_t id = add_task(&s, "a", 1);
    rmdi_journal_attempt attempt = { .task = id,
                                     .slot = 2,
                                     .queued_ns = account->submitted_ns,
                                     .sent_bytes = 5,
                                     .output = "group",
                                     .account = account };
    wait_for(
        &s, rmdi_journal_ended(s.journal, id, RMD_OUTCOME_FAILED, "exit status 3", &attempt, NULL));
    REQUIRE(rmd_journal_open(&journal, s.path) == 0);
    CHECK_EQ(rmd_journal_attempts(journal, id, on_attempt, &at), 0);
    CHECK_EQ(rmd_journal_attempts(journal, id + 1, on_attempt, &at), 0);
    CHECK_EQ(at.attempts, 1);
    CHECK_EQ(rmd_journal_attempts(journal, 0, on_attempt, &at), 0);
    rmd_journal_free(journal);
    CHECK_EQ(at.attempts, 2);
    CHECK_EQ(at.attempt.task, id);
    CHECK_EQ(at.attempt.number, 1);
    CHECK_EQ(at.attempt.slot, 2);
    CHECK_EQ(at.attempt.pid, account->pid);
    CHECK_EQ(at.attempt.outcome, RMD_OUTCOME_FAILED);
    CHECK_EQ(at.attempt.status, 3);
    CHECK_EQ(at.attempt.signal, 0);
    CHECK_EQ(at.attempt.sent_bytes, 5);
    CHECK_EQ(at.attempt.out_bytes, 4);
    CHECK_EQ(at.attempt.started_ns - at.attempt.queued_ns,
             account->started_ns - account->submitted_ns);
    CHECK_EQ(at.attempt.ended_ns - at.attempt.exited_ns, account->ended_ns - account->exited_ns);
    CHECK_INT(at.attempt.memory_bytes, >, 100000);
    CHECK_STR(at.text, "err\n");
    CHECK_STR(at.more, "group/exit status 3");
    close_pool(pool, future);
    close_journal(&s, 1);
    tear_down(&s);
}

/* More than one piece of it, in bytes of all kinds. */
TEST(outputs_are_kept_until_they_were_shown)
{
    scene s;
    rmd_pool *pool;
    char part[1000];
    begin(&s);
    rmd_future *future = run_program(&s, "head -c 700001 /dev/zero; printf abc", &pool);
    int64_t id = add_task(&s, "a", 1);
    rmdi_journal_ended(s.journal, id, RMD_OUTCOME_OK, "", NULL, future);
    rmdi_journal_close(s.journal, 0, "");
    CHECK(look(&s, NULL).task.unshown);
    REQUIRE(open_journal(&s, (rmdi_journal_options){ .resume = true }) == 0);
    rmdi_key key = key_of("a");
    rmdi_known_task known = rmdi_journal_find(s.journal, &key);
    CHECK_EQ(known.id, id);
    CHECK(known.unshown);
    CHECK_EQ(rmdi_journal_output(s.journal, id, RMD_STDOUT, 699999, part, sizeof part), 5);
    CHECK_MEM(part, "\0\0abc", 5);
    CHECK_EQ(rmdi_journal_output(s.journal, id, RMD_STDOUT, 0, part, sizeof part), 1000);
    CHECK_EQ(rmdi_journal_output(s.journal, id, RMD_STDOUT, 700004, part, sizeof part), 0);
    CHECK_EQ(rmdi_journal_output(s.journal, id, RMD_STDERR, 0, part, sizeof part), 0);
    wait_for(&s, rmdi_journal_shown(s.journal, id));
    CHECK(!look(&s, NULL).task.unshown);
    close_pool(pool, future);
    close_journal(&s, 0);
    tear_down(&s);
}

/* ---- going on ---- */

TEST(a_resumed_journal_knows_what_became_of_each_task)
{
    scene s;
    rmdi_key a = key_of("a"), b = key_of("b"), c = key_of("c"), d = key_of("d");
    begin(&s);
    end_task(&s, add_task(&s, "a", 1), RMD_OUTCOME_OK, "");
    end_task(&s, add_task(&s, "b", 2), RMD_OUTCOME_FAILED, "why");
    add_task(&s, "c", 3);
    close_journal(&s, 0);
    REQUIRE(open_journal(&s, (rmdi_journal_options){ .resume = true }) == 0);
    CHECK(rmdi_journal_elsewhere(s.journal) == NULL);
    CHECK_EQ(rmdi_journal_unclaimed(s.journal), 3);
    CHECK_EQ(rmdi_journal_find(s.journal, &b).outcome, RMD_OUTCOME_FAILED);
    CHECK_EQ(rmdi_journal_find(s.journal, &c).outcome, RMD_PENDING);
    CHECK_EQ(rmdi_journal_find(s.journal, &d).id, 0);
    CHECK_EQ(rmdi_journal_find(s.journal, &a).outcome, RMD_OUTCOME_OK);
    CHECK_EQ(rmdi_journal_find(s.journal, &a).id, 0);
    int64_t id = 3;
    rmdi_journal_begin(s.journal, &id, &c, 1, (rmd_bytes){ "again", 5 });
    wait_for(&s, end_task(&s, id, RMD_OUTCOME_OK, ""));
    CHECK_EQ(add_task(&s, "d", 2), 4);
    seen at = look(&s, &(rmd_journal_query){ .size = sizeof(rmd_journal_query), .id = 3 });
    CHECK_EQ(at.runs, 2);
    CHECK_EQ(at.task.run, 2);
    CHECK_EQ(at.task.outcome, RMD_OUTCOME_OK);
    CHECK_STR(at.text, "again");
    close_journal(&s, 0);
    tear_down(&s);
}

TEST(a_journal_in_use_is_refused_and_its_user_named)
{
    scene s, other;
    char pid[32];
    begin(&s);
    set_up(&other);
    CHECK_INT(open_journal(&other, (rmdi_journal_options){ .resume = true }), ==, RMD_EBUSY);
    snprintf(pid, sizeof pid, "(pid %d)", getpid());
    CHECK_CONTAINS(rmd_error_detail(), pid);
    CHECK_INT(open_journal(&other, (rmdi_journal_options){ 0 }), ==, RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "--resume");
    wait_for(&s, end_task(&s, add_task(&s, "a", 1), RMD_OUTCOME_OK, "")); /* undisturbed */
    close_journal(&s, 0);
    CHECK_EQ(open_journal(&other, (rmdi_journal_options){ .resume = true }), 0);
    close_journal(&other, 0);
    tear_down(&other);
    tear_down(&s);
}

/* With the log that a journal leaves that was given up. */
static void remove_journal(const scene *s)
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    char path[300];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", s->path, ends[i]);
        unlink(path);
    }
}

/* Three tasks from their beginning to what is on disk. */
static int record_three(void *arg)
{
    scene *s = arg;
    int err = rmd_loop_open(&s->loop);
    s->failed = 0;
    if (err < 0)
        return err;
    err = open_journal(s, (rmdi_journal_options){ 0 });
    uint64_t ticket = 1;
    for (int i = 0; i < 3 && err == 0 && ticket; i++) {
        int64_t id = 0;
        rmdi_key key = key_of("a");
        ticket = rmdi_journal_begin(s->journal, &id, &key, 1, (rmd_bytes){ "true", 4 });
        if (ticket)
            ticket = end_task(s, id, RMD_OUTCOME_FAILED, "why");
    }
    while (err == 0 && !s->failed && (!ticket || s->committed < ticket))
        if (rmd_loop_turn(s->loop, rmd_after_ms(10000)) < 0)
            FAIL("nobody tells what became of it");
    if (err == 0)
        err = rmdi_journal_close(s->journal, 0, "");
    if (rmd_loop_free(s->loop) < 0)
        FAIL("the loop is in use");
    s->committed = 0;
    remove_journal(s);
    return err;
}

TEST(memory_may_be_missing_anywhere)
{
    scene s = { 0 };
    snprintf(s.path, sizeof s.path, "%s/journal", getenv("TMPDIR"));
    CHECK_INT(kit_alloc(record_three, &s, RMD_ENOMEM), >, 10);
}

TEST(a_journal_made_for_nothing_is_removed_and_one_that_was_there_is_not)
{
    scene s;
    begin(&s);
    rmdi_journal_discard(s.journal);
    CHECK_EQ(access(s.path, F_OK), -1);
    REQUIRE(open_journal(&s, (rmdi_journal_options){ 0 }) == 0);
    close_journal(&s, 0);
    REQUIRE(open_journal(&s, (rmdi_journal_options){ .resume = true }) == 0);
    rmdi_journal_discard(s.journal);
    CHECK_EQ(access(s.path, F_OK), 0);
    tear_down(&s);
}

TEST(looking_only_changes_nothing)
{
    scene s;
    begin(&s);
    end_task(&s, add_task(&s, "a", 1), RMD_OUTCOME_OK, "");
    close_journal(&s, 0);
    REQUIRE(open_journal(&s, (rmdi_journal_options){ .resume = true, .read_only = true }) == 0);
    rmdi_key key = key_of("a");
    CHECK_EQ(rmdi_journal_find(s.journal, &key).id, 1);
    close_journal(&s, 0);
    CHECK_EQ(look(&s, NULL).runs, 1);
    tear_down(&s);
}

TEST(only_file_systems_of_this_machine_suit)
{
    CHECK(!rmdi_journal_suits(0x6969));
    CHECK(!rmdi_journal_suits((int64_t)(int32_t)0xff534d42)); /* some kernels tell it signed */
    CHECK(rmdi_journal_suits(0xef53));
    CHECK(rmdi_journal_suits(0x01021994));
}
