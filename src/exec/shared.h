/* SPDX-License-Identifier: MIT */
/* The inside of <remuda/shared.h>. */
#ifndef RMDI_EXEC_SHARED_H
#define RMDI_EXEC_SHARED_H

#include <remuda/shared.h>

/* A pool has it (RMD_EFORKED: not in this process), and lets go of it. NULL is fine. */
int rmdi_shared_hold(rmd_shared *shared);
void rmdi_shared_drop(rmd_shared *shared);

/* For another process: the descriptor, borrowed, and how many bytes it has. */
int rmdi_shared_fd(const rmd_shared *shared);
size_t rmdi_shared_bytes(const rmd_shared *shared);
uint64_t rmdi_shared_id(const rmd_shared *shared);

/* In a worker process: the memory behind the descriptor, which is closed, is known by this id from
 * now on. 0 or an error. */
int rmdi_shared_adopt(int fd, size_t bytes, uint64_t id);

#endif
