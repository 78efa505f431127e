/* SPDX-License-Identifier: MIT */
#include "exec/map.h"

#include "exec/census.h"
#include "exec/future.h"
#include "port/clock.h"
#include "port/forked.h"

#include <remuda/stop.h>
#include <remuda/task.h>

enum { WINDOW_MAX = 1 << 24, PROGRESS_MS = 1000 };

/* ---- the account ---- */

/* Map entered. Those under way are in the census as they are now. */
static rmd_map_account account_of(const rmdi_map *m)
{
    rmd_map_account account = { .census = m->census,
                                .added = m->added,
                                .given = m->given,
                                .waiting = m->backlog_len,
                                .dropped = m->dropped,
                                .bytes = m->bytes,
                                .produced = m->produced };
    account.census.submitted = m->submitted;
    account.census.queued = account.census.running = 0;
    for (size_t i = 0; i < m->window; i++) {
        const rmd_future *future = m->slots[i].future;
        rmd_state state = future ? rmd_future_state(future) : RMD_STATE_ENDED;
        if (future && state == RMD_STATE_ENDED)
            rmdi_census_add(&account.census, rmd_future_outcome(future));
        account.census.queued += state == RMD_STATE_QUEUED;
        account.census.running += state == RMD_STATE_RUNNING;
    }
    return account;
}

static int64_t progress_ms(const rmdi_map *m)
{
    return m->options->progress_ms > 0 ? m->options->progress_ms : PROGRESS_MS;
}

static void tell_progress(rmdi_map *m)
{
    rmdi_map_enter(m);
    rmd_map_account account = account_of(m);
    rmdi_map_leave(m);
    m->options->progress(m->options->ctx, &account);
    m->next_progress_ns = rmd_after_ms(progress_ms(m)).ns;
}

static void tell_if_due(rmdi_map *m)
{
    if (m->options->progress && rmdi_clock_monotonic_ns() >= m->next_progress_ns)
        tell_progress(m);
}

/* ---- the sink ---- */

static int call_sink(rmdi_map *m, rmd_future *future, uint64_t index)
{
    const rmd_map_options *options = m->options;
    if (options->sink)
        return options->sink(options->ctx, future, index);
    return options->collect ? 0 : rmd_future_error(future);
}

/* A task that says that it was cancelled, and nobody has done that, cancels the map. */
static int heed(const rmd_future *future)
{
    rmd_failure failure;
    if (rmdi_future_outcome_in(rmd_atomic_load(&future->word, RMD_RELAXED)) != RMD_OUTCOME_FAILED ||
        future->error != RMD_ECANCELED)
        return 0;
    rmdi_future_describe(future, &failure);
    return rmdi_fail_copy(RMD_ECANCELED, failure.detail);
}

/* A sink that has failed is not called again. */
static int sink(rmdi_map *m, rmd_future *future, uint64_t index)
{
    int err = m->sink_failed ? 0 : call_sink(m, future, index);
    if (err == 0 && !m->sink_failed && m->options->collected)
        err = rmdi_map_collect(m, future, index);
    m->sink_failed |= err < 0;
    return err < 0 ? err : heed(future);
}

/* Through the sink, and out of the window. */
static int give(rmdi_map *m, rmdi_map_slot *s)
{
    rmd_future *future = s->future; /* the slot is constant until it is free */
    int err = sink(m, future, s->index);
    if (rmdi_map_check_process(m) < 0)
        return RMD_EFORKED;
    rmdi_map_enter(m);
    rmdi_census_add(&m->census, rmd_future_outcome(future));
    if (err < 0)
        rmdi_map_fail(m, err);
    rmdi_map_note_added(m, future); /* before it leaves the window: see map.h */
    rmdi_map_free_place(m, s);
    m->given++;
    rmdi_map_tell_changed(m);
    rmdi_map_leave(m);
    rmd_future_free(future);
    return 0;
}

/* ---- waiting ---- */

/* The end of the next that is to be given out; *s is its place. */
static int next_ended(rmdi_map *m, rmdi_map_slot **s, rmd_deadline deadline)
{
    if (!m->ends) {
        *s = &m->slots[m->given % m->window]; /* one that is there, and so constant */
        return rmd_future_wait((*s)->future, deadline);
    }
    rmd_future *future;
    uint64_t place;
    int err = rmdi_completions_next(m->ends, &future, &place, deadline);
    if (err == 0)
        *s = &m->slots[place];
    return err;
}

/* Map entered. */
static bool can_submit_added(const rmdi_map *m)
{
    return m->backlog && !m->err && rmdi_map_has_room(m);
}

/* Map entered. Is there one whose end can be waited for? (Not one that is just being submitted.) */
static bool has_one_to_give(const rmdi_map *m)
{
    return m->ends ? rmd_completions_left(m->ends) > 0
                   : m->slots[m->given % m->window].future != NULL;
}

/* Until there is something else to do than to wait for the producer's thread. */
static int await_producer(rmdi_map *m, rmd_deadline deadline)
{
    int err = 0;
    RMD_BLOCKING
    {
        rmdi_map_enter(m);
        while (err == 0 && !m->produced && !has_one_to_give(m) && !can_submit_added(m))
            err = rmdi_condition_wait(&m->changed, &m->lock, deadline);
        if (err < 0)
            rmdi_fail(err, "map: %s while the producer had none",
                      err == RMD_ETIMEDOUT ? "the deadline passed" : "told to stop");
        rmdi_map_leave(m);
    }
    return err;
}

