/* SPDX-License-Identifier: MIT */
#include "data/frame.h"

#include "kit.h"
#include "kit_alloc.h"

#include <remuda/error.h>

#include <stdlib.h>
#include <string.h>

/* The bytes of docs/protocol/frames.md. */
static const char stream[] = "\0\0\0\x05hello"
                             "\0\0\0\0"
                             "\0\0\0\x01!";
enum { STREAM = sizeof stream - 1 };

/* Feeds the stream in pieces of `size` bytes, each in a block of its own, and joins what comes. */
static const char *joined(size_t size)
{
    static char text[64];
    rmd_frames *frames;
    REQUIRE(rmd_frames_open(&frames, 0) == 0);
    text[0] = 0;
    for (size_t at = 0; at < STREAM; at += size) {
        size_t len = size < STREAM - at ? size : STREAM - at;
        char *piece = malloc(len), *p = piece;
        REQUIRE(piece != NULL);
        memcpy(piece, stream + at, len);
        while (len) {
            rmd_bytes frame;
            int64_t taken = rmd_frames_feed(frames, p, len, &frame);
            REQUIRE(taken > 0 && (size_t)taken <= len);
            if (frame.data)
                snprintf(text + strlen(text), 16, "[%.*s]", (int)frame.len,
                         (const char *)frame.data);
            p += taken;
            len -= (size_t)taken;
        }
        free(piece);
    }
    CHECK_EQ(rmd_frames_end(frames), 0);
    rmd_frames_free(frames);
    return text;
}

TEST(frames_come_whole_whatever_the_pieces)
{
    for (size_t size = 1; size <= STREAM; size++)
        CHECK_STR(joined(size), "[hello][][!]");
}

TEST(a_frame_that_lies_in_the_piece_is_not_copied)
{
    rmd_frames frames;
    rmd_bytes frame;
    rmdi_frames_init(&frames, 0);
    kit_alloc_fail(1);
    CHECK_EQ(rmd_frames_feed(&frames, stream, STREAM, &frame), 9);
    CHECK(frame.data == stream + 4 && frame.len == 5);
    CHECK_EQ(rmd_frames_feed(&frames, stream + 9, 4, &frame), 4);
    CHECK(frame.data != NULL && frame.len == 0);
    CHECK_EQ(rmd_frames_feed(&frames, NULL, 0, &frame), 0);
    CHECK(frame.data == NULL);
    kit_alloc_fail(0);
    rmdi_frames_release(&frames);
}

TEST(the_end_inside_a_frame_says_what_is_missing)
{
    rmd_frames frames;
    rmd_bytes frame;
    rmdi_frames_init(&frames, 0);
    CHECK_EQ(rmd_frames_end(&frames), 0);
    CHECK_EQ(rmd_frames_feed(&frames, "\0", 1, &frame), 1);
    CHECK_EQ(rmd_frames_end(&frames), RMD_EIO);
    CHECK_STR(rmd_error_detail(),
              "the stream ends in the head of a frame: 3 bytes of it are missing");
    CHECK_EQ(rmd_frames_feed(&frames, "\0\0\x05he", 5, &frame), 5);
    CHECK(!frame.data);
    CHECK_EQ(rmd_frames_end(&frames), RMD_EIO);
    CHECK_STR(rmd_error_detail(), "the stream ends in a frame of 5 bytes: 3 are missing");
    CHECK_EQ(rmd_frames_feed(&frames, "llo", 3, &frame), 3);
    CHECK_MEM(frame.data, "hello", 5);
    CHECK_EQ(rmd_frames_end(&frames), 0);
    rmdi_frames_release(&frames);
}

static void check_refused(const char *head, size_t bytes_max, int code, const char *cause)
{
    rmd_frames frames;
    rmd_bytes frame;
    rmdi_frames_init(&frames, bytes_max);
    kit_alloc_fail(1); /* none is taken */
    CHECK_EQ(rmd_frames_feed(&frames, head, 4, &frame), code);
    kit_alloc_fail(0);
    CHECK_STR(rmd_error_detail(), cause);
    CHECK_EQ(rmd_frames_feed(&frames, stream, STREAM, &frame), code); /* for good */
    CHECK(frame.data == NULL);
    CHECK_EQ(rmd_frames_end(&frames), code);
    rmdi_frames_release(&frames);
}

TEST(a_frame_beyond_the_limit_is_refused_by_its_head)
{
    check_refused("\x01\0\0\x01", 0, RMD_E2BIG, "a frame of 16777217 bytes; the limit is 16777216");
    check_refused("\0\0\0\x0b", 10, RMD_E2BIG, "a frame of 11 bytes; the limit is 10");
    check_refused("\x7f\xff\xff\xff", 0, RMD_E2BIG,
                  "a frame of 2147483647 bytes; the limit is 16777216");
    check_refused("\xff\xff\xff\xff", 0, RMD_E2BIG,
                  "a frame in the long form; the limit is 16777216 bytes");
    check_refused("\xff\xff\xff\xfb", 0, RMD_EINVAL, "a frame of length -5");
    check_refused("\x80\0\0\0", 0, RMD_EINVAL, "a frame of length -2147483648");
}

TEST(memory_is_taken_for_what_has_come)
{
    rmd_frames frames;
    rmd_bytes frame;
    rmdi_frames_init(&frames, 0);
    CHECK_EQ(rmd_frames_feed(&frames, "\x01\0\0\0abc", 7, &frame), 7); /* 16 MiB announced */
    CHECK_INT(frames.body.capacity, <=, 64);
    rmdi_frames_release(&frames);
}

TEST(heads_are_made_as_they_are_read)
{
    unsigned char head[RMD_FRAME_HEAD];
    CHECK_EQ(rmd_frame_head(head, 0x01020304), 0);
    CHECK_MEM(head, "\x01\x02\x03\x04", 4);
    CHECK_EQ(rmd_frame_head(head, INT32_MAX), 0);
    CHECK_EQ(rmd_frame_head(head, (size_t)INT32_MAX + 1), RMD_E2BIG);
}

TEST(wrong_use_is_refused)
{
    rmd_frames *frames;
    rmd_bytes frame;
    CHECK_EQ(rmd_frames_open(NULL, 0), RMD_EINVAL);
    CHECK_EQ(rmd_frames_open(&frames, (size_t)INT32_MAX + 1), RMD_EINVAL);
    CHECK_EQ(rmd_frames_feed(NULL, "", 0, &frame), RMD_EINVAL);
    CHECK_EQ(rmd_frames_end(NULL), RMD_EINVAL);
    rmd_frames_free(NULL);
}

static int feed_parts(void *arg)
{
    rmd_frames *frames;
    rmd_bytes frame;
    (void)arg;
    int err = rmd_frames_open(&frames, 0);
    if (err < 0)
        return err;
    int64_t taken = rmd_frames_feed(frames,
                                    "\0\0\0\x02"
                                    "a",
                                    5, &frame);
    if (taken >= 0)
        CHECK_EQ(rmd_frames_feed(frames, "b", 1, &frame), 1);
    rmd_frames_free(frames);
    return taken < 0 ? (int)taken : 0;
}

TEST(without_memory_it_fails_and_keeps_nothing)
{
    CHECK_EQ(kit_alloc(feed_parts, NULL, RMD_ENOMEM), 3);
}
