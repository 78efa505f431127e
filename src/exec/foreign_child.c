/* SPDX-License-Identifier: MIT */
#include "exec/foreign_child.h"

#include "base/alloc.h"
#include "base/error.h"
#include "exec/attempt_id.h"
#include "exec/environment.h"
#include "exec/guard.h"
#include "exec/path.h"
#include "exec/program.h"
#include "exec/stray.h"
#include "exec/worker.h"
#include "port/clock.h"
#include "port/fd.h"
#include "port/poll.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    PIPE_PIECE = 4096, /* a pipe that is writable takes that much */
    PIPE_BYTES = 64 * 1024,
    GRACE_MS = 2000,
    DISMISS_MS = 1000,
    STRAYS_MS = 1000,
    LOOK_MS = 10,
};

/* ---- starting ---- */

/* The guard may have been killed since: nothing is started without one. */
static int ensure_guard(void)
{
    bool ended = true;
    pid_t pid = rmdi_guard_pid();
    if (pid && rmdi_child_peek(pid, &ended) == 0 && !ended)
        return 0;
    return rmdi_guard_revive(pid);
}

static const char *instance(const rmdi_foreign_child *child)
{
    return child->guarded ? rmdi_guard_instance() : rmdi_foreign_mark_instance();
}

/* Our environment, and its own mark; NULL: no memory. */
static char **make_environment(const rmdi_foreign_child *child, char *mark, size_t size)
{
    const char *outer = rmdi_attempt_id_outer(rmdi_env_get((char **)environ, RMDI_ATTEMPT_ID_NAME));
    char *ours[] = { mark, NULL };
    snprintf(mark, size, "%s=%s%s%s-%llu", RMDI_ATTEMPT_ID_NAME, outer ? outer : "",
             outer ? "/" : "", instance(child), (unsigned long long)child->mark.number);
    return rmdi_env_merge((char **)environ, ours);
}

static int spawn(rmdi_foreign_child *child, rmdi_spawn *order)
{
    rmdi_spawned spawned;
    char path[PATH_MAX], mark[RMDI_ATTEMPT_ID_MAX + 64];
    int err = rmdi_path_find(order->argv[0], rmdi_env_get((char **)environ, "PATH"), NULL, path);
    if (err < 0)
        return err;
    char **env = make_environment(child, mark, sizeof mark);
    order->path = path;
    order->envp = env;
    err = env ? rmdi_program_start(order, &spawned) : rmdi_fail_memory();
    rmdi_free(env);
    if (err < 0)
        return err;
    child->pid = spawned.pid;
    child->pidfd = spawned.pidfd;
    return 0;
}

static int spawn_guarded(rmdi_foreign_child *child, rmdi_spawn *order)
{
    int err = ensure_guard();
    if (err == 0)
        err = rmdi_guard_enter(&child->mark.number, &child->slot);
    if (err < 0)
        return err;
    err = spawn(child, order);
    if (err < 0)
        rmdi_guard_leave(child->slot);
    else
        rmdi_guard_set_group(child->slot, child->pid);
    return err;
}

static int spawn_marked(rmdi_foreign_child *child, rmdi_spawn *order)
{
    rmdi_foreign_mark_enter(&child->mark);
    int err = spawn(child, order);
    if (err < 0)
        rmdi_foreign_mark_leave(&child->mark);
    return err;
}

int rmdi_foreign_child_start(rmdi_foreign_child *child, char *const *argv, const int *fds,
                             unsigned n, const rmdi_foreign_crew *crew)
{
    int errors[2], theirs[RMDI_SPAWN_FDS_MAX];
    *child =
        (rmdi_foreign_child){ .pidfd = -1, .errors = -1, .guarded = crew->guarded, .crew = crew };
    int err = rmdi_fd_pipe(errors, 0);
    if (err)
        return rmdi_fail_errno(err, "a pipe for what \"%s\" writes to stderr", argv[0]);
    for (unsigned i = 0; i < n; i++)
        theirs[i] = fds[i] < 0 ? errors[1] : fds[i];
    rmdi_spawn order = { .argv = argv, .fds = theirs, .fds_len = n };
    err = child->guarded ? spawn_guarded(child, &order) : spawn_marked(child, &order);
    rmdi_fd_close(&errors[1]);
    if (err < 0)
        rmdi_fd_close(&errors[0]);
    child->errors = errors[0];
    return err;
}

/* ---- listening ---- */

/* May that much be written to our own stderr without waiting? If not, it stays in the pipe, and the
 * child waits, as it would without us. */
