/* SPDX-License-Identifier: MIT */
/* A pair of fences of which one costs next to nothing, and the other some microseconds: for two
 * sides of which one is passed all the time, and the other only by who is about to go to sleep.
 *
 *     store(published); rmdi_fence_light(); load(asleep)
 *     store(asleep);    rmdi_fence_heavy(); load(published)
 *
 * At least one of the two loads sees the other's store, as if both fences were sequentially
 * consistent ones. Two light fences order nothing.
 *
 * Why: the heavy fence makes every thread pass a full barrier at some moment while it lasts. If the
 * other thread's store comes before that moment, our load sees it. If it comes after, so does its
 * load, which then sees our store. The light one only keeps the compiler from moving the load
 * before the store. Where the kernel cannot do that, both are ordinary fences.
 *
 * Source: M. Desnoyers, membarrier(2) and liburcu; D. Dice, H. Huang, M. Yang, "Asymmetric Dekker
 * Synchronization", 2001. */
#ifndef RMDI_BASE_FENCE_H
#define RMDI_BASE_FENCE_H

#include <remuda/atomics.h>

enum { RMDI_FENCE_UNKNOWN, RMDI_FENCE_BY_KERNEL, RMDI_FENCE_ORDINARY };

/* Changes once, from UNKNOWN; a light fence is an ordinary one until then. */
extern rmd_atomic(uint32_t) rmdi_fence_kind;

/* Finds out what the kernel can do, so that light fences are light from now on. */
void rmdi_fence_prepare(void);

static inline void rmdi_fence_light(void)
{
    if (__builtin_expect(rmd_atomic_load(&rmdi_fence_kind, RMD_RELAXED) == RMDI_FENCE_BY_KERNEL, 1))
#ifdef RMD_EXPLORE
        ; /* really nothing: the model of memory may do the load first */
#else
        __asm__ volatile("" ::: "memory");
#endif
    else
        rmd_fence(RMD_SEQ_CST);
}

void rmdi_fence_heavy(void);

#ifdef RMD_EXPLORE
/* The place of the call is one of the door's, too. */
#define rmdi_fence_heavy() (rmdi_explore_here(RMDI_SITE("fence heavy", "")), (rmdi_fence_heavy)())
#endif

#endif
