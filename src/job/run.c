/* SPDX-License-Identifier: MIT */
/* The course of a run. Inputs are read only when a slot is free and not too much waits to
 * be shown, so a slow reader of our output slows the run and nothing piles up. Each
 * task's end frees its slot, shows what can be shown, and feeds the next one; all of it
 * in callbacks of one loop. */
#include "base/alloc.h"
#include "base/error.h"
#include "job/estimate.h"
#include "job/joblog.h"
#include "job/run_private.h"
#include "port/clock.h"
#include "port/fd.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TICK_MS = 100,
    HELD_MAX = 8 * 1024 * 1024,
    SETTLED_BASE = 64,
    SETTLED_PER_SLOT = 8,
    SKIP_MAX = 4096
};

void rmdi_run_fail(rmdi_run *run, int error)
{
    if (run->error)
        return;
    run->error = error;
    snprintf(run->detail, sizeof run->detail, "%s", rmd_error_detail());
    run->stopping = true;
    if (run->pool)
        rmd_pool_cancel(run->pool, false);
}

uint64_t rmdi_run_total(const rmdi_run *run)
{
    if (run->input_done)
        return run->seq;
    uint64_t known = run->inputs ? rmdi_inputs_total(run->inputs) : UINT64_MAX;
    return known != UINT64_MAX ? known : run->estimate;
}

/* ---- the end ---- */

static void finish_if_done(rmdi_run *run)
{
    bool no_more = run->input_done || run->stopping;
    if (!no_more || run->in_flight || run->live || run->finished)
        return;
    run->finished = true;
    rmd_source_free(run->input_watch);
    rmd_source_free(run->tick);
    rmd_source_free(run->delay);
    run->input_watch = run->tick = run->delay = NULL;
    run->done(run->ctx);
}

static void write_log(rmdi_run *run, const rmdi_buffer *line)
{
    if (run->joblog < 0) {
        rmdi_printer_row(run->printer, line->data, line->len);
        return;
    }
    for (size_t done = 0; done < line->len;) {
        ssize_t n = write(run->joblog, line->data + done, line->len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            rmdi_run_fail(run, rmdi_fail_errno(errno, "joblog %s", run->options.joblog));
            return;
        }
        done += (size_t)n;
    }
}

static void log_task(rmdi_run_task *task)
{
    rmdi_buffer line = { 0 };
    int err = rmdi_run_task_log(task, &line);
    if (err < 0)
        rmdi_run_fail(task->run, err);
    else
        write_log(task->run, &line);
    rmdi_buffer_free(&line);
}

/* The program may have done its work; without its output the task has failed. */
static void count_spoiled(rmdi_run_task *task)
{
    rmdi_run *run = task->run;
    switch (task->future ? rmd_future_outcome(task->future) : RMD_OUTCOME_FAILED) {
    case RMD_OUTCOME_OK: run->correction.ok--; break;
    case RMD_OUTCOME_CANCELLED: run->correction.cancelled--; break;
    case RMD_OUTCOME_TIMEOUT: run->correction.timeout--; break;
    default: return;
    }
    run->correction.failed++;
}

static void on_shown(void *ctx, rmdi_print_item *item)
{
    rmdi_run *run = ctx;
    rmdi_run_task *task = (rmdi_run_task *)(void *)item;
    bool told = !item->hidden && !run->options.dry_run;
    if (told && run->options.joblog && !task->again)
        log_task(task);
    if (told && !run->options.quiet && !task->again)
        rmdi_run_report_failure(task);
    rmdi_run_record_shown(task);
    if (item->error)
        count_spoiled(task);
    if (item->error && !task->failed) /* found out after its end was counted */
        rmdi_run_fail(run, item->error);
    rmdi_run_task_free(task);
    finish_if_done(run);
}

static void on_room(void *ctx)
{
    rmdi_run_start(ctx);
}

static void on_broken(void *ctx, int error)
{
    rmdi_run *run = ctx;
    rmdi_run_fail(run, error);
    if (run->opened)
        rmdi_run_start(run);
}

