/* SPDX-License-Identifier: MIT */
#include "sync/executor.h"

#include "base/error.h"
#include "kit.h"
#include "kit_alloc.h"
#include "kit_resources.h"
#include "sync/local_value.h"

#include <pthread.h>
#include <remuda/context.h>
#include <remuda/error.h>
#include <remuda/select.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static rmd_executor *x;
static rmdi_event begun, may_end;
static int one = 1;
static int ran; /* by the executor's thread alone */

static rmd_deadline patience(void)
{
    return rmd_after_ms(15000 * kit_patience());
}

static void open_it(const rmd_executor_options *options)
{
    REQUIRE(rmd_executor_open(&x, options) == 0);
}

static void end_it(void)
{
    CHECK_EQ(rmd_executor_drain(x, patience()), 0);
    CHECK_EQ(rmd_executor_free(x), 0);
}

static int add(void *arg)
{
    ran += *(int *)arg;
    return ran;
}

static int fail(void *arg)
{
    return rmdi_fail(RMD_EIO, "the disk says %s", (const char *)arg);
}

/* Holds the executor until it may end. */
static int hold(void *arg)
{
    (void)arg;
    rmdi_event_set(&begun);
    return rmdi_event_wait(&may_end, patience());
}

static void hold_it(void)
{
    CHECK_EQ(rmd_executor_post(x, hold, NULL, patience()), 0);
    CHECK_EQ(rmdi_event_wait(&begun, patience()), 0);
}

/* ---- calls ---- */

static int number(void *arg)
{
    *(uintptr_t *)arg = rmdi_thread_self();
    return 0;
}

TEST(a_call_runs_on_the_one_thread_and_brings_its_result)
{
    int result = 0;
    uintptr_t threads[2];
    open_it(NULL);
    CHECK_EQ(rmd_executor_call(x, add, &one, &result, patience()), 0);
    CHECK_EQ(result, 1);
    CHECK_EQ(rmd_executor_call(x, add, &one, NULL, patience()), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(rmd_executor_call(x, number, &threads[i], NULL, patience()), 0);
    CHECK(threads[0] == threads[1] && threads[0] != rmdi_thread_self());
    CHECK_EQ(ran, 2);
    end_it();
}

static int fail_silently(void *arg)
{
    (void)arg;
    return -77;
}

TEST(what_the_function_says_of_its_failure_comes_along)
{
    int result = 0;
    char noise[] = "crrk";
    open_it(NULL);
    CHECK_EQ(rmd_executor_call(x, fail, noise, &result, patience()), 0);
    CHECK_EQ(result, RMD_EIO);
    CHECK_STR(rmd_error_detail(), "the disk says crrk");
    rmdi_fail(0, "before");
    CHECK_EQ(rmd_executor_call(x, fail_silently, NULL, &result, patience()), 0);
    CHECK_EQ(result, -77);
    CHECK_STR(rmd_error_detail(), ""); /* nothing was said there */
    end_it();
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int call_again(void *arg)
{
    int depth = *(int *)arg, result = 0, next = depth - 1;
    if (depth == 0)
        return 7;
    CHECK_EQ(rmd_executor_call(x, call_again, &next, &result, RMD_FOREVER), 0);
    return result;
}

TEST(a_call_from_its_own_thread_runs_in_place)
{
    int depth = 3, result = 0;
    open_it(NULL);
    CHECK_EQ(rmd_executor_call(x, call_again, &depth, &result, patience()), 0);
    CHECK_EQ(result, 7);
    end_it();
}

/* ---- executors that call each other ---- */

static rmd_executor *ring[3]; /* each calls the next */

/* Goes round once; what the last call, which would close the circle, returned. */
static int go_round(void *arg)
{
    int at = *(int *)arg, next = at + 1, result = 0;
    int err = rmd_executor_call(ring[next % 3], next == 3 ? add : go_round,
                                next == 3 ? (void *)&one : &next, &result, patience());
    return err ? err : result;
}

static int drain_the_first(void *arg)
{
    (void)arg;
    int err = rmd_executor_drain(ring[0], RMD_FOREVER); /* which does not even close it */
    CHECK_STR(rmd_error_detail(),
              "executor \"green\" would wait for \"red\", which waits for \"green\"");
    CHECK_EQ(rmd_executor_post(ring[0], nothing, NULL, RMD_NOW), 0);
    CHECK_EQ(rmd_executor_drain(ring[0], RMD_NOW), RMD_ETIMEDOUT); /* it does not wait */
    return err;
}

static int drain_from_the_second(void *arg)
{
    int result = 0;
    CHECK_EQ(rmd_executor_call(ring[1], drain_the_first, arg, &result, patience()), 0);
    return result;
}

TEST(executors_that_would_wait_for_each_other_are_refused)
{
    static const char *const names[] = { "red", "green", "blue" };
    int at = 0, result = 0;
    for (int i = 0; i < 3; i++) {
        rmd_executor_options options = { .size = sizeof options, .name = names[i] };
        REQUIRE(rmd_executor_open(&ring[i], &options) == 0);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(rmd_executor_call(ring[0], go_round, &at, &result, patience()), 0);
        CHECK_EQ(result, RMD_EDEADLK);
        CHECK_STR(rmd_error_detail(),
                  "executor \"blue\" would wait for \"red\", which waits for \"green\", "
                  "which waits for \"blue\"");
    }
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(rmd_executor_call(ring[i], go_round, &(int){ 2 }, &result, patience()), 0);
        CHECK_EQ(result, ran);
    }
    CHECK_EQ(rmd_executor_call(ring[0], drain_from_the_second, NULL, &result, patience()), 0);
    CHECK_EQ(result, RMD_EDEADLK);
    CHECK_EQ(rmd_executor_call(ring[0], nothing, NULL, NULL, patience()), RMD_ECLOSED);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(rmd_executor_drain(ring[i], patience()), 0);
        CHECK_EQ(rmd_executor_free(ring[i]), 0);
    }
}

