/* SPDX-License-Identifier: MIT */
/* The threads pool as a whole: its beginning and its end. */
#include "exec/threads.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/fence.h"
#include "exec/waits.h"
#include "port/thread.h"

#include <remuda/stop.h>
#include <stdio.h>
#include <string.h>

enum {
    STACK_DEFAULT = 64 * 1024 * 1024, /* reserved, not taken: waits nest on it */
    STACK_MIN = 128 * 1024,
    GRACE_MS = 2000, /* for tasks that were told to stop */
    INSPECTED_MAX = 64,
    NAMED_MAX = 4,
};

static const long long STACK_MAX = 1LL << 40; /* beyond it the system's own sums may overflow */

static rmdi_threads *of(rmd_pool *pool)
{
    return (rmdi_threads *)(void *)pool;
}

/* ---- opening ---- */

static void init(rmdi_threads *pool, const rmdi_pool_request *request)
{
    const rmd_pool_options *options = &request->options;
    pool->pool.ops = &rmdi_threads_ops;
    pool->pool.workers = request->workers;
    pool->pool.process = request->process;
    pool->pool.number = request->number;
    pool->queue_max = options->queue_max;
    pool->is_small = pool->queue_max < RMDI_DEQUE_MAX;
    pool->start = options->start;
    pool->end = options->end;
    pool->arg = options->arg;
    pool->stack_bytes = options->stack_bytes ? options->stack_bytes : STACK_DEFAULT;
    pool->threads_max = 2 * request->workers;
    rmd_atomic_init(&pool->refs, 1);
    rmdi_list_init(&pool->held);
    rmdi_list_init(&pool->blocks);
    rmdi_list_init(&pool->to_call);
    rmdi_list_init(&pool->visits);
    rmdi_threads_overlooked_init(pool);
}

static void init_worker(rmdi_threads *pool, unsigned index)
{
    rmdi_worker *worker = &pool->workers[index];
    worker->pool = pool;
    worker->index = index;
    worker->random = 2654435769U * (index + 1);
    snprintf(worker->name, sizeof worker->name, "%.20s-%u", pool->name, index + 1);
}

static int allocate(rmdi_threads **out, const rmdi_pool_request *request)
{
    rmdi_threads *pool = rmdi_alloc_zeroed(sizeof *pool);
    if (!pool)
        return rmdi_fail_memory();
    init(pool, request);
    pool->name = rmdi_strdup(request->options.name);
    pool->workers = rmdi_alloc_zeroed(pool->threads_max * sizeof *pool->workers);
    if (!pool->name || !pool->workers ||
        rmdi_injection_open(&pool->injection, pool->queue_max) < 0) {
        rmdi_threads_drop(pool, 1);
        return rmdi_fail_memory();
    }
    for (unsigned i = 0; i < pool->threads_max; i++)
        init_worker(pool, i);
    rmdi_deadlines_open(&pool->deadlines, pool->name);
    *out = pool;
    return 0;
}

/* Lets all threads of the crew end, and waits for them. */
static void dismiss_crew(rmdi_threads *pool)
{
    rmdi_lock_enter(&pool->crew);
    /* Release: a worker that sees it sees that all is finished. */
    rmd_atomic_store(&pool->quit, 1, RMD_RELEASE);
    rmdi_wake_all(&pool->benched);
    unsigned threads = pool->threads;
    rmdi_lock_release(&pool->crew);
    rmd_fence(RMD_SEQ_CST); /* with that of who is about to sleep: see idle.c */
    rmdi_idle_tell_all(&pool->idle);
    for (unsigned i = 0; i < threads; i++)
        (void)!rmdi_thread_join(&pool->workers[i].thread, RMD_FOREVER);
}

/* Starts the crew, and waits until each has passed `start`, or one has failed. */
static int start_crew(rmdi_threads *pool, rmd_deadline deadline)
{
    int err = 0;
    rmdi_lock_enter(&pool->crew);
    while (err == 0 && pool->threads < pool->pool.workers) {
        err = rmdi_crew_start(pool);
        if (err == 0)
            rmd_atomic_add(&pool->active, 1, RMD_RELAXED);
    }
    while (err == 0 && pool->ready < pool->pool.workers && !pool->start_error)
        err = pool->start ? rmdi_condition_wait(&pool->crew_changed, &pool->crew, deadline) : 1;
    int failed = pool->start_error;
    rmdi_lock_release(&pool->crew);
    if (failed)
        return rmdi_fail_copy(failed, pool->start_detail ? pool->start_detail : "");
    return err < 0 ? err : 0;
}

