/* SPDX-License-Identifier: MIT */
#include "sync/rwlock.h"

#include "kit.h"
#include "kit_alloc.h"
#include "port/clock.h"
#include "sync/thread.h"

#include <remuda/error.h>
#include <remuda/stop.h>
#include <stdlib.h>
#include <sys/resource.h>

static rmd_rwlock *shared;

static rmd_deadline patience(void)
{
    return rmd_after_ms(15000 * kit_patience());
}

static void open_shared(void)
{
    rmd_rwlock_options options = { .size = sizeof options, .name = "the-lock" };
    REQUIRE(rmd_rwlock_open(&shared, &options) == 0);
}

static void release(void)
{
    CHECK_EQ(rmd_rwlock_release(shared), 0);
}

static void close_shared(void)
{
    CHECK_EQ(rmd_rwlock_acquire_write(shared, RMD_NOW), 0);
    release();
    CHECK_EQ(rmd_rwlock_free(shared), 0);
}

TEST(readers_share_and_a_writer_does_not)
{
    open_shared();
    CHECK_EQ(rmd_rwlock_acquire_read(shared, RMD_NOW), 0);
    CHECK_EQ(rmd_rwlock_acquire_read(shared, RMD_FOREVER), 0);
    CHECK_EQ(rmd_rwlock_acquire_write(shared, RMD_NOW), RMD_ETIMEDOUT);
    release();
    CHECK_EQ(rmd_rwlock_acquire_write(shared, rmd_after_ms(5)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_rwlock_free(shared), RMD_EBUSY);
    release();
    CHECK_EQ(rmd_rwlock_acquire_write(shared, RMD_NOW), 0);
    CHECK_EQ(rmd_rwlock_acquire_write(shared, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_rwlock_acquire_read(shared, rmd_after_ms(5)), RMD_ETIMEDOUT);
    CHECK_CONTAINS(rmd_error_detail(), "the-lock");
    CHECK_EQ(rmd_rwlock_free(shared), RMD_EBUSY);
    release();
    close_shared();
}

TEST(misuse_of_a_rwlock_is_refused)
{
    rmd_rwlock_options options = { .size = 3 };
    CHECK_EQ(rmd_rwlock_open(NULL, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_rwlock_open(&shared, &options), RMD_EINVAL);
    CHECK_EQ(rmd_rwlock_acquire_read(NULL, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_rwlock_acquire_write(NULL, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_rwlock_release(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_rwlock_downgrade(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_rwlock_free(NULL), 0);
    open_shared();
    CHECK_EQ(rmd_rwlock_release(shared), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "the-lock");
    CHECK_EQ(rmd_rwlock_downgrade(shared), RMD_EINVAL);
    CHECK_EQ(rmd_rwlock_acquire_read(shared, RMD_NOW), 0);
    CHECK_EQ(rmd_rwlock_downgrade(shared), RMD_EINVAL);
    release();
    CHECK_EQ(rmd_rwlock_release(shared), RMD_EINVAL);
    close_shared();
}

/* As if so many held it, which takes a while to come to. */
static void set_readers(uint32_t n)
{
    CHECK_EQ(rmd_rwlock_acquire_read(shared, RMD_NOW), 0);
    uint32_t one = rmd_atomic_load(&shared->lock.word, RMD_RELAXED);
    rmd_atomic_store(&shared->lock.word, n * one, RMD_RELAXED);
}

TEST(more_readers_than_can_be_counted_are_refused_and_harm_nobody)
{
    open_shared();
    set_readers(RMDI_RWLOCK_READERS_MAX - 1);
    CHECK_EQ(rmd_rwlock_acquire_read(shared, RMD_NOW), 0);
    CHECK_EQ(rmd_rwlock_acquire_read(shared, RMD_NOW), RMD_E2BIG);
    CHECK_EQ(rmd_rwlock_acquire_read(shared, RMD_FOREVER), RMD_E2BIG);
    CHECK_CONTAINS(rmd_error_detail(), "the-lock");
    CHECK_CONTAINS(rmd_error_detail(), "67108864 readers");
    CHECK_EQ(rmd_rwlock_acquire_write(shared, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_rwlock_acquire_write(shared, rmd_after_ms(5)), RMD_ETIMEDOUT);
    release();
    CHECK_EQ(rmd_rwlock_acquire_read(shared, RMD_NOW), 0);
    CHECK_EQ(rmd_rwlock_acquire_read(shared, RMD_NOW), RMD_E2BIG);
    rmd_atomic_store(&shared->lock.word, 0, RMD_RELAXED);
    close_shared();
}

static int open_and_free(void *arg)
{
    (void)arg;
    rmd_rwlock *l;
    int err = rmd_rwlock_open(&l, NULL);
    return err ? err : rmd_rwlock_free(l);
}

TEST(a_rwlock_without_memory_is_not_opened)
{
    CHECK_INT(kit_alloc(open_and_free, NULL, RMD_ENOMEM), >=, 2);
}

static int leave_early(bool write)
{
    if (write) {
        RMD_WITH_WRITE (shared, RMD_FOREVER)
            return 1;
    } else {
        RMD_WITH_READ (shared, RMD_FOREVER)
            return 2;
    }
    return 0;
}

TEST(a_block_holds_it_until_its_end)
{
    int err = 1, ran = 0;
    open_shared();
    RMD_WITH_READ (shared, RMD_NOW, err) {
        CHECK_EQ(err, 0);
        RMD_WITH_WRITE (shared, RMD_NOW, err) {
            FAIL("it is read");
        } else {
            ran++;
            CHECK_EQ(err, RMD_ETIMEDOUT);
        }
        RMD_WITH_READ (shared, RMD_NOW)
            ran++;
    }
    CHECK_EQ(leave_early(true), 1);
    CHECK_EQ(leave_early(false), 2);
    RMD_WITH_WRITE (shared, RMD_NOW) {
        ran++;
        break;
    }
    CHECK_EQ(ran, 3);
    close_shared();
}

/* ---- those who wait ---- */

typedef struct user {
    rmdi_thread thread;
    rmd_deadline deadline;
    rmd_stop *stop;
    int result;
    rmd_atomic(uint32_t) returned;
    bool write, keep;
} user;

static void use(void *arg)
{
    user *u = arg;
    rmd_stop_set(u->stop);
    u->result = u->write ? rmd_rwlock_acquire_write(shared, u->deadline)
                         : rmd_rwlock_acquire_read(shared, u->deadline);
    if (u->result == 0 && !u->keep)
        release();
    rmd_atomic_store(&u->returned, 1, RMD_RELEASE);
}

static void start(user *u)
{
    u->deadline = u->deadline.ns ? u->deadline : patience();
    REQUIRE(rmdi_thread_start(&u->thread, use, u, u->write ? "writer" : "reader") == 0);
}

static int result_of(user *u)
{
    CHECK_EQ(rmdi_thread_join(&u->thread, patience()), 0);
    return u->result;
}

static void until_waiting(rmdi_wait_list *list, uint32_t n)
{
    while (rmd_atomic_load(&list->count, RMD_RELAXED) != n)
        ;
}

TEST(a_writer_that_waits_stops_new_readers)
{
    user writer = { .write = true }, reader = { .write = false };
    open_shared();
    CHECK_EQ(rmd_rwlock_acquire_read(shared, RMD_NOW), 0);
    start(&writer);
    until_waiting(&shared->lock.writers, 1);
    CHECK_EQ(rmd_rwlock_acquire_read(shared, RMD_NOW), RMD_ETIMEDOUT);
    start(&reader);
    until_waiting(&shared->lock.readers, 1);
    CHECK_EQ(rmd_rwlock_free(shared), RMD_EBUSY);
    release();
    CHECK_EQ(result_of(&writer), 0);
    CHECK_EQ(result_of(&reader), 0);
    close_shared();
}

static void hold_back_and_give_up(bool by_stop)
{
    user writer = { .write = true },
         readers[3] = { { .keep = true }, { .keep = true }, { .keep = false } };
    open_shared();
    REQUIRE(rmd_stop_open(&writer.stop) == 0);
    writer.deadline = by_stop ? patience() : rmd_after_ms(300 * kit_patience());
    CHECK_EQ(rmd_rwlock_acquire_read(shared, RMD_NOW), 0);
    start(&writer);
    until_waiting(&shared->lock.writers, 1);
    for (int i = 0; i < 3; i++)
        start(&readers[i]);
    if (by_stop) {
        until_waiting(&shared->lock.readers, 3);
        CHECK_EQ(rmd_stop_request(writer.stop), 0);
    }
    CHECK_EQ(result_of(&writer), by_stop ? RMD_ECANCELED : RMD_ETIMEDOUT);
    for (int i = 0; i < 3; i++) /* we still read */
        CHECK_EQ(result_of(&readers[i]), 0);
    for (int i = 0; i < 3; i++)
        release();
    CHECK_EQ(rmd_stop_free(writer.stop), 0);
    close_shared();
}

TEST(a_writer_that_gives_up_lets_in_whom_it_held_back)
{
    hold_back_and_give_up(false);
}

TEST(a_writer_that_is_stopped_lets_in_whom_it_held_back)
{
    hold_back_and_give_up(true);
}

TEST(a_writer_that_downgrades_lets_in_readers_and_no_writer)
{
    user writer = { .write = true }, readers[2] = { { .keep = true }, { .keep = true } };
    open_shared();
    CHECK_EQ(rmd_rwlock_acquire_write(shared, RMD_NOW), 0);
    start(&writer);
    until_waiting(&shared->lock.writers, 1);
    for (int i = 0; i < 2; i++)
        start(&readers[i]);
    until_waiting(&shared->lock.readers, 2);
    CHECK_EQ(rmd_rwlock_downgrade(shared), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(result_of(&readers[i]), 0);
    CHECK_EQ(rmd_atomic_load(&writer.returned, RMD_ACQUIRE), 0);
    for (int i = 0; i < 3; i++)
        release();
    CHECK_EQ(result_of(&writer), 0);
    close_shared();
}

/* ---- exclusion ---- */

enum { THREADS = 4, ROUNDS = 50000 };

static long a, b; /* equal but for a writer */
static rmd_atomic(uint32_t) over, got;

static void look_or_write(bool write)
{
    if (write)
        a++;
    CHECK_EQ(a, b + write);
    if (write)
        b++;
}

static void read_and_write(void *arg)
{
    int every = *(int *)arg;
    for (int i = 0; i < ROUNDS; i++) {
        bool write = i % every == 0;
        CHECK_EQ(write ? rmd_rwlock_acquire_write(shared, patience())
                       : rmd_rwlock_acquire_read(shared, patience()),
                 0);
        look_or_write(write);
        if (write && i % 3 == 0) {
            CHECK_EQ(rmd_rwlock_downgrade(shared), 0);
            look_or_write(false);
        }
        release();
    }
}

TEST_LIMIT(nobody_sees_a_writer_at_work, 60)
{
    rmdi_thread threads[THREADS];
    int every[THREADS] = { 2, 10, 100, 100 };
    open_shared();
    for (int i = 0; i < THREADS; i++)
        REQUIRE(rmdi_thread_start(&threads[i], read_and_write, &every[i], "uses") == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_EQ(a, ROUNDS / 2 + ROUNDS / 10 + 2 * (ROUNDS / 100));
    close_shared();
}

static void try_impatiently(void *arg)
{
    rmd_stop_set(arg);
    for (int64_t i = 0; !rmd_atomic_load(&over, RMD_ACQUIRE); i++) {
        bool write = i % 3 == 0;
        rmd_deadline soon = rmd_after_ns(i % 7 * 20000);
        if ((write ? rmd_rwlock_acquire_write(shared, soon)
                   : rmd_rwlock_acquire_read(shared, soon)) < 0)
            continue;
        look_or_write(write);
        rmd_atomic_add(&got, write, RMD_RELAXED);
        release();
    }
}

TEST_LIMIT(who_gives_up_loses_it_for_nobody, 60)
{
    rmdi_thread threads[5];
    rmd_stop *stop;
    open_shared();
    REQUIRE(rmd_stop_open(&stop) == 0);
    for (int i = 0; i < 5; i++)
        REQUIRE(rmdi_thread_start(&threads[i], try_impatiently, i ? stop : NULL, "tries") == 0);
    for (int i = 0; i < 2000; i++) {
        CHECK_EQ(i % 2 ? rmd_rwlock_acquire_write(shared, patience())
                       : rmd_rwlock_acquire_read(shared, patience()),
                 0);
        look_or_write(i % 2);
        release();
        if (i == 1000)
            CHECK_EQ(rmd_stop_request(stop), 0);
    }
    rmd_atomic_store(&over, 1, RMD_RELEASE);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_EQ(a, 1000 + rmd_atomic_load(&got, RMD_RELAXED));
    CHECK_EQ(rmd_stop_free(stop), 0);
    close_shared();
}

/* ---- nobody starves ---- */

static void hog(void *arg)
{
    bool write = *(bool *)arg;
    while (!rmd_atomic_load(&over, RMD_RELAXED)) {
        CHECK_EQ(write ? rmd_rwlock_acquire_write(shared, RMD_FOREVER)
                       : rmd_rwlock_acquire_read(shared, RMD_FOREVER),
                 0);
        for (int64_t until = rmdi_clock_monotonic_ns() + 20000; rmdi_clock_monotonic_ns() < until;)
            ;
        release();
    }
}

static void get_in_between(bool hogs_write, bool write)
{
    rmdi_thread threads[3];
    open_shared();
    for (int i = 0; i < 3; i++)
        REQUIRE(rmdi_thread_start(&threads[i], hog, &hogs_write, "hog") == 0);
    for (int i = 0; i < 50; i++) {
        rmd_deadline soon = rmd_after_ms(2000 * kit_patience());
        CHECK_EQ(write ? rmd_rwlock_acquire_write(shared, soon)
                       : rmd_rwlock_acquire_read(shared, soon),
                 0);
        release();
    }
    rmd_atomic_store(&over, 1, RMD_RELAXED);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    close_shared();
}

TEST_LIMIT(readers_do_not_starve_a_writer, 60)
{
    get_in_between(false, true);
}

TEST_LIMIT(writers_do_not_starve_a_reader, 60)
{
    get_in_between(true, false);
}

TEST_LIMIT(writers_do_not_starve_a_writer, 60)
{
    get_in_between(true, true);
}

TEST(waiting_for_a_rwlock_takes_no_processor_time)
{
    struct rusage before, after;
    open_shared();
    CHECK_EQ(rmd_rwlock_acquire_write(shared, RMD_NOW), 0);
    getrusage(RUSAGE_SELF, &before);
    CHECK_EQ(rmd_rwlock_acquire_read(shared, rmd_after_ms(150)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_rwlock_acquire_write(shared, rmd_after_ms(150)), RMD_ETIMEDOUT);
    getrusage(RUSAGE_SELF, &after);
    long us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
              (after.ru_utime.tv_usec - before.ru_utime.tv_usec);
    CHECK_INT(us, <, 20000 * kit_patience());
    release();
    close_shared();
}

/* ---- its end ---- */

typedef struct counted {
    rmdi_rwlock lock;
    rmd_atomic(int) references;
} counted;

static void drop(void *arg)
{
    counted *c = arg;
    CHECK_EQ(rmdi_rwlock_acquire_read(&c->lock, patience()), 0);
    rmdi_rwlock_release(&c->lock);
    CHECK_EQ(rmdi_rwlock_acquire_write(&c->lock, patience()), 0);
    bool last = rmd_atomic_sub(&c->references, 1, RMD_ACQ_REL) == 1;
    rmdi_rwlock_release(&c->lock);
    if (last)
        free(c);
}

TEST_LIMIT(the_last_writer_frees_the_memory_that_the_lock_lies_in, 60)
{
    for (int round = 0; round < 2000; round++) {
        rmdi_thread threads[3];
        counted *c = calloc(1, sizeof *c);
        REQUIRE(c != NULL);
        rmd_atomic_init(&c->references, 3);
        CHECK_EQ(rmdi_rwlock_acquire_write(&c->lock, RMD_NOW), 0);
        for (int i = 0; i < 3; i++)
            REQUIRE(rmdi_thread_start(&threads[i], drop, c, "drop") == 0);
        rmdi_rwlock_release(&c->lock);
        for (int i = 0; i < 3; i++)
            CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    }
}
