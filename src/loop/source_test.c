/* SPDX-License-Identifier: MIT */
/* Descriptors, signals and children: how they come, call back, change and go. */
#include "kit.h"
#include "kit_resources.h"
#include "loop/loop.h"

#include <fcntl.h>
#include <remuda/error.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static rmd_loop *open_loop(void)
{
    rmd_loop *loop;
    REQUIRE(rmd_loop_open(&loop) == 0);
    return loop;
}

/* What a callback has seen, and whom it frees. */
typedef struct seen {
    int calls;
    unsigned events;
    rmd_source *frees;
} seen;

static void note(rmd_source *source, unsigned events, void *ctx)
{
    seen *s = ctx;
    (void)source;
    s->calls++;
    s->events = events;
    rmd_source_free(s->frees);
    s->frees = NULL;
}

static rmd_source *watch(rmd_loop *loop, int fd, unsigned events, seen *s)
{
    rmd_source *source;
    REQUIRE(rmd_loop_watch(loop, &source, fd, events, note, s) == 0);
    return source;
}

static void fill(int fd)
{
    REQUIRE(write(fd, "x", 1) == 1);
}

/* ---- descriptors ---- */

TEST(a_descriptor_tells_what_it_is_watched_for_and_hang_ups_unasked)
{
    int ends[2];
    char byte;
    seen s = { 0 };
    rmd_loop *loop = open_loop();
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    rmd_source *source = watch(loop, ends[0], RMD_READABLE, &s);
    CHECK_EQ(rmd_loop_turn(loop, RMD_NOW), 0);
    fill(ends[1]);
    CHECK_EQ(rmd_loop_turn(loop, RMD_NOW), 1);
    CHECK_EQ(rmd_loop_turn(loop, RMD_NOW), 1); /* again, until it is read */
    CHECK_EQ(s.events, RMD_READABLE);
    CHECK_EQ(rmd_source_set_events(source, RMD_READABLE | RMD_WRITABLE), 0);
    CHECK_EQ(rmd_loop_turn(loop, RMD_NOW), 1);
    CHECK_EQ(s.events, RMD_READABLE | RMD_WRITABLE);
    CHECK_EQ(rmd_source_set_events(source, 0), 0);
    CHECK_EQ(rmd_loop_turn(loop, RMD_NOW), 0);
    REQUIRE(read(ends[0], &byte, 1) == 1);
    close(ends[1]);
    CHECK_EQ(rmd_loop_turn(loop, RMD_NOW), 1);
    CHECK(s.events & RMD_HANGUP);
    rmd_loop_free(loop);
}

TEST(a_regular_file_is_always_ready_unless_it_is_paused)
{
    seen s = { 0 };
    rmd_loop *loop = open_loop();
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    rmd_source *source = watch(loop, fd, RMD_READABLE, &s);
    CHECK_EQ(rmd_loop_turn(loop, RMD_FOREVER), 1);
    CHECK_EQ(rmd_loop_turn(loop, RMD_FOREVER), 1);
    CHECK_EQ(s.events, RMD_READABLE);
    CHECK_EQ(rmd_source_set_events(source, 0), 0);
    CHECK_EQ(rmd_loop_turn(loop, rmd_after_ms(1)), 0);
    CHECK_EQ(rmd_source_set_events(source, RMD_READABLE | RMD_WRITABLE), 0);
    s.frees = source;
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), 0);
    CHECK_EQ(s.calls, 3);
    CHECK_EQ(s.events, RMD_READABLE | RMD_WRITABLE);
    rmd_loop_free(loop);
}

TEST(what_cannot_be_watched_is_refused_by_name)
{
    seen s = { 0 };
    rmd_source *source;
    rmd_loop *loop = open_loop();
    CHECK_EQ(rmd_loop_watch(loop, &source, -1, RMD_READABLE, note, &s), RMD_EINVAL);
    CHECK_EQ(rmd_loop_watch(loop, &source, 0, RMD_HANGUP, note, &s), RMD_EINVAL);
    CHECK_EQ(rmd_loop_watch(loop, &source, 0, RMD_READABLE, NULL, &s), RMD_EINVAL);
    CHECK_EQ(rmd_loop_watch(NULL, &source, 0, RMD_READABLE, note, &s), RMD_EINVAL);
    CHECK_EQ(rmd_loop_watch(loop, &source, 987, RMD_READABLE, note, &s), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "descriptor 987");
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    source = watch(loop, ends[0], RMD_READABLE, &s);
    rmd_source *twice;
    CHECK_EQ(rmd_loop_watch(loop, &twice, ends[0], RMD_READABLE, note, &s), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "watched already");
    CHECK_EQ(rmd_source_set_events(source, RMD_HANGUP), RMD_EINVAL);
    CHECK_EQ(rmd_source_set_due(source, RMD_NOW), RMD_EINVAL);
    rmd_source_free(source);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), 0); /* none of them counts */
    rmd_source_free(NULL);
    rmd_loop_free(loop);
}

