/* SPDX-License-Identifier: MIT */
#include "sync/event.h"

#include "kit.h"
#include "kit_alloc.h"
#include "sync/thread.h"

#include <remuda/error.h>
#include <sys/resource.h>

static rmd_event *event;

static rmd_deadline patience(void)
{
    return rmd_after_ms(15000 * kit_patience());
}

TEST(who_comes_late_passes_until_it_is_cleared)
{
    REQUIRE(rmd_event_open(&event) == 0);
    CHECK(!rmd_event_is_set(event));
    CHECK_EQ(rmd_event_wait(event, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_event_set(event), 0);
    CHECK_EQ(rmd_event_set(event), 0);
    CHECK(rmd_event_is_set(event));
    CHECK_EQ(rmd_event_wait(event, RMD_NOW), 0);
    CHECK_EQ(rmd_event_wait(event, RMD_FOREVER), 0);
    CHECK_EQ(rmd_event_clear(event), 0);
    CHECK(!rmd_event_is_set(event));
    CHECK_EQ(rmd_event_wait(event, rmd_after_ms(5)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_event_free(event), 0);
}

TEST(misuse_of_an_event_is_refused)
{
    CHECK_EQ(rmd_event_open(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_event_set(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_event_clear(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_event_wait(NULL, RMD_NOW), RMD_EINVAL);
    CHECK(!rmd_event_is_set(NULL));
    CHECK_EQ(rmd_event_free(NULL), 0);
}

static int open_and_free(void *arg)
{
    (void)arg;
    rmd_event *e;
    int err = rmd_event_open(&e);
    return err ? err : rmd_event_free(e);
}

TEST(an_event_without_memory_is_not_opened)
{
    CHECK_INT(kit_alloc(open_and_free, NULL, RMD_ENOMEM), >=, 2);
}

static void wait_for_it(void *arg)
{
    (void)arg;
    CHECK_EQ(rmd_event_wait(event, patience()), 0);
}

TEST_LIMIT(setting_and_clearing_at_once_wakes_everybody_who_waited, 60)
{
    REQUIRE(rmd_event_open(&event) == 0);
    for (int round = 0; round < 200; round++) {
        rmdi_thread threads[4];
        for (int i = 0; i < 4; i++)
            REQUIRE(rmdi_thread_start(&threads[i], wait_for_it, NULL, "waits") == 0);
        while (rmd_atomic_load(&event->event.waits.count, RMD_RELAXED) < 4)
            ;
        CHECK_EQ(rmd_event_free(event), RMD_EBUSY);
        CHECK_EQ(rmd_event_set(event), 0);
        CHECK_EQ(rmd_event_clear(event), 0);
        for (int i = 0; i < 4; i++)
            CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    }
    CHECK_EQ(rmd_event_free(event), 0);
}

/* ---- two players ---- */

enum { HITS = 20000 };

static rmdi_event sides[2];
static int ball;

static void play(void *arg)
{
    int mine = *(int *)arg;
    for (int i = 0; i < HITS; i++) {
        CHECK_EQ(rmdi_event_wait(&sides[mine], patience()), 0);
        rmdi_event_clear(&sides[mine]);
        CHECK_EQ(ball % 2, mine);
        ball++;
        rmdi_event_set(&sides[!mine]);
    }
}

TEST_LIMIT(two_players_never_miss_the_ball, 60)
{
    rmdi_thread threads[2];
    int names[2] = { 0, 1 };
    for (int i = 0; i < 2; i++)
        REQUIRE(rmdi_thread_start(&threads[i], play, &names[i], "player") == 0);
    rmdi_event_set(&sides[0]);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_EQ(ball, 2 * HITS);
}

/* ---- its end ---- */

static void set_it(void *arg)
{
    CHECK_EQ(rmd_event_set(arg), 0);
}

TEST_LIMIT(who_has_passed_may_free_it_while_it_is_still_being_set, 60)
{
    for (int round = 0; round < 3000; round++) {
        rmdi_thread setter;
        REQUIRE(rmd_event_open(&event) == 0);
        REQUIRE(rmdi_thread_start(&setter, set_it, event, "setter") == 0);
        if (round % 2)
            CHECK_EQ(rmd_event_wait(event, patience()), 0);
        else
            while (!rmd_event_is_set(event))
                ;
        CHECK_EQ(rmd_event_free(event), 0);
        CHECK_EQ(rmdi_thread_join(&setter, RMD_FOREVER), 0);
    }
}

TEST(waiting_takes_no_processor_time)
{
    struct rusage before, after;
    REQUIRE(rmd_event_open(&event) == 0);
    getrusage(RUSAGE_SELF, &before);
    CHECK_EQ(rmd_event_wait(event, rmd_after_ms(300)), RMD_ETIMEDOUT);
    getrusage(RUSAGE_SELF, &after);
    long us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
              (after.ru_utime.tv_usec - before.ru_utime.tv_usec) +
              (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000 +
              (after.ru_stime.tv_usec - before.ru_stime.tv_usec);
    CHECK_INT(us, <, 20000 * kit_patience());
    CHECK_EQ(rmd_event_free(event), 0);
}
