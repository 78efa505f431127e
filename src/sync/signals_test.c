/* SPDX-License-Identifier: MIT */
#include <remuda/signals.h>

#include "kit.h"
#include "kit_alloc.h"
#include "kit_resources.h"

#include <remuda/descriptor.h>
#include <remuda/error.h>
#include <remuda/event.h>
#include <remuda/stop.h>
#include <remuda/thread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static rmd_deadline patience(void)
{
    return rmd_after_ms(15000 * kit_patience());
}

TEST(a_signal_is_told_to_who_waits_for_it)
{
    rmd_signals *signals;
    int number = 0;
    REQUIRE(rmd_signals_open(&signals, (int[]){ SIGUSR1, SIGUSR2, 0 }) == 0);
    CHECK_EQ(rmd_signals_wait(signals, &number, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_signals_wait(signals, &number, rmd_after_ms(5)), RMD_ETIMEDOUT);
    kill(getpid(), SIGUSR2);
    CHECK_EQ(rmd_signals_wait(signals, &number, patience()), 0);
    CHECK_EQ(number, SIGUSR2);
    kill(getpid(), SIGUSR1);
    CHECK_EQ(rmd_signals_wait(signals, NULL, RMD_NOW), 0);
    rmd_signals_free(signals);
}

TEST(the_mask_is_as_before_when_it_is_freed)
{
    rmd_signals *signals;
    sigset_t before, during, after;
    sigemptyset(&before);
    sigaddset(&before, SIGUSR1);
    sigprocmask(SIG_BLOCK, &before, NULL);
    sigprocmask(SIG_BLOCK, NULL, &before);
    REQUIRE(rmd_signals_open(&signals, (int[]){ SIGUSR1, SIGUSR2, SIGUSR2, 0 }) == 0);
    sigprocmask(SIG_BLOCK, NULL, &during);
    CHECK(sigismember(&during, SIGUSR1) && sigismember(&during, SIGUSR2));
    rmd_signals_free(signals);
    sigprocmask(SIG_BLOCK, NULL, &after);
    CHECK_MEM(&before, &after, _NSIG / 8);
}

TEST(misuse_of_signals_is_refused_and_changes_nothing)
{
    rmd_signals *signals;
    sigset_t before, after;
    sigprocmask(SIG_BLOCK, NULL, &before);
    CHECK_EQ(rmd_signals_open(NULL, (int[]){ SIGINT, 0 }), RMD_EINVAL);
    CHECK_EQ(rmd_signals_open(&signals, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_signals_open(&signals, (int[]){ 0 }), RMD_EINVAL);
    CHECK_EQ(rmd_signals_open(&signals, (int[]){ SIGUSR1, SIGKILL, 0 }), RMD_EINVAL);
    CHECK_EQ(rmd_signals_open(&signals, (int[]){ SIGUSR1, 4711, 0 }), RMD_EINVAL);
    CHECK_EQ(rmd_signals_open(&signals, (int[]){ -1, 0 }), RMD_EINVAL);
    CHECK_EQ(rmd_signals_wait(NULL, NULL, RMD_NOW), RMD_EINVAL);
    rmd_signals_free(NULL);
    sigprocmask(SIG_BLOCK, NULL, &after);
    CHECK_MEM(&before, &after, _NSIG / 8);
}

static int open_and_free(void *arg)
{
    (void)arg;
    rmd_signals *signals;
    int err = rmd_signals_open(&signals, (int[]){ SIGUSR1, 0 });
    if (err == 0)
        rmd_signals_free(signals);
    return err;
}

TEST(signals_without_memory_are_not_opened)
{
    kit_resources before;
    kit_resources_take(&before);
    CHECK_INT(kit_alloc(open_and_free, NULL, RMD_ENOMEM), >=, 2);
    CHECK_RESOURCES(&before);
}

/* ---- Ctrl-C ends a threaded program ---- */

static int silent[2];

static void wait_on_pipe(void *arg)
{
    (void)arg;
    CHECK_EQ(rmd_fd_wait(silent[0], RMD_READABLE, RMD_FOREVER), RMD_ECANCELED);
}

static void compute(void *arg)
{
    (void)arg;
    while (!rmd_thread_stopping())
        ;
}

static void wait_on_event(void *arg)
{
    CHECK_EQ(rmd_event_wait(arg, RMD_FOREVER), RMD_ECANCELED);
    rmd_stop_set(NULL); /* and cleans up */
    CHECK_EQ(rmd_event_wait(arg, rmd_after_ms(10)), RMD_ETIMEDOUT);
}

/* What a main would be. It says when it is ready, and ends by exit(). */
static void program(int ready)
{
    static void (*const functions[])(void *) = { wait_on_pipe, compute, wait_on_event };
    rmd_signals *signals;
    rmd_event *never;
    int number = 0;
    REQUIRE(pipe(silent) == 0 && rmd_event_open(&never) == 0);
    REQUIRE(rmd_signals_open(&signals, (int[]){ SIGINT, SIGTERM, 0 }) == 0);
    for (int i = 0; i < 6; i++) {
        rmd_thread *thread;
        REQUIRE(rmd_thread_start(&thread, functions[i % 3], never, NULL) == 0);
    }
    REQUIRE(write(ready, "x", 1) == 1);
    CHECK_EQ(rmd_signals_wait(signals, &number, RMD_FOREVER), 0);
    rmd_threads_stop_all();
    rmd_signals_free(signals);
    exit(number);
}

TEST_LIMIT(ctrl_c_ends_a_threaded_program_in_order_every_time, 100)
{
    for (int round = 0; round < 30; round++) {
        int ready[2], status;
        char byte;
        REQUIRE(pipe(ready) == 0);
        pid_t pid = fork();
        if (pid == 0)
            program(ready[1]);
        CHECK_EQ(read(ready[0], &byte, 1), 1);
        kill(pid, SIGINT);
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == SIGINT);
        close(ready[0]);
        close(ready[1]);
    }
}
