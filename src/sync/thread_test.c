/* SPDX-License-Identifier: MIT */
#include "sync/thread.h"

#include "kit.h"

#include <remuda/error.h>
#include <signal.h>
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

TEST(a_thread_has_its_name_and_no_signal_reaches_it)
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
            CHECK(sigismember(&seen.blocked, signal));
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
