/* SPDX-License-Identifier: MIT */
/* The order in which tasks start. */
#include "suite.h"

/* Submits one that notes each letter, and waits for all; behind one that holds the only worker. */
static void note_each(rmd_pool *pool, const char *letters, const rmd_priority *priorities)
{
    rmd_future *futures[32];
    gate at = make_gate("a");
    rmd_future *runs = begin_at(pool, &at, "gate", "a");
    size_t count = strlen(letters);
    for (size_t i = 0; i < count; i++) {
        char letter[2] = { letters[i] };
        futures[i] = begin_with(pool, "note", RMD_ARGS(letter),
                                (rmd_task_options){ .priority = priorities ? priorities[i] : 0 });
    }
    open_gate(&at);
    for (size_t i = 0; i < count; i++) {
        await_workers(futures[i]);
        rmd_future_free(futures[i]);
    }
    CHECK_END(runs, RMD_OUTCOME_OK, 0);
}

CASE(one_worker_starts_tasks_in_the_order_in_which_they_were_submitted, ANY)
{
    rmd_pool *pool = open_pool(1);
    note_each(pool, "abcdefghijklmnopqrst", NULL);
    CHECK_STR(noted(), "a b c d e f g h i j k l m n o p q r s t ");
    end_pool(pool);
}

/* ---- many: they pass through all places where tasks wait ---- */

enum { MANY = 1000 };

typedef struct turn {
    int number;
    int *next;
} turn;

static int take_turn(void *arg)
{
    turn *t = arg; /* the only worker runs one after the other: no lock */
    CHECK_EQ(t->number, *t->next);
    *t->next = t->number + 1;
    return 0;
}

static int hold_worker(void *arg)
{
    return rmd_event_wait(arg, soon());
}

CASE(one_worker_starts_a_thousand_tasks_in_their_order, THREADS)
{
    static turn turns[MANY];
    static rmd_task tasks[MANY];
    int next = 0;
    rmd_event *go;
    rmd_pool *pool = open_pool(1);
    REQUIRE(rmd_event_open(&go) == 0);
    for (int i = 0; i < MANY; i++) {
        turns[i] = (turn){ i, &next };
        tasks[i] = (rmd_task){ take_turn, &turns[i] };
    }
    REQUIRE(rmd_submit(pool, NULL, hold_worker, go, NULL) == 0);
    REQUIRE(rmd_submit_many(pool, NULL, tasks, MANY, NULL) == MANY);
    CHECK_EQ(rmd_event_set(go), 0);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(next, MANY);
    end_pool(pool);
    CHECK_EQ(rmd_event_free(go), 0);
}

/* Submits another one like itself, until the event is set. */
typedef struct heir {
    rmd_pool *pool;
    rmd_event *stop;
} heir;

static int beget(void *arg)
{
    heir *h = arg;
    return rmd_event_is_set(h->stop) ? 0 : rmd_submit(h->pool, NULL, beget, h, NULL);
}

static int stop_heirs(void *arg)
{
    return rmd_event_set(arg);
}

CASE(tasks_that_beget_tasks_do_not_keep_others_from_their_turn, THREADS)
{
    rmd_event *stop;
    rmd_pool *pool = open_pool(1);
    REQUIRE(rmd_event_open(&stop) == 0);
    heir h = { pool, stop };
    for (int i = 0; i < 8; i++)
        REQUIRE(rmd_submit(pool, NULL, beget, &h, NULL) == 0);
    REQUIRE(rmd_submit(pool, NULL, stop_heirs, stop, NULL) == 0);
    CHECK_EQ(rmd_event_wait(stop, soon()), 0);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    end_pool(pool);
    CHECK_EQ(rmd_event_free(stop), 0);
}

CASE(tasks_of_a_higher_priority_start_first, CALLS)
{
    static const rmd_priority priorities[] = {
        RMD_PRIORITY_LOW,  RMD_PRIORITY_NORMAL, RMD_PRIORITY_HIGH,   RMD_PRIORITY_NORMAL,
        RMD_PRIORITY_HIGH, RMD_PRIORITY_LOW,    RMD_PRIORITY_NORMAL,
    };
    rmd_pool *pool = open_pool(1);
    note_each(pool, "abcdefg", priorities);
    CHECK_STR(noted(), "c e b d g a f ");
    end_pool(pool);
}

CASE(a_cancelled_task_leaves_the_order_of_the_others, ANY)
{
    static const char *const names[] = { "a", "b", "c", "d", "e" };
    rmd_future *futures[5];
    gate at = make_gate("g");
    rmd_pool *pool = open_pool(1);
    rmd_future *runs = begin_at(pool, &at, "gate", "g");
    for (int i = 0; i < 5; i++)
        futures[i] = begin(pool, "note", RMD_ARGS(names[i]));
    CHECK_EQ(rmd_future_cancel(futures[0]), 0);
    CHECK_EQ(rmd_future_cancel(futures[3]), 0);
    open_gate(&at);
    for (int i = 0; i < 5; i++) {
        await_workers(futures[i]);
        rmd_future_free(futures[i]);
    }
    CHECK_STR(noted(), "b c e ");
    CHECK_END(runs, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

CASE(as_many_tasks_run_at_once_as_there_are_workers, ANY)
{
    rmd_future *futures[4];
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(3);
    CHECK_EQ(rmd_pool_size(pool), 3);
    for (int i = 0; i < 4; i++)
        futures[i] = begin(pool, "gate", RMD_ARGS("a"));
    await_arrivals(&at, 3);
    rmd_census census = census_of(pool);
    CHECK_EQ(census.running, 3);
    CHECK_EQ(census.queued, 1);
    open_gate(&at);
    await_arrivals(&at, 1);
    for (int i = 0; i < 4; i++)
        CHECK_END(futures[i], RMD_OUTCOME_OK, 0);
    end_pool(pool);
}
