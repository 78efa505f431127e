/* SPDX-License-Identifier: MIT */
/* Submitting tasks to a threads pool, one by one.
 *
 * From outside, and with a priority, they go to the injection queue; what a task submits goes into
 * the deque of the worker that it runs on, where others find it, too.
 *
 * Closing
 * -------
 * is done with `in` of the injection held, under which a submitter from outside looks. One
 * inside a task may put one more into its own deque meanwhile; that is before its own task has been
 * finished, so a drain sees it counted. */
#include "exec/threads_submit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/recorder.h"
#include "exec/call.h"
#include "exec/failure.h"

#include <string.h>

void rmdi_threads_tell(rmdi_threads *pool)
{
    /* It passes a fence, also for `missing`: see rmdi_worker_block(). */
    if (!rmdi_idle_tell(&pool->idle) && rmd_atomic_load(&pool->missing, RMD_RELAXED))
        rmdi_crew_fill(pool);
}

/* ---- making a task ---- */

static const rmd_task_options no_options = { .size = sizeof no_options };

static bool has_limits(const rmd_limits *limits)
{
    return limits->queue_ms_max || limits->run_ms_max || limits->total_ms_max ||
           limits->attempts_max > 1;
}

static int check_options(const rmd_task_options *options)
{
    const rmd_limits *l = &options->limits;
    if (options->size != sizeof *options)
        return rmdi_fail(RMD_EINVAL, "task options: size is %zu, not %zu", options->size,
                         sizeof *options);
    if (options->priority < RMD_PRIORITY_LOW || options->priority > RMD_PRIORITY_HIGH)
        return rmdi_fail(RMD_EINVAL, "task options: priority %d is none of -1, 0, 1",
                         (int)options->priority);
    if (l->queue_ms_max < 0 || l->run_ms_max < 0 || l->total_ms_max < 0)
        return rmdi_fail(RMD_EINVAL, "task options: a limit is negative");
    return rmdi_group_check(options->group);
}

int rmdi_plan_begin(rmdi_plan *plan, const rmdi_threads *pool, const rmd_task_options *options,
                    bool handled)
{
    plan->options = options ? options : &no_options;
    plan->handled = handled;
    plan->self = rmdi_self_and_worker(&plan->worker);
    if (plan->worker && plan->worker->pool != pool)
        plan->worker = NULL;
    int err = options ? check_options(options) : 0;
    plan->limited = options && has_limits(&options->limits);
    if (err == 0 && plan->self->context)
        err = rmd_context_capture(&plan->context);
    return err;
}

void rmdi_plan_drop(rmdi_plan *plan)
{
    if (plan->context)
        rmd_context_free(plan->context);
}

bool rmdi_plan_is_inside(const rmdi_plan *plan, const rmdi_threads *pool)
{
    return plan->worker || rmdi_frames_include(plan->self->frame, pool);
}

void rmdi_task_fill(rmdi_threads *pool, rmdi_thread_task *task, uint64_t id, const rmdi_plan *plan,
                    uint32_t flags)
{
    const rmd_task_options *options = plan->options;
    RMD_PLAIN_WRITES(&task->future.ops, RMDI_TASK_HOT_BYTES);
    rmdi_future_init_again(&task->future, &rmdi_thread_task_ops, id, plan->handled ? 2 : 1, flags);
    task->pool = pool;
    task->fn = plan->fn;
    task->arg = plan->arg;
    rmd_atomic_init(&task->frame, NULL);
    task->priority = (int8_t)(options->priority + 1);
    task->body = (uint8_t)plan->body;
    task->handled = plan->handled;
    task->ran = false;
    task->adds = options->adds ? RMDI_ADDS_MAY : RMDI_ADDS_NOT;
    task->cold = plan->context || options->ctx || options->name;
    if (task->cold) {
        task->ctx = options->ctx;
        task->context = plan->context;
        task->name = options->name;
    }
}

/* Numbers come so many at once. */
#define DRAWN 128

_Static_assert(DRAWN >= RMDI_BATCH_MAX, "enough for a batch");

void rmdi_threads_stock_up(rmdi_stock *stock)
{
    stock->ids = DRAWN;
    stock->next_id = rmdi_future_next_ids(DRAWN);
}

