/* SPDX-License-Identifier: MIT */
#include "job/halt.h"

#include "base/error.h"
#include "kit.h"

TEST(all_spellings_are_read)
{
    static const struct {
        const char *text;
        rmdi_halt halt;
    } cases[] = {
        { "never", { .on = RMDI_HALT_NEVER } },
        { "0", { .on = RMDI_HALT_NEVER } },
        { "1", { .when = RMDI_HALT_SOON, .on = RMDI_HALT_FAIL, .threshold = 1 } },
        { "2", { .when = RMDI_HALT_NOW, .on = RMDI_HALT_FAIL, .threshold = 1 } },
        { "-1", { .when = RMDI_HALT_SOON, .on = RMDI_HALT_SUCCESS, .threshold = 1 } },
        { "-2", { .when = RMDI_HALT_NOW, .on = RMDI_HALT_SUCCESS, .threshold = 1 } },
        { "30%",
          { .when = RMDI_HALT_SOON, .on = RMDI_HALT_FAIL, .percent = true, .threshold = 30 } },
        { "now,fail=3", { .when = RMDI_HALT_NOW, .on = RMDI_HALT_FAIL, .threshold = 3 } },
        { "soon,fail,3", { .when = RMDI_HALT_SOON, .on = RMDI_HALT_FAIL, .threshold = 3 } },
        { "now=success=10%",
          { .when = RMDI_HALT_NOW, .on = RMDI_HALT_SUCCESS, .percent = true, .threshold = 10 } },
        { "soon=done,1", { .when = RMDI_HALT_SOON, .on = RMDI_HALT_DONE, .threshold = 1 } },
        { "soon,done=0", { .when = RMDI_HALT_SOON, .on = RMDI_HALT_DONE } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rmdi_halt halt;
        memset(&halt, 0x55, sizeof halt);
        CHECK_EQ(rmdi_halt_parse(&halt, cases[i].text), 0);
        CHECK_EQ(halt.when, cases[i].halt.when);
        CHECK_EQ(halt.on, cases[i].halt.on);
        CHECK_EQ(halt.percent, cases[i].halt.percent);
        CHECK_EQ(halt.threshold, cases[i].halt.threshold);
        CHECK_EQ(halt.completed + halt.failed + halt.reached, 0);
    }
}

TEST(anything_else_is_refused_by_name)
{
    static const char *const bad[] = { "",
                                       "3",
                                       "-3",
                                       "now",
                                       "now,fail",
                                       "fail=1",
                                       "1.5",
                                       "now,fail=",
                                       "now,fail=x",
                                       "now,fail=1.5",
                                       "now,fail=1%%",
                                       "later,fail=1",
                                       "now,failed=1",
                                       "nowfail=1",
                                       "%",
                                       "now,fail=-1",
                                       "now,fail=99999999999999999999999" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rmdi_halt halt = { .threshold = 99 };
        CHECK_EQ(rmdi_halt_parse(&halt, bad[i]), RMD_EINVAL);
        CHECK_CONTAINS(rmd_error_detail(), bad[i]);
        CHECK_EQ(halt.threshold, 99);
    }
}

/* Runs tasks one after the other, as -j1 does, and returns the status; *ran: how many. */
static int run(const char *text, const int *exits, size_t count, size_t *ran)
{
    rmdi_halt halt = { 0 };
    REQUIRE(!text || rmdi_halt_parse(&halt, text) == 0);
    for (*ran = 0; *ran < count;) {
        rmdi_halt_end end = { .exit_value = exits[(*ran)++] };
        if (rmdi_halt_finished(&halt, &end, count) != RMDI_HALT_GO_ON)
            break;
    }
    return rmdi_halt_status(&halt, *ran);
}

/* As measured with GNU parallel 20221122: -j1, five tasks. */
TEST(it_stops_and_exits_like_parallel)
{
    static const int exits[] = { 0, 3, 0, 5, 6 };
    static const struct {
        const char *text;
        size_t ran;
        int status;
    } cases[] = {
        { NULL, 5, 3 },
        { "never", 5, 3 },
        { "0", 5, 3 },
        { "1", 2, 3 },
        { "2", 2, 3 },
        { "-1", 1, 0 },
        { "-2", 1, 0 },
        { "now,fail=1", 2, 3 },
        { "soon,fail=1", 2, 3 },
        { "now,fail=2", 4, 2 },
        { "now,fail=50%", 5, 60 },
        { "now,fail=30%", 4, 40 },
        { "now,fail=100%", 5, 60 },
        { "now,success=1", 1, 0 },
        { "now,success=2", 3, 0 },
        { "soon,success=50%", 5, 60 },
        { "now,done=1", 1, 0 },
        { "now,done=2", 2, 1 },
        { "now,done=60%", 3, 20 },
        { "now,fail=9", 5, 3 },
        { "now,success=9", 5, 3 },
        { "now,done=9", 5, 3 },
        { "now,fail=0", 2, 0 },
        { "now,fail=0%", 2, 0 },
        { "0%", 2, 0 },
        { "now,done=0", 1, 0 },
        { "now,success=0%", 1, 0 },
        { "soon,done=100%", 5, 60 },
        { "soon,done=40%", 2, 20 },
        { "now,fail=1%", 2, 20 },
        { "now,fail=21%", 4, 40 },
        { "now,success=41%", 5, 60 },
        { "150%", 5, 60 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t ran;
        int status = run(cases[i].text, exits, 5, &ran);
        if (!CHECK_EQ(status, cases[i].status) || !CHECK_EQ(ran, cases[i].ran))
            printf("case %s\n", cases[i].text);
    }
}

static int status_after(const char *text, rmdi_halt_end end)
{
    rmdi_halt halt = { 0 };
    REQUIRE(rmdi_halt_parse(&halt, text) == 0);
    rmdi_halt_finished(&halt, &end, 9);
    return rmdi_halt_status(&halt, 1);
}

TEST(the_status_of_the_one_task_is_that_of_the_run)
{
    CHECK_EQ(status_after("now,fail=1", (rmdi_halt_end){ .signal = 9 }), 137);
    CHECK_EQ(status_after("now,done=1", (rmdi_halt_end){ .exit_value = 7 }), 7);
    CHECK_EQ(status_after("now,fail=1", (rmdi_halt_end){ .exit_value = -1, .timed_out = true }),
             255);
    CHECK_EQ(status_after("now,fail=1", (rmdi_halt_end){ .exit_value = 7, .timed_out = true }), 7);
    CHECK_EQ(status_after("now,fail=1", (rmdi_halt_end){ .signal = 15, .timed_out = true }), 255);
    CHECK_EQ(status_after("now,fail=1", (rmdi_halt_end){ .lost = true }), 255);
    CHECK_EQ(status_after("now,fail=2", (rmdi_halt_end){ .signal = 9 }), 1);
}

TEST(once_reached_it_stays)
{
    rmdi_halt halt = { 0 };
    REQUIRE(rmdi_halt_parse(&halt, "soon,fail=1") == 0);
    rmdi_halt_end bad = { .exit_value = 4 }, good = { 0 };
    CHECK_EQ(rmdi_halt_finished(&halt, &good, 9), RMDI_HALT_GO_ON);
    CHECK_EQ(rmdi_halt_finished(&halt, &bad, 9), RMDI_HALT_SOON);
    bad.exit_value = 5;
    CHECK_EQ(rmdi_halt_finished(&halt, &good, 9), RMDI_HALT_SOON);
    CHECK_EQ(rmdi_halt_finished(&halt, &bad, 9), RMDI_HALT_SOON);
    CHECK_EQ(rmdi_halt_status(&halt, 4), 4);
}

TEST(percentages_wait_until_the_total_is_known)
{
    rmdi_halt halt = { 0 };
    REQUIRE(rmdi_halt_parse(&halt, "now,fail=10%") == 0);
    rmdi_halt_end bad = { .exit_value = 1 };
    CHECK_EQ(rmdi_halt_finished(&halt, &bad, UINT64_MAX), RMDI_HALT_GO_ON);
    CHECK_EQ(rmdi_halt_finished(&halt, &bad, UINT64_MAX), RMDI_HALT_GO_ON);
    CHECK_EQ(rmdi_halt_finished(&halt, &bad, 30), RMDI_HALT_NOW);
    CHECK_EQ(rmdi_halt_status(&halt, 5), 10);
}

TEST(more_than_a_hundred_failures_are_101)
{
    rmdi_halt halt = { 0 };
    rmdi_halt_end bad = { .exit_value = 1 };
    for (int i = 1; i <= 300; i++) {
        CHECK_EQ(rmdi_halt_finished(&halt, &bad, UINT64_MAX), RMDI_HALT_GO_ON);
        CHECK_EQ(rmdi_halt_status(&halt, 300), i < 101 ? i : 101);
    }
}
