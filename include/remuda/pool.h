/* SPDX-License-Identifier: MIT */
/* floor: exec */
/* Pools: workers behind one interface. Kinds so far:
 *
 *   threads     functions of this program, by name (rmd_pool_call) or by pointer (task.h)
 *   processes   functions by name, in worker processes
 *   programs    each task is an external program of its own (rmd_pool_exec)
 *
 *     rmd_pool *pool;
 *     err = rmd_pool_open(&pool, "threads:4", NULL, rmd_after_ms(5000));
 *     err = rmd_pool_call(pool, &future, "is_prime", RMD_ARGS(999983), NULL);
 *     ...
 *     err = rmd_pool_drain(pool, RMD_FOREVER);
 *     err = rmd_pool_free(pool);
 *
 * Processes. Whatever a function does to its process, it does to its own task alone: a worker that
 * crashes, exits or is killed ends the task that ran in it, as LOST, or that is tried again
 * (rmd_limits.crashes_max); the tasks behind it go to others, and another worker takes its place.
 * rmd_future_exit() of a task that is LOST tells how: signal or status, usage, the last that it has
 * written to stderr (which also goes to the stderr of this program). A task that runs is ended at
 * its limit or when it is cancelled, by the signals of its kill ladder, with all processes that it
 * has started; the outcome is told when they are gone. A child that a task leaves behind ends with
 * its worker. One that writes over the memory through which tasks reach its worker also loses those
 * that wait there (LOST): nobody can tell any more whether they had begun. With chunk 1 none waits.
 *
 * The workers are forked from a template process: the program itself, started anew, in which
 * rmd_start() (start.h) never returns; so it has none of the caller's threads, locks and memory.
 * Functions are to be added before that call. Descriptors 0 to 2 are as here, but for stdin, which
 * is empty; all others are closed. When workers die again and again outside of tasks (5 within
 * 10 s, and no task has ended in between), no more are started: what is queued ends LOST with
 * RMD_EHALTED, which says why, and what is submitted is refused with it, until rmd_pool_resume(). A
 * death in a task is counted for that task alone (crashes_max): tasks cannot halt a pool.
 *
 * All calls may be made from any thread. In a process made by fork() from the one that opened the
 * pool they answer RMD_EFORKED. The library installs no signal handler; pools of programs and of
 * processes need SIGCHLD not to be ignored. */
#ifndef REMUDA_POOL_H
#define REMUDA_POOL_H

#include <remuda/api.h>
#include <remuda/args.h>
#include <remuda/census.h>
#include <remuda/command.h>
#include <remuda/deadline.h>
#include <remuda/future.h>
#include <remuda/group.h>
#include <remuda/loop.h>
#include <remuda/shared.h>
#include <remuda/task.h>
#include <remuda/value.h>

RMD_BEGIN

typedef struct rmd_pool rmd_pool;

typedef struct rmd_pool_options {
    size_t size;        /* sizeof(rmd_pool_options), exactly: else RMD_EINVAL */
    const char *name;   /* for messages and the names of threads; NULL: the kind */
    unsigned queue_max; /* tasks that wait for a worker; 0: 1024. On threads, unless it is less than
                         * 256, those are not among them that a worker keeps for itself, up to 256:
                         * submitted by its tasks, or taken out of the queue before */
    rmd_shared *shared; /* threads and processes: memory that tasks work on where it lies; borrowed
                         * until the pool is freed. NULL: none */
    /* threads: */
    int (*start)(void *arg); /* runs on each worker before its first task; < 0: the pool does not
                              * open, with that error. (Workers that take the place of others
                              * later run it, too; if it fails there, there are no more of them.)
                              * With it, tasks run on workers only, and not on other threads that
                              * wait for them. NULL: nothing to do */
    void (*end)(void *arg);  /* runs on each worker whose start has succeeded, last */
    void *arg;               /* of these two; borrowed until the pool is drained */
    size_t stack_bytes;      /* of each worker; reserved, not taken; 0: 64 MiB; at least
                              * 128 KiB, at most 1 TiB */
    /* processes: */
    const char *program; /* that is executed to be the workers: one whose main() adds functions and
                          * calls rmd_start(). NULL: the calling program itself */
    const char *preload; /* a function of the table, called once, before workers are forked: what it
                          * loads they share. NULL: nothing to do */
    rmd_args preload_args;
    const char *initializer; /* the same, called in each worker before its first task; if it fails
                              * the pool does not open, with that error */
    rmd_args initializer_args;
    unsigned chunk;     /* so many tasks are at a worker at most: the one that runs, and those
                         * behind it, so that it has the next at hand. They are not bound to it: a
                         * worker without work gets some of them. At most 64; 0: 32 */
    uint64_t tasks_max; /* after so many a worker is replaced by a fresh one; 0: never */
    uint64_t resident_bytes_max; /* the same when it has more memory than that, after a task */
    uint64_t address_bytes_max;  /* RLIMIT_AS of each: malloc() fails beyond; 0: no limit */
    /* processes and programs: */
    rmd_loop *loop; /* borrowed until the pool is freed: the pool lives on this loop, whose thread
                     * starts what it runs, and runs callbacks. It keeps rmd_loop_run() going as
                     * long as there is something to do, and up to half a second more. It is opened
                     * on that thread; one of processes not inside a callback of the loop, as it
                     * turns it: RMD_EDEADLK. NULL: the pool has a keeper thread of its own */
    /* programs: */
    size_t capture_bytes_max;  /* captured output in memory, all tasks; beyond it goes to an
                                * unlinked temporary file; 0: 8 MiB */
    const char *temporary_dir; /* for that file; NULL: $TMPDIR, else /tmp */
} rmd_pool_options;

