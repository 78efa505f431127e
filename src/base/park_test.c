/* SPDX-License-Identifier: MIT */
#include "base/park.h"

#include "kit.h"
#include "port/clock.h"

#include <pthread.h>
#include <remuda/error.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static rmd_atomic(uint32_t) word, turns;

TEST(a_word_that_has_changed_already_is_not_slept_on)
{
    rmd_atomic_store(&word, 2, RMD_RELAXED);
    CHECK_EQ(rmdi_park(&word, 1, RMD_FOREVER), 0);
}

TEST(a_deadline_ends_the_sleep_and_not_too_early)
{
    CHECK_EQ(rmdi_park(&word, 0, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmdi_park(&word, 0, RMD_DEADLINE_AT(-1)), RMD_ETIMEDOUT);
    rmd_deadline soon = rmd_after_ms(20);
    int err;
    do
        err = rmdi_park(&word, 0, soon);
    while (err == 0); /* woken for no reason */
    CHECK_EQ(err, RMD_ETIMEDOUT);
    CHECK(rmd_deadline_passed(soon));
}

/* Two threads take turns by one word: each waits until it is of its own parity. */
static void *take_turns(void *arg)
{
    uint32_t mine = (uint32_t)(uintptr_t)arg;
    for (int i = 0; i < 10000; i++) {
        for (uint32_t seen; (seen = rmd_atomic_load(&word, RMD_ACQUIRE)) % 2 != mine;)
            CHECK_EQ(rmdi_park(&word, seen, rmd_after_ms(10000)), 0);
        rmd_atomic_add(&turns, 1, RMD_RELAXED);
        rmd_atomic_add(&word, 1, RMD_RELEASE);
        rmdi_unpark_one(&word);
    }
    return NULL;
}

TEST(no_wake_up_is_lost_between_two_threads)
{
    pthread_t other;
    REQUIRE(pthread_create(&other, NULL, take_turns, (void *)1) == 0);
    take_turns((void *)0);
    pthread_join(other, NULL);
    CHECK_EQ(rmd_atomic_load(&turns, RMD_RELAXED), 20000);
}

static void *sleep_until_changed(void *arg)
{
    (void)arg;
    rmd_atomic_add(&turns, 1, RMD_RELEASE);
    while (rmd_atomic_load(&word, RMD_ACQUIRE) == 0)
        CHECK_EQ(rmdi_park(&word, 0, rmd_after_ms(10000)), 0);
    return NULL;
}

TEST(all_sleepers_are_woken)
{
    enum { SLEEPERS = 6 };
    pthread_t threads[SLEEPERS];
    for (int i = 0; i < SLEEPERS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, sleep_until_changed, NULL) == 0);
    while (rmd_atomic_load(&turns, RMD_ACQUIRE) < SLEEPERS)
        ;
    rmd_atomic_store(&word, 1, RMD_RELEASE);
    rmdi_unpark_all(&word);
    for (int i = 0; i < SLEEPERS; i++)
        pthread_join(threads[i], NULL);
}

typedef struct common {
    rmd_atomic(uint32_t) word;
} common;

TEST(processes_wake_each_other)
{
    common *c = mmap(NULL, sizeof *c, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(c != MAP_FAILED);
    CHECK_EQ(rmdi_park_shared(&c->word, 0, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmdi_park_shared(&c->word, 0, rmd_after_ms(5)), RMD_ETIMEDOUT);
    CHECK_EQ(rmdi_park_shared(&c->word, 1, RMD_FOREVER), 0);
    pid_t pid = fork();
    for (uint32_t i = 0, mine = pid == 0; i < 2000; i++) {
        for (uint32_t seen; (seen = rmd_atomic_load(&c->word, RMD_ACQUIRE)) % 2 != mine;)
            CHECK_EQ(rmdi_park_shared(&c->word, seen, rmd_after_ms(10000)), 0);
        rmd_atomic_add(&c->word, 1, RMD_RELEASE);
        rmdi_unpark_shared(&c->word, 1);
    }
    if (pid == 0)
        _exit(0);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    CHECK_EQ(rmd_atomic_load(&c->word, RMD_RELAXED), 4000);
}
