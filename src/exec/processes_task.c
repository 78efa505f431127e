/* SPDX-License-Identifier: MIT */
/* A task of a processes pool: what its future can do. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/park.h"
#include "exec/failure.h"
#include "exec/processes.h"
#include "sync/spin.h"

static void destroy(rmd_future *future)
{
    rmdi_process_task *task = rmdi_process_task_of(future);
    rmdi_processes *pool = task->pool;
    if (task->failed)
        rmdi_overlooked_remove(&pool->overlooked, &task->failed_link);
    if (task->own_function)
        rmdi_free((char *)(size_t)task->function);
    if (task->detail)
        rmdi_failure_free(task->detail);
    rmdi_buffer_free(&task->arguments);
    rmdi_document_free(&task->document);
    rmdi_buffer_free(&task->result);
    rmdi_free(task->limits);
    rmdi_free(task->exit);
    rmdi_free(task);
    rmdi_processes_drop(pool);
}

static uint64_t process(const rmd_future *future)
{
    return rmdi_process_task_of(future)->pool->pool.process;
}

static void *ctx(const rmd_future *future)
{
    return rmdi_process_task_of(future)->ctx;
}

static const char *name(const rmd_future *future)
{
    const rmdi_process_task *task = rmdi_process_task_of(future);
    return task->name ? task->name : task->function;
}

static void describe(const rmd_future *future, rmd_failure *failure)
{
    const rmdi_process_task *task = rmdi_process_task_of(future);
    failure->detail = task->detail ? task->detail : "";
    failure->attempt = task->attempts;
}

static int value(const rmd_future *future, const rmd_value **value)
{
    *value = rmdi_process_task_of(future)->document.root;
    return 0;
}

static const rmd_exit *exit_of(const rmd_future *future)
{
    return rmdi_process_task_of(future)->exit;
}

static bool runs(const rmd_future *future)
{
    const rmdi_process_task *task = rmdi_process_task_of(future);
    int64_t begun_ns;
    rmdi_lock_enter(&task->pool->lock);
    bool runs = rmdi_process_task_runs(task, &begun_ns);
    rmdi_lock_release(&task->pool->lock);
    return runs;
}

/* ---- cancel ---- */

/* With the lock held. */
static int cancel_locked(rmdi_process_task *task, rmdi_link *ended)
{
    if (task->process) /* perhaps it is done, and nobody has looked */
        rmdi_process_collect(task->process, ended);
    if (task->placed == RMDI_PLACED_ENDED)
        return rmdi_fail(RMD_ETOOLATE, "task %llu has ended", (unsigned long long)task->future.id);
    if (rmdi_process_task_take(task)) {
        rmdi_process_task_end(
            task, RMD_OUTCOME_CANCELLED, RMD_ECANCELED,
            task->attempts ? "cancelled before its next attempt" : rmdi_cancelled_unstarted, ended);
        return 0;
    }
    task->told = true;
    rmdi_process_stop(task->process, task, RMD_OUTCOME_CANCELLED);
    return 0;
}

static int cancel(rmd_future *future)
{
    rmdi_process_task *task = rmdi_process_task_of(future);
    rmdi_processes *pool = task->pool;
    rmdi_link ended;
    rmdi_list_init(&ended);
    rmdi_lock_enter(&pool->lock);
    int err = cancel_locked(task, &ended);
    rmdi_lock_release(&pool->lock);
    rmdi_processes_publish(pool, &ended);
    return err;
}

/* ---- callbacks ---- */

static bool call_later(rmd_future *future)
{
    rmdi_process_task *task = rmdi_process_task_of(future);
    rmdi_processes *pool = task->pool;
    rmdi_lock_enter(&pool->lock);
    bool there = !pool->gone;
    if (there && !task->to_call) {
        rmdi_future_hold(future); /* the keeper drops it after the call */
        pool->unfinished++;
        task->to_call = true;
        rmdi_list_append(&pool->to_call, &task->link);
        rmdi_processes_kick(pool);
    }
    rmdi_lock_release(&pool->lock);
    return there;
}

