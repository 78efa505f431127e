/* SPDX-License-Identifier: MIT */
#include "loop/framed.h"

#include "base/alloc.h"
#include "base/error.h"
#include "data/frame.h"
#include "port/fd.h"
#include "port/stream.h"

#include <errno.h>
#include <remuda/descriptor.h>

enum { PIECE_BYTES = 64 * 1024 };

struct rmd_framed {
    rmdi_stream in, out; /* fd -1: there is none */
    bool takes, exact;
    size_t bytes_max;
    /* Reading: */
    rmd_frames frames;
    size_t at, len; /* piece[at] to piece[len]: read, and not given away */
    int in_err;     /* for good */
    /* Writing: */
    int out_err;
    char piece[PIECE_BYTES];
};

/* ---- opening ---- */

static int init_stream(rmdi_stream *stream, int fd, const char *what)
{
    *stream = (rmdi_stream){ .fd = -1, .own = -1 };
    int err = fd == -1 ? 0 : rmdi_stream_init(stream, fd);
    if (err == EPROTOTYPE)
        return rmdi_fail(RMD_EINVAL,
                         "framed: descriptor %d to %s is a socket of packets, not of a stream "
                         "(SOCK_STREAM)",
                         fd, what);
    return err ? rmdi_fail(RMD_EINVAL, "framed: descriptor %d to %s is not open", fd, what) : 0;
}

static int init(rmd_framed *framed, int read_fd, int write_fd, const rmd_framed_options *options)
{
    framed->takes = options->takes;
    framed->exact = options->exact;
    framed->bytes_max = options->bytes_max ? options->bytes_max : RMDI_FRAME_BYTES_MAX;
    rmdi_frames_init(&framed->frames, framed->bytes_max);
    int err = init_stream(&framed->in, read_fd, "read from");
    return err < 0 ? err : init_stream(&framed->out, write_fd, "write to");
}

int rmd_framed_open(rmd_framed **framed, int read_fd, int write_fd,
                    const rmd_framed_options *options)
{
    static const rmd_framed_options defaults = { .size = sizeof defaults };
    options = options ? options : &defaults;
    if (!framed || options->size != sizeof *options)
        return rmdi_fail(RMD_EINVAL, "framed: no place for it was given, or options without size");
    if (options->bytes_max > INT32_MAX)
        return rmdi_fail(RMD_EINVAL, "framed: bytes_max %zu; no frame has more than %d",
                         options->bytes_max, INT32_MAX);
    if (read_fd == -1 && write_fd == -1)
        return rmdi_fail(RMD_EINVAL, "framed: no descriptor was given");
    rmd_framed *made = rmdi_alloc(sizeof *made);
    if (!made)
        return rmdi_fail_memory();
    made->at = made->len = 0;
    made->in_err = made->out_err = 0;
    int err = init(made, read_fd, write_fd, options);
    if (err < 0)
        rmdi_free(made);
    else
        *framed = made;
    return err;
}

void rmd_framed_free(rmd_framed *framed)
{
    if (!framed)
        return;
    rmdi_stream_end(&framed->in);
    rmdi_stream_end(&framed->out);
    if (framed->takes) {
        if (framed->out.fd != framed->in.fd)
            rmdi_fd_close(&framed->out.fd);
        rmdi_fd_close(&framed->in.fd);
    }
    rmdi_frames_release(&framed->frames);
    rmdi_free(framed);
}

/* ---- reading ---- */

/* What has been read: a frame, or not yet. */
static int take(rmd_framed *f, rmd_bytes *frame)
{
    int64_t taken = rmd_frames_feed(&f->frames, f->piece + f->at, f->len - f->at, frame);
    if (taken < 0)
        return f->in_err = (int)taken;
    f->at += (size_t)taken;
    return 0;
}

/* How much to read at once: in exact mode no more than the frame lacks. */
static size_t want(const rmd_framed *f)
{
    const rmd_frames *frames = &f->frames;
    if (!f->exact)
        return PIECE_BYTES;
    size_t lacks = frames->head_len < RMD_FRAME_HEAD ? RMD_FRAME_HEAD - frames->head_len
                                                     : frames->body_len - frames->body.len;
    return lacks < PIECE_BYTES ? lacks : PIECE_BYTES;
}

static int end_of_stream(rmd_framed *f)
{
    f->in_err = rmd_frames_end(&f->frames);
    if (f->in_err == 0)
        f->in_err = rmdi_fail(RMD_ECLOSED, "the stream of frames has ended");
    return f->in_err;
}

