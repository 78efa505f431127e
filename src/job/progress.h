/* SPDX-License-Identifier: MIT */
/* The line on the terminal that tells how far a run has come, and the closing account. */
#ifndef RMDI_JOB_PROGRESS_H
#define RMDI_JOB_PROGRESS_H

#include "data/bytes.h"

#include <remuda/census.h>

typedef struct rmdi_progress {
    uint64_t total; /* UINT64_MAX: not known */
    uint64_t ended, failed, running;
    int64_t elapsed_ns;
    unsigned columns; /* of the terminal */
    bool bar;         /* with a bar; else words only */
} rmdi_progress;

/* The line, without a newline, cut to the columns. RMD_ENOMEM. */
int rmdi_progress_line(const rmdi_progress *progress, rmdi_buffer *line);

/* The closing account with its newline, as
 * "remuda: 1000 submitted = 998 ok + 2 failed in 3.2 s on 2 slots (312/s)". */
int rmdi_progress_census(const rmd_census *census, int64_t elapsed_ns, unsigned slots,
                         rmdi_buffer *line);

/* A time for people: "0.42 s", "37.0 s", "12 min 05 s", "3 h 10 min". */
int rmdi_progress_time(int64_t ns, rmdi_buffer *text);

#endif
