/* SPDX-License-Identifier: MIT */
/* The bounded queue, and the end of a pool: close, drain, abort, free; from many threads and
 * in callbacks; and that nothing is left then. */
#include "kit.h"
#include "kit_alloc.h"
#include "kit_resources.h"

#include "exec/programs_testing.h"
#include "exec/threads.h"
#include "port/clock.h"
#include "sync/thread.h"
#include <fcntl.h>
#include <remuda/event.h>
#include <remuda/thread.h>
#include <sched.h>
#include <stdlib.h>

static int run_with_err(rmd_pool *pool, rmd_future **future, int64_t full_ms)
{
    static const char *const argv[] = { "true", NULL };
    rmd_command command = { .size = sizeof command, .argv = argv, .full_ms = full_ms };
    return rmd_pool_exec(pool, future, &command);
}

/* A pool of one worker with a queue of two, which are full. */
static rmd_future *futures[3];

static rmd_pool *open_full_pool(void)
{
    rmd_pool *pool = open_pool("programs:1?queue=2");
    int told[2];
    REQUIRE(pipe2(told, O_CLOEXEC) == 0);
    futures[0] = run_with(pool, "echo 1 >&3; sleep 60",
                          (rmd_command){ .fds = &told[1], .fds_len = 1 });
    read_number(told[0]); /* it is out of the queue */
    for (int i = 1; i < 3; i++)
        futures[i] = run(pool, "true");
    return pool;
}

/* ---- the queue ---- */