static int how_to_wait(const rmd_future *future)
{
    if (rmdi_processes_on_keeper(rmdi_process_task_of(future)->pool))
        return rmdi_fail(RMD_EDEADLK, "a callback of the pool waits for a task of the pool");
    return RMD_EAGAIN;
}

/* ---- waiting: by the thread that wants it, for the worker that does it ---- */

enum { LOOKS = 64 };

static void drop_share(rmdi_ring_share *share)
{
    if (rmd_atomic_sub(&share->refs, 1, RMD_ACQ_REL) == 1)
        rmdi_ring_share_free(share);
}

/* Awake for a while, if the worker is: the slot's line is written when the task is done. */
static bool is_done_while_we_look(const rmdi_ring_share *share, unsigned slot)
{
    RMD_STATIC rmdi_spin spin;
    const rmdi_ring_memory *memory = share->memory;
    bool done = false;
    if (rmd_atomic_load(&memory->sleeps, RMD_RELAXED))
        return false;
    for (unsigned looks = rmdi_spin_looks(&spin) * LOOKS; looks > 0 && !done; looks--) {
        rmdi_spin_for(1);
        done = rmd_atomic_load(&memory->slots[slot].state, RMD_RELAXED) == RMDI_RING_DONE;
    }
    rmdi_spin_learn(&spin, done);
    return done;
}

/* What a thread looks at, and sleeps on. */
typedef struct rmdi_look {
    rmdi_ring_share *share; /* NULL: the task is in no ring; held */
    unsigned slot;
    uint32_t awaited; /* the word to sleep on, if it is to be so: 0 when it is not */
} look;

/* Takes the answers of the worker that has the task. */
static void look_closely(rmdi_process_task *task, look *l, bool sleepy)
{
    rmdi_processes *pool = task->pool;
    rmdi_link ended;
    rmdi_list_init(&ended);
    *l = (look){ 0 };
    rmdi_lock_enter(&pool->lock);
    if (task->process)
        rmdi_process_collect(task->process, &ended);
    if (task->process) {
        rmdi_process *process = task->process;
        l->share = process->share;
        l->slot = task->slot;
        rmd_atomic_add(&l->share->refs, 1, RMD_RELAXED);
        if (sleepy && !rmdi_ring_await(&process->ring, RMDI_AWAITED_BY_THREAD))
            l->awaited = rmd_atomic_load(&l->share->memory->awaited, RMD_RELAXED);
    }
    rmdi_lock_release(&pool->lock);
    rmdi_processes_publish(pool, &ended);
}

static bool is_over(const rmdi_waiter *waiter)
{
    return rmd_atomic_load(&waiter->state, RMD_RELAXED);
}

static int sleep_once(rmdi_process_task *task, rmdi_waiter *waiter, rmd_deadline deadline,
                      bool *spin)
{
    look l;
    int err = 0;
    look_closely(task, &l, !*spin);
    if (!l.share)
        return is_over(waiter) ? 0 : rmdi_park(&waiter->state, 0, deadline);
    if (*spin)
        is_done_while_we_look(l.share, l.slot);
    else if (l.awaited && !is_over(waiter))
        err = rmdi_park_either(&waiter->state, 0, &l.share->memory->awaited, l.awaited, deadline);
    *spin = false;
    drop_share(l.share);
    return err;
}

static int sleep_for(rmd_future *future, rmdi_waiter *waiter, rmd_deadline deadline)
{
    bool spin = true;
    int err = 0;
    while (!is_over(waiter) && err == 0)
        err = sleep_once(rmdi_process_task_of(future), waiter, deadline, &spin);
    return is_over(waiter) ? 0 : err;
}

const rmdi_future_ops rmdi_process_task_ops = {
    .process = process,
    .cancel = cancel,
    .call_later = call_later,
    .how_to_wait = how_to_wait,
    .sleep = sleep_for,
    .runs = runs,
    .name = name,
    .ctx = ctx,
    .describe = describe,
    .value = value,
    .exit = exit_of,
    .destroy = destroy,
};
