/* SPDX-License-Identifier: MIT */
/* Waiting: for one task and for several, by one thread and by many. */
#include "suite.h"

CASE(a_wait_that_times_out_changes_nothing, ANY)
{
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin_at(pool, &at, "gate", "a");
    CHECK_EQ(rmd_future_wait(future, RMD_NOW), RMD_ETIMEDOUT);
    int64_t before = now_ns();
    CHECK_EQ(rmd_future_wait(future, rmd_after_ms(20)), RMD_ETIMEDOUT);
    CHECK_INT(now_ns() - before, >=, 20 * 1000000);
    CHECK_EQ(rmd_future_outcome(future), RMD_PENDING);
    open_gate(&at);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_wait(future, RMD_NOW), 0); /* again is fine */
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

static void wait_for_it(void *future)
{
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_OK);
}

CASE(many_threads_may_wait_for_one_task, ANY)
{
    enum { WAITERS = 8 };
    rmd_thread *threads[WAITERS];
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin_at(pool, &at, "gate", "a");
    for (int i = 0; i < WAITERS; i++)
        threads[i] = start_thread(wait_for_it, future);
    CHECK_EQ(rmd_future_wait(future, rmd_after_ms(10)), RMD_ETIMEDOUT);
    open_gate(&at);
    for (int i = 0; i < WAITERS; i++)
        join_thread(threads[i]);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

CASE(a_thread_that_is_told_to_stop_wakes_from_its_wait, ANY)
{
    gate at = make_gate("a");
    rmd_stop *stop = fired_stop();
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin_at(pool, &at, "gate", "a");
    rmd_stop_set(stop);
    CHECK_EQ(rmd_future_wait(future, RMD_FOREVER), RMD_ECANCELED);
    CHECK_EQ(rmd_futures_wait(&future, 1, RMD_WAIT_ALL, RMD_FOREVER), RMD_ECANCELED);
    rmd_stop_set(NULL);
    CHECK_EQ(rmd_future_outcome(future), RMD_PENDING); /* the task was not told */
    open_gate(&at);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    CHECK_EQ(rmd_stop_free(stop), 0);
    end_pool(pool);
}

/* ---- of what nobody runs yet ---- */

/* A thread that waits may run what it waits for, but not if it may not wait so long. */
static rmd_future *begin_behind(rmd_pool *pool, const gate *at, rmd_future **runs, rmd_group *group)
{
    *runs = begin_at(pool, at, "gate", "a");
    return begin_with(pool, "gate", RMD_ARGS("b"), (rmd_task_options){ .group = group });
}

CASE(a_wait_ends_at_its_deadline_although_nobody_runs_the_task, ANY)
{
    rmd_group *group;
    rmd_completions *ends;
    rmd_future *runs, *next = NULL;
    gate at = make_gate("a"), behind = make_gate("b");
    rmd_pool *pool = open_pool(1);
    REQUIRE(rmd_group_open(&group) == 0);
    rmd_future *waits = begin_behind(pool, &at, &runs, group);
    REQUIRE(rmd_completions_open(&ends, &waits, 1) == 0);
    CHECK_EQ(rmd_future_wait(waits, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_future_wait(waits, rmd_after_ms(10)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_futures_wait(&waits, 1, RMD_WAIT_ALL, rmd_after_ms(10)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_futures_wait(&waits, 1, RMD_WAIT_ANY, rmd_after_ms(10)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_completions_next(ends, &next, rmd_after_ms(10)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_group_wait(group, rmd_after_ms(10)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_future_state(waits), RMD_STATE_QUEUED);
    open_gate(&at);
    open_gate(&behind);
    CHECK_END(runs, RMD_OUTCOME_OK, 0);
    CHECK_EQ(rmd_completions_next(ends, &next, soon()), 0);
    CHECK(next == waits);
    rmd_completions_free(ends);
    CHECK_EQ(rmd_group_wait(group, soon()), 0);
    CHECK_END(waits, RMD_OUTCOME_OK, 0);
    CHECK_EQ(rmd_group_free(group), 0);
    end_pool(pool);
}

typedef struct patient {
    rmd_future *future;
    int err;
} patient;

static void wait_for_ever(void *arg)
{
    patient *p = arg;
    p->err = rmd_future_wait(p->future, RMD_FOREVER);
}

CASE(a_wait_for_a_task_that_nobody_runs_wakes_when_told_to_stop, ANY)
{
    rmd_future *runs;
    gate at = make_gate("a"), behind = make_gate("b");
    rmd_pool *pool = open_pool(1);
    patient p = { .future = begin_behind(pool, &at, &runs, NULL) };
    rmd_thread *thread = start_thread(wait_for_ever, &p);
    CHECK_EQ(rmd_thread_join(thread, rmd_after_ms(20)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_thread_stop(thread), 0);
    join_thread(thread);
    CHECK_EQ(p.err, RMD_ECANCELED);
    CHECK_EQ(rmd_future_outcome(p.future), RMD_PENDING);
    open_gate(&at);
    open_gate(&behind);
    CHECK_END(runs, RMD_OUTCOME_OK, 0);
    CHECK_END(p.future, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

static void set_later(void *promise)
{
    CHECK_EQ(rmd_promise_set_value(promise, RMD_VALUE(1)), 0);
}

CASE(any_of_several_does_not_depend_on_one_that_nobody_runs, ANY)
{
    rmd_completions *ends;
    rmd_promise *promise;
    rmd_future *runs, *next = NULL, *some[2];
    gate at = make_gate("a"), behind = make_gate("b");
    rmd_pool *pool = open_pool(1);
    some[0] = begin_behind(pool, &at, &runs, NULL);
    REQUIRE(rmd_promise_open(&promise, &some[1], NULL) == 0);
    REQUIRE(rmd_completions_open(&ends, some, 2) == 0);
    rmd_thread *thread = start_thread(set_later, promise);
    CHECK_EQ(rmd_futures_wait(some, 2, RMD_WAIT_ANY, RMD_FOREVER), 1);
    CHECK_EQ(rmd_completions_next(ends, &next, RMD_FOREVER), 0);
    CHECK(next == some[1]);
    join_thread(thread);
    rmd_completions_free(ends);
    rmd_promise_free(promise);
    open_gate(&at);
    open_gate(&behind);
    CHECK_END(runs, RMD_OUTCOME_OK, 0);
    CHECK_END(some[0], RMD_OUTCOME_OK, 0);
    CHECK_END(some[1], RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

/* ---- several ---- */

/* Three that stand at gates of their own. */
static gate gates[3];
static rmd_future *stand[3];

static rmd_pool *open_three(void)
{
    static const char *const names[] = { "a", "b", "c" };
    rmd_pool *pool = open_pool(3);
    for (int i = 0; i < 3; i++) {
        gates[i] = make_gate(names[i]);
        stand[i] = begin_at(pool, &gates[i], "gate", names[i]);
    }
    return pool;
}

static void end_three(rmd_pool *pool)
{
    for (int i = 0; i < 3; i++)
        CHECK_END(stand[i], RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

CASE(of_several_the_first_that_has_ended_is_told, ANY)
{
    rmd_pool *pool = open_three();
    CHECK_EQ(rmd_futures_wait(stand, 3, RMD_WAIT_ANY, rmd_after_ms(10)), RMD_ETIMEDOUT);
    open_gate(&gates[1]);
    CHECK_EQ(rmd_futures_wait(stand, 3, RMD_WAIT_ANY, soon()), 1);
    CHECK_EQ(rmd_futures_wait(stand, 3, RMD_WAIT_ALL, rmd_after_ms(10)), RMD_ETIMEDOUT);
    open_gate(&gates[0]);
    CHECK_EQ(rmd_future_wait(stand[0], soon()), 0);
    CHECK_EQ(rmd_futures_wait(stand, 3, RMD_WAIT_ANY, RMD_NOW), 0); /* the first in the array */
    open_gate(&gates[2]);
    end_three(pool);
}

static void open_one_after_another(void *arg)
{
    (void)arg;
    for (int i = 2; i >= 0; i--)
        open_gate(&gates[i]);
}

CASE(a_wait_for_all_ends_when_all_have_ended, ANY)
{
    rmd_pool *pool = open_three();
    rmd_thread *opener = start_thread(open_one_after_another, NULL);
    CHECK_EQ(rmd_futures_wait(stand, 3, RMD_WAIT_ALL, soon()), 3);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rmd_future_outcome(stand[i]), RMD_OUTCOME_OK);
    CHECK_EQ(rmd_futures_wait(stand, 3, RMD_WAIT_ALL, RMD_NOW), 3);
    CHECK_EQ(rmd_futures_wait(NULL, 0, RMD_WAIT_ALL, RMD_NOW), 0);
    join_thread(opener);
    end_three(pool);
}

CASE(a_wait_for_the_first_failure_ends_with_it_or_with_all, ANY)
{
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(2);
    rmd_future *some[3];
    some[0] = begin(pool, "add", RMD_ARGS(1, 1));
    some[1] = begin_at(pool, &at, "gate", "a");
    some[2] = begin(pool, "fail", RMD_ARGS(RMD_EIO, "third"));
    CHECK_EQ(rmd_futures_wait(some, 3, RMD_WAIT_FIRST_FAILURE, soon()), 2);
    CHECK_EQ(rmd_future_outcome(some[1]), RMD_PENDING);
    CHECK_EQ(rmd_futures_wait(some, 2, RMD_WAIT_FIRST_FAILURE, rmd_after_ms(10)), RMD_ETIMEDOUT);
    open_gate(&at);
    CHECK_EQ(rmd_futures_wait(some, 2, RMD_WAIT_FIRST_FAILURE, soon()), 2);
    CHECK_FAILED(some[2], RMD_EIO);
    CHECK_END(some[1], RMD_OUTCOME_OK, 0);
    CHECK_END(some[0], RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

CASE(a_cancelled_task_ends_a_wait_for_the_first_failure, ANY)
{
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    rmd_future *some[] = { begin_at(pool, &at, "gate", "a"), begin(pool, "count", RMD_ARGS()) };
    CHECK_EQ(rmd_future_cancel(some[1]), 0);
    CHECK_EQ(rmd_futures_wait(some, 2, RMD_WAIT_FIRST_FAILURE, soon()), 1);
    open_gate(&at);
    CHECK_END(some[0], RMD_OUTCOME_OK, 0);
    CHECK_END(some[1], RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    end_pool(pool);
}

CASE(a_wait_may_be_for_tasks_of_several_pools_and_promises, ANY)
{
    rmd_promise *promise;
    gate at = make_gate("a");
    rmd_pool *pools[] = { open_pool(1), open_pool(1) };
    rmd_future *some[3] = { begin_at(pools[0], &at, "gate", "a") };
    some[1] = begin(pools[1], "add", RMD_ARGS(1, 1));
    REQUIRE(rmd_promise_open(&promise, &some[2], NULL) == 0);
    CHECK_EQ(rmd_futures_wait(some, 3, RMD_WAIT_ANY, soon()), 1);
    CHECK_EQ(rmd_promise_set(promise, 12), 0);
    CHECK_EQ(rmd_futures_wait(some + 2, 1, RMD_WAIT_ALL, soon()), 1);
    CHECK_EQ(rmd_futures_wait(some, 3, RMD_WAIT_ALL, rmd_after_ms(10)), RMD_ETIMEDOUT);
    open_gate(&at);
    CHECK_EQ(rmd_futures_wait(some, 3, RMD_WAIT_ALL, soon()), 3);
    for (int i = 0; i < 3; i++)
        CHECK_END(some[i], RMD_OUTCOME_OK, 0);
    rmd_promise_free(promise);
    end_pool(pools[0]);
    end_pool(pools[1]);
}

/* ---- as they end ---- */

static rmd_future *next_of(rmd_completions *ends)
{
    rmd_future *next = NULL;
    CHECK_EQ(rmd_completions_next(ends, &next, soon()), 0);
    return next;
}

CASE(futures_are_given_out_in_the_order_in_which_they_end, ANY)
{
    rmd_completions *ends;
    rmd_future *next = NULL;
    rmd_pool *pool = open_three();
    REQUIRE(rmd_completions_open(&ends, stand, 3) == 0);
    CHECK_EQ(rmd_completions_next(ends, &next, rmd_after_ms(10)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_completions_left(ends), 3);
    static const int order[] = { 2, 0, 1 };
    for (int i = 0; i < 3; i++) {
        open_gate(&gates[order[i]]);
        CHECK(next_of(ends) == stand[order[i]]);
    }
    CHECK_EQ(rmd_completions_left(ends), 0);
    CHECK_EQ(rmd_completions_next(ends, &next, RMD_FOREVER), RMD_ENOENT);
    CHECK(next == NULL);
    rmd_completions_free(ends);
    end_three(pool);
}

static void set_called(rmd_future *future, void *event)
{
    (void)future;
    rmd_event_set(event);
}

/* An end is noted by completions a moment after it can be seen, but before callbacks run. */
static void await_callback(rmd_future *future)
{
    rmd_event *called;
    REQUIRE(rmd_event_open(&called) == 0);
    CHECK_EQ(rmd_future_on_end(future, set_called, called), 0);
    CHECK_EQ(rmd_event_wait(called, soon()), 0);
    CHECK_EQ(rmd_event_free(called), 0);
}

CASE(of_those_that_have_ended_the_first_comes_first, ANY)
{
    rmd_completions *ends;
    static const int order[] = { 1, 2, 0 };
    rmd_pool *pool = open_three();
    REQUIRE(rmd_completions_open(&ends, stand, 3) == 0);
    for (int i = 0; i < 3; i++) {
        open_gate(&gates[order[i]]);
        await_callback(stand[order[i]]);
    }
    CHECK_EQ(rmd_completions_left(ends), 3);
    for (int i = 0; i < 3; i++)
        CHECK(next_of(ends) == stand[order[i]]);
    rmd_completions_free(ends);
    end_three(pool);
}

CASE(futures_may_be_added_also_after_their_end, ANY)
{
    rmd_completions *ends;
    rmd_pool *pool = open_pool(0);
    REQUIRE(rmd_completions_open(&ends, NULL, 0) == 0);
    for (int i = 0; i < 5; i++) {
        rmd_future *future = begin(pool, "add", RMD_ARGS(i, i));
        if (i % 2)
            CHECK_EQ(rmd_future_wait(future, soon()), 0);
        CHECK_EQ(rmd_completions_add(ends, future), 0);
        CHECK(next_of(ends) == future);
        CHECK_END(future, RMD_OUTCOME_OK, 0);
    }
    rmd_completions_free(ends);
    end_pool(pool);
}

CASE(those_that_were_not_given_out_are_the_callers_again, ANY)
{
    rmd_completions *ends;
    rmd_pool *pool = open_three();
    REQUIRE(rmd_completions_open(&ends, stand, 3) == 0);
    open_gate(&gates[1]);
    CHECK(next_of(ends) == stand[1]);
    rmd_completions_free(ends);
    open_gate(&gates[0]);
    open_gate(&gates[2]);
    end_three(pool);
}

enum { TAKERS = 4, TAKEN = 40 };

typedef struct taker {
    rmd_completions *ends;
    int taken;
} taker;

static void take_all(void *arg)
{
    taker *t = arg;
    rmd_future *future;
    while (rmd_completions_next(t->ends, &future, soon()) == 0) {
        CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_OK);
        rmd_future_free(future); /* each is given to one of us only */
        t->taken++;
    }
}

CASE(several_threads_may_wait_for_the_next, ANY)
{
    int taken = 0;
    rmd_completions *ends;
    taker takers[TAKERS];
    rmd_thread *threads[TAKERS];
    rmd_future *futures[TAKEN];
    rmd_pool *pool = open_pool(0);
    for (int i = 0; i < TAKEN; i++)
        futures[i] = begin(pool, "count", RMD_ARGS());
    REQUIRE(rmd_completions_open(&ends, futures, TAKEN) == 0);
    for (int i = 0; i < TAKERS; i++) {
        takers[i] = (taker){ .ends = ends };
        threads[i] = start_thread(take_all, &takers[i]);
    }
    for (int i = 0; i < TAKERS; i++) {
        join_thread(threads[i]);
        taken += takers[i].taken;
    }
    CHECK_EQ(taken, TAKEN);
    CHECK_EQ(rmd_completions_left(ends), 0);
    rmd_completions_free(ends);
    end_pool(pool);
    CHECK_EQ(counted(), TAKEN);
}
