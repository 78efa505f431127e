/* SPDX-License-Identifier: MIT */
/* The life of an attempt:
 *
 *   start -> runs -> (stopping: the kill ladder) -> leader has ended -> clearing -> ended
 *
 * The leader, which is the program itself, is noticed to have ended but not reaped until
 * everything else is done: as a zombie it keeps its number, and with it the number of
 * its process group, from being given to others, so that the group can be signalled
 * safely at any time before. What is left of the group is killed when the leader ends.
 * After a stop, the end is reported only when nothing of it is left, members of the
 * group or not; strays of attempts that ended by themselves are looked for now and then
 * by the pool, because the search looks at every process of the machine. */
#include "exec/attempt.h"

#include "base/alloc.h"
#include "base/decimal.h"
#include "base/error.h"
#include "exec/attempt_id.h"
#include "exec/environment.h"
#include "exec/guard.h"
#include "exec/path.h"
#include "exec/program.h"
#include "exec/streams.h"
#include "port/clock.h"
#include "port/fd.h"
#include "port/spawn.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

void rmdi_attempt_init(rmdi_attempt *attempt, const rmdi_attempt_host *host,
                       const rmdi_command *command, void *task, unsigned ordinal)
{
    *attempt = (rmdi_attempt){
        .host = host, .command = command, .task = task, .ordinal = ordinal, .pipes = { -1, -1, -1 }
    };
    attempt->end.status = -1;
    for (int i = RMD_STDOUT; i <= RMD_STDERR; i++)
        rmdi_spool_init(&attempt->spools[i],
                        command->streams[i].kind == RMD_STREAM_CAPTURE ? host->spill : NULL);
}

void rmdi_attempt_free(rmdi_attempt *attempt)
{
    rmdi_spool_free(&attempt->spools[RMD_STDOUT]);
    rmdi_spool_free(&attempt->spools[RMD_STDERR]);
}

static const char lost_detail[] = "somebody else in this process has reaped it";

/* ---- starting ---- */

/* Room for the variables that we add ourselves. */
typedef struct own_marks {
    char id[RMDI_ATTEMPT_ID_MAX + 64], ordinal[64];
} own_marks;

static void write_marks(const rmdi_attempt *attempt, own_marks *marks)
{
    const char *outer = attempt->host->outer_id;
    char *end = stpcpy(marks->id, RMDI_ATTEMPT_ID_NAME "=");
    if (outer) /* at most RMDI_ATTEMPT_ID_MAX with what follows */
        end = stpcpy(stpcpy(end, outer), "/");
    end = stpcpy(stpcpy(end, rmdi_guard_instance()), "-");
    rmdi_decimal(end, attempt->number);
    rmdi_decimal(stpcpy(marks->ordinal, "REMUDA_ATTEMPT="), attempt->ordinal);
}

/* The environment of the program: the command's or the pool's, what the command adds, and
 * our marks. The strings are borrowed, the array is new; NULL: no memory. */
static char **make_environment(const rmdi_attempt *attempt, own_marks *marks)
{
    const rmdi_command *command = attempt->command;
    char *ours[] = { marks->id, marks->ordinal, NULL };
    write_marks(attempt, marks);
    char **added = rmdi_env_merge(command->env, ours);
    if (!added)
        return NULL;
    char **env = rmdi_env_merge(command->envp ? command->envp : attempt->host->envp, added);
    rmdi_free(added);
    return env;
}

static int spawn_file(rmdi_attempt *attempt, const rmdi_spawn *spawn)
{
    rmdi_spawned child;
    int err = rmdi_program_start(spawn, &child);
    if (err < 0)
        return err;
    attempt->pid = child.pid;
    attempt->pidfd = child.pidfd;
    return 0;
}

static int spawn(rmdi_attempt *attempt, const int theirs[3], char *const *envp)
{
    const rmdi_command *command = attempt->command;
    rmdi_path_cache *programs = attempt->host->programs;
    char path[PATH_MAX];
    int fds[RMDI_SPAWN_FDS_MAX];
    memcpy(fds, theirs, 3 * sizeof *fds);
    if (command->fds_len)
        memcpy(fds + 3, command->fds, command->fds_len * sizeof *fds);
    rmdi_spawn spawn = { .path = path,
                         .argv = command->argv,
                         .envp = envp,
                         .dir = command->dir,
                         .fds = fds,
                         .fds_len = 3 + command->fds_len };
    for (bool known = programs->found != NULL;; known = false) {
        int err = rmdi_path_find_again(programs, command->argv[0], rmdi_env_get(envp, "PATH"),
                                       command->dir, path);
        if (err == 0)
            err = spawn_file(attempt, &spawn);
        if (!known || (err != RMD_ENOENT && err != RMD_EACCES && err != RMD_EEXEC))
            return err;
        rmdi_path_forget(programs); /* it may have been moved since: once more from the start */
    }
}

