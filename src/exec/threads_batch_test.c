/* SPDX-License-Identifier: MIT */
/* Many tasks at once: the same ones, in the same order, as one by one; and of those that are not
 * accepted nothing is to be seen. */
#include "kit.h"
#include "kit_soon.h"

#include "exec/threads.h"
#include "sync/thread.h"

#include <remuda/context.h>
#include <remuda/error.h>
#include <remuda/event.h>
#include <remuda/pool.h>
#include <remuda/stop.h>
#include <sched.h>
#include <stdio.h>

enum { MANY = 400 };

static rmd_pool *pool;
static rmd_event *gate;
static rmd_task tasks[MANY];
static rmd_future *futures[MANY];
static int numbers[MANY];
static int ran[MANY]; /* by one worker: the numbers, in the order in which they ran */
static rmd_atomic(int) count;

static int run(void *number)
{
    int n = rmd_atomic_add(&count, 1, RMD_RELAXED);
    if (n < MANY)
        ran[n] = *(int *)number;
    return 0;
}

static int wait_for_gate(void *arg)
{
    (void)arg;
    return rmd_event_wait(gate, RMD_FOREVER);
}

static void fill_tasks(rmd_task_fn *fn)
{
    for (int i = 0; i < MANY; i++) {
        numbers[i] = i;
        tasks[i] = (rmd_task){ fn, &numbers[i] };
        futures[i] = NULL;
    }
    rmd_atomic_store(&count, 0, RMD_RELAXED);
}

/* Its workers stand at the gate. */
static void open_pool(const char *kind)
{
    rmd_census now = { 0 };
    fill_tasks(run);
    REQUIRE(rmd_event_open(&gate) == 0);
    REQUIRE(rmd_pool_open(&pool, kind, NULL, soon()) == 0);
    for (unsigned i = 0; i < rmd_pool_size(pool); i++) {
        REQUIRE(rmd_submit(pool, NULL, wait_for_gate, NULL, NULL) == 0);
        while (rmd_pool_census(pool, &now) == 0 && now.running <= i)
            sched_yield();
    }
}

/* What was accepted has run; so many, besides those at the gate. */
static void close_pool(int64_t accepted)
{
    rmd_census census;
    unsigned workers = rmd_pool_size(pool);
    CHECK_EQ(rmd_event_set(gate), 0);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_census(pool, &census), 0);
    CHECK(rmd_census_balances(&census));
    CHECK_EQ(census.submitted, accepted + workers);
    CHECK_EQ(rmd_pool_free(pool), 0);
    CHECK_EQ(rmd_event_free(gate), 0);
}

static void check_order(int n)
{
    CHECK_EQ(rmd_atomic_load(&count, RMD_RELAXED), n);
    for (int i = 0; i < n; i++)
        CHECK_EQ(ran[i], i);
}

/* The first n of them are there, and have ended OK, and no others. */
static void check_futures(int n)
{
    for (int i = 0; i < n; i++) {
        CHECK_EQ(rmd_future_wait(futures[i], soon()), 0);
        CHECK_EQ(rmd_future_outcome(futures[i]), RMD_OUTCOME_OK);
        rmd_future_free(futures[i]);
    }
    for (int i = n; i < MANY; i++)
        CHECK(!futures[i]);
}

static rmd_task_options at_once(void)
{
    return (rmd_task_options){ .size = sizeof(rmd_task_options), .full_ms = -1 };
}

/* ---- accepted ---- */

static void check_number(int n)
{
    open_pool("threads:1");
    CHECK_EQ(rmd_submit_many(pool, futures, tasks, (size_t)n, NULL), n);
    for (int i = 1; i < n; i++) /* they are numbered as they are */
        CHECK(rmd_future_id(futures[i]) > rmd_future_id(futures[i - 1]));
    CHECK_EQ(rmd_event_set(gate), 0);
    check_futures(n);
    close_pool(n);
    check_order(n);
}

TEST(each_of_many_runs_once_and_in_order_however_many_they_are)
{
    check_number(0);
    check_number(1);
    for (int batches = 1; batches <= 2; batches++)
        for (int more = -1; more <= 1; more++)
            check_number(batches * RMDI_BATCH_MAX + more);
    check_number(MANY);
}

