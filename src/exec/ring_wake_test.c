/* SPDX-License-Identifier: MIT */
/* The ring's two sides on two threads: each sleeps, and is woken by the other, and no wake-up is
 * lost. And who is told what, when he asks to be told. */
#include "exec/ring_testing.h"

#include "base/park.h"
#include "kit_asleep.h"
#include "kit_soon.h"
#include "port/poll.h"

#include <poll.h>
#include <pthread.h>
#include <remuda/error.h>
#include <unistd.h>

static rmd_atomic(int) idles, claimed;
static rmd_atomic(int) worker_tid;

static void count_idle(void *ctx)
{
    (void)ctx;
    rmd_atomic_add(&idles, 1, RMD_RELAXED);
}

/* ---- who is told ---- */

static int bells_rung(void)
{
    return rmd_atomic_exchange(&bells, 0, RMD_RELAXED);
}

TEST(the_bell_is_rung_once_for_a_keeper_that_sleeps)
{
    open_ring();
    put_small(1);
    put_small(2);
    run_one(1);
    rmdi_ring_tell(&end, false);
    CHECK_EQ(bells_rung(), 0); /* nobody sleeps */
    CHECK(rmdi_ring_await(&ring, RMDI_AWAITED_BY_KEEPER));
    rmdi_ring_tell(&end, false);
    CHECK_EQ(bells_rung(), 0); /* it was told; and it need not have slept */
    run_one(2);
    rmdi_ring_tell(&end, false);
    CHECK_EQ(bells_rung(), 1);
    CHECK_EQ(rmd_atomic_load(&memory->awaited, RMD_RELAXED), 0);
    rmdi_ring_tell(&end, false);
    CHECK_EQ(bells_rung(), 0);
}

TEST(news_of_the_worker_itself_are_told_also_when_nothing_was_done)
{
    open_ring();
    CHECK(!rmdi_ring_await(&ring, RMDI_AWAITED_BY_KEEPER));
    rmdi_ring_tell(&end, false);
    CHECK_EQ(bells_rung(), 0);
    rmdi_ring_tell(&end, true);
    CHECK_EQ(bells_rung(), 1);
}

TEST(a_task_that_was_passed_is_news)
{
    open_ring();
    CHECK(rmdi_ring_take(&ring, put_small(1)));
    CHECK(!rmdi_ring_await(&ring, RMDI_AWAITED_BY_KEEPER));
    CHECK(!rmdi_ring_claim(&end));
    rmdi_ring_tell(&end, false);
    CHECK_EQ(bells_rung(), 1);
}

TEST(who_waits_for_a_begin_is_told_of_it_and_the_keeper_is_not)
{
    open_ring();
    put_small(1);
    rmdi_ring_await(&ring, RMDI_AWAITED_BY_KEEPER);
    rmdi_ring_await(&ring, RMDI_AWAITED_BY_THREAD);
    claim(1);
    rmdi_ring_tell_begun(&end, false);
    CHECK_EQ(bells_rung(), 0);
    rmdi_ring_await(&ring, RMDI_AWAITED_BEGIN);
    rmdi_ring_tell_begun(&end, false);
    CHECK_EQ(bells_rung(), 1);
    CHECK_EQ(rmd_atomic_load(&memory->awaited, RMD_RELAXED),
             RMDI_AWAITED_BY_KEEPER | RMDI_AWAITED_BY_THREAD);
    rmdi_ring_tell_begun(&end, true); /* of one that is timed */
    CHECK_EQ(bells_rung(), 1);
    CHECK_EQ(rmd_atomic_load(&memory->awaited, RMD_RELAXED), RMDI_AWAITED_BY_THREAD);
}

TEST(with_the_begin_of_the_next_the_keeper_is_told_what_was_done_before)
{
    open_ring();
    put_small(1);
    put_small(2);
    rmdi_ring_await(&ring, RMDI_AWAITED_BY_KEEPER);
    run_one(1);
    claim(2);
    rmdi_ring_tell_begun(&end, false);
    CHECK_EQ(bells_rung(), 1);
}

TEST(a_new_ring_tells_its_keeper_when_the_worker_is_ready)
{
    open_ring();
    rmdi_ring_init(&ring, memory);
    rmdi_ring_tell(&end, true);
    CHECK_EQ(bells_rung(), 1);
}

/* ---- the worker sleeps ---- */

TEST(a_worker_that_has_a_task_does_not_become_idle)
{
    open_ring();
    put_small(1);
    CHECK(rmdi_ring_wait(&end, count_idle));
    rmdi_ring_quit(&ring);
    CHECK(rmdi_ring_wait(&end, count_idle)); /* it is still to be done */
    CHECK_EQ(rmd_atomic_load(&idles, RMD_RELAXED), 0);
    run_one(1);
    CHECK(!rmdi_ring_wait(&end, count_idle));
    CHECK_EQ(rmd_atomic_load(&idles, RMD_RELAXED), 1);
    CHECK_EQ(rmd_atomic_load(&memory->sleeps, RMD_RELAXED), 0);
}

