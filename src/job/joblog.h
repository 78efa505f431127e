/* SPDX-License-Identifier: MIT */
/* The lines of a joblog, byte for byte as GNU parallel writes them. */
#ifndef RMDI_JOB_JOBLOG_H
#define RMDI_JOB_JOBLOG_H

#include "data/bytes.h"

typedef struct rmdi_joblog_row {
    uint64_t seq;
    const char *host;  /* NULL: ":", this machine */
    double start;      /* seconds since 1970 */
    double runtime;    /* seconds */
    uint64_t sent;     /* bytes given as standard input */
    uint64_t received; /* bytes of standard output */
    int exit_value;    /* -1: timed out */
    int signal;        /* 0: none */
    rmd_bytes command; /* as rendered; a newline is written as a NUL byte, tabs stay */
} rmdi_joblog_row;

/* Each adds a line, with its newline. RMD_ENOMEM, with the buffer as it was. */
RMD_NODISCARD int rmdi_joblog_header(rmdi_buffer *line);
RMD_NODISCARD int rmdi_joblog_row_add(rmdi_buffer *line, const rmdi_joblog_row *row);

#endif
