/* SPDX-License-Identifier: MIT */
/* Source of the algorithm: U. Drepper, "Futexes Are Tricky", mutex 2: state 2 is set
 * by everybody who is about to park, so that release wakes only when it must. */
#include "sync/lock.h"

#include "base/park.h"

#include <remuda/error.h>

enum { FREE, HELD, CONTENDED };

int rmdi_lock_acquire(rmdi_lock *lock, rmd_deadline deadline)
{
    uint32_t seen = FREE;
    /* Acquire: what the last holder wrote is seen by us. */
    if (rmd_atomic_cas(&lock->word, &seen, HELD, RMD_ACQUIRE, RMD_RELAXED))
        return 0;
    /* From here on we may have parked beside others, so the lock is taken as
     * CONTENDED: the cost is one wake-up too many, never one too few. */
    while (rmd_atomic_exchange(&lock->word, CONTENDED, RMD_ACQUIRE) != FREE)
        if (rmdi_park(&lock->word, CONTENDED, deadline) == RMD_ETIMEDOUT)
            return RMD_ETIMEDOUT;
    return 0;
}

void rmdi_lock_enter(rmdi_lock *lock)
{
    while (rmdi_lock_acquire(lock, RMD_FOREVER) < 0)
        ;
}

void rmdi_lock_release(rmdi_lock *lock)
{
    /* Release: what we wrote is seen by the next holder's acquire. */
    if (rmd_atomic_exchange(&lock->word, FREE, RMD_RELEASE) == CONTENDED)
        rmdi_unpark_one(&lock->word);
}
