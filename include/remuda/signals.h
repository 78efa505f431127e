/* SPDX-License-Identifier: MIT */
/* floor: sync */
/* Signals as something to wait for, so that the main thread can wait for Ctrl-C and end a threaded
 * program in order, without a signal handler.
 *
 *     rmd_signals *signals;
 *     int number;
 *     err = rmd_signals_open(&signals, (int[]){ SIGINT, SIGTERM, 0 });    before starting threads
 *     ...
 *     err = rmd_signals_wait(signals, &number, RMD_FOREVER);
 *     rmd_threads_stop_all();
 *     rmd_signals_free(signals);
 *     return 0;                                        waits for the threads: see thread.h
 *
 * Threads of Remuda block all signals, so these come to whoever waits for them. Threads of others
 * that were started before must block them themselves, or the signal's own action happens there. */
#ifndef REMUDA_SIGNALS_H
#define REMUDA_SIGNALS_H

#include <remuda/api.h>
#include <remuda/deadline.h>

RMD_BEGIN

typedef struct rmd_signals rmd_signals;

/* Blocks the signals, numbers up to a 0, on the calling thread, and collects them from now on.
 * numbers is borrowed. Errors: RMD_EINVAL (no number, no such signal, or one that cannot be
 * caught), RMD_EMFILE, RMD_ENOMEM. Never blocks. */
RMD_API int rmd_signals_open(rmd_signals **signals, const int *numbers) RMD_NODISCARD;

/* Waits until one has come, and tells which; number may be NULL. The same signal, sent again before
 * it was told, is told once. Errors: RMD_ETIMEDOUT, RMD_ECANCELED (the thread's stop token fired),
 * RMD_EINVAL (NULL), RMD_EMFILE, RMD_ENOMEM. One thread at a time. Blocks. */
RMD_API int rmd_signals_wait(rmd_signals *signals, int *number, rmd_deadline deadline)
    RMD_NODISCARD;

/* On the thread that opened it: unblocks those that were not blocked before; one that has come and
 * was not told has its own action then. NULL is fine. Never blocks. */
RMD_API void rmd_signals_free(rmd_signals *signals);

RMD_END

#endif
