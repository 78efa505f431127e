/* SPDX-License-Identifier: MIT */
/* One outcome, published once, by an event: who has seen it set sees all of `exit`. */
#include "exec/future.h"

#include "base/alloc.h"
#include "base/error.h"
#include "port/forked.h"

#include <remuda/command.h>

typedef struct callback {
    rmdi_link link;
    rmd_future_fn *fn;
    void *ctx;
} callback;

void rmdi_future_init(rmd_future *future, const rmdi_future_ops *ops, void *ctx)
{
    static rmd_atomic(uint64_t) last_id;
    *future = (rmd_future){ .ops = ops, .ctx = ctx };
    future->process = rmdi_process_mark();
    future->id = rmd_atomic_add(&last_id, 1, RMD_RELAXED) + 1;
    future->exit.detail = "";
    future->exit.status = -1;
    rmd_atomic_init(&future->refs, 2);
    rmdi_list_init(&future->callbacks);
    rmdi_list_init(&future->group_link);
}

void rmdi_future_hold(rmd_future *future)
{
    rmd_atomic_add(&future->refs, 1, RMD_RELAXED); /* the caller holds one already */
}

static void free_callbacks(rmd_future *future)
{
    for (rmdi_link *link; (link = rmdi_list_take_first(&future->callbacks));)
        rmdi_free(RMDI_CONTAINER(link, callback, link));
}

void rmdi_future_drop(rmd_future *future)
{
    /* Release what we did to it; acquire what the others did before it is torn down. */
    if (rmd_atomic_sub(&future->refs, 1, RMD_ACQ_REL) != 1)
        return;
    free_callbacks(future);
    future->ops->destroy(future);
}

void rmd_future_free(rmd_future *future)
{
    if (future)
        rmdi_future_drop(future);
}

bool rmdi_future_ended(const rmd_future *future)
{
    return rmdi_event_is_set(&future->ended); /* then `exit` is seen, too */
}

static void publish(rmd_future *future)
{
    rmdi_event_set(&future->ended);
}

void rmdi_future_end(rmd_future *future)
{
    if (future->group)
        rmdi_group_leave(future, publish);
    else
        publish(future);
}

static int not_ended(const rmd_future *future, int err)
{
    return rmdi_fail(err, "task %llu has not ended", (unsigned long long)future->id);
}

static int check_process(const rmd_future *future)
{
    if (rmdi_process_is(future->process))
        return 0;
    return rmdi_fail(RMD_EFORKED, "the task belongs to the process that submitted it");
}

int rmd_future_wait(rmd_future *future, rmd_deadline deadline)
{
    if (!future)
        return rmdi_fail(RMD_EINVAL, "wait: no future was given");
    if (rmdi_future_ended(future))
        return 0;
    int err = check_process(future);
    if (err == 0)
        err = future->ops->how_to_wait(future);
    if (err == RMD_EAGAIN) {
        err = rmdi_event_wait(&future->ended, deadline);
        return err < 0 ? not_ended(future, err) : 0;
    }
    while (err == 0 && !rmdi_future_ended(future))
        err = future->ops->turn(future, deadline);
    if (rmdi_future_ended(future))
        return 0;
    return err == RMD_ETIMEDOUT || err == RMD_ECANCELED ? not_ended(future, err) : err;
}

rmd_outcome rmd_future_outcome(const rmd_future *future)
{
    return future && rmdi_future_ended(future) ? future->exit.outcome : RMD_PENDING;
}

int rmd_future_exit(const rmd_future *future, const rmd_exit **exit)
{
    if (!future || !exit)
        return rmdi_fail(RMD_EINVAL, "exit: a future and a place for the answer must be given");
    if (!rmdi_future_ended(future))
        return rmdi_fail(RMD_EBUSY, "task %llu has not ended", (unsigned long long)future->id);
    *exit = &future->exit;
    return 0;
}

int64_t rmd_future_read(const rmd_future *future, int stream, uint64_t offset, void *buffer,
                        size_t len)
{
    if (!future || (!buffer && len) || (stream != RMD_STDOUT && stream != RMD_STDERR))
        return rmdi_fail(RMD_EINVAL, "read: needs a future, a buffer, and stream 1 or 2, not %d",
                         stream);
    if (!rmdi_future_ended(future))
        return rmdi_fail(RMD_EBUSY, "task %llu has not ended", (unsigned long long)future->id);
    return future->ops->read(future, stream, offset, buffer, len);
}

int rmd_future_cancel(rmd_future *future)
{
    if (!future)
        return rmdi_fail(RMD_EINVAL, "cancel: no future was given");
    if (rmdi_future_ended(future))
        return rmdi_fail(RMD_ETOOLATE, "task %llu has ended", (unsigned long long)future->id);
    int err = check_process(future);
    return err < 0 ? err : future->ops->cancel(future);
}

void *rmd_future_ctx(const rmd_future *future)
{
    return future->ctx;
}

uint64_t rmd_future_id(const rmd_future *future)
{
    return future->id;
}

/* ---- callbacks ---- */

void rmdi_future_call_back(rmd_future *future)
{
    rmdi_future_hold(future); /* a callback may free the user's handle */
    for (;;) {
        rmdi_lock_enter(&future->lock);
        future->called = true;
        rmdi_link *link = rmdi_list_take_first(&future->callbacks);
        rmdi_lock_release(&future->lock);
        if (!link)
            break;
        callback *call = RMDI_CONTAINER(link, callback, link);
        call->fn(future, call->ctx);
        rmdi_free(call);
    }
    rmdi_future_drop(future);
}

int rmd_future_on_end(rmd_future *future, rmd_future_fn *fn, void *ctx)
{
    if (!future || !fn)
        return rmdi_fail(RMD_EINVAL, "on_end: a future and a function must be given");
    int err = check_process(future);
    if (err < 0)
        return err;
    callback *call = rmdi_alloc(sizeof *call);
    if (!call)
        return rmdi_fail_memory();
    *call = (callback){ .fn = fn, .ctx = ctx };
    rmdi_lock_enter(&future->lock);
    rmdi_list_append(&future->callbacks, &call->link);
    bool late = future->called; /* else the round at the end will come by */
    rmdi_lock_release(&future->lock);
    if (late && !future->ops->call_later(future))
        rmdi_future_call_back(future);
    return 0;
}
