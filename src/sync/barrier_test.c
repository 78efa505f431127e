/* SPDX-License-Identifier: MIT */
#include "sync/barrier.h"

#include "kit.h"
#include "kit_alloc.h"
#include "sync/thread.h"

#include <remuda/error.h>
#include <remuda/stop.h>
#include <sys/resource.h>

static rmd_barrier *shared;

static rmd_deadline patience(void)
{
    return rmd_after_ms(15000 * kit_patience());
}

static void until_waiting(uint32_t n)
{
    while (rmd_atomic_load(&shared->barrier.waits.count, RMD_RELAXED) != n)
        ;
}

/* One that comes once. */
typedef struct party {
    rmdi_thread thread;
    rmd_deadline deadline;
    rmd_stop *stop;
    int result;
} party;

static void come(void *arg)
{
    party *p = arg;
    rmd_stop_set(p->stop);
    p->result = rmd_barrier_wait(shared, p->deadline);
}

static void send(party *p)
{
    REQUIRE(rmdi_thread_start(&p->thread, come, p, "party") == 0);
}

static int result_of(party *p)
{
    CHECK_EQ(rmdi_thread_join(&p->thread, patience()), 0);
    return p->result;
}

TEST(a_barrier_for_one_holds_nobody_up)
{
    REQUIRE(rmd_barrier_open(&shared, 1) == 0);
    CHECK_EQ(rmd_barrier_wait(shared, RMD_FOREVER), RMD_BARRIER_LAST);
    CHECK_EQ(rmd_barrier_wait(shared, RMD_NOW), RMD_BARRIER_LAST);
    CHECK_EQ(rmd_barrier_free(shared), 0);
}

