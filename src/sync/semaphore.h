/* SPDX-License-Identifier: MIT */
/* The inside of a semaphore: see <remuda/semaphore.h>. rmdi_semaphore is embedded where others need
 * one; zeroed has no permits and no limit. */
#ifndef RMDI_SYNC_SEMAPHORE_H
#define RMDI_SYNC_SEMAPHORE_H

#include "sync/spin.h"
#include "sync/waiter.h"

#include <remuda/semaphore.h>

typedef struct rmdi_semaphore {
    rmd_atomic(uint32_t) word; /* the permits, and a bit: see semaphore.c */
    rmdi_spin spin;
    rmdi_wait_list line;
    uint32_t count_max; /* 0: RMD_SEMAPHORE_MAX; set before use */
} rmdi_semaphore;

struct rmd_semaphore {
    rmdi_semaphore semaphore;
    char name[]; /* "" when it has none */
};

/* n permits, of which there are at least so many: 0, RMD_ETIMEDOUT or RMD_ECANCELED, without a
 * detail. Blocks. */
int rmdi_semaphore_acquire(rmdi_semaphore *s, uint32_t n, rmd_deadline deadline) RMD_NODISCARD;

/* False: there would be more than count_max; nothing is released. After it the semaphore is not
 * used any more if nobody is in line. */
bool rmdi_semaphore_release(rmdi_semaphore *s, uint32_t n);

uint32_t rmdi_semaphore_value(const rmdi_semaphore *s);

/* Is somebody in line? For whoever is about to free its memory: if not, nobody who has acquired or
 * released uses it any more. */
bool rmdi_semaphore_busy(rmdi_semaphore *s);

#endif
