/* SPDX-License-Identifier: MIT */
/* Threads: started, stopped, joined by several, listed, freed, in any order that is allowed. */
#include "crew.h"
#include "sync/thread.h"

#include <remuda.h>
#include <string.h>

/* Sleeps until it is told to stop. */
static void sleep_until_stopped(void *arg)
{
    int *result = arg;
    rmd_event *never;
    RMD_ASSERT(rmd_event_open(&never) == 0);
    RMD_ASSERT(strcmp(rmd_thread_name(rmd_thread_self()), "sleeper") == 0);
    RMD_PLAIN_SET(*result, rmd_event_wait(never, RMD_FOREVER));
    RMD_ASSERT(rmd_thread_stopping());
    RMD_ASSERT(rmd_event_free(never) == 0);
}

static rmd_thread *start(void (*fn)(void *arg), void *arg, bool daemon)
{
    rmd_thread *thread;
    rmd_thread_options options = { .size = sizeof options, .name = "sleeper", .daemon = daemon };
    RMD_ASSERT(rmd_thread_start(&thread, fn, arg, &options) == 0);
    return thread;
}

static void join_patiently(void *arg)
{
    RMD_ASSERT(rmd_thread_join(arg, RMD_FOREVER) == 0);
}

static void join_impatiently(void *arg)
{
    int err = rmd_thread_join(arg, rmd_after_ms(1));
    RMD_ASSERT(err == 0 || err == RMD_ETIMEDOUT);
}

static void stop_it(void *arg)
{
    RMD_ASSERT(rmd_thread_stop(arg) == 0);
}

HARNESS(thread_stopped_and_joined_by_several)
{
    int result = 0;
    crew crew = { 0 };
    rmd_thread *thread = start(sleep_until_stopped, &result, false);
    crew_add(&crew, join_impatiently, thread, "impatient");
    crew_add(&crew, join_patiently, thread, "patient");
    crew_add(&crew, stop_it, thread, "stopper");
    crew_join(&crew);
    RMD_ASSERT(RMD_PLAIN(result) == RMD_ECANCELED); /* seen because it was joined */
    RMD_ASSERT(rmd_thread_join(thread, RMD_NOW) == 0);
    RMD_ASSERT(rmd_thread_free(thread) == 0);
}

static void count_thread(void *ctx, rmd_thread *thread)
{
    RMD_ASSERT(*rmd_thread_name(thread));
    ++*(int *)ctx;
}

HARNESS(threads_all_told_to_stop_and_joined)
{
    int results[3] = { 0 }, seen = 0;
    rmd_thread *threads[3];
    for (int i = 0; i < 3; i++)
        threads[i] = start(sleep_until_stopped, &results[i], false);
    RMD_ASSERT(rmd_threads_walk(count_thread, &seen) == 3 && seen == 3);
    RMD_ASSERT(rmd_thread_free(threads[0]) == RMD_EBUSY);
    rmd_threads_stop_all();
    int err = rmd_threads_join_all(rmd_after_ms(1));
    RMD_ASSERT(err == 0 || err == RMD_ETIMEDOUT);
    RMD_ASSERT(rmd_threads_join_all(RMD_FOREVER) == 0);
    for (int i = 0; i < 3; i++) {
        RMD_ASSERT(RMD_PLAIN(results[i]) == RMD_ECANCELED);
        RMD_ASSERT(rmd_thread_free(threads[i]) == 0);
    }
    RMD_ASSERT(rmd_threads_walk(count_thread, &seen) == 0);
}

static void do_nothing(void *arg)
{
    (void)arg;
    RMD_ASSERT(!rmd_thread_stopping());
}

static void walk_now(void *arg)
{
    int seen = 0;
    (void)arg;
    RMD_ASSERT(rmd_threads_walk(count_thread, &seen) == seen);
}

static void join_everybody(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmd_threads_join_all(RMD_FOREVER) == 0);
}

/* Ends, walks, joins and frees at the same time; a daemon is freed while it runs. */
HARNESS(threads_come_and_go_while_they_are_listed)
{
    crew crew = { 0 };
    rmd_thread *worker = start(do_nothing, NULL, false), *daemon = start(do_nothing, NULL, true);
    crew_add(&crew, walk_now, NULL, "walker");
    crew_add(&crew, join_everybody, NULL, "joiner");
    RMD_ASSERT(rmd_thread_free(daemon) == 0);
    RMD_ASSERT(rmd_thread_join(worker, RMD_FOREVER) == 0);
    int err = rmd_thread_free(worker);
    RMD_ASSERT(err == 0);
    crew_join(&crew);
}

