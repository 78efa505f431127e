/* SPDX-License-Identifier: MIT */
/* A map by itself: who is called when, on which thread, how often, and which error it returns, with
 * which words. */
#include "kit.h"
#include "kit_soon.h"

#include "sync/thread.h"

#include <remuda/call.h>
#include <remuda/error.h>
#include <remuda/event.h>
#include <remuda/function.h>
#include <remuda/group.h>
#include <remuda/map.h>
#include <remuda/pool.h>
#include <remuda/stop.h>
#include <sched.h>
#include <unistd.h>

enum { SEEN = 64 };

/* What producer and sink of a case share: they run on one thread. */
static struct {
    rmd_pool *pool;
    int asked, produced, end;   /* how often next was called, how many it gave, and is to give */
    int fail_at, enough_at;     /* after so many next, or the sink, fails; 0: never */
    int given;                  /* to the sink */
    int produced_at_first_sink; /* how many next had given by then */
    uint64_t indexes[SEEN];
    rmd_outcome outcomes[SEEN];
    rmd_event *gates[3];
    rmd_task_fn *fn; /* NULL: nothing */
} m;

static void open_pool(const char *kind)
{
    REQUIRE(rmd_pool_open(&m.pool, kind, NULL, soon()) == 0);
}

static void close_pool(void)
{
    rmd_census census;
    CHECK_EQ(rmd_pool_drain(m.pool, soon()), 0);
    CHECK_EQ(rmd_pool_census(m.pool, &census), 0);
    CHECK(rmd_census_balances(&census));
    CHECK_EQ(rmd_pool_free(m.pool), 0);
}

static void open_gates(void)
{
    for (int i = 0; i < 3; i++)
        REQUIRE(rmd_event_open(&m.gates[i]) == 0);
}

static void free_gates(void)
{
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rmd_event_free(m.gates[i]), 0);
}

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int fail_with_words(void *arg)
{
    (void)arg;
    return rmd_fail(-1234, "the task says why");
}

static int wait_for(void *event)
{
    return rmd_event_wait(event, RMD_FOREVER);
}

static int next(void *ctx, rmd_map_task *task)
{
    CHECK(ctx == &m);
    m.asked++;
    if (m.fail_at && m.produced == m.fail_at)
        return rmd_fail(-2000, "the producer says why");
    if (m.produced == m.end)
        return 0;
    int err = rmd_map_submit(task, m.fn ? m.fn : do_nothing, NULL);
    m.produced += err == 1;
    return err;
}

static int sink(void *ctx, rmd_future *future, uint64_t index)
{
    CHECK(ctx == &m);
    if (!m.given)
        m.produced_at_first_sink = m.produced;
    if (m.given < SEEN) {
        m.indexes[m.given] = index;
        m.outcomes[m.given] = rmd_future_outcome(future);
    }
    m.given++;
    return m.given == m.enough_at ? rmd_fail(-3000, "the sink says why") : 0;
}

static rmd_census census;

static rmd_map_options options_of(rmd_map_next_fn *producer)
{
    return (rmd_map_options){ .size = sizeof(rmd_map_options),
                              .next = producer,
                              .sink = sink,
                              .ctx = &m,
                              .window = 4,
                              .census = &census };
}

static int map(rmd_map_next_fn *producer)
{
    rmd_map_options options = options_of(producer);
    int err = rmd_map(m.pool, &options, soon());
    CHECK(rmd_census_balances(&census));
    return err;
}

/* ---- what is refused ---- */

TEST(options_that_are_missing_or_wrong_are_refused_before_anybody_is_called)
{
    rmd_map_options options = options_of(next);
    open_pool("threads:1");
    CHECK_EQ(rmd_map(NULL, &options, RMD_NOW), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "map: no pool was given");
    CHECK_EQ(rmd_map(m.pool, NULL, RMD_NOW), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "map options: size is 0, not ");
    options.size--;
    CHECK_EQ(rmd_map(m.pool, &options, RMD_NOW), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "map options: size is ");
    options = options_of(NULL);
    CHECK_EQ(rmd_map(m.pool, &options, RMD_NOW), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "map options: next must be given");
    options = options_of(next);
    options.window = (1 << 24) + 1;
    CHECK_EQ(rmd_map(m.pool, &options, RMD_NOW), RMD_E2BIG);
    CHECK_STR(rmd_error_detail(), "map options: a window of 16777217 tasks; at most 16777216");
    CHECK_EQ(m.asked, 0);
    close_pool();
}

