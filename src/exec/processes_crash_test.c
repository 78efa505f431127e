/* SPDX-License-Identifier: MIT */
/* Tasks in which their worker ends: they are lost, or tried again, and nothing else is. */
#include "exec/processes_testing.h"

#include "kit_resources.h"

#include <remuda/map.h>

static int do_storm(rmd_call *call)
{
    (void)call;
    for (int i = 0; i < 3000; i++)
        fprintf(stderr, "line %d of many that are written\n", i);
    fputs("the last one\n", stderr);
    die("abort");
    return 0;
}

static int do_fail_or_die(rmd_call *call)
{
    add_line("attempts", "x");
    if (rmd_call_attempt(call) % 2)
        die("9");
    return rmd_call_fail(call, RMD_EIO, "attempt %u", rmd_call_attempt(call));
}

/* Writes over what it shares with the owner. */
static void damage_ring(void)
{
    char line[512];
    unsigned long from, to;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof line, maps))
        if (strstr(line, "remuda-ring") && sscanf(line, "%lx-%lx", &from, &to) == 2)
            memset((char *)from + 64, 0xff, 8192); /* not the word that it sleeps on */
    if (maps)
        fclose(maps);
}

static int do_damage(rmd_call *call)
{
    (void)call;
    damage_ring();
    die("9");
    return 0;
}

/* And goes on as if nothing had been. */
static int do_damage_and_go_on(rmd_call *call)
{
    stand_at(text_at(call, 0));
    damage_ring();
    return 0;
}

/* A child outside of the group, which holds the pipe of stderr. */
static int do_leave_child(rmd_call *call)
{
    int told[2];
    char byte;
    if (pipe(told) == 0 && fork() == 0) {
        setsid();
        arrive(text_at(call, 0));
        close(told[0]);
        close(told[1]);
        pause();
    }
    close(told[1]);
    while (read(told[0], &byte, 1) > 0)
        ;
    die("9");
    return 0;
}

/* A node of a tree: adds those beneath it. Two of three die of it at first, and are tried again. */
static int do_grow(rmd_call *call)
{
    int64_t node = int_at(call, 0), nodes = int_at(call, 1);
    int err = 0;
    for (int64_t i = 1; i <= 3 && err == 0; i++)
        if (node * 3 + i < nodes)
            err = rmd_call_add(call, "grow", RMD_ARGS(node * 3 + i, nodes));
    if (err == 0)
        err = rmd_call_return(call, node);
    if (node % 3 == 0 && rmd_call_attempt(call) == 1)
        die("9");
    if (node % 3 == 1 && rmd_call_attempt(call) == 1)
        die("exit 0");
    return err;
}

static const rmd_function own[] = {
    { .name = "grow", .fn = do_grow },
    { .name = "storm", .fn = do_storm },
    { .name = "fail_or_die", .fn = do_fail_or_die },
    { .name = "damage", .fn = do_damage },
    { .name = "damage_and_go_on", .fn = do_damage_and_go_on },
    { .name = "leave_child", .fn = do_leave_child },
    { 0 },
};
WORKERS(own)

/* ---- how it ended is told ---- */

static void crash(const char *how, int signal, int status)
{
    const rmd_exit *account = NULL;
    char words[64], said[64];
    rmd_pool *pool = open_pool("processes:1");
    pid_t pid = pid_of_worker(pool);
    rmd_future *future = call(pool, "die", RMD_ARGS(how, "first\nthe last words\n"));
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_LOST);
    CHECK_EQ(rmd_future_error(future), RMD_ELOST);
    REQUIRE(rmd_future_exit(future, &account) == 0);
    CHECK_EQ(account->outcome, RMD_OUTCOME_LOST);
    CHECK_EQ(account->error, RMD_ELOST);
    CHECK_EQ(account->signal, signal);
    CHECK_EQ(account->status, status);
    CHECK_EQ(account->pid, pid);
    CHECK_EQ(account->attempts, 1);
    CHECK_INT(account->usage.ru_maxrss, >, 0);
    CHECK_EQ(account->err_tail.len, 21);
    CHECK_MEM(account->err_tail.data, "first\nthe last words\n", 21);
    CHECK_STR(account->detail, detail_of(future));
    snprintf(words, sizeof words, signal ? "signal %d" : "status %d", signal ? signal : status);
    snprintf(said, sizeof said, "worker processes-1 (process %d)", pid);
    CHECK_CONTAINS(account->detail, words);
    CHECK_CONTAINS(account->detail, said);
    CHECK_CONTAINS(account->detail, "it wrote last: the last words");
    rmd_future_free(future);
    CHECK_INT(pid_of_worker(pool), !=, pid);
    close_pool(pool);
}

