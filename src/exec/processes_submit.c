/* SPDX-License-Identifier: MIT */
/* How a task comes into a processes pool. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/recorder.h"
#include "exec/function.h"
#include "exec/processes.h"
#include "port/clock.h"

#include <signal.h>
#include <string.h>

static const rmd_task_options no_options = { .size = sizeof no_options };
static const rmd_kill_step usual_ladder[] = { { SIGTERM, 2000 }, { SIGKILL, 0 } };

/* ---- limits ---- */

static bool has_limits(const rmd_limits *limits)
{
    return limits->queue_ms_max || limits->run_ms_max || limits->total_ms_max ||
           limits->attempts_max > 1 || limits->crashes_max || limits->ladder;
}

static int check_limits(const rmd_limits *limits)
{
    if (limits->queue_ms_max < 0 || limits->run_ms_max < 0 || limits->total_ms_max < 0)
        return rmdi_fail(RMD_EINVAL, "task options: a limit is negative");
    if (limits->ladder_len && !limits->ladder)
        return rmdi_fail(RMD_EINVAL, "task options: a ladder of %zu steps, but no steps",
                         limits->ladder_len);
    for (size_t i = 0; i < limits->ladder_len; i++)
        if (limits->ladder[i].signal < 1 || limits->ladder[i].signal >= NSIG ||
            limits->ladder[i].wait_ms < 0)
            return rmdi_fail(RMD_EINVAL, "task options: step %zu of the ladder is none", i + 1);
    return 0;
}

/* With our own ladder, whose last step is SIGKILL. NULL: no memory. */
static rmdi_task_limits *copy_limits(const rmd_limits *limits)
{
    const rmd_kill_step *ladder = limits->ladder_len ? limits->ladder : usual_ladder;
    size_t len = limits->ladder_len ? limits->ladder_len : 2;
    bool add = ladder[len - 1].signal != SIGKILL;
    rmdi_task_limits *own = rmdi_alloc_zeroed(sizeof *own + (len + add) * sizeof(rmd_kill_step));
    if (!own)
        return NULL;
    memcpy(own->ladder, ladder, len * sizeof *ladder);
    if (add)
        own->ladder[len++] = (rmd_kill_step){ SIGKILL, 0 };
    own->limits = *limits;
    own->limits.ladder = own->ladder;
    own->limits.ladder_len = len;
    own->run_due_ns = INT64_MAX;
    return own;
}

/* Its time begins when it is submitted, also if it has to wait for a place. */
static void set_dues(rmdi_task_limits *own, const rmdi_kept *kept)
{
    own->queue_due_ns = rmdi_kept_due(kept, own->limits.queue_ms_max);
    own->total_due_ns = rmdi_kept_due(kept, own->limits.total_ms_max);
}

/* ---- making one ---- */

static int check_options(const rmd_task_options *options)
{
    if (options->size != sizeof *options)
        return rmdi_fail(RMD_EINVAL, "task options: size is %zu, not %zu", options->size,
                         sizeof *options);
    if (options->priority < RMD_PRIORITY_LOW || options->priority > RMD_PRIORITY_HIGH)
        return rmdi_fail(RMD_EINVAL, "task options: priority %d is none", (int)options->priority);
    int err = rmdi_group_check(options->group);
    return err < 0 ? err : check_limits(&options->limits);
}

/* The name, as constant as the table; or, when the workers are another program, whose functions we
 * do not know, a copy. */
static int find_function(rmdi_process_task *task, const char *function)
{
    const rmd_function *found = rmd_function_find(function);
    if (found) {
        task->function = found->name;
        return 0;
    }
    if (!task->pool->program)
        return rmdi_fail(RMD_ENOENT, "no function is called \"%s\"", function);
    if (strlen(function) >= RMDI_FUNCTION_NAME_MAX)
        return rmdi_fail(RMD_EINVAL, "the name of a function has at most %d letters",
                         RMDI_FUNCTION_NAME_MAX - 1);
    task->function = rmdi_strdup(function);
    task->own_function = true;
    return task->function ? 0 : rmdi_fail_memory();
}

/* At a glance: is one of them much text, or many bytes? */
static bool is_large(const rmd_args *args)
{
    for (size_t i = 0; i < args->count; i++)
        if ((args->values[i].type == RMD_TYPE_BYTES || args->values[i].type == RMD_TYPE_TEXT) &&
            args->values[i].as.bytes.len >= RMDI_SPARE_BYTES_MIN)
            return true;
    return false;
}

static int fill(rmdi_process_task *task, const char *function, const rmd_args *args,
                const rmd_task_options *options)
{
    int err = find_function(task, function);
    if (err == 0 && is_large(args))
        rmdi_processes_get_buffer(task->pool, &task->arguments);
    if (err == 0)
        err = rmdi_call_encode(&task->arguments, args);
    if (err < 0)
        return err;
    task->name = options->name;
    task->ctx = options->ctx;
    task->adds = options->adds;
    task->priority = (uint8_t)(options->priority - RMD_PRIORITY_LOW);
    if (!has_limits(&options->limits))
        return 0;
    task->limits = copy_limits(&options->limits);
    if (!task->limits)
        return rmdi_fail_memory();
    task->limits->task = task;
    return 0;
}

