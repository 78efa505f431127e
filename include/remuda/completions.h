/* SPDX-License-Identifier: MIT */
/* floor: exec */
/* Futures in the order in which they end.
 *
 *     rmd_completions *ends;
 *     err = rmd_completions_open(&ends, futures, n);
 *     while ((err = rmd_completions_next(ends, &future, RMD_FOREVER)) == 0)
 *         ...                                           RMD_ENOENT: that was all
 *     rmd_completions_free(ends);
 *
 * An end is noted here a moment after it can be seen elsewhere. Futures may be of any pools, and
 * promises; more may be added at any time, also by several threads,
 * and several may wait for the next. They are borrowed until they have been given out; do not free
 * one before. */
#ifndef REMUDA_COMPLETIONS_H
#define REMUDA_COMPLETIONS_H

#include <remuda/api.h>
#include <remuda/future.h>

RMD_BEGIN

typedef struct rmd_completions rmd_completions;

/* With n futures at first; futures is borrowed for the call, and may be NULL for n 0. Errors:
 * RMD_ENOMEM, RMD_EINVAL, RMD_EFORKED. Never blocks. */
RMD_API int rmd_completions_open(rmd_completions **completions, rmd_future *const *futures,
                                 size_t n) RMD_NODISCARD;

/* One more; it may have ended. The same errors, with nothing changed. Never blocks. */
RMD_API int rmd_completions_add(rmd_completions *completions, rmd_future *future);

/* *future is the next that has ended, each once. RMD_ENOENT when all that were added have been
 * given out; RMD_ETIMEDOUT, RMD_ECANCELED, RMD_EDEADLK as rmd_future_wait(), the last when each of
 * those that are left waits for the calling task, though another one might be added; and as there
 * the calling thread may run one of the tasks that have not begun, or turns its own loop, on which
 * a pool of programs lives (one loop: of pools on several, that of the first). RMD_EFORKED in a
 * child. Blocks. */
RMD_API int rmd_completions_next(rmd_completions *completions, rmd_future **future,
                                 rmd_deadline deadline) RMD_NODISCARD;

/* How many were added and not yet given out. */
RMD_API size_t rmd_completions_left(const rmd_completions *completions);

/* Also with some left, which are the caller's again. NULL is fine. Never blocks for longer than a
 * future takes that is just ending. */
RMD_API void rmd_completions_free(rmd_completions *completions);

RMD_END

#endif
