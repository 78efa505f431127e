/* SPDX-License-Identifier: MIT */
/* The page to look around in. All that is numbers and words is written here, and can be read
 * without JavaScript, which only draws the timeline. */
#include "job/report_private.h"
#include "job/report_text.h"

#include <inttypes.h>
#include <string.h>

extern const char rmdi_report_css[], rmdi_report_js[]; /* report.css, report.js */

enum { TAIL_LINES = 20, TAIL_BYTES = 2048, TITLE_MAX = 200, LANES_LISTED = 1024 };

static void foreign(rmdi_page *page, const char *text, size_t limit)
{
    rmdi_page_foreign(page, rmdi_bytes_of(text), limit);
}

/* ---- head ---- */

static void write_head(rmdi_page *page, const report *r)
{
    const char *command = r->shown ? r->shown->run.command : "remuda run";
    rmdi_page_text(page,
                   "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                   "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
                   "<meta name=\"color-scheme\" content=\"light dark\">\n"
                   "<link rel=\"icon\" href=\"data:,\">\n<title>");
    rmdi_report_verdict(page, r);
    rmdi_page_text(page, " – ");
    foreign(page, command, TITLE_MAX);
    rmdi_page_text(page, "</title>\n<style>\n");
    rmdi_page_text(page, rmdi_report_css);
    rmdi_page_text(page, "</style>\n</head>\n<body>\n");
}

static void figure_item(rmdi_page *page, unsigned i, const char *name, const char *value,
                        const char *note)
{
    (void)i;
    rmdi_page_format(page, "<div><dt>%s</dt><dd>%s<small>%s</small></dd></div>\n", name, value,
                     note);
}

static void census_part(rmdi_page *page, const char *class, uint64_t count)
{
    if (count)
        rmdi_page_format(page, "<i class=\"fill %s\" style=\"flex-grow:%" PRIu64 "\"></i>", class,
                         count);
}

static void census_name(rmdi_page *page, const char *class, const char *name, uint64_t count)
{
    if (!count)
        return;
    rmdi_page_format(page, "<li><i class=\"fill %s\"></i><b>", class);
    rmdi_page_count(page, count);
    rmdi_page_format(page, "</b> %s</li>", name);
}

