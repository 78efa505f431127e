/* SPDX-License-Identifier: MIT */
/* A task of a threads pool: its memory, and what its future can do.
 *
 * References: the queue it waits in has one, which goes to the worker that takes it out; the user
 * one for the handle; whoever ends it without having taken it out of a queue has one of his own. A
 * task that was claimed by somebody else than a worker that took it out stays in a worker's deque,
 * where it is found claimed, and dropped; it takes its place there so long. (In the injection queue
 * it does not: it is taken out at once.) */
#include "base/alloc.h"
#include "base/error.h"
#include "exec/failure.h"
#include "exec/foreign.h"
#include "exec/then.h"
#include "exec/threads.h"
#include "port/forked.h"
#include "port/stack.h"

#include <string.h>

/* Less than this of stack left, and no task is run on top of another. */
enum { STACK_LEFT_MIN = 256 * 1024 };

/* ---- its memory ---- */

/* What it has besides the line that every task fills. */
static void free_cold(rmdi_thread_task *task)
{
    uint8_t slot = task->slot;
    if (task->context)
        rmd_context_free(task->context);
    if (task->adds == RMDI_ADDS_HAS) {
        rmdi_buffer_free(task->added);
        rmdi_free(task->added);
    } else if (task->detail) {
        rmdi_failure_free(task->detail);
    }
    if (task->limits)
        rmdi_limits_free(task->limits);
    memset(&task->link, 0, sizeof *task - offsetof(rmdi_thread_task, link));
    task->slot = slot;
}

static void free_parts(rmdi_thread_task *task)
{
    if (task->body == RMDI_BODY_CALL && task->ran)
        rmd_value_free(task->value);
    else if (task->body == RMDI_BODY_CALL)
        rmdi_free(task->encoded);
    else if (task->body == RMDI_BODY_THEN)
        rmdi_then_free(task->then);
    if (task->cold)
        free_cold(task);
}

static void destroy(rmd_future *future)
{
    rmdi_thread_task *task = rmdi_thread_task_of(future);
    rmdi_threads *pool = task->pool;
    if (!rmdi_process_is(pool->pool.process)) {
        rmdi_task_forget(task); /* the pool's memory may be as another thread has left it */
        return;
    }
    if (task->cold && task->failed)
        rmdi_overlooked_remove(&pool->overlooked, &task->link);
    free_parts(task);
    rmdi_task_keep(pool, task);
}

/* ---- what its future can do ---- */

static uint64_t process(const rmd_future *future)
{
    return rmdi_thread_task_of(future)->pool->pool.process;
}

bool rmdi_task_unhold(rmdi_thread_task *task)
{
    bool held = RMD_PLAIN(task->held);
    if (held) {
        RMD_PLAIN_WRITES(&task->pool->held, sizeof task->pool->held);
        rmdi_list_remove(&task->link);
        task->link = (rmdi_link){ 0 };
        RMD_PLAIN_SET(task->held, false);
        rmdi_threads_count_coming(task->pool, -(uint32_t)RMD_PLAIN(task->coming));
        RMD_PLAIN_SET(task->coming, false);
    }
    return held;
}

void rmdi_task_unqueue(rmdi_thread_task *task)
{
    rmdi_threads *pool = task->pool;
    rmdi_brief_enter(&pool->injection.out);
    bool held = rmdi_task_unhold(task);
    bool queued = !held && rmdi_injection_remove(&pool->injection, &task->link, task->place,
                                                 (unsigned)task->priority);
    rmdi_brief_leave(&pool->injection.out);
    if (queued || held) {
        rmdi_threads_tell_room(pool);
        rmdi_future_drop(&task->future);
    }
}

bool rmdi_task_cancel_unstarted(rmdi_thread_task *task)
{
    if (!rmdi_future_claim(&task->future, true))
        return false;
    rmdi_task_unqueue(task);
    rmdi_task_end_unstarted(task, RMD_OUTCOME_CANCELLED, RMD_ECANCELED, rmdi_cancelled_unstarted);
    return true;
}

static int cancel(rmd_future *future)
{
    rmdi_thread_task *task = rmdi_thread_task_of(future);
    if (rmdi_task_cancel_unstarted(task) || rmdi_task_tell(task, false))
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

bool rmdi_worker_could_run(const rmd_future *future)
{
    return future->ops == &rmdi_thread_task_ops &&
           rmdi_worker_here(rmdi_thread_task_of(future)->pool);
}

/* If it is the newest in our own deque it is taken out of there: so recursion leaves nothing in it.
 */
static void take_newest(rmdi_worker *worker, rmdi_thread_task *task)
{
    if (rmdi_deque_peek(&worker->deque) != task || !rmdi_deque_take(&worker->deque))
        return;
    rmdi_future_drop(&task->future); /* nobody but we push, so it was that one */
    if (worker->pool->is_small)
        rmdi_threads_tell_room(worker->pool);
}

/* A worker keeps its foreign process from task to task; another thread would start one for this
 * task alone, and so take as long as that takes, while the one that is there has nothing to do. */
static bool is_not_for_us(const rmd_future *future)
{
    const rmdi_thread_task *task = rmdi_thread_task_of(future);
    return task->body == RMDI_BODY_CALL && rmdi_function_is_foreign(task->function) &&
           !rmdi_worker_here(task->pool);
}

static bool help(rmd_future *future, bool as_worker)
{
    rmdi_thread_task *task = rmdi_thread_task_of(future);
    rmdi_threads *pool = task->pool;
    rmdi_worker *worker = rmdi_worker_here(pool);
    if ((as_worker && !worker) || !may_help(pool, worker) || is_not_for_us(future) ||
        !rmdi_future_claim(future, false))
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

static void *ctx_of(const rmd_future *future)
{
    return rmdi_thread_task_of(future)->ctx;
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
    /* (It is asked for of tasks that have not ended OK only, which have added nothing.) */
    failure->detail = task->detail ? task->detail : "";
    failure->attempt = task->attempt;
}

static rmd_bytes added_of(const rmd_future *future)
{
    const rmdi_thread_task *task = rmdi_thread_task_of(future);
    return task->adds == RMDI_ADDS_HAS ? rmdi_buffer_view(task->added) : (rmd_bytes){ 0 };
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
    .is_not_for_us = is_not_for_us,
    .held_for = held_for,
    .ctx = ctx_of,
    .name = name_of,
    .describe = describe,
    .value = value_of,
    .added = added_of,
    .destroy = destroy,
};
