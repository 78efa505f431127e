/* SPDX-License-Identifier: MIT */
#include "sync/once.h"

#include "base/error.h"
#include "kit.h"
#include "sync/thread.h"

#include <remuda/error.h>
#include <remuda/stop.h>
#include <sys/resource.h>

static rmd_once once = RMD_ONCE;
static rmd_atomic(uint32_t) calls;
static int made; /* by whoever runs it */

static rmd_deadline patience(void)
{
    return rmd_after_ms(15000 * kit_patience());
}

static int make(void *arg)
{
    rmd_atomic_add(&calls, 1, RMD_RELAXED);
    made = *(int *)arg;
    return made;
}

TEST(it_is_done_once)
{
    int values[] = { 7, 8 };
    CHECK(!rmd_once_is_done(&once));
    CHECK_EQ(rmd_once_call(&once, make, &values[0], RMD_NOW), 0);
    CHECK(rmd_once_is_done(&once));
    CHECK_EQ(rmd_once_call(&once, make, &values[1], RMD_FOREVER), 0);
    CHECK_EQ(made, 7);
    CHECK_EQ(rmd_atomic_load(&calls, RMD_RELAXED), 1);
}

static int fail_in_detail(void *arg)
{
    (void)arg;
    return rmdi_fail(RMD_ENOENT, "no such table");
}

TEST(what_fails_is_tried_again_by_the_next)
{
    int values[] = { RMD_EIO, 0 };
    CHECK_EQ(rmd_once_call(&once, make, &values[0], RMD_FOREVER), RMD_EIO);
    CHECK_EQ(rmd_once_call(&once, fail_in_detail, NULL, RMD_FOREVER), RMD_ENOENT);
    CHECK_STR(rmd_error_detail(), "no such table");
    CHECK(!rmd_once_is_done(&once));
    CHECK_EQ(rmd_once_call(&once, make, &values[1], RMD_FOREVER), 0);
    CHECK_EQ(rmd_atomic_load(&calls, RMD_RELAXED), 2);
}

static int call_itself(void *arg)
{
    CHECK_EQ(rmd_once_call(&once, call_itself, arg, RMD_FOREVER), RMD_EDEADLK);
    CHECK_CONTAINS(rmd_error_detail(), "once");
    return 0;
}

TEST(misuse_of_a_once_is_refused)
{
    CHECK_EQ(rmd_once_call(NULL, make, NULL, RMD_FOREVER), RMD_EINVAL);
    CHECK_EQ(rmd_once_call(&once, NULL, NULL, RMD_FOREVER), RMD_EINVAL);
    CHECK(!rmd_once_is_done(NULL));
    CHECK_EQ(rmd_once_call(&once, call_itself, NULL, RMD_FOREVER), 0);
}

/* ---- those who wait ---- */

static rmd_event *go_on;

static int make_slowly(void *arg)
{
    CHECK_EQ(rmd_event_wait(go_on, patience()), 0);
    return make(arg);
}

typedef struct caller {
    rmdi_thread thread;
    rmd_deadline deadline;
    rmd_stop *stop;
    int (*fn)(void *arg);
    int value, result, seen;
} caller;

static void call(void *arg)
{
    caller *c = arg;
    rmd_stop_set(c->stop);
    c->result = rmd_once_call(&once, c->fn, &c->value, c->deadline);
    c->seen = c->result == 0 ? made : -1;
}

static void start(caller *c)
{
    c->fn = c->fn ? c->fn : make;
    c->deadline = c->deadline.ns ? c->deadline : patience();
    REQUIRE(rmdi_thread_start(&c->thread, call, c, "caller") == 0);
}

static void until_waiting(uint32_t n)
{
    rmd_once *o = &once;
    while (rmd_atomic_load(&((rmdi_once *)o)->waits.count, RMD_RELAXED) != n)
        ;
}

static void start_slow(caller *c)
{
    REQUIRE(rmd_event_open(&go_on) == 0);
    c->fn = make_slowly;
    start(c);
    int value = 0;
    while (rmd_once_call(&once, fail_in_detail, &value, RMD_NOW) != RMD_ETIMEDOUT)
        ;
}

