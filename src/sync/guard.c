/* SPDX-License-Identifier: MIT */
/* The lock is one of the public ones, so that conditions can belong to it. Whoever may free the
 * guard has held the lock last or learned from those who have, as with any lock; so destroy() sees
 * the data as they left it. */
#include "sync/lock.h" /* first: see there, RMD_DEBUG */

#include "base/alloc.h"
#include "base/error.h"
#include "sync/lock_check.h"

#include <remuda/guard.h>
#include <stdalign.h>

struct rmd_guard {
    rmd_lock *lock;
    void (*destroy)(void *data);
    alignas(max_align_t) unsigned char data[];
};

static const rmd_guard_options defaults = { .size = sizeof defaults };

static int check_arguments(rmd_guard **guard, size_t bytes, const rmd_guard_options *options)
{
    if (!guard)
        return rmdi_fail(RMD_EINVAL, "guard: no place for the guard was given");
    *guard = NULL;
    if (options && options->size != sizeof *options)
        return rmdi_fail(RMD_EINVAL, "guard: options of size %zu, not %zu", options->size,
                         sizeof *options);
    if (bytes == 0)
        return rmdi_fail(RMD_EINVAL, "guard: it needs at least one byte to guard");
    return 0;
}

int rmd_guard_open(rmd_guard **guard, size_t bytes, const rmd_guard_options *options)
{
    int err = check_arguments(guard, bytes, options);
    if (err < 0)
        return err;
    const rmd_guard_options *o = options ? options : &defaults;
    rmd_guard *g = bytes <= SIZE_MAX - sizeof *g ? rmdi_alloc_zeroed(sizeof *g + bytes) : NULL;
    if (!g)
        return rmdi_fail_memory();
    rmd_lock_options lock = {
        .size = sizeof lock, .name = o->name, .fair = o->fair, .reentrant = o->reentrant
    };
    err = rmd_lock_open(&g->lock, &lock);
    if (err < 0) {
        rmdi_free(g);
        return err;
    }
    g->destroy = o->destroy;
    *guard = g;
    return 0;
}

static int refuse_busy(rmd_lock *lock)
{
    char by[RMDI_LOCK_HOLDER_MAX];
    return rmdi_fail(RMD_EBUSY, "the lock \"%s\" is held%s or waited for", lock->name,
                     rmdi_lock_check_holder(lock, by));
}

int rmd_guard_free(rmd_guard *guard)
{
    if (!guard)
        return 0;
    if (rmdi_lock_busy(&guard->lock->lock)) /* perhaps no more now: it is for the next call */
        return refuse_busy(guard->lock);
    if (guard->destroy)
        guard->destroy(guard->data);
    int err = rmd_lock_free(guard->lock);
    if (err == 0)
        rmdi_free(guard);
    return err;
}

int rmd_guard_acquire(rmd_guard *guard, void **data, rmd_deadline deadline)
{
    return rmd_guard_acquire_at(guard, data, deadline, NULL);
}

int rmd_guard_acquire_at(rmd_guard *guard, void **data, rmd_deadline deadline,
                         const rmd_place *place)
{
    if (data)
        *data = NULL;
    if (!guard || !data)
        return rmdi_fail(RMD_EINVAL, "acquire: it needs a guard, and a place for its data");
    int err = rmd_lock_acquire_at(guard->lock, deadline, place);
    if (err == 0)
        *data = guard->data;
    return err;
}

int rmd_guard_release(rmd_guard *guard)
{
    return rmd_guard_release_at(guard, NULL);
}

int rmd_guard_release_at(rmd_guard *guard, const rmd_place *place)
{
    if (!guard)
        return rmdi_fail(RMD_EINVAL, "release: no guard was given");
    return rmd_lock_release_at(guard->lock, place);
}

rmd_lock *rmd_guard_lock(rmd_guard *guard)
{
    return guard ? guard->lock : NULL;
}
