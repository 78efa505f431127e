/* SPDX-License-Identifier: MIT */
/* floor: loop */
/* A stream of frames on descriptors: a pipe, a FIFO, a Unix or TCP socket, a terminal, a file. What
 * a frame is tells frame.h; the other side may be Python's multiprocessing.connection, or Erlang
 * with {packet, 4}.
 *
 *     rmd_framed *framed;
 *     err = rmd_framed_open(&framed, socket, socket, NULL);
 *     err = rmd_framed_write(framed, question, rmd_after_ms(1000));
 *     while ((err = rmd_framed_read(framed, &frame, RMD_FOREVER)) == 0)
 *         handle(frame);                                RMD_ECLOSED: the stream has ended
 *     rmd_framed_free(framed);
 *
 * It does not matter whether a descriptor is set to block or not: nothing waits but in these calls,
 * and the flags, which others may share, stay as they are. (A terminal is opened anew for that when
 * it is first written to. One that cannot be, as the master of a pseudo-terminal, is written to
 * byte by byte.) One thread at a time may read, and one may write meanwhile. Who waits is woken
 * when its stop token fires (stop.h). On a loop (loop.h): watch the descriptor, and read with
 * RMD_NOW until RMD_ETIMEDOUT, as more may have been read than was asked for. */
#ifndef REMUDA_FRAMED_H
#define REMUDA_FRAMED_H

#include <remuda/api.h>
#include <remuda/bytes.h>
#include <remuda/deadline.h>

RMD_BEGIN

typedef struct rmd_framed rmd_framed;

/* Zero means the default. */
typedef struct rmd_framed_options {
    size_t size;      /* sizeof(rmd_framed_options), exactly: else RMD_EINVAL */
    size_t bytes_max; /* of a frame, read or written; 16 MiB */
    bool takes;       /* the descriptors: they are closed with it. Else they are borrowed */
    /* Never reads beyond the frame that is asked for, so that the descriptor may be read by others
     * between two frames. Else it reads what is there, up to 64 KiB, which is many small frames
     * with one system call. */
    bool exact;
} rmd_framed_options;

/* On a descriptor to read from and one to write to; they may be the same, and one may be -1: none.
 * options is borrowed, and may be NULL. Errors: RMD_EINVAL (a descriptor that is not open, or a
 * socket of packets, as SOCK_SEQPACKET and SOCK_DGRAM are; none at all; bytes_max above
 * 2147483647), RMD_ENOMEM; then nothing is taken. Never blocks. */
RMD_API int rmd_framed_open(rmd_framed **framed, int read_fd, int write_fd,
                            const rmd_framed_options *options) RMD_NODISCARD;

/* The next frame; one of no bytes has data, too. It is borrowed until the next read. Errors:
 *
 *   RMD_ECLOSED     the stream has ended, between two frames
 *   RMD_EIO         it has ended inside one: the detail says how many bytes are missing; or the
 *                   system says that it cannot be read
 *   RMD_E2BIG       a frame is larger than bytes_max; no memory was taken for it
 *   RMD_EINVAL      a length below 0; there is no descriptor to read from
 *   RMD_ENOMEM      there is no memory for the frame
 *   RMD_ETIMEDOUT, RMD_ECANCELED (the stop token), RMD_EMFILE (a sleep that can be stopped needs a
 *                   descriptor)
 *
 * After those of the last line one may go on: what has come of a frame is kept. The others stay.
 * What has been read already is given without looking at deadline or token. Blocks. */
RMD_API int rmd_framed_read(rmd_framed *framed, rmd_bytes *frame, rmd_deadline deadline)
    RMD_NODISCARD;

/* Writes a frame, which is borrowed for the call. Returns when all of it is with the system.
 * Errors:
 *
 *   RMD_ECLOSED     nobody reads the stream any more (and there is no SIGPIPE)
 *   RMD_EIO         it cannot be written
 *   RMD_E2BIG       more than bytes_max bytes; nothing was written
 *   RMD_EINVAL      there is no descriptor to write to; len, but no data
 *   RMD_ETIMEDOUT, RMD_ECANCELED, RMD_EMFILE, RMD_ENOMEM: as above
 *
 * When a part of the frame has been written, whatever the error, the stream is of no use: further
 * writes return RMD_EIO. Blocks while there is no room. */
RMD_API int rmd_framed_write(rmd_framed *framed, rmd_bytes frame, rmd_deadline deadline)
    RMD_NODISCARD;

/* Closes the descriptors that were taken; what was read and not asked for is gone. NULL is fine.
 * Never blocks. */
RMD_API void rmd_framed_free(rmd_framed *framed);

RMD_END

#endif
