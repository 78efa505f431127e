/* SPDX-License-Identifier: MIT */
#include "port/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* The smallest stack the system takes leaves less than a page to use. */
static int set_stack(pthread_attr_t *attributes, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (!bytes)
        return 0;
    if (bytes > SIZE_MAX - page)
        return EINVAL;
    return pthread_attr_setstacksize(attributes, (bytes + page - 1) / page * page);
}

/* All but those of a fault of the thread itself, which would end the process without asking
 * anybody: a sanitizer's, the program's or our own handler is to see them. */
static void fill(sigset_t *set)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS };
    sigfillset(set);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(set, faults[i]);
}

static int create(pthread_t *id, void *(*fn)(void *), void *arg, size_t stack_bytes)
{
    pthread_attr_t attributes;
    int err = pthread_attr_init(&attributes);
    if (err)
        return err;
    err = set_stack(&attributes, stack_bytes);
    if (!err)
        err = pthread_create(id, &attributes, fn, arg);
    pthread_attr_destroy(&attributes);
    return err;
}

int rmdi_os_thread_start(rmdi_os_thread *thread, void *(*fn)(void *), void *arg, const char *name)
{
    return rmdi_os_thread_start_sized(thread, fn, arg, name, 0);
}

int rmdi_os_thread_start_sized(rmdi_os_thread *thread, void *(*fn)(void *), void *arg,
                               const char *name, size_t stack_bytes)
{
    /* The mask is inherited, so it is set around the start, not inside the thread:
     * there is no moment at which the new thread could take a signal. */
    sigset_t all, old;
    fill(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = create(&thread->id, fn, arg, stack_bytes);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err)
        return err;
    char cut[16];
    snprintf(cut, sizeof cut, "%s", name);
    pthread_setname_np(thread->id, cut);
    return 0;
}

void rmdi_os_thread_detach(rmdi_os_thread *thread)
{
    pthread_detach(thread->id);
}

int rmdi_os_thread_join(rmdi_os_thread *thread)
{
    return pthread_join(thread->id, NULL);
}

void rmdi_os_thread_yield(void)
{
    sched_yield();
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
