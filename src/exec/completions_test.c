/* SPDX-License-Identifier: MIT */
/* Completions by themselves, of promises mostly, which end when they are told to. */
#include "exec/completions.h"

#include "kit.h"
#include "kit_alloc.h"
#include "kit_soon.h"

#include <remuda/atomics.h>
#include <remuda/error.h>
#include <remuda/event.h>
#include <remuda/pool.h>
#include <remuda/promise.h>
#include <remuda/task.h>
#include <remuda/thread.h>
#include <sched.h>
#include <unistd.h>

enum { MANY = 5 };

static rmd_promise *promises[MANY];
static rmd_future *futures[MANY];
static rmd_completions *ends;

static void open_promises(void)
{
    for (int i = 0; i < MANY; i++)
        REQUIRE(rmd_promise_open(&promises[i], &futures[i], NULL) == 0);
}

static void free_promises(void)
{
    for (int i = 0; i < MANY; i++) {
        rmd_promise_free(promises[i]);
        rmd_future_free(futures[i]);
    }
}

/* With the first n of them. */
static void open_ends(size_t n)
{
    open_promises();
    REQUIRE(rmd_completions_open(&ends, futures, n) == 0);
}

static void close_ends(void)
{
    rmd_completions_free(ends);
    free_promises();
}

static void set(int i)
{
    CHECK_EQ(rmd_promise_set(promises[i], i), 0);
}

static rmd_future *next(void)
{
    rmd_future *future = NULL;
    CHECK_EQ(rmd_completions_next(ends, &future, soon()), 0);
    return future;
}

/* There is none at once, and the place stays as it is. */
static void check_none(rmd_deadline deadline, int err, const char *words)
{
    rmd_future *untouched = futures[0];
    CHECK_EQ(rmd_completions_next(ends, &untouched, deadline), err);
    CHECK_STR(rmd_error_detail(), words);
    CHECK(untouched == futures[0]);
}

/* ---- what is refused ---- */

TEST(completions_need_a_place_and_the_futures_that_were_counted)
{
    CHECK_EQ(rmd_completions_open(NULL, NULL, 0), RMD_EINVAL);
    CHECK_EQ(rmd_completions_open(&ends, NULL, 1), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "completions: a place for them, and futures, must be given");
    CHECK(!ends);
}

TEST(one_future_that_is_none_refuses_all_and_the_others_are_free)
{
    open_promises();
    rmd_future *some[] = { futures[0], futures[1], NULL, futures[2] };
    set(0);
    CHECK_EQ(rmd_completions_open(&ends, some, 4), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "completions: no future was given");
    CHECK(!ends);
    set(1); /* nobody is told */
    free_promises();
}

TEST(what_is_no_future_is_not_added)
{
    rmd_future *future = NULL;
    open_ends(1);
    CHECK_EQ(rmd_completions_add(ends, NULL), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "completions: no future was given");
    CHECK_EQ(rmd_completions_add(NULL, futures[1]), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "completions: none were given");
    CHECK_EQ(rmd_completions_left(ends), 1);
    CHECK_EQ(rmd_completions_next(NULL, &future, RMD_FOREVER), RMD_EINVAL);
    CHECK_EQ(rmd_completions_next(ends, NULL, RMD_FOREVER), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "completions: they, and a place for a future, must be given");
    CHECK_EQ(rmd_completions_left(NULL), 0);
    rmd_completions_free(NULL);
    close_ends();
}

/* ---- order ---- */

TEST(they_come_in_the_order_of_their_ends_and_not_in_that_they_were_added_in)
{
    static const int order[MANY] = { 3, 0, 4, 2, 1 };
    open_ends(MANY);
    for (int i = 0; i < MANY; i++)
        set(order[i]);
    for (int i = 0; i < MANY; i++) {
        CHECK_EQ(rmd_completions_left(ends), MANY - i);
        CHECK(next() == futures[order[i]]);
    }
    check_none(RMD_FOREVER, RMD_ENOENT, "all futures have been given out");
    close_ends();
}

TEST(those_that_had_ended_before_come_in_the_order_in_which_they_were_added)
{
    open_promises();
    for (int i = MANY - 1; i >= 0; i--)
        set(i);
    REQUIRE(rmd_completions_open(&ends, futures, MANY) == 0);
    CHECK_EQ(rmd_completions_left(ends), MANY);
    for (int i = 0; i < MANY; i++)
        CHECK(next() == futures[i]);
    close_ends();
}

TEST(every_way_to_end_is_an_end)
{
    open_ends(4);
    CHECK_EQ(rmd_promise_fail(promises[2], RMD_EIO, "no"), 0);
    CHECK(next() == futures[2]);
    CHECK_EQ(rmd_future_cancel(futures[0]), 0);
    CHECK(next() == futures[0]);
    rmd_promise_free(promises[1]);
    promises[1] = NULL;
    CHECK(next() == futures[1]);
    set(3);
    CHECK(next() == futures[3]);
    close_ends();
}

