/* SPDX-License-Identifier: MIT */
#include "port/pidfd.h"

#include "kit.h"
#include "port/poll.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child that ends when a byte is written to *leash: with status 7, or by the signal. */
static pid_t leashed_child(int *leash, int signal)
{
    int ends[2];
    char byte;
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        if (read(ends[0], &byte, 1) == 1 && signal)
            raise(signal);
        _exit(7);
    }
    close(ends[0]);
    *leash = ends[1];
    return pid;
}

static void await(int pidfd)
{
    struct pollfd end = { .fd = pidfd, .events = POLLIN };
    REQUIRE(poll(&end, 1, 10000) == 1);
}

TEST(a_pidfd_tells_the_end_and_the_zombie_stays_until_it_is_reaped)
{
    int leash;
    bool ended;
    rmdi_child_end end;
    pid_t pid = leashed_child(&leash, 0);
    int pidfd = rmdi_pidfd_open(pid);
    REQUIRE(pidfd >= 0);
    CHECK(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
    CHECK(!rmdi_poll_readable(pidfd));
    CHECK_EQ(rmdi_child_peek(pid, &ended), 0);
    CHECK(!ended);
    CHECK_EQ(rmdi_child_reap(pid, &end), EAGAIN);
    REQUIRE(write(leash, "x", 1) == 1);
    await(pidfd);
    for (int i = 0; i < 2; i++) { /* looking changes nothing */
        CHECK_EQ(rmdi_child_peek(pid, &ended), 0);
        CHECK(ended);
    }
    CHECK_EQ(kill(pid, 0), 0);
    CHECK_EQ(rmdi_child_reap(pid, &end), 0);
    CHECK_EQ(end.status, 7);
    CHECK_EQ(end.signal, 0);
    CHECK_EQ(rmdi_child_peek(pid, &ended), ECHILD);
    CHECK_EQ(rmdi_child_reap(pid, &end), ECHILD);
}

TEST(a_signal_that_ended_it_is_told)
{
    int leash;
    rmdi_child_end end;
    pid_t pid = leashed_child(&leash, SIGKILL);
    int pidfd = rmdi_pidfd_open(pid);
    REQUIRE(write(leash, "x", 1) == 1);
    await(pidfd);
    CHECK_EQ(rmdi_child_reap(pid, &end), 0);
    CHECK_EQ(end.status, -1);
    CHECK_EQ(end.signal, SIGKILL);
}

TEST(a_signal_by_pidfd_reaches_that_process_or_nobody)
{
    int leash;
    pid_t pid = leashed_child(&leash, 0);
    int pidfd = rmdi_pidfd_open(pid), status;
    CHECK_EQ(rmdi_pidfd_signal(pidfd, SIGUSR1), 0);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
    CHECK_EQ(rmdi_pidfd_signal(pidfd, SIGUSR1), ESRCH);
    CHECK_EQ(rmdi_pidfd_open(pid), -ESRCH);
}

static void on_child(int signal)
{
    (void)signal;
}

TEST(dropped_ends_of_children_are_noticed)
{
    struct sigaction action = { .sa_handler = SIG_DFL };
    CHECK(!rmdi_child_ends_are_dropped());
    action.sa_handler = on_child;
    sigaction(SIGCHLD, &action, NULL);
    CHECK(!rmdi_child_ends_are_dropped());
    action.sa_flags = SA_NOCLDWAIT;
    sigaction(SIGCHLD, &action, NULL);
    CHECK(rmdi_child_ends_are_dropped());
    signal(SIGCHLD, SIG_IGN);
    CHECK(rmdi_child_ends_are_dropped());
}

/* ---- looking ---- */

/* Until there is news; it comes soon after what makes it. */
static rmdi_child_news await_news(pid_t pid, rmdi_child_end *end)
{
    rmdi_child_news news;
    while ((news = rmdi_child_look(pid, end)) == RMDI_CHILD_RUNS)
        ;
    return news;
}

TEST(a_look_tells_the_end_again_and_again_and_leaves_the_zombie)
{
    int leash;
    rmdi_child_end end = { .status = 99 };
    pid_t pid = leashed_child(&leash, 0);
    CHECK_EQ(rmdi_child_look(pid, &end), RMDI_CHILD_RUNS);
    CHECK_EQ(end.status, 99);
    REQUIRE(write(leash, "x", 1) == 1);
    CHECK_EQ(await_news(pid, &end), RMDI_CHILD_ENDED);
    end = (rmdi_child_end){ 0 };
    CHECK_EQ(rmdi_child_look(pid, &end), RMDI_CHILD_ENDED);
    CHECK_EQ(end.status, 7);
    CHECK_EQ(end.signal, 0);
    CHECK_INT(end.usage.ru_maxrss, >, 0);
    CHECK_EQ(kill(pid, 0), 0);
    rmdi_child_bury(pid);
    CHECK_EQ(rmdi_child_look(pid, &end), RMDI_CHILD_RUNS); /* nothing is known about it */
}

TEST(a_look_tells_the_signal_that_ended_it)
{
    int leash;
    rmdi_child_end end;
    pid_t pid = leashed_child(&leash, SIGKILL);
    REQUIRE(write(leash, "x", 1) == 1);
    CHECK_EQ(await_news(pid, &end), RMDI_CHILD_ENDED);
    CHECK_EQ(end.status, -1);
    CHECK_EQ(end.signal, SIGKILL);
    rmdi_child_bury(pid);
}

TEST(a_look_tells_a_stop_and_a_continuation_once)
{
    int leash;
    rmdi_child_end end;
    pid_t pid = leashed_child(&leash, 0);
    kill(pid, SIGSTOP);
    CHECK_EQ(await_news(pid, &end), RMDI_CHILD_STOPPED);
    CHECK_EQ(rmdi_child_look(pid, &end), RMDI_CHILD_RUNS);
    kill(pid, SIGCONT);
    CHECK_EQ(await_news(pid, &end), RMDI_CHILD_CONTINUED);
    CHECK_EQ(rmdi_child_look(pid, &end), RMDI_CHILD_RUNS);
    kill(pid, SIGKILL);
    CHECK_EQ(await_news(pid, &end), RMDI_CHILD_ENDED);
    rmdi_child_bury(pid);
}

TEST(the_end_of_a_stopped_child_is_not_hidden_by_its_stop)
{
    int leash;
    rmdi_child_end end;
    pid_t pid = leashed_child(&leash, 0);
    int pidfd = rmdi_pidfd_open(pid);
    kill(pid, SIGSTOP);
    kill(pid, SIGKILL);
    await(pidfd);
    CHECK_EQ(rmdi_child_look(pid, &end), RMDI_CHILD_ENDED);
    CHECK_EQ(end.signal, SIGKILL);
    rmdi_child_bury(pid);
}