static bool may_pass_on(void)
{
    struct pollfd ready = { .fd = STDERR_FILENO, .events = POLLOUT };
    return rmdi_poll_fds(&ready, 1, 0) != 0;
}

/* False: there is nothing, for now or for good. */
static bool take_piece(rmdi_foreign_child *child)
{
    char data[PIPE_PIECE];
    ssize_t got = read(child->errors, data, sizeof data);
    if (got == 0)
        rmdi_fd_close(&child->errors);
    if (got <= 0)
        return false;
    rmdi_tail_add(&child->tail, data, (size_t)got);
    (void)rmdi_fd_write_quietly(STDERR_FILENO, data, (size_t)got);
    return true;
}

static void take_errors(rmdi_foreign_child *child)
{
    child->stuck = false;
    for (int i = 0; i < PIPE_BYTES / PIPE_PIECE && child->errors >= 0; i++) {
        child->stuck = !may_pass_on();
        if (child->stuck || !take_piece(child))
            return;
    }
}

static unsigned want(const rmdi_foreign_child *child, rmdi_fd_wanted *wanted)
{
    unsigned n = 0;
    if (!child->over)
        wanted[n++] = (rmdi_fd_wanted){ .fd = child->pidfd, .events = RMD_READABLE };
    if (child->errors >= 0)
        wanted[n++] = child->stuck
                          ? (rmdi_fd_wanted){ .fd = STDERR_FILENO, .events = RMD_WRITABLE }
                          : (rmdi_fd_wanted){ .fd = child->errors, .events = RMD_READABLE };
    return n;
}

static void see(rmdi_foreign_child *child, const rmdi_fd_wanted *wanted, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (!wanted[i].ready)
            continue;
        if (wanted[i].fd == child->pidfd)
            child->over = true;
        else
            take_errors(child);
    }
}

/* Without the descriptor that a stop token needs to wake us: by looking at it now and then. 0 also
 * for no reason. */
static int wait_looking(rmdi_fd_wanted *wanted, unsigned n, rmd_deadline due)
{
    rmd_stop *token = rmd_stop_set(NULL);
    rmd_deadline soon = rmd_after_ms(LOOK_MS);
    int err = rmdi_fds_wait(wanted, n, soon.ns < due.ns ? soon : due);
    rmd_stop_set(token);
    if (rmd_stop_requested(token))
        return rmdi_fail(RMD_ECANCELED, "told to stop");
    return err == RMD_ETIMEDOUT && !rmd_deadline_passed(due) ? 0 : err;
}

/* That we have no descriptor, or memory, left is not to cost a process that is well. */
static int wait_somehow(rmdi_fd_wanted *wanted, unsigned n, rmd_deadline due)
{
    int err = rmdi_fds_wait(wanted, n, due);
    return err == RMD_EMFILE || err == RMD_ENOMEM ? wait_looking(wanted, n, due) : err;
}

int rmdi_foreign_child_wait(rmdi_foreign_child *child, rmdi_fd_wanted *wanted, unsigned n,
                            rmd_deadline due)
{
    bool may_be_told = child->crew->holds_term;
    unsigned own = want(child, wanted + n), term = n + own;
    wanted[term] = (rmdi_fd_wanted){ .fd = child->crew->term, .events = RMD_READABLE };
    int err = wait_somehow(wanted, term + may_be_told, due);
    see(child, wanted + n, own);
    return err == 0 && may_be_told && wanted[term].ready /* and stays so */
               ? rmdi_fail(RMD_ECANCELED, "the worker process was told to end")
               : err;
}

void rmdi_foreign_child_look(rmdi_foreign_child *child, rmdi_fd_wanted *wanted, unsigned n)
{
    unsigned own = want(child, wanted + n);
    rmdi_fds_look(wanted, n + own);
    see(child, wanted + n, own);
}

/* Several at once. */
typedef struct watch {
    rmdi_fd_wanted wanted[RMD_SELECT_MAX];
    unsigned n, used;
    struct {
        rmdi_foreign_child *child;
        unsigned at, n;
    } of[RMD_SELECT_MAX / RMDI_FOREIGN_CHILD_WANTS];
} watch;

/* As many of those that have not ended as there is room for: false when there are none. */
static bool watch_all(watch *w, rmdi_foreign_child *first)
{
    w->n = w->used = 0;
    for (rmdi_foreign_child *c = first; c; c = c->beside) {
        if (c->over || w->used == sizeof w->of / sizeof *w->of)
            continue;
        unsigned n = want(c, w->wanted + w->n);
        w->of[w->used].child = c;
        w->of[w->used].at = w->n;
        w->of[w->used++].n = n;
        w->n += n;
    }
    return w->used;
}

