/* SPDX-License-Identifier: MIT */
#include "exec/tail.h"

#include "kit.h"

static rmdi_tail tail;

static const char *lines(size_t size)
{
    static char text[8192];
    rmdi_tail_lines(&tail, text, size);
    return text;
}

static void add(const char *text)
{
    rmdi_tail_add(&tail, text, strlen(text));
}

TEST(the_last_line_is_found_with_or_without_its_end)
{
    const char *line;
    CHECK_EQ(rmdi_tail_line(&tail, 100, &line), 0);
    add("one\ntwo");
    CHECK_EQ(rmdi_tail_line(&tail, 100, &line), 3);
    CHECK_MEM(line, "two", 3);
    add(" three \r\n\n");
    CHECK_EQ(rmdi_tail_line(&tail, 100, &line), 9);
    CHECK_MEM(line, "two three", 9);
    CHECK_EQ(rmdi_tail_line(&tail, 4, &line), 4);
    CHECK_MEM(line, "hree", 4);
}

TEST(as_many_lines_are_told_as_fit)
{
    CHECK_STR(lines(100), "");
    add("one\n\ntwo\nthree\n");
    CHECK_STR(lines(100), "one | two | three");
    CHECK_STR(lines(18), "one | two | three");
    CHECK_STR(lines(17), "two | three");
    CHECK_STR(lines(12), "two | three");
    CHECK_STR(lines(11), "three");
    CHECK_STR(lines(4), "ree");
    CHECK_STR(lines(1), "");
}

TEST(of_very_much_the_end_is_kept)
{
    for (int i = 0; i < 3000; i++) {
        char line[24];
        snprintf(line, sizeof line, "line %d\n", i);
        add(line);
    }
    CHECK_EQ(tail.len, sizeof tail.data);
    CHECK_STR(lines(24), "line 2998 | line 2999");
    static char big[10000];
    memset(big, 'x', sizeof big);
    rmdi_tail_add(&tail, big, sizeof big);
    CHECK_EQ(strlen(lines(sizeof big)), sizeof tail.data);
}
