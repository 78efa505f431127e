/* SPDX-License-Identifier: MIT */
/* Deaths of the workers of a processes pool; on the keeper's thread.
 *
 * Of one that has ended, what it has left is ended, too; then it is reaped, and what becomes of its
 * task is told: so by then nothing of it is there. What it had not begun goes back to the queue.
 * When workers die again and again outside of tasks, and nothing is done between, the pool halts.
 * A death in a task is that task's: it has only so many crashes, so it cannot go on for ever. */
#include "base/error.h"
#include "base/recorder.h"
#include "exec/guard.h"
#include "exec/processes.h"
#include "port/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

enum { BURY_MS = 10 };

static const int64_t deaths_window_ns = INT64_C(10) * 1000 * 1000 * 1000;

/* ---- halting ---- */

static void end_all_queued(rmdi_processes *pool, rmdi_link *ended)
{
    for (int i = 0; i < RMDI_TASK_PRIORITIES; i++)
        for (rmdi_link *link; (link = rmdi_list_take_first(&pool->queue[i]));) {
            pool->queued--;
            rmdi_process_task_end(RMDI_CONTAINER(link, rmdi_process_task, link), RMD_OUTCOME_LOST,
                                  RMD_EHALTED, pool->halt_cause, ended);
        }
}

void rmdi_processes_end_hopeless(rmdi_processes *pool, rmdi_link *ended)
{
    if (pool->halted && rmdi_processes_are_gone(pool))
        end_all_queued(pool, ended);
}

/* With the lock held: has nothing been done since the first of these deaths? What is done may lie
 * in the rings still. */
static bool is_in_vain(rmdi_processes *pool, rmdi_link *ended)
{
    if (pool->deaths < RMDI_HALT_DEATHS)
        return false;
    for (unsigned i = 0; i < pool->kept.pool.workers; i++)
        rmdi_process_collect(&pool->processes[i], ended);
    return pool->deaths > 0;
}

bool rmdi_processes_count_death(rmdi_processes *pool, const char *cause)
{
    rmdi_link ended;
    int64_t now = rmdi_clock_monotonic_ns();
    rmdi_list_init(&ended);
    rmdi_lock_enter(&pool->kept.lock);
    if (pool->deaths == 0 || now - pool->deaths_since_ns > deaths_window_ns) {
        pool->deaths_since_ns = now;
        pool->deaths = 0;
    }
    pool->deaths++;
    if (!pool->halted && is_in_vain(pool, &ended)) {
        pool->halted = true;
        rmdi_record(RMDI_RECORD_HALT, pool->kept.pool.number, pool->deaths);
        snprintf(pool->halt_cause, sizeof pool->halt_cause,
                 "%u workers died within 10 s, with no task done between: %s", pool->deaths, cause);
        end_all_queued(pool, &ended);
        rmdi_condition_notify_all(&pool->kept.place);
    }
    bool halted = pool->halted;
    rmdi_lock_release(&pool->kept.lock);
    rmdi_processes_publish(pool, &ended);
    return !halted;
}

/* ---- one of them ---- */

/* With the lock held: the task in which it has ended. */
static void lose(rmdi_process *process, rmdi_process_task *task, const char *detail,
                 rmdi_link *ended)
{
    rmd_outcome why = process->stop_task == task ? process->stop : RMD_PENDING;
    rmdi_process_forget(task);
    process->stop_task = NULL;
    if (why == RMD_OUTCOME_TIMEOUT) {
        rmdi_process_task_fail(task, why, RMD_ETIMEDOUT, "stopped at its time limit", ended);
    } else if (why == RMD_OUTCOME_CANCELLED || task->told) {
        rmdi_process_task_end(task, RMD_OUTCOME_CANCELLED, RMD_ECANCELED, "stopped while it ran",
                              ended);
    } else {
        task->crashes++;
        rmdi_process_keep_account(process, task, detail);
        rmdi_process_task_fail(task, RMD_OUTCOME_LOST, RMD_ELOST, detail, ended);
    }
    if (task->placed == RMDI_PLACED_ENDED)
        process->pool->deaths = 0;
}

static rmdi_process_task *left_in(rmdi_process *process)
{
    for (unsigned i = 0; i < RMDI_RING_SLOTS; i++)
        if (process->tasks[i])
            return process->tasks[i];
    return NULL;
}

/* False: the template has not even read what it was told before, so many have died. */
static bool bury(rmdi_process *process)
{
    rmdi_template_message order = { .what = RMDI_TEMPLATE_REAP, .pid = process->pid };
    if (process->listed)
        rmdi_guard_leave(process->guard_slot); /* while the group's number is still its own */
    process->listed = false;
    if (process->ours_to_reap && rmdi_template_send(process->pool, &order, NULL, 0) == EAGAIN)
        return false;
    process->ours_to_reap = false;
    rmdi_process_close(process);
    return true;
}

