/* SPDX-License-Identifier: MIT */
#include "job/quote.h"

#include "kit.h"
#include "kit_alloc.h"

#include <stdlib.h>
#include <unistd.h>

static const char *quoted(const char *value)
{
    static rmdi_buffer text;
    rmdi_buffer_clear(&text);
    REQUIRE(rmdi_quote_add(&text, rmdi_bytes_of(value)) == 0);
    return text.data;
}

TEST(harmless_values_stay_as_they_are)
{
    const char *all = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+/-";
    CHECK_STR(quoted(all), all);
    CHECK_STR(quoted("-n"), "-n");
}

TEST(every_other_byte_needs_quotes)
{
    for (int c = 1; c < 256; c++) {
        char value[] = { 'a', (char)c, 'b', 0 }, expected[] = { '\'', 'a', (char)c, 'b', '\'', 0 };
        bool harmless = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                        (c >= 'A' && c <= 'Z') || strchr("_.+/-", c);
        if (c != '\'')
            CHECK_STR(quoted(value), harmless ? value : expected);
    }
}

TEST(single_quotes_stand_in_double_ones)
{
    static const char *const cases[][2] = {
        { "", "''" },
        { "'", "\"'\"" },
        { "''", "\"'\"''\"'\"" },
        { "'''", "\"'\"''\"'\"''\"'\"" },
        { "a'", "'a'\"'\"" },
        { "'a", "\"'\"'a'" },
        { "a'b", "'a'\"'\"'b'" },
        { "a''b", "'a'\"'\"''\"'\"'b'" },
        { "' '", "\"'\"' '\"'\"" },
        { "'\n'", "\"'\"'\n'\"'\"" },
        { "a b'c d", "'a b'\"'\"'c d'" },
        { "$'", "'$'\"'\"" },
        { "\\", "'\\'" },
        { "a=b", "'a=b'" },
        { "\xff'x", "'\xff'\"'\"'x'" },
        { "\xc3\xa9", "'\xc3\xa9'" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_STR(quoted(cases[i][0]), cases[i][1]);
}

static void check_shell_reads_back(const char *script, const char *value)
{
    FILE *f = popen(script, "r");
    REQUIRE(f != NULL);
    char back[256] = "";
    size_t n = fread(back, 1, sizeof back - 1, f);
    CHECK_EQ(pclose(f), 0);
    CHECK_EQ(n, strlen(value));
    CHECK_MEM(back, value, strlen(value));
}

TEST(the_shell_reads_back_what_was_quoted)
{
    static const char *const values[] = { "", "'", "''", "a'b\"c", "\\", "$x`y`", "!\n\t *", "~" };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        rmdi_buffer script = { 0 };
        rmd_bytes value = rmdi_bytes_of(values[i]);
        rmdi_buffer_add_text(&script, "printf %s ");
        REQUIRE(rmdi_quote_add(&script, value) == 0);
        check_shell_reads_back(script.data, values[i]);
        rmdi_buffer_clear(&script);
        rmdi_buffer_add_text(&script, "printf %s '");
        REQUIRE(rmdi_quote_add_in_single(&script, value) == 0);
        rmdi_buffer_add_text(&script, "'");
        check_shell_reads_back(script.data, values[i]);
        rmdi_buffer_clear(&script);
        rmdi_buffer_add_text(&script, "x=; printf %s \"$x");
        REQUIRE(rmdi_quote_add_in_double(&script, value, true) == 0);
        rmdi_buffer_add_text(&script, "\"");
        check_shell_reads_back(script.data, values[i]);
        rmdi_buffer_free(&script);
    }
}

TEST(harmless_values_in_double_quotes_stay_unless_glued)
{
    rmdi_buffer text = { 0 };
    REQUIRE(rmdi_quote_add_in_double(&text, rmdi_bytes_of("a b'c"), false) == 0);
    REQUIRE(rmdi_quote_add_in_double(&text, rmdi_bytes_of(""), false) == 0);
    CHECK_STR(text.data, "a b'c");
    rmdi_buffer_clear(&text);
    REQUIRE(rmdi_quote_add_in_double(&text, rmdi_bytes_of("ab"), true) == 0);
    CHECK_STR(text.data, "\"'ab'\"");
    rmdi_buffer_clear(&text);
    REQUIRE(rmdi_quote_add_in_double(&text, rmdi_bytes_of("a!b"), false) == 0);
    CHECK_STR(text.data, "\"'a!b'\"");
    rmdi_buffer_free(&text);
}

static int scenario(void *arg)
{
    (void)arg;
    rmdi_buffer text = { 0 };
    char value[300];
    memset(value, '\'', sizeof value);
    int err = rmdi_buffer_add_text(&text, "before");
    if (err == 0) {
        err = rmdi_quote_add(&text, (rmd_bytes){ .data = value, .len = sizeof value });
        if (err < 0)
            CHECK_STR(text.data, "before");
    }
    rmdi_buffer_free(&text);
    return err;
}

TEST(without_memory_the_buffer_stays_as_it_was)
{
    kit_alloc(scenario, NULL, -2);
}
