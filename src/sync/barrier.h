/* SPDX-License-Identifier: MIT */
/* The inside of a barrier: see <remuda/barrier.h>. rmdi_barrier is embedded where others need one;
 * zeroed but for `parties` nobody has arrived. */
#ifndef RMDI_SYNC_BARRIER_H
#define RMDI_SYNC_BARRIER_H

#include "sync/waiter.h"

#include <remuda/barrier.h>

typedef struct rmdi_barrier {
    rmdi_wait_list waits; /* its brief lock guards what follows */
    uint64_t round;       /* how many are complete */
    uint32_t parties;     /* set before use */
    uint32_t arrived;     /* in this round */
    bool closed;
} rmdi_barrier;

struct rmd_barrier {
    rmdi_barrier barrier;
};

/* As the public ones, without a detail. Waiting and closing return an error or not. */
int rmdi_barrier_wait(rmdi_barrier *b, rmd_deadline deadline) RMD_NODISCARD;
int rmdi_barrier_close(rmdi_barrier *b);

/* Is somebody there? For whoever is about to free its memory: if not, nobody uses it any more. */
bool rmdi_barrier_busy(rmdi_barrier *b);

#endif
