/* SPDX-License-Identifier: MIT */
#include "port/sigpipe.h"

#include <errno.h>
#include <time.h>

void rmdi_sigpipe_hold(rmdi_sigpipe *held)
{
    static const int signals[] = { SIGPIPE, SIGXFSZ };
    sigset_t pending;
    sigpending(&pending);
    sigemptyset(&held->ours);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (!sigismember(&pending, signals[i]))
            sigaddset(&held->ours, signals[i]);
    pthread_sigmask(SIG_BLOCK, &held->ours, &held->mask);
}

void rmdi_sigpipe_release(const rmdi_sigpipe *held, bool raised)
{
    struct timespec now = { 0 };
    while (raised && sigtimedwait(&held->ours, NULL, &now) < 0 && errno == EINTR)
        ;
    pthread_sigmask(SIG_SETMASK, &held->mask, NULL);
}
