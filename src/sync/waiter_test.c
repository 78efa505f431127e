/* SPDX-License-Identifier: MIT */
#include "sync/waiter.h"

#include "kit.h"
#include "port/clock.h"
#include "sync/self.h"
#include "sync/thread.h"

#include <remuda/error.h>

enum { SLEEPERS = 8 };

static rmdi_wait_list list;
static rmd_atomic(uint32_t) arrived, woken, late;

static int sleep_in(rmdi_wait_list *where, rmd_deadline deadline)
{
    rmdi_waiter waiter;
    rmdi_wait wait;
    rmdi_waiter_init(&waiter, true);
    rmdi_wait_list_enter(where);
    rmdi_wait_list_add(where, &wait, &waiter, 7);
    rmdi_wait_list_leave(where);
    rmd_atomic_add(&arrived, 1, RMD_RELEASE);
    int err = rmdi_waiter_sleep(&waiter, deadline);
    rmdi_wait_list_remove(where, &wait);
    return err;
}

static void be_woken(void *arg)
{
    (void)arg;
    CHECK_EQ(sleep_in(&list, rmd_after_ms(15000 * kit_patience())), 7);
    rmd_atomic_add(&woken, 1, RMD_RELEASE);
}

static void await(rmd_atomic(uint32_t) *counter, uint32_t value)
{
    while (rmd_atomic_load(counter, RMD_ACQUIRE) < value)
        rmd_pause();
}

static void start_sleepers(rmdi_thread *threads, int n)
{
    for (int i = 0; i < n; i++)
        REQUIRE(rmdi_thread_start(&threads[i], be_woken, NULL, "sleeper") == 0);
    await(&arrived, (uint32_t)n);
}