static int threads_open(rmd_pool **out, const rmdi_pool_request *request)
{
    rmdi_threads *pool = NULL;
    size_t stack = request->options.stack_bytes;
    if (stack && (stack < STACK_MIN || stack > (size_t)STACK_MAX))
        return rmdi_fail(RMD_EINVAL, "pool options: stack_bytes is %zu, not from %d to %lld", stack,
                         STACK_MIN, STACK_MAX);
    int err = allocate(&pool, request);
    if (err < 0)
        return err;
    rmdi_fence_prepare(); /* so that light fences are light */
    err = rmdi_thread_list_on_fork(rmdi_waits_forked);
    err = err ? rmdi_fail_errno(err, "pool \"%s\"", request->options.name)
              : start_crew(pool, request->deadline);
    if (err < 0) {
        char detail[RMDI_ERROR_DETAIL_MAX];
        snprintf(detail, sizeof detail, "%s", rmd_error_detail());
        dismiss_crew(pool);
        rmdi_threads_drop(pool, 1);
        if (err == RMD_ETIMEDOUT || err == RMD_ECANCELED)
            return rmdi_fail(err, "pool \"%s\": the workers have not started",
                             request->options.name);
        return rmdi_fail_copy(err, detail);
    }
    *out = &pool->pool;
    return 0;
}

/* ---- cancelling ---- */

/* Its id is at most *to. */
static bool is_up_to(const rmdi_link *link, const void *to)
{
    return RMDI_CONTAINER(link, rmdi_thread_task, link)->future.id <= *(const uint64_t *)to;
}

/* The first that is held, with an id up to `to`; NULL: there is none. */
static rmdi_link *first_held(rmdi_threads *pool, uint64_t to)
{
    for (rmdi_link *l = pool->held.next; l != &pool->held; l = l->next)
        if (is_up_to(l, &to))
            return l;
    return NULL;
}

/* One that waits in the injection queue, or is held, itself held; NULL: there is none. */
static rmdi_thread_task *first_waiting(rmdi_threads *pool, uint64_t to)
{
    rmdi_link *link = NULL;
    rmdi_brief_enter(&pool->injection.out);
    for (unsigned i = 0; i < RMDI_PRIORITIES && !link; i++)
        link = rmdi_injection_find(&pool->injection, i, is_up_to, &to);
    if (!link)
        link = first_held(pool, to);
    rmdi_thread_task *task = link ? RMDI_CONTAINER(link, rmdi_thread_task, link) : NULL;
    if (task)
        rmdi_future_hold(&task->future);
    rmdi_brief_leave(&pool->injection.out);
    return task;
}

/* As many as there are now: later ones are not ours to cancel. */
static void cancel_in_deque(rmdi_deque *deque)
{
    bool again = true;
    for (size_t n = rmdi_deque_len(deque); n > 0 && again; n--) {
        rmdi_thread_task *task = rmdi_deque_steal(deque, &again);
        if (!task) /* somebody else has taken it */
            continue;
        again = true;
        rmdi_task_cancel_unstarted(task);
        rmdi_future_drop(&task->future); /* the deque's */
    }
}

/* Those with an id up to `to`, so that it comes to an end while others submit. */
static void cancel_waiting(rmdi_threads *pool, uint64_t to)
{
    for (rmdi_thread_task *task; (task = first_waiting(pool, to));) {
        if (!rmdi_task_cancel_unstarted(task))
            rmdi_os_thread_yield(); /* who has just claimed it is about to take it out */
        rmdi_future_drop(&task->future);
    }
    for (unsigned i = 0; i < pool->threads_max; i++)
        cancel_in_deque(&pool->workers[i].deque);
    rmdi_threads_tell_room(pool);
}

/* Tells all that run to stop; those that begin meanwhile tell themselves when everything is
 * aborted. */
static void cancel_running(rmdi_threads *pool)
{
    size_t n, max = INSPECTED_MAX;
    rmd_future *few[INSPECTED_MAX], **running = few;
    while ((n = rmdi_threads_inspect(pool, running, max)) > max) {
        for (size_t i = 0; i < max; i++)
            rmdi_future_drop(running[i]);
        rmd_future **more = rmdi_alloc(2 * n * sizeof *more);
        if (!more) { /* then at least so many */
            n = rmdi_threads_inspect(pool, running, max);
            n = n < max ? n : max;
            break;
        }
        if (running != few)
            rmdi_free(running);
        running = more;
        max = 2 * n;
    }
    for (size_t i = 0; i < n; i++) {
        rmdi_task_tell(rmdi_thread_task_of(running[i]), false);
        rmdi_future_drop(running[i]);
    }
    if (running != few)
        rmdi_free(running);
}

