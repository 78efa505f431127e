/* SPDX-License-Identifier: MIT */
#include "job/report_private.h"

#include <stdio.h>

bool rmdi_report_is_bad(rmd_outcome outcome)
{
    return outcome != RMD_PENDING && outcome != RMD_OUTCOME_OK;
}

uint64_t rmdi_report_bad(const report *r)
{
    return r->tasks - r->outcomes[RMD_OUTCOME_OK] - r->outcomes[RMD_PENDING];
}

const char *rmdi_report_verdict_class(const report *r)
{
    if (rmdi_report_bad(r))
        return "bad";
    return r->outcomes[RMD_PENDING] || r->not_begun || !r->tasks ? "open" : "ok";
}

static void tasks(rmdi_page *page, uint64_t count)
{
    rmdi_page_count(page, count);
    rmdi_page_text(page, count == 1 ? " task" : " tasks");
}

void rmdi_report_verdict(rmdi_page *page, const report *r)
{
    uint64_t bad = rmdi_report_bad(r), open = r->outcomes[RMD_PENDING];
    if (!r->tasks) {
        rmdi_page_text(page, r->not_begun ? "No task was begun" : "There was nothing to do");
    } else if (bad) {
        rmdi_page_count(page, bad);
        rmdi_page_text(page, " of ");
        tasks(page, r->tasks);
        rmdi_page_text(page, bad == 1 ? " is not OK" : " are not OK");
    } else if (r->tasks > open) {
        rmdi_page_text(page, r->tasks - open > 1 ? "All " : "");
        tasks(page, r->tasks - open);
        rmdi_page_text(page, open ? " that ended: OK" : " OK");
    } else {
        rmdi_page_text(page, "No task has ended");
    }
    if (open && r->tasks > open) {
        rmdi_page_text(page, ", ");
        rmdi_page_count(page, open);
        rmdi_page_text(page, open == 1 ? " has not ended" : " have not ended");
    }
}

/* A figure is made in a buffer of its own, like a page that is never written. */
static void give(rmdi_page *page, rmdi_page *value, report_figure_fn *fn, unsigned i,
                 const char *name, const char *note)
{
    if (value->err)
        rmdi_page_added(page, value->err);
    else
        fn(page, i, name, value->text.data ? value->text.data : "", note);
    rmdi_buffer_clear(&value->text);
}

static void figures_of_slots(rmdi_page *page, const report *r, rmdi_page *value,
                             report_figure_fn *fn)
{
    char note[48] = "";
    double use = r->slot_time > 0 ? r->busy / r->slot_time * 100 : 0;
    rmdi_page_number(value, use > 100 ? 100 : use, use < 99.95 ? 1 : 0);
    rmdi_page_text(value, " %");
    give(page, value, fn, 1, "Slots in use", "of their time");
    rmdi_page_number(value, r->wall > 0 ? r->busy / r->wall : 0, 2);
    rmdi_page_text(value, "×");
    if (r->shown && r->runs_len == 1)
        snprintf(note, sizeof note, "%u slot%s", r->shown->run.slots,
                 r->shown->run.slots == 1 ? "" : "s");
    give(page, value, fn, 2, "Speed-up", *note ? note : "busy time by wall time");
}

void rmdi_report_figures(rmdi_page *page, const report *r, report_figure_fn *fn)
{
    char note[48] = "";
    rmdi_page value = { .fd = -1 };
    if (r->runs_all > 1)
        snprintf(note, sizeof note, "in %llu runs", (unsigned long long)r->runs_all);
    rmdi_page_time(&value, r->wall);
    give(page, &value, fn, 0, "Wall time", note);
    figures_of_slots(page, r, &value, fn);
    rmdi_page_time(&value, r->cpu);
    give(page, &value, fn, 3, "CPU time", "user and system");
    rmdi_page_size(&value, (double)r->memory_bytes);
    give(page, &value, fn, 4, "Largest task", "resident set");
    double rate = r->wall > 0 ? (double)r->attempts / r->wall * 1e9 : 0;
    rmdi_page_number(&value, rate, rate < 10 ? 2 : rate < 100 ? 1 : 0);
    rmdi_page_text(&value, "/s");
    give(page, &value, fn, 5, "Rate", "attempts");
    rmdi_buffer_free(&value.text);
}

void rmdi_report_ending(rmdi_page *page, const report_run *run)
{
    if (!run->run.ended_ns) {
        rmdi_page_text(page, "no end: it still runs, or was killed");
        return;
    }
    rmdi_page_format(page, "exit status %d", run->run.status);
    if (*run->run.detail) {
        rmdi_page_text(page, ": ");
        rmdi_page_foreign(page, rmdi_bytes_of(run->run.detail), REPORT_COMMAND_MAX);
    }
}
