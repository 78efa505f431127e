/* SPDX-License-Identifier: MIT */
/* A task of a processes pool: what its future can do. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/park.h"
#include "exec/failure.h"
#include "exec/processes.h"
#include "port/clock.h"
#include "sync/spin.h"

static void destroy(rmd_future *future)
{
    rmdi_process_task *task = rmdi_process_task_of(future);
    rmdi_processes *pool = task->pool;
    if (task->failed)
        rmdi_overlooked_remove(&pool->overlooked, &task->failed_link);
    if (task->own_function)
        rmdi_free((char *)(size_t)task->function);
    if (task->detail)
        rmdi_failure_free(task->detail);
    rmdi_processes_give_buffer(pool, &task->arguments);
    rmdi_document_free(&task->document);
    rmdi_processes_give_buffer(pool, &task->result);
    rmdi_free(task->limits);
    rmdi_free(task->exit);
    rmdi_free(task);
    rmdi_kept_drop(&pool->kept);
}

static uint64_t process(const rmd_future *future)
{
    return rmdi_process_task_of(future)->pool->kept.pool.process;
}

static void *ctx(const rmd_future *future)
{
    return rmdi_process_task_of(future)->ctx;
}

static const char *name(const rmd_future *future)
{
    const rmdi_process_task *task = rmdi_process_task_of(future);
    return task->name ? task->name : task->function;
}

static void describe(const rmd_future *future, rmd_failure *failure)
{
    const rmdi_process_task *task = rmdi_process_task_of(future);
    failure->detail = task->detail ? task->detail : "";
    failure->attempt = task->attempts;
}

static int value(const rmd_future *future, const rmd_value **value)
{
    *value = rmdi_process_task_of(future)->document.root;
    return 0;
}

static rmd_bytes added(const rmd_future *future)
{
    const rmdi_process_task *task = rmdi_process_task_of(future);
    if (!task->added_len)
        return (rmd_bytes){ 0 };
    return (rmd_bytes){ task->result.data + task->result.len - task->added_len, task->added_len };
}

static const rmd_exit *exit_of(const rmd_future *future)
{
    return rmdi_process_task_of(future)->exit;
}

static bool runs(const rmd_future *future)
{
    const rmdi_process_task *task = rmdi_process_task_of(future);
    int64_t begun_ns;
    rmdi_lock_enter(&task->pool->kept.lock);
    bool runs = rmdi_process_task_runs(task, &begun_ns);
    rmdi_lock_release(&task->pool->kept.lock);
    return runs;
}

/* ---- cancel ---- */

/* With the lock held. */
static int cancel_locked(rmdi_process_task *task, rmdi_link *ended)
{
    if (task->process) /* perhaps it is done, and nobody has looked */
        rmdi_process_collect(task->process, ended);
    if (task->placed == RMDI_PLACED_ENDED)
        return rmdi_fail(RMD_ETOOLATE, "task %llu has ended", (unsigned long long)task->future.id);
    if (rmdi_process_task_take(task)) {
        rmdi_process_task_end(
            task, RMD_OUTCOME_CANCELLED, RMD_ECANCELED,
            task->attempts ? "cancelled before its next attempt" : rmdi_cancelled_unstarted, ended);
        rmdi_processes_go_on(task->pool); /* its place is free */
        return 0;
    }
    task->told = true;
    rmdi_process_stop(task->process, task, RMD_OUTCOME_CANCELLED);
    return 0;
}

static int cancel(rmd_future *future)
{
    rmdi_process_task *task = rmdi_process_task_of(future);
    rmdi_processes *pool = task->pool;
    rmdi_link ended;
    rmdi_list_init(&ended);
    rmdi_lock_enter(&pool->kept.lock);
    int err = cancel_locked(task, &ended);
    rmdi_lock_release(&pool->kept.lock);
    rmdi_processes_publish(pool, &ended);
    return err;
}

/* ---- callbacks ---- */

static bool call_later(rmd_future *future)
{
    rmdi_process_task *task = rmdi_process_task_of(future);
    return rmdi_kept_future_call_later(&task->pool->kept, &task->call);
}

static int how_to_wait(const rmd_future *future)
{
    return rmdi_kept_how_to_wait(&rmdi_process_task_of(future)->pool->kept);
}

static int turn(const rmd_future *future, rmd_deadline deadline)
{
    return rmdi_kept_turn(&rmdi_process_task_of(future)->pool->kept, deadline);
}

static rmd_loop *loop(const rmd_future *future)
{
    return rmdi_process_task_of(future)->pool->kept.loop;
}

/* ---- waiting: by the thread that wants it, for the worker that does it ---- */

/* Who has just been here waits awake for longer than it takes to wake the worker, as long as that
 * is of use: then both stay awake, and answer each other in about a microsecond. (Or both would
 * sleep, each having been woken too late, for ever after.) Others do so for a little while only:
 * where a wake-up is quick the worker is there by then, and where it is not the worker may need
 * this processor. */
static const int64_t just_now_ns = 100 * 1000, again_ns = 80 * 1000, first_ns = 8 * 1000;

enum { AROUND_MAX = 8 }; /* workers whose rings are looked at */

static void drop_share(rmdi_ring_share *share)
{
    if (rmd_atomic_sub(&share->refs, 1, RMD_ACQ_REL) == 1)
        rmdi_ring_share_free(share);
}

/* What a thread looks at, and sleeps on. */
typedef struct rmdi_look {
    rmdi_process_task *task;
    rmdi_process *process;  /* in whose ring the task was */
    rmdi_ring_share *share; /* NULL: the task is in no ring; held */
    unsigned slot;
    bool sleeps;      /* it is counted as a sleeper of the share */
    uint32_t awaited; /* the word to sleep on, as it was then; 0: there is something to take */
} look;

