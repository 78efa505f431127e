/* SPDX-License-Identifier: MIT */
/* From the queue into the rings of workers, and back. All with the pool's lock held.
 *
 * A worker without a task is given one at once; when there is none, the task is put behind others
 * that run, so that a worker that is done with one has the next at hand, and nobody needs to be
 * awake for that. What waits in a ring is not bound to it: as long as it has not begun it is taken
 * back for a worker that has nothing to do, for a task of higher priority, or when the worker dies
 * or is to be ended. */
#include "base/recorder.h"
#include "exec/processes.h"

enum { LOOKED_AT = 8 }; /* workers that are looked at for a place behind others */

_Static_assert((int)RMDI_CHUNK_MAX <= (int)RMDI_RING_SLOTS || (int)RMDI_RING_SLOTS == 2,
               "there is room for all");

/* ---- the queue ---- */

static bool queue_is_empty(const rmdi_processes *pool)
{
    return pool->queued == 0;
}

static rmdi_process_task *first_queued(rmdi_processes *pool)
{
    for (int i = RMDI_TASK_PRIORITIES - 1; i >= 0; i--)
        if (!rmdi_list_empty(&pool->queue[i]))
            return RMDI_CONTAINER(pool->queue[i].next, rmdi_process_task, link);
    return NULL;
}

void rmdi_processes_requeue(rmdi_process_task *task)
{
    rmdi_processes *pool = task->pool;
    task->placed = RMDI_PLACED_QUEUE;
    rmdi_list_prepend(&pool->queue[task->priority], &task->link);
    pool->queued++;
}

/* ---- out of a ring ---- */

static void set_idle(rmdi_process *process, bool idle)
{
    if (process->idle == idle)
        return;
    process->idle = idle;
    if (idle)
        rmdi_list_prepend(&process->pool->idle, &process->link); /* the warmest first */
    else
        rmdi_list_remove(&process->link);
}

/* May it get tasks? */
static bool is_taking(const rmdi_process *process)
{
    return process->state == RMDI_PROCESS_READY && !process->stopped;
}

void rmdi_process_settle(rmdi_process *process)
{
    bool busy = process->share && rmdi_ring_len(&process->ring);
    process->pool->busy = process->pool->busy + busy - process->busy;
    process->busy = busy;
    set_idle(process, is_taking(process) && !busy);
}

void rmdi_process_forget(rmdi_process_task *task)
{
    rmdi_process *process = task->process;
    rmdi_processes *pool = task->pool;
    process->tasks[task->slot] = NULL;
    process->timed -= task->limits && task->limits->limits.run_ms_max;
    pool->placed[task->priority]--;
    pool->in_rings--;
    task->process = NULL;
}

static void take_back(rmdi_process_task *task)
{
    if (task->recorded)
        rmdi_record(RMDI_RECORD_TAKE_BACK, task->future.id, task->process->index + 1);
    rmdi_process_forget(task);
    task->attempts--;
}

/* The one that was put in last goes back to the queue. False: it has begun, or there is none. */
static bool take_last(rmdi_process *process)
{
    unsigned slot;
    if (!rmdi_ring_take_last(&process->ring, &slot))
        return false;
    rmdi_process_task *task = process->tasks[slot];
    take_back(task);
    rmdi_processes_requeue(task);
    return true;
}

void rmdi_process_take_all(rmdi_process *process)
{
    if (!process->share)
        return;
    while (take_last(process))
        ;
    /* Behind one that was taken out of the middle there may be more. */
    for (unsigned i = rmdi_ring_len(&process->ring); i-- > 0;) {
        unsigned slot = rmdi_ring_slot_at(&process->ring, i);
        rmdi_process_task *task = process->tasks[slot];
        if (!task || !rmdi_ring_take(&process->ring, slot))
            continue;
        take_back(task);
        rmdi_processes_requeue(task);
    }
    rmdi_process_settle(process);
}

bool rmdi_process_task_take(rmdi_process_task *task)
{
    if (task->placed == RMDI_PLACED_QUEUE) {
        rmdi_list_remove(&task->link);
        task->pool->queued--;
        return true;
    }
    rmdi_process *process = task->process;
    if (task->placed != RMDI_PLACED_RING || !process || !process->share ||
        process->stop_task == task || !rmdi_ring_take(&process->ring, task->slot))
        return false;
    take_back(task);
    return true;
}

/* ---- what is in a ring ---- */

bool rmdi_process_task_runs(const rmdi_process_task *task, int64_t *begun_ns)
{
    *begun_ns = 0;
    if (task->placed != RMDI_PLACED_RING || !task->process)
        return false;
    return task->process->state >= RMDI_PROCESS_STOPPING ||
           rmdi_ring_has_begun(&task->process->ring, task->slot, begun_ns);
}

/* The first that has no answer. */
rmdi_process_task *rmdi_process_running(rmdi_process *process)
{
    int64_t begun_ns;
    for (unsigned i = 0; process->share && i < rmdi_ring_len(&process->ring); i++) {
        unsigned slot = rmdi_ring_slot_at(&process->ring, i);
        if (process->tasks[slot] && !rmdi_ring_is_done(&process->ring, slot))
            return rmdi_ring_has_begun(&process->ring, slot, &begun_ns) ? process->tasks[slot]
                                                                        : NULL;
    }
    return NULL;
}

