/* SPDX-License-Identifier: MIT */
/* Calls by name: what goes in, and what comes out. */
#include "suite.h"

/* Does the value come back as it was? */
static void check_echo(rmd_pool *pool, rmd_value value)
{
    char text[200];
    const rmd_value *back = NULL;
    rmd_future *future = begin(pool, "echo", RMD_ARGS(value));
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_value(future, &back), 0);
    if (!CHECK(rmd_value_equal(back, &value))) {
        rmd_value_format(back, text, sizeof text);
        FAIL(text);
    }
    CHECK_END(future, RMD_OUTCOME_OK, 0);
}

CASE(values_of_every_type_come_back_as_they_were, CALLS)
{
    rmd_pool *pool = open_pool(0);
    rmd_value inner = RMD_LIST_OF(true, RMD_MAP_OF(RMD_PAIR("x", 1), RMD_PAIR(2, "y")));
    check_echo(pool, rmd_null());
    check_echo(pool, RMD_VALUE(true));
    check_echo(pool, RMD_VALUE(false));
    check_echo(pool, RMD_VALUE(-1.5));
    check_echo(pool, RMD_VALUE(-0.0));
    check_echo(pool, RMD_VALUE(1.0 / 0.0));
    check_echo(pool, RMD_VALUE(0.0 / 0.0));
    check_echo(pool, RMD_VALUE(""));
    check_echo(pool, RMD_VALUE("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x8e"));
    check_echo(pool, rmd_text_of("zero \0 inside", 13));
    check_echo(pool, RMD_VALUE(((rmd_bytes){ "\0\xff\x80", 3 })));
    check_echo(pool, RMD_VALUE(((rmd_bytes){ NULL, 0 })));
    check_echo(pool, inner);
    check_echo(pool, RMD_LIST_OF(inner, inner, "end"));
    check_echo(pool, rmd_list(NULL, 0));
    check_echo(pool, rmd_map_value(NULL, 0));
    end_pool(pool);
}

CASE(ints_of_any_size_come_back_as_they_were, CALLS)
{
    static const int64_t some[] = { 0,     1,     -1,        23,        24,        255,      256,
                                    65535, 65536, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN };
    rmd_pool *pool = open_pool(0);
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        check_echo(pool, RMD_VALUE(some[i]));
    check_echo(pool, RMD_VALUE(UINT64_MAX));
    check_echo(pool, rmd_big_of(true, (rmd_bytes){ "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20"
                                                   "\21\22\23\24\25\26\27\30\31\32\33\34\35\36",
                                                   30 }));
    end_pool(pool);
}

CASE(an_int_of_65_bits_is_exact, CALLS)
{
    rmd_int128 wide = (rmd_int128)1 << 64, back = 0;
    int64_t narrow = 7;
    rmd_pool *pool = open_pool(0);
    for (int sign = -1; sign <= 1; sign += 2) {
        rmd_future *future = begin(pool, "echo", RMD_ARGS(wide * sign));
        CHECK_EQ(rmd_future_wait(future, soon()), 0);
        CHECK_EQ(rmd_future_get(future, &narrow), RMD_E2BIG);
        CHECK_EQ(narrow, 7);
        CHECK_EQ(rmd_future_get(future, &back), 0);
        CHECK(back == wide * sign);
        CHECK_RESULT(future, sign > 0 ? "18446744073709551616" : "-18446744073709551616");
        CHECK_END(future, RMD_OUTCOME_OK, 0);
    }
    end_pool(pool);
}

CASE(arguments_may_be_given_by_name, CALLS)
{
    rmd_pool *pool = open_pool(0);
    rmd_future *futures[] = {
        begin(pool, "parse", RMD_ARGS("ff", RMD_NAMED("base", 16))),
        begin(pool, "parse", RMD_ARGS(RMD_NAMED("base", 16), RMD_NAMED("text", "ff"))),
        begin(pool, "parse", RMD_ARGS("255")),
        begin(pool, "parse", RMD_ARGS("377", 8)),
    };
    for (size_t i = 0; i < sizeof futures / sizeof *futures; i++) {
        CHECK_RESULT(futures[i], "255");
        CHECK_END(futures[i], RMD_OUTCOME_OK, 0);
    }
    end_pool(pool);
}

/* The task fails, before the function is entered. */
static void check_refused(rmd_pool *pool, const char *function, rmd_args args, const char *why)
{
    rmd_future *future = begin(pool, function, args);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_CONTAINS(failure_of(future).detail, why);
    CHECK_END(future, RMD_OUTCOME_FAILED, RMD_EINVAL);
}

