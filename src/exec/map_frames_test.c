/* SPDX-License-Identifier: MIT */
/* Tasks that come from another process, as frames: they are called as they were written, and a
 * stream that is none ends the map with the reason. */
#include "kit.h"
#include "kit_soon.h"

#include <fcntl.h>
#include <remuda/call.h>
#include <remuda/error.h>
#include <remuda/frame.h>
#include <remuda/function.h>
#include <remuda/map.h>
#include <unistd.h>

static int join(rmd_call *call)
{
    char text[128];
    const rmd_args *args = rmd_call_args(call);
    rmd_value values = rmd_list(args->values, args->count);
    int len = rmd_value_format(&values, text, sizeof text);
    for (size_t i = 0; i < args->named_count && len < 100; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, " %s",
                        (const char *)args->named[i].key.as.bytes.data);
    return rmd_call_return(call, text);
}

static const rmd_function functions[] = { { .name = "f", .fn = join },
                                          { .name = "add", .fn = join },
                                          { 0 } };

static int next(void *ctx, rmd_map_task *task)
{
    return rmd_map_read(task, ctx);
}

static int map(rmd_framed *framed, char *text, size_t size)
{
    static bool known;
    rmd_pool *pool;
    const rmd_value *results = NULL;
    rmd_map_options options = {
        .size = sizeof options, .next = next, .ctx = framed, .collected = &results
    };
    if (!known)
        REQUIRE(rmd_functions_add(functions) == 0);
    known = true;
    REQUIRE(rmd_pool_open(&pool, "threads:2", NULL, soon()) == 0);
    int err = rmd_map(pool, &options, soon());
    text[0] = 0;
    if (results)
        rmd_value_format(results, text, size);
    rmd_value_free(results);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
    return err;
}

static rmd_framed *open_pipe_of(int *end)
{
    int ends[2];
    rmd_framed *framed;
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    REQUIRE(rmd_framed_open(
                &framed, ends[0], -1,
                &(rmd_framed_options){ .size = sizeof(rmd_framed_options), .takes = true }) == 0);
    *end = ends[1];
    return framed;
}

static void put(int end, const void *bytes, size_t len)
{
    unsigned char head[RMD_FRAME_HEAD];
    REQUIRE(rmd_frame_head(head, len) == 0);
    REQUIRE(write(end, head, sizeof head) == (ssize_t)sizeof head);
    REQUIRE(write(end, bytes, len) == (ssize_t)len);
}

static int map_bytes(const void *bytes, size_t len, char *text, size_t size)
{
    int end;
    rmd_framed *framed = open_pipe_of(&end);
    put(end, bytes, len);
    close(end);
    int err = map(framed, text, size);
    rmd_framed_free(framed);
    return err;
}

/* The bytes of docs/protocol/values.md, section Calls. */
TEST(the_documented_bytes_are_calls)
{
    char text[256];
    static const struct {
        const char *bytes;
        size_t len;
        const char *result;
    } calls[] = {
        { "\x82\x61\x66\x80", 4, "[\"[]\"]" },
        { "\x82\x63\x61\x64\x64\x82\x01\x02", 8, "[\"[1, 2]\"]" },
        { "\x83\x61\x66\x81\x18\xff\xa1\x61\x78\xf6", 10, "[\"[255] x\"]" },
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        CHECK_EQ(map_bytes(calls[i].bytes, calls[i].len, text, sizeof text), 0);
        CHECK_STR(text, calls[i].result);
    }
}

TEST(what_is_written_is_what_is_read)
{
    int end;
    char text[256];
    rmd_framed *framed = open_pipe_of(&end), *writer;
    REQUIRE(rmd_framed_open(&writer, -1, end, NULL) == 0);
    CHECK_EQ(rmd_map_write(writer, "f", RMD_ARGS(), soon()), 0);
    CHECK_EQ(rmd_map_write(writer, "add", RMD_ARGS(1, "x", RMD_NAMED("to", 2)), soon()), 0);
    CHECK_EQ(rmd_map_write(writer, NULL, RMD_ARGS(1), soon()), RMD_ENOENT);
    CHECK_EQ(rmd_map_write(writer, "f", RMD_ARGS(rmd_text_of("\xff", 1)), soon()), RMD_EINVAL);
    rmd_framed_free(writer);
    close(end);
    CHECK_EQ(map(framed, text, sizeof text), 0);
    CHECK_STR(text, "[\"[]\", \"[1, \\\"x\\\"] to\"]");
    rmd_framed_free(framed);
}

TEST(a_frame_that_is_no_call_ends_the_map)
{
    char text[256];
    static const struct {
        const char *bytes;
        size_t len;
        int err;
        const char *says;
    } others[] = {
        { "\x01", 1, RMD_EINVAL, "map: a frame is no call: [function, [arguments], {name:" },
        { "\x80", 1, RMD_EINVAL, "map: a frame is no call" },
        { "\x81\x61\x66", 3, RMD_EINVAL, "map: a frame is no call" },
        { "\x82\x01\x80", 3, RMD_EINVAL, "map: a frame is no call" },
        { "\x84\x61\x66\x80\xa0\x01", 6, RMD_EINVAL, "map: a frame is no call" },
        { "\x83\x61\x66\x80\xa1\x01\x02", 7, RMD_EINVAL, "map: a frame is no call" },
        { "\x82\x63\x61\x00\x62\x80", 6, RMD_EINVAL, "map: a frame is no call" },
        { "\xff", 1, RMD_EINVAL, "map: a frame: byte 0" },
        { "\x82\x61\x67\x80", 4, RMD_ENOENT, "no function \"g\" was added" },
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        CHECK_EQ(map_bytes(others[i].bytes, others[i].len, text, sizeof text), others[i].err);
        CHECK_CONTAINS(rmd_error_detail(), others[i].says);
    }
}

TEST(a_stream_that_ends_inside_a_frame_ends_the_map)
{
    int end;
    char text[256];
    rmd_framed *framed = open_pipe_of(&end);
    REQUIRE(write(end,
                  "\0\0\0\x09"
                  "abc",
                  7) == 7);
    close(end);
    CHECK_EQ(map(framed, text, sizeof text), RMD_EIO);
    rmd_framed_free(framed);
    CHECK_EQ(rmd_map_read(NULL, NULL), RMD_EINVAL);
}
