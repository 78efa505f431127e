/* SPDX-License-Identifier: MIT */
/* Tasks of a processes pool that crash, are killed from outside, cancelled, or late, at random
 * moments: each has one outcome, which it may have, and one callback; the account balances; and
 * when one is told to be CANCELLED or TIMEOUT nothing of it is alive. */
#include "processes_testing.h"

#include "exec/template_setup.h"
#include <pthread.h>
#include <sys/wait.h>

enum { WORKERS = 8, TASKS_MAX = 200000, BEHIND = 24, OUTCOMES = RMD_OUTCOME_DEAD + 1 };

/* What a task says of itself. */
typedef struct said {
    rmd_atomic(int) worker, child; /* their numbers */
    rmd_atomic(int) runs;
} said;

typedef struct table {
    rmd_atomic(int) workers[WORKERS];
    said tasks[TASKS_MAX];
} table;

static table *t;

/* ---- in a worker ---- */

static int start(rmd_call *call)
{
    (void)call;
    const char *dash = strrchr(rmdi_worker_process_name(), '-');
    t = find_shared(sizeof *t);
    if (!t || !dash)
        return rmd_fail(-1001, "no shared memory");
    rmd_atomic_store(&t->workers[(atoi(dash + 1) - 1) % WORKERS], getpid(), RMD_RELAXED);
    return 0;
}

typedef enum manner { RETURNS, ABORTS, FAULTS, EXITS, IS_KILLED, FAILS, WAYS } manner;

static void crash(manner way)
{
    switch (way) {
    case ABORTS: abort();
    case FAULTS: raise(SIGSEGV); return;
    case EXITS: exit(7);
    case IS_KILLED: kill(getpid(), SIGKILL); return;
    default: return;
    }
}

static int crashing(rmd_call *call)
{
    int n, way;
    int err = rmd_call_get(call, 0, &n);
    if (err == 0)
        err = rmd_call_get(call, 1, &way);
    if (err < 0)
        return err;
    rmd_atomic_store(&t->tasks[n].worker, getpid(), RMD_RELAXED);
    rmd_atomic_add(&t->tasks[n].runs, 1, RMD_RELAXED);
    for (int64_t end = now_ns() + n % 256 * 1000; now_ns() < end;)
        ;
    crash((manner)way);
    return way == FAILS ? rmd_fail(-1001, "task %d", n) : rmd_call_return(call, 5 * n);
}

/* With a child that has left the group, for some of them; and for some deaf to SIGTERM. */
static int lingering(rmd_call *call)
{
    int n, us;
    sigset_t term;
    pid_t child = 0;
    int err = rmd_call_get(call, 0, &n);
    if (err == 0)
        err = rmd_call_get(call, 1, &us);
    if (err < 0)
        return err;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    if (n % 5 == 0)
        sigprocmask(SIG_BLOCK, &term, NULL);
    rmd_atomic_store(&t->tasks[n].worker, getpid(), RMD_RELAXED);
    rmd_atomic_add(&t->tasks[n].runs, 1, RMD_RELAXED);
    if (n % 3 == 0) {
        child = fork();
        if (child == 0) {
            setsid();
            alarm(60);
            for (;;)
                pause();
        }
        rmd_atomic_store(&t->tasks[n].child, child, RMD_RELAXED);
    }
    rest_us(us); /* what it does */
    if (child) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    sigprocmask(SIG_UNBLOCK, &term, NULL);
    return rmd_call_return(call, 5 * n);
}

static const rmd_function functions[] = { { .name = "start", .fn = start },
                                          { .name = "crashing", .fn = crashing },
                                          { .name = "lingering", .fn = lingering },
                                          { 0 } };
WORKERS(functions)

/* ---- the account ---- */

typedef struct racer {
    rmd_future *future;
    rmd_atomic(int) calls;
    manner way;
    bool limited, cancelled; /* what may happen to it */
    rmd_outcome outcome;
} racer;

static struct {
    rmd_pool *pool;
    uint64_t dice;
    int tasks;
    racer *races;
    rmd_atomic(int) submitted, ended, stop, kills;
    int count[OUTCOMES];
} r;

/* Is it one of ours, and alive? Its number may be another one's by now. */
static bool lives(int pid)
{
    char value[16], ours[16];
    bool zombie = true;
    snprintf(ours, sizeof ours, "%d", getpid());
    return pid > 0 && rmdi_procfs_group(pid, &zombie) > 0 && !zombie &&
           rmdi_procfs_environment(pid, "CHAOS_FAMILY", value, sizeof value) == 1 &&
           strcmp(value, ours) == 0;
}

