/* SPDX-License-Identifier: MIT */
#include "port/catch.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

enum { SIGNALS = 65 };

/* Written before the handler is installed, and not while it is. */
static struct caught {
    rmdi_catch_fn *fn;
    bool fatal;
    struct sigaction before;
} all[SIGNALS];

/* A fault happens again as soon as the handler returns; one that was sent is sent again, and waits
 * until then, since it is blocked in its own handler. */
static void pass_on(int signal, const siginfo_t *info)
{
    sigaction(signal, &all[signal].before, NULL);
    if (info->si_code <= 0)
        raise(signal);
}

static void call_before(int signal, siginfo_t *info, void *context)
{
    const struct sigaction *before = &all[signal].before;
    if (before->sa_flags & SA_SIGINFO)
        before->sa_sigaction(signal, info, context);
    else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN)
        before->sa_handler(signal);
}

static void handle(int signal, siginfo_t *info, void *context)
{
    int err = errno;
    all[signal].fn(signal, info->si_code > 0 ? (uintptr_t)info->si_addr : 0);
    if (all[signal].fatal)
        pass_on(signal, info);
    else
        call_before(signal, info, context);
    errno = err;
}

int rmdi_catch(int signal, rmdi_catch_fn *fn, int fatal)
{
    struct sigaction ours = { .sa_sigaction = handle,
                              .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
    if (signal <= 0 || signal >= SIGNALS)
        return EINVAL;
    if (all[signal].fn)
        return EBUSY;
    if (sigaction(signal, NULL, &all[signal].before) < 0)
        return errno;
    sigemptyset(&ours.sa_mask);
    all[signal].fn = fn;
    all[signal].fatal = fatal;
    if (sigaction(signal, &ours, NULL) == 0)
        return 0;
    all[signal].fn = NULL;
    return errno;
}

int rmdi_catch_has_before(int signal)
{
    return all[signal].before.sa_handler != SIG_DFL;
}

void rmdi_catch_end(int signal)
{
    struct sigaction now;
    if (signal <= 0 || signal >= SIGNALS || !all[signal].fn)
        return;
    if (sigaction(signal, NULL, &now) == 0 && now.sa_sigaction == handle)
        sigaction(signal, &all[signal].before, NULL);
    else
        return; /* it may still be called by who came later, as what was before that */
    all[signal].fn = NULL;
}
