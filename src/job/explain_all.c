/* SPDX-License-Identifier: MIT */
/* A whole journal in words: its runs, where the time went, what was slow or large, what failed. */
#include "base/alloc.h"
#include "base/error.h"
#include "job/explain.h"
#include "job/liveness.h"
#include "job/report_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TOP = 5, CAUSES = 12, EXAMPLES = 5, COMMAND_SHOWN = 60 };

typedef enum phase { PHASE_QUEUE, PHASE_START, PHASE_RUN, PHASE_RETURN, PHASES } phase;

/* One of the slowest or largest, and its task. */
typedef struct extreme {
    int64_t task;
    uint64_t value;
} extreme;

typedef struct cause {
    char *detail;
    uint64_t count, examples[EXAMPLES];
} cause;

typedef struct summary {
    rmd_journal *journal;
    rmdi_buffer *text;
    int64_t phases[PHASES];
    int64_t run, slot_ns, busy_ns; /* of the last run that has ended: of one that was killed it is
                                    * not known how long it was there */
    uint64_t attempts, not_ok, other_causes;
    extreme slowest[TOP], largest[TOP];
    cause causes[CAUSES];
} summary;

static int64_t between(int64_t from_ns, int64_t to_ns)
{
    return from_ns && to_ns > from_ns ? to_ns - from_ns : 0;
}

/* Falling values, each task once: with its largest. */
static void keep_extreme(extreme *all, int64_t task, uint64_t value)
{
    size_t i = 0;
    while (i < TOP - 1 && all[i].task != task)
        i++;
    if (value <= all[i].value)
        return;
    for (; i > 0 && all[i - 1].value < value; i--)
        all[i] = all[i - 1];
    all[i] = (extreme){ .task = task, .value = value };
}

/* ---- gathering ---- */

static int on_attempt(void *ctx, const rmd_journal_attempt *a)
{
    summary *s = ctx;
    int64_t run_ns = between(a->executed_ns, a->exited_ns);
    s->attempts++;
    s->phases[PHASE_QUEUE] += between(a->queued_ns, a->started_ns ? a->started_ns : a->ended_ns);
    s->phases[PHASE_START] += between(a->started_ns, a->executed_ns);
    s->phases[PHASE_RUN] += run_ns;
    s->phases[PHASE_RETURN] += between(a->exited_ns, a->ended_ns);
    if (a->run == s->run)
        s->busy_ns += between(a->started_ns, a->ended_ns);
    keep_extreme(s->slowest, a->task, (uint64_t)run_ns);
    keep_extreme(s->largest, a->task, a->memory_bytes);
    return 0;
}

static int add_cause(summary *s, const rmd_journal_task *task)
{
    size_t i = 0;
    const char *detail = *task->detail ? task->detail : rmd_outcome_name(task->outcome);
    while (i < CAUSES && s->causes[i].detail && strcmp(s->causes[i].detail, detail) != 0)
        i++;
    s->not_ok++;
    if (i == CAUSES) {
        s->other_causes++;
        return 0;
    }
    cause *c = &s->causes[i];
    if (!c->detail && !(c->detail = rmdi_strdup(detail)))
        return rmdi_fail_memory();
    if (c->count < EXAMPLES)
        c->examples[c->count] = task->seq;
    c->count++;
    return 0;
}

static int on_failed(void *ctx, const rmd_journal_task *task)
{
    return add_cause(ctx, task);
}

/* ---- runs ---- */

static int add_run_end(summary *s, const rmd_journal_run *run)
{
    if (run->ended_ns) {
        int err = rmdi_buffer_add_text(s->text, "  ended after ");
        if (err == 0)
            err = rmdi_report_time(between(run->started_ns, run->ended_ns), s->text);
        if (err == 0)
            err = rmdi_buffer_add_format(s->text, " with exit status %d", run->status);
        if (err == 0 && *run->detail)
            err = rmdi_buffer_add_text(s->text, ": ");
        if (err == 0)
            err = rmdi_report_clean(rmdi_bytes_of(run->detail), 0, s->text);
        return err;
    }
    if (rmdi_run_is_alive(run))
        return rmdi_buffer_add_format(s->text, "  is running (pid %d)", run->pid);
    return rmdi_buffer_add_text(s->text, "  was killed");
}

