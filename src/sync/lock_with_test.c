/* SPDX-License-Identifier: MIT */
/* All ways out of a block that holds a lock. */
#include "kit.h"
#include "sync/thread.h"

#include <remuda/error.h>
#include <remuda/lock.h>
#include <remuda/stop.h>

static rmd_lock *lock, *other;

static void open_lock(void)
{
    rmd_lock_options options = { .size = sizeof options, .name = "scope" };
    REQUIRE(rmd_lock_open(&lock, &options) == 0 && rmd_lock_open(&other, NULL) == 0);
}

static bool is_held(void)
{
    int err = rmd_lock_acquire(lock, RMD_NOW);
    if (err == 0)
        rmd_lock_release(lock);
    return err != 0;
}

static void free_lock(void)
{
    CHECK_EQ(rmd_lock_free(lock), 0); /* which refuses one that is held */
    CHECK_EQ(rmd_lock_free(other), 0);
}

TEST(the_lock_is_held_in_the_block_and_not_behind_it)
{
    int ran = 0;
    open_lock();
    RMD_WITH_LOCK (lock, RMD_FOREVER) {
        CHECK(is_held());
        ran++;
    }
    CHECK(!is_held());
    RMD_WITH_LOCK (lock, RMD_FOREVER)
        ran += is_held();
    CHECK(!is_held());
    CHECK_EQ(ran, 2);
    free_lock();
}

#define WITH_BOTH                     \
    RMD_WITH_LOCK (lock, RMD_FOREVER) \
        RMD_WITH_LOCK (other, RMD_FOREVER)

TEST(two_blocks_may_begin_on_one_line)
{
    int ran = 0;
    open_lock();
    WITH_BOTH
    {
        ran++;
        CHECK(is_held());
        CHECK_EQ(rmd_lock_acquire(other, RMD_NOW), RMD_ETIMEDOUT);
    }
    CHECK_EQ(ran, 1);
    CHECK(!is_held());
    free_lock();
}

static int return_within(int value)
{
    RMD_WITH_LOCK (lock, RMD_FOREVER) {
        if (value > 0)
            return value * is_held();
    } else {
        return -1;
    }
    return 0;
}

TEST(a_return_releases)
{
    open_lock();
    CHECK_EQ(return_within(7), 7);
    CHECK(!is_held());
    CHECK_EQ(return_within(0), 0);
    CHECK(!is_held());
    free_lock();
}

TEST(break_and_continue_leave_the_block_and_release_and_stay_in_the_loop_around)
{
    int begun = 0, ended = 0, rounds = 0;
    open_lock();
    for (int i = 0; i < 4; i++) {
        RMD_WITH_LOCK (lock, RMD_FOREVER) {
            begun++;
            if (i == 1)
                break;
            if (i == 2)
                continue;
            ended++;
        }
        CHECK(!is_held());
        rounds++;
    }
    CHECK_EQ(begun, 4);
    CHECK_EQ(ended, 2);
    CHECK_EQ(rounds, 4);
    free_lock();
}

TEST(a_goto_out_of_it_releases)
{
    int rounds = 0;
    open_lock();
again:
    RMD_WITH_LOCK (lock, RMD_FOREVER) {
        CHECK(is_held());
        if (++rounds < 3)
            goto again; /* and may come back */
        goto out;
    }
    FAIL("behind a goto");
out:
    CHECK(!is_held());
    CHECK_EQ(rounds, 3);
    free_lock();
}

TEST(the_else_runs_when_it_was_not_acquired_and_knows_why)
{
    int err = 1, elses = 0;
    open_lock();
    RMD_WITH_LOCK (lock, RMD_NOW, err) {
        CHECK_EQ(err, 0);
        RMD_WITH_LOCK (lock, rmd_after_ms(5), err) {
            FAIL("it is held");
        } else {
            CHECK_EQ(err, RMD_ETIMEDOUT);
            CHECK_CONTAINS(rmd_error_detail(), "scope");
            elses++;
        }
        CHECK(is_held());
    } else {
        FAIL("it is free");
    }
    RMD_WITH_LOCK (NULL, RMD_FOREVER, err)
        FAIL("there is none");
    CHECK_EQ(err, RMD_EINVAL);
    CHECK_EQ(elses, 1);
    free_lock();
}

TEST(break_and_continue_in_the_else_leave_the_block)
{
    int rounds = 0;
    open_lock();
    REQUIRE(rmd_lock_acquire(lock, RMD_NOW) == 0);
    for (int i = 0; i < 4; i++) {
        RMD_WITH_LOCK (lock, RMD_NOW) {
            FAIL("it is held");
        } else {
            if (i % 2)
                break;
            continue;
        }
        rounds++;
    }
    CHECK_EQ(rounds, 4);
    CHECK(is_held()); /* the other block has released nothing */
    CHECK_EQ(rmd_lock_release(lock), 0);
    free_lock();
}

TEST(a_stop_leads_to_the_else)
{
    rmd_stop *stop;
    int err;
    open_lock();
    REQUIRE(rmd_stop_open(&stop) == 0 && rmd_stop_request(stop) == 0);
    REQUIRE(rmd_lock_acquire(lock, RMD_NOW) == 0);
    rmd_stop_set(stop);
    RMD_WITH_LOCK (lock, RMD_FOREVER, err)
        FAIL("it is held");
    CHECK_EQ(err, RMD_ECANCELED);
    rmd_stop_set(NULL);
    CHECK_EQ(rmd_lock_release(lock), 0);
    CHECK_EQ(rmd_stop_free(stop), 0);
    free_lock();
}

static int evaluated;

static rmd_lock *which(void)
{
    evaluated++;
    return lock;
}

static rmd_deadline until_when(void)
{
    evaluated++;
    return RMD_NOW;
}

TEST(arguments_are_evaluated_once)
{
    int errors[2] = { 7, 7 }, n = 0;
    open_lock();
    RMD_WITH_LOCK (which(), until_when(), errors[n++])
        CHECK(is_held());
    CHECK_EQ(evaluated, 2);
    CHECK_EQ(n, 1);
    CHECK_EQ(errors[0], 0);
    free_lock();
}

static int nested(int way)
{
    RMD_WITH_LOCK (lock, RMD_FOREVER) {
        RMD_WITH_LOCK (other, RMD_FOREVER) {
            if (way == 0)
                return 1;
            if (way == 1)
                break;
        }
        CHECK_EQ(rmd_lock_acquire(other, RMD_NOW), 0);
        CHECK_EQ(rmd_lock_release(other), 0);
        CHECK(is_held());
        if (way == 1)
            return 2;
    }
    return 3;
}

TEST(blocks_within_blocks_release_what_is_left)
{
    open_lock();
    for (int way = 0; way < 3; way++) {
        CHECK_EQ(nested(way), way + 1);
        CHECK(!is_held());
    }
    free_lock();
}

static long counter;

static void count(void *arg)
{
    for (int i = 0; i < 50000; i++)
        RMD_WITH_LOCK (lock, RMD_FOREVER) {
            counter++;
            if (i % 3)
                continue;
            counter += *(int *)arg;
        }
}

TEST_LIMIT(threads_that_come_out_by_different_ways_lose_nothing, 60)
{
    rmdi_thread threads[4];
    int none = 0;
    open_lock();
    for (int i = 0; i < 4; i++)
        REQUIRE(rmdi_thread_start(&threads[i], count, &none, "count") == 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_EQ(counter, 200000);
    free_lock();
}
