/* SPDX-License-Identifier: MIT */
/* The processes pool, as its callers see it: from its opening to its end. */
#include "exec/processes.h"

#include "base/alloc.h"
#include "base/error.h"
#include "exec/failure.h"
#include "exec/guard.h"
#include "port/clock.h"
#include "port/fd.h"
#include "port/pidfd.h"
#include "port/poll.h"

#include <remuda/stop.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK_DEFAULT = 32 };

static const char not_in_time[] = "the workers were not ready in time";

/* ---- memory ---- */

static void free_memory(rmdi_processes *pool)
{
    rmdi_overlooked_free(&pool->overlooked);
    for (int i = 0; i < RMDI_SPARE_BUFFERS; i++)
        rmdi_buffer_free(&pool->spares[i]);
    if (pool->loop)
        rmd_loop_free(pool->loop);
    rmdi_fd_close(&pool->bell);
    rmdi_fd_close(&pool->setup_fd);
    rmdi_timers_free(&pool->timers);
    rmdi_free(pool->setup);
    rmdi_free(pool->program);
    rmdi_free(pool->processes);
    rmdi_free(pool->name);
    rmdi_free(pool);
}

void rmdi_processes_drop(rmdi_processes *pool)
{
    if (rmd_atomic_sub(&pool->refs, 1, RMD_ACQ_REL) == 1)
        free_memory(pool);
}

void rmdi_processes_get_buffer(rmdi_processes *pool, rmdi_buffer *buffer)
{
    rmdi_brief_enter(&pool->spares_brief);
    for (int i = 0; i < RMDI_SPARE_BUFFERS && !buffer->data; i++) {
        *buffer = pool->spares[i];
        pool->spares[i] = (rmdi_buffer){ 0 };
    }
    rmdi_brief_leave(&pool->spares_brief);
    rmdi_buffer_clear(buffer);
}

void rmdi_processes_give_buffer(rmdi_processes *pool, rmdi_buffer *buffer)
{
    if (buffer->capacity >= RMDI_SPARE_BYTES_MIN && buffer->capacity <= RMDI_SPARE_BYTES_MAX) {
        rmdi_brief_enter(&pool->spares_brief);
        for (int i = 0; i < RMDI_SPARE_BUFFERS && buffer->data; i++)
            if (!pool->spares[i].data) {
                pool->spares[i] = *buffer;
                *buffer = (rmdi_buffer){ 0 };
            }
        rmdi_brief_leave(&pool->spares_brief);
    }
    rmdi_buffer_free(buffer);
}

static void init_processes(rmdi_processes *pool)
{
    for (unsigned i = 0; i < pool->pool.workers; i++) {
        rmdi_process *process = &pool->processes[i];
        process->pool = pool;
        process->index = i;
        process->pidfd = process->memory_fd = process->errors_fd = process->errors_ours = -1;
        rmdi_list_init(&process->link);
    }
}

static rmd_future *future_of(rmdi_link *link)
{
    return &RMDI_CONTAINER(link, rmdi_process_task, failed_link)->future;
}

static rmdi_processes *new_pool(const rmdi_pool_request *request)
{
    const rmd_pool_options *options = &request->options;
    rmdi_processes *pool = rmdi_alloc_zeroed(sizeof *pool);
    if (!pool)
        return NULL;
    pool->pool.ops = &rmdi_processes_ops;
    pool->pool.workers = request->workers;
    pool->pool.process = request->process;
    pool->queue_max = options->queue_max;
    pool->shared = options->shared;
    pool->chunk = options->chunk ? options->chunk : CHUNK_DEFAULT;
    pool->bell = pool->setup_fd = pool->socket = -1;
    rmd_atomic_init(&pool->refs, 1);
    for (int i = 0; i < RMDI_TASK_PRIORITIES; i++)
        rmdi_list_init(&pool->queue[i]);
    rmdi_list_init(&pool->to_call);
    rmdi_list_init(&pool->idle);
    rmdi_overlooked_init(&pool->overlooked, future_of);
    rmdi_post_init(&pool->kick, rmdi_processes_keeper_kick, pool);
    pool->name = rmdi_strdup(options->name);
    pool->program = options->program ? rmdi_strdup(options->program) : NULL;
    pool->processes = rmdi_alloc_zeroed(request->workers * sizeof *pool->processes);
    if (!pool->name || !pool->processes || (options->program && !pool->program)) {
        free_memory(pool);
        return NULL;
    }
    init_processes(pool);
    return pool;
}

