/* SPDX-License-Identifier: MIT */
/* Arguments that make no sense are refused by RMD_EINVAL and a sentence, and harm nothing. */
#include "suite.h"

/* Says what was refused, where it was not. */
#define CHECK_INVALID(call) check_invalid((call), KIT_HERE, #call)

static void check_invalid(int64_t answer, const char *file, int line, const char *call)
{
    if (kit_check_int(answer, "==", RMD_EINVAL, file, line, call))
        kit_check(*rmd_error_detail(), file, line, "a detail says why");
}

CASE(pools_refuse_nonsense, ANY)
{
    rmd_census census;
    rmd_pool *pool = open_pool(0), *untouched = NULL;
    rmd_pool_options short_one = { .size = sizeof short_one - 1 }, zero = { 0 };
    CHECK_INVALID(rmd_pool_open(NULL, the_pool, NULL, RMD_NOW));
    CHECK_INVALID(rmd_pool_open(&untouched, NULL, NULL, RMD_NOW));
    CHECK_INVALID(rmd_pool_open(&untouched, the_pool, &short_one, RMD_NOW));
    CHECK_INVALID(rmd_pool_open(&untouched, the_pool, &zero, RMD_NOW));
    CHECK(untouched == NULL);
    CHECK_INVALID(rmd_pool_close(NULL));
    CHECK_INVALID(rmd_pool_drain(NULL, RMD_NOW));
    CHECK_INVALID(rmd_pool_abort(NULL, RMD_NOW));
    CHECK_INVALID(rmd_pool_cancel(NULL, true));
    CHECK_INVALID(rmd_pool_suspend(NULL));
    CHECK_INVALID(rmd_pool_resume(NULL));
    CHECK_INVALID(rmd_pool_census(NULL, &census));
    CHECK_INVALID(rmd_pool_census(pool, NULL));
    CHECK_INVALID(rmd_pool_statistics(NULL, NULL));
    CHECK_INVALID(rmd_pool_overlooked(NULL, NULL, NULL, NULL));
    CHECK_INVALID(rmd_pool_exec(NULL, NULL, NULL));
    CHECK_INVALID(rmd_pool_call(NULL, NULL, "add", RMD_ARGS(1, 2), NULL));
    CHECK_INVALID(rmd_submit(NULL, NULL, NULL, NULL, NULL));
    CHECK_INVALID(rmd_submit_many(NULL, NULL, NULL, 0, NULL));
    CHECK_INVALID(rmd_then(NULL, NULL, NULL, NULL, NULL, NULL));
    CHECK_INVALID(rmd_map(NULL, NULL, RMD_NOW));
    CHECK_EQ(rmd_pool_size(NULL), 0);
    CHECK_EQ(rmd_pool_free(NULL), 0);
    check_works(pool);
    CHECK_EQ(census_of(pool).submitted, 1);
    end_pool(pool);
}

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int do_nothing_then(rmd_future *first, void *arg)
{
    (void)first;
    return do_nothing(arg);
}

CASE(calls_refuse_nonsense, CALLS)
{
    rmd_future *untouched = NULL;
    rmd_statistics statistics;
    rmd_pool *pool = open_pool(0);
    rmd_task_options wrong = { .size = sizeof wrong + 8 };
    rmd_task_options negative[] = { { .limits.queue_ms_max = -1 },
                                    { .limits.run_ms_max = -1 },
                                    { .limits.total_ms_max = -1 },
                                    { .priority = (rmd_priority)7 } };
    CHECK_INVALID(rmd_pool_call(pool, &untouched, NULL, RMD_ARGS(), NULL));
    CHECK_INVALID(rmd_pool_call(pool, &untouched, "count", RMD_ARGS(), &wrong));
    for (size_t i = 0; i < sizeof negative / sizeof *negative; i++) {
        negative[i].size = sizeof negative[i];
        CHECK_INVALID(rmd_pool_call(pool, &untouched, "count", RMD_ARGS(), &negative[i]));
    }
    CHECK_INVALID(rmd_pool_call(pool, &untouched, "add", ((rmd_args){ NULL, 2, NULL, 0 }), NULL));
    CHECK_INVALID(rmd_pool_statistics(pool, NULL));
    CHECK_INVALID(rmd_pool_overlooked(pool, NULL, NULL, NULL));
    CHECK(rmd_pool_statistics(pool, &statistics) == 0);
    CHECK(untouched == NULL);
    check_works(pool);
    CHECK_EQ(census_of(pool).submitted, 1);
    end_pool(pool);
    CHECK_EQ(counted(), 0);
}

