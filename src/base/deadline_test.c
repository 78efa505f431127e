/* SPDX-License-Identifier: MIT */
#include "port/clock.h"

#include "kit.h"

#include <remuda/deadline.h>

static bool is_between(int64_t ns, int64_t before, int64_t after)
{
    return ns >= before && ns <= after;
}

TEST(a_deadline_is_so_much_after_now)
{
    int64_t before = rmdi_clock_monotonic_ns();
    rmd_deadline ms = rmd_after_ms(250), ns = rmd_after_ns(250);
    int64_t after = rmdi_clock_monotonic_ns();
    CHECK(is_between(ms.ns - INT64_C(250000000), before, after));
    CHECK(is_between(ns.ns - 250, before, after));
}

TEST(negative_times_count_as_none)
{
    int64_t before = rmdi_clock_monotonic_ns();
    static const int64_t times[] = { -1, -1000, INT64_MIN };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        int64_t ms = rmd_after_ms(times[i]).ns, ns = rmd_after_ns(times[i]).ns;
        int64_t after = rmdi_clock_monotonic_ns();
        CHECK(is_between(ms, before, after));
        CHECK(is_between(ns, before, after));
    }
}

TEST(what_lies_beyond_the_clock_is_for_ever)
{
    static const int64_t far[] = { INT64_MAX, INT64_MAX / 1000000, INT64_MAX / 1000000 + 1 };
    for (size_t i = 0; i < sizeof far / sizeof *far; i++)
        CHECK_EQ(rmd_after_ms(far[i]).ns, INT64_MAX);
    CHECK_EQ(rmd_after_ns(INT64_MAX).ns, INT64_MAX);
    CHECK_EQ(rmd_after_ns(INT64_MAX - 1).ns, INT64_MAX);
    CHECK_INT(rmd_after_ms(INT64_C(1000) * 3600 * 24 * 365 * 100).ns, <, INT64_MAX);
}

TEST(now_has_passed_and_for_ever_never_does)
{
    CHECK(rmd_deadline_passed(RMD_NOW));
    CHECK(!rmd_deadline_passed(RMD_FOREVER));
    CHECK(!rmd_deadline_passed(rmd_after_ms(60000)));
    CHECK(rmd_deadline_passed(RMD_DEADLINE_AT(-1)));
}

TEST(what_is_left_is_rounded_up)
{
    CHECK_EQ(rmd_deadline_left_ms(RMD_FOREVER), INT64_MAX);
    CHECK_EQ(rmd_deadline_left_ms(RMD_NOW), 0);
    CHECK_EQ(rmd_deadline_left_ms(RMD_DEADLINE_AT(INT64_MIN)), 0);
    int64_t left = rmd_deadline_left_ms(rmd_after_ns(60 * INT64_C(1000000000) + 999999));
    CHECK(is_between(left, 50000, 60001));
    rmd_deadline soon = rmd_after_ns(100000);
    left = rmd_deadline_left_ms(soon);
    CHECK(left == 1 || rmd_deadline_passed(soon));
}
