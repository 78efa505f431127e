/* SPDX-License-Identifier: MIT */
#include "job/progress.h"

#include <inttypes.h>

static const int64_t second_ns = 1000 * 1000 * 1000;

int rmdi_progress_time(int64_t ns, rmdi_buffer *text)
{
    double seconds = (double)ns / (double)second_ns;
    int64_t whole = (ns + second_ns / 2) / second_ns;
    if (seconds < 10)
        return rmdi_buffer_add_format(text, "%.2f s", seconds);
    if (whole < 60)
        return rmdi_buffer_add_format(text, "%.1f s", seconds);
    if (whole < 3600)
        return rmdi_buffer_add_format(text, "%" PRId64 " min %02" PRId64 " s", whole / 60,
                                      whole % 60);
    return rmdi_buffer_add_format(text, "%" PRId64 " h %02" PRId64 " min", whole / 3600,
                                  whole % 3600 / 60);
}

static int add_bar(const rmdi_progress *p, rmdi_buffer *line)
{
    enum { WIDTH = 30 };
    uint64_t filled = p->total ? p->ended * WIDTH / p->total : WIDTH;
    int err = rmdi_buffer_add_byte(line, '[');
    for (uint64_t i = 0; i < WIDTH && err == 0; i++)
        err = rmdi_buffer_add_byte(line, i < filled ? '=' : i == filled ? '>' : ' ');
    return err < 0 ? err : rmdi_buffer_add_text(line, "] ");
}

static int add_counts(const rmdi_progress *p, rmdi_buffer *line)
{
    if (p->total == UINT64_MAX)
        return rmdi_buffer_add_format(line, "%" PRIu64 " done", p->ended);
    uint64_t percent = p->total ? p->ended * 100 / p->total : 100;
    return rmdi_buffer_add_format(line, "%3" PRIu64 "%% %" PRIu64 "/%" PRIu64, percent, p->ended,
                                  p->total);
}

/* By the mean time of those that have ended. */
static int add_eta(const rmdi_progress *p, rmdi_buffer *line)
{
    if (p->total == UINT64_MAX || !p->ended || p->ended >= p->total)
        return 0;
    double left = (double)p->elapsed_ns / (double)p->ended * (double)(p->total - p->ended);
    int err = rmdi_buffer_add_text(line, ", left: ");
    return err < 0 ? err : rmdi_progress_time((int64_t)left, line);
}

int rmdi_progress_line(const rmdi_progress *p, rmdi_buffer *line)
{
    int err = p->bar && p->total != UINT64_MAX ? add_bar(p, line) : 0;
    if (err == 0)
        err = add_counts(p, line);
    if (err == 0)
        err = rmdi_buffer_add_format(line, ", %" PRIu64 " running", p->running);
    if (err == 0 && p->failed)
        err = rmdi_buffer_add_format(line, ", %" PRIu64 " failed", p->failed);
    if (err == 0)
        err = add_eta(p, line);
    if (err == 0 && p->columns && line->len >= p->columns)
        line->len = p->columns - 1;
    return err;
}

int rmdi_progress_census(const rmd_census *census, int64_t elapsed_ns, unsigned slots,
                         rmdi_buffer *line)
{
    char text[256];
    rmd_census_format(census, text, sizeof text);
    int err = rmdi_buffer_add_format(line, "remuda: %s in ", text);
    if (err == 0)
        err = rmdi_progress_time(elapsed_ns, line);
    double rate = elapsed_ns > 0 ? (double)census->submitted * 1e9 / (double)elapsed_ns : 0;
    if (err == 0)
        err = rmdi_buffer_add_format(line, " on %u slot%s (%.*f/s)\n", slots, slots == 1 ? "" : "s",
                                     rate < 10 ? 1 : 0, rate);
    return err;
}
