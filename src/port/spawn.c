/* SPDX-License-Identifier: MIT */
#include "port/spawn.h"

#include "port/fd.h"
#include "port/spawn_ways.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

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

static int spawn_now(const rmdi_spawn *spawn, rmdi_spawned *child)
{
    int err = rmdi_spawn_by_clone(spawn, child);
    return err == ENOTSUP ? rmdi_spawn_by_posix(spawn, child) : err;
}

int rmdi_spawn_program(const rmdi_spawn *spawn, rmdi_spawned *child)
{
    int fds[RMDI_SPAWN_FDS_MAX], copies[RMDI_SPAWN_FDS_MAX];
    if (spawn->fds_len > RMDI_SPAWN_FDS_MAX)
        return EINVAL;
    memcpy(fds, spawn->fds, spawn->fds_len * sizeof *fds);
    for (size_t i = 0; i < spawn->fds_len; i++)
        copies[i] = -1;
    rmdi_spawn moved = *spawn;
    moved.fds = fds;
    int err = move_up(fds, spawn->fds_len, copies);
    if (!err)
        err = spawn_now(&moved, child);
    for (size_t i = 0; i < spawn->fds_len; i++)
        rmdi_fd_close(&copies[i]);
    return err;
}

pid_t rmdi_spawn_copy(void)
{
    return fork();
}
