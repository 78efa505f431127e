/* SPDX-License-Identifier: MIT */
/* A run: one command over many inputs on a pool. It lives on a loop, blocks nowhere, and
 * holds only what is running or waits to be shown, however many inputs there are. */
#ifndef RMDI_JOB_RUN_H
#define RMDI_JOB_RUN_H

#include "job/blocks.h"
#include "job/halt.h"
#include "job/inputs.h"
#include "job/journal.h"
#include "job/template.h"

#include <remuda/loop.h>
#include <remuda/pool.h>

typedef enum rmdi_run_output {
    RMDI_RUN_GROUP,   /* each task's output in one piece */
    RMDI_RUN_LINES,   /* --lb: line by line as it comes */
    RMDI_RUN_UNGROUP, /* -u: straight to our descriptors */
} rmdi_run_output;

/* Zero is the default of each but slots. Borrowed until the run is closed. */
typedef struct rmdi_run_options {
    rmdi_template_options template;
    rmdi_inputs_options inputs;
    bool pipe; /* tasks get blocks of standard input; inputs only if it has sources */
    rmdi_blocks_options blocks;
    unsigned slots; /* tasks at a time, at least 1 */
    rmdi_run_output output;
    bool keep_order;
    const char *tag; /* a template; NULL: none */
    bool dry_run;
    bool show_command;     /* -v: before the task's output */
    bool trace;            /* -t: on stderr when it starts */
    const char *joblog;    /* a path; "+path" appends, "-" is stdout; NULL: none */
    unsigned attempts_max; /* --retries; 0: one */
    int64_t timeout_ns;    /* 0: none */
    double timeout_share;  /* of the median run time so far; 0: none */
    rmdi_halt halt;
    const rmd_kill_step *ladder;
    size_t ladder_len;
    int64_t delay_ns;           /* between two starts */
    const char *dir;            /* where the tasks run; NULL: here */
    bool bar, eta;              /* progress on stderr */
    bool census;                /* print the account at the end */
    bool json;                  /* ... as a JSON object */
    const char *events;         /* a path or the number of a descriptor; NULL: none */
    const char *const *reports; /* paths, NULL-terminated; NULL: none */
    const char *journal;        /* a path; NULL: none */
    rmdi_journal_sync sync;
    bool resume;                    /* go on with the journal: what has ended is not run again */
    bool retry_failed;              /* ... but what has failed is */
    bool at_most_once;              /* ... and what may have been started is not */
    const char *const *environment; /* names of variables that belong to a task's key; NULL: none */
    const char *shell_given;        /* with --shell: it belongs to the key; NULL: none */
    const char *command_line;       /* how we were called, for the journal */
    bool quiet;                     /* say nothing about failed tasks */
} rmdi_run_options;

typedef struct rmdi_run rmdi_run;

/* Opens inputs, joblog, pool and journal, where the run is recorded; starts no task. done(ctx) is
 * called once, from the loop, when everything has ended and was shown. Errors with a detail for
 * the user. */
RMD_NODISCARD int rmdi_run_open(rmdi_run **run, rmd_loop *loop, const rmdi_run_options *options,
                                void (*done)(void *ctx), void *ctx);
void rmdi_run_start(rmdi_run *run);

/* Starts nothing new; what runs ends by itself. How many run. */
unsigned rmdi_run_drain(rmdi_run *run);
/* Cancels what runs. How many that are. */
unsigned rmdi_run_cancel(rmdi_run *run);
/* Stops the running programs, and continues them. */
void rmdi_run_suspend(rmdi_run *run, bool suspend);

/* A line for stderr, with its newline, that does not fall into the middle of others. */
void rmdi_run_say(rmdi_run *run, const char *text);

/* The exit status of the run, once done: GNU parallel's; 255 and a detail after an error
 * of our own, 141 when nobody reads the output. */
int rmdi_run_status(const rmdi_run *run, const char **detail);

/* Records the end of the run in the journal, with this exit status, and closes it; writes the
 * reports; tells it in the events. An error becomes the run's own: ask for the status again. */
void rmdi_run_seal(rmdi_run *run, int status);

/* Waits (deadline) for output still to be written, prints the account if it was asked for,
 * and frees all. */
void rmdi_run_close(rmdi_run *run, rmd_deadline deadline);

#endif
