/* SPDX-License-Identifier: MIT */
/* The owner's side of the template process; on the keeper's thread. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/recorder.h"
#include "config.h"
#include "exec/attempt_id.h"
#include "exec/carried.h"
#include "exec/environment.h"
#include "exec/guard.h"
#include "exec/processes.h"
#include "exec/shared.h"
#include "exec/stray.h"
#include "port/clock.h"
#include "port/fd.h"
#include "port/memory.h"
#include "port/pidfd.h"
#include "port/poll.h"
#include "port/socket.h"
#include "port/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DYING_MS = 300 };

/* ---- what it is to do ---- */

static int write_call(rmdi_setup_call *call, rmdi_buffer *data, const char *what,
                      const char *function, const rmd_args *args)
{
    if (!function)
        return args->count || args->named_count
                   ? rmdi_fail(RMD_EINVAL, "pool options: arguments, but no %s", what)
                   : 0;
    if ((args->count && !args->values) || (args->named_count && !args->named))
        return rmdi_fail(RMD_EINVAL, "pool options: the arguments of the %s are not there", what);
    if (strlen(function) >= sizeof call->function)
        return rmdi_fail(RMD_EINVAL, "pool options: the name of the %s has at most %zu letters",
                         what, sizeof call->function - 1);
    snprintf(call->function, sizeof call->function, "%s", function);
    call->at = (uint32_t)data->len;
    int err = rmdi_call_encode(data, args);
    call->len = (uint32_t)data->len - call->at;
    return err < 0 ? rmdi_fail(err, "pool options: %s: %s", what, rmd_error_detail()) : 0;
}

static int write_carried(rmdi_template_setup *setup, rmdi_buffer *data)
{
    setup->carried_at = (uint32_t)data->len;
    int err = rmdi_carried_write(data);
    setup->carried_len = (uint32_t)data->len - setup->carried_at;
    return err;
}

static int check_call(const rmdi_processes *pool, const char *what, const char *function)
{
    if (!function || pool->program || rmd_function_find(function))
        return 0;
    return rmdi_fail(RMD_ENOENT, "pool options: the %s: no function is called \"%s\"", what,
                     function);
}

static int share_setup(rmdi_processes *pool, const rmdi_template_setup *setup,
                       const rmdi_buffer *data)
{
    void *memory;
    size_t bytes = sizeof *setup + data->len;
    int err = rmdi_memory_open("remuda-setup", bytes, &pool->setup_fd);
    if (!err)
        err = rmdi_memory_map(pool->setup_fd, bytes, false, &memory);
    if (err)
        return rmdi_fail_errno(err, "memory shared with the workers");
    memcpy(memory, setup, sizeof *setup);
    if (data->len)
        memcpy((char *)memory + sizeof *setup, data->data, data->len);
    rmdi_memory_unmap(memory, bytes);
    return 0;
}

int rmdi_setup_open(rmdi_processes *pool, const rmd_pool_options *options)
{
    rmdi_buffer data = { 0 };
    rmdi_template_setup setup = { .version = RMDI_VERSION,
                                  .owner = getpid(),
                                  .shared_bytes = pool->shared ? rmdi_shared_bytes(pool->shared)
                                                               : 0,
                                  .shared_id = pool->shared ? rmdi_shared_id(pool->shared) : 0,
                                  .tasks_max = options->tasks_max,
                                  .resident_max = options->resident_bytes_max,
                                  .address_max = options->address_bytes_max };
    snprintf(setup.pool, sizeof setup.pool, "%s", options->name);
    int err = check_call(pool, "preload", options->preload);
    if (err == 0)
        err = check_call(pool, "initializer", options->initializer);
    if (err == 0)
        err = write_call(&setup.preload, &data, "preload", options->preload,
                         &options->preload_args);
    if (err == 0)
        err = write_call(&setup.initializer, &data, "initializer", options->initializer,
                         &options->initializer_args);
    if (err == 0)
        err = write_carried(&setup, &data);
    if (err == 0)
        err = share_setup(pool, &setup, &data);
    rmdi_buffer_free(&data);
    return err;
}