static const struct {
    rmd_outcome outcome;
    const char *class, *name;
} kinds[] = {
    { RMD_OUTCOME_OK, "ok", "OK" },
    { RMD_OUTCOME_FAILED, "failed", "failed" },
    { RMD_OUTCOME_TIMEOUT, "timeout", "timed out" },
    { RMD_OUTCOME_CANCELLED, "cancelled", "cancelled" },
    { RMD_OUTCOME_LOST, "lost", "lost" },
    { RMD_OUTCOME_DEAD, "lost", "dead" },
    { RMD_PENDING, "pending", "without an end" },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void write_census(rmdi_page *page, const report *r)
{
    rmdi_page_text(page, "<div class=\"census\" aria-hidden=\"true\">");
    for (size_t i = 0; i < KINDS; i++)
        census_part(page, kinds[i].class, r->outcomes[kinds[i].outcome]);
    census_part(page, "unbegun", r->not_begun);
    rmdi_page_text(page, "</div>\n<ul class=\"legend\">");
    for (size_t i = 0; i < KINDS; i++)
        census_name(page, kinds[i].class, kinds[i].name, r->outcomes[kinds[i].outcome]);
    census_name(page, "unbegun", "not begun", r->not_begun);
    rmdi_page_text(page, "</ul>\n");
}

static void write_when(rmdi_page *page, const report_run *run)
{
    rmdi_page_text(page, "<p class=\"when\">remuda run on <b>");
    foreign(page, run->run.host, TITLE_MAX);
    rmdi_page_text(page, "</b>, ");
    rmdi_page_date(page, run->run.started_ns);
    rmdi_page_text(page, "</p>\n");
}

static void write_header(rmdi_page *page, const report *r)
{
    rmdi_page_text(page, "<header>\n");
    if (r->shown)
        write_when(page, r->shown);
    rmdi_page_format(page, "<p class=\"verdict %s\">", rmdi_report_verdict_class(r));
    rmdi_report_verdict(page, r);
    rmdi_page_text(page, "</p>\n<h1><code>");
    foreign(page, r->shown ? r->shown->run.command : "remuda run", REPORT_COMMAND_MAX);
    rmdi_page_text(page, "</code></h1>\n");
    write_census(page, r);
    rmdi_page_text(page, "<dl class=\"figures\">\n");
    rmdi_report_figures(page, r, figure_item);
    rmdi_page_text(page, "</dl>\n</header>\n<main>\n");
}

/* ---- timeline ---- */

static void write_choice(rmdi_page *page, const report *r)
{
    unsigned drawn = 0;
    for (size_t i = 0; i < r->runs_len; i++)
        drawn += r->runs[i].drawing && r->runs[i].attempts;
    if (drawn < 2)
        return;
    rmdi_page_text(page, "<label>Run <select id=\"run\">");
    for (size_t i = r->runs_len; i-- > 0;) {
        const report_run *run = &r->runs[i];
        if (!run->drawing || !run->attempts)
            continue;
        rmdi_page_format(page, "<option%s>%" PRId64 ": ", run == r->shown ? " selected" : "",
                         run->run.id);
        rmdi_page_date(page, run->run.started_ns);
        rmdi_page_text(page, "</option>");
    }
    rmdi_page_text(page, "</select></label>");
}

static void write_timeline(rmdi_page *page, const report *r)
{
    rmdi_page_text(page, "<section id=\"timeline\">\n<div class=\"title\"><h2>Timeline</h2>");
    if (!r->attempts) {
        rmdi_page_text(page, "</div>\n<p class=\"none\">No attempt has ended.</p>\n</section>\n");
        return;
    }
    write_choice(page, r);
    rmdi_page_text(
        page,
        "<div class=\"tools\" hidden><button type=\"button\" data-do=\"left\" title=\"Earlier "
        "(←)\" aria-label=\"Earlier\">←</button><button type=\"button\" data-do=\"right\" "
        "title=\"Later (→)\" aria-label=\"Later\">→</button><button type=\"button\" "
        "data-do=\"out\" title=\"Less detail (−)\" aria-label=\"Zoom out\">−</button><button "
        "type=\"button\" data-do=\"in\" title=\"More detail (+)\" aria-label=\"Zoom in\">+"
        "</button><button type=\"button\" data-do=\"all\" title=\"The whole run (0)\">All"
        "</button></div></div>\n"
        "<noscript><p class=\"none\">The timeline is drawn by JavaScript; the tables below do "
        "without.</p></noscript>\n"
        "<canvas id=\"load\" aria-hidden=\"true\"></canvas>\n"
        "<canvas id=\"lanes\" tabindex=\"0\" role=\"application\" aria-label=\"Timeline: tasks "
        "by slot. Plus and minus zoom, arrows move, n and p go from task to task, 0 shows all."
        "\" aria-describedby=\"told\"></canvas>\n"
        "<p id=\"told\" class=\"unseen\" aria-live=\"polite\"></p>\n<div id=\"tip\" hidden></div>\n"
        "<ul class=\"legend\" id=\"kinds\"><li><i class=\"fill ok\"></i>OK</li><li><i "
        "class=\"fill failed\"></i>failed</li><li><i class=\"fill timeout\"></i>timed out</li>"
        "<li><i class=\"fill cancelled\"></i>cancelled</li><li><i class=\"fill lost\"></i>lost"
        "</li><li class=\"cpu\"><i></i>CPUs in use</li></ul>\n"
        "<p id=\"note\" class=\"note\"></p>\n</section>\n");
}

/* ---- spreads ---- */

static void quantiles(rmdi_page *page, const rmdi_spread *spread, bool bytes)
{
    static const struct {
        const char *name;
        double share;
    } rows[] = { { "least", 0 }, { "median", .5 }, { "90 %", .9 }, { "99 %", .99 }, { "most", 1 } };
    rmdi_page_text(page, "<dl class=\"quantiles\">");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double value = rows[i].share <= 0   ? (double)spread->min
                       : rows[i].share >= 1 ? (double)spread->max
                                            : (double)rmdi_spread_quantile(spread, rows[i].share);
        rmdi_page_format(page, "<div><dt>%s</dt><dd>", rows[i].name);
        (bytes ? rmdi_page_size : rmdi_page_time)(page, value);
        rmdi_page_text(page, "</dd></div>");
    }
    rmdi_page_text(page, "</dl>\n");
}

