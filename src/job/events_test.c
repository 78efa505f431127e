/* SPDX-License-Identifier: MIT */
#include "job/events.h"

#include "kit.h"

#include <fcntl.h>
#include <remuda/error.h>
#include <stdlib.h>
#include <unistd.h>

static void on_ready(void *ctx)
{
    ++*(int *)ctx;
}

static void path_of(char *path, size_t size, const char *name)
{
    snprintf(path, size, "%s/%s", getenv("TMPDIR"), name);
}

/* One event to the file, as a run writes it. */
static void write_one(const char *target, bool append, int number)
{
    rmd_loop *loop;
    rmdi_events events;
    int ready = 0;
    REQUIRE(rmd_loop_open(&loop) == 0);
    REQUIRE(rmdi_events_open(&events, loop, target, append, on_ready, &ready) == 0);
    CHECK_EQ(rmdi_events_add(&events, "test", json_pack("{s:i}", "number", number)), 0);
    CHECK(rmdi_events_idle(&events));
    rmdi_events_close(&events, RMD_FOREVER);
    CHECK_EQ(rmd_loop_free(loop), 0);
}

static int numbers_in(const char *path, int *last)
{
    char line[400];
    int lines = 0;
    FILE *file = fopen(path, "r");
    REQUIRE(file != NULL);
    while (fgets(line, sizeof line, file)) {
        json_t *event = json_loads(line, 0, NULL);
        CHECK_EQ(json_integer_value(json_object_get(event, "id")), 1);
        CHECK_STR(json_string_value(json_object_get(event, "type")), "test");
        CHECK_EQ(strlen(json_string_value(json_object_get(event, "time"))), 27);
        *last = (int)json_integer_value(json_object_get(event, "number"));
        json_decref(event);
        lines++;
    }
    fclose(file);
    return lines;
}

TEST(a_file_is_emptied_or_added_to)
{
    char path[200], plus[201];
    int last = 0;
    path_of(path, sizeof path, "events");
    snprintf(plus, sizeof plus, "+%s", path);
    write_one(path, false, 1);
    write_one(path, false, 2);
    CHECK_EQ(numbers_in(path, &last), 1);
    CHECK_EQ(last, 2);
    write_one(path, true, 3);
    write_one(plus, false, 4);
    CHECK_EQ(numbers_in(path, &last), 3);
    CHECK_EQ(last, 4);
}

TEST(a_descriptor_must_be_one_that_can_be_written)
{
    rmd_loop *loop;
    rmdi_events events;
    char text[16];
    int closed = fcntl(0, F_DUPFD, 20);
    REQUIRE(rmd_loop_open(&loop) == 0);
    close(closed);
    snprintf(text, sizeof text, "%d", closed);
    CHECK_INT(rmdi_events_open(&events, loop, text, false, on_ready, NULL), ==, RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "not open for writing");
    CHECK_INT(rmdi_events_open(&events, loop, "1", false, on_ready, NULL), ==, RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "3>FILE");
    CHECK_INT(rmdi_events_open(&events, loop, "99999999999999999999", false, on_ready, NULL), ==,
              RMD_EINVAL);
    int reading = open("/dev/null", O_RDONLY);
    snprintf(text, sizeof text, "%d", reading);
    CHECK_INT(rmdi_events_open(&events, loop, text, false, on_ready, NULL), ==, RMD_EINVAL);
    CHECK_INT(rmdi_events_open(&events, loop, "/nowhere/events", false, on_ready, NULL), ==,
              RMD_ENOENT);
    CHECK_CONTAINS(rmd_error_detail(), "/nowhere/events");
    CHECK_EQ(rmd_loop_free(loop), 0);
}

TEST(a_slow_reader_is_waited_for_and_one_that_left_is_told_once)
{
    int ends[2], ready = 0, err;
    char text[16], drained[65536];
    rmd_loop *loop;
    rmdi_events events;
    REQUIRE(rmd_loop_open(&loop) == 0 && pipe(ends) == 0);
    snprintf(text, sizeof text, "%d", ends[1]);
    REQUIRE(rmdi_events_open(&events, loop, text, false, on_ready, &ready) == 0);
    while ((err = rmdi_events_add(&events, "test", json_object())) == 0)
        ;
    CHECK_INT(err, ==, RMD_EAGAIN);
    CHECK(!rmdi_events_idle(&events));
    while (!ready) {
        REQUIRE(read(ends[0], drained, sizeof drained) > 0);
        REQUIRE(rmd_loop_turn(loop, rmd_after_ms(10)) >= 0 || !ready);
    }
    CHECK(rmdi_events_idle(&events));
    close(ends[0]);
    CHECK_INT(rmdi_events_add(&events, "test", json_object()), ==, RMD_ECLOSED);
    CHECK_EQ(rmdi_events_add(&events, "test", json_object()), 0);
    CHECK(rmdi_events_idle(&events));
    rmdi_events_close(&events, RMD_FOREVER);
    CHECK_EQ(rmd_loop_free(loop), 0);
}
