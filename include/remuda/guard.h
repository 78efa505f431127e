/* SPDX-License-Identifier: MIT */
/* floor: sync */
/* Guarded objects: data that can be reached only while its lock is held.
 *
 *     rmd_guard *guard;
 *     err = rmd_guard_open(&guard, sizeof(account), NULL);
 *
 *     RMD_WITH_GUARD (account *a, guard, RMD_FOREVER) {
 *         a->balance += 100;                               a is known in these braces only
 *     } else {
 *         ...                                              RMD_ECANCELED: told to stop
 *     }
 *
 * The data lies in the guard, so there is no other way to it than a pointer that an acquire gives,
 * and which is not to be kept. With a reentrant guard, functions that acquire it may call each
 * other. The lock is an ordinary one (lock.h), with the same deadlines, the same RMD_DEBUG, and
 * conditions of its own. Any thread may call any of these. */
#ifndef REMUDA_GUARD_H
#define REMUDA_GUARD_H

#include <remuda/api.h>
#include <remuda/deadline.h>
#include <remuda/lock.h>

RMD_BEGIN

typedef struct rmd_guard rmd_guard;

typedef struct rmd_guard_options {
    size_t size;                 /* sizeof(rmd_guard_options), exactly: else RMD_EINVAL */
    const char *name;            /* of its lock, for errors; copied; NULL: "" */
    bool fair;                   /* in the order of arrival */
    bool reentrant;              /* its holder may acquire it again */
    void (*destroy)(void *data); /* called by rmd_guard_free(); NULL: nothing to do */
} rmd_guard_options;

/* A guard around so many bytes, at least 1, all of them 0 and aligned as by malloc(). options is
 * copied, and may be NULL. Errors: RMD_ENOMEM, RMD_EINVAL. Never blocks. */
RMD_API int rmd_guard_open(rmd_guard **guard, size_t bytes, const rmd_guard_options *options)
    RMD_NODISCARD;

/* Calls destroy(data) and frees the guard, with the data. Errors: RMD_EBUSY while it is held or
 * waited for; then nothing was done. NULL is fine. Never blocks, if destroy() does not. */
RMD_API int rmd_guard_free(rmd_guard *guard);

/* Acquires the lock. *data, which is borrowed until the release, is the data; NULL after an error.
 * Errors: RMD_ETIMEDOUT, RMD_ECANCELED, RMD_EINVAL (NULL). Blocks. */
RMD_API int rmd_guard_acquire(rmd_guard *guard, void **data, rmd_deadline deadline) RMD_NODISCARD;

/* Releases it, as rmd_lock_release(). Errors: RMD_EINVAL. Never blocks. */
RMD_API int rmd_guard_release(rmd_guard *guard);

/* Its lock, borrowed, for conditions: rmd_condition_open(&changed, rmd_guard_lock(guard)). The data
 * may be used after a wait as before. NULL for NULL. */
RMD_API rmd_lock *rmd_guard_lock(rmd_guard *guard);

/* RMD_WITH_GUARD(type *name, guard, deadline) { held } else { not held }
 * RMD_WITH_GUARD(type *name, guard, deadline, err) { held } else { not held }
 *
 * RMD_WITH_LOCK (lock.h) of its lock, with a pointer to the data, which is NULL in the else. */
#define RMD_WITH_GUARD(...) \
    RMDI_GUARD_CHOOSE(__VA_ARGS__, RMDI_GUARD_4, RMDI_GUARD_3, )(__VA_ARGS__)

/* With RMD_DEBUG (lock.h) calls pass their place, which is borrowed for good. */
#if defined(RMD_DEBUG) && !defined(RMD_EXPLORE)
#define rmd_guard_acquire(guard, data, deadline) \
    rmd_guard_acquire_at(guard, data, deadline, RMD_HERE)
#define rmd_guard_release(guard) rmd_guard_release_at(guard, RMD_HERE)
#endif
RMD_API int rmd_guard_acquire_at(rmd_guard *guard, void **data, rmd_deadline deadline,
                                 const rmd_place *place) RMD_NODISCARD;
RMD_API int rmd_guard_release_at(rmd_guard *guard, const rmd_place *place);

/* ---- the inside of RMD_WITH_GUARD ---- */

static inline rmdi_with rmdi_with_guard(rmd_guard *guard, rmd_deadline deadline, int *error,
                                        const rmd_place *place)
{
    rmdi_with with = { NULL, NULL, place, false };
    int err = rmd_guard_acquire_at(guard, &with.data, deadline, place);
    with.lock = err < 0 ? NULL : rmd_guard_lock(guard);
    if (error)
        *error = err;
    return with;
}

#define RMDI_GUARD_CHOOSE(a, b, c, d, chosen, ...) chosen
#define RMDI_GUARD_3(declared, guard, deadline) \
    RMDI_WITH_GUARD(declared, guard, deadline, NULL, RMDI_WITH_NAME)
#define RMDI_GUARD_4(declared, guard, deadline, err) \
    RMDI_WITH_GUARD(declared, guard, deadline, &(err), RMDI_WITH_NAME)
/* The loop inside is there for its variable; what ends it ends the one around it. */
#define RMDI_WITH_GUARD(declared, guard, deadline, error, with)                 \
    RMDI_WITH_SCOPE(rmdi_with_guard(guard, deadline, error, RMDI_CALLER), with) \
    for (declared = RMDI_GUARD_DATA(with.data); !with.over; with.over = true)   \
        if (with.lock)

RMD_END

/* C++ does not make any pointer of a void pointer by itself. */
#ifdef __cplusplus
struct rmdi_guard_data {
    void *data;
    template <typename type> operator type *() const
    {
        return static_cast<type *>(data);
    }
};
#define RMDI_GUARD_DATA(p) (rmdi_guard_data{ p })
#else
#define RMDI_GUARD_DATA(p) (p)
#endif

#endif
