/* SPDX-License-Identifier: MIT */
/* A thread's own rmdi_self lies in its thread-local memory, so that it costs nothing to have one,
 * needs no memory, and is there to the thread's last step; also in the child after a fork. What
 * hangs on it (values) is cleaned up by whoever hung it there.
 *
 * The base floor gives pointers and knows no types of ours, so all members are pointers. */
#include "sync/self.h"

#include "base/local.h"

typedef struct locals {
    rmdi_self *present; /* NULL: own */
    struct rmd_executor *executor;
    struct rmdi_worker *worker;
    rmdi_self own;
} locals;

_Static_assert(sizeof(locals) == RMDI_LOCAL_POINTERS * sizeof(void *), "as many as there are");

static locals *mine(void)
{
    return (locals *)(void *)rmdi_local();
}

rmdi_self *rmdi_self_now(void)
{
    locals *l = mine();
    return l->present ? l->present : &l->own;
}

rmdi_self *rmdi_self_and_worker(struct rmdi_worker **worker)
{
    locals *l = mine();
    *worker = l->worker;
    return l->present ? l->present : &l->own;
}

rmdi_self *rmdi_self_swap(rmdi_self *self)
{
    locals *l = mine();
    rmdi_self *before = l->present;
    l->present = self;
    return before;
}

const void *rmdi_self_id(void)
{
    return rmdi_self_now();
}

bool rmdi_self_is_own(void)
{
    return !mine()->present;
}

struct rmdi_sleeper *rmdi_self_sleeper(void)
{
    return rmdi_self_now()->sleeper;
}

rmd_stop *rmdi_self_stop(void)
{
    return rmdi_self_now()->stop;
}

rmd_thread *rmdi_self_thread(void)
{
    return rmdi_self_now()->thread;
}

struct rmd_executor *rmdi_self_executor(void)
{
    return mine()->executor;
}

void rmdi_self_set_executor(struct rmd_executor *executor)
{
    mine()->executor = executor;
}

struct rmdi_worker *rmdi_self_worker(void)
{
    return mine()->worker;
}

void rmdi_self_set_worker(struct rmdi_worker *worker)
{
    mine()->worker = worker;
}

rmd_stop *rmd_stop_set(rmd_stop *stop)
{
    rmdi_self *self = rmdi_self_now();
    rmd_stop *before = self->stop;
    self->stop = stop;
    return before;
}
