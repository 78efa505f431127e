/* SPDX-License-Identifier: MIT */
/* Threads with names and arguments, a daemon, one that listens to a silent pipe and is told to
 * stop, and Ctrl-C: the main thread waits for it, and everything ends in order. */
#include <remuda.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

typedef struct listener {
    int fd;
    int ended_by;
} listener;

/* Nobody ever writes to the pipe; what ends the wait is rmd_thread_stop(). */
static void listen_to_pipe(void *arg)
{
    listener *l = arg;
    l->ended_by = rmd_fd_wait(l->fd, RMD_READABLE, RMD_FOREVER);
}

static void look_after_things(void *arg)
{
    (void)arg;
    while (rmd_select(NULL, 0, rmd_after_ms(10)) == RMD_ETIMEDOUT)
        ; /* a daemon: it ends with the program, or when all are told to stop */
}

static void press_ctrl_c(void *arg)
{
    (void)arg;
    kill(getpid(), SIGINT);
}

static void print_name(void *ctx, rmd_thread *thread)
{
    (void)ctx;
    printf("  %s\n", rmd_thread_name(thread));
}

static rmd_thread *start(void (*fn)(void *), void *arg, const char *name, bool daemon)
{
    rmd_thread *thread;
    rmd_thread_options options = { .size = sizeof options, .name = name, .daemon = daemon };
    must(rmd_thread_start(&thread, fn, arg, &options), name);
    return thread;
}

int main(void)
{
    rmd_signals *signals;
    int number, ends[2];
    must(rmd_signals_open(&signals, (int[]){ SIGINT, SIGTERM, 0 }), "signals");
    if (pipe(ends) < 0)
        return 1;
    listener first = { .fd = ends[0] }, second = { .fd = ends[0] };
    rmd_thread *thread = start(listen_to_pipe, &first, "first listener", false);
    rmd_thread_free(start(look_after_things, NULL, "housekeeper", true));
    rmd_thread *other = start(listen_to_pipe, &second, "second listener", false);
    puts("alive:");
    rmd_threads_walk(print_name, NULL);
    if (rmd_thread_join(thread, rmd_after_ms(20)) == RMD_ETIMEDOUT)
        puts("the first listener still listens");
    rmd_thread_stop(thread);
    must(rmd_thread_join(thread, RMD_FOREVER), "join");
    rmd_thread_free(thread);
    printf("the first listener: %s\n", rmd_error_name(first.ended_by));
    rmd_thread *user = start(press_ctrl_c, NULL, "user", false);
    must(rmd_signals_wait(signals, &number, RMD_FOREVER), "wait");
    printf("%s: all stop\n", number == SIGINT ? "Ctrl-C" : "TERM");
    rmd_threads_stop_all();
    must(rmd_threads_join_all(rmd_after_ms(5000)), "join all");
    printf("the second listener: %s\n", rmd_error_name(second.ended_by));
    rmd_thread_free(other);
    rmd_thread_free(user);
    rmd_signals_free(signals);
    return 0;
}
