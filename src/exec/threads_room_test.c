/* SPDX-License-Identifier: MIT */
/* Room in the queue of a threads pool. That somebody waits for it is seen in the pool's list of
 * those who do, so nothing here depends on how fast anybody is. */
#include "kit.h"
#include "kit_soon.h"

#include "exec/threads.h"
#include "sync/thread.h"

#include <remuda/error.h>
#include <remuda/event.h>
#include <remuda/pool.h>
#include <remuda/promise.h>
#include <remuda/stop.h>
#include <sched.h>

static rmd_pool *pool;
static rmd_event *gates[2];
static rmd_atomic(int) ran;

static int run(void *arg)
{
    (void)arg;
    rmd_atomic_add(&ran, 1, RMD_RELAXED);
    return 0;
}

static int wait_for(void *gate)
{
    return rmd_event_wait(gate, RMD_FOREVER);
}

static rmd_statistics statistics(void)
{
    rmd_statistics s = { 0 };
    CHECK_EQ(rmd_pool_statistics(pool, &s), 0);
    return s;
}

static void await_running(uint64_t n)
{
    rmd_census now = { 0 };
    while (rmd_pool_census(pool, &now) == 0 && now.running < n)
        sched_yield();
}

/* Its workers stand at the first gate: nothing leaves the queue. */
static void open_pool(const char *kind)
{
    for (int i = 0; i < 2; i++)
        REQUIRE(rmd_event_open(&gates[i]) == 0);
    REQUIRE(rmd_pool_open(&pool, kind, NULL, soon()) == 0);
    for (unsigned i = 0; i < rmd_pool_size(pool); i++) {
        REQUIRE(rmd_submit(pool, NULL, wait_for, gates[0], NULL) == 0);
        await_running(i + 1);
    }
}

static void close_pool(void)
{
    rmd_census census;
    for (int i = 0; i < 2; i++)
        CHECK_EQ(rmd_event_set(gates[i]), 0);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_census(pool, &census), 0);
    CHECK(rmd_census_balances(&census));
    CHECK_EQ(rmd_pool_free(pool), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(rmd_event_free(gates[i]), 0);
}

/* The two ways into the queue: a plain task, and one that is accepted in several steps. */
static rmd_task_options options_of(bool limited, int64_t full_ms)
{
    rmd_task_options options = { .size = sizeof options, .full_ms = full_ms };
    options.limits.total_ms_max = limited ? 600000 : 0;
    return options;
}

static int submit(rmd_future **future, int64_t full_ms, bool limited)
{
    rmd_task_options options = options_of(limited, full_ms);
    return rmd_submit(pool, future, run, NULL, &options);
}

/* One worker, and a queue of two places, which are taken. */
static rmd_future *taken[2];

static void open_full(void)
{
    open_pool("threads:1?queue=2");
    for (int i = 0; i < 2; i++)
        REQUIRE(submit(&taken[i], 0, false) == 0);
}

static void close_full(void)
{
    for (int i = 0; i < 2; i++)
        rmd_future_free(taken[i]);
    close_pool();
}

/* ---- refused ---- */

static void check_refused(int64_t full_ms, const char *words)
{
    open_full();
    for (int limited = 0; limited < 2; limited++) {
        rmd_future *untouched = taken[0];
        CHECK_EQ(submit(&untouched, full_ms, limited), RMD_EFULL);
        CHECK_STR(rmd_error_detail(), words);
        CHECK(untouched == taken[0]);
        CHECK_EQ(submit(NULL, full_ms, limited), RMD_EFULL);
    }
    close_full();
    CHECK_EQ(rmd_atomic_load(&ran, RMD_RELAXED), 2);
}

TEST(who_does_not_wait_is_told_at_once_how_many_are_queued)
{
    check_refused(-1, "2 tasks are queued");
    rmd_atomic_store(&ran, 0, RMD_RELAXED);
    check_refused(INT64_MIN, "2 tasks are queued");
}

TEST(who_waits_for_a_time_is_told_that_none_was_started)
{
    check_refused(2, "2 tasks are queued, and none of them was started in time");
}