static void write_spread(rmdi_page *page, const char *title, const char *what,
                         const report_chart *chart)
{
    rmdi_page_format(page, "<section class=\"half\">\n<h2>%s</h2>\n", title);
    if (chart->all->count) {
        rmdi_page_format(page,
                         "<svg class=\"chart\" viewBox=\"0 0 460 200\" role=\"img\" "
                         "aria-label=\"Histogram: %s\">",
                         what);
        rmdi_report_histogram(page, chart);
        rmdi_page_text(page, "</svg>\n");
        quantiles(page, chart->all, chart->bytes);
    } else {
        rmdi_page_text(page, "<p class=\"none\">No program was started.</p>\n");
    }
    rmdi_page_text(page, "</section>\n");
}

static void write_spreads(rmdi_page *page, const report *r)
{
    report_chart runs = {
        .all = &r->phases[PHASE_RUN], .bad = &r->bad_runs, .x = 44, .width = 400, .height = 200
    };
    report_chart memory = {
        .all = &r->memory, .bytes = true, .x = 44, .width = 400, .height = 200
    };
    rmdi_page_text(page, "<div class=\"pair\">\n");
    write_spread(page, "Run times", "attempts by run time", &runs);
    write_spread(page, "Memory", "attempts by largest resident set", &memory);
    rmdi_page_text(page, "</div>\n");
}

/* ---- where the time went ---- */

static void share_bar(rmdi_page *page, const char *class, double part, double all)
{
    unsigned thousandths = all > 0 ? (unsigned)(part / all * 1000 + .5) : 0;
    if (thousandths)
        rmdi_page_format(page, "<i class=\"fill %s\" style=\"flex-grow:%u\"></i>", class,
                         thousandths);
}

static const struct {
    const char *class, *name, *what;
} phases[PHASES] = {
    { "queue", "Queued", "wanted to start, waited for its turn" },
    { "start", "Starting", "being started, until the program was executed" },
    { "run", "Running", "the program itself" },
    { "return", "Returning", "ended; its output is read, what it left is ended" },
};

static void phase_row(rmdi_page *page, const report *r, report_phase phase)
{
    const rmdi_spread *spread = &r->phases[phase];
    double mean = spread->count ? spread->sum / (double)spread->count : 0;
    double share = r->slot_time > 0 ? spread->sum / r->slot_time * 100 : 0;
    rmdi_page_format(page,
                     "<tr><th scope=\"row\"><i class=\"fill %s\"></i>%s<small>%s</small></th>",
                     phases[phase].class, phases[phase].name, phases[phase].what);
    const double values[] = { spread->sum, mean, (double)rmdi_spread_quantile(spread, .5),
                              (double)rmdi_spread_quantile(spread, .99), (double)spread->max };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        rmdi_page_text(page, "<td class=\"n\">");
        rmdi_page_time(page, values[i]);
        rmdi_page_text(page, "</td>");
    }
    rmdi_page_text(page, "<td class=\"n\">");
    if (phase == PHASE_QUEUE) {
        rmdi_page_text(page, "–");
    } else {
        rmdi_page_number(page, share, 1);
        rmdi_page_text(page, " %");
    }
    rmdi_page_text(page, "</td></tr>\n");
}

static void idle_row(rmdi_page *page, const report *r, double idle)
{
    rmdi_page_text(page, "<tr><th scope=\"row\"><i class=\"fill idle\"></i>Idle<small>slots "
                         "without a task</small></th><td class=\"n\">");
    rmdi_page_time(page, idle);
    rmdi_page_text(page, "</td><td></td><td></td><td></td><td></td><td class=\"n\">");
    rmdi_page_number(page, r->slot_time > 0 ? idle / r->slot_time * 100 : 0, 1);
    rmdi_page_text(page, " %</td></tr>\n");
}

