/* SPDX-License-Identifier: MIT */
/* A counter of changes: a waiter reads it under the lock and parks while it stays the
 * same. A notification after the read changes it, so the kernel refuses to park: no
 * wake-up is lost. (2^32 notifications between the read and the park would be.) */
#include "sync/condition.h"

#include "base/park.h"

int rmdi_condition_wait(rmdi_condition *condition, rmdi_lock *lock, rmd_deadline deadline)
{
    /* Relaxed: notifiers that matter hold or held the lock after us, and the kernel
     * compares the word atomically. */
    uint32_t seen = rmd_atomic_load(&condition->changes, RMD_RELAXED);
    condition->waiters++;
    rmdi_lock_release(lock);
    int err = rmdi_park(&condition->changes, seen, deadline);
    rmdi_lock_enter(lock);
    condition->waiters--;
    return err;
}

void rmdi_condition_notify_all(rmdi_condition *condition)
{
    if (!condition->waiters) /* the common case, without a system call */
        return;
    rmd_atomic_add(&condition->changes, 1, RMD_RELAXED);
    rmdi_unpark_all(&condition->changes);
}