CASE(tasks_by_pointer_refuse_nonsense, THREADS)
{
    rmd_future *untouched = NULL;
    rmd_pool *pool = open_pool(0);
    rmd_task_options wrong = { .size = 8 };
    rmd_task nothing = { NULL, NULL };
    rmd_future *first = begin(pool, "add", RMD_ARGS(1, 1));
    CHECK_INVALID(rmd_submit(pool, &untouched, NULL, NULL, NULL));
    CHECK_INVALID(rmd_submit(pool, &untouched, do_nothing, NULL, &wrong));
    CHECK_INVALID(rmd_submit_many(pool, &untouched, NULL, 1, NULL));
    CHECK_INVALID(rmd_submit_many(pool, &untouched, &nothing, 1, NULL));
    CHECK_INVALID(rmd_then(pool, &untouched, NULL, do_nothing_then, NULL, NULL));
    CHECK_INVALID(rmd_then(pool, &untouched, first, NULL, NULL, NULL));
    CHECK_INVALID(rmd_then(pool, &untouched, first, do_nothing_then, NULL, &wrong));
    CHECK(untouched == NULL);
    CHECK_END(first, RMD_OUTCOME_OK, 0);
    check_works(pool);
    end_pool(pool);
}

static void ignore(rmd_future *future, void *ctx)
{
    (void)future;
    (void)ctx;
}

