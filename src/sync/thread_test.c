/* SPDX-License-Identifier: MIT */
#include "sync/thread.h"

#include "kit.h"
#include "kit_alloc.h"
#include "kit_resources.h"

#include <remuda/error.h>
#include <remuda/select.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct seen {
    char name[17];
    sigset_t blocked;
    uintptr_t self;
} seen;

static void look(void *arg)
{
    struct seen *s = arg;
    prctl(PR_GET_NAME, s->name);
    pthread_sigmask(SIG_BLOCK, NULL, &s->blocked);
    s->self = rmdi_thread_self();
}

static bool is_fault(int signal)
{
    return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE ||
           signal == SIGTRAP || signal == SIGSYS;
}

TEST(a_thread_has_its_name_and_no_signal_reaches_it_but_of_its_faults)
{
    rmdi_thread thread;
    sigset_t before, after;
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    REQUIRE(rmdi_thread_start(&thread, look, &seen, "a name of more than fifteen") == 0);
    CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    CHECK_MEM(&before, &after, _NSIG / 8);
    for (int signal = 1; signal < 32; signal++)
        if (signal != SIGKILL && signal != SIGSTOP)
            CHECK_EQ(sigismember(&seen.blocked, signal), !is_fault(signal));
    CHECK(seen.self != rmdi_thread_self());
    CHECK(seen.self != 0 && rmdi_thread_self() != 0);
    CHECK(rmdi_thread_self() == rmdi_thread_self());
}

/* The name is set by whoever starts the thread, so it asks for a moment when it has one. */
static void wait_for_byte(void *arg)
{
    char byte;
    CHECK_EQ(read(*(int *)arg, &byte, 1), 1);
    prctl(PR_GET_NAME, seen.name);
}

