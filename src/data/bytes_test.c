/* SPDX-License-Identifier: MIT */
#include "data/bytes.h"

#include "kit.h"
#include "kit_alloc.h"

#include <remuda/error.h>

TEST(what_is_added_stands_in_order_and_ends_in_a_nul)
{
    rmdi_buffer buffer = { 0 };
    CHECK_EQ(rmdi_buffer_add(&buffer, "ab", 2), 0);
    CHECK_EQ(rmdi_buffer_add_text(&buffer, "cde"), 0);
    CHECK_EQ(rmdi_buffer_add_byte(&buffer, 'f'), 0);
    CHECK_EQ(rmdi_buffer_add_format(&buffer, "%d-%s", 7, "g"), 0);
    CHECK_EQ(rmdi_buffer_add(&buffer, NULL, 0), 0);
    CHECK_STR(buffer.data, "abcdef7-g");
    CHECK_EQ(buffer.len, 9);
    rmdi_buffer_consume(&buffer, 0);
    rmdi_buffer_consume(&buffer, 3);
    CHECK_STR(buffer.data, "def7-g");
    rmdi_buffer_consume(&buffer, 6);
    CHECK_STR(buffer.data, "");
    rmdi_buffer_free(&buffer);
    CHECK(buffer.data == NULL && buffer.len == 0 && buffer.capacity == 0);
}

TEST(an_empty_buffer_may_be_cleared_viewed_and_freed)
{
    rmdi_buffer buffer = { 0 };
    rmdi_buffer_clear(&buffer);
    rmdi_buffer_consume(&buffer, 0);
    CHECK_EQ(rmdi_buffer_view(&buffer).len, 0);
    rmdi_buffer_free(&buffer);
    rmdi_buffer_free(&buffer);
}

TEST(bytes_that_are_read_into_reserved_room_count_when_they_are_there)
{
    rmdi_buffer buffer = { 0 };
    for (int i = 0; i < 1000; i++) {
        REQUIRE(rmdi_buffer_reserve(&buffer, 100) == 0);
        CHECK_INT(buffer.capacity - buffer.len, >, 100); /* room for the NUL, too */
        memset(buffer.data + buffer.len, 'a' + i % 26, 100);
        rmdi_buffer_filled(&buffer, 100);
    }
    CHECK_EQ(buffer.len, 100000);
    CHECK_EQ(strlen(buffer.data), 100000);
    char *data = buffer.data;
    rmdi_buffer_clear(&buffer);
    CHECK(buffer.data == data);
    CHECK_STR(buffer.data, "");
    rmdi_buffer_free(&buffer);
}

TEST(a_trimmed_buffer_keeps_its_bytes_and_no_room)
{
    rmdi_buffer buffer = { 0 };
    for (int i = 0; i < 1000; i++)
        REQUIRE(rmdi_buffer_add_text(&buffer, "x") == 0);
    for (int i = 0; i < 2; i++) {
        rmdi_buffer_trim(&buffer);
        CHECK_EQ(buffer.capacity, 1001);
        CHECK_EQ(strlen(buffer.data), 1000);
    }
    CHECK_EQ(rmdi_buffer_add_text(&buffer, "y"), 0);
    CHECK_EQ(strlen(buffer.data), 1001);
    rmdi_buffer_clear(&buffer);
    rmdi_buffer_trim(&buffer);
    CHECK(buffer.data == NULL && buffer.capacity == 0);
}

TEST(sizes_that_overflow_are_refused)
{
    rmdi_buffer buffer = { 0 };
    REQUIRE(rmdi_buffer_add_text(&buffer, "abc") == 0);
    CHECK_EQ(rmdi_buffer_reserve(&buffer, SIZE_MAX), RMD_ENOMEM);
    CHECK_EQ(rmdi_buffer_reserve(&buffer, SIZE_MAX - 3), RMD_ENOMEM);
    CHECK_STR(buffer.data, "abc");
    rmdi_buffer_free(&buffer);
}

TEST(views_are_equal_by_their_bytes)
{
    rmd_bytes empty = { 0 };
    CHECK(rmdi_bytes_equal(rmdi_bytes_of("ab"), (rmd_bytes){ "abc", 2 }));
    CHECK(!rmdi_bytes_equal(rmdi_bytes_of("ab"), rmdi_bytes_of("abc")));
    CHECK(!rmdi_bytes_equal(rmdi_bytes_of("ab"), rmdi_bytes_of("ac")));
    CHECK(rmdi_bytes_equal(empty, rmdi_bytes_of("")));
}

static int fill(void *arg)
{
    rmdi_buffer buffer = { 0 };
    int err = 0;
    (void)arg;
    for (int i = 0; i < 200 && err == 0; i++) {
        rmdi_buffer before = buffer;
        err = i % 2 ? rmdi_buffer_add_text(&buffer, "some text ")
                    : rmdi_buffer_add_format(&buffer, "number %d ", i);
        if (err < 0)
            CHECK(buffer.len == before.len && buffer.capacity == before.capacity &&
                  buffer.data == before.data);
    }
    rmdi_buffer_free(&buffer);
    return err;
}

TEST(a_buffer_stays_as_it_was_when_there_is_no_memory)
{
    CHECK_INT(kit_alloc(fill, NULL, RMD_ENOMEM), >, 3);
}
