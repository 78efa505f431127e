/* SPDX-License-Identifier: MIT */
/* The keeper of a processes pool: one thread with a loop, which sees to all that nobody else does.
 */
#include "base/error.h"
#include "base/recorder.h"
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
        int64_t begun_ns, due, now = rmdi_kept_clock(&process->pool->kept);
        unsigned slot = rmdi_ring_slot_at(&process->ring, i);
        rmdi_process_task *task = process->tasks[slot];
        if (!task || !task->limits || !task->limits->limits.run_ms_max ||
            task->limits->run_due_ns != INT64_MAX ||
            !rmdi_ring_has_begun(&process->ring, slot, &begun_ns) || !begun_ns)
            continue;
        int64_t ms = task->limits->limits.run_ms_max;
        if (__builtin_mul_overflow(ms, 1000000, &due) ||
            __builtin_add_overflow(earlier(begun_ns - process->pool->kept.held_ns, now), due, &due))
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
        rmdi_record(RMDI_RECORD_TIME_LIMIT, task->future.id, 0);
        rmdi_process_task_end(task, RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT,
                              total ? rmdi_late_in_all : rmdi_late_in_queue, ended);
        rmdi_processes_go_on(task->pool); /* its place is free */
        return;
    }
    if (rmdi_process_task_runs(task, &begun_ns) && (total || own->run_due_ns <= now)) {
        rmdi_timers_disarm(&task->pool->timers, &own->timer);
        rmdi_record(RMDI_RECORD_TIME_LIMIT, task->future.id, 0);
        rmdi_process_stop(task->process, task, RMD_OUTCOME_TIMEOUT);
        return;
    }
    rmdi_process_task_arm(task);
}

static void enforce_limits(rmdi_processes *pool)
{
    rmdi_link ended;
    rmdi_list_init(&ended);
    rmdi_lock_enter(&pool->kept.lock);
    for (rmdi_timer *first; (first = rmdi_timers_first(&pool->timers));) {
        int64_t now = rmdi_kept_clock(&pool->kept);
        if (first->due_ns > now || pool->kept.suspended)
            break;
        rmdi_task_limits *own = RMDI_CONTAINER(first, rmdi_task_limits, timer);
        at_limit(own->task, now, &ended);
    }
    rmdi_lock_release(&pool->kept.lock);
    rmdi_processes_publish(pool, &ended);
}

static void arm_timer(rmdi_processes *pool)
{
    rmdi_lock_enter(&pool->kept.lock);
    rmdi_timer *first = rmdi_timers_first(&pool->timers);
    int64_t at = first ? rmdi_kept_due_really(&pool->kept, first->due_ns) : INT64_MAX;
    rmdi_lock_release(&pool->kept.lock);
    rmd_source_set_due(pool->timer, RMD_DEADLINE_AT(at));
}

/* ---- what is new in the rings ---- */

