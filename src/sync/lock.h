/* SPDX-License-Identifier: MIT */
/* A lock for short critical sections: one word, parks when it must wait. Not
 * reentrant, not fair. Zeroed is unlocked. */
#ifndef RMDI_SYNC_LOCK_H
#define RMDI_SYNC_LOCK_H

#include "base/atomics.h"

#include <remuda/deadline.h>

typedef struct rmdi_lock {
    rmd_atomic(uint32_t) word; /* 0 free, 1 held, 2 held and somebody may be parked */
} rmdi_lock;

/* 0, or RMD_ETIMEDOUT when the deadline passed first. Blocks. */
int rmdi_lock_acquire(rmdi_lock *lock, rmd_deadline deadline) RMD_NODISCARD;

/* Acquires without a limit: for sections that never block, so that the wait is
 * bounded by the work of others. */
void rmdi_lock_enter(rmdi_lock *lock);

/* By the thread that holds it. Never blocks. */
void rmdi_lock_release(rmdi_lock *lock);

#endif
