/* SPDX-License-Identifier: MIT */
/* Source of the algorithm: U. Drepper, "Futexes Are Tricky", mutex 2: state 2 is set by everybody
 * who is about to park, so that leaving wakes only when it must. */
#include "sync/brief.h"

#include "base/park.h"
#include "port/cpu.h"

#include <remuda/deadline.h>

enum { FREE, HELD, CONTENDED };

/* Longer than a section takes, shorter than a call of the system does. */
enum { SPINS_MAX = 60 };

static bool take(rmdi_brief *brief)
{
    uint32_t seen = FREE;
    /* Acquire: what the last holder wrote is seen by us. */
    return rmd_atomic_cas(&brief->word, &seen, HELD, RMD_ACQUIRE, RMD_RELAXED);
}

/* On one processor the holder cannot run while we look. */
static bool spin(rmdi_brief *brief)
{
    if (!rmdi_cpu_several())
        return false;
    for (int i = 0; i < SPINS_MAX; i++) {
        rmd_pause();
        /* Relaxed: only a hint, take() looks again. */
        if (rmd_atomic_load(&brief->word, RMD_RELAXED) == FREE && take(brief))
            return true;
    }
    return false;
}

void rmdi_brief_enter(rmdi_brief *brief)
{
    if (take(brief) || spin(brief))
        return;
    /* From here on we may have parked beside others, so it is taken as CONTENDED: the cost is one
     * wake-up too many, never one too few. */
    while (rmd_atomic_exchange(&brief->word, CONTENDED, RMD_ACQUIRE) != FREE)
        (void)rmdi_park(&brief->word, CONTENDED, RMD_FOREVER);
}

void rmdi_brief_leave(rmdi_brief *brief)
{
    /* Release: what we wrote is seen by the next holder's acquire. */
    if (rmd_atomic_exchange(&brief->word, FREE, RMD_RELEASE) == CONTENDED)
        rmdi_unpark_one(&brief->word);
}
