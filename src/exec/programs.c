/* SPDX-License-Identifier: MIT */
/* The programs pool, as its callers see it.
 *
 * A task is QUEUED, RUNNING, then ENDED; the pool's lock guards these changes, the
 * census with them. Everything that touches a running program happens on the keeper's
 * thread, which is told by a kick. A callback never runs under the lock.
 *
 * A task's end is published before its callbacks are put in the keeper's hands, and
 * `unfinished` counts it until they have run: so when the pool is drained nothing of
 * any task is still under way. */
#include "exec/programs.h"

#include "base/alloc.h"
#include "base/error.h"
#include "exec/attempt_id.h"
#include "exec/census.h"
#include "exec/environment.h"
#include "exec/failure.h"
#include "exec/guard.h"
#include "port/clock.h"
#include "port/fd.h"
#include "port/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <remuda/stop.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const rmdi_future_ops future_ops;

static rmdi_programs *of_pool(rmd_pool *pool)
{
    return (rmdi_programs *)(void *)pool;
}

static rmdi_task *of_future(const rmd_future *future)
{
    return RMDI_CONTAINER(future, rmdi_task, future);
}

/* ---- opening and freeing ---- */

static void free_memory(rmdi_programs *pool)
{
    if (pool->own_loop)
        rmd_loop_free(pool->loop); /* NULL when it was drained */
    if (pool->host.spill)
        rmdi_spill_drop(pool->host.spill);
    rmdi_free(pool->host.envp);
    rmdi_free(pool->host.outer_id);
    rmdi_free(pool->host.scratch);
    rmdi_path_forget(&pool->programs);
    rmdi_fd_close(&pool->host.null);
    rmdi_timers_free(&pool->timers);
    rmdi_free(pool);
}

static void drop(rmdi_programs *pool)
{
    if (rmd_atomic_sub(&pool->refs, 1, RMD_ACQ_REL) == 1)
        free_memory(pool);
}

static int open_host(rmdi_programs *pool, const rmd_pool_options *options)
{
    rmdi_attempt_host *host = &pool->host;
    host->loop = pool->loop;
    host->programs = &pool->programs;
    host->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (host->null < 0)
        return rmdi_fail_errno(errno, "/dev/null");
    host->envp = rmdi_strings_copy((const char *const *)environ);
    host->scratch = rmdi_alloc(RMDI_READ_MAX);
    const char *outer = rmdi_attempt_id_outer(rmdi_env_get(host->envp, RMDI_ATTEMPT_ID_NAME));
    host->outer_id = outer ? rmdi_strdup(outer) : NULL;
    if (!host->envp || !host->scratch || (outer && !host->outer_id))
        return rmdi_fail_memory();
    return rmdi_spill_open(&host->spill, options->temporary_dir, options->capture_bytes_max);
}

