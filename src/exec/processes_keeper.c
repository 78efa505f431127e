/* SPDX-License-Identifier: MIT */
/* The keeper of a processes pool: one thread with a loop, which sees to all that nobody else does.
 */
#include "base/error.h"
#include "exec/failure.h"
#include "exec/processes.h"
#include "port/clock.h"
#include "port/poll.h"

#include <signal.h>

/* ---- limits ---- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void rmdi_process_task_arm(rmdi_process_task *task)
{
    rmdi_task_limits *own = task->limits;
    rmdi_timers *timers = &task->pool->timers;
    int64_t begun_ns, nearest = own->total_due_ns;
    bool runs = rmdi_process_task_runs(task, &begun_ns);
    bool is_new = task->attempts == (task->placed == RMDI_PLACED_RING);
    if (runs)
        nearest = earlier(nearest, own->run_due_ns);
    else if (is_new)
        nearest = earlier(nearest, own->queue_due_ns);
    if (nearest == INT64_MAX)
        rmdi_timers_disarm(timers, &own->timer);
    else
        rmdi_timers_arm(timers, &own->timer, nearest);
}

/* When an attempt has begun its worker says so, and when: as it likes. Never early. */
static void note_begun(rmdi_process *process)
{
    for (unsigned i = 0; process->timed && i < rmdi_ring_len(&process->ring); i++) {
        int64_t begun_ns, due, now = rmdi_processes_clock(process->pool);
        unsigned slot = rmdi_ring_slot_at(&process->ring, i);
        rmdi_process_task *task = process->tasks[slot];
        if (!task || !task->limits || !task->limits->limits.run_ms_max ||
            task->limits->run_due_ns != INT64_MAX ||
            !rmdi_ring_has_begun(&process->ring, slot, &begun_ns) || !begun_ns)
            continue;
        int64_t ms = task->limits->limits.run_ms_max;
        if (__builtin_mul_overflow(ms, 1000000, &due) ||
            __builtin_add_overflow(earlier(begun_ns - process->pool->held_ns, now), due, &due))
            due = INT64_MAX;
        task->limits->run_due_ns = due;
        rmdi_process_task_arm(task);
    }
}

/* With the lock held. */
static void at_limit(rmdi_process_task *task, int64_t now, rmdi_link *ended)
{
    rmdi_task_limits *own = task->limits;
    int64_t begun_ns;
    if (task->process)
        rmdi_process_collect(task->process, ended);
    if (task->placed == RMDI_PLACED_ENDED)
        return;
    bool total = own->total_due_ns <= now;
    bool is_new = task->attempts == (task->placed == RMDI_PLACED_RING);
    if ((total || (is_new && own->queue_due_ns <= now)) && rmdi_process_task_take(task)) {
        rmdi_process_task_end(task, RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT,
                              total ? rmdi_late_in_all : rmdi_late_in_queue, ended);
        return;
    }
    if (rmdi_process_task_runs(task, &begun_ns) && (total || own->run_due_ns <= now)) {
        rmdi_timers_disarm(&task->pool->timers, &own->timer);
        rmdi_process_stop(task->process, task, RMD_OUTCOME_TIMEOUT);
        return;
    }
    rmdi_process_task_arm(task);
}

static void enforce_limits(rmdi_processes *pool)
{
    rmdi_link ended;
    rmdi_list_init(&ended);
    rmdi_lock_enter(&pool->lock);
    for (rmdi_timer *first; (first = rmdi_timers_first(&pool->timers));) {
        int64_t now = rmdi_processes_clock(pool);
        if (first->due_ns > now || pool->suspended)
            break;
        rmdi_task_limits *own = RMDI_CONTAINER(first, rmdi_task_limits, timer);
        at_limit(own->task, now, &ended);
    }
    rmdi_lock_release(&pool->lock);
    rmdi_processes_publish(pool, &ended);
}

static void arm_timer(rmdi_processes *pool)
{
    rmdi_lock_enter(&pool->lock);
    rmdi_timer *first = rmdi_timers_first(&pool->timers);
    int64_t at = INT64_MAX;
    if (first && !pool->suspended && __builtin_add_overflow(first->due_ns, pool->held_ns, &at))
        at = INT64_MAX;
    rmdi_lock_release(&pool->lock);
    rmd_source_set_due(pool->timer, RMD_DEADLINE_AT(at));
}

/* ---- what is new in the rings ---- */

/* With the lock held. True: nothing is, and the workers know that we sleep. */
static bool look_at_rings(rmdi_processes *pool, rmdi_link *ended)
{
    bool quiet = true;
    for (unsigned i = 0; i < pool->pool.workers; i++) {
        rmdi_process *process = &pool->processes[i];
        if (!process->share || process->damaged)
            continue;
        if (rmdi_ring_await(&process->ring, RMDI_AWAITED_BY_KEEPER)) {
            rmdi_process_collect(process, ended);
            quiet = false;
        }
        note_begun(process); /* after we have said that we sleep */
    }
    return quiet;
}

