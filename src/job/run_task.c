/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"
#include "base/decimal.h"
#include "base/error.h"
#include "base/point.h"
#include "job/joblog.h"
#include "job/run_private.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- before the start ---- */

static unsigned take_slot(rmdi_run *run)
{
    if (!run->free_len)
        return ++run->next_slot;
    unsigned slot = run->free_slots[run->free_first];
    run->free_first = (run->free_first + 1) % run->options.slots;
    run->free_len--;
    return slot;
}

static void give_slot(rmdi_run *run, unsigned slot)
{
    run->free_slots[(run->free_first + run->free_len) % run->options.slots] = slot;
    run->free_len++;
}

/* What the user sees of it: command text, tag, and the text shown before its output. */
static int render(rmdi_run_task *task, const rmdi_task_input *input)
{
    rmdi_run *run = task->run;
    rmdi_print_item *item = &task->item;
    int err = rmdi_template_render(run->template, input, &task->text);
    if (err == 0 && run->tag) {
        err = rmdi_template_render_plain(run->tag, input, &item->tag);
        if (err == 0)
            err = rmdi_buffer_add_byte(&item->tag, '\t');
    }
    if (err == 0 && (run->options.show_command || run->options.dry_run)) {
        err = rmdi_buffer_add(&item->prefix, task->text.data, task->text.len);
        if (err == 0)
            err = rmdi_buffer_add_byte(&item->prefix, '\n');
    }
    return err;
}

static rmdi_run_task *new_task(rmdi_run *run)
{
    rmdi_run_task *task = rmdi_alloc_zeroed(sizeof *task);
    if (!task)
        return NULL;
    rmdi_print_item_init(&task->item, ++run->shown_begun);
    rmdi_list_init(&task->waiting);
    task->run = run;
    task->seq = ++run->seq;
    task->slot = take_slot(run);
    task->id = run->options.dry_run ? 0 : run->next_known.id;
    task->key = run->next_key;
    run->live++;
    return task;
}

void rmdi_run_task_free(rmdi_run_task *task)
{
    task->run->live--;
    rmdi_print_item_free(&task->item);
    rmdi_buffer_free(&task->text);
    rmdi_buffer_free(&task->kept);
    rmdi_free(task->values);
    rmd_future_free(task->future);
    rmdi_free(task->detail);
    rmdi_free(task);
}

/* ---- submitting ---- */

static void on_lines(void *ctx, int stream, const void *data, size_t len)
{
    rmdi_run_task *task = ctx;
    int err = rmdi_printer_lines(task->run->printer, &task->item, stream - 1, data, len);
    if (err == 0 || task->item.error)
        return;
    task->item.error = err; /* incomplete output makes it fail */
    task->detail = rmdi_strdup(rmd_error_detail());
    rmd_future_cancel(task->future);
}

static void set_streams(rmdi_run_task *task, rmd_command *command, rmd_bytes block)
{
    static const rmd_stream_kind kinds[] = {
        [RMDI_RUN_GROUP] = RMD_STREAM_CAPTURE,
        [RMDI_RUN_LINES] = RMD_STREAM_SINK,
        [RMDI_RUN_UNGROUP] = RMD_STREAM_INHERIT,
    };
    rmd_stream output = { .kind = kinds[task->run->options.output], .sink = on_lines, .ctx = task };
    command->out = command->err = output;
    if (!task->run->blocks)
        return;
    command->in = (rmd_stream){ .kind = RMD_STREAM_BYTES, .bytes = block };
    task->sent = block.len;
}

static int64_t median(const rmdi_run *run)
{
    size_t n = run->runtimes_len;
    if (!n) /* as GNU parallel: no limit to speak of before the first has succeeded */
        return INT64_C(1000000) * 1000000000;
    return n % 2 ? run->runtimes[n / 2] : (run->runtimes[n / 2 - 1] + run->runtimes[n / 2]) / 2;
}