static int spawn_listed(rmdi_attempt *attempt, const int theirs[3])
{
    own_marks marks;
    int err = rmdi_guard_enter(&attempt->number, &attempt->slot);
    if (err < 0)
        return err;
    char **envp = make_environment(attempt, &marks);
    err = envp ? spawn(attempt, theirs, envp) : rmdi_fail_memory();
    rmdi_free(envp);
    if (err < 0)
        rmdi_guard_leave(attempt->slot);
    else
        rmdi_guard_set_group(attempt->slot, attempt->pid);
    return err;
}

static void on_child_end(rmd_source *source, unsigned events, void *ctx);

/* Signals the group while its leader is ours to reap. Not when somebody else has done so:
 * then the number may have been given to others. */
static void signal_group(const rmdi_attempt *attempt, int signal)
{
    bool ended;
    if (attempt->pid && rmdi_child_peek(attempt->pid, &ended) == 0)
        kill(-attempt->pid, signal);
}

/* The program runs, but cannot be followed: end it here. The wait is for a process that was
 * just killed. */
static int undo_spawn(rmdi_attempt *attempt, int err)
{
    char detail[RMDI_DETAIL_MAX];
    snprintf(detail, sizeof detail, "%s", rmd_error_detail());
    signal_group(attempt, SIGKILL);
    rmdi_guard_leave(attempt->slot);
    rmdi_child_bury(attempt->pid);
    return rmdi_fail_copy(err, detail);
}

static int follow(rmdi_attempt *attempt)
{
    int err = rmdi_source_follow(attempt->child, attempt->pidfd);
    return err < 0 ? undo_spawn(attempt, err) : 0;
}

/* All that can run out is taken before the program starts: one that cannot be followed must
 * be killed, and a task that then waits for a better moment would run twice. */
static int prepare(rmdi_attempt *attempt)
{
    int err = rmdi_loop_child_reserve(attempt->host->loop, &attempt->child, on_child_end, attempt);
    return err < 0 ? err : rmdi_streams_watch(attempt);
}

static void set_result(rmdi_attempt *attempt, rmd_outcome outcome, int error, const char *detail);

int rmdi_attempt_refuse(rmdi_attempt *attempt, int err)
{
    set_result(attempt, RMD_OUTCOME_FAILED, err, rmd_error_detail());
    rmd_source_free(attempt->ladder);
    rmd_source_free(attempt->child);
    attempt->ladder = attempt->child = NULL;
    rmdi_streams_close(attempt);
    if (!attempt->started)
        attempt->started_ns = attempt->started_realtime_ns = 0;
    attempt->ended_ns = rmdi_clock_monotonic_ns();
    return err;
}

int rmdi_attempt_start(rmdi_attempt *attempt)
{
    int theirs[3];
    bool owned[3];
    int err = rmdi_streams_open(attempt, theirs, owned);
    if (err < 0)
        return rmdi_attempt_refuse(attempt, err);
    attempt->started_ns = rmdi_clock_monotonic_ns();
    attempt->started_realtime_ns = rmdi_clock_realtime_ns();
    err = prepare(attempt);
    if (err == 0)
        err = spawn_listed(attempt, theirs);
    attempt->started = err == 0;
    attempt->executed_ns = err == 0 ? rmdi_clock_monotonic_ns() : 0;
    for (int i = 0; i < 3; i++)
        if (owned[i])
            rmdi_fd_close(&theirs[i]);
    if (err == 0)
        err = follow(attempt);
    return err < 0 ? rmdi_attempt_refuse(attempt, err) : 0;
}

/* ---- the end ---- */

static void set_result(rmdi_attempt *attempt, rmd_outcome outcome, int error, const char *detail)
{
    attempt->outcome = outcome;
    if (attempt->error) /* the first reason stays */
        return;
    attempt->error = error;
    snprintf(attempt->detail, sizeof attempt->detail, "%s", detail);
}

static void judge_natural_end(rmdi_attempt *attempt)
{
    char text[RMDI_DETAIL_MAX];
    const rmdi_child_end *end = &attempt->end;
    if (end->signal) {
        snprintf(text, sizeof text, "ended by signal %d (%s)", end->signal, strsignal(end->signal));
        set_result(attempt, RMD_OUTCOME_FAILED, RMD_ESIGNAL, text);
    } else if (end->status) {
        snprintf(text, sizeof text, "exit status %d", end->status);
        set_result(attempt, RMD_OUTCOME_FAILED, RMD_EEXIT, text);
    } else {
        set_result(attempt, RMD_OUTCOME_OK, 0, "");
    }
}

