/* SPDX-License-Identifier: MIT */
/* A task of a threads pool: its memory, and what its future can do.
 *
 * References: the queue it waits in has one, which goes to the worker that takes it out; the user one
 * for the handle; whoever ends it without having taken it out of a queue has one of his own. A task
 * that was claimed by somebody else than a worker that took it out stays in a worker's deque, where
 * it is found claimed, and dropped; it takes its place there so long. (In the injection queue it does
 * not: it is taken out at once.)
 *
 * Each task keeps the memory of the pool alive, not more: so that what comes after its end, on any
 * thread, need not ask whether the pool has been freed meanwhile. */
#include "base/alloc.h"
#include "base/error.h"
#include "exec/failure.h"
#include "exec/then.h"
#include "exec/threads.h"
#include "port/forked.h"
#include "port/stack.h"

/* Less than this of stack left, and no task is run on top of another. */
enum { STACK_LEFT_MIN = 256 * 1024 };

enum { DRAWN = 64 }; /* at once */

/* ---- the pool's memory ---- */

uint64_t rmdi_threads_draw(rmdi_threads *pool, rmdi_stock *stock)
{
    if (!stock->ids) {
        stock->ids = DRAWN;
        stock->next_id = rmdi_future_next_ids(DRAWN);
    }
    if (!stock->refs) {
        stock->refs = DRAWN;
        rmd_atomic_add(&pool->refs, DRAWN, RMD_RELAXED); /* somebody has one already */
    }
    stock->refs--;
    stock->ids--;
    return stock->next_id++;
}

static void free_chain(rmdi_link *link)
{
    for (rmdi_link *next; link; link = next) {
        next = link->next;
        rmdi_free(RMDI_CONTAINER(link, rmdi_thread_task, link));
    }
}

void rmdi_threads_drop(rmdi_threads *pool, uint32_t n)
{
    /* Release what we did to it; acquire what the others did before it is torn down. */
    if (rmd_atomic_sub(&pool->refs, n, RMD_ACQ_REL) != n)
        return;
    free_chain(pool->kept);
    free_chain(rmd_atomic_load(&pool->freed, RMD_ACQUIRE));
    rmdi_overlooked_free(pool);
    rmdi_free(pool->start_detail);
    rmdi_free(pool->workers);
    rmdi_free(pool->name);
    rmdi_free(pool);
}

/* ---- a task's memory ---- */

rmdi_thread_task *rmdi_task_from_kept(rmdi_threads *pool)
{
    RMD_PLAIN_WRITES(&pool->kept, sizeof pool->kept);
    if (!pool->kept && rmd_atomic_load(&pool->freed, RMD_RELAXED)) {
        /* All at once, so that no link is read that another one may be taking. Acquire: their last
         * use. */
        pool->kept = rmd_atomic_exchange(&pool->freed, NULL, RMD_ACQUIRE);
        rmd_atomic_store(&pool->freed_len, 0, RMD_RELAXED); /* about */
    }
    rmdi_link *link = pool->kept;
    if (!link)
        return NULL;
    pool->kept = link->next;
    return RMDI_CONTAINER(link, rmdi_thread_task, link);
}

#if RMDI_TASKS_KEPT_MAX
static bool is_enough_kept(rmdi_threads *pool)
{
    /* Relaxed: about so many. */
    return rmd_atomic_load(&pool->freed_len, RMD_RELAXED) >= RMDI_TASKS_KEPT_MAX;
}
#else
static bool is_enough_kept(rmdi_threads *pool)
{
    (void)pool;
    return true;
}
#endif

static void keep(rmdi_threads *pool, rmdi_thread_task *task)
{
    if (is_enough_kept(pool)) {
        rmdi_free(task);
        return;
    }
    rmd_atomic_add(&pool->freed_len, 1, RMD_RELAXED);
    rmdi_link *first = rmd_atomic_load(&pool->freed, RMD_RELAXED);
    do
        task->link.next = first;
    while (!rmd_atomic_cas_weak(&pool->freed, &first, &task->link, RMD_RELEASE, RMD_RELAXED));
}

static void free_parts(rmdi_thread_task *task)
{
    if (task->body == RMDI_BODY_CALL && task->ran)
        rmd_value_free(task->value);
    else if (task->body == RMDI_BODY_CALL)
        rmdi_free(task->encoded);
    else if (task->body == RMDI_BODY_THEN)
        rmdi_then_free(task->then);
    if (task->context)
        rmd_context_free(task->context);
    if (task->detail)
        rmdi_failure_free(task->detail);
    if (task->limits)
        rmdi_limits_free(task->limits);
}

void rmdi_task_discard(rmdi_thread_task *task)
{
    rmdi_threads *pool = task->pool;
    free_parts(task);
    keep(pool, task);
    rmdi_threads_drop(pool, 1);
}