/* Makes one that nobody knows yet. NULL: no memory, and the plan's parts are the caller's. */
static rmdi_thread_task *make(rmdi_threads *pool, const rmdi_plan *plan, uint32_t flags)
{
    uint64_t id = 0;
    rmdi_thread_task *task;
    do {
        rmdi_brief_enter(&pool->injection.in);
        task = rmdi_task_from_kept(pool);
        if (task)
            id = rmdi_threads_draw(&pool->stock, 1);
        rmdi_brief_leave(&pool->injection.in);
    } while (!task && rmdi_threads_get_memory(pool));
    if (task)
        rmdi_task_fill(pool, task, id, plan, flags);
    return task;
}

void rmdi_task_refuse(rmdi_thread_task *task, const rmdi_plan *plan, unsigned references)
{
    if (rmdi_future_group(&task->future))
        rmdi_group_undo(&task->future);
    task->context = NULL;
    if (plan->body != RMDI_BODY_POINTER) {
        task->body = RMDI_BODY_POINTER;
        task->cold = true;
        task->name = "refused"; /* not the function's */
    }
    while (references-- > 0)
        rmdi_future_drop(&task->future);
}

/* ---- the queue ---- */

void rmdi_queue_enter(rmdi_threads *pool, const rmd_task_options *options)
{
    if (options->group)
        rmdi_group_open_door(options->group);
    rmdi_brief_enter(&pool->injection.in);
}

void rmdi_queue_leave(rmdi_threads *pool, const rmd_task_options *options)
{
    rmdi_brief_leave(&pool->injection.in);
    if (options->group)
        rmdi_group_close_door(options->group);
}

/* With the queue entered: nobody else writes this count. Before a worker can take them, so that no
 * census sees more begun than submitted. */
static void count_submitted(rmdi_threads *pool, size_t n)
{
    rmdi_count_own(&pool->others.submitted, n);
}

void rmdi_queue_append(rmdi_threads *pool, rmdi_thread_task *const *tasks, size_t n,
                       const rmd_task_options *options)
{
    unsigned priority = (unsigned)(options->priority + 1);
    count_submitted(pool, n);
    for (size_t i = 0; i < n; i++) {
        if (options->group)
            rmdi_group_let_in(options->group, &tasks[i]->future);
        rmdi_injection_add(&pool->injection, &tasks[i]->link, &tasks[i]->place, priority);
    }
    rmdi_injection_note_most(&pool->injection);
}

/* ---- one from outside: in one section of the lock ---- */

/* As rmdi_room_look(); 0: *task is in the queue, or NULL, as no memory is kept. */
static int try_plain(rmdi_threads *pool, const rmdi_plan *plan, rmdi_thread_task **task)
{
    uint32_t n = 1;
    uint64_t id = 0;
    rmdi_queue_enter(pool, plan->options);
    int err = rmdi_room_is_plenty(pool) ? 0 : rmdi_room_look(pool, false, plan->options, &n);
    *task = err == 0 ? rmdi_task_from_kept(pool) : NULL;
    if (*task) {
        id = rmdi_threads_draw(&pool->stock, 1);
        rmdi_task_fill(pool, *task, id, plan, 0);
        rmdi_queue_append(pool, task, 1, plan->options);
    }
    rmdi_queue_leave(pool, plan->options);
    if (id) /* without the lock, for which others wait; the task may be gone by now */
        rmdi_record_often(RMDI_RECORD_SUBMIT, id, 0);
    return err;
}

/* Once more, after there was no room, or no memory was kept. */
static int submit_patiently(rmdi_threads *pool, const rmdi_plan *plan, rmdi_thread_task **task,
                            int err)
{
    rmd_deadline deadline = rmdi_room_deadline(plan->options);
    bool waited = false;
    while (err < 0 || !*task) {
        if (err < 0) {
            waited = true;
            err = rmdi_room_wait(pool, err, deadline);
        } else if (!rmdi_threads_get_memory(pool)) {
            err = rmdi_fail_memory();
        }
        if (err < 0)
            break;
        err = try_plain(pool, plan, task);
    }
    if (waited)
        rmdi_room_pass_on(pool);
    return err;
}

static int submit_plain(rmdi_threads *pool, const rmdi_plan *plan, rmdi_thread_task **task)
{
    int err = try_plain(pool, plan, task);
    return err == 0 && *task ? 0 : submit_patiently(pool, plan, task, err);
}

/* ---- one from inside: no lock ---- */

