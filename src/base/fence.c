/* SPDX-License-Identifier: MIT */
#include "base/fence.h"

#include "port/membarrier.h"

#ifdef RMD_EXPLORE
__attribute__((section("rmdi_statics"))) /* as RMD_STATIC */
#endif
rmd_atomic(uint32_t) rmdi_fence_kind;

void rmdi_fence_prepare(void)
{
    if (rmd_atomic_load(&rmdi_fence_kind, RMD_RELAXED) != RMDI_FENCE_UNKNOWN)
        return;
    uint32_t kind = rmdi_membarrier_register() ? RMDI_FENCE_BY_KERNEL : RMDI_FENCE_ORDINARY;
    /* Relaxed: whoever reads it needs the value only. Several threads come to the same answer. */
    rmd_atomic_store(&rmdi_fence_kind, kind, RMD_RELAXED);
}

/* The name is in parentheses because the explorer's build has a macro of that name. */
void(rmdi_fence_heavy)(void)
{
    rmdi_fence_prepare();
    rmd_fence(RMD_SEQ_CST);
    if (rmd_atomic_load(&rmdi_fence_kind, RMD_RELAXED) == RMDI_FENCE_BY_KERNEL)
        rmdi_membarrier();
}
