/* SPDX-License-Identifier: MIT */
/* The queue is bounded: who submits to a full one waits, is refused, or does it himself. */
#include "suite.h"

#include <remuda/atomics.h>

/* A pool of one worker with a queue of two places, all taken. */
static gate at;
static rmd_future *taken[3];

static rmd_pool *open_full(void)
{
    at = make_gate("a");
    rmd_pool *pool = open_pool_with(1, (rmd_pool_options){ .queue_max = 2 });
    taken[0] = begin_at(pool, &at, "gate", "a");
    for (int i = 1; i < 3; i++)
        taken[i] = begin(pool, "count", RMD_ARGS());
    return pool;
}

static void end_full(rmd_pool *pool)
{
    for (int i = 0; i < 3; i++)
        await(taken[i]);
    end_pool(pool);
}

static int try_count(rmd_pool *pool, rmd_future **future, int64_t full_ms)
{
    return try_begin(pool, future, "count", RMD_ARGS(), (rmd_task_options){ .full_ms = full_ms });
}

CASE(a_full_queue_refuses_at_once_or_after_a_time, ANY)
{
    rmd_future *future = NULL;
    rmd_pool *pool = open_full();
    CHECK_EQ(try_count(pool, &future, -1), RMD_EFULL);
    CHECK_CONTAINS(rmd_error_detail(), "2");
    int64_t before = now_ns();
    CHECK_EQ(try_count(pool, &future, 30), RMD_EFULL);
    CHECK_INT(now_ns() - before, >=, 30 * 1000000);
    CHECK(future == NULL);
    CHECK_EQ(census_of(pool).submitted, 3); /* what was refused does not count */
    open_gate(&at);
    end_full(pool);
    CHECK_EQ(counted(), 2);
}

CASE(a_cancel_makes_room_in_a_full_queue, ANY)
{
    rmd_future *future = NULL;
    rmd_pool *pool = open_full();
    CHECK_EQ(rmd_future_cancel(taken[1]), 0);
    CHECK_EQ(try_count(pool, &future, -1), 0);
    CHECK_EQ(try_count(pool, NULL, -1), RMD_EFULL);
    open_gate(&at);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_full(pool);
    CHECK_EQ(counted(), 2);
}

static void open_it(void *arg)
{
    (void)arg;
    open_gate(&at);
}

CASE(who_submits_to_a_full_queue_waits_for_room, ANY)
{
    rmd_future *future = NULL;
    rmd_pool *pool = open_full();
    rmd_thread *opener = start_thread(open_it, NULL);
    CHECK_EQ(try_count(pool, &future, 0), 0);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    join_thread(opener);
    end_full(pool);
    CHECK_EQ(counted(), 3);
}

typedef struct submitter {
    rmd_pool *pool;
    rmd_event *begins;
    rmd_stop *stop;
    int err;
} submitter;

static void submit_one(void *arg)
{
    submitter *s = arg;
    rmd_stop_set(s->stop);
    rmd_event_set(s->begins);
    s->err = try_count(s->pool, NULL, 0);
}

CASE(who_waits_for_room_is_told_that_the_pool_is_closed, ANY)
{
    submitter some[3];
    rmd_thread *threads[3];
    rmd_pool *pool = open_full();
    for (int i = 0; i < 3; i++) {
        some[i] = (submitter){ .pool = pool };
        REQUIRE(rmd_event_open(&some[i].begins) == 0);
        threads[i] = start_thread(submit_one, &some[i]);
        CHECK_EQ(rmd_event_wait(some[i].begins, soon()), 0);
    }
    CHECK_EQ(rmd_future_wait(taken[0], rmd_after_ms(20)), RMD_ETIMEDOUT); /* so they wait, mostly */
    CHECK_EQ(rmd_pool_close(pool), 0);
    for (int i = 0; i < 3; i++) {
        join_thread(threads[i]);
        CHECK_EQ(some[i].err, RMD_ECLOSED);
        CHECK_EQ(rmd_event_free(some[i].begins), 0);
    }
    open_gate(&at);
    end_full(pool);
    CHECK_EQ(counted(), 2);
}

CASE(who_waits_for_room_wakes_when_told_to_stop, ANY)
{
    submitter one = { .pool = open_full() };
    REQUIRE(rmd_event_open(&one.begins) == 0);
    REQUIRE(rmd_stop_open(&one.stop) == 0);
    rmd_thread *thread = start_thread(submit_one, &one);
    CHECK_EQ(rmd_event_wait(one.begins, soon()), 0);
    CHECK_EQ(rmd_stop_request(one.stop), 0);
    join_thread(thread);
    CHECK_EQ(one.err, RMD_ECANCELED);
    CHECK_EQ(rmd_event_free(one.begins), 0);
    CHECK_EQ(rmd_stop_free(one.stop), 0);
    open_gate(&at);
    end_full(one.pool);
}

