/* SPDX-License-Identifier: MIT */
/* Limits of a task on threads. Each such task has one due time, the nearest of its limits: first
 * those of waiting and of all, then those of the attempt and of all. When it comes, a task that
 * waits is claimed and ended; one that runs is told to stop.
 *
 * Whoever ends the task takes the due back, and waits if its function is just running; so that
 * finds the task there, and not ended by others. `over` keeps a due from being set after that. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/recorder.h"
#include "exec/failure.h"
#include "exec/threads.h"
#include "port/clock.h"

typedef struct rmdi_limits {
    rmdi_due due;
    rmdi_thread_task *task;
    rmd_limits limits;
    rmdi_lock lock; /* guards what follows */
    int64_t queue_due_ns, run_due_ns, total_due_ns;
    bool over;
} limits;

/* So far away that it never comes, but is armed. */
static const int64_t some_day_ns = INT64_MAX - 1;

static int64_t due_in(int64_t ms)
{
    int64_t ns, due;
    if (!ms || __builtin_mul_overflow(ms, 1000000, &ns) ||
        __builtin_add_overflow(rmdi_clock_monotonic_ns(), ns, &due))
        return INT64_MAX;
    return due;
}

static int64_t nearer(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void on_due(rmdi_due *due)
{
    limits *l = RMDI_CONTAINER(due, limits, due);
    rmdi_thread_task *task = l->task;
    int64_t now = rmdi_clock_monotonic_ns();
    rmdi_lock_enter(&l->lock);
    bool total = l->total_due_ns <= now, run = l->run_due_ns <= now;
    rmdi_lock_release(&l->lock);
    /* First: once it is claimed, whoever takes it out of a queue drops what may be the last one. */
    rmdi_future_hold(&task->future);
    rmdi_record(RMDI_RECORD_TIME_LIMIT, task->future.id, 0);
    if (rmdi_future_claim(&task->future, true)) {
        rmdi_task_unqueue(task);
        rmdi_task_end_unstarted(task, RMD_OUTCOME_TIMEOUT, RMD_ETIMEDOUT,
                                total ? rmdi_late_in_all : rmdi_late_in_queue);
    } else if (total || run) { /* not because it has waited: it has just begun */
        rmdi_task_tell(task, true);
    }
    rmdi_future_drop(&task->future);
}

int rmdi_limits_open(rmdi_thread_task *task, const rmd_limits *wanted)
{
    limits *l = rmdi_alloc_zeroed(sizeof *l);
    if (!l)
        return rmdi_fail_memory();
    l->task = task;
    l->limits = *wanted;
    l->queue_due_ns = l->run_due_ns = l->total_due_ns = INT64_MAX;
    bool timed = wanted->queue_ms_max || wanted->run_ms_max || wanted->total_ms_max;
    /* Once armed, it can be armed again without fail. */
    int err = timed ? rmdi_deadlines_arm(&task->pool->deadlines, &l->due, some_day_ns, on_due) : 0;
    if (err < 0) {
        rmdi_free(l);
        return err;
    }
    task->cold = true;
    task->limits = l;
    return 0;
}

void rmdi_limits_free(limits *l)
{
    if (!l->over)
        rmdi_deadlines_disarm(&l->task->pool->deadlines, &l->due);
    rmdi_free(l);
}

/* With the lock held. */
static void arm(limits *l, int64_t due_ns)
{
    if (l->over || due_ns == INT64_MAX)
        return;
    int err = rmdi_deadlines_arm(&l->task->pool->deadlines, &l->due, due_ns, on_due);
    RMD_ASSERT(err == 0); /* it was armed before */
    (void)err;
}

void rmdi_limits_begin(rmdi_thread_task *task)
{
    limits *l = task->limits;
    rmdi_lock_enter(&l->lock);
    l->queue_due_ns = due_in(l->limits.queue_ms_max);
    l->total_due_ns = due_in(l->limits.total_ms_max);
    arm(l, nearer(l->queue_due_ns, l->total_due_ns));
    rmdi_lock_release(&l->lock);
}

void rmdi_limits_attempt(rmdi_thread_task *task)
{
    limits *l = task->limits;
    rmdi_lock_enter(&l->lock);
    l->run_due_ns = due_in(l->limits.run_ms_max);
    int64_t due = nearer(l->run_due_ns, l->total_due_ns);
    arm(l, due == INT64_MAX ? some_day_ns : due);
    rmdi_lock_release(&l->lock);
}

bool rmdi_limits_leave_another(rmdi_thread_task *task)
{
    limits *l = task->limits;
    rmdi_lock_enter(&l->lock);
    l->run_due_ns = INT64_MAX;
    bool in_time = rmdi_clock_monotonic_ns() < l->total_due_ns;
    rmdi_lock_release(&l->lock);
    /* Or one that is on its way would tell the next attempt, which arms it anew. */
    rmdi_deadlines_disarm_wait(&task->pool->deadlines, &l->due);
    return in_time && task->attempt < l->limits.attempts_max;
}

void rmdi_limits_end(rmdi_thread_task *task)
{
    limits *l = task->limits;
    rmdi_lock_enter(&l->lock);
    l->over = true;
    rmdi_lock_release(&l->lock);
    rmdi_deadlines_disarm_wait(&task->pool->deadlines, &l->due);
}
