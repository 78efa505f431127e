/* SPDX-License-Identifier: MIT */
/* What a task finds around itself: its id, its context, its stop token. */
#include "suite.h"

CASE(a_task_knows_its_id_attempt_and_name, CALLS)
{
    char wanted[64];
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin_with(pool, "about", RMD_ARGS(),
                                    (rmd_task_options){ .name = "mine" });
    snprintf(wanted, sizeof wanted, "[%llu, 1, \"about\", \"mine\", true]",
             (unsigned long long)rmd_future_id(future));
    CHECK_RESULT(future, wanted);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

CASE(outside_of_tasks_there_is_no_task, ANY)
{
    CHECK(!rmd_task_cancelled());
    CHECK_EQ(rmd_task_id(), 0);
    CHECK_EQ(rmd_task_attempt(), 0);
    CHECK_STR(rmd_task_name(), "");
    CHECK_STR(rmd_worker_name(), "");
}

typedef struct seen {
    uint64_t id;
    unsigned attempt;
    char task[32], worker[32];
    bool cancelled;
} seen;

static int look(void *arg)
{
    seen *s = arg;
    s->id = rmd_task_id();
    s->attempt = rmd_task_attempt();
    snprintf(s->task, sizeof s->task, "%s", rmd_task_name());
    snprintf(s->worker, sizeof s->worker, "%s", rmd_worker_name());
    s->cancelled = rmd_task_cancelled();
    return s->attempt < 2 ? rmd_fail(RMD_EAGAIN, "once more") : 0;
}

CASE(a_task_by_pointer_knows_the_same_and_its_worker, THREADS)
{
    seen s = { 0 };
    rmd_pool *pool = open_pool_with(1, (rmd_pool_options){ .name = "lookers" });
    rmd_task_options options = { .name = "look", .limits.attempts_max = 3 };
    rmd_future *future = submit_with(pool, look, &s, options);
    await_workers(future);
    CHECK_EQ(s.id, rmd_future_id(future));
    CHECK_EQ(s.attempt, 2);
    CHECK_STR(s.task, "look");
    CHECK_CONTAINS(s.worker, "lookers");
    CHECK(!s.cancelled);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

static int name_it(void *arg)
{
    snprintf(arg, 32, "%s", rmd_task_name());
    return 0;
}

CASE(a_task_without_a_name_is_called_task, THREADS)
{
    char name[32] = "";
    rmd_pool *pool = open_pool(0);
    rmd_future *future = submit(pool, name_it, name);
    CHECK_STR(rmd_future_name(future), "task");
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    CHECK_STR(name, "task");
    end_pool(pool);
}

/* ---- context ---- */

static const rmd_context_key colour = { "colour" };

static int read_colour(void *arg)
{
    *(const char **)arg = rmd_context_get(&colour);
    return 0;
}

static const char *colour_in_task(rmd_pool *pool)
{
    const char *found = "none";
    rmd_future *future = submit(pool, read_colour, &found);
    await_workers(future);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    return found;
}

CASE(a_task_has_the_context_of_whoever_submitted_it, THREADS)
{
    char red[] = "red", blue[] = "blue";
    rmd_pool *pool = open_pool(0);
    CHECK_STR(colour_in_task(pool), NULL);
    RMD_WITH_CONTEXT (&colour, red) {
        CHECK_STR(colour_in_task(pool), "red");
        RMD_WITH_CONTEXT (&colour, blue) {
            CHECK_STR(colour_in_task(pool), "blue");
        }
        CHECK_STR(colour_in_task(pool), "red");
    }
    CHECK_STR(colour_in_task(pool), NULL);
    end_pool(pool);
}

CASE(a_task_keeps_the_context_of_its_submission, THREADS)
{
    char red[] = "red", blue[] = "blue";
    const char *found = NULL;
    rmd_future *future = NULL;
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    rmd_future *runs = begin_at(pool, &at, "gate", "a");
    RMD_WITH_CONTEXT (&colour, red) {
        future = submit(pool, read_colour, &found);
    }
    RMD_WITH_CONTEXT (&colour, blue) {
        int err = rmd_future_wait(future, rmd_after_ms(20)); /* we may run it ourselves */
        CHECK(err == 0 || err == RMD_ETIMEDOUT);
        CHECK_STR(rmd_context_get(&colour), "blue");
        open_gate(&at);
        CHECK_END(future, RMD_OUTCOME_OK, 0);
    }
    CHECK_STR(found, "red");
    CHECK_END(runs, RMD_OUTCOME_OK, 0);
    end_pool(pool);
}

static int bind_inside(void *arg)
{
    int err = RMD_EIO;
    RMD_WITH_CONTEXT (&colour, arg) {
        return rmd_context_get(&colour) == arg ? 0 : err;
    }
    return err;
}

CASE(what_a_task_binds_ends_with_it, THREADS)
{
    char green[] = "green";
    rmd_pool *pool = open_pool(1);
    rmd_future *future = submit(pool, bind_inside, green);
    await_workers(future);
    CHECK_END(future, RMD_OUTCOME_OK, 0);
    CHECK_STR(colour_in_task(pool), NULL);
    end_pool(pool);
}

/* ---- being told to stop ---- */

typedef struct sleeper {
    rmd_event *sleeps, *never;
    int err;
    bool cancelled;
} sleeper;

static int sleep_until_told(void *arg)
{
    sleeper *s = arg;
    rmd_event_set(s->sleeps);
    s->err = rmd_event_wait(s->never, RMD_FOREVER);
    s->cancelled = rmd_task_cancelled();
    return s->err;
}

CASE(a_task_wakes_from_any_call_of_remuda_when_it_is_cancelled, THREADS)
{
    sleeper s = { 0 };
    REQUIRE(rmd_event_open(&s.sleeps) == 0 && rmd_event_open(&s.never) == 0);
    rmd_pool *pool = open_pool(0);
    rmd_future *future = submit(pool, sleep_until_told, &s);
    CHECK_EQ(rmd_event_wait(s.sleeps, soon()), 0);
    CHECK_EQ(rmd_future_cancel(future), 0);
    CHECK_END(future, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_EQ(s.err, RMD_ECANCELED);
    CHECK(s.cancelled);
    end_pool(pool);
    CHECK_EQ(rmd_event_free(s.sleeps), 0);
    CHECK_EQ(rmd_event_free(s.never), 0);
}

static int give_up_on_its_own(void *arg)
{
    (void)arg;
    return rmd_fail(RMD_ECANCELED, "I would rather not");
}

CASE(a_task_that_was_not_told_to_stop_fails_if_it_says_so, THREADS)
{
    rmd_pool *pool = open_pool(0);
    rmd_future *future = submit(pool, give_up_on_its_own, NULL);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_STR(failure_of(future).detail, "I would rather not");
    CHECK_END(future, RMD_OUTCOME_FAILED, RMD_ECANCELED);
    end_pool(pool);
}

static int sleep_then_fail(void *arg)
{
    sleeper *s = arg;
    rmd_event_set(s->sleeps);
    s->err = rmd_event_wait(s->never, RMD_FOREVER);
    return rmd_fail(RMD_EIO, "half written");
}

CASE(a_cancelled_task_that_fails_otherwise_keeps_its_own_failure, THREADS)
{
    sleeper s = { 0 };
    REQUIRE(rmd_event_open(&s.sleeps) == 0 && rmd_event_open(&s.never) == 0);
    rmd_pool *pool = open_pool(0);
    rmd_future *future = submit(pool, sleep_then_fail, &s);
    CHECK_EQ(rmd_event_wait(s.sleeps, soon()), 0);
    CHECK_EQ(rmd_future_cancel(future), 0);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_STR(failure_of(future).detail, "half written");
    CHECK_END(future, RMD_OUTCOME_FAILED, RMD_EIO);
    end_pool(pool);
    CHECK_EQ(rmd_event_free(s.sleeps), 0);
    CHECK_EQ(rmd_event_free(s.never), 0);
}

static int return_nonsense(void *arg)
{
    (void)arg;
    return 3;
}

CASE(a_task_that_returns_a_positive_number_is_not_ok, THREADS)
{
    rmd_pool *pool = open_pool(0);
    rmd_future *future = submit(pool, return_nonsense, NULL);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_FAILED);
    CHECK_END(future, RMD_OUTCOME_FAILED, RMD_EINVAL);
    end_pool(pool);
}

/* ---- many by pointers ---- */

static int add_own(void *arg)
{
    __atomic_add_fetch((int *)arg, 1, __ATOMIC_SEQ_CST);
    return 0;
}

CASE(many_tasks_are_submitted_at_once, THREADS)
{
    enum { COUNT = 300 };
    static rmd_task tasks[COUNT];
    static rmd_future *futures[COUNT];
    int ran = 0;
    for (int i = 0; i < COUNT; i++)
        tasks[i] = (rmd_task){ add_own, &ran };
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(rmd_submit_many(pool, futures, tasks, COUNT, NULL), COUNT);
    for (int i = 0; i < COUNT; i++)
        CHECK_END(futures[i], RMD_OUTCOME_OK, 0);
    CHECK_EQ(rmd_submit_many(pool, NULL, tasks, COUNT, NULL), COUNT);
    CHECK_EQ(rmd_submit_many(pool, NULL, tasks, 0, NULL), 0);
    CHECK_EQ(rmd_pool_close(pool), 0);
    CHECK_EQ(rmd_submit_many(pool, NULL, tasks, COUNT, NULL), RMD_ECLOSED);
    end_pool(pool);
    CHECK_EQ(ran, 2 * COUNT);
}

CASE(of_many_tasks_those_that_fit_are_accepted, THREADS)
{
    enum { COUNT = 10 };
    rmd_task tasks[COUNT];
    rmd_future *futures[COUNT] = { NULL };
    int ran = 0;
    for (int i = 0; i < COUNT; i++)
        tasks[i] = (rmd_task){ add_own, &ran };
    gate at = make_gate("a");
    rmd_pool *pool = open_pool_with(1, (rmd_pool_options){ .queue_max = 4 });
    rmd_future *runs = begin_at(pool, &at, "gate", "a");
    rmd_task_options at_once = { .size = sizeof at_once, .full_ms = -1 };
    CHECK_EQ(rmd_submit_many(pool, futures, tasks, COUNT, &at_once), 4);
    CHECK_EQ(rmd_submit_many(pool, NULL, tasks, COUNT, &at_once), RMD_EFULL);
    open_gate(&at);
    for (int i = 0; i < 4; i++)
        CHECK_END(futures[i], RMD_OUTCOME_OK, 0);
    CHECK(futures[4] == NULL);
    CHECK_END(runs, RMD_OUTCOME_OK, 0);
    end_pool(pool);
    CHECK_EQ(ran, 4);
}
