/* SPDX-License-Identifier: MIT */
#include "sync/lock.h"

#include "kit.h"
#include "sync/thread.h"

#include <remuda/error.h>

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

static void give_up(void *arg)
{
    (void)arg;
    CHECK_EQ(rmdi_lock_acquire(&lock, rmd_after_ms(10)), RMD_ETIMEDOUT);
}

static void take_and_release(void *arg)
{
    (void)arg;
    CHECK_EQ(rmdi_lock_acquire(&lock, rmd_after_ms(15000)), 0);
    rmdi_lock_release(&lock);
}

TEST(who_gives_up_takes_no_wake_up_with_it)
{
    rmdi_thread impatient, patient;
    rmdi_lock_enter(&lock);
    REQUIRE(rmdi_thread_start(&patient, take_and_release, NULL, "patient") == 0);
    REQUIRE(rmdi_thread_start(&impatient, give_up, NULL, "impatient") == 0);
    CHECK_EQ(rmdi_thread_join(&impatient, RMD_FOREVER), 0);
    rmdi_lock_release(&lock);
    CHECK_EQ(rmdi_thread_join(&patient, RMD_FOREVER), 0);
}
