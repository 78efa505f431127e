/* SPDX-License-Identifier: MIT */
#include "base/park.h"

#include "kit.h"
#include "kit_asleep.h"
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

/* ---- on two words at once ---- */

static rmd_atomic(uint32_t) shared_word, asleep, awake;

/* Is this a system that cannot sleep on two words? Then it sleeps on the first alone. */
static bool cannot_sleep_on_two(void)
{
    return rmdi_park_either(&word, 0, &shared_word, 1, rmd_after_ms(1)) == RMD_ETIMEDOUT;
}

TEST(a_change_of_either_word_before_is_not_slept_through)
{
    CHECK_EQ(rmdi_park_either(&word, 1, &shared_word, 0, RMD_FOREVER), 0);
    if (!cannot_sleep_on_two())
        CHECK_EQ(rmdi_park_either(&word, 0, &shared_word, 1, RMD_FOREVER), 0);
    CHECK_EQ(rmdi_park_either(&word, 0, &shared_word, 0, RMD_NOW), RMD_ETIMEDOUT);
    rmd_deadline soon = rmd_after_ms(20);
    int err;
    do
        err = rmdi_park_either(&word, 0, &shared_word, 0, soon);
    while (err == 0);
    CHECK_EQ(err, RMD_ETIMEDOUT);
    CHECK(rmd_deadline_passed(soon));
}

static void *sleep_on_two(void *arg)
{
    (void)arg;
    rmd_atomic_store(&asleep, 1, RMD_RELEASE);
    while (!rmd_atomic_load(&word, RMD_ACQUIRE) && !rmd_atomic_load(&shared_word, RMD_ACQUIRE))
        CHECK_EQ(rmdi_park_either(&word, 0, &shared_word, 0, rmd_after_ms(10000)), 0);
    rmd_atomic_store(&awake, 1, RMD_RELEASE);
    return NULL;
}

static void *sleep_known(void *arg)
{
    *(pid_t *)arg = gettid();
    return sleep_on_two(arg);
}

static void wake_sleeper(rmd_atomic(uint32_t) *by, bool shared)
{
    pthread_t thread;
    pid_t sleeper;
    REQUIRE(pthread_create(&thread, NULL, sleep_known, &sleeper) == 0);
    while (!rmd_atomic_load(&asleep, RMD_ACQUIRE))
        ;
    await_sleep(sleeper);
    CHECK(!rmd_atomic_load(&awake, RMD_ACQUIRE));
    rmd_atomic_store(by, 1, RMD_RELEASE);
    if (shared)
        rmdi_unpark_shared(by, 1);
    else
        rmdi_unpark_one(by);
    pthread_join(thread, NULL);
    CHECK(rmd_atomic_load(&awake, RMD_ACQUIRE));
}

TEST(who_sleeps_on_two_words_is_woken_by_the_first)
{
    wake_sleeper(&word, false);
}

TEST(who_sleeps_on_two_words_is_woken_by_the_second)
{
    if (cannot_sleep_on_two())
        SKIP("the kernel cannot sleep on two words");
    wake_sleeper(&shared_word, true);
}

TEST(another_process_wakes_who_sleeps_on_two_words)
{
    common *c = mmap(NULL, sizeof *c, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(c != MAP_FAILED);
    if (cannot_sleep_on_two())
        SKIP("the kernel cannot sleep on two words");
    pid_t pid = fork();
    for (uint32_t i = 0, mine = pid == 0; i < 2000; i++) {
        for (uint32_t seen; (seen = rmd_atomic_load(&c->word, RMD_ACQUIRE)) % 2 != mine;)
            CHECK_EQ(rmdi_park_either(&word, 0, &c->word, seen, rmd_after_ms(10000)), 0);
        rmd_atomic_add(&c->word, 1, RMD_RELEASE);
        rmdi_unpark_shared(&c->word, 1);
    }
    if (pid == 0)
        _exit(0);
    CHECK_CHILD(pid);
    CHECK_EQ(rmd_atomic_load(&c->word, RMD_RELAXED), 4000);
}
