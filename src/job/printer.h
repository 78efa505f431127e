/* SPDX-License-Identifier: MIT */
/* Showing the output of tasks: in whole groups, in the order of their numbers, line by
 * line, with a tag before each line. Nothing here blocks: what the reader of our output
 * does not take yet stays where it is, in the pool's or our own bounded store. */
#ifndef RMDI_JOB_PRINTER_H
#define RMDI_JOB_PRINTER_H

#include "base/list.h"
#include "exec/spool.h"
#include "job/writer.h"

#include <remuda/future.h>

enum { RMDI_PRINTER_WINDOW = 4096, RMDI_LINE_MAX = 1024 * 1024 };

/* One stream of a task on its way out. */
typedef struct rmdi_print_stream {
    rmdi_buffer partial; /* --lb: the line that is not complete yet */
    rmdi_spool held;     /* --lb: complete lines that could not be written yet */
    uint64_t offset;     /* how much of the captured output, or of `held`, is written */
    bool in_line;        /* the tag of this line has been written */
} rmdi_print_stream;

/* Embedded in a task of the run. */
typedef struct rmdi_print_item {
    rmdi_link link; /* among the printer's running or ended ones */
    uint64_t seq;
    rmd_future *future; /* with captured output; NULL: none */
    rmdi_buffer tag;    /* with its TAB; empty: none */
    rmdi_buffer prefix; /* shown as the beginning of its stdout */
    size_t prefix_done;
    rmdi_print_stream streams[2]; /* stdout, stderr */
    /* What was kept of it elsewhere, in place of a future; NULL: none. */
    int64_t (*read)(struct rmdi_print_item *item, int stream, uint64_t offset, void *buffer,
                    size_t len);
    bool settled; /* its end is known, and need only be told */
    bool ended;
    bool hidden; /* ended, but not to be shown */
    int error;   /* its output could not be kept or read back */
} rmdi_print_item;

typedef struct rmdi_printer_options {
    bool keep_order, line_buffer;
    void (*shown)(void *ctx, rmdi_print_item *item); /* in the order shown; may free it */
    void (*room)(void *ctx); /* a slow reader is back; perhaps another task may begin */
    void (*broken)(void *ctx, int error); /* it is gone: RMD_ECLOSED, or RMD_EIO… */
    void (*before)(void *ctx);            /* something is about to be written; NULL: no matter */
    void *ctx;
} rmdi_printer_options;

typedef struct rmdi_printer rmdi_printer;

/* Writes to descriptors 1 and 2. spill is borrowed. RMD_ENOMEM, RMD_EINVAL. */
int rmdi_printer_open(rmdi_printer **printer, rmd_loop *loop, rmdi_spill *spill,
                      const rmdi_printer_options *options);

/* Tells of a task before it starts; seqs come in order from 1. Call it only while
 * rmdi_printer_has_room(). */
void rmdi_printer_begin(rmdi_printer *printer, rmdi_print_item *item);

/* Shows the item's prefix at once, before the task starts. */
void rmdi_printer_announce(rmdi_printer *printer, rmdi_print_item *item);

/* A piece of output of a running task under --lb, len 0 at the end of the stream.
 * stream: 0 stdout, 1 stderr. An error means that the task's output is incomplete. */
int rmdi_printer_lines(rmdi_printer *printer, rmdi_print_item *item, int stream, const void *data,
                       size_t len);

/* Its end: it is shown in its turn. */
void rmdi_printer_end(rmdi_printer *printer, rmdi_print_item *item);

/* Nothing that has not got its turn yet shall be shown, but for what is settled. */
void rmdi_printer_hide_rest(rmdi_printer *printer);

/* May another task begin? Not while too many wait to be shown. */
bool rmdi_printer_has_room(const rmdi_printer *printer);

/* Is the reader slow? Then what is added piles up. */
bool rmdi_printer_is_blocked(const rmdi_printer *printer);

/* A line of our own for stdout, between the outputs of tasks. */
void rmdi_printer_row(rmdi_printer *printer, const char *text, size_t len);

/* A message of our own for stderr, between the outputs of tasks. Nothing is `broken` when
 * nobody can read it. */
void rmdi_printer_note(rmdi_printer *printer, const char *text, size_t len);

/* Gives back all of it, after writing what was taken (until the deadline). Items that
 * were not shown are the caller's to free. */
void rmdi_printer_close(rmdi_printer *printer, rmd_deadline deadline);

void rmdi_print_item_init(rmdi_print_item *item, uint64_t seq);
void rmdi_print_item_free(rmdi_print_item *item);

#endif
