/* SPDX-License-Identifier: MIT */
#include <remuda/atomics.h>

#include "kit.h"

#include <pthread.h>

TEST(each_operation_does_what_its_name_says_and_returns_what_was_there)
{
    rmd_atomic(uint32_t) word;
    rmd_atomic_init(&word, 12);
    CHECK_EQ(rmd_atomic_load(&word, RMD_ACQUIRE), 12);
    rmd_atomic_store(&word, 10, RMD_RELEASE);
    CHECK_EQ(rmd_atomic_exchange(&word, 6, RMD_ACQ_REL), 10);
    CHECK_EQ(rmd_atomic_add(&word, 3, RMD_SEQ_CST), 6);
    CHECK_EQ(rmd_atomic_sub(&word, 1, RMD_RELAXED), 9);
    CHECK_EQ(rmd_atomic_or(&word, 6, RMD_RELEASE), 8);
    CHECK_EQ(rmd_atomic_and(&word, 3, RMD_ACQUIRE), 14);
    CHECK_EQ(rmd_atomic_load(&word, RMD_RELAXED), 2);
}

TEST(compare_and_swap_tells_what_it_found)
{
    int a, b;
    rmd_atomic(int *) pointer;
    rmd_atomic_init(&pointer, &a);
    int *expected = &b;
    CHECK(!rmd_atomic_cas(&pointer, &expected, NULL, RMD_ACQ_REL, RMD_ACQUIRE));
    CHECK(expected == &a);
    CHECK(rmd_atomic_cas(&pointer, &expected, &b, RMD_ACQ_REL, RMD_ACQUIRE));
    expected = &b;
    while (!rmd_atomic_cas_weak(&pointer, &expected, NULL, RMD_RELEASE, RMD_RELAXED))
        CHECK(expected == &b); /* for no reason */
    CHECK(rmd_atomic_load(&pointer, RMD_RELAXED) == NULL);
}

TEST(marks_of_plain_memory_are_the_memory)
{
    int value = 1;
    RMD_PLAIN_SET(value, RMD_PLAIN(value) + 1);
    RMD_PLAIN_WRITES(&value, sizeof value);
    RMD_ASSERT(value == 7); /* outside the explorer nobody looks */
    CHECK_EQ(value, 2);
    CHECK(!RMD_FAULT("disk"));
}

static struct {
    rmd_atomic(int) turn; /* whose it is; all of it relaxed: the fences order */
    int ball;
} game;

static void *play(void *arg)
{
    int self = *(int *)arg;
    for (int i = 0; i < 1000; i++) {
        while (rmd_atomic_load(&game.turn, RMD_RELAXED) != self)
            rmd_pause();
        rmd_fence(RMD_ACQUIRE);
        RMD_PLAIN_SET(game.ball, RMD_PLAIN(game.ball) + 1);
        rmd_fence(RMD_RELEASE);
        rmd_atomic_store(&game.turn, !self, RMD_RELAXED);
    }
    return NULL;
}

/* Under the thread sanitizer this is the test that it sees our fences: with those of C11 it would
 * report a race that is none. */
TEST(fences_order_plain_memory_also_for_the_thread_sanitizer)
{
    pthread_t threads[2];
    int names[2] = { 0, 1 };
    for (int i = 0; i < 2; i++)
        REQUIRE(pthread_create(&threads[i], NULL, play, &names[i]) == 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(game.ball, 2000);
}
