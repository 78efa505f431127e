/* SPDX-License-Identifier: MIT */
#include "sync/semaphore.h"

#include "kit.h"
#include "kit_alloc.h"
#include "sync/thread.h"

#include <remuda/error.h>
#include <remuda/stop.h>
#include <stdlib.h>
#include <sys/resource.h>

static rmd_semaphore *shared;

static rmd_deadline patience(void)
{
    return rmd_after_ms(15000 * kit_patience());
}

static void open_shared(uint32_t count, uint32_t count_max)
{
    rmd_semaphore_options options = { .size = sizeof options,
                                      .name = "slots",
                                      .count_max = count_max };
    REQUIRE(rmd_semaphore_open(&shared, count, &options) == 0);
}

static void until_in_line(uint32_t n)
{
    while (rmd_atomic_load(&shared->semaphore.line.count, RMD_RELAXED) != n)
        ;
}

TEST(permits_are_taken_and_given_back)
{
    open_shared(3, 0);
    CHECK_EQ(rmd_semaphore_acquire(shared, RMD_NOW), 0);
    CHECK_EQ(rmd_semaphore_acquire_many(shared, 2, RMD_FOREVER), 0);
    CHECK_EQ(rmd_semaphore_value(shared), 0);
    CHECK_EQ(rmd_semaphore_acquire(shared, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_semaphore_acquire(shared, rmd_after_ms(5)), RMD_ETIMEDOUT);
    CHECK_CONTAINS(rmd_error_detail(), "slots");
    CHECK_EQ(rmd_semaphore_release(shared, 2), 0);
    CHECK_EQ(rmd_semaphore_acquire_many(shared, 3, rmd_after_ms(5)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_semaphore_value(shared), 2);
    CHECK_EQ(rmd_semaphore_free(shared), 0);
}

TEST(misuse_of_a_semaphore_is_refused)
{
    rmd_semaphore_options options = { .size = 3 };
    CHECK_EQ(rmd_semaphore_open(NULL, 1, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_semaphore_open(&shared, 1, &options), RMD_EINVAL);
    options = (rmd_semaphore_options){ .size = sizeof options, .count_max = 2 };
    CHECK_EQ(rmd_semaphore_open(&shared, 3, &options), RMD_E2BIG);
    CHECK_EQ(rmd_semaphore_open(&shared, UINT32_MAX, NULL), RMD_E2BIG);
    CHECK_EQ(rmd_semaphore_acquire(NULL, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_semaphore_acquire_many(NULL, 1, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_semaphore_release(NULL, 1), RMD_EINVAL);
    CHECK_EQ(rmd_semaphore_value(NULL), 0);
    CHECK_EQ(rmd_semaphore_free(NULL), 0);
    open_shared(1, 2);
    CHECK_EQ(rmd_semaphore_acquire_many(shared, 0, RMD_FOREVER), RMD_EINVAL);
    CHECK_EQ(rmd_semaphore_acquire_many(shared, 3, RMD_FOREVER), RMD_E2BIG);
    CHECK_CONTAINS(rmd_error_detail(), "slots");
    CHECK_EQ(rmd_semaphore_release(shared, 0), RMD_EINVAL);
    rmd_waitable what = rmd_semaphore_waitable(NULL);
    CHECK_EQ(rmd_select(&what, 1, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_semaphore_free(shared), 0);
}

TEST(beyond_the_bound_nothing_is_released)
{
    open_shared(1, 3);
    CHECK_EQ(rmd_semaphore_release(shared, 3), RMD_EFULL);
    CHECK_CONTAINS(rmd_error_detail(), "slots");
    CHECK_EQ(rmd_semaphore_release(shared, UINT32_MAX), RMD_EFULL);
    CHECK_EQ(rmd_semaphore_value(shared), 1);
    CHECK_EQ(rmd_semaphore_release(shared, 2), 0);
    CHECK_EQ(rmd_semaphore_release(shared, 1), RMD_EFULL);
    CHECK_EQ(rmd_semaphore_value(shared), 3);
    CHECK_EQ(rmd_semaphore_free(shared), 0);
    open_shared(RMD_SEMAPHORE_MAX, 0);
    CHECK_EQ(rmd_semaphore_release(shared, 1), RMD_EFULL);
    CHECK_EQ(rmd_semaphore_acquire_many(shared, RMD_SEMAPHORE_MAX, RMD_NOW), 0);
    CHECK_EQ(rmd_semaphore_release(shared, RMD_SEMAPHORE_MAX), 0);
    CHECK_EQ(rmd_semaphore_free(shared), 0);
}

static int open_and_free(void *arg)
{
    (void)arg;
    rmd_semaphore *s;
    int err = rmd_semaphore_open(&s, 1, NULL);
    return err ? err : rmd_semaphore_free(s);
}

TEST(a_semaphore_without_memory_is_not_opened)
{
    CHECK_INT(kit_alloc(open_and_free, NULL, RMD_ENOMEM), >=, 2);
}

/* ---- never more than there are ---- */

enum { SLOTS = 3, ROUNDS = 20000 };

static rmd_atomic(uint32_t) inside, most, rounds;

static void use_slots(void *arg)
{
    uint32_t n = *(uint32_t *)arg;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(rmd_semaphore_acquire_many(shared, n, patience()), 0);
        uint32_t now = rmd_atomic_add(&inside, n, RMD_RELAXED) + n;
        if (now > rmd_atomic_load(&most, RMD_RELAXED))
            rmd_atomic_store(&most, now, RMD_RELAXED);
        rmd_atomic_sub(&inside, n, RMD_RELAXED);
        CHECK_EQ(rmd_semaphore_release(shared, n), 0);
    }
}

TEST_LIMIT(there_are_never_more_inside_than_permits, 60)
{
    rmdi_thread threads[5];
    uint32_t wishes[5] = { 1, 2, 3, 1, 2 };
    open_shared(SLOTS, SLOTS);
    for (int i = 0; i < 5; i++)
        REQUIRE(rmdi_thread_start(&threads[i], use_slots, &wishes[i], "uses") == 0);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_INT(rmd_atomic_load(&most, RMD_RELAXED), <=, SLOTS);
    CHECK_EQ(rmd_semaphore_value(shared), SLOTS);
    CHECK_EQ(rmd_semaphore_free(shared), 0);
}

/* ---- the line ---- */

typedef struct place {
    uint32_t n;
    rmd_deadline deadline;
    int result;
    rmd_stop *stop;
} place;

static void stand_in_line(void *arg)
{
    place *p = arg;
    rmd_stop_set(p->stop);
    p->result = rmd_semaphore_acquire_many(shared, p->n, p->deadline);
}

TEST(who_wants_many_is_not_passed_by_who_wants_few)
{
    rmdi_thread threads[2];
    place many = { .n = 3, .deadline = patience() }, few = { .n = 1, .deadline = patience() };
    open_shared(2, 0);
    REQUIRE(rmdi_thread_start(&threads[0], stand_in_line, &many, "many") == 0);
    until_in_line(1);
    CHECK_EQ(rmd_semaphore_acquire(shared, RMD_NOW), RMD_ETIMEDOUT); /* though there are 2 */
    REQUIRE(rmdi_thread_start(&threads[1], stand_in_line, &few, "few") == 0);
    until_in_line(2);
    CHECK_EQ(rmd_semaphore_free(shared), RMD_EBUSY);
    CHECK_EQ(rmd_semaphore_release(shared, 1), 0);
    CHECK_EQ(rmdi_thread_join(&threads[0], RMD_FOREVER), 0);
    CHECK_EQ(many.result, 0);
    until_in_line(1);
    CHECK_EQ(rmd_semaphore_release(shared, 1), 0);
    CHECK_EQ(rmdi_thread_join(&threads[1], RMD_FOREVER), 0);
    CHECK_EQ(few.result, 0);
    CHECK_EQ(rmd_semaphore_value(shared), 0);
    CHECK_EQ(rmd_semaphore_free(shared), 0);
}

static void giving_up(bool by_stop)
{
    rmdi_thread threads[3];
    place many = { .n = 3, .deadline = by_stop ? patience() : rmd_after_ms(300 * kit_patience()) };
    place few[2] = { { .n = 1, .deadline = patience() }, { .n = 1, .deadline = patience() } };
    open_shared(2, 0);
    REQUIRE(rmd_stop_open(&many.stop) == 0);
    REQUIRE(rmdi_thread_start(&threads[2], stand_in_line, &many, "many") == 0);
    until_in_line(1);
    for (int i = 0; i < 2; i++)
        REQUIRE(rmdi_thread_start(&threads[i], stand_in_line, &few[i], "few") == 0);
    if (by_stop) {
        until_in_line(3);
        CHECK_EQ(rmd_stop_request(many.stop), 0);
    }
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], patience()), 0);
    CHECK_EQ(many.result, by_stop ? RMD_ECANCELED : RMD_ETIMEDOUT);
    CHECK(few[0].result == 0 && few[1].result == 0);
    CHECK_EQ(rmd_semaphore_value(shared), 0);
    CHECK_EQ(rmd_stop_free(many.stop), 0);
    CHECK_EQ(rmd_semaphore_free(shared), 0);
}

TEST(who_gives_up_lets_through_whom_it_held_back)
{
    giving_up(false);
}

TEST(who_is_stopped_lets_through_whom_it_held_back)
{
    giving_up(true);
}

/* More than are woken in one go. */
TEST_LIMIT(one_release_wakes_everybody_it_is_enough_for, 60)
{
    enum { CROWD = 150 };
    static rmdi_thread threads[CROWD];
    static place places[CROWD];
    open_shared(0, 0);
    for (int i = 0; i < CROWD; i++) {
        places[i] = (place){ .n = 1, .deadline = patience() };
        REQUIRE(rmdi_thread_start(&threads[i], stand_in_line, &places[i], "one") == 0);
    }
    until_in_line(CROWD);
    CHECK_EQ(rmd_semaphore_release(shared, CROWD), 0);
    for (int i = 0; i < CROWD; i++) {
        CHECK_EQ(rmdi_thread_join(&threads[i], patience()), 0);
        CHECK_EQ(places[i].result, 0);
    }
    CHECK_EQ(rmd_semaphore_value(shared), 0);
    CHECK_EQ(rmd_semaphore_free(shared), 0);
}

/* ---- deadlines, stops, selects and hand-overs at the same moment ---- */

static rmd_atomic(uint32_t) over;

static int try_once(int64_t i)
{
    rmd_waitable what = rmd_semaphore_waitable(shared);
    rmd_deadline soon = rmd_after_ns(i % 7 * 20000);
    return i % 3 ? rmd_semaphore_acquire_many(shared, 1 + (uint32_t)(i % 2), soon)
                 : rmd_select(&what, 1, soon);
}

static void try_impatiently(void *arg)
{
    rmd_stop_set(arg);
    for (int64_t i = 0; !rmd_atomic_load(&over, RMD_ACQUIRE); i++)
        if (try_once(i) >= 0) {
            rmd_atomic_add(&rounds, 1, RMD_RELAXED);
            CHECK_EQ(rmd_semaphore_release(shared, i % 3 ? 1 + (uint32_t)(i % 2) : 1), 0);
        }
}

TEST_LIMIT(who_gives_up_loses_a_permit_for_nobody, 60)
{
    rmdi_thread threads[5];
    rmd_stop *stop;
    open_shared(2, 2);
    REQUIRE(rmd_stop_open(&stop) == 0);
    for (int i = 0; i < 5; i++)
        REQUIRE(rmdi_thread_start(&threads[i], try_impatiently, i ? stop : NULL, "tries") == 0);
    for (int i = 0; i < 1000 || rmd_atomic_load(&rounds, RMD_RELAXED) < 100; i++) {
        CHECK_EQ(rmd_semaphore_acquire_many(shared, 2, patience()), 0);
        CHECK_EQ(rmd_semaphore_release(shared, 2), 0);
        if (i == 500)
            CHECK_EQ(rmd_stop_request(stop), 0);
    }
    rmd_atomic_store(&over, 1, RMD_RELEASE);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_EQ(rmd_semaphore_value(shared), 2);
    CHECK_EQ(rmd_semaphore_acquire_many(shared, 2, RMD_NOW), 0);
    CHECK_EQ(rmd_semaphore_free(shared), 0);
    CHECK_EQ(rmd_stop_free(stop), 0);
}

TEST(a_select_acquires_only_what_it_returns)
{
    rmd_event *event;
    open_shared(1, 0);
    REQUIRE(rmd_event_open(&event) == 0 && rmd_event_set(event) == 0);
    rmd_waitable what[2] = { rmd_event_waitable(event), rmd_semaphore_waitable(shared) };
    CHECK_EQ(rmd_select(what, 2, RMD_FOREVER), 0);
    CHECK_EQ(rmd_semaphore_value(shared), 1);
    CHECK_EQ(rmd_event_clear(event), 0);
    CHECK_EQ(rmd_select(what, 2, RMD_FOREVER), 1);
    CHECK_EQ(rmd_semaphore_value(shared), 0);
    CHECK_EQ(rmd_select(what, 2, rmd_after_ms(5)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_semaphore_release(shared, 1), 0);
    CHECK_EQ(rmd_select(what, 2, RMD_NOW), 1);
    CHECK_EQ(rmd_semaphore_free(shared), 0);
    CHECK_EQ(rmd_event_free(event), 0);
}

/* ---- its end ---- */

static void release_one(void *arg)
{
    CHECK_EQ(rmd_semaphore_release(arg, 1), 0);
}

TEST_LIMIT(who_has_acquired_may_free_it_while_it_is_still_being_released, 60)
{
    for (int round = 0; round < 3000; round++) {
        rmdi_thread thread;
        REQUIRE(rmd_semaphore_open(&shared, 0, NULL) == 0);
        REQUIRE(rmdi_thread_start(&thread, release_one, shared, "releases") == 0);
        CHECK_EQ(rmd_semaphore_acquire(shared, patience()), 0);
        CHECK_EQ(rmd_semaphore_free(shared), 0);
        CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
    }
}

TEST(waiting_for_a_permit_takes_no_processor_time)
{
    struct rusage before, after;
    open_shared(0, 0);
    getrusage(RUSAGE_SELF, &before);
    CHECK_EQ(rmd_semaphore_acquire(shared, rmd_after_ms(300)), RMD_ETIMEDOUT);
    getrusage(RUSAGE_SELF, &after);
    long us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
              (after.ru_utime.tv_usec - before.ru_utime.tv_usec);
    CHECK_INT(us, <, 20000 * kit_patience());
    CHECK_EQ(rmd_semaphore_free(shared), 0);
}
