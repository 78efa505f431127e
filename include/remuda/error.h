/* SPDX-License-Identifier: MIT */
/* floor: base */
/* Errors: one list of codes, and a sentence about the last failure.
 *
 * A function that can fail returns int: 0, or one of the negative codes below.
 * errno is never part of the interface. What was wrong with which input is told
 * by rmd_error_detail(), which belongs to the calling thread.
 *
 *     rmd_pool *pool;
 *     int err = rmd_pool_open(&pool, "programs:4", NULL, RMD_FOREVER);
 *     if (err < 0)
 *         fprintf(stderr, "%s: %s\n", rmd_strerror(err), rmd_error_detail());
 */
#ifndef REMUDA_ERROR_H
#define REMUDA_ERROR_H

#include <remuda/api.h>

RMD_BEGIN

/* X(name, number, sentence): the one source of codes, names and sentences.
 * Numbers are part of the ABI: add at the end, never renumber. */
#define RMD_ERRORS(X)                                                     \
    X(RMD_EINVAL, -1, "an argument is not valid")                         \
    X(RMD_ENOMEM, -2, "out of memory")                                    \
    X(RMD_ETIMEDOUT, -3, "the deadline passed first")                     \
    X(RMD_ECANCELED, -4, "cancelled")                                     \
    X(RMD_ECLOSED, -5, "closed: no new work is taken")                    \
    X(RMD_EFULL, -6, "full: a bound is reached")                          \
    X(RMD_EBUSY, -7, "still in use")                                      \
    X(RMD_ENOTSUP, -8, "this kind of pool cannot do that")                \
    X(RMD_ENOENT, -9, "not found")                                        \
    X(RMD_EACCES, -10, "permission denied")                               \
    X(RMD_E2BIG, -11, "larger than a limit")                              \
    X(RMD_EIO, -12, "input or output failed")                             \
    X(RMD_ENOSPC, -13, "no space left for output")                        \
    X(RMD_EMFILE, -14, "too many open descriptors")                       \
    X(RMD_EAGAIN, -15, "a resource of the system is exhausted for now")   \
    X(RMD_EDEADLK, -16, "waiting here would never end")                   \
    X(RMD_ESTUCK, -17, "work that was told to stop does not stop")        \
    X(RMD_EFORKED, -18, "this object belongs to the process that forked") \
    X(RMD_EGUARD, -19, "the guard process cannot be started")             \
    X(RMD_ETOOLATE, -20, "too late: it has ended already")                \
    X(RMD_ELOST, -21, "what became of it is not known")                   \
    X(RMD_EEXIT, -22, "the program ended with a status other than 0")     \
    X(RMD_ESIGNAL, -23, "the program was ended by a signal")              \
    X(RMD_EEXEC, -24, "the program cannot be executed")                   \
    X(RMD_ESYNTAX, -25, "the text does not follow the syntax")            \
    X(RMD_EWORKER, -26, "worker processes cannot be started")             \
    X(RMD_EPRELOAD, -27, "what was preloaded cannot be forked")           \
    X(RMD_EHALTED, -28, "workers died again and again: no more are started")

typedef enum rmd_error {
    RMD_OK = 0,
#define RMD_ERROR_MEMBER(name, number, sentence) name = number,
    RMD_ERRORS(RMD_ERROR_MEMBER)
#undef RMD_ERROR_MEMBER
} rmd_error;

/* The sentence for a code ("the deadline passed first"); codes below -1000 are for programs to use
 * as they like: "an error of the program's own"; for an unknown code a sentence that says so. Never
 * NULL, static storage, any thread. */
RMD_API const char *rmd_strerror(int code);

/* The name of a code ("RMD_ETIMEDOUT"), "RMD_OK" for 0, "RMD_E?" when unknown.
 * Static storage, any thread. */
RMD_API const char *rmd_error_name(int code);

/* What was wrong with which input, for the last failed call on this thread; ""
 * when there is nothing to add. Borrowed: valid until the next call that fails on
 * this thread. Not cleared by success, so ask only after a failure. */
RMD_API const char *rmd_error_detail(void);

/* For tasks and callbacks of your own, which fail as Remuda's functions do: sets the thread's
 * detail, cut at 511 bytes, and returns code, so that one ends in `return rmd_fail(RMD_EINVAL, "row
 * %d has no key", row);`. code is negative: else RMD_EINVAL is returned for it. The arguments may
 * lie in the old detail. */
RMD_API int rmd_fail(int code, const char *format, ...) RMD_PRINTF(2, 3);

RMD_END

#endif
