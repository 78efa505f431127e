/* SPDX-License-Identifier: MIT */
/* A run and its journal. What has ended is told to nobody before it is on disk: such a task waits
 * in `settled`, while its slot already serves the next one. With --at-most-once a start waits for
 * its record, too, in `starting`. Both lists are in the order of their tickets. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/point.h"
#include "job/run_private.h"
#include "port/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *const output_names[] = {
    [RMDI_RUN_GROUP] = "group",
    [RMDI_RUN_LINES] = "lines",
    [RMDI_RUN_UNGROUP] = "direct",
};

/* ---- what comes back from the disk ---- */

static rmdi_run_task *first_of(const rmdi_link *list)
{
    return rmdi_list_empty(list) ? NULL : RMDI_CONTAINER(list->next, rmdi_run_task, waiting);
}

static rmdi_run_task *take_settled(rmdi_run *run, uint64_t ticket)
{
    rmdi_run_task *task = first_of(&run->settled);
    if (!task || task->ticket > ticket)
        return NULL;
    rmdi_list_remove(&task->waiting);
    run->settled_len--;
    return task;
}

static void on_committed(void *ctx, uint64_t ticket)
{
    rmdi_run *run = ctx;
    for (rmdi_run_task *task; (task = take_settled(run, ticket));)
        rmdi_run_task_tell(task);
    for (rmdi_run_task *task; (task = first_of(&run->starting)) && task->ticket <= ticket;) {
        rmdi_list_remove(&task->waiting);
        rmdi_run_task_launch(task);
    }
    rmdi_run_start(run);
}

/* Nothing will be recorded any more. What has ended since is not shown as ended: the next run does
 * it again. */
static void on_failed(void *ctx, int error)
{
    rmdi_run *run = ctx;
    run->journal_failed = true;
    rmdi_run_fail(run, error);
    for (rmdi_run_task *task; (task = take_settled(run, UINT64_MAX));) {
        task->item.hidden = task->unrecorded = true;
        rmdi_run_task_tell(task);
    }
    for (rmdi_run_task *task; (task = first_of(&run->starting));) {
        rmdi_list_remove(&task->waiting);
        task->item.hidden = task->cancelled = task->unrecorded = true;
        rmdi_run_task_refuse(task, RMD_ECANCELED);
    }
    rmdi_run_start(run);
}

/* ---- opening ---- */

static void on_feed(void *ctx)
{
    rmdi_run *run = ctx;
    run->skipped_in_turn = 0;
    rmdi_run_start(run);
}

static void say_elsewhere(rmdi_run *run)
{
    char text[600];
    const char *dir = rmdi_journal_elsewhere(run->journal);
    if (!dir || run->options.quiet)
        return;
    snprintf(text, sizeof text,
             "remuda: the journal was written in %.400s; here the same names may mean other "
             "files\n",
             dir);
    rmdi_run_say(run, text);
}

static int check_other_file(const rmdi_run *run, const char *option, const char *path)
{
    struct stat journal, other;
    if (!path || stat(run->options.journal, &journal) < 0 ||
        stat(path + (*path == '+'), &other) < 0 || journal.st_dev != other.st_dev ||
        journal.st_ino != other.st_ino)
        return 0;
    return rmdi_fail(RMD_EINVAL, "%s %s is the journal; use another file", option, path);
}

/* What else is written must not be written over it. */
static int check_other_files(const rmdi_run *run)
{
    const char *const *report = run->options.reports;
    int err = check_other_file(run, "--joblog", run->options.joblog);
    if (err == 0)
        err = check_other_file(run, "--events", run->options.events);
    for (; report && *report && err == 0; report++)
        err = check_other_file(run, "--report", *report);
    return err;
}

