/* SPDX-License-Identifier: MIT */
#include "exec/kept.h"

#include "base/error.h"
#include "port/clock.h"

#include <remuda/stop.h>
#include <signal.h>

/* ---- opening ---- */

void rmdi_kept_init(rmdi_kept *kept, const rmdi_pool_ops *pool_ops, const rmdi_kept_ops *ops,
                    const rmdi_pool_request *request)
{
    kept->pool.ops = pool_ops;
    kept->pool.workers = request->workers;
    kept->pool.process = request->process;
    kept->pool.number = request->number;
    kept->ops = ops;
    kept->loop = request->options.loop;
    kept->own_loop = !kept->loop;
    rmd_atomic_init(&kept->refs, 1);
    rmdi_list_init(&kept->to_call);
    rmdi_post_init(&kept->kick, ops->kick, kept);
}

int rmdi_kept_open_loop(rmdi_kept *kept)
{
    return kept->own_loop ? rmd_loop_open(&kept->loop) : 0;
}

static void run_keeper(void *arg)
{
    rmdi_kept *kept = arg;
    rmd_atomic_store(&kept->keeper_id, rmdi_thread_self(), RMD_RELAXED);
    for (bool gone = false; !gone;) {
        rmd_stop_set(NULL); /* one that a callback has left behind must not keep us awake */
        rmd_loop_turn(kept->loop, RMD_FOREVER);
        rmdi_lock_enter(&kept->lock);
        gone = kept->gone;
        rmdi_lock_release(&kept->lock);
    }
    /* A later thread may get our number. */
    rmd_atomic_store(&kept->keeper_id, 0, RMD_RELAXED);
}

int rmdi_kept_start(rmdi_kept *kept, const char *name)
{
    return kept->own_loop ? rmdi_thread_start(&kept->keeper, run_keeper, kept, name) : 0;
}

void rmdi_kept_drop(rmdi_kept *kept)
{
    if (rmd_atomic_sub(&kept->refs, 1, RMD_ACQ_REL) != 1)
        return;
    if (kept->own_loop)
        rmd_loop_free(kept->loop); /* NULL when it was drained */
    kept->ops->free(kept);
}

/* ---- who is where ---- */

/* Its own loop is asked nothing: another thread may be freeing it. */
bool rmdi_kept_on_keeper(rmdi_kept *kept)
{
    if (kept->own_loop) /* relaxed: only our own thread can have stored our number */
        return rmd_atomic_load(&kept->keeper_id, RMD_RELAXED) == rmdi_thread_self();
    return rmdi_loop_is_here(kept->loop);
}

/* Is it for the calling thread to turn the loop, so that anything can happen? */
static bool must_turn(rmdi_kept *kept)
{
    return !kept->own_loop && rmdi_loop_is_mine(kept->loop);
}

int rmdi_kept_how_to_wait(rmdi_kept *kept)
{
    if (rmdi_kept_on_keeper(kept))
        return rmdi_fail(RMD_EDEADLK, "a callback of the pool waits for a task of the pool");
    return must_turn(kept) ? 0 : RMD_EAGAIN;
}

/* RMD_ETIMEDOUT when the deadline has passed then, even if there is always something to do. */
int rmdi_kept_turn(rmdi_kept *kept, rmd_deadline deadline)
{
    int ran = rmd_loop_turn(kept->loop, deadline);
    if (ran < 0)
        return ran;
    return rmd_deadline_passed(deadline) ? RMD_ETIMEDOUT : 0;
}

/* ---- waiting ---- */

/* When the keeper is gone the loop tells nothing about the pool any more. */
int rmdi_kept_wait(rmdi_kept *kept, rmdi_condition *condition, bool (*done)(rmdi_kept *kept),
                   rmd_deadline deadline)
{
    int err = 0;
    while (!done(kept) && err == 0) {
        if (kept->gone || !must_turn(kept)) {
            err = rmdi_condition_wait(condition, &kept->lock, deadline);
            continue;
        }
        rmdi_lock_release(&kept->lock);
        err = rmdi_kept_turn(kept, deadline);
        rmdi_lock_enter(&kept->lock);
    }
    return done(kept) ? 0 : err;
}

static int wait_until(rmdi_kept *kept, bool (*done)(rmdi_kept *kept), rmd_deadline deadline)
{
    rmdi_lock_enter(&kept->lock);
    int err = rmdi_kept_wait(kept, &kept->changed, done, deadline);
    rmdi_lock_release(&kept->lock);
    return err;
}

