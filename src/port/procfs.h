/* SPDX-License-Identifier: MIT */
/* What /proc tells about other processes. */
#ifndef RMDI_PORT_PROCFS_H
#define RMDI_PORT_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Calls each(ctx, pid) for every process until it returns false. 0 or an errno value
 * (no /proc, no descriptor left). Processes come and go meanwhile. */
int rmdi_procfs_each(bool (*each)(void *ctx, pid_t pid), void *ctx);

/* The process group of pid, and whether it is a zombie; -1 when it is gone. */
pid_t rmdi_procfs_group(pid_t pid, bool *zombie);

/* Looks for NAME=value in the environment that pid was executed with. Copies up to
 * size - 1 bytes of the value and a NUL into value. False when there is none, the
 * process is gone, or we may not look. A process that is just being executed has none
 * yet: it is waited for, at most about 10 ms. */
bool rmdi_procfs_environment(pid_t pid, const char *name, char *value, size_t size);

#endif
