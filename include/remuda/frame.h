/* SPDX-License-Identifier: MIT */
/* floor: data */
/* Frames: messages on a stream of bytes. Each is its length, a signed number of 32 bits,
 * big-endian, and then so many bytes: as Python's multiprocessing.connection and Erlang's
 * {packet, 4} have it (docs/protocol/frames.md).
 *
 *     unsigned char head[RMD_FRAME_HEAD];
 *     err = rmd_frame_head(head, len);                       write head, and then the bytes
 *
 *     rmd_frames *frames;
 *     err = rmd_frames_open(&frames, 0);
 *     while (n > 0) {                                        what was read: n bytes at p
 *         rmd_bytes frame;
 *         int64_t taken = rmd_frames_feed(frames, p, n, &frame);
 *         if (taken < 0)
 *             return (int)taken;
 *         if (frame.data)
 *             handle(frame);
 *         p += taken, n -= (size_t)taken;
 *     }
 *     err = rmd_frames_end(frames);                          the stream has ended
 *
 * Nothing here reads, writes or blocks. A decoder belongs to one thread at a time. */
#ifndef REMUDA_FRAME_H
#define REMUDA_FRAME_H

#include <remuda/api.h>
#include <remuda/bytes.h>

RMD_BEGIN

enum { RMD_FRAME_HEAD = 4 }; /* bytes in front of each frame */

/* Writes the head of a frame of len bytes. RMD_E2BIG: more than 2147483647. */
RMD_API int rmd_frame_head(unsigned char head[RMD_FRAME_HEAD], size_t len);

/* What makes frames of pieces. */
typedef struct rmd_frames rmd_frames;

/* A new one, between two frames. bytes_max is the largest frame that it takes; 0: 16 MiB. Errors:
 * RMD_EINVAL (more than 2147483647), RMD_ENOMEM. */
RMD_API int rmd_frames_open(rmd_frames **frames, size_t bytes_max) RMD_NODISCARD;

/* NULL is fine. */
RMD_API void rmd_frames_free(rmd_frames *frames);

/* Takes a piece of the stream, up to the end of the first frame that ends in it. Returns how many
 * bytes it has taken. *frame is that frame, and has data NULL when none has ended; a frame of no
 * bytes has data, and len 0. It is borrowed, from the piece if it lies whole in it and else from
 * the decoder, until the next call. Memory is taken for what has come, not for what was announced.
 * Errors, which stay: RMD_E2BIG (a frame larger than bytes_max), RMD_EINVAL (a length below 0),
 * RMD_ENOMEM. */
RMD_API int64_t rmd_frames_feed(rmd_frames *frames, const void *data, size_t len, rmd_bytes *frame);

/* For the end of the stream: 0 between two frames; RMD_EIO inside one, and the detail says how many
 * bytes are missing. */
RMD_API int rmd_frames_end(const rmd_frames *frames);

RMD_END

#endif