/* With the lock held. True: nothing is, and the workers know that we sleep. */
static bool look_at_rings(rmdi_processes *pool, rmdi_link *ended)
{
    bool quiet = true;
    /* Who waits for a place has said so in the rings that were there then. */
    uint32_t what = RMDI_AWAITED_BY_KEEPER | (pool->place_waiters ? RMDI_AWAITED_BEGIN : 0);
    for (unsigned i = 0; i < pool->kept.pool.workers; i++) {
        rmdi_process *process = &pool->processes[i];
        if (!process->share || process->damaged)
            continue;
        if (rmdi_ring_await(&process->ring, what)) {
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
        rmdi_lock_enter(&pool->kept.lock);
        quiet = look_at_rings(pool, &ended);
        rmdi_processes_go_on(pool);
        rmdi_lock_release(&pool->kept.lock);
        rmdi_processes_publish(pool, &ended);
    }
}

static void look_at_workers(rmdi_processes *pool)
{
    for (unsigned i = 0; i < pool->kept.pool.workers; i++)
        rmdi_process_look(&pool->processes[i]);
}

/* A thread that waits for one task after the other takes all answers that it comes by, and while it
 * does so we would be woken for each that it has not taken yet, and find nothing, on a processor
 * that the workers need. So its answers are left to it, and looked for a moment later; meanwhile
 * nobody rings. Not when somebody waits for a place in the queue: that is for us to see. */
enum { LEAVE_US = 100 };

static bool leave_to_waiters(rmdi_processes *pool)
{
    int64_t now = rmdi_clock_monotonic_ns();
    int64_t since = now - rmd_atomic_load(&pool->waited_ns, RMD_RELAXED);
    rmdi_lock_enter(&pool->kept.lock);
    bool leave = since < LEAVE_US * 1000 && !pool->place_waiters;
    rmdi_lock_release(&pool->kept.lock);
    return leave && rmd_source_set_due(pool->leave, RMD_DEADLINE_AT(now + LEAVE_US * 1000)) == 0;
}

static void on_leave(rmd_source *source, unsigned events, void *ctx)
{
    (void)source;
    (void)events;
    take_answers(ctx);
    arm_timer(ctx);
}

static void on_bell(rmd_source *source, unsigned events, void *ctx)
{
    rmdi_processes *pool = ctx;
    (void)source;
    (void)events;
    rmdi_poll_event_clear(pool->bell);
    look_at_workers(pool);
    if (leave_to_waiters(pool))
        return;
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

/* ---- looking anyway ---- */

/* What a task can reach is in its hands: the bell that wakes us, which it may close, put something
 * else over, or read; the words in shared memory that tell who sleeps; the template, which it may
 * stop. So while there is something to do we look now and then, whoever calls. */
enum { LOOK_MS = 500 };

static void arm_look(rmdi_processes *pool)
{
    rmdi_lock_enter(&pool->kept.lock);
    bool arm = (pool->looks || pool->kept.quit) && !pool->looks_soon;
    rmdi_lock_release(&pool->kept.lock);
    if (arm)
        pool->looks_soon = rmd_source_set_due(pool->look, rmd_after_ms(LOOK_MS)) == 0;
}

static void on_look(rmd_source *source, unsigned events, void *ctx)
{
    rmdi_processes *pool = ctx;
    (void)source;
    (void)events;
    pool->looks_soon = false;
    rmdi_lock_enter(&pool->kept.lock);
    for (unsigned i = 0; i < pool->kept.pool.workers; i++)
        if (pool->processes[i].share && (pool->processes[i].busy || pool->kept.quit))
            rmdi_ring_wake_anyway(&pool->processes[i].ring);
    rmdi_lock_release(&pool->kept.lock);
    if (pool->template_pid)
        kill(pool->template_pid, SIGCONT); /* ours and not reaped, so the number is its own */
    look_at_workers(pool);
    take_answers(pool);
    arm_timer(pool);
    rmdi_lock_enter(&pool->kept.lock);
    pool->looks = pool->in_rings || pool->queued;
    rmdi_lock_release(&pool->kept.lock);
    arm_look(pool);
}

static void on_retry(rmd_source *source, unsigned events, void *ctx)
{
    (void)source;
    (void)events;
    rmdi_processes_keeper_kick(ctx);
}

/* ---- itself ---- */

void rmdi_processes_keeper_close(rmdi_processes *pool)
{
    rmdi_template_stop(pool);
    rmd_source_free(pool->bell_source);
    rmd_source_free(pool->timer);
    rmd_source_free(pool->retry);
    rmd_source_free(pool->stderr_source);
    rmd_source_free(pool->look);
    rmd_source_free(pool->leave);
    rmdi_guard_watch_close(&pool->guard);
}

void rmdi_processes_keeper_kick(void *ctx)
{
    rmdi_processes *pool = ctx;
    unsigned called = rmdi_kept_run_callbacks(&pool->kept);
    rmdi_kept_apply_suspension(&pool->kept);
    rmdi_template_revive(pool);
    look_at_workers(pool);
    rmdi_processes_bury(pool);
    rmdi_processes_fork(pool);
    take_answers(pool);
    arm_timer(pool);
    arm_look(pool);
    rmdi_lock_enter(&pool->kept.lock);
    pool->called += called;
    bool leaving = pool->kept.quit && !pool->kept.unfinished && !pool->kept.gone &&
                   rmdi_processes_are_gone(pool);
    rmdi_lock_release(&pool->kept.lock);
    if (!leaving)
        return;
    rmdi_processes_keeper_close(pool);
    rmdi_kept_leave(&pool->kept);
}

int rmdi_processes_keeper_open(rmdi_processes *pool)
{
    int err = rmd_loop_watch(pool->kept.loop, &pool->bell_source, pool->bell, RMD_READABLE, on_bell,
                             pool);
    if (err == 0)
        err = rmd_loop_timer(pool->kept.loop, &pool->timer, RMD_FOREVER, 0, on_timer, pool);
    if (err == 0)
        err = rmd_loop_timer(pool->kept.loop, &pool->retry, RMD_FOREVER, 0, on_retry, pool);
    if (err == 0)
        err = rmd_loop_timer(pool->kept.loop, &pool->look, RMD_FOREVER, 0, on_look, pool);
    if (err == 0)
        err = rmd_loop_timer(pool->kept.loop, &pool->leave, RMD_FOREVER, 0, on_leave, pool);
    if (err == 0)
        err = rmdi_guard_watch_open(&pool->guard, pool->kept.loop);
    if (err == 0)
        err = rmdi_template_start(pool);
    if (err < 0) /* the loop may be the user's, and stay */
        rmdi_processes_keeper_close(pool);
    else /* `look` keeps a run of the loop going as long as there is something to do */
        rmd_source_set_background(pool->bell_source, true);
    return err;
}
