/* SPDX-License-Identifier: MIT */
/* All threads of rmd_thread_start() that have not been freed. A thread is started with the list's
 * lock held, so that it finds itself in it, and whoever finds it there finds its system's thread,
 * too. References are counted under the same lock: what is in the list can be held.
 *
 * A child made by fork() has none of these threads, and the lock may have been held by one of them:
 * there the list begins anew. The one thread it has is no longer ours, whatever it was, so that it
 * may free the copies of all handles. Its stop token, too, may have been in use by the others. */
#include "sync/thread.h"

#include "base/alloc.h"
#include "base/error.h"
#include "port/hooks.h"
#include "sync/executor.h"
#include "sync/local_value.h"
#include "sync/queue.h"

#include <errno.h>

RMD_STATIC struct {
    rmdi_lock lock;
    rmdi_link threads; /* zeroed: empty, too */
} list;

static rmd_thread *of_link(rmdi_link *link)
{
    return RMDI_CONTAINER(link, rmd_thread, link);
}

static void enter(void)
{
    rmdi_lock_enter(&list.lock);
    RMD_PLAIN_WRITES(&list.threads, sizeof list.threads);
    if (!list.threads.next)
        rmdi_list_init(&list.threads);
}

static void leave(void)
{
    rmdi_lock_release(&list.lock);
}

/* Of the floor above, written with the list entered; NULL: none. */
static void (*above_forked)(void);

static void forget_parents_threads(void)
{
    rmdi_self *self = rmdi_self_now();
    if (self->thread && self->stop == &self->thread->stop)
        self->stop = NULL;
    if (self->stop)
        self->stop->waits = (rmdi_wait_list){ 0 };
    self->thread = NULL;
    self->sleeper = NULL;
    list.lock = (rmdi_lock){ 0 };
    list.threads = (rmdi_link){ 0 };
    self->frame = NULL;
    rmdi_self_set_worker(NULL);
    rmdi_values_forked(self);
    rmdi_executors_forked();
    rmdi_queue_sides_forked();
    if (above_forked)
        above_forked();
}

static void wait_at_exit(void)
{
    rmd_stop_set(NULL); /* whatever became of the calling thread, the others are waited for */
    int err = rmd_threads_join_all(RMD_FOREVER);
    (void)err; /* RMD_EFORKED, in a child that the hook was not told of: nobody to wait for */
}

int rmdi_thread_list_watch_forks(void)
{
    return rmdi_hooks_set(NULL, forget_parents_threads);
}

int rmdi_thread_list_on_fork(void (*fn)(void))
{
    enter();
    above_forked = fn;
    leave();
    return rmdi_thread_list_watch_forks();
}

/* ---- its threads ---- */

int rmdi_thread_list_start(rmd_thread *thread, void *(*run)(void *), size_t stack_bytes)
{
    int err = rmdi_hooks_set(wait_at_exit, forget_parents_threads);
    if (!err && !thread->process)
        err = ENOMEM; /* for the mark of this process */
    if (err)
        return err;
    enter();
    RMD_PLAIN_SET(thread->references, 2);
    err = rmdi_os_thread_start_sized(&thread->os, run, thread, thread->name, stack_bytes);
    if (!err)
        rmdi_list_append(&list.threads, &thread->link);
    leave();
    return err;
}

void rmdi_thread_drop(rmd_thread *thread)
{
    enter();
    RMD_PLAIN_WRITES(&thread->references, sizeof thread->references);
    bool last = --thread->references == 0;
    if (last)
        rmdi_list_remove(&thread->link);
    leave();
    if (last)
        rmdi_free(thread);
}

/* ---- all of them ---- */

/* With the list entered. */
static void hold(rmd_thread *thread)
{
    RMD_PLAIN_WRITES(&thread->references, sizeof thread->references);
    thread->references++;
}

/* One that keeps the program alive, held; NULL: there is none besides the calling thread. */
static rmd_thread *hold_one_to_join(void)
{
    rmd_thread *self = rmdi_self_thread(), *found = NULL;
    enter();
    for (rmdi_link *l = list.threads.next; l != &list.threads && !found; l = l->next) {
        rmd_thread *thread = of_link(l);
        /* Relaxed: if it is being collected, others wait for it. */
        if (thread != self && !thread->daemon && !rmd_atomic_load(&thread->collected, RMD_RELAXED))
            found = thread;
    }
    if (found)
        hold(found);
    leave();
    return found;
}

int rmd_threads_join_all(rmd_deadline deadline)
{
    int err = 0;
    for (rmd_thread *thread; err == 0 && (thread = hold_one_to_join());) {
        err = rmd_thread_join(thread, deadline);
        rmdi_thread_drop(thread);
    }
    return err;
}

void rmd_threads_stop_all(void)
{
    rmd_thread *self = rmdi_self_thread();
    enter();
    for (rmdi_link *l = list.threads.next; l != &list.threads; l = l->next)
        if (of_link(l) != self)
            rmd_stop_request(&of_link(l)->stop);
    leave();
}

/* The live ones, held, in the order of their start. NULL without memory. */
static rmd_thread **hold_all(size_t *count)
{
    size_t n = 0;
    enter();
    for (rmdi_link *l = list.threads.next; l != &list.threads; l = l->next)
        n++;
    rmd_thread **all = rmdi_alloc(n * sizeof *all);
    n = 0;
    for (rmdi_link *l = list.threads.next; all && l != &list.threads; l = l->next)
        if (!rmdi_event_is_set(&of_link(l)->ended)) {
            all[n++] = of_link(l);
            hold(of_link(l));
        }
    leave();
    *count = n;
    return all;
}

int rmd_threads_walk(void (*fn)(void *ctx, rmd_thread *thread), void *ctx)
{
    size_t count;
    if (!fn)
        return rmdi_fail(RMD_EINVAL, "walk: no function was given");
    rmd_thread **all = hold_all(&count);
    if (!all)
        return rmdi_fail_memory();
    for (size_t i = 0; i < count; i++) {
        fn(ctx, all[i]);
        rmdi_thread_drop(all[i]);
    }
    rmdi_free(all);
    return (int)count;
}