/* Opens a pool. kind is `kind[:N][?key=value&…]`; N workers, by default as many as there are usable
 * processors (affinity and cgroup quota). Keys: queue (queue_max); of processes also chunk. Options
 * may be NULL; they are copied. Errors: RMD_EINVAL naming the part of kind that is not understood,
 * or an option that this kind has no use for; RMD_EGUARD (see rmd_start), RMD_ENOMEM, RMD_EMFILE,
 * RMD_EAGAIN; of processes RMD_EWORKER (they cannot be started), RMD_ENOSPC (RLIMIT_FSIZE is less
 * than the 32 MiB that are shared with a worker), RMD_EPRELOAD (a thread runs in the template, and
 * a fork would not have it: start it in the initializer), and those of preload and initializer;
 * *pool is untouched then. The deadline is for kinds that must reach others first, for
 * worker processes that are to be ready, and for `start`, and then gives RMD_ETIMEDOUT (or
 * RMD_ECANCELED, when the thread's stop token fires); but a `start` that has begun is waited for.
 * As long as a pool of programs or processes is open, leave SIGCHLD as it is, and do not wait for
 * any child (waitpid(-1, …)): the ends of these are the pool's. */
RMD_API int rmd_pool_open(rmd_pool **pool, const char *kind, const rmd_pool_options *options,
                          rmd_deadline deadline) RMD_NODISCARD;

/* Calls a function of the table (function.h) by its name: rmd_pool_call(pool, &future, "add",
 * RMD_ARGS(1, 2), NULL). The arguments are encoded, so that whatever they were made of may go when
 * this returns; limits: see value.h. Arguments that the function does not take make the task fail
 * with RMD_EINVAL, and too many values with RMD_E2BIG, before its body runs. options as for
 * rmd_submit() (task.h), may be NULL. *future gets the handle, to be freed by the caller; future
 * may be NULL when nobody wants it. Errors, with *future untouched: RMD_ENOENT (no such function),
 * RMD_EINVAL (arguments that cannot be encoded), RMD_E2BIG, RMD_ENOTSUP (this kind calls no
 * functions), and those of rmd_submit(); of processes also RMD_EHALTED. Blocks while the queue is
 * full. */
RMD_API int rmd_pool_call(rmd_pool *pool, rmd_future **future, const char *function, rmd_args args,
                          const rmd_task_options *options) RMD_NODISCARD;

/* Submits a command, which is copied. *future gets the handle, to be freed by the caller;
 * future may be NULL when nobody wants it. When the queue is full it waits (see
 * rmd_command.full_ms), but from a callback answers RMD_EFULL. A program that does not
 * exist is not an error here: the task then ends FAILED. Errors, with *future untouched:
 * RMD_EINVAL, RMD_ECLOSED, RMD_EFULL, RMD_ENOTSUP (this kind runs no commands), RMD_ENOMEM,
 * RMD_EFORKED; RMD_ECANCELED when it would wait and the thread's stop token fires (stop.h). */
