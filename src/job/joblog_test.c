/* SPDX-License-Identifier: MIT */
#include "job/joblog.h"

#include "kit.h"
#include "kit_alloc.h"

TEST(the_header_has_nine_columns)
{
    rmdi_buffer line = { 0 };
    REQUIRE(rmdi_joblog_header(&line) == 0);
    CHECK_STR(line.data,
              "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n");
    rmdi_buffer_free(&line);
}

TEST(a_row_is_padded_like_parallels)
{
    rmdi_buffer line = { 0 };
    rmdi_joblog_row row = { .seq = 3,
                            .start = 1700000000.12345,
                            .runtime = 0.0021,
                            .received = 6,
                            .exit_value = 2,
                            .command = rmdi_bytes_of("echo 'a b'; exit 2") };
    REQUIRE(rmdi_joblog_row_add(&line, &row) == 0);
    CHECK_STR(line.data, "3\t:\t1700000000.123\t     0.002\t0\t6\t2\t0\techo 'a b'; exit 2\n");
    rmdi_buffer_free(&line);
}

TEST(hosts_signals_and_large_numbers_are_shown)
{
    rmdi_buffer line = { 0 };
    rmdi_joblog_row row = { .seq = UINT64_MAX,
                            .host = "node7",
                            .runtime = 1234567.8,
                            .sent = UINT64_MAX,
                            .exit_value = -1,
                            .signal = 15 };
    REQUIRE(rmdi_joblog_row_add(&line, &row) == 0);
    CHECK_STR(line.data, "18446744073709551615\tnode7\t0.000\t1234567.800\t18446744073709551615\t0"
                         "\t-1\t15\t\n");
    rmdi_buffer_free(&line);
}

TEST(newlines_become_nul_and_tabs_stay)
{
    rmdi_buffer line = { 0 };
    rmdi_joblog_row row = { .seq = 1, .command = rmdi_bytes_of("a\nb\tc\n") };
    REQUIRE(rmdi_joblog_row_add(&line, &row) == 0);
    static const char end[] = "\ta\0b\tc\0\n";
    CHECK_MEM(line.data + line.len - (sizeof end - 1), end, sizeof end - 1);
    rmdi_buffer_free(&line);
}

static int scenario(void *arg)
{
    (void)arg;
    rmdi_buffer line = { 0 };
    rmdi_joblog_row row = { .seq = 1, .command = rmdi_bytes_of("command") };
    int err = rmdi_joblog_header(&line);
    size_t len = line.len;
    if (err == 0)
        err = rmdi_joblog_row_add(&line, &row);
    CHECK(err == 0 || line.len == len);
    rmdi_buffer_free(&line);
    return err;
}

TEST(without_memory_no_half_row_is_added)
{
    kit_alloc(scenario, NULL, -2);
}