static void run_keeper(void *arg)
{
    rmdi_programs *pool = arg;
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

/* Are we inside a callback of the pool? Its own loop is asked nothing: another thread may
 * be freeing it. */
static bool on_keeper(rmdi_programs *pool)
{
    if (pool->own_loop) /* relaxed: only our own thread can have stored our number */
        return rmd_atomic_load(&pool->keeper_id, RMD_RELAXED) == rmdi_thread_self();
    return rmdi_loop_is_here(pool->loop);
}

/* Is it for the calling thread to turn the loop, so that anything can happen? */
static bool must_turn(rmdi_programs *pool)
{
    return !pool->own_loop && rmdi_loop_is_mine(pool->loop);
}

/* Turns the caller's own loop once. RMD_ETIMEDOUT when the deadline has passed then, even if
 * there is always something to do. */
static int turn_once(rmd_loop *loop, rmd_deadline deadline)
{
    int ran = rmd_loop_turn(loop, deadline);
    if (ran < 0)
        return ran;
    return rmd_deadline_passed(deadline) ? RMD_ETIMEDOUT : 0;
}

static int open_parts(rmdi_programs *pool, const rmd_pool_options *options)
{
    int err = 0;
    if (pool->own_loop)
        err = rmd_loop_open(&pool->loop);
    if (err == 0)
        err = open_host(pool, options);
    if (err == 0)
        err = rmdi_guard_hold();
    if (err < 0)
        return err;
    err = rmdi_keeper_open(pool);
    if (err == 0 && pool->own_loop)
        err = rmdi_thread_start(&pool->keeper, run_keeper, pool, options->name);
    if (err < 0)
        rmdi_guard_drop();
    return err;
}

static int programs_open(rmd_pool **out, const rmdi_pool_request *request)
{
    if (rmdi_child_ends_are_dropped())
        return rmdi_fail(RMD_EINVAL, "SIGCHLD is ignored, so the ends of programs cannot be "
                                     "known: set it to SIG_DFL or handle it");
    rmdi_programs *pool = rmdi_alloc_zeroed(sizeof *pool);
    if (!pool)
        return rmdi_fail_memory();
    pool->pool.ops = &rmdi_programs_ops;
    pool->pool.workers = request->workers;
    pool->pool.process = request->process;
    pool->queue_max = request->options.queue_max;
    pool->loop = request->options.loop;
    pool->own_loop = !pool->loop;
    pool->host.null = -1;
    rmd_atomic_init(&pool->refs, 1);
    rmdi_list_init(&pool->queue);
    rmdi_list_init(&pool->running);
    rmdi_list_init(&pool->to_call);
    rmdi_post_init(&pool->kick, rmdi_keeper_kick, pool);
    int err = open_parts(pool, &request->options);
    if (err < 0) {
        free_memory(pool);
        return err;
    }
    *out = &pool->pool;
    return 0;
}

static int programs_free(rmd_pool *base)
{
    rmdi_programs *pool = of_pool(base);
    rmdi_lock_enter(&pool->lock);
    bool drained = pool->drained;
    rmdi_lock_release(&pool->lock);
    if (!drained)
        return rmdi_fail(RMD_EBUSY, "the pool is not drained");
    drop(pool);
    return 0;
}

/* ---- the state of tasks: with the lock held ---- */

void rmdi_programs_kick(rmdi_programs *pool)
{
    if (!pool->gone)
        rmdi_loop_send(pool->loop, &pool->kick);
}

int64_t rmdi_programs_clock(const rmdi_programs *pool)
{
    return (pool->stopped ? pool->stopped_ns : rmdi_clock_monotonic_ns()) - pool->held_ns;
}

int64_t rmdi_programs_due(const rmdi_programs *pool, int64_t ms)
{
    int64_t ns, due;
    if (!ms || __builtin_mul_overflow(ms, 1000000, &ns) ||
        __builtin_add_overflow(rmdi_programs_clock(pool), ns, &due))
        return INT64_MAX;
    return due;
}

bool rmdi_task_arm(rmdi_task *task)
{
    int64_t nearest = task->total_due_ns;
    if (task->state == RMDI_TASK_QUEUED && !task->attempts && task->queue_due_ns < nearest)
        nearest = task->queue_due_ns;
    if (task->state == RMDI_TASK_RUNNING && task->run_due_ns < nearest)
        nearest = task->run_due_ns;
    if (task->state == RMDI_TASK_ENDED || nearest == INT64_MAX) {
        rmdi_timers_disarm(&task->pool->timers, &task->timer);
        return false;
    }
    rmdi_timers_arm(&task->pool->timers, &task->timer, nearest);
    return true;
}

static bool has_limits(const rmdi_task *task)
{
    const rmd_limits *limits = &task->command.limits;
    return limits->queue_ms_max || limits->run_ms_max || limits->total_ms_max;
}

void rmdi_task_end_queued(rmdi_task *task, rmd_outcome outcome, int error, const char *detail)
{
    rmdi_programs *pool = task->pool;
    rmd_exit *account = &task->account;
    rmdi_list_remove(&task->link);
    pool->census.queued--;
    rmdi_census_add(&pool->census, outcome);
    task->state = RMDI_TASK_ENDED;
    rmdi_task_arm(task);
    pool->timers_needed -= has_limits(task);
    account->outcome = outcome;
    account->error = error;
    snprintf(task->attempt.detail, sizeof task->attempt.detail, "%s", detail);
    account->detail = task->attempt.detail;
    account->attempts = task->attempts;
    account->ended_ns = rmdi_clock_monotonic_ns();
    rmdi_condition_notify_all(&pool->place);
}

void rmdi_task_call_later(rmdi_task *task)
{
    if (task->to_call)
        return;
    task->to_call = true;
    rmdi_list_append(&task->pool->to_call, &task->link);
    rmdi_programs_kick(task->pool);
}

/* ---- waiting ---- */

/* Waits, with the lock held, which is released and taken again meanwhile, until done() holds
 * under it: by turning the loop if that is ours to do, else parked on the
 * condition. (When the keeper is gone
 * the loop tells nothing about the pool any more.) 0, RMD_ETIMEDOUT, RMD_ECANCELED. */
static int wait_locked(rmdi_programs *pool, rmdi_condition *condition,
                       bool (*done)(const rmdi_programs *), rmd_deadline deadline)
{
    int err = 0;
    while (!done(pool) && err == 0) {
        if (pool->gone || !must_turn(pool)) {
            err = rmdi_condition_wait(condition, &pool->lock, deadline);
            continue;
        }
        rmdi_lock_release(&pool->lock);
        err = turn_once(pool->loop, deadline);
        rmdi_lock_enter(&pool->lock);
    }
    return done(pool) ? 0 : err;
}

static int wait_until(rmdi_programs *pool, bool (*done)(const rmdi_programs *),
                      rmd_deadline deadline)
{
    rmdi_lock_enter(&pool->lock);
    int err = wait_locked(pool, &pool->changed, done, deadline);
    rmdi_lock_release(&pool->lock);
    return err;
}

/* Whatever the thread's stop token says: for what must not be left half done. */
static void wait_for_good(rmdi_programs *pool, bool (*done)(const rmdi_programs *))
{
    rmd_stop *before = rmd_stop_set(NULL);
    wait_until(pool, done, RMD_FOREVER);
    rmd_stop_set(before);
}

/* ---- submitting ---- */

static void destroy(rmd_future *future)
{
    rmdi_task *task = of_future(future);
    rmdi_programs *pool = task->pool;
    rmdi_attempt_free(&task->attempt);
    rmdi_buffer_free(&task->tail);
    rmdi_command_free(&task->command);
    rmdi_free(task);
    drop(pool);
}

static int new_task(rmdi_programs *pool, const rmd_command *command, rmdi_task **out)
{
    rmdi_task *task = rmdi_alloc_zeroed(sizeof *task);
    if (!task)
        return rmdi_fail_memory();
    int err = rmdi_command_copy(&task->command, command);
    if (err < 0) {
        rmdi_free(task);
        return err;
    }
    rmd_atomic_add(&pool->refs, 1, RMD_RELAXED);
    /* The keeper will come by for the callbacks of each. */
    rmdi_future_init(&task->future, &future_ops, rmdi_future_next_ids(1), 2, RMDI_FUTURE_ROUND);
    task->pool = pool;
    task->account =
        (rmd_exit){ .detail = "", .status = -1, .submitted_ns = rmdi_clock_monotonic_ns() };
    rmdi_list_init(&task->link);
    *out = task;
    return 0;
}

static bool has_place(const rmdi_programs *pool)
{
    return pool->closed || pool->census.queued < pool->queue_max;
}

/* Waits for a place, with the lock held. */
static int wait_for_place(rmdi_programs *pool, int64_t full_ms)
{
    if (has_place(pool))
        return 0;
    if (full_ms < 0)
        return rmdi_fail(RMD_EFULL, "%u tasks are queued", pool->queue_max);
    if (on_keeper(pool))
        return rmdi_fail(RMD_EFULL, "%u tasks are queued, and a callback must not wait",
                         pool->queue_max);
    rmd_deadline deadline = full_ms == 0 ? RMD_FOREVER : rmd_after_ms(full_ms);
    int err = wait_locked(pool, &pool->place, has_place, deadline);
    if (err == RMD_ETIMEDOUT)
        return rmdi_fail(RMD_EFULL, "%u tasks are queued, and none of them was started in time",
                         pool->queue_max);
    if (err == RMD_ECANCELED)
        return rmdi_fail(err, "%u tasks are queued", pool->queue_max);
    return err;
}

/* With the lock held. */
static int enqueue(rmdi_programs *pool, rmdi_task *task, int64_t full_ms)
{
    const rmd_limits *limits = &task->command.limits;
    task->queue_due_ns = rmdi_programs_due(pool, limits->queue_ms_max);
    task->total_due_ns = rmdi_programs_due(pool, limits->total_ms_max);
    task->run_due_ns = INT64_MAX;
    int err = wait_for_place(pool, full_ms);
    if (err < 0)
        return err;
    if (pool->closed)
        return rmdi_fail(RMD_ECLOSED, "the pool takes no more commands");
    if (has_limits(task)) { /* room for all timers, so that arming one cannot fail */
        err = rmdi_timers_reserve(&pool->timers, pool->timers_needed + 1);
        if (err < 0)
            return err;
        pool->timers_needed++;
    }
    rmdi_list_append(&pool->queue, &task->link);
    pool->census.submitted++;
    pool->census.queued++;
    pool->unfinished++;
    rmdi_task_arm(task);
    return 0;
}

static int programs_exec(rmd_pool *base, rmd_future **future, const rmd_command *command)
{
    rmdi_programs *pool = of_pool(base);
    rmdi_task *task = NULL;
    int err = rmdi_group_check(command->group);
    if (err == 0)
        err = new_task(pool, command, &task);
    if (err < 0)
        return err;
    rmdi_lock_enter(&pool->lock);
    err = enqueue(pool, task, command->full_ms);
    /* Into its group before the lock is released: the keeper might end it at once. */
    if (err == 0 && command->group)
        rmdi_group_enter(command->group, &task->future);
    if (err == 0)
        rmdi_programs_kick(pool);
    rmdi_lock_release(&pool->lock);
    if (err < 0) {
        rmdi_future_drop(&task->future);
        rmdi_future_drop(&task->future);
        return err;
    }
    if (future)
        *future = &task->future;
    else
        rmdi_future_drop(&task->future);
    return 0;
}

/* ---- what futures can do ---- */

void rmdi_task_publish_end(rmdi_task *task)
{
    const rmd_exit *account = &task->account;
    bool round = rmdi_future_end(&task->future, account->outcome, account->error);
    (void)round; /* it will come in any case */
}

static uint64_t future_process(const rmd_future *future)
{
    return of_future(future)->pool->pool.process;
}

static void *future_ctx(const rmd_future *future)
{
    return of_future(future)->command.ctx;
}

static const char *future_name(const rmd_future *future)
{
    return of_future(future)->command.name;
}

static void future_describe(const rmd_future *future, rmd_failure *failure)
{
    const rmdi_task *task = of_future(future);
    failure->detail = task->account.detail;
    failure->attempt = task->account.attempts;
}

static const rmd_exit *future_exit(const rmd_future *future)
{
    return &of_future(future)->account;
}

static int future_cancel(rmd_future *future)
{
    rmdi_task *task = of_future(future);
    rmdi_programs *pool = task->pool;
    rmdi_lock_enter(&pool->lock);
    rmdi_task_state before = task->state;
    if (before == RMDI_TASK_QUEUED)
        rmdi_task_end_queued(task, RMD_OUTCOME_CANCELLED, RMD_ECANCELED, rmdi_cancelled_unstarted);
    else if (before == RMDI_TASK_RUNNING)
        task->cancel_wanted = true;
    rmdi_programs_kick(pool);
    rmdi_lock_release(&pool->lock);
    if (before == RMDI_TASK_ENDED)
        return rmdi_fail(RMD_ETOOLATE, "task %llu has ended", (unsigned long long)future->id);
    if (before == RMDI_TASK_QUEUED) {
        rmdi_task_publish_end(task);
        rmdi_lock_enter(&pool->lock);
        rmdi_task_call_later(task);
        rmdi_lock_release(&pool->lock);
    }
    return 0;
}

static bool future_call_later(rmd_future *future)
{
    rmdi_task *task = of_future(future);
    rmdi_programs *pool = task->pool;
    rmdi_lock_enter(&pool->lock);
    bool there = !pool->gone;
    if (there && !task->to_call) {
        rmdi_future_hold(future); /* the keeper drops it after the call */
        pool->unfinished++;
        rmdi_task_call_later(task);
    }
    rmdi_lock_release(&pool->lock);
    return there;
}

static int future_how_to_wait(const rmd_future *future)
{
    rmdi_programs *pool = of_future(future)->pool;
    if (on_keeper(pool))
        return rmdi_fail(RMD_EDEADLK, "a callback of the pool waits for a task of the pool");
    return must_turn(pool) ? 0 : RMD_EAGAIN;
}

static int future_turn(const rmd_future *future, rmd_deadline deadline)
{
    return turn_once(of_future(future)->pool->loop, deadline);
}

static rmd_loop *future_loop(const rmd_future *future)
{
    return of_future(future)->pool->loop;
}

static int64_t future_read(const rmd_future *future, int stream, uint64_t offset, void *buffer,
                           size_t len)
{
    const rmdi_task *task = of_future(future);
    if (task->command.streams[stream].kind != RMD_STREAM_CAPTURE)
        return rmdi_fail(RMD_EINVAL, "stream %d of \"%s\" was not captured", stream,
                         task->command.name);
    return rmdi_spool_read(&task->attempt.spools[stream], offset, buffer, len);
}

static const rmdi_future_ops future_ops = {
    .process = future_process,
    .cancel = future_cancel,
    .call_later = future_call_later,
    .how_to_wait = future_how_to_wait,
    .turn = future_turn,
    .loop = future_loop,
    .ctx = future_ctx,
    .name = future_name,
    .describe = future_describe,
    .exit = future_exit,
    .read = future_read,
    .destroy = destroy,
};

/* ---- the end of the pool ---- */

static void programs_close(rmd_pool *base)
{
    rmdi_programs *pool = of_pool(base);
    rmdi_lock_enter(&pool->lock);
    pool->closed = true;
    rmdi_condition_notify_all(&pool->place); /* who waits for one gets RMD_ECLOSED */
    rmdi_programs_kick(pool);                /* also who turns the loop meanwhile */
    rmdi_lock_release(&pool->lock);
}

static void programs_cancel(rmd_pool *base, bool queued_only)
{
    rmdi_programs *pool = of_pool(base);
    rmdi_link ended;
    rmdi_list_init(&ended);
    rmdi_lock_enter(&pool->lock);
    while (!rmdi_list_empty(&pool->queue)) {
        rmdi_task *task = RMDI_CONTAINER(pool->queue.next, rmdi_task, link);
        rmdi_task_end_queued(task, RMD_OUTCOME_CANCELLED, RMD_ECANCELED, rmdi_cancelled_unstarted);
        rmdi_list_append(&ended, &task->link);
    }
    for (rmdi_link *l = pool->running.next; !queued_only && l != &pool->running; l = l->next)
        RMDI_CONTAINER(l, rmdi_task, link)->cancel_wanted = true;
    rmdi_programs_kick(pool);
    rmdi_lock_release(&pool->lock);
    for (rmdi_link *link; (link = rmdi_list_take_first(&ended));) {
        rmdi_task *task = RMDI_CONTAINER(link, rmdi_task, link);
        rmdi_task_publish_end(task);
        rmdi_lock_enter(&pool->lock);
        rmdi_task_call_later(task);
        rmdi_lock_release(&pool->lock);
    }
}

static bool is_finished(const rmdi_programs *pool)
{
    return pool->unfinished == 0;
}

static bool is_gone(const rmdi_programs *pool)
{
    return pool->gone;
}

static bool may_drain(const rmdi_programs *pool)
{
    return !pool->draining || pool->drained;
}

/* Only one thread takes the pool down; another one in drain waits for it. *ours: it is this
 * one, and the pool is not drained yet. RMD_ETIMEDOUT: another one still does. */
static int begin_draining(rmdi_programs *pool, rmd_deadline deadline, bool *ours)
{
    rmdi_lock_enter(&pool->lock);
    int err = wait_locked(pool, &pool->changed, may_drain, deadline);
    *ours = err == 0 && !pool->drained;
    if (*ours)
        pool->draining = true;
    rmdi_lock_release(&pool->lock);
    return err;
}

static void end_draining(rmdi_programs *pool, bool drained)
{
    rmdi_lock_enter(&pool->lock);
    pool->draining = false;
    pool->drained = drained;
    rmdi_condition_notify_all(&pool->changed);
    rmdi_programs_kick(pool); /* for who turns the loop meanwhile */
    rmdi_lock_release(&pool->lock);
}

/* All work has ended: lets the keeper, the guard and the temporary file go. */
static void dismiss_keeper(rmdi_programs *pool)
{
    rmdi_lock_enter(&pool->lock);
    pool->quit = true;
    rmdi_programs_kick(pool);
    rmdi_lock_release(&pool->lock);
    wait_for_good(pool, is_gone);
    if (pool->own_loop) { /* `gone` was set: nobody looks at it any more */
        rmdi_thread_join(&pool->keeper, RMD_FOREVER);
        rmd_loop_free(pool->loop);
        pool->loop = NULL;
    }
    rmdi_guard_drop();
    rmdi_fd_close(&pool->host.null);
    rmdi_spill_drop(pool->host.spill); /* outputs that are still held hold it, too */
    pool->host.spill = NULL;
}

static int refuse_callback(rmdi_programs *pool)
{
    if (on_keeper(pool))
        return rmdi_fail(RMD_EDEADLK, "a callback of the pool waits for the pool's end");
    return 0;
}

/* Waits for the end of all work; at the deadline, or when the caller is told to stop, what is left
 * is cancelled and waited for, as long as the kill ladders take. */
static int finish(rmdi_programs *pool, rmd_deadline deadline)
{
    int err = wait_until(pool, is_finished, deadline);
    if (err == 0)
        return 0;
    programs_cancel(&pool->pool, false);
    wait_for_good(pool, is_finished);
    return err;
}

static int programs_drain(rmd_pool *base, rmd_deadline deadline)
{
    rmdi_programs *pool = of_pool(base);
    bool ours;
    int err = refuse_callback(pool);
    if (err < 0)
        return err;
    programs_close(base);
    err = begin_draining(pool, deadline, &ours);
    if (err < 0) { /* another thread is patient, we are not */
        programs_cancel(base, false);
        rmd_stop *before = rmd_stop_set(NULL); /* it is drained when we return */
        begin_draining(pool, RMD_FOREVER, &ours);
        rmd_stop_set(before);
    }
    if (ours) {
        int late = finish(pool, deadline);
        err = err < 0 ? err : late;
        dismiss_keeper(pool);
        end_draining(pool, true);
    }
    return err == 0 ? 0 : rmdi_fail(err, "what had not ended at the deadline was cancelled");
}

static int programs_abort(rmd_pool *base, rmd_deadline deadline)
{
    rmdi_programs *pool = of_pool(base);
    bool ours;
    int err = refuse_callback(pool);
    if (err < 0)
        return err;
    programs_close(base);
    programs_cancel(base, false);
    err = begin_draining(pool, deadline, &ours);
    if (err == 0 && ours) {
        err = wait_until(pool, is_finished, deadline);
        if (err == 0)
            dismiss_keeper(pool);
        end_draining(pool, err == 0);
    }
    return err == 0 ? 0 : rmdi_fail(err, "the pool still has work");
}

static int programs_suspend(rmd_pool *base, bool suspend)
{
    rmdi_programs *pool = of_pool(base);
    rmdi_lock_enter(&pool->lock);
    pool->suspended = suspend;
    rmdi_programs_kick(pool);
    rmdi_lock_release(&pool->lock);
    if (must_turn(pool))
        rmdi_keeper_apply_suspension(pool); /* before the caller stops itself */
    return 0;
}

static void programs_census(rmd_pool *base, rmd_census *census)
{
    rmdi_programs *pool = of_pool(base);
    rmdi_lock_enter(&pool->lock);
    *census = pool->census;
    rmdi_lock_release(&pool->lock);
}

const rmdi_pool_ops rmdi_programs_ops = {
    .kind = "programs",
    .open = programs_open,
    .exec = programs_exec,
    .close = programs_close,
    .drain = programs_drain,
    .abort = programs_abort,
    .cancel = programs_cancel,
    .suspend = programs_suspend,
    .census = programs_census,
    .free = programs_free,
};
