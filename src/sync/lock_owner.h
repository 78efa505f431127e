/* SPDX-License-Identifier: MIT */
/* Locks that know who holds them: reentrant ones, and those that are checked (lock_check.h). */
#ifndef RMDI_SYNC_LOCK_OWNER_H
#define RMDI_SYNC_LOCK_OWNER_H

#include "sync/lock.h"

/* What a wait for a condition keeps of the lock that it gives away. */
typedef struct rmdi_lock_kept {
    uint32_t levels;
    const rmd_place *since;
} rmdi_lock_kept;

/* As the public ones, of any lock; place is NULL for a caller that has none. */
int rmdi_lock_acquire_owned(rmd_lock *lock, rmd_deadline deadline, const rmd_place *place)
    RMD_NODISCARD;
int rmdi_lock_release_owned(rmd_lock *lock, const rmd_place *place);

/* Around a wait that releases lock->lock and acquires it again: makes it nobody's, although it is
 * still held, and makes it the calling thread's again, as often as before. Errors: RMD_EINVAL (the
 * thread does not hold it), RMD_EDEADLK (lock_check.h); then nothing has changed. Never block. */
int rmdi_lock_put_down(rmd_lock *lock, const rmd_place *place, rmdi_lock_kept *kept) RMD_NODISCARD;
void rmdi_lock_take_up(rmd_lock *lock, const rmdi_lock_kept *kept);

#endif
