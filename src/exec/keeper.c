/* SPDX-License-Identifier: MIT */
/* The programs pool, as its keeper sees it: starts programs while slots are free, ends
 * them at their limits, looks after the guard and after strays. All of this runs on the
 * loop's thread; what callers share with it is touched under the pool's lock. */
#include "base/error.h"
#include "base/recorder.h"
#include "exec/census.h"
#include "exec/failure.h"
#include "exec/guard.h"
#include "exec/programs.h"
#include "exec/stray.h"
#include "port/clock.h"

#include <signal.h>
#include <stdio.h>

/* A search for strays looks at every process of the machine, so it may take at most a
 * hundredth of the time. */
enum { SWEEP_SHARE = 100 };
static const int64_t sweep_pause_ns = INT64_C(50) * 1000 * 1000;

/* Below these, the two calls for each pipe of a program are worth sparing; and half of what a
 * pipe holds would not make the program wait for us. */
enum { QUICK_BYTES = 32 * 1024 };
static const int64_t quick_ns = INT64_C(10) * 1000 * 1000;

static void dispatch(rmdi_programs *pool);

/* ---- the end of a task ---- */

/* With everything published: runs the callbacks and lets go of the pool's reference. */
static void conclude(rmdi_task *task)
{
    rmdi_kept *kept = &task->pool->kept;
    rmdi_future_call_back(&task->future);
    rmdi_future_drop(&task->future); /* the pool itself outlives it: drain waits for us */
    rmdi_kept_finished(kept, 1);
}

static void fill_account(rmdi_task *task, rmd_exit *account)
{
    rmdi_attempt *attempt = &task->attempt;
    account->outcome = attempt->outcome;
    account->error = attempt->error;
    account->detail = attempt->detail;
    account->status = attempt->end.status;
    account->signal = attempt->end.signal;
    account->usage = attempt->end.usage;
    account->attempts = task->attempts;
    account->pid = attempt->pid;
    account->started_ns = attempt->started_ns;
    account->started_realtime_ns = attempt->started_realtime_ns;
    account->executed_ns = attempt->executed_ns;
    account->exited_ns = attempt->exited_ns;
    account->ended_ns = attempt->ended_ns;
    account->out_bytes = attempt->spools[RMD_STDOUT].total;
    account->err_bytes = attempt->spools[RMD_STDERR].total;
    rmdi_spool_complete(&attempt->spools[RMD_STDOUT]);
    account->err_tail = rmdi_spool_tail(&attempt->spools[RMD_STDERR], &task->tail);
}

/* A running task has come to its end, whether its program ran or not. */
static void end_running(rmdi_task *task)
{
    rmdi_programs *pool = task->pool;
    fill_account(task, &task->account);
    rmdi_lock_enter(&pool->kept.lock);
    rmdi_list_remove(&task->link);
    pool->census.running--;
    rmdi_census_add(&pool->census, task->attempt.outcome);
    task->state = RMDI_TASK_ENDED;
    rmdi_task_arm(task);
    const rmd_limits *limits = &task->command.limits;
    pool->timers_needed -= limits->queue_ms_max || limits->run_ms_max || limits->total_ms_max;
    rmdi_lock_release(&pool->kept.lock);
    rmdi_task_publish_end(task);
    conclude(task);
}

/* Ends a queued task for a reason that the keeper has found. With the lock held, which
 * is released. */
static void end_queued(rmdi_task *task, rmd_outcome outcome, int error, const char *detail)
{
    rmdi_task_end_queued(task, outcome, error, detail);
    rmdi_lock_release(&task->pool->kept.lock);
    rmdi_task_publish_end(task);
    conclude(task);
}

/* Back to the head of the queue: for another attempt, or for a better moment. With the
 * lock held: from its release on, somebody may cancel the task and look at it. */
static void requeue(rmdi_task *task)
{
    rmdi_programs *pool = task->pool;
    rmdi_attempt_free(&task->attempt);
    rmdi_list_remove(&task->link);
    rmdi_list_prepend(&pool->queue, &task->link);
    pool->census.running--;
    pool->census.queued++;
    task->state = RMDI_TASK_QUEUED;
    rmdi_record(RMDI_RECORD_RETRY, task->future.id, task->attempts + 1);
    rmdi_future_unclaim(&task->future);
    task->run_due_ns = INT64_MAX;
    rmdi_task_arm(task);
}

/* Not through the future's own account: a task that is cancelled before its next attempt is
 * told as one that does not run. */
static void tell_attempt(rmdi_task *task)
{
    const rmdi_command *command = &task->command;
    if (!command->on_attempt)
        return;
    rmd_exit account = { .submitted_ns = task->account.submitted_ns };
    fill_account(task, &account);
    command->on_attempt(command->ctx, &account);
}

