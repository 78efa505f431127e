/* SPDX-License-Identifier: MIT */
#include "loop/timers.h"

#include "kit.h"
#include "kit_alloc.h"
#include "loop/loop.h"
#include "port/clock.h"

#include <remuda/error.h>
#include <stdlib.h>

/* ---- the heap ---- */

enum { TIMERS = 500 };

static rmdi_timer timers[TIMERS];

static unsigned next_random(void)
{
    static unsigned state = 1;
    state = state * 1103515245 + 12345;
    return state >> 16 & 0x7fff;
}

/* Takes all of them in order; how many there were. */
static int take_all(rmdi_timers *heap)
{
    int count = 0;
    int64_t last = INT64_MIN;
    for (rmdi_timer *first; (first = rmdi_timers_first(heap)); count++) {
        CHECK_INT(first->due_ns, >=, last);
        last = first->due_ns;
        rmdi_timers_disarm(heap, first);
        CHECK_EQ(first->place, 0);
    }
    return count;
}

TEST(timers_come_out_in_order_however_they_were_armed_and_disarmed)
{
    rmdi_timers heap = { 0 };
    REQUIRE(rmdi_timers_reserve(&heap, TIMERS) == 0);
    CHECK(rmdi_timers_first(&heap) == NULL);
    for (int round = 0; round < 20; round++) {
        int armed = 0;
        for (int i = 0; i < TIMERS; i++)
            rmdi_timers_arm(&heap, &timers[i], next_random());
        for (int i = 0; i < TIMERS; i++) { /* a third moves, a third leaves */
            if (i % 3 == 1)
                rmdi_timers_arm(&heap, &timers[i], next_random());
            if (i % 3 == 2)
                rmdi_timers_disarm(&heap, &timers[i]);
            rmdi_timers_disarm(&heap, &timers[i / 3 * 3 + 2 < TIMERS ? i / 3 * 3 + 2 : 2]);
        }
        for (int i = 0; i < TIMERS; i++)
            armed += timers[i].place != 0;
        CHECK_EQ(take_all(&heap), armed);
    }
    rmdi_timers_free(&heap);
}

/* ---- timers of a loop ---- */

typedef struct alarm_log {
    int64_t due_ns, fired_ns;
    int calls, order;
} alarm_log;

static int fired;

static void note(rmd_source *source, unsigned events, void *ctx)
{
    alarm_log *log = ctx;
    (void)source;
    CHECK_EQ(events, 0);
    log->fired_ns = rmdi_clock_monotonic_ns();
    log->order = fired++;
    log->calls++;
}

static rmd_loop *open_loop(void)
{
    rmd_loop *loop;
    REQUIRE(rmd_loop_open(&loop) == 0);
    return loop;
}

TEST(no_timer_is_early_and_they_fire_in_order)
{
    enum { COUNT = 100 };
    static alarm_log logs[COUNT];
    rmd_source *source;
    rmd_loop *loop = open_loop();
    int64_t begin = rmdi_clock_monotonic_ns();
    for (int i = 0; i < COUNT; i++) { /* 37 and 100 have no common factor */
        logs[i].due_ns = begin + i * 37 % COUNT * INT64_C(500000) + 1;
        REQUIRE(rmd_loop_timer(loop, &source, RMD_DEADLINE_AT(logs[i].due_ns), 0, note, &logs[i]) ==
                0);
    }
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), 0);
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(logs[i].calls, 1);
        CHECK_INT(logs[i].fired_ns, >=, logs[i].due_ns);
        CHECK_EQ(logs[i].order, i * 37 % COUNT);
    }
    rmd_loop_free(loop);
}

static void burn(rmd_source *source, unsigned events, void *ctx)
{
    note(source, events, ctx);
    if (((alarm_log *)ctx)->calls == 1)
        for (int64_t end = rmdi_clock_monotonic_ns() + 25 * 1000000;
             rmdi_clock_monotonic_ns() < end;)
            ;
}

TEST(missed_periods_are_not_made_up_for_and_the_grid_is_kept)
{
    enum { PERIOD_MS = 10 };
    alarm_log log = { 0 };
    rmd_source *source;
    rmd_loop *loop = open_loop();
    rmd_deadline first = rmd_after_ms(5);
    REQUIRE(rmd_loop_timer(loop, &source, first, PERIOD_MS, burn, &log) == 0);
    int64_t period_ns = PERIOD_MS * 1000000;
    while (log.calls < 2) /* the first one takes two and a half periods */
        rmd_loop_turn(loop, RMD_FOREVER);
    CHECK_INT(log.fired_ns, >=, first.ns + 2 * period_ns);
    while (log.calls < 3)
        rmd_loop_turn(loop, RMD_FOREVER);
    CHECK_INT(log.fired_ns, >=, first.ns + 3 * period_ns);
    rmd_loop_free(loop);
}