TEST(what_was_given_out_may_be_freed_at_once)
{
    open_ends(2);
    for (int i = 1; i >= 0; i--) {
        set(i);
        rmd_future *future = next();
        CHECK(future == futures[i]);
        rmd_future_free(future);
        futures[i] = NULL;
    }
    CHECK_EQ(rmd_completions_left(ends), 0);
    close_ends();
}

TEST(a_tag_comes_back_with_its_future)
{
    uint64_t tag = 0;
    rmd_future *future = NULL;
    open_ends(0);
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(rmdi_completions_add(ends, futures[i], UINT64_MAX - (uint64_t)i), 0);
    for (int i = MANY - 1; i >= 0; i--) {
        set(i);
        CHECK_EQ(rmdi_completions_next(ends, &future, &tag, RMD_NOW), 0);
        CHECK(future == futures[i]);
        CHECK_EQ(tag, UINT64_MAX - (uint64_t)i);
    }
    close_ends();
}

/* ---- none yet, and none any more ---- */

TEST(without_futures_all_have_been_given_out_and_more_may_be_added)
{
    open_ends(0);
    check_none(RMD_FOREVER, RMD_ENOENT, "all futures have been given out");
    for (int i = 0; i < MANY; i++) {
        CHECK_EQ(rmd_completions_add(ends, futures[i]), 0);
        set(i);
        CHECK(next() == futures[i]);
        check_none(RMD_FOREVER, RMD_ENOENT, "all futures have been given out");
    }
    close_ends();
}

TEST(when_none_has_ended_in_time_it_is_told_how_many_have_not)
{
    open_ends(2);
    check_none(RMD_NOW, RMD_ETIMEDOUT, "2 futures have not ended");
    check_none(rmd_after_ms(2), RMD_ETIMEDOUT, "2 futures have not ended");
    set(1);
    rmd_future *future = NULL;
    CHECK_EQ(rmd_completions_next(ends, &future, RMD_NOW), 0); /* there is one: no wait */
    CHECK(future == futures[1]);
    check_none(RMD_NOW, RMD_ETIMEDOUT, "1 future has not ended");
    set(0);
    CHECK(next() == futures[0]);
    close_ends();
}

TEST(a_thread_that_is_told_to_stop_gets_what_there_is_and_waits_for_nothing)
{
    rmd_stop *stop;
    rmd_future *future = NULL;
    open_ends(2);
    REQUIRE(rmd_stop_open(&stop) == 0);
    CHECK_EQ(rmd_stop_request(stop), 0);
    set(1);
    rmd_stop_set(stop);
    CHECK_EQ(rmd_completions_next(ends, &future, RMD_FOREVER), 0);
    check_none(RMD_FOREVER, RMD_ECANCELED, "1 future has not ended");
    rmd_stop_set(NULL);
    CHECK(future == futures[1]);
    CHECK_EQ(rmd_stop_free(stop), 0);
    close_ends();
}

/* ---- asleep ---- */

static rmd_pool *pool;

/* A task that waits for the next, and what it got. */
typedef struct waiting {
    rmd_future *task, *next;
    int err;
} waiting;

static int wait_for_next(void *arg)
{
    waiting *w = arg;
    w->err = rmd_completions_next(ends, &w->next, soon());
    return w->err;
}

/* They count as blocked when they are about to sleep. */
static void begin_to_wait(waiting *some, unsigned n)
{
    rmd_statistics now = { 0 };
    REQUIRE(rmd_pool_open(&pool, "threads:4", NULL, soon()) == 0);
    for (unsigned i = 0; i < n; i++) {
        some[i] = (waiting){ 0 };
        REQUIRE(rmd_submit(pool, &some[i].task, wait_for_next, &some[i], NULL) == 0);
    }
    for (; now.blocked < n; sched_yield())
        REQUIRE(rmd_pool_statistics(pool, &now) == 0);
}

static void end_waiting(waiting *some, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        CHECK_EQ(rmd_future_wait(some[i].task, soon()), 0);
        rmd_future_free(some[i].task);
    }
    rmd_statistics now = { 0 };
    CHECK_EQ(rmd_pool_statistics(pool, &now), 0);
    CHECK_EQ(now.blocked, 0);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

TEST(an_end_wakes_one_who_waits)
{
    waiting one;
    open_ends(3);
    begin_to_wait(&one, 1);
    set(1);
    end_waiting(&one, 1);
    CHECK_EQ(one.err, 0);
    CHECK(one.next == futures[1]);
    close_ends();
}