/* ---- starting it ---- */

/* The mark ends in a number of fixed width, so that each worker can write its own there. */
static char **make_environment(const rmdi_processes *pool, uint64_t number, char *mark, size_t size)
{
    const char *outer = rmdi_attempt_id_outer(rmdi_env_get((char **)environ, RMDI_ATTEMPT_ID_NAME));
    char *ours[] = { mark, NULL };
    (void)pool;
    snprintf(mark, size, "%s=%s%s%s-%0*llu", RMDI_ATTEMPT_ID_NAME, outer ? outer : "",
             outer ? "/" : "", rmdi_guard_instance(), RMDI_NUMBER_DIGITS,
             (unsigned long long)number);
    return rmdi_env_merge((char **)environ, ours);
}

static int explain(const rmdi_processes *pool, int err)
{
    int code = rmdi_error_from_errno(err);
    if (code != RMD_ENOENT && code != RMD_EACCES && code != RMD_EEXEC)
        return rmdi_fail_errno(err, "the template process");
    return rmdi_fail(RMD_EWORKER, "cannot execute %s",
                     pool->program ? pool->program : "/proc/self/exe");
}

static int spawn(rmdi_processes *pool, int socket, int null)
{
    char mark[RMDI_ATTEMPT_ID_MAX + 64], name[] = RMDI_TEMPLATE_NAME, *argv[] = { name, NULL };
    char **env = make_environment(pool, pool->template_number, mark, sizeof mark);
    if (!env)
        return rmdi_fail_memory();
    int fds[] = { null,
                  STDOUT_FILENO,
                  STDERR_FILENO,
                  socket,
                  pool->setup_fd,
                  pool->bell,
                  pool->shared ? rmdi_shared_fd(pool->shared) : -1 };
    if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
        fds[1] = null;
    if (fcntl(STDERR_FILENO, F_GETFD) < 0)
        fds[2] = null;
    rmdi_spawn order = { .path = pool->program ? pool->program : "/proc/self/exe",
                         .argv = argv,
                         .envp = env,
                         .fds = fds,
                         .fds_len = 7 };
    rmdi_spawned child;
    int err = rmdi_spawn_program(&order, &child);
    rmdi_free(env);
    if (err)
        return explain(pool, err);
    pool->template_pid = child.pid;
    rmdi_record(RMDI_RECORD_TEMPLATE_BEGIN, pool->kept.pool.number, (uint64_t)child.pid);
    rmdi_fd_close(&child.pidfd);
    rmdi_guard_set_group(pool->template_slot, child.pid);
    return 0;
}

static void on_message(rmd_source *source, unsigned events, void *ctx);

static int spawn_listed(rmdi_processes *pool, int socket)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return rmdi_fail_errno(errno, "/dev/null");
    int err = rmdi_guard_enter(&pool->template_number, &pool->template_slot);
    if (err == 0) {
        err = spawn(pool, socket, null);
        if (err < 0)
            rmdi_guard_leave(pool->template_slot);
    }
    rmdi_fd_close(&null);
    return err;
}

int rmdi_template_start(rmdi_processes *pool)
{
    int ends[2];
    if (!pool->program && !rmdi_guard_uses_self())
        return rmdi_fail(RMD_EWORKER, "the program cannot serve as its own worker: call "
                                      "rmd_start() first in main(), or name one that does "
                                      "(rmd_pool_options.program)");
    int err = rmdi_guard_watch_ensure(&pool->guard);
    if (err < 0)
        return err;
    err = rmdi_socket_pair(ends);
    if (err)
        return rmdi_fail_errno(err, "a socket to the template process");
    err = rmd_loop_watch(pool->kept.loop, &pool->socket_source, ends[0], RMD_READABLE, on_message,
                         pool);
    if (err == 0) {
        rmd_source_set_background(pool->socket_source, true);
        err = spawn_listed(pool, ends[1]);
    }
    rmdi_fd_close(&ends[1]);
    pool->socket = ends[0];
    if (err < 0) {
        rmd_source_free(pool->socket_source);
        pool->socket_source = NULL;
        rmdi_fd_close(&pool->socket);
    }
    return err;
}

