/* SPDX-License-Identifier: MIT */
/* floor: sync */
/* Threads: started with an argument, named, told to stop, joined with a deadline.
 *
 *     static void serve(void *arg)
 *     {
 *         while (rmd_fd_wait(*(int *)arg, RMD_READABLE, RMD_FOREVER) > 0)
 *             ...                                         < 0: RMD_ECANCELED, it was stopped
 *     }
 *
 *     rmd_thread *thread;
 *     err = rmd_thread_start(&thread, serve, &fd, &(rmd_thread_options){
 *         .size = sizeof(rmd_thread_options), .name = "server" });
 *     ...
 *     rmd_thread_stop(thread);
 *     err = rmd_thread_join(thread, rmd_after_ms(1000));
 *     rmd_thread_free(thread);
 *
 * Every thread has a stop token of its own, which is its current one (stop.h): told to stop, it
 * wakes from whatever call of Remuda it sleeps in. No signal is delivered to these threads but for
 * their own faults, so the main thread is free for them: see signals.h for Ctrl-C.
 *
 * A program that returns from main, or calls exit(), waits for its threads, but for those that are
 * daemons: they end with it, wherever they are. Whoever wants them to end early calls
 * rmd_threads_stop_all() before.
 *
 * A thread that calls exit() waits for the others, so none of them may wait for it; nor may one
 * call exit() while another already has: that is for the first, as the C library says, or _exit().
 *
 * In a process made by fork() these threads do not exist: the calls answer RMD_EFORKED there, only
 * rmd_thread_free() works, and the list is empty. The one thread there is not Remuda's, and its
 * current stop token is the one it has set itself, if any. An event, a lock and so on that another
 * thread waited for or was using at the moment of the fork is not to be used in the child.
 *
 * Any thread may call any of these. */
#ifndef REMUDA_THREAD_H
#define REMUDA_THREAD_H

#include <remuda/api.h>
#include <remuda/deadline.h>

RMD_BEGIN

typedef struct rmd_thread rmd_thread;

typedef struct rmd_thread_options {
    size_t size;        /* sizeof(rmd_thread_options), exactly: else RMD_EINVAL */
    const char *name;   /* copied; the system shows 15 bytes of it; NULL: "thread" */
    bool daemon;        /* does not keep the program alive; may be freed while it runs */
    size_t stack_bytes; /* 0: as the system likes, mostly 8 MiB */
} rmd_thread_options;

/* Runs fn(arg) on a new thread, which ends when fn returns, and not by pthread_exit(). arg is
 * borrowed by fn; options is copied, and may be NULL. Errors:
 * RMD_EAGAIN (the system gives no more threads), RMD_ENOMEM, RMD_EINVAL (also a stack that is too
 * small). Never blocks. */
RMD_API int rmd_thread_start(rmd_thread **thread, void (*fn)(void *arg), void *arg,
                             const rmd_thread_options *options) RMD_NODISCARD;

/* Waits until fn has returned; what it wrote is seen then. Again, and by several threads, is fine.
 * Errors: RMD_ETIMEDOUT (it still runs), RMD_ECANCELED (the calling thread was told to stop),
 * RMD_EDEADLK (a thread joins itself), RMD_EINVAL (NULL), RMD_EFORKED. Blocks. */
RMD_API int rmd_thread_join(rmd_thread *thread, rmd_deadline deadline) RMD_NODISCARD;

/* Frees the handle of a thread that has ended, joined or not; or that of a daemon, which goes on.
 * Errors: RMD_EBUSY while it runs and is no daemon. NULL is fine. Never blocks for longer than an
 * ended thread takes to leave the system. */
RMD_API int rmd_thread_free(rmd_thread *thread);

/* Fires the thread's own stop token. Errors: RMD_EINVAL (NULL), RMD_EFORKED. Never blocks. */
RMD_API int rmd_thread_stop(rmd_thread *thread);

/* Has the calling thread been told to stop, by rmd_thread_stop() or rmd_threads_stop_all()? For
 * loops that compute. False on threads that are not Remuda's. One load. */
RMD_API bool rmd_thread_stopping(void);

/* The calling thread, borrowed; NULL on threads that rmd_thread_start() did not start. */
RMD_API rmd_thread *rmd_thread_self(void);

/* The whole name; borrowed, valid as long as the thread. "" for NULL. */
RMD_API const char *rmd_thread_name(const rmd_thread *thread);

/* ---- all threads ---- */

/* Calls fn for each thread that runs, in the order of their start, the calling one included. The
 * thread is borrowed until fn returns. fn may do what it likes, also start, stop and free threads;
 * those started meanwhile are not shown. Returns how many, or RMD_ENOMEM, RMD_EINVAL. */
RMD_API int rmd_threads_walk(void (*fn)(void *ctx, rmd_thread *thread), void *ctx);

/* Tells all threads to stop, daemons too, but for the calling one. Never blocks. */
RMD_API void rmd_threads_stop_all(void);

/* Waits for the end of all threads that are neither daemons nor the calling one; those that start
 * meanwhile included. Errors: RMD_ETIMEDOUT, RMD_ECANCELED. Blocks. */
RMD_API int rmd_threads_join_all(rmd_deadline deadline) RMD_NODISCARD;

RMD_END

#endif