static bool try_again(rmdi_task *task)
{
    rmdi_programs *pool = task->pool;
    rmd_outcome outcome = task->attempt.outcome;
    bool failed = outcome == RMD_OUTCOME_FAILED || outcome == RMD_OUTCOME_TIMEOUT;
    if (!failed || task->attempts >= task->command.limits.attempts_max)
        return false;
    rmdi_lock_enter(&pool->kept.lock);
    bool again = !task->cancel_wanted && rmdi_kept_clock(&pool->kept) < task->total_due_ns;
    rmdi_lock_release(&pool->kept.lock);
    if (!again)
        return false;
    tell_attempt(task); /* while its outputs are still there */
    rmdi_lock_enter(&pool->kept.lock);
    requeue(task);
    if (task->cancel_wanted) /* meanwhile; releases the lock */
        end_queued(task, RMD_OUTCOME_CANCELLED, RMD_ECANCELED, "cancelled before its next attempt");
    else
        rmdi_lock_release(&pool->kept.lock);
    return true;
}

static void plan_sweep(rmdi_programs *pool)
{
    if (pool->sweep_wanted)
        return;
    pool->sweep_wanted = true;
    int64_t at = rmdi_clock_monotonic_ns() + sweep_pause_ns;
    at = at < pool->sweep_not_before_ns ? pool->sweep_not_before_ns : at;
    rmd_source_set_due(pool->sweep, RMD_DEADLINE_AT(at));
}

static bool was_quick(const rmdi_attempt *attempt)
{
    uint64_t written = attempt->spools[RMD_STDOUT].total + attempt->spools[RMD_STDERR].total;
    return attempt->ended_ns - attempt->started_ns < quick_ns && written <= QUICK_BYTES;
}

static void on_attempt_ended(void *ctx, rmdi_attempt *attempt)
{
    rmdi_task *task = ctx;
    rmdi_programs *pool = task->pool;
    rmdi_record(RMDI_RECORD_PROGRAM_END, task->future.id, attempt->outcome);
    pool->starved = false;
    pool->host.quick = was_quick(attempt);
    if (attempt->stop == RMDI_STOP_NONE)
        plan_sweep(pool);
    if (!try_again(task))
        end_running(task);
    dispatch(pool);
}

/* ---- starting ---- */

/* The next task that may start, moved to `running`; NULL when there is none. */
static rmdi_task *take_task(rmdi_programs *pool)
{
    rmdi_task *task = NULL;
    rmdi_lock_enter(&pool->kept.lock);
    if (!pool->kept.suspended && !pool->starved && pool->census.running < pool->kept.pool.workers &&
        !rmdi_list_empty(&pool->queue)) {
        task = RMDI_CONTAINER(rmdi_list_take_first(&pool->queue), rmdi_task, link);
        rmdi_list_append(&pool->running, &task->link);
        pool->census.queued--;
        pool->census.running++;
        task->state = RMDI_TASK_RUNNING;
        rmdi_future_claim(&task->future, false); /* for rmd_future_state() */
        rmdi_task_arm(task);                     /* the limit of its waiting is over */
        rmdi_condition_notify_all(&pool->kept.place);
    }
    rmdi_lock_release(&pool->kept.lock);
    return task;
}

/* The system has no room for one more program now; others of ours run, and when one of
 * them ends there will be. */
static bool wait_for_better_moment(rmdi_task *task, int err)
{
    rmdi_programs *pool = task->pool;
    if (err != RMD_EAGAIN && err != RMD_EMFILE && err != RMD_ENOMEM && err != RMD_EFULL)
        return false;
    rmdi_lock_enter(&pool->kept.lock);
    bool others = pool->census.running > 1 && !task->cancel_wanted;
    if (others) {
        task->attempts--; /* before it is queued: it may not have been started at all yet */
        requeue(task);
        pool->starved = true;
    }
    rmdi_lock_release(&pool->kept.lock);
    return others;
}

static void start(rmdi_task *task)
{
    rmdi_programs *pool = task->pool;
    rmdi_attempt_init(&task->attempt, &pool->host, &task->command, task, ++task->attempts);
    int err = rmdi_guard_watch_ensure(&pool->guard);
    err = err < 0 ? rmdi_attempt_refuse(&task->attempt, err) : rmdi_attempt_start(&task->attempt);
    if (err < 0) {
        if (task->attempt.started || !wait_for_better_moment(task, err))
            end_running(task);
        return;
    }
    rmdi_record(RMDI_RECORD_PROGRAM_BEGIN, task->future.id, (uint64_t)task->attempt.pid);
    tell_attempt(task);
    if (!task->command.limits.run_ms_max)
        return;
    rmdi_lock_enter(&pool->kept.lock);
    task->run_due_ns = rmdi_kept_due(&pool->kept, task->command.limits.run_ms_max);
    rmdi_task_arm(task);
    rmdi_lock_release(&pool->kept.lock);
}

