/* SPDX-License-Identifier: MIT */
#include "data/frame.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

int rmd_frame_head(unsigned char head[RMD_FRAME_HEAD], size_t len)
{
    if (len > INT32_MAX)
        return rmdi_fail(RMD_E2BIG, "a frame of %zu bytes; the limit is %d", len, INT32_MAX);
    for (int i = RMD_FRAME_HEAD; i-- > 0; len >>= 8)
        head[i] = (unsigned char)len;
    return 0;
}

void rmdi_frames_init(rmd_frames *frames, size_t bytes_max)
{
    *frames = (rmd_frames){ .bytes_max = bytes_max ? bytes_max : RMDI_FRAME_BYTES_MAX };
}

void rmdi_frames_release(rmd_frames *frames)
{
    rmdi_buffer_free(&frames->body);
}

int rmd_frames_open(rmd_frames **frames, size_t bytes_max)
{
    if (!frames)
        return rmdi_fail(RMD_EINVAL, "frames: no place for them was given");
    if (bytes_max > INT32_MAX)
        return rmdi_fail(RMD_EINVAL, "frames: bytes_max %zu; no frame has more than %d", bytes_max,
                         INT32_MAX);
    rmd_frames *made = rmdi_alloc(sizeof *made);
    if (!made)
        return rmdi_fail_memory();
    rmdi_frames_init(made, bytes_max);
    *frames = made;
    return 0;
}

void rmd_frames_free(rmd_frames *frames)
{
    if (frames)
        rmdi_frames_release(frames);
    rmdi_free(frames);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int check_length(rmd_frames *f)
{
    uint32_t bits = 0;
    for (int i = 0; i < RMD_FRAME_HEAD; i++)
        bits = bits << 8 | f->head[i];
    f->body_len = bits;
    if (bits == UINT32_MAX) /* Python announces 8 bytes of length so */
        f->err = rmdi_fail(RMD_E2BIG, "a frame in the long form; the limit is %zu bytes",
                           f->bytes_max);
    else if (bits > INT32_MAX)
        f->err = rmdi_fail(RMD_EINVAL, "a frame of length %lld", (long long)bits - (1LL << 32));
    else if (bits > f->bytes_max)
        f->err = rmdi_fail(RMD_E2BIG, "a frame of %zu bytes; the limit is %zu", f->body_len,
                           f->bytes_max);
    return f->err;
}

/* Returns how many bytes it has taken, or an error. */
static int64_t take_head(rmd_frames *f, const unsigned char *p, size_t len)
{
    size_t n = least(len, RMD_FRAME_HEAD - f->head_len);
    if (!f->head_len)
        rmdi_buffer_clear(&f->body); /* the frame before, which was lent */
    if (n)
        memcpy(f->head + f->head_len, p, n);
    f->head_len += n;
    int err = n && f->head_len == RMD_FRAME_HEAD ? check_length(f) : 0;
    return err < 0 ? err : (int64_t)n;
}

/* Of a frame whose head is there. The same. */
static int64_t take_body(rmd_frames *f, const unsigned char *p, size_t len, rmd_bytes *frame)
{
    size_t n = least(len, f->body_len - f->body.len);
    if (n == f->body_len) {
        *frame = (rmd_bytes){ .data = p ? p : f->head, .len = n };
    } else {
        f->err = rmdi_buffer_add(&f->body, p, n);
        if (f->err < 0)
            return f->err;
        if (f->body.len < f->body_len)
            return (int64_t)n;
        *frame = rmdi_buffer_view(&f->body);
    }
    f->head_len = 0;
    return (int64_t)n;
}

int64_t rmd_frames_feed(rmd_frames *frames, const void *data, size_t len, rmd_bytes *frame)
{
    if (!frames || !frame || (!data && len))
        return rmdi_fail(RMD_EINVAL, "feed: no frames, no piece or no place for a frame was given");
    *frame = (rmd_bytes){ 0 };
    if (frames->err < 0)
        return rmdi_fail(frames->err, "the stream of frames has failed before");
    int64_t head = take_head(frames, data, len);
    if (head < 0 || frames->head_len < RMD_FRAME_HEAD)
        return head;
    const unsigned char *p = data ? (const unsigned char *)data + head : NULL;
    int64_t body = take_body(frames, p, len - (size_t)head, frame);
    return body < 0 ? body : head + body;
}

int rmd_frames_end(const rmd_frames *frames)
{
    if (!frames)
        return rmdi_fail(RMD_EINVAL, "end: no frames were given");
    if (frames->err < 0)
        return rmdi_fail(frames->err, "the stream of frames has failed before");
    if (!frames->head_len)
        return 0;
    if (frames->head_len < RMD_FRAME_HEAD)
        return rmdi_fail(RMD_EIO,
                         "the stream ends in the head of a frame: %zu bytes of it are missing",
                         RMD_FRAME_HEAD - frames->head_len);
    return rmdi_fail(RMD_EIO, "the stream ends in a frame of %zu bytes: %zu are missing",
                     frames->body_len, frames->body_len - frames->body.len);
}
