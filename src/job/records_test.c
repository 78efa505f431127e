/* SPDX-License-Identifier: MIT */
#include "job/records.h"

#include "base/error.h"
#include "kit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static rmdi_records_format format_of(const char *delimiter)
{
    return (rmdi_records_format){ .delimiter = rmdi_bytes_of(delimiter), .value_max = 1 << 20 };
}

/* Writes the text to a pipe in pieces of `step` bytes and reads records as far as they are there:
 * they come out joined by '|', with "~" wherever it had to wait. */
static const char *through_pipe(const rmdi_records_format *format, const char *text, size_t step)
{
    static char out[512];
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    rmdi_records r;
    REQUIRE(rmdi_records_open_file(&r, format, "-", ends[0]) == 0);
    out[0] = 0;
    int got = RMD_EAGAIN;
    while (got == RMD_EAGAIN) {
        rmd_bytes record;
        while ((got = rmdi_records_next(&r, &record)) == 1) {
            strncat(out, record.data ? record.data : "", record.len);
            strcat(out, "|");
        }
        size_t n = strlen(text) < step ? strlen(text) : step;
        if (n)
            REQUIRE(write(ends[1], text, n) == (ssize_t)n);
        else if (ends[1] >= 0) {
            close(ends[1]);
            ends[1] = -1;
        }
        text += n;
    }
    CHECK_EQ(got, 0);
    rmdi_records_free(&r);
    close(ends[0]);
    return out;
}

typedef struct one {
    const char *delimiter, *text, *expected;
} one;

static void check_all(const one *cases, size_t count, bool continued, bool skip_empty)
{
    for (size_t i = 0; i < count; i++) {
        rmdi_records_format format = format_of(cases[i].delimiter);
        format.continued = continued;
        format.skip_empty = skip_empty;
        for (size_t step = 1; step < 5; step++)
            CHECK_STR(through_pipe(&format, cases[i].text, step), cases[i].expected);
        CHECK_STR(through_pipe(&format, cases[i].text, 100), cases[i].expected);
    }
}

#define CHECK_ALL(cases, ...) check_all(cases, sizeof cases / sizeof *cases, __VA_ARGS__)

TEST(records_end_at_delimiters_however_they_arrive)
{
    static const one cases[] = {
        { "\n", "", "" },
        { "\n", "a\nb", "a|b|" },
        { "\n", "a\n\nb\n", "a||b|" },
        { "\n", "\n", "|" },
        { "\n", "a\r\nb\r\n", "a\r|b\r|" },
        { ",", "a,b,c\n", "a|b|c\n|" },
        { "ab", "1ab2aabab3", "1|2a||3|" },
        { "ab", "1ab2ab", "1|2|" },
        { "aab", "aaab", "a|" },
        { "aba", "xababa", "x|ba|" },
    };
    CHECK_ALL(cases, false, false);
}

TEST(paragraphs_end_at_empty_lines)
{
    static const one cases[] = {
        { "", "\n\na\nb\n\n\n\nc\n", "a\nb|c|" },
        { "", "\n\n", "" },
        { "", "a", "a|" },
        { "", "a\n\nb\n\n\n", "a|b|" },
    };
    CHECK_ALL(cases, false, false);
}

TEST(records_that_end_in_a_blank_go_on)
{
    static const one cases[] = {
        { "\n", "a \nb\nc\n", "a b|c|" }, { "\n", "a \nb\t\nc\nd", "a b\tc|d|" },
        { "\n", "a \n", "a |" },          { "\n", "a \n\nb\n", "a b|" },
        { "\n", "a \n \nb\n", "a  b|" },  { "\n", "\na\n", "|a|" },
    };
    CHECK_ALL(cases, true, false);
}

TEST(white_space_can_be_skipped)
{
    static const one cases[] = {
        { "\n", "1\n \n\n2\n\t\r\v\f\n", "1|2|" },
        { ",", "1,\n,2,", "1|2|" },
        { "\n", "\n\n", "" },
    };
    CHECK_ALL(cases, false, true);
}

