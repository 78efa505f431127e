/* SPDX-License-Identifier: MIT */
#include "sync/thread.h"

#include "base/error.h"

#include <errno.h>

static void *run(void *arg)
{
    rmdi_thread *thread = arg;
    thread->fn(thread->arg);
    return NULL;
}

int rmdi_thread_start(rmdi_thread *thread, void (*fn)(void *arg), void *arg, const char *name)
{
    thread->fn = fn;
    thread->arg = arg;
    int err = rmdi_os_thread_start(&thread->os, run, thread, name);
    return err ? rmdi_fail_errno(err, "thread \"%s\"", name) : 0;
}

int rmdi_thread_join(rmdi_thread *thread, rmd_deadline deadline)
{
    int err = rmdi_os_thread_join(&thread->os, deadline.ns);
    if (err == ETIMEDOUT)
        return rmdi_fail(RMD_ETIMEDOUT, "a thread still runs");
    return err ? rmdi_fail_errno(err, "joining a thread") : 0;
}

uintptr_t rmdi_thread_self(void)
{
    return rmdi_os_thread_self();
}
