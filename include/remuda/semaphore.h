/* SPDX-License-Identifier: MIT */
/* floor: sync */
/* Semaphores: a number of permits, which threads acquire and release.
 *
 *     err = rmd_semaphore_open(&slots, 3, NULL);             three at once
 *
 *     err = rmd_semaphore_acquire(slots, rmd_after_ms(250));
 *     if (err == 0) {
 *         ...
 *         rmd_semaphore_release(slots, 1);
 *     }
 *
 * Nobody owns a permit: any thread may release any number of them, so a semaphore opened with 0
 * permits counts what has come, one release for each, and those who acquire wait for it.
 *
 * Those who wait stand in a line, and while there is one nobody passes it: who asks for many is
 * not starved by those who ask for few. Where nobody waits it costs one atomic operation to acquire
 * and one to release. What was written before a release is seen by whoever acquires what was
 * released. Any thread may call any of these. */
#ifndef REMUDA_SEMAPHORE_H
#define REMUDA_SEMAPHORE_H

#include <remuda/api.h>
#include <remuda/deadline.h>
#include <remuda/select.h>

RMD_BEGIN

typedef struct rmd_semaphore rmd_semaphore;

/* The most permits that there can be. */
enum { RMD_SEMAPHORE_MAX = INT32_MAX };

typedef struct rmd_semaphore_options {
    size_t size;        /* sizeof(rmd_semaphore_options), exactly: else RMD_EINVAL */
    const char *name;   /* for errors; copied; NULL: "" */
    uint32_t count_max; /* never more permits than that; 0: RMD_SEMAPHORE_MAX */
} rmd_semaphore_options;

/* A new semaphore with count permits. options is borrowed and may be NULL. Errors: RMD_ENOMEM,
 * RMD_EINVAL, RMD_E2BIG (count or count_max is larger than there can be). Never blocks. */
RMD_API int rmd_semaphore_open(rmd_semaphore **semaphore, uint32_t count,
                               const rmd_semaphore_options *options) RMD_NODISCARD;

/* Frees a semaphore, whatever it has of permits. Errors: RMD_EBUSY while a thread waits for it,
 * also one that was given a permit and is not awake yet. NULL is fine. Never blocks. */
RMD_API int rmd_semaphore_free(rmd_semaphore *semaphore);

/* Acquires one permit; with RMD_NOW only if there is one and nobody stands in line. Errors:
 * RMD_ETIMEDOUT, RMD_ECANCELED (the thread's stop token fired: see stop.h), RMD_EINVAL (NULL). A
 * permit that is given at the moment of the deadline or the stop counts: 0. Blocks. */
RMD_API int rmd_semaphore_acquire(rmd_semaphore *semaphore, rmd_deadline deadline) RMD_NODISCARD;

/* The same for n permits, at least 1: all at once or none. Errors: besides those, RMD_E2BIG (n is
 * more than there can ever be). Blocks. */
RMD_API int rmd_semaphore_acquire_many(rmd_semaphore *semaphore, uint32_t n, rmd_deadline deadline)
    RMD_NODISCARD;

/* Releases n permits, at least 1, and wakes those in line who can have what they wait for. Errors:
 * RMD_EFULL (there would be more than count_max; none is released then), RMD_EINVAL. Never
 * blocks. */
RMD_API int rmd_semaphore_release(rmd_semaphore *semaphore, uint32_t n);

/* How many permits there are: a hint, as others acquire and release meanwhile. 0 for NULL. Never
 * blocks. */
RMD_API uint32_t rmd_semaphore_value(const rmd_semaphore *semaphore);

/* For rmd_select(): ready when there is a permit, which the select acquires if it returns this one,
 * and only then. It stands in line as others do. */
RMD_API rmd_waitable rmd_semaphore_waitable(rmd_semaphore *semaphore);

RMD_END

#endif
