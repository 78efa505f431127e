/* SPDX-License-Identifier: MIT */
#include "job/estimate.h"

#include "kit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int file_of(const char *text, size_t len)
{
    FILE *file = tmpfile();
    REQUIRE(file && fwrite(text, 1, len, file) == len && fflush(file) == 0);
    int fd = dup(fileno(file));
    fclose(file);
    REQUIRE(fd >= 0 && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static uint64_t total(const char *text, rmdi_inputs_options options)
{
    options.stdin_fd = file_of(text, strlen(text));
    uint64_t n = rmdi_estimate_total(&options);
    CHECK_EQ(lseek(options.stdin_fd, 0, SEEK_CUR), 0);
    close(options.stdin_fd);
    return n;
}

TEST(the_records_of_a_file_are_counted)
{
    CHECK_EQ(total("", (rmdi_inputs_options){ 0 }), 0);
    CHECK_EQ(total("a\nb\n", (rmdi_inputs_options){ 0 }), 2);
    CHECK_EQ(total("a\nb", (rmdi_inputs_options){ 0 }), 2);
    CHECK_EQ(total("a,b,c", (rmdi_inputs_options){ .delimiter = "," }), 3);
    CHECK_EQ(total("a\nb\nc\n", (rmdi_inputs_options){ .group = 2 }), 2);
}

TEST(what_cannot_be_counted_is_unknown)
{
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    CHECK_EQ(rmdi_estimate_total(&(rmdi_inputs_options){ .stdin_fd = ends[0] }), UINT64_MAX);
    CHECK_EQ(total("axyb", (rmdi_inputs_options){ .delimiter = "xy" }), UINT64_MAX);
    CHECK_EQ(total("a\n\n", (rmdi_inputs_options){ .skip_empty = true }), UINT64_MAX);
    close(ends[0]);
    close(ends[1]);
}
