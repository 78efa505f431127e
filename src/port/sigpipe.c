/* SPDX-License-Identifier: MIT */
#include "port/sigpipe.h"

#include <errno.h>
#include <time.h>

static sigset_t only_sigpipe(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    return set;
}

void rmdi_sigpipe_hold(rmdi_sigpipe *held)
{
    sigset_t pending, set = only_sigpipe();
    sigpending(&pending);
    held->pending = sigismember(&pending, SIGPIPE);
    if (!held->pending)
        pthread_sigmask(SIG_BLOCK, &set, &held->mask);
}

void rmdi_sigpipe_release(const rmdi_sigpipe *held, bool raised)
{
    struct timespec now = { 0 };
    sigset_t set = only_sigpipe();
    if (held->pending)
        return;
    while (raised && sigtimedwait(&set, NULL, &now) < 0 && errno == EINTR)
        ;
    pthread_sigmask(SIG_SETMASK, &held->mask, NULL);
}
