/* SPDX-License-Identifier: MIT */
#include "port/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

int rmdi_os_thread_start(rmdi_os_thread *thread, void *(*fn)(void *), void *arg, const char *name)
{
    /* The mask is inherited, so it is set around the start, not inside the thread:
     * there is no moment at which the new thread could take a signal. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = pthread_create(&thread->id, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err)
        return err;
    char cut[16];
    snprintf(cut, sizeof cut, "%s", name);
    pthread_setname_np(thread->id, cut);
    return 0;
}

int rmdi_os_thread_join(rmdi_os_thread *thread)
{
    return pthread_join(thread->id, NULL);
}

uintptr_t rmdi_os_thread_self(void)
{
    static _Thread_local char mark;
    return (uintptr_t)&mark;
}

int rmdi_os_signal_block(int signal, bool *was_blocked)
{
    sigset_t one, old;
    sigemptyset(&one);
    if (sigaddset(&one, signal) < 0)
        return errno;
    int err = pthread_sigmask(SIG_BLOCK, &one, &old);
    *was_blocked = !err && sigismember(&old, signal);
    return err;
}

int rmdi_os_signal_unblock(int signal)
{
    sigset_t one;
    sigemptyset(&one);
    if (sigaddset(&one, signal) < 0)
        return errno;
    return pthread_sigmask(SIG_UNBLOCK, &one, NULL);
}
