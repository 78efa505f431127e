/* SPDX-License-Identifier: MIT */
#include "sync/local_value.h"

#include "kit.h"
#include "kit_alloc.h"
#include "sync/event.h"
#include "sync/thread.h"

#include <pthread.h>
#include <remuda/error.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static rmd_local *local, *other;
static rmdi_event has_set, may_go;
static rmd_atomic(int) destroyed; /* sum of the values */

static rmd_deadline patience(void)
{
    return rmd_after_ms(15000 * kit_patience());
}

static void count(void *value)
{
    rmd_atomic_add(&destroyed, (int)(intptr_t)value, RMD_RELAXED);
}

static int sum(void)
{
    return rmd_atomic_load(&destroyed, RMD_RELAXED);
}

static int set(rmd_local *l, intptr_t value)
{
    return rmd_local_set(l, (void *)value);
}

static intptr_t get(rmd_local *l)
{
    return (intptr_t)rmd_local_get(l);
}

/* A thread of the system, of which Remuda knows nothing. */
static pthread_t start_foreign(void (*fn)(void *), void *arg)
{
    pthread_t thread;
    void *(*run)(void *) = (void *(*)(void *))(uintptr_t)fn;
    REQUIRE(pthread_create(&thread, NULL, run, arg) == 0);
    return thread;
}

static void run_foreign(void (*fn)(void *), void *arg)
{
    pthread_join(start_foreign(fn, arg), NULL);
}

static void run_ours(void (*fn)(void *), void *arg)
{
    rmd_thread *thread;
    REQUIRE(rmd_thread_start(&thread, fn, arg, NULL) == 0);
    CHECK_EQ(rmd_thread_join(thread, patience()), 0);
    CHECK_EQ(rmd_thread_free(thread), 0);
}

static void run_embedded(void (*fn)(void *), void *arg)
{
    rmdi_thread thread;
    REQUIRE(rmdi_thread_start(&thread, fn, arg, "embedded") == 0);
    CHECK_EQ(rmdi_thread_join(&thread, patience()), 0);
}

static void (*const ways[])(void (*fn)(void *), void *arg) = { run_foreign, run_ours,
                                                               run_embedded };
enum { WAYS = sizeof ways / sizeof *ways };

/* ---- set and get ---- */

TEST(a_value_is_what_the_thread_has_set_last)
{
    REQUIRE(rmd_local_open(&local, count) == 0);
    REQUIRE(rmd_local_open(&other, NULL) == 0);
    CHECK_EQ(get(local), 0);
    CHECK_EQ(set(local, 3), 0);
    CHECK_EQ(get(local), 3);
    CHECK_EQ(get(other), 0);
    CHECK_EQ(set(other, 5), 0);
    CHECK_EQ(set(local, 4), 0);
    CHECK_EQ(get(local), 4);
    CHECK_EQ(set(local, 0), 0);
    CHECK_EQ(get(local), 0);
    CHECK_EQ(set(local, 0), 0);
    CHECK_EQ(sum(), 0); /* what was replaced is the caller's */
    CHECK_EQ(set(local, 8), 0);
    CHECK_EQ(rmd_local_free(local), 0);
    CHECK_EQ(sum(), 8);
    CHECK_EQ(get(other), 5);
    CHECK_EQ(rmd_local_free(other), 0);
}