static int add_run_counts(summary *s, const rmd_journal_run *run)
{
    char line[300];
    rmd_census census = run->census;
    uint64_t under_way = rmdi_run_is_alive(run) ? 0 : census.running;
    census.running -= under_way; /* of a run that is not there any more nothing runs */
    census.submitted -= under_way;
    rmd_census_format(&census, line, sizeof line);
    int err = rmdi_buffer_add_format(s->text, "\n  %s", line);
    if (err == 0 && under_way)
        err = rmdi_buffer_add_format(s->text, "; %" PRIu64 " under way", under_way);
    if (err == 0 && run->skipped)
        err = rmdi_buffer_add_format(s->text, "; %" PRIu64 " had ended before", run->skipped);
    if (err == 0 && run->total != UINT64_MAX && run->total > run->census.submitted + run->skipped)
        err = rmdi_buffer_add_format(s->text, "; %" PRIu64 " not begun",
                                     run->total - run->census.submitted - run->skipped);
    return err < 0 ? err : rmdi_buffer_add_text(s->text, "\n");
}

static int on_run(void *ctx, const rmd_journal_run *run)
{
    summary *s = ctx;
    int err = rmdi_buffer_add_format(s->text, "Run %" PRId64 ", ", run->id);
    if (err == 0)
        err = rmdi_report_date(run->started_ns, s->text);
    if (err == 0)
        err = rmdi_buffer_add_text(s->text, ", on ");
    if (err == 0)
        err = rmdi_report_clean(rmdi_bytes_of(run->host), 0, s->text);
    if (err == 0)
        err = rmdi_buffer_add_format(s->text, ", %u slot%s\n  $ ", run->slots,
                                     run->slots == 1 ? "" : "s");
    if (err == 0)
        err = rmdi_report_clean(rmdi_bytes_of(run->command), 0, s->text);
    if (err == 0)
        err = rmdi_buffer_add_text(s->text, "\n");
    if (err == 0)
        err = add_run_end(s, run);
    if (run->ended_ns) {
        s->run = run->id;
        s->slot_ns = between(run->started_ns, run->ended_ns) * run->slots;
    }
    return err == 0 ? add_run_counts(s, run) : err;
}

/* ---- the account ---- */

static int add_phase(summary *s, const char *name, int64_t ns, int64_t all_ns)
{
    int err = rmdi_buffer_add_format(s->text, "  %-10s %5.1f %%   ", name,
                                     100.0 * (double)ns / (double)(all_ns ? all_ns : 1));
    if (err == 0)
        err = rmdi_report_time(ns, s->text);
    if (err == 0)
        err = rmdi_buffer_add_text(s->text, ", ");
    if (err == 0)
        err = rmdi_report_time(ns / (int64_t)s->attempts, s->text);
    return err < 0 ? err : rmdi_buffer_add_text(s->text, " each\n");
}

static int add_phases(summary *s)
{
    static const char *const names[] = { "queue", "spawn", "run", "return" };
    int64_t all_ns = 0;
    for (int i = 0; i < PHASES; i++)
        all_ns += s->phases[i];
    if (!s->attempts)
        return 0;
    int err = rmdi_buffer_add_format(s->text, "\nWhere the time of %" PRIu64 " attempt%s went\n",
                                     s->attempts, s->attempts == 1 ? "" : "s");
    for (int i = 0; i < PHASES && err == 0; i++)
        err = add_phase(s, names[i], s->phases[i], all_ns);
    return err;
}