/* Reads what is there. RMD_EAGAIN: nothing. */
static int fill(rmd_framed *f)
{
    ssize_t got = rmdi_stream_read(&f->in, f->piece, want(f));
    if (got == 0)
        return end_of_stream(f);
    if (got == -EAGAIN)
        return RMD_EAGAIN;
    if (got < 0) {
        rmdi_fail_errno((int)-got, "reading frames from descriptor %d", f->in.fd);
        return f->in_err = RMD_EIO;
    }
    f->at = 0;
    f->len = (size_t)got;
    return 0;
}

int rmdi_framed_try_read(rmd_framed *framed, rmd_bytes *frame)
{
    int err = framed->in_err < 0 ? rmdi_fail(framed->in_err, "the stream of frames has ended or "
                                                             "failed before")
                                 : take(framed, frame);
    while (err == 0 && !frame->data) {
        err = fill(framed);
        if (err == RMD_EAGAIN)
            return 0;
        if (err == 0)
            err = take(framed, frame);
    }
    return err;
}

void rmdi_framed_limit_read(rmd_framed *framed, size_t bytes_max)
{
    framed->frames.bytes_max = bytes_max;
}

bool rmdi_framed_has_more(const rmd_framed *framed)
{
    return framed->at < framed->len || framed->frames.head_len;
}

int rmd_framed_read(rmd_framed *framed, rmd_bytes *frame, rmd_deadline deadline)
{
    if (!framed || !frame || framed->in.fd < 0)
        return rmdi_fail(RMD_EINVAL,
                         "framed read: no stream to read from, or no place for a frame");
    *frame = (rmd_bytes){ 0 };
    int err = rmdi_framed_try_read(framed, frame);
    while (err == 0 && !frame->data) {
        err = rmd_fd_wait(framed->in.fd, RMD_READABLE, deadline);
        if (err > 0)
            err = rmdi_framed_try_read(framed, frame);
    }
    return err;
}

/* ---- writing ---- */

/* The parts without their first n bytes. */
static void skip(struct iovec *parts, size_t n)
{
    for (int i = 0; i < 2; i++) {
        size_t here = n < parts[i].iov_len ? n : parts[i].iov_len;
        parts[i].iov_base = (char *)parts[i].iov_base + here;
        parts[i].iov_len -= here;
        n -= here;
    }
}

static int explain_write(const rmd_framed *f, int err)
{
    if (err == EPIPE || err == ECONNRESET)
        return rmdi_fail(RMD_ECLOSED, "nobody reads the frames on descriptor %d any more",
                         f->out.fd);
    rmdi_fail_errno(err, "writing a frame to descriptor %d", f->out.fd);
    return RMD_EIO;
}

/* Where the next frame begins, the other side cannot tell when this one was cut. */
static int spoil(rmd_framed *f, const rmdi_sending *sending, int err)
{
    if (f->out_err == 0 && sending->parts[0].iov_len < RMD_FRAME_HEAD)
        f->out_err = RMD_EIO;
    return err;
}

int rmdi_framed_send(rmd_framed *framed, rmdi_sending *sending)
{
    struct iovec *parts = sending->parts;
    while (parts[0].iov_len || parts[1].iov_len) {
        ssize_t n = rmdi_stream_write(&framed->out, parts, 2);
        if (n == -EAGAIN)
            return 0;
        if (n < 0)
            return framed->out_err = explain_write(framed, (int)-n);
        skip(parts, (size_t)n);
    }
    return 1;
}

static int check_write(rmd_framed *f, rmd_bytes frame)
{
    if (!f || f->out.fd < 0 || (!frame.data && frame.len))
        return rmdi_fail(RMD_EINVAL, "framed write: no stream to write to, or no frame");
    if (f->out_err < 0)
        return rmdi_fail(f->out_err, "writing frames to descriptor %d has failed before",
                         f->out.fd);
    if (frame.len > f->bytes_max)
        return rmdi_fail(RMD_E2BIG, "a frame of %zu bytes; the limit is %zu", frame.len,
                         f->bytes_max);
    return 0;
}

int rmdi_framed_begin(rmd_framed *framed, rmdi_sending *sending, rmd_bytes frame)
{
    int err = check_write(framed, frame);
    if (err == 0)
        err = rmd_frame_head(sending->head, frame.len);
    sending->parts[0] = (struct iovec){ sending->head, RMD_FRAME_HEAD };
    sending->parts[1] = (struct iovec){ (void *)(size_t)frame.data, frame.len };
    return err;
}

int rmd_framed_write(rmd_framed *framed, rmd_bytes frame, rmd_deadline deadline)
{
    rmdi_sending sending;
    int err = rmdi_framed_begin(framed, &sending, frame);
    while (err == 0 && (err = rmdi_framed_send(framed, &sending)) == 0) {
        int ready = rmd_fd_wait(framed->out.fd, RMD_WRITABLE, deadline);
        if (ready < 0)
            return spoil(framed, &sending, ready);
    }
    return err < 0 ? err : 0;
}