TEST(each_end_wakes_another_one)
{
    waiting some[3];
    open_ends(3);
    begin_to_wait(some, 3);
    for (int i = 0; i < 3; i++)
        set(i);
    end_waiting(some, 3);
    CHECK(some[0].next != some[1].next && some[1].next != some[2].next &&
          some[0].next != some[2].next);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(some[i].err, 0);
    close_ends();
}

TEST(who_waits_for_another_one_is_woken_when_the_last_has_been_given_out)
{
    waiting some[3];
    int got = 0, none = 0;
    open_ends(1);
    begin_to_wait(some, 3);
    set(0);
    end_waiting(some, 3);
    for (int i = 0; i < 3; i++) {
        got += some[i].err == 0 && some[i].next == futures[0];
        none += some[i].err == RMD_ENOENT && !some[i].next;
    }
    CHECK_EQ(got, 1);
    CHECK_EQ(none, 2);
    close_ends();
}

TEST(one_that_is_added_later_wakes_who_waits)
{
    waiting one;
    open_ends(1);
    begin_to_wait(&one, 1);
    set(3); /* of which nobody waits for the end */
    CHECK_EQ(rmd_completions_add(ends, futures[3]), 0);
    end_waiting(&one, 1);
    CHECK_EQ(one.err, 0);
    CHECK(one.next == futures[3]);
    CHECK_EQ(rmd_completions_left(ends), 1);
    close_ends();
}

TEST(a_task_that_is_cancelled_wakes_from_its_wait_and_nothing_is_lost)
{
    waiting one;
    open_ends(1);
    begin_to_wait(&one, 1);
    CHECK_EQ(rmd_future_cancel(one.task), 0);
    end_waiting(&one, 1);
    CHECK_EQ(one.err, RMD_ECANCELED);
    CHECK(!one.next);
    set(0);
    CHECK(next() == futures[0]);
    close_ends();
}

/* ---- the work itself ---- */

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* Behind one that nobody can run. */
static int wait_for_own(void *arg)
{
    rmd_future *own[MANY], *future;
    rmd_completions *c;
    (void)arg;
    REQUIRE(rmd_completions_open(&c, futures, 1) == 0);
    for (int i = 0; i < MANY; i++) {
        REQUIRE(rmd_submit(pool, &own[i], do_nothing, NULL, NULL) == 0);
        REQUIRE(rmd_completions_add(c, own[i]) == 0);
    }
    for (int i = 0; i < MANY; i++) {
        CHECK_EQ(rmd_completions_next(c, &future, RMD_FOREVER), 0);
        CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_OK);
        rmd_future_free(future);
    }
    CHECK_EQ(rmd_completions_left(c), 1);
    rmd_completions_free(c);
    return 0;
}

TEST(a_worker_runs_those_that_have_not_begun_itself)
{
    rmd_future *future;
    rmd_statistics now;
    open_promises();
    REQUIRE(rmd_pool_open(&pool, "threads:1", NULL, soon()) == 0);
    REQUIRE(rmd_submit(pool, &future, wait_for_own, NULL, NULL) == 0);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_error(future), 0);
    rmd_future_free(future);
    CHECK_EQ(rmd_pool_statistics(pool, &now), 0);
    CHECK_EQ(now.helped, MANY);
    CHECK_EQ(now.spares, 0); /* so no other one had to take its place */
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
    free_promises();
}

/* ---- given back early ---- */

TEST(those_that_are_left_are_the_callers_whether_they_have_ended_or_not)
{
    open_ends(4);
    set(1);
    set(2);
    CHECK(next() == futures[1]);
    rmd_completions_free(ends); /* one has ended, two have not */
    set(0);
    rmd_future_free(futures[3]);
    CHECK_EQ(rmd_promise_set(promises[3], 1), 0);
    futures[3] = NULL;
    CHECK_EQ(rmd_future_outcome(futures[0]), RMD_OUTCOME_OK);
    free_promises();
}

enum { ROUNDS = 3000 };

static rmd_promise *raced[ROUNDS];
static rmd_atomic(int) round_of_both;

/* The two meet at the beginning of each round. */
static void meet(int round)
{
    rmd_atomic_add(&round_of_both, 1, RMD_ACQ_REL);
    while (rmd_atomic_load(&round_of_both, RMD_ACQUIRE) < 2 * (round + 1))
        sched_yield();
}

static void set_each(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        meet(i);
        CHECK_EQ(rmd_promise_set(raced[i], i), 0);
        rmd_promise_free(raced[i]);
    }
}

TEST_LIMIT(they_may_be_freed_while_a_future_is_just_ending, 60)
{
    static rmd_future *of_raced[ROUNDS];
    rmd_thread *thread;
    for (int i = 0; i < ROUNDS; i++)
        REQUIRE(rmd_promise_open(&raced[i], &of_raced[i], NULL) == 0);
    REQUIRE(rmd_thread_start(&thread, set_each, NULL, NULL) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        REQUIRE(rmd_completions_open(&ends, &of_raced[i], 1) == 0);
        meet(i);
        rmd_completions_free(ends);
        rmd_future_free(of_raced[i]);
    }
    CHECK_EQ(rmd_thread_join(thread, soon()), 0);
    CHECK_EQ(rmd_thread_free(thread), 0);
}

