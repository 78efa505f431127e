/* SPDX-License-Identifier: MIT */
/* A map returns when nothing is left: each task has been through the sink, also those that tasks
 * have added, whoever ends last, the producer on its own thread or a worker. */
#include "pool_stage.h"
#include "sync/stop.h"

/* The sink's, on the calling thread; and the producer's. */
static int given, produced, to_produce, window_max;
static bool in_order, end_comes_with_last;

static int add_two(void *arg)
{
    run(arg);
    int err = rmd_task_add(run, NULL);
    if (err == 0)
        err = rmd_task_add(run, NULL);
    RMD_ASSERT(err == 0 || err == RMD_ENOMEM);
    return err;
}

static int add_one_that_adds(void *arg)
{
    run(arg);
    return rmd_task_add(add_two, NULL);
}

static int next(void *ctx, rmd_map_task *task)
{
    if (RMD_PLAIN(produced) == to_produce)
        return 0;
    RMD_PLAIN_SET(produced, RMD_PLAIN(produced) + 1);
    int err = rmd_map_submit(task, *(rmd_task_fn **)ctx, NULL);
    bool last = RMD_PLAIN(produced) == to_produce;
    return err == 1 && last ? !end_comes_with_last : err;
}

static int sink(void *ctx, rmd_future *future, uint64_t index)
{
    (void)ctx;
    RMD_ASSERT(rmd_future_outcome(future) == RMD_OUTCOME_OK);
    RMD_ASSERT(!in_order || index == (uint64_t)given);
    given++;
    return 0;
}

/* What the first has added waits for the producer's second, which comes when that has begun, and so
 * perhaps when more of it waits in the backlog. */
static int stand(void *arg)
{
    rmdi_event_set(&stage.begun);
    int err = rmdi_event_wait(&stage.gate, RMD_FOREVER);
    return err < 0 ? err : run(arg);
}

static int add_one_that_stands(void *arg)
{
    run(arg);
    int err = rmd_task_add(stand, NULL);
    return err == 0 ? rmd_task_add(run, NULL) : err;
}

static int let_go(void *arg)
{
    rmdi_event_set(&stage.gate);
    return run(arg);
}

static int next_that_lets_go(void *ctx, rmd_map_task *task)
{
    (void)ctx;
    int n = RMD_PLAIN(produced);
    RMD_PLAIN_SET(produced, n + 1);
    if (n == 1)
        RMD_ASSERT(rmdi_event_wait(&stage.begun, RMD_FOREVER) == 0);
    return n == 2 ? 0 : rmd_map_submit(task, n == 0 ? add_one_that_stands : let_go, NULL);
}

HARNESS(map_with_an_empty_backlog_lets_its_producer_go_on, .steps_max = 40000)
{
    rmd_map_options options = { .size = sizeof options,
                                .next = next_that_lets_go,
                                .sink = sink,
                                .window = 4,
                                .producer_thread = true };
    open_pool("threads:2");
    given = produced = 0;
    in_order = true;
    RMD_ASSERT(rmd_map(stage.pool, &options, RMD_FOREVER) == 0);
    RMD_ASSERT(given == 4 && runs() == 4);
    close_pool(4);
}

static int fail_at_once(void *ctx, rmd_future *future, uint64_t index)
{
    (void)ctx;
    (void)future;
    (void)index;
    given++;
    return rmd_fail(cause, "enough");
}

static rmd_map_options options_for(rmd_task_fn **fn, int tasks)
{
    given = produced = 0;
    to_produce = tasks;
    in_order = rmd_explore_choose(2);
    end_comes_with_last = rmd_explore_choose(2);
    window_max = 1 + (int)rmd_explore_choose(2);
    return (rmd_map_options){ .size = sizeof(rmd_map_options),
                              .next = next,
                              .sink = sink,
                              .ctx = fn,
                              .window = (unsigned)window_max,
                              .as_completed = !in_order };
}

static void map_all(rmd_task_fn *fn, int roots, int all, bool producer_thread)
{
    rmd_map_options options = options_for(&fn, roots);
    rmd_map_account account;
    options.producer_thread = producer_thread;
    options.account = &account;
    RMD_ASSERT(rmd_map(stage.pool, &options, RMD_FOREVER) == 0);
    RMD_ASSERT(given == all && runs() == all);
    RMD_ASSERT(account.given == (uint64_t)all && account.added == (uint64_t)(all - roots));
    RMD_ASSERT(account.produced && !account.waiting && !account.bytes);
    close_pool((uint64_t)all);
}