/* With the lock held. The last that sleeps there leaves no sign: the worker would tell nobody. */
static void stop_sleeping(look *l)
{
    if (l->sleeps && --l->share->sleepers == 0)
        rmdi_ring_await_no_more(l->share->memory);
    l->sleeps = false;
}

/* With the lock held. */
static void begin_looking(look *l, bool sleepy)
{
    rmdi_process *process = l->process = l->task->process;
    l->share = process->share;
    l->slot = l->task->slot;
    rmd_atomic_add(&l->share->refs, 1, RMD_RELAXED);
    if (!sleepy)
        return;
    l->share->sleepers++;
    l->sleeps = true;
    bool there = rmdi_ring_await(&process->ring, RMDI_AWAITED_BY_THREAD);
    l->awaited = there ? 0 : rmdi_ring_awaited(&process->ring);
}

/* With the lock held: also those of some others, so that they have room again, and the keeper, who
 * would do it, can sleep. */
static void collect_around(rmdi_processes *pool, const rmdi_process_task *task, rmdi_link *ended)
{
    unsigned workers = pool->kept.pool.workers, n = workers < AROUND_MAX ? workers : AROUND_MAX;
    unsigned first = task->process ? task->process->index : 0;
    for (unsigned i = 0; i < n; i++) {
        rmdi_process *process = &pool->processes[(first + i) % workers];
        if (process->share && rmdi_ring_has_answer(&process->ring))
            rmdi_process_collect(process, ended);
    }
}

/* Takes the answers of the worker that has the task, and, unless it is over, looks on from there.
 * What it held before is given up. */
static void look_closely(look *l, bool go_on, bool sleepy)
{
    rmdi_process_task *task = l->task;
    rmdi_processes *pool = task->pool;
    rmdi_process *process = l->process;
    rmdi_ring_share *before = l->share;
    rmdi_link ended;
    rmdi_list_init(&ended);
    rmdi_lock_enter(&pool->kept.lock);
    stop_sleeping(l);
    *l = (look){ .task = task };
    if (before && process->share == before && process != task->process)
        rmdi_process_collect(process, &ended); /* the task has gone elsewhere */
    if (task->process)
        rmdi_process_collect(task->process, &ended);
    collect_around(pool, task, &ended);
    if (go_on && task->process)
        begin_looking(l, sleepy);
    rmdi_lock_release(&pool->kept.lock);
    if (before)
        drop_share(before);
    rmdi_processes_publish(pool, &ended);
}

static bool is_over(const rmdi_waiter *waiter)
{
    return rmd_atomic_load(&waiter->state, RMD_RELAXED);
}

/* The slot's line is written when the task is done: looking at it costs next to nothing. */
static void look_awake(const look *l, const rmdi_waiter *waiter, rmdi_spin *spin, int64_t ns)
{
    const rmd_atomic(uint32_t) *state = &l->share->memory->slots[l->slot].state;
    bool done = false;
    rmdi_spin_doubt(spin, 8);
    for (rmdi_spin_time time = rmdi_spin_for_ns(spin, ns); !done && rmdi_spin_goes_on(&time);)
        done = rmd_atomic_load(state, RMD_RELAXED) == RMDI_RING_DONE || is_over(waiter);
    rmdi_spin_learn(spin, done);
}

/* Two habits: of those who have just been here, and of the others. */
static void look_for_a_while(look *l, const rmdi_waiter *waiter)
{
    RMD_STATIC rmdi_spin again, first;
    int64_t last = rmd_atomic_load(&l->task->pool->waited_ns, RMD_RELAXED);
    bool just_now = rmdi_clock_monotonic_ns() - last < just_now_ns;
    look_closely(l, true, false);
    if (l->share && !is_over(waiter))
        look_awake(l, waiter, just_now ? &again : &first, just_now ? again_ns : first_ns);
}

static int sleep_once(look *l, rmdi_waiter *waiter, rmd_deadline deadline)
{
    bool both = rmdi_can_park_either();
    look_closely(l, true, both);
    if (is_over(waiter))
        return 0;
    if (!l->share || !both) /* else the keeper takes the answer */
        return rmdi_park(&waiter->state, 0, deadline);
    if (!l->awaited)
        return 0;
    return rmdi_park_either(&waiter->state, 0, &l->share->memory->awaited, l->awaited, deadline);
}

static int sleep_for(rmd_future *future, rmdi_waiter *waiter, rmd_deadline deadline)
{
    look l = { .task = rmdi_process_task_of(future) };
    rmdi_processes *pool = l.task->pool;
    look_for_a_while(&l, waiter);
    int err = 0;
    while (!is_over(waiter) && err == 0)
        err = sleep_once(&l, waiter, deadline);
    if (l.share) /* what was told to us must not be lost */
        look_closely(&l, false, false);
    rmd_atomic_store(&pool->waited_ns, rmdi_clock_monotonic_ns(), RMD_RELAXED);
    return is_over(waiter) ? 0 : err;
}

const rmdi_future_ops rmdi_process_task_ops = {
    .process = process,
    .cancel = cancel,
    .call_later = call_later,
    .how_to_wait = how_to_wait,
    .turn = turn,
    .loop = loop,
    .sleep = sleep_for,
    .runs = runs,
    .name = name,
    .ctx = ctx,
    .describe = describe,
    .value = value,
    .added = added,
    .exit = exit_of,
    .destroy = destroy,
};
