/* SPDX-License-Identifier: MIT */
/* Map: a producer, tasks, a sink; in order or as completed, and never more than a window. */
#include "suite.h"

#include <sched.h>

/* What producer and sink share. They run on one thread, so nothing is locked. */
typedef struct numbers {
    int at, end;          /* the next one, and where it is over: < 0: never */
    int fail_at, stop_at; /* the producer fails, the sink has enough; < 0: never */
    const char *work;     /* NULL: add */
    unsigned under_way, peak;
    int seen[256]; /* how often the sink got each index */
    int count, ok, wrong_order;
    gate *gates;
} numbers;

static int next_number(void *ctx, rmd_map_task *task)
{
    numbers *n = ctx;
    if (n->at == n->fail_at)
        return rmd_fail(-1234, "the producer is tired");
    if (n->at == n->end)
        return 0;
    int given = !n->work ? the_kind->map(task, "add", RMD_ARGS(n->at, 1))
                : strcmp(n->work, "fail") == 0
                    ? the_kind->map(task, "fail", RMD_ARGS(RMD_EIO, "no"))
                    : the_kind->map(task, n->work, RMD_ARGS("a"));
    if (given < 0)
        return given;
    n->at++;
    n->under_way++;
    n->peak = n->under_way > n->peak ? n->under_way : n->peak;
    return given;
}

static int take_number(void *ctx, rmd_future *future, uint64_t index)
{
    char wanted[16], found[16] = "";
    numbers *n = ctx;
    n->under_way--;
    n->wrong_order += index != (uint64_t)n->count;
    n->count++;
    if (index < 256)
        n->seen[index]++;
    CHECK(rmd_future_outcome(future) != RMD_PENDING);
    if (rmd_future_outcome(future) == RMD_OUTCOME_OK) {
        n->ok++;
        snprintf(wanted, sizeof wanted, "%d", (int)index + 1);
        the_kind->result(future, found, sizeof found);
        CHECK_STR(found, n->work ? "" : wanted);
    }
    return n->count == n->stop_at ? rmd_fail(-777, "enough") : 0;
}

static numbers up_to(int end)
{
    return (numbers){ .end = end, .fail_at = -1, .stop_at = -1 };
}

static int map_with(rmd_pool *pool, numbers *n, rmd_map_options options)
{
    options.size = sizeof options;
    options.next = next_number;
    options.sink = options.sink == NULL ? take_number : options.sink;
    options.ctx = n;
    return rmd_map(pool, &options, soon());
}

static void check_each_once(const numbers *n, int end)
{
    CHECK_EQ(n->count, end);
    for (int i = 0; i < end && i < 256; i++)
        CHECK_EQ(n->seen[i], 1);
}

CASE(a_map_gives_results_in_the_order_of_the_producer, ANY)
{
    numbers n = up_to(60);
    rmd_census census = { 0 };
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(map_with(pool, &n, (rmd_map_options){ .census = &census }), 0);
    check_each_once(&n, 60);
    CHECK_EQ(n.wrong_order, 0);
    CHECK_EQ(n.ok, 60);
    CHECK_INT(n.peak, <=, 256 * rmd_pool_size(pool));
    CHECK_EQ(census.submitted, 60);
    CHECK_EQ(census.ok, 60);
    CHECK_EQ(census_of(pool).ok, 60);
    end_pool(pool);
}

CASE(a_map_gives_each_result_once_as_they_end, ANY)
{
    numbers n = up_to(60);
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(map_with(pool, &n, (rmd_map_options){ .as_completed = true, .window = 16 }), 0);
    check_each_once(&n, 60);
    CHECK_EQ(n.ok, 60);
    CHECK_INT(n.peak, <=, 16);
    end_pool(pool);
}

CASE(a_map_without_tasks_is_over_at_once, ANY)
{
    numbers n = up_to(0);
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(map_with(pool, &n, (rmd_map_options){ 0 }), 0);
    CHECK_EQ(n.count, 0);
    end_pool(pool);
}

