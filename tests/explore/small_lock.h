/* SPDX-License-Identifier: MIT */
/* A lock and a condition as small as they can be, for planted bugs that need one: not Remuda's own,
 * so that these tests are about the explorer alone. */
#ifndef SMALL_LOCK_H
#define SMALL_LOCK_H

#include "base/park.h"
#include "harness.h"

/* 0: free, 1: held, 2: held and somebody may sleep. After Drepper, Futexes are tricky, 2011. */
typedef struct small_lock {
    rmd_atomic(uint32_t) state;
} small_lock;

static inline void small_lock_init(small_lock *lock)
{
    rmd_atomic_init(&lock->state, 0);
}

static inline void small_lock_take(small_lock *lock)
{
    uint32_t found = 0;
    if (rmd_atomic_cas(&lock->state, &found, 1, RMD_ACQUIRE, RMD_RELAXED))
        return;
    while (rmd_atomic_exchange(&lock->state, 2, RMD_ACQUIRE))
        rmdi_park(&lock->state, 2, RMD_FOREVER);
}

static inline void small_lock_drop(small_lock *lock)
{
    if (rmd_atomic_exchange(&lock->state, 0, RMD_RELEASE) == 2)
        rmdi_unpark_one(&lock->state);
}

/* Counts notifications: who has seen the number under the lock misses none that comes later. */
typedef struct small_condition {
    rmd_atomic(uint32_t) notified;
} small_condition;

static inline void small_condition_init(small_condition *condition)
{
    rmd_atomic_init(&condition->notified, 0);
}

/* May return for no reason. */
static inline void small_condition_wait(small_condition *condition, small_lock *lock)
{
    uint32_t seen = rmd_atomic_load(&condition->notified, RMD_RELAXED);
    small_lock_drop(lock);
    rmdi_park(&condition->notified, seen, RMD_FOREVER);
    small_lock_take(lock);
}

static inline void small_condition_notify_one(small_condition *condition)
{
    rmd_atomic_add(&condition->notified, 1, RMD_RELAXED);
    rmdi_unpark_one(&condition->notified);
}

static inline void small_condition_notify_all(small_condition *condition)
{
    rmd_atomic_add(&condition->notified, 1, RMD_RELAXED);
    rmdi_unpark_all(&condition->notified);
}

/* Runs these functions as threads until all have ended. */
static inline void run_together(void (*const *functions)(void *arg), void *arg, unsigned n)
{
    rmd_explore_thread *threads[8];
    static const char *const names[8] = { "one",  "two", "three", "four",
                                          "five", "six", "seven", "eight" };
    for (unsigned i = 0; i < n; i++)
        threads[i] = rmd_explore_start(functions[i], arg, names[i]);
    for (unsigned i = 0; i < n; i++)
        rmd_explore_join(threads[i]);
}

#endif