static unsigned waiting_in(const rmdi_process *process)
{
    int64_t begun_ns;
    unsigned waiting = 0;
    for (unsigned i = 0; process->share && i < rmdi_ring_len(&process->ring); i++) {
        unsigned slot = rmdi_ring_slot_at(&process->ring, i);
        waiting += process->tasks[slot] && !rmdi_ring_has_begun(&process->ring, slot, &begun_ns);
    }
    return waiting;
}

unsigned rmdi_processes_waiting(rmdi_processes *pool)
{
    unsigned waiting = pool->queued;
    for (unsigned i = 0; pool->in_rings && i < pool->kept.pool.workers; i++)
        if (pool->processes[i].state < RMDI_PROCESS_CLEARING)
            waiting += waiting_in(&pool->processes[i]);
    return waiting;
}

/* ---- into a ring ---- */

static bool put(rmdi_process *process, rmdi_process_task *task)
{
    rmdi_processes *pool = process->pool;
    bool timed = task->limits && task->limits->limits.run_ms_max;
    rmdi_ring_order order = { .id = task->future.id,
                              .attempt = task->attempts + 1,
                              .function = task->function,
                              .name = task->name,
                              .arguments = rmdi_buffer_view(&task->arguments),
                              .timed = timed,
                              .adds = task->adds };
    if (!rmdi_ring_put(&process->ring, &order, &task->slot))
        return false;
    rmdi_list_remove(&task->link);
    pool->queued--;
    pool->placed[task->priority]++;
    pool->in_rings++;
    process->tasks[task->slot] = task;
    process->timed += timed;
    task->process = process;
    task->placed = RMDI_PLACED_RING;
    task->attempts++;
    rmdi_process_settle(process);
    task->recorded = rmdi_record_often(RMDI_RECORD_GIVE, task->future.id, process->index + 1);
    rmdi_ring_wake(&process->ring);
    return true;
}

/* A worker with room behind what it has. */
static rmdi_process *find_room(rmdi_processes *pool)
{
    unsigned n = pool->kept.pool.workers < LOOKED_AT ? pool->kept.pool.workers : LOOKED_AT;
    rmdi_process *best = NULL;
    for (unsigned i = 0; i < n; i++) {
        rmdi_process *process = &pool->processes[pool->cursor];
        pool->cursor = pool->cursor + 1 < pool->kept.pool.workers ? pool->cursor + 1 : 0;
        if (is_taking(process) && rmdi_ring_len(&process->ring) < pool->chunk &&
            (!best || rmdi_ring_len(&process->ring) < rmdi_ring_len(&best->ring)))
            best = process;
    }
    return best;
}

static rmdi_process *find_worker(rmdi_processes *pool)
{
    if (!rmdi_list_empty(&pool->idle))
        return RMDI_CONTAINER(pool->idle.next, rmdi_process, link);
    return find_room(pool);
}

void rmdi_processes_place(rmdi_processes *pool)
{
    if (pool->kept.suspended)
        return;
    for (rmdi_process_task *task; (task = first_queued(pool));) {
        rmdi_process *process = find_worker(pool);
        if (!process || !put(process, task))
            return; /* who takes answers comes again */
    }
}

static void make_way(rmdi_processes *pool, unsigned priority)
{
    unsigned lower = 0;
    for (unsigned i = 0; i < priority; i++)
        lower += pool->placed[i];
    for (unsigned i = 0; lower && i < pool->kept.pool.workers; i++)
        rmdi_process_take_all(&pool->processes[i]);
}

void rmdi_processes_enqueue(rmdi_processes *pool, rmdi_process_task *task)
{
    make_way(pool, task->priority);
    task->placed = RMDI_PLACED_QUEUE;
    rmdi_list_append(&pool->queue[task->priority], &task->link);
    pool->queued++;
    if (!pool->looks) {
        pool->looks = true;
        rmdi_kept_kick(&pool->kept);
    }
    rmdi_processes_place(pool);
    unsigned waiting = pool->queued + pool->in_rings - pool->busy; /* nearly */
    if (waiting > pool->queued_max)
        pool->queued_max = waiting;
}

void rmdi_processes_balance(rmdi_processes *pool)
{
    if (!queue_is_empty(pool) || rmdi_list_empty(&pool->idle))
        return;
    rmdi_process *most = NULL;
    for (unsigned i = 0; i < pool->kept.pool.workers; i++) {
        rmdi_process *process = &pool->processes[i];
        if (process->share && rmdi_ring_len(&process->ring) > 1 &&
            (!most || rmdi_ring_len(&process->ring) > rmdi_ring_len(&most->ring)))
            most = process;
    }
    for (unsigned half = most ? rmdi_ring_len(&most->ring) / 2 : 0; half > 0; half--)
        if (!take_last(most))
            break;
    pool->moved += pool->queued;
    rmdi_processes_place(pool);
}
