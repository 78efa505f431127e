/* SPDX-License-Identifier: MIT */
/* Tasks of a threads pool that end in every way, while others cancel them, alone or with their
 * group, and limits come due: each has one outcome, which is one of those that it may have, and one
 * callback; and the sums of all accounts agree. A million of them, with a sanitizer less. $SEED
 * repeats a run's random numbers (not its races). */
#include "kit.h"

#include "sync/event.h"
#include "sync/thread.h"

#include <remuda.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

enum { BATCH = 250, OUTCOMES = RMD_OUTCOME_DEAD + 1 };

typedef enum way { QUICK, FAILS, COMPUTES, SLEEPS, SUBMITS } way;

/* One task. */
typedef struct race {
    way way;
    rmd_future *future;
    rmd_atomic(int) runs, calls;
    bool limited, grouped, called, cancelled; /* what may happen to it; the last by the canceller */
    unsigned attempts_max;
} race;

static struct {
    rmd_pool *pool;
    rmd_group *group;
    rmdi_event never;
    race races[BATCH];
    rmd_atomic(uint32_t) submitted; /* of the batch */
    rmd_atomic(uint64_t) calls;
    uint64_t wanted_calls, children, ended[OUTCOMES];
    rmd_atomic(uint64_t) submitted_children;
} c;

/* xorshift: Marsaglia 2003. */
static uint32_t draw(uint64_t *dice, uint32_t n)
{
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    return (uint32_t)(*dice >> 32) % n;
}

static rmd_deadline soon(void)
{
    return rmd_after_ms(60000 * kit_patience());
}

/* ---- tasks ---- */

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int submit_child(void)
{
    rmd_future *child;
    int err = rmd_submit(c.pool, &child, nothing, NULL, NULL);
    CHECK_EQ(err, 0);
    rmd_atomic_add(&c.submitted_children, 1, RMD_RELAXED);
    err = rmd_future_wait(child, RMD_FOREVER);
    CHECK(err == 0 || err == RMD_ECANCELED);
    rmd_future_free(child);
    return err;
}

static int body(void *arg)
{
    race *r = arg;
    rmd_atomic_add(&r->runs, 1, RMD_RELAXED);
    switch (r->way) {
    case QUICK: return 0;
    case FAILS: return rmd_fail(-1001, "run %d", rmd_atomic_load(&r->runs, RMD_RELAXED));
    case COMPUTES:
        for (int i = 0; i < 3000; i++)
            if (rmd_task_cancelled())
                return RMD_ECANCELED;
        return 0;
    case SLEEPS: return rmdi_event_wait(&c.never, RMD_FOREVER);
    case SUBMITS: return submit_child();
    }
    return 0;
}

static void on_end(rmd_future *future, void *ctx)
{
    race *r = ctx;
    CHECK(rmd_future_outcome(future) != RMD_PENDING);
    CHECK_EQ(rmd_atomic_add(&r->calls, 1, RMD_RELAXED), 0);
    rmd_atomic_add(&c.calls, 1, RMD_RELEASE);
}

/* ---- a batch ---- */

static void choose(race *r, rmd_task_options *options, uint64_t *dice)
{
    static const way ways[] = { QUICK, QUICK, QUICK, FAILS, COMPUTES, COMPUTES, SUBMITS };
    uint32_t kind = draw(dice, 64);
    *r = (race){ .way = kind == 0 ? SLEEPS : ways[kind % 7], .attempts_max = 1 };
    *options = (rmd_task_options){ .size = sizeof *options };
    r->grouped = draw(dice, 4) == 0;
    r->called = draw(dice, 3) == 0;
    r->limited = r->way == SLEEPS || draw(dice, 16) == 0;
    if (r->grouped)
        options->group = c.group;
    options->priority = (rmd_priority)((int)draw(dice, 12) - 1);
    if (options->priority > RMD_PRIORITY_HIGH)
        options->priority = RMD_PRIORITY_NORMAL;
    if (!r->limited)
        return;
    r->attempts_max = options->limits.attempts_max = 1 + draw(dice, 2);
    options->limits.total_ms_max = 1 + draw(dice, 3);
    options->limits.queue_ms_max = draw(dice, 3);
    options->limits.run_ms_max = draw(dice, 3);
}

static void submit_one(race *r, uint64_t *dice)
{
    rmd_task_options options;
    choose(r, &options, dice);
    REQUIRE(rmd_submit(c.pool, &r->future, body, r, &options) == 0);
    if (r->called)
        REQUIRE(rmd_future_on_end(r->future, on_end, r) == 0);
    c.wanted_calls += r->called;
}

/* Follows the submitter, and cancels some of what it has submitted. */
static void cancel_some(void *arg)
{
    uint64_t *dice = arg;
    for (uint32_t at = 0; at < BATCH; at++) {
        while (rmd_atomic_load(&c.submitted, RMD_ACQUIRE) <= at)
            sched_yield();
        race *r = &c.races[at - draw(dice, at < 8 ? at + 1 : 8)];
        if (draw(dice, 3))
            continue;
        int err = rmd_future_cancel(r->future);
        CHECK(err == 0 || err == RMD_ETOOLATE);
        r->cancelled |= err == 0;
        if (draw(dice, 100) == 0)
            rmd_group_cancel(c.group);
    }
    rmd_group_cancel(c.group); /* there may be some left that sleep */
}

