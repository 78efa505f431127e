/* SPDX-License-Identifier: MIT */
/* Reading and writing a stream of bytes (pipe, FIFO, socket, terminal, file) without ever waiting,
 * and without changing its flags, which others may share: whether it is set to block or not. */
#ifndef RMDI_PORT_STREAM_H
#define RMDI_PORT_STREAM_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef enum rmdi_stream_kind {
    RMDI_STREAM_SOCKET,   /* each call says that it must not wait */
    RMDI_STREAM_PIPE,     /* the same, where the kernel knows how to (6.5) */
    RMDI_STREAM_TERMINAL, /* as OTHER; it is written to by a descriptor that does not wait */
    RMDI_STREAM_OTHER,    /* poll(2) is asked first */
} rmdi_stream_kind;

typedef struct rmdi_stream {
    int fd;  /* borrowed */
    int own; /* of a terminal that is written to: opened anew; -1: not so */
    rmdi_stream_kind kind;
} rmdi_stream;

/* Finds out what the descriptor is. 0 or an errno value: EBADF; EPROTOTYPE: a socket of packets. */
int rmdi_stream_init(rmdi_stream *stream, int fd);

/* At most len bytes; 0 at the end; -EAGAIN: nothing is there now; else -errno. Of a kind OTHER, two
 * who read the same stream may both see that something is there, and one of them waits. */
ssize_t rmdi_stream_read(rmdi_stream *stream, void *data, size_t len);

/* How much of the n parts, two at most, was written; -EAGAIN: there is no room now; else -errno.
 * EPIPE raises no signal. Of a kind OTHER it is at most PIPE_BUF bytes, which never waits as
 * long as nobody else writes; of a terminal that could not be opened anew it is one. */
ssize_t rmdi_stream_write(rmdi_stream *stream, const struct iovec *parts, int n);

/* Closes what it has opened itself. */
void rmdi_stream_end(rmdi_stream *stream);

#endif
