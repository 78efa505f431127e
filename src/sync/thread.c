/* SPDX-License-Identifier: MIT */
#include "sync/thread.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/park.h"
#include "base/recorder.h"
#include "port/forked.h"
#include "sync/local_value.h"

#include <string.h>

/* ---- embedded ---- */

static void *run(void *arg)
{
    rmdi_thread *thread = arg;
    thread->fn(thread->arg);
    /* Whoever sees `done` still joins the system's thread, so *thread outlives this. */
    rmd_atomic_store(&thread->done, 1, RMD_RELEASE);
    rmdi_unpark_all(&thread->done);
    return NULL;
}

int rmdi_thread_start_sized(rmdi_thread *thread, void (*fn)(void *arg), void *arg, const char *name,
                            size_t stack_bytes)
{
    thread->fn = fn;
    thread->arg = arg;
    rmd_atomic_init(&thread->done, 0); /* the start publishes it */
    int err = rmdi_os_thread_start_sized(&thread->os, run, thread, name, stack_bytes);
    return err ? rmdi_fail_errno(err, "thread \"%s\"", name) : 0;
}

int rmdi_thread_start(rmdi_thread *thread, void (*fn)(void *arg), void *arg, const char *name)
{
    return rmdi_thread_start_sized(thread, fn, arg, name, 0);
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

/* ---- public: start ---- */

static void *run_public(void *arg)
{
    rmd_thread *thread = arg;
    uint64_t process = thread->process;
    rmdi_self *self = rmdi_self_now();
    self->stop = &thread->stop;
    self->thread = thread;
    rmdi_recorder_name(thread->name);
    thread->fn(thread->arg);
    rmdi_values_end(self); /* before `ended`: who joins it sees what their destructors did */
    self->stop = NULL;
    self->thread = NULL;
    /* fn has called fork(), and this is the child, which may have freed its copy of *thread. */
    if (!rmdi_process_is(process))
        return NULL;
    rmdi_event_set(&thread->ended);
    rmdi_thread_drop(thread);
    return NULL;
}

static int check_options(const rmd_thread_options *options)
{
    if (options && options->size != sizeof *options)
        return rmdi_fail(RMD_EINVAL, "thread: options of size %zu, not %zu", options->size,
                         sizeof *options);
    return 0;
}

static rmd_thread *new_thread(void (*fn)(void *arg), void *arg, const rmd_thread_options *options)
{
    const char *name = options && options->name ? options->name : "thread";
    size_t bytes = strlen(name) + 1;
    rmd_thread *thread = rmdi_alloc_zeroed(sizeof *thread + bytes);
    if (!thread)
        return NULL;
    memcpy(thread->name, name, bytes);
    thread->fn = fn;
    thread->arg = arg;
    thread->daemon = options && options->daemon;
    thread->process = rmdi_process_mark();
    return thread;
}

int rmd_thread_start(rmd_thread **thread, void (*fn)(void *arg), void *arg,
                     const rmd_thread_options *options)
{
    if (!thread || !fn)
        return rmdi_fail(RMD_EINVAL, "thread: it needs a place and a function");
    *thread = NULL;
    int err = check_options(options);
    if (err < 0)
        return err;
    rmd_thread *t = new_thread(fn, arg, options);
    if (!t)
        return rmdi_fail_memory();
    err = rmdi_thread_list_start(t, run_public, options ? options->stack_bytes : 0);
    if (err) {
        err = rmdi_fail_errno(err, "thread \"%s\"", t->name);
        rmdi_free(t);
        return err;
    }
    *thread = t;
    return 0;
}

/* ---- public: end ---- */

static int check_thread(const rmd_thread *thread, const char *what)
{
    if (!thread)
        return rmdi_fail(RMD_EINVAL, "%s: no thread was given", what);
    if (!rmdi_process_is(thread->process))
        return rmdi_fail(RMD_EFORKED, "%s: thread \"%s\"", what, thread->name);
    return 0;
}

void rmdi_thread_collect(rmd_thread *thread)
{
    /* Once. Relaxed: the system's join orders what matters. */
    if (!rmd_atomic_exchange(&thread->collected, 1, RMD_RELAXED))
        rmdi_os_thread_join(&thread->os);
}

int rmd_thread_join(rmd_thread *thread, rmd_deadline deadline)
{
    int err = check_thread(thread, "join");
    if (err < 0)
        return err;
    if (thread == rmdi_self_thread())
        return rmdi_fail(RMD_EDEADLK, "thread \"%s\" joins itself", thread->name);
    err = rmdi_event_wait(&thread->ended, deadline);
    if (err < 0)
        return rmdi_fail(err, "thread \"%s\" still runs", thread->name);
    rmdi_thread_collect(thread);
    return 0;
}

static int free_running(rmd_thread *thread)
{
    if (!thread->daemon)
        return rmdi_fail(RMD_EBUSY, "thread \"%s\" still runs", thread->name);
    if (!rmd_atomic_exchange(&thread->collected, 1, RMD_RELAXED))
        rmdi_os_thread_detach(&thread->os);
    return 0;
}

int rmd_thread_free(rmd_thread *thread)
{
    int err = 0;
    if (!thread)
        return 0;
    if (!rmdi_process_is(thread->process)) { /* its thread and the list have not come along */
        rmdi_free(thread);
        return 0;
    }
    if (rmdi_event_is_set(&thread->ended))
        rmdi_thread_collect(thread);
    else
        err = free_running(thread);
    if (err == 0)
        rmdi_thread_drop(thread);
    return err;
}

/* ---- public: about threads ---- */

int rmd_thread_stop(rmd_thread *thread)
{
    int err = check_thread(thread, "stop");
    return err < 0 ? err : rmd_stop_request(&thread->stop);
}

bool rmd_thread_stopping(void)
{
    rmd_thread *self = rmdi_self_thread();
    return self && rmd_stop_requested(&self->stop);
}

rmd_thread *rmd_thread_self(void)
{
    return rmdi_self_thread();
}

const char *rmd_thread_name(const rmd_thread *thread)
{
    return thread ? thread->name : "";
}
