/* SPDX-License-Identifier: MIT */
#include "job/writer.h"

#include "kit.h"
#include "kit_resources.h"

#include <fcntl.h>
#include <remuda/error.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { MUCH = 1024 * 1024 };

typedef struct scene {
    int ends[2];
    rmd_loop *loop;
    rmdi_writer writer;
    int ready; /* how often it was called */
    char *much;
} scene;

static void on_ready(void *ctx)
{
    ((scene *)ctx)->ready++;
}

static void set_up(scene *s)
{
    *s = (scene){ .much = malloc(MUCH) };
    REQUIRE(s->much);
    for (int i = 0; i < MUCH; i++)
        s->much[i] = (char)(i % 251);
    REQUIRE(pipe(s->ends) == 0);
    REQUIRE(rmd_loop_open(&s->loop) == 0);
    REQUIRE(rmdi_writer_open(&s->writer, s->loop, s->ends[1], on_ready, s) == 0);
}

static void tear_down(scene *s)
{
    rmdi_writer_close(&s->writer, RMD_NOW);
    CHECK_EQ(rmd_loop_free(s->loop), 0);
    close(s->ends[0]);
    close(s->ends[1]);
    free(s->much);
}

static void turn(scene *s)
{
    REQUIRE(rmd_loop_turn(s->loop, rmd_after_ms(5000)) >= 0);
}

TEST(what_fits_is_written_at_once)
{
    scene s;
    char text[8];
    set_up(&s);
    CHECK_EQ(rmdi_writer_add(&s.writer, "abc", 3), 0);
    CHECK(rmdi_writer_idle(&s.writer));
    CHECK_EQ(read(s.ends[0], text, sizeof text), 3);
    CHECK_MEM(text, "abc", 3);
    CHECK_EQ(rmd_loop_run(s.loop, rmd_after_ms(5000)), 0); /* it keeps no loop going */
    tear_down(&s);
}

TEST(the_rest_waits_for_a_slow_reader)
{
    scene s;
    set_up(&s);
    char *got = malloc(MUCH);
    REQUIRE(got);
    CHECK_EQ(rmdi_writer_add(&s.writer, s.much, MUCH), RMD_EAGAIN);
    CHECK(!rmdi_writer_idle(&s.writer));
    size_t len = 0;
    while (len < MUCH) {
        ssize_t n = read(s.ends[0], got + len, MUCH - len);
        REQUIRE(n > 0);
        len += (size_t)n;
        if (len < MUCH)
            turn(&s);
    }
    CHECK_MEM(got, s.much, MUCH);
    while (!s.ready)
        turn(&s);
    CHECK_EQ(s.ready, 1);
    CHECK(rmdi_writer_idle(&s.writer));
    free(got);
    tear_down(&s);
}

TEST(the_descriptor_of_others_still_blocks)
{
    scene s;
    set_up(&s);
    CHECK_EQ(rmdi_writer_add(&s.writer, s.much, MUCH), RMD_EAGAIN);
    CHECK_EQ(fcntl(s.ends[1], F_GETFL) & O_NONBLOCK, 0);
    tear_down(&s);
}

TEST(a_reader_that_goes_is_told_once_without_a_signal)
{
    scene s;
    set_up(&s);
    signal(SIGPIPE, SIG_DFL); /* it would end this process */
    CHECK_EQ(rmdi_writer_add(&s.writer, s.much, MUCH), RMD_EAGAIN);
    close(s.ends[0]);
    while (!s.ready)
        turn(&s);
    CHECK_EQ(s.writer.error, RMD_ECLOSED);
    CHECK_EQ(rmdi_writer_add(&s.writer, "abc", 3), RMD_ECLOSED);
    for (int i = 0; i < 5; i++)
        CHECK_INT(rmd_loop_turn(s.loop, RMD_NOW), >=, 0);
    CHECK_EQ(s.ready, 1);
    s.ends[0] = open("/dev/null", O_RDONLY);
    tear_down(&s);
}

TEST(a_reader_that_goes_while_nothing_waits_is_found_at_the_next_write)
{
    scene s;
    set_up(&s);
    close(s.ends[0]);
    for (int i = 0; i < 5; i++) /* nothing is told, and nothing spins */
        CHECK_EQ(rmd_loop_turn(s.loop, RMD_NOW), 0);
    CHECK_EQ(s.ready, 0);
    CHECK_EQ(rmdi_writer_add(&s.writer, "abc", 3), RMD_ECLOSED);
    CHECK_EQ(s.writer.error, RMD_ECLOSED);
    s.ends[0] = open("/dev/null", O_RDONLY);
    tear_down(&s);
}

TEST(a_full_disk_is_an_error_that_stays)
{
    scene s;
    rmdi_writer full;
    set_up(&s);
    int fd = open("/dev/full", O_WRONLY);
    REQUIRE(rmdi_writer_open(&full, s.loop, fd, on_ready, &s) == 0);
    CHECK_EQ(rmdi_writer_add(&full, "abc", 3), RMD_ENOSPC);
    CHECK_EQ(rmdi_writer_add(&full, "abc", 3), RMD_ENOSPC);
    rmdi_writer_close(&full, RMD_FOREVER);
    close(fd);
    tear_down(&s);
}

TEST(closing_waits_until_the_deadline_and_leaves_nothing)
{
    kit_resources before;
    kit_resources_take(&before);
    scene s;
    set_up(&s);
    CHECK_EQ(rmdi_writer_add(&s.writer, s.much, MUCH), RMD_EAGAIN);
    rmdi_writer_close(&s.writer, rmd_after_ms(20));
    REQUIRE(rmdi_writer_open(&s.writer, s.loop, s.ends[1], on_ready, &s) == 0);
    tear_down(&s);
    CHECK_RESOURCES(&before);
}
