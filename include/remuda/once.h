/* SPDX-License-Identifier: MIT */
/* floor: sync */
/* Once: something done by the first who needs it, for all.
 *
 *     static rmd_once once = RMD_ONCE;
 *     static table *squares;
 *
 *     static int make_squares(void *arg)
 *     {
 *         squares = ...;
 *         return squares ? 0 : RMD_ENOMEM;
 *     }
 *
 *     err = rmd_once_call(&once, make_squares, NULL, RMD_FOREVER);      any thread, any time
 *
 * One load once it has been done, and what the function wrote is seen. Any thread may call it. */
#ifndef REMUDA_ONCE_H
#define REMUDA_ONCE_H

#include <remuda/api.h>
#include <remuda/deadline.h>

RMD_BEGIN

/* Zeroed, or set to RMD_ONCE, it has not been done; there is nothing to free. It is not moved, and
 * the memory it lies in is not given back, while somebody calls. The members are Remuda's. */
typedef struct rmd_once {
    uint64_t opaque[8];
} rmd_once;

#ifdef __cplusplus
#define RMD_ONCE rmd_once()
#else
#define RMD_ONCE \
    {            \
        {        \
            0    \
        }        \
    }
#endif

/* Runs fn(arg), unless a call of it has been successful: 0 then, at once. fn returns 0 or more: it
 * is done, for good, and this and all other calls return 0. Less: the call that ran it returns that
 * code, and the next one, who may be waiting already, runs its own fn. While fn runs, others wait.
 * arg is borrowed by fn, which returns, and does not end the thread.
 *
 * Errors: those of fn; of calls that wait: RMD_ETIMEDOUT, RMD_ECANCELED (the thread's stop token
 * fired: see stop.h); RMD_EDEADLK (fn calls it on the same once), RMD_EINVAL (NULL). Whoever runs
 * fn does not look at the deadline. Blocks. */
RMD_API int rmd_once_call(rmd_once *once, int (*fn)(void *arg), void *arg, rmd_deadline deadline)
    RMD_NODISCARD;

/* Has it been done? False for NULL. One load. */
RMD_API bool rmd_once_is_done(const rmd_once *once);

RMD_END

#endif