TEST(what_was_refused_is_in_no_group_and_in_no_account)
{
    rmd_group *group;
    rmd_census census;
    REQUIRE(rmd_group_open(&group) == 0);
    open_full();
    for (int limited = 0; limited < 2; limited++) {
        rmd_task_options options = options_of(limited, -1);
        options.group = group;
        CHECK_EQ(rmd_submit(pool, NULL, run, NULL, &options), RMD_EFULL);
    }
    CHECK_EQ(rmd_group_wait(group, RMD_NOW), 0);
    rmd_group_census(group, &census);
    CHECK_EQ(census.submitted, 0);
    CHECK_EQ(rmd_pool_census(pool, &census), 0);
    CHECK_EQ(census.submitted, 3);
    close_full();
    CHECK_EQ(rmd_group_free(group), 0);
}

TEST(a_full_queue_that_is_closed_is_closed)
{
    open_full();
    CHECK_EQ(rmd_pool_close(pool), 0);
    for (int limited = 0; limited < 2; limited++) {
        CHECK_EQ(submit(NULL, -1, limited), RMD_ECLOSED);
        CHECK_STR(rmd_error_detail(), "the pool takes no more tasks");
        CHECK_EQ(submit(NULL, 0, limited), RMD_ECLOSED);
    }
    close_full();
}

/* ---- waiting ---- */

typedef struct submitter {
    rmdi_thread thread;
    rmd_stop *stop;
    int64_t full_ms;
    bool limited;
    int err;
    char detail[128];
} submitter;

static void submit_one(void *arg)
{
    submitter *s = arg;
    rmd_stop_set(s->stop);
    s->err = submit(NULL, s->full_ms, s->limited);
    snprintf(s->detail, sizeof s->detail, "%s", s->err < 0 ? rmd_error_detail() : "");
    rmd_stop_set(NULL);
}

static void await_waiting(uint32_t n)
{
    rmdi_threads *p = (rmdi_threads *)(void *)pool;
    while (rmd_atomic_load(&p->place.count, RMD_RELAXED) < n)
        sched_yield();
}

/* One after the other, so that the order in which they wait is known. */
static void begin_to_wait(submitter *some, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        REQUIRE(rmdi_thread_start(&some[i].thread, submit_one, &some[i], "submits") == 0);
        await_waiting(i + 1);
    }
}

static void join(submitter *some, int n, int err, const char *detail)
{
    for (int i = 0; i < n; i++) {
        REQUIRE(rmdi_thread_join(&some[i].thread, soon()) == 0);
        CHECK_EQ(some[i].err, err);
        CHECK_STR(some[i].detail, detail);
    }
}

static void check_cancel_makes_room(bool limited)
{
    submitter one = { .limited = limited };
    rmd_atomic_store(&ran, 0, RMD_RELAXED);
    open_full();
    begin_to_wait(&one, 1);
    CHECK_EQ(rmd_future_cancel(taken[1]), 0);
    join(&one, 1, 0, "");
    CHECK_EQ(submit(NULL, -1, false), RMD_EFULL); /* it has taken the place */
    close_full();
    CHECK_EQ(rmd_atomic_load(&ran, RMD_RELAXED), 2);
}

TEST(who_waits_gets_the_place_of_one_that_is_cancelled)
{
    check_cancel_makes_room(false);
    check_cancel_makes_room(true);
}

TEST(who_waits_gets_the_place_of_one_that_begins)
{
    submitter some[2] = { { .limited = true }, { .limited = false } };
    open_full();
    begin_to_wait(some, 2);
    CHECK_EQ(rmd_event_set(gates[0]), 0);
    join(some, 2, 0, "");
    close_full();
    CHECK_EQ(rmd_atomic_load(&ran, RMD_RELAXED), 4);
}