static void write_phases(rmdi_page *page, const report *r)
{
    double idle = r->slot_time > r->busy ? r->slot_time - r->busy : 0;
    rmdi_page_text(page, "<section>\n<h2>Where the time went</h2>\n<div class=\"census thin\" "
                         "aria-hidden=\"true\">");
    for (int i = PHASE_START; i < PHASES; i++)
        share_bar(page, phases[i].class, r->phases[i].sum, r->slot_time);
    share_bar(page, "idle", idle, r->slot_time);
    rmdi_page_text(page,
                   "</div>\n<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Phase"
                   "</th><th scope=\"col\" class=\"n\">in all</th><th scope=\"col\" class=\"n\">"
                   "mean</th><th scope=\"col\" class=\"n\">median</th><th scope=\"col\" "
                   "class=\"n\">99 %</th><th scope=\"col\" class=\"n\">longest</th><th "
                   "scope=\"col\" class=\"n\">of the slots’ time</th></tr></thead>\n<tbody>\n");
    for (int i = 0; i < PHASES; i++)
        phase_row(page, r, (report_phase)i);
    idle_row(page, r, idle);
    rmdi_page_text(page, "</tbody></table></div>\n");
    if (r->never_started) {
        rmdi_page_text(page, "<p class=\"note\">");
        rmdi_page_count(page, r->never_started);
        rmdi_page_text(page, r->never_started == 1 ? " attempt was" : " attempts were");
        rmdi_page_text(page, " never started.</p>\n");
    }
    rmdi_page_text(page, "</section>\n");
}

/* ---- failures ---- */

static void outcome_cell(rmdi_page *page, rmd_outcome outcome)
{
    for (size_t i = 0; i < KINDS; i++)
        if (kinds[i].outcome == outcome)
            rmdi_page_format(page, "<td class=\"is\"><i class=\"fill %s\"></i>%s</td>",
                             kinds[i].class, kinds[i].name);
}

static void command_cell(rmdi_page *page, const char *clean)
{
    rmdi_page_text(page, "<td class=\"command\"><code>");
    foreign(page, clean, 0);
    rmdi_page_text(page, "</code>");
}

/* The last lines of a text, and no more bytes than are worth showing. */
static rmd_bytes last_lines(rmd_bytes text)
{
    const char *data = text.data, *end = data + text.len, *start = end;
    if (start > data && start[-1] == '\n')
        end = --start;
    for (unsigned lines = 0; start > data && end - start < TAIL_BYTES; start--)
        if (start[-1] == '\n' && ++lines == TAIL_LINES)
            break;
    while (start < end && (*start & 0xc0) == 0x80) /* not from within a character */
        start++;
    return (rmd_bytes){ start, (size_t)(end - start) };
}

typedef struct tail {
    rmdi_buffer text; /* of the last attempt */
    bool cut;
} tail;

static int on_last_attempt(void *ctx, const rmd_journal_attempt *a)
{
    tail *last = ctx;
    rmd_bytes lines = last_lines(a->err_tail);
    rmdi_buffer_clear(&last->text);
    last->cut = lines.len + 1 < a->err_tail.len;
    return rmdi_buffer_add(&last->text, lines.data, lines.len);
}

static int failure_row(rmdi_page *page, const report *r, const report_task *task)
{
    tail last = { 0 };
    rmdi_page_format(page, "<tr><td class=\"n\">%" PRIu64 "</td>", task->seq);
    outcome_cell(page, task->outcome);
    rmdi_page_text(page, "<td class=\"why\">");
    foreign(page, task->detail, 0);
    if (task->attempts > 1)
        rmdi_page_format(page, " <small>after %u attempts</small>", task->attempts);
    rmdi_page_text(page, "</td>");
    command_cell(page, task->command);
    int err = rmd_journal_attempts(r->journal, task->id, on_last_attempt, &last);
    if (last.text.len) {
        rmdi_page_format(page, "<details><summary>stderr</summary><pre>%s", last.cut ? "…\n" : "");
        rmdi_page_foreign(page, rmdi_buffer_view(&last.text), 0);
        rmdi_page_text(page, "</pre></details>");
    }
    rmdi_page_text(page, "</td></tr>\n");
    rmdi_buffer_free(&last.text);
    return err;
}

