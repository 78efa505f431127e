/* SPDX-License-Identifier: MIT */
/* What the cases have in common. */
#include "suite.h"

#include <stdlib.h>

void need(unsigned needs)
{
    char cause[128];
    if ((needs & CALLS) && !(the_kind->has & CALLS)) {
        snprintf(cause, sizeof cause, "a pool of %s calls no functions", the_kind->name);
        SKIP(cause);
    }
    if ((needs & HERE) && !(the_kind->has & HERE)) {
        snprintf(cause, sizeof cause, "a pool of %s runs its work elsewhere", the_kind->name);
        SKIP(cause);
    }
    if ((needs & THREADS) && !(the_kind->has & THREADS)) {
        snprintf(cause, sizeof cause, "a pool of %s takes no pointers", the_kind->name);
        SKIP(cause);
    }
}

/* ---- pools ---- */

int try_open(rmd_pool **pool, unsigned workers, const rmd_pool_options *options)
{
    char text[64];
    if (workers == 0)
        return rmd_pool_open(pool, the_pool, options, soon());
    snprintf(text, sizeof text, "%s:%u", the_kind->name, workers);
    return rmd_pool_open(pool, text, options, soon());
}

rmd_pool *open_pool_with(unsigned workers, rmd_pool_options options)
{
    rmd_pool *pool = NULL;
    options.size = sizeof options;
    if (try_open(&pool, workers, &options) < 0)
        FAIL(rmd_error_detail());
    REQUIRE(pool != NULL);
    return pool;
}

rmd_pool *open_pool(unsigned workers)
{
    return open_pool_with(workers, (rmd_pool_options){ 0 });
}

rmd_census census_of(rmd_pool *pool)
{
    rmd_census census = { 0 };
    CHECK_EQ(rmd_pool_census(pool, &census), 0);
    CHECK(rmd_census_balances(&census));
    return census;
}

void end_pool(rmd_pool *pool)
{
    if (!CHECK_EQ(rmd_pool_drain(pool, soon()), 0))
        FAIL(rmd_error_detail());
    rmd_census census = census_of(pool);
    CHECK_EQ(census.queued + census.running, 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

/* ---- tasks ---- */

int try_begin(rmd_pool *pool, rmd_future **future, const char *work, rmd_args args,
              rmd_task_options options)
{
    options.size = sizeof options;
    return the_kind->begin(pool, future, work, args, &options);
}

rmd_future *begin_with(rmd_pool *pool, const char *work, rmd_args args, rmd_task_options options)
{
    rmd_future *future = NULL;
    if (try_begin(pool, &future, work, args, options) < 0)
        FAIL(rmd_error_detail());
    REQUIRE(future != NULL);
    return future;
}

rmd_future *begin(rmd_pool *pool, const char *work, rmd_args args)
{
    return begin_with(pool, work, args, (rmd_task_options){ 0 });
}

rmd_future *begin_at(rmd_pool *pool, const gate *at, const char *work, const char *name)
{
    rmd_future *future = begin(pool, work, RMD_ARGS(name));
    await_arrivals(at, 1);
    return future;
}

rmd_future *submit_with(rmd_pool *pool, rmd_task_fn *fn, void *arg, rmd_task_options options)
{
    rmd_future *future = NULL;
    options.size = sizeof options;
    if (rmd_submit(pool, &future, fn, arg, &options) < 0)
        FAIL(rmd_error_detail());
    REQUIRE(future != NULL);
    return future;
}

rmd_future *submit(rmd_pool *pool, rmd_task_fn *fn, void *arg)
{
    return submit_with(pool, fn, arg, (rmd_task_options){ 0 });
}

void await_workers(rmd_future *future)
{
    if (!CHECK_EQ(rmd_future_wait(future, soon()), 0)) /* with a deadline nobody helps */
        FAIL(rmd_error_detail());
}

void await(rmd_future *future)
{
    await_workers(future);
    rmd_future_free(future);
}

int failed_with(int code)
{
    return the_kind->failed_with ? the_kind->failed_with : code;
}

rmd_failure failure_of(const rmd_future *future)
{
    rmd_failure failure = { .name = "", .detail = "" };
    CHECK_EQ(rmd_future_failure(future, &failure), 0);
    return failure;
}

void check_end(rmd_future *future, rmd_outcome outcome, int error, const char *file, int line)
{
    kit_require(rmd_future_wait(future, soon()) == 0, file, line, "the task ends");
    bool right = kit_check_str(rmd_outcome_name(rmd_future_outcome(future)),
                               rmd_outcome_name(outcome), file, line, "the outcome");
    int found = rmd_future_error(future);
    right &= kit_check_int(found, "==", error, file, line, "the error");
    if (!right)
        kit_check(false, file, line, found < 0 ? rmd_error_detail() : "it has no error");
    rmd_future_free(future);
}

void check_result(rmd_future *future, const char *text, const char *file, int line)
{
    char found[256] = "";
    kit_require(rmd_future_wait(future, soon()) == 0, file, line, "the task ends");
    the_kind->result(future, found, sizeof found);
    kit_check_str(found, text, file, line, "the result");
}

void check_works(rmd_pool *pool)
{
    rmd_future *future = begin(pool, "add", RMD_ARGS(1, 2));
    CHECK_RESULT(future, "3");
    CHECK_END(future, RMD_OUTCOME_OK, 0);
}

/* ---- threads, and time ---- */

rmd_thread *start_thread(void (*fn)(void *arg), void *arg)
{
    rmd_thread *thread = NULL;
    REQUIRE(rmd_thread_start(&thread, fn, arg, NULL) == 0);
    return thread;
}

void join_thread(rmd_thread *thread)
{
    CHECK_EQ(rmd_thread_join(thread, soon()), 0);
    CHECK_EQ(rmd_thread_free(thread), 0);
}

int64_t now_ns(void)
{
    return rmd_after_ns(0).ns;
}

rmd_stop *fired_stop(void)
{
    rmd_stop *stop = NULL;
    REQUIRE(rmd_stop_open(&stop) == 0);
    CHECK_EQ(rmd_stop_request(stop), 0);
    return stop;
}