/* ---- who is where ---- */

void rmdi_processes_kick(rmdi_processes *pool)
{
    if (!pool->gone)
        rmdi_loop_send(pool->loop, &pool->kick);
}

bool rmdi_processes_on_keeper(rmdi_processes *pool)
{
    /* Relaxed: only our own thread can have stored our number. */
    return rmd_atomic_load(&pool->keeper_id, RMD_RELAXED) == rmdi_thread_self();
}

/* ---- waiting ---- */

/* With the lock held, until done() holds under it. 0, RMD_ETIMEDOUT, RMD_ECANCELED. */
static int wait_locked(rmdi_processes *pool, bool (*done)(const rmdi_processes *),
                       rmd_deadline deadline)
{
    int err = 0;
    while (!done(pool) && err == 0)
        err = rmdi_condition_wait(&pool->changed, &pool->lock, deadline);
    return done(pool) ? 0 : err;
}

static int wait_until(rmdi_processes *pool, bool (*done)(const rmdi_processes *),
                      rmd_deadline deadline)
{
    rmdi_lock_enter(&pool->lock);
    int err = wait_locked(pool, done, deadline);
    rmdi_lock_release(&pool->lock);
    return err;
}

/* Whatever the thread's stop token says: for what must not be left half done. */
static void wait_for_good(rmdi_processes *pool, bool (*done)(const rmdi_processes *))
{
    rmd_stop *before = rmd_stop_set(NULL);
    wait_until(pool, done, RMD_FOREVER);
    rmd_stop_set(before);
}

static bool is_finished(const rmdi_processes *pool)
{
    return pool->unfinished == 0;
}

static bool is_gone(const rmdi_processes *pool)
{
    return pool->gone;
}

static bool is_open(const rmdi_processes *pool)
{
    return pool->start_error || pool->ready == pool->pool.workers;
}

/* ---- the end ---- */

static void processes_close(rmd_pool *base)
{
    rmdi_processes *pool = rmdi_processes_of(base);
    rmdi_lock_enter(&pool->lock);
    pool->closed = true;
    rmdi_condition_notify_all(&pool->place); /* who waits for one gets RMD_ECLOSED */
    rmdi_lock_release(&pool->lock);
}

/* With the lock held. */
static void cancel_queued(rmdi_processes *pool, rmdi_link *ended)
{
    for (unsigned i = 0; i < pool->pool.workers; i++)
        rmdi_process_take_all(&pool->processes[i]);
    for (int i = 0; i < RMDI_TASK_PRIORITIES; i++)
        for (rmdi_link *link; (link = rmdi_list_take_first(&pool->queue[i]));) {
            pool->queued--;
            rmdi_process_task_end(RMDI_CONTAINER(link, rmdi_process_task, link),
                                  RMD_OUTCOME_CANCELLED, RMD_ECANCELED, rmdi_cancelled_unstarted,
                                  ended);
        }
}

/* With the lock held. */
static void cancel_running(rmdi_processes *pool)
{
    for (unsigned i = 0; i < pool->pool.workers; i++) {
        rmdi_process_task *task = rmdi_process_running(&pool->processes[i]);
        if (!task)
            continue;
        task->told = true;
        rmdi_process_stop(&pool->processes[i], task, RMD_OUTCOME_CANCELLED);
    }
}

static void processes_cancel(rmd_pool *base, bool queued_only)
{
    rmdi_processes *pool = rmdi_processes_of(base);
    rmdi_link ended;
    rmdi_list_init(&ended);
    rmdi_lock_enter(&pool->lock);
    cancel_queued(pool, &ended);
    if (!queued_only)
        cancel_running(pool);
    rmdi_processes_kick(pool);
    rmdi_lock_release(&pool->lock);
    rmdi_processes_publish(pool, &ended);
}

/* All work has ended: lets the workers, the template and the keeper go. */
static void dismiss(rmdi_processes *pool)
{
    rmdi_lock_enter(&pool->lock);
    pool->quit = true;
    rmdi_processes_kick(pool);
    rmdi_lock_release(&pool->lock);
    wait_for_good(pool, is_gone);
    rmdi_thread_join(&pool->keeper, RMD_FOREVER);
    rmd_loop_free(pool->loop);
    pool->loop = NULL;
    rmdi_guard_drop();
    rmdi_fd_close(&pool->bell);
    rmdi_fd_close(&pool->setup_fd);
}

