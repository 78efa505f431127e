/* SPDX-License-Identifier: MIT */
/* A crash would otherwise leave nothing but the shell's word for it, and exit() from a body would
 * look like success. The handlers are there for the time of an exploration only: this library is
 * for tests. Formatting in a handler is not safe in general; here one thread runs, and what it
 * interrupted is lost in any case. */
#include "explore/crash.h"

#include "explore/schedule.h"
#include "explore/token.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ALTERNATE_BYTES = 32768, TOKEN_BYTES = 128 };

static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
enum { SIGNALS = sizeof signals / sizeof *signals };

static struct {
    const char *name, *command;
    const rmdi_plan *plan;
    uint64_t number;
    struct sigaction before[SIGNALS];
    stack_t stack_before;
    bool open, at_exit;
} c;

static _Alignas(16) char alternate[ALTERNATE_BYTES];

static void tell(const char *what)
{
    char text[512], token[TOKEN_BYTES] = "";
    if (c.plan->strategy != RMD_EXPLORE_EXHAUSTIVE || c.plan->listed)
        rmdi_token_write(c.plan, 0, token, sizeof token);
    int n = snprintf(text, sizeof text, "explore: %s: %s %s in schedule %" PRIu64 "%s%s%s%s\n",
                     c.name, rmdi_running->name, what, c.number, *token ? "; again: " : "",
                     *token ? c.command : "", *token ? " " : "", token);
    ssize_t written = write(STDERR_FILENO, text, n < (int)sizeof text ? (size_t)n : sizeof text);
    (void)written;
}

static void put_back(int number)
{
    for (int i = 0; i < SIGNALS; i++)
        if (signals[i] == number)
            sigaction(number, &c.before[i], NULL);
}

static void on_crash(int number, siginfo_t *info, void *context)
{
    char what[96];
    (void)context;
    if (rmdi_running && number != SIGABRT && rmdi_fiber_overflows(info->si_addr))
        tell("needs more stack than the 64 KiB that a thread has here,");
    else if (rmdi_running) {
        snprintf(what, sizeof what, "is ended by signal %d (%s)", number, strsignal(number));
        tell(what);
    }
    put_back(number);
    if (info->si_code <= 0) /* sent, by abort() for instance: it does not come again by itself */
        raise(number);
}

static void on_exit_called(void)
{
    if (!rmdi_running)
        return;
    tell("calls exit()");
    _exit(1); /* not what it asked for: a test that was not made did not pass */
}

void rmdi_crash_open(const char *name, const char *command)
{
    struct sigaction action = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
    c.name = name;
    c.command = command;
    c.open = true;
    sigaltstack(&stack, &c.stack_before);
    for (int i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &action, &c.before[i]);
    if (!c.at_exit)
        c.at_exit = atexit(on_exit_called) == 0;
}

void rmdi_crash_close(void)
{
    if (!c.open)
        return;
    for (int i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &c.before[i], NULL);
    sigaltstack(&c.stack_before, NULL);
    c.open = false;
}

void rmdi_crash_in(const rmdi_plan *plan, uint64_t number)
{
    c.plan = plan;
    c.number = number;
}
