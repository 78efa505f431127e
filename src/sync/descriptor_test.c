/* SPDX-License-Identifier: MIT */
#include "sync/descriptor.h"

#include "kit.h"
#include "kit_resources.h"
#include "sync/thread.h"

#include <fcntl.h>
#include <remuda/error.h>
#include <remuda/event.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int ends[2];

static rmd_deadline patience(void)
{
    return rmd_after_ms(15000 * kit_patience());
}

TEST(what_is_ready_is_told_at_once)
{
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK_EQ(rmd_fd_wait(ends[0], RMD_READABLE, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_fd_wait(ends[0], RMD_WRITABLE, RMD_NOW), RMD_WRITABLE);
    REQUIRE(write(ends[1], "x", 1) == 1);
    CHECK_EQ(rmd_fd_wait(ends[0], RMD_READABLE, RMD_FOREVER), RMD_READABLE);
    CHECK_EQ(rmd_fd_wait(ends[0], RMD_READABLE | RMD_WRITABLE, RMD_NOW),
             RMD_READABLE | RMD_WRITABLE);
    close(ends[1]);
    CHECK(rmd_fd_wait(ends[0], RMD_READABLE, RMD_NOW) & RMD_HANGUP);
}

TEST(misuse_of_descriptors_is_refused)
{
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK_EQ(rmd_fd_wait(-1, RMD_READABLE, RMD_FOREVER), RMD_EINVAL);
    CHECK_EQ(rmd_fd_wait(file, 0, RMD_FOREVER), RMD_EINVAL);
    CHECK_EQ(rmd_fd_wait(file, RMD_HANGUP, RMD_FOREVER), RMD_EINVAL);
    CHECK_EQ(rmd_fd_wait(file, RMD_READABLE, RMD_FOREVER), RMD_READABLE);
    close(file);
    CHECK_EQ(rmd_fd_wait(file, RMD_READABLE, RMD_FOREVER), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "not open");
}

TEST(a_silent_descriptor_times_out)
{
    REQUIRE(pipe(ends) == 0);
    rmd_deadline soon = rmd_after_ms(20);
    CHECK_EQ(rmd_fd_wait(ends[0], RMD_READABLE, soon), RMD_ETIMEDOUT);
    CHECK(rmd_deadline_passed(soon));
}

static void write_byte(void *arg)
{
    (void)arg;
    CHECK_EQ(write(ends[1], "x", 1), 1);
}

TEST(a_byte_wakes_who_waits_for_it)
{
    rmdi_thread thread;
    char byte;
    REQUIRE(pipe(ends) == 0);
    for (int i = 0; i < 500; i++) {
        REQUIRE(rmdi_thread_start(&thread, write_byte, NULL, "writer") == 0);
        CHECK_EQ(rmd_fd_wait(ends[0], RMD_READABLE, patience()), RMD_READABLE);
        CHECK_EQ(read(ends[0], &byte, 1), 1);
        CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
    }
}

static void wait_until_stopped(void *arg)
{
    (void)arg;
    CHECK_EQ(rmd_fd_wait(ends[0], RMD_READABLE, patience()), RMD_ECANCELED);
    CHECK_EQ(rmd_fd_wait(ends[0], RMD_READABLE, patience()), RMD_ECANCELED);
}

TEST_LIMIT(a_thread_on_a_silent_descriptor_can_be_ended, 60)
{
    kit_resources before;
    REQUIRE(pipe(ends) == 0);
    kit_resources_take(&before);
    for (int i = 0; i < 500; i++) {
        rmd_thread *threads[3];
        for (int k = 0; k < 3; k++)
            REQUIRE(rmd_thread_start(&threads[k], wait_until_stopped, NULL, NULL) == 0);
        for (int k = 0; k < 3; k++)
            CHECK_EQ(rmd_thread_stop(threads[k]), 0);
        for (int k = 0; k < 3; k++) {
            CHECK_EQ(rmd_thread_join(threads[k], patience()), 0);
            CHECK_EQ(rmd_thread_free(threads[k]), 0);
        }
    }
    CHECK_RESOURCES(&before);
}

/* The descriptor that the sleeper opens has the lowest free number, which a moment later is that of
 * a file. A late wake-up would write eight bytes into it. */
static void wait_and_open(void *arg)
{
    (void)arg;
    while (rmd_fd_wait(ends[0], RMD_READABLE, rmd_after_ns(40000)) == RMD_ETIMEDOUT)
        ;
    int file = memfd_create("later", MFD_CLOEXEC);
    CHECK(file >= 0);
    (void)rmd_stop_set(NULL);
    CHECK_EQ(rmd_fd_wait(ends[0], RMD_READABLE, rmd_after_ns(100000)), RMD_ETIMEDOUT);
    CHECK_EQ(lseek(file, 0, SEEK_END), 0);
    close(file);
}

TEST_LIMIT(no_wake_up_is_written_into_a_file_that_came_later, 60)
{
    REQUIRE(pipe(ends) == 0);
    for (int i = 0; i < 500; i++) {
        rmd_thread *thread;
        REQUIRE(rmd_thread_start(&thread, wait_and_open, NULL, NULL) == 0);
        CHECK_EQ(rmd_select(NULL, 0, rmd_after_ns(i * 400)), RMD_ETIMEDOUT);
        CHECK_EQ(rmd_thread_stop(thread), 0);
        CHECK_EQ(rmd_thread_join(thread, patience()), 0);
        CHECK_EQ(rmd_thread_free(thread), 0);
    }
}

static void wait_without_descriptors(void *arg)
{
    (void)arg;
    CHECK_EQ(rmd_fd_wait(ends[0], RMD_READABLE, patience()), RMD_EMFILE);
    CHECK_CONTAINS(rmd_error_detail(), "descriptor");
}

TEST(a_sleep_that_cannot_be_woken_is_refused)
{
    rmd_thread *thread;
    REQUIRE(pipe(ends) == 0);
    struct rlimit before, few;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    few = (struct rlimit){ (rlim_t)ends[1] + 1, before.rlim_max };
    REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
    REQUIRE(rmd_thread_start(&thread, wait_without_descriptors, NULL, NULL) == 0);
    CHECK_EQ(rmd_thread_join(thread, patience()), 0);
    CHECK_EQ(rmd_thread_free(thread), 0);
    /* With no token nobody can wake it, and it needs none. */
    CHECK_EQ(rmd_fd_wait(ends[0], RMD_READABLE, rmd_after_ms(5)), RMD_ETIMEDOUT);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST(a_descriptor_that_is_closed_before_the_sleep_is_refused)
{
    rmdi_waiter waiter;
    rmdi_fd_sleeper sleeper;
    REQUIRE(pipe(ends) == 0);
    rmdi_fd_sleeper_init(&sleeper);
    REQUIRE(rmdi_fd_sleeper_add(&sleeper, ends[0], RMD_READABLE, 5) == 0);
    REQUIRE(rmdi_fd_sleeper_look(&sleeper) == 0);
    close(ends[0]);
    rmdi_waiter_init(&waiter, true);
    REQUIRE(rmdi_fd_sleeper_open(&sleeper, &waiter, true) == 0);
    CHECK_EQ(rmdi_waiter_sleep(&waiter, patience()), 5);
    CHECK_EQ(sleeper.err, RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "not open");
    rmdi_fd_sleeper_close(&sleeper);
}