static void take_answers(rmdi_processes *pool)
{
    bool quiet = false;
    while (!quiet) {
        rmdi_link ended;
        rmdi_list_init(&ended);
        rmdi_lock_enter(&pool->lock);
        quiet = look_at_rings(pool, &ended);
        rmdi_processes_go_on(pool);
        rmdi_lock_release(&pool->lock);
        rmdi_processes_publish(pool, &ended);
    }
}

static void look_at_workers(rmdi_processes *pool)
{
    for (unsigned i = 0; i < pool->pool.workers; i++)
        rmdi_process_look(&pool->processes[i]);
}

static void on_bell(rmd_source *source, unsigned events, void *ctx)
{
    rmdi_processes *pool = ctx;
    (void)source;
    (void)events;
    rmdi_poll_event_clear(pool->bell);
    look_at_workers(pool);
    take_answers(pool);
    arm_timer(pool);
}

static void on_timer(rmd_source *source, unsigned events, void *ctx)
{
    rmdi_processes *pool = ctx;
    (void)source;
    (void)events;
    enforce_limits(pool);
    look_at_workers(pool); /* those that are to be ended for it */
    arm_timer(pool);
}

static void on_retry(rmd_source *source, unsigned events, void *ctx)
{
    (void)source;
    (void)events;
    rmdi_processes_keeper_kick(ctx);
}

/* ---- callbacks ---- */

static rmdi_process_task *take_to_call(rmdi_processes *pool)
{
    rmdi_lock_enter(&pool->lock);
    rmdi_link *link = rmdi_list_take_first(&pool->to_call);
    rmdi_process_task *task = link ? RMDI_CONTAINER(link, rmdi_process_task, link) : NULL;
    if (task)
        task->to_call = false;
    rmdi_lock_release(&pool->lock);
    return task;
}

/* ---- suspending ---- */

static void apply_suspension(rmdi_processes *pool)
{
    rmdi_lock_enter(&pool->lock);
    bool stop = pool->suspended;
    if (stop != pool->stopped) {
        int64_t now = rmdi_clock_monotonic_ns();
        for (unsigned i = 0; i < pool->pool.workers; i++)
            if (pool->processes[i].pid)
                rmdi_process_signal(&pool->processes[i], stop ? SIGSTOP : SIGCONT);
        if (!stop)
            pool->held_ns += now - pool->stopped_ns;
        pool->stopped_ns = now;
        pool->stopped = stop;
    }
    rmdi_lock_release(&pool->lock);
}

/* ---- itself ---- */

static void leave(rmdi_processes *pool)
{
    rmdi_template_stop(pool);
    rmd_source_free(pool->bell_source);
    rmd_source_free(pool->timer);
    rmd_source_free(pool->retry);
    rmdi_guard_watch_close(&pool->guard);
    rmdi_lock_enter(&pool->lock);
    pool->gone = true;
    /* No kick is sent from now on, and one that was must not find a pool that is freed. */
    rmdi_loop_unsend(pool->loop, &pool->kick);
    rmdi_condition_notify_all(&pool->changed);
    rmdi_lock_release(&pool->lock);
}

void rmdi_processes_keeper_kick(void *ctx)
{
    rmdi_processes *pool = ctx;
    for (rmdi_process_task *task; (task = take_to_call(pool));)
        rmdi_process_task_conclude(task);
    apply_suspension(pool);
    rmdi_template_revive(pool);
    look_at_workers(pool);
    rmdi_processes_fork(pool);
    take_answers(pool);
    arm_timer(pool);
    rmdi_lock_enter(&pool->lock);
    bool leaving = pool->quit && !pool->unfinished && !pool->gone && rmdi_processes_are_gone(pool);
    rmdi_lock_release(&pool->lock);
    if (leaving)
        leave(pool);
}

void rmdi_processes_keeper_run(void *arg)
{
    rmdi_processes *pool = arg;
    rmd_atomic_store(&pool->keeper_id, rmdi_thread_self(), RMD_RELAXED);
    for (bool gone = false; !gone;) {
        rmd_stop_set(NULL); /* one that a callback has left behind must not keep us awake */
        rmd_loop_turn(pool->loop, RMD_FOREVER);
        rmdi_lock_enter(&pool->lock);
        gone = pool->gone;
        rmdi_lock_release(&pool->lock);
    }
    /* A later thread may get our number. */
    rmd_atomic_store(&pool->keeper_id, 0, RMD_RELAXED);
}

int rmdi_processes_keeper_open(rmdi_processes *pool)
{
    int err = rmd_loop_watch(pool->loop, &pool->bell_source, pool->bell, RMD_READABLE, on_bell,
                             pool);
    if (err == 0)
        err = rmd_loop_timer(pool->loop, &pool->timer, RMD_FOREVER, 0, on_timer, pool);
    if (err == 0)
        err = rmd_loop_timer(pool->loop, &pool->retry, RMD_FOREVER, 0, on_retry, pool);
    if (err == 0)
        err = rmdi_guard_watch_open(&pool->guard, pool->loop);
    if (err == 0)
        err = rmdi_template_start(pool);
    return err; /* what is open goes with the loop */
}
