/* SPDX-License-Identifier: MIT */
/* floor: exec */
/* Tasks on a pool of threads by pointers, and what a task can ask about itself.
 *
 *     static int fit(void *arg)
 *     {
 *         model *m = arg;
 *         for (int step = 0; step < m->steps; step++) {
 *             if (rmd_task_cancelled())
 *                 return rmd_fail(RMD_ECANCELED, "stopped at step %d", step);
 *             improve(m);
 *         }
 *         return m->converged ? 0 : rmd_fail(RMD_EIO, "the model does not converge");
 *     }
 *
 *     rmd_future *future;
 *     err = rmd_submit(pool, &future, fit, &model, NULL);
 *     ...
 *     err = rmd_future_wait(future, RMD_FOREVER);
 *     err = rmd_future_error(future);                    0, or what fit() returned
 *     rmd_future_free(future);
 *
 * Pointers stay in one process, so this is for pools of threads only. rmd_pool_call() (pool.h)
 * calls a function by its name, on every kind of pool.
 *
 * A task runs under the context (context.h) of whoever submitted it, as it was then, and its
 * thread's stop token (stop.h) is the task's own: whatever call of Remuda it sleeps in returns
 * RMD_ECANCELED when the task is cancelled, or hits a limit. A task that then returns RMD_ECANCELED
 * is CANCELLED (or TIMEOUT); one that finishes anyway has its own outcome. No thread is ever
 * killed.
 *
 * Waiting inside a task for tasks and groups never deadlocks: the waiting thread runs what it waits
 * for itself, if that has not begun, and nothing else; if it has begun elsewhere, another worker
 * takes the place of the one that waits. A real circle, of tasks that wait for each other, also for
 * any of several, or for the end of another pool of threads, is refused with RMD_EDEADLK, and
 * rmd_error_detail() names it. */
#ifndef REMUDA_TASK_H
#define REMUDA_TASK_H

#include <remuda/api.h>
#include <remuda/future.h>
#include <remuda/group.h>
#include <remuda/limits.h>

RMD_BEGIN

typedef struct rmd_pool rmd_pool;

/* The body of a task: 0 when it has succeeded; a negative code, of RMD_ERRORS or below -1000 of
 * your own, when it has failed. rmd_error_detail(), as it is when it returns a code, goes with it:
 * set it by rmd_fail(). */
typedef int rmd_task_fn(void *arg);

/* Tasks of a higher priority start first. Within one, in the order of submission. */
typedef enum rmd_priority {
    RMD_PRIORITY_LOW = -1,
    RMD_PRIORITY_NORMAL = 0,
    RMD_PRIORITY_HIGH = 1,
} rmd_priority;

typedef struct rmd_task_options {
    size_t size;      /* sizeof(rmd_task_options), exactly: else RMD_EINVAL */
    const char *name; /* for messages; borrowed until the future is freed and the task has ended;
                       * NULL: the function's name, or "task" */
    rmd_priority priority;
    rmd_group *group; /* counts and cancels it with others; borrowed until its end */
    rmd_limits limits;
    int64_t full_ms; /* queue full: 0: wait; < 0: RMD_EFULL at once; > 0: wait so long. Inside a
                      * task of the same pool, 0 and > 0 run it at once, in place */
    void *ctx;       /* the user's own, see rmd_future_ctx() */
    bool adds; /* it may add others: rmd_map() sets it, and takes them. Who sets it, and not for
                      * a map, asks for them with rmd_future_added() */
} rmd_task_options;

/* Submits fn(arg); arg is borrowed by fn. options is copied, and may be NULL. *future gets the
 * handle, to be freed by the caller; future may be NULL when nobody wants it. Errors, with *future
 * untouched, and fn never runs: RMD_EINVAL, RMD_ENOTSUP (not a pool of threads), RMD_ECLOSED,
 * RMD_EFULL, RMD_ENOMEM, RMD_EFORKED; RMD_ECANCELED when it would wait and the thread's stop token
 * fires. Any thread. Blocks while the queue is full (see full_ms). */
RMD_API int rmd_submit(rmd_pool *pool, rmd_future **future, rmd_task_fn *fn, void *arg,
                       const rmd_task_options *options) RMD_NODISCARD;

