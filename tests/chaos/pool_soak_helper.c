/* SPDX-License-Identifier: MIT */
/* Uses a threads pool in all ways at once for so many seconds, and accounts for every task: what
 * was submitted has run as often as its outcome says, and returned what it should.
 *
 *     tests-chaos-pool_soak_helper SECONDS [SEED]
 *
 * Prints a line of counts at the end; its status is 0 if all of them agree. tests/night/9-pool-soak
 * watches its memory and descriptors meanwhile. */
#include <inttypes.h>
#include <remuda.h>
#include <remuda/atomics.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CLIENTS = 3, MANY = 40 };

static rmd_pool *pool;
static rmd_deadline over;
static rmd_atomic(uint64_t) wrong, submitted, ok, failed, cancelled, late, runs, wanted_runs, calls,
    wanted_calls;
static uint64_t seed = 1;

static void count(rmd_atomic(uint64_t) *n, uint64_t by)
{
    rmd_atomic_add(n, by, RMD_RELAXED);
}

static uint64_t get(rmd_atomic(uint64_t) *n)
{
    return rmd_atomic_load(n, RMD_RELAXED);
}

static void check_at(bool held, const char *what, int line)
{
    if (held)
        return;
    count(&wrong, 1);
    fprintf(stderr, "%s:%d: does not hold: %s (%s)\n", __FILE__, line, what, rmd_error_detail());
}
#define HOLDS(condition) check_at(condition, #condition, __LINE__)

/* xorshift: Marsaglia 2003. */
static uint32_t draw(uint64_t *dice, uint32_t n)
{
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    return (uint32_t)(*dice >> 32) % n;
}

static void rest(long ns)
{
    struct timespec t = { .tv_nsec = ns };
    nanosleep(&t, NULL);
}

/* ---- the account ---- */

/* Of one that has ended. */
static void account(rmd_future *future)
{
    switch (rmd_future_outcome(future)) {
    case RMD_OUTCOME_OK: count(&ok, 1); break;
    case RMD_OUTCOME_FAILED: count(&failed, 1); break;
    case RMD_OUTCOME_CANCELLED: count(&cancelled, 1); break;
    case RMD_OUTCOME_TIMEOUT: count(&late, 1); break;
    default: HOLDS(false);
    }
}

/* NULL: it was not accepted, which is wrong. */
static rmd_future *submit(rmd_task_fn *fn, void *arg, const rmd_task_options *options)
{
    rmd_future *future = NULL;
    HOLDS(rmd_submit(pool, &future, fn, arg, options) == 0);
    count(&submitted, future != NULL);
    return future;
}

static rmd_outcome end_of(rmd_future *future)
{
    HOLDS(rmd_future_wait(future, RMD_FOREVER) == 0);
    rmd_outcome outcome = rmd_future_outcome(future);
    account(future);
    rmd_future_free(future);
    return outcome;
}

/* ---- tasks ---- */

static int run(void *arg)
{
    (void)arg;
    count(&runs, 1);
    return 0;
}

static int fail(void *arg)
{
    run(arg);
    return rmd_fail(-1001, "it fails");
}

static int until_told(void *arg)
{
    run(arg);
    while (!rmd_task_cancelled())
        rest(100000);
    return RMD_ECANCELED;
}

static int block(void *arg)
{
    RMD_BLOCKING
    {
        rest(300000);
    }
    return run(arg);
}

typedef struct fibonacci {
    int n;
    uint64_t value;
} fibonacci;

static int fib(void *arg)
{
    fibonacci *f = arg;
    run(NULL);
    f->value = (uint64_t)f->n;
    if (f->n < 2)
        return 0;
    fibonacci a = { f->n - 1, 0 }, b = { f->n - 2, 0 };
    count(&wanted_runs, 2);
    rmd_future *one = submit(fib, &a, NULL), *two = submit(fib, &b, NULL);
    HOLDS(end_of(one) == RMD_OUTCOME_OK);
    HOLDS(end_of(two) == RMD_OUTCOME_OK);
    f->value = a.value + b.value;
    return 0;
}

