/* SPDX-License-Identifier: MIT */
/* What the harnesses of the threads pool have in common (exec_pool_*.c): one pool, what its tasks
 * share and what they do, and an end at which all must be in order. */
#ifndef POOL_STAGE_H
#define POOL_STAGE_H

#include "crew.h"
#include "sync/event.h"

#include <remuda.h>

static const int cause = -1001; /* with which tasks fail */

typedef struct pool_stage {
    rmd_pool *pool;
    rmd_atomic(int) runs, calls, refused;
    rmdi_event gate, begun;
    rmd_future *futures[3];
    int result; /* nothing but a task's end guards it */
} pool_stage;

extern pool_stage stage;

/* Each harness begins with one of them: nothing has happened. */
void clear_stage(void);
void open_pool(const char *kind);

int runs(void);
int refused(void);
int calls(void);

/* The end of the pool, to which so many were submitted; the first, when it has been drained. */
void free_pool(uint64_t submitted);
void close_pool(uint64_t submitted);
void close_pool_at_most(int n); /* n, and those that were refused */

/* ---- what tasks do ---- */

int run(void *arg);
int write_result(void *arg);
int fail(void *arg);       /* with `cause` and "it fails" */
int submit_two(void *arg); /* unless the pool has been closed */
int go_on(rmd_future *first, void *arg);

/* ---- what others do ---- */

int submit_child(rmd_future **future, rmd_task_fn *fn);
void submit_one(void *arg); /* and one more, of any priority */
void submit_if_open(void *arg);
void cancel_first(void *arg);
void free_futures(int n);
void count_call(rmd_future *future, void *ctx);
void look_at(void *ctx, const rmd_failure *failure); /* at one of fail(), and counts a call */

#endif
