/* SPDX-License-Identifier: MIT */
#include "job/writer.h"

#include "base/error.h"
#include "port/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* O_NONBLOCK belongs to the open file, which we share with the shell that started us and
 * with the programs that we start. So a pipe or terminal is opened once more: the flag
 * is then ours alone. */
static int open_again(int fd)
{
    char path[64];
    struct stat st;
    if (fstat(fd, &st) < 0 || !(S_ISFIFO(st.st_mode) || isatty(fd)))
        return -1;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static bool can_block(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode);
}

static void on_writable(rmd_source *source, unsigned events, void *ctx);

int rmdi_writer_open(rmdi_writer *writer, rmd_loop *loop, int fd, void (*ready)(void *ctx),
                     void *ctx)
{
    *writer = (rmdi_writer){ .loop = loop, .fd = fd, .ready = ready, .ctx = ctx };
    writer->own_fd = open_again(fd);
    if (writer->own_fd >= 0)
        writer->fd = writer->own_fd;
    else
        writer->must_ask = can_block(fd); /* a socket, or a terminal of somebody else */
    return 0;
}

/* A pipe that is ready takes PIPE_BUF bytes without blocking; more it may not. */
static ssize_t write_some(rmdi_writer *writer, const char *data, size_t len)
{
    if (writer->must_ask) {
        struct pollfd p = { .fd = writer->fd, .events = POLLOUT };
        if (poll(&p, 1, 0) <= 0)
            return -EAGAIN;
        len = len < PIPE_BUF ? len : PIPE_BUF;
    }
    ssize_t n;
    while ((n = rmdi_fd_write_quietly(writer->fd, data, len)) == -EINTR)
        ;
    return n;
}

static int fail(rmdi_writer *writer, int err)
{
    writer->error = err == EPIPE ? rmdi_fail(RMD_ECLOSED, "nobody reads the output any more")
                                 : rmdi_fail_errno(err, "writing the output");
    rmdi_buffer_clear(&writer->pending);
    writer->done = 0;
    return writer->error;
}

/* How much of data could be written: up to len, or an error. */
static int64_t write_now(rmdi_writer *writer, const char *data, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = write_some(writer, data + done, len - done);
        if (n == -EAGAIN)
            break;
        if (n < 0)
            return fail(writer, (int)-n);
        done += (size_t)n;
    }
    return (int64_t)done;
}

int rmdi_writer_add(rmdi_writer *writer, const void *data, size_t len)
{
    if (writer->error)
        return writer->error;
    int64_t n = rmdi_writer_idle(writer) ? write_now(writer, data, len) : 0;
    if (n < 0)
        return (int)n;
    if ((size_t)n == len)
        return 0;
    int err = rmdi_buffer_add(&writer->pending, (const char *)data + n, len - (size_t)n);
    if (err < 0)
        return writer->error = err;
    if (!writer->watch)
        err = rmd_loop_watch(writer->loop, &writer->watch, writer->fd, RMD_WRITABLE, on_writable,
                             writer);
    return err < 0 ? (writer->error = err) : RMD_EAGAIN;
}

static void flush(rmdi_writer *writer)
{
    int64_t n = write_now(writer, writer->pending.data + writer->done,
                          writer->pending.len - writer->done);
    if (n < 0)
        return;
    writer->done += (size_t)n;
    if (writer->done < writer->pending.len)
        return;
    rmdi_buffer_clear(&writer->pending);
    writer->done = 0;
}

static void on_writable(rmd_source *source, unsigned events, void *ctx)
{
    rmdi_writer *writer = ctx;
    (void)events;
    flush(writer);
    if (!rmdi_writer_idle(writer) && !writer->error)
        return;
    /* Watched only while something waits: a reader that goes away meanwhile is nobody's
     * business until there is something to write for it. */
    rmd_source_free(source);
    writer->watch = NULL;
    writer->ready(writer->ctx);
}

bool rmdi_writer_idle(const rmdi_writer *writer)
{
    return writer->done == writer->pending.len;
}

void rmdi_writer_close(rmdi_writer *writer, rmd_deadline deadline)
{
    struct pollfd p = { .fd = writer->fd, .events = POLLOUT };
    while (!writer->error && !rmdi_writer_idle(writer) && !rmd_deadline_passed(deadline)) {
        int64_t left = rmd_deadline_left_ms(deadline);
        if (poll(&p, 1, left > INT_MAX ? -1 : (int)left) > 0)
            flush(writer);
    }
    rmd_source_free(writer->watch);
    rmdi_buffer_free(&writer->pending);
    rmdi_fd_close(&writer->own_fd);
}
