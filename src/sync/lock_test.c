/* SPDX-License-Identifier: MIT */
#include "sync/lock.h"

#include "kit.h"
#include "kit_alloc.h"
#include "port/clock.h"
#include "sync/thread.h"

#include <remuda/error.h>
#include <remuda/stop.h>
#include <stdlib.h>
#include <sys/resource.h>

static rmdi_lock lock;
static long counter;

static void count(void *arg)
{
    for (int i = 0; i < 100000; i++) {
        rmdi_lock_enter(&lock);
        counter++;
        rmdi_lock_release(&lock);
    }
    (void)arg;
}

TEST(a_counter_of_four_threads_ends_right)
{
    rmdi_thread threads[4];
    for (int i = 0; i < 4; i++)
        REQUIRE(rmdi_thread_start(&threads[i], count, NULL, "count") == 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], rmd_after_ms(15000 * kit_patience())), 0);
    CHECK_EQ(counter, 400000);
}

TEST(a_deadline_gives_up_on_a_held_lock_and_not_too_early)
{
    rmd_deadline soon = rmd_after_ms(20);
    CHECK_EQ(rmdi_lock_acquire(&lock, RMD_NOW), 0);
    CHECK_EQ(rmdi_lock_acquire(&lock, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmdi_lock_acquire(&lock, soon), RMD_ETIMEDOUT);
    CHECK(rmd_deadline_passed(soon));
    rmdi_lock_release(&lock);
    CHECK_EQ(rmdi_lock_acquire(&lock, RMD_NOW), 0);
    rmdi_lock_release(&lock);
}

static rmd_deadline impatience; /* written before its thread starts */
static long given_up, taken;    /* read when its thread has ended */

static void take_or_give_up(void *arg)
{
    (void)arg;
    int err = rmdi_lock_acquire(&lock, impatience);
    CHECK(err == 0 || err == RMD_ETIMEDOUT);
    *(err < 0 ? &given_up : &taken) += 1;
    if (err == 0)
        rmdi_lock_release(&lock);
}

static void take_and_release(void *arg)
{
    (void)arg;
    CHECK_EQ(rmdi_lock_acquire(&lock, rmd_after_ms(15000 * kit_patience())), 0);
    rmdi_lock_release(&lock);
}

static void until_waiting(uint32_t n)
{
    while (rmd_atomic_load(&lock.waits.count, RMD_RELAXED) < n && !rmd_deadline_passed(impatience))
        ;
}

/* The lock is released so long after the deadline of the first in the list; before, if negative. */
static void release_near_the_deadline(int64_t after_ns)
{
    rmdi_thread impatient, patient;
    rmdi_lock_enter(&lock);
    impatience = rmd_after_ms(2);
    REQUIRE(rmdi_thread_start(&impatient, take_or_give_up, NULL, "impatient") == 0);
    until_waiting(1);
    REQUIRE(rmdi_thread_start(&patient, take_and_release, NULL, "patient") == 0);
    until_waiting(2);
    while (rmdi_clock_monotonic_ns() < impatience.ns + after_ns)
        ;
    rmdi_lock_release(&lock);
    CHECK_EQ(rmdi_thread_join(&impatient, RMD_FOREVER), 0);
    CHECK_EQ(rmdi_thread_join(&patient, RMD_FOREVER), 0);
}

/* A thread is a while late for its deadline, 50 us and more: then the wake-up comes. */
TEST_LIMIT(who_gives_up_takes_no_wake_up_with_it, 60)
{
    for (int i = 0; i < 500 || ((taken < 50 || given_up < 50) && i < 5000); i++)
        release_near_the_deadline((i % 30 - 5) * 10000);
    CHECK_INT(taken, >=, 50);
    CHECK_INT(given_up, >=, 50);
}

/* ---- the public lock ---- */

static rmd_lock *shared;

static rmd_deadline patience(void)
{
    return rmd_after_ms(15000 * kit_patience());
}

TEST(misuse_of_a_lock_is_refused)
{
    rmd_lock_options options = { .size = 3 };
    CHECK_EQ(rmd_lock_open(NULL, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_lock_open(&shared, &options), RMD_EINVAL);
    CHECK_EQ(rmd_lock_acquire(NULL, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_lock_release(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_lock_free(NULL), 0);
    options = (rmd_lock_options){ .size = sizeof options, .name = "the-lock" };
    REQUIRE(rmd_lock_open(&shared, &options) == 0);
    CHECK_EQ(rmd_lock_release(shared), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "the-lock");
    CHECK_EQ(rmd_lock_acquire(shared, RMD_NOW), 0);
    CHECK_EQ(rmd_lock_free(shared), RMD_EBUSY);
    CHECK_EQ(rmd_lock_acquire(shared, rmd_after_ms(5)), RMD_ETIMEDOUT);
    CHECK_CONTAINS(rmd_error_detail(), "the-lock");
    CHECK_EQ(rmd_lock_release(shared), 0);
    CHECK_EQ(rmd_lock_release(shared), RMD_EINVAL);
    CHECK_EQ(rmd_lock_free(shared), 0);
}

static int open_and_free(void *arg)
{
    (void)arg;
    rmd_lock *l;
    int err = rmd_lock_open(&l, NULL);
    return err ? err : rmd_lock_free(l);
}

TEST(a_lock_without_memory_is_not_opened)
{
    CHECK_INT(kit_alloc(open_and_free, NULL, RMD_ENOMEM), >=, 2);
}

static void count_shared(void *arg)
{
    for (int i = 0; i < 100000; i++) {
        CHECK_EQ(rmd_lock_acquire(shared, patience()), 0);
        counter += *(int *)arg;
        CHECK_EQ(rmd_lock_release(shared), 0);
    }
}

TEST_LIMIT(what_is_counted_up_and_down_ends_at_nothing, 60)
{
    rmdi_thread threads[4];
    int steps[2] = { 1, -1 };
    REQUIRE(rmd_lock_open(&shared, NULL) == 0);
    for (int i = 0; i < 4; i++)
        REQUIRE(rmdi_thread_start(&threads[i], count_shared, &steps[i % 2], "count") == 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_EQ(counter, 0);
    CHECK_EQ(rmd_lock_free(shared), 0);
}

/* ---- deadlines, stops and hand-overs at the same moment ---- */

static rmd_atomic(uint32_t) over, got;
static rmd_stop *token;

static void try_impatiently(void *arg)
{
    rmd_stop_set(arg);
    for (int64_t i = 0; !rmd_atomic_load(&over, RMD_ACQUIRE); i++) {
        if (rmd_lock_acquire(shared, rmd_after_ns(i % 7 * 20000)) < 0)
            continue;
        counter++;
        rmd_atomic_add(&got, 1, RMD_RELAXED);
        CHECK_EQ(rmd_lock_release(shared), 0);
    }
}

static void race_for(bool fair)
{
    rmdi_thread threads[5];
    rmd_lock_options options = { .size = sizeof options, .fair = fair };
    REQUIRE(rmd_lock_open(&shared, &options) == 0 && rmd_stop_open(&token) == 0);
    for (int i = 0; i < 5; i++)
        REQUIRE(rmdi_thread_start(&threads[i], try_impatiently, i ? token : NULL, "tries") == 0);
    for (int i = 0; i < 1000; i++) {
        CHECK_EQ(rmd_lock_acquire(shared, patience()), 0);
        counter++;
        CHECK_EQ(rmd_lock_release(shared), 0);
        if (i == 500)
            CHECK_EQ(rmd_stop_request(token), 0);
    }
    rmd_atomic_store(&over, 1, RMD_RELEASE);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_EQ(counter, 1000 + rmd_atomic_load(&got, RMD_RELAXED));
    CHECK_EQ(rmd_lock_acquire(shared, RMD_NOW), 0);
    CHECK_EQ(rmd_lock_release(shared), 0);
    CHECK_EQ(rmd_lock_free(shared), 0);
    CHECK_EQ(rmd_stop_free(token), 0);
}

TEST_LIMIT(who_gives_up_loses_the_lock_for_nobody, 60)
{
    race_for(false);
}

TEST_LIMIT(who_gives_up_a_fair_lock_loses_it_for_nobody, 60)
{
    race_for(true);
}

/* ---- reentrant ---- */

static void open_reentrant(void)
{
    rmd_lock_options options = { .size = sizeof options, .name = "again", .reentrant = true };
    REQUIRE(rmd_lock_open(&shared, &options) == 0);
}

static void find_it_held(void *arg)
{
    (void)arg;
    CHECK_EQ(rmd_lock_acquire(shared, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_lock_acquire(shared, rmd_after_ms(5)), RMD_ETIMEDOUT);
    CHECK_CONTAINS(rmd_error_detail(), "again");
    CHECK_EQ(rmd_lock_release(shared), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "another thread holds the lock \"again\"");
}

static void find_it_free(void *arg)
{
    (void)arg;
    CHECK_EQ(rmd_lock_release(shared), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "not held");
    CHECK_EQ(rmd_lock_acquire(shared, RMD_NOW), 0);
    CHECK_EQ(rmd_lock_release(shared), 0);
}

static void on_another_thread(void (*fn)(void *arg))
{
    rmdi_thread thread;
    REQUIRE(rmdi_thread_start(&thread, fn, NULL, "another") == 0);
    CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
}

TEST(a_reentrant_lock_is_free_when_it_was_released_as_often_as_acquired)
{
    open_reentrant();
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rmd_lock_acquire(shared, i ? RMD_NOW : RMD_FOREVER), 0);
    for (int i = 0; i < 3; i++) {
        on_another_thread(find_it_held);
        CHECK_EQ(rmd_lock_free(shared), RMD_EBUSY);
        CHECK_EQ(rmd_lock_release(shared), 0);
    }
    on_another_thread(find_it_free);
    CHECK_EQ(rmd_lock_release(shared), RMD_EINVAL);
    CHECK_EQ(rmd_lock_free(shared), 0);
}

TEST(a_stop_does_not_keep_the_holder_from_acquiring_again)
{
    open_reentrant();
    REQUIRE(rmd_stop_open(&token) == 0);
    rmd_stop_set(token);
    CHECK_EQ(rmd_lock_acquire(shared, RMD_FOREVER), 0);
    CHECK_EQ(rmd_stop_request(token), 0);
    CHECK_EQ(rmd_lock_acquire(shared, RMD_FOREVER), 0);
    CHECK_EQ(rmd_lock_release(shared), 0);
    CHECK_EQ(rmd_lock_release(shared), 0);
    rmd_stop_set(NULL);
    CHECK_EQ(rmd_stop_free(token), 0);
    CHECK_EQ(rmd_lock_free(shared), 0);
}

TEST(a_coroutine_is_somebody_else_than_its_thread)
{
    rmdi_self coroutine = { 0 };
    open_reentrant();
    CHECK_EQ(rmd_lock_acquire(shared, RMD_NOW), 0);
    void *before = rmdi_self_swap(&coroutine);
    CHECK_EQ(rmd_lock_acquire(shared, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_lock_release(shared), RMD_EINVAL);
    rmdi_self_swap(before);
    CHECK_EQ(rmd_lock_acquire(shared, RMD_NOW), 0);
    CHECK_EQ(rmd_lock_release(shared), 0);
    CHECK_EQ(rmd_lock_release(shared), 0);
    CHECK_EQ(rmd_lock_free(shared), 0);
}

/* Each round acquires one to three times, and lets go in steps. */
static void count_reentrantly(void *arg)
{
    for (int i = 0; i < 30000; i++) {
        int levels = 1 + i % 3;
        for (int n = 0; n < levels; n++)
            CHECK_EQ(rmd_lock_acquire(shared, patience()), 0);
        for (int n = 0; n < levels; n++) {
            counter += *(int *)arg;
            CHECK_EQ(rmd_lock_release(shared), 0);
        }
    }
}

TEST_LIMIT(what_is_counted_under_a_reentrant_lock_ends_right, 60)
{
    rmdi_thread threads[4];
    int steps[2] = { 1, 2 };
    open_reentrant();
    for (int i = 0; i < 4; i++)
        REQUIRE(rmdi_thread_start(&threads[i], count_reentrantly, &steps[i % 2], "count") == 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_EQ(counter, 2 * 3 * 60000);
    CHECK_EQ(rmd_lock_free(shared), 0);
}

TEST(a_plain_lock_waits_for_itself_until_the_deadline_without_processor_time)
{
    struct rusage before, after;
    rmd_deadline soon = rmd_after_ms(100);
    REQUIRE(rmd_lock_open(&shared, NULL) == 0 && rmd_lock_acquire(shared, RMD_FOREVER) == 0);
    getrusage(RUSAGE_SELF, &before);
    CHECK_EQ(rmd_lock_acquire(shared, soon), RMD_ETIMEDOUT);
    getrusage(RUSAGE_SELF, &after);
    CHECK(rmd_deadline_passed(soon));
    long us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
              (after.ru_utime.tv_usec - before.ru_utime.tv_usec);
    CHECK_INT(us, <, 20000 * kit_patience());
    CHECK_EQ(rmd_lock_release(shared), 0);
    CHECK_EQ(rmd_lock_free(shared), 0);
}

/* ---- order ---- */

static char order[8];
static rmd_atomic(uint32_t) in_order;

static void take_turn(void *arg)
{
    CHECK_EQ(rmd_lock_acquire(shared, patience()), 0);
    order[rmd_atomic_add(&in_order, 1, RMD_RELAXED)] = *(char *)arg;
    CHECK_EQ(rmd_lock_release(shared), 0);
}

TEST(a_fair_lock_is_given_in_the_order_of_arrival)
{
    static char names[] = "abcdef";
    rmdi_thread threads[6];
    rmd_lock_options options = { .size = sizeof options, .fair = true };
    REQUIRE(rmd_lock_open(&shared, &options) == 0 && rmd_lock_acquire(shared, RMD_NOW) == 0);
    for (uint32_t i = 0; i < 6; i++) {
        REQUIRE(rmdi_thread_start(&threads[i], take_turn, &names[i], "turn") == 0);
        while (rmd_atomic_load(&shared->lock.waits.count, RMD_RELAXED) <= i)
            ;
    }
    CHECK_EQ(rmd_lock_release(shared), 0);
    CHECK_EQ(rmd_lock_acquire(shared, patience()), 0); /* behind all of them */
    CHECK_STR(order, "abcdef");
    CHECK_EQ(rmd_lock_release(shared), 0);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_EQ(rmd_lock_free(shared), 0);
}

static void hog(void *arg)
{
    (void)arg;
    while (!rmd_atomic_load(&over, RMD_RELAXED)) {
        rmdi_lock_enter(&lock);
        for (int64_t until = rmdi_clock_monotonic_ns() + 20000; rmdi_clock_monotonic_ns() < until;)
            ;
        rmdi_lock_release(&lock);
    }
}

TEST_LIMIT(who_releases_and_acquires_all_the_time_starves_nobody, 60)
{
    rmdi_thread threads[2];
    for (int i = 0; i < 2; i++)
        REQUIRE(rmdi_thread_start(&threads[i], hog, NULL, "hog") == 0);
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(rmdi_lock_acquire(&lock, rmd_after_ms(1000 * kit_patience())), 0);
        rmdi_lock_release(&lock);
    }
    rmd_atomic_store(&over, 1, RMD_RELAXED);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
}

TEST(waiting_for_a_lock_takes_no_processor_time)
{
    struct rusage before, after;
    REQUIRE(rmd_lock_open(&shared, NULL) == 0 && rmd_lock_acquire(shared, RMD_NOW) == 0);
    getrusage(RUSAGE_SELF, &before);
    CHECK_EQ(rmd_lock_acquire(shared, rmd_after_ms(300)), RMD_ETIMEDOUT);
    getrusage(RUSAGE_SELF, &after);
    long us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
              (after.ru_utime.tv_usec - before.ru_utime.tv_usec);
    CHECK_INT(us, <, 20000 * kit_patience());
    CHECK_EQ(rmd_lock_release(shared), 0);
    CHECK_EQ(rmd_lock_free(shared), 0);
}

/* ---- its end ---- */

typedef struct counted {
    rmdi_lock lock;
    int references;
} counted;

static void drop(void *arg)
{
    counted *c = arg;
    rmdi_lock_enter(&c->lock);
    bool last = --c->references == 0;
    rmdi_lock_release(&c->lock);
    if (last)
        free(c);
}

TEST_LIMIT(the_last_holder_frees_the_memory_that_the_lock_lies_in, 60)
{
    for (int round = 0; round < 2000; round++) {
        rmdi_thread threads[3];
        counted *c = calloc(1, sizeof *c);
        REQUIRE(c != NULL);
        c->references = 3;
        rmdi_lock_enter(&c->lock);
        for (int i = 0; i < 3; i++)
            REQUIRE(rmdi_thread_start(&threads[i], drop, c, "drop") == 0);
        rmdi_lock_release(&c->lock);
        for (int i = 0; i < 3; i++)
            CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    }
}