static void join_self(void *arg)
{
    (void)arg;
    RMD_ASSERT(rmd_thread_join(rmd_thread_self(), RMD_FOREVER) == RMD_EDEADLK);
}

HARNESS(thread_misuse_is_an_error)
{
    rmd_thread *thread;
    RMD_ASSERT(rmd_thread_start(NULL, do_nothing, NULL, NULL) == RMD_EINVAL);
    RMD_ASSERT(rmd_thread_start(&thread, NULL, NULL, NULL) == RMD_EINVAL);
    RMD_ASSERT(rmd_thread_start(&thread, join_self, NULL, NULL) == 0);
    RMD_ASSERT(rmd_thread_join(thread, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_thread_free(thread) == 0);
    RMD_ASSERT(rmd_thread_self() == NULL && !rmd_thread_stopping());
}

/* Each allocation may fail, and no thread may be had: nothing is lost then. */
HARNESS(thread_start_that_fails_leaves_nothing, .faults_max = 2, .fail_allocations = true)
{
    rmd_thread *thread;
    rmd_stop *stop;
    rmd_event *event;
    int err = rmd_thread_start(&thread, do_nothing, NULL, NULL);
    RMD_ASSERT(err == 0 || err == RMD_ENOMEM || err == RMD_EAGAIN);
    if (err == 0) {
        RMD_ASSERT(rmd_thread_join(thread, RMD_FOREVER) == 0);
        RMD_ASSERT(rmd_thread_free(thread) == 0);
    }
    if (rmd_stop_open(&stop) == 0)
        RMD_ASSERT(rmd_stop_free(stop) == 0);
    if (rmd_event_open(&event) == 0)
        RMD_ASSERT(rmd_event_free(event) == 0);
}

/* ---- threads that are embedded in what owns them ---- */

static void write_seven(void *arg)
{
    RMD_PLAIN_SET(*(int *)arg, 7);
}

HARNESS(thread_embedded_is_joined)
{
    rmdi_thread threads[2];
    int written[2] = { 0 };
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmdi_thread_start(&threads[i], write_seven, &written[i], "embedded") == 0);
    int err = rmdi_thread_join(&threads[0], rmd_after_ms(1));
    RMD_ASSERT(err == 0 || err == RMD_ETIMEDOUT);
    if (err < 0)
        RMD_ASSERT(rmdi_thread_join(&threads[0], RMD_FOREVER) == 0);
    RMD_ASSERT(rmdi_thread_join(&threads[1], RMD_FOREVER) == 0);
    RMD_ASSERT(RMD_PLAIN(written[0]) == 7 && RMD_PLAIN(written[1]) == 7);
}

/* ---- stop tokens ---- */

typedef struct sleeper {
    rmd_stop *stop;
    rmd_event *event;
    int result;
} sleeper;

static void sleep_on_event(void *arg)
{
    sleeper *s = arg;
    rmd_stop *before = rmd_stop_set(s->stop);
    RMD_ASSERT(!before);
    s->result = rmd_event_wait(s->event, RMD_FOREVER);
    RMD_ASSERT(rmd_stop_set(NULL) == s->stop); /* nothing stops it from here on */
}

static void stop_all_of_them(void *arg)
{
    RMD_ASSERT(rmd_stop_request(arg) == 0);
}

HARNESS(stop_token_ends_every_sleep_once_and_for_all)
{
    rmd_stop *stop;
    rmd_event *events[2];
    crew crew = { 0 };
    RMD_ASSERT(rmd_stop_open(&stop) == 0);
    RMD_ASSERT(rmd_event_open(&events[0]) == 0);
    RMD_ASSERT(rmd_event_open(&events[1]) == 0);
    sleeper sleepers[3] = { { stop, events[0], 0 },
                            { stop, events[1], 0 },
                            { stop, events[1], 0 } };
    for (int i = 0; i < 3; i++)
        crew_add(&crew, sleep_on_event, &sleepers[i], "sleeper");
    crew_add(&crew, stop_all_of_them, stop, "stopper");
    crew_add(&crew, stop_all_of_them, stop, "stopper");
    crew_join(&crew);
    for (int i = 0; i < 3; i++)
        RMD_ASSERT(sleepers[i].result == RMD_ECANCELED);
    RMD_ASSERT(rmd_stop_requested(stop));
    RMD_ASSERT(rmd_stop_free(stop) == 0);
    RMD_ASSERT(rmd_event_free(events[0]) == 0 && rmd_event_free(events[1]) == 0);
}
