/* SPDX-License-Identifier: MIT */
/* What /proc tells about other processes. */
#ifndef RMDI_PORT_PROCFS_H
#define RMDI_PORT_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Calls each(ctx, pid) for every process until it returns false. 0 or an errno value
 * (no /proc, no descriptor left). Processes come and go meanwhile: the list is made in
 * advance, so those that are started during the walk are missed. */
int rmdi_procfs_each(bool (*each)(void *ctx, pid_t pid), void *ctx);

/* The number that was given out last, to a process or a thread; 0 when it is not known.
 * Numbers grow by one until they begin anew. */
pid_t rmdi_procfs_newest(void);

/* How many threads we have; 0 when it is not known. */
unsigned rmdi_procfs_threads(void);

/* How many bytes of memory we have that are there; 0 when it is not known. */
uint64_t rmdi_procfs_resident(void);

/* The process group of pid, and whether it is a zombie; -1 when it is gone. */
pid_t rmdi_procfs_group(pid_t pid, bool *zombie);

/* Looks for NAME=value in the environment that pid was executed with. Copies up to
 * size - 1 bytes of the value and a NUL into value. 1; 0 when there is none, the process
 * is gone, or we may not look. A process that is just being executed has none yet: it is
 * waited for about 10 ms, then the answer is -1. */
int rmdi_procfs_environment(pid_t pid, const char *name, char *value, size_t size);

#endif
