/* SPDX-License-Identifier: MIT */
/* What a run tells its user on stderr. */
#include "base/error.h"
#include "job/progress.h"
#include "job/quote.h"
#include "job/run_private.h"
#include "port/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const int64_t between_lines_ns = INT64_C(10) * 1000 * 1000 * 1000;

enum { REPORTS_MAX = 20, TAIL_LINES = 5, COMMAND_MAX = 4096 };

/* ---- failures ---- */

/* The last lines of a text, without a newline at its end. */
static rmd_bytes last_lines(rmd_bytes text, unsigned lines)
{
    const char *data = text.data;
    if (text.len && data[text.len - 1] == '\n')
        text.len--;
    const char *end = data + text.len, *start = end;
    for (; lines && start > data; lines--) {
        const char *newline = memrchr(data, '\n', (size_t)(start - data));
        start = newline ? newline : data;
    }
    if (start > data || (start < end && *start == '\n'))
        start += *start == '\n';
    return (rmd_bytes){ .data = start, .len = (size_t)(end - start) };
}

/* In a group the user has just seen its stderr. */
static int add_tail(const rmdi_run_task *task, const rmd_exit *account, rmdi_buffer *text)
{
    if (task->run->options.output == RMDI_RUN_GROUP || !account->err_tail.len)
        return 0;
    rmd_bytes lines = last_lines(account->err_tail, TAIL_LINES);
    int err = rmdi_buffer_add_text(text, "remuda:   its last lines on stderr:\n");
    const char *at = lines.data, *end = at + lines.len;
    while (at < end && err == 0) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t len = newline ? (size_t)(newline - at) : (size_t)(end - at);
        err = rmdi_buffer_add_text(text, "remuda:   | ");
        if (err == 0)
            err = rmdi_buffer_add(text, at, len);
        if (err == 0)
            err = rmdi_buffer_add_byte(text, '\n');
        at += len + 1;
    }
    return err;
}

/* One that would push its own reason off the screen is cut. */
static int add_command(const char *command, size_t len, rmdi_buffer *text)
{
    size_t shown = len <= COMMAND_MAX ? len : COMMAND_MAX / 2;
    int err = rmdi_buffer_add(text, command, shown);
    if (err == 0 && shown < len)
        err = rmdi_buffer_add_format(text, "... (%zu bytes in all; --joblog keeps the whole)", len);
    return err == 0 ? rmdi_buffer_add_byte(text, '\n') : err;
}

static int add_report(const rmdi_run_task *task, const rmd_exit *account, rmdi_buffer *text)
{
    bool its_own = account && !task->item.error; /* not the way of its output */
    const char *why = its_own && !task->detail ? account->detail : task->detail;
    const char *outcome = its_own           ? rmd_outcome_name(account->outcome)
                          : task->lost      ? "lost"
                          : task->cancelled ? "cancelled"
                                            : "failed";
    int err = rmdi_buffer_add_format(text, "remuda: task %" PRIu64 " %s: %s", task->seq, outcome,
                                     why ? why : "its output could not be shown in full");
    if (err == 0 && account && account->attempts > 1)
        err = rmdi_buffer_add_format(text, " (after %u attempts)", account->attempts);
    if (err == 0)
        err = rmdi_buffer_add_format(text, "; it was:\nremuda:   ");
    if (err == 0)
        err = add_command(task->text.data, task->text.len, text);
    return err == 0 && account ? add_tail(task, account, text) : err;
}

void rmdi_run_report_failure(rmdi_run_task *task)
{
    rmdi_run *run = task->run;
    const rmd_exit *account = NULL;
    rmdi_buffer text = { 0 };
    if (task->future && rmd_future_exit(task->future, &account) < 0)
        return;
    if (account && account->outcome == RMD_OUTCOME_OK && !task->item.error)
        return;
    if (++run->reported > REPORTS_MAX) {
        if (run->reported == REPORTS_MAX + 1)
            rmdi_run_say(run, "remuda: further failures are not shown one by one (--joblog "
                              "lists all)\n");
        return;
    }
    if (add_report(task, account, &text) == 0)
        rmdi_printer_note(run->printer, text.data, text.len);
    rmdi_buffer_free(&text);
}

/* ---- progress ---- */

static unsigned terminal_columns(void)
{
    struct winsize size;
    return ioctl(2, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

void rmdi_run_draw(rmdi_run *run)
{
    uint64_t total = rmdi_run_total(run);
    rmdi_progress progress = {
        .total = total == UINT64_MAX ? total : total - run->skipped,
        .ended = run->ended,
        .failed = run->failed,
        .running = run->in_flight,
        .elapsed_ns = rmdi_clock_monotonic_ns() - run->start_ns,
        .columns = terminal_columns(),
        .bar = run->options.bar,
    };
    rmdi_buffer line = { 0 };
    bool terminal = isatty(2); /* a file gets a line now and then, not one redrawn */
    if (!terminal && progress.elapsed_ns < run->next_line_ns)
        return;
    if (rmdi_printer_is_blocked(run->printer))
        return;
    run->next_line_ns = progress.elapsed_ns + between_lines_ns;
    rmdi_run_erase(run);
    if (rmdi_progress_line(&progress, &line) == 0) {
        if (!terminal)
            rmdi_buffer_add_byte(&line, '\n');
        rmdi_printer_note(run->printer, line.data, line.len);
        run->line_drawn = terminal;
    }
    rmdi_buffer_free(&line);
}

void rmdi_run_erase(rmdi_run *run)
{
    static const char erase[] = "\r\033[K";
    if (!run->line_drawn)
        return;
    run->line_drawn = false;
    rmdi_printer_note(run->printer, erase, sizeof erase - 1);
}

void rmdi_run_census(const rmdi_run *run, rmd_census *census)
{
    *census = (rmd_census){ 0 };
    if (run->pool)
        rmd_pool_census(run->pool, census);
    census->submitted += run->correction.submitted;
    census->ok += run->correction.ok;
    census->failed += run->correction.failed;
    census->cancelled += run->correction.cancelled;
    census->timeout += run->correction.timeout;
    census->lost += run->correction.lost;
}

/* What a resumed run found done. That nothing of the journal was asked for is seldom meant. */
void rmdi_run_report_resumed(rmdi_run *run)
{
    char text[300] = "";
    if (!run->options.resume || run->options.quiet || run->error)
        return;
    if (run->skipped)
        snprintf(text, sizeof text, "remuda: %" PRIu64 " input%s had ended in earlier runs",
                 run->skipped, run->skipped == 1 ? "" : "s");
    else if (run->unclaimed)
        snprintf(text, sizeof text,
                 "remuda: none of the %" PRIu64 " tasks in the journal is among these inputs; "
                 "another command, --env, --wd or --shell makes other tasks",
                 run->unclaimed);
    size_t len = strlen(text);
    if (run->skipped_failed)
        snprintf(text + len, sizeof text - len,
                 ", %" PRIu64 " of them not ok (--retry-failed runs those again)",
                 run->skipped_failed);
    if (len)
        rmdi_run_say(run, strcat(text, "\n"));
}

void rmdi_run_account(rmdi_run *run)
{
    rmd_census census;
    rmdi_buffer line = { 0 };
    rmdi_run_census(run, &census);
    if (rmdi_progress_census(&census, rmdi_clock_monotonic_ns() - run->start_ns, run->options.slots,
                             &line) == 0)
        rmdi_printer_note(run->printer, line.data, line.len);
    rmdi_buffer_free(&line);
}
