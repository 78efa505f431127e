/* SPDX-License-Identifier: MIT */
/* Frames: a stream that may be anything, in pieces of any size. The first byte chooses the sizes,
 * the second the limit; the rest is the stream.
 *
 * What must hold: whatever the pieces, the same frames come, none longer than the limit, and they
 * lie one behind the other in the stream; then the same error, or the same end.
 *
 * Built and run as template_fuzz.c says.
 */
#include "data/frame.h"

#include <remuda/error.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool held)
{
    if (!held)
        abort();
}

/* What came: frames, each behind its head, as they were in the stream; and the end. */
typedef struct outcome {
    rmdi_buffer frames;
    int64_t end;
} outcome;

static void note(outcome *o, rmd_bytes frame, size_t limit)
{
    unsigned char head[RMD_FRAME_HEAD];
    require(frame.len <= limit && rmd_frame_head(head, frame.len) == 0);
    require(rmdi_buffer_add(&o->frames, head, sizeof head) == 0);
    require(rmdi_buffer_add(&o->frames, frame.data, frame.len) == 0);
}

/* A piece in a block of its own, so that reads beyond it are seen. */
static int64_t feed(rmd_frames *frames, const uint8_t *data, size_t len, outcome *o, size_t limit)
{
    rmd_bytes frame;
    uint8_t *piece = malloc(len);
    require(piece != NULL);
    memcpy(piece, data, len);
    int64_t taken = rmd_frames_feed(frames, piece, len, &frame);
    require(taken < 0 || (taken > 0 && (size_t)taken <= len));
    if (frame.data)
        note(o, frame, limit);
    free(piece);
    return taken;
}

static outcome run(const uint8_t *data, size_t size, size_t piece, size_t limit)
{
    rmd_frames *frames;
    outcome o = { .end = 0 };
    require(rmd_frames_open(&frames, limit) == 0);
    for (size_t at = 0; at < size && o.end >= 0; at += (size_t)o.end) {
        size_t len = size - at < piece ? size - at : piece;
        o.end = feed(frames, data + at, len, &o, limit);
        if (o.end < 0)
            break;
    }
    int end = rmd_frames_end(frames);
    require(o.end >= 0 || end == o.end);
    o.end = end;
    rmd_frames_free(frames);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t piece = 1 + data[0] % 64, limit = 1 + (size_t)data[1] * 4;
    outcome whole = run(data + 2, size - 2, size, limit);
    outcome parts = run(data + 2, size - 2, piece, limit);
    require(whole.end == parts.end);
    require(rmdi_bytes_equal(rmdi_buffer_view(&whole.frames), rmdi_buffer_view(&parts.frames)));
    require(whole.frames.len <= size - 2);
    require(!whole.frames.len || memcmp(whole.frames.data, data + 2, whole.frames.len) == 0);
    require(whole.end < 0 || whole.frames.len == size - 2);
    rmdi_buffer_free(&whole.frames);
    rmdi_buffer_free(&parts.frames);
    return 0;
}
