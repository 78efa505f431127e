/* SPDX-License-Identifier: MIT */
/* floor: exec */
/* A group of tasks, of any pools: waited for and cancelled together.
 *
 *     int err, refused = 0;
 *     RMD_WITH_GROUP (group, RMD_FOREVER, &err) {
 *         for (int i = 0; i < n && refused == 0; i++)
 *             refused = rmd_submit(pool, NULL, draw, &tiles[i],
 *                                  &(rmd_task_options){ .size = sizeof(rmd_task_options),
 *                                                       .group = group });
 *     }                                   here all of them have ended
 *
 * The failures of its tasks are told by its census: they are not listed as overlooked when a pool
 * is drained. Any thread. In a process made by fork() the calls answer RMD_EFORKED, and the census
 * is empty. */
#ifndef REMUDA_GROUP_H
#define REMUDA_GROUP_H

#include <remuda/api.h>
#include <remuda/census.h>
#include <remuda/deadline.h>

RMD_BEGIN

typedef struct rmd_group rmd_group;

/* An empty group; tasks enter it by rmd_task_options.group and rmd_command.group, when they are
 * accepted: one whose submission still waits for room in the queue is not in it yet, so neither
 * free the group before that has returned, nor expect a cancel to reach it. Errors: RMD_ENOMEM,
 * RMD_EINVAL. */
RMD_API int rmd_group_open(rmd_group **group) RMD_NODISCARD;

/* Waits until every task that has entered has ended. RMD_ETIMEDOUT, RMD_EDEADLK as
 * rmd_future_wait; RMD_ECANCELED when the thread's stop token fired (stop.h). As there, the calling
 * thread may run those that have not begun. Blocks. */
RMD_API int rmd_group_wait(rmd_group *group, rmd_deadline deadline) RMD_NODISCARD;

/* Cancels every task in it that has not ended; wait afterwards. Never blocks. */
RMD_API void rmd_group_cancel(rmd_group *group);

/* The account so far; it balances at every moment. `queued` counts all that have not ended. Tasks
 * on threads that nobody has a future of may be counted as ended a little later, when the next one
 * of the group has ended on the same worker. Never blocks. */
RMD_API void rmd_group_census(rmd_group *group, rmd_census *census);

/* RMD_EBUSY while a task in it has not ended. NULL is fine. Never blocks. */
RMD_API int rmd_group_free(rmd_group *group);

/* For the block that follows: `group`, a variable of the block, is an empty group. Running out of
 * the block waits for its tasks, until the deadline, beyond which they are cancelled and waited
 * for; leaving it by break, return or goto cancels them, and waits. Either way they have all ended
 * when the block has been left, and the group is freed. *err, an int, or NULL, is set when the
 * block begins and when it has run to its end, so errors inside need another place: 0,
 * RMD_ETIMEDOUT, RMD_ECANCELED (the thread's stop token has fired: they were cancelled), RMD_ENOMEM
 * (there was no group: the block is not run), RMD_EDEADLK (a circle, see rmd_future_wait: they were
 * cancelled). `continue` is the end of the block. Not by longjmp(). */
#define RMD_WITH_GROUP(group, deadline, err) RMDI_WITH_GROUP(group, deadline, err, __COUNTER__)

/* For languages without such blocks. */
typedef struct rmd_group_scope {
    rmd_group *group;
    rmd_deadline deadline;
    int *err;
    bool finished; /* the block has run to its end */
} rmd_group_scope;
RMD_API rmd_group *rmd_group_scope_begin(rmd_group_scope *scope, rmd_deadline deadline, int *err);
RMD_API void rmd_group_scope_end(rmd_group_scope *scope);

#define RMDI_GROUP_NAME_(name, n) name##n
#define RMDI_GROUP_NAME(name, n)  RMDI_GROUP_NAME_(name, n)
#define RMDI_WITH_GROUP(group_, deadline_, err_, n)                                        \
    for (rmd_group_scope RMDI_GROUP_NAME(rmdi_scope_, n)                                   \
             __attribute__((cleanup(rmd_group_scope_end))) = { NULL, { 0 }, NULL, false }, \
             *RMDI_GROUP_NAME(rmdi_in_, n) = &RMDI_GROUP_NAME(rmdi_scope_, n);             \
         RMDI_GROUP_NAME(rmdi_in_, n); RMDI_GROUP_NAME(rmdi_in_, n) = NULL)                \
        for (rmd_group *group_ =                                                           \
                 rmd_group_scope_begin(&RMDI_GROUP_NAME(rmdi_scope_, n), deadline_, err_); \
             group_; RMDI_GROUP_NAME(rmdi_scope_, n).finished = true, group_ = NULL)

RMD_END

#endif
