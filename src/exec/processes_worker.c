/* SPDX-License-Identifier: MIT */
/* Births and deaths of the workers of a processes pool; on the keeper's thread.
 *
 *   NONE -> FORKING -> STARTING -> READY -> LEAVING or STOPPING -> CLEARING -> NONE
 *
 * A worker that has ended stays a zombie, which the template reaps only when it is told to: so long
 * its number and its group's are its own, and may be signalled. By then nothing of it is left. */
#include "base/alloc.h"
#include "base/error.h"
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

static const int64_t deaths_window_ns = INT64_C(10) * 1000 * 1000 * 1000;
enum { LEAVE_MS = 2000, RETRY_MS = 100, PIPE_PIECE = 4096, PIPE_BYTES = 64 * 1024 };

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

static void drop_share(rmdi_process *process)
{
    rmdi_ring_share *share = process->share;
    process->share = NULL;
    if (!share)
        return;
    rmdi_ring_wake_threads(share->memory); /* nobody else does from now on */
    if (rmd_atomic_sub(&share->refs, 1, RMD_ACQ_REL) == 1)
        rmdi_ring_share_free(share);
}

static int open_errors(rmdi_process *process)
{
    int ends[2];
    int err = rmdi_fd_pipe(ends, 0);
    if (err)
        return rmdi_fail_errno(err, "a pipe for what a worker writes to stderr");
    process->errors_ours = ends[0];
    process->errors_fd = ends[1];
    process->tail_len = 0;
    return 0;
}

static void close_parts(rmdi_process *process)
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

static void on_errors(rmd_source *source, unsigned events, void *ctx);

