/* SPDX-License-Identifier: MIT */
/* floor: loop */
/* An event loop: descriptors, timers, signals and the ends of children, each with a
 * callback, on one thread.
 *
 *     static void on_line(rmd_source *source, unsigned events, void *ctx) { ... }
 *
 *     rmd_loop *loop;
 *     rmd_source *input;
 *     err = rmd_loop_open(&loop);
 *     err = rmd_loop_watch(loop, &input, 0, RMD_READABLE, on_line, NULL);
 *     err = rmd_loop_run(loop, RMD_FOREVER);      until no source is left
 *     err = rmd_loop_free(loop);
 *
 * A loop is used by one thread at a time; only rmd_loop_post and rmd_loop_stop may
 * be called from others. A callback may add, change and free any source, its own
 * too. To run it inside a foreign loop, watch rmd_loop_fd() there and call
 * rmd_loop_turn(loop, RMD_NOW) when it is readable. */
#ifndef REMUDA_LOOP_H
#define REMUDA_LOOP_H

#include <remuda/api.h>
#include <remuda/deadline.h>
#include <remuda/descriptor.h>

#include <sys/types.h>

RMD_BEGIN

typedef struct rmd_loop rmd_loop;
typedef struct rmd_source rmd_source; /* one thing that a loop watches */

/* events: for a descriptor a set of RMD_READABLE, RMD_WRITABLE and RMD_HANGUP (descriptor.h); for a
 * signal its number; else 0. */
typedef void rmd_source_fn(rmd_source *source, unsigned events, void *ctx);

/* A new loop. Errors: RMD_ENOMEM, RMD_EMFILE. Never blocks. */
RMD_API int rmd_loop_open(rmd_loop **loop) RMD_NODISCARD;

/* Ends the loop and frees its sources; posted functions that have not run are
 * dropped. Errors: RMD_EBUSY from inside one of its callbacks. NULL is fine. */
RMD_API int rmd_loop_free(rmd_loop *loop);

/* Turns until no foreground source and no post is left (0), rmd_loop_stop() was called or the
 * thread's stop token fired and nothing is to be done at once (RMD_ECANCELED; see stop.h), or the
 * deadline passed (RMD_ETIMEDOUT). Errors: RMD_EBUSY from inside a callback. Blocks. */
RMD_API int rmd_loop_run(rmd_loop *loop, rmd_deadline deadline);

/* One turn: waits until something happens, at most until the deadline, and runs the
 * callbacks that are due. Returns how many ran, or an error as rmd_loop_run. */
RMD_API int rmd_loop_turn(rmd_loop *loop, rmd_deadline deadline);

/* Makes a run (the present one, else the next) return. Any thread, also a callback. */
RMD_API void rmd_loop_stop(rmd_loop *loop);

/* Runs fn(ctx) once on the loop's thread, in its next turn, in the order posted. Any
 * thread. Errors: RMD_ENOMEM. Never blocks. */
RMD_API int rmd_loop_post(rmd_loop *loop, void (*fn)(void *ctx), void *ctx);

/* A descriptor that is readable when a turn has something to do, timers included.
 * Borrowed: it belongs to the loop. Errors: RMD_EMFILE. */
RMD_API int rmd_loop_fd(rmd_loop *loop);

/* Watches a descriptor, which is borrowed: free the source before closing it. A
 * descriptor that cannot wait (a regular file) counts as always ready. events is a
 * set of RMD_READABLE and RMD_WRITABLE. Level-triggered: the callback comes again
 * until the cause is gone. Errors: RMD_EINVAL (bad descriptor), RMD_ENOMEM. */
RMD_API int rmd_loop_watch(rmd_loop *loop, rmd_source **source, int fd, unsigned events,
                           rmd_source_fn *fn, void *ctx) RMD_NODISCARD;

/* Changes what a descriptor is watched for; 0 pauses it (hang-ups are still told).
 * Errors: RMD_EINVAL when the source is no descriptor. */
RMD_API int rmd_source_set_events(rmd_source *source, unsigned events);

/* Calls back once at `due`, and then each period_ms if that is not 0 (missed ones are
 * not made up for). A timer that has fired stays, unarmed, until it is set or freed.
 * Never early. Errors: RMD_ENOMEM, RMD_EINVAL (negative period). */
RMD_API int rmd_loop_timer(rmd_loop *loop, rmd_source **source, rmd_deadline due, int64_t period_ms,
                           rmd_source_fn *fn, void *ctx) RMD_NODISCARD;

/* Arms a timer anew; RMD_FOREVER unarms it. Errors: RMD_EINVAL when it is no timer. */
RMD_API int rmd_source_set_due(rmd_source *source, rmd_deadline due);

/* Calls back when the signal is sent to the process. Blocks it on the calling thread
 * and, when the last source for it is freed, unblocks it if it was not blocked
 * before; threads started earlier must block it themselves, or the signal's own
 * action happens there. Errors: RMD_EINVAL (no such signal, or one that cannot be
 * caught), RMD_EMFILE, RMD_ENOMEM. */
RMD_API int rmd_loop_signal(rmd_loop *loop, rmd_source **source, int signal, rmd_source_fn *fn,
                            void *ctx) RMD_NODISCARD;

/* Calls back once when the process ends. It is not reaped: that is the parent's to do.
 * Errors: RMD_ENOENT (no such process), RMD_EMFILE, RMD_ENOMEM. */
RMD_API int rmd_loop_child(rmd_loop *loop, rmd_source **source, pid_t pid, rmd_source_fn *fn,
                           void *ctx) RMD_NODISCARD;

/* A background source does not keep rmd_loop_run() going. */
RMD_API void rmd_source_set_background(rmd_source *source, bool background);

/* Ends a source: its callback does not run again. NULL is fine. Never blocks. */
RMD_API void rmd_source_free(rmd_source *source);

RMD_END

#endif
