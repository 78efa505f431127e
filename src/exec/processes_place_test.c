/* SPDX-License-Identifier: MIT */
/* Places in the queue that come free otherwise than by a task that begins. */
#include "exec/processes_testing.h"

#include "kit_asleep.h"

#include <pthread.h>

enum { ROUNDS = 10 };

static const rmd_function own[] = { { 0 } };
WORKERS(own)

/* Submits one more, and sleeps until there is a place. */
typedef struct submitter {
    rmd_pool *pool;
    _Atomic pid_t thread;
    rmd_future *future;
    int err;
} submitter;

static void *submit(void *arg)
{
    submitter *s = arg;
    s->thread = gettid();
    s->err = rmd_pool_call(s->pool, &s->future, "add", RMD_ARGS(2, 3), NULL);
    return NULL;
}

static void await_submitter(submitter *s)
{
    while (!s->thread)
        sched_yield();
    await_sleep(s->thread);
}

/* Makes room by what it is given, for one who waits for it; how long that one has waited then. */
static int64_t wait_for_room(rmd_pool *pool, rmd_future *queued, void (*free_place)(rmd_future *))
{
    pthread_t thread;
    submitter s = { .pool = pool };
    REQUIRE(pthread_create(&thread, NULL, submit, &s) == 0);
    await_submitter(&s);
    int64_t before = rmd_after_ms(0).ns;
    free_place(queued);
    REQUIRE(pthread_join(thread, NULL) == 0);
    int64_t ns = rmd_after_ms(0).ns - before;
    REQUIRE(s.err == 0);
    CHECK_EQ(rmd_future_cancel(s.future), 0);
    rmd_future_free(s.future);
    rmd_future_free(queued);
    return ns;
}

static void by_cancel(rmd_future *queued)
{
    CHECK_EQ(rmd_future_cancel(queued), 0);
}

static void by_its_limit(rmd_future *queued)
{
    CHECK_EQ(rmd_future_wait(queued, soon()), 0);
    CHECK_EQ(rmd_future_outcome(queued), RMD_OUTCOME_TIMEOUT);
}

static void check_prompt(void (*free_place)(rmd_future *), int64_t queue_ms_max)
{
    gate at = make_gate("gate");
    rmd_pool *pool = open_pool("processes:1?queue=1");
    rmd_future *running = stand(pool, &at, "gate", NULL);
    int64_t ns = 0;
    for (int i = 0; i < ROUNDS; i++) {
        rmd_task_options options = { .limits.queue_ms_max = queue_ms_max };
        rmd_future *queued = call_with(pool, "add", RMD_ARGS(1, 2), options);
        ns += wait_for_room(pool, queued, free_place);
    }
    CHECK_INT(ns / ROUNDS, <,
              (queue_ms_max + 100) * 1000000 * kit_patience()); /* not when somebody looks again */
    open_gate(&at);
    CHECK_OK(running);
    close_pool(pool);
}

TEST(a_cancelled_task_makes_room_at_once)
{
    check_prompt(by_cancel, 0);
}

TEST(a_task_that_has_waited_too_long_makes_room_at_once)
{
    check_prompt(by_its_limit, 30);
}

TEST(a_cancelled_task_makes_room_in_a_pool_that_is_suspended)
{
    rmd_pool *pool = open_pool("processes:1?queue=1");
    CHECK_EQ(rmd_pool_suspend(pool), 0);
    rmd_future *queued = call(pool, "add", RMD_ARGS(1, 2));
    wait_for_room(pool, queued, by_cancel);
    CHECK_EQ(rmd_pool_resume(pool), 0);
    check_works(pool);
    close_pool(pool);
}