static int soak_add(rmd_call *call)
{
    int64_t a, b;
    const char *text;
    count(&runs, 1);
    if (rmd_call_get(call, 0, &a) < 0 || rmd_call_get(call, 1, &b) < 0 ||
        rmd_call_get(call, 2, &text) < 0)
        return rmd_call_fail(call, RMD_EINVAL, "soak.add takes two numbers and a text");
    return rmd_call_return(call, a + b + (int64_t)strlen(text));
}

static const rmd_function functions[] = { { .name = "soak.add", .fn = soak_add }, { 0 } };

static int go_on(rmd_future *first, void *arg)
{
    HOLDS(rmd_future_outcome(first) == RMD_OUTCOME_OK);
    return run(arg);
}

static void on_end(rmd_future *future, void *ctx)
{
    (void)ctx;
    HOLDS(rmd_future_outcome(future) != RMD_PENDING);
    count(&calls, 1);
}

/* ---- what a client does ---- */

static void wait_for_one(uint64_t *dice)
{
    count(&wanted_runs, 1);
    rmd_future *future = submit(run, NULL, NULL);
    if (draw(dice, 2)) {
        HOLDS(rmd_future_on_end(future, on_end, NULL) == 0);
        count(&wanted_calls, 1);
    }
    HOLDS(end_of(future) == RMD_OUTCOME_OK);
}

static void call_one(uint64_t *dice)
{
    rmd_future *future = NULL;
    int64_t sum = 0, a = draw(dice, 1000), b = draw(dice, 1000);
    char text[512];
    size_t len = draw(dice, sizeof text);
    memset(text, 'x', len);
    text[len] = 0;
    HOLDS(rmd_pool_call(pool, &future, "soak.add", RMD_ARGS(a, b, text), NULL) == 0);
    count(&submitted, 1);
    count(&wanted_runs, 1);
    HOLDS(rmd_future_wait(future, RMD_FOREVER) == 0);
    HOLDS(rmd_future_get(future, &sum) == 0 && sum == a + b + (int64_t)len);
    account(future);
    rmd_future_free(future);
}

/* In a group, some cancelled: its census is the account. */
static void use_group(uint64_t *dice)
{
    rmd_task tasks[MANY];
    rmd_census census;
    rmd_group *group;
    for (int i = 0; i < MANY; i++)
        tasks[i] = (rmd_task){ run, NULL };
    HOLDS(rmd_group_open(&group) == 0);
    rmd_task_options options = { .size = sizeof options, .group = group };
    HOLDS(rmd_submit_many(pool, NULL, tasks, MANY, &options) == MANY);
    bool cancels = draw(dice, 4) == 0;
    if (cancels)
        rmd_group_cancel(group);
    HOLDS(rmd_group_wait(group, RMD_FOREVER) == 0);
    rmd_group_census(group, &census);
    HOLDS(census.submitted == MANY && census.ok + census.cancelled == MANY);
    HOLDS(cancels || census.ok == MANY);
    count(&submitted, MANY);
    count(&wanted_runs, census.ok);
    count(&ok, census.ok);
    count(&cancelled, census.cancelled);
    HOLDS(rmd_group_free(group) == 0);
}

static void cancel_one(uint64_t *dice)
{
    rmd_future *future = submit(until_told, NULL, NULL);
    if (draw(dice, 2))
        rest(draw(dice, 200000));
    HOLDS(rmd_future_cancel(future) == 0);
    HOLDS(rmd_future_wait(future, RMD_FOREVER) == 0);
    rmd_failure failure;
    HOLDS(rmd_future_failure(future, &failure) == 0);
    HOLDS(failure.outcome == RMD_OUTCOME_CANCELLED);
    count(&wanted_runs, failure.attempt);
    account(future);
    rmd_future_free(future);
}

