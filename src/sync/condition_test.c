/* SPDX-License-Identifier: MIT */
#include "sync/condition.h"

#include "kit.h"
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
    while (rmdi_condition_wait(&changed, &lock, soon) == 0)
        ;
    CHECK(rmd_deadline_passed(soon));
    CHECK_EQ(rmdi_lock_acquire(&lock, RMD_NOW), RMD_ETIMEDOUT);
    rmdi_lock_release(&lock);
}
