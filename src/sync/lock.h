/* SPDX-License-Identifier: MIT */
/* The inside of a lock: see <remuda/lock.h>. rmdi_lock is embedded where others need one; zeroed
 * is free. Not reentrant; what an rmd_lock has besides is in lock_owner.h. */
#ifndef RMDI_SYNC_LOCK_H
#define RMDI_SYNC_LOCK_H

#include "sync/spin.h"
#include "sync/waiter.h"

#undef RMD_DEBUG /* for those who use locks: here, where they are made, the names are functions */
#include <remuda/lock.h>

enum { RMDI_LOCK_REENTRANT = 1, RMDI_LOCK_CHECKED = 2 }; /* the second may come at any time */

typedef struct rmdi_lock {
    rmd_atomic(uint32_t) word; /* bits: see lock.c; 0 is free */
    rmdi_spin spin;
    rmdi_wait_list waits;
    bool fair; /* set before use */
} rmdi_lock;

struct rmd_lock {
    rmdi_lock lock;
    rmd_atomic(uint32_t) ways;    /* RMDI_LOCK_… bits; 0: all that it needs is above */
    uint32_t levels;              /* reentrant: how often its holder has it; the holder's own */
    rmd_atomic(uintptr_t) owner;  /* reentrant: the holder's rmdi_self_id(); 0: nobody */
    struct rmdi_lock_node *known; /* checked: see lock_check.c */
    char name[];                  /* "" when it has none */
};

/* 0, RMD_ETIMEDOUT when the deadline passed first, RMD_ECANCELED when the thread's stop token
 * fired; no detail. Blocks. */
int rmdi_lock_acquire(rmdi_lock *lock, rmd_deadline deadline) RMD_NODISCARD;

/* Acquires without a limit, and whatever the stop token says: for sections that never block, so
 * that the wait is bounded by the work of others. */
void rmdi_lock_enter(rmdi_lock *lock);

/* By the thread that holds it. Never blocks. After it the memory of the lock is not used any more
 * if nobody waits for it. False: nobody held it. */
bool rmdi_lock_release(rmdi_lock *lock);

/* Does somebody hold it? A hint for others than the holder. */
bool rmdi_lock_is_held(rmdi_lock *lock);

/* Does somebody hold it, or wait for it? For whoever is about to free its memory. */
bool rmdi_lock_busy(rmdi_lock *lock);

#endif
