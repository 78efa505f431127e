/* SPDX-License-Identifier: MIT */
/* A condition: waiting, under a lock, until another thread has changed something.
 * Zeroed is ready for use. */
#ifndef RMDI_SYNC_CONDITION_H
#define RMDI_SYNC_CONDITION_H

#include "sync/lock.h"

typedef struct rmdi_condition {
    rmd_atomic(uint32_t) changes;
    uint32_t waiters; /* guarded by the lock */
} rmdi_condition;

/* Releases the lock, waits for a notification, acquires the lock again. 0, perhaps
 * without a notification: test what you wait for in a loop. RMD_ETIMEDOUT when the
 * deadline passed; the lock is held then, too. */
int rmdi_condition_wait(rmdi_condition *condition, rmdi_lock *lock, rmd_deadline deadline)
    RMD_NODISCARD;

/* Wakes everybody who waits. Call it with the lock held. Never blocks. */
void rmdi_condition_notify_all(rmdi_condition *condition);

#endif
