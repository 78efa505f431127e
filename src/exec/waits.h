/* SPDX-License-Identifier: MIT */
/* Who waits for whom: what a thread has to do around a sleep in which it waits for tasks. */
#ifndef RMDI_EXEC_WAITS_H
#define RMDI_EXEC_WAITS_H

#include "base/list.h"
#include "exec/frame.h"
#include "exec/future.h"

#include <remuda/completions.h>
#include <remuda/group.h>
#include <remuda/pool.h>

/* What a thread waits for: one of these. */
typedef struct rmdi_awaited {
    rmd_future *future;
    rmd_group *group;     /* all in it */
    rmd_completions *any; /* any of those that are left */
    rmd_pool *pool;       /* all its tasks: its end */
} rmdi_awaited;

typedef struct rmdi_waits {
    rmdi_link link;
    rmdi_frame *top; /* of the thread that waits; NULL: no task runs there */
    rmdi_awaited what;
    rmd_stop *stop; /* of the thread; NULL: none */
    bool limited;   /* there is a deadline, so it ends in any case */
    uint32_t round; /* the last in which a search came by */
    uint32_t freed; /* the last search that has found that it may end */
    struct rmdi_worker *worker;
} rmdi_waits;

/* Before the calling thread sleeps until that has ended. If a task runs on it, and the wait would
 * close a circle of tasks that wait for each other: RMD_EDEADLK, with the circle named, and it must
 * not be ended. If the thread is a worker, another one takes its place meanwhile, or, if there is
 * none and no deadline, it runs tasks first that the wait is for. *waits is borrowed until the end.
 */
int rmdi_waits_begin(rmdi_waits *waits, rmdi_awaited what, rmd_deadline deadline);
/* The same, but no worker is told, nor runs anything. */
int rmdi_waits_note(rmdi_waits *waits, rmdi_awaited what, rmd_deadline deadline);
void rmdi_waits_end(rmdi_waits *waits);

/* Calls fn for each member of the group that has not ended, with the group's lock held, until it
 * returns true; and returns that. */
bool rmdi_group_any(rmd_group *group, bool (*fn)(rmd_future *future, void *ctx), void *ctx);

/* In a child made by fork(): nobody waits. */
void rmdi_waits_forked(void);

#endif
