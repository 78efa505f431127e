/* SPDX-License-Identifier: MIT */
#include "port/fd.h"
#include "port/pidfd.h"
#include "port/poll.h"
#include "port/spawn_ways.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

static int add_descriptors(posix_spawn_file_actions_t *actions, const rmdi_spawn *spawn)
{
    for (size_t i = 0; i < spawn->fds_len; i++) {
        int err = spawn->fds[i] < 0
                      ? posix_spawn_file_actions_addclose(actions, (int)i)
                      : posix_spawn_file_actions_adddup2(actions, spawn->fds[i], (int)i);
        if (err)
            return err;
    }
    /* What the program that uses us has left open without close-on-exec. */
    return posix_spawn_file_actions_addclosefrom_np(actions, (int)spawn->fds_len);
}

static int add_actions(posix_spawn_file_actions_t *actions, const rmdi_spawn *spawn)
{
    int err = add_descriptors(actions, spawn);
    if (!err && spawn->dir)
        err = posix_spawn_file_actions_addchdir_np(actions, spawn->dir);
    return err;
}

static int set_attributes(posix_spawnattr_t *attributes, bool new_session)
{
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGXFSZ);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    flags |= new_session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP;
    int err = posix_spawnattr_setflags(attributes, flags);
    if (!err)
        err = posix_spawnattr_setsigmask(attributes, &none);
    if (!err)
        err = posix_spawnattr_setsigdefault(attributes, &defaults);
    return err; /* the group defaults to 0: a new one, led by the child */
}

static int spawn_now(const rmdi_spawn *spawn, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int err = posix_spawn_file_actions_init(&actions);
    if (err)
        return err;
    err = posix_spawnattr_init(&attributes);
    if (!err) {
        err = set_attributes(&attributes, spawn->new_session);
        if (!err)
            err = add_actions(&actions, spawn);
        if (!err)
            err = posix_spawn(pid, spawn->path, &actions, &attributes, spawn->argv, spawn->envp);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return err;
}

/* What a pidfd is for a process that has ended: readable. */
static int open_ended(void)
{
    int fd = rmdi_poll_event_open();
    if (fd >= 0)
        rmdi_poll_event_set(fd);
    return fd;
}

/* Without a pidfd a program cannot be followed, so one of our own process keeps its place
 * until the program has started. Another thread may still be quicker. */
int rmdi_spawn_by_posix(const rmdi_spawn *spawn, rmdi_spawned *child)
{
    int place = rmdi_pidfd_open(getpid());
    if (place < 0)
        return -place;
    int err = spawn_now(spawn, &child->pid);
    rmdi_fd_close(&place);
    if (err)
        return err;
    child->pidfd = rmdi_pidfd_open(child->pid);
    if (child->pidfd == -ESRCH) /* the system has reaped it: SIGCHLD is ignored */
        child->pidfd = open_ended();
    if (child->pidfd >= 0)
        return 0;
    kill(-child->pid, SIGKILL);
    rmdi_child_bury(child->pid);
    return -child->pidfd;
}
