/* SPDX-License-Identifier: MIT */
/* What `remuda map` writes to standard output (results.h): whole lines, collected as long as more
 * come at once, and there for who reads them after 20 ms at the latest. */
#ifndef RMDI_CLI_MAP_OUTPUT_H
#define RMDI_CLI_MAP_OUTPUT_H

#include "data/bytes.h"
#include "sync/lock.h"

#include <remuda/api.h>
#include <remuda/atomics.h>
#include <remuda/event.h>
#include <remuda/thread.h>

typedef struct rmdi_map_output {
    int fd;
    rmd_event *dirty;   /* something is to be written out */
    rmd_thread *thread; /* that does so */
    rmdi_lock lock;
    rmdi_buffer collected; /* guarded by it */
    rmd_atomic(int) error; /* the first, as errno; 0: none so far */
} rmdi_map_output;

/* fd is borrowed until the end. Errors of rmd_event_open() and rmd_thread_start(). */
int rmdi_map_output_open(rmdi_map_output *output, int fd);

/* Adds a line, with its end. Any thread. False: it cannot be written, see `error`. Blocks while
 * nobody reads. */
bool rmdi_map_output_add(rmdi_map_output *output, const char *line, size_t len);

/* Writes out what is left. Returns the error, as errno; 0: all was written. */
int rmdi_map_output_close(rmdi_map_output *output);

#endif
