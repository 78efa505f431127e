/* SPDX-License-Identifier: MIT */
/* The workers of a processes pool: how they are born, what they say of themselves, and how they are
 * ended; on the keeper's thread. processes_death.c has what comes then.
 *
 *   NONE -> FORKING -> STARTING -> READY -> LEAVING or STOPPING -> CLEARING -> NONE
 *
 * A worker that has ended stays a zombie, which the template reaps only when it is told to: so long
 * its number and its group's are its own, and may be signalled. By then nothing of it is left. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/recorder.h"
#include "exec/failure.h"
#include "exec/guard.h"
#include "exec/processes.h"
#include "exec/stray.h"
#include "port/clock.h"
#include "port/fd.h"
#include "port/memory.h"
#include "port/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* FORKING_MAX: so many orders have room in the socket, whatever else is in it. */
enum { LEAVE_MS = 2000, RETRY_MS = 100, FORKING_MAX = 32 };

/* ---- birth ---- */

static int open_share(rmdi_process *process)
{
    void *memory;
    rmdi_ring_share *share = rmdi_alloc(sizeof *share);
    int err = share ? rmdi_memory_open("remuda-ring", sizeof(rmdi_ring_memory), &process->memory_fd)
                    : ENOMEM;
    if (!err)
        err = rmdi_memory_map(process->memory_fd, sizeof(rmdi_ring_memory), false, &memory);
    if (err) {
        rmdi_free(share);
        return rmdi_fail_errno(err, "memory shared with a worker");
    }
    rmd_atomic_init(&share->refs, 1);
    share->sleepers = 0;
    share->memory = memory;
    rmdi_lock_enter(&process->pool->kept.lock);
    process->share = share;
    process->damaged = false; /* or the keeper would not ask to be told of this one */
    rmdi_ring_init(&process->ring, memory);
    rmdi_lock_release(&process->pool->kept.lock);
    return 0;
}

void rmdi_process_drop_share(rmdi_process *process)
{
    rmdi_ring_share *share = process->share;
    process->share = NULL;
    if (!share)
        return;
    rmdi_ring_wake_threads(share->memory); /* nobody else does from now on */
    if (rmd_atomic_sub(&share->refs, 1, RMD_ACQ_REL) == 1)
        rmdi_ring_share_free(share);
}

void rmdi_process_close(rmdi_process *process)
{
    rmd_source_free(process->errors);
    rmd_source_free(process->end);
    rmd_source_free(process->ladder);
    process->errors = process->end = process->ladder = NULL;
    rmdi_fd_close(&process->errors_ours);
    rmdi_fd_close(&process->errors_fd);
    rmdi_fd_close(&process->memory_fd);
    rmdi_fd_close(&process->pidfd);
}

static int order_fork(rmdi_process *process)
{
    rmdi_processes *pool = process->pool;
    int err = rmdi_guard_watch_ensure(&pool->guard);
    if (err == 0)
        err = rmdi_guard_enter(&process->number, &process->guard_slot);
    process->listed = err == 0;
    if (err == 0)
        err = rmdi_process_open_errors(process);
    if (err == 0)
        err = open_share(process);
    if (err == 0) {
        rmdi_template_message order = { .what = RMDI_TEMPLATE_FORK,
                                        .index = process->index,
                                        .number = process->number };
        int fds[] = { process->memory_fd, process->errors_fd };
        int failed = rmdi_template_send(pool, &order, fds, 2);
        err = failed ? rmdi_fail_errno(failed, "the template process") : 0;
    }
    rmdi_fd_close(&process->errors_fd);
    rmdi_fd_close(&process->memory_fd);
    return err;
}

/* Of a template that has ended before it could say that it has forked, perhaps it had. */
static void kill_unknown(uint64_t number)
{
    rmdi_stray_search search = { .instance = rmdi_guard_instance(), .number = number };
    rmdi_strays_kill(&search);
}

/* It does not run, and there is nothing left of the try. */
static void undo_fork(rmdi_process *process, int error, const char *text)
{
    rmdi_processes *pool = process->pool;
    rmdi_link ended;
    rmdi_list_init(&ended);
    if (process->listed) {
        kill_unknown(process->number);
        rmdi_guard_leave(process->guard_slot);
    }
    process->listed = false;
    rmdi_process_close(process);
    rmdi_lock_enter(&pool->kept.lock);
    rmdi_process_drop_share(process);
    process->state = RMDI_PROCESS_NONE;
    rmdi_processes_end_hopeless(pool, &ended);
    if (!pool->opened && !pool->start_error) {
        pool->start_error = error;
        snprintf(pool->start_detail, sizeof pool->start_detail, "%s", text);
    }
    rmdi_condition_notify_all(&pool->kept.changed);
    rmdi_lock_release(&pool->kept.lock);
    rmdi_processes_publish(pool, &ended);
    rmd_source_set_due(pool->retry, rmd_after_ms(RETRY_MS));
}

