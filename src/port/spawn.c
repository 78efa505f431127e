/* SPDX-License-Identifier: MIT */
#include "port/spawn.h"

#include "port/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>

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

/* The child fills its descriptors from 0 upwards, so a source below its target would be
 * overwritten before its turn comes: such a one is copied out of the way first. */
static int move_up(int *fds, size_t len, int *copies)
{
    for (size_t i = 0; i < len; i++) {
        if (fds[i] < 0 || fds[i] >= (int)i)
            continue;
        copies[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, (int)len);
        if (copies[i] < 0)
            return errno;
        fds[i] = copies[i];
    }
    return 0;
}

int rmdi_spawn_program(const rmdi_spawn *spawn, pid_t *pid)
{
    int fds[RMDI_SPAWN_FDS_MAX], copies[RMDI_SPAWN_FDS_MAX];
    if (spawn->fds_len > RMDI_SPAWN_FDS_MAX)
        return EINVAL;
    memcpy(fds, spawn->fds, spawn->fds_len * sizeof *fds);
    memset(copies, -1, sizeof copies);
    rmdi_spawn moved = *spawn;
    moved.fds = fds;
    int err = move_up(fds, spawn->fds_len, copies);
    if (!err)
        err = spawn_now(&moved, pid);
    for (size_t i = 0; i < spawn->fds_len; i++)
        rmdi_fd_close(&copies[i]);
    return err;
}