/* It ends when the socket is closed; unless somebody has stopped it. */
void rmdi_template_stop(rmdi_processes *pool)
{
    rmd_source_free(pool->socket_source);
    pool->socket_source = NULL;
    rmdi_fd_close(&pool->socket);
    if (!pool->template_pid)
        return;
    bool ended;
    rmdi_record(RMDI_RECORD_TEMPLATE_END, pool->kept.pool.number, (uint64_t)pool->template_pid);
    if (rmdi_child_peek(pool->template_pid, &ended) == 0 && !ended)
        kill(pool->template_pid, SIGKILL); /* ours and not reaped, so the number is its own */
    rmdi_child_bury(pool->template_pid);
    /* What it has just forked has its number, as long as it has not written its own. */
    rmdi_stray_search search = { .instance = rmdi_guard_instance(),
                                 .number = pool->template_number };
    rmdi_strays_kill(&search);
    rmdi_guard_leave(pool->template_slot);
    pool->template_pid = 0;
    pool->template_ready = false;
}

int rmdi_template_send(rmdi_processes *pool, const rmdi_template_message *message, const int *fds,
                       unsigned n)
{
    return rmdi_socket_send(pool->socket, message, sizeof *message, fds, n);
}

/* ---- what it says ---- */

static rmdi_process *by_number(rmdi_processes *pool, uint64_t number)
{
    for (unsigned i = 0; i < pool->kept.pool.workers; i++)
        if (pool->processes[i].number == number && pool->processes[i].state == RMDI_PROCESS_FORKING)
            return &pool->processes[i];
    return NULL;
}

static rmdi_process *by_pid(rmdi_processes *pool, pid_t pid)
{
    for (unsigned i = 0; i < pool->kept.pool.workers; i++)
        if (pool->processes[i].pid == pid && pool->processes[i].ours_to_reap)
            return &pool->processes[i];
    return NULL;
}

static void fail_to_start(rmdi_processes *pool, int error, const char *text)
{
    rmdi_lock_enter(&pool->kept.lock);
    if (!pool->start_error) {
        pool->start_error = error < 0 ? error : RMD_EWORKER;
        snprintf(pool->start_detail, sizeof pool->start_detail, "%s", text);
    }
    rmdi_condition_notify_all(&pool->kept.changed);
    rmdi_lock_release(&pool->kept.lock);
}

/* One that replaces another is given up when this has come several times: see its revival. */
static void on_failed(rmdi_processes *pool, const rmdi_template_message *message)
{
    rmdi_lock_enter(&pool->kept.lock);
    bool opened = pool->opened;
    rmdi_lock_release(&pool->kept.lock);
    if (opened)
        snprintf(pool->template_error, sizeof pool->template_error, "%s", message->text);
    else
        fail_to_start(pool, message->error, message->text);
}

static void note_stopped(rmdi_process *process, bool stopped)
{
    rmdi_lock_enter(&process->pool->kept.lock);
    process->stopped = stopped;
    if (stopped)
        rmdi_process_take_all(process); /* others can do it */
    rmdi_process_settle(process);
    rmdi_processes_go_on(process->pool);
    rmdi_lock_release(&process->pool->kept.lock);
}

static void obey(rmdi_processes *pool, rmdi_template_message *message, int *pidfd)
{
    rmdi_process *process = message->what == RMDI_TEMPLATE_FORKED ||
                                    message->what == RMDI_TEMPLATE_NOT_FORKED
                                ? by_number(pool, message->number)
                                : by_pid(pool, message->pid);
    message->text[sizeof message->text - 1] = 0;
    switch ((rmdi_template_what)message->what) {
    case RMDI_TEMPLATE_BUSY:
        snprintf(pool->template_busy, sizeof pool->template_busy, "%s", message->text);
        return;
    case RMDI_TEMPLATE_READY:
        pool->template_ready = true;
        pool->template_error[0] = 0;
        rmdi_processes_fork(pool);
        return;
    case RMDI_TEMPLATE_FAILED: on_failed(pool, message); return;
    default: break;
    }
    if (!process)
        return;
    switch ((rmdi_template_what)message->what) {
    case RMDI_TEMPLATE_FORKED:
        rmdi_process_forked(process, message->pid, *pidfd);
        *pidfd = -1;
        return;
    case RMDI_TEMPLATE_NOT_FORKED:
        rmdi_process_not_forked(process, message->error, message->text);
        return;
    case RMDI_TEMPLATE_ENDED: rmdi_process_ended(process, &message->end); return;
    case RMDI_TEMPLATE_STOPPED: note_stopped(process, true); return;
    case RMDI_TEMPLATE_CONTINUED: note_stopped(process, false); return;
    default: return;
    }
}

