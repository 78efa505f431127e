/* SPDX-License-Identifier: MIT */
/* Turning: runs, stops, posts, foreign loops. */
#include "loop/loop.h"

#include "kit.h"
#include "kit_alloc.h"
#include "kit_resources.h"
#include "port/clock.h"
#include "sync/thread.h"

#include <fcntl.h>
#include <remuda/error.h>
#include <remuda/select.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

static rmd_loop *open_loop(void)
{
    rmd_loop *loop;
    REQUIRE(rmd_loop_open(&loop) == 0);
    return loop;
}

static void count(rmd_source *source, unsigned events, void *ctx)
{
    (void)source;
    (void)events;
    ++*(int *)ctx;
}

static void count_post(void *ctx)
{
    ++*(int *)ctx;
}

static void free_source(rmd_source *source, unsigned events, void *ctx)
{
    (void)events;
    ++*(int *)ctx;
    rmd_source_free(source);
}

/* A source that is ready at every turn. */
static rmd_source *ready_source(rmd_loop *loop, rmd_source_fn *fn, void *ctx)
{
    rmd_source *source;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    REQUIRE(rmd_loop_watch(loop, &source, fd, RMD_READABLE, fn, ctx) == 0);
    return source;
}

/* ---- runs ---- */

TEST(a_run_without_sources_ends_at_once)
{
    rmd_loop *loop = open_loop();
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), 0);
    CHECK_EQ(rmd_loop_free(loop), 0);
    CHECK_EQ(rmd_loop_free(NULL), 0);
}

TEST(a_run_ends_when_the_last_source_is_freed)
{
    int calls = 0;
    rmd_loop *loop = open_loop();
    ready_source(loop, free_source, &calls);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), 0);
    CHECK_EQ(calls, 1);
    rmd_loop_free(loop);
}

TEST(a_background_source_does_not_keep_a_run_going)
{
    int calls = 0;
    rmd_source *timer, *other;
    rmd_loop *loop = open_loop();
    REQUIRE(rmd_loop_timer(loop, &timer, RMD_NOW, 1, count, &calls) == 0);
    rmd_source_set_background(timer, true);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), 0);
    REQUIRE(rmd_loop_timer(loop, &other, rmd_after_ms(20), 0, free_source, &calls) == 0);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), 0);
    CHECK_INT(calls, >, 1); /* it works as long as others keep the run going */
    rmd_source_set_background(timer, false);
    CHECK_EQ(rmd_loop_run(loop, rmd_after_ms(5)), RMD_ETIMEDOUT);
    rmd_loop_free(loop);
}

TEST(a_run_ends_at_its_deadline_and_not_before)
{
    int ends[2], calls = 0;
    rmd_source *source;
    rmd_loop *loop = open_loop();
    REQUIRE(pipe(ends) == 0);
    REQUIRE(rmd_loop_watch(loop, &source, ends[0], RMD_READABLE, count, &calls) == 0);
    rmd_deadline soon = rmd_after_ms(20);
    CHECK_EQ(rmd_loop_run(loop, soon), RMD_ETIMEDOUT);
    CHECK(rmd_deadline_passed(soon));
    CHECK_EQ(rmd_loop_run(loop, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(calls, 0);
    rmd_loop_free(loop);
}

TEST(a_run_ends_at_its_deadline_although_there_is_always_something_to_do)
{
    int calls = 0;
    rmd_loop *loop = open_loop();
    ready_source(loop, count, &calls);
    CHECK_EQ(rmd_loop_run(loop, rmd_after_ms(20)), RMD_ETIMEDOUT);
    CHECK_INT(calls, >, 0);
    rmd_loop_free(loop);
}

/* ---- stopping ---- */

static void stop(rmd_source *source, unsigned events, void *ctx)
{
    (void)source;
    (void)events;
    rmd_loop_stop(ctx);
}

static void stop_from_thread(void *loop)
{
    rmd_loop_stop(loop);
}

TEST(a_stop_ends_the_present_run_or_the_next_but_one_run_only)
{
    int ends[2], calls = 0;
    rmd_source *source;
    rmdi_thread thread;
    rmd_loop *loop = open_loop();
    REQUIRE(pipe(ends) == 0);
    REQUIRE(rmd_loop_watch(loop, &source, ends[0], RMD_READABLE, count, &calls) == 0);
    rmd_loop_stop(loop);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), RMD_ECANCELED);
    CHECK_EQ(rmd_loop_run(loop, rmd_after_ms(1)), RMD_ETIMEDOUT);
    REQUIRE(rmdi_thread_start(&thread, stop_from_thread, loop, "stop") == 0);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), RMD_ECANCELED);
    CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
    ready_source(loop, stop, loop);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), RMD_ECANCELED);
    rmd_loop_free(loop);
}

