/* SPDX-License-Identifier: MIT */
/* A task of a threads pool: its memory, and what its future can do.
 *
 * References: the queue it waits in has one, which goes to the worker that takes it out; the user
 * one for the handle; whoever ends it without having taken it out of a queue has one of his own. A
 * task that was claimed by somebody else than a worker that took it out stays in a worker's deque,
 * where it is found claimed, and dropped; it takes its place there so long. (In the injection queue
 * it does not: it is taken out at once.)
 *
 * Each task keeps the memory of the pool alive, not more: so that what comes after its end, on any
 * thread, need not ask whether the pool has been freed meanwhile. That is counted for the memory of
 * tasks, not for the tasks: it keeps its reference while it waits for the next task, so that
 * nothing is counted for each.
 *
 * Memory
 * ------
 * A worker collects the memory that it frees, and gives it back several at a time: on a stack, from
 * which whoever needs some takes all at once, so that no link is read that another one may be
 * taking. When the user has given up the pool, a mark on the stack says that it takes no more. */
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

uint64_t rmdi_threads_draw(rmdi_stock *stock)
{
    if (!stock->ids) {
        stock->ids = DRAWN;
        stock->next_id = rmdi_future_next_ids(DRAWN);
    }
    stock->ids--;
    return stock->next_id++;
}

void rmdi_threads_drop(rmdi_threads *pool, uint32_t n)
{
    /* Release what we did to it; acquire what the others did before it is torn down. */
    if (rmd_atomic_sub(&pool->refs, n, RMD_ACQ_REL) != n)
        return;
    rmdi_overlooked_free(pool);
    rmdi_injection_free(&pool->injection);
    rmdi_free(pool->start_detail);
    rmdi_free(pool->workers);
    rmdi_free(pool->name);
    rmdi_free(pool);
}

/* ---- a task's memory ---- */

/* The pool's user has given it up: an address, of nothing that is ever read. */
static rmdi_spares no_more;

static uint32_t free_spares(rmdi_spares *spares)
{
    uint32_t n = 0;
    for (rmdi_spares *next; spares; spares = next) {
        next = spares->next;
        n += 1 + (uint32_t)spares->n;
        while (spares->n)
            rmdi_free(spares->tasks[--spares->n]);
        rmdi_free(spares);
    }
    return n;
}

void rmdi_threads_give_up(rmdi_threads *pool)
{
    uint32_t n = free_spares(rmd_atomic_exchange(&pool->freed, &no_more, RMD_ACQ_REL));
    n += free_spares(pool->kept);
    rmdi_threads_drop(pool, 1 + n);
}

rmdi_thread_task *rmdi_task_alloc(rmdi_threads *pool)
{
    rmdi_thread_task *task = rmdi_alloc(sizeof *task);
    if (task)
        rmd_atomic_add(&pool->refs, 1, RMD_RELAXED); /* somebody has one already */
    return task;
}

rmdi_thread_task *rmdi_task_from_kept(rmdi_threads *pool)
{
    RMD_PLAIN_WRITES(&pool->kept, sizeof pool->kept);
    if (!pool->kept && rmd_atomic_load(&pool->freed, RMD_RELAXED)) {
        /* All at once, so that no link is read that another one may be taking. Acquire: their last
         * use. */
        pool->kept = rmd_atomic_exchange(&pool->freed, NULL, RMD_ACQUIRE);
        rmd_atomic_store(&pool->freed_len, 0, RMD_RELAXED); /* about */
    }
    rmdi_spares *spares = pool->kept;
    if (!spares)
        return NULL;
    if (spares->n)
        return spares->tasks[--spares->n];
    pool->kept = spares->next;
    return (rmdi_thread_task *)(void *)spares;
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

static void free_now(rmdi_threads *pool, rmdi_thread_task **tasks, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        rmdi_free(tasks[i]);
    rmdi_threads_drop(pool, n);
}

static void give_back(rmdi_threads *pool, rmdi_thread_task **tasks, uint32_t n)
{
    rmdi_spares *first = rmd_atomic_load(&pool->freed, RMD_RELAXED);
    if (first == &no_more || is_enough_kept(pool)) {
        free_now(pool, tasks, n);
        return;
    }
    rmdi_spares *spares = (rmdi_spares *)(void *)tasks[0];
    spares->n = n - 1;
    for (uint32_t i = 1; i < n; i++)
        spares->tasks[i - 1] = tasks[i];
    uint32_t len = rmd_atomic_load(&pool->freed_len, RMD_RELAXED);
    rmd_atomic_store(&pool->freed_len, len + n, RMD_RELAXED);
    do {
        spares->next = first;
        if (first == &no_more) {
            spares->next = NULL;
            rmdi_threads_drop(pool, free_spares(spares));
            return;
        }
    } while (!rmd_atomic_cas_weak(&pool->freed, &first, spares, RMD_RELEASE, RMD_RELAXED));
}

void rmdi_worker_give_spares(rmdi_worker *worker)
{
    unsigned n = worker->spares_len;
    worker->spares_len = 0;
    if (n)
        give_back(worker->pool, worker->spares, n);
}

static void keep(rmdi_threads *pool, rmdi_thread_task *task)
{
    rmdi_worker *worker = rmdi_worker_here(pool);
    if (!worker || !RMDI_TASKS_KEPT_MAX) {
        give_back(pool, &task, 1);
        return;
    }
    worker->spares[worker->spares_len++] = task;
    if (worker->spares_len == RMDI_SPARES_MAX)
        rmdi_worker_give_spares(worker);
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

/* Gives up all it has, and its memory. */
static void discard(rmdi_thread_task *task)
{
    rmdi_threads *pool = task->pool;
    free_parts(task);
    keep(pool, task);
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
    discard(task);
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

bool rmdi_worker_could_run(const rmd_future *future)
{
    return future->ops == &rmdi_thread_task_ops &&
           rmdi_worker_here(rmdi_thread_task_of(future)->pool);
}

/* If it is the newest in our own deque it is taken out of there: so recursion leaves nothing in it.
 */
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