/* On the keeper. */
static void on_end(rmd_future *future, void *ctx)
{
    racer *race = ctx;
    int64_t n = race - r.races, result = 0;
    CHECK_EQ(rmd_atomic_add(&race->calls, 1, RMD_RELAXED), 0);
    rmd_outcome outcome = race->outcome = rmd_future_outcome(future);
    r.count[outcome]++;
    if (outcome == RMD_OUTCOME_OK)
        CHECK(rmd_future_get(future, &result) == 0 && result == 5 * n);
    if (outcome == RMD_OUTCOME_CANCELLED || outcome == RMD_OUTCOME_TIMEOUT) {
        CHECK(!lives(rmd_atomic_load(&t->tasks[n].worker, RMD_RELAXED)));
        CHECK(!lives(rmd_atomic_load(&t->tasks[n].child, RMD_RELAXED)));
    }
    rmd_atomic_add(&r.ended, 1, RMD_RELEASE);
}

static void begin_races(int tasks)
{
    REQUIRE(tasks <= TASKS_MAX);
    t = make_shared(sizeof *t);
    r.dice = begin_dice();
    r.tasks = tasks;
    r.races = calloc((size_t)tasks, sizeof *r.races);
    REQUIRE(r.races != NULL);
    mark_family();
}

static void submit(const char *function, int n, int argument, const rmd_limits *limits)
{
    rmd_task_options options = { .size = sizeof options, .limits = *limits };
    racer *race = &r.races[n];
    if (rmd_pool_call(r.pool, &race->future, function, RMD_ARGS(n, argument), &options) < 0)
        FAIL(rmd_error_detail());
    REQUIRE(race->future != NULL);
    REQUIRE(rmd_future_on_end(race->future, on_end, race) == 0);
    rmd_atomic_store(&r.submitted, n + 1, RMD_RELEASE);
}

static void end_races(kit_resources *before)
{
    static char text[200];
    CHECK(await_count(&r.ended, r.tasks));
    rmd_census census = end_chaos(r.pool);
    CHECK_EQ(family_size(), 0);
    CHECK_EQ(census.submitted, r.tasks);
    CHECK_EQ(census.ok, r.count[RMD_OUTCOME_OK]);
    CHECK_EQ(census.failed, r.count[RMD_OUTCOME_FAILED]);
    CHECK_EQ(census.cancelled, r.count[RMD_OUTCOME_CANCELLED]);
    CHECK_EQ(census.timeout, r.count[RMD_OUTCOME_TIMEOUT]);
    CHECK_EQ(census.lost, r.count[RMD_OUTCOME_LOST]);
    for (int i = 0; i < r.tasks; i++) {
        CHECK_EQ(rmd_atomic_load(&r.races[i].calls, RMD_RELAXED), 1);
        CHECK_INT(rmd_atomic_load(&t->tasks[i].runs, RMD_RELAXED), <=, 1);
        rmd_future_free(r.races[i].future);
    }
    CHECK_RESOURCES(before);
    rmd_census_format(&census, text, sizeof text);
    kit_remark(text);
}

/* ---- crashes ---- */

/* Kills workers from outside, now and then; but only if tasks are done between, or the pool would
 * halt, as it should. */
static void *kill_some(void *arg)
{
    uint64_t dice = *(uint64_t *)arg;
    int before = 0;
    while (!rmd_atomic_load(&r.stop, RMD_RELAXED)) {
        rest_us(draw(&dice, 20000));
        if (rmd_atomic_load(&r.ended, RMD_RELAXED) - before < 20)
            continue;
        before = rmd_atomic_load(&r.ended, RMD_RELAXED);
        int pid = rmd_atomic_load(&t->workers[draw(&dice, WORKERS)], RMD_RELAXED);
        int pidfd = pid > 0 ? hold_process(pid) : -1;
        if (pidfd < 0)
            continue;
        if (lives(pid) && syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0)
            rmd_atomic_add(&r.kills, 1, RMD_RELAXED);
        close(pidfd);
    }
    return NULL;
}

static void check_crashes(void)
{
    int unasked = 0;
    for (int i = 0; i < r.tasks; i++) {
        manner way = r.races[i].way;
        rmd_outcome outcome = r.races[i].outcome;
        bool wanted = way == RETURNS ? outcome == RMD_OUTCOME_OK
                      : way == FAILS ? outcome == RMD_OUTCOME_FAILED
                                     : outcome == RMD_OUTCOME_LOST;
        unasked += !wanted;
        if (!wanted)
            CHECK_EQ(outcome, RMD_OUTCOME_LOST);
    }
    CHECK_INT(unasked, <=, rmd_atomic_load(&r.kills, RMD_RELAXED));
    printf("%d killed from outside, %d tasks lost by it\n", rmd_atomic_load(&r.kills, RMD_RELAXED),
           unasked);
}