/* Gives out the next, or lets the producer's thread go on. Once the map has failed, what was
 * cancelled is waited for, whatever comes. */
static int wait(rmdi_map *m, bool failed, bool for_producer)
{
    rmdi_map_slot *s = NULL;
    rmd_deadline all = failed ? RMD_FOREVER : m->deadline, now = all;
    if (now.ns > m->next_progress_ns)
        now.ns = m->next_progress_ns;
    rmd_stop *before = failed ? rmd_stop_set(NULL) : NULL;
    int err = for_producer ? await_producer(m, now) : next_ended(m, &s, now);
    if (failed)
        rmd_stop_set(before);
    if (err == RMD_ETIMEDOUT && !rmd_deadline_passed(all))
        return 0; /* it was for the progress */
    return err == 0 && s ? give(m, s) : err;
}

/* ---- the loop ---- */

typedef enum what { SUBMIT_ADDED, PRODUCE, GIVE, AWAIT_PRODUCER, OVER } what;

/* What is to be done next? *failed: it ends early. */
static what look(rmdi_map *m, bool *failed)
{
    bool threaded = m->options->producer_thread;
    what w = OVER;
    rmdi_map_enter(m);
    if (!m->err && (!m->produced || m->backlog)) { /* else it is about to end by itself */
        int err = rmdi_map_look_at_time(m);
        if (err < 0)
            rmdi_map_fail(m, err);
    }
    *failed = m->err != 0;
    if (m->err) {
        rmdi_map_drop_backlog(m);
        m->produced |= !threaded;
    }
    if (can_submit_added(m))
        w = SUBMIT_ADDED;
    else if (!m->produced && !threaded && rmdi_map_has_room(m))
        w = PRODUCE;
    else if (has_one_to_give(m))
        w = GIVE;
    else if (!m->produced)
        w = AWAIT_PRODUCER;
    rmdi_map_leave(m);
    return w;
}

static int step(rmdi_map *m, what w, bool failed)
{
    int err = 0;
    if (w == SUBMIT_ADDED)
        rmdi_map_submit_added(m);
    else if (w == PRODUCE)
        err = rmdi_map_produce(m);
    else
        err = wait(m, failed, w == AWAIT_PRODUCER);
    if (err == 0 || err == RMD_EFORKED || failed)
        return err;
    rmdi_map_enter(m);
    rmdi_map_fail(m, err);
    rmdi_map_leave(m);
    return 0;
}

/* Where nobody can wait for them, as they wait for the caller. They have been cancelled. */
static void leave_behind(rmdi_map *m)
{
    for (size_t i = 0; i < m->window; i++)
        if (m->slots[i].future)
            rmd_future_free(m->slots[i].future);
}

/* 0, or why the rest could not be waited for. */
static int run(rmdi_map *m)
{
    bool failed;
    int err = 0;
    for (what w; err == 0 && (w = look(m, &failed)) != OVER;) {
        err = step(m, w, failed);
        tell_if_due(m);
        if (err == 0)
            err = rmdi_map_check_process(m);
    }
    return err;
}

/* ---- the whole ---- */

static int check_options(const rmd_map_options *options)
{
    if (!options || options->size != sizeof *options)
        return rmdi_fail(RMD_EINVAL, "map options: size is %zu, not %zu",
                         options ? options->size : 0, sizeof *options);
    if (!options->next)
        return rmdi_fail(RMD_EINVAL, "map options: next must be given");
    if (options->window > WINDOW_MAX)
        return rmdi_fail(RMD_E2BIG, "map options: a window of %u tasks; at most %d",
                         options->window, WINDOW_MAX);
    if (options->collect && !options->collected)
        return rmdi_fail(RMD_EINVAL, "map options: collect without a place for what is collected");
    if (options->progress_ms < 0)
        return rmdi_fail(RMD_EINVAL, "map options: progress_ms is negative");
    return 0;
}

static int begin(rmdi_map *m)
{
    const rmd_map_options *options = m->options;
    m->task_options = options->task;
    m->task_options.size = sizeof m->task_options;
    m->task_options.adds = true;
    m->next_progress_ns = INT64_MAX;
    if (options->progress)
        m->next_progress_ns = rmd_after_ms(progress_ms(m)).ns;
    int err = rmdi_map_window_open(m);
    return err == 0 && options->producer_thread ? rmdi_map_start_producer(m) : err;
}

static int finish(rmdi_map *m)
{
    const rmd_map_options *options = m->options;
    int left = run(m);
    if (left == RMD_EFORKED)
        return left; /* nothing here is ours */
    rmdi_map_join_producer(m);
    rmd_map_account account = account_of(m);
    if (left < 0)
        leave_behind(m);
    if (options->census)
        *options->census = account.census;
    if (options->account)
        *options->account = account;
    if (m->err)
        return rmdi_fail_copy(m->err, m->detail);
    if (options->progress)
        options->progress(options->ctx, &account);
    return options->collected ? rmdi_map_collected(m) : 0;
}

int rmd_map(rmd_pool *pool, const rmd_map_options *options, rmd_deadline deadline)
{
    rmdi_map m = {
        .process = rmdi_process_mark(), .pool = pool, .options = options, .deadline = deadline
    };
    if (!pool)
        return rmdi_fail(RMD_EINVAL, "map: no pool was given");
    int err = check_options(options);
    if (err < 0)
        return err;
    err = begin(&m);
    if (err == 0)
        err = finish(&m);
    rmdi_map_window_free(&m);
    rmdi_buffer_free(&m.collected);
    (void)rmd_context_free(m.context);
    return err;
}
