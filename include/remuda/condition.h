/* SPDX-License-Identifier: MIT */
/* floor: sync */
/* Conditions: waiting, with a lock held, until another thread has changed what the lock guards.
 *
 *     err = rmd_condition_open(&not_empty, lock);
 *
 *     err = rmd_lock_acquire(lock, deadline);
 *     while (err == 0 && stack_is_empty()) {
 *         err = rmd_condition_wait(not_empty, deadline);     the lock is held again, whatever err
 *     }
 *
 * and the other side: acquire, push, release, rmd_condition_notify_one(not_empty).
 *
 * Each condition belongs to one lock, and a lock may have several. A wait returns 0 only for a
 * notification, never for no reason; but between that and the lock another thread may have been
 * faster, so look again, in a loop. */
#ifndef REMUDA_CONDITION_H
#define REMUDA_CONDITION_H

#include <remuda/api.h>
#include <remuda/deadline.h>
#include <remuda/lock.h>

RMD_BEGIN

typedef struct rmd_condition rmd_condition;

/* A new condition of a lock, which is borrowed: free the condition first. Errors: RMD_ENOMEM,
 * RMD_EINVAL. Never blocks. */
RMD_API int rmd_condition_open(rmd_condition **condition, rmd_lock *lock) RMD_NODISCARD;

/* Frees a condition. Errors: RMD_EBUSY while a thread waits for it, also one that was notified and
 * does not hold the lock again yet. NULL is fine. Never blocks. */
RMD_API int rmd_condition_free(rmd_condition *condition);

/* With the lock held: releases it, waits for a notification, acquires it again. It is held on every
 * return; getting it back may take longer than the deadline says, as long as others hold it. A
 * reentrant lock is released wholly, and then held as often as before. Errors: RMD_ETIMEDOUT,
 * RMD_ECANCELED (the thread's stop token fired: see stop.h), RMD_EINVAL (NULL; the lock is not
 * held, or it is reentrant and another thread holds it). A notification that comes together with
 * one of the first two counts, and goes to another waiter or makes this one return 0. Blocks. */
RMD_API int rmd_condition_wait(rmd_condition *condition, rmd_deadline deadline) RMD_NODISCARD;

/* Wakes the one that has waited longest, or everybody; nobody, if nobody waits. Change what they
 * wait for with the lock held; it may be released before. Errors: RMD_EINVAL (NULL). Any thread.
 * Never blocks. */
RMD_API int rmd_condition_notify_one(rmd_condition *condition);
RMD_API int rmd_condition_notify_all(rmd_condition *condition);

/* With RMD_DEBUG (lock.h) a wait passes its place, too. RMD_EDEADLK: the thread holds other locks
 * under which this one, which it would acquire again, must not be acquired. */
#if defined(RMD_DEBUG) && !defined(RMD_EXPLORE)
#define rmd_condition_wait(condition, deadline) rmd_condition_wait_at(condition, deadline, RMD_HERE)
#endif
RMD_API int rmd_condition_wait_at(rmd_condition *condition, rmd_deadline deadline,
                                  const rmd_place *place) RMD_NODISCARD;

RMD_END

#endif