/* The last id that was given to a task of the pool. */
static uint64_t last_id(rmdi_threads *pool)
{
    rmdi_brief_enter(&pool->injection.in);
    uint64_t next = pool->stock.next_id;
    rmdi_brief_leave(&pool->injection.in);
    return next - (next > 0);
}

/* Those that a worker has taken out of a queue, and that do not run yet, are neither found waiting
 * nor running: they see that they do not begin any more. Before the fence of an inspection. */
static void cancel_beginning(rmdi_threads *pool, uint64_t to)
{
    rmdi_brief_enter(&pool->injection.in);
    if (rmd_atomic_load(&pool->cancelled_to, RMD_RELAXED) < to)
        rmd_atomic_store(&pool->cancelled_to, to, RMD_RELAXED);
    rmdi_brief_leave(&pool->injection.in);
}

static void threads_cancel(rmd_pool *base, bool queued_only)
{
    uint64_t to = last_id(of(base));
    if (!queued_only)
        cancel_beginning(of(base), to);
    cancel_waiting(of(base), to);
    if (!queued_only)
        cancel_running(of(base));
}

/* ---- the end ---- */

static void threads_close(rmd_pool *base)
{
    rmdi_threads *pool = of(base);
    rmdi_brief_enter(&pool->injection.in);
    rmd_atomic_store(&pool->closed, 1, RMD_RELAXED); /* the brief lock orders it */
    rmdi_brief_leave(&pool->injection.in);
    rmd_fence(RMD_SEQ_CST); /* with that of a submitter that is about to wait for room */
    rmdi_wake_all(&pool->place);
}

/* Waits until all is finished. */
static int wait_until_finished(rmdi_threads *pool, rmd_deadline deadline)
{
    int err = 0;
    rmd_atomic_store(&pool->draining, 1, RMD_RELAXED);
    while (err >= 0) {
        rmdi_waiter waiter;
        rmdi_wait wait;
        rmdi_waiter_init(&waiter, true);
        rmdi_wait_list_enter(&pool->finished);
        rmdi_wait_list_add(&pool->finished, &wait, &waiter, 0);
        rmdi_wait_list_leave(&pool->finished);
        rmdi_fence_heavy(); /* with the light one in rmdi_threads_tell_finished() */
        bool finished = rmdi_threads_is_finished(pool);
        if (!finished)
            err = rmdi_waiter_sleep(&waiter, deadline);
        rmdi_wait_list_remove(&pool->finished, &wait);
        if (finished)
            return 0;
    }
    return rmdi_threads_is_finished(pool) ? 0 : err;
}

/* "2 tasks do not stop: 7 "fit", 9 "x"". */
static int refuse_stuck(rmdi_threads *pool)
{
    char text[RMDI_ERROR_DETAIL_MAX];
    rmd_future *running[INSPECTED_MAX];
    size_t n = rmdi_threads_inspect(pool, running, INSPECTED_MAX), at = 0;
    size_t held = n < INSPECTED_MAX ? n : INSPECTED_MAX;
    *text = 0;
    for (size_t i = 0; i < held; i++) {
        if (i < NAMED_MAX)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%llu \"%.60s\"", i ? ", " : "",
                                   (unsigned long long)rmd_future_id(running[i]),
                                   rmd_future_name(running[i]));
        rmdi_future_drop(running[i]);
    }
    if (n == 0)
        return rmdi_fail(RMD_ESTUCK, "callbacks of the pool do not end");
    return rmdi_fail(RMD_ESTUCK, "%zu task%s %s told to stop and still run%s: %s%s", n,
                     n == 1 ? "" : "s", n == 1 ? "was" : "were", n == 1 ? "s" : "", text,
                     n > NAMED_MAX ? ", …" : "");
}

/* Nothing is left: no callback is taken any more, and the threads go. False: there is something. */
static bool dismiss(rmdi_threads *pool)
{
    rmdi_brief_enter(&pool->calls_brief);
    bool gone = rmdi_threads_is_finished(pool);
    RMD_PLAIN_SET(pool->gone, gone);
    rmdi_brief_leave(&pool->calls_brief);
    if (!gone)
        return false;
    dismiss_crew(pool);
    rmdi_deadlines_close(&pool->deadlines);
    return true;
}

static int drain_within(rmdi_threads *pool, rmd_deadline deadline)
{
    int err;
    do
        err = wait_until_finished(pool, deadline);
    while (err == 0 && !dismiss(pool));
    return err;
}

/* Everything is told to stop, and waited for: as long as the grace, whatever the stop token
 * says. */