static int64_t run_ms_max(const rmdi_run *run)
{
    const double most = 4e18; /* a century */
    double share = run->options.timeout_share * (double)median(run);
    int64_t ns = run->options.timeout_ns;
    if (share > 0)
        ns = (int64_t)(share < most ? share : most);
    return ns ? ns / 1000000 + (ns % 1000000 != 0) : 0;
}

static void on_attempt(void *ctx, const rmd_exit *account)
{
    rmdi_run_tell_attempt(ctx, account);
    rmdi_run_record_attempt(ctx, account);
}

static void on_end(rmd_future *future, void *ctx)
{
    (void)future;
    rmdi_run_task_ended(ctx);
}

/* Where variables for the task are written; they are borrowed for the submission. */
typedef struct variables {
    char text[6][64];
    const char *list[7];
} variables;

static void name_variables(const rmdi_run_task *task, variables *v)
{
    const char *const names[] = { "PARALLEL_SEQ=", "REMUDA_SEQ=",        "PARALLEL_JOBSLOT=",
                                  "REMUDA_SLOT=",  "PARALLEL_JOBSLOT0=", "PARALLEL_PID=" };
    const uint64_t values[] = { task->seq,  task->seq,      task->slot,
                                task->slot, task->slot - 1, (uint64_t)getpid() };
    for (size_t i = 0; i < 6; i++) {
        rmdi_decimal(stpcpy(v->text[i], names[i]), values[i]);
        v->list[i] = v->text[i];
    }
    v->list[6] = NULL;
}

static int submit(rmdi_run_task *task, rmd_bytes block)
{
    rmdi_run *run = task->run;
    variables v;
    name_variables(task, &v);
    rmd_command command = {
        .size = sizeof command,
        .argv = (const char *const *)run->expansion.argv,
        .env = v.list,
        .dir = run->options.dir,
        .limits = { .run_ms_max = run_ms_max(run),
                    .attempts_max = run->options.attempts_max,
                    .ladder = run->options.ladder,
                    .ladder_len = run->options.ladder_len },
        .full_ms = -1,
        .on_attempt = run->journal || run->events.open ? on_attempt : NULL,
        .ctx = task,
    };
    set_streams(task, &command, block);
    int err = rmd_pool_exec(run->pool, &task->future, &command);
    if (err == 0 && rmd_future_on_end(task->future, on_end, task) < 0) {
        /* Without memory for the callback its end would never be told. */
        rmd_future_free(task->future);
        task->future = NULL;
        err = rmdi_fail_memory();
    }
    return err;
}

/* It ends before it began. Values that cannot be made into a command are its own failure;
 * anything else is the run's. */
void rmdi_run_task_refuse(rmdi_run_task *task, int error)
{
    rmdi_run *run = task->run;
    task->detail = rmdi_strdup(rmd_error_detail());
    run->correction.submitted++;
    if (task->cancelled)
        run->correction.cancelled++;
    else
        run->correction.failed++;
    if (error != RMD_EINVAL && !task->cancelled)
        rmdi_run_fail(run, error);
    rmdi_run_task_ended(task);
}

/* An earlier run may have started it, was killed, and it may not be started twice. */
static void report_lost(rmdi_run_task *task)
{
    task->detail = rmdi_strdup("an earlier run may have started it and was killed; "
                               "--at-most-once does not start it again");
    task->run->correction.submitted++;
    task->run->correction.lost++;
    rmdi_run_task_ended(task);
}

static void trace(rmdi_run_task *task)
{
    if (!task->run->options.trace || rmdi_buffer_add_byte(&task->text, '\n') < 0)
        return;
    rmdi_printer_note(task->run->printer, task->text.data, task->text.len);
    task->text.data[--task->text.len] = 0;
}

static void launch(rmdi_run_task *task, const rmdi_task_input *input, rmd_bytes block)
{
    rmdi_run *run = task->run;
    int err = rmdi_template_expand(run->template, input, &run->expansion);
    trace(task);
    if (err == 0 && run->options.output == RMDI_RUN_UNGROUP)
        rmdi_printer_announce(run->printer, &task->item);
    rmdi_point("spawn");
    if (err == 0)
        err = submit(task, block);
    rmdi_point("spawned");
    if (err < 0)
        rmdi_run_task_refuse(task, err);
    else if (run->error) /* what was cancelled did not have it yet */
        rmd_future_cancel(task->future);
}