static void write_causes(rmdi_page *page, const report *r)
{
    rmdi_page_text(page, "<ul class=\"causes\">");
    for (size_t i = 0; i < r->causes_len; i++) {
        rmdi_page_text(page, "<li><b>");
        rmdi_page_count(page, r->causes[i].count);
        rmdi_page_text(page, "</b> ");
        foreign(page, *r->causes[i].detail ? r->causes[i].detail : "no cause told", TITLE_MAX);
        rmdi_page_text(page, "</li>");
    }
    if (r->other_causes) {
        rmdi_page_text(page, "<li><b>");
        rmdi_page_count(page, r->other_causes);
        rmdi_page_text(page, "</b> other</li>");
    }
    rmdi_page_text(page, "</ul>\n");
}

static void and_more(rmdi_page *page, const report_tasks *tasks)
{
    if (tasks->all <= tasks->count)
        return;
    rmdi_page_text(page, "<p class=\"note\">and ");
    rmdi_page_count(page, tasks->all - tasks->count);
    rmdi_page_text(page, " more, which the journal lists.</p>\n");
}

static int write_failures(rmdi_page *page, const report *r)
{
    if (!r->failures.all)
        return 0;
    rmdi_page_text(page, "<section id=\"failures\">\n<h2>Not OK</h2>\n");
    write_causes(page, r);
    rmdi_page_text(page,
                   "<div class=\"scroll tall\" tabindex=\"0\"><table class=\"tasks\">\n<thead>"
                   "<tr><th scope=\"col\" class=\"n\">Task</th><th scope=\"col\">Outcome</th>"
                   "<th scope=\"col\">Why</th><th scope=\"col\">Command</th></tr></thead>\n"
                   "<tbody>\n");
    int err = 0;
    for (size_t i = 0; i < r->failures.count && err == 0; i++)
        err = failure_row(page, r, &r->failures.items[i]);
    rmdi_page_text(page, "</tbody></table></div>\n");
    and_more(page, &r->failures);
    rmdi_page_text(page, "</section>\n");
    return err;
}

static void write_unfinished(rmdi_page *page, const report *r)
{
    if (!r->unfinished.all)
        return;
    rmdi_page_text(page, "<section id=\"unfinished\">\n<h2>Begun, without an end</h2>\n"
                         "<div class=\"scroll\"><table class=\"tasks\">\n<thead><tr><th "
                         "scope=\"col\" class=\"n\">Task</th><th scope=\"col\">Begun</th>"
                         "<th scope=\"col\">Command</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < r->unfinished.count; i++) {
        const report_task *task = &r->unfinished.items[i];
        rmdi_page_format(page, "<tr><td class=\"n\">%" PRIu64 "</td><td class=\"date\">",
                         task->seq);
        rmdi_page_date(page, task->begun_ns);
        rmdi_page_text(page, "</td>");
        command_cell(page, task->command);
        rmdi_page_text(page, "</td></tr>\n");
    }
    rmdi_page_text(page, "</tbody></table></div>\n");
    and_more(page, &r->unfinished);
    rmdi_page_text(page, "</section>\n");
}

/* ---- the longest ---- */

static int on_long_task(void *ctx, const rmd_journal_task *task)
{
    rmdi_page *page = ctx;
    rmdi_page_format(page, "<td class=\"n\">%" PRIu64 "</td><td class=\"command\"><code>",
                     task->seq);
    rmdi_page_foreign(page, task->command, REPORT_COMMAND_SHORT_MAX);
    rmdi_page_text(page, "</code></td>");
    return 0;
}

