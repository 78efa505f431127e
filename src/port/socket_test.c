/* SPDX-License-Identifier: MIT */
#include "port/socket.h"

#include "kit.h"
#include "kit_resources.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int ends[2];

static void open_pair(void)
{
    REQUIRE(rmdi_socket_pair(ends) == 0);
}

static ssize_t receive(int fd, char *text, size_t size)
{
    unsigned n;
    return rmdi_socket_receive(fd, text, size, NULL, 0, &n);
}

TEST(messages_keep_their_bounds_and_their_order)
{
    char text[16];
    open_pair();
    CHECK_EQ(rmdi_socket_send(ends[0], "ab", 2, NULL, 0), 0);
    CHECK_EQ(rmdi_socket_send(ends[0], "cde", 3, NULL, 0), 0);
    CHECK_EQ(rmdi_socket_send(ends[1], "f", 1, NULL, 0), 0);
    CHECK_EQ(receive(ends[1], text, sizeof text), 2);
    CHECK_MEM(text, "ab", 2);
    CHECK_EQ(receive(ends[1], text, sizeof text), 3);
    CHECK_MEM(text, "cde", 3);
    CHECK_EQ(receive(ends[0], text, sizeof text), 1);
    CHECK_MEM(text, "f", 1);
}

TEST(the_first_end_never_blocks_and_both_are_closed_by_exec)
{
    char text[16], full[4096] = "";
    open_pair();
    CHECK(fcntl(ends[0], F_GETFD) & FD_CLOEXEC);
    CHECK(fcntl(ends[1], F_GETFD) & FD_CLOEXEC);
    CHECK(!(fcntl(ends[1], F_GETFL) & O_NONBLOCK));
    CHECK_EQ(receive(ends[0], text, sizeof text), -EAGAIN);
    int err = 0;
    for (int i = 0; i < 100000 && err == 0; i++)
        err = rmdi_socket_send(ends[0], full, sizeof full, NULL, 0);
    CHECK_EQ(err, EAGAIN);
}

TEST(the_end_of_the_other_side_is_the_end_of_messages)
{
    char text[16];
    open_pair();
    CHECK_EQ(rmdi_socket_send(ends[1], "last", 4, NULL, 0), 0);
    close(ends[1]);
    CHECK_EQ(receive(ends[0], text, sizeof text), 4);
    CHECK_EQ(receive(ends[0], text, sizeof text), 0);
    CHECK_EQ(receive(ends[0], text, sizeof text), 0);
}

TEST(to_send_to_nobody_is_an_error_and_no_signal)
{
    open_pair();
    signal(SIGPIPE, SIG_DFL);
    close(ends[1]);
    CHECK_EQ(rmdi_socket_send(ends[0], "x", 1, NULL, 0), EPIPE);
}

static bool is_same_file(int a, int b)
{
    struct stat x, y;
    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* As many as a message can carry. */
static void make_files(int fds[RMDI_SOCKET_FDS_MAX])
{
    char path[512];
    for (int i = 0; i < RMDI_SOCKET_FDS_MAX; i++) {
        snprintf(path, sizeof path, "%s/%d", getenv("TMPDIR"), i);
        fds[i] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        REQUIRE(fds[i] >= 0);
    }
}

TEST(descriptors_come_with_their_message_as_copies)
{
    enum { MAX = RMDI_SOCKET_FDS_MAX };
    int ours[MAX], theirs[MAX];
    char text[4];
    unsigned n;
    open_pair();
    make_files(ours);
    CHECK_EQ(rmdi_socket_send(ends[0], "none", 4, NULL, 0), 0);
    CHECK_EQ(rmdi_socket_send(ends[0], "all", 3, ours, MAX), 0);
    CHECK_EQ(rmdi_socket_receive(ends[1], text, sizeof text, theirs, MAX, &n), 4);
    CHECK_EQ(n, 0);
    CHECK_EQ(rmdi_socket_receive(ends[1], text, sizeof text, theirs, MAX, &n), 3);
    REQUIRE(n == MAX);
    for (int i = 0; i < MAX; i++) {
        CHECK(theirs[i] != ours[i]);
        CHECK(is_same_file(theirs[i], ours[i]));
        CHECK(fcntl(theirs[i], F_GETFD) & FD_CLOEXEC);
    }
}

TEST(descriptors_beyond_those_wanted_are_closed)
{
    int ours[RMDI_SOCKET_FDS_MAX], theirs[1];
    char text[4];
    unsigned n;
    kit_resources before;
    open_pair();
    make_files(ours);
    CHECK_EQ(rmdi_socket_send(ends[0], "all", 3, ours, RMDI_SOCKET_FDS_MAX), 0);
    kit_resources_take(&before);
    CHECK_EQ(rmdi_socket_receive(ends[1], text, sizeof text, theirs, 1, &n), 3);
    REQUIRE(n == 1);
    CHECK(is_same_file(theirs[0], ours[0]));
    close(theirs[0]);
    CHECK_RESOURCES(&before);
}

TEST(a_message_that_is_longer_than_the_place_for_it_is_cut)
{
    char text[8] = "-------";
    open_pair();
    CHECK_EQ(rmdi_socket_send(ends[0], "abcdef", 6, NULL, 0), 0);
    CHECK_EQ(rmdi_socket_send(ends[0], "gh", 2, NULL, 0), 0);
    CHECK_EQ(receive(ends[1], text, 3), 3);
    CHECK_MEM(text, "abc----", 7);
    CHECK_EQ(receive(ends[1], text, sizeof text), 2); /* the rest is not taken for another one */
}

TEST(without_descriptors_the_message_comes_alone_and_a_pair_is_refused)
{
    int ours[RMDI_SOCKET_FDS_MAX], theirs[1], more[2] = { -7, -7 };
    char text[4];
    unsigned n = 7;
    struct rlimit few, none;
    open_pair();
    make_files(ours);
    CHECK_EQ(rmdi_socket_send(ends[0], "one", 3, ours, 1), 0);
    REQUIRE(getrlimit(RLIMIT_NOFILE, &few) == 0);
    none = few;
    none.rlim_cur = 0;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
    CHECK_EQ(rmdi_socket_receive(ends[1], text, sizeof text, theirs, 1, &n), 3);
    CHECK_EQ(n, 0);
    CHECK_EQ(rmdi_socket_pair(more), EMFILE);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
}