static bool may_drain(const rmdi_processes *pool)
{
    return !pool->draining || pool->drained;
}

/* Only one thread takes the pool down; another one in drain waits for it. *ours: it is this one,
 * and the pool is not drained yet. RMD_ETIMEDOUT: another one still does. */
static int begin_draining(rmdi_processes *pool, rmd_deadline deadline, bool *ours)
{
    rmdi_lock_enter(&pool->lock);
    int err = wait_locked(pool, may_drain, deadline);
    *ours = err == 0 && !pool->drained;
    if (*ours)
        pool->draining = true;
    rmdi_lock_release(&pool->lock);
    return err;
}

static void end_draining(rmdi_processes *pool, bool drained)
{
    rmdi_lock_enter(&pool->lock);
    pool->draining = false;
    pool->drained = drained;
    rmdi_condition_notify_all(&pool->changed);
    rmdi_lock_release(&pool->lock);
}

static int refuse_callback(rmdi_processes *pool)
{
    if (rmdi_processes_on_keeper(pool))
        return rmdi_fail(RMD_EDEADLK, "a callback of the pool waits for the pool's end");
    return 0;
}

/* Waits for the end of all work; at the deadline, or when the caller is told to stop, what is left
 * is cancelled and waited for, as long as the kill ladders take. */
static int finish(rmdi_processes *pool, rmd_deadline deadline)
{
    int err = wait_until(pool, is_finished, deadline);
    if (err == 0)
        return 0;
    processes_cancel(&pool->pool, false);
    wait_for_good(pool, is_finished);
    return err;
}

static int processes_drain(rmd_pool *base, rmd_deadline deadline)
{
    rmdi_processes *pool = rmdi_processes_of(base);
    bool ours;
    int err = refuse_callback(pool);
    if (err < 0)
        return err;
    processes_close(base);
    err = begin_draining(pool, deadline, &ours);
    if (err < 0) { /* another thread is patient, we are not */
        processes_cancel(base, false);
        rmd_stop *before = rmd_stop_set(NULL); /* it is drained when we return */
        begin_draining(pool, RMD_FOREVER, &ours);
        rmd_stop_set(before);
    }
    if (ours) {
        int late = finish(pool, deadline);
        err = err < 0 ? err : late;
        dismiss(pool);
        end_draining(pool, true);
    }
    return err == 0 ? 0 : rmdi_fail(err, "what had not ended at the deadline was cancelled");
}

static int processes_abort(rmd_pool *base, rmd_deadline deadline)
{
    rmdi_processes *pool = rmdi_processes_of(base);
    bool ours;
    int err = refuse_callback(pool);
    if (err < 0)
        return err;
    processes_close(base);
    processes_cancel(base, false);
    err = begin_draining(pool, deadline, &ours);
    if (err == 0 && ours) {
        err = wait_until(pool, is_finished, deadline);
        if (err == 0)
            dismiss(pool);
        end_draining(pool, err == 0);
    }
    return err == 0 ? 0 : rmdi_fail(err, "the pool still has work");
}

static int processes_free(rmd_pool *base)
{
    rmdi_processes *pool = rmdi_processes_of(base);
    rmdi_lock_enter(&pool->lock);
    bool drained = pool->drained;
    rmdi_lock_release(&pool->lock);
    if (!drained)
        return rmdi_fail(RMD_EBUSY, "the pool is not drained");
    rmdi_processes_drop(pool);
    return 0;
}

/* ---- opening ---- */

static int open_bell(rmdi_processes *pool)
{
    pool->bell = rmdi_poll_event_open();
    if (pool->bell >= 0)
        return 0;
    int err = -pool->bell;
    pool->bell = -1;
    return rmdi_fail_errno(err, "the bell of the workers");
}

