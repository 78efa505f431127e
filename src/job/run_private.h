/* SPDX-License-Identifier: MIT */
/* What the files of a run share: run.c (its course), run_task.c (one task), run_report.c (what the
 * user is told), run_events.c (what programs are told), run_journal.c (what is recorded),
 * run_reports.c (what is drawn). */
#ifndef RMDI_JOB_RUN_PRIVATE_H
#define RMDI_JOB_RUN_PRIVATE_H

#include "job/events.h"
#include "job/printer.h"
#include "job/run.h"
#include "loop/loop.h"

enum { RMDI_RUNTIMES_MAX = 4096 };

typedef struct rmdi_run_task {
    rmdi_print_item item; /* first */
    rmdi_run *run;
    uint64_t seq; /* its number among the inputs; item.seq is its turn to be shown */
    unsigned slot;
    rmd_future *future; /* NULL: it was not submitted */
    rmdi_buffer text;   /* the command, as it can be repeated */
    uint64_t sent;      /* bytes of stdin */
    char *detail;       /* why it failed, when no future tells it */
    bool failed;        /* it has ended, and counts as failed */

    /* With a journal. */
    int64_t id; /* there; 0: none */
    rmdi_key key;
    uint64_t ticket;   /* what it waits for: its start, or its end, on disk */
    rmdi_link waiting; /* among run->starting or run->settled */
    int64_t queued_ns; /* since when its next attempt waits for its start */
    rmdi_buffer kept;  /* the values and the block of one that waits for its start */
    rmd_bytes *values; /* in kept */
    size_t values_len;
    rmd_bytes block;
    bool lost;       /* an earlier run may have started it, and it may not be started twice */
    bool cancelled;  /* before it could be submitted */
    bool again;      /* it has ended before; only its output has to be shown */
    bool unrecorded; /* the journal failed before its end was on disk: told to nobody */
    bool stored;     /* its output is in the journal until it is shown */
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

    rmdi_events events;
    int exit_status; /* once it is sealed */
    double seconds;  /* that it took, the same */

    char *scratch, *scratch_journal; /* of a run with a report and without a journal */

    rmdi_journal *journal;
    rmdi_keys *keys;
    rmdi_link starting, settled; /* tasks that wait for the journal, by ticket */
    size_t settled_len;
    bool journal_failed;
    bool next_judged; /* the next input was looked up */
    rmdi_key next_key;
    rmdi_known_task next_known;
    uint64_t shown_begun; /* turns given out */
    uint64_t skipped, skipped_failed, unclaimed;
    uint64_t recorded;        /* as begun */
    unsigned skipped_in_turn; /* without a look at anything else */
    rmdi_post feed;           /* goes on after that */
};

/* ---- run_task.c ---- */

/* What happens when the next input is at hand: it begins, is skipped, or only shown. Expands,
 * submits (or only shows, --dry-run). RMD_ENOMEM and the like are
 * errors of the run; a task that cannot be submitted for its own reasons has ended. */
int rmdi_run_task_begin(rmdi_run *run, const rmdi_values *values, rmd_bytes block);
void rmdi_run_task_free(rmdi_run_task *task);
/* How the task ended, for --halt and joblog. */
rmdi_halt_end rmdi_run_task_end(const rmdi_run_task *task);
int rmdi_run_task_log(rmdi_run_task *task, rmdi_buffer *line);

/* ---- run.c, for run_task.c ---- */

void rmdi_run_task_ended(rmdi_run_task *task);
/* Its end may be told: it is on disk, or there is no journal. */
void rmdi_run_task_tell(rmdi_run_task *task);
/* Starts one that has waited for the journal. */
void rmdi_run_task_launch(rmdi_run_task *task);
/* Ends one before it was submitted, with the thread's detail. */
void rmdi_run_task_refuse(rmdi_run_task *task, int error);
void rmdi_run_task_exit(const rmdi_run_task *task, rmd_outcome *outcome, const char **detail);
uint64_t rmdi_run_total(const rmdi_run *run); /* tasks in all; UINT64_MAX: not known yet */
void rmdi_run_fail(rmdi_run *run, int error); /* with the thread's detail */

/* ---- run_report.c ---- */

void rmdi_run_report_failure(rmdi_run_task *task);
void rmdi_run_draw(rmdi_run *run);  /* the progress line */
void rmdi_run_erase(rmdi_run *run); /* takes it off again */
void rmdi_run_account(rmdi_run *run);
void rmdi_run_report_resumed(rmdi_run *run);
void rmdi_run_census(const rmdi_run *run, rmd_census *census);

/* ---- run_events.c: does nothing without --events ---- */

int rmdi_run_open_events(rmdi_run *run);
void rmdi_run_tell_skipped(rmdi_run *run, const rmdi_known_task *known);
void rmdi_run_tell_attempt(rmdi_run_task *task, const rmd_exit *attempt);
void rmdi_run_tell_task(rmdi_run_task *task);
void rmdi_run_tell_end(rmdi_run *run, int status);
void rmdi_run_account_json(rmdi_run *run, int status);

/* ---- run_reports.c: does nothing without --report ---- */

int rmdi_run_open_reports(rmdi_run *run); /* before the journal */
void rmdi_run_write_reports(rmdi_run *run);
void rmdi_run_close_reports(rmdi_run *run);

/* ---- run_journal.c: the run and its journal; all of it does nothing without one ---- */

int rmdi_run_open_journal(rmdi_run *run);
/* Is a task to be run that earlier runs knew? Or reported as lost. */
bool rmdi_run_runs_again(const rmdi_run *run, const rmdi_known_task *known);
/* Looks up the next input. True: it has ended in an earlier run, and nothing has to be done. */
bool rmdi_run_skips(rmdi_run *run, int *error);
/* Counts an input as one that has ended in an earlier run. */
void rmdi_run_skip(rmdi_run *run, const rmdi_known_task *known);
/* Records that the task is about to start. True: it starts when that is on disk, or was refused
 * because that cannot be recorded. */
bool rmdi_run_record_begin(rmdi_run_task *task, const rmdi_values *values, rmd_bytes block);
void rmdi_run_record_attempt(rmdi_run_task *task, const rmd_exit *account);
/* Records its end. True: it may be told when that is on disk. */
bool rmdi_run_record_end(rmdi_run_task *task);
void rmdi_run_record_shown(rmdi_run_task *task);

#endif
