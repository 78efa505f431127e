/* SPDX-License-Identifier: MIT */
#include "job/escapes.h"

#include "kit.h"

static void check(int (*translate)(const char *, rmdi_buffer *), const char *text,
                  const char *expected, size_t len)
{
    rmdi_buffer out = { 0 };
    REQUIRE(translate(text, &out) == 0);
    CHECK_EQ(out.len, len);
    if (len)
        CHECK_MEM(out.data, expected, len);
    rmdi_buffer_free(&out);
}

TEST(delimiters_know_few_escapes)
{
    check(rmdi_escapes_delimiter, "", "", 0);
    check(rmdi_escapes_delimiter, "\\t\\n\\r", "\t\n\r", 3);
    check(rmdi_escapes_delimiter, "\\0", "\0", 1);
    check(rmdi_escapes_delimiter, "\\101b", "Ab", 2);
    check(rmdi_escapes_delimiter, "\\10",
          "\1"
          "0",
          2);
    check(rmdi_escapes_delimiter, "\\8", "\10", 1);
    check(rmdi_escapes_delimiter, "\\\\", "\\\\", 2);
    check(rmdi_escapes_delimiter, "\\x01", "\\x01", 4);
    check(rmdi_escapes_delimiter, "ab\\", "ab\\", 3);
}

TEST(record_separators_know_quotes_and_backslashes)
{
    check(rmdi_escapes_record, "\\0\\r\\n\\t\\'\\\"\\\\", "\0\r\n\t'\"\\", 7);
    check(rmdi_escapes_record, "\\001",
          "\0"
          "01",
          3);
    check(rmdi_escapes_record, "\\a>\\", "\\a>\\", 4);
    check(rmdi_escapes_record, "\\\\n", "\\n", 2);
}
