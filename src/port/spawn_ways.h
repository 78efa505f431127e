/* SPDX-License-Identifier: MIT */
/* The two ways of starting a program. For both, no fds[i] lies below i unless it is i. */
#ifndef RMDI_PORT_SPAWN_WAYS_H
#define RMDI_PORT_SPAWN_WAYS_H

#include "port/spawn.h"

/* By clone3 itself: cheaper, because one system call gives the pidfd and clears the signal
 * handlers. ENOTSUP: not on this processor, or the sandbox has no clone3 (ENOSYS, as that of
 * containers) or no close_range; try the other way. */
int rmdi_spawn_by_clone(const rmdi_spawn *spawn, rmdi_spawned *child);

/* By posix_spawn, which is everywhere. A limit of this way: a signal to our process group in the
 * moment between its two calls for that reaches the program, too, and one that stops it there
 * (Ctrl-Z) makes our thread wait until somebody continues it. */
int rmdi_spawn_by_posix(const rmdi_spawn *spawn, rmdi_spawned *child);

#endif
