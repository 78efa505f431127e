/* SPDX-License-Identifier: MIT */
#include "job/watch.h"

#include "base/alloc.h"
#include "base/error.h"
#include "job/report_text.h"

#include <inttypes.h>
#include <string.h>

enum { DEFAULT_COLUMNS = 80, DENSE_BELOW = 16 };

/* ---- characters: valid UTF-8 without controls, as rmdi_report_clean() leaves it ---- */

static size_t length_of(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

static uint32_t value_of(const char *at, size_t len)
{
    uint32_t value = (unsigned char)at[0];
    value &= len == 1 ? 0x7f : 0x7fu >> len;
    for (size_t i = 1; i < len; i++)
        value = value << 6 | ((unsigned char)at[i] & 0x3fu);
    return value;
}

/* Columns of a character. wcwidth() would ask the locale, which may be "C" on a terminal that
 * shows everything; these are the blocks of Unicode that are wholly wide or without width, and a
 * terminal that disagrees cuts the line itself. */
static unsigned width_of(uint32_t c)
{
    static const struct {
        uint32_t first, last;
        unsigned width;
    } blocks[] = {
        { 0x300, 0x36f, 0 },     { 0x1100, 0x115f, 2 },   { 0x1ab0, 0x1aff, 0 },
        { 0x200b, 0x200f, 0 },   { 0x20d0, 0x20ff, 0 },   { 0x2e80, 0xa4cf, 2 },
        { 0xac00, 0xd7a3, 2 },   { 0xf900, 0xfaff, 2 },   { 0xfe00, 0xfe0f, 0 },
        { 0xfe30, 0xfe6f, 2 },   { 0xff00, 0xff60, 2 },   { 0xffe0, 0xffe6, 2 },
        { 0x1f300, 0x1f64f, 2 }, { 0x1f680, 0x1f6ff, 2 }, { 0x1f900, 0x1f9ff, 2 },
        { 0x20000, 0x3fffd, 2 },
    };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if (c >= blocks[i].first && c <= blocks[i].last)
            return blocks[i].width;
    return 1;
}

static unsigned width_of_text(const char *text, size_t len)
{
    unsigned width = 0;
    for (size_t i = 0, n; i < len; i += n) {
        n = length_of((unsigned char)text[i]);
        width += width_of(value_of(text + i, n));
    }
    return width;
}

/* How many bytes of the text fit into that many columns. */
static size_t fitting(const char *text, size_t len, unsigned columns)
{
    size_t i = 0, n;
    for (unsigned width = 0; i < len; i += n) {
        n = length_of((unsigned char)text[i]);
        width += width_of(value_of(text + i, n));
        if (width > columns)
            break;
    }
    return i;
}

/* ---- a page ---- */

typedef struct page {
    const rmdi_watch_state *state;
    int64_t now_ns;
    unsigned columns; /* 0: any number */
    unsigned used;    /* lines */
    bool dense;       /* no blank lines: there are few */
    rmdi_buffer line; /* the one that is being made */
    rmdi_buffer *text;
    int err; /* the first; nothing happens any more */
} page;

static void keep(page *p, int err)
{
    if (p->err == 0)
        p->err = err;
}

#define ADD(p, ...) keep((p), rmdi_buffer_add_format(&(p)->line, __VA_ARGS__))

static unsigned width(const page *p)
{
    return p->line.len ? width_of_text(p->line.data, p->line.len) : 0;
}

static void pad(page *p, unsigned to)
{
    for (unsigned at = width(p); at < to && p->err == 0; at++)
        keep(p, rmdi_buffer_add_byte(&p->line, ' '));
}

/* Foreign bytes, in one line: a newline becomes its picture. */
static void add_foreign(page *p, const char *data, size_t len)
{
    rmdi_buffer clean = { 0 };
    keep(p, rmdi_report_clean((rmd_bytes){ .data = data, .len = len }, 0, &clean));
    for (size_t i = 0; i < clean.len && p->err == 0; i++)
        if (clean.data[i] == '\n')
            keep(p, rmdi_buffer_add_text(&p->line, "␊"));
        else
            keep(p, rmdi_buffer_add_byte(&p->line, clean.data[i] == '\t' ? ' ' : clean.data[i]));
    rmdi_buffer_free(&clean);
}

static void add_text(page *p, const char *text)
{
    add_foreign(p, text, strlen(text));
}

static void add_count(page *p, uint64_t count)
{
    keep(p, rmdi_report_count(count, &p->line));
}

static void add_time(page *p, int64_t ns)
{
    keep(p, rmdi_report_time(ns, &p->line));
}

/* Right-aligned: what follows begins in that column. */
static void add_aligned(page *p, const rmdi_buffer *text, unsigned until)
{
    unsigned before = width(p), own = text->len ? width_of_text(text->data, text->len) : 0;
    pad(p, until > own + before ? until - own : before);
    if (text->len)
        keep(p, rmdi_buffer_add(&p->line, text->data, text->len));
}

static void end_line(page *p)
{
    size_t len = p->line.len;
    bool cut = p->columns && len && width(p) > p->columns;
    if (cut)
        len = fitting(p->line.data, len, p->columns - 1);
    while (!cut && len && p->line.data[len - 1] == ' ')
        len--;
    if (len && p->err == 0)
        keep(p, rmdi_buffer_add(p->text, p->line.data, len));
    if (p->err == 0)
        keep(p, rmdi_buffer_add_text(p->text, cut ? "…\n" : "\n"));
    p->used++;
    rmdi_buffer_clear(&p->line);
}

/* ---- counts ---- */

typedef struct counts {
    uint64_t ended, failed, done,
        total; /* done: with what earlier runs did; total may be unknown */
    int64_t elapsed_ns;
} counts;

static counts count(const rmdi_watch_state *state, int64_t now_ns)
{
    const rmd_journal_run *run = &state->run;
    const rmd_census *c = &run->census;
    counts n = { .failed = c->failed + c->cancelled + c->timeout + c->lost, .total = run->total };
    n.ended = c->ok + n.failed;
    n.done = n.ended + run->skipped;
    if (n.total < n.done) /* the file has grown since it was counted */
        n.total = n.done;
    n.elapsed_ns = (run->ended_ns ? run->ended_ns : now_ns) - run->started_ns;
    if (n.elapsed_ns < 0) /* somebody has set the clock */
        n.elapsed_ns = 0;
    return n;
}

bool rmdi_watch_is_over(const rmdi_watch_state *state)
{
    return !state->run.id || state->run.ended_ns || state->life != RMDI_WATCH_ALIVE;
}

static bool goes_on(const page *p)
{
    return !rmdi_watch_is_over(p->state);
}

/* Begins an item of a list: on this line, or the next. Items are short; what they consist of is
 * added at once, so that nothing has to be moved. */
static void add_item(page *p, const char *gap, const rmdi_buffer *item)
{
    unsigned more = item->len ? width_of_text(item->data, item->len) : 0;
    if (p->line.len && p->columns && width(p) + strlen(gap) + more > p->columns)
        end_line(p);
    if (p->line.len)
        keep(p, rmdi_buffer_add_text(&p->line, gap));
    if (item->len)
        keep(p, rmdi_buffer_add(&p->line, item->data, item->len));
}

static void add_number_item(page *p, const char *gap, uint64_t number, const char *name, bool zero)
{
    rmdi_buffer item = { 0 };
    if (!number && !zero)
        return;
    keep(p, rmdi_report_count(number, &item));
    if (p->err == 0)
        keep(p, rmdi_buffer_add_format(&item, " %s", name));
    add_item(p, gap, &item);
    rmdi_buffer_free(&item);
}

/* "35.2/s", "4.0/min". */
static void add_rate_item(page *p, const char *gap, const counts *n)
{
    static const struct {
        double per_second;
        const char *name;
    } units[] = { { 1, "/s" }, { 60, "/min" }, { 3600, "/h" } };
    rmdi_buffer item = { 0 };
    double rate = n->elapsed_ns > 0 ? (double)n->ended * 1e9 / (double)n->elapsed_ns : 0;
    size_t unit = rate >= 1 ? 0 : rate * 60 >= 1 ? 1 : 2;
    rate *= units[unit].per_second;
    if (!n->ended || rate <= 0)
        return;
    uint64_t tenths = (uint64_t)(rate * 10 + .5);
    if (tenths < 1000)
        keep(p, rmdi_buffer_add_format(&item, "%" PRIu64 ".%" PRIu64, tenths / 10, tenths % 10));
    else
        keep(p, rmdi_report_count((uint64_t)(rate + .5), &item));
    if (p->err == 0)
        keep(p, rmdi_buffer_add_text(&item, units[unit].name));
    add_item(p, gap, &item);
    rmdi_buffer_free(&item);
}

/* By the mean time of those that have ended. */
static void add_left_item(page *p, const char *gap, const counts *n)
{
    rmdi_buffer item = { 0 };
    if (p->state->run.total == UINT64_MAX || !n->ended || n->done >= n->total || !goes_on(p))
        return;
    double left = (double)n->elapsed_ns / (double)n->ended * (double)(n->total - n->done);
    keep(p, rmdi_buffer_add_text(&item, "about "));
    if (p->err == 0) /* whole seconds: more would be a pretence */
        keep(p, left < 10e9   ? rmdi_buffer_add_format(&item, "%d s", (int)(left / 1e9) + 1)
                : left < 60e9 ? rmdi_buffer_add_format(&item, "%d s", (int)(left / 1e9 + .5))
                : left < 9e18 ? rmdi_report_time((int64_t)left, &item)
                              : rmdi_buffer_add_text(&item, "centuries"));
    if (p->err == 0)
        keep(p, rmdi_buffer_add_text(&item, " left"));
    add_item(p, gap, &item);
    rmdi_buffer_free(&item);
}

static void add_items(page *p, const char *gap, const counts *n)
{
    const rmd_journal_run *run = &p->state->run;
    const rmd_census *c = &run->census;
    add_number_item(p, gap, c->ok, "ok", true);
    add_number_item(p, gap, c->failed, "failed", false);
    add_number_item(p, gap, c->timeout, "timeout", false);
    add_number_item(p, gap, c->cancelled, "cancelled", false);
    add_number_item(p, gap, c->lost, "lost", false);
    add_number_item(p, gap, p->state->pending, goes_on(p) ? "running" : "unfinished", false);
    add_number_item(p, gap, run->skipped, "done before", false);
    add_rate_item(p, gap, n);
    add_left_item(p, gap, n);
}

static int percent_of(const counts *n)
{
    return n->total ? (int)((double)n->done * 100 / (double)n->total) : 100;
}

static void add_done(page *p, const counts *n)
{
    add_count(p, n->done);
    if (p->state->run.total == UINT64_MAX) {
        ADD(p, " done");
        return;
    }
    ADD(p, "/");
    add_count(p, n->total);
}

static void add_bar(page *p, const counts *n)
{
    rmdi_buffer numbers = { 0 }, line = p->line;
    p->line = numbers;
    if (p->state->run.total != UINT64_MAX)
        ADD(p, "%3d%%  ", percent_of(n));
    add_done(p, n);
    unsigned columns = p->columns ? p->columns : DEFAULT_COLUMNS, own = width(p) + 4;
    numbers = p->line;
    p->line = line;
    if (p->state->run.total != UINT64_MAX && columns >= own + 8) {
        uint64_t cells = columns - own;
        uint64_t filled = n->total ? (uint64_t)((double)n->done * (double)cells / (double)n->total)
                                   : cells;
        ADD(p, "[");
        for (uint64_t i = 0; i < cells && p->err == 0; i++)
            keep(p, rmdi_buffer_add_byte(&p->line, i < filled ? '=' : i == filled ? '>' : ' '));
        ADD(p, "] ");
    }
    if (numbers.len && p->err == 0)
        keep(p, rmdi_buffer_add(&p->line, numbers.data, numbers.len));
    rmdi_buffer_free(&numbers);
    end_line(p);
}

/* ---- parts of a page ---- */

static void add_title(page *p, const counts *n)
{
    const rmd_journal_run *run = &p->state->run;
    rmdi_buffer time = { 0 };
    keep(p, rmdi_report_time(n->elapsed_ns, &time));
    /* The end of a long path tells more than its beginning. */
    const char *path = p->state->path;
    size_t len = strlen(path), room = p->columns > 50 ? p->columns - 40 : 16;
    if (p->columns && len > room) {
        const char *slash = strrchr(path, '/');
        path = slash ? slash + 1 : path;
    }
    add_text(p, path);
    ADD(p, ": run %" PRId64 ", pid %d, %u slot%s", run->id, (int)run->pid, run->slots,
        run->slots == 1 ? "" : "s");
    if (p->columns && time.len && width(p) + 2 + width_of_text(time.data, time.len) <= p->columns)
        add_aligned(p, &time, p->columns);
    else if (time.len && p->err == 0)
        keep(p, rmdi_buffer_add_format(&p->line, ", %s", time.data));
    rmdi_buffer_free(&time);
    end_line(p);
}

static void add_command(page *p, const rmdi_watch_task *task)
{
    add_foreign(p, task->command, task->command_len);
    if (task->command_cut)
        ADD(p, "…");
}

static unsigned seq_width(const rmdi_watch_task *tasks, size_t len)
{
    unsigned most = 1;
    for (size_t i = 0; i < len; i++) {
        unsigned digits = 1;
        for (uint64_t left = tasks[i].seq; left >= 10; left /= 10)
            digits++;
        most = digits > most ? digits : most;
    }
    return most;
}

static void add_running(page *p, size_t shown)
{
    const rmdi_watch_state *s = p->state;
    unsigned digits = seq_width(s->running, shown);
    for (size_t i = 0; i < shown; i++) {
        const rmdi_watch_task *task = &s->running[i];
        rmdi_buffer time = { 0 };
        keep(p, rmdi_report_time(p->now_ns - task->begun_ns, &time));
        ADD(p, "  %*" PRIu64, (int)digits, task->seq);
        add_aligned(p, &time, digits + 2 + 13);
        ADD(p, "  ");
        add_command(p, task);
        rmdi_buffer_free(&time);
        end_line(p);
    }
}

static void add_failures(page *p, size_t shown)
{
    const rmdi_watch_state *s = p->state;
    unsigned digits = seq_width(s->failures, shown);
    for (size_t i = 0; i < shown; i++) {
        const rmdi_watch_task *task = &s->failures[i];
        ADD(p, "  %*" PRIu64 "  ", (int)digits, task->seq);
        if (task->outcome != RMD_OUTCOME_FAILED || !*task->detail)
            ADD(p, "%s%s", rmd_outcome_name(task->outcome), *task->detail ? ": " : "");
        add_text(p, task->detail);
        ADD(p, "  ");
        add_command(p, task);
        end_line(p);
    }
}

/* How many lines of each. While a run goes on, those of the running tasks keep their place when
 * there are fewer for a moment, lest the rest jumps. */
typedef struct room {
    size_t running, blank, failures;
} room;

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static room share(const page *p, unsigned lines)
{
    const rmdi_watch_state *s = p->state;
    room r = { .running = goes_on(p) ? s->running_len : 0, .failures = s->failures_len };
    if (!lines)
        return r;
    size_t heading = p->dense ? 1 : 2, footer = heading; /* each with its blank line */
    size_t used = p->used + footer, left = lines > used ? lines - used : 0;
    size_t slots = least(s->run.slots > s->running_len ? s->run.slots : s->running_len, left);
    size_t for_failures = s->failures_len && left > 2 * heading + 1
                              ? least(s->failures_len + heading, (left + 1) / 3 + 1)
                              : 0;
    size_t for_running = left - for_failures;
    size_t places = for_running > heading ? least(slots, for_running - heading) : 0;
    r.running = least(r.running, places);
    r.blank = places - r.running;
    size_t rest = left - (places ? places + heading : 0);
    r.failures = rest > heading ? least(s->failures_len, rest - heading) : 0;
    return r;
}

static void add_heading(page *p, const char *name, size_t shown, uint64_t of)
{
    if (!p->dense)
        end_line(p);
    ADD(p, "%s", name);
    if (shown < of) {
        ADD(p, " (%zu of ", shown);
        add_count(p, of);
        ADD(p, ")");
    }
    end_line(p);
}

static void add_tasks(page *p, const counts *n, unsigned lines)
{
    room r = share(p, lines);
    if (r.running + r.blank) {
        add_heading(p, "Running", r.running, p->state->pending);
        add_running(p, r.running);
        for (size_t i = 0; i < r.blank; i++)
            end_line(p);
    }
    if (r.failures) {
        add_heading(p, "Latest failures", r.failures, n->failed);
        add_failures(p, r.failures);
    }
}

/* ---- last words ---- */

static const char *way_of(int status)
{
    switch (status) {
    case 0: return "ended well";
    case 128 + 1: return "was hung up";
    case 128 + 2: return "was interrupted";
    case 128 + 13: return "ended early, as nobody read its output";
    case 128 + 15: return "was terminated";
    case 255: return "gave up";
    default: return "ended";
    }
}

static void add_end(page *p)
{
    const rmd_journal_run *run = &p->state->run;
    char census[256];
    ADD(p, "run %" PRId64 " %s", run->id, way_of(run->status));
    if (run->status)
        ADD(p, " (status %d)", run->status);
    ADD(p, " after ");
    add_time(p, run->ended_ns - run->started_ns);
    rmd_census_format(&run->census, census, sizeof census);
    ADD(p, ": %s", census);
    if (run->skipped) {
        ADD(p, "; ");
        add_count(p, run->skipped);
        ADD(p, " done before");
    }
    if (*run->detail) {
        ADD(p, "; ");
        add_text(p, run->detail);
    }
}

static void add_death(page *p)
{
    const rmd_journal_run *run = &p->state->run;
    counts n = count(p->state, p->now_ns);
    ADD(p, "run %" PRId64 " (pid %d), ", run->id, (int)run->pid);
    add_count(p, n.ended);
    ADD(p, " done and ");
    add_count(p, p->state->pending);
    ADD(p, " under way, was killed; remuda run --resume goes on");
}

static void add_last_words(page *p)
{
    const rmdi_watch_state *s = p->state;
    if (!s->run.id) {
        ADD(p, "no run has begun in it");
    } else if (s->run.ended_ns) {
        add_end(p);
    } else if (s->life == RMDI_WATCH_GONE) {
        add_death(p);
    } else if (s->life == RMDI_WATCH_ELSEWHERE) {
        ADD(p, "run %" PRId64 " had not ended when ", s->run.id);
        add_text(p, s->host);
        ADD(p, " wrote here last; whether it goes on can only be seen there");
    } else {
        ADD(p, "run %" PRId64 " goes on", s->run.id);
    }
}

/* ---- from outside ---- */

static int finish(page *p, size_t before)
{
    rmdi_buffer_free(&p->line);
    if (p->err < 0)
        p->text->len = before;
    return p->err;
}

/* A terminal of very few lines shows the first ones. */
static void cut_lines(rmdi_buffer *text, size_t before, unsigned lines)
{
    const char *at = text->data + before, *end = text->data + text->len;
    while (lines && at < end) {
        at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
        lines--;
    }
    text->len = (size_t)(at - text->data);
    text->data[text->len] = 0;
}

static void add_footer(page *p, unsigned lines)
{
    if (!goes_on(p)) {
        if (p->used)
            end_line(p);
        p->columns = 0; /* what it is all about is never cut */
        add_last_words(p);
        end_line(p);
    } else if (lines) {
        while (p->used + 1 < lines)
            end_line(p);
        ADD(p, "q leaves; the run goes on");
        end_line(p);
    }
}

int rmdi_watch_page(const rmdi_watch_state *state, int64_t now_ns, unsigned columns, unsigned lines,
                    rmdi_buffer *text)
{
    page p = { .state = state, .now_ns = now_ns, .columns = columns, .text = text };
    size_t before = text->len;
    counts n = count(state, now_ns);
    p.dense = lines && lines < DENSE_BELOW;
    if (state->run.id) {
        add_title(&p, &n);
        add_text(&p, state->command);
        end_line(&p);
        if (!p.dense)
            end_line(&p);
        add_bar(&p, &n);
        add_items(&p, "   ", &n);
        end_line(&p);
        add_tasks(&p, &n, lines);
    }
    add_footer(&p, lines);
    int err = finish(&p, before);
    if (err == 0 && lines && p.used > lines)
        cut_lines(text, before, lines);
    return err;
}

int rmdi_watch_line(const rmdi_watch_state *state, int64_t now_ns, rmdi_buffer *text)
{
    page p = { .state = state, .now_ns = now_ns, .text = text };
    size_t before = text->len;
    counts n = count(state, now_ns);
    add_done(&p, &n);
    if (state->run.total != UINT64_MAX)
        ADD(&p, " (%d%%)", percent_of(&n));
    add_items(&p, ", ", &n);
    if (p.line.len && p.err == 0)
        keep(&p, rmdi_buffer_add(text, p.line.data, p.line.len));
    return finish(&p, before);
}

int rmdi_watch_last_words(const rmdi_watch_state *state, rmdi_buffer *text)
{
    page p = { .state = state, .text = text };
    size_t before = text->len;
    add_last_words(&p);
    if (p.line.len && p.err == 0)
        keep(&p, rmdi_buffer_add(text, p.line.data, p.line.len));
    return finish(&p, before);
}