/* The next one to be forked, which counts as FORKING from then on; NULL: none now. */
static rmdi_process *take_missing(rmdi_processes *pool)
{
    rmdi_process *missing = NULL;
    unsigned forking = 0;
    rmdi_lock_enter(&pool->kept.lock);
    for (unsigned i = 0; i < pool->kept.pool.workers; i++) {
        rmdi_process *process = &pool->processes[i];
        forking += process->state == RMDI_PROCESS_FORKING;
        if (!missing && process->state == RMDI_PROCESS_NONE)
            missing = process;
    }
    if (pool->kept.quit || pool->halted || pool->start_error || forking >= FORKING_MAX)
        missing = NULL;
    if (missing)
        missing->state = RMDI_PROCESS_FORKING;
    rmdi_lock_release(&pool->kept.lock);
    return missing;
}

void rmdi_processes_fork(rmdi_processes *pool)
{
    rmdi_process *process;
    while (pool->template_ready && (process = take_missing(pool))) {
        int err = order_fork(process);
        if (err < 0) {
            char text[RMDI_RING_DETAIL];
            snprintf(text, sizeof text, "%s", rmd_error_detail());
            undo_fork(process, err, text);
            return; /* not at once for all the others */
        }
    }
}

void rmdi_process_not_forked(rmdi_process *process, int error, const char *text)
{
    undo_fork(process, error < 0 ? error : RMD_EWORKER, text);
}

void rmdi_process_forked(rmdi_process *process, pid_t pid, int pidfd)
{
    rmdi_processes *pool = process->pool;
    process->pidfd = pidfd;
    process->ours_to_reap = true;
    process->step = 0;
    process->how_is_known = false;
    rmdi_guard_set_group(process->guard_slot, pid);
    rmdi_record(RMDI_RECORD_PROCESS_FORK, process->index + 1, (uint64_t)pid);
    rmdi_lock_enter(&pool->kept.lock);
    process->pid = pid;
    process->state = RMDI_PROCESS_STARTING;
    process->stop = RMD_PENDING;
    process->stop_task = NULL;
    process->damaged = process->stopped = false;
    rmdi_lock_release(&pool->kept.lock);
    rmdi_process_look(process);
    rmdi_processes_fork(pool); /* others have waited for this one */
}

/* ---- what it says of itself ---- */

static void take_step(rmdi_process *process);

static void note_ready(rmdi_process *process)
{
    rmdi_processes *pool = process->pool;
    process->state = RMDI_PROCESS_READY;
    rmdi_record(RMDI_RECORD_PROCESS_READY, process->index + 1, (uint64_t)process->pid);
    pool->ready += !pool->opened;
    rmdi_process_settle(process);
    rmdi_processes_go_on(pool);
    rmdi_condition_notify_all(&pool->kept.changed);
}

void rmdi_process_note_failure(rmdi_process *process)
{
    rmdi_processes *pool = process->pool;
    const rmdi_ring_memory *memory = process->share ? process->share->memory : NULL;
    if (process->state != RMDI_PROCESS_STARTING || !memory ||
        rmd_atomic_load(&memory->life, RMD_ACQUIRE) != RMDI_LIFE_FAILED)
        return;
    if (pool->opened || pool->start_error)
        return; /* its end will be counted */
    pool->start_error = memory->error < 0 ? memory->error : RMD_EWORKER;
    snprintf(pool->start_detail, sizeof pool->start_detail, "%.*s", (int)sizeof memory->detail - 1,
             memory->detail);
    rmdi_condition_notify_all(&pool->kept.changed);
}

/* With the lock held: what is to be done about it? */
static bool look_locked(rmdi_process *process)
{
    rmdi_processes *pool = process->pool;
    uint32_t life = rmd_atomic_load(&process->share->memory->life, RMD_ACQUIRE);
    if (process->state == RMDI_PROCESS_STARTING && life == RMDI_LIFE_READY)
        note_ready(process);
    rmdi_process_note_failure(process);
    if (process->state == RMDI_PROCESS_READY && life == RMDI_LIFE_RETIRED) {
        process->state = RMDI_PROCESS_LEAVING;
        rmdi_process_take_all(process);
        rmdi_processes_go_on(pool);
    }
    if (process->state == RMDI_PROCESS_STOPPING && !process->stop_task && process->step == 0) {
        process->state = RMDI_PROCESS_READY; /* it has ended before we have done anything */
        process->stop = RMD_PENDING;
        rmdi_process_settle(process);
        rmdi_processes_go_on(pool);
    }
    /* Its task has finished although it was told: it is not waited for as long as the ladder lets a
     * task go on, but may still print what that has left. */
    if (process->state == RMDI_PROCESS_STOPPING && !process->stop_task)
        rmdi_ring_quit(&process->ring);
    if (pool->kept.quit && process->state == RMDI_PROCESS_READY) {
        process->state = RMDI_PROCESS_LEAVING;
        rmdi_process_settle(process);
        rmdi_ring_quit(&process->ring);
    }
    bool kill_now = process->damaged ||
                    (pool->kept.quit &&
                     (process->state == RMDI_PROCESS_STARTING || process->stopped));
    if (kill_now)
        return true;
    return process->step == 0 && process->state == RMDI_PROCESS_STOPPING;
}