/* ---- freeing inside a turn ---- */

TEST(a_source_may_free_itself_or_another_that_is_ready_too)
{
    enum { SELF, EARLIER, LATER };
    for (int whom = SELF; whom <= LATER; whom++) {
        int a[2], b[2];
        seen first = { 0 }, second = { 0 };
        rmd_loop *loop = open_loop();
        REQUIRE(pipe(a) == 0 && pipe(b) == 0);
        rmd_source *one = watch(loop, a[0], RMD_READABLE, &first);
        rmd_source *two = watch(loop, b[0], RMD_READABLE, &second);
        fill(whom == EARLIER ? b[1] : a[1]); /* epoll tells them in the order they became ready */
        fill(whom == EARLIER ? a[1] : b[1]);
        first.frees = whom == SELF ? one : two;
        second.frees = whom == SELF ? two : one;
        CHECK_EQ(rmd_loop_turn(loop, RMD_FOREVER), whom == SELF ? 2 : 1);
        CHECK_EQ(first.calls + second.calls, whom == SELF ? 2 : 1);
        rmd_loop_free(loop);
        close(a[0]), close(a[1]), close(b[0]), close(b[1]);
    }
}

TEST(always_ready_sources_may_free_each_other)
{
    for (int whom = 0; whom < 2; whom++) {
        seen s[2] = { 0 };
        rmd_source *sources[2];
        rmd_loop *loop = open_loop();
        for (int i = 0; i < 2; i++)
            sources[i] = watch(loop, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), RMD_READABLE,
                               &s[i]);
        for (int i = 0; i < 2; i++)
            s[i].frees = sources[whom ? i : !i];
        CHECK_EQ(rmd_loop_turn(loop, RMD_FOREVER), whom ? 2 : 1);
        rmd_loop_free(loop);
    }
}

/* The callback of the first frees the second and puts a new source, for a new descriptor
 * with the same number, into its slot: it must not see the event of the old one. */
typedef struct replacement {
    rmd_loop *loop;
    rmd_source *old, *new;
    int old_fd, calls;
    seen seen;
} replacement;

static void replace_other(rmd_source *source, unsigned events, void *ctx)
{
    replacement *r = ctx;
    int ends[2];
    (void)events;
    if (r->calls++)
        return;
    rmd_source *other = source == r->old ? r->new : r->old;
    rmd_source_free(other);
    close(r->old_fd);
    REQUIRE(pipe(ends) == 0);
    CHECK(ends[0] == r->old_fd);
    REQUIRE(rmd_loop_watch(r->loop, &other, ends[0], RMD_READABLE, note, &r->seen) == 0);
}

TEST(a_new_source_does_not_see_the_event_of_the_one_whose_place_it_took)
{
    int a[2], b[2];
    replacement r = { .loop = open_loop() };
    REQUIRE(pipe(a) == 0 && pipe(b) == 0);
    rmd_source *first;
    REQUIRE(rmd_loop_watch(r.loop, &first, a[0], RMD_READABLE, replace_other, &r) == 0);
    REQUIRE(rmd_loop_watch(r.loop, &r.old, b[0], RMD_READABLE, note, &r.seen) == 0);
    r.old_fd = b[0];
    fill(a[1]);
    fill(b[1]);
    CHECK_EQ(rmd_loop_turn(r.loop, RMD_FOREVER), 1);
    CHECK_EQ(r.calls, 1);
    CHECK_EQ(r.seen.calls, 0);
    rmd_loop_free(r.loop);
}