TEST(who_waits_sees_what_was_made_or_gives_up)
{
    caller slow = { .value = 5 }, patient = { .value = 6 }, stopped = { .value = 7 };
    start_slow(&slow);
    CHECK_EQ(rmd_once_call(&once, make, &slow.value, rmd_after_ms(10)), RMD_ETIMEDOUT);
    CHECK_CONTAINS(rmd_error_detail(), "once");
    REQUIRE(rmd_stop_open(&stopped.stop) == 0);
    start(&patient);
    start(&stopped);
    until_waiting(2);
    CHECK_EQ(rmd_stop_request(stopped.stop), 0);
    CHECK_EQ(rmdi_thread_join(&stopped.thread, RMD_FOREVER), 0);
    CHECK_EQ(stopped.result, RMD_ECANCELED);
    CHECK_EQ(rmd_event_set(go_on), 0);
    CHECK_EQ(rmdi_thread_join(&slow.thread, RMD_FOREVER), 0);
    CHECK_EQ(rmdi_thread_join(&patient.thread, RMD_FOREVER), 0);
    CHECK(slow.result == 0 && patient.result == 0 && patient.seen == 5);
    CHECK_EQ(rmd_atomic_load(&calls, RMD_RELAXED), 1);
    CHECK_EQ(rmd_stop_free(stopped.stop), 0);
    CHECK_EQ(rmd_event_free(go_on), 0);
}

TEST(one_who_waits_takes_over_what_failed)
{
    caller slow = { .value = RMD_EIO },
           next[3] = { { .value = 5 }, { .value = 5 }, { .value = 5 } };
    start_slow(&slow);
    for (int i = 0; i < 3; i++)
        start(&next[i]);
    until_waiting(3);
    CHECK_EQ(rmd_event_set(go_on), 0);
    CHECK_EQ(rmdi_thread_join(&slow.thread, RMD_FOREVER), 0);
    CHECK_EQ(slow.result, RMD_EIO);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(rmdi_thread_join(&next[i].thread, RMD_FOREVER), 0);
        CHECK(next[i].result == 0 && next[i].seen == 5);
    }
    CHECK_EQ(rmd_atomic_load(&calls, RMD_RELAXED), 2);
    CHECK_EQ(rmd_event_free(go_on), 0);
}

/* ---- many at once ---- */

enum { THREADS = 4, ROUNDS = 3000, FAILURES = 2 };

static rmd_once onces[ROUNDS];
static int tries[ROUNDS], results[ROUNDS]; /* by whoever runs it */
static rmd_atomic(uint32_t) round_now, failures;

static int succeed_in_the_end(void *arg)
{
    int i = *(int *)arg;
    if (tries[i]++ < FAILURES)
        return RMD_EAGAIN;
    results[i] = i;
    return 0;
}

static void go_through(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        while (rmd_atomic_load(&round_now, RMD_RELAXED) < (uint32_t)i)
            ; /* together */
        int err;
        while ((err = rmd_once_call(&onces[i], succeed_in_the_end, &i, patience())) < 0) {
            CHECK_EQ(err, RMD_EAGAIN);
            rmd_atomic_add(&failures, 1, RMD_RELAXED);
        }
        CHECK_EQ(results[i], i);
        rmd_atomic_store(&round_now, (uint32_t)i + 1, RMD_RELAXED);
    }
}

TEST_LIMIT(of_many_who_come_at_once_one_is_successful, 60)
{
    rmdi_thread threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        REQUIRE(rmdi_thread_start(&threads[i], go_through, NULL, "once") == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    for (int i = 0; i < ROUNDS; i++)
        CHECK_EQ(tries[i], FAILURES + 1);
    CHECK_EQ(rmd_atomic_load(&failures, RMD_RELAXED), ROUNDS * FAILURES);
}

TEST(waiting_for_a_once_takes_no_processor_time)
{
    caller slow = { .value = 0 };
    struct rusage before, after;
    start_slow(&slow);
    getrusage(RUSAGE_SELF, &before);
    CHECK_EQ(rmd_once_call(&once, make, &slow.value, rmd_after_ms(300)), RMD_ETIMEDOUT);
    getrusage(RUSAGE_SELF, &after);
    long us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
              (after.ru_utime.tv_usec - before.ru_utime.tv_usec);
    CHECK_INT(us, <, 20000 * kit_patience());
    CHECK_EQ(rmd_event_set(go_on), 0);
    CHECK_EQ(rmdi_thread_join(&slow.thread, RMD_FOREVER), 0);
    CHECK_EQ(rmd_event_free(go_on), 0);
}
