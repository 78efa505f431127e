/* SPDX-License-Identifier: MIT */
/* A reentrant lock is an ordinary one with its holder's identity beside it. Only the holder writes
 * `owner`: itself after it has acquired the lock, 0 before it releases it. So a thread that reads
 * its own identity there has written it and not taken it back, whatever else it may read that is
 * old: no order is needed. `levels` is read and written by the holder alone.
 *
 * Lifetime. All of this is done before the lock itself is released, which touches it last (lock.c),
 * or after it was acquired. */
#include "sync/lock_owner.h"

#include "base/error.h"
#include "sync/lock_check.h"
#include "sync/self.h"

static bool has(rmd_lock *lock, uint32_t way)
{
    return rmd_atomic_load(&lock->ways, RMD_RELAXED) & way;
}

static bool is_mine(rmd_lock *lock)
{
    return rmd_atomic_load(&lock->owner, RMD_RELAXED) == (uintptr_t)rmdi_self_id();
}

/* ---- with the lock held ---- */

static void own(rmd_lock *lock, uint32_t levels, const rmd_place *since)
{
    if (has(lock, RMDI_LOCK_REENTRANT)) {
        rmd_atomic_store(&lock->owner, (uintptr_t)rmdi_self_id(), RMD_RELAXED);
        RMD_PLAIN_SET(lock->levels, levels);
    }
    if (since || has(lock, RMDI_LOCK_CHECKED))
        rmdi_lock_check_acquired(lock, since);
}

/* Returns since where it was held, if that is known. */
static const rmd_place *disown(rmd_lock *lock)
{
    const rmd_place *since = NULL;
    if (has(lock, RMDI_LOCK_CHECKED))
        since = rmdi_lock_check_released(lock);
    if (has(lock, RMDI_LOCK_REENTRANT))
        rmd_atomic_store(&lock->owner, 0, RMD_RELAXED);
    return since;
}

static int again(rmd_lock *lock)
{
    if (RMD_PLAIN(lock->levels) == UINT32_MAX)
        return rmdi_fail(RMD_E2BIG, "the lock \"%s\" was acquired again too often", lock->name);
    RMD_PLAIN_SET(lock->levels, RMD_PLAIN(lock->levels) + 1);
    return 0;
}

/* ---- acquiring and releasing ---- */

static int fail_acquire(rmd_lock *lock, int err)
{
    char by[RMDI_LOCK_HOLDER_MAX];
    if (!has(lock, RMDI_LOCK_CHECKED))
        return rmdi_fail(err, "lock \"%s\"", lock->name);
    return rmdi_fail(err, "lock \"%s\" is held%s", lock->name, rmdi_lock_check_holder(lock, by));
}

int rmdi_lock_acquire_owned(rmd_lock *lock, rmd_deadline deadline, const rmd_place *place)
{
    if (has(lock, RMDI_LOCK_REENTRANT) && is_mine(lock))
        return again(lock);
    int err = place ? rmdi_lock_check_wanted(lock, deadline, place) : 0;
    if (err < 0)
        return err;
    err = rmdi_lock_acquire(&lock->lock, deadline);
    if (err < 0)
        return fail_acquire(lock, err);
    own(lock, 1, place);
    return 0;
}

/* May the calling thread release it, as far as is known? */
static int check_holder(rmd_lock *lock, const char *what, const rmd_place *place)
{
    if (!rmdi_lock_is_held(&lock->lock))
        return rmdi_fail(RMD_EINVAL, "%s: the lock \"%s\" is not held", what, lock->name);
    int err = place ? rmdi_lock_check_mine(lock, what, place) : 0;
    if (err == 0 && has(lock, RMDI_LOCK_REENTRANT) && !is_mine(lock))
        err = rmdi_fail(RMD_EINVAL, "%s: another thread holds the lock \"%s\"", what, lock->name);
    return err;
}

int rmdi_lock_release_owned(rmd_lock *lock, const rmd_place *place)
{
    int err = check_holder(lock, "release", place);
    if (err < 0)
        return err;
    if (has(lock, RMDI_LOCK_REENTRANT)) {
        RMD_PLAIN_SET(lock->levels, RMD_PLAIN(lock->levels) - 1);
        if (RMD_PLAIN(lock->levels) > 0)
            return 0;
    }
    disown(lock);
    rmdi_lock_release(&lock->lock);
    return 0;
}

/* ---- around a wait ---- */

int rmdi_lock_put_down(rmd_lock *lock, const rmd_place *place, rmdi_lock_kept *kept)
{
    int err = check_holder(lock, "wait", place);
    if (err == 0 && place)
        err = rmdi_lock_check_wanted_back(lock, place);
    if (err < 0)
        return err;
    kept->levels = has(lock, RMDI_LOCK_REENTRANT) ? RMD_PLAIN(lock->levels) : 0;
    kept->since = disown(lock);
    return 0;
}

void rmdi_lock_take_up(rmd_lock *lock, const rmdi_lock_kept *kept)
{
    own(lock, kept->levels, kept->since);
}