TEST(one_to_be_passed_is_no_reason_to_sleep)
{
    open_ring();
    CHECK(rmdi_ring_take(&ring, put_small(1)));
    CHECK(rmdi_ring_wait(&end, count_idle));
}

TEST(before_it_sleeps_a_worker_tells_of_an_answer_that_nobody_has_taken)
{
    open_ring();
    rmdi_ring_await(&ring, RMDI_AWAITED_BY_KEEPER);
    put_small(1);
    run_one(1);
    rmdi_ring_quit(&ring);
    CHECK(!rmdi_ring_wait(&end, count_idle));
    CHECK_EQ(bells_rung(), 1);
}

/* Runs all that comes until it is told to quit. */
static void *be_worker(void *arg)
{
    rmdi_ring_slot *task;
    (void)arg;
    rmd_atomic_store(&worker_tid, gettid(), RMD_RELEASE);
    do
        while ((task = rmdi_ring_claim(&end))) {
            rmd_atomic_add(&claimed, 1, RMD_RELEASE);
            rmdi_ring_tell_begun(&end, task->timed);
            const unsigned char *arguments = memory->in + task->in_at + task->function_len;
            size_t len = task->in_len - task->function_len;
            CHECK_EQ(rmdi_ring_finish(&end, 0, (rmd_bytes){ arguments, len }, 0), 0);
        }
    while (rmdi_ring_wait(&end, count_idle));
    return NULL;
}

static pthread_t start_worker(void)
{
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, be_worker, NULL) == 0);
    while (!rmd_atomic_load(&worker_tid, RMD_ACQUIRE))
        ;
    return thread;
}

static void await_parked_worker(uint32_t what)
{
    while (rmd_atomic_load(&memory->sleeps, RMD_ACQUIRE) != what)
        sched_yield();
    await_sleep(rmd_atomic_load(&worker_tid, RMD_RELAXED));
}

static void end_worker(pthread_t thread)
{
    rmdi_ring_quit(&ring);
    pthread_join(thread, NULL);
}

/* Sleeps until the oldest is done, as a thread does that waits for it. */
static void await_answer(rmdi_ring_answer *answer)
{
    while (rmdi_ring_next(&ring, answer) != 1)
        if (!rmdi_ring_await(&ring, RMDI_AWAITED_BY_THREAD)) {
            uint32_t awaited = rmd_atomic_load(&memory->awaited, RMD_RELAXED);
            if (awaited)
                REQUIRE(rmdi_park_shared(&memory->awaited, awaited, soon()) == 0);
        }
}

TEST(a_sleeping_worker_is_woken_by_a_task)
{
    rmdi_ring_answer answer;
    open_ring();
    pthread_t worker = start_worker();
    for (int i = 0; i < 20; i++) {
        await_parked_worker(1);
        CHECK_EQ(rmd_atomic_load(&claimed, RMD_ACQUIRE), i);
        put_small(1);
        rmdi_ring_wake(&ring);
        await_answer(&answer);
        rmdi_ring_release(&ring);
    }
    CHECK_INT(rmd_atomic_load(&idles, RMD_RELAXED), >=, 20);
    end_worker(worker);
}

TEST(a_sleeping_worker_is_woken_to_quit)
{
    open_ring();
    pthread_t worker = start_worker();
    await_parked_worker(1);
    end_worker(worker);
}

TEST(who_releases_an_answer_does_not_wake_a_worker_that_waits_for_a_task)
{
    rmdi_ring_answer answer;
    open_ring();
    put_small(1);
    pthread_t worker = start_worker();
    await_parked_worker(1);
    REQUIRE(rmdi_ring_next(&ring, &answer) == 1);
    rmdi_ring_release(&ring);
    CHECK_EQ(rmd_atomic_load(&memory->sleeps, RMD_RELAXED), 1);
    end_worker(worker);
}

TEST(no_wake_up_is_lost_between_a_worker_and_who_waits_for_it)
{
    enum { ROUNDS = 20000 };
    rmdi_ring_answer answer;
    open_ring_at((unsigned)-100);
    pthread_t worker = start_worker();
    for (uint64_t i = 0; i < ROUNDS; i++) {
        REQUIRE(put_task(i, &i, sizeof i));
        rmdi_ring_wake(&ring);
        await_answer(&answer);
        CHECK_MEM(answer.result.data, &i, sizeof i);
        rmdi_ring_release(&ring);
    }
    end_worker(worker);
    CHECK_EQ(rmd_atomic_load(&claimed, RMD_RELAXED), ROUNDS);
}

static int bell;

static void write_bell(void *ctx)
{
    const uint64_t one = 1;
    (void)ctx;
    REQUIRE(write(bell, &one, sizeof one) == sizeof one);
}