TEST(a_pool_that_takes_no_pointers_tells_the_producer)
{
    m.end = 3;
    open_pool("programs:1");
    CHECK_EQ(map(next), RMD_ENOTSUP);
    CHECK_EQ(m.asked, 1);
    CHECK_EQ(m.given, 0);
    CHECK_EQ(census.submitted, 0);
    close_pool();
}

static int give_no_task(void *ctx, rmd_map_task *task)
{
    (void)ctx;
    (void)task;
    return 5;
}

TEST(a_producer_that_says_that_it_gave_a_task_and_did_not_is_refused)
{
    open_pool("threads:1");
    CHECK_EQ(map(give_no_task), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "map: next returned 5 and gave no task");
    close_pool();
}

static int give_two(void *ctx, rmd_map_task *task)
{
    (void)ctx;
    CHECK_EQ(rmd_map_submit(task, do_nothing, NULL), 1);
    CHECK_EQ(rmd_map_submit(task, do_nothing, NULL), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "map: one task for each call of next");
    CHECK_EQ(rmd_map_call(task, "add", RMD_ARGS(1, 2)), RMD_EINVAL);
    CHECK_EQ(rmd_map_exec(task, &(rmd_command){ .size = sizeof(rmd_command) }), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "map: one task for each call of next");
    return 0;
}

TEST(of_two_tasks_in_one_call_the_first_counts)
{
    open_pool("threads:1");
    CHECK_EQ(map(give_two), 0);
    CHECK_EQ(m.given, 1);
    CHECK_EQ(census.submitted, 1);
    close_pool();
}

TEST(without_a_task_of_a_map_nothing_is_submitted)
{
    CHECK_EQ(rmd_map_submit(NULL, do_nothing, NULL), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "map: no task was given");
    CHECK_EQ(rmd_map_call(NULL, "add", RMD_ARGS(1, 2)), RMD_EINVAL);
    CHECK_EQ(rmd_map_exec(NULL, NULL), RMD_EINVAL);
}

