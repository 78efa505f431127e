/* SPDX-License-Identifier: MIT */
/* floor: exec */
/* Map: many tasks from a producer that is asked for one when there is room for it, and their
 * futures to a sink, in the order of the producer or as they end.
 *
 *     static int next(void *ctx, rmd_map_task *task)
 *     {
 *         numbers *n = ctx;
 *         return n->at == n->end ? 0 : rmd_map_call(task, "is_prime", RMD_ARGS(n->at++));
 *     }
 *
 *     static int sink(void *ctx, rmd_future *future, uint64_t index)
 *     ...
 *     err = rmd_map(pool, &(rmd_map_options){ .size = sizeof(rmd_map_options), .ctx = &numbers,
 *                                             .next = next, .sink = sink }, RMD_FOREVER);
 *
 * Producer and sink run on the calling thread, one call at a time, so they need no locks of their
 * own. At most `window` tasks are under way: a producer without an end uses no more memory than
 * that. It may be called inside a task. */
#ifndef REMUDA_MAP_H
#define REMUDA_MAP_H

#include <remuda/api.h>
#include <remuda/args.h>
#include <remuda/command.h>
#include <remuda/future.h>
#include <remuda/pool.h>
#include <remuda/task.h>
#include <remuda/value.h>

RMD_BEGIN

typedef struct rmd_map_task rmd_map_task;

/* Asked for the next task. 1: it has given one, by one of the three functions below, which return
 * that. 0: there are no more. < 0: it has failed: no more are asked for, those under way are
 * cancelled, and rmd_map() returns that code, with the detail that it has left. */
typedef int rmd_map_next_fn(void *ctx, rmd_map_task *task);

/* In `next`, at most one of them, once: a function by its name, with arguments, which are encoded
 * at once; a function by pointer, on threads; a command, which is copied. They submit it with the
 * options of the map. For room in the queue they wait no longer than until the deadline of the map.
 * 1, or the error of rmd_pool_call(), rmd_submit(), rmd_pool_exec(); RMD_ETIMEDOUT. */
RMD_API int rmd_map_call(rmd_map_task *task, const char *function, rmd_args args) RMD_NODISCARD;
RMD_API int rmd_map_submit(rmd_map_task *task, rmd_task_fn *fn, void *arg) RMD_NODISCARD;
RMD_API int rmd_map_exec(rmd_map_task *task, const rmd_command *command) RMD_NODISCARD;

/* Gets an ended task, however it ended, and its number from 0; the future is borrowed for the call.
 * 0: go on. < 0: enough: as above. */
typedef int rmd_map_sink_fn(void *ctx, rmd_future *future, uint64_t index);

typedef struct rmd_map_options {
    size_t size; /* sizeof(rmd_map_options), exactly: else RMD_EINVAL */
    rmd_map_next_fn *next;
    rmd_map_sink_fn *sink; /* NULL: a task that fails ends the map, as a sink would that returns
                            * its error */
    void *ctx;             /* of both */
    unsigned window;       /* tasks that were submitted and not yet given to the sink; 0: four for
                            * each worker */
    bool as_completed;     /* the sink gets them as they end; else in the order of the producer */
    rmd_task_options task; /* of each task but commands (its size may be 0) */
    rmd_census *census;    /* filled at the end; NULL: nobody asks */
} rmd_map_options;

/* Returns when the producer has come to its end and each task has been through the sink: 0. Or,
 * when producer or sink has failed, the deadline has passed (RMD_ETIMEDOUT), the thread's stop
 * token has fired (RMD_ECANCELED), or a task could not be submitted: that error, after those under
 * way were cancelled and have ended, and have been through the sink, unless that is what failed.
 * (Producer and sink are not interrupted.) Blocks. */
RMD_API int rmd_map(rmd_pool *pool, const rmd_map_options *options, rmd_deadline deadline)
    RMD_NODISCARD;

RMD_END

#endif
