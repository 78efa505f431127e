/* SPDX-License-Identifier: MIT */
/* floor: exec */
/* A promise: a future that you complete yourself.
 *
 *     rmd_promise *promise;
 *     rmd_future *future;
 *     err = rmd_promise_open(&promise, &future, NULL);
 *
 *     err = rmd_promise_set(promise, 42);                 any thread, when it is known
 *     rmd_promise_free(promise);
 *
 *     err = rmd_future_wait(future, RMD_FOREVER);         any other
 *     err = rmd_future_get(future, &number);
 *     rmd_future_free(future);
 *
 * It is completed once: by the first of set, fail, rmd_future_cancel() on the future (CANCELLED,
 * at once: nothing of ours is to be stopped) and free (LOST). Its callbacks run on the thread that
 * completes it. Any thread may call any of these; a promise must not be freed while another call on
 * it is under way. */
#ifndef REMUDA_PROMISE_H
#define REMUDA_PROMISE_H

#include <remuda/api.h>
#include <remuda/future.h>
#include <remuda/value.h>

RMD_BEGIN

typedef struct rmd_promise rmd_promise;

/* A new one, and its future, to be freed each. name is for messages, borrowed until both are freed;
 * NULL: "promise". Errors: RMD_ENOMEM, RMD_EINVAL. Never blocks. */
RMD_API int rmd_promise_open(rmd_promise **promise, rmd_future **future, const char *name)
    RMD_NODISCARD;

/* rmd_promise_set(promise, x): completes it with a value, copied; x as for RMD_VALUE() (value.h).
 * Errors: RMD_ETOOLATE (it was completed, or cancelled), RMD_ENOMEM (it is still to be completed),
 * RMD_EINVAL (NULL, or a value that cannot be encoded), RMD_E2BIG (beyond the limits of
 * rmd_value_decode(); also still to be completed), RMD_EFORKED. Never blocks, but for what
 * callbacks do. */
#define rmd_promise_set(promise, x) rmd_promise_set_value(promise, RMD_VALUE(x))
RMD_API int rmd_promise_set_value(rmd_promise *promise, rmd_value value);

/* Completes it with an error: FAILED. code is negative. Errors: as set. */
RMD_API int rmd_promise_fail(rmd_promise *promise, int code, const char *format, ...)
    RMD_PRINTF(3, 4);

/* Has it been cancelled, so that nobody wants it any more? One load. */
RMD_API bool rmd_promise_cancelled(const rmd_promise *promise);

/* Gives it back. One that was not completed breaks it: its future is LOST, with RMD_ELOST. NULL is
 * fine. */
RMD_API void rmd_promise_free(rmd_promise *promise);

RMD_END

#endif
