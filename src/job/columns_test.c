/* SPDX-License-Identifier: MIT */
#include "job/columns.h"

#include "base/error.h"
#include "kit.h"
#include "kit_alloc.h"

static const char *split(const char *separator, const char *value)
{
    static char out[256];
    rmdi_columns *columns;
    int err = rmdi_columns_open(&columns, separator);
    if (err < 0)
        return rmd_error_detail();
    size_t from = 0, begin, end;
    out[0] = 0;
    for (; rmdi_columns_find(columns, rmdi_bytes_of(value), from, &begin, &end); from = end) {
        strncat(out, value + from, begin - from);
        strcat(out, "|");
    }
    strcat(out, value + from);
    rmdi_columns_free(columns);
    return out;
}

TEST(values_are_split_like_perl_does)
{
    static const char *const cases[][3] = {
        { ",", "a,b", "a|b" },
        { ",", ",a,", "|a|" },
        { ",", "", "" },
        { "ab", "1ab2abab", "1|2||" },
        { "\\t", "a\tb c", "a|b c" },
        { " ", "a  b", "a||b" },
        { " +", "a  b c", "a|b|c" },
        { "", "abc", "a|b|c|" },
        { "x*", "abxxc", "a|b|c|" },
        { "x*", "xabxx", "|a|b|" },
        { ".", "abc", "|||" },
        { "\\.", "a.b.c", "a|b|c" },
        { "^a", "aba", "|ba" },
        { "\\|", "a|b", "a|b" },
        { "a|b", "1a2b3", "1|2|3" },
        { "[:;]", "a:b;c", "a|b|c" },
        { "[\\t,]", "a\tb,c", "a|b|c" },
        { "\\d+", "a12b3", "a|b|" },
        { "[\\d]", "a1b", "a|b" },
        { "\\s*,\\s*", "a , b,c", "a|b|c" },
        { "\\x2c", "a,b", "a|b" },
        { "\\x2e", "a.b", "a|b" },
        { "[[:space:]\\d]", "a b1c", "a|b|c" },
        { "[]a]", "1]2a3", "1|2|3" },
        { "[^]]", "]x]", "]|]" },
        { "\\\\", "a\\b", "a|b" },
        { "a{2}", "1aa2a", "1|2a" },
        { "}", "1}2", "1|2" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!CHECK_STR(split(cases[i][0], cases[i][1]), cases[i][2]))
            printf("separator %s\n", cases[i][0]);
}

TEST(what_is_no_expression_is_told)
{
    static const char *const bad[] = { "(",     "[a",  "a\\",   "\\b",   "\\x0",
                                       "\\x00", "a*?", "(?:a)", "[\\]]", "*a{1,0}" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rmdi_columns *columns;
        CHECK_EQ(rmdi_columns_open(&columns, bad[i]), RMD_ESYNTAX);
        CHECK_CONTAINS(rmd_error_detail(), "column separator: ");
        CHECK(columns == NULL);
    }
}

TEST(nul_bytes_in_values_do_no_harm)
{
    rmdi_columns *columns;
    REQUIRE(rmdi_columns_open(&columns, ",+") == 0);
    rmd_bytes value = { .data = "a\0b,,c", .len = 6 };
    size_t begin, end;
    CHECK(rmdi_columns_find(columns, value, 0, &begin, &end));
    CHECK_EQ(begin, 3);
    CHECK_EQ(end, 5);
    CHECK(!rmdi_columns_find(columns, value, 5, &begin, &end));
    rmdi_columns_free(columns);
}

static int scenario(void *arg)
{
    rmdi_columns *columns;
    int err = rmdi_columns_open(&columns, arg);
    rmdi_columns_free(columns);
    return err;
}

TEST(without_memory_nothing_leaks)
{
    char literal[] = "a,b", regex[] = "[a-z]+\\d";
    kit_alloc(scenario, literal, RMD_ENOMEM);
    kit_alloc(scenario, regex, RMD_ENOMEM);
}