static int long_row(rmdi_page *page, const report *r, const report_attempt *a)
{
    double share = r->longest[0].run_ns > 0 ? a->run_ns / r->longest[0].run_ns * 100 : 0;
    rmdi_page_text(page, "<tr><td class=\"n meter\"><span>");
    rmdi_page_time(page, a->run_ns);
    rmdi_page_format(page, "</span><i style=\"width:%u%%\"></i></td>", (unsigned)share);
    outcome_cell(page, a->outcome);
    rmdi_page_text(page, "<td class=\"n\">");
    rmdi_page_time(page, a->cpu_ns);
    rmdi_page_text(page, "</td><td class=\"n\">");
    rmdi_page_size(page, (double)a->memory_bytes);
    rmdi_page_text(page, "</td>");
    rmd_journal_query query = { .size = sizeof query, .id = a->task };
    int err = rmd_journal_tasks(r->journal, &query, on_long_task, page);
    rmdi_page_text(page, "</tr>\n");
    return err;
}

static int write_longest(rmdi_page *page, const report *r)
{
    if (r->longest_len < 2)
        return 0;
    rmdi_page_text(page, "<section id=\"longest\">\n<h2>The longest</h2>\n<div class=\"scroll\">"
                         "<table class=\"tasks\">\n<thead><tr><th scope=\"col\" class=\"n\">Run "
                         "time</th><th scope=\"col\">Outcome</th><th scope=\"col\" class=\"n\">"
                         "CPU</th><th scope=\"col\" class=\"n\">Memory</th><th scope=\"col\" "
                         "class=\"n\">Task</th><th scope=\"col\">Command</th></tr></thead>\n"
                         "<tbody>\n");
    int err = 0;
    for (size_t i = 0; i < r->longest_len && err == 0; i++)
        err = long_row(page, r, &r->longest[i]);
    rmdi_page_text(page, "</tbody></table></div>\n</section>\n");
    return err;
}

/* ---- slots ---- */

static void slot_row(rmdi_page *page, const report_run *run, uint32_t slot)
{
    const report_lane *lane = &run->drawing->lanes[slot];
    double wall = (double)(run->end - run->begin), use = wall > 0 ? lane->busy / wall * 100 : 0;
    use = use > 100 ? 100 : use;
    bool several = slot + 1 == run->drawing->lanes_len && run->run.slots > slot + 1;
    rmdi_page_format(page, "<tr><th scope=\"row\" class=\"n\">%u%s</th><td class=\"n\">", slot + 1,
                     several ? "…" : "");
    rmdi_page_count(page, lane->attempts);
    rmdi_page_text(page, "</td><td class=\"n\">");
    rmdi_page_count(page, lane->bad);
    rmdi_page_text(page, "</td><td class=\"n\">");
    rmdi_page_time(page, lane->busy);
    rmdi_page_text(page, "</td><td class=\"n meter\"><span>");
    rmdi_page_number(page, use, 1);
    rmdi_page_format(page, " %%</span><i style=\"width:%u%%\"></i></td><td class=\"n\">",
                     (unsigned)use);
    rmdi_page_time(page, lane->cpu);
    rmdi_page_text(page, "</td><td class=\"n\">");
    rmdi_page_size(page, (double)lane->memory_bytes);
    rmdi_page_text(page, "</td></tr>\n");
}

static void write_slots(rmdi_page *page, const report *r)
{
    const report_run *run = r->shown;
    if (!run || !run->drawing || !run->attempts)
        return;
    uint32_t rows = run->drawing->lanes_used < LANES_LISTED ? run->drawing->lanes_used
                                                            : LANES_LISTED;
    rmdi_page_format(page,
                     "<section>\n<details class=\"part\"%s><summary><h2>Slots of run %" PRId64
                     "</h2></summary>\n<div class=\"scroll\"><table>\n<thead><tr><th "
                     "scope=\"col\" class=\"n\">Slot</th><th scope=\"col\" class=\"n\">Attempts"
                     "</th><th scope=\"col\" class=\"n\">not OK</th><th scope=\"col\" "
                     "class=\"n\">Busy</th><th scope=\"col\" class=\"n\">In use</th><th "
                     "scope=\"col\" class=\"n\">CPU</th><th scope=\"col\" class=\"n\">Largest"
                     "</th></tr></thead>\n<tbody>\n",
                     rows <= 16 ? " open" : "", run->run.id);
    for (uint32_t i = 0; i < rows; i++)
        slot_row(page, run, i);
    rmdi_page_text(page, "</tbody></table></div>\n</details>\n</section>\n");
}

/* ---- runs and machine ---- */