TEST(misuse_of_an_executor_is_refused)
{
    rmd_executor_options wrong = { .size = 3 };
    CHECK_EQ(rmd_executor_open(NULL, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_executor_open(&x, &wrong), RMD_EINVAL);
    CHECK_EQ(rmd_executor_call(NULL, add, NULL, NULL, RMD_FOREVER), RMD_EINVAL);
    CHECK_EQ(rmd_executor_post(NULL, add, NULL, RMD_FOREVER), RMD_EINVAL);
    CHECK_EQ(rmd_executor_close(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_executor_abort(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_executor_drain(NULL, RMD_FOREVER), RMD_EINVAL);
    CHECK_EQ(rmd_executor_free(NULL), 0);
    open_it(NULL);
    CHECK_EQ(rmd_executor_call(x, NULL, NULL, NULL, RMD_FOREVER), RMD_EINVAL);
    CHECK_EQ(rmd_executor_post(x, NULL, NULL, RMD_FOREVER), RMD_EINVAL);
    CHECK_EQ(rmd_executor_free(x), RMD_EBUSY);
    end_it();
}

static int leave_token(void *arg)
{
    rmd_stop_set(arg);
    return 0;
}

/* What is left there does not end the executor's own waiting. */
TEST(a_token_that_is_left_there_harms_nobody)
{
    rmd_stop *stop;
    rmd_executor_options options = { .size = sizeof options };
    REQUIRE(rmd_stop_open(&stop) == 0);
    CHECK_EQ(rmd_stop_request(stop), 0);
    options.start = leave_token;
    options.arg = stop;
    open_it(&options);
    CHECK_EQ(rmd_executor_post(x, leave_token, stop, patience()), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(rmd_executor_call(x, leave_token, stop, NULL, patience()), 0);
    CHECK_EQ(rmd_select(NULL, 0, rmd_after_ms(20)), RMD_ETIMEDOUT); /* it waits for work now */
    CHECK_EQ(rmd_executor_call(x, add, &one, NULL, patience()), 0);
    end_it();
    CHECK_EQ(rmd_stop_free(stop), 0);
}

TEST(a_call_that_may_not_wait_does_not_begin)
{
    open_it(NULL);
    CHECK_EQ(rmd_executor_call(x, add, &one, NULL, RMD_NOW), RMD_ETIMEDOUT);
    end_it();
    CHECK_EQ(ran, 0);
}

static const rmd_context_key name = { "name" };

static int look(void *arg)
{
    return rmd_context_get(&name) == arg;
}

TEST(calls_and_posts_run_under_the_context_of_whoever_wants_them)
{
    int result = 0;
    open_it(NULL);
    RMD_WITH_CONTEXT (&name, &ran) {
        CHECK_EQ(rmd_executor_call(x, look, &ran, &result, patience()), 0);
        CHECK_EQ(result, 1);
        CHECK_EQ(rmd_executor_post(x, look, &ran, patience()), 0);
    }
    CHECK_EQ(rmd_executor_call(x, look, NULL, &result, patience()), 0);
    CHECK_EQ(result, 1);
    end_it();
}

/* ---- giving up ---- */

TEST(a_call_that_has_not_begun_at_its_deadline_never_runs)
{
    rmd_stop *stop;
    open_it(NULL);
    hold_it();
    CHECK_EQ(rmd_executor_call(x, add, &one, NULL, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_executor_call(x, add, &one, NULL, rmd_after_ms(5)), RMD_ETIMEDOUT);
    REQUIRE(rmd_stop_open(&stop) == 0);
    CHECK_EQ(rmd_stop_request(stop), 0);
    rmd_stop_set(stop);
    CHECK_EQ(rmd_executor_call(x, add, &one, NULL, RMD_FOREVER), RMD_ECANCELED);
    rmd_stop_set(NULL);
    rmdi_event_set(&may_end);
    end_it();
    CHECK_EQ(rmd_stop_free(stop), 0);
    CHECK_EQ(ran, 0);
}

static int take_long(void *arg)
{
    (void)arg;
    return rmd_select(NULL, 0, rmd_after_ms(50));
}

TEST(a_call_that_has_begun_is_waited_for)
{
    int result = 0;
    open_it(NULL);
    CHECK_EQ(rmd_executor_call(x, take_long, NULL, &result, rmd_after_ms(20)), 0);
    CHECK_EQ(result, RMD_ETIMEDOUT); /* its own */
    end_it();
}

static void call_until_stopped(void *arg)
{
    int result = 0;
    (void)arg;
    CHECK_EQ(rmd_executor_call(x, hold, NULL, &result, RMD_FOREVER), 0);
    CHECK_EQ(result, RMD_ECANCELED);
}

TEST(a_caller_that_is_told_to_stop_wakes_what_runs_for_it)
{
    rmd_thread *thread;
    open_it(NULL);
    REQUIRE(rmd_thread_start(&thread, call_until_stopped, NULL, NULL) == 0);
    CHECK_EQ(rmdi_event_wait(&begun, patience()), 0);
    CHECK_EQ(rmd_thread_stop(thread), 0);
    CHECK_EQ(rmd_thread_join(thread, patience()), 0);
    CHECK_EQ(rmd_thread_free(thread), 0);
    end_it();
}

/* ---- posts ---- */

TEST(posts_are_bounded)
{
    rmd_executor_options options = { .size = sizeof options, .name = "small", .posts_max = 2 };
    open_it(&options);
    hold_it();
    CHECK_EQ(rmd_executor_post(x, add, &one, RMD_NOW), 0);
    CHECK_EQ(rmd_executor_post(x, add, &one, RMD_NOW), 0);
    CHECK_EQ(rmd_executor_post(x, add, &one, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_CONTAINS(rmd_error_detail(), "small");
    CHECK_EQ(rmd_executor_post(x, add, &one, rmd_after_ms(5)), RMD_ETIMEDOUT);
    rmdi_event_set(&may_end);
    CHECK_EQ(rmd_executor_post(x, add, &one, patience()), 0);
    end_it();
    CHECK_EQ(ran, 3);
}

static int fill(void *arg)
{
    int n = 0;
    while (rmd_executor_post(x, nothing, arg, RMD_FOREVER) == 0)
        n++;
    return n;
}

TEST(a_post_from_its_own_thread_does_not_wait)
{
    int n = 0;
    rmd_executor_options options = { .size = sizeof options, .posts_max = 5 };
    open_it(&options);
    CHECK_EQ(rmd_executor_call(x, fill, NULL, &n, patience()), 0);
    CHECK_EQ(n, 5);
    end_it();
}

static int open_use_and_free(void *arg)
{
    int err = rmd_executor_open(&x, NULL), result = 0;
    if (err < 0)
        return err;
    RMD_WITH_CONTEXT (&name, arg)
        err = rmd_executor_post(x, nothing, arg, patience());
    CHECK_EQ(rmd_executor_call(x, nothing, arg, &result, patience()), 0); /* needs no memory */
    end_it();
    return err;
}

TEST(an_executor_without_memory_refuses)
{
    CHECK_INT(kit_alloc(open_use_and_free, NULL, RMD_ENOMEM), >=, 4);
}

/* ---- the end ---- */

static int drain_it(void *arg)
{
    (void)arg;
    CHECK_EQ(rmd_executor_free(x), RMD_EBUSY);
    return rmd_executor_drain(x, RMD_FOREVER);
}

TEST(what_was_taken_still_runs_after_a_close)
{
    int result = 0;
    open_it(NULL);
    CHECK_EQ(rmd_executor_call(x, drain_it, NULL, &result, patience()), 0);
    CHECK_EQ(result, RMD_EDEADLK);
    hold_it();
    CHECK_EQ(rmd_executor_post(x, add, &one, RMD_NOW), 0);
    CHECK_EQ(rmd_executor_close(x), 0);
    CHECK_EQ(rmd_executor_close(x), RMD_ECLOSED);
    CHECK_EQ(rmd_executor_post(x, add, &one, patience()), RMD_ECLOSED);
    CHECK_EQ(rmd_executor_call(x, add, &one, NULL, patience()), RMD_ECLOSED);
    CHECK_EQ(rmd_executor_drain(x, rmd_after_ms(5)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_executor_free(x), RMD_EBUSY);
    rmdi_event_set(&may_end);
    CHECK_EQ(rmd_executor_drain(x, patience()), 0);
    CHECK_EQ(rmd_executor_drain(x, RMD_NOW), 0);
    CHECK_EQ(ran, 1);
    CHECK_EQ(rmd_executor_free(x), 0);
}

static int dropped;

static void drop(int (*fn)(void *arg), void *arg)
{
    CHECK(fn == add);
    dropped += *(int *)arg;
}

static void call_and_be_refused(void *arg)
{
    int expected = *(int *)arg;
    CHECK_EQ(rmd_executor_call(x, add, &one, NULL, RMD_FOREVER), expected);
}

TEST(an_abort_wakes_what_runs_and_drops_the_rest)
{
    rmdi_thread caller;
    int cancelled = RMD_ECANCELED;
    rmd_executor_options options = { .size = sizeof options, .dropped = drop };
    open_it(&options);
    hold_it();
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rmd_executor_post(x, add, &one, RMD_NOW), 0);
    REQUIRE(rmdi_thread_start(&caller, call_and_be_refused, &cancelled, "caller") == 0);
    for (unsigned inside = 0; !inside; rmdi_lock_release(&x->lock)) {
        rmdi_lock_enter(&x->lock);
        inside = x->inside;
    }
    CHECK_EQ(rmd_executor_abort(x), 0);
    CHECK_EQ(rmd_executor_abort(x), 0);
    CHECK_EQ(rmdi_thread_join(&caller, RMD_FOREVER), 0);
    end_it();
    CHECK_EQ(ran, 0);
    CHECK_EQ(dropped, 3);
}

static int start_badly(void *arg)
{
    CHECK_EQ(rmdi_event_wait(&may_end, patience()), 0);
    return fail(arg);
}

static void not_reached(void *arg)
{
    (void)arg;
    FAIL("it has not been started");
}

TEST(a_start_that_fails_is_told_to_all)
{
    char noise[] = "brrr";
    int result;
    rmd_executor_options options = { .size = sizeof options,
                                     .start = start_badly,
                                     .end = not_reached,
                                     .arg = noise,
                                     .dropped = drop };
    open_it(&options);
    CHECK_EQ(rmd_executor_post(x, add, &one, RMD_NOW), 0);
    rmdi_event_set(&may_end);
    CHECK_EQ(rmd_executor_call(x, add, &one, &result, patience()), RMD_EIO);
    CHECK_STR(rmd_error_detail(), "the disk says brrr");
    CHECK_EQ(rmd_executor_drain(x, patience()), RMD_EIO);
    CHECK_STR(rmd_error_detail(), "the disk says brrr");
    CHECK_EQ(dropped, 1);
    CHECK_EQ(rmd_executor_free(x), 0);
}

TEST(a_start_that_fails_silently_leaves_no_older_words)
{
    rmd_executor_options options = { .size = sizeof options, .start = fail_silently };
    open_it(&options);
    rmdi_fail(0, "before");
    CHECK_EQ(rmd_executor_call(x, add, &one, NULL, patience()), -77);
    CHECK_STR(rmd_error_detail(), "");
    rmdi_fail(0, "before");
    CHECK_EQ(rmd_executor_drain(x, patience()), -77);
    CHECK_STR(rmd_error_detail(), "");
    CHECK_EQ(rmd_executor_free(x), 0);
}

TEST(an_abort_wakes_a_start_that_waits)
{
    rmd_executor_options options = { .size = sizeof options, .start = hold };
    open_it(&options);
    CHECK_EQ(rmdi_event_wait(&begun, patience()), 0);
    CHECK_EQ(rmd_executor_abort(x), 0);
    CHECK_EQ(rmd_executor_drain(x, patience()), RMD_ECANCELED);
    CHECK_EQ(rmd_executor_free(x), 0);
}

static rmd_local *value;

static int start_well(void *arg)
{
    *(uintptr_t *)arg = rmdi_thread_self();
    return rmd_local_set(value, arg);
}

static void end_well(void *arg)
{
    CHECK(*(uintptr_t *)arg == rmdi_thread_self());
    ran = -1;
}

static void value_ends(void *arg)
{
    CHECK_EQ(ran, -1);
    CHECK(*(uintptr_t *)arg == rmdi_thread_self());
    ran = -2;
}

TEST(start_and_end_run_on_the_thread_and_its_values_are_destroyed_by_the_drain)
{
    uintptr_t thread = 0;
    rmd_executor_options options = {
        .size = sizeof options, .start = start_well, .end = end_well, .arg = &thread
    };
    REQUIRE(rmd_local_open(&value, value_ends) == 0);
    open_it(&options);
    CHECK_EQ(rmd_executor_call(x, add, &one, NULL, patience()), 0);
    CHECK_EQ(rmd_executor_drain(x, patience()), 0);
    CHECK_EQ(ran, -2);
    CHECK_EQ(rmd_local_free(value), 0);
    CHECK_EQ(rmd_executor_free(x), 0);
}

/* ---- forks ---- */

static void on_new_thread(void *(*fn)(void *arg))
{
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, fn, NULL) == 0);
    pthread_join(thread, NULL);
}

static void *free_busy(void *arg)
{
    (void)arg;
    CHECK_EQ(rmd_executor_free(x), RMD_EBUSY); /* the child's first thread is in it still */
    return NULL;
}

static void in_child(void *arg)
{
    int own = *(int *)arg;
    CHECK_EQ(rmd_executor_call(x, add, &one, NULL, RMD_FOREVER), RMD_EFORKED);
    CHECK_EQ(rmd_executor_post(x, add, &one, RMD_FOREVER), RMD_EFORKED);
    CHECK_EQ(rmd_executor_close(x), RMD_EFORKED);
    CHECK_EQ(rmd_executor_abort(x), RMD_EFORKED);
    CHECK_EQ(rmd_executor_drain(x, RMD_FOREVER), RMD_EFORKED);
    if (own && !KIT_SANITIZED)
        on_new_thread(free_busy);
    CHECK_EQ(rmd_executor_free(x), own ? RMD_EBUSY : 0);
}

static pid_t forked;

static int fork_and_return(void *arg)
{
    forked = fork();
    if (forked == 0)
        in_child(arg);
    return 0;
}

static void wait_for_child(void)
{
    int status = 0;
    REQUIRE(forked > 0);
    waitpid(forked, &status, 0);
    CHECK_EQ(status, 0);
}

TEST(in_a_child_made_by_fork_there_is_no_executor)
{
    int own = 0;
    open_it(NULL);
    fork_and_return(&own);
    if (forked == 0)
        _exit(0);
    wait_for_child();
    own = 1;
    CHECK_EQ(rmd_executor_call(x, fork_and_return, &own, NULL, patience()), 0);
    wait_for_child(); /* it ended with its one thread, which had nothing to do there */
    end_it();
}

/* A new thread of the child may lie where the executor's lay, and is another one all the same. */
static void *free_on_new_thread(void *arg)
{
    (void)arg;
    CHECK_EQ(rmd_executor_free(x), 0);
    return NULL;
}

TEST(in_a_child_any_thread_frees_the_copy)
{
    if (KIT_SANITIZED)
        SKIP("not with a sanitizer");
    open_it(NULL);
    CHECK_EQ(rmd_executor_call(x, add, &one, NULL, patience()), 0);
    forked = fork();
    if (forked == 0) {
        on_new_thread(free_on_new_thread);
        _exit(0);
    }
    wait_for_child();
    end_it();
}

static int call_other(void *arg)
{
    return rmd_executor_call(arg, add, &one, NULL, patience());
}

static void call_each_other(rmd_executor **from, rmd_executor **to)
{
    int result = 1;
    REQUIRE(rmd_executor_open(from, NULL) == 0 && rmd_executor_open(to, NULL) == 0);
    CHECK_EQ(rmd_executor_call(*from, call_other, *to, &result, patience()), 0);
    CHECK_EQ(result, 0);
    CHECK_EQ(rmd_executor_drain(*from, patience()), 0);
    CHECK_EQ(rmd_executor_free(*from), 0);
    CHECK_EQ(rmd_executor_drain(*to, patience()), 0);
    CHECK_EQ(rmd_executor_free(*to), 0);
}

static int call_other_until_closed(void *arg)
{
    int err;
    do
        err = call_other(arg);
    while (err == 0);
    return 0;
}

/* Also if others do so at the moment of the fork. */
TEST_LIMIT(in_a_child_new_executors_call_each_other, 60)
{
    if (KIT_SANITIZED)
        SKIP("not with a sanitizer");
    open_it(NULL);
    REQUIRE(rmd_executor_open(&ring[0], NULL) == 0);
    CHECK_EQ(rmd_executor_post(x, call_other_until_closed, ring[0], patience()), 0);
    for (int i = 0; i < 60; i++) {
        forked = fork();
        if (forked == 0) {
            alarm(10);
            call_each_other(&ring[1], &ring[2]);
            _exit(0);
        }
        wait_for_child();
    }
    CHECK_EQ(rmd_executor_drain(ring[0], patience()), 0);
    end_it();
    CHECK_EQ(rmd_executor_free(ring[0]), 0);
}

/* ---- many ---- */

enum { THREADS = 6, ROUNDS = 3000 };

static int library_calls, inside; /* a library that knows no threads */

static int use_library(void *arg)
{
    CHECK_EQ(inside++, 0);
    library_calls += *(int *)arg;
    inside--;
    return 3;
}

static void use_it_often(void *arg)
{
    int kind = *(int *)arg, mine = 0, result = 0;
    for (int i = 0; i < ROUNDS; i++) {
        int err;
        if (kind == 0)
            err = rmd_executor_post(x, use_library, &one, patience());
        else
            err = rmd_executor_call(x, use_library, &one, &result,
                                    kind == 1 ? patience() : rmd_after_ns(20000));
        CHECK(err == 0 || (kind == 2 && err == RMD_ETIMEDOUT));
        mine += err == 0;
        CHECK(kind == 0 || err < 0 || result == 3);
    }
    *(int *)arg = mine;
}

TEST_LIMIT(all_that_is_taken_runs_once_and_alone, 60)
{
    rmdi_thread threads[THREADS];
    int kinds[THREADS], sum = 0;
    rmd_executor_options options = { .size = sizeof options, .posts_max = 4 };
    open_it(&options);
    for (int i = 0; i < THREADS; i++) {
        kinds[i] = i % 3;
        REQUIRE(rmdi_thread_start(&threads[i], use_it_often, &kinds[i], "user") == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
        sum += kinds[i];
    }
    end_it();
    CHECK_EQ(library_calls, sum);
}

static void use_until_closed(void *arg)
{
    int err;
    do {
        err = rmd_executor_call(x, use_library, &one, NULL, RMD_FOREVER);
        *(int *)arg += err == 0;
    } while (err == 0);
    CHECK_EQ(err, RMD_ECLOSED);
}

TEST_LIMIT(closing_while_others_call_loses_nothing, 60)
{
    kit_resources before;
    kit_resources_take(&before);
    for (int round = 0; round < 300; round++) {
        rmdi_thread threads[2];
        int done[2] = { 0 };
        library_calls = 0;
        open_it(NULL);
        for (int i = 0; i < 2; i++)
            REQUIRE(rmdi_thread_start(&threads[i], use_until_closed, &done[i], "user") == 0);
        CHECK_EQ(rmd_executor_post(x, use_library, &one, patience()), 0);
        CHECK_EQ(rmd_executor_drain(x, patience()), 0);
        for (int i = 0; i < 2; i++)
            CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
        CHECK_EQ(rmd_executor_free(x), 0);
        CHECK_EQ(library_calls, 1 + done[0] + done[1]);
    }
    CHECK_RESOURCES(&before);
}

TEST(an_executor_with_nothing_to_do_takes_no_processor_time)
{
    struct rusage from, to;
    open_it(NULL);
    CHECK_EQ(rmd_executor_call(x, nothing, NULL, NULL, patience()), 0);
    getrusage(RUSAGE_SELF, &from);
    CHECK_EQ(rmd_select(NULL, 0, rmd_after_ms(300)), RMD_ETIMEDOUT);
    getrusage(RUSAGE_SELF, &to);
    long us =
        (to.ru_utime.tv_sec - from.ru_utime.tv_sec + to.ru_stime.tv_sec - from.ru_stime.tv_sec) *
            1000000 +
        to.ru_utime.tv_usec - from.ru_utime.tv_usec + to.ru_stime.tv_usec - from.ru_stime.tv_usec;
    CHECK_INT(us, <, 20000 * kit_patience());
    end_it();
}
