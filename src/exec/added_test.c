/* SPDX-License-Identifier: MIT */
/* What tasks add, as bytes: it comes back as it was put in; and of bytes that somebody else has
 * written nothing is believed. */
#include "exec/added.h"

#include "data/cbor.h"
#include "kit.h"

#include <remuda/error.h>
#include <stdlib.h>

static int never(void *arg)
{
    (void)arg;
    return 0;
}

static int add(rmdi_buffer *added, const char *function, rmd_args args)
{
    return rmdi_added_call(added, function, &args);
}

static void check_next(rmd_bytes *rest, const char *function, const char *shown)
{
    rmdi_addition addition;
    const rmd_value *value;
    rmd_args args;
    char text[64];
    REQUIRE(rmdi_added_take(rest, &addition) == 1);
    CHECK_STR(addition.function, function);
    REQUIRE(rmdi_added_arguments(&addition, &value, &args) == 0);
    rmd_value_format(value, text, sizeof text);
    CHECK_STR(text, shown);
    rmd_value_free(value);
}

static void add_three(rmdi_buffer *added)
{
    CHECK_EQ(add(added, "visit", RMD_ARGS("a", 1)), 0);
    CHECK_EQ(rmdi_added_submit(added, never, added), 0);
    CHECK_EQ(add(added, "f", RMD_ARGS(RMD_NAMED("x", 2.5))), 0);
}

TEST(what_was_added_comes_back_in_order)
{
    rmdi_buffer added = { 0 };
    rmdi_addition addition;
    add_three(&added);
    rmd_bytes rest = rmdi_buffer_view(&added);
    check_next(&rest, "visit", "[[\"a\", 1]]");
    REQUIRE(rmdi_added_take(&rest, &addition) == 1);
    CHECK(!addition.function && addition.task.fn == never && addition.task.arg == &added);
    check_next(&rest, "f", "[[], {\"x\": 2.5}]");
    CHECK_EQ(rmdi_added_take(&rest, &addition), 0);
    rmdi_buffer_free(&added);
}

TEST(what_cannot_be_encoded_leaves_what_is_there)
{
    rmdi_buffer added = { 0 };
    add_three(&added);
    size_t before = added.len;
    rmd_value broken = rmd_text_of("\xff", 1);
    CHECK_EQ(add(&added, "visit", RMD_ARGS(broken)), RMD_EINVAL);
    CHECK_EQ(added.len, before);
    rmdi_buffer_free(&added);
}

TEST(all_that_is_added_has_a_limit)
{
    static char text[RMDI_CBOR_BYTES_MAX / 4];
    rmdi_buffer added = { 0 };
    memset(text, 'x', sizeof text);
    rmd_value large = rmd_text_of(text, sizeof text);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(add(&added, "visit", RMD_ARGS(large)), 0);
    size_t before = added.len;
    CHECK_EQ(add(&added, "visit", RMD_ARGS(large)), RMD_E2BIG);
    CHECK_CONTAINS(rmd_error_detail(), "what a task adds has more than 16777216 bytes in all");
    CHECK_EQ(added.len, before);
    rmdi_buffer_free(&added);
}

TEST(of_a_worker_process_only_calls_are_taken)
{
    rmdi_buffer added = { 0 };
    CHECK_EQ(rmdi_added_check(rmdi_buffer_view(&added)), 0);
    CHECK_EQ(add(&added, "visit", RMD_ARGS("a", 1)), 0);
    CHECK_EQ(rmdi_added_check(rmdi_buffer_view(&added)), 0);
    rmd_bytes cut = { added.data, added.len - 1 };
    CHECK_EQ(rmdi_added_check(cut), RMD_EIO);
    added.data[added.len - 1] = (char)0xff; /* no value */
    CHECK_EQ(rmdi_added_check(rmdi_buffer_view(&added)), RMD_EIO);
    rmdi_buffer_clear(&added);
    CHECK_EQ(rmdi_added_submit(&added, never, NULL), 0);
    CHECK_EQ(rmdi_added_check(rmdi_buffer_view(&added)), RMD_EIO);
    rmdi_buffer_free(&added);
}

/* Reads all; what it says is of no interest, but it reads nothing else, and ends. */
static bool read_all(rmd_bytes bytes)
{
    rmdi_addition addition;
    const rmd_value *value;
    rmd_args args;
    int got;
    while ((got = rmdi_added_take(&bytes, &addition)) == 1) {
        if (!addition.function)
            continue;
        if (rmdi_added_arguments(&addition, &value, &args) < 0)
            return false;
        rmd_value_free(value);
    }
    return got == 0;
}

/* In memory of its own, so that a sanitizer sees who reads behind it. */
static bool read_copy(const void *bytes, size_t len)
{
    void *copy = malloc(len ? len : 1);
    REQUIRE(copy != NULL);
    memcpy(copy, bytes, len);
    bool good = read_all((rmd_bytes){ copy, len });
    free(copy);
    return good;
}

TEST(bytes_that_are_cut_or_changed_are_refused_or_read_as_others)
{
    rmdi_buffer added = { 0 };
    unsigned refused = 0;
    add_three(&added);
    CHECK(read_copy(added.data, added.len));
    for (size_t len = 1; len < added.len; len++)
        refused += !read_copy(added.data, len);
    CHECK_INT(refused, >=, added.len - 4); /* a cut between two leaves what came before */
    for (size_t at = 0; at < added.len; at++)
        for (unsigned byte = 0; byte < 256; byte++) {
            char before = added.data[at];
            added.data[at] = (char)byte;
            (void)read_copy(added.data, added.len);
            added.data[at] = before;
        }
    rmdi_buffer_free(&added);
}
