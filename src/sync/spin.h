/* SPDX-License-Identifier: MIT */
/* Waiting awake for a little while before going to sleep, as long as that has been of use.
 *
 * Few looks with growing pauses: a look takes the cache line from whoever works with it, which
 * costs them about 100 ns. All of it is 10 to 20 us: longer than that, sleeping is cheaper. Where
 * it has been in vain RMDI_SPIN_MISSES_MAX times in a row, whatever is waited for takes longer, and
 * only one look remains, until that finds something again.
 *
 *     unsigned pauses = RMDI_SPIN_PAUSES_FIRST;
 *     bool done = false;
 *     for (unsigned looks = rmdi_spin_looks(&spin); looks > 0 && !done; looks--) {
 *         rmdi_spin_pause(&pauses);
 *         done = ...
 *     }
 *     rmdi_spin_learn(&spin, done);
 */
#ifndef RMDI_SYNC_SPIN_H
#define RMDI_SYNC_SPIN_H

#include "port/clock.h"
#include "port/cpu.h"

#include <remuda/atomics.h>

enum {
    RMDI_SPIN_LOOKS = 8,
    RMDI_SPIN_PAUSES_FIRST = 32,
    RMDI_SPIN_PAUSES_MAX = 128,
    RMDI_SPIN_MISSES_MAX = 4,
};

/* Zeroed has learnt nothing yet. */
typedef struct rmdi_spin {
    rmd_atomic(uint32_t) misses; /* how often it was of no use lately */
} rmdi_spin;

/* Forgets what was learnt, now and then: it may have become of use again. */
static inline void rmdi_spin_doubt(rmdi_spin *spin, unsigned times)
{
    uint32_t misses = rmd_atomic_load(&spin->misses, RMD_RELAXED);
    if (misses >= RMDI_SPIN_MISSES_MAX)
        rmd_atomic_store(&spin->misses,
                         misses < RMDI_SPIN_MISSES_MAX + times ? misses + 1
                                                               : RMDI_SPIN_MISSES_MAX - 1,
                         RMD_RELAXED);
}

/* How often to look. None on one processor: who is waited for cannot run while we look. */
static inline unsigned rmdi_spin_looks(rmdi_spin *spin)
{
    if (!rmdi_cpu_several())
        return 0;
    /* Relaxed: a guess. Nor does it matter that two may count as one. */
    bool worth = rmd_atomic_load(&spin->misses, RMD_RELAXED) < RMDI_SPIN_MISSES_MAX;
    return worth ? RMDI_SPIN_LOOKS : 1;
}

static inline void rmdi_spin_learn(rmdi_spin *spin, bool hit)
{
    uint32_t misses = rmd_atomic_load(&spin->misses, RMD_RELAXED);
    if (hit ? misses > 0 : misses < RMDI_SPIN_MISSES_MAX)
        rmd_atomic_store(&spin->misses, hit ? 0 : misses + 1, RMD_RELAXED);
}

static inline void rmdi_spin_for(unsigned pauses)
{
#ifdef RMD_EXPLORE
    pauses = 1; /* each is a step there */
#endif
    while (pauses--)
        rmd_pause();
}

/* The same by time, without growing pauses: for a line that is written once, so that looking at it
 * costs its writer nothing.
 *
 *     for (rmdi_spin_time t = rmdi_spin_for_ns(&spin, 50000); !done && rmdi_spin_goes_on(&t);)
 *         done = ...
 *     rmdi_spin_learn(&spin, done);
 */
typedef struct rmdi_spin_time {
    int64_t end_ns; /* 0: at once */
    unsigned looks;
} rmdi_spin_time;

enum { RMDI_SPIN_BRIEFLY_NS = 2000, RMDI_SPIN_LOOKS_AT_ONCE = 32 };

static inline rmdi_spin_time rmdi_spin_for_ns(rmdi_spin *spin, int64_t ns)
{
    unsigned looks = rmdi_spin_looks(spin);
    rmdi_spin_time time = { 0 };
    if (looks)
        time.end_ns = rmdi_clock_monotonic_ns() + (looks > 1 ? ns : RMDI_SPIN_BRIEFLY_NS);
    return time;
}

static inline bool rmdi_spin_goes_on(rmdi_spin_time *time)
{
    if (!time->end_ns)
        return false;
#ifdef RMD_EXPLORE
    if (time->looks == 2) /* each is a step there */
        return false;
#endif
    if (++time->looks % RMDI_SPIN_LOOKS_AT_ONCE == 0 && rmdi_clock_monotonic_ns() > time->end_ns)
        return false;
    rmdi_spin_for(4);
    return true;
}

static inline void rmdi_spin_pause(unsigned *pauses)
{
    rmdi_spin_for(*pauses);
    *pauses = *pauses < RMDI_SPIN_PAUSES_MAX ? *pauses * 2 : *pauses;
}

#endif