RMD_API int rmd_pool_exec(rmd_pool *pool, rmd_future **future, const rmd_command *command)
    RMD_NODISCARD;

/* No new work: later submissions get RMD_ECLOSED, waiting submitters too. What was
 * accepted runs. Never blocks. */
RMD_API int rmd_pool_close(rmd_pool *pool);

/* Closes, and waits until all accepted work has ended. At the deadline the rest is cancelled and
 * waited for (as long as its kill ladders take; on threads, where nothing can be killed, 2 s), and
 * RMD_ETIMEDOUT is returned; so it is, with RMD_ECANCELED, when the thread's stop token fires
 * (stop.h). After 0 or one of these the pool owns no thread, child, descriptor or temporary file,
 * but for captured output that futures still hold. RMD_ESTUCK: tasks that were told to stop still
 * run, and rmd_error_detail() names them; call again. RMD_EDEADLK, and then the pool is not closed:
 * from a callback or a task of the pool; on threads and with RMD_FOREVER, also inside a task that
 * one of the pool's waits for, as rmd_future_wait(). Tasks that failed, and nobody looked at, are
 * listed then: see rmd_pool_overlooked(). Blocks. */
RMD_API int rmd_pool_drain(rmd_pool *pool, rmd_deadline deadline);

/* Cancels everything now and then drains. RMD_ETIMEDOUT (on threads RMD_ESTUCK, which names them),
 * or RMD_ECANCELED when the thread's stop token fired (stop.h): something is still being stopped;
 * call again. RMD_EDEADLK from a callback or a task of the pool. Blocks. */
RMD_API int rmd_pool_abort(rmd_pool *pool, rmd_deadline deadline);

/* Cancels what waits (queued_only) or everything; does not wait. Never blocks. */
RMD_API int rmd_pool_cancel(rmd_pool *pool, bool queued_only);

/* Stops every running program, or worker process (SIGSTOP to its group), begins no task, and holds
 * the limits' clocks; a worker that takes the place of one that has died meanwhile idles. Resume
 * continues all, also a pool that has halted. For Ctrl-Z. RMD_ENOTSUP on threads. Never blocks. */
RMD_API int rmd_pool_suspend(rmd_pool *pool);
RMD_API int rmd_pool_resume(rmd_pool *pool);

/* The account so far; it balances at every moment. Never blocks. */
RMD_API int rmd_pool_census(rmd_pool *pool, rmd_census *census);

/* Calls fn for each task that did not end OK (nor CANCELLED), and whose error, outcome or failure
 * nobody asked for, before its future was freed or so far: with what it was, borrowed for the call.
 * A failure that has ended a task of rmd_then(), too, is that one's from then on: so that of a
 * chain is told once, of its last task, if nobody asked for that one's. The oldest 64 are kept;
 * *more (unless NULL) is how many there are besides. Tasks of a group are not among them.
 * RMD_ENOTSUP on programs. Never blocks, but for what fn does. */
RMD_API int rmd_pool_overlooked(rmd_pool *pool, void (*fn)(void *ctx, const rmd_failure *failure),
                                void *ctx, uint64_t *more);

typedef struct rmd_statistics {
    unsigned workers;    /* as opened */
    unsigned spares;     /* more, that were started in the place of those that waited */
    unsigned blocked;    /* workers that wait now, inside a task */
    uint64_t stolen;     /* tasks that a worker took, or was given, of another one's */
    uint64_t helped;     /* run by a thread that waited for them */
    uint64_t in_place;   /* run by their submitter, as the queue was full */
    uint64_t parked;     /* how often a worker went to sleep */
    uint64_t callbacks;  /* that have run */
    unsigned queued_max; /* the most that have waited in the queue at once */
} rmd_statistics;

/* Figures about the workers, each true a moment ago. RMD_ENOTSUP: this kind keeps none. Never
 * blocks. */
RMD_API int rmd_pool_statistics(rmd_pool *pool, rmd_statistics *statistics);

/* Number of workers; 0 of NULL. Never blocks; any thread, and a forked child. */
RMD_API unsigned rmd_pool_size(const rmd_pool *pool);

/* RMD_EBUSY unless drained. Futures may be freed after it. NULL is fine. Never blocks. */
RMD_API int rmd_pool_free(rmd_pool *pool);

RMD_END

#endif
