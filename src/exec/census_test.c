/* SPDX-License-Identifier: MIT */
#include "exec/census.h"

#include "kit.h"

static const char *format(const rmd_census *census)
{
    static char text[256];
    int len = rmd_census_format(census, text, sizeof text);
    CHECK_EQ(len, strlen(text));
    return text;
}

TEST(a_census_names_what_is_not_zero)
{
    CHECK_STR(format(&(rmd_census){ 0 }), "0 submitted = 0");
    CHECK_STR(format(&(rmd_census){ .submitted = 7, .ok = 5, .failed = 2 }),
              "7 submitted = 5 ok + 2 failed");
    CHECK_STR(format(&(rmd_census){ .submitted = 36,
                                    .ok = 1,
                                    .failed = 2,
                                    .cancelled = 3,
                                    .timeout = 4,
                                    .lost = 5,
                                    .dead = 6,
                                    .queued = 7,
                                    .running = 8 }),
              "36 submitted = 1 ok + 2 failed + 3 cancelled + 4 timeout + 5 lost + 6 dead + "
              "7 queued + 8 running");
}

TEST(a_cut_census_ends_in_a_nul_and_tells_its_length)
{
    const rmd_census census = { .submitted = 12, .ok = 5, .failed = 7 };
    int len = rmd_census_format(&census, NULL, 0);
    char whole[64], text[64];
    CHECK_EQ(rmd_census_format(&census, whole, sizeof whole), len);
    for (size_t size = 1; size <= (size_t)len + 1; size++) {
        memset(text, '#', sizeof text);
        CHECK_EQ(rmd_census_format(&census, text, size), len);
        CHECK_EQ(strlen(text), size - 1);
        CHECK_MEM(text, whole, size - 1);
        CHECK_EQ(text[size], '#');
    }
}

TEST(every_outcome_is_counted_once_and_has_its_name)
{
    static const char *const names[] = { "pending", "ok",   "failed", "cancelled",
                                         "timeout", "lost", "dead" };
    rmd_census census = { 0 };
    for (int i = RMD_PENDING; i <= RMD_OUTCOME_DEAD; i++) {
        CHECK_STR(rmd_outcome_name((rmd_outcome)i), names[i]);
        rmdi_census_add(&census, (rmd_outcome)i);
    }
    census.submitted = 6;
    CHECK(rmd_census_balances(&census));
    CHECK(census.ok == 1 && census.failed == 1 && census.cancelled == 1 && census.timeout == 1 &&
          census.lost == 1 && census.dead == 1);
    CHECK_STR(rmd_outcome_name((rmd_outcome)99), "unknown");
}

TEST(a_census_balances_or_not)
{
    CHECK(rmd_census_balances(&(rmd_census){ 0 }));
    CHECK(rmd_census_balances(&(rmd_census){ .submitted = 3, .queued = 1, .running = 2 }));
    CHECK(!rmd_census_balances(&(rmd_census){ .submitted = 3, .ok = 2 }));
    CHECK(!rmd_census_balances(&(rmd_census){ .submitted = 3, .ok = 4 }));
}
