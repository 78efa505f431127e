/* SPDX-License-Identifier: MIT */
/* floor: exec */
/* A group of tasks: waited for and cancelled together. Any thread. In a process made by
 * fork() the calls answer RMD_EFORKED, and the census is empty. Unstable. */
#ifndef REMUDA_GROUP_H
#define REMUDA_GROUP_H

#include <remuda/api.h>
#include <remuda/census.h>
#include <remuda/deadline.h>

RMD_BEGIN

typedef struct rmd_group rmd_group;

/* An empty group; tasks enter it by rmd_command.group. Errors: RMD_ENOMEM. */
RMD_API int rmd_group_open(rmd_group **group) RMD_NODISCARD;

/* Waits until every task that has entered has ended. RMD_ETIMEDOUT, RMD_EDEADLK as
 * rmd_future_wait; RMD_ECANCELED when the thread's stop token fired (stop.h). Blocks. */
RMD_API int rmd_group_wait(rmd_group *group, rmd_deadline deadline) RMD_NODISCARD;

/* Cancels every task in it that has not ended; wait afterwards. Never blocks. */
RMD_API void rmd_group_cancel(rmd_group *group);

RMD_API void rmd_group_census(rmd_group *group, rmd_census *census);

/* RMD_EBUSY while a task in it has not ended. NULL is fine. Never blocks. */
RMD_API int rmd_group_free(rmd_group *group);

RMD_END

#endif
