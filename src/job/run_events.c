/* SPDX-License-Identifier: MIT */
/* What a run tells programs: events while it goes on, and the account at its end. */
#include "base/error.h"
#include "job/json.h"
#include "job/run_private.h"

#include <remuda/version.h>
#include <unistd.h>

static void on_ready(void *ctx)
{
    rmdi_run_start(ctx);
}

/* Takes what. That the reader has left is his own affair, a file that cannot be written is not. */
static void emit(rmdi_run *run, const char *type, json_t *what)
{
    int err = rmdi_events_add(&run->events, type, what);
    if (err == RMD_ECLOSED)
        rmdi_run_say(run, "remuda: nobody reads the events any more; the run goes on\n");
    else if (err < 0 && err != RMD_EAGAIN)
        rmdi_run_fail(run,
                      rmdi_fail(err, "events %s: %.300s", run->options.events, rmd_error_detail()));
}

static json_t *text(const char *text)
{
    return rmdi_json_text(rmdi_bytes_of(text));
}

static json_t *seconds(int64_t from_ns, int64_t to_ns)
{
    return from_ns && to_ns ? json_real((double)(to_ns - from_ns) / 1e9) : json_null();
}

/* ---- the run ---- */

int rmdi_run_open_events(rmdi_run *run)
{
    const rmdi_run_options *options = &run->options;
    if (!options->events || options->dry_run)
        return 0;
    int err = rmdi_events_open(&run->events, run->loop, options->events, options->resume, on_ready,
                               run);
    if (err < 0)
        return err;
    emit(run, "run.started",
         json_pack("{s:s, s:o, s:i, s:i, s:o, s:b}", "version", rmd_version(), "command",
                   text(options->command_line ? options->command_line : ""), "pid", getpid(),
                   "slots", options->slots, "journal",
                   options->journal ? text(options->journal) : json_null(), "resumed",
                   options->resume));
    return run->error;
}

static json_t *account(const rmdi_run *run, int status)
{
    rmd_census census;
    rmdi_run_census(run, &census);
    return json_pack("{s:i, s:o, s:o, s:I, s:I, s:i, s:f}", "status", status, "detail",
                     text(run->error ? run->detail : ""), "census", rmdi_json_census(&census),
                     "skipped", (json_int_t)run->skipped, "skipped_failed",
                     (json_int_t)run->skipped_failed, "slots", run->options.slots, "seconds",
                     run->seconds);
}

void rmdi_run_tell_end(rmdi_run *run, int status)
{
    emit(run, "run.ended", account(run, status));
}

void rmdi_run_account_json(rmdi_run *run, int status)
{
    json_t *object = account(run, status);
    char *line = object ? json_dumps(object, RMDI_JSON_LINE) : NULL;
    rmdi_buffer message = { 0 };
    if (line && rmdi_buffer_add_format(&message, "%s\n", line) == 0)
        rmdi_printer_note(run->printer, message.data, message.len);
    rmdi_buffer_free(&message);
    rmdi_json_free(line);
    json_decref(object);
}

/* ---- tasks ---- */

void rmdi_run_tell_skipped(rmdi_run *run, const rmdi_known_task *known)
{
    if (run->events.open)
        emit(run, "task.skipped",
             json_pack("{s:I, s:s}", "seq", (json_int_t)run->seq, "outcome",
                       rmd_outcome_name(known->outcome)));
}

static json_t *start_of(const rmdi_run_task *task, const rmd_exit *attempt)
{
    return json_pack("{s:I, s:i, s:i, s:i, s:o}", "seq", (json_int_t)task->seq, "attempt",
                     attempt->attempts, "slot", task->slot, "pid", attempt->pid, "command",
                     rmdi_json_text(rmdi_buffer_view(&task->text)));
}

static double cpu_seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static json_t *end_of(const rmdi_run_task *task, const rmd_exit *attempt)
{
    const struct rusage *usage = &attempt->usage;
    int64_t queued_ns = task->queued_ns ? task->queued_ns : attempt->submitted_ns;
    return json_pack(
        "{s:I, s:i, s:i, s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:f, s:I, s:I, s:I}",
        "seq", (json_int_t)task->seq, "attempt", attempt->attempts, "slot", task->slot, "pid",
        attempt->pid, "outcome", rmd_outcome_name(attempt->outcome), "detail",
        text(attempt->detail), "status",
        attempt->status >= 0 ? json_integer(attempt->status) : json_null(), "signal",
        attempt->signal ? json_integer(attempt->signal) : json_null(), "queue_s",
        seconds(queued_ns, attempt->started_ns), "spawn_s",
        seconds(attempt->started_ns, attempt->executed_ns), "run_s",
        seconds(attempt->executed_ns, attempt->exited_ns), "return_s",
        seconds(attempt->exited_ns, attempt->ended_ns), "user_s", cpu_seconds(usage->ru_utime),
        "system_s", cpu_seconds(usage->ru_stime), "memory_bytes",
        (json_int_t)usage->ru_maxrss * 1024, "out_bytes", (json_int_t)attempt->out_bytes,
        "err_bytes", (json_int_t)attempt->err_bytes);
}

void rmdi_run_tell_attempt(rmdi_run_task *task, const rmd_exit *attempt)
{
    rmdi_run *run = task->run;
    if (!run->events.open)
        return;
    if (attempt->outcome == RMD_PENDING)
        emit(run, "attempt.started", start_of(task, attempt));
    else
        emit(run, "attempt.ended", end_of(task, attempt));
}

void rmdi_run_tell_task(rmdi_run_task *task)
{
    rmdi_run *run = task->run;
    const rmd_exit *last = NULL;
    rmd_outcome outcome;
    const char *detail;
    if (!run->events.open || task->again || task->unrecorded)
        return;
    if (task->future && rmd_future_exit(task->future, &last) < 0)
        last = NULL;
    if (last && last->attempts)
        rmdi_run_tell_attempt(task, last);
    rmdi_run_task_exit(task, &outcome, &detail);
    emit(run, "task.ended",
         json_pack("{s:I, s:s, s:o, s:i, s:o}", "seq", (json_int_t)task->seq, "outcome",
                   rmd_outcome_name(outcome), "detail", text(detail), "attempts",
                   last ? (int)last->attempts : 0, "command",
                   rmdi_json_text(rmdi_buffer_view(&task->text))));
}
