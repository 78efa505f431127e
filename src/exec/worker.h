/* SPDX-License-Identifier: MIT */
/* What the rest of the floor needs of the workers of a threads pool. */
#ifndef RMDI_EXEC_WORKER_H
#define RMDI_EXEC_WORKER_H

#include <remuda/future.h>
#include <stdbool.h>

typedef struct rmdi_worker rmdi_worker;

/* By the worker's own thread: it is about to sleep inside a task, or runs again. Another worker may
 * take its place meanwhile. Not nested. */
void rmdi_worker_block(rmdi_worker *worker);
/* After the first: is there nobody left to run tasks of the pool that wait? */
bool rmdi_worker_is_last(rmdi_worker *worker);
void rmdi_worker_unblock(rmdi_worker *worker);
/* Is it a task of the pool of which the calling thread is a worker? */
bool rmdi_worker_could_run(const rmd_future *future);
/* Is everything told to stop in the pool of which the calling thread is a worker? */
bool rmdi_worker_is_aborted(void);

#endif