CASE(a_function_is_not_entered_with_arguments_that_do_not_fit, CALLS)
{
    rmd_pool *pool = open_pool(0);
    check_refused(pool, "parse", RMD_ARGS(), "\"text\" is missing");
    check_refused(pool, "parse", RMD_ARGS(12), "argument 1 (text)");
    check_refused(pool, "parse", RMD_ARGS("12", "x"), "argument 2 (base)");
    check_refused(pool, "parse", RMD_ARGS("12", 10, 3), "parse");
    check_refused(pool, "parse", RMD_ARGS("12", RMD_NAMED("bass", 16)), "\"bass\"");
    check_refused(pool, "parse", RMD_ARGS("12", 10, RMD_NAMED("base", 16)), "base");
    check_refused(pool, "count", RMD_ARGS(1), "count");
    CHECK_EQ(census_of(pool).failed, 7);
    end_pool(pool);
    CHECK_EQ(counted(), 0);
}

CASE(a_function_that_nobody_added_is_not_found, CALLS)
{
    rmd_future *untouched = NULL;
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(rmd_pool_call(pool, &untouched, "no_such", RMD_ARGS(), NULL), RMD_ENOENT);
    CHECK_CONTAINS(rmd_error_detail(), "no_such");
    CHECK(untouched == NULL);
    CHECK_EQ(census_of(pool).submitted, 0);
    end_pool(pool);
}

CASE(a_result_of_another_type_is_refused_and_stays, CALLS)
{
    int number = 7;
    const char *text = NULL;
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin(pool, "echo", RMD_ARGS("twelve"));
    int early = rmd_future_get(future, &text);
    CHECK(early == 0 || early == RMD_EBUSY);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_get(future, &number), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "twelve");
    CHECK_EQ(number, 7);
    CHECK_EQ(rmd_future_get(future, &text), 0);
    CHECK_STR(text, "twelve");
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

CASE(the_result_of_a_task_that_failed_is_its_error, CALLS)
{
    int number = 7;
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin(pool, "fail", RMD_ARGS(RMD_ENOSPC, "no room"));
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_get(future, &number), RMD_ENOSPC);
    CHECK_STR(rmd_error_detail(), "no room");
    CHECK_EQ(number, 7);
    CHECK_END(future, RMD_OUTCOME_FAILED, RMD_ENOSPC);
    end_pool(pool);
}

CASE(a_function_that_returns_nothing_returns_null, CALLS)
{
    const char *text = "";
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin(pool, "note", RMD_ARGS("here"));
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_get(future, &text), 0);
    CHECK(text == NULL);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    CHECK_STR(noted(), "here ");
    end_pool(pool);
}

CASE(a_large_value_comes_back_as_it_was, CALLS)
{
    enum { SIZE = 1024 * 1024 };
    static char bytes[SIZE];
    for (int i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * 7 + i / 256);
    rmd_pool *pool = open_pool(0);
    check_echo(pool, RMD_VALUE(((rmd_bytes){ bytes, SIZE })));
    end_pool(pool);
}

CASE(what_arguments_were_made_of_may_go, CALLS)
{
    char text[] = "first";
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    rmd_future *runs = begin_at(pool, &at, "gate", "a");
    rmd_future *waits = begin(pool, "echo", RMD_ARGS(text));
    memset(text, 'x', sizeof text);
    open_gate(&at);
    CHECK_RESULT(waits, "first");
    CHECK_END(waits, RMD_OUTCOME_OK, 0);
    CHECK_END(runs, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

CASE(what_cannot_be_encoded_is_refused, CALLS)
{
    rmd_pool *pool = open_pool(0);
    rmd_value deep[RMD_VALUE_DEPTH_MAX + 8] = { 0 };
    for (size_t i = 1; i < sizeof deep / sizeof *deep; i++)
        deep[i] = rmd_list(&deep[i - 1], 1);
    rmd_value deepest = deep[sizeof deep / sizeof *deep - 1];
    CHECK_EQ(rmd_pool_call(pool, NULL, "echo", RMD_ARGS("\xff"), NULL), RMD_EINVAL);
    CHECK_EQ(rmd_pool_call(pool, NULL, "echo", RMD_ARGS(deepest), NULL), RMD_E2BIG);
    rmd_value twice = RMD_MAP_OF(RMD_PAIR("k", 1), RMD_PAIR("k", 2));
    CHECK_EQ(rmd_pool_call(pool, NULL, "echo", RMD_ARGS(twice), NULL), RMD_EINVAL);
    CHECK_EQ(census_of(pool).submitted, 0);
    end_pool(pool);
}