TEST(many_sources_come_and_go_without_leaving_anything)
{
    enum { COUNT = 200 };
    kit_resources before;
    seen s = { 0 };
    kit_resources_take(&before);
    rmd_loop *loop = open_loop();
    for (int round = 0; round < 3; round++) {
        rmd_source *sources[COUNT];
        int ends[COUNT][2];
        for (int i = 0; i < COUNT; i++) {
            REQUIRE(pipe2(ends[i], O_CLOEXEC) == 0);
            sources[i] = watch(loop, ends[i][0], RMD_READABLE, &s);
            fill(ends[i][1]);
        }
        s.calls = 0;
        for (int turns = 0; turns < 20 && s.calls < COUNT; turns++)
            rmd_loop_turn(loop, RMD_NOW); /* each tells some of them */
        CHECK_INT(s.calls, >=, COUNT);
        for (int i = 0; i < COUNT; i++) {
            rmd_source_free(sources[i]);
            close(ends[i][0]);
            close(ends[i][1]);
        }
        CHECK_EQ(rmd_loop_turn(loop, RMD_NOW), 0);
    }
    rmd_loop_free(loop);
    CHECK_RESOURCES(&before);
}

/* ---- signals ---- */

static bool is_blocked(int signal)
{
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    return sigismember(&blocked, signal);
}

TEST(every_source_of_a_signal_is_told_and_it_is_unblocked_with_the_last)
{
    seen s[3] = { 0 };
    rmd_source *sources[3];
    rmd_loop *loop = open_loop();
    for (int i = 0; i < 3; i++)
        REQUIRE(rmd_loop_signal(loop, &sources[i], i == 2 ? SIGUSR2 : SIGUSR1, note, &s[i]) == 0);
    CHECK(is_blocked(SIGUSR1) && is_blocked(SIGUSR2));
    kill(getpid(), SIGUSR1);
    CHECK_EQ(rmd_loop_turn(loop, RMD_FOREVER), 2);
    CHECK_EQ(s[0].events, SIGUSR1);
    CHECK_EQ(s[1].calls, 1);
    CHECK_EQ(s[2].calls, 0);
    rmd_source_free(sources[0]);
    CHECK(is_blocked(SIGUSR1));
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR2);
    CHECK_EQ(rmd_loop_turn(loop, RMD_FOREVER), 2);
    CHECK_EQ(s[0].calls, 1);
    CHECK_EQ(s[1].calls, 2);
    CHECK_EQ(s[2].calls, 1);
    rmd_source_free(sources[1]);
    CHECK(!is_blocked(SIGUSR1) && is_blocked(SIGUSR2));
    rmd_loop_free(loop);
    CHECK(!is_blocked(SIGUSR2));
}

TEST(a_signal_that_was_blocked_before_stays_blocked)
{
    seen s = { 0 };
    rmd_source *source;
    sigset_t set;
    rmd_loop *loop = open_loop();
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    REQUIRE(rmd_loop_signal(loop, &source, SIGUSR1, note, &s) == 0);
    rmd_source_free(source);
    CHECK(is_blocked(SIGUSR1));
    rmd_loop_free(loop);
}

static void add_another(rmd_source *source, unsigned events, void *ctx)
{
    rmd_source *other;
    static seen later;
    (void)source;
    CHECK_EQ(events, SIGUSR1);
    REQUIRE(rmd_loop_signal(ctx, &other, SIGUSR1, note, &later) == 0);
    CHECK_EQ(later.calls, 0);
}

TEST(signal_sources_may_free_each_other_and_a_new_one_waits_for_the_next_signal)
{
    seen s[2] = { 0 };
    rmd_source *sources[2], *adder;
    rmd_loop *loop = open_loop();
    for (int i = 0; i < 2; i++)
        REQUIRE(rmd_loop_signal(loop, &sources[i], SIGUSR1, note, &s[i]) == 0);
    s[0].frees = sources[1];
    REQUIRE(rmd_loop_signal(loop, &adder, SIGUSR1, add_another, loop) == 0);
    kill(getpid(), SIGUSR1);
    CHECK_EQ(rmd_loop_turn(loop, RMD_FOREVER), 2);
    CHECK_EQ(s[1].calls, 0);
    rmd_loop_free(loop);
}

TEST(what_is_no_signal_is_refused)
{
    static const int signals[] = { 0, -1, SIGKILL, SIGSTOP, 32, 33, _NSIG, 1000 };
    seen s = { 0 };
    rmd_source *source;
    rmd_loop *loop = open_loop();
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        CHECK_EQ(rmd_loop_signal(loop, &source, signals[i], note, &s), RMD_EINVAL);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), 0);
    rmd_loop_free(loop);
}

/* ---- children ---- */

static pid_t child_that_waits(int *leash)
{
    int ends[2];
    char byte;
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? 5 : 1);
    }
    close(ends[0]);
    *leash = ends[1];
    return pid;
}