TEST(no_bell_is_lost_between_a_worker_and_its_keeper)
{
    enum { TASKS = 20000 };
    rmdi_ring_answer answer;
    uint64_t next = 0, done = 0;
    open_ring();
    bell = rmdi_poll_event_open();
    end.ring_bell = write_bell;
    pthread_t worker = start_worker();
    while (done < TASKS) {
        for (int i = 0; i < 3 && next < TASKS && put_task(next, &next, sizeof next); i++)
            next++;
        rmdi_ring_wake(&ring);
        struct pollfd rung = { .fd = bell, .events = POLLIN };
        if (!rmdi_ring_await(&ring, RMDI_AWAITED_BY_KEEPER))
            REQUIRE(poll(&rung, 1, 15000 * kit_patience()) == 1);
        rmdi_poll_event_clear(bell);
        for (; rmdi_ring_next(&ring, &answer) == 1; rmdi_ring_release(&ring))
            CHECK_MEM(answer.result.data, &done, sizeof done), done++;
    }
    end_worker(worker);
}

/* ---- the worker waits for room ---- */

/* Results that are larger than arguments. */
static void *answer_at_length(void *arg)
{
    static char words[120 * 1024];
    int n = *(int *)arg;
    rmd_atomic_store(&worker_tid, gettid(), RMD_RELEASE);
    for (int i = 0; i < n; i++) {
        REQUIRE(rmdi_ring_claim(&end) != NULL);
        memset(words, 'a' + i, sizeof words);
        CHECK_EQ(rmdi_ring_finish(&end, 0, (rmd_bytes){ words, sizeof words }, 0), 0);
        rmd_atomic_add(&claimed, 1, RMD_RELEASE);
    }
    return NULL;
}

static void take_long_answer(char letter)
{
    rmdi_ring_answer answer;
    REQUIRE(rmdi_ring_next(&ring, &answer) == 1);
    const char *words = answer.result.data;
    CHECK_EQ(words[0], letter);
    CHECK_EQ(words[answer.result.len - 1], letter);
    rmdi_ring_release(&ring);
}

TEST(finishing_waits_for_room_and_tells_whoever_takes_answers)
{
    enum { FIT = 2 }; /* so many answers have room */
    int n = 6;
    pthread_t worker;
    open_ring();
    for (int i = 0; i < n; i++)
        put_small((uint64_t)i);
    CHECK(!rmdi_ring_await(&ring, RMDI_AWAITED_BY_KEEPER));
    REQUIRE(pthread_create(&worker, NULL, answer_at_length, &n) == 0);
    while (!rmd_atomic_load(&worker_tid, RMD_ACQUIRE))
        ;
    for (int i = 0; i < n - FIT; i++) {
        await_parked_worker(2);
        CHECK_EQ(rmd_atomic_load(&claimed, RMD_ACQUIRE), i + FIT);
        CHECK_EQ(bells_rung(), 1);
        rmdi_ring_wake(&ring); /* a new task is not what it waits for */
        CHECK_EQ(rmd_atomic_load(&memory->sleeps, RMD_RELAXED), 2);
        CHECK(rmdi_ring_await(&ring, RMDI_AWAITED_BY_KEEPER));
        take_long_answer((char)('a' + i));
    }
    pthread_join(worker, NULL);
    for (int i = n - FIT; i < n; i++)
        take_long_answer((char)('a' + i));
    CHECK_EQ(rmd_atomic_load(&claimed, RMD_RELAXED), n);
}

/* ---- who sleeps on `awaited` ---- */

static void *sleep_until_told(void *arg)
{
    rmd_atomic(int) *told = arg;
    rmdi_ring_await(&ring, RMDI_AWAITED_BY_THREAD);
    rmd_atomic_store(&worker_tid, gettid(), RMD_RELEASE);
    CHECK_EQ(rmdi_park_shared(&memory->awaited, RMDI_AWAITED_BY_THREAD, soon()), 0);
    rmd_atomic_add(told, 1, RMD_RELEASE);
    return NULL;
}

static void wake_all(void (*wake)(void))
{
    enum { SLEEPERS = 3 };
    rmd_atomic(int) told;
    pthread_t threads[SLEEPERS];
    rmd_atomic_init(&told, 0);
    for (int i = 0; i < SLEEPERS; i++) {
        rmd_atomic_store(&worker_tid, 0, RMD_RELAXED);
        REQUIRE(pthread_create(&threads[i], NULL, sleep_until_told, &told) == 0);
        while (!rmd_atomic_load(&worker_tid, RMD_ACQUIRE))
            ;
        await_sleep(rmd_atomic_load(&worker_tid, RMD_RELAXED));
    }
    wake();
    for (int i = 0; i < SLEEPERS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(rmd_atomic_load(&told, RMD_ACQUIRE), SLEEPERS);
}

static void finish_one(void)
{
    run_one(1);
}

static void give_it_up(void)
{
    rmdi_ring_wake_threads(memory);
}

TEST(all_threads_that_wait_are_woken_by_an_answer)
{
    open_ring();
    put_small(1);
    wake_all(finish_one);
    CHECK_EQ(rmd_atomic_load(&memory->awaited, RMD_RELAXED), 0);
}

TEST(all_threads_that_wait_are_woken_when_no_answer_will_come)
{
    open_ring();
    put_small(1);
    wake_all(give_it_up);
}