static int open_parts(rmdi_processes *pool, const rmd_pool_options *options)
{
    int err = rmd_loop_open(&pool->loop);
    if (err == 0)
        err = open_bell(pool);
    if (err == 0)
        err = rmdi_setup_open(pool, options);
    if (err == 0)
        err = rmdi_guard_hold();
    if (err < 0)
        return err;
    err = rmdi_processes_keeper_open(pool);
    if (err == 0)
        err = rmdi_thread_start(&pool->keeper, rmdi_processes_keeper_run, pool, options->name);
    if (err < 0) {
        rmdi_template_stop(pool);
        rmdi_guard_drop();
    }
    return err;
}

static int await_workers(rmdi_processes *pool, rmd_deadline deadline)
{
    rmdi_lock_enter(&pool->lock);
    int err = wait_locked(pool, is_open, deadline);
    pool->opened = err == 0 && !pool->start_error;
    bool failed = pool->start_error;
    rmdi_lock_release(&pool->lock);
    if (failed) /* constant from now on */
        return rmdi_fail_copy(pool->start_error, pool->start_detail);
    return err < 0 ? rmdi_fail(err, not_in_time) : 0;
}

static int processes_open(rmd_pool **out, const rmdi_pool_request *request)
{
    if (rmdi_child_ends_are_dropped())
        return rmdi_fail(RMD_EINVAL, "SIGCHLD is ignored, so the ends of processes cannot be "
                                     "known: set it to SIG_DFL or handle it");
    rmdi_processes *pool = new_pool(request);
    if (!pool)
        return rmdi_fail_memory();
    int err = open_parts(pool, &request->options);
    if (err == 0) {
        err = await_workers(pool, request->deadline);
        if (err < 0) {
            char detail[RMDI_RING_DETAIL];
            snprintf(detail, sizeof detail, "%s", rmd_error_detail());
            dismiss(pool);
            err = rmdi_fail_copy(err, detail);
        }
    }
    if (err < 0) {
        rmdi_processes_drop(pool);
        return err;
    }
    *out = &pool->pool;
    return 0;
}

/* ---- the rest ---- */

int64_t rmdi_processes_clock(const rmdi_processes *pool)
{
    return (pool->stopped ? pool->stopped_ns : rmdi_clock_monotonic_ns()) - pool->held_ns;
}

/* To resume is also for a pool that has halted. */
static int processes_suspend(rmd_pool *base, bool suspend)
{
    rmdi_processes *pool = rmdi_processes_of(base);
    rmdi_lock_enter(&pool->lock);
    pool->suspended = suspend;
    if (suspend) { /* from now on nothing begins, as far as we know */
        for (unsigned i = 0; i < pool->pool.workers; i++)
            rmdi_process_take_all(&pool->processes[i]);
    } else if (pool->halted) {
        pool->halted = false;
        pool->deaths = 0;
    }
    rmdi_processes_kick(pool);
    rmdi_lock_release(&pool->lock);
    return 0;
}

static void processes_census(rmd_pool *base, rmd_census *census)
{
    rmdi_processes *pool = rmdi_processes_of(base);
    rmdi_lock_enter(&pool->lock);
    unsigned waiting = rmdi_processes_waiting(pool);
    *census = pool->census;
    census->queued = waiting;
    census->running = pool->queued + pool->in_rings - waiting;
    rmdi_lock_release(&pool->lock);
}

static int processes_statistics(rmd_pool *base, rmd_statistics *statistics)
{
    rmdi_processes *pool = rmdi_processes_of(base);
    rmdi_lock_enter(&pool->lock);
    *statistics = (rmd_statistics){ .workers = pool->pool.workers,
                                    .stolen = pool->moved,
                                    .callbacks = pool->called,
                                    .queued_max = pool->queued_max };
    rmdi_lock_release(&pool->lock);
    return 0;
}

static int processes_overlooked(rmd_pool *base, void (*fn)(void *ctx, const rmd_failure *failure),
                                void *ctx, uint64_t *more)
{
    rmdi_overlooked_tell(&rmdi_processes_of(base)->overlooked, fn, ctx, more);
    return 0;
}

const rmdi_pool_ops rmdi_processes_ops = {
    .kind = "processes",
    .open = processes_open,
    .call = rmdi_processes_call,
    .close = processes_close,
    .drain = processes_drain,
    .abort = processes_abort,
    .cancel = processes_cancel,
    .suspend = processes_suspend,
    .census = processes_census,
    .statistics = processes_statistics,
    .overlooked = processes_overlooked,
    .free = processes_free,
};
