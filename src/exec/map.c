/* SPDX-License-Identifier: MIT */
/* A map is a window over futures: a ring of those that were submitted and have not been through the
 * sink. Producer and sink run on the calling thread, between its waits. */
#include "base/alloc.h"
#include "base/error.h"
#include "exec/census.h"
#include "exec/future.h"

#include <remuda/completions.h>
#include <remuda/map.h>
#include <stdio.h>

enum { WINDOW_PER_WORKER = 4, WINDOW_MAX = 1 << 24 };

typedef struct slot {
    rmd_future *future; /* NULL: free */
    uint64_t index;
} slot;

struct rmd_map_task {
    rmd_pool *pool;
    const rmd_task_options *options;
    rmd_future *future; /* NULL: none was given yet */
};

typedef struct map {
    rmd_pool *pool;
    const rmd_map_options *options;
    rmd_task_options task_options;
    rmd_completions *ends; /* as completed: who has ended */
    slot *ring;            /* in order: index % window; as completed: any free one */
    size_t window, under_way;
    uint64_t submitted, given; /* given: in order, the next to be given out */
    bool produced;             /* there are no more */
    bool sink_failed;
    int err; /* why it ends early; 0 so far */
    char detail[RMDI_ERROR_DETAIL_MAX];
    rmd_census census;
} map;

/* ---- in the producer ---- */

static int refuse_second(const rmd_map_task *task)
{
    if (!task)
        return rmdi_fail(RMD_EINVAL, "map: no task was given");
    if (task->future)
        return rmdi_fail(RMD_EINVAL, "map: one task for each call of next");
    return 0;
}

int rmd_map_call(rmd_map_task *task, const char *function, rmd_args args)
{
    int err = refuse_second(task);
    if (err == 0)
        err = rmd_pool_call(task->pool, &task->future, function, args, task->options);
    return err < 0 ? err : 1;
}

int rmd_map_submit(rmd_map_task *task, rmd_task_fn *fn, void *arg)
{
    int err = refuse_second(task);
    if (err == 0)
        err = rmd_submit(task->pool, &task->future, fn, arg, task->options);
    return err < 0 ? err : 1;
}

int rmd_map_exec(rmd_map_task *task, const rmd_command *command)
{
    int err = refuse_second(task);
    if (err == 0)
        err = rmd_pool_exec(task->pool, &task->future, command);
    return err < 0 ? err : 1;
}

/* ---- the window ---- */

/* It ends early: the first reason counts. */
static void fail(map *m, int err)
{
    if (m->err)
        return;
    m->err = err;
    snprintf(m->detail, sizeof m->detail, "%s", rmd_error_detail());
    for (size_t i = 0; i < m->window; i++)
        if (m->ring[i].future)
            (void)!rmd_future_cancel(m->ring[i].future);
}

static slot *free_slot(map *m)
{
    size_t i = m->submitted % m->window;
    while (m->ring[i].future)
        i = (i + 1) % m->window;
    return &m->ring[i];
}

static void take(map *m, rmd_future *future)
{
    slot *s = free_slot(m);
    *s = (slot){ .future = future, .index = m->submitted++ };
    m->under_way++;
    int err = m->ends ? rmd_completions_add(m->ends, future) : 0;
    if (err < 0) { /* it cannot be waited for with the others: now, then */
        fail(m, err);
        (void)!rmd_future_wait(future, RMD_FOREVER);
        rmd_future_free(future);
        s->future = NULL;
        m->under_way--;
    }
}

/* Asks for one more. */
static void produce(map *m)
{
    rmd_map_task task = { .pool = m->pool, .options = &m->task_options };
    int err = m->options->next(m->options->ctx, &task);
    if (task.future)
        take(m, task.future);
    if (err > 0 && !task.future)
        err = rmdi_fail(RMD_EINVAL, "map: next returned %d and gave no task", err);
    if (err < 0)
        fail(m, err);
    m->produced = err <= 0;
}

/* A sink that has failed is not called again. */
static void sink(map *m, slot *s)
{
    const rmd_map_options *options = m->options;
    if (m->sink_failed)
        return;
    int err = options->sink ? options->sink(options->ctx, s->future, s->index)
                            : rmd_future_error(s->future);
    m->sink_failed = err < 0;
    if (err < 0)
        fail(m, err);
}

/* Through the sink, and out of the window. */
static void give(map *m, slot *s)
{
    rmd_future *future = s->future;
    rmdi_census_add(&m->census, rmd_future_outcome(future));
    sink(m, s);
    s->future = NULL;
    m->under_way--;
    m->given++;
    rmd_future_free(future);
}

static slot *slot_of(map *m, const rmd_future *future)
{
    size_t i = 0;
    while (m->ring[i].future != future)
        i++;
    return &m->ring[i];
}

/* The next that is to be given out has ended, and is in *s. */
static int next_ended(map *m, slot **s, rmd_deadline deadline)
{
    if (!m->ends) {
        *s = &m->ring[m->given % m->window];
        return rmd_future_wait((*s)->future, deadline);
    }
    rmd_future *future;
    int err = rmd_completions_next(m->ends, &future, deadline);
    if (err == 0)
        *s = slot_of(m, future);
    return err;
}

static void give_next(map *m, rmd_deadline deadline)
{
    slot *s = NULL;
    /* Once it has failed, what was cancelled is waited for, whatever comes. */
    rmd_stop *before = m->err ? rmd_stop_set(NULL) : NULL;
    int err = next_ended(m, &s, m->err ? RMD_FOREVER : deadline);
    if (m->err)
        rmd_stop_set(before);
    if (err == 0)
        give(m, s);
    else
        fail(m, err);
}

static void run(map *m, rmd_deadline deadline)
{
    while (!m->produced || m->under_way) {
        if (m->err)
            m->produced = true;
        if (!m->produced && m->under_way < m->window)
            produce(m);
        else if (m->under_way)
            give_next(m, deadline);
    }
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
    return 0;
}

static int begin(map *m)
{
    const rmd_map_options *options = m->options;
    m->window = options->window ? options->window : WINDOW_PER_WORKER * rmd_pool_size(m->pool);
    m->task_options = options->task;
    m->task_options.size = sizeof m->task_options;
    m->ring = rmdi_alloc_zeroed(m->window * sizeof *m->ring);
    if (!m->ring)
        return rmdi_fail_memory();
    return options->as_completed ? rmd_completions_open(&m->ends, NULL, 0) : 0;
}

int rmd_map(rmd_pool *pool, const rmd_map_options *options, rmd_deadline deadline)
{
    map m = { .pool = pool, .options = options };
    if (!pool)
        return rmdi_fail(RMD_EINVAL, "map: no pool was given");
    int err = check_options(options);
    if (err == 0)
        err = begin(&m);
    if (err == 0) {
        run(&m, deadline);
        m.census.submitted = m.submitted;
        if (options->census)
            *options->census = m.census;
        err = m.err ? rmdi_fail_copy(m.err, m.detail) : 0;
    }
    rmd_completions_free(m.ends);
    rmdi_free(m.ring);
    return err;
}