static void join(rmdi_thread *threads, int n)
{
    for (int i = 0; i < n; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
}

TEST(waking_one_wakes_exactly_one)
{
    rmdi_thread threads[SLEEPERS];
    start_sleepers(threads, SLEEPERS);
    for (uint32_t i = 1; i <= SLEEPERS; i++) {
        CHECK_EQ(rmdi_wake_one(&list), 1);
        await(&woken, i);
        CHECK_EQ(rmd_atomic_load(&woken, RMD_ACQUIRE), i);
    }
    CHECK_EQ(rmdi_wake_one(&list), 0);
    join(threads, SLEEPERS);
}

TEST(waking_all_wakes_all_and_tells_how_many)
{
    rmdi_thread threads[SLEEPERS];
    start_sleepers(threads, SLEEPERS);
    CHECK_EQ(rmdi_wake_all(&list), SLEEPERS);
    CHECK_EQ(rmdi_wake_all(&list), 0);
    join(threads, SLEEPERS);
}

TEST_LIMIT(waking_all_wakes_more_than_fit_into_one_batch, 60)
{
    enum { MANY = 150 };
    static rmdi_thread threads[MANY];
    start_sleepers(threads, MANY);
    CHECK_EQ(rmdi_wake_all(&list), MANY);
    join(threads, MANY);
    CHECK_EQ(rmd_atomic_load(&woken, RMD_ACQUIRE), MANY);
}

TEST(a_deadline_ends_a_sleep_and_leaves_no_entry)
{
    rmd_deadline soon = rmd_after_ms(20);
    CHECK_EQ(sleep_in(&list, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(sleep_in(&list, soon), RMD_ETIMEDOUT);
    CHECK(rmd_deadline_passed(soon));
    CHECK(!rmdi_wait_list_waits(&list));
    CHECK_EQ(rmdi_wake_one(&list), 0);
}

/* ---- wake-ups and deadlines at the same moment ---- */

enum { TOKENS = 20000 };

static rmd_atomic(uint32_t) given, taken;

/* What is given to one whose deadline passes is given to another, or taken all the same. */
static void take_tokens(void *arg)
{
    (void)arg;
    while (rmd_atomic_load(&late, RMD_ACQUIRE) == 0) {
        int err = sleep_in(&list, rmd_after_ns(20000));
        if (err >= 0)
            rmd_atomic_add(&taken, 1, RMD_RELAXED);
        else
            CHECK_EQ(err, RMD_ETIMEDOUT);
    }
}

TEST_LIMIT(a_wake_up_at_the_moment_of_a_deadline_is_not_lost, 60)
{
    rmdi_thread threads[4];
    for (int i = 0; i < 4; i++)
        REQUIRE(rmdi_thread_start(&threads[i], take_tokens, NULL, "taker") == 0);
    for (int i = 0; i < TOKENS; i++)
        rmd_atomic_add(&given, (uint32_t)rmdi_wake_one(&list), RMD_RELAXED);
    rmd_atomic_store(&late, 1, RMD_RELEASE);
    join(threads, 4);
    CHECK_EQ(rmd_atomic_load(&given, RMD_RELAXED), rmd_atomic_load(&taken, RMD_RELAXED));
}

/* ---- two lists ---- */

static rmdi_wait_list lists[2];
static uint32_t chosen[2];

static void sleep_in_both(void *arg)
{
    (void)arg;
    rmdi_waiter waiter;
    rmdi_wait waits[2];
    rmdi_waiter_init(&waiter, true);
    for (uint32_t i = 0; i < 2; i++) {
        rmdi_wait_list_enter(&lists[i]);
        rmdi_wait_list_add(&lists[i], &waits[i], &waiter, i);
        rmdi_wait_list_leave(&lists[i]);
    }
    rmd_atomic_add(&arrived, 1, RMD_RELEASE);
    int index = rmdi_waiter_sleep(&waiter, RMD_FOREVER);
    for (int i = 0; i < 2; i++)
        rmdi_wait_list_remove(&lists[i], &waits[i]);
    REQUIRE(index == 0 || index == 1);
    CHECK(waits[index].gift == &chosen[index]);
    chosen[index]++;
    rmd_atomic_add(&woken, 1, RMD_RELEASE);
}

static bool give(uint32_t i)
{
    rmdi_waker waker;
    rmdi_wait_list_enter(&lists[i]);
    bool given_to_one = rmdi_wait_list_fire(&lists[i], &chosen[i], &waker);
    rmdi_wait_list_leave(&lists[i]);
    rmdi_waker_wake(&waker);
    return given_to_one;
}

static void give_second(void *arg)
{
    *(bool *)arg = give(1);
}

TEST_LIMIT(two_lists_fire_one_waiter_once, 60)
{
    for (uint32_t round = 1; round <= 2000; round++) {
        bool second = false;
        rmdi_thread sleeper, giver;
        REQUIRE(rmdi_thread_start(&sleeper, sleep_in_both, NULL, "sleeper") == 0);
        await(&arrived, round);
        REQUIRE(rmdi_thread_start(&giver, give_second, &second, "giver") == 0);
        bool first = give(0);
        join(&giver, 1);
        join(&sleeper, 1);
        CHECK(first != second);
        CHECK_EQ(chosen[0] + chosen[1], round);
    }
}

/* ---- another sleeper, whose object does not outlive the sleep ---- */

typedef struct mortal {
    rmdi_sleeper sleeper;
    rmd_atomic(uint32_t) called;
} mortal;

static int mortal_sleep(rmdi_sleeper *self, rmdi_waiter *waiter, rmd_deadline deadline)
{
    (void)self, (void)waiter;
    return rmd_deadline_passed(deadline) ? RMD_ETIMEDOUT : 0;
}

static void mortal_wake(rmdi_sleeper *self, rmdi_waiter *waiter)
{
    (void)waiter;
    rmd_atomic_store(&((mortal *)self)->called, 1, RMD_RELEASE);
}

static void mortal_settle(rmdi_sleeper *self, rmdi_waiter *waiter)
{
    (void)waiter;
    await(&((mortal *)self)->called, 1);
}

static void sleep_mortally(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2000; i++) {
        mortal m = { .sleeper = { mortal_sleep, mortal_wake, mortal_settle } };
        rmdi_self self = { .sleeper = &m.sleeper };
        void *before = rmdi_self_swap(&self);
        int err = sleep_in(&list, rmd_after_ns(50000));
        rmdi_self_swap(before);
        CHECK(err == 7 || err == RMD_ETIMEDOUT);
        CHECK_EQ(rmd_atomic_load(&m.called, RMD_RELAXED), err == 7);
    }
    rmd_atomic_add(&woken, 1, RMD_RELEASE);
}

TEST_LIMIT(a_sleeper_is_used_until_its_wake_up_has_been_told_and_no_longer, 60)
{
    rmdi_thread thread;
    REQUIRE(rmdi_thread_start(&thread, sleep_mortally, NULL, "mortal") == 0);
    while (rmd_atomic_load(&woken, RMD_ACQUIRE) == 0)
        rmdi_wake_one(&list);
    join(&thread, 1);
}

/* Whoever frees the memory around a list asks this: the woken pass through it once more. */
TEST(a_list_is_busy_until_the_woken_have_taken_their_entries_out)
{
    rmdi_waiter fired, gone;
    rmdi_wait waits[2];
    rmdi_wait_list own = { 0 };
    CHECK(!rmdi_wait_list_busy(&own));
    rmdi_waiter_init(&gone, false);
    rmdi_waiter_init(&fired, false);
    rmdi_wait_list_enter(&own);
    rmdi_wait_list_add(&own, &waits[0], &gone, 0);
    rmdi_wait_list_add(&own, &waits[1], &fired, 1);
    rmdi_wait_list_leave(&own);
    CHECK(rmdi_waiter_fire_itself(&gone, 0));
    CHECK_EQ(rmdi_wake_one(&own), 1); /* passes over the one that is over already */
    CHECK_EQ(rmdi_waiter_sleep(&fired, RMD_NOW), 1);
    CHECK(rmdi_wait_list_busy(&own));
    rmdi_wait_list_remove(&own, &waits[1]);
    CHECK(rmdi_wait_list_busy(&own));
    rmdi_wait_list_remove(&own, &waits[0]);
    CHECK(!rmdi_wait_list_busy(&own));
}