typedef struct rmd_task {
    rmd_task_fn *fn;
    void *arg;
} rmd_task;

/* Submits n tasks with the same options, at a fraction of the cost of one by one. futures: an array
 * of n, or NULL when nobody wants them (give them a group then). Returns how many were accepted,
 * the first of them: fewer than n, with an error told by rmd_error_detail() only, when one of the
 * reasons above came up on the way; a negative code when that was so for the first one. */
RMD_API int64_t rmd_submit_many(rmd_pool *pool, rmd_future **futures, const rmd_task *tasks,
                                size_t n, const rmd_task_options *options) RMD_NODISCARD;

/* Submits fn(first, arg), to be run when `first`, of any pool, or a promise, has ended OK; if that
 * ends otherwise so does this, with the same outcome and error, and fn never runs: the failure has
 * been handed on, and rmd_pool_overlooked() does not list `first` for it. It is accepted now: a
 * drain waits for it, and so for `first`. first is borrowed by fn, and held until then.
 * Errors: as rmd_submit, but it never waits for room in the queue. */
typedef int rmd_then_fn(rmd_future *first, void *arg);
RMD_API int rmd_then(rmd_pool *pool, rmd_future **future, rmd_future *first, rmd_then_fn *fn,
                     void *arg, const rmd_task_options *options) RMD_NODISCARD;

/* ---- inside a task; outside of one, nothing: 0, false, "" ---- */

/* Has the running task been told to stop? One load: for loops that compute. */
RMD_API bool rmd_task_cancelled(void);
/* Its number, see rmd_future_id(); which attempt it is, from 1; its name, borrowed until it
 * ends. */
RMD_API uint64_t rmd_task_id(void);
RMD_API unsigned rmd_task_attempt(void);
RMD_API const char *rmd_task_name(void);
/* Adds a task fn(arg) to the map (map.h) that the running one belongs to; of pointers, so on
 * threads only: see rmd_call_add() (call.h), also for when it counts. arg is borrowed by fn. Nobody
 * is told when fn never runs, because the attempt that has added it fails, or the map ends before:
 * so arg is to be freed by somebody else, after the map. RMD_ENOTSUP: the running task is none of a
 * map on threads, or there is none; RMD_EINVAL, RMD_E2BIG, RMD_ENOMEM. Never blocks. */
RMD_API int rmd_task_add(rmd_task_fn *fn, void *arg) RMD_NODISCARD;
/* The name of the worker that the calling thread is, as "threads-1"; borrowed; "" on others, also
 * while they run a task that they wait for. */
RMD_API const char *rmd_worker_name(void);

/* For the block that follows: the task does nothing but wait, and not for tasks or groups, of which
 * pools know by themselves, nor for the end of another pool: for an event, an item of a queue, a
 * slow system call, say. Another worker takes its place meanwhile, at most as many in all as the
 * pool has workers; beyond that, and outside of tasks, it is just a block. Left by running out of
 * it, by break, return or goto, but not by longjmp(). */
#define RMD_BLOCKING RMDI_BLOCKING(__COUNTER__)

/* For languages without such blocks: between these two, on the same thread. They may be nested. */
typedef struct rmd_blocking {
    void *worker; /* Remuda's */
} rmd_blocking;
RMD_API rmd_blocking *rmd_blocking_begin(rmd_blocking *blocking);
RMD_API void rmd_blocking_end(rmd_blocking *blocking);

/* ---- the inside of the macro ---- */

#define RMDI_BLOCKING_NAME_(name, n) name##n
#define RMDI_BLOCKING_NAME(name, n)  RMDI_BLOCKING_NAME_(name, n)
#define RMDI_BLOCKING(n)                                                     \
    for (rmd_blocking RMDI_BLOCKING_NAME(rmdi_blocking_, n)                  \
             __attribute__((cleanup(rmd_blocking_end))) = { NULL },          \
             *RMDI_BLOCKING_NAME(rmdi_blocks_, n) =                          \
                 rmd_blocking_begin(&RMDI_BLOCKING_NAME(rmdi_blocking_, n)); \
         RMDI_BLOCKING_NAME(rmdi_blocks_, n); RMDI_BLOCKING_NAME(rmdi_blocks_, n) = NULL)

RMD_END

#endif