CASE(a_map_of_one_at_a_time_is_a_loop, ANY)
{
    numbers n = up_to(10);
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(map_with(pool, &n, (rmd_map_options){ .window = 1, .as_completed = true }), 0);
    check_each_once(&n, 10);
    CHECK_EQ(n.peak, 1);
    CHECK_EQ(n.wrong_order, 0);
    end_pool(pool);
}

CASE(a_producer_without_an_end_is_asked_for_no_more_than_the_window, ANY)
{
    numbers n = up_to(-1);
    n.stop_at = 100;
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(map_with(pool, &n, (rmd_map_options){ .window = 8 }), -777);
    CHECK_STR(rmd_error_detail(), "enough");
    CHECK_INT(n.peak, <=, 8);
    CHECK_INT(n.at, <=, 100 + 8);
    rmd_census census = census_of(pool);
    CHECK_EQ(census.submitted, n.at);
    CHECK_EQ(census.queued + census.running, 0); /* those under way have ended */
    end_pool(pool);
}

CASE(after_a_sink_has_failed_it_is_not_called_again, ANY)
{
    numbers n = up_to(50);
    n.stop_at = 3;
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(map_with(pool, &n, (rmd_map_options){ .as_completed = true }), -777);
    CHECK_EQ(n.count, 3);
    CHECK_EQ(census_of(pool).queued + census_of(pool).running, 0);
    end_pool(pool);
}

CASE(what_is_under_way_when_a_producer_fails_goes_through_the_sink, ANY)
{
    rmd_census census = { 0 };
    numbers n = up_to(-1);
    n.fail_at = 20;
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(map_with(pool, &n, (rmd_map_options){ .census = &census }), -1234);
    CHECK_STR(rmd_error_detail(), "the producer is tired");
    check_each_once(&n, 20);
    CHECK_EQ(n.wrong_order, 0);
    CHECK_EQ(census.submitted, 20);
    CHECK_EQ(census.ok, n.ok);
    CHECK_EQ(census.ok + census.cancelled, 20);
    end_pool(pool);
}

CASE(a_task_that_fails_is_the_sinks_affair, ANY)
{
    rmd_census census = { 0 };
    numbers n = up_to(10);
    n.work = "fail";
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(map_with(pool, &n, (rmd_map_options){ .census = &census }), 0);
    check_each_once(&n, 10);
    CHECK_EQ(n.ok, 0);
    CHECK_EQ(census.failed, 10);
    end_pool(pool);
}

CASE(without_a_sink_the_first_failure_ends_the_map, ANY)
{
    rmd_census census = { 0 };
    numbers n = up_to(-1);
    n.work = "fail";
    rmd_pool *pool = open_pool(0);
    rmd_map_options options = {
        .size = sizeof options, .next = next_number, .ctx = &n, .window = 4, .census = &census
    };
    CHECK_EQ(rmd_map(pool, &options, soon()), failed_with(RMD_EIO));
    CHECK_INT(census.submitted, <=, 8);
    CHECK_EQ(census.submitted, n.at);
    n = up_to(10);
    options.census = NULL;
    CHECK_EQ(rmd_map(pool, &options, soon()), 0);
    CHECK_EQ(n.at, 10);
    end_pool(pool);
}

CASE(at_its_deadline_a_map_cancels_what_is_under_way, ANY)
{
    numbers n = up_to(-1);
    rmd_census census = { 0 };
    make_gate("a");
    n.work = "gate";
    rmd_pool *pool = open_pool(0);
    rmd_map_options options = { .size = sizeof options,
                                .next = next_number,
                                .ctx = &n,
                                .sink = take_number,
                                .window = 3,
                                .census = &census };
    CHECK_EQ(rmd_map(pool, &options, rmd_after_ms(30)), RMD_ETIMEDOUT);
    CHECK_EQ(n.count, n.at); /* they have been through the sink */
    CHECK_EQ(census.cancelled, n.at);
    CHECK_EQ(census_of(pool).queued + census_of(pool).running, 0);
    end_pool(pool);
}

