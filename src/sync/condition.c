/* SPDX-License-Identifier: MIT */
/* A waiter enters the list before it releases the lock, so whoever changes something under the
 * lock afterwards, and then notifies, finds it. The notifier looks first at the number of those
 * who wait, without entering the list: it has held the lock after them (else they will see what it
 * has changed), so it sees that they came.
 *
 * Only a notification ends a wait with 0, and one that comes at the moment of the deadline or of
 * a stop either finds the waiter still waiting, which then returns 0, or goes to the next
 * (waiter.c). */
#include "sync/condition.h"

#include "base/alloc.h"
#include "base/error.h"
#include "sync/lock_owner.h"

int rmdi_condition_wait(rmdi_condition *condition, rmdi_lock *lock, rmd_deadline deadline)
{
    rmdi_waiter waiter;
    rmdi_wait wait;
    rmdi_waiter_init(&waiter, true);
    rmdi_wait_list_enter(&condition->waits);
    rmdi_wait_list_add(&condition->waits, &wait, &waiter, 0);
    rmdi_wait_list_leave(&condition->waits);
    rmdi_lock_release(lock);
    int err = rmdi_waiter_sleep(&waiter, deadline);
    rmdi_lock_enter(lock);
    /* Only now: the condition is busy until we hold the lock, so that whoever has freed it may free
     * the lock, too. */
    rmdi_wait_list_remove(&condition->waits, &wait);
    return err;
}

void rmdi_condition_notify_one(rmdi_condition *condition)
{
    if (rmdi_wait_list_waits(&condition->waits)) /* often not: spare the brief lock */
        rmdi_wake_one(&condition->waits);
}

void rmdi_condition_notify_all(rmdi_condition *condition)
{
    if (rmdi_wait_list_waits(&condition->waits))
        rmdi_wake_all(&condition->waits);
}

/* ---- the public condition ---- */

int rmd_condition_open(rmd_condition **condition, rmd_lock *lock)
{
    if (!condition)
        return rmdi_fail(RMD_EINVAL, "condition: no place for it was given");
    *condition = NULL;
    if (!lock)
        return rmdi_fail(RMD_EINVAL, "condition: it needs a lock");
    rmd_condition *c = rmdi_alloc_zeroed(sizeof *c);
    if (!c)
        return rmdi_fail_memory();
    c->lock = lock;
    *condition = c;
    return 0;
}

int rmd_condition_wait(rmd_condition *condition, rmd_deadline deadline)
{
    return rmd_condition_wait_at(condition, deadline, NULL);
}

int rmd_condition_wait_at(rmd_condition *condition, rmd_deadline deadline, const rmd_place *place)
{
    if (!condition)
        return rmdi_fail(RMD_EINVAL, "wait: no condition was given");
    rmdi_lock_kept kept;
    rmd_lock *lock = condition->lock;
    int err = rmdi_lock_put_down(lock, place, &kept);
    if (err < 0)
        return err;
    err = rmdi_condition_wait(&condition->condition, &lock->lock, deadline);
    rmdi_lock_take_up(lock, &kept);
    return err < 0 ? rmdi_fail(err, "no notification, of the lock \"%s\"", lock->name) : 0;
}

int rmd_condition_notify_one(rmd_condition *condition)
{
    if (!condition)
        return rmdi_fail(RMD_EINVAL, "notify: no condition was given");
    rmdi_condition_notify_one(&condition->condition);
    return 0;
}

int rmd_condition_notify_all(rmd_condition *condition)
{
    if (!condition)
        return rmdi_fail(RMD_EINVAL, "notify: no condition was given");
    rmdi_condition_notify_all(&condition->condition);
    return 0;
}

int rmd_condition_free(rmd_condition *condition)
{
    if (condition && rmdi_wait_list_busy(&condition->condition.waits))
        return rmdi_fail(RMD_EBUSY, "a thread waits for the condition");
    rmdi_free(condition);
    return 0;
}
