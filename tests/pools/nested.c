/* SPDX-License-Identifier: MIT */
/* Tasks that wait for tasks: never a deadlock, but for a real circle, which is refused. */
#include "suite.h"

static void call_nested(unsigned workers, const char *function, int n, const char *result)
{
    works_pool = open_pool(workers);
    rmd_future *future = begin(works_pool, function, RMD_ARGS(n));
    await_workers(future); /* we do not help */
    CHECK_RESULT(future, result);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_pool(works_pool);
}

CASE(a_hundred_calls_in_each_other_need_one_worker, CALLS | HERE)
{
    call_nested(1, "nest", 100, "100");
}

CASE(a_thousand_calls_in_each_other_need_the_workers_there_are, CALLS | HERE)
{
    call_nested(0, "nest", 1000, "1000");
}

CASE_LIMIT(a_recursion_by_futures_needs_one_worker, CALLS | HERE, 60)
{
    call_nested(1, "fib", 15, "610");
}

CASE_LIMIT(a_recursion_by_futures_on_two_workers_is_right, CALLS | HERE, 60)
{
    call_nested(2, "fib", 15, "610");
}

CASE_LIMIT(many_recursions_at_once_are_right, CALLS | HERE, 60)
{
    rmd_future *futures[8];
    works_pool = open_pool(0);
    for (int i = 0; i < 8; i++)
        futures[i] = begin(works_pool, "fib", RMD_ARGS(8 + i % 2));
    for (int i = 0; i < 8; i++) {
        CHECK_EQ(rmd_future_wait(futures[i], RMD_FOREVER), 0); /* here we do */
        CHECK_RESULT(futures[i], i % 2 ? "34" : "21");
        CHECK_END(futures[i], RMD_OUTCOME_OK, 0);
    }
    end_pool(works_pool);
}

/* ---- by pointers ---- */

/* What tasks of a case share. */
typedef struct shared {
    rmd_pool *pools[2];
    rmd_future *futures[2];
    rmd_event *here, *there;
    int errs[2], rest;
} shared;

static int add_one(void *arg)
{
    ++*(int *)arg;
    return 0;
}

/* Waits in a group for what waits behind it. */
static int wait_for_group(void *arg)
{
    shared *s = arg;
    int err = 0;
    RMD_WITH_GROUP (group, RMD_FOREVER, &err) {
        rmd_task_options options = { .size = sizeof options, .group = group };
        for (int i = 0; i < 10 && err == 0; i++)
            err = rmd_submit(s->pools[0], NULL, add_one, &s->rest, &options);
    }
    return err;
}

CASE(a_task_may_wait_for_a_group_on_the_only_worker, THREADS)
{
    shared s = { .pools = { open_pool(1) } };
    rmd_future *future = submit(s.pools[0], wait_for_group, &s);
    await_workers(future);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    CHECK_EQ(s.rest, 10);
    end_pool(s.pools[0]);
}

static int wait_for_event(void *arg)
{
    shared *s = arg;
    int err = rmd_event_set(s->here);
    return err < 0 ? err : rmd_event_wait(s->there, RMD_FOREVER);
}

static int wait_for_first(void *arg)
{
    shared *s = arg;
    int err = rmd_event_set(s->here);
    return err < 0 ? err : rmd_future_wait(s->futures[0], RMD_FOREVER);
}

static int set_event(void *event)
{
    return rmd_event_set(event);
}

/* The first stands on one worker, the second waits for it on the other, and the third, which ends
 * the first, needs one, too. */
CASE(another_worker_takes_the_place_of_one_that_waits, THREADS)
{
    rmd_statistics statistics;
    shared s = { .pools = { open_pool(2) } };
    REQUIRE(rmd_event_open(&s.here) == 0 && rmd_event_open(&s.there) == 0);
    s.futures[0] = submit(s.pools[0], wait_for_event, &s);
    CHECK_EQ(rmd_event_wait(s.here, soon()), 0);
    CHECK_EQ(rmd_event_clear(s.here), 0);
    rmd_future *second = submit(s.pools[0], wait_for_first, &s);
    CHECK_EQ(rmd_event_wait(s.here, soon()), 0);
    rmd_future *third = submit(s.pools[0], set_event, s.there);
    CHECK_EQ(rmd_event_wait(s.there, soon()), 0);
    CHECK_END(second, RMD_OUTCOME_OK, 0);
    CHECK_END(third, RMD_OUTCOME_OK, 0);
    CHECK_END(s.futures[0], RMD_OUTCOME_OK, 0);
    CHECK_EQ(rmd_pool_statistics(s.pools[0], &statistics), 0);
    CHECK_EQ(statistics.workers, 2);
    CHECK_INT(statistics.spares, >=, 1);
    CHECK_EQ(statistics.blocked, 0);
    end_pool(s.pools[0]);
    CHECK_EQ(rmd_event_free(s.here), 0);
    CHECK_EQ(rmd_event_free(s.there), 0);
}

/* ---- helping ---- */

static int note_worker(void *arg)
{
    snprintf(arg, 32, "%s", rmd_worker_name());
    return 0;
}

static int start_nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* Only who waits without a limit helps; and only if the pool does not set up its workers. */
CASE(a_thread_that_waits_may_run_the_task_if_workers_are_not_set_up, THREADS)
{
    for (int set_up = 0; set_up < 2; set_up++) {
        char name[32] = "?";
        rmd_statistics statistics;
        rmd_pool *pool = open_pool_with(
            1, (rmd_pool_options){ .start = set_up ? start_nothing : NULL });
        for (int i = 0; i < 50; i++) {
            rmd_future *future = submit(pool, note_worker, name);
            CHECK_EQ(rmd_future_wait(future, i % 2 ? RMD_FOREVER : soon()), 0);
            CHECK_END(future, RMD_OUTCOME_OK, 0);
            CHECK(*name || (i % 2 && !set_up));
        }
        CHECK_EQ(rmd_pool_statistics(pool, &statistics), 0);
        CHECK_INT(statistics.helped, <=, set_up ? 0 : 25);
        end_pool(pool);
    }
}