static bool may_end(const race *r, rmd_outcome outcome, int runs)
{
    switch (outcome) {
    case RMD_OUTCOME_OK: return runs >= 1 && r->way != FAILS && r->way != SLEEPS;
    case RMD_OUTCOME_FAILED: return runs >= 1 && r->way == FAILS;
    case RMD_OUTCOME_CANCELLED: return r->cancelled || r->grouped;
    case RMD_OUTCOME_TIMEOUT: return r->limited;
    default: return false;
    }
}

static void check_one(race *r)
{
    CHECK_EQ(rmd_future_wait(r->future, soon()), 0);
    rmd_outcome outcome = rmd_future_outcome(r->future);
    int runs = rmd_atomic_load(&r->runs, RMD_ACQUIRE);
    CHECK_INT(runs, <=, r->attempts_max);
    if (!CHECK(may_end(r, outcome, runs)))
        printf("way %d, %d runs, %s, %s%s%s\n", r->way, runs, rmd_outcome_name(outcome),
               r->cancelled ? "cancelled " : "", r->grouped ? "grouped " : "",
               r->limited ? "limited" : "");
    c.ended[outcome]++;
}

/* All callbacks have run, each once: on_end() looks at that. */
static void await_calls(void)
{
    rmd_deadline deadline = soon();
    while (rmd_atomic_load(&c.calls, RMD_ACQUIRE) < c.wanted_calls) {
        REQUIRE(!rmd_deadline_passed(deadline));
        sched_yield();
    }
}

static void check_group(uint64_t grouped)
{
    rmd_census census;
    CHECK_EQ(rmd_group_wait(c.group, soon()), 0);
    rmd_group_census(c.group, &census);
    CHECK(rmd_census_balances(&census));
    CHECK_EQ(census.submitted, grouped);
    CHECK_EQ(census.queued, 0);
    CHECK_EQ(rmd_group_free(c.group), 0);
}

static void run_batch(uint64_t *dice)
{
    rmdi_thread canceller;
    uint64_t its_dice = *dice + 1, grouped = 0;
    rmd_atomic_store(&c.submitted, 0, RMD_RELAXED);
    REQUIRE(rmd_group_open(&c.group) == 0);
    REQUIRE(rmdi_thread_start(&canceller, cancel_some, &its_dice, "cancels") == 0);
    for (uint32_t i = 0; i < BATCH; i++) {
        submit_one(&c.races[i], dice);
        grouped += c.races[i].grouped;
        rmd_atomic_store(&c.submitted, i + 1, RMD_RELEASE);
    }
    REQUIRE(rmdi_thread_join(&canceller, soon()) == 0);
    for (uint32_t i = 0; i < BATCH; i++)
        check_one(&c.races[i]);
    await_calls();
    for (uint32_t i = 0; i < BATCH; i++)
        rmd_future_free(c.races[i].future);
    check_group(grouped);
}

/* Children are OK, but for those whose parent was told to stop, and left them. */
static void check_sums(uint64_t races)
{
    rmd_census census;
    uint64_t sum = 0, children = rmd_atomic_load(&c.submitted_children, RMD_ACQUIRE);
    CHECK_EQ(rmd_pool_drain(c.pool, soon()), 0);
    CHECK_EQ(rmd_pool_census(c.pool, &census), 0);
    for (int i = 0; i < OUTCOMES; i++)
        sum += c.ended[i];
    CHECK_EQ(sum, races);
    CHECK(rmd_census_balances(&census));
    CHECK_EQ(census.submitted, races + children);
    CHECK_EQ(census.ok, c.ended[RMD_OUTCOME_OK] + children);
    CHECK_EQ(census.failed, c.ended[RMD_OUTCOME_FAILED]);
    CHECK_EQ(census.cancelled, c.ended[RMD_OUTCOME_CANCELLED]);
    CHECK_EQ(census.timeout, c.ended[RMD_OUTCOME_TIMEOUT]);
    CHECK_EQ(census.queued + census.running, 0);
    CHECK_EQ(rmd_atomic_load(&c.calls, RMD_ACQUIRE), c.wanted_calls);
}

static void remark(uint64_t seed, uint64_t races)
{
    static char text[160];
    snprintf(text, sizeof text,
             "seed %llu: %llu ended, %llu ok, %llu failed, %llu cancelled, %llu late, %llu calls",
             (unsigned long long)seed, (unsigned long long)races,
             (unsigned long long)c.ended[RMD_OUTCOME_OK],
             (unsigned long long)c.ended[RMD_OUTCOME_FAILED],
             (unsigned long long)c.ended[RMD_OUTCOME_CANCELLED],
             (unsigned long long)c.ended[RMD_OUTCOME_TIMEOUT], (unsigned long long)c.wanted_calls);
    kit_remark(text);
}

static void race_on(const char *kind, uint64_t share)
{
    uint64_t races = (KIT_SANITIZED ? 50000 : 1000000) / share;
    uint64_t seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : (uint64_t)time(NULL);
    uint64_t dice = seed * 2654435769U + 1;
    printf("seed %llu\n", (unsigned long long)seed);
    REQUIRE(rmd_pool_open(&c.pool, kind, NULL, soon()) == 0);
    for (uint64_t done = 0; done < races; done += BATCH)
        run_batch(&dice);
    check_sums(races);
    CHECK_EQ(rmd_pool_free(c.pool), 0);
    remark(seed, races);
}

TEST_LIMIT(on_two_workers_each_has_one_end_and_one_callback, 300)
{
    race_on("threads:2", 2);
}

TEST_LIMIT(on_one_worker_each_has_one_end_and_one_callback, 300)
{
    race_on("threads:1", 4);
}

TEST_LIMIT(with_a_short_queue_each_has_one_end_and_one_callback, 300)
{
    race_on("threads:3?queue=4", 4);
}
