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
#include "base/recorder.h"
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

static void free_memory(rmdi_kept *kept)
{
    rmdi_programs *pool = of_pool(&kept->pool);
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

static int open_host(rmdi_programs *pool, const rmd_pool_options *options)
{
    rmdi_attempt_host *host = &pool->host;
    host->loop = pool->kept.loop;
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

static int open_parts(rmdi_programs *pool, const rmd_pool_options *options)
{
    int err = rmdi_kept_open_loop(&pool->kept);
    if (err == 0)
        err = open_host(pool, options);
    if (err == 0)
        err = rmdi_guard_hold();
    if (err < 0)
        return err;
    err = rmdi_keeper_open(pool);
    if (err == 0)
        err = rmdi_kept_start(&pool->kept, options->name);
    if (err < 0)
        rmdi_guard_drop();
    return err;
}

static const rmdi_kept_ops kept_ops;

static int programs_open(rmd_pool **out, const rmdi_pool_request *request)
{
    if (rmdi_child_ends_are_dropped())
        return rmdi_fail(RMD_EINVAL, "SIGCHLD is ignored, so the ends of programs cannot be "
                                     "known: set it to SIG_DFL or handle it");
    rmdi_programs *pool = rmdi_alloc_zeroed(sizeof *pool);
    if (!pool)
        return rmdi_fail_memory();
    rmdi_kept_init(&pool->kept, &rmdi_programs_ops, &kept_ops, request);
    pool->queue_max = request->options.queue_max;
    pool->host.null = -1;
    rmdi_list_init(&pool->queue);
    rmdi_list_init(&pool->running);
    int err = open_parts(pool, &request->options);
    if (err < 0) {
        rmdi_kept_drop(&pool->kept);
        return err;
    }
    *out = &pool->kept.pool;
    return 0;
}

/* ---- the state of tasks: with the lock held ---- */

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
    rmdi_condition_notify_all(&pool->kept.place);
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
    rmdi_kept_drop(&pool->kept);
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
    rmd_atomic_add(&pool->kept.refs, 1, RMD_RELAXED);
    /* The keeper will come by for the callbacks of each. */
    rmdi_future_init(&task->future, &future_ops, rmdi_future_next_ids(1), 2, RMDI_FUTURE_ROUND);
    task->pool = pool;
    task->call.future = &task->future;
    task->account =
        (rmd_exit){ .detail = "", .status = -1, .submitted_ns = rmdi_clock_monotonic_ns() };
    rmdi_list_init(&task->link);
    *out = task;
    return 0;
}

static bool has_place(rmdi_kept *kept)
{
    const rmdi_programs *pool = of_pool(&kept->pool);
    return kept->closed || pool->census.queued < pool->queue_max;
}

/* Waits for a place, with the lock held. */
static int wait_for_place(rmdi_programs *pool, int64_t full_ms)
{
    if (has_place(&pool->kept))
        return 0;
    if (full_ms < 0)
        return rmdi_fail(RMD_EFULL, "%u tasks are queued", pool->queue_max);
    if (rmdi_kept_on_keeper(&pool->kept))
        return rmdi_fail(RMD_EFULL, "%u tasks are queued, and a callback must not wait",
                         pool->queue_max);
    rmd_deadline deadline = full_ms == 0 ? RMD_FOREVER : rmd_after_ms(full_ms);
    int err = rmdi_kept_wait(&pool->kept, &pool->kept.place, has_place, deadline);
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
    task->queue_due_ns = rmdi_kept_due(&pool->kept, limits->queue_ms_max);
    task->total_due_ns = rmdi_kept_due(&pool->kept, limits->total_ms_max);
    task->run_due_ns = INT64_MAX;
    int err = wait_for_place(pool, full_ms);
    if (err < 0)
        return err;
    if (pool->kept.closed)
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
    pool->kept.unfinished++;
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
    rmdi_lock_enter(&pool->kept.lock);
    err = enqueue(pool, task, command->full_ms);
    /* Into its group before the lock is released: the keeper might end it at once. */
    if (err == 0 && command->group)
        rmdi_group_enter(command->group, &task->future);
    if (err == 0)
        rmdi_record(RMDI_RECORD_SUBMIT, task->future.id, 0);
    if (err == 0)
        rmdi_kept_kick(&pool->kept);
    rmdi_lock_release(&pool->kept.lock);
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
    return of_future(future)->pool->kept.pool.process;
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
    rmdi_lock_enter(&pool->kept.lock);
    rmdi_task_state before = task->state;
    if (before == RMDI_TASK_QUEUED)
        rmdi_task_end_queued(task, RMD_OUTCOME_CANCELLED, RMD_ECANCELED, rmdi_cancelled_unstarted);
    else if (before == RMDI_TASK_RUNNING)
        task->cancel_wanted = true;
    rmdi_kept_kick(&pool->kept);
    rmdi_lock_release(&pool->kept.lock);
    if (before == RMDI_TASK_ENDED)
        return rmdi_fail(RMD_ETOOLATE, "task %llu has ended", (unsigned long long)future->id);
    if (before == RMDI_TASK_QUEUED) {
        rmdi_task_publish_end(task);
        rmdi_lock_enter(&pool->kept.lock);
        rmdi_kept_call_later(&pool->kept, &task->call);
        rmdi_lock_release(&pool->kept.lock);
    }
    return 0;
}

static bool future_call_later(rmd_future *future)
{
    rmdi_task *task = of_future(future);
    return rmdi_kept_future_call_later(&task->pool->kept, &task->call);
}

static int future_how_to_wait(const rmd_future *future)
{
    return rmdi_kept_how_to_wait(&of_future(future)->pool->kept);
}

static int future_turn(const rmd_future *future, rmd_deadline deadline)
{
    return rmdi_kept_turn(&of_future(future)->pool->kept, deadline);
}

static rmd_loop *future_loop(const rmd_future *future)
{
    return of_future(future)->pool->kept.loop;
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

static void programs_cancel(rmd_pool *base, bool queued_only)
{
    rmdi_programs *pool = of_pool(base);
    rmdi_link ended;
    rmdi_list_init(&ended);
    rmdi_lock_enter(&pool->kept.lock);
    while (!rmdi_list_empty(&pool->queue)) {
        rmdi_task *task = RMDI_CONTAINER(pool->queue.next, rmdi_task, link);
        rmdi_task_end_queued(task, RMD_OUTCOME_CANCELLED, RMD_ECANCELED, rmdi_cancelled_unstarted);
        rmdi_list_append(&ended, &task->link);
    }
    for (rmdi_link *l = pool->running.next; !queued_only && l != &pool->running; l = l->next)
        RMDI_CONTAINER(l, rmdi_task, link)->cancel_wanted = true;
    rmdi_kept_kick(&pool->kept);
    rmdi_lock_release(&pool->kept.lock);
    for (rmdi_link *link; (link = rmdi_list_take_first(&ended));) {
        rmdi_task *task = RMDI_CONTAINER(link, rmdi_task, link);
        rmdi_task_publish_end(task);
        rmdi_lock_enter(&pool->kept.lock);
        rmdi_kept_call_later(&pool->kept, &task->call);
        rmdi_lock_release(&pool->kept.lock);
    }
}

/* The keeper is gone: the guard and the temporary file go, too. */
static void let_go(rmdi_kept *kept)
{
    rmdi_programs *pool = of_pool(&kept->pool);
    rmdi_guard_drop();
    rmdi_fd_close(&pool->host.null);
    rmdi_spill_drop(pool->host.spill); /* outputs that are still held hold it, too */
    pool->host.spill = NULL;
}

static void signal_all(rmdi_kept *kept, int signal)
{
    rmdi_programs *pool = of_pool(&kept->pool);
    for (rmdi_link *l = pool->running.next; l != &pool->running; l = l->next)
        rmdi_attempt_signal(&RMDI_CONTAINER(l, rmdi_task, link)->attempt, signal);
}

static const rmdi_kept_ops kept_ops = { .cancel = programs_cancel,
                                        .kick = rmdi_keeper_kick,
                                        .let_go = let_go,
                                        .signal = signal_all,
                                        .free = free_memory };

static void programs_census(rmd_pool *base, rmd_census *census)
{
    rmdi_programs *pool = of_pool(base);
    rmdi_lock_enter(&pool->kept.lock);
    *census = pool->census;
    rmdi_lock_release(&pool->kept.lock);
}

const rmdi_pool_ops rmdi_programs_ops = {
    .kind = "programs",
    .open = programs_open,
    .exec = programs_exec,
    .close = rmdi_kept_close,
    .drain = rmdi_kept_drain,
    .abort = rmdi_kept_abort,
    .cancel = programs_cancel,
    .suspend = rmdi_kept_suspend,
    .census = programs_census,
    .free = rmdi_kept_free,
};
