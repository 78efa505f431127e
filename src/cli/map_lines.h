/* SPDX-License-Identifier: MIT */
/* The lines of standard input. */
#ifndef RMDI_CLI_MAP_LINES_H
#define RMDI_CLI_MAP_LINES_H

#include "data/bytes.h"

/* Zeroed is before the first. */
typedef struct rmdi_lines {
    rmdi_buffer read; /* lines that were read from `begin` on, up to `searched` without an end */
    size_t begin, searched;
    uint64_t number; /* of the last that was given out, from 1 */
    bool ended;
} rmdi_lines;

/* The next line, without its end, borrowed until the next call. 1; 0: there are no more; RMD_E2BIG:
 * it has more than 64 MiB, and is skipped: there may be more. RMD_EIO and others of the system,
 * RMD_ENOMEM, RMD_ECANCELED (the thread's stop token fired). Blocks. */
int rmdi_lines_next(rmdi_lines *lines, rmd_bytes *line);
void rmdi_lines_free(rmdi_lines *lines);

#endif
