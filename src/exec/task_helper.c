/* SPDX-License-Identifier: MIT */
/* What tests run as tasks: task_helper VERB [ARGUMENT…]. Where a verb tells something, it
 * writes a number and a newline to descriptor 3.
 *
 * signals      tells its number, then the number of each signal it gets; only KILL ends it
 * flood N      ignores TERM and writes N bytes to standard error, ending in "the end"
 * escape       tells its number, then that of a grandchild that has left the group and the
 *              session, has closed all descriptors and ignores TERM; ends when the
 *              grandchild has escaped
 * escape-stay  the same, but then waits to be killed
 * fork-on      a grandchild that goes on forking and executing itself in new sessions
 * deaf         tells its number, never reads its standard input, waits to be killed */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void tell(int number)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%d\n", number);
    if (write(3, text, (size_t)len) != len)
        _exit(99);
}

static int take_signals(void)
{
    sigset_t all;
    int signal;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    tell(getpid());
    while (sigwait(&all, &signal) == 0)
        if (signal != SIGCHLD)
            tell(signal);
    return 1;
}

static int flood(long long bytes)
{
    static char chunk[64 * 1024];
    signal(SIGTERM, SIG_IGN);
    memset(chunk, 'x', sizeof chunk);
    bytes -= 7;
    while (bytes > 0) {
        ssize_t n = write(2, chunk, bytes < (long long)sizeof chunk ? (size_t)bytes : sizeof chunk);
        if (n < 0 && errno != EINTR)
            return 1;
        bytes -= n > 0 ? n : 0;
    }
    return write(2, "the end", 7) == 7 ? 0 : 1;
}

/* In the grandchild: away from everything but the environment. */
static _Noreturn void hide(int told)
{
    setsid();
    signal(SIGTERM, SIG_IGN);
    dprintf(told, "%d\n", getpid());
    for (int fd = 0; fd < 64; fd++)
        close(fd);
    for (;;)
        pause();
}

static int escape(bool stay)
{
    int ends[2];
    char text[16];
    if (pipe(ends) < 0)
        return 1;
    tell(getpid());
    pid_t child = fork();
    if (child == 0) {
        if (fork() == 0)
            hide(ends[1]);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    ssize_t n = read(ends[0], text, sizeof text - 1);
    if (n <= 0)
        return 1;
    text[n] = 0;
    tell(atoi(text));
    while (stay)
        pause();
    return 0;
}

/* Each generation starts the next in a session of its own and ends. */
static int fork_on(bool first, char **argv)
{
    char verb[] = "forked-on";
    if (first)
        tell(getpid());
    if (!first) {
        close(3);
        setsid();
    }
    pid_t child = fork();
    if (child == 0) {
        argv[1] = verb;
        execve("/proc/self/exe", argv, environ);
        _exit(1);
    }
    while (first)
        pause();
    return 0;
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "signals") == 0)
        return take_signals();
    if (strcmp(verb, "flood") == 0 && argc > 2)
        return flood(atoll(argv[2]));
    if (strcmp(verb, "escape") == 0)
        return escape(false);
    if (strcmp(verb, "escape-stay") == 0)
        return escape(true);
    if (strcmp(verb, "fork-on") == 0 || strcmp(verb, "forked-on") == 0)
        return fork_on(strcmp(verb, "fork-on") == 0, argv);
    if (strcmp(verb, "deaf") == 0) {
        tell(getpid());
        for (;;)
            pause();
    }
    return 2;
}
