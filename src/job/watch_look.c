/* SPDX-License-Identifier: MIT */
/* From the journal to the state. Each look reads the row of the run, the tasks that are pending (by
 * their index), the failures behind the last id seen, and those of the tasks that were pending at
 * the look before and are not any more: that is little, however many tasks the journal has. Only
 * the first look walks all tasks. (A run that is resumed with its inputs in another order may begin
 * old ids behind our back; a failure of theirs may be missing in the list, never in the counts.) */
#include "base/alloc.h"
#include "base/error.h"
#include "job/watch.h"

#include <stdio.h>
#include <string.h>

/* ---- one run ---- */

static void copy_run(rmdi_watch_state *state, const rmd_journal_run *run)
{
    state->run = *run;
    snprintf(state->host, sizeof state->host, "%s", run->host);
    snprintf(state->boot, sizeof state->boot, "%s", run->boot);
    snprintf(state->command, sizeof state->command, "%s", run->command);
    snprintf(state->detail, sizeof state->detail, "%s", run->detail);
    state->run.host = state->host;
    state->run.boot = state->boot;
    state->run.command = state->command;
    state->run.detail = state->detail;
    state->run.version = state->run.dir = ""; /* borrowed, and not needed */
}

typedef struct choice {
    rmdi_watch_state *state;
    int64_t wanted; /* the run that is followed; 0: the last */
} choice;

static int on_run(void *ctx, const rmd_journal_run *run)
{
    choice *c = ctx;
    if (!c->wanted || run->id == c->wanted)
        copy_run(c->state, run);
    return 0;
}

/* ---- tasks ---- */

static void copy_task(rmdi_watch_task *to, const rmd_journal_task *task)
{
    const char *command = task->command.data;
    size_t len = task->command.len;
    to->command_cut = len > sizeof to->command;
    if (to->command_cut) /* not within a character */
        for (len = sizeof to->command; len && (command[len] & 0xc0) == 0x80;)
            len--;
    to->id = task->id;
    to->seq = task->seq;
    to->outcome = task->outcome;
    to->begun_ns = task->begun_ns;
    to->ended_ns = task->ended_ns;
    to->command_len = len;
    memcpy(to->command, command, len);
    snprintf(to->detail, sizeof to->detail, "%s", task->detail);
}

static int on_pending(void *ctx, const rmd_journal_task *task)
{
    rmdi_watch *w = ctx;
    void *ids = w->pending;
    int err = rmdi_array_reserve(&ids, &w->pending_capacity, w->pending_len, sizeof *w->pending);
    w->pending = ids;
    if (err < 0)
        return err;
    w->pending[w->pending_len++] = task->id;
    if (w->state.running_len < RMDI_WATCH_RUNNING)
        copy_task(&w->state.running[w->state.running_len++], task);
    return 0;
}

static bool is_later(const rmd_journal_task *task, const rmdi_watch_task *than)
{
    return task->ended_ns != than->ended_ns ? task->ended_ns > than->ended_ns : task->id > than->id;
}

static int on_ended(void *ctx, const rmd_journal_task *task)
{
    rmdi_watch_state *state = &((rmdi_watch *)ctx)->state;
    size_t at = 0;
    if (task->outcome == RMD_OUTCOME_OK || task->outcome == RMD_PENDING)
        return 0;
    while (at < state->failures_len && state->failures[at].id != task->id &&
           !is_later(task, &state->failures[at]))
        at++;
    if (at == RMDI_WATCH_FAILURES)
        return 0;
    if (at < state->failures_len && state->failures[at].id == task->id)
        return 0; /* from a look that failed half way */
    if (state->failures_len < RMDI_WATCH_FAILURES)
        state->failures_len++;
    memmove(&state->failures[at + 1], &state->failures[at],
            (state->failures_len - at - 1) * sizeof *state->failures);
    copy_task(&state->failures[at], task);
    return 0;
}

static int on_new_failure(void *ctx, const rmd_journal_task *task)
{
    rmdi_watch *w = ctx;
    if (task->id > w->seen)
        w->seen = task->id; /* the walk has its own copy of where it began */
    return on_ended(ctx, task);
}

static int look_at_ended(rmdi_watch *w, rmd_journal *journal)
{
    rmd_journal_query query = { .size = sizeof query, .run = w->state.run.id };
    int err = 0;
    for (size_t i = 0, now = 0; i < w->were_len && err == 0; i++) {
        while (now < w->pending_len && w->pending[now] < w->were_pending[i])
            now++;
        if (now < w->pending_len && w->pending[now] == w->were_pending[i])
            continue;
        query.id = w->were_pending[i];
        err = rmd_journal_tasks(journal, &query, on_ended, w);
    }
    return err;
}

static void swap_pending(rmdi_watch *w)
{
    int64_t *ids = w->pending;
    size_t capacity = w->pending_capacity;
    w->pending = w->were_pending;
    w->pending_capacity = w->were_capacity;
    w->were_pending = ids;
    w->were_capacity = capacity;
    w->were_len = w->pending_len;
    w->pending_len = 0;
}

static int look_at_tasks(rmdi_watch *w, rmd_journal *journal)
{
    rmd_journal_query pending = { .size = sizeof pending, .run = w->state.run.id, .pending = true };
    rmd_journal_query failed = {
        .size = sizeof failed, .run = w->state.run.id, .failed = true, .after = w->seen
    };
    w->state.running_len = w->pending_len = 0;
    int err = rmd_journal_tasks(journal, &pending, on_pending, w);
    if (err == 0)
        err = look_at_ended(w, journal);
    if (err == 0)
        err = rmd_journal_tasks(journal, &failed, on_new_failure, w);
    if (err < 0)
        return err; /* the next look begins where this one did, but for failures it has found */
    if (w->pending_len && w->pending[w->pending_len - 1] > w->seen)
        w->seen = w->pending[w->pending_len - 1];
    w->state.pending = w->pending_len;
    swap_pending(w);
    return 0;
}

/* ---- a look ---- */

static int look(rmdi_watch *w, rmd_journal *journal)
{
    choice c = { .state = &w->state, .wanted = w->state.run.id };
    int err = rmd_journal_begin(journal);
    if (err < 0)
        return err;
    err = rmd_journal_runs(journal, on_run, &c);
    if (err == 0 && w->state.run.id)
        err = look_at_tasks(w, journal);
    rmd_journal_end(journal);
    return err;
}

int rmdi_watch_look(rmdi_watch *w)
{
    rmd_journal *journal;
    int err = rmd_journal_open(&journal, w->path);
    if (err < 0)
        return err;
    err = look(w, journal);
    rmd_journal_free(journal);
    return err;
}

int rmdi_watch_open(rmdi_watch **out, const char *path)
{
    rmdi_watch *w = rmdi_alloc_zeroed(sizeof *w);
    if (!w)
        return rmdi_fail_memory();
    w->path = path;
    snprintf(w->state.path, sizeof w->state.path, "%s", path);
    *out = w;
    return 0;
}

void rmdi_watch_free(rmdi_watch *w)
{
    if (!w)
        return;
    rmdi_free(w->pending);
    rmdi_free(w->were_pending);
    rmdi_free(w);
}
