/* SPDX-License-Identifier: MIT */
/* The end of a pool: close, drain, abort, free. */
#include "suite.h"

#include "kit_resources.h"
#include <stdatomic.h>
#include <stdlib.h>

CASE(a_closed_pool_takes_no_work_and_runs_what_it_has, ANY)
{
    gate at = make_gate("a");
    rmd_future *untouched = NULL;
    rmd_pool *pool = open_pool(1);
    rmd_future *runs = begin_at(pool, &at, "gate", "a"), *waits = begin(pool, "count", RMD_ARGS());
    CHECK_EQ(rmd_pool_close(pool), 0);
    CHECK_EQ(rmd_pool_close(pool), 0); /* again is fine */
    CHECK_EQ(try_begin(pool, &untouched, "count", RMD_ARGS(), (rmd_task_options){ 0 }),
             RMD_ECLOSED);
    CHECK(untouched == NULL);
    open_gate(&at);
    CHECK_END(runs, RMD_OUTCOME_OK, 0);
    CHECK_END(waits, RMD_OUTCOME_OK, 0);
    end_pool(pool);
    CHECK_EQ(counted(), 1);
}

CASE(a_drain_runs_what_was_accepted, ANY)
{
    rmd_pool *pool = open_pool(0);
    for (int i = 0; i < 30; i++)
        CHECK_EQ(try_begin(pool, NULL, "count", RMD_ARGS(), (rmd_task_options){ 0 }), 0);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(counted(), 30);
    CHECK_EQ(census_of(pool).ok, 30);
    CHECK_EQ(try_begin(pool, NULL, "count", RMD_ARGS(), (rmd_task_options){ 0 }), RMD_ECLOSED);
    CHECK_EQ(rmd_pool_drain(pool, RMD_NOW), 0); /* again is fine */
    CHECK_EQ(rmd_pool_abort(pool, RMD_NOW), 0);
    CHECK_EQ(rmd_pool_cancel(pool, false), 0);
    CHECK_EQ(rmd_pool_close(pool), 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

/* The only worker is taken, and three more wait. */
static rmd_future *stays[4];

static rmd_pool *open_busy(void)
{
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    stays[0] = begin_at(pool, &at, "gate", "a");
    for (int i = 1; i < 4; i++)
        stays[i] = begin(pool, "count", RMD_ARGS());
    return pool;
}

static void check_all_cancelled(void)
{
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(rmd_future_outcome(stays[i]), RMD_OUTCOME_CANCELLED); /* already */
        CHECK_END(stays[i], RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    }
    CHECK_EQ(counted(), 0);
}

CASE(at_its_deadline_a_drain_cancels_what_is_left, ANY)
{
    rmd_pool *pool = open_busy();
    CHECK_EQ(rmd_pool_drain(pool, rmd_after_ms(20)), RMD_ETIMEDOUT);
    CHECK_EQ(census_of(pool).cancelled, 4);
    check_all_cancelled();
    CHECK_EQ(rmd_pool_drain(pool, RMD_NOW), 0); /* it is drained */
    CHECK_EQ(rmd_pool_free(pool), 0);
}

CASE(a_drain_that_is_told_to_stop_cancels_what_is_left, ANY)
{
    rmd_stop *stop = fired_stop();
    rmd_pool *pool = open_busy();
    rmd_stop_set(stop);
    CHECK_EQ(rmd_pool_drain(pool, RMD_FOREVER), RMD_ECANCELED);
    rmd_stop_set(NULL);
    check_all_cancelled();
    CHECK_EQ(rmd_pool_free(pool), 0);
    CHECK_EQ(rmd_stop_free(stop), 0);
}

CASE(an_abort_cancels_everything, ANY)
{
    rmd_pool *pool = open_busy();
    CHECK_EQ(rmd_pool_abort(pool, soon()), 0);
    check_all_cancelled();
    CHECK_EQ(rmd_pool_abort(pool, RMD_NOW), 0);
    CHECK_EQ(rmd_pool_drain(pool, RMD_NOW), 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

CASE(a_pool_that_is_not_drained_is_not_freed, ANY)
{
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(rmd_pool_free(pool), RMD_EBUSY);
    CHECK_EQ(rmd_pool_close(pool), 0);
    CHECK_EQ(rmd_pool_free(pool), RMD_EBUSY);
    end_pool(pool);
}

CASE(futures_outlive_their_pool, ANY)
{
    rmd_pool *pool = open_pool(0);
    rmd_future *good = begin(pool, "add", RMD_ARGS(2, 3));
    rmd_future *bad = begin_with(pool, "fail", RMD_ARGS(RMD_EIO, "gone"),
                                 (rmd_task_options){ .name = "last" });
    end_pool(pool);
    CHECK_RESULT(good, "5");
    CHECK_EQ(rmd_future_cancel(good), RMD_ETOOLATE);
    CHECK_STR(failure_of(bad).name, "last");
    CHECK_END(good, RMD_OUTCOME_OK, 0);
    CHECK_FAILED(bad, RMD_EIO);
}

/* ---- several threads ---- */

typedef struct ender {
    rmd_pool *pool;
    bool abort;
    int err;
} ender;

static void end_it(void *arg)
{
    ender *e = arg;
    e->err = e->abort ? rmd_pool_abort(e->pool, soon()) : rmd_pool_drain(e->pool, soon());
}

CASE(several_threads_may_drain_a_pool_at_once, ANY)
{
    ender enders[4];
    rmd_thread *threads[4];
    for (int round = 0; round < 10; round++) {
        rmd_pool *pool = open_pool(0);
        for (int i = 0; i < 3; i++)
            CHECK_EQ(try_begin(pool, NULL, "count", RMD_ARGS(), (rmd_task_options){ 0 }), 0);
        for (int i = 0; i < 4; i++) {
            enders[i] = (ender){ .pool = pool, .abort = round % 2 && i == 3 };
            threads[i] = start_thread(end_it, &enders[i]);
        }
        for (int i = 0; i < 4; i++) {
            join_thread(threads[i]);
            CHECK_EQ(enders[i].err, 0);
        }
        rmd_census census = census_of(pool);
        CHECK_EQ(census.ok + census.cancelled, 3);
        CHECK_EQ(rmd_pool_free(pool), 0);
    }
}

CASE(an_abort_does_not_wait_for_a_patient_drain, ANY)
{
    rmd_pool *pool = open_busy();
    ender patient = { .pool = pool };
    rmd_thread *thread = start_thread(end_it, &patient);
    while (try_begin(pool, NULL, "count", RMD_ARGS(), (rmd_task_options){ .full_ms = -1 }) == 0)
        CHECK_EQ(rmd_future_wait(stays[0], rmd_after_ms(1)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_pool_abort(pool, soon()), 0);
    join_thread(thread);
    CHECK_EQ(patient.err, 0);
    check_all_cancelled();
    CHECK_EQ(rmd_pool_free(pool), 0);
}

/* ---- in a task ---- */

static int drain_own_pool(rmd_call *call)
{
    int drained = rmd_pool_drain(works_pool, RMD_FOREVER);
    int aborted = rmd_pool_abort(works_pool, RMD_FOREVER);
    int freed = rmd_pool_free(works_pool);
    return rmd_call_return(call, RMD_LIST_OF(drained, aborted, freed));
}

CASE(a_task_cannot_wait_for_the_end_of_its_pool, CALLS | HERE)
{
    static const rmd_function functions[] = { { .name = "drain_own_pool", .fn = drain_own_pool },
                                              { 0 } };
    char wanted[32];
    REQUIRE(rmd_functions_add(functions) == 0);
    works_pool = open_pool(0);
    rmd_future *future = begin(works_pool, "drain_own_pool", RMD_ARGS());
    snprintf(wanted, sizeof wanted, "[%d, %d, %d]", RMD_EDEADLK, RMD_EDEADLK, RMD_EBUSY);
    CHECK_RESULT(future, wanted);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    check_works(works_pool); /* it was not closed by that */
    end_pool(works_pool);
}

/* Two pools of one worker each: a task of the outer one drains the inner one, whose task waits for
 * another task of the outer one. */
typedef struct two_pools {
    rmd_pool *outer, *inner;
    rmd_future *last;
} two_pools;

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int wait_for_last(void *arg)
{
    return rmd_future_wait(((two_pools *)arg)->last, RMD_FOREVER);
}

static int drain_inner(void *arg)
{
    two_pools *two = arg;
    two->last = submit(two->outer, do_nothing, NULL);
    int err = rmd_submit(two->inner, NULL, wait_for_last, two, NULL);
    return err < 0 ? err : rmd_pool_drain(two->inner, soon());
}

CASE(a_worker_that_drains_another_pool_is_replaced_meanwhile, THREADS)
{
    two_pools two = { .outer = open_pool(1), .inner = open_pool(1) };
    rmd_future *future = submit(two.outer, drain_inner, &two);
    await_workers(future);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    CHECK_END(two.last, RMD_OUTCOME_OK, 0);
    end_pool(two.outer);
    CHECK_EQ(census_of(two.inner).ok, 1);
    CHECK_EQ(rmd_pool_free(two.inner), 0);
}

CASE(tasks_that_do_not_stop_are_named, CALLS | HERE)
{
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    rmd_future *deaf = begin_with(pool, "stubborn", RMD_ARGS("a"),
                                  (rmd_task_options){ .name = "sisyphus" });
    await_arrivals(&at, 1);
    CHECK_EQ(rmd_pool_abort(pool, rmd_after_ms(20)), RMD_ESTUCK);
    CHECK_CONTAINS(rmd_error_detail(), "sisyphus");
    CHECK_EQ(rmd_pool_drain(pool, RMD_NOW), RMD_ESTUCK); /* takes its 2 s */
    CHECK_CONTAINS(rmd_error_detail(), "sisyphus");
    CHECK_EQ(rmd_pool_free(pool), RMD_EBUSY);
    open_gate(&at);
    CHECK_END(deaf, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

/* ---- nothing is left ---- */

static void open_use_and_end(int round)
{
    rmd_future *some[4];
    rmd_pool *pool = open_pool(0);
    for (int i = 0; i < 4; i++)
        some[i] = i % 2 ? begin_with(pool, "fail", RMD_ARGS(RMD_EIO, ""),
                                     (rmd_task_options){ .limits.run_ms_max = 60000 })
                        : begin(pool, "count", RMD_ARGS());
    if (round % 3 == 0)
        CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    else if (round % 3 == 1)
        CHECK_EQ(rmd_pool_abort(pool, soon()), 0);
    else
        CHECK_INT(rmd_pool_drain(pool, rmd_after_ms(1)), <=, 0);
    for (int i = 0; i < 4; i++) {
        CHECK(rmd_future_outcome(some[i]) != RMD_PENDING);
        rmd_future_free(some[i]);
    }
    CHECK_EQ(rmd_pool_free(pool), 0);
}

CASE(of_a_pool_that_was_drained_no_thread_child_descriptor_or_file_is_left, ANY)
{
    kit_resources before;
    CHECK_EQ(counted(), 0); /* its file is there */
    kit_resources_take(&before);
    for (int i = 0; i < 15; i++)
        open_use_and_end(i);
    CHECK_RESOURCES(&before);
}

/* ---- opening ---- */

CASE(what_is_not_understood_in_the_text_of_a_pool_is_named, ANY)
{
    static const struct {
        const char *text, *named;
    } bad[] = {
        { "no_such:2", "no_such" },
        { "", "" },
        { ":2", "" },
        { "%s:0", "%s:0" },
        { "%s:x", "%s:x" },
        { "%s:2x", "%s:2x" },
        { "%s:-1", "%s:-1" },
        { "%s:2?q=1", "q" },
        { "%s:2?queue=0", "queue" },
        { "%s:2?queue=", "queue" },
        { "%s:99999999", "99999999" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[64] = "", named[64] = "";
        rmd_pool *untouched = NULL;
        const char *place = strstr(bad[i].text, "%s");
        snprintf(text, sizeof text, "%s%s", place ? the_kind->name : "",
                 place ? place + 2 : bad[i].text);
        place = strstr(bad[i].named, "%s");
        snprintf(named, sizeof named, "%s", place ? place + 2 : bad[i].named);
        CHECK_EQ(rmd_pool_open(&untouched, text, NULL, RMD_NOW), RMD_EINVAL);
        CHECK_CONTAINS(rmd_error_detail(), named);
        CHECK(untouched == NULL);
    }
}

CASE(by_default_a_pool_has_a_worker_for_each_processor, ANY)
{
    rmd_pool *pool = NULL;
    REQUIRE(rmd_pool_open(&pool, the_kind->name, NULL, soon()) == 0);
    CHECK_INT(rmd_pool_size(pool), >=, 1);
    check_works(pool);
    end_pool(pool);
}

/* ---- each worker's own ---- */

typedef struct set_up {
    atomic_int started, ended;
    int fail_at; /* so many succeed */
} set_up;

static int start_worker(void *arg)
{
    set_up *s = arg;
    int number = atomic_fetch_add(&s->started, 1);
    return number == s->fail_at ? rmd_fail(RMD_EACCES, "no licence") : 0;
}

static void end_worker(void *arg)
{
    set_up *s = arg;
    atomic_fetch_add(&s->ended, 1);
}

CASE(each_worker_is_set_up_before_its_first_task_and_taken_down, THREADS)
{
    set_up s = { .fail_at = -1 };
    rmd_pool *pool = open_pool_with(
        3, (rmd_pool_options){ .start = start_worker, .end = end_worker, .arg = &s });
    CHECK_EQ(atomic_load(&s.started), 3);
    check_works(pool);
    end_pool(pool);
    CHECK_EQ(atomic_load(&s.ended), atomic_load(&s.started));
}

CASE(a_pool_whose_worker_cannot_be_set_up_does_not_open, THREADS)
{
    set_up s = { .fail_at = 1 };
    rmd_pool *untouched = NULL;
    kit_resources before;
    kit_resources_take(&before);
    rmd_pool_options options = {
        .size = sizeof options, .start = start_worker, .end = end_worker, .arg = &s
    };
    CHECK_EQ(try_open(&untouched, 3, &options), RMD_EACCES);
    CHECK_CONTAINS(rmd_error_detail(), "no licence");
    CHECK(untouched == NULL);
    CHECK_EQ(atomic_load(&s.ended), atomic_load(&s.started) - 1);
    CHECK_RESOURCES(&before);
}