/* Sets the loop's timer to the nearest limit of all tasks. */
static void arm_timer(rmdi_programs *pool)
{
    rmdi_lock_enter(&pool->kept.lock);
    rmdi_timer *first = rmdi_timers_first(&pool->timers);
    int64_t at = first ? rmdi_kept_due_really(&pool->kept, first->due_ns) : INT64_MAX;
    rmdi_lock_release(&pool->kept.lock);
    rmd_source_set_due(pool->timer, RMD_DEADLINE_AT(at));
}

static void dispatch(rmdi_programs *pool)
{
    for (rmdi_task *task; (task = take_task(pool));)
        start(task);
    arm_timer(pool);
}

/* ---- limits ---- */

static void at_limit(rmdi_task *task, int64_t now)
{
    rmdi_programs *pool = task->pool;
    rmdi_record(RMDI_RECORD_TIME_LIMIT, task->future.id, 0);
    if (task->state == RMDI_TASK_QUEUED) {
        bool total = task->total_due_ns <= now;
        end_queued(task, RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT,
                   total ? rmdi_late_in_all : rmdi_late_in_queue);
        return;
    }
    rmdi_timers_disarm(&pool->timers, &task->timer);
    rmdi_lock_release(&pool->kept.lock);
    rmdi_attempt_stop(&task->attempt, RMDI_STOP_TIMEOUT);
}

static void on_timer(rmd_source *source, unsigned events, void *ctx)
{
    rmdi_programs *pool = ctx;
    (void)source;
    (void)events;
    for (;;) {
        rmdi_lock_enter(&pool->kept.lock);
        rmdi_timer *first = rmdi_timers_first(&pool->timers);
        int64_t now = rmdi_kept_clock(&pool->kept);
        if (!first || first->due_ns > now || pool->kept.suspended)
            break;
        at_limit(RMDI_CONTAINER(first, rmdi_task, timer), now); /* releases the lock */
    }
    rmdi_lock_release(&pool->kept.lock);
    dispatch(pool);
}

/* ---- strays ---- */

static bool sweep(rmdi_programs *pool)
{
    rmdi_stray_search search = { .instance = rmdi_guard_instance(), .alive = rmdi_guard_is_listed };
    pool->sweep_wanted = false;
    int64_t begin = rmdi_clock_monotonic_ns();
    rmdi_strays_kill(&search);
    int64_t end = rmdi_clock_monotonic_ns();
    pool->sweep_not_before_ns = end + (end - begin) * SWEEP_SHARE;
    return !search.incomplete;
}

static void on_sweep(rmd_source *source, unsigned events, void *ctx)
{
    (void)source;
    (void)events;
    if (!sweep(ctx))
        plan_sweep(ctx); /* without descriptors there is nothing to be seen: later */
}

/* ---- the keeper itself ---- */

static int open_timer(rmdi_programs *pool, rmd_source **timer, rmd_source_fn *fn)
{
    int err = rmd_loop_timer(pool->kept.loop, timer, RMD_FOREVER, 0, fn, pool);
    if (err == 0) /* what it serves keeps a run going, not the timer */
        rmd_source_set_background(*timer, true);
    return err;
}

int rmdi_keeper_open(rmdi_programs *pool)
{
    pool->host.ended = on_attempt_ended;
    int err = rmdi_loop_ready_later(pool->kept.loop);
    if (err == 0)
        err = open_timer(pool, &pool->timer, on_timer);
    if (err == 0)
        err = open_timer(pool, &pool->sweep, on_sweep);
    if (err == 0)
        err = rmdi_guard_watch_open(&pool->guard, pool->kept.loop);
    if (err < 0) {
        rmd_source_free(pool->timer);
        rmd_source_free(pool->sweep);
    }
    return err;
}

static void leave(rmdi_programs *pool)
{
    if (pool->sweep_wanted)
        sweep(pool);
    rmd_source_free(pool->timer);
    rmd_source_free(pool->sweep);
    rmdi_guard_watch_close(&pool->guard);
    rmdi_kept_leave(&pool->kept);
}

static void stop_cancelled(rmdi_programs *pool)
{
    /* A stop changes no list: the end of the attempt comes later, from the loop. */
    rmdi_lock_enter(&pool->kept.lock);
    for (rmdi_link *l = pool->running.next; l != &pool->running; l = l->next) {
        rmdi_task *task = RMDI_CONTAINER(l, rmdi_task, link);
        if (task->cancel_wanted)
            rmdi_attempt_stop(&task->attempt, RMDI_STOP_CANCEL);
    }
    rmdi_lock_release(&pool->kept.lock);
}

void rmdi_keeper_kick(void *ctx)
{
    rmdi_programs *pool = ctx;
    rmdi_kept_run_callbacks(&pool->kept);
    rmdi_kept_apply_suspension(&pool->kept);
    stop_cancelled(pool);
    dispatch(pool);
    rmdi_lock_enter(&pool->kept.lock);
    bool leaving = pool->kept.quit && !pool->kept.unfinished && !pool->kept.gone;
    rmdi_lock_release(&pool->kept.lock);
    if (leaving)
        leave(pool);
}