TEST(joining_gives_up_at_its_deadline_and_may_be_repeated)
{
    int ends[2];
    rmdi_thread thread;
    REQUIRE(pipe(ends) == 0);
    REQUIRE(rmdi_thread_start(&thread, wait_for_byte, &ends[0], "123456789012345678") == 0);
    CHECK_EQ(rmdi_thread_join(&thread, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmdi_thread_join(&thread, rmd_after_ms(10)), RMD_ETIMEDOUT);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(rmdi_thread_join(&thread, rmd_after_ms(15000)), 0);
    CHECK_STR(seen.name, "123456789012345");
}

/* As somebody who may have no more processes; the limit is not for the superuser. */
static void start_without_right(void)
{
    rmdi_thread thread;
    struct rlimit none = { 0, 0 };
    REQUIRE(geteuid() != 0 || setuid(65534) == 0);
    REQUIRE(setrlimit(RLIMIT_NPROC, &none) == 0);
    CHECK_EQ(rmdi_thread_start(&thread, look, &seen, "the-name"), RMD_EAGAIN);
    CHECK_CONTAINS(rmd_error_detail(), "the-name");
}

TEST(a_thread_that_cannot_be_started_is_named)
{
    pid_t pid = fork();
    if (pid == 0) {
        start_without_right();
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

/* ---- public threads ---- */

static rmd_event *gate;
static rmd_atomic(uint32_t) count, ready;

static rmd_deadline patience(void)
{
    return rmd_after_ms(15000 * kit_patience());
}

static const rmd_thread_options daemon_options = {
    .size = sizeof(rmd_thread_options),
    .name = "daemon",
    .daemon = true,
};

static void count_one(void *arg)
{
    (void)arg;
    rmd_atomic_add(&count, 1, RMD_RELAXED);
}

static void wait_at_gate(void *arg)
{
    rmd_atomic_add(&ready, 1, RMD_RELEASE);
    CHECK_EQ(rmd_event_wait(gate, patience()), arg ? RMD_ECANCELED : 0);
    rmd_atomic_add(&count, 1, RMD_RELAXED);
}

static void await_ready(uint32_t n)
{
    while (rmd_atomic_load(&ready, RMD_ACQUIRE) < n)
        ;
}

TEST(a_thread_is_joined_as_often_as_one_likes_and_then_freed)
{
    rmd_thread *thread;
    kit_resources before;
    kit_resources_take(&before);
    REQUIRE(rmd_event_open(&gate) == 0);
    REQUIRE(rmd_thread_start(&thread, wait_at_gate, NULL, NULL) == 0);
    CHECK_STR(rmd_thread_name(thread), "thread");
    CHECK_EQ(rmd_thread_join(thread, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_thread_join(thread, rmd_after_ms(5)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_thread_free(thread), RMD_EBUSY);
    CHECK_EQ(rmd_event_set(gate), 0);
    CHECK_EQ(rmd_thread_join(thread, patience()), 0);
    CHECK_EQ(rmd_thread_join(thread, RMD_NOW), 0);
    CHECK_EQ(rmd_atomic_load(&count, RMD_RELAXED), 1);
    CHECK_EQ(rmd_thread_free(thread), 0);
    CHECK_EQ(rmd_event_free(gate), 0);
    CHECK_RESOURCES(&before);
}

TEST(misuse_of_threads_is_refused)
{
    rmd_thread *thread;
    rmd_thread_options options = { .size = 1 };
    CHECK_EQ(rmd_thread_start(NULL, count_one, NULL, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_thread_start(&thread, NULL, NULL, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_thread_start(&thread, count_one, NULL, &options), RMD_EINVAL);
    options = (rmd_thread_options){ .size = sizeof options, .stack_bytes = 1 };
    CHECK_EQ(rmd_thread_start(&thread, count_one, NULL, &options), RMD_EINVAL);
    options.stack_bytes = SIZE_MAX;
    CHECK_EQ(rmd_thread_start(&thread, count_one, NULL, &options), RMD_EINVAL);
    CHECK(thread == NULL);
    CHECK_EQ(rmd_thread_join(NULL, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_thread_stop(NULL), RMD_EINVAL);
    CHECK_EQ(rmd_threads_walk(NULL, NULL), RMD_EINVAL);
    CHECK_STR(rmd_thread_name(NULL), "");
    CHECK(rmd_thread_self() == NULL);
    CHECK(!rmd_thread_stopping());
    CHECK_EQ(rmd_thread_free(NULL), 0);
}

static int start_and_free(void *arg)
{
    (void)arg;
    rmd_thread *thread;
    int err = rmd_thread_start(&thread, count_one, NULL, NULL);
    if (err == 0) {
        CHECK_EQ(rmd_thread_join(thread, patience()), 0);
        err = rmd_thread_free(thread);
    }
    return err;
}

TEST(a_thread_without_memory_is_not_started)
{
    CHECK_INT(kit_alloc(start_and_free, NULL, RMD_ENOMEM), >=, 2);
}

static rmd_thread *known;

static void look_at_self(void *arg)
{
    char name[17];
    (void)arg;
    CHECK_EQ(rmd_event_wait(gate, patience()), 0);
    CHECK(rmd_thread_self() == known);
    CHECK_STR(rmd_thread_name(rmd_thread_self()), "a name of more than fifteen");
    prctl(PR_GET_NAME, name);
    CHECK_STR(name, "a name of more ");
    CHECK_EQ(rmd_thread_join(rmd_thread_self(), RMD_FOREVER), RMD_EDEADLK);
    CHECK_EQ(rmd_thread_free(rmd_thread_self()), RMD_EBUSY);
}

TEST(a_thread_knows_itself_and_does_not_join_itself)
{
    rmd_thread_options options = { .size = sizeof options,
                                   .name = "a name of more than fifteen",
                                   .stack_bytes = 200000 };
    REQUIRE(rmd_event_open(&gate) == 0);
    REQUIRE(rmd_thread_start(&known, look_at_self, NULL, &options) == 0);
    CHECK_EQ(rmd_event_set(gate), 0);
    CHECK_EQ(rmd_thread_join(known, patience()), 0);
    CHECK_EQ(rmd_thread_free(known), 0);
    CHECK_EQ(rmd_event_free(gate), 0);
}

static void compute_until_stopped(void *arg)
{
    CHECK(!rmd_thread_stopping() || arg);
    while (!rmd_thread_stopping())
        ;
    rmd_stop_set(NULL);
    CHECK(rmd_thread_stopping()); /* a shield does not hide it */
}

TEST(a_thread_that_computes_sees_that_it_shall_stop)
{
    rmd_thread *thread;
    REQUIRE(rmd_thread_start(&thread, compute_until_stopped, &thread, NULL) == 0);
    CHECK_EQ(rmd_thread_stop(thread), 0);
    CHECK_EQ(rmd_thread_join(thread, patience()), 0);
    CHECK_EQ(rmd_thread_free(thread), 0);
}

/* ---- daemons ---- */

TEST(a_daemon_may_be_freed_while_it_runs)
{
    kit_resources before;
    rmd_thread *thread;
    REQUIRE(rmd_event_open(&gate) == 0);
    kit_resources_take(&before);
    for (uint32_t i = 1; i <= 20; i++) {
        REQUIRE(rmd_thread_start(&thread, wait_at_gate, NULL, &daemon_options) == 0);
        await_ready(i);
        CHECK_EQ(rmd_thread_free(thread), 0);
    }
    CHECK_EQ(rmd_event_set(gate), 0);
    CHECK_RESOURCES(&before);
    CHECK_EQ(rmd_atomic_load(&count, RMD_RELAXED), 20);
}

TEST_LIMIT(daemons_end_and_are_freed_in_any_order, 60)
{
    rmd_thread *thread;
    kit_resources before;
    kit_resources_take(&before);
    for (int i = 0; i < 2000; i++) {
        REQUIRE(rmd_thread_start(&thread, count_one, NULL, &daemon_options) == 0);
        if (i % 3 == 0)
            CHECK_EQ(rmd_thread_join(thread, patience()), 0);
        CHECK_EQ(rmd_thread_free(thread), 0);
    }
    CHECK_RESOURCES(&before);
}

/* ---- all of them ---- */

static void see(void *ctx, rmd_thread *thread)
{
    char *names = ctx;
    strcat(names, rmd_thread_name(thread));
    strcat(names, " ");
}

static void start_named(rmd_thread **thread, const char *name, bool is_daemon)
{
    rmd_thread_options options = { .size = sizeof options, .name = name, .daemon = is_daemon };
    REQUIRE(rmd_thread_start(thread, wait_at_gate, &ready, &options) == 0);
}

TEST(all_live_threads_are_listed_stopped_and_joined)
{
    rmd_thread *threads[3];
    char names[100] = "";
    REQUIRE(rmd_event_open(&gate) == 0);
    CHECK_EQ(rmd_threads_join_all(RMD_NOW), 0);
    start_named(&threads[0], "one", false);
    start_named(&threads[1], "two", true);
    start_named(&threads[2], "three", false);
    CHECK_EQ(rmd_threads_walk(see, names), 3);
    CHECK_STR(names, "one two three ");
    CHECK_EQ(rmd_threads_join_all(rmd_after_ms(5)), RMD_ETIMEDOUT);
    rmd_threads_stop_all();
    CHECK_EQ(rmd_threads_join_all(patience()), 0);
    CHECK_EQ(rmd_thread_join(threads[0], RMD_NOW), 0);
    CHECK_EQ(rmd_thread_join(threads[1], patience()), 0);
    CHECK_EQ(rmd_thread_join(threads[2], RMD_NOW), 0);
    CHECK_EQ(rmd_threads_walk(see, names), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rmd_thread_free(threads[i]), 0);
}

static void stop_others(void *arg)
{
    (void)arg;
    rmd_threads_stop_all();
    CHECK(!rmd_thread_stopping());
    CHECK_EQ(rmd_threads_join_all(patience()), 0);
}

TEST(a_thread_that_stops_and_joins_all_spares_itself)
{
    rmd_thread *threads[3];
    REQUIRE(rmd_event_open(&gate) == 0);
    start_named(&threads[0], "one", false);
    start_named(&threads[1], "two", false);
    await_ready(2);
    REQUIRE(rmd_thread_start(&threads[2], stop_others, NULL, NULL) == 0);
    for (int i = 2; i >= 0; i--) {
        CHECK_EQ(rmd_thread_join(threads[i], patience()), 0);
        CHECK_EQ(rmd_thread_free(threads[i]), 0);
    }
}

static void start_and_join_some(void *arg)
{
    (void)arg;
    for (int i = 0; i < 300; i++) {
        rmd_thread *thread;
        REQUIRE(rmd_thread_start(&thread, count_one, NULL, i % 2 ? &daemon_options : NULL) == 0);
        CHECK_EQ(rmd_thread_join(thread, patience()), 0);
        CHECK_EQ(rmd_thread_free(thread), 0);
    }
}

static void ignore(void *ctx, rmd_thread *thread)
{
    (void)ctx, (void)thread;
}

TEST_LIMIT(threads_come_and_go_while_others_walk_the_list, 60)
{
    rmdi_thread starters[3];
    for (int i = 0; i < 3; i++)
        REQUIRE(rmdi_thread_start(&starters[i], start_and_join_some, NULL, "starter") == 0);
    for (int i = 0; i < 1000; i++)
        CHECK_INT(rmd_threads_walk(ignore, NULL), >=, 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rmdi_thread_join(&starters[i], RMD_FOREVER), 0);
    CHECK_EQ(rmd_atomic_load(&count, RMD_RELAXED), 900);
}

/* ---- the end of the program ---- */

static int status_of(pid_t pid)
{
    int status = -1;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int lifeline[2];

/* Slow, and then says that it has come to its end. */
static void end_late(void *arg)
{
    CHECK_EQ(rmd_select(NULL, 0, rmd_after_ms(50)), RMD_ETIMEDOUT);
    CHECK_EQ(write(lifeline[1], arg, 1), 1);
}

static void never_end(void *arg)
{
    (void)arg;
    while (rmd_select(NULL, 0, rmd_after_ms(1000)) == RMD_ETIMEDOUT)
        ;
}

static void program(void)
{
    static char names[] = "ab";
    rmd_thread *thread;
    for (int i = 0; i < 2; i++)
        REQUIRE(rmd_thread_start(&thread, end_late, &names[i], NULL) == 0);
    REQUIRE(rmd_thread_start(&thread, never_end, NULL, &daemon_options) == 0);
    exit(7);
}

TEST(a_program_that_ends_waits_for_its_threads_but_for_daemons)
{
    char bytes[3];
    REQUIRE(pipe(lifeline) == 0);
    pid_t pid = fork();
    if (pid == 0)
        program();
    CHECK_EQ(status_of(pid), 7);
    CHECK_EQ(read(lifeline[0], bytes, 3), 2);
}

static void leave_from_thread(void *arg)
{
    (void)arg;
    exit(9);
}

TEST(a_thread_that_ends_the_program_does_not_wait_for_itself)
{
    pid_t pid = fork();
    if (pid == 0) {
        rmd_thread *thread;
        REQUIRE(rmd_thread_start(&thread, leave_from_thread, NULL, NULL) == 0);
        _exit(rmd_thread_join(thread, RMD_FOREVER) ? 1 : 2);
    }
    CHECK_EQ(status_of(pid), 9);
}

static void start_own_thread(void)
{
    rmd_thread *own;
    if (KIT_SANITIZED)
        return;
    REQUIRE(rmd_thread_start(&own, count_one, NULL, NULL) == 0);
    CHECK_EQ(rmd_threads_join_all(patience()), 0);
    CHECK_EQ(rmd_thread_free(own), 0);
}

TEST(a_child_made_by_fork_has_no_threads_and_ends_at_once)
{
    rmd_thread *thread;
    REQUIRE(rmd_event_open(&gate) == 0);
    REQUIRE(rmd_thread_start(&thread, wait_at_gate, NULL, NULL) == 0);
    await_ready(1);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_EQ(rmd_threads_walk(ignore, NULL), 0);
        CHECK_EQ(rmd_thread_join(thread, RMD_FOREVER), RMD_EFORKED);
        CHECK_EQ(rmd_thread_stop(thread), RMD_EFORKED);
        rmd_waitable what = rmd_thread_waitable(thread);
        CHECK_EQ(rmd_select(&what, 1, RMD_FOREVER), RMD_EINVAL);
        CHECK_EQ(rmd_thread_free(thread), 0);
        start_own_thread();
        exit(3);
    }
    CHECK_EQ(status_of(pid), 3);
    CHECK_EQ(rmd_event_set(gate), 0);
    CHECK_EQ(rmd_thread_join(thread, patience()), 0);
    CHECK_EQ(rmd_thread_free(thread), 0);
}

static pid_t forked;

static void fork_and_return(void *arg)
{
    (void)arg;
    forked = fork();
}

TEST(a_thread_that_forks_ends_twice_and_is_joined_once)
{
    rmd_thread *thread;
    if (KIT_SANITIZED)
        SKIP("not with a sanitizer");
    REQUIRE(rmd_thread_start(&thread, fork_and_return, NULL, NULL) == 0);
    CHECK_EQ(rmd_thread_join(thread, patience()), 0);
    CHECK_EQ(status_of(forked), 0);
    CHECK_EQ(rmd_thread_free(thread), 0);
}

static rmd_thread *forker;
static rmd_event *go; /* `forker` is set */

/* In the child: what waits ends at its deadline, whatever the other threads did at the fork. */
static void wait_in_child(rmd_stop *expected)
{
    rmd_event *never;
    rmdi_os_signal_unblock(SIGALRM);
    alarm(15); /* if it does not */
    REQUIRE(rmd_event_open(&never) == 0);
    CHECK_EQ(rmd_thread_free(forker), 0);
    CHECK(!rmd_thread_self());
    CHECK(!rmd_thread_stopping());
    CHECK_EQ(rmd_event_wait(never, rmd_after_ms(5)), RMD_ETIMEDOUT);
    CHECK(rmd_stop_set(NULL) == expected);
    CHECK_EQ(rmd_event_free(never), 0);
    _exit(4);
}

/* With its token's list entered, as another thread that fires it might have. */
static void fork_with_token(void *token)
{
    CHECK_EQ(rmd_event_wait(go, patience()), 0);
    rmd_stop *own = rmd_stop_set(token), *stop = token ? token : own;
    if (!token)
        rmd_stop_set(own);
    rmdi_wait_list_enter(&stop->waits);
    pid_t pid = fork();
    if (pid == 0)
        wait_in_child(token);
    rmdi_wait_list_leave(&stop->waits);
    CHECK_EQ(status_of(pid), 4);
    rmd_stop_set(own);
}

TEST(a_child_made_by_a_thread_frees_its_handle_and_waits_as_ever)
{
    rmd_stop *shared;
    REQUIRE(rmd_stop_open(&shared) == 0);
    REQUIRE(rmd_event_open(&go) == 0);
    for (int i = 0; i < 2; i++) {
        REQUIRE(rmd_thread_start(&forker, fork_with_token, i ? shared : NULL, NULL) == 0);
        rmd_event_set(go);
        CHECK_EQ(rmd_thread_join(forker, patience()), 0);
        CHECK_EQ(rmd_thread_free(forker), 0);
        rmd_event_clear(go);
    }
    CHECK_EQ(rmd_event_free(go), 0);
    CHECK_EQ(rmd_stop_free(shared), 0);
}
