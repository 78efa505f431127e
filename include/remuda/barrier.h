/* SPDX-License-Identifier: MIT */
/* floor: sync */
/* Barriers: threads that work in rounds, and begin each together.
 *
 *     err = rmd_barrier_open(&barrier, 4);
 *
 *     while (work_to_do) {                                   each of four threads
 *         ...
 *         err = rmd_barrier_wait(barrier, RMD_FOREVER);
 *         if (err == RMD_BARRIER_LAST)
 *             ...                                            one of them
 *     }
 *
 * A round is complete when as many as the barrier has parties have arrived; then all of them go on,
 * and those who come again are of the next round. What was written before arriving is seen by all
 * who go on. Any thread may call any of these. */
#ifndef REMUDA_BARRIER_H
#define REMUDA_BARRIER_H

#include <remuda/api.h>
#include <remuda/deadline.h>

RMD_BEGIN

typedef struct rmd_barrier rmd_barrier;

/* What rmd_barrier_wait() returns to the one that arrived last. */
enum { RMD_BARRIER_LAST = 1 };

/* A new barrier for that many parties, at least 1. Errors: RMD_ENOMEM, RMD_EINVAL. Never blocks. */
RMD_API int rmd_barrier_open(rmd_barrier **barrier, uint32_t parties) RMD_NODISCARD;

/* Frees a barrier. Errors: RMD_EBUSY while a thread waits at it, also one whose round is complete
 * and that is not awake yet. NULL is fine. Never blocks. */
RMD_API int rmd_barrier_free(rmd_barrier *barrier);

/* Arrives, and waits until the round is complete: RMD_BARRIER_LAST for exactly one of it, who need
 * not wait, 0 for the others. Errors: RMD_ETIMEDOUT, RMD_ECANCELED (the thread's stop token fired:
 * see stop.h), RMD_ECLOSED (rmd_barrier_close), RMD_EINVAL (NULL).
 *
 * Whoever leaves by its deadline or a stop has not arrived: the others wait on, for it to come
 * again or for somebody else in its place. A round that is complete at that moment counts: 0. With
 * RMD_NOW it arrives only if that completes the round. Blocks. */
RMD_API int rmd_barrier_wait(rmd_barrier *barrier, rmd_deadline deadline) RMD_NODISCARD;

/* Closes it for good, because somebody will not come any more, say: all who wait, and all who come,
 * get RMD_ECLOSED; a round that is complete stays so. Errors: RMD_ECLOSED (it was closed before),
 * RMD_EINVAL (NULL). Never blocks. */
RMD_API int rmd_barrier_close(rmd_barrier *barrier);

RMD_END

#endif
