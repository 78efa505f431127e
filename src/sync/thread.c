/* SPDX-License-Identifier: MIT */
#include "sync/thread.h"

#include "base/error.h"
#include "base/park.h"

static void *run(void *arg)
{
    rmdi_thread *thread = arg;
    thread->fn(thread->arg);
    /* Whoever sees `done` still joins the system's thread, so *thread outlives this. */
    rmd_atomic_store(&thread->done, 1, RMD_RELEASE);
    rmdi_unpark_all(&thread->done);
    return NULL;
}

int rmdi_thread_start(rmdi_thread *thread, void (*fn)(void *arg), void *arg, const char *name)
{
    thread->fn = fn;
    thread->arg = arg;
    rmd_atomic_store(&thread->done, 0, RMD_RELAXED); /* the start publishes it */
    int err = rmdi_os_thread_start(&thread->os, run, thread, name);
    return err ? rmdi_fail_errno(err, "thread \"%s\"", name) : 0;
}

int rmdi_thread_join(rmdi_thread *thread, rmd_deadline deadline)
{
    while (!rmd_atomic_load(&thread->done, RMD_ACQUIRE))
        if (rmdi_park(&thread->done, 0, deadline) == RMD_ETIMEDOUT)
            return rmdi_fail(RMD_ETIMEDOUT, "a thread still runs");
    int err = rmdi_os_thread_join(&thread->os); /* it is on its last steps */
    return err ? rmdi_fail_errno(err, "joining a thread") : 0;
}

uintptr_t rmdi_thread_self(void)
{
    return rmdi_os_thread_self();
}