/* ---- several who add and take ---- */

enum { ADDERS = 2, ADDED = 500 };

static rmd_atomic(int) taken;

static void add_and_set(void *arg)
{
    (void)arg;
    for (int i = 0; i < ADDED; i++) {
        rmd_promise *promise;
        rmd_future *future;
        REQUIRE(rmd_promise_open(&promise, &future, NULL) == 0);
        if (i % 2)
            CHECK_EQ(rmd_promise_set(promise, i), 0);
        CHECK_EQ(rmd_completions_add(ends, future), 0);
        if (i % 2 == 0)
            CHECK_EQ(rmd_promise_set(promise, i), 0);
        rmd_promise_free(promise);
    }
}

static void take_until_all(void *arg)
{
    rmd_future *future;
    (void)arg;
    for (int err = 0; err == 0 || rmd_atomic_load(&taken, RMD_RELAXED) < ADDERS * ADDED;) {
        err = rmd_completions_next(ends, &future, soon());
        CHECK(err == 0 || err == RMD_ENOENT); /* there is none just now */
        if (err == 0) {
            CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_OK);
            rmd_future_free(future);
            rmd_atomic_add(&taken, 1, RMD_RELAXED);
        } else {
            sched_yield();
        }
    }
}

TEST_LIMIT(several_add_while_several_take_and_each_is_given_out_once, 60)
{
    rmd_thread *threads[ADDERS + 2];
    REQUIRE(rmd_completions_open(&ends, NULL, 0) == 0);
    for (int i = 0; i < ADDERS + 2; i++)
        REQUIRE(rmd_thread_start(&threads[i], i < ADDERS ? add_and_set : take_until_all, NULL,
                                 NULL) == 0);
    for (int i = 0; i < ADDERS + 2; i++) {
        CHECK_EQ(rmd_thread_join(threads[i], RMD_FOREVER), 0);
        CHECK_EQ(rmd_thread_free(threads[i]), 0);
    }
    CHECK_EQ(rmd_atomic_load(&taken, RMD_RELAXED), ADDERS * ADDED);
    CHECK_EQ(rmd_completions_left(ends), 0);
    rmd_completions_free(ends);
}

/* ---- without memory ---- */

/* What cannot be added is not there, and the rest is as it was. */
static int add_with_little_memory(void *arg)
{
    rmd_future *future;
    (void)arg;
    ends = NULL;
    int err = rmd_completions_open(&ends, futures, 2);
    CHECK((err == 0) == (ends != NULL));
    if (err < 0)
        return err;
    err = rmd_completions_add(ends, futures[2]);
    CHECK_EQ(rmd_completions_left(ends), err ? 2 : 3);
    if (err < 0)
        CHECK_EQ(rmd_completions_next(ends, &future, RMD_NOW), RMD_ETIMEDOUT);
    rmd_completions_free(ends);
    return err;
}

TEST(what_cannot_be_added_for_want_of_memory_changes_nothing)
{
    open_promises();
    set(2); /* so that one that has ended is given back, too */
    CHECK_INT(kit_alloc(add_with_little_memory, NULL, RMD_ENOMEM), >, 4);
    free_promises();
}

/* ---- a child ---- */

static void be_child(void)
{
    static const char words[] = "the completions belong to the process that opened them";
    rmd_completions *own = NULL;
    rmd_future *future = NULL;
    CHECK_EQ(rmd_completions_next(ends, &future, RMD_FOREVER), RMD_EFORKED);
    CHECK_STR(rmd_error_detail(), words);
    CHECK_EQ(rmd_completions_add(ends, futures[2]), RMD_EFORKED);
    CHECK_STR(rmd_error_detail(), words);
    CHECK_EQ(rmd_completions_left(ends), 0);
    rmd_completions_free(ends);
    CHECK_EQ(rmd_completions_open(&own, futures, 2), RMD_EFORKED); /* the futures are not ours */
    CHECK(!own && !future);
    open_ends(1);
    set(0);
    CHECK(next() == futures[0]);
    close_ends();
}

TEST(in_a_forked_child_they_are_the_parents)
{
    open_ends(2);
    set(0);
    pid_t child = fork();
    if (child == 0) {
        be_child();
        _exit(0);
    }
    CHECK_CHILD(child);
    CHECK_EQ(rmd_completions_left(ends), 2);
    CHECK(next() == futures[0]);
    set(1);
    CHECK(next() == futures[1]);
    close_ends();
}
