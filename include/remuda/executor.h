/* SPDX-License-Identifier: MIT */
/* floor: sync */
/* Executors: one thread of its own, on which all calls of others run, one at a time. For a library
 * that may be used by one thread only.
 *
 *     rmd_executor *x;
 *     err = rmd_executor_open(&x, &(rmd_executor_options){ .size = sizeof(rmd_executor_options),
 *         .name = "library", .start = set_up, .end = tear_down });
 *
 *     int result;
 *     err = rmd_executor_call(x, look_up, &question, &result, rmd_after_ms(250));   any thread
 *     err = rmd_executor_post(x, note_down, copy, RMD_FOREVER);                    no result wanted
 *
 *     err = rmd_executor_drain(x, RMD_FOREVER);
 *     err = rmd_executor_free(x);
 *
 * Calls and posts run in the order in which they were taken. What runs on the executor's thread may
 * use the executor itself: a call is made at once, in place, and so never waits for itself. It may
 * call and drain other executors, but one that waits for this one, itself or through others, is
 * refused with RMD_EDEADLK, also if a deadline would end it; rmd_error_detail() names the circle.
 * (Posts that wait for room, and threads that wait in other ways, are not looked at.) The thread is
 * none of rmd_thread_start(): it is not listed and does not keep the program alive. A program that
 * ends without draining its executor ends it, wherever it is.
 *
 * What runs there runs under the context (context.h) of whoever called or posted it, as it was
 * then. A call runs with the caller's stop token, too: a caller that is told to stop wakes from
 * what it sleeps in, here or there. Posts and `start` run with a token of the executor, which
 * rmd_executor_abort() fires; `end` runs with none.
 *
 * In a child made by fork() there is no such thread: all answer RMD_EFORKED, but for free, which
 * frees the child's copy (and loses what had been posted). If it was the executor's thread that
 * forked, free answers RMD_EBUSY there. Any thread may call any of these. */
#ifndef REMUDA_EXECUTOR_H
#define REMUDA_EXECUTOR_H

#include <remuda/api.h>
#include <remuda/deadline.h>

RMD_BEGIN

typedef struct rmd_executor rmd_executor;

typedef struct rmd_executor_options {
    size_t size;      /* sizeof(rmd_executor_options), exactly: else RMD_EINVAL */
    const char *name; /* of the thread; copied; the system shows 15 bytes; NULL: "executor" */
    size_t posts_max; /* posts that wait to be run; 0: 1024 */
    int (*start)(void *arg); /* runs there first; < 0: nothing else will run; NULL: nothing to do */
    void (*end)(void *arg);  /* runs there last, if start has succeeded; NULL: nothing to do */
    void *arg;               /* of these two; borrowed */
    /* Gets each post that will never run, there, under no context and without a stop token; to
     * free its arg, say. NULL: nothing to do. */
    void (*dropped)(int (*fn)(void *arg), void *arg);
} rmd_executor_options;

/* A new executor, whose thread starts. options is copied, and may be NULL. Whether its `start` has
 * succeeded is told by the calls, and by drain. Errors: RMD_EAGAIN (the system gives no more
 * threads), RMD_ENOMEM, RMD_EINVAL. Never blocks. */
RMD_API int rmd_executor_open(rmd_executor **executor, const rmd_executor_options *options)
    RMD_NODISCARD;

/* Runs fn(arg) on the executor's thread and waits until it has returned. 0: it has, and *result
 * (unless NULL) is what it returned; if that is negative, rmd_error_detail() here is what it was
 * there, "" if nothing was said. Both are borrowed until the call returns. Errors, with which fn
 * has not run and never will: RMD_ETIMEDOUT and RMD_ECANCELED (the thread's stop token fired) if it
 * had not begun by then (with RMD_NOW it never begins), RMD_ECLOSED, RMD_ECANCELED also after an
 * abort, the code of a `start` that failed, RMD_EDEADLK (a circle: see above), RMD_EINVAL,
 * RMD_EFORKED. Once fn has begun the call waits for its end, for arg may lie on the caller's stack:
 * fn itself must not take longer than it may. On the executor's own thread fn runs at once, in
 * place, whatever the deadline says, and after a close as well. Blocks. */
RMD_API int rmd_executor_call(rmd_executor *executor, int (*fn)(void *arg), void *arg, int *result,
                              rmd_deadline deadline) RMD_NODISCARD;

/* Takes fn(arg) to be run on the executor's thread, and does not wait for it; what it returns is
 * not looked at. arg is borrowed by fn; of the context keys and values are, until fn has returned.
 * While posts_max posts wait it waits for room, which goes to whoever comes when there is some: one
 * that waits may be overtaken by others. On the executor's own thread it does not wait: RMD_EFULL.
 * Errors, with which fn never runs: RMD_ETIMEDOUT, RMD_ECANCELED, RMD_EFULL, RMD_ECLOSED,
 * RMD_ENOMEM, RMD_EINVAL, RMD_EFORKED. Blocks. */
RMD_API int rmd_executor_post(rmd_executor *executor, int (*fn)(void *arg), void *arg,
                              rmd_deadline deadline) RMD_NODISCARD;

/* No calls and posts any more; what was taken still runs. Errors: RMD_ECLOSED (it is already),
 * RMD_EINVAL, RMD_EFORKED. Never blocks. */
RMD_API int rmd_executor_close(rmd_executor *executor);

/* Closes, and lets what was taken and has not begun never run: calls return RMD_ECANCELED, posts go
 * to `dropped`. Fires the token of posts: the one that runs wakes with RMD_ECANCELED. Again is
 * fine. Errors: RMD_EINVAL, RMD_EFORKED. Never blocks. */
RMD_API int rmd_executor_abort(rmd_executor *executor);

/* Closes, and waits until all that was taken has run, and `end`. Again, and by several threads, is
 * fine. Errors: RMD_ETIMEDOUT, RMD_ECANCELED (then it goes on by itself), RMD_EDEADLK (on the
 * executor's own thread, or a circle: see above; then it is not closed), RMD_EINVAL, RMD_EFORKED,
 * and, when it is over, the code of a `start` that failed: nothing has run then. Blocks. */
RMD_API int rmd_executor_drain(rmd_executor *executor, rmd_deadline deadline) RMD_NODISCARD;

/* Frees it. Errors: RMD_EBUSY unless it was drained, or is over by itself after a close, and while
 * a thread is in a call of it. NULL is fine. Never blocks for longer than an ended thread takes to
 * leave the system. */
RMD_API int rmd_executor_free(rmd_executor *executor);

RMD_END

#endif
