/* SPDX-License-Identifier: MIT */
#include "job/explain.h"

#include "job/json.h"
#include "job/report_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TAIL_LINES = 10, TAIL_BYTES = 4096 };

/* ---- words ---- */

static int add(rmdi_buffer *text, const char *words)
{
    return rmdi_buffer_add_text(text, words);
}

static int add_time(rmdi_buffer *text, const char *words, int64_t from_ns, int64_t to_ns)
{
    int err = add(text, words);
    if (err < 0 || !from_ns || !to_ns)
        return err < 0 ? err : add(text, "-");
    return rmdi_report_time(to_ns > from_ns ? to_ns - from_ns : 0, text);
}

static int add_size(rmdi_buffer *text, const char *words, uint64_t bytes)
{
    int err = add(text, words);
    return err < 0 ? err : rmdi_report_size(bytes, text);
}

/* Lines after the first get the indent, too. */
static int add_indented(rmdi_buffer *text, const char *indent, rmd_bytes raw)
{
    rmdi_buffer clean = { 0 };
    int err = rmdi_report_clean(raw, 0, &clean);
    const char *at = clean.data, *end = at + clean.len;
    while (at < end && err == 0) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        err = add(text, indent);
        if (err == 0)
            err = rmdi_buffer_add(text, at, (size_t)(stop - at));
        if (err == 0)
            err = rmdi_buffer_add_byte(text, '\n');
        at = stop + 1;
    }
    rmdi_buffer_free(&clean);
    return err;
}

/* ---- a task ---- */

static int add_verdict(const rmd_journal_task *task, rmdi_buffer *text)
{
    static const char *const words[] = {
        [RMD_OUTCOME_OK] = "succeeded",
        [RMD_OUTCOME_FAILED] = "failed",
        [RMD_OUTCOME_CANCELLED] = "was cancelled",
        [RMD_OUTCOME_TIMEOUT] = "ran out of time",
        [RMD_OUTCOME_LOST] = "is lost",
        [RMD_OUTCOME_DEAD] = "was given up",
    };
    int err = add(text, words[task->outcome]);
    if (err == 0 && *task->detail) {
        err = add(text, ": ");
        if (err == 0)
            err = rmdi_report_clean(rmdi_bytes_of(task->detail), 0, text);
    }
    if (err == 0 && task->attempts > 1)
        err = rmdi_buffer_add_format(text, ", at attempt %u", task->attempts);
    return err;
}

static int add_pending(const rmd_journal_task *task, const rmdi_explain_run *run, int64_t now_ns,
                       rmdi_buffer *text)
{
    if (run->alive)
        return add_time(text, "has begun and not ended, for ", task->begun_ns, now_ns);
    if (run->ended)
        return add(text, "was not recorded to its end; --resume runs it again");
    return rmdi_buffer_add_format(
        text, "was under way when run %" PRId64 " was killed; %s", run->id,
        run->at_most_once ? "--resume reports it as lost, since --at-most-once was given"
                          : "--resume runs it again");
}

int rmdi_explain_task(const rmd_journal_task *task, const rmdi_explain_run *run, int64_t now_ns,
                      rmdi_buffer *text)
{
    int err = rmdi_buffer_add_format(text, "Task %" PRIu64 " (run %" PRId64 ") ", task->seq,
                                     task->run);
    if (err == 0)
        err = task->outcome ? add_verdict(task, text) : add_pending(task, run, now_ns, text);
    if (err == 0)
        err = add(text, ".\n");
    if (err == 0)
        err = add_indented(text, "  $ ", task->command);
    if (err == 0)
        err = add(text, "  begun ");
    if (err == 0)
        err = rmdi_report_date(task->begun_ns, text);
    if (err == 0 && task->ended_ns)
        err = add_time(text, ", ended after ", task->begun_ns, task->ended_ns);
    if (err == 0)
        err = add(text, "\n");
    if (err == 0 && task->unshown)
        err = add(text, "  its output was not shown yet; a resumed run shows it\n");
    return err;
}

/* ---- an attempt ---- */

static int add_end(const rmd_journal_attempt *attempt, rmdi_buffer *text)
{
    const char *name = attempt->signal ? sigabbrev_np(attempt->signal) : NULL;
    int err = rmdi_buffer_add_format(text, "  attempt %u of run %" PRId64 ": %s", attempt->number,
                                     attempt->run, rmd_outcome_name(attempt->outcome));
    if (err == 0 && name)
        err = rmdi_buffer_add_format(text, ", ended by SIG%s", name);
    else if (err == 0 && attempt->signal)
        err = rmdi_buffer_add_format(text, ", ended by signal %d", attempt->signal);
    else if (err == 0 && attempt->status >= 0)
        err = rmdi_buffer_add_format(text, ", exit status %d", attempt->status);
    if (err == 0 && *attempt->detail && !attempt->signal && attempt->status <= 0) {
        err = add(text, ", ");
        if (err == 0)
            err = rmdi_report_clean(rmdi_bytes_of(attempt->detail), 0, text);
    }
    if (err == 0 && attempt->pid)
        err = rmdi_buffer_add_format(text, " (slot %u, pid %d)", attempt->slot, attempt->pid);
    return err < 0 ? err : add(text, "\n");
}