TEST(a_worker_that_segfaults_loses_its_task)
{
    crash("11", SIGSEGV, -1);
}

TEST(a_worker_that_aborts_loses_its_task)
{
    crash("abort", SIGABRT, -1);
}

TEST(a_worker_that_kills_itself_loses_its_task)
{
    crash("9", SIGKILL, -1);
}

TEST(a_worker_that_exits_with_success_loses_its_task)
{
    crash("exit 0", 0, 0);
    crash("_exit 0", 0, 0);
}

TEST(a_worker_that_exits_with_a_status_loses_its_task)
{
    crash("exit 3", 0, 3);
    crash("_exit 4", 0, 4);
}

TEST(of_much_that_was_written_the_last_is_told)
{
    const rmd_exit *account = NULL;
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *future = call(pool, "storm", RMD_ARGS());
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    REQUIRE(rmd_future_exit(future, &account) == 0);
    CHECK_CONTAINS(account->detail, "it wrote last: the last one");
    CHECK_EQ(account->err_tail.len, 4096);
    const char *tail = account->err_tail.data;
    CHECK_MEM(tail + 4096 - 13, "the last one\n", 13);
    rmd_future_free(future);
    close_pool(pool);
}

TEST(of_nothing_that_was_written_nothing_is_told)
{
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *future = call(pool, "die", RMD_ARGS("9", ""));
    CHECK(!strstr(detail_of(future), "wrote"));
    CHECK_LOST(future);
    close_pool(pool);
}

TEST(what_is_no_text_is_told_as_it_is)
{
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *future = call(pool, "die", RMD_ARGS("9", "   \n\n"));
    CHECK(!strstr(detail_of(future), "wrote"));
    CHECK_LOST(future);
    char words[3000];
    memset(words, 'w', sizeof words - 1);
    words[sizeof words - 1] = 0;
    future = call(pool, "die", RMD_ARGS("9", (const char *)words));
    CHECK_CONTAINS(detail_of(future), "it wrote last: www");
    CHECK_LOST(future);
    close_pool(pool);
}

TEST(a_task_that_has_ended_otherwise_has_no_account)
{
    const rmd_exit *account;
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *future = call(pool, "add", RMD_ARGS(1, 2));
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    CHECK_EQ(rmd_future_exit(future, &account), RMD_ENOTSUP);
    rmd_future_free(future);
    future = call(pool, "fail", RMD_ARGS(-1001, "why"));
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    CHECK_EQ(rmd_future_exit(future, &account), RMD_ENOTSUP);
    CHECK_ENDED(future, RMD_OUTCOME_FAILED, -1001);
    close_pool(pool);
}

/* ---- and nothing else ---- */

TEST(tasks_behind_it_are_run_elsewhere_once)
{
    enum { BEHIND = 40 };
    rmd_future *behind[BEHIND];
    char number[16];
    kit_resources before;
    kit_resources_take(&before);
    rmd_pool *pool = open_pool("processes:1");
    gate at = make_gate("gate");
    pid_t pid;
    rmd_future *future = stand(pool, &at, "gate", &pid);
    for (int i = 0; i < BEHIND; i++)
        behind[i] = call(pool, "note", RMD_ARGS("notes", "x"));
    kill(pid, SIGKILL);
    CHECK_LOST(future);
    for (int i = 0; i < BEHIND; i++)
        CHECK_INT(INT_OF(behind[i]), !=, pid);
    snprintf(number, sizeof number, "%zu", strlen(lines_of("notes")));
    CHECK_STR(number, "40");
    close_pool(pool);
    close(at.arrivals);
    close(at.opening);
    unlink(path_of("gate.arrivals"));
    unlink(path_of("gate.opening"));
    unlink(path_of("notes"));
    CHECK_RESOURCES(&before);
}

