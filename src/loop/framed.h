/* SPDX-License-Identifier: MIT */
/* The inside of <remuda/framed.h>, for those who wait for more than the stream. */
#ifndef RMDI_LOOP_FRAMED_H
#define RMDI_LOOP_FRAMED_H

#include <remuda/frame.h>
#include <remuda/framed.h>
#include <sys/uio.h>

/* The next frame as far as it can be had without waiting: 0 with frame->data, or NULL when more
 * must come first. Errors as rmd_framed_read(). */
int rmdi_framed_try_read(rmd_framed *framed, rmd_bytes *frame);

/* A frame on its way out. */
typedef struct rmdi_sending {
    unsigned char head[RMD_FRAME_HEAD];
    struct iovec parts[2]; /* what is left: of the head, of the frame */
} rmdi_sending;

/* Prepares to write a frame, which is borrowed until it is written. Errors as
 * rmd_framed_write(). */
int rmdi_framed_begin(rmd_framed *framed, rmdi_sending *sending, rmd_bytes frame);

/* Writes what goes without waiting. 1: all is written; 0: there is no room now; errors as
 * rmd_framed_write(). */
int rmdi_framed_send(rmd_framed *framed, rmdi_sending *sending);

/* Another limit for frames that are read than for those that are written. */
void rmdi_framed_limit_read(rmd_framed *framed, size_t bytes_max);

/* Is there anything behind the last frame, as far as it was read? */
bool rmdi_framed_has_more(const rmd_framed *framed);

#endif