static int abort_within(rmdi_threads *pool, rmd_deadline deadline, bool stoppable)
{
    cancel_beginning(pool, UINT64_MAX);
    cancel_waiting(pool, UINT64_MAX);
    cancel_running(pool);
    cancel_waiting(pool, UINT64_MAX); /* what was submitted in place meanwhile */
    rmd_stop *before = stoppable ? NULL : rmd_stop_set(NULL);
    int err = drain_within(pool, deadline);
    if (!stoppable)
        rmd_stop_set(before);
    return err == RMD_ETIMEDOUT ? refuse_stuck(pool) : err;
}

/* One thread takes the pool down; others wait for it. 0: it is ours to do. 1: it is done. */
static int begin_draining(rmdi_threads *pool, rmd_deadline deadline)
{
    int err = 0;
    rmdi_lock_enter(&pool->drain_lock);
    while (err == 0 && pool->drain_taken && !pool->drained)
        err = rmdi_condition_wait(&pool->drain_changed, &pool->drain_lock, deadline);
    if (pool->drained)
        err = 1;
    if (err == 0)
        pool->drain_taken = true;
    rmdi_lock_release(&pool->drain_lock);
    return err;
}

static void end_draining(rmdi_threads *pool, bool drained)
{
    rmdi_lock_enter(&pool->drain_lock);
    pool->drain_taken = false;
    pool->drained = drained;
    rmdi_condition_notify_all(&pool->drain_changed);
    rmdi_lock_release(&pool->drain_lock);
}

static int refuse_inside(const rmdi_threads *pool)
{
    if (rmdi_threads_inside(pool))
        return rmdi_fail(RMD_EDEADLK, "a task or a callback of the pool waits for the pool's end");
    return 0;
}

static int drain(rmd_pool *base, rmd_deadline deadline)
{
    rmdi_threads *pool = of(base);
    int late = 0;
    threads_close(base);
    int err = begin_draining(pool, deadline);
    if (err == 1)
        return 0;
    if (err < 0) { /* another thread is patient, we are not */
        threads_cancel(base, false);
        return rmdi_fail(err, "the pool still has work, which was cancelled");
    }
    late = drain_within(pool, deadline);
    if (late < 0)
        err = abort_within(pool, rmd_after_ms(GRACE_MS), false);
    end_draining(pool, err == 0);
    if (err < 0)
        return err;
    return late < 0 ? rmdi_fail(late, "what had not ended at the deadline was cancelled") : 0;
}

/* In a task of another pool one of ours may wait for that: noted until the end, for what is done at
 * the deadline, or when told to stop, ends. */
static int threads_drain(rmd_pool *base, rmd_deadline deadline)
{
    rmdi_waits waits;
    int err = refuse_inside(of(base));
    if (err == 0)
        err = rmdi_waits_note(&waits, (rmdi_awaited){ .pool = base }, deadline);
    if (err < 0)
        return err;
    err = drain(base, deadline);
    rmdi_waits_end(&waits);
    return err;
}

static int threads_abort(rmd_pool *base, rmd_deadline deadline)
{
    rmdi_threads *pool = of(base);
    int err = refuse_inside(pool);
    if (err < 0)
        return err;
    threads_close(base);
    threads_cancel(base, false);
    err = begin_draining(pool, deadline);
    if (err == 1)
        return 0;
    if (err == 0) {
        err = abort_within(pool, deadline, true);
        end_draining(pool, err == 0);
    }
    return err == RMD_ECANCELED || err == RMD_ETIMEDOUT ? rmdi_fail(err, "the pool still has work")
                                                        : err;
}

static int threads_free(rmd_pool *base)
{
    rmdi_threads *pool = of(base);
    rmdi_lock_enter(&pool->drain_lock);
    bool drained = pool->drained;
    rmdi_lock_release(&pool->drain_lock);
    if (!drained)
        return rmdi_fail(RMD_EBUSY, "the pool is not drained");
    rmdi_threads_give_up(pool); /* nobody submits any more */
    return 0;
}

const rmdi_pool_ops rmdi_threads_ops = {
    .kind = "threads",
    .open = threads_open,
    .call = rmdi_threads_call,
    .submit = rmdi_threads_submit,
    .submit_many = rmdi_threads_submit_many,
    .then = rmdi_threads_then,
    .close = threads_close,
    .drain = threads_drain,
    .abort = threads_abort,
    .cancel = threads_cancel,
    .census = rmdi_threads_census,
    .statistics = rmdi_threads_statistics,
    .overlooked = rmdi_threads_overlooked,
    .free = threads_free,
};