void rmdi_run_task_launch(rmdi_run_task *task)
{
    rmdi_task_input input = {
        .values = task->values, .count = task->values_len, .seq = task->seq, .slot = task->slot
    };
    if (task->run->stopping) { /* while its start was being recorded */
        rmdi_fail(RMD_ECANCELED, "the run was stopped before it could start");
        task->cancelled = true;
        rmdi_run_task_refuse(task, RMD_ECANCELED);
        return;
    }
    launch(task, &input, task->block);
}

static int64_t read_stored(rmdi_print_item *item, int stream, uint64_t offset, void *buffer,
                           size_t len)
{
    rmdi_run_task *task = (rmdi_run_task *)(void *)item;
    return rmdi_journal_output(task->run->journal, task->id, stream, offset, buffer, len);
}

/* It has ended in an earlier run; only its output was not shown. */
static void show_again(rmdi_run_task *task)
{
    rmdi_run_skip(task->run, &task->run->next_known);
    task->again = task->stored = true;
    task->item.read = read_stored;
    rmdi_run_task_ended(task);
}

static void begin(rmdi_run_task *task, const rmdi_task_input *input, const rmdi_values *values,
                  rmd_bytes block)
{
    rmdi_run *run = task->run;
    rmd_outcome before = run->next_known.outcome;
    rmdi_printer_begin(run->printer, &task->item);
    run->in_flight++;
    int err = render(task, input);
    if (err < 0) {
        rmdi_run_task_refuse(task, err);
        return;
    }
    if (run->options.dry_run) {
        rmdi_run_task_ended(task);
        return;
    }
    if (run->next_known.unshown && !rmdi_run_runs_again(run, &run->next_known)) {
        show_again(task);
        return;
    }
    task->lost = task->id && before == RMD_PENDING && run->options.at_most_once;
    if (rmdi_run_record_begin(task, values, block))
        return;
    if (task->lost)
        report_lost(task);
    else
        launch(task, input, block);
}

int rmdi_run_task_begin(rmdi_run *run, const rmdi_values *values, rmd_bytes block)
{
    rmdi_run_task *task = new_task(run);
    if (!task)
        return rmdi_fail_memory();
    rmdi_task_input input = {
        .values = values->values, .count = values->count, .seq = task->seq, .slot = task->slot
    };
    begin(task, &input, values, block);
    return 0;
}

/* ---- after the end ---- */

static int status_of_start_failure(int error)
{
    switch (error) {
    case RMD_ENOENT: return 127; /* what a shell would say */
    case RMD_EACCES:
    case RMD_EEXEC:
    case RMD_E2BIG: return 126;
    default: return 255;
    }
}

static rmdi_halt_end end_of_failed(const rmd_exit *account)
{
    if (account->error == RMD_EEXIT)
        return (rmdi_halt_end){ .exit_value = account->status };
    if (account->error == RMD_ESIGNAL)
        return (rmdi_halt_end){ .signal = account->signal };
    return (rmdi_halt_end){ .exit_value = status_of_start_failure(account->error) };
}

rmdi_halt_end rmdi_run_task_end(const rmdi_run_task *task)
{
    const rmd_exit *account;
    if (task->run->options.dry_run || task->again)
        return (rmdi_halt_end){ 0 };
    if (task->item.error || !task->future || rmd_future_exit(task->future, &account) < 0)
        return (rmdi_halt_end){ .exit_value = 255, .lost = true };
    switch (account->outcome) {
    case RMD_OUTCOME_OK: return (rmdi_halt_end){ 0 };
    case RMD_OUTCOME_FAILED: return end_of_failed(account);
    case RMD_OUTCOME_TIMEOUT:
        return (rmdi_halt_end){ .exit_value = account->status > 0 ? account->status : -1,
                                .signal = account->signal,
                                .timed_out = true };
    case RMD_OUTCOME_CANCELLED:
        return (rmdi_halt_end){ .exit_value = account->status > 0 ? account->status : 0,
                                .signal = account->signal,
                                .lost = !account->signal };
    default: return (rmdi_halt_end){ .exit_value = 255, .lost = true };
    }
}

