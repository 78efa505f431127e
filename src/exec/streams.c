/* SPDX-License-Identifier: MIT */
#include "exec/streams.h"

#include "base/error.h"
#include "port/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WRITE_MAX = 64 * 1024 };

/* ---- opening ---- */

/* A FIFO must not make the keeper wait for the other side: it is opened without
 * blocking, and blocks for the program only. */
static int open_file(const rmdi_attempt *attempt, int number)
{
    const rmd_stream *stream = &attempt->command->streams[number];
    const char *dir = *stream->path == '/' ? NULL : attempt->command->dir;
    char path[PATH_MAX];
    int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    if (number == RMD_STDIN)
        flags |= O_RDONLY;
    else
        flags |= O_WRONLY | O_CREAT | (stream->append ? O_APPEND : O_TRUNC);
    if (snprintf(path, sizeof path, "%s%s%s", dir ? dir : "", dir ? "/" : "", stream->path) >=
        (int)sizeof path)
        return -ENAMETOOLONG;
    int fd = open(path, flags, 0666);
    if (fd >= 0)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

static int open_pipe(rmdi_attempt *attempt, int number)
{
    int ends[2], ours = number == RMD_STDIN ? 1 : 0;
    int err = rmdi_fd_pipe(ends, ours);
    if (err)
        return -err;
    attempt->pipes[number] = ends[ours];
    return ends[!ours];
}

/* The program's descriptor, or -errno. */
static int open_stream(rmdi_attempt *attempt, int number, bool *owned)
{
    const rmd_stream *stream = &attempt->command->streams[number];
    *owned = false;
    switch (stream->kind) {
    case RMD_STREAM_INHERIT: return fcntl(number, F_GETFD) < 0 ? attempt->host->null : number;
    case RMD_STREAM_FD: return stream->fd;
    case RMD_STREAM_FILE: *owned = true; return open_file(attempt, number);
    case RMD_STREAM_BYTES:
    case RMD_STREAM_CAPTURE:
    case RMD_STREAM_TAIL:
    case RMD_STREAM_SINK: *owned = true; return open_pipe(attempt, number);
    default: return attempt->host->null;
    }
}

int rmdi_streams_open(rmdi_attempt *attempt, int theirs[3], bool owned[3])
{
    static const char *const names[] = { "stdin", "stdout", "stderr" };
    for (int i = 0; i < 3; i++) {
        const rmd_stream *stream = &attempt->command->streams[i];
        theirs[i] = open_stream(attempt, i, &owned[i]);
        if (theirs[i] >= 0)
            continue;
        int err = -theirs[i];
        for (int k = 0; k < i; k++)
            if (owned[k])
                rmdi_fd_close(&theirs[k]);
        rmdi_streams_close(attempt);
        const char *path = stream->kind == RMD_STREAM_FILE ? stream->path : "pipe";
        return rmdi_fail_errno(err, "%s: %s", names[i], path);
    }
    return 0;
}

/* ---- moving bytes ---- */

static void end_stream(rmdi_attempt *attempt, int number)
{
    if (attempt->pipes[number] < 0)
        return;
    rmd_source_free(attempt->watches[number]);
    attempt->watches[number] = NULL;
    rmdi_fd_close(&attempt->pipes[number]);
    const rmd_stream *stream = &attempt->command->streams[number];
    if (number != RMD_STDIN && stream->kind == RMD_STREAM_SINK && attempt->pid)
        stream->sink(stream->ctx, number, "", 0);
}

static void take(rmdi_attempt *attempt, int number, size_t len)
{
    const rmd_stream *stream = &attempt->command->streams[number];
    const char *data = attempt->host->scratch;
    if (stream->kind == RMD_STREAM_SINK)
        stream->sink(stream->ctx, number, data, len);
    /* After a failure the pipe is still emptied, so that the program can end. */
    if (attempt->stop == RMDI_STOP_ERROR)
        return;
    if (stream->kind == RMD_STREAM_SINK && number == RMD_STDOUT) {
        attempt->spools[number].total += len; /* the sink keeps it or nobody does */
        return;
    }
    int err = rmdi_spool_add(&attempt->spools[number], data, len);
    if (err < 0)
        rmdi_attempt_output_failed(attempt, err);
}

/* Reads once. False when there is nothing more for now or for ever. */
static bool read_some(rmdi_attempt *attempt, int number, size_t max)
{
    ssize_t n;
    do
        n = read(attempt->pipes[number], attempt->host->scratch,
                 max < RMDI_READ_MAX ? max : RMDI_READ_MAX);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        take(attempt, number, (size_t)n);
    else if (n == 0 || errno != EAGAIN)
        end_stream(attempt, number);
    return n > 0;
}

static void on_readable(rmd_source *source, unsigned events, void *ctx)
{
    rmdi_attempt *attempt = ctx;
    (void)events;
    read_some(attempt, attempt->watches[RMD_STDOUT] == source ? RMD_STDOUT : RMD_STDERR,
              RMDI_READ_MAX);
}

/* Writes once, as reading reads once: a program that takes its input as fast as it comes
 * must not keep the others waiting. True when all of stdin is written, or the program does
 * not want the rest. */
static bool write_input(rmdi_attempt *attempt)
{
    rmd_bytes input = attempt->command->streams[RMD_STDIN].bytes;
    size_t left = input.len - attempt->input_done;
    if (!left)
        return true;
    ssize_t n = rmdi_fd_write_quietly(attempt->pipes[RMD_STDIN],
                                      (const char *)input.data + attempt->input_done,
                                      left < WRITE_MAX ? left : WRITE_MAX);
    if (n < 0)
        return n != -EAGAIN && n != -EINTR; /* EPIPE: it has closed its end, as it may */
    attempt->input_done += (size_t)n;
    return (size_t)n == left;
}

static void on_writable(rmd_source *source, unsigned events, void *ctx)
{
    rmdi_attempt *attempt = ctx;
    (void)source;
    (void)events;
    if (write_input(attempt))
        end_stream(attempt, RMD_STDIN);
}

int rmdi_streams_watch(rmdi_attempt *attempt)
{
    rmd_loop *loop = attempt->host->loop;
    /* What programs that end soon have written is read at their end; that of a pipe, which comes
     * just before it, then wakes nobody. */
    int (*watch)(rmd_loop *, rmd_source **, int, unsigned, rmd_source_fn *,
                 void *) = attempt->host->quick ? rmdi_loop_watch_later : rmd_loop_watch;
    int err = 0;
    for (int i = RMD_STDOUT; i <= RMD_STDERR && err == 0; i++)
        if (attempt->pipes[i] >= 0)
            err = watch(loop, &attempt->watches[i], attempt->pipes[i], RMD_READABLE, on_readable,
                        attempt);
    if (err < 0 || attempt->pipes[RMD_STDIN] < 0)
        return err;
    if (write_input(attempt)) { /* what fits into the pipe needs no watching */
        end_stream(attempt, RMD_STDIN);
        return 0;
    }
    return rmd_loop_watch(loop, &attempt->watches[RMD_STDIN], attempt->pipes[RMD_STDIN],
                          RMD_WRITABLE, on_writable, attempt);
}

void rmdi_streams_drain(rmdi_attempt *attempt)
{
    for (int i = RMD_STDOUT; i <= RMD_STDERR; i++) {
        int left;
        /* Only what is there now: somebody outside the group may hold the other end
         * and write for ever. */
        if (attempt->pipes[i] < 0 || ioctl(attempt->pipes[i], FIONREAD, &left) < 0)
            continue;
        while (left > 0 && attempt->pipes[i] >= 0) {
            uint64_t before = attempt->spools[i].total;
            if (!read_some(attempt, i, (size_t)left))
                break;
            uint64_t got = attempt->spools[i].total - before;
            left -= got ? (int)got : left;
        }
    }
}

void rmdi_streams_close(rmdi_attempt *attempt)
{
    for (int i = 0; i < 3; i++)
        end_stream(attempt, i);
}