static int add_times(const rmd_journal_attempt *attempt, rmdi_buffer *text)
{
    if (!attempt->pid)
        return add_time(text, "    never started; waited ", attempt->queued_ns, attempt->ended_ns);
    int err = add_time(text, "    waited ", attempt->queued_ns, attempt->started_ns);
    if (err == 0)
        err = add_time(text, ", started in ", attempt->started_ns, attempt->executed_ns);
    if (err == 0)
        err = add_time(text, ", ran ", attempt->executed_ns, attempt->exited_ns);
    return err < 0 ? err : add_time(text, ", returned in ", attempt->exited_ns, attempt->ended_ns);
}

static int add_usage(const rmd_journal_attempt *attempt, rmdi_buffer *text)
{
    int err = add(text, "\n    CPU ");
    if (err == 0)
        err = rmdi_report_time(attempt->user_ns, text);
    if (err == 0)
        err = add(text, " user, ");
    if (err == 0)
        err = rmdi_report_time(attempt->system_ns, text);
    if (err == 0)
        err = add_size(text, " system; memory ", attempt->memory_bytes);
    if (err == 0)
        err = add_size(text, "; disk ", attempt->in_blocks * 512);
    if (err == 0)
        err = add_size(text, " read, ", attempt->out_blocks * 512);
    if (err == 0)
        err = rmdi_buffer_add_format(
            text, " written; %" PRIu64 " major faults, %" PRIu64 " context switches\n",
            attempt->major_faults, attempt->switches);
    return err;
}

static int add_streams(const rmd_journal_attempt *attempt, rmdi_buffer *text)
{
    if (strcmp(attempt->output, "direct") == 0)
        return add(text, "    it wrote directly\n");
    int err = add_size(text, "    output ", attempt->out_bytes);
    if (err == 0)
        err = add_size(text, ", errors ", attempt->err_bytes);
    if (err == 0 && attempt->sent_bytes)
        err = add_size(text, ", input ", attempt->sent_bytes);
    if (err == 0)
        err = add(text,
                  strcmp(attempt->output, "lines") == 0 ? ", passed on line by line\n" : "\n");
    return err;
}

/* The last lines, whole if that is not too much. */
static rmd_bytes last_of(rmd_bytes tail)
{
    const char *data = tail.data, *end = data + tail.len, *at = end;
    if (at > data && at[-1] == '\n')
        at--;
    for (int lines = 0; at > data && end - at < TAIL_BYTES; at--)
        if (at[-1] == '\n' && ++lines == TAIL_LINES)
            break;
    return (rmd_bytes){ .data = at, .len = (size_t)(end - at) };
}

int rmdi_explain_attempt(const rmd_journal_attempt *attempt, rmdi_buffer *text)
{
    int err = add_end(attempt, text);
    if (err == 0)
        err = add_times(attempt, text);
    if (err == 0)
        err = attempt->pid ? add_usage(attempt, text) : add(text, "\n");
    if (err == 0 && attempt->pid)
        err = add_streams(attempt, text);
    if (err == 0 && attempt->err_tail.len) {
        err = add(text, "    the last it wrote on standard error:\n");
        if (err == 0)
            err = add_indented(text, "    | ", last_of(attempt->err_tail));
    }
    return err;
}

/* ---- the same for programs ---- */

static json_t *seconds(int64_t from_ns, int64_t to_ns)
{
    return from_ns && to_ns ? json_real((double)(to_ns - from_ns) / 1e9) : json_null();
}

json_t *rmdi_explain_task_json(const rmd_journal_task *task)
{
    return json_pack(
        "{s:I, s:I, s:I, s:o, s:o, s:o, s:i, s:o, s:o, s:b}", "id", (json_int_t)task->id, "run",
        (json_int_t)task->run, "seq", (json_int_t)task->seq, "outcome",
        task->outcome ? json_string(rmd_outcome_name(task->outcome)) : json_null(), "detail",
        rmdi_json_text(rmdi_bytes_of(task->detail)), "command", rmdi_json_text(task->command),
        "attempts", task->attempts, "begun", rmdi_json_time(task->begun_ns), "ended",
        rmdi_json_time(task->ended_ns), "unshown", task->unshown);
}

json_t *rmdi_explain_attempt_json(const rmd_journal_attempt *a)
{
    return json_pack(
        "{s:I, s:i, s:i, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:f, s:I, s:I, s:I, s:I,"
        " s:s, s:o}",
        "run", (json_int_t)a->run, "attempt", a->number, "slot", a->slot, "pid",
        a->pid ? json_integer(a->pid) : json_null(), "outcome", rmd_outcome_name(a->outcome),
        "detail", rmdi_json_text(rmdi_bytes_of(a->detail)), "status",
        a->status >= 0 ? json_integer(a->status) : json_null(), "signal",
        a->signal ? json_integer(a->signal) : json_null(), "queue_s",
        seconds(a->queued_ns, a->started_ns), "spawn_s", seconds(a->started_ns, a->executed_ns),
        "run_s", seconds(a->executed_ns, a->exited_ns), "return_s",
        seconds(a->exited_ns, a->ended_ns), "user_s", (double)a->user_ns / 1e9, "system_s",
        (double)a->system_ns / 1e9, "memory_bytes", (json_int_t)a->memory_bytes, "sent_bytes",
        (json_int_t)a->sent_bytes, "out_bytes", (json_int_t)a->out_bytes, "err_bytes",
        (json_int_t)a->err_bytes, "output", a->output, "err_tail", rmdi_json_text(a->err_tail));
}