TEST(a_turn_sleeps_although_a_run_is_told_to_stop)
{
    rmd_loop *loop = open_loop();
    rmd_loop_stop(loop);
    while (rmd_loop_turn(loop, RMD_NOW) > 0)
        ;
    int64_t before = rmdi_clock_monotonic_ns();
    CHECK_EQ(rmd_loop_turn(loop, rmd_after_ms(30)), 0);
    CHECK_INT(rmdi_clock_monotonic_ns() - before, >=, 30 * 1000000);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), RMD_ECANCELED);
    rmd_loop_free(loop);
}

/* ---- inside a callback ---- */

static void try_everything(rmd_source *source, unsigned events, void *ctx)
{
    (void)events;
    CHECK_EQ(rmd_loop_run(ctx, RMD_NOW), RMD_EBUSY);
    CHECK_EQ(rmd_loop_turn(ctx, RMD_NOW), RMD_EBUSY);
    CHECK_EQ(rmd_loop_free(ctx), RMD_EBUSY);
    rmd_source_free(source);
}

TEST(a_callback_can_neither_turn_nor_free_its_loop)
{
    rmd_loop *loop = open_loop(), *other = open_loop();
    ready_source(loop, try_everything, loop);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), 0);
    rmd_loop_free(other);
    rmd_loop_free(loop);
}

static void turn_other(rmd_source *source, unsigned events, void *ctx)
{
    (void)events;
    CHECK_EQ(rmd_loop_run(ctx, RMD_FOREVER), 0);
    rmd_source_free(source);
}

TEST(a_callback_may_run_another_loop)
{
    int calls = 0;
    rmd_loop *loop = open_loop(), *other = open_loop();
    ready_source(loop, turn_other, other);
    ready_source(other, free_source, &calls);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), 0);
    CHECK_EQ(calls, 1);
    rmd_loop_free(other);
    rmd_loop_free(loop);
}

/* ---- posts ---- */

enum { THREADS = 4, POSTS_EACH = 25000 };

typedef struct poster {
    rmd_loop *loop;
    rmdi_thread thread;
    int next; /* the number that must come next */
    struct numbered {
        struct poster *poster;
        int number;
    } posts[POSTS_EACH];
} poster;

static int posts_left = THREADS * POSTS_EACH;

static void receive(void *ctx)
{
    struct numbered *post = ctx;
    if (post->number != post->poster->next)
        CHECK_EQ(post->number, post->poster->next);
    post->poster->next = post->number + 1;
    if (--posts_left == 0)
        rmd_loop_stop(post->poster->loop);
}

static void post_all(void *arg)
{
    poster *p = arg;
    for (int i = 0; i < POSTS_EACH; i++) {
        p->posts[i] = (struct numbered){ p, i };
        if (rmd_loop_post(p->loop, receive, &p->posts[i]) < 0)
            FAIL("no post");
    }
}

TEST(posts_from_other_threads_all_run_in_the_order_of_each)
{
    int ends[2], calls = 0;
    static poster posters[THREADS];
    rmd_source *source;
    rmd_loop *loop = open_loop();
    REQUIRE(pipe(ends) == 0); /* so that the run waits for posts that are still to come */
    REQUIRE(rmd_loop_watch(loop, &source, ends[0], RMD_READABLE, count, &calls) == 0);
    for (int i = 0; i < THREADS; i++) {
        posters[i].loop = loop;
        REQUIRE(rmdi_thread_start(&posters[i].thread, post_all, &posters[i], "poster") == 0);
    }
    CHECK_EQ(rmd_loop_run(loop, rmd_after_ms(15000 * kit_patience())), RMD_ECANCELED);
    CHECK_EQ(posts_left, 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(rmdi_thread_join(&posters[i].thread, RMD_FOREVER), 0);
    rmd_loop_free(loop);
}

TEST(a_run_ends_when_the_last_post_has_run)
{
    int calls = 0;
    rmd_loop *loop = open_loop();
    for (int i = 0; i < 3; i++)
        REQUIRE(rmd_loop_post(loop, count_post, &calls) == 0);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), 0);
    CHECK_EQ(calls, 3);
    CHECK_EQ(rmd_loop_post(loop, NULL, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_loop_post(NULL, count_post, NULL), RMD_EINVAL);
    REQUIRE(rmd_loop_post(loop, count_post, &calls) == 0);
    rmd_loop_free(loop); /* dropped */
    CHECK_EQ(calls, 3);
}

