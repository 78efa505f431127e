/* SPDX-License-Identifier: MIT */
/* One guard per process, held by its pools. All of it is under one lock but the two
 * stores that list a group, which are the way of every task. */
#include "exec/guard.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "config.h"
#include "exec/environment.h"
#include "exec/guard_table.h"
#include "port/clock.h"
#include "port/fd.h"
#include "port/forked.h"
#include "port/pidfd.h"
#include "port/spawn.h"
#include "sync/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEATHS_MAX = 5 };
static const int64_t deaths_window_ns = INT64_C(10) * 1000 * 1000 * 1000;

static struct {
    rmd_atomic(uint64_t) process; /* rmdi_process_mark() of whom all this belongs to; 0: nobody */
    rmdi_lock lock;
    unsigned holders;
    pid_t pid;
    int lifeline; /* the end that only we hold */
    int memory;
    int lent; /* rmdi_guard_lend() */
    rmdi_guard_table *table;
    uint32_t free_slots[RMDI_GUARD_SLOTS]; /* a stack; touched pages only */
    uint32_t free_used;
    uint64_t next_number;
    int64_t deaths_since_ns;
    unsigned deaths;
    bool use_self;
} guard = { .lifeline = -1, .memory = -1, .lent = -1 };

void rmdi_guard_use_self(void)
{
    guard.use_self = true;
}

bool rmdi_guard_uses_self(void)
{
    return guard.use_self;
}

/* ---- the table ---- */

static int open_table(void)
{
    guard.memory = memfd_create("remuda-guard", MFD_CLOEXEC);
    if (guard.memory < 0 || ftruncate(guard.memory, sizeof *guard.table) < 0)
        return rmdi_fail_errno(errno, "memory shared with the guard");
    void *p = mmap(NULL, sizeof *guard.table, PROT_READ | PROT_WRITE, MAP_SHARED, guard.memory, 0);
    if (p == MAP_FAILED)
        return rmdi_fail_errno(errno, "memory shared with the guard");
    guard.table = p;
    guard.table->owner = getpid();
    snprintf(guard.table->instance, sizeof guard.table->instance, "%016" PRIx64, rmdi_random());
    guard.free_used = 0;
    return 0;
}

static void close_table(void)
{
    if (guard.table)
        munmap(guard.table, sizeof *guard.table);
    guard.table = NULL;
    rmdi_fd_close(&guard.memory);
}

/* ---- the process ---- */

/* Where the guard's program may lie, in the order tried. Who has more rights than its caller does
 * not start what that one names. */
static const char *guard_program(char *path)
{
    const char *named = secure_getenv("REMUDA_GUARD");
    if (guard.use_self)
        return "/proc/self/exe";
    snprintf(path, PATH_MAX, "%s", named && *named ? named : RMDI_LIBEXECDIR "/remuda-guard");
    return path;
}

/* Its environment is ours, but without the mark of an attempt: the guard of a program
 * that Remuda runs must not be taken for a part of that program. */
static char **guard_environment(void)
{
    char **env = rmdi_strings_copy((const char *const *)environ), **to = env;
    const char *mark = RMDI_ATTEMPT_ID_NAME "=";
    for (char **from = env; from && *from; from++)
        if (strncmp(*from, mark, strlen(mark)) != 0)
            *to++ = *from;
    if (env)
        *to = NULL;
    return env;
}

void rmdi_guard_lend(int fd)
{
    rmdi_lock_enter(&guard.lock);
    guard.lent = fd;
    rmdi_lock_release(&guard.lock);
}

static int spawn_guard(int lifeline, int null)
{
    char path[PATH_MAX], name[] = RMDI_GUARD_NAME, *argv[] = { name, NULL };
    char **env = guard_environment();
    if (!env)
        return rmdi_fail_memory();
    int fds[] = { null, null, null, lifeline, guard.memory, guard.lent };
    rmdi_spawn spawn = { .path = guard_program(path),
                         .argv = argv,
                         .envp = env,
                         .fds = fds,
                         .fds_len = guard.lent < 0 ? 5 : 6,
                         .new_session = true };
    rmdi_spawned child;
    int err = rmdi_spawn_program(&spawn, &child);
    rmdi_free(env);
    if (!err) {
        guard.pid = child.pid;
        rmdi_fd_close(&child.pidfd);
        return 0;
    }
    int code = rmdi_error_from_errno(err);
    if (code != RMD_ENOENT && code != RMD_EACCES && code != RMD_EEXEC)
        return rmdi_fail_errno(err, "the guard process %s", spawn.path);
    return rmdi_fail(RMD_EGUARD,
                     "cannot execute %s: call rmd_start() first in main(), or install "
                     "remuda-guard there, or name it in REMUDA_GUARD",
                     spawn.path);
}