/* RMD_EAGAIN: it does not go this way. */
static int submit_inside(rmdi_threads *pool, rmdi_worker *worker, const rmdi_plan *plan,
                         rmdi_thread_task **out)
{
    if (rmdi_threads_is_closed(pool) || rmdi_deque_len(&worker->deque) >= RMDI_DEQUE_MAX ||
        (pool->is_small && rmdi_room_is_none(pool)))
        return RMD_EAGAIN;
    rmdi_thread_task *task = make(pool, plan, 0);
    if (!task)
        return rmdi_fail_memory();
    RMDI_TALLY(pool, worker, submitted, 1); /* before those of the group can end it */
    if (plan->options->group)
        rmdi_group_enter(plan->options->group, &task->future);
    rmdi_record_often(RMDI_RECORD_SUBMIT, task->future.id, 0);
    rmdi_deque_push(&worker->deque, task); /* there is room: we alone push */
    *out = task;
    return 0;
}

/* ---- one in several steps: with limits, or to be held, or in place ---- */

void rmdi_threads_release(rmdi_thread_task *task)
{
    rmdi_threads *pool = task->pool;
    rmdi_brief_enter(&pool->injection.in);
    rmdi_brief_enter(&pool->injection.out);
    bool held = rmdi_task_unhold(task);
    if (held) { /* else it was cancelled */
        rmdi_injection_add_here(&pool->injection, &task->link, &task->place,
                                (unsigned)task->priority);
        rmdi_injection_note_most(&pool->injection);
        /* Release: of what was done while it was held. */
        rmd_atomic_and(&task->future.word, ~(uint32_t)RMDI_FUTURE_HELD, RMD_RELEASE);
    }
    rmdi_brief_leave(&pool->injection.out);
    rmdi_brief_leave(&pool->injection.in);
    if (held)
        rmdi_threads_tell(pool);
}

/* Accepts it, and holds it. always: whatever the bounds. As rmdi_room_look(). */
static int accept(rmdi_threads *pool, rmdi_thread_task *task, const rmdi_plan *plan, bool always)
{
    uint32_t n = 1;
    bool inside = rmdi_plan_is_inside(plan, pool);
    rmdi_brief_enter(&pool->injection.in);
    int err = rmdi_room_look(pool, inside, plan->options, &n);
    if (err != RMD_ECLOSED && always)
        err = 0;
    if (err == 0 || err == RMD_EDEADLK)
        count_submitted(pool, 1);
    if (err == 0) {
        rmdi_brief_enter(&pool->injection.out);
        RMD_PLAIN_SET(task->held, true);
        RMD_PLAIN_SET(task->coming, !always);
        rmdi_threads_count_coming(pool, !always);
        RMD_PLAIN_WRITES(&pool->held, sizeof pool->held);
        rmdi_list_append(&pool->held, &task->link);
        rmdi_brief_leave(&pool->injection.out);
    }
    rmdi_brief_leave(&pool->injection.in);
    return err;
}

static int accept_when_room(rmdi_threads *pool, rmdi_thread_task *task, const rmdi_plan *plan,
                            bool always)
{
    int err = accept(pool, task, plan, always);
    if (err == 0 || err == RMD_EDEADLK)
        return err;
    rmd_deadline deadline = rmdi_room_deadline(plan->options);
    while (err < 0 && err != RMD_EDEADLK) {
        err = rmdi_room_wait(pool, err, deadline);
        if (err < 0)
            return err;
        err = accept(pool, task, plan, always);
    }
    rmdi_room_pass_on(pool);
    return err;
}

/* One that was born claimed, and told to stop before it was offered. Takes the queue's reference.
 */
static void end_told(rmdi_thread_task *task)
{
    rmdi_future_hold(&task->future);
    rmdi_task_unqueue(task);
    rmdi_task_end_unstarted(task, RMD_OUTCOME_CANCELLED, RMD_ECANCELED, rmdi_cancelled_unstarted);
    rmdi_future_drop(&task->future);
}

/* The queue is full, and we are inside a task: on top of it, now. It is claimed, since its birth.
 */
static void run_in_place(rmdi_threads *pool, rmdi_thread_task *task)
{
    rmdi_worker *worker = rmdi_worker_here(pool);
    RMDI_TALLY(pool, worker, in_place, 1);
    rmdi_task_run(task, worker, false);
    rmdi_future_drop(&task->future); /* the queue's reference */
}