TEST(of_many_each_of_which_may_die_only_those_are_lost_that_did)
{
    enum { N = 200, EACH = 25 };
    rmd_future *futures[N];
    rmd_pool *pool = open_pool("processes:3");
    for (int i = 0; i < N; i++)
        futures[i] = i % EACH ? call(pool, "note", RMD_ARGS("notes", "x"))
                              : call(pool, "die", RMD_ARGS("9", ""));
    for (int i = 0; i < N; i++)
        if (i % EACH)
            CHECK_OK(futures[i]);
        else
            CHECK_LOST(futures[i]);
    CHECK_EQ(strlen(lines_of("notes")), N - N / EACH);
    close_pool(pool);
}

TEST(a_worker_that_dies_idle_is_replaced_and_loses_nothing)
{
    rmd_pool *pool = open_pool("processes:1");
    for (int i = 0; i < 10; i++) {
        pid_t pid = pid_of_worker(pool);
        int held = hold_process(pid);
        kill(pid, SIGKILL);
        CHECK(ends_within(held, 15000));
        close(held);
        CHECK_INT(pid_of_worker(pool), !=, pid);
    }
    close_pool(pool);
}

TEST(a_worker_that_damages_the_shared_memory_harms_only_its_own_task)
{
    rmd_pool *pool = open_pool("processes:1");
    for (int i = 0; i < 150; i++) { /* the next must be able to tell of its end, too */
        rmd_future *future = call(pool, "damage", RMD_ARGS());
        rmd_future *behind = call(pool, "add", RMD_ARGS(1, 2));
        CHECK_LOST(future);
        REQUIRE(rmd_future_wait(behind, soon()) == 0);
        rmd_future_free(behind); /* what has not begun looks as if it had */
        check_works(pool);
    }
    close_pool(pool);
}

TEST(a_worker_whose_memory_is_damaged_is_ended)
{
    rmd_pool *pool = open_pool("processes:1");
    gate at = make_gate("gate");
    rmd_future *future = call(pool, "damage_and_go_on", RMD_ARGS("gate"));
    int worker = hold_process(await_arrival(&at));
    rmd_future *behind = call(pool, "add", RMD_ARGS(1, 2));
    open_gate(&at);
    CHECK_OK(future);
    CHECK_CONTAINS(detail_of(behind), "has damaged the memory that it shares with the pool");
    CHECK_LOST(behind);
    CHECK(!is_alive(worker));
    check_works(pool);
    close_pool(pool);
}

TEST(what_it_has_left_is_gone_when_its_end_is_told)
{
    rmd_pool *pool = open_pool("processes:1");
    gate at = make_gate("gate");
    rmd_future *future = call(pool, "leave_child", RMD_ARGS("gate"));
    int child = hold_process(await_arrival(&at));
    CHECK_LOST(future);
    CHECK(!is_alive(child));
    close_pool(pool);
}

/* ---- once more ---- */

static rmd_future *die_first(rmd_pool *pool, int times, unsigned crashes, unsigned attempts)
{
    rmd_task_options options = { .limits = { .crashes_max = crashes, .attempts_max = attempts } };
    return call_with(pool, "die_first", RMD_ARGS(times), options);
}

TEST(it_is_tried_again_as_often_as_was_asked_for)
{
    rmd_pool *pool = open_pool("processes:1");
    CHECK_EQ(INT_OF(die_first(pool, 2, 3, 0)), 3);
    CHECK_STR(lines_of("attempts"), "xxx");
    close_pool(pool);
}

TEST(after_so_many_crashes_it_is_lost_and_never_tried_again)
{
    const rmd_exit *account = NULL;
    rmd_failure failure;
    rmd_pool *pool = open_pool("processes:2");
    rmd_future *future = die_first(pool, 100, 3, 0);
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    CHECK_EQ(rmd_future_failure(future, &failure), 0);
    CHECK_EQ(failure.outcome, RMD_OUTCOME_LOST);
    CHECK_EQ(failure.attempt, 3);
    CHECK_EQ(rmd_future_exit(future, &account), 0);
    CHECK_EQ(account->attempts, 3);
    rmd_future_free(future);
    CHECK_STR(lines_of("attempts"), "xxx");
    check_works(pool);
    close_pool(pool);
}

