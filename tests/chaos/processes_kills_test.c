/* SPDX-License-Identifier: MIT */
/* Workers of a processes pool that are killed at every step of their protocol, many times each,
 * while they do ten thousand tasks. A history is judged: each task has one outcome and at most one
 * run; only what a worker was doing when it was killed is LOST, which is one task at most; and
 * another worker comes in its place. */
#include "processes_testing.h"

#include "exec/template_setup.h"
#include "histcheck/note.h"
#include <sys/wait.h>

enum { WORKERS = 8, DEATHS_MAX = 50000, BIRTHS_MAX = 200000, BURST_MAX = 200, TASKS_MAX = 3000000 };

/* Where, and what is LOST by it. */
typedef enum loss { NOTHING, IT, PERHAPS } loss;
typedef struct place {
    const char *name;
    loss loss;
    int every; /* a death for so many that pass, on average */
} place;

static const place places[] = {
    { "starting", NOTHING, 5 }, /* in the initializer */
    { "started", NOTHING, 5 },  /* the same, at its end */
    { "claiming", NOTHING, 150 }, { "claimed", IT, 150 },
    { "running", IT, 150 },                               /* in the body, before its effect */
    { "effect", IT, 150 },                                /* and after it */
    { "returned", IT, 150 },      { "written", IT, 300 }, /* the answer, but not that it is done */
    { "done", NOTHING, 150 },     { "ringing", PERHAPS, 40 }, /* the next task may have begun */
    { "sleeping", NOTHING, 60 },  { "retiring", NOTHING, 3 },
    { "retired", NOTHING, 3 },
};
enum { PLACES = sizeof places / sizeof *places };

typedef struct death {
    pid_t pid;
    unsigned worker, place;
    int64_t at_ns;
} death;

typedef struct birth {
    unsigned worker;
    int64_t at_ns;
} birth;

/* Shared by the case and all workers. */
typedef struct control {
    char history[256];
    rmd_atomic(int) wanted[PLACES]; /* deaths that are still to be */
    rmd_atomic(int) to_pass[PLACES];
    rmd_atomic(uint64_t) dice;
    rmd_atomic(int) has_worked; /* something was done since the last death */
    rmd_atomic(int) deaths, births, retired;
    death death[DEATHS_MAX];
    birth birth[BIRTHS_MAX];
} control;

static control *c;

/* ---- in a worker ---- */

static unsigned worker_index(void)
{
    const char *dash = strrchr(rmdi_worker_process_name(), '-');
    return dash ? (unsigned)atoi(dash + 1) - 1 : WORKERS;
}