/* ---- feeding ---- */

static bool may_begin(const rmdi_run *run)
{
    return !run->input_done && !run->stopping && run->in_flight < run->options.slots &&
           run->settled_len < SETTLED_BASE + SETTLED_PER_SLOT * (size_t)run->options.slots &&
           rmdi_events_idle(&run->events) && rmdi_printer_has_room(run->printer);
}

static bool delay_is_over(rmdi_run *run)
{
    if (rmdi_clock_monotonic_ns() >= run->not_before_ns)
        return true;
    rmd_source_set_due(run->delay, RMD_DEADLINE_AT(run->not_before_ns));
    return false;
}

/* The inputs may close the descriptor when they are asked again, and one that nobody asks
 * would tell its hang-up for ever. */
static void stop_watching(rmdi_run *run)
{
    rmd_source_free(run->input_watch);
    run->input_watch = NULL;
}

static void on_input(rmd_source *source, unsigned events, void *ctx)
{
    (void)source;
    (void)events;
    stop_watching(ctx);
    rmdi_run_start(ctx);
}

/* --pipe with input sources too: their values go to the tasks one by one, then empty. */
static int next_values(rmdi_run *run, rmdi_values *values)
{
    static const rmd_bytes nothing = { .data = "", .len = 0 };
    int got = run->inputs ? rmdi_inputs_next(run->inputs, values) : 0;
    if (got == 0 && run->blocks)
        *values = (rmdi_values){ .values = &nothing, .count = 1 };
    return got;
}

static bool is_blank(rmd_bytes block)
{
    const char *data = block.data;
    for (size_t i = 0; i < block.len; i++)
        if (!isspace((unsigned char)data[i]))
            return false;
    return true;
}

static int next_block(rmdi_run *run)
{
    int got;
    do
        got = rmdi_blocks_next(run->blocks, &run->next_block);
    while (got == 1 && run->options.inputs.skip_empty && is_blank(run->next_block));
    if (got == 1 && next_values(run, &run->next_values) < 0)
        return rmdi_fail(RMD_EINVAL, "the values that go with blocks must be in files or words");
    return got;
}

/* Reads what the next task gets: 1, 0 at the end, RMD_EAGAIN: it will come. */
static int read_next(rmdi_run *run)
{
    if (run->next_read)
        return 1;
    stop_watching(run);
    int got = run->blocks ? next_block(run) : next_values(run, &run->next_values);
    run->next_read = got == 1;
    run->input_done = got == 0;
    if (got != RMD_EAGAIN)
        return got;
    int fd = run->blocks ? rmdi_blocks_fd(run->blocks) : rmdi_inputs_fd(run->inputs);
    int err = rmd_loop_watch(run->loop, &run->input_watch, fd, RMD_READABLE, on_input, run);
    return err < 0 ? err : RMD_EAGAIN;
}

/* Many inputs may have ended in earlier runs: now and then the loop gets its turn. */
static bool skip_next(rmdi_run *run, int *error)
{
    if (!rmdi_run_skips(run, error))
        return false;
    if (++run->skipped_in_turn >= SKIP_MAX)
        rmdi_loop_send(run->loop, &run->feed);
    return true;
}

static bool begin_one(rmdi_run *run)
{
    int error = 0, got = read_next(run);
    if (got == 1 && skip_next(run, &error))
        return run->skipped_in_turn < SKIP_MAX;
    if (error < 0)
        got = error;
    if (got == 1 && !delay_is_over(run))
        return false;
    if (got == 1) {
        run->next_read = run->next_judged = false;
        run->not_before_ns = rmdi_clock_monotonic_ns() + run->options.delay_ns;
        got = rmdi_run_task_begin(run, &run->next_values, run->next_block);
        if (got == 0)
            return true;
    }
    if (got < 0 && got != RMD_EAGAIN)
        rmdi_run_fail(run, got);
    return false;
}

void rmdi_run_start(rmdi_run *run)
{
    if (run->feeding) /* a task that ended at once: the loop below goes on */
        return;
    run->feeding = true;
    while (may_begin(run) && begin_one(run))
        ;
    run->feeding = false;
    finish_if_done(run);
}

