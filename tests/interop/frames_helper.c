/* SPDX-License-Identifier: MIT */
/* Reads a stream of frames, in whatever pieces it comes, and writes each back as a frame; at the
 * end, or when the stream is wrong, the name of the error and its detail, as a frame, too. */
#include <remuda/error.h>
#include <remuda/frame.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void write_frame(rmd_bytes frame)
{
    unsigned char head[RMD_FRAME_HEAD];
    if (rmd_frame_head(head, frame.len) == 0) {
        fwrite(head, 1, sizeof head, stdout);
        fwrite(frame.data, 1, frame.len, stdout);
    }
}

static int take(rmd_frames *frames, const char *p, size_t len)
{
    int64_t taken = 0;
    for (; len && taken >= 0; p += taken, len -= (size_t)taken) {
        rmd_bytes frame;
        taken = rmd_frames_feed(frames, p, len, &frame);
        if (taken < 0)
            break;
        if (frame.data)
            write_frame(frame);
    }
    return taken < 0 ? (int)taken : 0;
}

int main(void)
{
    static char buffer[1000], text[700];
    rmd_frames *frames;
    ssize_t n;
    int err = rmd_frames_open(&frames, 1 << 20);
    while (err == 0 && (n = read(0, buffer, sizeof buffer)) > 0)
        err = take(frames, buffer, (size_t)n);
    if (err == 0)
        err = rmd_frames_end(frames);
    snprintf(text, sizeof text, "%s %s", rmd_error_name(err), err < 0 ? rmd_error_detail() : "");
    write_frame((rmd_bytes){ text, strlen(text) });
    rmd_frames_free(frames);
    return 0;
}
