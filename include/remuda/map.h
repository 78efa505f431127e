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
 * Nobody is left behind: it returns when the producer has come to its end, no task is left, nor is
 * one at work, and every result has been through the sink. A task may add tasks (rmd_call_add() in
 * call.h, rmd_task_add() in task.h), which belong to the map as those of the producer: so a tree
 * can be walked from its root. The workers are those of the pool, of whatever kind.
 *
 * Producer and sink run on the calling thread, one call at a time, so they need no locks of their
 * own; a producer that takes its time gets a thread of its own (producer_thread), and holds up
 * nobody: then what both use needs a lock. At most `window` tasks are under way: a producer without
 * an end uses no more memory than that. It may be called inside a task. */
#ifndef REMUDA_MAP_H
#define REMUDA_MAP_H

#include <remuda/api.h>
#include <remuda/args.h>
#include <remuda/command.h>
#include <remuda/framed.h>
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
 * options of the map. For room in the queue they wait no longer than until the deadline of the map;
 * on a producer's thread they also wait for room in the window, until the map ends early.
 * 1, or the error of rmd_pool_call(), rmd_submit(), rmd_pool_exec(); RMD_ETIMEDOUT. */
RMD_API int rmd_map_call(rmd_map_task *task, const char *function, rmd_args args) RMD_NODISCARD;
RMD_API int rmd_map_submit(rmd_map_task *task, rmd_task_fn *fn, void *arg) RMD_NODISCARD;
RMD_API int rmd_map_exec(rmd_map_task *task, const rmd_command *command) RMD_NODISCARD;

/* In `next`, before one of these: the task holds so many bytes, besides its encoded arguments (what
 * a pointer points to, a file): they count for window_bytes. Never blocks. */
RMD_API void rmd_map_bytes(rmd_map_task *task, uint64_t bytes);

/* In `next`, before one of these: what rmd_future_ctx() of this task is, in place of the map's own
 * (task.ctx): so the sink knows which it was, also where tasks add others, which get the map's.
 * Never blocks. */
RMD_API void rmd_map_ctx(rmd_map_task *task, void *ctx);

/* In `next`, when the producer is another process: the next task of a stream of frames (framed.h),
 * each of which is a call, as rmd_map_write() makes it there (docs/protocol/frames.md). 1; 0 at the
 * end of the stream; the errors of rmd_framed_read() and rmd_map_call(); RMD_EINVAL for a frame
 * that is no call. Waits for it no longer than until the deadline of the map; on a producer's
 * thread (producer_thread) it holds up nobody meanwhile. */
RMD_API int rmd_map_read(rmd_map_task *task, rmd_framed *framed) RMD_NODISCARD;

/* In that process: writes a call. Errors: those of rmd_framed_write(); RMD_ENOENT: function is
 * NULL; RMD_EINVAL, RMD_E2BIG for arguments that cannot be encoded. Blocks while there is no room.
 * */
RMD_API int rmd_map_write(rmd_framed *framed, const char *function, rmd_args args,
                          rmd_deadline deadline) RMD_NODISCARD;

/* Gets an ended task, however it ended, and its number from 0, in the order in which tasks were
 * submitted; the future is borrowed for the call. 0: go on. < 0: enough: as above. */
typedef int rmd_map_sink_fn(void *ctx, rmd_future *future, uint64_t index);

/* Behind the sink, for a map that collects: puts into *value what is to be kept of this task, which
 * is copied at once; left alone, nothing is. 0, or < 0 as the sink. */
typedef int rmd_map_collect_fn(void *ctx, rmd_future *future, uint64_t index, rmd_value *value);

/* Where everything is. */
typedef struct rmd_map_account {
    rmd_census census; /* of the tasks that were submitted */
    uint64_t added;    /* of them, by tasks */
    uint64_t given;    /* that have been through the sink (or past it, when it has failed) */
    uint64_t waiting;  /* that tasks have added, and that wait for room in the window */
    uint64_t dropped;  /* the same, and will not be submitted: the map has ended early */
    uint64_t bytes;    /* of those under way, as window_bytes counts them; without that, what
                        * rmd_map_bytes() has said */
    bool produced;     /* the producer has come to its end */
} rmd_map_account;

/* How it goes: on the calling thread, the account borrowed for the call. */
typedef void rmd_map_progress_fn(void *ctx, const rmd_map_account *account);

typedef struct rmd_map_options {
    size_t size; /* sizeof(rmd_map_options), exactly: else RMD_EINVAL */
    rmd_map_next_fn *next;
    rmd_map_sink_fn *sink; /* NULL: a task that fails ends the map, as a sink would that returns
                            * its error (unless there is `collect`, which sees it) */
    void *ctx;             /* of all of these */
    unsigned window;       /* tasks that were submitted and not yet given to the sink; 0: 256 for
                            * each worker, but 1024 at most; of commands four for each */
    bool as_completed;     /* the sink gets them as they end; else in the order in which they were
                            * submitted: that of the producer, if tasks add none */
    rmd_task_options task; /* of each task but commands (its size may be 0); .limits also says how
                            * often one is tried again */
    rmd_census *census;    /* filled at the end; NULL: nobody asks */
    uint64_t window_bytes; /* the producer is asked for no more as long as those under way have that
                            * many, of encoded arguments and rmd_map_bytes(); 0: no bound. One task
                            * is always let through */
    bool producer_thread;  /* next is called on a thread of its own, which is told to stop (stop.h)
                            * when the map ends early; what is bound here (context.h) is there, too
                            * */
    uint64_t
        added_bytes_max; /* of what tasks have added and that waits; beyond it the map ends with
                               * RMD_EFULL; 0: 256 MiB. The newest are submitted first, before the
                               * producer is asked, so that a tree needs room for its depth only */
    const rmd_value **collected; /* gets a list of what was collected, in the order of the sink, to
                                  * be given to rmd_value_free(); untouched unless rmd_map() returns
                                  * 0. NULL: nothing is collected */
    rmd_map_collect_fn *collect; /* what; NULL: the value of each task, null of one that has not
                                  * ended OK */
    rmd_map_progress_fn *progress; /* called as long as it goes on, and at its end if that is good;
                                    * NULL: nobody asks */
    int64_t progress_ms;           /* about so often; 0: 1000 */
    rmd_map_account *account;      /* filled at the end; NULL: nobody asks */
} rmd_map_options;

/* Returns when the producer has come to its end and each task, also those that tasks have added,
 * has been through the sink: 0. Or, when producer or sink has failed, the deadline has passed
 * (RMD_ETIMEDOUT), the thread's stop token has fired (RMD_ECANCELED), or a task could not be
 * submitted: that error, after those under way were cancelled and have ended, and have been through
 * the sink, unless that is what failed. A task ends the map, too, if it fails with RMD_ECANCELED
 * although nobody has cancelled it: so rmd_call_fail(call, RMD_ECANCELED, "found") does, with those
 * words, as soon as it is given to the sink. (Producer and sink are not interrupted.)
 *
 * RMD_EDEADLK where nobody could wait for the tasks, as in a callback of their pool: they are
 * cancelled, and not waited for. RMD_EFORKED in a child that producer or sink have forked, with
 * nothing touched there. (A child that `next` forks on a producer's thread has no other thread: it
 * must not return from there, but _exit().) Blocks. */
RMD_API int rmd_map(rmd_pool *pool, const rmd_map_options *options, rmd_deadline deadline)
    RMD_NODISCARD;

RMD_END

#endif