HARNESS(map_gives_all_that_its_producer_gives, .steps_max = 40000)
{
    open_pool("threads:2");
    map_all(run, 3, 3, false);
}

HARNESS(map_gives_all_that_its_tasks_add, .steps_max = 40000)
{
    open_pool(rmd_explore_choose(2) ? "threads:1" : "threads:2");
    map_all(add_one_that_adds, 1, 4, false);
}

HARNESS(map_with_a_producer_thread_gives_all, .steps_max = 40000)
{
    open_pool("threads:1");
    map_all(run, 2, 2, true);
}

HARNESS(map_with_a_producer_thread_gives_all_that_its_tasks_add, .steps_max = 40000)
{
    open_pool("threads:1");
    map_all(add_two, 1, 3, true);
}

static int take_what_comes(void *ctx, rmd_future *future, uint64_t index)
{
    (void)ctx;
    (void)index;
    RMD_ASSERT(rmd_future_outcome(future) != RMD_PENDING);
    given++;
    return 0;
}

/* Ended by the sink, by the deadline (time jumps), or by another thread. */
static void end_early(bool producer_thread)
{
    rmd_task_fn *fn = add_two;
    rmd_map_account account;
    rmd_map_options options = options_for(&fn, 2);
    options.producer_thread = producer_thread;
    options.account = &account;
    bool by_sink = rmd_explore_choose(2);
    options.sink = by_sink ? fail_at_once : take_what_comes;
    int err = rmd_map(stage.pool, &options, by_sink ? RMD_FOREVER : rmd_after_ms(1));
    RMD_ASSERT(by_sink ? err == cause && given == 1 : err == 0 || err == RMD_ETIMEDOUT);
    RMD_ASSERT(rmd_census_balances(&account.census) && account.census.queued == 0);
    RMD_ASSERT(account.census.running == 0 && account.given == account.census.submitted);
    RMD_ASSERT(!account.waiting);
    close_pool(account.census.submitted);
}

HARNESS(map_that_ends_early_leaves_nothing_under_way, .steps_max = 40000)
{
    open_pool("threads:2");
    end_early(false);
}

HARNESS(map_with_a_producer_thread_that_ends_early_leaves_nothing_under_way, .steps_max = 40000)
{
    open_pool("threads:1");
    end_early(true);
}

static void stop_it(void *stop)
{
    (void)rmd_stop_request(stop);
}

HARNESS(map_that_is_told_to_stop_ends, .steps_max = 40000)
{
    crew all = { 0 };
    rmd_stop stop = { 0 };
    rmd_task_fn *fn = run;
    open_pool("threads:1");
    rmd_map_account account;
    rmd_map_options options = options_for(&fn, 2);
    options.producer_thread = true;
    options.account = &account;
    options.sink = take_what_comes;
    crew_add(&all, stop_it, &stop, "stops");
    rmd_stop *before = rmd_stop_set(&stop);
    int err = rmd_map(stage.pool, &options, RMD_FOREVER);
    rmd_stop_set(before);
    RMD_ASSERT(err == 0 || err == RMD_ECANCELED);
    crew_join(&all);
    RMD_ASSERT(account.given == account.census.submitted && given <= 2);
    close_pool(account.census.submitted);
}

HARNESS(map_without_memory_leaves_nothing, .steps_max = 40000, .faults_max = 1,
        .fail_allocations = true)
{
    rmd_task_fn *fn = add_two;
    clear_stage();
    if (rmd_pool_open(&stage.pool, "threads:1", NULL, RMD_FOREVER) < 0)
        return;
    rmd_map_account account = { 0 };
    rmd_map_options options = options_for(&fn, 1);
    options.sink = take_what_comes;
    options.producer_thread = rmd_explore_choose(2);
    options.account = &account;
    int err = rmd_map(stage.pool, &options, RMD_FOREVER);
    RMD_ASSERT(err == 0 || err == RMD_ENOMEM || err == RMD_EAGAIN);
    RMD_ASSERT(account.given == account.census.submitted);
    close_pool(account.census.submitted);
}