static void on_cleared(void *ctx)
{
    rmdi_process *process = ctx;
    rmdi_processes *pool = process->pool;
    char detail[RMDI_SAID_BYTES + 256];
    rmdi_link ended;
    rmdi_list_init(&ended);
    rmdi_process_explain(process, detail, sizeof detail);
    process->to_bury = !bury(process);
    if (process->to_bury) {
        rmd_source_set_due(pool->retry, rmd_after_ms(BURY_MS));
        return;
    }
    rmdi_lock_enter(&pool->kept.lock);
    bool orderly = process->how_is_known && process->how.status == 0 && !process->damaged &&
                   rmd_atomic_load(&process->share->memory->life, RMD_RELAXED) == RMDI_LIFE_RETIRED;
    bool stopped = process->stop != RMD_PENDING, in_task = left_in(process);
    bool in_vain = !orderly && !stopped && !in_task && !process->useful;
    process->useful = false;
    for (rmdi_process_task *task; (task = left_in(process));)
        lose(process, task, detail, &ended);
    if (!pool->opened && !pool->start_error && !orderly) {
        pool->start_error = RMD_EWORKER;
        snprintf(pool->start_detail, sizeof pool->start_detail, "%.*s",
                 (int)sizeof pool->start_detail - 1, detail);
    }
    rmdi_process_drop_share(process);
    process->pid = 0;
    process->state = RMDI_PROCESS_NONE;
    rmdi_processes_go_on(pool);
    rmdi_processes_end_hopeless(pool, &ended);
    rmdi_condition_notify_all(&pool->kept.changed);
    rmdi_kept_kick(&pool->kept); /* another one; or the end of all */
    rmdi_lock_release(&pool->kept.lock);
    rmdi_processes_publish(pool, &ended);
    if (in_vain)
        rmdi_processes_count_death(pool, detail);
    rmdi_processes_fork(pool);
}

void rmdi_processes_bury(rmdi_processes *pool)
{
    for (unsigned i = 0; i < pool->kept.pool.workers; i++)
        if (pool->processes[i].to_bury)
            on_cleared(&pool->processes[i]);
}

static pid_t own_group(void *ctx)
{
    const rmdi_process *process = ctx;
    return process->ours_to_reap ? process->pid : 0;
}

void rmdi_process_ended(rmdi_process *process, const rmdi_child_end *how)
{
    rmdi_processes *pool = process->pool;
    rmdi_link ended;
    rmdi_list_init(&ended);
    rmdi_record(RMDI_RECORD_PROCESS_END, process->index + 1, (uint64_t)process->pid);
    process->how_is_known = how != NULL;
    if (how)
        process->how = *how;
    /* Kill first, read then: whatever a member had written is in the pipe by now, and none can go
     * on writing while we read. */
    rmdi_process_signal(process, SIGKILL);
    rmdi_process_drain_errors(process);
    rmdi_lock_enter(&pool->kept.lock);
    rmdi_process_collect(process, &ended);
    rmdi_process_note_failure(process); /* the bell may come later than this */
    process->state = RMDI_PROCESS_CLEARING;
    rmdi_process_take_all(process);
    rmdi_processes_go_on(pool);
    rmdi_lock_release(&pool->kept.lock);
    rmdi_processes_publish(pool, &ended);
    rmd_source_free(process->ladder);
    rmd_source_free(process->end);
    rmd_source_free(process->errors);
    process->ladder = process->end = process->errors = NULL;
    process->clearing = (rmdi_clearing){ .loop = pool->kept.loop,
                                         .number = process->number,
                                         .leader = process->pid,
                                         .group = own_group,
                                         .done = on_cleared,
                                         .ctx = process };
    rmdi_clearing_begin(&process->clearing);
}

static void on_end(rmd_source *source, unsigned events, void *ctx)
{
    (void)source;
    (void)events;
    rmdi_process_ended(ctx, NULL);
}

/* Its end is told by its descriptor alone. */
static void follow(rmdi_process *process)
{
    int err = rmdi_loop_child_reserve(process->pool->kept.loop, &process->end, on_end, process);
    /* A copy, which from then on is the source's. */
    int copy = err < 0 ? -1 : fcntl(process->pidfd, F_DUPFD_CLOEXEC, 0);
    if (copy >= 0 && rmdi_source_follow(process->end, copy) == 0)
        return;
    rmdi_process_signal(process, SIGKILL); /* what cannot be followed is ended here */
    rmdi_process_ended(process, NULL);
}

void rmdi_processes_orphaned(rmdi_processes *pool)
{
    for (unsigned i = 0; i < pool->kept.pool.workers; i++) {
        rmdi_process *process = &pool->processes[i];
        rmdi_lock_enter(&pool->kept.lock);
        rmdi_process_state state = process->state;
        rmdi_lock_release(&pool->kept.lock);
        process->ours_to_reap = false;
        if (state == RMDI_PROCESS_FORKING)
            rmdi_process_not_forked(process, RMD_EWORKER, "the template process has ended");
        else if (state > RMDI_PROCESS_FORKING && state < RMDI_PROCESS_CLEARING && !process->end)
            follow(process); /* unless it was an earlier template's */
    }
}

bool rmdi_processes_are_gone(const rmdi_processes *pool)
{
    for (unsigned i = 0; i < pool->kept.pool.workers; i++)
        if (pool->processes[i].state != RMDI_PROCESS_NONE)
            return false;
    return true;
}
