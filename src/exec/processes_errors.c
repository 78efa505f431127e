/* SPDX-License-Identifier: MIT */
/* What a worker writes to stderr: it goes to ours, and the last of it is kept, to be told with the
 * task in which the worker has ended. On the keeper's thread. */
#include "base/alloc.h"
#include "base/error.h"
#include "exec/processes.h"
#include "port/clock.h"
#include "port/fd.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PIPE_PIECE = 4096, PIPE_BYTES = 64 * 1024 };

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
    rmdi_tail_add(&process->tail, data, (size_t)got);
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

int rmdi_process_open_errors(rmdi_process *process)
{
    int ends[2];
    int err = rmdi_fd_pipe(ends, 0);
    if (err)
        return rmdi_fail_errno(err, "a pipe for what a worker writes to stderr");
    process->errors_ours = ends[0];
    process->errors_fd = ends[1];
    process->tail.len = 0;
    int failed = rmd_loop_watch(process->pool->kept.loop, &process->errors, process->errors_ours,
                                RMD_READABLE, on_errors, process);
    if (!failed)
        rmd_source_set_background(process->errors, true);
    return failed;
}

void rmdi_process_drain_errors(rmdi_process *process)
{
    for (int i = 0; i < PIPE_BYTES / PIPE_PIECE && read_errors(process) > 0; i++)
        ; /* what was there; one that has escaped may write for ever */
}

/* ---- telling how it has ended ---- */

void rmdi_process_explain(const rmdi_process *process, char *text, size_t size)
{
    const rmdi_child_end *how = &process->how;
    const char *words;
    size_t len = rmdi_tail_line(&process->tail, RMDI_SAID_BYTES / 2, &words);
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
void rmdi_process_keep_account(const rmdi_process *process, rmdi_process_task *task,
                               const char *detail)
{
    size_t detail_len = strlen(detail) + 1;
    rmd_exit *account = rmdi_alloc_zeroed(sizeof *account + process->tail.len + 1 + detail_len);
    if (!account)
        return;
    char *tail = (char *)(account + 1), *words = tail + process->tail.len + 1;
    memcpy(tail, process->tail.data, process->tail.len);
    memcpy(words, detail, detail_len);
    *account = (rmd_exit){ .outcome = RMD_OUTCOME_LOST,
                           .error = RMD_ELOST,
                           .detail = words,
                           .status = process->how_is_known ? process->how.status : -1,
                           .signal = process->how_is_known ? process->how.signal : 0,
                           .attempts = task->attempts,
                           .pid = process->pid,
                           .ended_ns = rmdi_clock_monotonic_ns(),
                           .err_bytes = process->tail.len,
                           .err_tail = { tail, process->tail.len } };
    if (process->how_is_known)
        account->usage = process->how.usage;
    rmdi_free(task->exit);
    task->exit = account;
}