static void be_late(uint64_t *dice)
{
    rmd_limits limits = { .run_ms_max = 1 + draw(dice, 2), .attempts_max = 1 + draw(dice, 2) };
    rmd_task_options options = { .size = sizeof options, .limits = limits };
    if (draw(dice, 2))
        options.limits.total_ms_max = 3;
    rmd_future *future = submit(until_told, NULL, &options);
    HOLDS(rmd_future_wait(future, RMD_FOREVER) == 0);
    rmd_failure failure;
    HOLDS(rmd_future_failure(future, &failure) == 0);
    HOLDS(failure.outcome == RMD_OUTCOME_TIMEOUT);
    count(&wanted_runs, failure.attempt);
    account(future);
    rmd_future_free(future);
}

static void nest(uint64_t *dice)
{
    static const uint64_t values[] = { 0, 1, 1, 2, 3, 5, 8, 13, 21, 34 };
    fibonacci f = { (int)draw(dice, 10), 0 };
    count(&wanted_runs, 1);
    HOLDS(end_of(submit(fib, &f, NULL)) == RMD_OUTCOME_OK);
    HOLDS(f.value == values[f.n]);
}

static void block_some(uint64_t *dice)
{
    rmd_future *futures[6];
    int n = 1 + (int)draw(dice, 6);
    for (int i = 0; i < n; i++)
        futures[i] = submit(block, NULL, NULL);
    count(&wanted_runs, (uint64_t)n);
    for (int i = 0; i < n; i++)
        HOLDS(end_of(futures[i]) == RMD_OUTCOME_OK);
}

/* Nobody asks: they are listed as overlooked, 64 at most. */
static void overlook(uint64_t *dice)
{
    (void)dice;
    count(&wanted_runs, 1);
    count(&submitted, 1);
    count(&failed, 1);
    HOLDS(rmd_submit(pool, NULL, fail, NULL, NULL) == 0);
}

static void chain(uint64_t *dice)
{
    rmd_future *second = NULL, *third = NULL, *promised;
    rmd_promise *promise;
    HOLDS(rmd_promise_open(&promise, &promised, NULL) == 0);
    HOLDS(rmd_then(pool, &second, promised, go_on, NULL, NULL) == 0);
    HOLDS(rmd_then(pool, &third, second, go_on, NULL, NULL) == 0);
    count(&submitted, 2);
    bool kept = draw(dice, 4);
    if (kept)
        HOLDS(rmd_promise_set(promise, 1) == 0);
    else
        HOLDS(rmd_future_cancel(promised) == 0);
    rmd_promise_free(promise);
    rmd_future_free(promised);
    count(&wanted_runs, kept ? 2 : 0);
    HOLDS(end_of(third) == (kept ? RMD_OUTCOME_OK : RMD_OUTCOME_CANCELLED));
    HOLDS(end_of(second) == (kept ? RMD_OUTCOME_OK : RMD_OUTCOME_CANCELLED));
}

static void take_ends(uint64_t *dice)
{
    rmd_future *futures[MANY], *future;
    rmd_completions *ends;
    int n = 1 + (int)draw(dice, MANY), given = 0;
    for (int i = 0; i < n; i++)
        futures[i] = submit(run, NULL, NULL);
    count(&wanted_runs, (uint64_t)n);
    HOLDS(rmd_completions_open(&ends, futures, (size_t)n) == 0);
    while (rmd_completions_next(ends, &future, RMD_FOREVER) == 0)
        given++;
    HOLDS(given == n);
    rmd_completions_free(ends);
    for (int i = 0; i < n; i++)
        HOLDS(end_of(futures[i]) == RMD_OUTCOME_OK);
}

typedef struct mapping {
    int left;
    uint64_t next; /* index that comes next, if in order */
    bool any;
} mapping;

static int produce(void *ctx, rmd_map_task *task)
{
    mapping *m = ctx;
    if (m->left-- == 0)
        return 0;
    return rmd_map_submit(task, run, NULL);
}

