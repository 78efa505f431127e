/* SPDX-License-Identifier: MIT */
/* Vector clocks: what each thread knows of every other thread's past. */
#ifndef RMDI_EXPLORE_VCLOCK_H
#define RMDI_EXPLORE_VCLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum { RMDI_FIBERS_MAX = 16 };

/* at[t]: up to which of its own times thread t is known. Times begin at 1; 0: nothing. */
typedef struct rmdi_vclock {
    uint32_t at[RMDI_FIBERS_MAX];
} rmdi_vclock;

static inline void rmdi_vclock_join(rmdi_vclock *to, const rmdi_vclock *from)
{
    for (int i = 0; i < RMDI_FIBERS_MAX; i++)
        to->at[i] = to->at[i] > from->at[i] ? to->at[i] : from->at[i];
}

/* Did what thread t did at this time happen before whatever has this clock? */
static inline bool rmdi_vclock_covers(const rmdi_vclock *clock, unsigned thread, uint32_t time)
{
    return time <= clock->at[thread];
}

#endif