static int give_nonsense(void *ctx, rmd_map_task *task)
{
    rmd_command wrong = { .size = 1 };
    (void)ctx;
    CHECK_EQ(rmd_map_submit(task, NULL, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_map_call(task, "map.none_such", RMD_ARGS()), RMD_ENOENT);
    CHECK_CONTAINS(rmd_error_detail(), "map.none_such");
    CHECK_EQ(rmd_map_call(task, NULL, RMD_ARGS()), RMD_EINVAL);
    CHECK_EQ(rmd_map_exec(task, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_map_exec(task, &wrong), RMD_ENOTSUP); /* on threads */
    return 0;
}

TEST(a_producer_whose_tasks_are_refused_may_say_that_there_are_no_more)
{
    open_pool("threads:1");
    CHECK_EQ(map(give_nonsense), 0);
    CHECK_EQ(m.given, 0);
    CHECK_EQ(census.submitted, 0);
    close_pool();
}

static int give_wrong_command(void *ctx, rmd_map_task *task)
{
    rmd_command wrong = { .size = 1 };
    (void)ctx;
    return rmd_map_exec(task, &wrong);
}

TEST(a_command_of_another_size_is_refused)
{
    open_pool("programs:1");
    CHECK_EQ(map(give_wrong_command), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "size is 1");
    CHECK_EQ(census.submitted, 0);
    close_pool();
}

/* ---- the window ---- */

/* Nothing ends before the window is full. */
static int next_gated(void *ctx, rmd_map_task *task)
{
    int window = *(int *)ctx;
    if (m.produced == 3 * window)
        return 0;
    m.produced++;
    int err = rmd_map_submit(task, wait_for, m.gates[0]);
    if (m.produced == window)
        CHECK_EQ(rmd_event_set(m.gates[0]), 0);
    return err;
}

static int sink_in_window(void *ctx, rmd_future *future, uint64_t index)
{
    int window = *(int *)ctx;
    (void)future;
    (void)index;
    CHECK_EQ(m.produced - m.given, m.produced < 3 * window ? window : m.produced - m.given);
    m.given++;
    return 0;
}

static void check_window(unsigned given, int window, bool as_completed)
{
    rmd_map_options options = { .size = sizeof options,
                                .next = next_gated,
                                .sink = sink_in_window,
                                .ctx = &window,
                                .window = given,
                                .as_completed = as_completed };
    open_pool("threads:2");
    open_gates();
    m.produced = m.given = 0;
    CHECK_EQ(rmd_map(m.pool, &options, soon()), 0);
    CHECK_EQ(m.given, 3 * window);
    free_gates();
    close_pool();
}

TEST(the_window_is_filled_before_each_call_of_the_sink_and_never_more)
{
    check_window(1, 1, false);
    check_window(5, 5, false);
    check_window(5, 5, true);
    check_window(70, 70, true);
}

TEST(a_window_of_none_is_256_for_each_worker)
{
    check_window(0, 512, false);
    check_window(0, 512, true);
}

/* ---- order ---- */

static int next_of_three(void *ctx, rmd_map_task *task)
{
    CHECK(ctx == &m);
    if (m.produced == 3)
        return 0;
    int err = rmd_map_submit(task, wait_for, m.gates[m.produced]);
    if (++m.produced == 3)
        CHECK_EQ(rmd_event_set(m.gates[2]), 0); /* the last one ends first */
    return err;
}

/* Each lets another one end: 2, 0, 1. */
static int open_another(void *ctx, rmd_future *future, uint64_t index)
{
    int err = sink(ctx, future, index);
    CHECK_EQ(rmd_event_set(m.gates[index == 2 ? 0 : 1]), 0);
    return err;
}

TEST(as_completed_the_sink_gets_them_as_they_end)
{
    rmd_map_options options = options_of(next_of_three);
    open_gates();
    open_pool("threads:3");
    options.sink = open_another;
    options.as_completed = true;
    options.window = 3;
    CHECK_EQ(rmd_map(m.pool, &options, soon()), 0);
    CHECK_EQ(m.given, 3);
    CHECK_EQ(m.indexes[0], 2);
    CHECK_EQ(m.indexes[1], 0);
    CHECK_EQ(m.indexes[2], 1);
    close_pool();
    free_gates();
}

/* The first waits until the others have ended. */
static int end_last(void *arg)
{
    (void)arg;
    int err = rmd_event_wait(m.gates[1], RMD_FOREVER);
    return err < 0 ? err : rmd_event_wait(m.gates[2], RMD_FOREVER);
}

static int set_gate(void *gate)
{
    return rmd_event_set(gate);
}

static int next_of_slow_first(void *ctx, rmd_map_task *task)
{
    (void)ctx;
    if (m.produced == 3)
        return 0;
    int number = m.produced++;
    return number ? rmd_map_submit(task, set_gate, m.gates[number])
                  : rmd_map_submit(task, end_last, NULL);
}

TEST(in_order_the_sink_gets_the_first_first_though_it_ends_last)
{
    open_gates();
    open_pool("threads:2");
    CHECK_EQ(map(next_of_slow_first), 0);
    CHECK_EQ(m.given, 3);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(m.indexes[i], i);
    close_pool();
    free_gates();
}

/* ---- the producer's end ---- */

TEST(a_producer_that_has_come_to_its_end_is_not_asked_again)
{
    m.end = 10;
    open_pool("threads:2");
    CHECK_EQ(map(next), 0);
    CHECK_EQ(m.asked, 11);
    CHECK_EQ(m.given, 10);
    CHECK_EQ(census.ok, 10);
    close_pool();
}

static int give_last(void *ctx, rmd_map_task *task)
{
    int err = next(ctx, task);
    return err == 1 && m.produced == 3 ? 0 : err;
}

TEST(a_task_that_comes_with_the_end_is_the_last_one)
{
    m.end = 10;
    open_pool("threads:1");
    CHECK_EQ(map(give_last), 0);
    CHECK_EQ(m.asked, 3);
    CHECK_EQ(m.given, 3);
    CHECK_EQ(m.outcomes[2], RMD_OUTCOME_OK);
    close_pool();
}

/* It stands at a gate that nobody opens: so it is cancelled, or the map would not end. */
static int give_and_fail(void *ctx, rmd_map_task *task)
{
    (void)ctx;
    CHECK_EQ(rmd_map_submit(task, wait_for, m.gates[0]), 1);
    return rmd_fail(-2000, "the producer says why");
}

TEST(a_task_that_comes_with_a_failure_is_cancelled_and_goes_through_the_sink)
{
    open_gates();
    open_pool("threads:1");
    CHECK_EQ(map(give_and_fail), -2000);
    CHECK_STR(rmd_error_detail(), "the producer says why");
    CHECK_EQ(m.given, 1);
    CHECK_EQ(m.outcomes[0], RMD_OUTCOME_CANCELLED);
    CHECK_EQ(census.cancelled, 1);
    close_pool();
    free_gates();
}

/* ---- failures ---- */

static int next_that_stands(void *ctx, rmd_map_task *task)
{
    CHECK(ctx == &m);
    m.asked++;
    if (m.produced == m.fail_at)
        return rmd_fail(-2000, "the producer says why");
    int number = m.produced++;
    return rmd_map_submit(task, number ? wait_for : do_nothing, m.gates[0]);
}

static void check_failing_producer(bool as_completed)
{
    rmd_map_options options = options_of(next_that_stands);
    open_gates();
    open_pool("threads:2");
    m.asked = m.produced = m.given = 0;
    m.fail_at = 3;
    options.as_completed = as_completed;
    CHECK_EQ(rmd_map(m.pool, &options, soon()), -2000);
    CHECK_STR(rmd_error_detail(), "the producer says why");
    CHECK_EQ(m.asked, 4);
    CHECK_EQ(m.given, 3); /* all of them, in spite of it */
    CHECK_INT(census.cancelled, >=, 2);
    CHECK_EQ(census.submitted, 3);
    CHECK(rmd_census_balances(&census));
    close_pool();
    free_gates();
}

TEST(when_the_producer_fails_what_is_under_way_is_cancelled_and_goes_through_the_sink)
{
    check_failing_producer(false);
    check_failing_producer(true);
}

/* The first failure counts, and what the sink says to what comes after it, does not. */
TEST(of_two_failures_the_first_one_is_returned)
{
    rmd_map_options options = options_of(next_that_stands);
    open_gates();
    open_pool("threads:2");
    m.fail_at = 3;
    m.enough_at = 2;
    CHECK_EQ(rmd_map(m.pool, &options, soon()), -2000);
    CHECK_STR(rmd_error_detail(), "the producer says why");
    CHECK_EQ(m.given, 2); /* having failed, the sink is not called any more */
    CHECK_EQ(census.submitted, 3);
    CHECK(rmd_census_balances(&census));
    close_pool();
    free_gates();
}

static void check_failing_sink(bool as_completed)
{
    rmd_map_options options = options_of(next_that_stands);
    open_gates();
    open_pool("threads:2");
    m.asked = m.produced = m.given = m.fail_at = 0;
    m.fail_at = -1;
    m.enough_at = 1;
    options.as_completed = as_completed;
    CHECK_EQ(rmd_map(m.pool, &options, soon()), -3000);
    CHECK_STR(rmd_error_detail(), "the sink says why");
    CHECK_EQ(m.given, 1);
    CHECK_EQ(m.produced, 4);
    CHECK_EQ(census.submitted, 4);
    CHECK_EQ(census.ok, 1);
    CHECK_EQ(census.cancelled, 3); /* they stand at a gate */
    close_pool();
    free_gates();
}

TEST(when_the_sink_fails_no_more_are_asked_for_and_the_rest_is_cancelled)
{
    check_failing_sink(false);
    check_failing_sink(true);
}

TEST(without_a_sink_a_task_that_fails_ends_the_map_with_its_error_and_words)
{
    rmd_map_options options = options_of(next);
    options.sink = NULL;
    m.end = 2;
    m.fn = fail_with_words;
    open_pool("threads:1");
    CHECK_EQ(rmd_map(m.pool, &options, soon()), -1234);
    CHECK_STR(rmd_error_detail(), "the task says why");
    options.census = NULL; /* nobody asks */
    m.produced = 0;
    CHECK_EQ(rmd_map(m.pool, &options, soon()), -1234);
    close_pool();
}

TEST(a_closed_pool_ends_the_map_with_its_words)
{
    m.end = 3;
    open_pool("threads:1");
    CHECK_EQ(rmd_pool_close(m.pool), 0);
    CHECK_EQ(map(next), RMD_ECLOSED);
    CHECK_STR(rmd_error_detail(), "the pool takes no more tasks");
    CHECK_EQ(m.asked, 1);
    close_pool();
}

/* ---- options of the tasks ---- */

static int check_options_of_task(void *ctx, rmd_future *future, uint64_t index)
{
    CHECK(rmd_future_ctx(future) == &census);
    CHECK_STR(rmd_future_name(future), "one of a map");
    return sink(ctx, future, index);
}

TEST(each_task_has_the_options_of_the_map_whatever_their_size)
{
    rmd_census of_group;
    rmd_group *group;
    rmd_map_options options = options_of(next);
    REQUIRE(rmd_group_open(&group) == 0);
    m.end = 5;
    options.sink = check_options_of_task;
    options.task = (rmd_task_options){ .ctx = &census, .name = "one of a map", .group = group };
    open_pool("threads:1");
    CHECK_EQ(rmd_map(m.pool, &options, soon()), 0);
    options.task.size = 3;
    m.produced = 0;
    CHECK_EQ(rmd_map(m.pool, &options, soon()), 0);
    CHECK_EQ(m.given, 10);
    rmd_group_census(group, &of_group);
    CHECK_EQ(of_group.ok, 10);
    CHECK_EQ(rmd_group_free(group), 0);
    options.task.priority = (rmd_priority)7;
    m.produced = 0;
    CHECK_EQ(rmd_map(m.pool, &options, soon()), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "priority 7");
    close_pool();
}

static int say(rmd_call *call)
{
    const char *text;
    int err = rmd_call_get(call, 0, &text);
    return err < 0 ? err : rmd_call_return(call, text);
}

static int call_with_own_text(void *ctx, rmd_map_task *task)
{
    char text[16];
    (void)ctx;
    if (m.produced == 3)
        return 0;
    snprintf(text, sizeof text, "text %d", m.produced++);
    int err = rmd_map_call(task, "map.say", RMD_ARGS(text));
    memset(text, 'x', sizeof text - 1);
    return err;
}

static int check_text(void *ctx, rmd_future *future, uint64_t index)
{
    char wanted[16];
    const char *text = NULL;
    snprintf(wanted, sizeof wanted, "text %d", (int)index);
    CHECK_EQ(rmd_future_get(future, &text), 0);
    CHECK_STR(text, wanted);
    return sink(ctx, future, index);
}

TEST(arguments_of_a_call_are_encoded_at_once)
{
    static const rmd_function functions[] = { { .name = "map.say", .fn = say }, { 0 } };
    rmd_map_options options = options_of(call_with_own_text);
    REQUIRE(rmd_functions_add(functions) == 0);
    options.sink = check_text;
    open_pool("threads:1");
    CHECK_EQ(rmd_map(m.pool, &options, soon()), 0);
    CHECK_EQ(m.given, 3);
    close_pool();
}

/* ---- time, and room ---- */

TEST(a_map_without_tasks_does_not_look_at_the_time)
{
    rmd_map_options options = options_of(next);
    open_pool("threads:1");
    CHECK_EQ(rmd_map(m.pool, &options, RMD_NOW), 0);
    CHECK_EQ(m.asked, 1);
    CHECK_EQ(census.submitted, 0);
    close_pool();
}

TEST(when_its_deadline_has_passed_a_map_asks_for_no_more)
{
    rmd_map_options options = options_of(next);
    m.end = 1000000;
    open_pool("threads:1");
    CHECK_EQ(rmd_map(m.pool, &options, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_STR(rmd_error_detail(), "map: the deadline passed after 1 tasks");
    CHECK_EQ(m.asked, 1);
    CHECK_EQ(m.given, 1);
    close_pool();
}

/* The token is the thread's again afterwards, and those under way were waited for in spite of it:
 * they are deaf for a while. */
static int stop_and_wait(void *arg)
{
    rmd_stop *own = rmd_stop_set(NULL);
    (void)arg;
    int err = rmd_event_wait(m.gates[0], RMD_FOREVER);
    rmd_stop_set(own);
    return err;
}

static void open_gate_soon(void *arg)
{
    (void)arg;
    CHECK_EQ(rmd_event_set(m.gates[0]), 0);
}

static rmd_stop *own_stop;

static int stop_own(void *ctx, rmd_map_task *task)
{
    CHECK(ctx == &m);
    m.asked++;
    int err = rmd_map_submit(task, stop_and_wait, NULL);
    CHECK_EQ(rmd_stop_request(own_stop), 0);
    return err;
}

TEST(a_map_that_is_told_to_stop_waits_for_what_is_under_way_and_leaves_the_token)
{
    rmd_map_options options = options_of(stop_own);
    rmdi_thread opener;
    REQUIRE(rmd_stop_open(&own_stop) == 0);
    open_gates();
    open_pool("threads:1");
    rmd_stop_set(own_stop);
    REQUIRE(rmdi_thread_start(&opener, open_gate_soon, NULL, "opens") == 0);
    CHECK_EQ(rmd_map(m.pool, &options, RMD_FOREVER), RMD_ECANCELED);
    CHECK_STR(rmd_error_detail(), "map: told to stop after 1 tasks");
    CHECK(rmd_stop_set(NULL) == own_stop);
    CHECK_EQ(m.asked, 1);
    CHECK_EQ(m.given, 1);
    CHECK_EQ(rmdi_thread_join(&opener, RMD_FOREVER), 0);
    close_pool();
    free_gates();
    CHECK_EQ(rmd_stop_free(own_stop), 0);
}

/* One worker stands at a gate, and the only place of the queue is taken. */
static rmd_future *taken[2];

static void fill_pool(void)
{
    rmd_census now = { 0 };
    open_gates();
    open_pool("threads:1?queue=1");
    REQUIRE(rmd_submit(m.pool, &taken[0], wait_for, m.gates[0], NULL) == 0);
    while (rmd_pool_census(m.pool, &now) == 0 && !now.running)
        sched_yield();
    REQUIRE(rmd_submit(m.pool, &taken[1], do_nothing, NULL, NULL) == 0);
}

static void empty_pool(void)
{
    CHECK_EQ(rmd_event_set(m.gates[0]), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(rmd_future_wait(taken[i], soon()), 0);
        rmd_future_free(taken[i]);
    }
    close_pool();
    free_gates();
}

TEST(a_map_that_found_no_room_until_its_deadline_says_so)
{
    rmd_map_options options = options_of(next);
    m.end = 1;
    fill_pool();
    CHECK_EQ(rmd_map(m.pool, &options, rmd_after_ms(5)), RMD_ETIMEDOUT);
    CHECK_STR(rmd_error_detail(), "map: the queue was full until the deadline");
    CHECK_EQ(census.submitted, 0);
    empty_pool();
}

TEST(a_map_whose_tasks_wait_less_for_room_than_it_has_time_is_told_that_it_is_full)
{
    rmd_map_options options = options_of(next);
    m.end = 1;
    fill_pool();
    options.task.full_ms = -1;
    CHECK_EQ(rmd_map(m.pool, &options, RMD_FOREVER), RMD_EFULL);
    CHECK_STR(rmd_error_detail(), "1 tasks are queued");
    options.task.full_ms = 2;
    CHECK_EQ(rmd_map(m.pool, &options, soon()), RMD_EFULL);
    CHECK_STR(rmd_error_detail(), "1 tasks are queued, and none of them was started in time");
    empty_pool();
}

/* ---- on which thread ---- */

static uintptr_t caller;

static int next_here(void *ctx, rmd_map_task *task)
{
    CHECK(rmdi_thread_self() == caller);
    return next(ctx, task);
}

static int sink_here(void *ctx, rmd_future *future, uint64_t index)
{
    CHECK(rmdi_thread_self() == caller);
    return sink(ctx, future, index);
}

TEST(producer_and_sink_run_on_the_calling_thread)
{
    rmd_map_options options = options_of(next_here);
    caller = rmdi_thread_self();
    m.end = 30;
    options.sink = sink_here;
    open_pool("threads:2");
    CHECK_EQ(rmd_map(m.pool, &options, RMD_FOREVER), 0); /* it may run tasks, too */
    options.as_completed = true;
    m.produced = 0;
    CHECK_EQ(rmd_map(m.pool, &options, soon()), 0);
    CHECK_EQ(m.given, 60);
    close_pool();
}

static int map_in_sink(void *ctx, rmd_future *future, uint64_t index)
{
    int inner = 2;
    rmd_map_options options = { .size = sizeof options, .next = next_gated, .ctx = &inner };
    CHECK_EQ(rmd_event_set(m.gates[0]), 0);
    int produced = m.produced;
    m.produced = 0;
    CHECK_EQ(rmd_map(m.pool, &options, RMD_FOREVER), 0);
    CHECK_EQ(m.produced, 6);
    m.produced = produced;
    return sink(ctx, future, index);
}

TEST(a_sink_may_map_itself)
{
    rmd_map_options options = options_of(next);
    open_gates();
    open_pool("threads:1");
    m.end = 6;
    options.sink = map_in_sink;
    CHECK_EQ(rmd_map(m.pool, &options, RMD_FOREVER), 0);
    CHECK_EQ(m.given, 6);
    close_pool();
    free_gates();
}

static int map_inside(void *arg)
{
    (void)arg;
    rmd_map_options options = options_of(next_that_stands);
    return rmd_map(m.pool, &options, soon()); /* with a deadline it runs none of them itself */
}

/* Its own token is fired, by which the map is told. */
TEST(a_task_that_maps_and_is_cancelled_leaves_nothing_under_way)
{
    rmd_future *future;
    rmd_census now = { 0 };
    m.fail_at = -1;
    open_gates();
    open_pool("threads:2");
    REQUIRE(rmd_submit(m.pool, &future, map_inside, NULL, NULL) == 0);
    while (rmd_pool_census(m.pool, &now) == 0 && now.submitted < 5) /* the window is full */
        sched_yield();
    CHECK_EQ(rmd_future_cancel(future), 0);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_CANCELLED);
    CHECK_EQ(rmd_pool_census(m.pool, &now), 0);
    CHECK_EQ(now.queued + now.running, 0);
    CHECK_EQ(m.given, m.produced);
    rmd_future_free(future);
    close_pool();
    free_gates();
}

/* ---- a child ---- */

TEST(in_a_forked_child_the_pool_is_the_parents)
{
    if (KIT_SANITIZED)
        SKIP("sanitizers let no child of a process with threads do much");
    m.end = 2;
    open_pool("threads:1");
    pid_t child = fork();
    if (child == 0) {
        CHECK_EQ(map(next), RMD_EFORKED);
        CHECK_EQ(m.given, 0);
        _exit(0);
    }
    CHECK_CHILD(child);
    CHECK_EQ(map(next), 0);
    CHECK_EQ(m.given, 2);
    close_pool();
}

/* ---- what tasks add ---- */

static char large[1 << 16];

static int grow(rmd_call *call)
{
    int64_t depth = 0;
    rmd_bytes leaf = { large, sizeof large };
    int err = rmd_call_get(call, 0, &depth);
    if (err == 0 && depth > 0) {
        err = rmd_call_add(call, "leaf", RMD_ARGS(leaf));
        if (err == 0)
            err = rmd_call_add(call, "grow", RMD_ARGS(depth - 1));
        if (err == 0)
            err = rmd_call_add(call, "leaf", RMD_ARGS(1));
    }
    return err;
}

static int leaf(rmd_call *call)
{
    (void)call;
    return 0;
}

static const rmd_function growing[] = { { .name = "grow", .fn = grow },
                                        { .name = "leaf", .fn = leaf },
                                        { 0 } };

static int next_grow(void *ctx, rmd_map_task *task)
{
    (void)ctx;
    return m.produced++ ? 0 : rmd_map_call(task, "grow", RMD_ARGS(100));
}

/* Of each level a small rest waits, not the large one that has been submitted. */
TEST(what_was_submitted_of_a_deep_tree_takes_no_room)
{
    rmd_map_options options = options_of(next_grow);
    options.window = 1;
    options.added_bytes_max = 200 * 1024;
    REQUIRE(rmd_functions_add(growing) == 0);
    open_pool("threads:1");
    CHECK_EQ(rmd_map(m.pool, &options, soon()), 0);
    CHECK_EQ(m.given, 301);
    options.added_bytes_max = 60 * 1024; /* less than one of them */
    m.produced = 0;
    CHECK_EQ(rmd_map(m.pool, &options, soon()), RMD_EFULL);
    close_pool();
}

static int next_uncounted(void *ctx, rmd_map_task *task)
{
    (void)ctx;
    return m.produced++ == m.end ? 0 : rmd_map_submit(task, do_nothing, NULL);
}

static void never_told(void *ctx, const rmd_map_account *account)
{
    (void)account;
    CHECK_EQ(++*(int *)ctx, 1); /* at the end */
}

TEST(progress_that_is_never_due_is_told_at_the_end_only)
{
    int told = 0;
    m.end = 100;
    rmd_map_options options = options_of(next_uncounted);
    options.sink = NULL;
    options.ctx = &told;
    options.progress = never_told;
    options.progress_ms = INT64_MAX / 1000;
    open_pool("threads:1");
    CHECK_EQ(rmd_map(m.pool, &options, soon()), 0);
    CHECK_EQ(told, 1);
    close_pool();
}

/* ---- where nobody can wait ---- */

static int next_true(void *ctx, rmd_map_task *task)
{
    const char *const argv[] = { "true", NULL };
    (void)ctx;
    if (m.produced++ == 3)
        return 0;
    return rmd_map_exec(task, &(rmd_command){ .size = sizeof(rmd_command), .argv = argv });
}

static void map_in_a_callback(rmd_future *future, void *result)
{
    rmd_map_options options = { .size = sizeof options, .next = next_true, .census = &census };
    (void)future;
    *(int *)result = rmd_map(m.pool, &options, RMD_FOREVER);
    CHECK(rmd_census_balances(&census));
    CHECK_EQ(rmd_event_set(m.gates[0]), 0);
}

TEST(a_map_in_a_callback_of_its_own_pool_is_refused_and_leaves_nothing_running)
{
    const char *const argv[] = { "true", NULL };
    int result = 0;
    rmd_future *future;
    open_gates();
    open_pool("programs:1");
    rmd_command command = { .size = sizeof command, .argv = argv };
    REQUIRE(rmd_pool_exec(m.pool, &future, &command) == 0);
    CHECK_EQ(rmd_future_on_end(future, map_in_a_callback, &result), 0);
    rmd_future_free(future);
    CHECK_EQ(rmd_event_wait(m.gates[0], soon()), 0);
    CHECK_EQ(result, RMD_EDEADLK);
    close_pool();
    free_gates();
}

static pid_t copy;

static int fork_at_the_second(void *ctx, rmd_future *future, uint64_t index)
{
    (void)ctx;
    (void)future;
    if (index == 1)
        copy = fork();
    return 0;
}

static void fork_in_a_sink(bool as_completed, bool producer_thread)
{
    rmd_map_options options = options_of(next);
    options.sink = fork_at_the_second;
    options.as_completed = as_completed;
    options.producer_thread = producer_thread;
    m.end = 100;
    m.produced = 0;
    open_pool("threads:2");
    int err = rmd_map(m.pool, &options, soon());
    if (copy == 0)
        _exit(err == RMD_EFORKED ? 0 : 1);
    CHECK_EQ(err, 0);
    CHECK_CHILD(copy);
    close_pool();
}

static int next_that_forks(void *ctx, rmd_map_task *task)
{
    int pipe_end = *(int *)ctx;
    if (m.produced == 8)
        return 0;
    if (m.produced == 5) {
        copy = fork();
        if (copy == 0) {
            int err = rmd_map_submit(task, do_nothing, NULL);
            _exit(err == RMD_EFORKED && write(pipe_end, "x", 1) == 1 ? 0 : 1);
        }
    }
    m.produced++;
    return rmd_map_submit(task, do_nothing, NULL);
}

TEST(a_producer_that_forks_on_its_thread_can_do_nothing_in_the_child)
{
    if (KIT_SANITIZED)
        SKIP("sanitizers let no child of a process with threads do much");
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    rmd_map_options options = options_of(next_that_forks);
    options.ctx = &ends[1];
    options.sink = NULL;
    options.producer_thread = true;
    open_pool("threads:2");
    CHECK_EQ(rmd_map(m.pool, &options, soon()), 0);
    CHECK_CHILD(copy);
    close_pool();
}

TEST(a_sink_that_forks_goes_on_in_the_parent_and_ends_in_the_child)
{
    if (KIT_SANITIZED)
        SKIP("sanitizers let no child of a process with threads do much");
    fork_in_a_sink(false, false);
    fork_in_a_sink(true, false);
    fork_in_a_sink(false, true);
    fork_in_a_sink(true, true);
}
