/* SPDX-License-Identifier: MIT */
/* The inside of <remuda/frame.h>: a decoder that is embedded where others need one. */
#ifndef RMDI_DATA_FRAME_H
#define RMDI_DATA_FRAME_H

#include "data/bytes.h"

#include <remuda/frame.h>

enum { RMDI_FRAME_BYTES_MAX = 16 * 1024 * 1024 }; /* unless another limit is given */

struct rmd_frames {
    size_t bytes_max;
    unsigned char head[RMD_FRAME_HEAD];
    size_t head_len;  /* so much of the head has come; less than all of it: between two frames */
    size_t body_len;  /* of the frame whose head has come */
    rmdi_buffer body; /* what has come of it, if it did not come whole */
    int err;          /* for good */
};

/* Zeroed, then this; bytes_max as in rmd_frames_open(), and valid. */
void rmdi_frames_init(rmd_frames *frames, size_t bytes_max);
void rmdi_frames_release(rmd_frames *frames);

#endif