/* How it has ended, while it is still ours to ask: it closes the socket a moment before that. */
static void explain_end(const rmdi_processes *pool, char *text, size_t size)
{
    rmdi_child_end how = { .status = -1 };
    int end = rmdi_pidfd_open(pool->template_pid); /* ours and not reaped */
    struct pollfd wanted = { .fd = end, .events = POLLIN };
    (void)rmdi_poll_fds(&wanted, 1, rmdi_clock_monotonic_ns() + DYING_MS * INT64_C(1000000));
    if (rmdi_child_look(pool->template_pid, &how) != RMDI_CHILD_ENDED)
        how = (rmdi_child_end){ .status = -1 };
    rmdi_fd_close(&end);
    const char *busy = pool->template_busy, *during = *busy ? " while " : "";
    if (how.signal)
        snprintf(text, size, "the template process was ended by signal %d (%s)%s%.300s", how.signal,
                 strsignal(how.signal), during, busy);
    else if (*busy && how.status >= 0)
        snprintf(text, size, "the template process has exited with status %d while %.300s",
                 how.status, busy);
    else
        snprintf(text, size, "the template process has ended: does main() call rmd_start() first?");
}

/* Not opened yet: nobody starts another one. */
static void tell_end_at_start(rmdi_processes *pool)
{
    char text[RMDI_RING_DETAIL];
    rmdi_lock_enter(&pool->kept.lock);
    bool wanted = !pool->opened && !pool->kept.quit && !pool->halted && !pool->start_error;
    rmdi_lock_release(&pool->kept.lock);
    if (!wanted || !pool->template_pid)
        return;
    explain_end(pool, text, sizeof text);
    fail_to_start(pool, RMD_EWORKER, text);
}

static void on_message(rmd_source *source, unsigned events, void *ctx)
{
    rmdi_processes *pool = ctx;
    (void)source;
    (void)events;
    for (;;) {
        rmdi_template_message message = { 0 };
        unsigned n;
        int pidfd = -1;
        ssize_t got = rmdi_socket_receive(pool->socket, &message, sizeof message, &pidfd, 1, &n);
        if (got == -EAGAIN)
            return;
        if (got == (ssize_t)sizeof message)
            obey(pool, &message, &pidfd);
        rmdi_fd_close(&pidfd);
        if (got <= 0)
            break;
    }
    /* It has ended, whatever it was. */
    tell_end_at_start(pool);
    rmdi_template_stop(pool);
    rmdi_processes_orphaned(pool);
    rmdi_template_revive(pool);
}

void rmdi_template_revive(rmdi_processes *pool)
{
    rmdi_lock_enter(&pool->kept.lock);
    bool opened = pool->opened, wanted = !pool->kept.quit && !pool->halted && !pool->start_error;
    rmdi_lock_release(&pool->kept.lock);
    if (pool->template_pid || !wanted)
        return;
    if (!opened) {
        fail_to_start(pool, RMD_EWORKER,
                      "the template process has ended: does main() call rmd_start() first?");
        return;
    }
    const char *cause = *pool->template_error ? pool->template_error
                                              : "the template process has ended again and again";
    if (!rmdi_processes_count_death(pool, cause))
        return;
    if (rmdi_template_start(pool) < 0)
        rmd_source_set_due(pool->retry, rmd_after_ms(100));
}
