/* SPDX-License-Identifier: MIT */
#include "base/fence.h"

#include "kit.h"

#include <pthread.h>
#include <sched.h>

enum { ROUNDS = 20000, LATEST = 256 };

/* Each on a line of its own, so that a store waits for the line while the load goes ahead. */
static struct {
    _Alignas(128) rmd_atomic(int) published;
    _Alignas(128) rmd_atomic(int) asleep;
    _Alignas(128) rmd_atomic(int) go;
    _Alignas(128) rmd_atomic(int) saw; /* round * 2 + whether it saw that the other is asleep */
} shared;

/* For a short while that is another one each time, so that the two sides meet. */
static void wait_a_little(int round, int factor)
{
    for (int i = round * factor % LATEST; i > 0; i--)
        __asm__ volatile("" ::: "memory");
}

/* Awake, unless the other side does not run. */
static int wait_for(rmd_atomic(int) *word, int round, int factor)
{
    for (int n = 1, seen;; n++) {
        if ((seen = rmd_atomic_load(word, RMD_ACQUIRE)) / factor >= round)
            return seen;
        if (n % 1000 == 0)
            sched_yield();
    }
}

/* The side that is passed all the time. */
static void *publish(void *arg)
{
    (void)arg;
    for (int round = 1; round <= ROUNDS; round++) {
        wait_for(&shared.go, round, 1);
        wait_a_little(round, 7);
        rmd_atomic_store(&shared.published, round, RMD_RELAXED);
        rmdi_fence_light();
        int seen = rmd_atomic_load(&shared.asleep, RMD_RELAXED) == round;
        rmd_atomic_store(&shared.saw, round * 2 + seen, RMD_RELEASE);
    }
    return NULL;
}

/* Returns how often neither side saw the other. */
static int meet(bool with_fence)
{
    int missed = 0;
    pthread_t thread;
    memset(&shared, 0, sizeof shared);
    REQUIRE(pthread_create(&thread, NULL, publish, NULL) == 0);
    for (int round = 1; round <= ROUNDS; round++) {
        rmd_atomic_store(&shared.go, round, RMD_RELEASE);
        wait_a_little(round, 61);
        wait_a_little(LATEST / 2, 1);
        rmd_atomic_store(&shared.asleep, round, RMD_RELAXED);
        if (with_fence)
            rmdi_fence_heavy();
        bool seen = rmd_atomic_load(&shared.published, RMD_RELAXED) == round;
        missed += !seen && wait_for(&shared.saw, round, 2) % 2 == 0;
        wait_for(&shared.saw, round, 2);
    }
    pthread_join(thread, NULL);
    return missed;
}

TEST_LIMIT(one_of_two_sides_sees_the_other, 60)
{
    char remark[100];
    rmdi_fence_prepare();
    CHECK_INT(rmd_atomic_load(&rmdi_fence_kind, RMD_RELAXED), !=, RMDI_FENCE_UNKNOWN);
    CHECK_EQ(meet(true), 0);
    snprintf(remark, sizeof remark, "without the fence neither does %d times in %d", meet(false),
             ROUNDS);
    kit_remark(remark);
}