static void on_delay(rmd_source *source, unsigned events, void *ctx)
{
    (void)source;
    (void)events;
    rmdi_run_start(ctx);
}

static void on_tick(rmd_source *source, unsigned events, void *ctx)
{
    (void)source;
    (void)events;
    rmdi_run_draw(ctx);
}

static void before_output(void *ctx)
{
    rmdi_run_erase(ctx);
}

/* ---- opening ---- */

static int open_joblog(rmdi_run *run)
{
    const char *path = run->options.joblog;
    if (!path || run->options.dry_run)
        return 0;
    bool append = *path == '+' || run->options.resume, begun = *path == '+';
    if (strcmp(path, "-") != 0) {
        path += *path == '+';
        run->joblog = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND | (append ? 0 : O_TRUNC),
                           0666);
        if (run->joblog < 0)
            return rmdi_fail_errno(errno, "joblog %s", path);
        begun |= append && lseek(run->joblog, 0, SEEK_END) > 0;
    }
    rmdi_buffer line = { 0 };
    int err = begun ? 0 : rmdi_joblog_header(&line);
    if (err == 0)
        write_log(run, &line);
    rmdi_buffer_free(&line);
    if (err < 0 || run->joblog < 0) /* what becomes of our output is told when we run */
        return err;
    return run->error;
}

static int open_templates(rmdi_run *run)
{
    int err = rmdi_template_parse(&run->template, &run->options.template);
    if (err < 0 || !run->options.tag)
        return err;
    const char *words[] = { run->options.tag, NULL };
    rmdi_template_options tag = { .words = words, .never_append = true, .quote = true };
    return rmdi_template_parse(&run->tag, &tag);
}

static int open_inputs(rmdi_run *run)
{
    int err = 0;
    if (run->options.pipe)
        err = rmdi_blocks_open(&run->blocks, &run->options.blocks);
    if (err == 0 && (!run->options.pipe || run->options.inputs.sources_count))
        err = rmdi_inputs_open(&run->inputs, &run->options.inputs);
    return err;
}

static int open_pool(rmdi_run *run)
{
    char kind[64];
    unsigned slots = run->options.slots;
    rmd_pool_options options = { .size = sizeof options, .name = "remuda", .loop = run->loop };
    snprintf(kind, sizeof kind, "programs:%u?queue=%u", slots, slots);
    return run->options.dry_run ? 0 : rmd_pool_open(&run->pool, kind, &options, RMD_FOREVER);
}

static int open_printer(rmdi_run *run)
{
    const char *dir = getenv("TMPDIR");
    rmdi_printer_options options = {
        .keep_order = run->options.keep_order,
        .line_buffer = run->options.output == RMDI_RUN_LINES,
        .shown = on_shown,
        .room = on_room,
        .broken = on_broken,
        .before = before_output,
        .ctx = run,
    };
    int err = rmdi_spill_open(&run->spill, dir && *dir ? dir : "/tmp", HELD_MAX);
    return err < 0 ? err : rmdi_printer_open(&run->printer, run->loop, run->spill, &options);
}

static int open_arrays(rmdi_run *run)
{
    run->free_slots = rmdi_alloc(run->options.slots * sizeof *run->free_slots);
    if (run->options.timeout_share > 0)
        run->runtimes = rmdi_alloc(RMDI_RUNTIMES_MAX * sizeof *run->runtimes);
    bool got = run->free_slots && (run->runtimes || run->options.timeout_share <= 0);
    return got ? 0 : rmdi_fail_memory();
}

static int open_timers(rmdi_run *run)
{
    int err = rmd_loop_timer(run->loop, &run->delay, RMD_FOREVER, 0, on_delay, run);
    bool shown = run->options.bar || run->options.eta;
    run->estimate = UINT64_MAX;
    if (!run->options.pipe && (shown || run->halt.percent))
        run->estimate = rmdi_estimate_total(&run->options.inputs);
    if (err < 0 || !shown)
        return err;
    return rmd_loop_timer(run->loop, &run->tick, rmd_after_ms(TICK_MS), TICK_MS, on_tick, run);
}