void rmdi_process_look(rmdi_process *process)
{
    rmdi_processes *pool = process->pool;
    rmdi_link ended;
    rmdi_list_init(&ended);
    rmdi_lock_enter(&pool->kept.lock);
    bool there = process->state >= RMDI_PROCESS_STARTING && process->state < RMDI_PROCESS_CLEARING;
    if (there)
        rmdi_process_collect(process, &ended);
    bool act = there && look_locked(process);
    bool leaves = there && process->state == RMDI_PROCESS_LEAVING;
    bool gently = process->state == RMDI_PROCESS_STOPPING && !process->damaged;
    rmdi_lock_release(&pool->kept.lock);
    rmdi_processes_publish(pool, &ended);
    if (act && gently)
        take_step(process);
    else if (act)
        rmdi_process_signal(process, SIGKILL);
    else if (leaves && !process->ladder)
        take_step(process);
}

/* ---- ending it ---- */

void rmdi_process_signal(const rmdi_process *process, int signal)
{
    rmdi_record(RMDI_RECORD_PROCESS_SIGNAL, process->index + 1, (uint64_t)signal);
    if (process->ours_to_reap) {
        kill(-process->pid, signal);
        if (getpgid(process->pid) != process->pid) /* a task has made it go to another one */
            kill(process->pid, signal);
    } else if (process->pidfd >= 0) {
        rmdi_pidfd_signal(process->pidfd, signal);
    }
    /* Who is to tell us of its end must run: somebody may have stopped it. */
    if (signal == SIGKILL && process->ours_to_reap && process->pool->template_pid)
        kill(process->pool->template_pid, SIGCONT);
}

void rmdi_process_stop(rmdi_process *process, rmdi_process_task *task, rmd_outcome why)
{
    if (!process || process->state != RMDI_PROCESS_READY)
        return;
    process->state = RMDI_PROCESS_STOPPING;
    process->stop = why;
    process->stop_task = task;
    rmdi_process_take_all(process); /* what comes behind it must not be hit */
    rmdi_processes_go_on(process->pool);
    rmdi_kept_kick(&process->pool->kept);
}

static void on_ladder(rmd_source *source, unsigned events, void *ctx)
{
    (void)source;
    (void)events;
    take_step(ctx);
}

static bool set_ladder(rmdi_process *process, int64_t ms)
{
    if (process->ladder)
        return rmd_source_set_due(process->ladder, rmd_after_ms(ms)) == 0;
    return rmd_loop_timer(process->pool->kept.loop, &process->ladder, rmd_after_ms(ms), 0,
                          on_ladder, process) == 0;
}

/* The next step that its task has asked for; without one, or for one that was told to leave: the
 * usual. */
static rmd_kill_step next_step(rmdi_process *process)
{
    static const rmd_kill_step stop[] = { { SIGTERM, LEAVE_MS }, { SIGKILL, 0 } };
    static const rmd_kill_step leave[] = { { 0, LEAVE_MS }, { SIGKILL, 0 } };
    rmdi_lock_enter(&process->pool->kept.lock);
    const rmdi_process_task *task = process->stop_task;
    const rmdi_task_limits *own = task ? task->limits : NULL;
    const rmd_kill_step *ladder = own                                       ? own->ladder
                                  : process->state == RMDI_PROCESS_STOPPING ? stop
                                                                            : leave;
    size_t len = own ? own->limits.ladder_len : 2;
    rmd_kill_step step = ladder[process->step < len ? process->step : len - 1];
    process->step++;
    rmdi_lock_release(&process->pool->kept.lock);
    return step;
}

static void take_step(rmdi_process *process)
{
    rmd_kill_step step = next_step(process);
    if (step.signal)
        rmdi_process_signal(process, step.signal);
    if (step.signal == SIGKILL)
        return; /* its end will be told */
    if (step.signal)
        rmdi_process_signal(process, SIGCONT); /* a stopped one must run to obey */
    if (!set_ladder(process, step.wait_ms))
        rmdi_process_signal(process, SIGKILL); /* no memory for patience */
}
