/* SPDX-License-Identifier: MIT */
#include "cli/interrupts.h"

#include "port/stream.h"

#include <remuda/select.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { WATCHED = 4, STOP_MS = 100 };

static const char *name_of(int signal)
{
    return signal == SIGINT ? "interrupted" : signal == SIGTERM ? "terminated" : "hung up";
}

/* Without stdio, whose lock another thread holds as long as nobody reads what it says; and without
 * waiting: what there is no room for is lost. */
static void say(const rmdi_interrupts *in, const char *what, const char *rest)
{
    char text[120];
    rmdi_stream to;
    int len = snprintf(text, sizeof text, "remuda %s: %s%s\n", in->verb, what, rest);
    struct iovec part = { text, (size_t)len };
    if (rmdi_stream_init(&to, STDERR_FILENO) == 0)
        (void)rmdi_stream_write(&to, &part, 1);
}

static void on_interrupt(rmdi_interrupts *in, int signal)
{
    int none = 0;
    if (rmd_atomic_cas(&in->signal, &none, signal, RMD_RELAXED, RMD_RELAXED)) {
        rmd_stop_request(in->stop);
        say(in, name_of(signal), ": cancelling what runs (again: leave at once)");
        return;
    }
    say(in, "leaving at once", "");
    _exit(128 + none);
}

/* Workers lead groups of their own, so the terminal stops only us. The thread of the pool that
 * stops them has this long for it before it is stopped with us; if that is not enough, they go
 * on. */
static void on_stop(const rmdi_interrupts *in)
{
    (void)rmd_pool_suspend(in->pool);
    (void)!rmd_select(NULL, 0, rmd_after_ms(STOP_MS));
    raise(SIGSTOP); /* returns when we are continued */
    (void)rmd_pool_resume(in->pool);
}

static void wait_for_signals(void *arg)
{
    rmdi_interrupts *in = arg;
    int signal;
    while (rmd_signals_wait(in->signals, &signal, RMD_FOREVER) == 0) {
        if (signal == SIGTSTP)
            on_stop(in);
        else
            on_interrupt(in, signal);
    }
}

/* Those that were not ignored when we began: nohup, or a shell without job control. */
static void choose(int *numbers)
{
    static const int watched[WATCHED] = { SIGINT, SIGTERM, SIGHUP, SIGTSTP };
    for (int i = 0; i < WATCHED; i++) {
        struct sigaction action;
        sigaction(watched[i], NULL, &action);
        if (action.sa_handler != SIG_IGN)
            *numbers++ = watched[i];
    }
    *numbers = 0;
}

static int start(rmdi_interrupts *in, const int *numbers)
{
    rmd_thread_options options = { .size = sizeof options, .name = "signals", .daemon = true };
    int err = rmd_signals_open(&in->signals, numbers);
    return err < 0 ? err : rmd_thread_start(&in->thread, wait_for_signals, in, &options);
}

int rmdi_interrupts_begin(rmdi_interrupts *in, const char *verb, rmd_pool *pool)
{
    int numbers[WATCHED + 1];
    *in = (rmdi_interrupts){ .verb = verb, .pool = pool };
    choose(numbers);
    int err = rmd_stop_open(&in->stop);
    if (err < 0)
        return err;
    in->before = rmd_stop_set(in->stop);
    if (numbers[0])
        err = start(in, numbers);
    if (err < 0)
        rmdi_interrupts_end(in);
    return err;
}

int rmdi_interrupts_end(rmdi_interrupts *in)
{
    rmd_stop_set(in->before);
    if (in->thread) {
        rmd_thread_stop(in->thread);
        (void)!rmd_thread_join(in->thread, RMD_FOREVER);
        rmd_thread_free(in->thread);
    }
    rmd_signals_free(in->signals);
    rmd_stop_free(in->stop);
    return rmd_atomic_load(&in->signal, RMD_RELAXED);
}
