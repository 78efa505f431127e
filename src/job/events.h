/* SPDX-License-Identifier: MIT */
/* A stream of events: one JSON object a line, for programs that follow a run. Nothing here
 * blocks; while the reader is slow, the run begins nothing new. docs/protocol/events.md lists
 * them. */
#ifndef RMDI_JOB_EVENTS_H
#define RMDI_JOB_EVENTS_H

#include "job/writer.h"

#include <jansson.h>

typedef struct rmdi_events {
    rmdi_writer writer;
    int fd; /* ours; -1: the user's */
    bool open;
    bool quiet;  /* nobody reads it any more */
    uint64_t id; /* of the last event */
} rmdi_events;

/* target: the number of an open descriptor (3 and above), or a path; "+path" and append add to a
 * file, else it is emptied. ready as in writer.h. Errors with a detail that names it. */
int rmdi_events_open(rmdi_events *events, rmd_loop *loop, const char *target, bool append,
                     void (*ready)(void *ctx), void *ctx);

/* Adds a line: {"id": N, "type": type, "time": now, ...what}. Takes `what`; NULL: there was no
 * memory to make it. RMD_EAGAIN: it is taken, but add no more than must be before `ready`.
 * RMD_ECLOSED: the reader has left, told once; RMD_ENOMEM, RMD_ENOSPC, RMD_EIO. */
int rmdi_events_add(rmdi_events *events, const char *type, json_t *what);

bool rmdi_events_idle(const rmdi_events *events);

/* Writes the rest, blocking up to the deadline. Zeroed is fine. */
void rmdi_events_close(rmdi_events *events, rmd_deadline deadline);

#endif
