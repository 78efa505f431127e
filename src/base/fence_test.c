/* SPDX-License-Identifier: MIT */
#include "base/fence.h"

#include "kit.h"

#include <pthread.h>

enum { ROUNDS = 20000 };

static rmd_atomic(int) published, asleep, saw_asleep, go;

/* The side that is passed all the time. */
static void *publish(void *arg)
{
    (void)arg;
    for (int round = 1; round <= ROUNDS; round++) {
        while (rmd_atomic_load(&go, RMD_ACQUIRE) < round)
            rmd_pause();
        rmd_atomic_store(&published, round, RMD_RELAXED);
        rmdi_fence_light();
        int seen = rmd_atomic_load(&asleep, RMD_RELAXED) == round;
        rmd_atomic_store(&saw_asleep, round * 2 + seen, RMD_RELEASE);
    }
    return NULL;
}

TEST_LIMIT(one_of_two_sides_sees_the_other, 60)
{
    pthread_t thread;
    rmdi_fence_prepare();
    CHECK_INT(rmd_atomic_load(&rmdi_fence_kind, RMD_RELAXED), !=, RMDI_FENCE_UNKNOWN);
    REQUIRE(pthread_create(&thread, NULL, publish, NULL) == 0);
    for (int round = 1; round <= ROUNDS; round++) {
        rmd_atomic_store(&go, round, RMD_RELEASE);
        rmd_atomic_store(&asleep, round, RMD_RELAXED);
        rmdi_fence_heavy();
        bool seen = rmd_atomic_load(&published, RMD_RELAXED) == round;
        int other;
        while ((other = rmd_atomic_load(&saw_asleep, RMD_ACQUIRE)) / 2 < round)
            rmd_pause();
        CHECK(seen || other % 2);
    }
    pthread_join(thread, NULL);
}