static void run_row(rmdi_page *page, const report_run *run)
{
    const rmd_census *census = &run->run.census;
    const uint64_t counts[] = { census->submitted, census->ok,
                                census->failed + census->cancelled + census->timeout +
                                    census->lost + census->dead,
                                run->run.skipped };
    rmdi_page_format(page, "<tr><th scope=\"row\" class=\"n\">%" PRId64 "</th><td class=\"date\">",
                     run->run.id);
    rmdi_page_date(page, run->run.started_ns);
    rmdi_page_text(page, "</td><td class=\"n\">");
    rmdi_page_time(page, (double)(run->end - run->begin));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        rmdi_page_text(page, "</td><td class=\"n\">");
        rmdi_page_count(page, counts[i]);
    }
    rmdi_page_format(page, "</td><td class=\"n\">%u</td><td>", run->run.slots);
    rmdi_report_ending(page, run);
    rmdi_page_text(page, "</td></tr>\n");
}

static void write_runs(rmdi_page *page, const report *r)
{
    rmdi_page_text(page, "<section id=\"runs\">\n<h2>Runs</h2>\n<div class=\"scroll\"><table>\n"
                         "<thead><tr><th scope=\"col\" class=\"n\">Run</th><th scope=\"col\">"
                         "Started</th><th scope=\"col\" class=\"n\">Wall time</th><th "
                         "scope=\"col\" class=\"n\">Tasks</th><th scope=\"col\" class=\"n\">OK"
                         "</th><th scope=\"col\" class=\"n\">not OK</th><th scope=\"col\" "
                         "class=\"n\">Skipped</th><th scope=\"col\" class=\"n\">Slots</th><th "
                         "scope=\"col\">Ending</th></tr></thead>\n<tbody>\n");
    for (size_t i = r->runs_len; i-- > 0;)
        run_row(page, &r->runs[i]);
    rmdi_page_text(page, "</tbody></table></div>\n");
    if (r->runs_all > r->runs_len)
        rmdi_page_format(page,
                         "<p class=\"note\">Only the last %zu of %" PRIu64
                         " runs are part of this page’s times.</p>\n",
                         r->runs_len, r->runs_all);
    rmdi_page_text(page, "</section>\n");
}

static void write_machine(rmdi_page *page, const report_run *run)
{
    rmdi_page_text(page, "<section id=\"machine\">\n<h2>Machine</h2>\n<dl class=\"facts\">"
                         "<div><dt>Host</dt><dd>");
    foreign(page, run->run.host, TITLE_MAX);
    rmdi_page_format(page, "</dd></div><div><dt>CPUs</dt><dd>%u</dd></div><div><dt>Memory</dt><dd>",
                     run->run.cpus);
    rmdi_page_size(page, (double)run->run.memory_bytes);
    rmdi_page_text(page, "</dd></div><div><dt>Folder</dt><dd><code>");
    foreign(page, run->run.dir, 0);
    rmdi_page_text(page, "</code></dd></div><div><dt>Remuda</dt><dd>");
    foreign(page, run->run.version, TITLE_MAX);
    rmdi_page_text(page, "</dd></div></dl>\n</section>\n");
}

static void write_rest(rmdi_page *page, const report *r)
{
    write_slots(page, r);
    if (r->runs_len)
        write_runs(page, r);
    if (r->shown)
        write_machine(page, r->shown);
    rmdi_page_text(page, "</main>\n");
}

int rmdi_report_html(rmdi_page *page, report *r)
{
    write_head(page, r);
    write_header(page, r);
    write_timeline(page, r);
    int err = write_failures(page, r);
    write_unfinished(page, r);
    if (r->attempts)
        write_spreads(page, r);
    if (r->attempts)
        write_phases(page, r);
    if (err == 0)
        err = write_longest(page, r);
    write_rest(page, r);
    rmdi_page_text(page, "<script type=\"application/json\" id=\"data\">");
    if (err == 0)
        err = rmdi_report_json(page, r);
    rmdi_page_text(page, "</script>\n<script>\n");
    rmdi_page_text(page, rmdi_report_js);
    rmdi_page_text(page, "</script>\n</body>\n</html>\n");
    return err;
}