TEST_LIMIT(crashes_end_their_own_task_and_no_other, 300)
{
    kit_resources before;
    pthread_t killer;
    const rmd_limits none = { 0 };
    begin_races(how_many(10000, 1000, 100000));
    uint64_t its_dice = r.dice + 1;
    kit_resources_take(&before);
    r.pool = open_chaos("processes:4", (rmd_pool_options){ .initializer = "start" });
    REQUIRE(pthread_create(&killer, NULL, kill_some, &its_dice) == 0);
    for (int i = 0; i < r.tasks; i++) {
        r.races[i].way = draw(&r.dice, 100) ? RETURNS : (manner)(1 + draw(&r.dice, WAYS - 1));
        submit("crashing", i, (int)r.races[i].way, &none);
    }
    CHECK(await_count(&r.ended, r.tasks));
    rmd_atomic_store(&r.stop, 1, RMD_RELAXED);
    pthread_join(killer, NULL);
    check_crashes();
    end_races(&before);
}

/* Nothing is done between, but each has done something before. */
TEST(all_workers_may_be_killed_at_once)
{
    const rmd_limits none = { 0 };
    kit_resources before;
    enum { ROUNDS = 5, EACH = 64 };
    begin_races(ROUNDS * EACH);
    kit_resources_take(&before);
    r.pool = open_chaos("processes:8", (rmd_pool_options){ .initializer = "start" });
    for (int round = 0, n = 0; round < ROUNDS; round++) {
        for (int i = 0; i < EACH; i++, n++)
            submit("crashing", n, RETURNS, &none);
        REQUIRE(await_count(&r.ended, n));
        for (int i = 0; i < WORKERS; i++) {
            int pid = rmd_atomic_load(&t->workers[i], RMD_RELAXED);
            if (lives(pid))
                kill(pid, SIGKILL);
        }
    }
    CHECK_EQ(r.count[RMD_OUTCOME_OK], ROUNDS * EACH);
    end_races(&before);
}

/* ---- cancels ---- */

/* Follows the submitter, and cancels near the newest: some wait, some run, some have ended. */
static void *cancel_some(void *arg)
{
    uint64_t dice = *(uint64_t *)arg;
    for (int now; (now = rmd_atomic_load(&r.ended, RMD_ACQUIRE)) < r.tasks;) {
        int chosen = now + (int)draw(&dice, BEHIND) - BEHIND / 4;
        if (chosen >= 0 && chosen < rmd_atomic_load(&r.submitted, RMD_ACQUIRE) && draw(&dice, 2)) {
            int err = rmd_future_cancel(r.races[chosen].future);
            CHECK(err == 0 || err == RMD_ETOOLATE);
            r.races[chosen].cancelled |= err == 0;
        }
        rest_us(draw(&dice, 3000));
    }
    return NULL;
}

static void check_ends(void)
{
    for (int i = 0; i < r.tasks; i++) {
        racer *race = &r.races[i];
        switch (race->outcome) {
        case RMD_OUTCOME_OK: break;
        case RMD_OUTCOME_CANCELLED: CHECK(race->cancelled); break;
        case RMD_OUTCOME_TIMEOUT: CHECK(race->limited); break;
        default: FAIL("another outcome");
        }
    }
    CHECK_INT(r.count[RMD_OUTCOME_CANCELLED], >, 0);
    CHECK_INT(r.count[RMD_OUTCOME_TIMEOUT], >, 0);
    CHECK_INT(r.count[RMD_OUTCOME_OK], >, 0);
}

TEST_LIMIT(cancels_limits_and_ends_race_and_each_task_has_one_end, 600)
{
    static const rmd_kill_step ladder[] = { { SIGTERM, 5 }, { SIGKILL, 0 } };
    kit_resources before;
    pthread_t canceller;
    begin_races(how_many(2000, 200, 50000));
    uint64_t its_dice = r.dice + 1;
    kit_resources_take(&before);
    r.pool = open_chaos("processes:4?queue=16", (rmd_pool_options){ .initializer = "start" });
    REQUIRE(pthread_create(&canceller, NULL, cancel_some, &its_dice) == 0);
    for (int i = 0; i < r.tasks; i++) {
        rmd_limits limits = { .ladder = ladder, .ladder_len = 2 };
        r.races[i].limited = draw(&r.dice, 2);
        if (r.races[i].limited)
            limits.run_ms_max = 1 + draw(&r.dice, 4);
        submit("lingering", i, (int)draw(&r.dice, 4000), &limits);
    }
    pthread_join(canceller, NULL);
    end_races(&before);
    check_ends();
}