static rmd_loop *reposting;

static void post_again(void *ctx)
{
    ++*(int *)ctx;
    CHECK_EQ(rmd_loop_post(reposting, post_again, ctx), 0);
}

TEST(a_post_that_posts_itself_again_does_not_starve_descriptors)
{
    int posts = 0, calls = 0;
    rmd_source *timer;
    reposting = open_loop();
    REQUIRE(rmd_loop_post(reposting, post_again, &posts) == 0);
    REQUIRE(rmd_loop_timer(reposting, &timer, rmd_after_ms(1), 1, count, &calls) == 0);
    CHECK_EQ(rmd_loop_run(reposting, rmd_after_ms(30)), RMD_ETIMEDOUT);
    CHECK_INT(posts, >, 0);
    CHECK_INT(calls, >, 0);
    rmd_loop_free(reposting);
}

static int sent;

static void on_sent(void *ctx)
{
    rmd_loop *loop = ctx;
    sent++;
    CHECK(rmdi_loop_is_here(loop));
}

TEST(a_post_without_memory_of_its_own_is_queued_once_and_can_be_taken_back)
{
    rmdi_post post;
    rmd_loop *loop = open_loop();
    rmdi_post_init(&post, on_sent, loop);
    for (int i = 0; i < 3; i++)
        rmdi_loop_send(loop, &post);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), 0);
    CHECK_EQ(sent, 1);
    CHECK(!rmdi_loop_is_here(loop));
    rmdi_loop_send(loop, &post);
    rmdi_loop_unsend(loop, &post);
    rmdi_loop_unsend(loop, &post);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), 0);
    CHECK_EQ(sent, 1);
    rmdi_loop_send(loop, &post);
    rmd_loop_free(loop);
    CHECK(!post.queued);
}

/* ---- inside a foreign loop ---- */

