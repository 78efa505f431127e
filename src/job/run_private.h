/* SPDX-License-Identifier: MIT */
/* What the files of a run share: run.c (its course), run_task.c (one task), run_report.c
 * (what the user is told). */
#ifndef RMDI_JOB_RUN_PRIVATE_H
#define RMDI_JOB_RUN_PRIVATE_H

#include "job/printer.h"
#include "job/run.h"

enum { RMDI_RUNTIMES_MAX = 4096 };

typedef struct rmdi_run_task {
    rmdi_print_item item; /* first */
    rmdi_run *run;
    unsigned slot;
    rmd_future *future; /* NULL: it was not submitted */
    rmdi_buffer text;   /* the command, as it can be repeated */
    uint64_t sent;      /* bytes of stdin */
    char *detail;       /* why it failed, when no future tells it */
    bool failed;        /* it has ended, and counts as failed */
} rmdi_run_task;

struct rmdi_run {
    rmdi_run_options options;
    rmd_loop *loop;
    void (*done)(void *ctx);
    void *ctx;

    rmdi_template *template, *tag;
    rmdi_expansion expansion;
    rmdi_inputs *inputs; /* NULL: none, with --pipe */
    rmdi_blocks *blocks; /* --pipe */
    rmd_pool *pool;
    rmdi_spill *spill; /* --lb: lines that wait */
    rmdi_printer *printer;
    int joblog;

    uint64_t seq;       /* tasks begun */
    unsigned in_flight; /* submitted and not ended */
    uint64_t live;      /* begun and not freed */
    uint64_t failed, ended;
    unsigned *free_slots; /* a ring: first freed, first used again */
    unsigned free_first, free_len, next_slot;

    bool opened, feeding, input_done, stopping, halted_now, finished, line_drawn;
    rmd_source *input_watch; /* while we wait for inputs */
    bool next_read;          /* the input of the next task lies here: its delay is not over */
    rmdi_values next_values;
    rmd_bytes next_block;
    rmd_source *delay, *tick;
    int64_t not_before_ns;
    rmdi_halt halt;
    rmd_census correction; /* to the pool's account; it may take away, as -1 does */
    unsigned reported;
    uint64_t estimate;    /* how many tasks there will be, as far as a file tells */
    int64_t next_line_ns; /* progress to a file: when the next line is due */
    int64_t start_ns;
    int64_t *runtimes; /* of successful tasks, sorted; only with timeout_share */
    size_t runtimes_len;
    int error;
    char detail[512];
};

/* ---- run_task.c ---- */

/* Begins a task: expands, submits (or only shows, --dry-run). RMD_ENOMEM and the like are
 * errors of the run; a task that cannot be submitted for its own reasons has ended. */
int rmdi_run_task_begin(rmdi_run *run, const rmdi_values *values, rmd_bytes block);
void rmdi_run_task_free(rmdi_run_task *task);
/* How the task ended, for --halt and joblog. */
rmdi_halt_end rmdi_run_task_end(const rmdi_run_task *task);
int rmdi_run_task_log(rmdi_run_task *task, rmdi_buffer *line);

/* ---- run.c, for run_task.c ---- */

void rmdi_run_task_ended(rmdi_run_task *task);
uint64_t rmdi_run_total(const rmdi_run *run); /* tasks in all; UINT64_MAX: not known yet */
void rmdi_run_fail(rmdi_run *run, int error); /* with the thread's detail */

/* ---- run_report.c ---- */

void rmdi_run_report_failure(rmdi_run_task *task);
void rmdi_run_draw(rmdi_run *run);  /* the progress line */
void rmdi_run_erase(rmdi_run *run); /* takes it off again */
void rmdi_run_account(rmdi_run *run);

#endif
