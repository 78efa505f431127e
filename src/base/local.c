/* SPDX-License-Identifier: MIT */
#include "base/local.h"

/* Never inlined, so that no compiler keeps the address over a switch of context. */
__attribute__((noinline)) void **rmdi_local(void)
{
    static _Thread_local void *local[RMDI_LOCAL_POINTERS];
    __asm__ volatile(""); /* not to be merged with an earlier call, either */
    return local;
}