/* Whatever the thread's stop token says: for what must not be left half done. */
static void wait_for_good(rmdi_kept *kept, bool (*done)(rmdi_kept *kept))
{
    rmd_stop *before = rmd_stop_set(NULL);
    wait_until(kept, done, RMD_FOREVER);
    rmd_stop_set(before);
}

void rmdi_kept_kick(rmdi_kept *kept)
{
    if (!kept->gone)
        rmdi_loop_send(kept->loop, &kept->kick);
}

/* ---- the clock ---- */

int64_t rmdi_kept_clock(const rmdi_kept *kept)
{
    return (kept->stopped ? kept->stopped_ns : rmdi_clock_monotonic_ns()) - kept->held_ns;
}

int64_t rmdi_kept_due(const rmdi_kept *kept, int64_t ms)
{
    int64_t ns, due;
    if (!ms || __builtin_mul_overflow(ms, 1000000, &ns) ||
        __builtin_add_overflow(rmdi_kept_clock(kept), ns, &due))
        return INT64_MAX;
    return due;
}

int64_t rmdi_kept_due_really(const rmdi_kept *kept, int64_t due_ns)
{
    int64_t at;
    if (kept->suspended || __builtin_add_overflow(due_ns, kept->held_ns, &at))
        return INT64_MAX;
    return at;
}

void rmdi_kept_apply_suspension(rmdi_kept *kept)
{
    rmdi_lock_enter(&kept->lock);
    bool stop = kept->suspended;
    if (stop != kept->stopped) {
        int64_t now = rmdi_clock_monotonic_ns();
        kept->ops->signal(kept, stop ? SIGSTOP : SIGCONT);
        if (!stop)
            kept->held_ns += now - kept->stopped_ns;
        kept->stopped_ns = now;
        kept->stopped = stop;
    }
    rmdi_lock_release(&kept->lock);
}

int rmdi_kept_suspend(rmd_pool *pool, bool suspend)
{
    rmdi_kept *kept = rmdi_kept_of(pool);
    rmdi_lock_enter(&kept->lock);
    kept->suspended = suspend;
    rmdi_kept_kick(kept);
    rmdi_lock_release(&kept->lock);
    if (must_turn(kept))
        rmdi_kept_apply_suspension(kept); /* before the caller stops itself */
    return 0;
}

/* ---- callbacks ---- */

void rmdi_kept_call_later(rmdi_kept *kept, rmdi_kept_call *call)
{
    if (call->waits)
        return;
    call->waits = true;
    rmdi_list_append(&kept->to_call, &call->link);
    rmdi_kept_kick(kept);
}

bool rmdi_kept_future_call_later(rmdi_kept *kept, rmdi_kept_call *call)
{
    rmdi_lock_enter(&kept->lock);
    bool there = !kept->gone;
    if (there && !call->waits) {
        rmdi_future_hold(call->future); /* the keeper drops it after the call */
        kept->unfinished++;
        rmdi_kept_call_later(kept, call);
    }
    rmdi_lock_release(&kept->lock);
    return there;
}

void rmdi_kept_finished(rmdi_kept *kept, uint64_t n)
{
    rmdi_lock_enter(&kept->lock);
    kept->unfinished -= n;
    if (kept->unfinished == 0)
        rmdi_condition_notify_all(&kept->changed);
    rmdi_lock_release(&kept->lock);
}

static rmd_future *take_to_call(rmdi_kept *kept)
{
    rmdi_lock_enter(&kept->lock);
    rmdi_link *link = rmdi_list_take_first(&kept->to_call);
    rmdi_kept_call *call = link ? RMDI_CONTAINER(link, rmdi_kept_call, link) : NULL;
    if (call)
        call->waits = false;
    rmdi_lock_release(&kept->lock);
    return call ? call->future : NULL;
}

unsigned rmdi_kept_run_callbacks(rmdi_kept *kept)
{
    unsigned n = 0;
    for (rmd_future *future; (future = take_to_call(kept));) {
        n += rmdi_future_call_back(future);
        rmdi_future_drop(future); /* the pool itself outlives it: drain waits for us */
        rmdi_kept_finished(kept, 1);
    }
    return n;
}

/* ---- the end ---- */

void rmdi_kept_leave(rmdi_kept *kept)
{
    rmdi_lock_enter(&kept->lock);
    kept->gone = true;
    /* No kick is sent from now on, and one that was must not find a pool that is freed. */
    rmdi_loop_unsend(kept->loop, &kept->kick);
    rmdi_condition_notify_all(&kept->changed);
    rmdi_lock_release(&kept->lock);
}

static bool is_finished(rmdi_kept *kept)
{
    return kept->unfinished == 0;
}

static bool is_gone(rmdi_kept *kept)
{
    return kept->gone;
}

