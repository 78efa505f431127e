/* SPDX-License-Identifier: MIT */
#include "sync/stop.h"

#include "kit.h"
#include "kit_alloc.h"
#include "sync/thread.h"

#include <remuda/atomics.h>
#include <remuda/condition.h>
#include <remuda/error.h>
#include <remuda/event.h>
#include <remuda/lock.h>
#include <remuda/select.h>

static rmd_stop *stop;
static rmd_event *never;
static rmd_lock *lock;
static rmd_condition *condition;
static rmd_thread *forever;
static rmd_atomic(uint32_t) ready;

static rmd_deadline patience(void)
{
    return rmd_after_ms(15000 * kit_patience());
}

TEST(a_token_fires_once_and_for_good)
{
    REQUIRE(rmd_stop_open(&stop) == 0);
    CHECK(!rmd_stop_requested(stop));
    CHECK_EQ(rmd_stop_request(stop), 0);
    CHECK(rmd_stop_requested(stop));
    CHECK_EQ(rmd_stop_request(stop), 0);
    CHECK(rmd_stop_requested(stop));
    CHECK_EQ(rmd_stop_free(stop), 0);
}

TEST(misuse_of_a_token_is_refused)
{
    CHECK_EQ(rmd_stop_open(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_stop_request(NULL), RMD_EINVAL);
    CHECK(!rmd_stop_requested(NULL));
    CHECK_EQ(rmd_stop_free(NULL), 0);
}

TEST(a_thread_has_one_current_token)
{
    rmd_stop *a, *b;
    REQUIRE(rmd_stop_open(&a) == 0);
    REQUIRE(rmd_stop_open(&b) == 0);
    CHECK(rmd_stop_set(a) == NULL);
    CHECK(rmd_stop_set(b) == a);
    CHECK(rmd_stop_set(NULL) == b);
    CHECK(rmd_stop_set(NULL) == NULL);
    CHECK_EQ(rmd_stop_free(a), 0);
    CHECK_EQ(rmd_stop_free(b), 0);
}

static int open_and_free(void *arg)
{
    (void)arg;
    rmd_stop *s;
    int err = rmd_stop_open(&s);
    return err ? err : rmd_stop_free(s);
}

TEST(a_token_without_memory_is_not_opened)
{
    CHECK_INT(kit_alloc(open_and_free, NULL, RMD_ENOMEM), >=, 2);
}

/* ---- every call that sleeps ---- */

static int wait_for_lock(void)
{
    return rmd_lock_acquire(lock, patience());
}

static int wait_for_event(void)
{
    return rmd_event_wait(never, patience());
}

static int wait_for_condition(void)
{
    static rmd_lock *own;
    static rmd_condition *of_own;
    REQUIRE(rmd_lock_open(&own, NULL) == 0 && rmd_condition_open(&of_own, own) == 0);
    REQUIRE(rmd_lock_acquire(own, RMD_NOW) == 0);
    int err = rmd_condition_wait(of_own, patience());
    CHECK_EQ(rmd_lock_acquire(own, RMD_NOW), RMD_ETIMEDOUT); /* it is held */
    CHECK_EQ(rmd_lock_release(own), 0);
    CHECK_EQ(rmd_condition_free(of_own), 0);
    CHECK_EQ(rmd_lock_free(own), 0);
    return err;
}

static int wait_for_thread(void)
{
    return rmd_thread_join(forever, patience());
}

static int wait_for_any(void)
{
    rmd_waitable what[] = { rmd_event_waitable(never), rmd_thread_waitable(forever) };
    return rmd_select(what, 2, patience());
}

static int wait_for_nothing(void)
{
    return rmd_select(NULL, 0, patience());
}

static int (*const waits[])(void) = { wait_for_lock,   wait_for_event, wait_for_condition,
                                      wait_for_thread, wait_for_any,   wait_for_nothing };
enum { WAITS = sizeof waits / sizeof *waits };

static void run_forever(void *arg)
{
    (void)arg;
    CHECK_EQ(rmd_event_wait(never, patience()), RMD_ECANCELED);
}

static void prepare(void)
{
    REQUIRE(rmd_stop_open(&stop) == 0 && rmd_event_open(&never) == 0);
    REQUIRE(rmd_lock_open(&lock, NULL) == 0 && rmd_lock_acquire(lock, RMD_NOW) == 0);
    REQUIRE(rmd_condition_open(&condition, lock) == 0);
    REQUIRE(rmd_thread_start(&forever, run_forever, NULL, NULL) == 0);
}

static void clean_up(void)
{
    CHECK_EQ(rmd_thread_stop(forever), 0);
    CHECK_EQ(rmd_thread_join(forever, patience()), 0);
    CHECK_EQ(rmd_thread_free(forever), 0);
    CHECK_EQ(rmd_condition_free(condition), 0);
    CHECK_EQ(rmd_lock_release(lock), 0);
    CHECK_EQ(rmd_lock_free(lock), 0);
    CHECK_EQ(rmd_event_free(never), 0);
    CHECK_EQ(rmd_stop_free(stop), 0);
}

static void wait_with_token(void *arg)
{
    rmd_stop_set(stop);
    rmd_atomic_add(&ready, 1, RMD_RELEASE);
    CHECK_EQ((*(int (*const *)(void))arg)(), RMD_ECANCELED);
    CHECK_EQ((*(int (*const *)(void))arg)(), RMD_ECANCELED); /* it has fired already */
}

TEST(a_request_ends_every_call_that_sleeps)
{
    rmdi_thread threads[WAITS];
    prepare();
    for (int i = 0; i < WAITS; i++)
        REQUIRE(rmdi_thread_start(&threads[i], wait_with_token, (void *)(uintptr_t)&waits[i],
                                  "waits") == 0);
    while (rmd_atomic_load(&ready, RMD_ACQUIRE) < WAITS)
        ;
    while (!rmdi_stop_busy(stop)) /* until one sleeps at least */
        ;
    CHECK_EQ(rmd_stop_free(stop), RMD_EBUSY);
    CHECK_EQ(rmd_stop_request(stop), 0);
    for (int i = 0; i < WAITS; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    clean_up();
}

TEST(what_need_not_sleep_succeeds_after_a_request)
{
    prepare();
    CHECK_EQ(rmd_stop_request(stop), 0);
    rmd_stop *before = rmd_stop_set(stop);
    rmd_lock *other;
    rmd_event *event;
    REQUIRE(rmd_lock_open(&other, NULL) == 0);
    REQUIRE(rmd_event_open(&event) == 0);
    CHECK_EQ(rmd_lock_acquire(other, RMD_FOREVER), 0);
    CHECK_EQ(rmd_lock_release(other), 0);
    CHECK_EQ(rmd_event_set(event), 0);
    CHECK_EQ(rmd_event_wait(event, RMD_FOREVER), 0);
    CHECK_EQ(rmd_event_clear(event), 0);
    CHECK_EQ(rmd_event_wait(event, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_event_wait(event, RMD_FOREVER), RMD_ECANCELED);
    rmd_stop_set(before);
    CHECK_EQ(rmd_event_free(event), 0);
    CHECK_EQ(rmd_lock_free(other), 0);
    clean_up();
}

TEST(a_shield_lets_clean_up_wait)
{
    prepare();
    CHECK_EQ(rmd_stop_request(stop), 0);
    rmd_stop_set(stop);
    CHECK(rmd_stop_set(NULL) == stop);
    CHECK_EQ(rmd_event_wait(never, rmd_after_ms(5)), RMD_ETIMEDOUT);
    rmd_stop_set(stop);
    CHECK_EQ(rmd_event_wait(never, rmd_after_ms(5)), RMD_ECANCELED);
    rmd_stop_set(NULL);
    clean_up();
}

/* ---- many at once, again and again ---- */

static void wait_and_wait(void *arg)
{
    (void)arg;
    rmd_stop_set(stop);
    int err;
    while ((err = rmd_event_wait(never, rmd_after_ns(30000))) == RMD_ETIMEDOUT)
        rmd_atomic_add(&ready, 1, RMD_RELAXED);
    CHECK_EQ(err, RMD_ECANCELED);
}

TEST_LIMIT(a_request_reaches_threads_that_come_and_go, 60)
{
    REQUIRE(rmd_event_open(&never) == 0);
    for (int round = 0; round < 200; round++) {
        rmdi_thread threads[6];
        REQUIRE(rmd_stop_open(&stop) == 0);
        for (int i = 0; i < 6; i++)
            REQUIRE(rmdi_thread_start(&threads[i], wait_and_wait, NULL, "waits") == 0);
        CHECK_EQ(rmd_stop_request(stop), 0);
        for (int i = 0; i < 6; i++)
            CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
        CHECK_EQ(rmd_stop_free(stop), 0);
    }
    CHECK_EQ(rmd_event_free(never), 0);
}