TEST(words_are_split_like_files_and_can_be_read_again)
{
    rmdi_records_format format = format_of("\n");
    static const char *const words[] = { "a", "", "b\nc", NULL };
    rmdi_records r;
    REQUIRE(rmdi_records_open_words(&r, &format, words) == 0);
    for (int round = 0; round < 2; round++) {
        static const char *const expected[] = { "a", "", "b", "c" };
        rmd_bytes record;
        for (size_t i = 0; i < 4; i++) {
            CHECK_EQ(rmdi_records_next(&r, &record), 1);
            CHECK(rmdi_bytes_equal(record, rmdi_bytes_of(expected[i])));
        }
        CHECK_EQ(rmdi_records_next(&r, &record), 0);
        rmdi_records_rewind(&r);
    }
    rmdi_records_free(&r);
}

TEST(a_record_has_a_limit_that_names_it)
{
    rmdi_records_format format = format_of("\n");
    format.value_max = 4;
    static const char *const fine[] = { "abcd", NULL }, *const bad[] = { "a", "abcde", NULL };
    rmdi_records r;
    rmd_bytes record;
    REQUIRE(rmdi_records_open_words(&r, &format, fine) == 0);
    CHECK_EQ(rmdi_records_next(&r, &record), 1);
    rmdi_records_free(&r);
    REQUIRE(rmdi_records_open_words(&r, &format, bad) == 0);
    CHECK_EQ(rmdi_records_next(&r, &record), 1);
    CHECK_EQ(rmdi_records_next(&r, &record), RMD_E2BIG);
    CHECK_STR(rmd_error_detail(), "record 2 of the command line is longer than 4 bytes");
    rmdi_records_free(&r);
}

/* Without an end of the record in sight, memory must not grow. */
TEST(an_endless_record_ends_at_the_limit)
{
    rmdi_records_format format = format_of("\n");
    rmdi_records r;
    rmd_bytes record;
    REQUIRE(rmdi_records_open_file(&r, &format, "/dev/zero", 0) == 0);
    CHECK_EQ(rmdi_records_next(&r, &record), RMD_E2BIG);
    CHECK_CONTAINS(rmd_error_detail(), "record 1 of /dev/zero");
    CHECK_INT(r.buffer.capacity, <, 4 << 20);
    rmdi_records_free(&r);
}

TEST(a_fifo_without_a_writer_is_waited_for)
{
    char path[256];
    snprintf(path, sizeof path, "%s/fifo", getenv("TMPDIR"));
    REQUIRE(mkfifo(path, 0600) == 0);
    rmdi_records_format format = format_of("\n");
    rmdi_records r;
    rmd_bytes record;
    REQUIRE(rmdi_records_open_file(&r, &format, path, 0) == 0);
    CHECK_EQ(rmdi_records_next(&r, &record), RMD_EAGAIN);
    int writer = open(path, O_WRONLY | O_CLOEXEC);
    REQUIRE(writer >= 0 && write(writer, "x\n", 2) == 2);
    CHECK_EQ(rmdi_records_next(&r, &record), 1);
    CHECK_EQ(rmdi_records_next(&r, &record), RMD_EAGAIN);
    close(writer);
    CHECK_EQ(rmdi_records_next(&r, &record), 0);
    rmdi_records_free(&r);
}

TEST(standard_input_keeps_its_flags)
{
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    rmdi_records_format format = format_of("\n");
    rmdi_records r;
    rmd_bytes record;
    REQUIRE(rmdi_records_open_file(&r, &format, "-", ends[0]) == 0);
    CHECK_EQ(rmdi_records_next(&r, &record), RMD_EAGAIN);
    CHECK_EQ(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
    rmdi_records_free(&r);
    CHECK_EQ(fcntl(ends[0], F_GETFD), 0); /* still open */
}

TEST(what_cannot_be_read_is_named)
{
    rmdi_records_format format = format_of("\n");
    rmdi_records r;
    rmd_bytes record;
    CHECK_EQ(rmdi_records_open_file(&r, &format, "no/such", 0), RMD_ENOENT);
    CHECK_CONTAINS(rmd_error_detail(), "cannot open input file 'no/such': No such file");
    rmdi_records_free(&r);
    REQUIRE(rmdi_records_open_file(&r, &format, "/", 0) == 0);
    CHECK_INT(rmdi_records_next(&r, &record), <, 0);
    CHECK_CONTAINS(rmd_error_detail(), "cannot read /: Is a directory");
    rmdi_records_free(&r);
    REQUIRE(rmdi_records_open_file(&r, &format, "-", 999) == 0);
    CHECK_INT(rmdi_records_next(&r, &record), <, 0);
    CHECK_CONTAINS(rmd_error_detail(), "cannot read standard input");
    rmdi_records_free(&r);
}
