/* SPDX-License-Identifier: MIT */
/* The processes pool, as its callers see it: from its opening to its end. */
#include "exec/processes.h"

#include "base/alloc.h"
#include "base/error.h"
#include "exec/failure.h"
#include "exec/guard.h"
#include "port/fd.h"
#include "port/pidfd.h"
#include "port/poll.h"

#include <stdio.h>
#include <string.h>

enum { CHUNK_DEFAULT = 32 };

/* ---- memory ---- */

static void free_memory(rmdi_kept *kept)
{
    rmdi_processes *pool = rmdi_processes_of(&kept->pool);
    rmdi_overlooked_free(&pool->overlooked);
    for (int i = 0; i < RMDI_SPARE_BUFFERS; i++)
        rmdi_buffer_free(&pool->spares[i]);
    rmdi_fd_close(&pool->bell);
    rmdi_fd_close(&pool->setup_fd);
    rmdi_timers_free(&pool->timers);
    rmdi_free(pool->program);
    rmdi_free(pool->processes);
    rmdi_free(pool->name);
    rmdi_free(pool);
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
    for (unsigned i = 0; i < pool->kept.pool.workers; i++) {
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

static const rmdi_kept_ops kept_ops;

static rmdi_processes *new_pool(const rmdi_pool_request *request)
{
    const rmd_pool_options *options = &request->options;
    rmdi_processes *pool = rmdi_alloc_zeroed(sizeof *pool);
    if (!pool)
        return NULL;
    rmdi_kept_init(&pool->kept, &rmdi_processes_ops, &kept_ops, request);
    pool->queue_max = options->queue_max;
    pool->shared = options->shared;
    pool->chunk = options->chunk ? options->chunk : CHUNK_DEFAULT;
    pool->bell = pool->setup_fd = pool->socket = -1;
    for (int i = 0; i < RMDI_TASK_PRIORITIES; i++)
        rmdi_list_init(&pool->queue[i]);
    rmdi_list_init(&pool->idle);
    rmdi_overlooked_init(&pool->overlooked, future_of);
    pool->name = rmdi_strdup(options->name);
    pool->program = options->program ? rmdi_strdup(options->program) : NULL;
    pool->processes = rmdi_alloc_zeroed(request->workers * sizeof *pool->processes);
    if (!pool->name || !pool->processes || (options->program && !pool->program)) {
        rmdi_kept_drop(&pool->kept);
        return NULL;
    }
    init_processes(pool);
    return pool;
}

/* ---- the end ---- */

/* With the lock held. */
static void cancel_queued(rmdi_processes *pool, rmdi_link *ended)
{
    for (unsigned i = 0; i < pool->kept.pool.workers; i++)
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
    for (unsigned i = 0; i < pool->kept.pool.workers; i++) {
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
    rmdi_lock_enter(&pool->kept.lock);
    cancel_queued(pool, &ended);
    if (!queued_only)
        cancel_running(pool);
    rmdi_kept_kick(&pool->kept);
    rmdi_lock_release(&pool->kept.lock);
    rmdi_processes_publish(pool, &ended);
}

/* The keeper is gone, and the workers and their template with it. */
static void let_go(rmdi_kept *kept)
{
    rmdi_processes *pool = rmdi_processes_of(&kept->pool);
    rmdi_guard_drop();
    rmdi_fd_close(&pool->bell);
    rmdi_fd_close(&pool->setup_fd);
}

static void signal_all(rmdi_kept *kept, int signal)
{
    rmdi_processes *pool = rmdi_processes_of(&kept->pool);
    for (unsigned i = 0; i < kept->pool.workers; i++)
        if (pool->processes[i].pid)
            rmdi_process_signal(&pool->processes[i], signal);
}

static const rmdi_kept_ops kept_ops = { .cancel = processes_cancel,
                                        .kick = rmdi_processes_keeper_kick,
                                        .let_go = let_go,
                                        .signal = signal_all,
                                        .free = free_memory };

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
    int err = rmdi_kept_open_loop(&pool->kept);
    if (err == 0)
        err = open_bell(pool);
    if (err == 0)
        err = rmdi_setup_open(pool, options);
    if (err == 0)
        err = rmdi_guard_hold();
    if (err < 0)
        return err;
    err = rmdi_processes_keeper_open(pool);
    if (err == 0) {
        err = rmdi_kept_start(&pool->kept, options->name);
        if (err < 0)
            rmdi_processes_keeper_close(pool);
    }
    if (err < 0)
        rmdi_guard_drop();
    return err;
}

static bool is_open(rmdi_kept *kept)
{
    const rmdi_processes *pool = rmdi_processes_of(&kept->pool);
    return pool->start_error || pool->ready == kept->pool.workers;
}

static int await_workers(rmdi_processes *pool, rmd_deadline deadline)
{
    rmdi_lock_enter(&pool->kept.lock);
    int err = rmdi_kept_wait(&pool->kept, &pool->kept.changed, is_open, deadline);
    pool->opened = err == 0 && !pool->start_error;
    bool failed = pool->start_error;
    rmdi_lock_release(&pool->kept.lock);
    if (failed) /* constant from now on */
        return rmdi_fail_copy(pool->start_error, pool->start_detail);
    return err < 0 ? rmdi_fail(err, "the workers were not ready in time") : 0;
}

/* Undoes what was opened, and keeps the words. */
static int give_up(rmdi_processes *pool, int err)
{
    char detail[RMDI_RING_DETAIL];
    snprintf(detail, sizeof detail, "%s", rmd_error_detail());
    rmdi_kept_dismiss(&pool->kept);
    return rmdi_fail_copy(err, detail);
}

static int processes_open(rmd_pool **out, const rmdi_pool_request *request)
{
    if (rmdi_child_ends_are_dropped())
        return rmdi_fail(RMD_EINVAL, "SIGCHLD is ignored, so the ends of processes cannot be "
                                     "known: set it to SIG_DFL or handle it");
    rmd_loop *loop = request->options.loop;
    if (loop && rmdi_loop_is_here(loop)) /* nobody would turn it until its workers are ready */
        return rmdi_fail(RMD_EDEADLK, "a pool of processes is opened on a loop inside a callback "
                                      "of that loop");
    rmdi_processes *pool = new_pool(request);
    if (!pool)
        return rmdi_fail_memory();
    int err = open_parts(pool, &request->options);
    if (err == 0) {
        err = await_workers(pool, request->deadline);
        err = err < 0 ? give_up(pool, err) : 0;
    }
    if (err < 0) {
        rmdi_kept_drop(&pool->kept);
        return err;
    }
    *out = &pool->kept.pool;
    return 0;
}

/* ---- the rest ---- */

/* To resume is also for a pool that has halted. */
static int processes_suspend(rmd_pool *base, bool suspend)
{
    rmdi_processes *pool = rmdi_processes_of(base);
    rmdi_lock_enter(&pool->kept.lock);
    pool->kept.suspended = suspend;
    for (unsigned i = 0; suspend && i < base->workers; i++)
        rmdi_process_take_all(&pool->processes[i]); /* nothing begins from now on */
    if (!suspend && pool->halted) {
        pool->halted = false;
        pool->deaths = 0;
    }
    rmdi_lock_release(&pool->kept.lock);
    return rmdi_kept_suspend(base, suspend);
}

static void processes_census(rmd_pool *base, rmd_census *census)
{
    rmdi_processes *pool = rmdi_processes_of(base);
    rmdi_lock_enter(&pool->kept.lock);
    unsigned waiting = rmdi_processes_waiting(pool);
    *census = pool->census;
    census->queued = waiting;
    census->running = pool->queued + pool->in_rings - waiting;
    rmdi_lock_release(&pool->kept.lock);
}

static int processes_statistics(rmd_pool *base, rmd_statistics *statistics)
{
    rmdi_processes *pool = rmdi_processes_of(base);
    rmdi_lock_enter(&pool->kept.lock);
    *statistics = (rmd_statistics){ .workers = pool->kept.pool.workers,
                                    .stolen = pool->moved,
                                    .callbacks = pool->called,
                                    .queued_max = pool->queued_max };
    rmdi_lock_release(&pool->kept.lock);
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
    .close = rmdi_kept_close,
    .drain = rmdi_kept_drain,
    .abort = rmdi_kept_abort,
    .cancel = processes_cancel,
    .suspend = processes_suspend,
    .census = processes_census,
    .statistics = processes_statistics,
    .overlooked = processes_overlooked,
    .free = rmdi_kept_free,
};
