/* SPDX-License-Identifier: MIT */
/* Chains: a task that begins when another future has ended OK. */
#include "suite.h"

static int add_to(rmd_future *first, void *arg)
{
    int number = 0;
    int err = rmd_future_get(first, &number);
    *(int *)arg += number + 1;
    return err;
}

static rmd_future *chain(rmd_pool *pool, rmd_future *first, void *arg)
{
    rmd_future *future = NULL;
    REQUIRE(rmd_then(pool, &future, first, add_to, arg, NULL) == 0);
    return future;
}

CASE(the_second_of_a_chain_begins_when_the_first_has_ended, THREADS)
{
    int sum = 0;
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    rmd_future *runs = begin_at(pool, &at, "gate", "a");
    rmd_future *first = begin(pool, "add", RMD_ARGS(2, 3)), *second = chain(pool, first, &sum);
    CHECK_EQ(rmd_future_outcome(second), RMD_PENDING);
    open_gate(&at);
    CHECK_END(second, RMD_OUTCOME_OK, 0);
    CHECK_EQ(sum, 6);
    CHECK_END(first, RMD_OUTCOME_OK, 0);
    CHECK_END(runs, RMD_OUTCOME_OK, 0);
    CHECK_EQ(census_of(pool).submitted, 3);
    end_pool(pool);
}

CASE(a_chain_may_be_made_after_the_first_has_ended, THREADS)
{
    int sum = 0;
    rmd_pool *pool = open_pool(0);
    rmd_future *first = begin(pool, "add", RMD_ARGS(2, 3));
    CHECK_EQ(rmd_future_wait(first, soon()), 0);
    rmd_future *second = chain(pool, first, &sum);
    rmd_future_free(first); /* it is held as long as it is needed */
    CHECK_END(second, RMD_OUTCOME_OK, 0);
    CHECK_EQ(sum, 6);
    end_pool(pool);
}

static int pass_on(rmd_future *first, void *arg)
{
    ++*(int *)arg;
    return rmd_future_error(first);
}

CASE(long_chains_run_in_their_order, THREADS)
{
    int steps = 0;
    rmd_pool *pool = open_pool(0);
    rmd_future *last = begin(pool, "add", RMD_ARGS(1, 1));
    for (int i = 0; i < 100; i++) {
        rmd_future *next = NULL;
        REQUIRE(rmd_then(pool, &next, last, pass_on, &steps, NULL) == 0);
        rmd_future_free(last);
        last = next;
    }
    CHECK_END(last, RMD_OUTCOME_OK, 0);
    CHECK_EQ(steps, 100);
    end_pool(pool);
}

CASE(when_the_first_fails_the_second_never_runs_and_fails_with_it, THREADS)
{
    int sum = 0;
    rmd_pool *pool = open_pool(0);
    rmd_future *first = begin(pool, "fail", RMD_ARGS(RMD_ENOSPC, "no room"));
    rmd_future *second = chain(pool, first, &sum), *third = chain(pool, second, &sum);
    CHECK_EQ(rmd_future_wait(third, soon()), 0);
    CHECK_STR(failure_of(third).detail, "no room");
    CHECK_EQ(failure_of(third).attempt, 0);
    CHECK_END(third, RMD_OUTCOME_FAILED, RMD_ENOSPC);
    CHECK_END(second, RMD_OUTCOME_FAILED, RMD_ENOSPC);
    CHECK_END(first, RMD_OUTCOME_FAILED, RMD_ENOSPC);
    CHECK_EQ(sum, 0);
    CHECK_EQ(census_of(pool).failed, 3);
    end_pool(pool);
}