TEST(without_futures_they_run_as_well)
{
    open_pool("threads:1");
    CHECK_EQ(rmd_submit_many(pool, NULL, tasks, MANY, NULL), MANY);
    close_pool(MANY);
    check_order(MANY);
}

TEST(they_come_behind_those_of_before_and_before_those_that_follow)
{
    open_pool("threads:1");
    CHECK_EQ(rmd_submit(pool, NULL, run, &numbers[0], NULL), 0);
    CHECK_EQ(rmd_submit_many(pool, NULL, tasks + 1, 98, NULL), 98);
    CHECK_EQ(rmd_submit(pool, NULL, run, &numbers[99], NULL), 0);
    CHECK_EQ(rmd_submit_many(pool, NULL, tasks + 100, 100, NULL), 100);
    close_pool(200);
    check_order(200);
}

TEST(they_have_the_priority_that_was_given)
{
    rmd_task_options options = { .size = sizeof options };
    static const rmd_priority priorities[] = { RMD_PRIORITY_LOW, RMD_PRIORITY_NORMAL,
                                               RMD_PRIORITY_HIGH };
    open_pool("threads:1");
    for (int i = 0; i < 3; i++) { /* the last ones run first */
        options.priority = priorities[i];
        CHECK_EQ(rmd_submit_many(pool, NULL, tasks + 40 * (2 - i), 40, &options), 40);
    }
    close_pool(120);
    check_order(120);
}

TEST(each_has_the_options_and_the_next_ones_have_none_of_them)
{
    static char ours;
    rmd_group *group;
    rmd_census census;
    rmd_task_options options = { .size = sizeof options, .name = "one of many", .ctx = &ours };
    REQUIRE(rmd_group_open(&group) == 0);
    options.group = group;
    open_pool("threads:1");
    CHECK_EQ(rmd_event_set(gate), 0);
    for (int round = 0; round < 4; round++) {
        bool plain = round % 2;
        CHECK_EQ(rmd_submit_many(pool, futures, tasks, 100, plain ? NULL : &options), 100);
        for (int i = 0; i < 100; i++) {
            CHECK_STR(rmd_future_name(futures[i]), plain ? "task" : "one of many");
            CHECK(rmd_future_ctx(futures[i]) == (plain ? NULL : &ours));
        }
        for (int i = 0; i < 100; i++) { /* their memory is used again */
            CHECK_EQ(rmd_future_wait(futures[i], soon()), 0);
            rmd_future_free(futures[i]);
        }
    }
    CHECK_EQ(rmd_group_wait(group, soon()), 0);
    rmd_group_census(group, &census);
    CHECK_EQ(census.submitted, 200);
    CHECK_EQ(census.ok, 200);
    close_pool(400);
    CHECK_EQ(rmd_group_free(group), 0);
}

TEST(any_of_them_may_be_cancelled_alone)
{
    open_pool("threads:1");
    CHECK_EQ(rmd_submit_many(pool, futures, tasks, 100, NULL), 100);
    for (int i = 7; i < 100; i += 10)
        CHECK_EQ(rmd_future_cancel(futures[i]), 0);
    CHECK_EQ(rmd_event_set(gate), 0);
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(rmd_future_wait(futures[i], soon()), 0);
        CHECK_EQ(rmd_future_outcome(futures[i]),
                 i % 10 == 7 ? RMD_OUTCOME_CANCELLED : RMD_OUTCOME_OK);
        rmd_future_free(futures[i]);
    }
    close_pool(100);
    CHECK_EQ(rmd_atomic_load(&count, RMD_RELAXED), 90);
}

/* ---- not accepted ---- */

static void check_no_function(size_t at, int64_t answer)
{
    char words[64];
    snprintf(words, sizeof words, "task %zu has no function", at);
    open_pool("threads:1");
    tasks[at].fn = NULL;
    CHECK_EQ(rmd_submit_many(pool, futures, tasks, MANY, NULL), answer);
    CHECK_STR(rmd_error_detail(), words);
    CHECK_EQ(rmd_event_set(gate), 0);
    check_futures((int)at);
    close_pool((int64_t)at);
    check_order((int)at);
}

