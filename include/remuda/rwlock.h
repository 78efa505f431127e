/* SPDX-License-Identifier: MIT */
/* floor: sync */
/* Reader-writer locks: several threads that read, or one that writes.
 *
 *     err = rmd_rwlock_open(&lock, NULL);
 *
 *     RMD_WITH_READ (lock, RMD_FOREVER) {
 *         ...                                              others may be reading, too
 *     }
 *     RMD_WITH_WRITE (lock, rmd_after_ms(250)) {
 *         ...                                              nobody else holds it, until here
 *     } else {
 *         ...                                              it could not be had in time
 *     }
 *
 * A writer that waits lets no new readers join those that have the lock, and after a writer come
 * the readers that wait; so neither starves the other. A lock that is free goes to whoever comes.
 * But when one that waits has been woken in vain, and has waited for more than a millisecond or was
 * so four times, the next release hands the lock to those whose turn it is, the first writer or all
 * readers, and nobody overtakes them. Who was woken waits in front of who was not. A writer that
 * gives up lets those readers in that it has held back.
 *
 * Not reentrant: a thread that writes and acquires it again waits for itself, and one that reads
 * may, if a writer waits, until the deadline. Reading cannot be turned into writing: release, and
 * acquire to write, and look again what has changed meanwhile.
 *
 * Where nobody else wants it, it costs one atomic operation to acquire and one to release. All
 * readers count in one place, so for sections of less than a microsecond that several processors
 * read all the time it is no faster than a lock (lock.h). What was written before a release is seen
 * by the next holders. */
#ifndef REMUDA_RWLOCK_H
#define REMUDA_RWLOCK_H

#include <remuda/api.h>
#include <remuda/deadline.h>
#include <remuda/lock.h>

RMD_BEGIN

typedef struct rmd_rwlock rmd_rwlock;

typedef struct rmd_rwlock_options {
    size_t size;      /* sizeof(rmd_rwlock_options), exactly: else RMD_EINVAL */
    const char *name; /* for errors; copied; NULL: "" */
} rmd_rwlock_options;

/* A new lock, free. options is borrowed and may be NULL. Errors: RMD_ENOMEM, RMD_EINVAL. Never
 * blocks. */
RMD_API int rmd_rwlock_open(rmd_rwlock **lock, const rmd_rwlock_options *options) RMD_NODISCARD;

/* Frees a lock. Errors: RMD_EBUSY while it is held or waited for. NULL is fine. Never blocks. */
RMD_API int rmd_rwlock_free(rmd_rwlock *lock);

/* Acquire it to read, beside others, or to write, alone; with RMD_NOW only if that needs no wait.
 * Errors: RMD_ETIMEDOUT, RMD_ECANCELED (the thread's stop token fired: see stop.h), RMD_EINVAL
 * (NULL), RMD_E2BIG (to read, when it has been acquired 67,108,864 times and not released). Any
 * thread. Block. */
RMD_API int rmd_rwlock_acquire_read(rmd_rwlock *lock, rmd_deadline deadline) RMD_NODISCARD;
RMD_API int rmd_rwlock_acquire_write(rmd_rwlock *lock, rmd_deadline deadline) RMD_NODISCARD;

/* By the thread that writes: from now on it reads, and so do the readers that wait; no writer comes
 * in between. It is released once, as before. Errors: RMD_EINVAL (no writer holds it; NULL). Never
 * blocks. */
RMD_API int rmd_rwlock_downgrade(rmd_rwlock *lock);

/* Releases it, whether it was acquired to read or to write; by the thread that acquired it. Errors:
 * RMD_EINVAL (nobody holds it; NULL). That others hold it, and the thread does not, is not
 * noticed. Never blocks. */
RMD_API int rmd_rwlock_release(rmd_rwlock *lock);

/* ---- scoped use ---- */

/* RMD_WITH_READ(lock, deadline) { held } else { not held }, or (lock, deadline, err); the same with
 * RMD_WITH_WRITE. As RMD_WITH_LOCK, of which lock.h says it all. */
#define RMD_WITH_READ(...) \
    RMDI_WITH_CHOOSE(__VA_ARGS__, RMDI_WITH_READ_3, RMDI_WITH_READ_2, )(__VA_ARGS__)
#define RMD_WITH_WRITE(...) \
    RMDI_WITH_CHOOSE(__VA_ARGS__, RMDI_WITH_WRITE_3, RMDI_WITH_WRITE_2, )(__VA_ARGS__)

typedef struct rmdi_with_rwlock {
    rmd_rwlock *lock; /* NULL: not acquired */
    bool over;
} rmdi_with_rwlock;

static inline rmdi_with_rwlock rmdi_with_rwlock_begin(rmd_rwlock *lock, int err, int *error)
{
    rmdi_with_rwlock with = { err < 0 ? NULL : lock, false };
    if (error)
        *error = err;
    return with;
}

static inline rmdi_with_rwlock rmdi_with_read(rmd_rwlock *lock, rmd_deadline deadline, int *error)
{
    return rmdi_with_rwlock_begin(lock, rmd_rwlock_acquire_read(lock, deadline), error);
}

static inline rmdi_with_rwlock rmdi_with_write(rmd_rwlock *lock, rmd_deadline deadline, int *error)
{
    return rmdi_with_rwlock_begin(lock, rmd_rwlock_acquire_write(lock, deadline), error);
}

static inline void rmdi_with_rwlock_end(rmdi_with_rwlock *with)
{
    if (with->lock)
        rmd_rwlock_release(with->lock);
}

#define RMDI_WITH_READ_2(lock, deadline) \
    RMDI_WITH_RWLOCK(rmdi_with_read(lock, deadline, NULL), RMDI_WITH_NAME)
#define RMDI_WITH_READ_3(lock, deadline, err) \
    RMDI_WITH_RWLOCK(rmdi_with_read(lock, deadline, &(err)), RMDI_WITH_NAME)
#define RMDI_WITH_WRITE_2(lock, deadline) \
    RMDI_WITH_RWLOCK(rmdi_with_write(lock, deadline, NULL), RMDI_WITH_NAME)
#define RMDI_WITH_WRITE_3(lock, deadline, err) \
    RMDI_WITH_RWLOCK(rmdi_with_write(lock, deadline, &(err)), RMDI_WITH_NAME)
#define RMDI_WITH_RWLOCK(begin, with)                                                    \
    for (__attribute__((cleanup(rmdi_with_rwlock_end))) rmdi_with_rwlock with = (begin); \
         !with.over; with.over = true)                                                   \
        if (with.lock)

RMD_END

#endif
