/* SPDX-License-Identifier: MIT */
#include "sync/condition.h"

#include "kit.h"
#include "kit_alloc.h"
#include "port/clock.h"
#include "sync/thread.h"

#include <remuda/error.h>

enum { ITEMS = 20000, PLACES = 3 };

static rmdi_lock lock;
static rmdi_condition changed;
static int stored, taken;

static void wait_for_change(void)
{
    CHECK_EQ(rmdi_condition_wait(&changed, &lock, rmd_after_ms(15000 * kit_patience())), 0);
}

static void put(void *arg)
{
    (void)arg;
    for (int i = 0; i < ITEMS; i++) {
        rmdi_lock_enter(&lock);
        while (stored == PLACES)
            wait_for_change();
        stored++;
        rmdi_condition_notify_all(&changed);
        rmdi_lock_release(&lock);
    }
}

static void take(void *arg)
{
    (void)arg;
    for (int i = 0; i < ITEMS; i++) {
        rmdi_lock_enter(&lock);
        while (stored == 0)
            wait_for_change();
        stored--;
        taken++;
        rmdi_condition_notify_all(&changed);
        rmdi_lock_release(&lock);
    }
}

TEST(a_bounded_store_between_four_threads_loses_nothing)
{
    rmdi_thread threads[4];
    for (int i = 0; i < 4; i++)
        REQUIRE(rmdi_thread_start(&threads[i], i % 2 ? put : take, NULL, "store") == 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_EQ(taken, 2 * ITEMS);
    CHECK_EQ(stored, 0);
}

/* Each waits for the other, and nobody else notifies: a lost wake-up stops both. */
static void take_turns(void *arg)
{
    int mine = *(int *)arg;
    for (int i = 0; i < ITEMS; i++) {
        rmdi_lock_enter(&lock);
        while (taken % 2 != mine)
            wait_for_change();
        taken++;
        rmdi_condition_notify_all(&changed);
        rmdi_lock_release(&lock);
    }
}

TEST(two_threads_that_wait_for_each_other_miss_nothing)
{
    rmdi_thread threads[2];
    int turns[2] = { 0, 1 };
    for (int i = 0; i < 2; i++)
        REQUIRE(rmdi_thread_start(&threads[i], take_turns, &turns[i], "turns") == 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_EQ(taken, 2 * ITEMS);
}

TEST(a_wait_ends_at_its_deadline_with_the_lock_held)
{
    rmdi_lock_enter(&lock);
    CHECK_EQ(rmdi_condition_wait(&changed, &lock, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmdi_lock_acquire(&lock, RMD_NOW), RMD_ETIMEDOUT);
    rmd_deadline soon = rmd_after_ms(20);
    CHECK_EQ(rmdi_condition_wait(&changed, &lock, soon), RMD_ETIMEDOUT); /* never for no reason */
    CHECK(rmd_deadline_passed(soon));
    CHECK_EQ(rmdi_lock_acquire(&lock, RMD_NOW), RMD_ETIMEDOUT);
    rmdi_lock_release(&lock);
}

/* ---- the public condition ---- */

static rmd_lock *guard;
static rmd_condition *not_empty, *not_full;
static int stack, handled;

static rmd_deadline patience(void)
{
    return rmd_after_ms(15000 * kit_patience());
}

TEST(misuse_of_a_condition_is_refused)
{
    REQUIRE(rmd_lock_open(&guard, NULL) == 0);
    CHECK_EQ(rmd_condition_open(NULL, guard), RMD_EINVAL);
    CHECK_EQ(rmd_condition_open(&not_empty, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_condition_wait(NULL, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_condition_notify_one(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_condition_notify_all(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_condition_free(NULL), 0);
    REQUIRE(rmd_condition_open(&not_empty, guard) == 0);
    CHECK_EQ(rmd_condition_wait(not_empty, RMD_FOREVER), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "not held");
    CHECK_EQ(rmd_condition_notify_one(not_empty), 0);
    CHECK_EQ(rmd_condition_free(not_empty), 0);
    CHECK_EQ(rmd_lock_free(guard), 0);
}

static int open_and_free(void *arg)
{
    (void)arg;
    int err = rmd_condition_open(&not_empty, guard);
    return err ? err : rmd_condition_free(not_empty);
}

TEST(a_condition_without_memory_is_not_opened)
{
    REQUIRE(rmd_lock_open(&guard, NULL) == 0);
    CHECK_INT(kit_alloc(open_and_free, NULL, RMD_ENOMEM), >=, 2);
    CHECK_EQ(rmd_lock_free(guard), 0);
}

static void push(void *arg)
{
    (void)arg;
    for (int i = 0; i < ITEMS / 2; i++) {
        CHECK_EQ(rmd_lock_acquire(guard, patience()), 0);
        while (stack == PLACES)
            CHECK_EQ(rmd_condition_wait(not_full, patience()), 0);
        stack++;
        CHECK_EQ(rmd_lock_release(guard), 0);
        CHECK_EQ(rmd_condition_notify_one(not_empty), 0); /* without the lock */
    }
}

static void pop(void *arg)
{
    (void)arg;
    for (int i = 0; i < ITEMS / 2; i++) {
        CHECK_EQ(rmd_lock_acquire(guard, patience()), 0);
        while (stack == 0)
            CHECK_EQ(rmd_condition_wait(not_empty, patience()), 0);
        stack--;
        handled++;
        CHECK_EQ(rmd_condition_notify_one(not_full), 0); /* with it */
        CHECK_EQ(rmd_lock_release(guard), 0);
    }
}

TEST_LIMIT(a_bounded_stack_with_two_conditions_and_many_sleepers_loses_nothing, 60)
{
    rmdi_thread threads[6];
    REQUIRE(rmd_lock_open(&guard, NULL) == 0);
    REQUIRE(rmd_condition_open(&not_empty, guard) == 0);
    REQUIRE(rmd_condition_open(&not_full, guard) == 0);
    for (int i = 0; i < 6; i++)
        REQUIRE(rmdi_thread_start(&threads[i], i % 2 ? push : pop, NULL, "stack") == 0);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_EQ(stack, 0);
    CHECK_EQ(handled, 3 * (ITEMS / 2));
    CHECK_EQ(rmd_condition_free(not_empty), 0);
    CHECK_EQ(rmd_condition_free(not_full), 0);
    CHECK_EQ(rmd_lock_free(guard), 0);
}

static rmd_atomic(uint32_t) notified, timed_out, over;

static void wait_shortly(void *arg)
{
    (void)arg;
    while (!rmd_atomic_load(&over, RMD_ACQUIRE)) {
        rmdi_lock_enter(&lock);
        int err = rmdi_condition_wait(&changed, &lock, rmd_after_ns(30000));
        rmd_atomic_add(err < 0 ? &timed_out : &notified, 1, RMD_RELAXED);
        rmdi_lock_release(&lock);
    }
}

/* To have met: more of both than come of the beginning and the end. */
static bool enough(uint32_t sent)
{
    return sent >= 1000 && rmd_atomic_load(&timed_out, RMD_RELAXED) >= 1000;
}

TEST_LIMIT(a_notification_at_the_moment_of_a_deadline_reaches_exactly_one, 60)
{
    rmdi_thread threads[4];
    uint32_t sent = 0;
    rmd_deadline limit = patience();
    for (int i = 0; i < 4; i++)
        REQUIRE(rmdi_thread_start(&threads[i], wait_shortly, NULL, "waits") == 0);
    for (int i = 0; i < 20000 || (!enough(sent) && !rmd_deadline_passed(limit)); i++) {
        int64_t until = rmdi_clock_monotonic_ns() + i % 40 * 1000; /* lets them come back */
        while (rmdi_clock_monotonic_ns() < until)
            ;
        rmdi_lock_enter(&lock);
        sent += (uint32_t)rmdi_wake_one(&changed.waits); /* tells whether somebody got it */
        rmdi_lock_release(&lock);
    }
    CHECK(enough(sent));
    rmd_atomic_store(&over, 1, RMD_RELEASE);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_EQ(rmd_atomic_load(&notified, RMD_RELAXED), sent);
}

static void wait_until_notified(void *arg)
{
    (void)arg;
    CHECK_EQ(rmd_lock_acquire(guard, patience()), 0);
    rmd_atomic_add(&notified, 1, RMD_RELAXED);
    CHECK_EQ(rmd_condition_wait(not_empty, patience()), 0);
    CHECK_EQ(rmd_lock_release(guard), 0);
}

TEST(notifying_all_wakes_all_and_a_condition_in_use_is_not_freed)
{
    rmdi_thread threads[4];
    REQUIRE(rmd_lock_open(&guard, NULL) == 0 && rmd_condition_open(&not_empty, guard) == 0);
    for (int i = 0; i < 4; i++)
        REQUIRE(rmdi_thread_start(&threads[i], wait_until_notified, NULL, "waits") == 0);
    while (rmd_atomic_load(&notified, RMD_RELAXED) < 4)
        ;
    CHECK_EQ(rmd_lock_acquire(guard, patience()), 0); /* all of them wait */
    CHECK_EQ(rmd_condition_free(not_empty), RMD_EBUSY);
    CHECK_EQ(rmd_condition_notify_all(not_empty), 0);
    CHECK_EQ(rmd_lock_release(guard), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_EQ(rmd_condition_free(not_empty), 0);
    CHECK_EQ(rmd_lock_free(guard), 0);
}

/* ---- of a reentrant lock ---- */

static void turn_the_stack(void *arg)
{
    (void)arg;
    CHECK_EQ(rmd_lock_acquire(guard, patience()), 0); /* so it is free while others wait */
    CHECK_EQ(rmd_lock_acquire(guard, patience()), 0);
    stack = 1;
    CHECK_EQ(rmd_condition_notify_one(not_empty), 0);
    CHECK_EQ(rmd_lock_release(guard), 0);
    CHECK_EQ(rmd_lock_release(guard), 0);
}

static void find_it_not_mine(void *arg)
{
    (void)arg;
    CHECK_EQ(rmd_condition_wait(not_empty, RMD_FOREVER), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "another thread");
}

TEST(a_wait_gives_a_reentrant_lock_away_wholly_and_gets_it_back_as_often)
{
    rmdi_thread thread;
    rmd_lock_options options = { .size = sizeof options, .reentrant = true };
    REQUIRE(rmd_lock_open(&guard, &options) == 0 && rmd_condition_open(&not_empty, guard) == 0);
    CHECK_EQ(rmd_condition_wait(not_empty, RMD_FOREVER), RMD_EINVAL);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rmd_lock_acquire(guard, patience()), 0);
    REQUIRE(rmdi_thread_start(&thread, turn_the_stack, NULL, "turns") == 0);
    while (stack == 0)
        CHECK_EQ(rmd_condition_wait(not_empty, patience()), 0);
    CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
    CHECK_EQ(rmd_condition_wait(not_empty, RMD_NOW), RMD_ETIMEDOUT);
    REQUIRE(rmdi_thread_start(&thread, find_it_not_mine, NULL, "other") == 0);
    CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(rmd_lock_free(guard), RMD_EBUSY);
        CHECK_EQ(rmd_lock_release(guard), 0);
    }
    CHECK_EQ(rmd_lock_release(guard), RMD_EINVAL);
    CHECK_EQ(rmd_condition_free(not_empty), 0);
    CHECK_EQ(rmd_lock_free(guard), 0);
}
