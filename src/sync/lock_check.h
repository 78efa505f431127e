/* SPDX-License-Identifier: MIT */
/* Finds wrong use of locks: see RMD_DEBUG in <remuda/lock.h>. A lock is checked from its first use
 * with a place on. None of these waits for anything but the others of these. */
#ifndef RMDI_SYNC_LOCK_CHECK_H
#define RMDI_SYNC_LOCK_CHECK_H

#include "sync/lock.h"

enum { RMDI_LOCK_HOLDER_MAX = 192 };

/* The calling thread is about to acquire it, and does not hold it if it is reentrant. RMD_EDEADLK,
 * with a detail and reported, if that must not wait. Remembers the order. */
int rmdi_lock_check_wanted(rmd_lock *lock, rmd_deadline deadline, const rmd_place *place)
    RMD_NODISCARD;

/* It is about to wait for a condition of a lock that it holds, and which it will wait for again,
 * whatever the deadline. The same. */
int rmdi_lock_check_wanted_back(rmd_lock *lock, const rmd_place *place) RMD_NODISCARD;

/* It has acquired it; NULL: at a place that is not known. */
void rmdi_lock_check_acquired(rmd_lock *lock, const rmd_place *since);

/* It is about to release a checked lock. Returns since where it was held; NULL: not known. */
const rmd_place *rmdi_lock_check_released(rmd_lock *lock);

/* RMD_EINVAL, with a detail and reported, if another thread is known to hold it. */
int rmdi_lock_check_mine(rmd_lock *lock, const char *what, const rmd_place *place) RMD_NODISCARD;

/* Writes ` by NAME since PLACE`, or "" when that is not known, into text, and returns it. */
const char *rmdi_lock_check_holder(rmd_lock *lock, char text[RMDI_LOCK_HOLDER_MAX]);

/* The lock is about to be freed. */
void rmdi_lock_check_forget(rmd_lock *lock);

#endif