int rmdi_run_task_log(rmdi_run_task *task, rmdi_buffer *line)
{
    rmdi_halt_end end = rmdi_run_task_end(task);
    rmdi_joblog_row row = { .seq = task->seq,
                            .sent = task->sent,
                            .exit_value = end.exit_value,
                            .signal = end.signal,
                            .command = rmdi_buffer_view(&task->text) };
    const rmd_exit *account;
    if (task->future && rmd_future_exit(task->future, &account) == 0) {
        row.start = (double)account->started_realtime_ns / 1e9;
        row.runtime = account->started_ns ? (double)(account->ended_ns - account->started_ns) / 1e9
                                          : 0;
        row.received = account->out_bytes;
    }
    if (task->run->options.show_command && task->run->options.output == RMDI_RUN_GROUP)
        row.received += task->item.prefix.len;
    return rmdi_joblog_row_add(line, &row);
}

static void note_runtime(rmdi_run *run, const rmd_exit *account)
{
    if (!run->runtimes || account->outcome != RMD_OUTCOME_OK ||
        run->runtimes_len == RMDI_RUNTIMES_MAX)
        return;
    int64_t time = account->ended_ns - account->started_ns;
    size_t i = run->runtimes_len++;
    for (; i > 0 && run->runtimes[i - 1] > time; i--)
        run->runtimes[i] = run->runtimes[i - 1];
    run->runtimes[i] = time;
}

static void obey(rmdi_run *run, rmdi_halt_verdict verdict)
{
    if (verdict == RMDI_HALT_GO_ON)
        return;
    run->stopping = true;
    if (verdict != RMDI_HALT_NOW || run->halted_now)
        return;
    run->halted_now = true;
    rmdi_printer_hide_rest(run->printer);
    rmd_pool_cancel(run->pool, false);
}

void rmdi_run_task_exit(const rmdi_run_task *task, rmd_outcome *outcome, const char **detail)
{
    const rmd_exit *account = NULL;
    if (task->future && rmd_future_exit(task->future, &account) < 0)
        account = NULL;
    bool its_own = account && !task->item.error; /* not the way of its output */
    *outcome = its_own           ? account->outcome
               : task->lost      ? RMD_OUTCOME_LOST
               : task->cancelled ? RMD_OUTCOME_CANCELLED
                                 : RMD_OUTCOME_FAILED;
    *detail = its_own && !task->detail ? account->detail : task->detail;
    if (!*detail)
        *detail = "its output could not be shown in full";
}

void rmdi_run_task_tell(rmdi_run_task *task)
{
    rmdi_run *run = task->run;
    if (!task->again) {
        run->ended++;
        run->failed += task->failed;
    }
    rmdi_run_tell_task(task);
    rmdi_point("print");
    rmdi_printer_end(run->printer, &task->item); /* may free the task */
}

void rmdi_run_task_ended(rmdi_run_task *task)
{
    rmdi_run *run = task->run;
    const rmd_exit *account;
    rmdi_halt_end end = rmdi_run_task_end(task);
    rmdi_point("exited");
    task->failed = end.exit_value || end.signal || end.timed_out || end.lost;
    run->in_flight--;
    give_slot(run, task->slot);
    if (task->future && rmd_future_exit(task->future, &account) == 0)
        note_runtime(run, account);
    task->item.future = task->future;
    task->item.hidden |= run->halted_now;
    task->item.settled = true;
    bool counts = !run->halted_now && !task->again;
    if (!rmdi_run_record_end(task))
        rmdi_run_task_tell(task);
    if (counts)
        obey(run, rmdi_halt_finished(&run->halt, &end, rmdi_run_total(run)));
    rmdi_run_start(run);
}