CASE(futures_refuse_nonsense, ANY)
{
    char byte;
    int number = 0;
    const rmd_exit *account;
    const rmd_value *value;
    rmd_failure failure;
    rmd_executor *no_executor = NULL;
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin(pool, "add", RMD_ARGS(1, 1)), *none[] = { future, NULL };
    CHECK_INVALID(rmd_future_wait(NULL, RMD_NOW));
    CHECK_INVALID(rmd_futures_wait(NULL, 1, RMD_WAIT_ALL, RMD_NOW));
    CHECK_INVALID(rmd_futures_wait(none, 2, RMD_WAIT_ALL, RMD_NOW));
    CHECK_INVALID(rmd_futures_wait(&future, 0, RMD_WAIT_ANY, RMD_NOW));
    CHECK_INVALID(rmd_futures_wait(&future, 1, (rmd_wait_for)7, RMD_NOW));
    CHECK_INVALID(rmd_future_cancel(NULL));
    CHECK_INVALID(rmd_future_on_end(NULL, ignore, NULL));
    CHECK_INVALID(rmd_future_on_end(future, NULL, NULL));
    CHECK_INVALID(rmd_future_on_end_in(NULL, no_executor, ignore, NULL));
    CHECK_INVALID(rmd_future_error(NULL));
    CHECK_INVALID(rmd_future_failure(NULL, &failure));
    CHECK_INVALID(rmd_future_failure(future, NULL));
    CHECK_INVALID(rmd_future_value(NULL, &value));
    CHECK_INVALID(rmd_future_value(future, NULL));
    CHECK_INVALID(rmd_future_get((rmd_future *)NULL, &number));
    CHECK_INVALID(rmd_future_exit(NULL, &account));
    CHECK_INVALID(rmd_future_exit(future, NULL));
    CHECK_INVALID(rmd_future_read(NULL, RMD_STDOUT, 0, &byte, 1));
    CHECK_EQ(rmd_future_outcome(NULL), RMD_PENDING);
    rmd_future_free(NULL);
    CHECK_RESULT(future, "2");
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

CASE(a_task_has_what_its_kind_of_task_has, ANY)
{
    char byte;
    const rmd_exit *account;
    const rmd_value *value;
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin(pool, "add", RMD_ARGS(1, 1));
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    if (the_kind->has & CALLS) {
        CHECK_EQ(rmd_future_exit(future, &account), RMD_ENOTSUP);
        CHECK_EQ(rmd_future_read(future, RMD_STDOUT, 0, &byte, 1), RMD_ENOTSUP);
        CHECK_EQ(rmd_future_value(future, &value), 0);
    } else {
        CHECK_EQ(rmd_future_exit(future, &account), 0);
        CHECK_EQ(rmd_future_value(future, &value), RMD_EINVAL);
    }
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

CASE(a_task_by_pointer_has_no_value, THREADS)
{
    int number = 7;
    rmd_pool *pool = open_pool(0);
    rmd_future *future = submit(pool, do_nothing, NULL);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_INVALID(rmd_future_get(future, &number));
    CHECK_EQ(number, 7);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

CASE(groups_promises_and_completions_refuse_nonsense, ANY)
{
    rmd_census census = { .submitted = 7 };
    rmd_future *future = NULL, *nothing = NULL;
    rmd_promise *promise = NULL;
    rmd_completions *ends = NULL;
    CHECK_INVALID(rmd_group_open(NULL));
    CHECK_INVALID(rmd_group_wait(NULL, RMD_NOW));
    rmd_group_cancel(NULL);
    rmd_group_census(NULL, &census);
    CHECK_EQ(rmd_group_free(NULL), 0);
    CHECK_INVALID(rmd_promise_open(NULL, &future, NULL));
    CHECK_INVALID(rmd_promise_open(&promise, NULL, NULL));
    CHECK_INVALID(rmd_promise_set(NULL, 1));
    CHECK_INVALID(rmd_promise_fail(NULL, RMD_EIO, "no"));
    CHECK(!rmd_promise_cancelled(NULL));
    rmd_promise_free(NULL);
    CHECK_INVALID(rmd_completions_open(NULL, NULL, 0));
    CHECK_INVALID(rmd_completions_open(&ends, NULL, 1));
    CHECK_INVALID(rmd_completions_open(&ends, &nothing, 1));
    CHECK_INVALID(rmd_completions_add(NULL, future));
    CHECK_INVALID(rmd_completions_next(NULL, &future, RMD_NOW));
    CHECK_EQ(rmd_completions_left(NULL), 0);
    rmd_completions_free(NULL);
    CHECK(!promise && !ends && !future);
    REQUIRE(rmd_completions_open(&ends, NULL, 0) == 0);
    CHECK_INVALID(rmd_completions_add(ends, NULL));
    CHECK_INVALID(rmd_completions_next(ends, NULL, RMD_NOW));
    rmd_completions_free(ends);
}

static int no_more(void *ctx, rmd_map_task *task)
{
    (void)ctx;
    (void)task;
    return 0;
}

CASE(maps_refuse_nonsense, ANY)
{
    rmd_pool *pool = open_pool(0);
    rmd_map_options map = { .size = sizeof map };
    CHECK_INVALID(rmd_map(pool, NULL, RMD_NOW));
    CHECK_INVALID(rmd_map(pool, &map, RMD_NOW)); /* no producer */
    map.next = no_more;
    map.size++;
    CHECK_INVALID(rmd_map(pool, &map, RMD_NOW));
    CHECK_INVALID(rmd_map_call(NULL, "add", RMD_ARGS()));
    CHECK_INVALID(rmd_map_submit(NULL, do_nothing, NULL));
    CHECK_INVALID(rmd_map_exec(NULL, NULL));
    map.size = sizeof map;
    CHECK_EQ(rmd_map(pool, &map, soon()), 0);
    end_pool(pool);
}