static int order_fork(rmdi_process *process)
{
    rmdi_processes *pool = process->pool;
    int err = rmdi_guard_watch_ensure(&pool->guard);
    if (err == 0)
        err = rmdi_guard_enter(&process->number, &process->guard_slot);
    process->listed = err == 0;
    if (err == 0)
        err = open_errors(process);
    if (err == 0)
        err = rmd_loop_watch(pool->kept.loop, &process->errors, process->errors_ours, RMD_READABLE,
                             on_errors, process);
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

static void end_all_queued(rmdi_processes *pool, rmdi_link *ended)
{
    for (int i = 0; i < RMDI_TASK_PRIORITIES; i++)
        for (rmdi_link *link; (link = rmdi_list_take_first(&pool->queue[i]));) {
            pool->queued--;
            rmdi_process_task_end(RMDI_CONTAINER(link, rmdi_process_task, link), RMD_OUTCOME_LOST,
                                  RMD_EHALTED, pool->halt_cause, ended);
        }
}

/* With the lock held: a pool that has halted starts no more workers, so what has come back from the
 * last one has nobody left to run it. */
static void end_hopeless(rmdi_processes *pool, rmdi_link *ended)
{
    if (pool->halted && rmdi_processes_are_gone(pool))
        end_all_queued(pool, ended);
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
    close_parts(process);
    rmdi_lock_enter(&pool->kept.lock);
    drop_share(process);
    process->state = RMDI_PROCESS_NONE;
    end_hopeless(pool, &ended);
    if (!pool->opened && !pool->start_error) {
        pool->start_error = error;
        snprintf(pool->start_detail, sizeof pool->start_detail, "%s", text);
    }
    rmdi_condition_notify_all(&pool->kept.changed);
    rmdi_lock_release(&pool->kept.lock);
    rmdi_processes_publish(pool, &ended);
    rmd_source_set_due(pool->retry, rmd_after_ms(RETRY_MS));
}

void rmdi_processes_fork(rmdi_processes *pool)
{
    for (unsigned i = 0; i < pool->kept.pool.workers && pool->template_ready; i++) {
        rmdi_process *process = &pool->processes[i];
        rmdi_lock_enter(&pool->kept.lock);
        bool wanted = process->state == RMDI_PROCESS_NONE && !pool->kept.quit && !pool->halted &&
                      !pool->start_error;
        if (wanted)
            process->state = RMDI_PROCESS_FORKING;
        rmdi_lock_release(&pool->kept.lock);
        if (!wanted)
            continue;
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
    rmdi_lock_enter(&pool->kept.lock);
    process->pid = pid;
    process->state = RMDI_PROCESS_STARTING;
    process->stop = RMD_PENDING;
    process->stop_task = NULL;
    process->damaged = process->stopped = false;
    rmdi_lock_release(&pool->kept.lock);
    rmdi_process_look(process);
}

/* ---- what it writes to stderr ---- */

static void keep_tail(rmdi_process *process, const char *data, size_t len)
{
    if (len >= sizeof process->tail) {
        memcpy(process->tail, data + len - sizeof process->tail, sizeof process->tail);
        process->tail_len = sizeof process->tail;
        return;
    }
    size_t over = process->tail_len + len > sizeof process->tail
                      ? process->tail_len + len - sizeof process->tail
                      : 0;
    memmove(process->tail, process->tail + over, process->tail_len - over);
    memcpy(process->tail + process->tail_len - over, data, len);
    process->tail_len += len - over;
}

/* May that much be written to our own stderr without waiting? If not, it stays in the pipe, and who
 * writes there waits, as it would without us. */
static bool may_pass_on(void)
{
    struct pollfd ready = { .fd = STDERR_FILENO, .events = POLLOUT };
    return poll(&ready, 1, 0) != 0;
}

/* 0 at the end; -1: there is nothing now. */
static ssize_t read_errors(rmdi_process *process)
{
    char data[PIPE_PIECE]; /* a pipe that is writable takes that much */
    ssize_t got = read(process->errors_ours, data, sizeof data);
    if (got <= 0)
        return got;
    keep_tail(process, data, (size_t)got);
    (void)rmdi_fd_write_quietly(STDERR_FILENO, data, (size_t)got);
    return got;
}

static void read_all_again(rmd_source *source, unsigned events, void *ctx)
{
    rmdi_processes *pool = ctx;
    (void)events;
    rmd_source_free(source);
    pool->stderr_source = NULL;
    for (unsigned i = 0; i < pool->kept.pool.workers; i++)
        if (pool->processes[i].errors)
            rmd_source_set_events(pool->processes[i].errors, RMD_READABLE);
}

/* Until our own stderr takes more. */
static bool pause_errors(rmdi_processes *pool)
{
    return pool->stderr_source ||
           rmd_loop_watch(pool->kept.loop, &pool->stderr_source, STDERR_FILENO, RMD_WRITABLE,
                          read_all_again, pool) == 0;
}

static void on_errors(rmd_source *source, unsigned events, void *ctx)
{
    rmdi_process *process = ctx;
    (void)events;
    if (!may_pass_on() && pause_errors(process->pool)) {
        rmd_source_set_events(source, 0);
        return;
    }
    if (read_errors(process) == 0)
        rmd_source_set_events(source, 0); /* everybody has closed it */
}

/* ---- what it says of itself ---- */

static void take_step(rmdi_process *process);

static void note_ready(rmdi_process *process)
{
    rmdi_processes *pool = process->pool;
    process->state = RMDI_PROCESS_READY;
    pool->ready += !pool->opened;
    rmdi_process_settle(process);
    rmdi_processes_go_on(pool);
    rmdi_condition_notify_all(&pool->kept.changed);
}

static void note_failed(rmdi_process *process)
{
    rmdi_processes *pool = process->pool;
    const rmdi_ring_memory *memory = process->share->memory;
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
    else if (process->state == RMDI_PROCESS_STARTING && life == RMDI_LIFE_FAILED)
        note_failed(process);
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

/* ---- death ---- */

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
    if (++pool->deaths >= RMDI_HALT_DEATHS && !pool->halted) {
        pool->halted = true;
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

/* The last line that it has written, or what of it there is. */
static size_t last_words(const rmdi_process *process, const char **words)
{
    const char *tail = process->tail;
    size_t end = process->tail_len;
    while (end && (tail[end - 1] == '\n' || tail[end - 1] == ' '))
        end--;
    size_t begin = end > RMDI_SAID_BYTES / 2 ? end - RMDI_SAID_BYTES / 2 : 0;
    for (size_t i = end; i > begin; i--)
        if (tail[i - 1] == '\n') {
            begin = i;
            break;
        }
    *words = tail + begin;
    return end - begin;
}

static void explain(const rmdi_process *process, char *text, size_t size)
{
    const rmdi_child_end *how = &process->how;
    const char *words;
    size_t len = last_words(process, &words);
    char cause[160];
    if (!process->how_is_known)
        snprintf(cause, sizeof cause, "has ended, and how is not known");
    else if (process->damaged)
        snprintf(cause, sizeof cause, "has damaged the memory that it shares with the pool");
    else if (how->signal)
        snprintf(cause, sizeof cause, "was ended by signal %d (%s)", how->signal,
                 strsignal(how->signal));
    else
        snprintf(cause, sizeof cause, "has exited with status %d", how->status);
    snprintf(text, size, "worker %s-%u (process %d) %s%s%.*s", process->pool->name,
             process->index + 1, (int)process->pid, cause, len ? "; it wrote last: " : "", (int)len,
             words);
}

/* What is known about it, for those who ask; without memory it is not told. */
static void keep_account(rmdi_process *process, rmdi_process_task *task, const char *detail)
{
    size_t detail_len = strlen(detail) + 1;
    rmd_exit *account = rmdi_alloc_zeroed(sizeof *account + process->tail_len + 1 + detail_len);
    if (!account)
        return;
    char *tail = (char *)(account + 1), *words = tail + process->tail_len + 1;
    memcpy(tail, process->tail, process->tail_len);
    memcpy(words, detail, detail_len);
    *account = (rmd_exit){ .outcome = RMD_OUTCOME_LOST,
                           .error = RMD_ELOST,
                           .detail = words,
                           .status = process->how_is_known ? process->how.status : -1,
                           .signal = process->how_is_known ? process->how.signal : 0,
                           .attempts = task->attempts,
                           .pid = process->pid,
                           .ended_ns = rmdi_clock_monotonic_ns(),
                           .err_bytes = process->tail_len,
                           .err_tail = { tail, process->tail_len } };
    if (process->how_is_known)
        account->usage = process->how.usage;
    rmdi_free(task->exit);
    task->exit = account;
}

/* With the lock held: the task in which it has ended. True: that is this task's end. */
static bool lose(rmdi_process *process, rmdi_process_task *task, const char *detail,
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
        keep_account(process, task, detail);
        rmdi_process_task_fail(task, RMD_OUTCOME_LOST, RMD_ELOST, detail, ended);
    }
    return task->placed == RMDI_PLACED_ENDED;
}

static rmdi_process_task *left_in(rmdi_process *process)
{
    for (unsigned i = 0; i < RMDI_RING_SLOTS; i++)
        if (process->tasks[i])
            return process->tasks[i];
    return NULL;
}

static void bury(rmdi_process *process)
{
    rmdi_template_message order = { .what = RMDI_TEMPLATE_REAP, .pid = process->pid };
    rmdi_guard_leave(process->guard_slot); /* while the group's number is still its own */
    process->listed = false;
    if (process->ours_to_reap)
        (void)rmdi_template_send(process->pool, &order, NULL, 0);
    process->ours_to_reap = false;
    close_parts(process);
}

static void on_cleared(void *ctx)
{
    rmdi_process *process = ctx;
    rmdi_processes *pool = process->pool;
    char detail[RMDI_SAID_BYTES + 256];
    rmdi_link ended;
    rmdi_list_init(&ended);
    explain(process, detail, sizeof detail);
    bury(process);
    rmdi_lock_enter(&pool->kept.lock);
    bool orderly = process->how_is_known && process->how.status == 0 && !process->damaged &&
                   rmd_atomic_load(&process->share->memory->life, RMD_RELAXED) == RMDI_LIFE_RETIRED;
    bool stopped = process->stop != RMD_PENDING;
    bool done = orderly || stopped || process->useful;
    process->useful = false;
    for (rmdi_process_task *task; (task = left_in(process));)
        done |= lose(process, task, detail, &ended);
    if (!pool->opened && !pool->start_error && !orderly) {
        pool->start_error = RMD_EWORKER;
        snprintf(pool->start_detail, sizeof pool->start_detail, "%.*s",
                 (int)sizeof pool->start_detail - 1, detail);
    }
    drop_share(process);
    process->pid = 0;
    process->state = RMDI_PROCESS_NONE;
    rmdi_processes_go_on(pool);
    end_hopeless(pool, &ended);
    rmdi_condition_notify_all(&pool->kept.changed);
    rmdi_kept_kick(&pool->kept); /* another one; or the end of all */
    rmdi_lock_release(&pool->kept.lock);
    rmdi_processes_publish(pool, &ended);
    if (!done)
        rmdi_processes_count_death(pool, detail);
    rmdi_processes_fork(pool);
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
    process->how_is_known = how != NULL;
    if (how)
        process->how = *how;
    /* Kill first, read then: whatever a member had written is in the pipe by now, and none can go
     * on writing while we read. */
    rmdi_process_signal(process, SIGKILL);
    for (int i = 0; i < PIPE_BYTES / PIPE_PIECE && read_errors(process) > 0; i++)
        ; /* what was there; one that has escaped may write for ever */
    rmdi_lock_enter(&pool->kept.lock);
    rmdi_process_collect(process, &ended);
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
            undo_fork(process, RMD_EWORKER, "the template process has ended");
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