TEST(one_that_has_no_function_is_the_end_of_them)
{
    check_no_function(0, RMD_EINVAL);
    check_no_function(1, 1);
    check_no_function(RMDI_BATCH_MAX - 1, RMDI_BATCH_MAX - 1);
    check_no_function(RMDI_BATCH_MAX, RMDI_BATCH_MAX);
    check_no_function(RMDI_BATCH_MAX + 1, RMDI_BATCH_MAX + 1);
    check_no_function(MANY - 1, MANY - 1);
}

TEST(wrong_options_refuse_all_of_them)
{
    rmd_task_options wrong = { .size = sizeof wrong - 1 };
    rmd_task_options negative = { .size = sizeof negative, .limits.run_ms_max = -1 };
    open_pool("threads:1");
    CHECK_EQ(rmd_submit_many(pool, futures, tasks, 3, &wrong), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "task options: size is ");
    CHECK_EQ(rmd_submit_many(pool, futures, tasks, 3, &negative), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "task options: a limit is negative");
    CHECK_EQ(rmd_submit_many(pool, futures, NULL, 3, NULL), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "submit: no tasks were given");
    check_futures(0);
    close_pool(0);
}

TEST(a_pool_of_programs_takes_none_of_them)
{
    fill_tasks(run);
    REQUIRE(rmd_pool_open(&pool, "programs:1", NULL, soon()) == 0);
    CHECK_EQ(rmd_submit_many(pool, futures, tasks, 3, NULL), RMD_ENOTSUP);
    CHECK_STR(rmd_error_detail(), "a pool of programs takes no pointers: see rmd_pool_call()");
    check_futures(0);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

static void check_fit(const char *kind, int room)
{
    rmd_group *group;
    rmd_census census;
    rmd_task_options options = at_once();
    REQUIRE(rmd_group_open(&group) == 0);
    options.group = group;
    open_pool(kind);
    CHECK_EQ(rmd_submit_many(pool, futures, tasks, MANY, &options), room);
    rmd_group_census(group, &census);
    CHECK_EQ(census.submitted, (uint64_t)room); /* the others are not in it */
    CHECK_EQ(rmd_submit_many(pool, futures + room, tasks, MANY - (size_t)room, &options),
             RMD_EFULL);
    CHECK_CONTAINS(rmd_error_detail(), " tasks are queued");
    CHECK_EQ(rmd_event_set(gate), 0);
    check_futures(room);
    CHECK_EQ(rmd_group_wait(group, soon()), 0);
    close_pool(room);
    check_order(room);
    CHECK_EQ(rmd_group_free(group), 0);
}

TEST(as_many_are_accepted_as_there_is_room_for)
{
    check_fit("threads:1?queue=1", 1);
    check_fit("threads:1?queue=32", 32);
    check_fit("threads:1?queue=40", 40);
    check_fit("threads:1?queue=300", 300);
}

/* ---- waiting for room ---- */

typedef struct submitter {
    rmdi_thread thread;
    rmd_stop *stop;
    rmd_task_options options;
    int64_t answer;
    char detail[128];
} submitter;

static void submit_all(void *arg)
{
    submitter *s = arg;
    s->options.size = sizeof s->options;
    rmd_stop_set(s->stop);
    s->answer = rmd_submit_many(pool, futures, tasks, MANY, &s->options);
    snprintf(s->detail, sizeof s->detail, "%s", rmd_error_detail());
    rmd_stop_set(NULL);
}

/* Until it waits, having filled the queue. */
static void begin_to_wait(submitter *s)
{
    rmdi_threads *p = (rmdi_threads *)(void *)pool;
    REQUIRE(rmdi_thread_start(&s->thread, submit_all, s, "submits") == 0);
    while (!rmd_atomic_load(&p->place.count, RMD_RELAXED))
        sched_yield();
}

static void join(submitter *s, int64_t answer, const char *detail)
{
    REQUIRE(rmdi_thread_join(&s->thread, soon()) == 0);
    CHECK_EQ(s->answer, answer);
    if (detail)
        CHECK_STR(s->detail, detail);
}

static void check_patient(const char *kind, unsigned room)
{
    submitter s = { 0 };
    rmd_statistics statistics;
    open_pool(kind);
    begin_to_wait(&s);
    CHECK_EQ(rmd_event_set(gate), 0);
    join(&s, MANY, NULL);
    check_futures(MANY);
    CHECK_EQ(rmd_pool_statistics(pool, &statistics), 0);
    CHECK_EQ(statistics.queued_max, room);
    close_pool(MANY);
    check_order(MANY);
}

TEST(who_has_time_waits_until_there_is_room_for_all)
{
    check_patient("threads:1?queue=1", 1);
    check_patient("threads:1?queue=7", 7);
    check_patient("threads:1?queue=40", 40);
    check_patient("threads:1?queue=300", 300);
}

/* What fits has been accepted when the pool is closed, or who submits is told to stop. */
TEST(those_that_were_accepted_before_the_pool_was_closed_are_told)
{
    submitter s = { 0 };
    open_pool("threads:1?queue=40");
    begin_to_wait(&s);
    CHECK_EQ(rmd_pool_close(pool), 0);
    join(&s, 40, "the pool takes no more tasks");
    CHECK_EQ(rmd_submit_many(pool, NULL, tasks, 3, NULL), RMD_ECLOSED);
    CHECK_EQ(rmd_event_set(gate), 0);
    check_futures(40);
    close_pool(40);
    check_order(40);
}

TEST(those_that_were_accepted_before_one_was_told_to_stop_are_told)
{
    submitter s = { 0 };
    REQUIRE(rmd_stop_open(&s.stop) == 0);
    open_pool("threads:1?queue=40");
    begin_to_wait(&s);
    CHECK_EQ(rmd_stop_request(s.stop), 0);
    join(&s, 40, "40 tasks are queued");
    rmd_stop_set(s.stop);
    CHECK_EQ(rmd_submit_many(pool, NULL, tasks, 3, NULL), RMD_ECANCELED);
    rmd_stop_set(NULL);
    CHECK_EQ(rmd_event_set(gate), 0);
    check_futures(40);
    close_pool(40);
    CHECK_EQ(rmd_stop_free(s.stop), 0);
}

TEST(those_that_were_accepted_in_time_are_told)
{
    rmd_task_options options = { .size = sizeof options, .full_ms = 2 };
    open_pool("threads:1?queue=40");
    CHECK_EQ(rmd_submit_many(pool, futures, tasks, MANY, &options), 40);
    CHECK_STR(rmd_error_detail(), "40 tasks are queued, and none of them was started in time");
    CHECK_EQ(rmd_submit_many(pool, NULL, tasks, 3, &options), RMD_EFULL);
    CHECK_EQ(rmd_event_set(gate), 0);
    check_futures(40);
    close_pool(40);
}

static void submit_one(void *arg)
{
    CHECK_EQ(rmd_submit(pool, NULL, run, arg, NULL), 0);
}

/* Room for many is told to one, who may be the one that needs only one. */
TEST(who_submits_many_passes_on_the_room_that_is_left)
{
    rmdi_thread one;
    submitter s = { 0 };
    rmdi_threads *p;
    open_pool("threads:1?queue=40");
    p = (rmdi_threads *)(void *)pool;
    for (int i = 0; i < 40; i++)
        REQUIRE(rmd_submit(pool, &futures[i], run, &numbers[i], NULL) == 0);
    s.options.full_ms = 600000;
    rmd_future *queued[40];
    memcpy(queued, futures, sizeof queued);
    memset(futures, 0, sizeof queued);
    REQUIRE(rmdi_thread_start(&one, submit_one, &numbers[0], "submits") == 0);
    while (!rmd_atomic_load(&p->place.count, RMD_RELAXED))
        sched_yield();
    REQUIRE(rmdi_thread_start(&s.thread, submit_all, &s, "submits") == 0);
    while (rmd_atomic_load(&p->place.count, RMD_RELAXED) < 2)
        sched_yield();
    CHECK_EQ(rmd_event_set(gate), 0);
    REQUIRE(rmdi_thread_join(&one, soon()) == 0);
    join(&s, MANY, NULL);
    check_futures(MANY);
    for (int i = 0; i < 40; i++)
        rmd_future_free(queued[i]);
    close_pool(MANY + 41);
}

/* ---- one by one, behind the scenes ---- */

TEST(each_of_them_has_the_limits_of_its_own)
{
    rmd_task_options options = { .size = sizeof options, .limits.queue_ms_max = 1 };
    open_pool("threads:1");
    CHECK_EQ(rmd_submit_many(pool, futures, tasks, 40, &options), 40);
    for (int i = 0; i < 40; i++) { /* the only worker stands at the gate */
        CHECK_EQ(rmd_future_wait(futures[i], soon()), 0);
        CHECK_EQ(rmd_future_outcome(futures[i]), RMD_OUTCOME_TIMEOUT);
        rmd_future_free(futures[i]);
        futures[i] = NULL;
    }
    tasks[40].fn = NULL;
    options.limits.queue_ms_max = 600000;
    CHECK_EQ(rmd_submit_many(pool, futures, tasks, MANY, &options), 40);
    CHECK_STR(rmd_error_detail(), "task 40 has no function");
    CHECK_EQ(rmd_submit_many(pool, NULL, tasks + 40, 1, &options), RMD_EINVAL);
    CHECK_EQ(rmd_event_set(gate), 0);
    check_futures(40);
    close_pool(80);
    check_order(40);
}

static const rmd_context_key key = { "batch" };

static int check_context(void *number)
{
    CHECK(rmd_context_get(&key) == &numbers[0]);
    return run(number);
}

TEST(each_of_them_runs_under_the_context_of_who_has_submitted_it)
{
    open_pool("threads:1");
    fill_tasks(check_context);
    RMD_WITH_CONTEXT (&key, &numbers[0])
        CHECK_EQ(rmd_submit_many(pool, futures, tasks, 100, NULL), 100);
    CHECK_EQ(rmd_event_set(gate), 0);
    check_futures(100);
    close_pool(100);
    check_order(100);
}

static int64_t inside_answer;

static int submit_inside(void *arg)
{
    (void)arg;
    inside_answer = rmd_submit_many(pool, futures, tasks, MANY, NULL);
    return 0;
}

static void check_inside(const char *kind, uint64_t in_place)
{
    rmd_future *future;
    rmd_statistics statistics;
    open_pool(kind);
    REQUIRE(rmd_submit(pool, &future, submit_inside, NULL, NULL) == 0);
    CHECK_EQ(rmd_event_set(gate), 0);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(inside_answer, MANY);
    check_futures(MANY);
    CHECK_EQ(rmd_pool_statistics(pool, &statistics), 0);
    CHECK_EQ(statistics.in_place, in_place);
    CHECK_EQ(rmd_atomic_load(&count, RMD_RELAXED), MANY);
    rmd_future_free(future);
    close_pool(MANY + 1);
}

/* On one worker, which stands in the task that submits them. */
TEST(inside_a_task_those_that_do_not_fit_are_run_in_place)
{
    check_inside("threads:1?queue=5", MANY - 5);
    check_inside("threads:1?queue=256", 0); /* its own deque, and then the queue */
}

/* ---- by several at once ---- */

enum { SUBMITTERS = 3, ROUNDS = 30 };

static int count_run(void *arg)
{
    (void)arg;
    rmd_atomic_add(&count, 1, RMD_RELAXED);
    return 0;
}

static void submit_often(void *arg)
{
    rmd_future *own[100];
    (void)arg;
    for (int round = 0; round < ROUNDS; round++) {
        CHECK_EQ(rmd_submit_many(pool, own, tasks, 100, NULL), 100);
        for (int i = 0; i < 100; i++) {
            CHECK_EQ(rmd_future_wait(own[i], soon()), 0);
            CHECK_EQ(rmd_future_outcome(own[i]), RMD_OUTCOME_OK);
            rmd_future_free(own[i]);
        }
    }
}

static void check_several(const char *kind)
{
    rmdi_thread threads[SUBMITTERS];
    open_pool(kind);
    fill_tasks(count_run);
    CHECK_EQ(rmd_event_set(gate), 0);
    for (int i = 0; i < SUBMITTERS; i++)
        REQUIRE(rmdi_thread_start(&threads[i], submit_often, NULL, "submits") == 0);
    for (int i = 0; i < SUBMITTERS; i++)
        REQUIRE(rmdi_thread_join(&threads[i], RMD_FOREVER) == 0);
    close_pool(SUBMITTERS * ROUNDS * 100);
    CHECK_EQ(rmd_atomic_load(&count, RMD_RELAXED), SUBMITTERS * ROUNDS * 100);
}

TEST_LIMIT(several_may_submit_many_at_once, 60)
{
    check_several("threads:2?queue=20");
    check_several("threads:2");
}