/* Perhaps only to be cancelled, too, as that goes on: but nobody waits for what has been told. */
TEST(all_who_wait_get_in_when_everything_that_is_queued_is_cancelled)
{
    submitter some[2] = { { .limited = true }, { .limited = false } };
    open_full();
    begin_to_wait(some, 2);
    CHECK_EQ(rmd_pool_cancel(pool, true), 0);
    join(some, 2, 0, "");
    close_full();
    CHECK_INT(rmd_atomic_load(&ran, RMD_RELAXED), <=, 2);
}

/* The worker takes several at once, tells one of those who wait, and stands at the next gate. */
TEST(who_is_woken_for_room_passes_on_what_it_does_not_need)
{
    enum { QUEUE = RMDI_DEQUE_MAX, WAIT = 5 };
    submitter some[WAIT] = { { .limited = true }, { .limited = true } };
    open_pool("threads:1?queue=256");
    REQUIRE(QUEUE == 256);
    REQUIRE(rmd_submit(pool, NULL, wait_for, gates[1], NULL) == 0);
    for (int i = 1; i < QUEUE; i++)
        REQUIRE(submit(NULL, -1, false) == 0);
    CHECK_EQ(submit(NULL, -1, false), RMD_EFULL);
    begin_to_wait(some, WAIT);
    CHECK_EQ(rmd_event_set(gates[0]), 0);
    join(some, WAIT, 0, "");
    close_pool();
    CHECK_EQ(rmd_atomic_load(&ran, RMD_RELAXED), QUEUE - 1 + WAIT);
}

TEST(who_waits_is_told_that_the_pool_is_closed)
{
    submitter some[3] = { { .limited = true }, { .full_ms = 600000 } };
    open_full();
    begin_to_wait(some, 3);
    CHECK_EQ(rmd_pool_close(pool), 0);
    join(some, 3, RMD_ECLOSED, "the pool takes no more tasks");
    close_full();
    CHECK_EQ(rmd_atomic_load(&ran, RMD_RELAXED), 2);
}

TEST(who_waits_wakes_when_told_to_stop_and_others_wait_on)
{
    rmd_stop *stop;
    submitter told[2] = { { .limited = true } }, other = { 0 };
    REQUIRE(rmd_stop_open(&stop) == 0);
    told[0].stop = told[1].stop = stop;
    open_full();
    begin_to_wait(told, 2);
    REQUIRE(rmdi_thread_start(&other.thread, submit_one, &other, "submits") == 0);
    await_waiting(3);
    CHECK_EQ(rmd_stop_request(stop), 0);
    join(told, 2, RMD_ECANCELED, "2 tasks are queued");
    CHECK_EQ(rmd_future_cancel(taken[0]), 0);
    join(&other, 1, 0, "");
    close_full();
    CHECK_EQ(rmd_stop_free(stop), 0);
}

TEST(who_gives_up_in_time_takes_no_place_from_others)
{
    submitter first = { .full_ms = 1 }, second = { 0 };
    open_full();
    REQUIRE(rmdi_thread_start(&first.thread, submit_one, &first, "submits") == 0);
    begin_to_wait(&second, 1); /* or the first is just there yet */
    join(&first, 1, RMD_EFULL, "2 tasks are queued, and none of them was started in time");
    await_waiting(1);
    CHECK_EQ(rmd_future_cancel(taken[0]), 0);
    join(&second, 1, 0, "");
    close_full();
}

/* ---- what counts ---- */

static int fill_own(void *arg)
{
    int n = *(int *)arg;
    for (int i = 0; i < n; i++)
        CHECK_EQ(submit(NULL, -1, false), 0);
    return wait_for(gates[1]);
}

/* A task of the only worker submits n, and stands. */
static void let_task_submit(const char *kind, int n)
{
    static int number;
    number = n;
    open_pool(kind);
    REQUIRE(rmd_submit(pool, NULL, fill_own, &number, NULL) == 0);
    CHECK_EQ(rmd_event_set(gates[0]), 0);
    rmd_census now = { 0 };
    while (rmd_pool_census(pool, &now) == 0 && now.submitted < (uint64_t)n + 2)
        sched_yield();
}

