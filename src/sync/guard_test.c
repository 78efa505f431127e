/* SPDX-License-Identifier: MIT */
#include "sync/condition.h"

#include "kit.h"
#include "kit_alloc.h"
#include "sync/event.h"
#include "sync/thread.h"

#include <remuda/error.h>
#include <remuda/guard.h>
#include <stdalign.h>

typedef struct account {
    long balance;
    int changes;
} account;

static rmd_guard *guard;
static int destroyed;

static rmd_deadline patience(void)
{
    return rmd_after_ms(15000 * kit_patience());
}

static void destroy(void *data)
{
    destroyed += 1 + ((account *)data)->changes;
}

static void open_account(bool reentrant)
{
    rmd_guard_options options = {
        .size = sizeof options, .name = "account", .reentrant = reentrant, .destroy = destroy
    };
    REQUIRE(rmd_guard_open(&guard, sizeof(account), &options) == 0);
}

TEST(data_begins_zeroed_and_is_reached_while_it_is_held)
{
    void *data;
    open_account(false);
    CHECK_EQ(rmd_guard_acquire(guard, &data, RMD_FOREVER), 0);
    account *a = data;
    CHECK_EQ(a->balance, 0);
    CHECK_EQ((uintptr_t)data % alignof(max_align_t), 0);
    a->balance = 5;
    a->changes++;
    CHECK_EQ(rmd_guard_acquire(guard, &data, RMD_NOW), RMD_ETIMEDOUT);
    CHECK(data == NULL);
    CHECK_CONTAINS(rmd_error_detail(), "account");
    CHECK_EQ(rmd_guard_free(guard), RMD_EBUSY);
    CHECK_EQ(destroyed, 0);
    CHECK_EQ(rmd_guard_release(guard), 0);
    RMD_WITH_GUARD (const account *b, guard, RMD_FOREVER)
        CHECK_EQ(b->balance, 5);
    CHECK_EQ(rmd_guard_free(guard), 0);
    CHECK_EQ(destroyed, 2);
}

