/* SPDX-License-Identifier: MIT */
/* The inside of a reader-writer lock: see <remuda/rwlock.h>. rmdi_rwlock is embedded where others
 * need one; zeroed is free. Not reentrant. */
#ifndef RMDI_SYNC_RWLOCK_H
#define RMDI_SYNC_RWLOCK_H

#include "sync/spin.h"
#include "sync/waiter.h"

#include <remuda/rwlock.h>

enum { RMDI_RWLOCK_READERS_MAX = 1 << 26 }; /* so many hold it: no more come; see rwlock.c */

typedef struct rmdi_rwlock {
    rmd_atomic(uint32_t) word; /* bits, and the number of readers: see rwlock.c; 0 is free */
    rmdi_spin spin;
    rmdi_wait_list writers; /* its brief lock is the one of both lists */
    rmdi_wait_list readers;
} rmdi_rwlock;

struct rmd_rwlock {
    rmdi_rwlock lock;
    char name[]; /* "" when it has none */
};

/* 0, RMD_ETIMEDOUT, RMD_ECANCELED, or to read RMD_E2BIG, without a detail. Block. */
int rmdi_rwlock_acquire_read(rmdi_rwlock *lock, rmd_deadline deadline) RMD_NODISCARD;
int rmdi_rwlock_acquire_write(rmdi_rwlock *lock, rmd_deadline deadline) RMD_NODISCARD;

/* Releases what the calling thread holds. After it the memory of the lock is not used any more if
 * nobody else holds it or waits for it. False: nobody held it. Never blocks. */
bool rmdi_rwlock_release(rmdi_rwlock *lock);

/* Makes the writer a reader. False: there is no writer. Never blocks. */
bool rmdi_rwlock_downgrade(rmdi_rwlock *lock);

/* Does somebody hold it, or wait for it? For whoever is about to free its memory. */
bool rmdi_rwlock_busy(rmdi_rwlock *lock);

#endif