static void judge(rmdi_attempt *attempt, int reaped)
{
    switch (attempt->stop) {
    case RMDI_STOP_ERROR: set_result(attempt, RMD_OUTCOME_FAILED, attempt->error, ""); return;
    case RMDI_STOP_CANCEL:
        set_result(attempt, RMD_OUTCOME_CANCELLED, RMD_ECANCELED, "stopped while it ran");
        return;
    case RMDI_STOP_TIMEOUT:
        set_result(attempt, RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT, "stopped at its time limit");
        return;
    case RMDI_STOP_NONE: break;
    }
    if (reaped)
        set_result(attempt, RMD_OUTCOME_LOST, RMD_ELOST, lost_detail);
    else
        judge_natural_end(attempt);
}

static void finish(rmdi_attempt *attempt)
{
    rmd_source_free(attempt->ladder);
    rmd_source_free(attempt->child);
    attempt->ladder = attempt->child = NULL;
    rmdi_streams_close(attempt);
    rmdi_guard_leave(attempt->slot); /* while the group's number is still its own */
    int reaped = rmdi_child_reap(attempt->pid, &attempt->end);
    attempt->ended_ns = rmdi_clock_monotonic_ns();
    judge(attempt, reaped);
    attempt->host->ended(attempt->task, attempt);
}

/* ---- clearing: after a stop, everything that carries its mark must be gone ---- */

static pid_t own_group(void *ctx)
{
    const rmdi_attempt *attempt = ctx;
    bool ended;
    return rmdi_child_peek(attempt->pid, &ended) == 0 ? attempt->pid : 0;
}

static void on_cleared(void *ctx)
{
    finish(ctx);
}

/* Our own descriptors go first, so that there are some to look with. */
static void begin_clearing(rmdi_attempt *attempt)
{
    rmd_source_free(attempt->ladder);
    rmd_source_free(attempt->child);
    attempt->ladder = attempt->child = NULL;
    rmdi_streams_close(attempt);
    attempt->clearing = (rmdi_clearing){ .loop = attempt->host->loop,
                                         .number = attempt->number,
                                         .leader = attempt->pid,
                                         .group = own_group,
                                         .done = on_cleared,
                                         .ctx = attempt };
    rmdi_clearing_begin(&attempt->clearing);
}

static void on_child_end(rmd_source *source, unsigned events, void *ctx)
{
    rmdi_attempt *attempt = ctx;
    (void)source;
    (void)events;
    attempt->exited_ns = rmdi_clock_monotonic_ns();
    /* Kill first, read then: whatever a member had written is in the pipe by now, and
     * none can go on writing while we read. */
    signal_group(attempt, SIGKILL);
    rmdi_streams_drain(attempt);
    if (attempt->stop == RMDI_STOP_NONE)
        finish(attempt);
    else
        begin_clearing(attempt);
}

/* ---- stopping ---- */

static void on_timer(rmd_source *source, unsigned events, void *ctx);

/* Sets the ladder's timer; false when there is no memory for it. */
static bool set_timer(rmdi_attempt *attempt, rmd_deadline due)
{
    if (attempt->ladder)
        return rmd_source_set_due(attempt->ladder, due) == 0;
    return rmd_loop_timer(attempt->host->loop, &attempt->ladder, due, 0, on_timer, attempt) == 0;
}

static void take_step(rmdi_attempt *attempt)
{
    const rmd_limits *limits = &attempt->command->limits;
    const rmd_kill_step *step = &limits->ladder[attempt->step];
    signal_group(attempt, step->signal);
    if (step->signal != SIGKILL)
        signal_group(attempt, SIGCONT); /* a stopped program must run to obey */
    if (++attempt->step == limits->ladder_len)
        return; /* that was SIGKILL: its end will be told */
    if (!set_timer(attempt, rmd_after_ms(step->wait_ms)))
        signal_group(attempt, SIGKILL); /* no memory for patience */
}

static void on_timer(rmd_source *source, unsigned events, void *ctx)
{
    (void)source;
    (void)events;
    take_step(ctx);
}

void rmdi_attempt_stop(rmdi_attempt *attempt, rmdi_stop why)
{
    bool ended;
    if (attempt->stop != RMDI_STOP_NONE)
        return;
    if (why != RMDI_STOP_ERROR && (rmdi_child_peek(attempt->pid, &ended) || ended))
        return;
    attempt->stop = why;
    take_step(attempt);
}

void rmdi_attempt_output_failed(rmdi_attempt *attempt, int error)
{
    if (attempt->error)
        return;
    attempt->error = error;
    snprintf(attempt->detail, sizeof attempt->detail, "%s", rmd_error_detail());
    if (attempt->stop == RMDI_STOP_NONE)
        rmdi_attempt_stop(attempt, RMDI_STOP_ERROR);
    attempt->stop = RMDI_STOP_ERROR;
}

void rmdi_attempt_signal(rmdi_attempt *attempt, int signal)
{
    signal_group(attempt, signal);
}