static void destroy(rmd_future *future)
{
    rmdi_thread_task *task = rmdi_thread_task_of(future);
    if (!rmdi_process_is(task->pool->pool.process)) {
        rmdi_free(task); /* a child's copy; the pool's may be as another thread has left it */
        return;
    }
    if (task->failed)
        rmdi_failed_remove(task);
    rmdi_task_discard(task);
}

/* ---- what its future can do ---- */

static uint64_t process(const rmd_future *future)
{
    return rmdi_thread_task_of(future)->pool->pool.process;
}

void rmdi_task_unqueue(rmdi_thread_task *task)
{
    rmdi_threads *pool = task->pool;
    rmdi_brief_enter(&pool->injection.brief);
    bool queued = RMD_PLAIN(task->queued), held = RMD_PLAIN(task->held);
    if (queued)
        rmdi_injection_remove(&pool->injection, &task->link, (unsigned)task->priority);
    else if (held)
        rmdi_list_remove(&task->link);
    RMD_PLAIN_SET(task->queued, false);
    RMD_PLAIN_SET(task->held, false);
    rmdi_brief_leave(&pool->injection.brief);
    if (queued)
        rmdi_threads_tell_room(pool);
    if (queued || held)
        rmdi_future_drop(&task->future);
}

static int cancel(rmd_future *future)
{
    rmdi_thread_task *task = rmdi_thread_task_of(future);
    if (rmdi_future_claim(future, true)) {
        rmdi_task_unqueue(task);
        rmdi_task_end_unstarted(task, RMD_OUTCOME_CANCELLED, RMD_ECANCELED,
                                rmdi_cancelled_unstarted);
        return 0;
    }
    if (rmdi_task_tell(task, false))
        return 0;
    return rmdi_fail(RMD_ETOOLATE, "task %llu has ended", (unsigned long long)future->id);
}

static bool call_later(rmd_future *future)
{
    return rmdi_threads_call_later(rmdi_thread_task_of(future)->pool, future);
}

/* A quarter of a small stack will do. */
static bool has_stack(const rmdi_threads *pool)
{
    size_t min = pool->stack_bytes / 4 < STACK_LEFT_MIN ? pool->stack_bytes / 4 : STACK_LEFT_MIN;
    return rmdi_stack_left() >= min;
}

/* May the calling thread run it? */
static bool may_help(const rmdi_threads *pool, const rmdi_worker *worker)
{
    if (worker)
        return has_stack(pool);
    return !pool->start && rmdi_self_is_own() && rmdi_stack_left() >= STACK_LEFT_MIN;
}

/* If it is the newest in our own deque it is taken out of there: so recursion leaves nothing in it. */
static void take_newest(rmdi_worker *worker, rmdi_thread_task *task)
{
    if (rmdi_deque_peek(&worker->deque) == task && rmdi_deque_take(&worker->deque))
        rmdi_future_drop(&task->future); /* nobody but we push, so it was that one */
}

static bool help(rmd_future *future, bool as_worker)
{
    rmdi_thread_task *task = rmdi_thread_task_of(future);
    rmdi_threads *pool = task->pool;
    rmdi_worker *worker = rmdi_worker_here(pool);
    if ((as_worker && !worker) || !may_help(pool, worker) || !rmdi_future_claim(future, false))
        return false;
    if (worker)
        take_newest(worker, task);
    rmdi_task_unqueue(task);
    RMDI_TALLY(pool, worker, helped, 1);
    return rmdi_task_run(task, worker, false);
}

static rmd_future *held_for(const rmd_future *future)
{
    const rmdi_thread_task *task = rmdi_thread_task_of(future);
    bool held = rmd_atomic_load(&future->word, RMD_ACQUIRE) & RMDI_FUTURE_HELD;
    return held && task->body == RMDI_BODY_THEN ? task->then->first : NULL;
}

static const char *name_of(const rmd_future *future)
{
    const rmdi_thread_task *task = rmdi_thread_task_of(future);
    if (task->name)
        return task->name;
    return task->body == RMDI_BODY_CALL ? task->function->name : "task";
}

static void describe(const rmd_future *future, rmd_failure *failure)
{
    const rmdi_thread_task *task = rmdi_thread_task_of(future);
    failure->detail = task->detail ? task->detail : "";
    failure->attempt = task->attempt;
}

static int value_of(const rmd_future *future, const rmd_value **value)
{
    const rmdi_thread_task *task = rmdi_thread_task_of(future);
    if (task->body != RMDI_BODY_CALL)
        return rmdi_fail(RMD_EINVAL, "task %llu \"%s\" is none that returns a value",
                         (unsigned long long)future->id, rmd_future_name(future));
    *value = task->value;
    return 0;
}

const rmdi_future_ops rmdi_thread_task_ops = {
    .process = process,
    .cancel = cancel,
    .call_later = call_later,
    .help = help,
    .held_for = held_for,
    .name = name_of,
    .describe = describe,
    .value = value_of,
    .destroy = destroy,
};
