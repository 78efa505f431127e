/* SPDX-License-Identifier: MIT */
/* floor: exec */
/* Pools: workers behind one interface. Today there is one kind, "programs": each task
 * is an external program of its own.
 *
 *     rmd_pool *pool;
 *     err = rmd_pool_open(&pool, "programs:4", NULL, rmd_after_ms(5000));
 *     err = rmd_pool_exec(pool, &future, &command);
 *     ...
 *     err = rmd_pool_drain(pool, RMD_FOREVER);
 *     err = rmd_pool_free(pool);
 *
 * All calls may be made from any thread. In a process made by fork() from the one that
 * opened the pool they answer RMD_EFORKED. The library installs no signal handler; it
 * needs SIGCHLD not to be ignored. Unstable: may still change until the threads pool
 * has proved it. */
#ifndef REMUDA_POOL_H
#define REMUDA_POOL_H

#include <remuda/api.h>
#include <remuda/census.h>
#include <remuda/command.h>
#include <remuda/deadline.h>
#include <remuda/future.h>
#include <remuda/group.h>
#include <remuda/loop.h>

RMD_BEGIN

typedef struct rmd_pool rmd_pool;

typedef struct rmd_pool_options {
    size_t size;               /* sizeof(rmd_pool_options), exactly: else RMD_EINVAL */
    const char *name;          /* for messages and the keeper thread; NULL: the kind */
    unsigned queue_max;        /* tasks that wait for a worker; 0: 1024 */
    rmd_loop *loop;            /* borrowed until the pool is freed: the pool lives on this loop,
                           * whose thread starts programs and runs callbacks. NULL: the
                           * pool has a keeper thread of its own */
    size_t capture_bytes_max;  /* captured output in memory, all tasks; beyond it goes to an
                               * unlinked temporary file; 0: 8 MiB */
    const char *temporary_dir; /* for that file; NULL: $TMPDIR, else /tmp */
} rmd_pool_options;

/* Opens a pool. kind is `kind[:N][?key=value&…]`; N workers, by default as many as there
 * are usable processors (affinity and cgroup quota). Keys: queue (queue_max). Options
 * may be NULL; they are copied. Errors: RMD_EINVAL naming the part of kind that is not
 * understood, RMD_EGUARD (see rmd_start), RMD_ENOMEM, RMD_EMFILE, RMD_EAGAIN; *pool is
 * untouched then. A programs pool opens at once: the deadline is for kinds that must reach
 * others first, and then gives RMD_ETIMEDOUT. As long as it is open, leave SIGCHLD as it is,
 * and do not wait for any child (waitpid(-1, …)): the ends of the programs are the pool's. */
RMD_API int rmd_pool_open(rmd_pool **pool, const char *kind, const rmd_pool_options *options,
                          rmd_deadline deadline) RMD_NODISCARD;

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

/* Closes, and waits until all accepted work has ended. At the deadline the rest is
 * cancelled and waited for (as long as its kill ladders take), and RMD_ETIMEDOUT is
 * returned; so it is, with RMD_ECANCELED, when the thread's stop token fires (stop.h).
 * After 0 or one of these the pool owns no thread, child, descriptor or
 * temporary file, but for captured output that futures still hold. RMD_EDEADLK from
 * a callback of the pool. Blocks. */
RMD_API int rmd_pool_drain(rmd_pool *pool, rmd_deadline deadline);

/* Cancels everything now and then drains. RMD_ETIMEDOUT, or RMD_ECANCELED when the thread's
 * stop token fired (stop.h): something is still being stopped; call again. RMD_EDEADLK from a
 * callback of the pool. Blocks. */
RMD_API int rmd_pool_abort(rmd_pool *pool, rmd_deadline deadline);

/* Cancels what waits (queued_only) or everything; does not wait. Never blocks. */
RMD_API int rmd_pool_cancel(rmd_pool *pool, bool queued_only);

/* Stops every running program (SIGSTOP to its group), starts nothing, and holds the
 * limits' clocks; resume continues all. For Ctrl-Z. Never blocks. */
RMD_API int rmd_pool_suspend(rmd_pool *pool);
RMD_API int rmd_pool_resume(rmd_pool *pool);

/* The account so far; it balances at every moment. Never blocks. */
RMD_API int rmd_pool_census(rmd_pool *pool, rmd_census *census);

/* Number of workers; 0 of NULL. Never blocks; any thread, and a forked child. */
RMD_API unsigned rmd_pool_size(const rmd_pool *pool);

/* RMD_EBUSY unless drained. Futures may be freed after it. NULL is fine. Never blocks. */
RMD_API int rmd_pool_free(rmd_pool *pool);

RMD_END

#endif