static bool is_ready(int fd, int timeout_ms)
{
    struct epoll_event event = { .events = EPOLLIN };
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    REQUIRE(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
    int n = epoll_wait(epoll, &event, 1, timeout_ms);
    close(epoll);
    return n == 1;
}

/* Waits in a foreign loop until there is something to do, and does it. */
static int foreign_turn(rmd_loop *loop, int timeout_ms)
{
    if (!is_ready(rmd_loop_fd(loop), timeout_ms))
        return -1;
    return rmd_loop_turn(loop, RMD_NOW);
}

/* Turns until fn has been counted that often; a turn may be for nothing. */
static bool foreign_turns(rmd_loop *loop, const int *calls, int wanted)
{
    for (int i = 0; i < 20 && *calls < wanted; i++)
        if (foreign_turn(loop, 5000) < 0)
            return false;
    return *calls == wanted;
}

static void post_from_thread(void *arg)
{
    void **loop_and_ctx = arg;
    CHECK_EQ(rmd_loop_post(loop_and_ctx[0], count_post, loop_and_ctx[1]), 0);
}

TEST(a_foreign_loop_is_told_of_descriptors_posts_and_timers)
{
    int ends[2], calls = 0;
    rmd_source *source, *timer;
    rmdi_thread thread;
    rmd_loop *loop = open_loop();
    void *loop_and_ctx[2] = { loop, &calls };
    REQUIRE(pipe(ends) == 0);
    REQUIRE(rmd_loop_watch(loop, &source, ends[0], RMD_READABLE, free_source, &calls) == 0);
    CHECK(!is_ready(rmd_loop_fd(loop), 0));
    REQUIRE(write(ends[1], "x", 1) == 1);
    CHECK(foreign_turns(loop, &calls, 1));
    CHECK(!is_ready(rmd_loop_fd(loop), 0));
    REQUIRE(rmdi_thread_start(&thread, post_from_thread, loop_and_ctx, "post") == 0);
    CHECK(foreign_turns(loop, &calls, 2));
    CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
    CHECK(!is_ready(rmd_loop_fd(loop), 0));
    REQUIRE(rmd_loop_timer(loop, &timer, rmd_after_ms(10), 0, free_source, &calls) == 0);
    CHECK(foreign_turns(loop, &calls, 3));
    CHECK(!is_ready(rmd_loop_fd(loop), 0));
    rmd_loop_free(loop);
}

TEST(a_foreign_loop_is_told_of_timers_that_are_set_outside_a_turn)
{
    int calls = 0;
    rmd_source *timer;
    rmd_loop *loop = open_loop();
    REQUIRE(rmd_loop_fd(loop) >= 0);
    REQUIRE(rmd_loop_timer(loop, &timer, RMD_FOREVER, 0, count, &calls) == 0);
    rmd_source_set_due(timer, rmd_after_ms(10));
    CHECK(foreign_turns(loop, &calls, 1));
    rmd_source_set_due(timer, rmd_after_ms(20));
    rmd_source_set_due(timer, RMD_FOREVER);
    CHECK(!is_ready(rmd_loop_fd(loop), 40));
    rmd_source_set_due(timer, rmd_after_ms(20));
    rmd_source_free(timer);
    CHECK(!is_ready(rmd_loop_fd(loop), 40));
    rmd_loop_free(loop);
}

TEST(a_foreign_loop_is_told_of_what_is_always_ready)
{
    int calls = 0;
    rmd_loop *loop = open_loop();
    REQUIRE(rmd_loop_fd(loop) >= 0);
    rmd_source *source = ready_source(loop, count, &calls);
    CHECK(foreign_turns(loop, &calls, 1));
    CHECK(foreign_turns(loop, &calls, 2));
    rmd_source_set_events(source, 0);
    CHECK(!is_ready(rmd_loop_fd(loop), 0));
    rmd_source_set_events(source, RMD_READABLE);
    CHECK(foreign_turns(loop, &calls, 3));
    rmd_source_free(source);
    CHECK(!is_ready(rmd_loop_fd(loop), 0));
    rmd_loop_free(loop);
}

static void post_from_callback(rmd_source *source, unsigned events, void *ctx)
{
    (void)events;
    rmd_source_free(source);
    CHECK_EQ(rmd_loop_post(reposting, count_post, ctx), 0);
}

TEST(a_foreign_loop_is_told_of_what_a_turn_has_left_to_do)
{
    int calls = 0;
    reposting = open_loop();
    REQUIRE(rmd_loop_fd(reposting) >= 0);
    ready_source(reposting, post_from_callback, &calls);
    CHECK(foreign_turns(reposting, &calls, 1));
    CHECK(!is_ready(rmd_loop_fd(reposting), 0));
    rmd_loop_free(reposting);
}

/* ---- resources ---- */

static int use_everything(void *arg)
{
    int *ends = arg, calls = 0;
    rmd_loop *loop = NULL;
    rmd_source *source;
    int err = rmd_loop_open(&loop);
    for (int i = 0; i < 10 && err == 0; i++)
        err = rmd_loop_timer(loop, &source, RMD_FOREVER, 0, count, &calls);
    if (err == 0)
        err = rmd_loop_watch(loop, &source, ends[0], RMD_READABLE, count, &calls);
    if (err == 0)
        err = rmd_loop_signal(loop, &source, SIGUSR1, count, &calls);
    if (err == 0)
        err = rmd_loop_child(loop, &source, getppid(), count, &calls);
    if (err == 0)
        err = rmd_loop_post(loop, count_post, &calls);
    if (err == 0)
        err = rmd_loop_fd(loop) < 0 ? RMD_EMFILE : 0;
    if (err == 0)
        CHECK_INT(rmd_loop_turn(loop, RMD_NOW), >=, 1);
    rmd_loop_free(loop);
    return err;
}

TEST(without_memory_a_loop_fails_cleanly_at_each_place)
{
    int ends[2];
    kit_resources before;
    REQUIRE(pipe(ends) == 0);
    kit_resources_take(&before);
    CHECK_INT(kit_alloc(use_everything, ends, RMD_ENOMEM), >, 15);
    CHECK_RESOURCES(&before);
    sigset_t blocked;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    CHECK(!sigismember(&blocked, SIGUSR1));
}

TEST(without_descriptors_a_loop_fails_cleanly_at_each_place)
{
    int ends[2], failures = 0, err;
    struct rlimit before = { 0 }, tight;
    kit_resources stock;
    REQUIRE(pipe(ends) == 0 && getrlimit(RLIMIT_NOFILE, &before) == 0);
    kit_resources_take(&stock);
    tight = before;
    tight.rlim_cur = 3;
    do {
        tight.rlim_cur++;
        REQUIRE(setrlimit(RLIMIT_NOFILE, &tight) == 0);
        err = use_everything(ends);
        CHECK(err == 0 || err == RMD_EMFILE);
        failures += err != 0;
    } while (err && tight.rlim_cur < 100);
    CHECK_INT(failures, >=, 5); /* epoll, wake-up, signals, a child, the foreign timer */
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK_RESOURCES(&stock);
}

/* ---- told to stop ---- */

typedef struct stopper {
    rmd_stop *stop;
    int64_t after_ns;
} stopper;

static void fire(void *arg)
{
    stopper *s = arg;
    CHECK_EQ(rmd_select(NULL, 0, rmd_after_ns(s->after_ns)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_stop_request(s->stop), 0);
}

TEST(a_turn_that_sleeps_wakes_when_its_thread_is_told_to_stop)
{
    int calls = 0;
    rmd_source *source;
    rmd_loop *loop = open_loop();
    REQUIRE(rmd_loop_timer(loop, &source, rmd_after_ms(60000), 0, count, &calls) == 0);
    for (int i = 0; i < 300; i++) {
        stopper s = { .after_ns = i * 300 };
        rmdi_thread thread;
        REQUIRE(rmd_stop_open(&s.stop) == 0);
        REQUIRE(rmdi_thread_start(&thread, fire, &s, "stopper") == 0);
        rmd_stop_set(s.stop);
        CHECK_EQ(rmd_loop_run(loop, i % 3 ? RMD_FOREVER : rmd_after_ms(30000)), RMD_ECANCELED);
        CHECK_EQ(rmd_loop_turn(loop, RMD_FOREVER), RMD_ECANCELED);
        CHECK_EQ(rmd_loop_turn(loop, RMD_NOW), 0);
        rmd_stop_set(NULL);
        CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
        CHECK_EQ(rmd_stop_free(s.stop), 0);
    }
    CHECK_EQ(calls, 0);
    CHECK_EQ(rmd_loop_free(loop), 0);
}

TEST(a_turn_that_need_not_sleep_is_not_stopped)
{
    int calls = 0, ends[2];
    rmd_stop *stop;
    rmd_source *timer, *reader;
    rmd_loop *loop = open_loop();
    REQUIRE(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
    REQUIRE(rmd_stop_open(&stop) == 0);
    CHECK_EQ(rmd_stop_request(stop), 0);
    rmd_stop_set(stop);
    REQUIRE(rmd_loop_watch(loop, &reader, ends[0], RMD_READABLE, count, &calls) == 0);
    CHECK_EQ(rmd_loop_turn(loop, RMD_FOREVER), 1);
    rmd_source_free(reader);
    REQUIRE(rmd_loop_timer(loop, &timer, RMD_NOW, 0, count, &calls) == 0);
    CHECK_EQ(rmd_loop_turn(loop, RMD_FOREVER), 1);
    CHECK_EQ(rmd_loop_post(loop, count_post, &calls), 0);
    CHECK_EQ(rmd_loop_turn(loop, RMD_FOREVER), 1);
    CHECK_EQ(rmd_loop_turn(loop, RMD_FOREVER), RMD_ECANCELED);
    CHECK_EQ(calls, 3);
    rmd_stop_set(NULL);
    CHECK_EQ(rmd_loop_free(loop), 0);
    CHECK_EQ(rmd_stop_free(stop), 0);
}