TEST(in_a_small_queue_those_count_that_tasks_have_submitted)
{
    let_task_submit("threads:1?queue=255", 100);
    for (int i = 100; i < 255; i++)
        CHECK_EQ(submit(NULL, -1, i % 2), 0);
    CHECK_EQ(submit(NULL, -1, false), RMD_EFULL);
    CHECK_EQ(submit(NULL, -1, true), RMD_EFULL);
    CHECK_STR(rmd_error_detail(), "255 tasks are queued");
    close_pool();
    CHECK_EQ(rmd_atomic_load(&ran, RMD_RELAXED), 255);
}

TEST(in_a_larger_queue_those_do_not_count_that_tasks_have_submitted)
{
    let_task_submit("threads:1?queue=256", 100);
    for (int i = 0; i < 256; i++)
        CHECK_EQ(submit(NULL, -1, i % 2), 0);
    CHECK_EQ(submit(NULL, -1, false), RMD_EFULL);
    CHECK_EQ(submit(NULL, -1, true), RMD_EFULL);
    CHECK_EQ(statistics().queued_max, 256);
    close_pool();
    CHECK_EQ(rmd_atomic_load(&ran, RMD_RELAXED), 356);
}

TEST(tasks_of_every_priority_count)
{
    open_pool("threads:1?queue=3");
    for (int i = -1; i <= 1; i++) {
        rmd_task_options options = options_of(false, -1);
        options.priority = (rmd_priority)i;
        CHECK_EQ(rmd_submit(pool, NULL, run, NULL, &options), 0);
    }
    for (int i = -1; i <= 1; i++) {
        rmd_task_options options = options_of(false, -1);
        options.priority = (rmd_priority)i;
        CHECK_EQ(rmd_submit(pool, NULL, run, NULL, &options), RMD_EFULL);
    }
    close_pool();
}

static int go_on(rmd_future *first, void *arg)
{
    (void)first;
    return run(arg);
}

TEST(what_comes_after_another_task_needs_no_room)
{
    rmd_promise *promise;
    rmd_future *first, *after;
    rmd_task_options options = options_of(false, -1);
    open_full();
    REQUIRE(rmd_promise_open(&promise, &first, NULL) == 0);
    CHECK_EQ(rmd_then(pool, NULL, first, go_on, NULL, &options), 0);
    CHECK_EQ(rmd_promise_set(promise, 1), 0);
    CHECK_EQ(rmd_then(pool, &after, first, go_on, NULL, NULL), 0);
    CHECK_EQ(submit(NULL, -1, false), RMD_EFULL);
    CHECK_EQ(rmd_event_set(gates[0]), 0);
    CHECK_EQ(rmd_future_wait(after, soon()), 0);
    CHECK_EQ(rmd_future_outcome(after), RMD_OUTCOME_OK);
    rmd_future_free(after);
    rmd_future_free(first);
    rmd_promise_free(promise);
    close_full();
    CHECK_EQ(rmd_atomic_load(&ran, RMD_RELAXED), 4);
}

/* ---- inside ---- */

static int note_thread(void *place)
{
    *(uintptr_t *)place = rmdi_thread_self();
    return 0;
}

/* With a full queue, on a worker: it is run here and now, whatever time it would have. */
static void check_in_place(void)
{
    for (int i = 0; i < 6; i++) {
        uintptr_t thread = 0;
        rmd_future *future = NULL;
        rmd_task_options options = options_of(i % 2, i < 2 ? 0 : i < 4 ? 1 : INT64_MAX);
        CHECK_EQ(rmd_submit(pool, &future, note_thread, &thread, &options), 0);
        CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_OK);
        CHECK(thread == rmdi_thread_self());
        rmd_future_free(future);
    }
    CHECK_EQ(statistics().in_place, 6);
    CHECK_EQ(submit(NULL, -1, false), RMD_EFULL);
    CHECK_EQ(submit(NULL, -1, true), RMD_EFULL);
    CHECK_STR(rmd_error_detail(), "2 tasks are queued");
}

