/* SPDX-License-Identifier: MIT */
/* Writing to a descriptor that others share (standard output) from a loop that must not
 * block: the consumer of a pipe may be slow, a terminal may be held by Ctrl-S, and
 * Ctrl-C must work all the same. */
#ifndef RMDI_JOB_WRITER_H
#define RMDI_JOB_WRITER_H

#include "data/bytes.h"

#include <remuda/loop.h>

typedef struct rmdi_writer {
    rmd_loop *loop;
    int fd;        /* what is written: the given one, or our own opening of it */
    int own_fd;    /* -1: none of our own */
    bool must_ask; /* poll before each write, and write little */
    rmdi_buffer pending;
    size_t done;              /* bytes of pending that are written */
    rmd_source *watch;        /* only while something waits */
    int error;                /* the first failure, negative; nothing is written after it */
    void (*ready)(void *ctx); /* called from the loop when everything is written */
    void *ctx;
} rmdi_writer;

/* Borrows fd and loop. ready is called after a wait, when pending is empty again or an
 * error has come up. RMD_ENOMEM, RMD_EINVAL. */
int rmdi_writer_open(rmdi_writer *writer, rmd_loop *loop, int fd, void (*ready)(void *ctx),
                     void *ctx);

/* Takes bytes and writes what can be written now. 0: all of it. RMD_EAGAIN: the rest is
 * kept; do not add before ready was called. Other errors (RMD_EIO with detail, RMD_ENOSPC,
 * RMD_ENOMEM) stay in writer->error; RMD_ECLOSED: nobody reads it any more. */
int rmdi_writer_add(rmdi_writer *writer, const void *data, size_t len);

/* Is everything written? */
bool rmdi_writer_idle(const rmdi_writer *writer);

/* Writes the rest, blocking up to the deadline, and lets go of everything. */
void rmdi_writer_close(rmdi_writer *writer, rmd_deadline deadline);

#endif