/* ---- two pools ---- */

static int ask_other(void *arg)
{
    shared *s = arg;
    if (s->rest == 0)
        return 0;
    rmd_future *future;
    int err = rmd_submit(s->pools[s->rest-- % 2], &future, ask_other, s, NULL);
    if (err < 0)
        return err;
    err = rmd_future_wait(future, RMD_FOREVER);
    if (err == 0)
        err = rmd_future_error(future);
    rmd_future_free(future);
    return err;
}

/* Each of them has one worker, which waits for the other pool while that waits for it. */
CASE(tasks_of_two_pools_may_wait_for_each_others, THREADS)
{
    shared s = { .pools = { open_pool(1), open_pool(1) }, .rest = 2 };
    for (int i = 1; i >= 0; i--) {
        s.rest = 1 + i; /* so that the other pool is asked first */
        rmd_future *future = submit(s.pools[i], ask_other, &s);
        await_workers(future);
        CHECK_END(future, RMD_OUTCOME_OK, 0);
    }
    CHECK_EQ(s.rest, 0);
    end_pool(s.pools[0]);
    end_pool(s.pools[1]);
}

/* ---- circles ---- */

static int wait_for_itself(void *arg)
{
    shared *s = arg;
    int err = rmd_event_wait(s->here, RMD_FOREVER); /* until its future is known */
    return err < 0 ? err : rmd_future_wait(s->futures[0], RMD_FOREVER);
}

CASE(a_task_that_waits_for_itself_is_refused, THREADS)
{
    shared s = { .pools = { open_pool(0) } };
    REQUIRE(rmd_event_open(&s.here) == 0);
    s.futures[0] = submit_with(s.pools[0], wait_for_itself, &s,
                               (rmd_task_options){ .name = "narcissus" });
    CHECK_EQ(rmd_event_set(s.here), 0);
    await_workers(s.futures[0]);
    CHECK_CONTAINS(failure_of(s.futures[0]).detail, "narcissus");
    CHECK_END(s.futures[0], RMD_OUTCOME_FAILED, RMD_EDEADLK);
    end_pool(s.pools[0]);
    CHECK_EQ(rmd_event_free(s.here), 0);
}

static int wait_for_other(void *arg)
{
    shared *s = arg;
    int err = rmd_event_wait(s->here, RMD_FOREVER);
    if (err < 0)
        return err;
    int self = rmd_future_id(s->futures[1]) == rmd_task_id();
    s->errs[self] = rmd_future_wait(s->futures[!self], RMD_FOREVER);
    return 0;
}

CASE(of_two_tasks_that_wait_for_each_other_one_is_refused, THREADS)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        shared s = { .pools = { open_pool(workers) } };
        REQUIRE(rmd_event_open(&s.here) == 0);
        for (int i = 0; i < 2; i++)
            s.futures[i] = submit_with(s.pools[0], wait_for_other, &s,
                                       (rmd_task_options){ .name = i ? "right" : "left" });
        CHECK_EQ(rmd_event_set(s.here), 0);
        for (int i = 0; i < 2; i++)
            await_workers(s.futures[i]);
        CHECK_EQ(s.errs[0] + s.errs[1], RMD_EDEADLK);
        CHECK(s.errs[0] == 0 || s.errs[1] == 0);
        for (int i = 0; i < 2; i++)
            CHECK_END(s.futures[i], RMD_OUTCOME_OK, 0);
        end_pool(s.pools[0]);
        CHECK_EQ(rmd_event_free(s.here), 0);
    }
}

/* ---- blocking ---- */

static int block(void *arg)
{
    shared *s = arg;
    int err = rmd_event_set(s->here);
    RMD_BLOCKING
    {
        if (err == 0)
            err = rmd_event_wait(s->there, RMD_FOREVER);
    }
    return err;
}

CASE(another_worker_takes_the_place_of_one_that_says_that_it_blocks, THREADS)
{
    shared s = { .pools = { open_pool(1) } };
    REQUIRE(rmd_event_open(&s.here) == 0 && rmd_event_open(&s.there) == 0);
    rmd_future *blocks = submit(s.pools[0], block, &s);
    CHECK_EQ(rmd_event_wait(s.here, soon()), 0);
    rmd_future *other = submit(s.pools[0], set_event, s.there);
    CHECK_EQ(rmd_event_wait(s.there, soon()), 0); /* we do not help: a worker must come */
    CHECK_END(other, RMD_OUTCOME_OK, 0);
    CHECK_END(blocks, RMD_OUTCOME_OK, 0);
    end_pool(s.pools[0]);
    CHECK_EQ(rmd_event_free(s.here), 0);
    CHECK_EQ(rmd_event_free(s.there), 0);
}

static bool leave_by_return(int *after)
{
    RMD_BLOCKING
    {
        return true;
    }
    ++*after;
    return false;
}

CASE(outside_of_tasks_saying_that_one_blocks_is_just_a_block, ANY)
{
    int rounds = 0, after = 0;
    RMD_BLOCKING
    {
        RMD_BLOCKING
        {
            rounds++;
        }
    }
    CHECK_EQ(rounds, 1);
    CHECK(leave_by_return(&after));
    CHECK_EQ(after, 0);
}