static int submit_inside(void *arg)
{
    (void)arg;
    int err = wait_for(gates[1]); /* until the queue is full */
    if (err == 0)
        check_in_place();
    return err;
}

static void fill_while_runs(rmd_future *future)
{
    CHECK_EQ(rmd_event_set(gates[0]), 0);
    while (rmd_future_state(future) != RMD_STATE_RUNNING)
        sched_yield();
    for (int i = 0; i < 2; i++)
        REQUIRE(submit(&taken[i], -1, false) == 0);
    CHECK_EQ(rmd_event_set(gates[1]), 0);
}

TEST(inside_a_task_one_for_which_there_is_no_room_is_run_in_place)
{
    rmd_future *future;
    open_pool("threads:1?queue=2");
    REQUIRE(rmd_submit(pool, &future, submit_inside, NULL, NULL) == 0);
    fill_while_runs(future);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_error(future), 0);
    rmd_future_free(future);
    close_full();
}

static void submit_in_callback(rmd_future *future, void *ctx)
{
    (void)future;
    check_in_place();
    CHECK_EQ(rmd_event_set(ctx), 0);
}

/* On the only worker, which would wait for itself. */
TEST(in_a_callback_on_a_worker_one_for_which_there_is_no_room_is_run_in_place)
{
    rmd_event *called;
    rmd_future *first;
    REQUIRE(rmd_event_open(&called) == 0);
    open_pool("threads:1?queue=2");
    rmd_task_options high = options_of(false, 0);
    high.priority = RMD_PRIORITY_HIGH;
    REQUIRE(rmd_submit(pool, &first, wait_for, gates[1], &high) == 0);
    REQUIRE(rmd_future_on_end(first, submit_in_callback, called) == 0);
    fill_while_runs(first);
    CHECK_EQ(rmd_event_wait(called, soon()), 0);
    rmd_future_free(first);
    close_full();
    CHECK_EQ(rmd_event_free(called), 0);
}

static int submit_from_other(void *arg)
{
    submit_one(arg);
    return 0;
}

TEST(a_task_of_another_pool_waits_for_room_as_anybody)
{
    rmd_pool *other;
    rmd_future *future;
    submitter inside = { 0 };
    REQUIRE(rmd_pool_open(&other, "threads:1", NULL, soon()) == 0);
    open_full();
    REQUIRE(rmd_submit(other, &future, submit_from_other, &inside, NULL) == 0);
    await_waiting(1);
    CHECK_EQ(statistics().in_place, 0);
    CHECK_EQ(rmd_future_cancel(taken[0]), 0);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(inside.err, 0);
    rmd_future_free(future);
    CHECK_EQ(rmd_pool_drain(other, soon()), 0);
    CHECK_EQ(rmd_pool_free(other), 0);
    close_full();
}

/* ---- many ---- */

enum { SUBMITTERS = 4, EACH = 2000 };

static void submit_each(void *arg)
{
    for (int i = 0; i < EACH; i++)
        CHECK_EQ(submit(NULL, i % 3 ? 0 : 600000, arg && i % 2), 0);
}

static rmd_statistics share_one_place(void *mixed)
{
    rmdi_thread threads[SUBMITTERS];
    rmd_atomic_store(&ran, 0, RMD_RELAXED);
    REQUIRE(rmd_pool_open(&pool, "threads:2?queue=1", NULL, soon()) == 0);
    for (int i = 0; i < SUBMITTERS; i++)
        REQUIRE(rmdi_thread_start(&threads[i], submit_each, mixed, "submits") == 0);
    for (int i = 0; i < SUBMITTERS; i++)
        REQUIRE(rmdi_thread_join(&threads[i], RMD_FOREVER) == 0);
    rmd_statistics s = statistics();
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
    CHECK_EQ(rmd_atomic_load(&ran, RMD_RELAXED), SUBMITTERS * EACH);
    return s;
}

TEST_LIMIT(many_submitters_share_one_place_and_none_is_forgotten, 60)
{
    CHECK_EQ(share_one_place(NULL).queued_max, 1);
    share_one_place(&ran);
}
