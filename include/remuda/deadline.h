/* SPDX-License-Identifier: MIT */
/* floor: base */
/* Deadlines: absolute points on the monotonic clock.
 *
 * A call that blocks takes a deadline as its last argument, so that a chain of
 * waits shares one limit and nothing has to be subtracted. It is a struct so that
 * a bare number of milliseconds does not compile.
 *
 *     err = rmd_future_wait(future, rmd_after_ms(250));
 */
#ifndef REMUDA_DEADLINE_H
#define REMUDA_DEADLINE_H

#include <remuda/api.h>

RMD_BEGIN

typedef struct rmd_deadline {
    int64_t ns; /* CLOCK_MONOTONIC, nanoseconds */
} rmd_deadline;

#ifdef __cplusplus
#define RMD_DEADLINE_AT(t) (rmd_deadline{ t })
#else
#define RMD_DEADLINE_AT(t) ((rmd_deadline){ .ns = (t) })
#endif

/* Never passes. */
#define RMD_FOREVER RMD_DEADLINE_AT(INT64_MAX)
/* Has passed: the call does what it can without blocking. */
#define RMD_NOW     RMD_DEADLINE_AT(0)

/* The deadline that many milliseconds (or nanoseconds) from now. A negative number
 * counts as 0; a sum beyond the clock's range is RMD_FOREVER. Any thread. */
RMD_API rmd_deadline rmd_after_ms(int64_t ms);
RMD_API rmd_deadline rmd_after_ns(int64_t ns);

/* Has it passed? Any thread. */
RMD_API bool rmd_deadline_passed(rmd_deadline deadline);

/* Milliseconds that are left, rounded up so that sleeping for them is never too
 * short; 0 when it has passed, INT64_MAX for RMD_FOREVER. Any thread. */
RMD_API int64_t rmd_deadline_left_ms(rmd_deadline deadline);

RMD_END

#endif
