/* SPDX-License-Identifier: MIT */
/* Many tasks at once: a batch at a time is made, from one model, and put into the queue. */
#include "base/error.h"
#include "base/recorder.h"
#include "exec/threads_submit.h"

#include <string.h>

/* After so many batches a worker is told: who is woken may run before us, on our processor, and
 * take what there is. */
enum { TELL_BATCHES = 8 };

typedef struct batch {
    rmdi_threads *pool;
    const rmdi_plan *plan;
    rmdi_thread_task *tasks[RMDI_BATCH_MAX];
    size_t made, queued; /* of them */
} batch;

/* Memory for n tasks, at most a batch; for how many there is some. */
static size_t take_memory(rmdi_threads *pool, rmdi_thread_task **memory, size_t n)
{
    size_t got = 0;
    do {
        rmdi_brief_enter(&pool->injection.in);
        while (got < n && (memory[got] = rmdi_task_from_kept(pool)))
            got++;
        rmdi_brief_leave(&pool->injection.in);
    } while (got < n && rmdi_threads_get_memory(pool));
    return got;
}

/* As the model, but for what it runs. */
static void fill_like(rmdi_thread_task *task, const rmdi_thread_task *model, const rmd_task *what)
{
    RMD_PLAIN_WRITES(&task->future.ops, RMDI_TASK_HOT_BYTES);
    memcpy((char *)task + RMDI_TASK_HOT, (const char *)model + RMDI_TASK_HOT, RMDI_TASK_HOT_BYTES);
    rmd_atomic_init(&task->future.word, rmd_atomic_load(&model->future.word, RMD_RELAXED));
    rmd_atomic_init(&task->frame, NULL);
    task->fn = what->fn;
    task->arg = what->arg;
    if (task->cold) {
        task->ctx = model->ctx;
        task->name = model->name;
    }
}

static void make_batch(batch *b, const rmd_task *tasks, size_t n)
{
    rmdi_thread_task model = { 0 };
    size_t wanted = 0;
    while (wanted < n && wanted < RMDI_BATCH_MAX && tasks[wanted].fn)
        wanted++;
    b->made = wanted ? take_memory(b->pool, b->tasks, wanted) : 0;
    rmdi_task_fill(b->pool, &model, 0, b->plan, 0);
    for (size_t i = 0; i < b->made; i++)
        fill_like(b->tasks[i], &model, &tasks[i]);
}

/* They get their numbers when they are accepted: to be cancelled with those before them, and not
 * with those that come later. With the queue entered. */
static void put(batch *b, uint32_t n)
{
    uint64_t id = rmdi_threads_draw(&b->pool->stock, n);
    rmdi_thread_task *const *tasks = b->tasks + b->queued;
    for (uint32_t i = 0; i < n; i++)
        tasks[i]->future.id = id + i;
    rmdi_record_often(RMDI_RECORD_SUBMIT_MANY, id, n);
    rmdi_queue_append(b->pool, tasks, n, b->plan->options);
}

/* As many as there is room for. As rmdi_room_look(). */
static int queue_batch(batch *b)
{
    const rmd_task_options *options = b->plan->options;
    uint32_t n = (uint32_t)(b->made - b->queued);
    rmdi_queue_enter(b->pool, options);
    int err = rmdi_room_look(b->pool, false, options, &n);
    if (err == 0)
        put(b, n);
    rmdi_queue_leave(b->pool, options);
    if (err == 0)
        b->queued += n;
    return err;
}

/* Waits for room, until all are queued, or there is none in time. */
static int queue_all(batch *b)
{
    rmd_deadline deadline = rmdi_room_deadline(b->plan->options);
    bool waited = false;
    int err = 0;
    while (err == 0 && b->queued < b->made) {
        err = queue_batch(b);
        if (err < 0) {
            waited = true;
            rmdi_threads_tell(b->pool); /* of those that are queued: they are to make the room */
            err = rmdi_room_wait(b->pool, err, deadline);
        }
    }
    if (waited)
        rmdi_room_pass_on(b->pool);
    return err;
}

/* How many of n, at most a batch, were accepted; *err why not more: RMD_EINVAL, without a detail,
 * as the next has no function. */
static size_t submit_batch(rmdi_threads *pool, const rmd_task *tasks, size_t n,
                           const rmdi_plan *plan, rmd_future **futures, int *err)
{
    batch b = { .pool = pool, .plan = plan };
    make_batch(&b, tasks, n);
    int full = queue_all(&b);
    if (full < 0)
        *err = full;
    else if (b.made < n && b.made < RMDI_BATCH_MAX)
        *err = tasks[b.made].fn ? rmdi_fail_memory() : RMD_EINVAL;
    for (size_t i = 0; plan->handled && i < b.queued; i++)
        futures[i] = &b.tasks[i]->future;
    for (size_t i = b.queued; i < b.made; i++)
        rmdi_task_refuse(b.tasks[i], plan, plan->handled ? 2 : 1);
    return b.queued;
}

static int refuse(size_t at)
{
    return rmdi_fail(RMD_EINVAL, "task %zu has no function", at);
}

/* One by one: from inside, or what needs more for each. */
static int64_t submit_each(rmd_pool *base, rmd_future **futures, const rmd_task *tasks, size_t n,
                           const rmd_task_options *options)
{
    for (size_t i = 0; i < n; i++) {
        int err = tasks[i].fn ? rmdi_threads_submit(base, futures ? &futures[i] : NULL, tasks[i].fn,
                                                    tasks[i].arg, options)
                              : refuse(i);
        if (err < 0)
            return i ? (int64_t)i : err;
    }
    return (int64_t)n;
}

int64_t rmdi_threads_submit_many(rmd_pool *base, rmd_future **futures, const rmd_task *tasks,
                                 size_t n, const rmd_task_options *options)
{
    rmdi_threads *pool = (rmdi_threads *)(void *)base;
    rmdi_plan plan = { .body = RMDI_BODY_POINTER };
    int err = rmdi_plan_begin(&plan, pool, options, futures != NULL);
    if (err < 0)
        return err;
    if (plan.context || plan.limited || rmdi_plan_is_inside(&plan, pool)) {
        rmdi_plan_drop(&plan);
        return submit_each(base, futures, tasks, n, options);
    }
    size_t done = 0;
    for (unsigned batches = 1; done < n && err == 0; batches++) {
        done += submit_batch(pool, tasks + done, n - done, &plan, futures ? futures + done : NULL,
                             &err);
        if (batches % TELL_BATCHES == 0 || done == n || err < 0)
            rmdi_threads_tell(pool);
    }
    if (err == RMD_EINVAL)
        refuse(done);
    return done || n == 0 ? (int64_t)done : err;
}
