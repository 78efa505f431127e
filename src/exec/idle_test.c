/* SPDX-License-Identifier: MIT */
/* The place where workers sleep, one step at a time; what may happen in between is explored in
 * tests/explore/exec_idle.c. */
#include "kit.h"

#include "exec/idle.h"
#include "sync/thread.h"

#include <sched.h>

static rmdi_idle idle;
static rmd_atomic(uint32_t) work, woken;

static bool find_none(void *ctx)
{
    (void)ctx;
    return !rmd_atomic_load(&work, RMD_ACQUIRE);
}

static void sleep_once(void *arg)
{
    (void)arg;
    rmdi_idle_sleep(&idle, false, find_none, NULL);
    rmd_atomic_add(&woken, 1, RMD_RELEASE);
}

static uint32_t searching(void)
{
    return rmd_atomic_load(&idle.searching, RMD_ACQUIRE);
}

static void await(rmd_atomic(uint32_t) *count, uint32_t wanted)
{
    while (rmd_atomic_load(count, RMD_ACQUIRE) != wanted)
        sched_yield();
}

TEST(nobody_is_told_where_nobody_is)
{
    CHECK(!rmdi_idle_tell(&idle));
    rmdi_idle_tell_all(&idle);
    CHECK_EQ(searching(), 0);
}

TEST(as_many_search_as_may)
{
    CHECK(rmdi_idle_search(&idle, 2));
    CHECK(rmdi_idle_search(&idle, 2));
    CHECK(!rmdi_idle_search(&idle, 2));
    CHECK(rmdi_idle_tell(&idle)); /* they will find it */
    CHECK(!rmdi_idle_found(&idle));
    CHECK(rmdi_idle_found(&idle)); /* the last */
    CHECK_EQ(searching(), 0);
}

TEST(who_finds_something_before_it_sleeps_searches_again)
{
    rmd_atomic_store(&work, 1, RMD_RELEASE);
    CHECK(rmdi_idle_search(&idle, 1));
    rmdi_idle_sleep(&idle, true, find_none, NULL);
    CHECK_EQ(searching(), 1);
    CHECK(rmdi_idle_found(&idle));
}

TEST(a_tell_wakes_one_who_searches_from_then_on)
{
    rmdi_thread threads[2];
    for (int i = 0; i < 2; i++)
        REQUIRE(rmdi_thread_start(&threads[i], sleep_once, NULL, "sleeps") == 0);
    await(&idle.sleepers.count, 2);
    CHECK(rmdi_idle_tell(&idle));
    CHECK_EQ(searching(), 1);
    CHECK(rmdi_idle_tell(&idle)); /* somebody searches: nobody else is woken */
    CHECK_EQ(searching(), 1);
    await(&woken, 1);
    CHECK(rmdi_idle_found(&idle));
    CHECK(rmdi_idle_tell(&idle));
    await(&woken, 2);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK(!rmdi_wait_list_busy(&idle.sleepers));
}

TEST(all_are_woken_and_search)
{
    rmdi_thread threads[3];
    for (int i = 0; i < 3; i++)
        REQUIRE(rmdi_thread_start(&threads[i], sleep_once, NULL, "sleeps") == 0);
    await(&idle.sleepers.count, 3);
    rmdi_idle_tell_all(&idle);
    await(&woken, 3);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_EQ(searching(), 3);
}