int rmdi_run_open(rmdi_run **out, rmd_loop *loop, const rmdi_run_options *options,
                  void (*done)(void *ctx), void *ctx)
{
    static int (*const steps[])(rmdi_run *) = {
        open_templates,        open_inputs, open_arrays, open_printer, rmdi_run_open_reports,
        rmdi_run_open_journal, open_joblog, open_pool,   open_timers,  rmdi_run_open_events
    };
    rmdi_run *run = rmdi_alloc_zeroed(sizeof *run);
    if (!run)
        return rmdi_fail_memory();
    run->options = *options;
    run->halt = options->halt;
    run->loop = loop;
    run->done = done;
    run->ctx = ctx;
    run->joblog = -1;
    run->start_ns = rmdi_clock_monotonic_ns();
    rmdi_list_init(&run->starting);
    rmdi_list_init(&run->settled);
    int err = 0;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && err == 0; i++)
        err = steps[i](run);
    if (err < 0) {
        char detail[sizeof run->detail]; /* closing must not lose it */
        snprintf(detail, sizeof detail, "%s", rmd_error_detail());
        run->options.census = run->options.json = false;
        rmdi_journal_discard(run->journal);
        run->journal = NULL;
        rmdi_run_close(run, RMD_NOW);
        return rmdi_fail_copy(err, detail);
    }
    run->opened = true;
    *out = run;
    return 0;
}

/* ---- the user's hand ---- */

unsigned rmdi_run_drain(rmdi_run *run)
{
    run->stopping = true;
    unsigned left = run->in_flight;
    rmdi_run_start(run); /* perhaps nothing runs, and this is the end */
    return left;
}

unsigned rmdi_run_cancel(rmdi_run *run)
{
    run->stopping = true;
    if (run->pool)
        rmd_pool_cancel(run->pool, false);
    return run->in_flight;
}

void rmdi_run_suspend(rmdi_run *run, bool suspend)
{
    if (!run->pool)
        return;
    if (suspend)
        rmd_pool_suspend(run->pool);
    else
        rmd_pool_resume(run->pool);
}

void rmdi_run_say(rmdi_run *run, const char *text)
{
    rmdi_printer_note(run->printer, text, strlen(text));
}

int rmdi_run_status(const rmdi_run *run, const char **detail)
{
    *detail = run->error ? run->detail : "";
    if (run->error == RMD_ECLOSED)
        return 141; /* 128 + SIGPIPE */
    if (run->error)
        return 255;
    return rmdi_halt_status(&run->halt, run->seq);
}

void rmdi_run_close(rmdi_run *run, rmd_deadline deadline)
{
    if (run->pool)
        rmd_pool_drain(run->pool, RMD_NOW); /* nothing runs any more, unless we gave up */
    rmdi_events_close(&run->events, deadline);
    rmdi_loop_unsend(run->loop, &run->feed);
    rmdi_keys_free(run->keys);
    rmdi_run_close_reports(run);
    rmdi_run_report_resumed(run);
    if (run->options.json)
        rmdi_run_account_json(run, run->exit_status);
    else if (run->options.census)
        rmdi_run_account(run);
    rmdi_run_erase(run);
    rmdi_printer_close(run->printer, deadline);
    rmd_pool_free(run->pool);
    rmd_source_free(run->input_watch);
    rmd_source_free(run->tick);
    rmd_source_free(run->delay);
    rmdi_fd_close(&run->joblog);
    rmdi_inputs_free(run->inputs);
    rmdi_blocks_free(run->blocks);
    rmdi_expansion_free(&run->expansion);
    rmdi_template_free(run->template);
    rmdi_template_free(run->tag);
    if (run->spill)
        rmdi_spill_drop(run->spill);
    rmdi_free(run->free_slots);
    rmdi_free(run->runtimes);
    rmdi_free(run);
}
