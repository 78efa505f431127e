/* SPDX-License-Identifier: MIT */
#include "job/size.h"

#include "base/error.h"
#include "kit.h"

static const uint64_t untouched = 4711;

static uint64_t size(const char *text)
{
    uint64_t n = untouched;
    int err = rmdi_size_parse(text, &n);
    CHECK(err == 0 || (err == RMD_EINVAL && n == untouched));
    return n;
}

static int64_t duration(const char *text)
{
    int64_t ns = -1;
    int err = rmdi_duration_parse(text, &ns);
    CHECK(err == 0 || (err == RMD_EINVAL && ns == -1));
    return ns;
}

TEST(sizes_have_decimal_and_binary_units)
{
    CHECK_EQ(size("0"), 0);
    CHECK_EQ(size("300"), 300);
    CHECK_EQ(size("1k"), 1000);
    CHECK_EQ(size("1K"), 1024);
    CHECK_EQ(size("1ki"), 1024);
    CHECK_EQ(size("1Ki"), 1024);
    CHECK_EQ(size("1kI"), 1024);
    CHECK_EQ(size("1.5k"), 1500);
    CHECK_EQ(size("2m"), 2000000);
    CHECK_EQ(size("2M"), 2097152);
    CHECK_EQ(size("1g"), 1000000000);
    CHECK_EQ(size("1T"), INT64_C(1) << 40);
    CHECK_EQ(size("1p"), INT64_C(1000000000000000));
    CHECK_EQ(size("1E"), INT64_C(1) << 60);
    CHECK_EQ(size("1.9"), 1);
    CHECK(size("18446744073709551615") == UINT64_MAX);
}

TEST(what_is_no_size_is_named)
{
    static const char *const bad[] = { "",
                                       "k",
                                       "-1",
                                       "1kk",
                                       "1kB",
                                       "1 k",
                                       " 1",
                                       "1e3",
                                       "10x",
                                       "1i",
                                       "1..2",
                                       "1.",
                                       ".5",
                                       "+3",
                                       "0x10",
                                       "16E",
                                       "18446744073709551616",
                                       "1kiB" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(size(bad[i]) == untouched);
        CHECK_CONTAINS(rmd_error_detail(), bad[i]);
    }
    CHECK_CONTAINS(rmd_error_detail(), "10K (1024)");
}

TEST(durations_are_seconds_or_have_units)
{
    CHECK_EQ(duration("0"), 0);
    CHECK_EQ(duration("10"), INT64_C(10000000000));
    CHECK_EQ(duration("1.5"), 1500000000);
    CHECK_EQ(duration("10s"), INT64_C(10000000000));
    CHECK_EQ(duration("2m"), INT64_C(120000000000));
    CHECK_EQ(duration("1h"), INT64_C(3600000000000));
    CHECK_EQ(duration("1d"), INT64_C(86400000000000));
    CHECK_EQ(duration("1D2H3M4S"), INT64_C(93784000000000));
    CHECK_EQ(duration("0.02m"), 1200000000);
    CHECK_EQ(duration("1.5h"), INT64_C(5400000000000));
    CHECK_EQ(duration("0.001"), 1000000);
}

TEST(what_is_no_duration_is_named)
{
    static const char *const bad[] = { "",   "s",  "-1",  "1x", "1m30",        "m1",     "1 m",
                                       "1.", ".5", "1e3", "5%", "10000000000", "200000d" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ(duration(bad[i]), -1);
        CHECK_CONTAINS(rmd_error_detail(), bad[i]);
    }
}

TEST(percentages_end_in_a_percent_sign)
{
    double share = -1;
    CHECK_EQ(rmdi_percent_parse("150%", &share), 0);
    CHECK(share == 1.5);
    CHECK_EQ(rmdi_percent_parse("12.5%", &share), 0);
    CHECK(share == 0.125);
    CHECK_EQ(rmdi_percent_parse("12", &share), RMD_EINVAL);
    CHECK_EQ(rmdi_percent_parse("%", &share), RMD_EINVAL);
    CHECK_EQ(rmdi_percent_parse("1%%", &share), RMD_EINVAL);
    CHECK(share == 0.125);
}

TEST(counts_have_limits)
{
    uint64_t n = untouched;
    CHECK_EQ(rmdi_count_parse("2k", 1, 5000, &n), 0);
    CHECK_EQ(n, 2000);
    CHECK_EQ(rmdi_count_parse("0", 1, 5000, &n), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "from 1 to 5000");
    CHECK_EQ(rmdi_count_parse("6k", 1, 5000, &n), RMD_EINVAL);
    CHECK_EQ(rmdi_count_parse("1.5k", 1, 5000, &n), RMD_EINVAL);
    CHECK_EQ(rmdi_count_parse("x", 1, UINT64_MAX, &n), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "'x' is no whole number from 1");
    CHECK_EQ(n, 2000);
}