TEST(misuse_of_a_local_is_refused)
{
    CHECK_EQ(rmd_local_open(NULL, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_local_set(NULL, &local), RMD_EINVAL);
    CHECK(rmd_local_get(NULL) == NULL);
    CHECK_EQ(rmd_local_free(NULL), 0);
}

static int open_set_and_free(void *arg)
{
    int err = rmd_local_open(&local, NULL);
    if (err < 0)
        return err;
    err = rmd_local_set(local, arg);
    CHECK_EQ(rmd_local_get(local) == arg, err == 0);
    CHECK_EQ(rmd_local_free(local), 0);
    return err;
}

TEST(a_local_without_memory_has_no_value)
{
    CHECK_INT(kit_alloc(open_set_and_free, &local, RMD_ENOMEM), >=, 3);
}

/* ---- the end of a thread ---- */

static void set_two(void *arg)
{
    CHECK_EQ(get(local), 0);
    CHECK_EQ(set(local, (intptr_t)arg), 0);
    CHECK_EQ(set(other, 2 * (intptr_t)arg), 0);
}

TEST(values_are_destroyed_at_the_end_of_every_kind_of_thread)
{
    REQUIRE(rmd_local_open(&local, count) == 0);
    REQUIRE(rmd_local_open(&other, count) == 0);
    for (int i = 0; i < WAYS; i++) {
        rmd_atomic_store(&destroyed, 0, RMD_RELAXED);
        ways[i](set_two, (void *)(intptr_t)(i + 1));
        CHECK_EQ(sum(), 3 * (i + 1));
    }
    CHECK_EQ(get(local), 0);
    CHECK_EQ(rmd_local_free(local), 0);
    CHECK_EQ(rmd_local_free(other), 0);
}

static void set_it_again(void *value)
{
    rmd_atomic_add(&destroyed, 1, RMD_RELAXED);
    CHECK_EQ(rmd_local_get(local) == NULL, 1);
    CHECK_EQ(rmd_local_set(local, value), 0);
}

static void set_other(void *value)
{
    rmd_atomic_add(&destroyed, 100, RMD_RELAXED);
    CHECK_EQ(rmd_local_set(other, value), 0);
}

static void set_one(void *arg)
{
    CHECK_EQ(rmd_local_set(local, arg), 0);
}

/* And an array that grows in the middle of it. */
TEST(destructors_that_set_values_come_to_an_end)
{
    rmd_local *between[40];
    REQUIRE(rmd_local_open(&local, set_it_again) == 0);
    for (int i = 0; i < 40; i++)
        REQUIRE(rmd_local_open(&between[i], NULL) == 0);
    REQUIRE(rmd_local_open(&other, count) == 0);
    for (int i = 0; i < WAYS; i++) {
        rmd_atomic_store(&destroyed, 0, RMD_RELAXED);
        ways[i](set_one, &local);
        CHECK_EQ(sum(), 4);
    }
    CHECK_EQ(set(local, 1), 0);
    rmd_atomic_store(&destroyed, 0, RMD_RELAXED);
    CHECK_EQ(rmd_local_free(local), 0); /* the last value was forgotten */
    CHECK_EQ(sum(), 4);
    REQUIRE(rmd_local_open(&local, set_other) == 0);
    rmd_atomic_store(&destroyed, 0, RMD_RELAXED);
    run_foreign(set_one, (void *)(intptr_t)11);
    CHECK_EQ(sum(), 111);
    for (int i = 0; i < 40; i++)
        CHECK_EQ(rmd_local_free(between[i]), 0);
    CHECK_EQ(rmd_local_free(local), 0);
    CHECK_EQ(rmd_local_free(other), 0);
}

static void free_other(void *value)
{
    (void)value;
    rmd_atomic_add(&destroyed, rmd_local_free(other) == 0, RMD_RELAXED);
}

TEST(a_destructor_may_free_another_local)
{
    for (int i = 0; i < WAYS; i++) {
        rmd_atomic_store(&destroyed, 0, RMD_RELAXED);
        REQUIRE(rmd_local_open(&local, free_other) == 0);
        REQUIRE(rmd_local_open(&other, NULL) == 0);
        ways[i](set_one, &local);
        CHECK_EQ(sum(), 1);
        CHECK_EQ(rmd_local_free(local), 0);
    }
    REQUIRE(rmd_local_open(&local, free_other) == 0);
    REQUIRE(rmd_local_open(&other, NULL) == 0);
    CHECK_EQ(set(local, 1), 0);
    CHECK_EQ(set(other, 1), 0);
    CHECK_EQ(rmd_local_free(local), 0); /* and so both */
    CHECK_EQ(sum(), 2);
}

/* ---- freeing ---- */

static void set_and_wait(void *arg)
{
    CHECK_EQ(rmd_local_set(local, arg), 0);
    rmdi_event_set(&has_set);
    CHECK_EQ(rmdi_event_wait(&may_go, patience()), 0);
}

static void try_to_free(void *value)
{
    (void)value;
    rmd_atomic_add(&destroyed, rmd_local_free(local) == RMD_EBUSY, RMD_RELAXED);
}

TEST(a_local_is_busy_while_another_thread_has_a_value)
{
    REQUIRE(rmd_local_open(&local, try_to_free) == 0);
    CHECK_EQ(set(local, 6), 0);
    pthread_t thread = start_foreign(set_and_wait, &local);
    CHECK_EQ(rmdi_event_wait(&has_set, patience()), 0);
    CHECK_EQ(rmd_local_free(local), RMD_EBUSY);
    CHECK_CONTAINS(rmd_error_detail(), "1 other");
    CHECK_EQ(get(local), 6);
    rmdi_event_set(&may_go);
    pthread_join(thread, NULL);
    CHECK_EQ(sum(), 1); /* in its destructor it is busy still */
    CHECK_EQ(rmd_local_free(local), 0);
    CHECK_EQ(sum(), 2);
}

static void keep(void *arg)
{
    rmd_local **mine = arg;
    CHECK_EQ(rmd_local_set(*mine, arg), 0);
    CHECK_EQ(rmd_local_set(*mine, NULL), 0);
    rmdi_event_set(&has_set);
    CHECK_EQ(rmdi_event_wait(&may_go, patience()), 0);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(get(mine[i]), 0); /* one of them has the number that ours had */
}

TEST(one_that_is_opened_again_has_no_old_value)
{
    rmd_local *many[100];
    REQUIRE(rmd_local_open(&many[0], NULL) == 0);
    pthread_t thread = start_foreign(keep, many);
    CHECK_EQ(rmdi_event_wait(&has_set, patience()), 0);
    CHECK_EQ(set(many[0], 3), 0);
    CHECK_EQ(rmd_local_free(many[0]), 0);
    for (int i = 0; i < 100; i++) {
        REQUIRE(rmd_local_open(&many[i], NULL) == 0);
        CHECK_EQ(get(many[i]), 0);
    }
    rmdi_event_set(&may_go);
    pthread_join(thread, NULL);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(rmd_local_free(many[i]), 0);
}

TEST(more_than_there_are_numbers_are_refused)
{
    static rmd_local *all[RMD_LOCALS_MAX];
    for (int i = 0; i < RMD_LOCALS_MAX; i++)
        REQUIRE(rmd_local_open(&all[i], NULL) == 0);
    CHECK_EQ(set(all[RMD_LOCALS_MAX - 1], 1), 0);
    CHECK_EQ(rmd_local_open(&local, NULL), RMD_EFULL);
    CHECK(local == NULL);
    CHECK_EQ(rmd_local_free(all[1000]), 0);
    CHECK_EQ(rmd_local_open(&all[1000], NULL), 0);
    for (int i = 0; i < RMD_LOCALS_MAX; i++)
        CHECK_EQ(rmd_local_free(all[i]), 0);
}

/* ---- many ---- */

enum { KEYS = 1000, THREADS = 8 };

static rmd_local *keys[KEYS];

static void set_all(void *arg)
{
    intptr_t mine = (intptr_t)arg;
    for (int i = 0; i < KEYS; i++)
        CHECK_EQ(set(keys[i], mine * KEYS + i + 1), 0);
    for (int i = 0; i < KEYS; i++)
        CHECK_EQ(get(keys[i]), mine * KEYS + i + 1);
}

static void open_and_free_some(void *arg)
{
    (void)arg;
    for (int round = 0; round < 300; round++) {
        rmd_local *some[10];
        for (int i = 0; i < 10; i++)
            REQUIRE(rmd_local_open(&some[i], count) == 0);
        for (int i = 0; i < 10; i++) {
            CHECK_EQ(get(some[i]), 0);
            CHECK_EQ(set(some[i], 1), 0);
        }
        for (int i = 0; i < 10; i++)
            CHECK_EQ(rmd_local_free(some[i]), 0);
    }
}

TEST_LIMIT(many_threads_and_many_locals, 60)
{
    pthread_t threads[THREADS];
    intptr_t expected = 2 * 300 * 10;
    for (int i = 0; i < KEYS; i++)
        REQUIRE(rmd_local_open(&keys[i], count) == 0);
    for (int i = 0; i < THREADS; i++)
        threads[i] = start_foreign(i < 2 ? open_and_free_some : set_all, (void *)(intptr_t)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (intptr_t t = 2; t < THREADS; t++)
        for (int i = 0; i < KEYS; i++)
            expected += t * KEYS + i + 1;
    CHECK_EQ(sum(), expected);
    for (int i = 0; i < KEYS; i++)
        CHECK_EQ(rmd_local_free(keys[i]), 0);
}

/* ---- coroutines, forks, speed ---- */

TEST(values_belong_to_whoever_brings_an_rmdi_self)
{
    rmdi_self coroutine = { 0 };
    REQUIRE(rmd_local_open(&local, count) == 0);
    CHECK_EQ(set(local, 1), 0);
    rmdi_self *before = rmdi_self_swap(&coroutine);
    CHECK_EQ(get(local), 0);
    CHECK_EQ(set(local, 20), 0);
    rmdi_self_swap(before);
    CHECK_EQ(get(local), 1);
    CHECK_EQ(rmd_local_free(local), RMD_EBUSY);
    before = rmdi_self_swap(&coroutine);
    rmdi_values_end(&coroutine);
    rmdi_self_swap(before);
    CHECK_EQ(sum(), 20);
    CHECK_EQ(rmd_local_free(local), 0);
    CHECK_EQ(sum(), 21);
}

static int status_of(pid_t pid)
{
    int status = 0;
    REQUIRE(pid > 0);
    waitpid(pid, &status, 0);
    return status;
}

static rmdi_event child_has_set, child_may_go;

static void set_and_wait_in_child(void *arg)
{
    CHECK_EQ(rmd_local_set(local, arg), 0);
    rmdi_event_set(&child_has_set);
    CHECK_EQ(rmdi_event_wait(&child_may_go, patience()), 0);
}

/* The child's own value counts as ever, beside that of a thread of the child. */
static void have_two_values_in_child(void *arg)
{
    pthread_t thread = start_foreign(set_and_wait_in_child, (void *)(intptr_t)5);
    CHECK_EQ(rmdi_event_wait(&child_has_set, patience()), 0);
    CHECK_EQ(rmd_local_free(local), RMD_EBUSY);
    CHECK(rmd_local_get(local) == arg);
    rmdi_event_set(&child_may_go);
    pthread_join(thread, NULL);
}

/* The other thread's value does not keep the child from freeing; its own is still there. */
static void fork_now(void *arg)
{
    CHECK_EQ(rmd_local_set(local, arg), 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(rmd_local_get(local) == arg);
        if (!KIT_SANITIZED)
            have_two_values_in_child(arg);
        int before = sum();
        CHECK_EQ(before, KIT_SANITIZED ? 0 : 5);
        CHECK_EQ(rmd_local_free(local), 0);
        CHECK_EQ(sum(), before + 3);
        _exit(0);
    }
    CHECK_EQ(status_of(pid), 0);
    CHECK_EQ(rmd_local_free(local), RMD_EBUSY);
}

TEST(in_a_child_made_by_fork_only_the_forking_thread_has_values)
{
    for (int i = 0; i < WAYS; i++) {
        rmdi_event_clear(&has_set);
        rmdi_event_clear(&may_go);
        rmd_atomic_store(&destroyed, 0, RMD_RELAXED);
        REQUIRE(rmd_local_open(&local, count) == 0);
        pthread_t thread = start_foreign(set_and_wait, (void *)(intptr_t)40);
        CHECK_EQ(rmdi_event_wait(&has_set, patience()), 0);
        ways[i](fork_now, (void *)(intptr_t)3);
        rmdi_event_set(&may_go);
        pthread_join(thread, NULL);
        CHECK_EQ(sum(), 43);
        CHECK_EQ(rmd_local_free(local), 0);
    }
}

static pid_t forked;

/* What it destroys is its own still, in the child as well. */
static void fork_in_destructor(void *value)
{
    forked = fork();
    CHECK_EQ(rmd_local_free(local), RMD_EBUSY);
    if (forked == 0)
        _exit(rmd_local_set(local, value) == 0 && rmd_local_free(local) == RMD_EBUSY ? 0 : 1);
}

TEST(a_local_is_busy_in_the_child_of_a_destructor_that_forks)
{
    for (int i = 0; i < WAYS; i++) {
        REQUIRE(rmd_local_open(&local, fork_in_destructor) == 0);
        ways[i](set_one, &local);
        CHECK_EQ(status_of(forked), 0);
        CHECK_EQ(rmd_local_free(local), 0);
    }
}

static void fork_and_return(void *arg)
{
    CHECK_EQ(rmd_local_set(local, arg), 0);
    forked = fork();
}

static void report(void *value)
{
    CHECK_EQ(write((int)(intptr_t)value, "x", 1), 1);
}

/* Both of it: the child ends when its one thread does. */
TEST(a_thread_that_forks_has_its_value_destroyed_in_both_processes)
{
    char text[4];
    int ends[2];
    if (KIT_SANITIZED)
        SKIP("not with a sanitizer");
    REQUIRE(pipe(ends) == 0);
    REQUIRE(rmd_local_open(&local, report) == 0);
    run_ours(fork_and_return, (void *)(intptr_t)ends[1]);
    CHECK_EQ(status_of(forked), 0);
    CHECK_EQ(read(ends[0], text, sizeof text), 2);
    CHECK_EQ(rmd_local_free(local), 0);
}

TEST(getting_a_value_takes_nanoseconds)
{
    struct timespec from, to;
    char text[64];
    intptr_t got = 0;
    REQUIRE(rmd_local_open(&local, NULL) == 0);
    CHECK_EQ(set(local, 1), 0);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    for (int i = 0; i < 1000000; i++)
        got += get(local);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    CHECK_EQ(got, 1000000);
    long ns = (to.tv_sec - from.tv_sec) * 1000000000 + (to.tv_nsec - from.tv_nsec);
    snprintf(text, sizeof text, "%.1f ns", (double)ns / 1e6);
    kit_remark(text);
    CHECK_INT(ns / 1000000, <, 200 * kit_patience());
    CHECK_EQ(rmd_local_free(local), 0);
}