TEST(misuse_of_a_guard_is_refused)
{
    void *data = &data;
    rmd_guard_options options = { .size = 3 };
    CHECK_EQ(rmd_guard_open(NULL, 1, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_guard_open(&guard, 0, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_guard_open(&guard, 1, &options), RMD_EINVAL);
    CHECK(guard == NULL);
    CHECK_EQ(rmd_guard_open(&guard, SIZE_MAX, NULL), RMD_ENOMEM);
    CHECK_EQ(rmd_guard_acquire(NULL, &data, RMD_NOW), RMD_EINVAL);
    CHECK(data == NULL);
    CHECK_EQ(rmd_guard_release(NULL), RMD_EINVAL);
    CHECK(rmd_guard_lock(NULL) == NULL);
    CHECK_EQ(rmd_guard_free(NULL), 0);
    REQUIRE(rmd_guard_open(&guard, 1, NULL) == 0);
    CHECK_EQ(rmd_guard_acquire(guard, NULL, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_guard_release(guard), RMD_EINVAL);
    CHECK_EQ(rmd_guard_free(guard), 0);
}

static int open_and_free(void *arg)
{
    (void)arg;
    rmd_guard *g;
    int err = rmd_guard_open(&g, 100, NULL);
    return err ? err : rmd_guard_free(g);
}

TEST(a_guard_without_memory_is_not_opened)
{
    CHECK_INT(kit_alloc(open_and_free, NULL, RMD_ENOMEM), >=, 3);
}

static int leave_by(int way)
{
    int err = 1;
    for (int i = 0; i < 2; i++) {
        RMD_WITH_GUARD (account *a, guard, RMD_NOW, err) {
            a->changes++;
            if (way == 0)
                return err;
            if (way == 1)
                break;
            if (way == 2)
                continue;
            if (way == 3)
                goto out;
        }
        else
        {
            return err;
        }
    }
out:
    return err;
}

TEST(each_way_out_of_the_block_releases)
{
    static const int changes[] = { 1, 2, 2, 1, 2 };
    int sum = 0, err;
    open_account(false);
    for (int way = 0; way < 5; way++) {
        CHECK_EQ(leave_by(way), 0);
        sum += changes[way];
        RMD_WITH_GUARD (account *a, guard, RMD_NOW, err)
            CHECK_EQ(a->changes, sum);
        CHECK_EQ(err, 0);
    }
    RMD_WITH_GUARD (account *a, guard, RMD_FOREVER) {
        a->changes = 0;
        RMD_WITH_GUARD (account *again, guard, RMD_NOW, err) {
            FAIL(again ? "it is held" : "");
        }
        else
        {
            CHECK(again == NULL);
        }
    }
    CHECK_EQ(err, RMD_ETIMEDOUT);
    CHECK_EQ(rmd_guard_free(guard), 0);
    CHECK_EQ(destroyed, 1);
}

#define WITH_BOTH(first, second)                \
    RMD_WITH_GUARD (account *a, first, RMD_NOW) \
        RMD_WITH_GUARD (account *b, second, RMD_NOW)

TEST(two_blocks_may_begin_on_one_line)
{
    rmd_guard *other;
    open_account(false);
    REQUIRE(rmd_guard_open(&other, sizeof(account), NULL) == 0);
    WITH_BOTH(guard, other)
    a->balance = b->balance + 3;
    RMD_WITH_GUARD (const account *a, guard, RMD_NOW)
        CHECK_EQ(a->balance, 3);
    CHECK_EQ(rmd_guard_free(other), 0);
    CHECK_EQ(rmd_guard_free(guard), 0);
}

/* ---- freed as soon as it goes ---- */

static rmdi_event has_it;

static void hold_shortly(void *arg)
{
    (void)arg;
    RMD_WITH_GUARD (account *a, guard, patience()) {
        rmdi_event_set(&has_it);
        for (int i = 0; i < 2000; i++)
            *(volatile int *)&a->changes = 0;
    }
}

TEST_LIMIT(whoever_is_told_that_it_is_freed_has_destroyed_it, 60)
{
    for (int i = 1; i <= 3000; i++) {
        rmdi_thread thread;
        int err;
        open_account(false);
        REQUIRE(rmdi_thread_start(&thread, hold_shortly, NULL, "holds") == 0);
        CHECK_EQ(rmdi_event_wait(&has_it, patience()), 0);
        do
            err = rmd_guard_free(guard);
        while (err == RMD_EBUSY);
        CHECK_EQ(err, 0);
        CHECK_EQ(destroyed, i);
        CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
        rmdi_event_clear(&has_it);
    }
}

/* ---- methods that call methods ---- */

static void change(long by)
{
    RMD_WITH_GUARD (account *a, guard, patience()) {
        a->balance += by;
        a->changes++;
    }
}

static void change_twice(void *arg)
{
    for (int i = 0; i < 20000; i++)
        RMD_WITH_GUARD (account *a, guard, patience()) {
            long before = a->balance;
            change(*(int *)arg);
            change(*(int *)arg);
            CHECK_EQ(a->balance, before + 2 * *(int *)arg);
        }
}

TEST_LIMIT(methods_of_a_reentrant_guard_call_each_other_and_nobody_comes_between, 60)
{
    rmdi_thread threads[4];
    int steps[] = { 1, -1, 3, -2 };
    open_account(true);
    for (int i = 0; i < 4; i++)
        REQUIRE(rmdi_thread_start(&threads[i], change_twice, &steps[i], "changes") == 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    RMD_WITH_GUARD (account *a, guard, RMD_NOW) {
        CHECK_EQ(a->balance, 2 * 20000);
        CHECK_EQ(a->changes, 4 * 2 * 20000);
    }
    CHECK_EQ(rmd_guard_free(guard), 0);
}

/* ---- with a condition ---- */

static rmd_condition *changed;

static void pay_in(void *arg)
{
    (void)arg;
    RMD_WITH_GUARD (account *a, guard, patience())
        a->balance = 100;
    CHECK_EQ(rmd_condition_notify_all(changed), 0);
}

TEST(a_condition_belongs_to_the_lock_of_a_guard)
{
    rmdi_thread thread;
    open_account(true);
    REQUIRE(rmd_condition_open(&changed, rmd_guard_lock(guard)) == 0);
    REQUIRE(rmdi_thread_start(&thread, pay_in, NULL, "pays") == 0);
    RMD_WITH_GUARD (account *a, guard, patience())
        while (a->balance < 100)
            CHECK_EQ(rmd_condition_wait(changed, patience()), 0);
    CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
    CHECK_EQ(rmd_condition_free(changed), 0);
    CHECK_EQ(rmd_guard_free(guard), 0);
}