int rmdi_run_open_journal(rmdi_run *run)
{
    const rmdi_run_options *options = &run->options;
    rmdi_post_init(&run->feed, on_feed, run);
    bool only_looks = options->dry_run;
    if (!options->journal || (only_looks && !options->resume))
        return 0;
    rmdi_journal_options journal = {
        .path = options->journal,
        .resume = options->resume,
        .read_only = only_looks,
        .at_most_once = options->at_most_once,
        .sync = options->sync,
        .command = options->command_line ? options->command_line : "",
        .slots = options->slots,
        .committed = on_committed,
        .failed = on_failed,
        .ctx = run,
    };
    rmdi_template_options template = options->template;
    template.shell = options->shell_given; /* not $SHELL: it differs between terminal and cron */
    int err = rmdi_keys_open(&run->keys, &template, options->dir, options->environment);
    if (err == 0)
        err = rmdi_journal_open(&run->journal, run->loop, &journal);
    if (err == 0)
        run->options.at_most_once = rmdi_journal_is_at_most_once(run->journal);
    if (err == 0)
        err = check_other_files(run);
    if (err == 0)
        say_elsewhere(run);
    return err;
}

/* ---- before the start ---- */

bool rmdi_run_runs_again(const rmdi_run *run, const rmdi_known_task *known)
{
    switch (known->outcome) {
    case RMD_PENDING: return true; /* or is reported as lost */
    case RMD_OUTCOME_CANCELLED: return !known->started || !run->options.at_most_once;
    case RMD_OUTCOME_OK: return false;
    case RMD_OUTCOME_LOST: return run->options.retry_failed && !run->options.at_most_once;
    default: return run->options.retry_failed;
    }
}

static void count(rmdi_run *run)
{
    rmdi_journal_counts counts = { .total = rmdi_run_total(run), .skipped = run->skipped };
    if (run->options.dry_run)
        return;
    rmdi_run_census(run, &counts.census);
    counts.census.submitted = run->recorded; /* the pool has the last of them not yet */
    rmdi_journal_count(run->journal, &counts);
}

static int look_up(rmdi_run *run)
{
    run->next_judged = true;
    int err = rmdi_keys_make(run->keys, run->next_values.values, run->next_values.count,
                             run->blocks ? run->next_block : (rmd_bytes){ 0 }, &run->next_key);
    if (err == 0)
        run->next_known = rmdi_journal_find(run->journal, &run->next_key);
    return err;
}

void rmdi_run_skip(rmdi_run *run, const rmdi_known_task *known)
{
    run->skipped++;
    run->skipped_failed += known->outcome != RMD_OUTCOME_OK;
    rmdi_run_tell_skipped(run, known);
    count(run);
}

bool rmdi_run_skips(rmdi_run *run, int *error)
{
    *error = 0;
    if (!run->journal || run->next_judged)
        return false;
    *error = look_up(run);
    const rmdi_known_task *known = &run->next_known;
    if (*error < 0 || !known->id || rmdi_run_runs_again(run, known))
        return false;
    if (known->unshown && !run->options.dry_run)
        return false; /* it only has to be shown */
    run->next_read = run->next_judged = false;
    run->seq++;
    rmdi_run_skip(run, known);
    return true;
}

/* The values and the block of a task that does not start yet, and of which the input keeps none. */
static int keep_input(rmdi_run_task *task, const rmdi_values *values, rmd_bytes block)
{
    int err = rmdi_buffer_add(&task->kept, block.data, block.len);
    for (size_t i = 0; i < values->count && err == 0; i++)
        err = rmdi_buffer_add(&task->kept, values->values[i].data, values->values[i].len);
    task->values = rmdi_alloc((values->count + 1) * sizeof *task->values);
    if (err < 0 || !task->values)
        return rmdi_fail_memory();
    const char *at = task->kept.data;
    task->block = (rmd_bytes){ .data = at, .len = block.len };
    at += block.len;
    for (size_t i = 0; i < values->count; i++, task->values_len++) {
        task->values[i] = (rmd_bytes){ .data = at, .len = values->values[i].len };
        at += values->values[i].len;
    }
    return 0;
}