TEST(a_full_queue_refuses_at_once_or_after_a_time)
{
    rmd_future *future;
    rmd_pool *pool = open_full_pool();
    CHECK_EQ(run_with_err(pool, &future, -1), RMD_EFULL);
    CHECK_CONTAINS(rmd_error_detail(), "2 tasks are queued");
    int64_t before = rmdi_clock_monotonic_ns();
    CHECK_EQ(run_with_err(pool, &future, 30), RMD_EFULL);
    CHECK_INT(rmdi_clock_monotonic_ns() - before, >=, 30 * 1000000);
    CHECK_EQ(rmd_future_cancel(futures[2]), 0); /* makes room */
    CHECK_EQ(run_with_err(pool, &future, -1), 0);
    CHECK_EQ(rmd_future_cancel(futures[0]), 0);
    CHECK_END(futures[0], RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_END(futures[1], RMD_OUTCOME_OK, 0);
    CHECK_END(futures[2], RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    close_pool(pool);
}

/* What a worker takes while a submitter sleeps is room, also when it goes on with none of it. */
static rmd_event *first_gate, *gate;

static int wait_for_event(void *event)
{
    return rmd_event_wait(*(rmd_event **)event, RMD_FOREVER);
}

static void submit_for_gate(void *pool)
{
    CHECK_EQ(rmd_submit(pool, NULL, wait_for_event, &gate, NULL), 0);
    rmd_event_set(gate);
}

static void fill_queue(rmd_pool *pool)
{
    rmd_task_options options = { .size = sizeof options, .full_ms = -1 };
    while (rmd_submit(pool, NULL, wait_for_event, &gate, &options) == 0)
        ;
}

TEST(a_submitter_finds_the_room_that_a_worker_leaves_who_goes_on_with_nothing)
{
    rmd_pool *pool;
    rmd_thread *thread;
    REQUIRE(rmd_event_open(&first_gate) == 0 && rmd_event_open(&gate) == 0);
    REQUIRE(rmd_pool_open(&pool, "threads:1?queue=512", NULL, soon()) == 0);
    CHECK_EQ(rmd_submit(pool, NULL, wait_for_event, &first_gate, NULL), 0);
    for (rmd_census now = { 0 }; !now.running; sched_yield())
        REQUIRE(rmd_pool_census(pool, &now) == 0);
    fill_queue(pool);
    REQUIRE(rmd_thread_start(&thread, submit_for_gate, pool, NULL) == 0);
    while (!rmdi_wait_list_waits(&((rmdi_threads *)(void *)pool)->place))
        sched_yield();
    rmd_event_set(first_gate);
    CHECK_EQ(rmd_thread_join(thread, soon()), 0);
    rmd_thread_free(thread);
    close_pool(pool);
    CHECK_EQ(rmd_event_free(first_gate), 0);
    CHECK_EQ(rmd_event_free(gate), 0);
}

static void cancel_first(void *arg)
{
    (void)arg;
    CHECK_EQ(rmd_future_cancel(futures[0]), 0);
}

TEST(a_full_queue_blocks_until_there_is_a_place)
{
    rmd_future *future;
    rmdi_thread thread;
    rmd_pool *pool = open_full_pool();
    REQUIRE(rmdi_thread_start(&thread, cancel_first, NULL, "cancel") == 0);
    CHECK_EQ(run_with_err(pool, &future, 0), 0);
    CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    for (int i = 0; i < 3; i++)
        rmd_future_free(futures[i]);
    close_pool(pool);
}

static rmd_pool *submits_to;

static void submit_blocking(void *err)
{
    *(int *)err = run_with_err(submits_to, NULL, 0);
}

TEST(who_waits_for_a_place_is_told_that_the_pool_is_closed)
{
    int errors[3];
    rmdi_thread threads[3];
    submits_to = open_full_pool();
    for (int i = 0; i < 3; i++)
        REQUIRE(rmdi_thread_start(&threads[i], submit_blocking, &errors[i], "submit") == 0);
    CHECK_EQ(rmd_pool_close(submits_to), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
        CHECK_EQ(errors[i], RMD_ECLOSED);
    }
    CHECK_EQ(run_with_err(submits_to, NULL, 0), RMD_ECLOSED);
    CHECK_EQ(rmd_future_cancel(futures[0]), 0);
    for (int i = 0; i < 3; i++)
        rmd_future_free(futures[i]);
    close_pool(submits_to);
}

static void submit_in_callback(rmd_future *future, void *ctx)
{
    (void)future;
    int *errors = ctx;
    errors[0] = run_with_err(submits_to, NULL, 0);
    errors[1] = run_with_err(submits_to, NULL, 60000);
    CHECK_CONTAINS(rmd_error_detail(), "callback");
}

TEST(a_callback_does_not_wait_for_a_place)
{
    int errors[2] = { 0 };
    submits_to = open_full_pool();
    CHECK_EQ(rmd_future_cancel(futures[2]), 0);
    rmd_future *last = run(submits_to, "true");
    CHECK_EQ(rmd_future_on_end(futures[2], submit_in_callback, errors), 0);
    CHECK_EQ(rmd_future_cancel(futures[0]), 0);
    CHECK_END(last, RMD_OUTCOME_OK, 0);
    for (int i = 0; i < 3; i++)
        rmd_future_free(futures[i]);
    close_pool(submits_to);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(errors[i], RMD_EFULL);
}

/* ---- callbacks that would wait for themselves ---- */

static void wait_in_callback(rmd_future *future, void *ctx)
{
    rmd_future *other = ctx;
    CHECK_EQ(rmd_future_wait(other, RMD_FOREVER), RMD_EDEADLK);
    CHECK_EQ(rmd_pool_drain(submits_to, RMD_FOREVER), RMD_EDEADLK);
    CHECK_EQ(rmd_pool_abort(submits_to, RMD_FOREVER), RMD_EDEADLK);
    CHECK_EQ(rmd_pool_free(submits_to), RMD_EBUSY);
    CHECK_EQ(rmd_future_wait(future, RMD_FOREVER), 0);
}

static void sink_that_waits(void *ctx, int stream, const void *data, size_t len)
{
    (void)ctx;
    (void)stream;
    (void)data;
    (void)len;
    CHECK_EQ(rmd_pool_drain(submits_to, RMD_FOREVER), RMD_EDEADLK);
}

TEST(waiting_for_the_pool_in_a_callback_of_it_is_refused)
{
    submits_to = open_pool("programs:2");
    rmd_future *other = run(submits_to, "sleep 60"), *future = run(submits_to, "true");
    CHECK_EQ(rmd_future_on_end(future, wait_in_callback, other), 0);
    rmd_stream sink = { .kind = RMD_STREAM_SINK, .sink = sink_that_waits };
    CHECK_END(run_with(submits_to, "echo", (rmd_command){ .out = sink }), RMD_OUTCOME_OK, 0);
    CHECK_EQ(rmd_future_cancel(other), 0);
    rmd_future_free(other);
    rmd_future_free(future);
    close_pool(submits_to);
}

/* ---- the end of a pool ---- */

TEST(a_drain_runs_what_was_accepted)
{
    rmd_census census;
    rmd_pool *pool = open_pool("programs:2");
    for (int i = 0; i < 30; i++)
        CHECK_EQ(run_with_err(pool, NULL, 0), 0);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_drain(pool, RMD_NOW), 0); /* again is fine */
    CHECK_EQ(rmd_pool_abort(pool, RMD_NOW), 0);
    CHECK_EQ(rmd_pool_census(pool, &census), 0);
    CHECK_EQ(census.ok, 30);
    CHECK_EQ(run_with_err(pool, NULL, 0), RMD_ECLOSED);
    CHECK_EQ(rmd_pool_cancel(pool, false), 0);
    CHECK_EQ(rmd_pool_suspend(pool), 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

TEST(at_the_deadline_a_drain_cancels_the_rest_and_the_pool_is_drained)
{
    rmd_pool *pool = open_full_pool();
    CHECK_EQ(rmd_pool_drain(pool, rmd_after_ms(20)), RMD_ETIMEDOUT);
    CHECK_CONTAINS(rmd_error_detail(), "cancelled");
    for (int i = 0; i < 3; i++)
        CHECK_END(futures[i], RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

static rmd_stop *open_fired(void)
{
    rmd_stop *stop;
    REQUIRE(rmd_stop_open(&stop) == 0);
    CHECK_EQ(rmd_stop_request(stop), 0);
    return stop;
}

TEST(an_abort_that_is_not_ready_in_time_is_called_again)
{
    static const rmd_kill_step slow[] = { { SIGUSR1, 300 }, { SIGKILL, 0 } };
    int told[2];
    rmd_stop *stop = open_fired();
    REQUIRE(pipe2(told, O_CLOEXEC) == 0);
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run_with(pool, "trap '' USR1; echo 1 >&3; while :; do sleep 60; done",
                                  (rmd_command){ .fds = &told[1],
                                                 .fds_len = 1,
                                                 .limits = { .ladder = slow, .ladder_len = 2 } });
    read_number(told[0]);
    CHECK_EQ(rmd_pool_abort(pool, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_pool_abort(pool, rmd_after_ms(20)), RMD_ETIMEDOUT);
    rmd_stop_set(stop);
    CHECK_EQ(rmd_pool_abort(pool, RMD_FOREVER), RMD_ECANCELED);
    rmd_stop_set(NULL);
    CHECK_EQ(rmd_pool_free(pool), RMD_EBUSY);
    CHECK_EQ(rmd_pool_abort(pool, soon()), 0);
    CHECK_EQ(end_of(future)->signal, SIGKILL);
    CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_EQ(rmd_pool_free(pool), 0);
    CHECK_EQ(rmd_stop_free(stop), 0);
}

static void cycle(int number)
{
    rmd_future *some[6];
    rmd_pool *pool = open_pool_with("programs:2", (rmd_pool_options){ .capture_bytes_max = 1000 });
    for (int i = 0; i < 6; i++)
        some[i] = run(pool, i % 2 ? "head -c 5000 /dev/zero; exit 1" : "sleep 0.01");
    if (number % 3 == 0)
        CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    else if (number % 3 == 1)
        CHECK_EQ(rmd_pool_abort(pool, soon()), 0);
    else
        CHECK_INT(rmd_pool_drain(pool, rmd_after_ms(5)), <=, 0);
    for (int i = 0; i < 6; i++) {
        CHECK(rmd_future_outcome(some[i]) != RMD_PENDING);
        rmd_future_free(some[i]);
    }
    if (number % 2)
        CHECK_EQ(rmd_pool_free(pool), 0);
    else
        submits_to = pool;
}

TEST(after_many_pools_no_descriptor_thread_child_or_file_is_left)
{
    kit_resources before;
    kit_resources_take(&before);
    for (int i = 0; i < 60; i++) {
        cycle(i);
        if (i % 2)
            continue;
        if (i % 20 == 0) { /* also when the pool is drained but not freed yet */
            CHECK_RESOURCES(&before);
            kit_resources_take(&before);
        }
        CHECK_EQ(rmd_pool_free(submits_to), 0);
    }
    CHECK_RESOURCES(&before);
}

/* ---- several threads ---- */

typedef struct drainer {
    rmd_pool *pool;
    rmdi_thread thread;
    rmd_deadline deadline;
    bool abort;
    rmd_stop *stop;
    int result;
} drainer;

static void drain(void *arg)
{
    drainer *d = arg;
    rmd_stop_set(d->stop);
    d->result = d->abort ? rmd_pool_abort(d->pool, d->deadline)
                         : rmd_pool_drain(d->pool, d->deadline);
}

static void start_drain(drainer *d)
{
    REQUIRE(rmdi_thread_start(&d->thread, drain, d, "drain") == 0);
}

/* Another thread that drains without a limit, and has begun to. */
static void start_patient_drain(drainer *d, rmd_pool *pool, rmd_future *runs)
{
    *d = (drainer){ .pool = pool, .deadline = RMD_FOREVER };
    start_drain(d);
    while (run_with_err(pool, NULL, -1) != RMD_ECLOSED)
        ;
    CHECK_EQ(rmd_future_wait(runs, rmd_after_ms(20)), RMD_ETIMEDOUT);
}

static int join_drain(drainer *d)
{
    CHECK_EQ(rmdi_thread_join(&d->thread, RMD_FOREVER), 0);
    return d->result;
}

TEST(several_threads_may_drain_at_once)
{
    drainer drainers[4];
    for (int round = 0; round < 30; round++) {
        rmd_pool *pool = open_pool("programs:2");
        for (int i = 0; i < 3; i++)
            CHECK_EQ(run_with_err(pool, NULL, 0), 0);
        for (int i = 0; i < 4; i++) {
            drainers[i] = (drainer){ .pool = pool, .deadline = RMD_FOREVER, .abort = i == 3 };
            start_drain(&drainers[i]);
        }
        for (int i = 0; i < 4; i++)
            CHECK_EQ(join_drain(&drainers[i]), 0);
        CHECK_EQ(rmd_pool_free(pool), 0);
    }
}

TEST(an_abort_does_not_wait_for_a_patient_drain)
{
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run(pool, "sleep 60");
    drainer patient;
    start_patient_drain(&patient, pool, future);
    CHECK_EQ(rmd_pool_abort(pool, soon()), 0);
    CHECK_EQ(join_drain(&patient), 0);
    CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

TEST(an_impatient_drain_cancels_although_another_one_would_wait)
{
    rmd_pool *pool = open_pool("programs:1");
    rmd_future *future = run(pool, "sleep 60");
    drainer patient;
    start_patient_drain(&patient, pool, future);
    CHECK_EQ(rmd_pool_drain(pool, rmd_after_ms(20)), RMD_ETIMEDOUT);
    CHECK_EQ(join_drain(&patient), 0);
    CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

/* ---- told to stop ---- */

TEST(a_drain_that_is_told_to_stop_cancels_the_rest_and_the_pool_is_drained)
{
    rmd_stop *stop = open_fired();
    for (int beside = 0; beside < 2; beside++) {
        rmd_pool *pool = open_pool("programs:1");
        rmd_future *future = run(pool, "trap 'sleep 0.3; exit' TERM; sleep 60 & wait");
        drainer patient, stopped = { .pool = pool, .deadline = RMD_FOREVER, .stop = stop };
        if (beside)
            start_patient_drain(&patient, pool, future);
        start_drain(&stopped);
        CHECK_EQ(join_drain(&stopped), RMD_ECANCELED);
        CHECK(rmd_future_outcome(future) != RMD_PENDING);
        CHECK_EQ(rmd_pool_drain(pool, RMD_NOW), 0); /* it is, already */
        if (beside)
            CHECK_EQ(join_drain(&patient), 0);
        rmd_future_free(future);
        CHECK_EQ(rmd_pool_free(pool), 0);
    }
    CHECK_EQ(rmd_stop_free(stop), 0);
}

TEST(what_waits_for_a_place_or_an_end_wakes_when_it_is_told_to_stop)
{
    rmd_group *group;
    rmd_stop *stop = open_fired();
    rmd_pool *pool = open_pool_with("programs:1", (rmd_pool_options){ .queue_max = 1 });
    REQUIRE(rmd_group_open(&group) == 0);
    rmd_future *runs = run_with(pool, "sleep 60", (rmd_command){ .group = group });
    while (rmd_future_wait(runs, rmd_after_ms(5)) == RMD_ETIMEDOUT &&
           run_with_err(pool, NULL, -1) != RMD_EFULL)
        ;
    rmd_stop_set(stop);
    CHECK_EQ(run_with_err(pool, NULL, 0), RMD_ECANCELED);
    CHECK_CONTAINS(rmd_error_detail(), "1 tasks are queued");
    CHECK_EQ(rmd_future_wait(runs, RMD_FOREVER), RMD_ECANCELED);
    CHECK_EQ(rmd_group_wait(group, RMD_FOREVER), RMD_ECANCELED);
    CHECK_CONTAINS(rmd_error_detail(), "1 task of the group");
    rmd_stop_set(NULL);
    CHECK_EQ(rmd_pool_abort(pool, soon()), 0);
    rmd_future_free(runs);
    CHECK_EQ(rmd_group_free(group), 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
    CHECK_EQ(rmd_stop_free(stop), 0);
}

static void open_and_run(void *pool)
{
    *(rmd_pool **)pool = open_pool("programs:1");
    CHECK_END(run(*(rmd_pool **)pool, "true"), RMD_OUTCOME_OK, 0);
}

TEST(a_pool_may_be_opened_and_drained_by_different_threads)
{
    rmd_pool *pool;
    rmdi_thread thread;
    for (int i = 0; i < 10; i++) {
        REQUIRE(rmdi_thread_start(&thread, open_and_run, &pool, "open") == 0);
        CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
        CHECK_END(run(pool, "true"), RMD_OUTCOME_OK, 0); /* its opener is gone */
        CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
        drainer again = { .pool = pool, .deadline = RMD_FOREVER }; /* a thread like the keeper */
        start_drain(&again);
        CHECK_EQ(join_drain(&again), 0);
        CHECK_EQ(rmd_pool_free(pool), 0);
    }
}

/* ---- memory ---- */

/* Opens a pool, runs a program with everything, drains. */
static int run_once(void *arg)
{
    rmd_pool *pool;
    rmd_future *future = NULL;
    const rmd_exit *account;
    rmd_command command = *(const rmd_command *)arg;
    rmd_pool_options options = { .size = sizeof options, .capture_bytes_max = 1 };
    int err = rmd_pool_open(&pool, "programs:1", &options, soon());
    if (err < 0)
        return err;
    err = rmd_pool_exec(pool, &future, &command);
    if (err == 0) {
        CHECK_EQ(rmd_future_wait(future, soon()), 0);
        CHECK_EQ(rmd_future_exit(future, &account), 0);
        err = account->error;
        CHECK(account->outcome == (err ? RMD_OUTCOME_FAILED : RMD_OUTCOME_OK));
    }
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    rmd_future_free(future);
    CHECK_EQ(rmd_pool_free(pool), 0);
    return err;
}

TEST_LIMIT(without_memory_everything_fails_cleanly_at_each_place, 60)
{
    static const char *const argv[] = { "sh", "-c", "head -c 1000 /dev/zero; echo >&2", NULL };
    static const char *const env[] = { "A=1", NULL };
    rmd_command command = { .size = sizeof command,
                            .argv = argv,
                            .env = env,
                            .in = { .kind = RMD_STREAM_BYTES, .bytes = { "x", 1 } },
                            .err = { .kind = RMD_STREAM_CAPTURE },
                            .limits = { .total_ms_max = 60000 },
                            .dir = "/" };
    kit_resources before;
    kit_resources_take(&before);
    int last = kit_alloc(run_once, &command, RMD_ENOMEM);
    fprintf(stderr, "the last that failed was number %d\n", last - 1);
    CHECK_INT(last, >, 30);
    CHECK_RESOURCES(&before);
}

static int cancel_once(void *arg)
{
    int *told = arg;
    rmd_pool *pool;
    rmd_future *future = NULL;
    const rmd_exit *account;
    const char *const argv[] = { kit_helper("exec-task_helper"), "deaf", NULL };
    rmd_command command = { .size = sizeof command, .argv = argv, .fds = &told[1], .fds_len = 1 };
    int err = rmd_pool_open(&pool, "programs:1", NULL, soon());
    if (err < 0)
        return err;
    err = rmd_pool_exec(pool, &future, &command);
    if (err == 0) {
        char byte; /* cancelled when it runs, unless it could not be started */
        while (rmd_future_wait(future, rmd_after_ms(1)) < 0 && read(told[0], &byte, 1) < 0)
            ;
        rmd_future_cancel(future);
        CHECK_EQ(rmd_future_wait(future, soon()), 0);
        CHECK_EQ(rmd_future_exit(future, &account), 0);
        err = account->error == RMD_ECANCELED ? 0 : account->error;
    }
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    rmd_future_free(future);
    CHECK_EQ(rmd_pool_free(pool), 0);
    return err;
}

TEST_LIMIT(without_memory_a_cancel_ends_its_program_all_the_same, 60)
{
    int told[2];
    kit_resources before;
    REQUIRE(pipe2(told, O_CLOEXEC | O_NONBLOCK) == 0);
    kit_resources_take(&before);
    CHECK_INT(kit_alloc(cancel_once, told, RMD_ENOMEM), >, 20);
    CHECK_RESOURCES(&before);
}
