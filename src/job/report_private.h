/* SPDX-License-Identifier: MIT */
/* What a report tells, gathered from a journal, and the parts of a page that show it. */
#ifndef RMDI_JOB_REPORT_PRIVATE_H
#define RMDI_JOB_REPORT_PRIVATE_H

#include "job/report_blocks.h"
#include "job/report_page.h"
#include "job/report_spread.h"

#include <remuda/journal.h>

enum {
    REPORT_RUNS_MAX = 500,         /* the latest; more are only counted */
    REPORT_DRAWN_MAX = 16,         /* of these there is a timeline */
    REPORT_BLOCKS_MAX = 20000,     /* of all timelines together */
    REPORT_FAILURES_MAX = 200,     /* listed */
    REPORT_UNFINISHED_MAX = 50,    /* listed */
    REPORT_LONGEST_MAX = 10,       /* listed */
    REPORT_CAUSES_MAX = 12,        /* told apart */
    REPORT_LOAD_BINS = 256,        /* along a run */
    REPORT_COMMAND_MAX = 4096,     /* shown of a command in a list */
    REPORT_COMMANDS_MAX = 1600000, /* of all timelines together, as JSON */
    REPORT_COMMAND_SHORT_MAX = 600,
};

/* How many slots were busy and CPUs used, over the time of a run. Where a run's end is not known
 * beforehand the bins grow. */
typedef struct report_load {
    double bin_ns;
    double busy[REPORT_LOAD_BINS], cpu[REPORT_LOAD_BINS]; /* ns within the bin */
    size_t used;
} report_load;

typedef struct report_lane {
    uint64_t attempts, bad;
    double busy, cpu;
    uint64_t memory_bytes;
} report_lane;

/* What is drawn of a run. The last lane stands for all further slots, too. */
typedef struct report_drawing {
    rmdi_report_blocks blocks;
    report_load load;
    report_lane *lanes;
    uint32_t lanes_len, lanes_used;
} report_drawing;

typedef struct report_run {
    rmd_journal_run run; /* its texts are owned, clean and cut */
    char *texts[5];
    uint64_t attempts;
    double busy, cpu;
    int64_t begin, end;      /* of what happened, ns since started_ns; end >= begin */
    report_drawing *drawing; /* NULL: none */
} report_run;

typedef enum report_phase {
    PHASE_QUEUE,
    PHASE_START,
    PHASE_RUN,
    PHASE_RETURN,
    PHASES
} report_phase;

typedef struct report_attempt { /* one of the longest */
    int64_t task;
    double run_ns, cpu_ns;
    uint64_t memory_bytes;
    unsigned slot;
    rmd_outcome outcome;
} report_attempt;

typedef struct report_task { /* one that is listed */
    int64_t id;
    uint64_t seq;
    rmd_outcome outcome;
    int64_t begun_ns;
    unsigned attempts;
    char *command, *detail; /* clean */
} report_task;

typedef struct report_tasks {
    report_task *items;
    size_t count, limit;
    uint64_t all; /* with those that are not listed */
} report_tasks;

typedef struct report_cause {
    char *detail;
    uint64_t count;
} report_cause;

typedef struct report {
    rmd_journal *journal;
    report_run *runs; /* oldest first */
    size_t runs_len, runs_capacity;
    uint64_t runs_all;
    report_run *shown; /* the last run with attempts, else the last; NULL: no run at all */

    uint64_t tasks, outcomes[RMD_OUTCOME_DEAD + 1]; /* RMD_PENDING: without an outcome */
    uint64_t not_begun;                             /* inputs the last run has not come to */
    uint64_t attempts, never_started;
    double wall, slot_time, busy, cpu; /* of all runs, ns; slot_time is wall by slots */
    uint64_t memory_bytes, retries;
    rmdi_spread phases[PHASES], bad_runs, memory;

    report_attempt longest[REPORT_LONGEST_MAX];
    size_t longest_len;
    report_tasks failures, unfinished;
    report_cause causes[REPORT_CAUSES_MAX];
    size_t causes_len;
    uint64_t other_causes;
} report;

/* ---- report_collect.c: reads the journal ---- */

int rmdi_report_collect(report *r, rmd_journal *journal);
void rmdi_report_release(report *r);

/* ---- report_load.c ---- */

void rmdi_load_add(report_load *load, int64_t start, int64_t end, double cpu);

/* ---- report_chart.c: pictures, as parts of SVG ---- */

/* Histogram of a spread, those that are bad marked; of bytes, else of times. */
typedef struct report_chart {
    const rmdi_spread *all, *bad; /* bad may be NULL */
    bool bytes;
    double x, y, width, height;
} report_chart;
void rmdi_report_histogram(rmdi_page *page, const report_chart *chart);
/* Round steps that divide this time into about n. */
double rmdi_report_step(double ns, unsigned n);

/* ---- report_words.c: what both kinds of page say ---- */

bool rmdi_report_is_bad(rmd_outcome outcome);
uint64_t rmdi_report_bad(const report *r);
/* "ok", "bad" or "open" */
const char *rmdi_report_verdict_class(const report *r);
void rmdi_report_verdict(rmdi_page *page, const report *r);
/* The name and the value of the key figures, each by a callback. */
typedef void report_figure_fn(rmdi_page *page, unsigned i, const char *name, const char *value,
                              const char *note);
void rmdi_report_figures(rmdi_page *page, const report *r, report_figure_fn *fn);
/* How the run ended, in words. */
void rmdi_report_ending(rmdi_page *page, const report_run *run);

/* ---- the pages ---- */

int rmdi_report_html(rmdi_page *page, report *r);
int rmdi_report_svg(rmdi_page *page, report *r);
int rmdi_report_json(rmdi_page *page, const report *r); /* the drawings */

#endif