static int consume(void *ctx, rmd_future *future, uint64_t index)
{
    mapping *m = ctx;
    HOLDS(m->any || index == m->next);
    m->next++;
    return rmd_future_error(future);
}

static void map(uint64_t *dice)
{
    rmd_census census;
    mapping m = { .left = MANY, .any = draw(dice, 2) };
    rmd_map_options options = { .size = sizeof options,
                                .next = produce,
                                .sink = consume,
                                .ctx = &m,
                                .window = 1 + draw(dice, 8),
                                .as_completed = m.any,
                                .census = &census };
    HOLDS(rmd_map(pool, &options, RMD_FOREVER) == 0);
    HOLDS(census.ok == MANY && m.next == MANY);
    count(&submitted, MANY);
    count(&wanted_runs, MANY);
    count(&ok, MANY);
}

/* A pool of its own: its threads and its memory go, too. */
static void open_another(uint64_t *dice)
{
    rmd_pool *own;
    if (draw(dice, 50))
        return;
    HOLDS(rmd_pool_open(&own, "threads:2", NULL, RMD_FOREVER) == 0);
    for (int i = 0; i < 10; i++)
        HOLDS(rmd_submit(own, NULL, run, NULL, NULL) == 0);
    count(&wanted_runs, 10);
    HOLDS(rmd_pool_drain(own, RMD_FOREVER) == 0);
    HOLDS(rmd_pool_free(own) == 0);
}

static void (*const doings[])(uint64_t *dice) = {
    wait_for_one, call_one, call_one, use_group, cancel_one, be_late,      nest,
    block_some,   overlook, chain,    take_ends, map,        open_another,
};

static void be_client(void *arg)
{
    uint64_t dice = (seed * 31 + (uint64_t)(uintptr_t)arg) * 2654435769U + 1;
    while (!rmd_deadline_passed(over))
        doings[draw(&dice, sizeof doings / sizeof *doings)](&dice);
}

/* ---- the end ---- */

static void print(void)
{
    printf("%" PRIu64 " submitted, %" PRIu64 " ok, %" PRIu64 " failed, %" PRIu64
           " cancelled, %" PRIu64 " timeout, %" PRIu64 " runs, %" PRIu64 " callbacks, %" PRIu64
           " wrong\n",
           get(&submitted), get(&ok), get(&failed), get(&cancelled), get(&late), get(&runs),
           get(&calls), get(&wrong));
}

static void check_account(void)
{
    rmd_census census;
    HOLDS(rmd_pool_census(pool, &census) == 0);
    HOLDS(rmd_census_balances(&census) && census.queued == 0 && census.running == 0);
    HOLDS(census.submitted == get(&submitted));
    HOLDS(census.ok == get(&ok));
    HOLDS(census.failed == get(&failed));
    HOLDS(census.cancelled == get(&cancelled));
    HOLDS(census.timeout == get(&late));
    HOLDS(get(&runs) == get(&wanted_runs));
    HOLDS(get(&calls) == get(&wanted_calls));
}

int main(int argc, char **argv)
{
    rmd_thread *clients[CLIENTS];
    if (argc < 2)
        return 2;
    over = rmd_after_ms((int64_t)(atof(argv[1]) * 1000));
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 10);
    if (rmd_functions_add(functions) < 0 ||
        rmd_pool_open(&pool, "threads:2", NULL, RMD_FOREVER) < 0)
        return 2;
    for (int i = 0; i < CLIENTS; i++)
        if (rmd_thread_start(&clients[i], be_client, (void *)(uintptr_t)(i + 1), NULL) < 0)
            return 2;
    for (int i = 0; i < CLIENTS; i++) {
        HOLDS(rmd_thread_join(clients[i], RMD_FOREVER) == 0);
        HOLDS(rmd_thread_free(clients[i]) == 0);
    }
    HOLDS(rmd_pool_drain(pool, RMD_FOREVER) == 0);
    check_account();
    HOLDS(rmd_pool_free(pool) == 0);
    print();
    return get(&wrong) ? 1 : 0;
}
