/* SPDX-License-Identifier: MIT */
#include "port/stream.h"

#include "port/fd.h"
#include "port/poll.h"
#include "port/sigpipe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PARTS_MAX = 2 };

/* One of packets would be cut where it is read, and what is behind that lost. */
static bool has_packets(int fd)
{
    int type;
    socklen_t len = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type != SOCK_STREAM;
}

int rmdi_stream_init(rmdi_stream *stream, int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return errno;
    if (S_ISSOCK(st.st_mode) && has_packets(fd))
        return EPROTOTYPE;
    stream->fd = fd;
    stream->own = -1;
    stream->kind = S_ISSOCK(st.st_mode)   ? RMDI_STREAM_SOCKET
                   : S_ISFIFO(st.st_mode) ? RMDI_STREAM_PIPE
                   : isatty(fd)           ? RMDI_STREAM_TERMINAL
                                          : RMDI_STREAM_OTHER;
    return 0;
}

void rmdi_stream_end(rmdi_stream *stream)
{
    rmdi_fd_close(&stream->own);
}

/* Has the kernel no such flag for this? Then it never will. */
static bool falls_back(rmdi_stream *stream, int err)
{
    if (stream->kind != RMDI_STREAM_PIPE || (err != EOPNOTSUPP && err != ENOSYS))
        return false;
    stream->kind = RMDI_STREAM_OTHER;
    return true;
}

/* ---- reading ---- */

static ssize_t read_once(const rmdi_stream *stream, void *data, size_t len)
{
    struct iovec part = { data, len };
    switch (stream->kind) {
    case RMDI_STREAM_SOCKET: return recv(stream->fd, data, len, MSG_DONTWAIT);
    case RMDI_STREAM_PIPE: return preadv2(stream->fd, &part, 1, -1, RWF_NOWAIT);
    case RMDI_STREAM_TERMINAL:
    case RMDI_STREAM_OTHER: break;
    }
    if (rmdi_poll_readable(stream->fd))
        return read(stream->fd, data, len);
    errno = EAGAIN;
    return -1;
}

ssize_t rmdi_stream_read(rmdi_stream *stream, void *data, size_t len)
{
    ssize_t got;
    do
        got = read_once(stream, data, len);
    while (got < 0 && (errno == EINTR || falls_back(stream, errno)));
    return got < 0 ? -errno : got;
}

/* ---- writing ---- */

static ssize_t send_parts(int fd, struct iovec *parts, int n)
{
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = (size_t)n };
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void cut(struct iovec *parts, int n, size_t left)
{
    for (int i = 0; i < n; i++) {
        parts[i].iov_len = parts[i].iov_len < left ? parts[i].iov_len : left;
        left -= parts[i].iov_len;
    }
}

/* So many never wait: POLLOUT promises room for PIPE_BUF bytes in a pipe, for one in a terminal. */
static ssize_t write_if_ready(const rmdi_stream *stream, struct iovec *parts, int n)
{
    int fd = stream->fd;
    struct pollfd ready = { .fd = fd, .events = POLLOUT };
    cut(parts, n, stream->kind == RMDI_STREAM_TERMINAL ? 1 : PIPE_BUF);
    if (rmdi_poll_fds(&ready, 1, 0) != 0)
        return writev(fd, parts, n);
    errno = EAGAIN;
    return -1;
}

/* The same terminal, so that we alone do not wait there: the flags of ours may be others', too. The
 * master of a pseudo-terminal opened anew would be that of another one. */
static void open_anew(rmdi_stream *stream)
{
    unsigned number;
    char path[32];
    if (stream->own >= 0 || ioctl(stream->fd, TIOCGPTN, &number) == 0)
        return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", stream->fd);
    stream->own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static ssize_t write_to_terminal(rmdi_stream *stream, struct iovec *parts, int n)
{
    open_anew(stream);
    return stream->own < 0 ? write_if_ready(stream, parts, n) : writev(stream->own, parts, n);
}

static ssize_t write_its_way(rmdi_stream *stream, struct iovec *parts, int n)
{
    switch (stream->kind) {
    case RMDI_STREAM_PIPE: return pwritev2(stream->fd, parts, n, -1, RWF_NOWAIT);
    case RMDI_STREAM_TERMINAL: return write_to_terminal(stream, parts, n);
    case RMDI_STREAM_SOCKET:
    case RMDI_STREAM_OTHER: break;
    }
    return write_if_ready(stream, parts, n);
}

static ssize_t write_quietly(rmdi_stream *stream, struct iovec *parts, int n)
{
    rmdi_sigpipe held;
    rmdi_sigpipe_hold(&held);
    ssize_t written = write_its_way(stream, parts, n);
    int err = written < 0 ? errno : 0;
    rmdi_sigpipe_release(&held, err == EPIPE);
    if (err)
        errno = err;
    return written;
}

ssize_t rmdi_stream_write(rmdi_stream *stream, const struct iovec *parts, int n)
{
    ssize_t written;
    do {
        struct iovec copy[PARTS_MAX];
        memcpy(copy, parts, (size_t)n * sizeof *copy);
        written = stream->kind == RMDI_STREAM_SOCKET ? send_parts(stream->fd, copy, n)
                                                     : write_quietly(stream, copy, n);
    } while (written < 0 && (errno == EINTR || falls_back(stream, errno)));
    return written < 0 ? -errno : written;
}
