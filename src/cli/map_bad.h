/* SPDX-License-Identifier: MIT */
/* Lines of which no task could be made, and their places in the order: who reads lines finds them,
 * and they are told when the results of all lines before them have been given out. */
#ifndef RMDI_CLI_MAP_BAD_H
#define RMDI_CLI_MAP_BAD_H

#include "sync/condition.h"
#include "sync/lock.h"

#include <remuda/future.h>
#include <stddef.h>
#include <stdint.h>

/* One call at a time, on the thread of the reader or that of the results. 0, or < 0: enough. */
typedef int rmdi_bad_line_fn(void *ctx, uint64_t line, const rmd_failure *failure);

/* Zeroed but for tell and ctx. */
typedef struct rmdi_bad_lines {
    rmdi_bad_line_fn *tell;
    void *ctx;
    uint64_t made; /* tasks; the reader's */
    rmdi_lock lock;
    rmdi_condition changed; /* there is room again */
    /* guarded by the lock: */
    uint64_t given; /* of these tasks */
    struct rmdi_bad_line *first, *last;
    size_t len;
} rmdi_bad_lines;

/* The reader has made a task of a line. */
void rmdi_bad_lines_made(rmdi_bad_lines *bad);

/* The reader has found one, for this error, and its thread's detail. 0: it has been told, or will
 * be; what telling it returned; RMD_ENOMEM; RMD_ECANCELED: there was no room for one more until the
 * thread was told to stop. Blocks while there is none. */
int rmdi_bad_lines_add(rmdi_bad_lines *bad, uint64_t line, int error);

/* The task of a line has been given out. 0, or what telling one returned. */
int rmdi_bad_lines_given(rmdi_bad_lines *bad);

void rmdi_bad_lines_free(rmdi_bad_lines *bad);

#endif