static void die(unsigned at)
{
    int n = rmd_atomic_add(&c->deaths, 1, RMD_RELAXED);
    if (n < DEATHS_MAX)
        c->death[n] = (death){ getpid(), worker_index(), at, now_ns() };
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static int next_distance(unsigned at)
{
    uint64_t dice = rmd_atomic_add(&c->dice, UINT64_C(0x9e3779b97f4a7c15), RMD_RELAXED) | 1;
    draw(&dice, 2);
    return places[at].every / 2 + 1 + (int)draw(&dice, (uint32_t)places[at].every);
}

static int living(void)
{
    int retired = rmd_atomic_load(&c->retired, RMD_RELAXED);
    int deaths = rmd_atomic_load(&c->deaths, RMD_RELAXED);
    return rmd_atomic_load(&c->births, RMD_RELAXED) - deaths - retired;
}

/* Five deaths with nothing done between them halt a pool. So something is done between any two, and
 * no more than two others may not have been followed by a birth: at the fourth of five the pool has
 * counted one already, and what is done before the fifth comes after that. */
static bool is_too_soon(void)
{
    int yes = 1;
    return living() < WORKERS - 2 ||
           !rmd_atomic_cas(&c->has_worked, &yes, 0, RMD_RELAXED, RMD_RELAXED) ||
           living() < WORKERS - 2; /* another one died just before */
}

static void pass(unsigned at)
{
    if (!c || rmd_atomic_load(&c->wanted[at], RMD_RELAXED) <= 0 ||
        rmd_atomic_sub(&c->to_pass[at], 1, RMD_RELAXED) > 1 || is_too_soon())
        return;
    rmd_atomic_store(&c->to_pass[at], next_distance(at), RMD_RELAXED);
    if (rmd_atomic_sub(&c->wanted[at], 1, RMD_RELAXED) > 0)
        die(at);
}

void rmdi_place(const char *name); /* exec/place.h, with RMDI_PLACES */
void rmdi_place(const char *name)
{
    if (c && strcmp(name, "done") == 0)
        rmd_atomic_store(&c->has_worked, 1, RMD_RELAXED);
    for (unsigned i = 0; i < PLACES; i++)
        if (strcmp(places[i].name, name) == 0)
            pass(i);
    if (c && strcmp(name, "retired") == 0)
        rmd_atomic_add(&c->retired, 1, RMD_RELAXED);
}

static int history = -1;

/* The initializer. */
static int start(rmd_call *call)
{
    (void)call;
    c = find_shared(sizeof *c);
    if (!c)
        return rmd_fail(-1001, "no shared memory");
    int n = rmd_atomic_add(&c->births, 1, RMD_RELAXED);
    if (n < BIRTHS_MAX)
        c->birth[n] = (birth){ worker_index(), now_ns() };
    rmdi_place("starting");
    history = history_open(c->history);
    rmdi_place("started");
    return history < 0 ? rmd_fail(-1001, "no history") : 0;
}

static int work(rmd_call *call)
{
    int n, us;
    int err = rmd_call_get(call, 0, &n);
    if (err == 0)
        err = rmd_call_get(call, 1, &us);
    if (err < 0 || !history_note(history, "start %d attempt=%u", n, rmd_call_attempt(call)))
        return err < 0 ? err : RMD_EIO;
    rmdi_place("running");
    for (int64_t end = now_ns() + us * 1000; now_ns() < end;)
        ;
    if (!history_note(history, "effect %d attempt=%u", n, rmd_call_attempt(call)))
        return RMD_EIO;
    rmdi_place("effect");
    return rmd_call_return(call, 3 * n);
}

static const rmd_function functions[] = { { .name = "start", .fn = start },
                                          { .name = "work", .fn = work },
                                          { 0 } };
WORKERS(functions)

/* ---- the case ---- */

typedef struct run {
    rmd_pool *pool;
    uint64_t dice;
    int history;
    unsigned crashes_max;
    int tasks, tasks_wanted, lost;
    rmd_atomic(int) ended;
    struct lost {
        pid_t pid; /* of the worker */
        int64_t at_ns;
    } * losses; /* of each task that is LOST */
    rmd_atomic(uint8_t) *calls;
} run;

static run r;

/* On the keeper. */
static void on_end(rmd_future *future, void *ctx)
{
    int n = (int)(intptr_t)ctx;
    int64_t result = 0;
    rmd_outcome outcome = rmd_future_outcome(future);
    CHECK_EQ(rmd_atomic_add(&r.calls[n], 1, RMD_RELAXED), 0);
    history_note(r.history, "outcome %d is=%s", n, rmd_outcome_name(outcome));
    if (outcome == RMD_OUTCOME_OK) {
        CHECK(rmd_future_get(future, &result) == 0 && result == 3 * n);
    } else if (CHECK_STR(rmd_outcome_name(outcome), "lost")) {
        const rmd_exit *account;
        rmd_failure failure;
        CHECK_EQ(rmd_future_exit(future, &account), 0);
        CHECK_EQ(rmd_future_failure(future, &failure), 0);
        CHECK_EQ(failure.attempt, r.crashes_max);
        CHECK_EQ(account->signal, SIGKILL);
        r.losses[r.lost++] = (struct lost){ account->pid, account->ended_ns };
    }
    rmd_future_free(future);
    rmd_atomic_add(&r.ended, 1, RMD_RELEASE);
}

static void submit_one(void)
{
    int n = r.tasks++, us = (int)draw(&r.dice, 400);
    rmd_future *future = NULL;
    rmd_task_options options = { .size = sizeof options, .limits.crashes_max = r.crashes_max };
    REQUIRE(history_note(r.history, "submit %d", n));
    if (rmd_pool_call(r.pool, &future, "work", RMD_ARGS(n, us), &options) < 0)
        FAIL(rmd_error_detail());
    REQUIRE(future != NULL);
    REQUIRE(history_note(r.history, "accept %d", n));
    REQUIRE(rmd_future_on_end(future, on_end, (void *)(intptr_t)n) == 0);
}

static int deaths_wanted(void)
{
    int wanted = 0;
    for (unsigned i = 0; i < PLACES; i++) {
        int left = rmd_atomic_load(&c->wanted[i], RMD_RELAXED);
        wanted += left > 0 ? left : 0;
    }
    return wanted;
}

/* In bursts, so that workers also go to sleep. */
static void submit_all(void)
{
    while (r.tasks < r.tasks_wanted || (deaths_wanted() > 0 && r.tasks < 20 * r.tasks_wanted)) {
        int burst = 1 + (int)draw(&r.dice, r.tasks % 3 ? 20 : BURST_MAX);
        for (int i = 0; i < burst; i++)
            submit_one();
        if (!await_count(&r.ended, r.tasks))
            return;
        rest_us(draw(&r.dice, 300));
    }
}

static void prepare(int deaths_each)
{
    c = make_shared(sizeof *c);
    snprintf(c->history, sizeof c->history, "%s/history", getenv("TMPDIR"));
    rmd_atomic_store(&c->dice, r.dice, RMD_RELAXED);
    for (unsigned i = 0; i < PLACES; i++) {
        /* The first workers are spared, so that the pool can open. */
        rmd_atomic_store(&c->to_pass[i], next_distance(i) + WORKERS, RMD_RELAXED);
        rmd_atomic_store(&c->wanted[i], deaths_each, RMD_RELAXED);
    }
    r.history = history_open(c->history);
    r.losses = calloc(TASKS_MAX, sizeof *r.losses);
    r.calls = calloc(TASKS_MAX, sizeof *r.calls);
    REQUIRE(r.history >= 0 && r.losses && r.calls);
}

/* ---- judging ---- */

/* The number of a process may come again, but not so soon. */
static int lost_by(const death *d)
{
    int n = 0;
    for (int i = 0; i < r.lost; i++) {
        int64_t later = r.losses[i].at_ns - d->at_ns;
        n += r.losses[i].pid == d->pid && later >= 0 && later < INT64_C(5000000000);
    }
    return n;
}

/* With one attempt only: exactly what it was doing. */
static void check_losses(void)
{
    int deaths = rmd_atomic_load(&c->deaths, RMD_ACQUIRE), sum = 0;
    for (int i = 0; i < deaths; i++) {
        const death *d = &c->death[i];
        int lost = lost_by(d);
        loss what = places[d->place].loss;
        sum += lost;
        bool right = what == PERHAPS ? lost <= 1 : lost == (what == IT);
        if (!CHECK(right || (r.crashes_max > 1 && lost <= (what != NOTHING))))
            printf("killed %s: %d lost\n", places[d->place].name, lost);
    }
    CHECK_EQ(sum, r.lost); /* and nothing but what was killed */
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* From each death to the next birth in its place. */
static void check_replacements(int64_t *p99_us, int64_t *worst_us)
{
    int deaths = rmd_atomic_load(&c->deaths, RMD_ACQUIRE), used = 0;
    int births = rmd_atomic_load(&c->births, RMD_ACQUIRE);
    int64_t *took = calloc((size_t)deaths + 1, sizeof *took);
    REQUIRE(took && births <= BIRTHS_MAX && deaths <= DEATHS_MAX);
    for (int i = 0; i < deaths; i++)
        for (int k = 0; k < births; k++)
            if (c->birth[k].worker == c->death[i].worker && c->birth[k].at_ns > c->death[i].at_ns) {
                took[used++] = c->birth[k].at_ns - c->death[i].at_ns;
                break;
            }
    CHECK_INT(used, >=, deaths - WORKERS); /* the last may have none, as the pool is drained */
    qsort(took, (size_t)used, sizeof *took, compare);
    *p99_us = used ? took[(used * 99 - 1) / 100] / 1000 : 0;
    *worst_us = used ? took[used - 1] / 1000 : 0;
    free(took);
}

static void judge(void)
{
    char program[4096];
    snprintf(program, sizeof program, "%s/tests/histcheck/histcheck", getenv("REMUDA_SOURCE"));
    REQUIRE(history_note(r.history, "end"));
    pid_t pid = fork();
    if (pid == 0) {
        if (r.crashes_max > 1)
            execl(program, program, "--unheard", "--effects", "at-least-once", c->history,
                  (char *)NULL);
        else
            execl(program, program, "--effects", "once", c->history, (char *)NULL);
        _exit(99);
    }
    CHECK_CHILD(pid);
}

static void check_places(int deaths_each)
{
    int happened[PLACES] = { 0 };
    for (int i = 0; i < rmd_atomic_load(&c->deaths, RMD_ACQUIRE); i++)
        happened[c->death[i].place]++;
    for (unsigned i = 0; i < PLACES; i++)
        if (!CHECK_EQ(happened[i], deaths_each))
            printf("%s: %d times\n", places[i].name, happened[i]);
}

static void kill_workers(unsigned crashes_max, int tasks, int deaths_each)
{
    static char text[160];
    kit_resources before;
    int64_t p99_us, worst_us;
    r = (run){ .dice = begin_dice(), .crashes_max = crashes_max, .tasks_wanted = tasks };
    if (!getenv("REMUDA_SOURCE"))
        setenv("REMUDA_SOURCE", ".", 1);
    prepare(deaths_each);
    mark_family();
    kit_resources_take(&before);
    r.pool = open_chaos("processes:8",
                        (rmd_pool_options){ .initializer = "start", .tasks_max = 60 });
    submit_all();
    rmd_census census = end_chaos(r.pool);
    CHECK_EQ(family_size(), 0);
    CHECK_RESOURCES(&before);
    CHECK_EQ(census.submitted, r.tasks);
    CHECK_EQ(census.ok + census.lost, r.tasks);
    CHECK_EQ(census.lost, r.lost);
    check_places(deaths_each);
    check_losses();
    check_replacements(&p99_us, &worst_us);
    judge();
    snprintf(text, sizeof text,
             "%d tasks, %d killed, %d lost; a new one after %.1f ms (p99), %.1f ms (worst)",
             r.tasks, rmd_atomic_load(&c->deaths, RMD_RELAXED), r.lost, (double)p99_us / 1000,
             (double)worst_us / 1000);
    kit_remark(text);
}

TEST_LIMIT(killed_at_every_step_a_worker_loses_what_it_does_and_nothing_else, 900)
{
    kill_workers(1, how_many(10000, 1000, 100000), how_many(25, 3, 500));
}

TEST_LIMIT(with_more_crashes_allowed_its_task_is_done_by_another, 900)
{
    kill_workers(3, how_many(5000, 500, 50000), how_many(10, 2, 200));
}
