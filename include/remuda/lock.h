/* SPDX-License-Identifier: MIT */
/* floor: sync */
/* Locks: one thread at a time.
 *
 *     rmd_lock *lock;
 *     err = rmd_lock_open(&lock, NULL);
 *
 *     err = rmd_lock_acquire(lock, rmd_after_ms(250));
 *     if (err == 0) {
 *         ...
 *         rmd_lock_release(lock);
 *     }
 *
 * Not reentrant: acquiring a lock that the thread holds waits for itself until the deadline. A lock
 * is given to whoever comes when it is free; but one that has waited for more than a millisecond,
 * and was woken in vain, gets it next. A fair lock is given in the order in which they came, which
 * costs a switch of threads each time it is contended.
 *
 * Where nobody else wants it, it costs one atomic operation to acquire and one to release. What
 * was written before a release is seen by the next holder. */
#ifndef REMUDA_LOCK_H
#define REMUDA_LOCK_H

#include <remuda/api.h>
#include <remuda/deadline.h>

RMD_BEGIN

typedef struct rmd_lock rmd_lock;

typedef struct rmd_lock_options {
    size_t size;      /* sizeof(rmd_lock_options), exactly: else RMD_EINVAL */
    const char *name; /* for errors; copied; NULL: "" */
    bool fair;        /* in the order of arrival */
} rmd_lock_options;

/* A new lock, free. options is borrowed and may be NULL. Errors: RMD_ENOMEM, RMD_EINVAL. Never
 * blocks. */
RMD_API int rmd_lock_open(rmd_lock **lock, const rmd_lock_options *options) RMD_NODISCARD;

/* Frees a lock. Errors: RMD_EBUSY while it is held or waited for. NULL is fine. Never blocks. */
RMD_API int rmd_lock_free(rmd_lock *lock);

/* Acquires the lock; with RMD_NOW only if it is free. Errors: RMD_ETIMEDOUT, RMD_ECANCELED (the
 * thread's stop token fired: see stop.h), RMD_EINVAL (NULL). Any thread. Blocks. */
RMD_API int rmd_lock_acquire(rmd_lock *lock, rmd_deadline deadline) RMD_NODISCARD;

/* Releases it; by the thread that acquired it. Errors: RMD_EINVAL (nobody holds it; NULL). That
 * another thread holds it is not noticed. Never blocks. */
RMD_API int rmd_lock_release(rmd_lock *lock);

RMD_END

#endif