CASE(when_the_first_is_cancelled_so_is_the_second, THREADS)
{
    int sum = 0;
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(0);
    rmd_future *first = begin_at(pool, &at, "gate", "a"), *second = chain(pool, first, &sum);
    CHECK_EQ(rmd_future_cancel(first), 0);
    CHECK_END(second, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_END(first, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_EQ(sum, 0);
    end_pool(pool);
}

CASE(a_second_that_is_cancelled_leaves_the_first_alone, THREADS)
{
    int sum = 0;
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(0);
    rmd_future *first = begin_at(pool, &at, "gate", "a"), *second = chain(pool, first, &sum);
    CHECK_EQ(rmd_future_cancel(second), 0);
    CHECK_EQ(rmd_future_outcome(second), RMD_OUTCOME_CANCELLED);
    CHECK_EQ(rmd_future_outcome(first), RMD_PENDING);
    open_gate(&at);
    CHECK_END(first, RMD_OUTCOME_OK, 0);
    CHECK_END(second, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_EQ(sum, 0);
    end_pool(pool);
}

CASE(a_chain_may_begin_with_a_promise_and_a_drain_waits_for_it, THREADS)
{
    int sum = 0;
    rmd_promise *promise;
    rmd_future *first;
    rmd_pool *pool = open_pool(0);
    REQUIRE(rmd_promise_open(&promise, &first, NULL) == 0);
    rmd_future *second = chain(pool, first, &sum);
    CHECK_EQ(census_of(pool).submitted, 1);
    CHECK_EQ(census_of(pool).queued, 1);
    CHECK_EQ(rmd_pool_close(pool), 0);
    CHECK_EQ(rmd_pool_free(pool), RMD_EBUSY);
    CHECK_EQ(rmd_promise_set(promise, 11), 0);
    rmd_promise_free(promise);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_future_outcome(second), RMD_OUTCOME_OK);
    CHECK_EQ(sum, 12);
    CHECK_EQ(rmd_pool_free(pool), 0);
    rmd_future_free(first);
    rmd_future_free(second);
}

typedef struct late {
    rmd_promise *promise;
    rmd_future *second;
} late;

static void set_late(void *arg)
{
    late *l = arg;
    CHECK_EQ(rmd_future_wait(l->second, rmd_after_ms(20)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_promise_set_value(l->promise, RMD_VALUE(11)), 0);
}

CASE(who_waits_for_a_chain_does_not_begin_it_too_early, THREADS)
{
    int sum = 0;
    late l;
    rmd_future *first;
    rmd_pool *pool = open_pool(0);
    REQUIRE(rmd_promise_open(&l.promise, &first, NULL) == 0);
    l.second = chain(pool, first, &sum);
    rmd_thread *thread = start_thread(set_late, &l);
    CHECK_EQ(rmd_future_wait(l.second, RMD_FOREVER), 0);
    CHECK_EQ(sum, 12);
    join_thread(thread);
    CHECK_END(l.second, RMD_OUTCOME_OK, 0);
    rmd_promise_free(l.promise);
    rmd_future_free(first);
    end_pool(pool);
}

CASE(a_chain_whose_promise_is_broken_is_lost, THREADS)
{
    int sum = 0;
    rmd_promise *promise;
    rmd_future *first;
    rmd_pool *pool = open_pool(0);
    REQUIRE(rmd_promise_open(&promise, &first, NULL) == 0);
    rmd_future *second = chain(pool, first, &sum);
    rmd_promise_free(promise);
    CHECK_END(second, RMD_OUTCOME_LOST, RMD_ELOST);
    CHECK_END(first, RMD_OUTCOME_LOST, RMD_ELOST);
    CHECK_EQ(sum, 0);
    CHECK_EQ(census_of(pool).lost, 1);
    end_pool(pool);
}

CASE(a_drain_that_gives_up_cancels_a_chain_that_has_not_begun, THREADS)
{
    int sum = 0;
    rmd_promise *promise;
    rmd_future *first;
    rmd_pool *pool = open_pool(0);
    REQUIRE(rmd_promise_open(&promise, &first, NULL) == 0);
    rmd_future *second = chain(pool, first, &sum);
    CHECK_EQ(rmd_pool_drain(pool, rmd_after_ms(20)), RMD_ETIMEDOUT);
    CHECK_END(second, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_EQ(rmd_pool_free(pool), 0);
    CHECK_EQ(rmd_promise_set(promise, 1), 0); /* nobody is there any more */
    rmd_promise_free(promise);
    rmd_future_free(first);
    CHECK_EQ(sum, 0);
}

CASE(a_chain_may_lead_from_one_pool_to_another, THREADS)
{
    int sum = 0;
    rmd_pool *pools[] = { open_pool(1), open_pool(1) };
    rmd_future *first = begin(pools[0], "add", RMD_ARGS(20, 21));
    rmd_future *second = chain(pools[1], first, &sum);
    CHECK_END(second, RMD_OUTCOME_OK, 0);
    CHECK_EQ(sum, 42);
    CHECK_END(first, RMD_OUTCOME_OK, 0);
    CHECK_EQ(census_of(pools[1]).ok, 1);
    end_pool(pools[0]);
    end_pool(pools[1]);
}