TEST(the_end_of_a_child_is_told_once_and_it_is_left_to_be_reaped)
{
    int leash, status;
    seen s = { 0 };
    rmd_source *source;
    rmd_loop *loop = open_loop();
    pid_t pid = child_that_waits(&leash);
    REQUIRE(rmd_loop_child(loop, &source, pid, note, &s) == 0);
    CHECK_EQ(rmd_loop_turn(loop, RMD_NOW), 0);
    close(leash);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), 0); /* it keeps no run going any more */
    CHECK_EQ(s.calls, 1);
    CHECK_EQ(s.events, 0);
    CHECK_EQ(rmd_loop_turn(loop, RMD_NOW), 0);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK_EQ(WEXITSTATUS(status), 5);
    CHECK_EQ(rmd_loop_child(loop, &source, pid, note, &s), RMD_ENOENT);
    CHECK_CONTAINS(rmd_error_detail(), "process");
    rmd_loop_free(loop);
}

TEST(a_child_source_may_be_freed_before_the_end_and_in_its_callback)
{
    int leash;
    kit_resources before;
    seen s = { 0 };
    rmd_source *source, *other;
    kit_resources_take(&before);
    rmd_loop *loop = open_loop();
    pid_t pid = child_that_waits(&leash);
    REQUIRE(rmd_loop_child(loop, &other, pid, note, &s) == 0);
    REQUIRE(rmd_loop_child(loop, &source, pid, note, &s) == 0);
    rmd_source_free(other);
    close(leash);
    s.frees = source;
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), 0);
    CHECK_EQ(s.calls, 1);
    waitpid(pid, NULL, 0);
    rmd_loop_free(loop);
    CHECK_RESOURCES(&before);
}

/* ---- watched later ---- */

TEST(a_descriptor_that_is_watched_later_calls_back_all_the_same)
{
    int ends[2];
    seen s = { 0 };
    rmd_source *source;
    rmd_loop *loop = open_loop();
    REQUIRE(pipe(ends) == 0);
    fill(ends[1]);
    REQUIRE(rmdi_loop_watch_later(loop, &source, ends[0], RMD_READABLE, note, &s) == 0);
    CHECK_EQ(rmd_loop_turn(loop, RMD_NOW), 0); /* its time has not come */
    while (!s.calls)
        REQUIRE(rmd_loop_turn(loop, RMD_FOREVER) >= 0);
    CHECK_EQ(s.events, RMD_READABLE);
    rmd_source_free(source);
    CHECK_EQ(rmd_loop_run(loop, RMD_FOREVER), 0); /* nothing is left */
    rmd_loop_free(loop);
    close(ends[0]);
    close(ends[1]);
}

TEST(a_descriptor_that_is_freed_before_it_is_watched_is_forgotten)
{
    int ends[2];
    seen s = { 0 };
    rmd_source *source;
    rmd_loop *loop = open_loop();
    REQUIRE(pipe(ends) == 0);
    REQUIRE(rmdi_loop_watch_later(loop, &source, ends[0], RMD_READABLE, note, &s) == 0);
    rmd_source_free(source);
    close(ends[0]);
    close(ends[1]);
    CHECK_EQ(rmd_loop_turn(loop, rmd_after_ms(5)), 0);
    CHECK_EQ(s.calls, 0);
    rmd_loop_free(loop);
}

/* The timer was set for one that has gone: it is set anew for the one that came after. */
TEST(a_descriptor_that_is_watched_later_waits_for_nobody_else)
{
    int ends[2];
    seen s = { 0 };
    rmd_source *first, *source;
    rmd_loop *loop = open_loop();
    REQUIRE(pipe(ends) == 0);
    fill(ends[1]);
    for (int round = 0; round < 20; round++) {
        REQUIRE(rmdi_loop_watch_later(loop, &first, ends[0], RMD_READABLE, note, &s) == 0);
        rmd_source_free(first);
        rmd_loop_turn(loop, round % 2 ? rmd_after_ms(round % 3) : RMD_NOW);
        REQUIRE(rmdi_loop_watch_later(loop, &source, ends[0], RMD_READABLE, note, &s) == 0);
        for (int before = s.calls; s.calls == before;)
            REQUIRE(rmd_loop_turn(loop, RMD_FOREVER) >= 0);
        rmd_source_free(source);
    }
    CHECK_EQ(s.calls, 20);
    rmd_loop_free(loop);
    close(ends[0]);
    close(ends[1]);
}
