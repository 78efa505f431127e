/* SPDX-License-Identifier: MIT */
#include "port/stream.h"

#include "kit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

static char big[1 << 20];

static ssize_t write_bytes(rmdi_stream *stream, size_t len)
{
    struct iovec parts[] = { { big, len / 2 }, { big, len - len / 2 } };
    return rmdi_stream_write(stream, parts, 2);
}

/* Until it is full: nothing here waits, though both ends are set to block. */
static void check_never_waits(const int ends[2], bool old_kernel)
{
    rmdi_stream from, to;
    REQUIRE(rmdi_stream_init(&from, ends[0]) == 0 && rmdi_stream_init(&to, ends[1]) == 0);
    if (old_kernel)
        from.kind = to.kind = RMDI_STREAM_OTHER;
    CHECK_EQ(rmdi_stream_read(&from, big, sizeof big), -EAGAIN);
    ssize_t sent = 0, n;
    while ((n = write_bytes(&to, sizeof big)) > 0)
        sent += n;
    CHECK_EQ(n, -EAGAIN);
    CHECK_INT(sent, >, 4096);
    while ((n = rmdi_stream_read(&from, big, sizeof big)) > 0)
        sent -= n;
    CHECK_EQ(n, -EAGAIN);
    CHECK_EQ(sent, 0);
    close(ends[1]);
    CHECK_EQ(rmdi_stream_read(&from, big, sizeof big), 0);
}

TEST(a_pipe_that_is_set_to_block_never_does)
{
    int ends[2];
    for (int old = 0; old < 2; old++) {
        REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
        check_never_waits(ends, old);
        CHECK_EQ(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
    }
}

TEST(a_socket_that_is_set_to_block_never_does)
{
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    check_never_waits(ends, false);
    CHECK_EQ(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
}

static void open_terminal(int ends[2])
{
    struct termios raw;
    char name[64];
    ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(ends[0] >= 0 && grantpt(ends[0]) == 0 && unlockpt(ends[0]) == 0);
    REQUIRE(ptsname_r(ends[0], name, sizeof name) == 0);
    ends[1] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(ends[1] >= 0 && tcgetattr(ends[1], &raw) == 0);
    cfmakeraw(&raw);
    REQUIRE(tcsetattr(ends[1], TCSANOW, &raw) == 0);
}

/* On either side, the second of which cannot be opened anew. */
TEST(a_terminal_that_is_set_to_block_never_does)
{
    for (int to = 0; to < 2; to++) {
        int ends[2];
        ssize_t sent = 0, n;
        rmdi_stream stream;
        open_terminal(ends);
        REQUIRE(rmdi_stream_init(&stream, ends[!to]) == 0);
        while ((n = write_bytes(&stream, sizeof big)) > 0)
            sent += n;
        CHECK_EQ(n, -EAGAIN);
        CHECK_INT(sent, >, 1000);
        CHECK_EQ(fcntl(ends[!to], F_GETFL) & O_NONBLOCK, 0);
        rmdi_stream_end(&stream);
        CHECK_EQ(stream.own, -1);
        rmdi_stream reader;
        REQUIRE(rmdi_stream_init(&reader, ends[to]) == 0);
        CHECK_INT(rmdi_stream_read(&reader, big, 100), ==, 100);
        CHECK_EQ(close(ends[0]), 0);
        CHECK_EQ(close(ends[1]), 0);
    }
}

TEST(nobody_who_reads_is_an_error_and_no_signal)
{
    rmdi_stream to;
    int ends[2];
    for (int i = 0; i < 3; i++) {
        REQUIRE((i ? pipe2(ends, O_CLOEXEC)
                   : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) == 0);
        REQUIRE(rmdi_stream_init(&to, ends[1]) == 0);
        if (i == 2)
            to.kind = RMDI_STREAM_OTHER;
        close(ends[0]);
        CHECK_EQ(write_bytes(&to, 10), -EPIPE);
    }
}

TEST(what_is_not_open_is_refused)
{
    rmdi_stream stream;
    CHECK_EQ(rmdi_stream_init(&stream, -1), EBADF);
    CHECK_EQ(rmdi_stream_init(&stream, 999), EBADF);
}