bool rmdi_run_record_begin(rmdi_run_task *task, const rmdi_values *values, rmd_bytes block)
{
    rmdi_run *run = task->run;
    if (!run->journal || run->options.dry_run)
        return false;
    run->recorded++;
    count(run);
    task->ticket = rmdi_journal_begin(run->journal, &task->id, &task->key, task->seq,
                                      rmdi_buffer_view(&task->text));
    rmdi_point("begin-recorded");
    bool waits = run->options.at_most_once && !task->lost;
    if (task->ticket && !waits)
        return false;
    if (task->ticket && keep_input(task, values, block) == 0) {
        rmdi_list_append(&run->starting, &task->waiting);
        return true;
    }
    if (task->ticket)
        rmdi_run_fail(run, RMD_ENOMEM);
    else
        rmdi_fail(RMD_ECANCELED, "its start could not be recorded");
    run->stopping = true; /* why the journal has failed is told when its writer has gone */
    task->item.hidden = task->cancelled = task->unrecorded = true;
    rmdi_run_task_refuse(task, RMD_ECANCELED);
    return true;
}

/* ---- after the end ---- */

static rmdi_journal_attempt attempt_of(rmdi_run_task *task, const rmd_exit *account)
{
    return (rmdi_journal_attempt){
        .task = task->id,
        .slot = task->slot,
        .queued_ns = task->queued_ns ? task->queued_ns : account->submitted_ns,
        .sent_bytes = task->sent,
        .output = output_names[task->run->options.output],
        .account = account,
    };
}

void rmdi_run_record_attempt(rmdi_run_task *task, const rmd_exit *account)
{
    if (!task->id || account->outcome == RMD_PENDING)
        return;
    rmdi_journal_attempt attempt = attempt_of(task, account);
    rmdi_journal_attempt_ended(task->run->journal, &attempt);
    task->queued_ns = account->ended_ns;
}

bool rmdi_run_record_end(rmdi_run_task *task)
{
    rmdi_run *run = task->run;
    const rmd_exit *account = NULL;
    rmd_outcome outcome;
    const char *detail;
    if (!task->id || task->again)
        return false;
    if (task->future && rmd_future_exit(task->future, &account) < 0)
        account = NULL;
    rmdi_run_task_exit(task, &outcome, &detail);
    task->stored = account && run->options.output == RMDI_RUN_GROUP && !task->item.error &&
                   account->out_bytes + account->err_bytes > 0;
    count(run);
    rmdi_journal_attempt attempt = { 0 };
    if (account)
        attempt = attempt_of(task, account);
    task->ticket = rmdi_journal_ended(run->journal, task->id, outcome, detail,
                                      account && account->attempts ? &attempt : NULL,
                                      task->stored ? task->future : NULL);
    rmdi_point("end-recorded");
    if (!task->ticket) {
        task->item.hidden = task->unrecorded = true;
        return false;
    }
    rmdi_list_append(&run->settled, &task->waiting);
    run->settled_len++;
    return true;
}

void rmdi_run_record_shown(rmdi_run_task *task)
{
    rmdi_point("shown");
    /* After an error of the run nobody may have been there to read it. */
    if (task->stored && !task->item.hidden && !task->item.error && !task->run->error)
        rmdi_journal_shown(task->run->journal, task->id);
}

/* ---- the end of the run ---- */

static void close_journal(rmdi_run *run, int status)
{
    rmdi_journal *journal = run->journal;
    count(run);
    run->unclaimed = rmdi_journal_unclaimed(journal);
    run->journal = NULL;
    int err = rmdi_journal_close(journal, status, run->error ? run->detail : "");
    if (err < 0 && !run->journal_failed)
        rmdi_run_fail(run, err);
    run->journal_failed |= err < 0;
}

void rmdi_run_seal(rmdi_run *run, int status)
{
    bool failed = run->error;
    run->seconds = (double)(rmdi_clock_monotonic_ns() - run->start_ns) / 1e9;
    if (run->journal)
        close_journal(run, status);
    rmdi_run_write_reports(run);
    run->exit_status = run->journal_failed || (run->error && !failed) ? 255 : status;
    rmdi_run_tell_end(run, run->exit_status);
}