TEST(misuse_of_a_barrier_is_refused)
{
    CHECK_EQ(rmd_barrier_open(NULL, 1), RMD_EINVAL);
    CHECK_EQ(rmd_barrier_open(&shared, 0), RMD_EINVAL);
    CHECK(shared == NULL);
    CHECK_EQ(rmd_barrier_wait(NULL, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_barrier_close(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_barrier_free(NULL), 0);
    REQUIRE(rmd_barrier_open(&shared, 2) == 0);
    CHECK_EQ(rmd_barrier_wait(shared, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_barrier_close(shared), 0);
    CHECK_EQ(rmd_barrier_close(shared), RMD_ECLOSED);
    CHECK_EQ(rmd_barrier_wait(shared, RMD_FOREVER), RMD_ECLOSED);
    CHECK_EQ(rmd_barrier_free(shared), 0);
}

static int open_and_free(void *arg)
{
    (void)arg;
    rmd_barrier *b;
    int err = rmd_barrier_open(&b, 3);
    return err ? err : rmd_barrier_free(b);
}

TEST(a_barrier_without_memory_is_not_opened)
{
    CHECK_INT(kit_alloc(open_and_free, NULL, RMD_ENOMEM), >=, 2);
}

/* ---- who leaves has not arrived ---- */

TEST(who_gives_up_is_replaced_by_who_comes_next)
{
    party patient = { .deadline = patience() }, impatient = { .deadline = rmd_after_ms(10) };
    REQUIRE(rmd_barrier_open(&shared, 3) == 0);
    send(&patient);
    send(&impatient);
    CHECK_EQ(result_of(&impatient), RMD_ETIMEDOUT);
    until_waiting(1);
    CHECK_EQ(rmd_barrier_wait(shared, rmd_after_ms(10)), RMD_ETIMEDOUT); /* two of three */
    CHECK_EQ(rmd_barrier_free(shared), RMD_EBUSY);
    impatient.deadline = patience();
    send(&impatient);
    until_waiting(2);
    CHECK_EQ(rmd_barrier_wait(shared, RMD_NOW), RMD_BARRIER_LAST);
    CHECK_EQ(result_of(&patient), 0);
    CHECK_EQ(result_of(&impatient), 0);
    CHECK_EQ(rmd_barrier_free(shared), 0);
}

TEST(who_is_stopped_has_not_arrived)
{
    party stopped = { .deadline = patience() };
    REQUIRE(rmd_barrier_open(&shared, 2) == 0 && rmd_stop_open(&stopped.stop) == 0);
    send(&stopped);
    until_waiting(1);
    CHECK_EQ(rmd_stop_request(stopped.stop), 0);
    CHECK_EQ(result_of(&stopped), RMD_ECANCELED);
    CHECK_EQ(rmd_barrier_wait(shared, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_stop_free(stopped.stop), 0);
    CHECK_EQ(rmd_barrier_free(shared), 0);
}

TEST(closing_sends_everybody_away)
{
    party parties[3];
    REQUIRE(rmd_barrier_open(&shared, 4) == 0);
    for (int i = 0; i < 3; i++) {
        parties[i] = (party){ .deadline = patience() };
        send(&parties[i]);
    }
    until_waiting(3);
    CHECK_EQ(rmd_barrier_close(shared), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(result_of(&parties[i]), RMD_ECLOSED);
    CHECK_EQ(rmd_barrier_wait(shared, patience()), RMD_ECLOSED);
    CHECK_EQ(rmd_barrier_free(shared), 0);
}

/* ---- rounds ---- */

enum { PARTIES = 4, ROUNDS = 3000 };

static rmd_atomic(uint32_t) arrivals[ROUNDS], lasts[ROUNDS], late;
static uint32_t written[PARTIES]; /* by each in its round; read by all between two barriers */

static void work_in_rounds(void *arg)
{
    uint32_t *mine = arg;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        *mine = i;
        rmd_atomic_add(&arrivals[i], 1, RMD_RELAXED);
        int err = rmd_barrier_wait(shared, patience());
        rmd_atomic_add(&lasts[i], err == RMD_BARRIER_LAST, RMD_RELAXED);
        CHECK_EQ(rmd_atomic_load(&arrivals[i], RMD_RELAXED), PARTIES);
        for (int j = 0; j < PARTIES; j++)
            CHECK_EQ(written[j], i);
        CHECK_INT(rmd_barrier_wait(shared, patience()), >=, 0);
    }
}

TEST_LIMIT(no_round_overlaps_another_and_each_has_one_last, 60)
{
    rmdi_thread threads[PARTIES];
    REQUIRE(rmd_barrier_open(&shared, PARTIES) == 0);
    for (int i = 0; i < PARTIES; i++)
        REQUIRE(rmdi_thread_start(&threads[i], work_in_rounds, &written[i], "rounds") == 0);
    for (int i = 0; i < PARTIES; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    for (int i = 0; i < ROUNDS; i++)
        CHECK_EQ(rmd_atomic_load(&lasts[i], RMD_RELAXED), 1);
    CHECK_EQ(rmd_barrier_free(shared), 0);
}

/* With deadlines that pass all the time: of n parties each round is n results of 0 or more. */
static void come_impatiently(void *arg)
{
    (void)arg;
    for (int64_t i = 0;; i++) {
        int err = rmd_barrier_wait(shared, rmd_after_ns(i % 7 * 20000));
        if (err == RMD_ECLOSED)
            return;
        if (err == RMD_ETIMEDOUT)
            rmd_atomic_add(&late, 1, RMD_RELAXED);
        else
            rmd_atomic_add(err == RMD_BARRIER_LAST ? &lasts[0] : &arrivals[0], 1, RMD_RELAXED);
    }
}

TEST_LIMIT(a_round_that_is_complete_at_the_deadline_counts_for_all, 60)
{
    rmdi_thread threads[PARTIES];
    REQUIRE(rmd_barrier_open(&shared, 3) == 0);
    for (int i = 0; i < PARTIES; i++)
        REQUIRE(rmdi_thread_start(&threads[i], come_impatiently, NULL, "impatient") == 0);
    while (rmd_atomic_load(&lasts[0], RMD_RELAXED) < 1000)
        CHECK_EQ(rmd_barrier_wait(shared, RMD_NOW) == RMD_ECLOSED, false);
    CHECK_EQ(rmd_barrier_close(shared), 0);
    for (int i = 0; i < PARTIES; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_INT(rmd_atomic_load(&late, RMD_RELAXED), >, 0);
    CHECK_EQ(rmd_barrier_free(shared), 0);
}

/* ---- its end ---- */

TEST_LIMIT(who_comes_last_out_may_free_it, 60)
{
    for (int round = 0; round < 1000; round++) {
        party other = { .deadline = patience() };
        REQUIRE(rmd_barrier_open(&shared, 2) == 0);
        send(&other);
        CHECK_INT(rmd_barrier_wait(shared, patience()), >=, 0);
        int err;
        while ((err = rmd_barrier_free(shared)) == RMD_EBUSY)
            ;
        CHECK_EQ(err, 0);
        CHECK_INT(result_of(&other), >=, 0);
    }
}

TEST(waiting_at_a_barrier_takes_no_processor_time)
{
    struct rusage before, after;
    REQUIRE(rmd_barrier_open(&shared, 2) == 0);
    getrusage(RUSAGE_SELF, &before);
    CHECK_EQ(rmd_barrier_wait(shared, rmd_after_ms(300)), RMD_ETIMEDOUT);
    getrusage(RUSAGE_SELF, &after);
    long us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
              (after.ru_utime.tv_usec - before.ru_utime.tv_usec);
    CHECK_INT(us, <, 20000 * kit_patience());
    CHECK_EQ(rmd_barrier_free(shared), 0);
}