TEST(one_crash_is_enough_unless_more_are_allowed)
{
    rmd_pool *pool = open_pool("processes:1");
    CHECK_LOST(die_first(pool, 1, 0, 0));
    CHECK_LOST(die_first(pool, 1, 1, 0));
    CHECK_LOST(die_first(pool, 1, 0, 5)); /* attempts are for those that fail */
    CHECK_STR(lines_of("attempts"), "xxx");
    close_pool(pool);
}

TEST(crashes_and_failures_are_counted_apart)
{
    rmd_task_options options = { .limits = { .crashes_max = 4, .attempts_max = 3 } };
    rmd_pool *pool = open_pool("processes:1");
    rmd_future *future = call_with(pool, "fail_or_die", RMD_ARGS(), options);
    CHECK_STR(detail_of(future), "attempt 6"); /* the third that has failed */
    CHECK_ENDED(future, RMD_OUTCOME_FAILED, RMD_EIO);
    CHECK_STR(lines_of("attempts"), "xxxxxx");
    unlink(path_of("attempts"));
    options.limits.crashes_max = 3;
    CHECK_LOST(call_with(pool, "fail_or_die", RMD_ARGS(), options)); /* the third that has died */
    CHECK_STR(lines_of("attempts"), "xxxxx");
    close_pool(pool);
}

TEST(one_that_fails_is_tried_again_as_often_as_was_asked_for)
{
    rmd_task_options options = { .limits = { .attempts_max = 3 } };
    rmd_failure failure;
    rmd_pool *pool = open_pool("processes:2");
    rmd_future *future = call_with(pool, "fail", RMD_ARGS(-1001, "words"), options);
    REQUIRE(rmd_future_wait(future, soon()) == 0);
    CHECK_EQ(rmd_future_failure(future, &failure), 0);
    CHECK_EQ(failure.attempt, 3);
    CHECK_STR(failure.detail, "words");
    CHECK_ENDED(future, RMD_OUTCOME_FAILED, -1001);
    close_pool(pool);
}

TEST(the_census_knows_those_that_are_lost)
{
    rmd_census census;
    rmd_pool *pool = open_pool("processes:2");
    for (int i = 0; i < 3; i++)
        CHECK_LOST(call(pool, "die", RMD_ARGS("9", "")));
    check_works(pool);
    CHECK_EQ(rmd_pool_census(pool, &census), 0);
    CHECK_EQ(census.lost, 3);
    CHECK_EQ(census.ok, 1);
    CHECK(rmd_census_balances(&census));
    close_pool(pool);
}

/* ---- what a task adds before it dies ---- */

enum { NODES = 400 };

typedef struct grown {
    bool begun;
    uint8_t seen[NODES];
} grown;

static int next_root(void *ctx, rmd_map_task *task)
{
    grown *g = ctx;
    bool begun = g->begun;
    g->begun = true;
    return begun ? 0 : rmd_map_call(task, "grow", RMD_ARGS(0, NODES));
}

static int see(void *ctx, rmd_future *future, uint64_t index)
{
    grown *g = ctx;
    int64_t node;
    (void)index;
    int err = rmd_future_get(future, &node);
    if (err == 0)
        g->seen[node]++;
    else
        kit_check(false, __FILE__, __LINE__, rmd_error_detail());
    return err;
}

TEST(tasks_that_are_added_by_tasks_that_die_come_once)
{
    grown g = { 0 };
    rmd_map_account account;
    rmd_map_options options = { .size = sizeof options,
                                .next = next_root,
                                .sink = see,
                                .ctx = &g,
                                .as_completed = true,
                                .task.limits.crashes_max = 3,
                                .account = &account };
    rmd_pool *pool = open_pool("processes:2");
    CHECK_EQ(rmd_map(pool, &options, soon()), 0);
    CHECK_EQ(account.census.submitted, NODES);
    CHECK_EQ(account.added, NODES - 1);
    for (int i = 0; i < NODES; i++)
        CHECK_EQ(g.seen[i], 1);
    close_pool(pool);
}