/* With both references. */
static int new_task(rmdi_processes *pool, rmdi_process_task **out, const char *function,
                    const rmd_args *args, const rmd_task_options *options)
{
    rmdi_process_task *task = rmdi_alloc_zeroed(sizeof *task);
    if (!task)
        return rmdi_fail_memory();
    rmd_atomic_add(&pool->kept.refs, 1, RMD_RELAXED);
    rmdi_future_init(&task->future, &rmdi_process_task_ops, rmdi_future_next_ids(1), 2, 0);
    task->pool = pool;
    task->call.future = &task->future;
    rmdi_list_init(&task->link);
    int err = fill(task, function, args, options);
    if (err < 0) {
        rmdi_future_drop(&task->future);
        rmdi_future_drop(&task->future);
        return err;
    }
    *out = task;
    return 0;
}

/* ---- into the queue, with the lock held ---- */

bool rmdi_processes_has_place(rmdi_processes *pool)
{
    return pool->kept.closed || pool->halted ||
           pool->queued + pool->in_rings < pool->queue_max || /* then no need to look closely */
           rmdi_processes_waiting(pool) < pool->queue_max;
}

/* The same; if not, the workers tell when they begin a task. */
static bool has_place_soon(rmdi_kept *kept)
{
    rmdi_processes *pool = rmdi_processes_of(&kept->pool);
    if (rmdi_processes_has_place(pool))
        return true;
    for (unsigned i = 0; i < kept->pool.workers; i++)
        if (pool->processes[i].share)
            rmdi_ring_await(&pool->processes[i].ring, RMDI_AWAITED_BEGIN);
    return rmdi_processes_has_place(pool);
}

static int refuse_full(const rmdi_processes *pool, int err, const char *why)
{
    return rmdi_fail(err, "%u tasks are queued%s", pool->queue_max, why);
}

static int wait_for_place(rmdi_processes *pool, int64_t full_ms)
{
    if (rmdi_processes_has_place(pool))
        return 0;
    if (full_ms < 0)
        return refuse_full(pool, RMD_EFULL, "");
    if (rmdi_kept_on_keeper(&pool->kept))
        return refuse_full(pool, RMD_EFULL, ", and a callback must not wait");
    rmd_deadline deadline = full_ms == 0 ? RMD_FOREVER : rmd_after_ms(full_ms);
    pool->place_waiters++;
    int err = rmdi_kept_wait(&pool->kept, &pool->kept.place, has_place_soon, deadline);
    pool->place_waiters--;
    if (err == 0)
        return 0;
    return err == RMD_ETIMEDOUT
               ? refuse_full(pool, RMD_EFULL, ", and none of them was started in time")
               : refuse_full(pool, err, "");
}

static int accept(rmdi_processes *pool, rmdi_process_task *task, int64_t full_ms)
{
    if (task->limits)
        set_dues(task->limits, &pool->kept);
    int err = wait_for_place(pool, full_ms);
    if (err < 0)
        return err;
    if (pool->kept.closed)
        return rmdi_fail(RMD_ECLOSED, "the pool takes no more tasks");
    if (pool->halted)
        return rmdi_fail(RMD_EHALTED, "%s", pool->halt_cause);
    if (task->limits) { /* room for all timers, so that arming one cannot fail */
        err = rmdi_timers_reserve(&pool->timers, pool->timers_needed + 1);
        if (err < 0)
            return err;
        pool->timers_needed++;
    }
    pool->census.submitted++;
    pool->kept.unfinished++;
    return 0;
}

/* Its group knows it before a worker can have ended it. */
static int submit(rmdi_processes *pool, rmdi_process_task *task, const rmd_task_options *options)
{
    rmdi_lock_enter(&pool->kept.lock);
    int err = accept(pool, task, options->full_ms);
    if (err == 0) {
        if (options->group)
            rmdi_group_enter(options->group, &task->future);
        rmdi_record_often(RMDI_RECORD_SUBMIT, task->future.id, 0);
        rmdi_processes_enqueue(pool, task);
        if (task->limits) {
            rmdi_process_task_arm(task);
            rmdi_kept_kick(&pool->kept); /* the timer */
        }
    }
    rmdi_lock_release(&pool->kept.lock);
    return err;
}

int rmdi_processes_call(rmd_pool *base, rmd_future **future, const char *function, rmd_args args,
                        const rmd_task_options *options)
{
    rmdi_processes *pool = rmdi_processes_of(base);
    rmdi_process_task *task = NULL;
    options = options ? options : &no_options;
    int err = check_options(options);
    if (err == 0)
        err = new_task(pool, &task, function, &args, options);
    if (err < 0)
        return err;
    err = submit(pool, task, options);
    if (err < 0)
        rmdi_future_drop(&task->future);
    if (err < 0 || !future)
        rmdi_future_drop(&task->future);
    else
        *future = &task->future;
    return err;
}
