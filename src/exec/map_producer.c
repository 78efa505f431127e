/* SPDX-License-Identifier: MIT */
/* The producer: who is asked for tasks, and what he submits. */
#include "exec/map.h"

#include "exec/call.h"
#include "port/forked.h"
#include "sync/self.h"

#include <remuda/stop.h>

/* ---- in next ---- */

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

/* As those of the map, but for that. */
static rmd_task_options options_for(const rmd_map_task *task)
{
    rmd_task_options options = task->map->task_options;
    options.full_ms = room_ms(options.full_ms, task->map->deadline);
    options.ctx = task->ctx ? task->ctx : options.ctx;
    return options;
}

/* ---- a place ---- */

/* Map entered, on the producer's thread: waits until there is one. */
static int await_place(rmdi_map *m)
{
    int err = 0;
    while (!m->err && err == 0 && (m->backlog || !rmdi_map_has_room(m)))
        err = rmdi_condition_wait(&m->changed, &m->lock, m->deadline);
    if (m->err)
        return rmdi_fail_copy(m->err, m->detail);
    if (err < 0)
        return rmdi_fail(err, "map: %s before there was room in its window",
                         err == RMD_ETIMEDOUT ? "the deadline passed" : "told to stop");
    return 0;
}

/* What the backlog has goes first. */
static int take_place(rmd_map_task *task)
{
    int err = refuse_second(task);
    if (err == 0)
        err = rmdi_map_check_process(task->map);
    if (err < 0 || task->placed)
        return err;
    rmdi_map *m = task->map;
    rmdi_map_enter(m);
    err = m->options->producer_thread ? await_place(m) : 0;
    if (err == 0)
        rmdi_map_reserve(m);
    rmdi_map_leave(m);
    task->placed = err == 0;
    return err;
}

static int given(const rmd_map_task *task, int err)
{
    if (err == RMD_EFULL && rmd_deadline_passed(task->map->deadline))
        return rmdi_fail(RMD_ETIMEDOUT, "map: the queue was full until the deadline");
    return err < 0 ? err : 1;
}

/* What cannot be encoded is refused when it is submitted. */
static uint64_t encoded_bytes(const rmd_args *args)
{
    rmdi_buffer encoded = { 0 };
    (void)!rmdi_call_encode(&encoded, args);
    uint64_t bytes = encoded.len;
    rmdi_buffer_free(&encoded);
    return bytes;
}

int rmd_map_call(rmd_map_task *task, const char *function, rmd_args args)
{
    int err = take_place(task);
    if (err < 0)
        return err;
    rmd_task_options options = options_for(task);
    if (task->map->options->window_bytes)
        task->encoded_bytes = encoded_bytes(&args);
    return given(task, rmd_pool_call(task->map->pool, &task->future, function, args, &options));
}

int rmd_map_submit(rmd_map_task *task, rmd_task_fn *fn, void *arg)
{
    int err = take_place(task);
    if (err < 0)
        return err;
    rmd_task_options options = options_for(task);
    return given(task, rmd_submit(task->map->pool, &task->future, fn, arg, &options));
}

int rmd_map_exec(rmd_map_task *task, const rmd_command *command)
{
    int err = take_place(task);
    if (err < 0)
        return err;
    rmd_command in_time;
    if (command && command->size == sizeof *command) { /* else it is refused as it is */
        in_time = *command;
        in_time.full_ms = room_ms(command->full_ms, task->map->deadline);
        in_time.ctx = task->ctx ? task->ctx : command->ctx;
        command = &in_time;
    }
    return given(task, rmd_pool_exec(task->map->pool, &task->future, command));
}

void rmd_map_bytes(rmd_map_task *task, uint64_t bytes)
{
    if (task)
        task->bytes += bytes;
}

void rmd_map_ctx(rmd_map_task *task, void *ctx)
{
    if (task)
        task->ctx = ctx;
}

/* ---- asking ---- */

/* While all that was submitted ends sooner than it is given out, no wait says so. */
int rmdi_map_look_at_time(const rmdi_map *m)
{
    if (!m->submitted)
        return 0;
    if (rmd_deadline_passed(m->deadline))
        return rmdi_fail(RMD_ETIMEDOUT, "map: the deadline passed after %llu tasks",
                         (unsigned long long)m->submitted);
    if (rmd_stop_requested(rmdi_self_stop()))
        return rmdi_fail(RMD_ECANCELED, "map: told to stop after %llu tasks",
                         (unsigned long long)m->submitted);
    return 0;
}

int rmdi_map_check_process(const rmdi_map *m)
{
    if (rmdi_process_is(m->process))
        return 0;
    return rmdi_fail(RMD_EFORKED, "the map belongs to the process that began it");
}

int rmdi_map_produce(rmdi_map *m)
{
    rmd_map_task task = { .map = m };
    int err = m->options->next(m->options->ctx, &task);
    if (rmdi_map_check_process(m) < 0)
        return RMD_EFORKED;
    if (err > 0 && !task.future)
        err = rmdi_fail(RMD_EINVAL, "map: next returned %d and gave no task", err);
    rmdi_map_enter(m);
    if (task.future)
        rmdi_map_take(m, task.future, task.bytes + task.encoded_bytes);
    else if (task.placed)
        rmdi_map_give_back(m);
    if (err < 0)
        rmdi_map_fail(m, err);
    if (err <= 0)
        m->produced = true;
    rmdi_map_tell_changed(m);
    rmdi_map_leave(m);
    return 0;
}

/* ---- on a thread of its own ---- */

/* Map entered. */
static bool goes_on(rmdi_map *m)
{
    int err = m->err || m->produced ? 0 : rmdi_map_look_at_time(m);
    if (err < 0)
        rmdi_map_fail(m, err);
    m->produced |= m->err != 0;
    if (m->produced)
        rmdi_map_tell_changed(m);
    return !m->produced;
}

/* In a child that next has forked it just returns. */
static void produce_all(rmdi_map *m)
{
    bool more;
    do {
        rmdi_map_enter(m);
        more = goes_on(m);
        rmdi_map_leave(m);
    } while (more && rmdi_map_produce(m) == 0);
}

static void be_producer(void *arg)
{
    rmdi_map *m = arg;
    RMD_WITH_CONTEXT_OF (m->context)
        produce_all(m);
}

int rmdi_map_start_producer(rmdi_map *m)
{
    rmd_thread_options options = { .size = sizeof options, .name = "map-producer" };
    int err = rmd_context_capture(&m->context);
    if (err < 0)
        return err;
    rmdi_map_enter(m); /* so that it finds `producer`, if it fails at once */
    err = rmd_thread_start(&m->producer, be_producer, m, &options);
    rmdi_map_leave(m);
    return err;
}

void rmdi_map_join_producer(rmdi_map *m)
{
    if (!m->producer)
        return;
    rmd_stop *before = rmd_stop_set(NULL);
    (void)!rmd_thread_join(m->producer, RMD_FOREVER);
    (void)rmd_stop_set(before);
    (void)rmd_thread_free(m->producer);
}