static bool may_drain(rmdi_kept *kept)
{
    return !kept->draining || kept->drained;
}

void rmdi_kept_close(rmd_pool *pool)
{
    rmdi_kept *kept = rmdi_kept_of(pool);
    rmdi_lock_enter(&kept->lock);
    kept->closed = true;
    rmdi_condition_notify_all(&kept->place); /* who waits for one gets RMD_ECLOSED */
    rmdi_kept_kick(kept);                    /* also who turns the loop meanwhile */
    rmdi_lock_release(&kept->lock);
}

/* Only one thread takes the pool down; another one in drain waits for it. *ours: it is this
 * one, and the pool is not drained yet. RMD_ETIMEDOUT: another one still does. */
static int begin_draining(rmdi_kept *kept, rmd_deadline deadline, bool *ours)
{
    rmdi_lock_enter(&kept->lock);
    int err = rmdi_kept_wait(kept, &kept->changed, may_drain, deadline);
    *ours = err == 0 && !kept->drained;
    if (*ours)
        kept->draining = true;
    rmdi_lock_release(&kept->lock);
    return err;
}

static void end_draining(rmdi_kept *kept, bool drained)
{
    rmdi_lock_enter(&kept->lock);
    kept->draining = false;
    kept->drained = drained;
    rmdi_condition_notify_all(&kept->changed);
    rmdi_kept_kick(kept); /* for who turns the loop meanwhile */
    rmdi_lock_release(&kept->lock);
}

void rmdi_kept_dismiss(rmdi_kept *kept)
{
    rmdi_lock_enter(&kept->lock);
    kept->quit = true;
    rmdi_kept_kick(kept);
    rmdi_lock_release(&kept->lock);
    wait_for_good(kept, is_gone);
    if (kept->own_loop) { /* `gone` was set: nobody looks at it any more */
        rmdi_thread_join(&kept->keeper, RMD_FOREVER);
        rmd_loop_free(kept->loop);
        kept->loop = NULL;
    }
    kept->ops->let_go(kept);
}

static int refuse_callback(rmdi_kept *kept)
{
    if (rmdi_kept_on_keeper(kept))
        return rmdi_fail(RMD_EDEADLK, "a callback of the pool waits for the pool's end");
    return 0;
}

/* Waits for the end of all work; at the deadline, or when the caller is told to stop, what is left
 * is cancelled and waited for, as long as the kill ladders take. */
static int finish(rmdi_kept *kept, rmd_deadline deadline)
{
    int err = wait_until(kept, is_finished, deadline);
    if (err == 0)
        return 0;
    kept->ops->cancel(&kept->pool, false);
    wait_for_good(kept, is_finished);
    return err;
}

int rmdi_kept_drain(rmd_pool *pool, rmd_deadline deadline)
{
    rmdi_kept *kept = rmdi_kept_of(pool);
    bool ours;
    int err = refuse_callback(kept);
    if (err < 0)
        return err;
    rmdi_kept_close(pool);
    err = begin_draining(kept, deadline, &ours);
    if (err < 0) { /* another thread is patient, we are not */
        kept->ops->cancel(pool, false);
        rmd_stop *before = rmd_stop_set(NULL); /* it is drained when we return */
        begin_draining(kept, RMD_FOREVER, &ours);
        rmd_stop_set(before);
    }
    if (ours) {
        int late = finish(kept, deadline);
        err = err < 0 ? err : late;
        rmdi_kept_dismiss(kept);
        end_draining(kept, true);
    }
    return err == 0 ? 0 : rmdi_fail(err, "what had not ended at the deadline was cancelled");
}

int rmdi_kept_abort(rmd_pool *pool, rmd_deadline deadline)
{
    rmdi_kept *kept = rmdi_kept_of(pool);
    bool ours;
    int err = refuse_callback(kept);
    if (err < 0)
        return err;
    rmdi_kept_close(pool);
    kept->ops->cancel(pool, false);
    err = begin_draining(kept, deadline, &ours);
    if (err == 0 && ours) {
        err = wait_until(kept, is_finished, deadline);
        if (err == 0)
            rmdi_kept_dismiss(kept);
        end_draining(kept, err == 0);
    }
    return err == 0 ? 0 : rmdi_fail(err, "the pool still has work");
}

int rmdi_kept_free(rmd_pool *pool)
{
    rmdi_kept *kept = rmdi_kept_of(pool);
    rmdi_lock_enter(&kept->lock);
    bool drained = kept->drained;
    rmdi_lock_release(&kept->lock);
    if (!drained)
        return rmdi_fail(RMD_EBUSY, "the pool is not drained");
    rmdi_kept_drop(kept);
    return 0;
}
