/* SPDX-License-Identifier: MIT */
/* A map is a window over futures: places for those that were submitted and have not been through
 * the sink. In order, the places are a ring; as completed, those that are free are on a list.
 * Producer and sink run on the calling thread, between its waits. */
#include "base/alloc.h"
#include "base/error.h"
#include "exec/census.h"
#include "exec/completions.h"
#include "exec/future.h"
#include "sync/self.h"

#include <remuda/map.h>
#include <remuda/stop.h>
#include <stdio.h>

enum { WINDOW_PER_WORKER = 4, WINDOW_MAX = 1 << 24 };

typedef struct slot {
    rmd_future *future; /* NULL: free */
    uint64_t index;     /* of the task; of a free one, as completed: of the next free place */
} slot;

struct rmd_map_task {
    rmd_pool *pool;
    const rmd_task_options *options;
    rmd_deadline deadline;
    rmd_future *future; /* NULL: none was given yet */
};

typedef struct map {
    rmd_pool *pool;
    const rmd_map_options *options;
    rmd_task_options task_options;
    rmd_completions *ends; /* as completed: who has ended */
    slot *slots;
    size_t free; /* as completed: the first free place; window: there is none */
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

/* How long a task may wait for room in the queue: not beyond the map's deadline. */
static int64_t room_ms(int64_t full_ms, rmd_deadline deadline)
{
    if (full_ms < 0 || deadline.ns == RMD_FOREVER.ns)
        return full_ms;
    int64_t left = rmd_deadline_left_ms(deadline);
    if (full_ms > 0 && full_ms < left)
        return full_ms;
    return left > 0 ? left : -1;
}

static int given(const rmd_map_task *task, int err)
{
    if (err == RMD_EFULL && rmd_deadline_passed(task->deadline))
        return rmdi_fail(RMD_ETIMEDOUT, "map: the queue was full until the deadline");
    return err < 0 ? err : 1;
}

int rmd_map_call(rmd_map_task *task, const char *function, rmd_args args)
{
    int err = refuse_second(task);
    if (err < 0)
        return err;
    return given(task, rmd_pool_call(task->pool, &task->future, function, args, task->options));
}

int rmd_map_submit(rmd_map_task *task, rmd_task_fn *fn, void *arg)
{
    int err = refuse_second(task);
    if (err < 0)
        return err;
    return given(task, rmd_submit(task->pool, &task->future, fn, arg, task->options));
}

int rmd_map_exec(rmd_map_task *task, const rmd_command *command)
{
    int err = refuse_second(task);
    if (err < 0)
        return err;
    rmd_command in_time;
    if (command && command->size == sizeof *command) { /* else it is refused as it is */
        in_time = *command;
        in_time.full_ms = room_ms(command->full_ms, task->deadline);
        command = &in_time;
    }
    return given(task, rmd_pool_exec(task->pool, &task->future, command));
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
        if (m->slots[i].future)
            (void)!rmd_future_cancel(m->slots[i].future);
}

/* There is one: fewer are under way than there are places. */
static slot *take_place(map *m)
{
    if (!m->ends)
        return &m->slots[m->submitted % m->window];
    slot *s = &m->slots[m->free];
    m->free = s->index;
    return s;
}

static void free_place(map *m, slot *s)
{
    s->future = NULL;
    m->under_way--;
    if (!m->ends)
        return;
    s->index = m->free;
    m->free = (size_t)(s - m->slots);
}

static void take(map *m, rmd_future *future)
{
    slot *s = take_place(m);
    *s = (slot){ .future = future, .index = m->submitted++ };
    m->under_way++;
    int err = m->ends ? rmdi_completions_add(m->ends, future, (uint64_t)(s - m->slots)) : 0;
    if (err < 0) { /* it cannot be waited for with the others: now, then */
        fail(m, err);
        (void)!rmd_future_wait(future, RMD_FOREVER);
        rmdi_census_add(&m->census, rmd_future_outcome(future));
        rmd_future_free(future);
        free_place(m, s);
    }
}

/* Is there time for one more? While all that was submitted ends sooner than it is given out, no
 * wait says so. */
static int look_at_time(const map *m, rmd_deadline deadline)
{
    if (m->submitted && rmd_deadline_passed(deadline))
        return rmdi_fail(RMD_ETIMEDOUT, "map: the deadline passed after %llu tasks",
                         (unsigned long long)m->submitted);
    if (m->submitted && rmd_stop_requested(rmdi_self_stop()))
        return rmdi_fail(RMD_ECANCELED, "map: told to stop after %llu tasks",
                         (unsigned long long)m->submitted);
    return 0;
}

/* Asks for one more. */
static void produce(map *m, rmd_deadline deadline)
{
    int err = look_at_time(m, deadline);
    if (err < 0) {
        fail(m, err);
        return;
    }
    m->task_options.full_ms = room_ms(m->options->task.full_ms, deadline);
    rmd_map_task task = { .pool = m->pool, .options = &m->task_options, .deadline = deadline };
    err = m->options->next(m->options->ctx, &task);
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
    free_place(m, s);
    m->given++;
    rmd_future_free(future);
}

/* The next that is to be given out has ended, and is in *s. */
static int next_ended(map *m, slot **s, rmd_deadline deadline)
{
    if (!m->ends) {
        *s = &m->slots[m->given % m->window];
        return rmd_future_wait((*s)->future, deadline);
    }
    rmd_future *future;
    uint64_t place;
    int err = rmdi_completions_next(m->ends, &future, &place, deadline);
    if (err == 0)
        *s = &m->slots[place];
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
            produce(m, deadline);
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
    m->slots = rmdi_alloc_zeroed(m->window * sizeof *m->slots);
    if (!m->slots)
        return rmdi_fail_memory();
    for (size_t i = 0; i < m->window; i++)
        m->slots[i].index = i + 1;
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
    rmdi_free(m.slots);
    return err;
}