static void again_at_once(rmd_source *source, unsigned events, void *ctx)
{
    note(source, events, ctx);
    CHECK_EQ(rmd_source_set_due(source, RMD_NOW), 0);
}

TEST(a_timer_that_is_always_due_does_not_starve_the_others)
{
    alarm_log busy = { 0 }, other = { 0 };
    rmd_source *source;
    rmd_loop *loop = open_loop();
    REQUIRE(rmd_loop_timer(loop, &source, RMD_NOW, 0, again_at_once, &busy) == 0);
    REQUIRE(rmd_loop_timer(loop, &source, rmd_after_ms(2), 0, note, &other) == 0);
    CHECK_EQ(rmd_loop_run(loop, rmd_after_ms(20)), RMD_ETIMEDOUT);
    CHECK_INT(busy.calls, >, 1);
    CHECK_EQ(other.calls, 1);
    rmd_loop_free(loop);
}

TEST(a_timer_that_has_fired_stays_and_may_be_armed_anew)
{
    alarm_log log = { 0 };
    rmd_source *source;
    rmd_loop *loop = open_loop();
    REQUIRE(rmd_loop_timer(loop, &source, RMD_NOW, 0, note, &log) == 0);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), 0); /* unarmed, it keeps no run going */
    CHECK_EQ(rmd_source_set_due(source, rmd_after_ms(1)), 0);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), 0);
    CHECK_EQ(log.calls, 2);
    CHECK_EQ(rmd_source_set_due(source, rmd_after_ms(1)), 0);
    CHECK_EQ(rmd_source_set_due(source, RMD_FOREVER), 0);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), 0);
    CHECK_EQ(log.calls, 2);
    rmd_loop_free(loop);
}

static rmd_source *victims[2];

static void free_victims(rmd_source *source, unsigned events, void *ctx)
{
    note(source, events, ctx);
    for (int i = 0; i < 2; i++)
        rmd_source_free(victims[i]);
}

TEST(a_timer_that_is_freed_in_the_same_turn_does_not_fire)
{
    alarm_log logs[2] = { 0 };
    rmd_loop *loop = open_loop();
    for (int i = 0; i < 2; i++) /* both are due; each frees itself and the other */
        REQUIRE(rmd_loop_timer(loop, &victims[i], RMD_DEADLINE_AT(i + 1), 0, free_victims,
                               &logs[i]) == 0);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), 0);
    CHECK_EQ(logs[0].calls, 1);
    CHECK_EQ(logs[1].calls, 0);
    rmd_loop_free(loop);
}

TEST(extreme_times_are_neither_early_nor_an_overflow)
{
    alarm_log log = { 0 };
    rmd_source *source;
    rmd_loop *loop = open_loop();
    int64_t longest_ms = INT64_MAX / 1000000;
    REQUIRE(rmd_loop_timer(loop, &source, RMD_NOW, longest_ms, note, &log) == 0);
    CHECK_EQ(rmd_loop_run(loop, rmd_after_ms(5)), RMD_ETIMEDOUT);
    CHECK_EQ(log.calls, 1);
    rmd_source_free(source);
    REQUIRE(rmd_loop_timer(loop, &source, rmd_after_ms(1), longest_ms, note, &log) == 0);
    rmd_loop_run(loop, rmd_after_ms(10)); /* its next time lies beyond the clock */
    CHECK_EQ(log.calls, 2);
    rmd_source_free(source);
    REQUIRE(rmd_loop_timer(loop, &source, RMD_DEADLINE_AT(INT64_MIN), 1, note, &log) == 0);
    CHECK_EQ(rmd_loop_run(loop, rmd_after_ms(5)), RMD_ETIMEDOUT);
    CHECK_INT(log.calls, >, 2);
    rmd_source_free(source);
    REQUIRE(rmd_loop_timer(loop, &source, RMD_DEADLINE_AT(INT64_MAX - 1), 0, note, &log) == 0);
    log.calls = 0;
    CHECK_EQ(rmd_loop_run(loop, rmd_after_ms(5)), RMD_ETIMEDOUT);
    CHECK_EQ(log.calls, 0);
    rmd_loop_free(loop);
}

TEST(what_is_no_time_is_refused)
{
    alarm_log log = { 0 };
    rmd_source *source;
    rmd_loop *loop = open_loop();
    CHECK_EQ(rmd_loop_timer(loop, &source, RMD_NOW, -1, note, &log), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "-1 ms");
    CHECK_EQ(rmd_loop_timer(loop, &source, RMD_NOW, INT64_MAX / 1000000 + 1, note, &log),
             RMD_EINVAL);
    CHECK_EQ(rmd_loop_timer(loop, &source, RMD_NOW, 0, NULL, &log), RMD_EINVAL);
    REQUIRE(rmd_loop_timer(loop, &source, RMD_NOW, 0, note, &log) == 0);
    CHECK_EQ(rmd_source_set_events(source, RMD_READABLE), RMD_EINVAL);
    rmd_loop_free(loop);
}