int rmdi_submit_held(rmdi_threads *pool, const rmdi_plan *plan, bool always, rmdi_thread_task **out)
{
    const rmd_task_options *options = plan->options;
    rmdi_thread_task *task = make(pool, plan, RMDI_FUTURE_HELD | RMDI_FUTURE_RUNNING);
    if (!task)
        return rmdi_fail_memory();
    rmdi_future_hold(&task->future);
    rmdi_record_often(RMDI_RECORD_SUBMIT, task->future.id, 0);
    int err = plan->limited ? rmdi_limits_open(task, &options->limits) : 0;
    if (err == 0 && options->group)
        rmdi_group_enter(options->group, &task->future);
    if (err == 0)
        err = accept_when_room(pool, task, plan, always);
    if (err < 0 && err != RMD_EDEADLK) {
        rmdi_task_refuse(task, plan, plan->handled ? 3 : 2);
        return err;
    }
    *out = task;
    if (err == 0 && !rmdi_future_offer(&task->future))
        end_told(task);
    else if (plan->limited)      /* not of the task: others may be ending it already */
        rmdi_limits_begin(task); /* not before: a due that finds it claimed is lost */
    return err;
}

static int submit_in_steps(rmdi_threads *pool, const rmdi_plan *plan, rmdi_thread_task **task)
{
    int err = rmdi_submit_held(pool, plan, false, task);
    if (err == 0)
        rmdi_threads_release(*task);
    else if (err == RMD_EDEADLK)
        run_in_place(pool, *task);
    if (err == 0 || err == RMD_EDEADLK)
        rmdi_future_drop(&(*task)->future);
    return err == RMD_EDEADLK ? 0 : err;
}

/* ---- the way of a plan ---- */

static int submit(rmdi_threads *pool, const rmdi_plan *plan, rmd_future **future)
{
    rmdi_thread_task *task = NULL;
    int err = RMD_EAGAIN;
    if (plan->limited)
        ; /* in steps */
    else if (plan->worker && plan->options->priority == RMD_PRIORITY_NORMAL)
        err = submit_inside(pool, plan->worker, plan, &task);
    else if (!rmdi_plan_is_inside(plan, pool))
        err = submit_plain(pool, plan, &task);
    if (err == 0)
        rmdi_threads_tell(pool);
    else if (err == RMD_EAGAIN)
        err = submit_in_steps(pool, plan, &task);
    if (err == 0 && future)
        *future = &task->future;
    return err;
}

int rmdi_threads_submit(rmd_pool *base, rmd_future **future, rmd_task_fn *fn, void *arg,
                        const rmd_task_options *options)
{
    rmdi_threads *pool = (rmdi_threads *)(void *)base;
    rmdi_plan plan = { .body = RMDI_BODY_POINTER, .fn = fn, .arg = arg };
    int err = rmdi_plan_begin(&plan, pool, options, future != NULL);
    if (err < 0)
        return err;
    err = submit(pool, &plan, future);
    if (err < 0)
        rmdi_plan_drop(&plan);
    return err;
}

static int encode(rmdi_encoded **out, const rmd_args *args)
{
    rmdi_buffer buffer = { 0 };
    int err = rmdi_call_encode(&buffer, args);
    rmdi_encoded *encoded = err == 0 ? rmdi_alloc(sizeof *encoded + buffer.len) : NULL;
    if (encoded) {
        encoded->len = buffer.len;
        memcpy(encoded->data, buffer.data, buffer.len);
        *out = encoded;
    } else if (err == 0) {
        err = rmdi_fail_memory();
    }
    rmdi_buffer_free(&buffer);
    return err;
}

int rmdi_threads_call(rmd_pool *base, rmd_future **future, const char *name, rmd_args args,
                      const rmd_task_options *options)
{
    rmdi_threads *pool = (rmdi_threads *)(void *)base;
    rmdi_plan plan = { .body = RMDI_BODY_CALL, .function = rmd_function_find(name) };
    if (!plan.function)
        return rmdi_fail(RMD_ENOENT, "no function \"%s\" was added: see rmd_functions_add()", name);
    int err = encode(&plan.encoded, &args);
    if (err < 0)
        return err;
    err = rmdi_plan_begin(&plan, pool, options, future != NULL);
    if (err == 0)
        err = submit(pool, &plan, future);
    if (err < 0) {
        rmdi_plan_drop(&plan);
        rmdi_free(plan.encoded);
    }
    return err;
}