static void see_all(watch *w)
{
    for (unsigned i = 0; i < w->used; i++)
        see(w->of[i].child, w->wanted + w->of[i].at, w->of[i].n);
}

void rmdi_foreign_child_await(rmdi_foreign_child *child, int64_t ms)
{
    rmd_deadline due = ms < 0 ? RMD_FOREVER : rmd_after_ms(ms);
    rmd_stop *before = rmd_stop_set(NULL);
    watch w;
    int err = 0;
    if (watch_all(&w, child)) {
        rmdi_fds_look(w.wanted, w.n);
        see_all(&w);
    }
    while (err == 0 && watch_all(&w, child)) {
        err = rmdi_fds_wait(w.wanted, w.n, due);
        see_all(&w);
    }
    rmd_stop_set(before);
}

/* ---- ending ---- */

/* A pool of threads that is aborted waits for two seconds itself: then there is no second half. */
typedef struct step {
    int signal; /* 0: none */
    int wait_ms;
    bool in_peace; /* left out while the pool is aborted */
} step;

static const step dismiss[] = { { 0, DISMISS_MS, false },
                                { SIGTERM, DISMISS_MS, false },
                                { SIGKILL, -1, false } };
static const step stop[] = { { SIGTERM, GRACE_MS / 2, false },
                             { 0, GRACE_MS / 2, true },
                             { SIGKILL, -1, false } };
static const step over[] = { { SIGKILL, -1, false } };
static const step *const ladders[] = { dismiss, stop, over };

/* To its group, while the leader is ours to reap: else the number may be another's. */
static void signal_group(const rmdi_foreign_child *child, int signal)
{
    bool ended;
    if (rmdi_child_peek(child->pid, &ended) == 0)
        kill(-child->pid, signal);
}

/* False: all have ended. */
static bool signal_all(const rmdi_foreign_child *first, int signal)
{
    bool some = false;
    for (const rmdi_foreign_child *c = first; c; c = c->beside) {
        some |= !c->over;
        if (!c->over && signal)
            signal_group(c, signal);
        if (!c->over && signal == SIGTERM)
            signal_group(c, SIGCONT); /* a stopped one must run to obey */
    }
    return some;
}

static void climb(rmdi_foreign_child *first, const step *ladder)
{
    for (;; ladder++) {
        if (ladder->in_peace && rmdi_worker_is_aborted())
            continue;
        if (!signal_all(first, ladder->signal))
            return;
        rmdi_foreign_child_await(first, ladder->wait_ms);
        if (ladder->wait_ms < 0)
            return;
    }
}

void rmdi_foreign_children_dismiss(rmdi_foreign_child *first)
{
    climb(first, dismiss);
    for (rmdi_foreign_child *next; first; first = next) {
        next = first->beside;
        first->beside = NULL;
    }
}

/* Those with its mark that have left its group: until none is left. */
static void end_strays(const rmdi_foreign_child *child)
{
    rmdi_stray_search search = { .instance = instance(child), .number = child->mark.number };
    rmd_deadline patience = rmd_after_ms(STRAYS_MS);
    while (rmdi_strays_kill(&search) && !rmd_deadline_passed(patience))
        rmdi_poll_fds(NULL, 0, rmdi_clock_monotonic_ns() + 1000 * 1000);
}

void rmdi_foreign_child_end(rmdi_foreign_child *child, rmdi_foreign_ending how, bool strays)
{
    if (!child->pid)
        return;
    climb(child, ladders[how]);
    signal_group(child, SIGKILL); /* what is left of it */
    take_errors(child);
    if (strays)
        end_strays(child);
    if (child->guarded)
        rmdi_guard_leave(child->slot); /* while the group's number is still its own */
    else
        rmdi_foreign_mark_leave(&child->mark);
    child->how_is_known = rmdi_child_reap(child->pid, &child->how) == 0;
    rmdi_fd_close(&child->pidfd);
    rmdi_fd_close(&child->errors);
    child->pid = 0;
}

void rmdi_foreign_child_explain(const rmdi_foreign_child *child, char *text, size_t size)
{
    if (!child->how_is_known)
        snprintf(text, size, "has ended, and how is not known");
    else if (child->how.signal)
        snprintf(text, size, "was ended by signal %d (%s)", child->how.signal,
                 strsignal(child->how.signal));
    else
        snprintf(text, size, "has exited with status %d", child->how.status);
}