static int start_guard(void)
{
    int pipe_ends[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return rmdi_fail_errno(errno, "/dev/null");
    int err = pipe2(pipe_ends, O_CLOEXEC) < 0 ? rmdi_fail_errno(errno, "the guard's lifeline") : 0;
    if (err == 0) {
        err = spawn_guard(pipe_ends[0], null);
        rmdi_fd_close(&pipe_ends[0]);
        if (err == 0)
            guard.lifeline = pipe_ends[1];
        else
            rmdi_fd_close(&pipe_ends[1]);
    }
    rmdi_fd_close(&null);
    return err;
}

/* It would end by itself once the lifeline is closed and no group is listed; but a fork of
 * ours may hold the lifeline, too, and somebody may have stopped it. */
static void stop_guard(void)
{
    bool ended;
    rmdi_fd_close(&guard.lifeline);
    if (guard.pid > 0 && rmdi_child_peek(guard.pid, &ended) == 0 && !ended)
        kill(guard.pid, SIGKILL); /* ours and not reaped, so the number is its own */
    if (guard.pid > 0)
        rmdi_child_bury(guard.pid);
    guard.pid = 0;
}

static int open_all(void)
{
    int err = open_table();
    if (err == 0)
        err = start_guard();
    if (err < 0)
        close_table();
    return err;
}

/* After a fork the parent's guard is not ours, nor is its count of holders; and the lock may
 * be held by a thread that only the parent has. */
static void forget_parents_guard(void)
{
    uint64_t ours = rmdi_process_mark(), seen = rmd_atomic_load(&guard.process, RMD_RELAXED);
    if (seen == ours || !rmd_atomic_cas(&guard.process, &seen, ours, RMD_RELAXED, RMD_RELAXED))
        return;
    if (!seen)
        return;
    close_table();
    rmdi_fd_close(&guard.lifeline);
    guard.holders = 0;
    guard.pid = 0;
    guard.lock = (rmdi_lock){ 0 };
}

int rmdi_guard_hold(void)
{
    forget_parents_guard();
    rmdi_lock_enter(&guard.lock);
    int err = guard.holders ? 0 : open_all();
    if (err == 0)
        guard.holders++;
    rmdi_lock_release(&guard.lock);
    return err;
}

void rmdi_guard_drop(void)
{
    rmdi_lock_enter(&guard.lock);
    if (--guard.holders == 0) {
        stop_guard();
        close_table();
    }
    rmdi_lock_release(&guard.lock);
}

pid_t rmdi_guard_pid(void)
{
    rmdi_lock_enter(&guard.lock);
    pid_t pid = guard.pid;
    rmdi_lock_release(&guard.lock);
    return pid;
}

/* How often it has died in the present window. */
static unsigned recent_deaths(bool one_more)
{
    int64_t now = rmdi_clock_monotonic_ns();
    if (now - guard.deaths_since_ns > deaths_window_ns) {
        guard.deaths_since_ns = now;
        guard.deaths = 0;
    }
    guard.deaths += one_more;
    return guard.deaths;
}

int rmdi_guard_revive(pid_t dead)
{
    int err = 0;
    rmdi_lock_enter(&guard.lock);
    bool died = dead && guard.pid == dead; /* else somebody else has seen to it */
    unsigned deaths = recent_deaths(died);
    if (died)
        stop_guard();
    if (!guard.pid)
        err = deaths > DEATHS_MAX ? rmdi_fail(RMD_EGUARD,
                                              "the guard process was ended %u times "
                                              "within 10 s",
                                              deaths)
                                  : start_guard();
    rmdi_lock_release(&guard.lock);
    return err;
}

/* ---- the way of every task ---- */

int rmdi_guard_enter(uint64_t *number, uint32_t *slot)
{
    int err = 0;
    rmdi_lock_enter(&guard.lock);
    uint32_t used = rmd_atomic_load(&guard.table->slots_used, RMD_RELAXED);
    if (guard.free_used) {
        *slot = guard.free_slots[--guard.free_used];
    } else if (used < RMDI_GUARD_SLOTS) {
        *slot = used;
        rmd_atomic_store(&guard.table->slots_used, used + 1, RMD_RELEASE);
    } else {
        err = rmdi_fail(RMD_EFULL, "%d programs run already", RMDI_GUARD_SLOTS);
    }
    if (err == 0) {
        *number = ++guard.next_number;
        rmd_atomic_store(&guard.table->slots[*slot].number, *number, RMD_RELEASE);
    }
    rmdi_lock_release(&guard.lock);
    return err;
}

void rmdi_guard_set_group(uint32_t slot, pid_t group)
{
    rmd_atomic_store(&guard.table->slots[slot].group, group, RMD_RELEASE);
}

void rmdi_guard_leave(uint32_t slot)
{
    rmdi_lock_enter(&guard.lock);
    /* The group first: a guard that reads in between finds nothing to kill. */
    rmd_atomic_store(&guard.table->slots[slot].group, 0, RMD_RELEASE);
    rmd_atomic_store(&guard.table->slots[slot].number, 0, RMD_RELEASE);
    guard.free_slots[guard.free_used++] = slot;
    rmdi_lock_release(&guard.lock);
}

bool rmdi_guard_is_listed(uint64_t number)
{
    uint32_t used = rmd_atomic_load(&guard.table->slots_used, RMD_ACQUIRE);
    for (uint32_t i = 0; i < used; i++)
        if (rmd_atomic_load(&guard.table->slots[i].number, RMD_ACQUIRE) == number)
            return true;
    return false;
}

const char *rmdi_guard_instance(void)
{
    return guard.table->instance;
}