static int on_extreme(void *ctx, const rmd_journal_task *task)
{
    summary *s = ctx;
    rmd_bytes command = task->command;
    const char *newline = memchr(command.data, '\n', command.len);
    if (newline)
        command.len = (size_t)(newline - (const char *)command.data);
    int err = rmdi_buffer_add_format(s->text, "   task %" PRIu64 ": ", task->seq);
    return err < 0 ? err : rmdi_report_clean(command, COMMAND_SHOWN, s->text);
}

static int add_extremes(summary *s, const char *title, const extreme *all,
                        int (*add_value)(uint64_t value, rmdi_buffer *text))
{
    int err = s->attempts ? rmdi_buffer_add_format(s->text, "\n%s\n", title) : 0;
    for (int i = 0; i < TOP && all[i].value && err == 0; i++) {
        size_t begin = s->text->len;
        rmd_journal_query query = { .size = sizeof query, .id = all[i].task };
        err = rmdi_buffer_add_text(s->text, "  ");
        if (err == 0)
            err = add_value(all[i].value, s->text);
        while (err == 0 && s->text->len < begin + 12)
            err = rmdi_buffer_add_byte(s->text, ' ');
        if (err == 0)
            err = rmd_journal_tasks(s->journal, &query, on_extreme, s);
        if (err == 0)
            err = rmdi_buffer_add_byte(s->text, '\n');
    }
    return err;
}

static int add_time(uint64_t value, rmdi_buffer *text)
{
    return rmdi_report_time((int64_t)value, text);
}

static int add_one_cause(summary *s, const cause *c)
{
    int err = rmdi_buffer_add_format(s->text, "  %8" PRIu64 " x ", c->count);
    if (err == 0)
        err = rmdi_report_clean(rmdi_bytes_of(c->detail), 0, s->text);
    for (uint64_t i = 0; i < c->count && i < EXAMPLES && err == 0; i++)
        err = rmdi_buffer_add_format(s->text, "%s%" PRIu64,
                                     i              ? ", "
                                     : c->count > 1 ? "   tasks "
                                                    : "   task ",
                                     c->examples[i]);
    return err < 0 ? err : rmdi_buffer_add_text(s->text, c->count > EXAMPLES ? ", ...\n" : "\n");
}

static int add_causes(summary *s)
{
    int err = s->not_ok ? rmdi_buffer_add_text(s->text, "\nWhy tasks did not succeed\n") : 0;
    for (int i = 0; i < CAUSES && s->causes[i].detail && err == 0; i++)
        err = add_one_cause(s, &s->causes[i]);
    if (err == 0 && s->other_causes)
        err = rmdi_buffer_add_format(s->text, "  %8" PRIu64 " x something else\n", s->other_causes);
    return err;
}

static int add_account(summary *s)
{
    int err = add_phases(s);
    if (err == 0 && s->busy_ns && s->slot_ns)
        err = rmdi_buffer_add_format(s->text,
                                     "  in run %" PRId64 " the slots were in use %.1f %% of "
                                     "the time\n",
                                     s->run, 100.0 * (double)s->busy_ns / (double)s->slot_ns);
    if (err == 0)
        err = add_extremes(s, "Slowest", s->slowest, add_time);
    if (err == 0)
        err = add_extremes(s, "Largest in memory", s->largest, rmdi_report_size);
    return err < 0 ? err : add_causes(s);
}

int rmdi_explain_all(rmd_journal *journal, rmdi_buffer *text)
{
    summary s = { .journal = journal, .text = text };
    rmd_journal_query failed = { .size = sizeof failed, .failed = true };
    int err = rmd_journal_begin(journal);
    if (err == 0)
        err = rmd_journal_runs(journal, on_run, &s);
    if (err == 0)
        err = rmd_journal_attempts(journal, 0, on_attempt, &s);
    if (err == 0)
        err = rmd_journal_tasks(journal, &failed, on_failed, &s);
    if (err == 0)
        err = add_account(&s);
    rmd_journal_end(journal);
    for (int i = 0; i < CAUSES; i++)
        rmdi_free(s.causes[i].detail);
    return err;
}
