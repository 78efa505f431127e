/* SPDX-License-Identifier: MIT */
#include "job/progress.h"

#include "kit.h"

static const int64_t second = 1000000000;

static void check_time(int64_t ns, const char *expected)
{
    rmdi_buffer text = { 0 };
    CHECK_EQ(rmdi_progress_time(ns, &text), 0);
    CHECK_STR(text.data, expected);
    rmdi_buffer_free(&text);
}

static void check_line(const rmdi_progress *progress, const char *expected)
{
    rmdi_buffer line = { 0 };
    CHECK_EQ(rmdi_progress_line(progress, &line), 0);
    if (CHECK_EQ(line.len, strlen(expected)))
        CHECK_MEM(line.data, expected, line.len);
    rmdi_buffer_free(&line);
}

TEST(times_are_told_for_people)
{
    check_time(0, "0.00 s");
    check_time(420 * second / 1000, "0.42 s");
    check_time(37 * second, "37.0 s");
    check_time(59600 * second / 1000, "1 min 00 s");
    check_time(725 * second, "12 min 05 s");
    check_time(3600 * second, "1 h 00 min");
    check_time((3 * 3600 + 10 * 60 + 59) * second, "3 h 10 min");
}

TEST(without_a_total_only_what_is_done_is_told)
{
    rmdi_progress p = { .total = UINT64_MAX, .ended = 3, .running = 2, .bar = true };
    check_line(&p, "3 done, 2 running");
}

TEST(with_a_total_there_is_a_share_and_the_time_left)
{
    rmdi_progress p = {
        .total = 8, .ended = 2, .failed = 1, .running = 2, .elapsed_ns = 4 * second
    };
    check_line(&p, " 25% 2/8, 2 running, 1 failed, left: 12.0 s");
    p.bar = true;
    check_line(&p, "[=======>                      ]  25% 2/8, 2 running, 1 failed, left: 12.0 s");
}

TEST(a_bar_is_full_at_the_end_and_never_longer)
{
    rmdi_progress p = { .total = 2, .ended = 2, .bar = true };
    check_line(&p, "[==============================] 100% 2/2, 0 running");
    p.ended = 3; /* the file has grown since it was counted */
    check_line(&p, "[==============================] 150% 3/2, 0 running");
    p.ended = p.total = 0;
    check_line(&p, "[==============================] 100% 0/0, 0 running");
}

TEST(a_line_leaves_the_last_column_free)
{
    rmdi_progress p = { .total = UINT64_MAX, .ended = 3, .running = 2, .columns = 10 };
    check_line(&p, "3 done, 2");
}

TEST(the_closing_account)
{
    rmd_census census = { .submitted = 1000, .ok = 998, .failed = 2 };
    rmdi_buffer line = { 0 };
    CHECK_EQ(rmdi_progress_census(&census, 3200 * second / 1000, 2, &line), 0);
    CHECK_STR(line.data,
              "remuda: 1000 submitted = 998 ok + 2 failed in 3.20 s on 2 slots (312/s)\n");
    rmdi_buffer_free(&line);
}