CASE(room_is_found_in_the_text_of_the_pool_too, ANY)
{
    char text[64];
    rmd_pool *pool = NULL;
    gate here = make_gate("b");
    snprintf(text, sizeof text, "%s:1?queue=1", the_kind->name);
    REQUIRE(rmd_pool_open(&pool, text, NULL, soon()) == 0);
    rmd_future *runs = begin_at(pool, &here, "gate", "b");
    CHECK_EQ(try_count(pool, NULL, -1), 0);
    CHECK_EQ(try_count(pool, NULL, -1), RMD_EFULL);
    open_gate(&here);
    CHECK_END(runs, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

static rmd_atomic(int) noted_begins;

static int note_begin(void *arg)
{
    (void)arg;
    rmd_atomic_add(&noted_begins, 1, RMD_RELAXED);
    return 0;
}

/* Whatever the worker is doing with the one that may be queued. */
CASE(a_queue_with_room_refuses_nothing, THREADS)
{
    enum { TASKS = 100000 };
    int refused = 0;
    rmd_task_options options = { .size = sizeof options, .full_ms = -1 };
    rmd_pool *pool = open_pool_with(1, (rmd_pool_options){ .queue_max = 2 });
    for (int i = 0; i < TASKS; i++) {
        while (rmd_atomic_load(&noted_begins, RMD_RELAXED) < i - 1)
            ;
        refused += rmd_submit(pool, NULL, note_begin, NULL, &options) < 0;
        if (refused)
            break;
    }
    CHECK_EQ(refused, 0);
    end_pool(pool);
}

/* ---- inside a task ---- */

static int fill_up(rmd_call *call)
{
    rmd_future *futures[10];
    for (int i = 0; i < 10; i++) {
        rmd_task_options options = { .size = sizeof options, .full_ms = i % 2 ? 60000 : 0 };
        int err = rmd_pool_call(works_pool, &futures[i], "count", RMD_ARGS(), &options);
        if (err < 0)
            return rmd_call_fail(call, err, "call %d: %s", i, rmd_error_detail());
    }
    uint64_t ran = counted(); /* all but the two that wait */
    rmd_task_options at_once = { .size = sizeof at_once, .full_ms = -1 };
    int err = rmd_pool_call(works_pool, NULL, "count", RMD_ARGS(), &at_once);
    for (int i = 0; i < 10; i++)
        await(futures[i]);
    return rmd_call_return(call, RMD_LIST_OF(ran, err));
}

CASE(a_task_that_submits_to_a_full_queue_runs_it_in_place, CALLS | HERE)
{
    static const rmd_function functions[] = { { .name = "fill_up", .fn = fill_up }, { 0 } };
    char wanted[32];
    rmd_statistics statistics;
    REQUIRE(rmd_functions_add(functions) == 0);
    works_pool = open_pool_with(1, (rmd_pool_options){ .queue_max = 2 });
    rmd_future *future = begin(works_pool, "fill_up", RMD_ARGS());
    snprintf(wanted, sizeof wanted, "[8, %d]", RMD_EFULL);
    CHECK_RESULT(future, wanted);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    CHECK_EQ(rmd_pool_statistics(works_pool, &statistics), 0);
    CHECK_EQ(statistics.in_place, 8);
    CHECK_INT(statistics.queued_max, <=, 2);
    end_pool(works_pool);
    CHECK_EQ(counted(), 10);
}

typedef struct room {
    rmd_pool *pool;
    rmd_event *full, *submitted;
} room;

static void submit_when_full(void *arg)
{
    room *r = arg;
    CHECK_EQ(rmd_event_wait(r->full, soon()), 0);
    CHECK_EQ(try_count(r->pool, NULL, 0), 0);
    rmd_event_set(r->submitted);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* Takes the only place, lets another one wait for it, and runs what is there. */
static int fill_and_wait(void *arg)
{
    room *r = arg;
    rmd_future *child = submit(r->pool, nothing, NULL);
    rmd_event_set(r->full);
    CHECK_EQ(rmd_event_wait(r->submitted, rmd_after_ms(50)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_future_wait(child, RMD_FOREVER), 0);
    rmd_future_free(child);
    return 0;
}

CASE(what_a_task_waits_for_and_runs_itself_makes_room, THREADS)
{
    room r = { .pool = open_pool_with(1, (rmd_pool_options){ .queue_max = 1 }) };
    REQUIRE(rmd_event_open(&r.full) == 0);
    REQUIRE(rmd_event_open(&r.submitted) == 0);
    rmd_thread *thread = start_thread(submit_when_full, &r);
    rmd_future *future = submit(r.pool, fill_and_wait, &r);
    CHECK_EQ(rmd_event_wait(r.submitted, soon()), 0);
    await_workers(future);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    join_thread(thread);
    end_pool(r.pool);
    CHECK_EQ(rmd_event_free(r.full), 0);
    CHECK_EQ(rmd_event_free(r.submitted), 0);
}
