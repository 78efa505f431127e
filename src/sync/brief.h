/* SPDX-License-Identifier: MIT */
/* The lock below all others: it guards a list of waiters, and the state that goes with it. For
 * sections of a few instructions with no user code and nothing that sleeps inside: so it has no
 * deadline, and who waits for it cannot be told to stop. Nor another brief lock, but for that of a
 * stop token, inside of which there is none. Not reentrant, not fair. Zeroed is free.
 *
 * Leaving it touches the lock once, and after that uses its address only. So whoever has entered
 * it last may free the memory that it lies in. */
#ifndef RMDI_SYNC_BRIEF_H
#define RMDI_SYNC_BRIEF_H

#include <remuda/atomics.h>

typedef struct rmdi_brief {
    rmd_atomic(uint32_t) word; /* 0 free, 1 held, 2 held and somebody may be parked */
} rmdi_brief;

void rmdi_brief_enter(rmdi_brief *brief);
void rmdi_brief_leave(rmdi_brief *brief);

#endif