CASE(a_map_that_is_told_to_stop_cancels_what_is_under_way, ANY)
{
    numbers n = up_to(-1);
    rmd_stop *stop = fired_stop();
    make_gate("a");
    n.work = "gate";
    rmd_pool *pool = open_pool(0);
    rmd_stop_set(stop);
    CHECK_EQ(map_with(pool, &n, (rmd_map_options){ .window = 3 }), RMD_ECANCELED);
    rmd_stop_set(NULL);
    CHECK_EQ(n.count, n.at);
    CHECK_EQ(n.ok, 0);
    CHECK_EQ(rmd_stop_free(stop), 0);
    end_pool(pool);
}

/* A sink so slow that all others have ended when it is called. */
static int wait_for_the_rest(void *ctx, rmd_future *future, uint64_t index)
{
    rmd_pool *pool = ctx;
    (void)future;
    (void)index;
    while (census_of(pool).running + census_of(pool).queued)
        sched_yield();
    return 0;
}

static int next_add(void *ctx, rmd_map_task *task)
{
    (void)ctx;
    return the_kind->map(task, "add", RMD_ARGS(1, 2));
}

static void check_slow_sink(bool as_completed, rmd_deadline deadline, rmd_stop *stop, int error)
{
    rmd_pool *pool = open_pool(0);
    rmd_map_options options = { .size = sizeof options,
                                .next = next_add,
                                .sink = wait_for_the_rest,
                                .ctx = pool,
                                .window = 2,
                                .as_completed = as_completed };
    rmd_stop_set(stop);
    CHECK_EQ(rmd_map(pool, &options, deadline), error);
    rmd_stop_set(NULL);
    CHECK_EQ(census_of(pool).queued + census_of(pool).running, 0);
    end_pool(pool);
}

CASE(a_map_without_an_end_ends_at_its_deadline_whatever_its_sink_waits_for, ANY)
{
    check_slow_sink(false, rmd_after_ms(30), NULL, RMD_ETIMEDOUT);
    check_slow_sink(true, rmd_after_ms(30), NULL, RMD_ETIMEDOUT);
}

CASE(a_map_without_an_end_ends_when_told_to_whatever_its_sink_waits_for, ANY)
{
    rmd_stop *stop = fired_stop();
    check_slow_sink(false, soon(), stop, RMD_ECANCELED);
    check_slow_sink(true, soon(), stop, RMD_ECANCELED);
    CHECK_EQ(rmd_stop_free(stop), 0);
}

CASE(a_map_does_not_wait_for_room_beyond_its_deadline, ANY)
{
    numbers n = up_to(-1);
    gate at = make_gate("b");
    rmd_pool *pool = open_pool_with(1, (rmd_pool_options){ .queue_max = 1 });
    rmd_future *busy = begin_at(pool, &at, "gate", "b"), *waits = begin(pool, "count", RMD_ARGS());
    rmd_map_options options = { .size = sizeof options, .next = next_number, .ctx = &n };
    CHECK_EQ(rmd_map(pool, &options, rmd_after_ms(30)), RMD_ETIMEDOUT);
    CHECK_EQ(n.at, 0);
    CHECK_EQ(rmd_map(pool, &options, RMD_NOW), RMD_ETIMEDOUT);
    open_gate(&at);
    CHECK_END(busy, RMD_OUTCOME_OK, 0);
    CHECK_END(waits, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

CASE(a_map_on_a_closed_pool_is_refused, ANY)
{
    numbers n = up_to(5);
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(rmd_pool_close(pool), 0);
    CHECK_EQ(map_with(pool, &n, (rmd_map_options){ 0 }), RMD_ECLOSED);
    CHECK_EQ(n.count, 0);
    end_pool(pool);
}

/* Lets go the one behind which the others are held up. */
static int take_and_open(void *ctx, rmd_future *future, uint64_t index)
{
    numbers *n = ctx;
    (void)future;
    n->wrong_order += index != (uint64_t)n->count++;
    if (index == 1)
        open_gate(n->gates);
    return 0;
}

static int next_gated(void *ctx, rmd_map_task *task)
{
    numbers *n = ctx;
    if (n->at == 3)
        return 0;
    n->at++;
    return n->at == 1 ? the_kind->map(task, "gate", RMD_ARGS("a"))
                      : the_kind->map(task, "add", RMD_ARGS(n->at, 1));
}

CASE(as_completed_a_slow_task_holds_up_nobody, ANY)
{
    gate at = make_gate("a");
    numbers n = { .gates = &at };
    rmd_pool *pool = open_pool(3);
    rmd_map_options options = { .size = sizeof options,
                                .next = next_gated,
                                .ctx = &n,
                                .sink = take_and_open,
                                .as_completed = true,
                                .window = 3 };
    CHECK_EQ(rmd_map(pool, &options, soon()), 0);
    CHECK_EQ(n.count, 3);
    CHECK_INT(n.wrong_order, >=, 1);
    end_pool(pool);
}

CASE(tasks_of_a_map_take_its_options, CALLS)
{
    numbers n = up_to(4);
    rmd_census census = { 0 };
    make_gate("a");
    n.work = "gate";
    rmd_pool *pool = open_pool(0);
    rmd_map_options options = { .census = &census, .task.limits.run_ms_max = 20 };
    CHECK_EQ(map_with(pool, &n, options), 0);
    CHECK_EQ(n.count, 4);
    CHECK_EQ(census.timeout, 4);
    end_pool(pool);
}

/* What a producer may not do. */
static int give_twice(void *ctx, rmd_map_task *task)
{
    int *errs = ctx;
    errs[0] = the_kind->map(task, "add", RMD_ARGS(1, 2));
    errs[1] = the_kind->map(task, "add", RMD_ARGS(1, 2));
    return errs[1];
}

static int give_none(void *ctx, rmd_map_task *task)
{
    (void)ctx;
    (void)task;
    return 1;
}

CASE(a_producer_that_gives_two_tasks_at_once_or_none_is_refused, ANY)
{
    int errs[2] = { 0 };
    rmd_pool *pool = open_pool(0);
    rmd_map_options options = { .size = sizeof options, .next = give_twice, .ctx = errs };
    CHECK_EQ(rmd_map(pool, &options, soon()), RMD_EINVAL);
    CHECK_EQ(errs[0], 1);
    CHECK_EQ(errs[1], RMD_EINVAL);
    options.next = give_none;
    CHECK_EQ(rmd_map(pool, &options, soon()), RMD_EINVAL);
    check_works(pool);
    end_pool(pool);
}

/* ---- by pointers, and inside a task ---- */

static int square(void *arg)
{
    int *n = arg;
    *n *= *n;
    return 0;
}

typedef struct squares {
    rmd_pool *pool;
    int values[20], at;
} squares;

static int next_square(void *ctx, rmd_map_task *task)
{
    squares *s = ctx;
    if (s->at == 20)
        return 0;
    s->values[s->at] = s->at;
    return rmd_map_submit(task, square, &s->values[s->at++]);
}

static int map_squares(void *arg)
{
    squares *s = arg;
    rmd_map_options options = { .size = sizeof options, .next = next_square, .ctx = s };
    return rmd_map(s->pool, &options, RMD_FOREVER);
}

CASE(a_map_may_run_inside_a_task_on_the_only_worker, THREADS)
{
    squares s = { .pool = open_pool(1) };
    rmd_future *future = submit(s.pool, map_squares, &s);
    await_workers(future);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(s.values[i], i * i);
    end_pool(s.pool);
}
