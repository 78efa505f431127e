/* SPDX-License-Identifier: MIT */
/* Submitting tasks to a threads pool.
 *
 * From outside, and with a priority, they go to the injection queue; what a task submits goes into
 * the deque of the worker that it runs on, where others find it, too.
 *
 * Bounds
 * ------
 * The injection queue is bounded by queue_max, and the deque of each worker by its own size. Where
 * queue_max is less than that it is the bound of all together, and a task that was ended where it
 * lay in a deque counts until a worker comes by. When the queue is full, a submitter from outside
 * enters the list `place`, passes a fence, looks again, and sleeps. Whoever takes tasks out passes
 * a fence and looks whether anybody is in that list. Both fences are sequentially consistent, so
 * one of the two sees the other. One is woken at a time; it passes that on if there is still room.
 * Inside a task nobody waits for room, which might never come: the task is run at once, in place,
 * on top of the one that submits it.
 *
 * Closing
 * -------
 * is done with `in` of the injection held, under which a submitter from outside looks. One
 * inside a task may put one more into its own deque meanwhile; that is before its own task has been
 * finished, so a drain sees it counted. */
#include "base/alloc.h"
#include "base/error.h"
#include "exec/call.h"
#include "exec/failure.h"
#include "exec/then.h"
#include "exec/threads.h"
#include "port/thread.h"

#include <string.h>

#ifdef RMD_EXPLORE
enum { PLACE_PAUSES = 1, PLACE_YIELDS = 1 };
#else
enum { PLACE_PAUSES = 64, PLACE_YIELDS = 4 };
#endif

/* ---- how full ---- */

static bool is_full(const rmdi_threads *pool)
{
    size_t n = rmdi_injection_all(&pool->injection);
    for (unsigned i = 0; pool->is_small && i < pool->threads_max; i++)
        n += rmdi_deque_len(&pool->workers[i].deque);
    return n >= pool->queue_max;
}

static bool is_closed(const rmdi_threads *pool)
{
    return rmd_atomic_load(&pool->closed, RMD_RELAXED);
}

static int refuse_closed(void)
{
    return rmdi_fail(RMD_ECLOSED, "the pool takes no more tasks");
}

void rmdi_threads_tell(rmdi_threads *pool)
{
    /* It passes a fence, also for `missing`: see rmdi_worker_block(). */
    if (!rmdi_idle_tell(&pool->idle) && rmd_atomic_load(&pool->missing, RMD_RELAXED))
        rmdi_crew_fill(pool);
}

void rmdi_threads_tell_room(rmdi_threads *pool)
{
    rmd_fence(RMD_SEQ_CST); /* with that in sleep_for_place() */
    if (rmdi_wait_list_waits(&pool->place))
        rmdi_wake_one(&pool->place);
}

static int refuse_full(const rmdi_threads *pool, int err)
{
    if (err == RMD_ECANCELED)
        return rmdi_fail(err, "%u tasks are queued", pool->queue_max);
    return rmdi_fail(RMD_EFULL, "%u tasks are queued%s", pool->queue_max,
                     err == RMD_ETIMEDOUT ? ", and none of them was started in time" : "");
}

static bool must_wait(const rmdi_threads *pool)
{
    return is_full(pool) && !is_closed(pool);
}

/* Awake for some microseconds, then letting others run a few times: until there is room for
 * several, or it has been of no use. */
static bool room_while_we_look(rmdi_threads *pool)
{
    bool room = false;
    for (unsigned looks = rmdi_spin_looks(&pool->place_spin); looks > 0 && !room; looks--) {
        rmdi_spin_for(PLACE_PAUSES);
        room = !must_wait(pool);
    }
    rmdi_spin_learn(&pool->place_spin, room);
    for (int yields = 0; yields < PLACE_YIELDS && !room; yields++) {
        rmdi_os_thread_yield();
        room = !must_wait(pool);
    }
    return room;
}

/* Sleeps until there may be room. 0: look again. */
static int sleep_for_place(rmdi_threads *pool, rmd_deadline deadline)
{
    rmdi_waiter waiter;
    rmdi_wait wait;
    rmdi_waiter_init(&waiter, true);
    rmdi_wait_list_enter(&pool->place);
    rmdi_wait_list_add(&pool->place, &wait, &waiter, 0);
    rmdi_wait_list_leave(&pool->place);
    rmd_fence(RMD_SEQ_CST); /* with that in rmdi_threads_tell_room() */
    int err = must_wait(pool) ? rmdi_waiter_sleep(&waiter, deadline) : 0;
    rmdi_wait_list_remove(&pool->place, &wait);
    return err < 0 ? err : 0;
}

/* ---- making a task ---- */

/* What a task is made of. */
typedef struct plan {
    rmdi_body body;
    union {
        rmd_task_fn *fn;
        const rmd_function *function;
        rmdi_then *then;
    };
    union {
        void *arg;
        rmdi_encoded *encoded;
    };
    const rmd_task_options *options;
    rmd_context *context;
    bool handled;
} plan;

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

static int begin_plan(plan *p, const rmd_task_options *options, bool handled)
{
    p->options = options ? options : &no_options;
    p->handled = handled;
    int err = check_options(p->options);
    if (err == 0 && rmdi_bindings_now())
        err = rmd_context_capture(&p->context);
    return err;
}

static void drop_context(plan *p)
{
    if (p->context)
        rmd_context_free(p->context);
}

/* Fills the memory of a task. The plan's parts are its own from here on. */
static void fill(rmdi_threads *pool, rmdi_thread_task *task, uint64_t id, const plan *p,
                 uint32_t flags)
{
    const rmd_task_options *options = p->options;
    RMD_PLAIN_WRITES(&task->future.ops, RMDI_TASK_LINE);
    rmdi_future_init_again(&task->future, &rmdi_thread_task_ops, id, p->handled ? 2 : 1, flags);
    task->pool = pool;
    task->fn = p->fn;
    task->arg = p->arg;
    rmd_atomic_init(&task->frame, NULL);
    task->priority = (int8_t)(options->priority + 1);
    task->body = (uint8_t)p->body;
    task->handled = p->handled;
    task->ran = false;
    task->cold = p->context || options->ctx || options->name;
    if (task->cold) {
        task->ctx = options->ctx;
        task->context = p->context;
        task->name = options->name;
    }
}

/* Memory for one, and its number; NULL: there is none. */
static rmdi_thread_task *new_memory(rmdi_threads *pool, uint64_t *id)
{
    rmdi_thread_task *task;
    do {
        rmdi_brief_enter(&pool->injection.in);
        task = rmdi_task_from_kept(pool);
        if (task)
            *id = rmdi_threads_draw(&pool->stock);
        rmdi_brief_leave(&pool->injection.in);
    } while (!task && rmdi_threads_get_memory(pool));
    return task;
}

/* Makes one that nobody knows yet. NULL: no memory, and the plan's parts are the caller's. */
static rmdi_thread_task *make(rmdi_threads *pool, const plan *p, uint32_t flags)
{
    uint64_t id;
    rmdi_thread_task *task = new_memory(pool, &id);
    if (task)
        fill(pool, task, id, p, flags);
    return task;
}

/* ---- into the queue: with `in` of the injection held ---- */

/* The queue of one that may belong to a group: its members come to know each other there. */
static void enter_queue(rmdi_threads *pool, const rmd_task_options *options)
{
    if (options->group)
        rmdi_group_open_door(options->group);
    rmdi_brief_enter(&pool->injection.in);
}

static void leave_queue(rmdi_threads *pool, const rmd_task_options *options)
{
    rmdi_brief_leave(&pool->injection.in);
    if (options->group)
        rmdi_group_close_door(options->group);
}

/* Nobody else writes this count. */
static void count_submitted(rmdi_threads *pool)
{
    rmdi_count_own(&pool->others.submitted, 1);
}

/* Counted before a worker can take it, so that no census sees more begun than submitted. */
static void append(rmdi_threads *pool, rmdi_thread_task *task, const rmd_task_options *options)
{
    count_submitted(pool);
    if (options->group)
        rmdi_group_let_in(options->group, &task->future);
    rmdi_injection_add(&pool->injection, &task->link, &task->place, (unsigned)task->priority);
}

static bool has_room(rmdi_threads *pool)
{
    return pool->is_small ? !is_full(pool)
                          : rmdi_injection_is_below(&pool->injection, pool->queue_max);
}

/* 0: there is room. RMD_EAGAIN: wait for it. RMD_EDEADLK: there is none, and we must not wait. */
static int look_for_room(rmdi_threads *pool, bool inside, const rmd_task_options *options)
{
    if (is_closed(pool))
        return RMD_ECLOSED;
    if (has_room(pool))
        return 0;
    if (options->full_ms < 0)
        return RMD_EFULL;
    return inside ? RMD_EDEADLK : RMD_EAGAIN;
}

/* ---- one from outside: in one section of the lock ---- */

/* As look_for_room(); 0: *task is in the queue, or NULL, as no memory is kept. */
static int try_plain(rmdi_threads *pool, const plan *p, rmdi_thread_task **task)
{
    enter_queue(pool, p->options);
    int err = look_for_room(pool, false, p->options);
    *task = err == 0 ? rmdi_task_from_kept(pool) : NULL;
    if (*task) {
        fill(pool, *task, rmdi_threads_draw(&pool->stock), p, 0);
        append(pool, *task, p->options);
    }
    leave_queue(pool, p->options);
    return err;
}

/* When there was no room: waits for it (0: try again), or says why not. */
static int after_full(rmdi_threads *pool, int err, rmd_deadline deadline)
{
    if (err == RMD_ECLOSED)
        return refuse_closed();
    if (err == RMD_EFULL)
        return refuse_full(pool, 0);
    if (err != RMD_EAGAIN)
        return err;
    err = room_while_we_look(pool) ? 0 : sleep_for_place(pool, deadline);
    return err < 0 ? refuse_full(pool, err) : 0;
}

static rmd_deadline deadline_of(const rmd_task_options *options)
{
    return options->full_ms > 0 ? rmd_after_ms(options->full_ms) : RMD_FOREVER;
}

/* A submitter that was woken for room and does not need it, or that leaves some, passes it on. */
static int submit_plain(rmdi_threads *pool, const plan *p, rmdi_thread_task **task)
{
    rmd_deadline deadline = RMD_FOREVER;
    bool waited = false;
    int err;
    do {
        err = try_plain(pool, p, task);
        if (err == 0 && !*task && !rmdi_threads_get_memory(pool))
            err = rmdi_fail_memory();
        else if (err < 0) {
            if (!waited)
                deadline = deadline_of(p->options);
            waited = true;
            err = after_full(pool, err, deadline);
        }
    } while (err == 0 && !*task);
    if (waited && !is_full(pool))
        rmdi_threads_tell_room(pool);
    return err;
}

/* ---- one from inside: no lock ---- */

/* RMD_EAGAIN: it does not go this way. */
static int submit_inside(rmdi_threads *pool, rmdi_worker *worker, const plan *p,
                         rmdi_thread_task **out)
{
    if (is_closed(pool) || rmdi_deque_len(&worker->deque) >= RMDI_DEQUE_MAX ||
        (pool->is_small && is_full(pool)))
        return RMD_EAGAIN;
    rmdi_thread_task *task = make(pool, p, 0);
    if (!task)
        return rmdi_fail_memory();
    RMDI_TALLY(pool, worker, submitted, 1); /* before those of the group can end it */
    if (p->options->group)
        rmdi_group_enter(p->options->group, &task->future);
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
        /* Release: of what was done while it was held. */
        rmd_atomic_and(&task->future.word, ~(uint32_t)RMDI_FUTURE_HELD, RMD_RELEASE);
    }
    rmdi_brief_leave(&pool->injection.out);
    rmdi_brief_leave(&pool->injection.in);
    if (held)
        rmdi_threads_tell(pool);
}

/* Accepts it, and holds it. always: whatever the bounds. As look_for_room(). */
static int accept(rmdi_threads *pool, rmdi_thread_task *task, const plan *p, bool always)
{
    bool inside = rmdi_threads_inside(pool);
    rmdi_brief_enter(&pool->injection.in);
    int err = look_for_room(pool, inside, p->options);
    if (err != RMD_ECLOSED && always)
        err = 0;
    if (err == 0 || err == RMD_EDEADLK)
        count_submitted(pool);
    if (err == 0) {
        rmdi_brief_enter(&pool->injection.out);
        RMD_PLAIN_SET(task->held, true);
        RMD_PLAIN_WRITES(&pool->held, sizeof pool->held);
        rmdi_list_append(&pool->held, &task->link);
        rmdi_brief_leave(&pool->injection.out);
    }
    rmdi_brief_leave(&pool->injection.in);
    return err;
}

static int accept_when_room(rmdi_threads *pool, rmdi_thread_task *task, const plan *p, bool always)
{
    int err = accept(pool, task, p, always);
    if (err == 0 || err == RMD_EDEADLK)
        return err;
    rmd_deadline deadline = deadline_of(p->options);
    while (err < 0 && err != RMD_EDEADLK) {
        err = after_full(pool, err, deadline);
        if (err < 0)
            return err;
        err = accept(pool, task, p, always);
    }
    if (!is_full(pool))
        rmdi_threads_tell_room(pool);
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

/* One that was not accepted, and is still claimed; others may hold it. What the plan has brought
 * stays the caller's. */
static void refuse(rmdi_thread_task *task, const plan *p, unsigned references)
{
    if (rmdi_future_group(&task->future))
        rmdi_group_undo(&task->future);
    task->context = NULL;
    if (p->body != RMDI_BODY_POINTER) {
        task->body = RMDI_BODY_POINTER;
        task->cold = true;
        task->name = "refused"; /* not the function's */
    }
    while (references-- > 0)
        rmdi_future_drop(&task->future);
}

/* Accepted and held; *out is it, with a reference of the caller's. RMD_EDEADLK: it is to be run in
 * place. */
static int submit_held(rmdi_threads *pool, const plan *p, bool always, rmdi_thread_task **out)
{
    rmd_group *group = p->options->group;
    rmdi_thread_task *task = make(pool, p, RMDI_FUTURE_HELD | RMDI_FUTURE_RUNNING);
    if (!task)
        return rmdi_fail_memory();
    rmdi_future_hold(&task->future);
    int err = has_limits(&p->options->limits) ? rmdi_limits_open(task, &p->options->limits) : 0;
    if (err == 0 && group)
        rmdi_group_enter(group, &task->future);
    if (err == 0)
        err = accept_when_room(pool, task, p, always);
    if (err < 0 && err != RMD_EDEADLK) {
        refuse(task, p, p->handled ? 3 : 2);
        return err;
    }
    *out = task;
    if (err == 0 && !rmdi_future_offer(&task->future))
        end_told(task);
    else if (rmdi_task_limits(task))
        rmdi_limits_begin(task); /* not before: a due that finds it claimed is lost */
    return err;
}

static int submit_in_steps(rmdi_threads *pool, const plan *p, rmdi_thread_task **task)
{
    int err = submit_held(pool, p, false, task);
    if (err == 0)
        rmdi_threads_release(*task);
    else if (err == RMD_EDEADLK)
        run_in_place(pool, *task);
    if (err == 0 || err == RMD_EDEADLK)
        rmdi_future_drop(&(*task)->future);
    return err == RMD_EDEADLK ? 0 : err;
}

/* ---- the way of a plan ---- */

static int submit_task(rmdi_threads *pool, plan *p, rmd_future **future)
{
    const rmd_task_options *options = p->options;
    rmdi_worker *worker = rmdi_worker_here(pool);
    rmdi_thread_task *task = NULL;
    int err = RMD_EAGAIN;
    bool limits = has_limits(&options->limits);
    if (worker && !limits && options->priority == RMD_PRIORITY_NORMAL)
        err = submit_inside(pool, worker, p, &task);
    else if (!limits && !rmdi_threads_inside(pool))
        err = submit_plain(pool, p, &task);
    if (err == 0)
        rmdi_threads_tell(pool);
    else if (err == RMD_EAGAIN)
        err = submit_in_steps(pool, p, &task);
    if (err == 0 && future)
        *future = &task->future;
    return err;
}

int rmdi_threads_submit(rmd_pool *base, rmd_future **future, rmd_task_fn *fn, void *arg,
                        const rmd_task_options *options)
{
    plan p = { .body = RMDI_BODY_POINTER, .fn = fn, .arg = arg };
    int err = begin_plan(&p, options, future != NULL);
    if (err < 0)
        return err;
    err = submit_task((rmdi_threads *)(void *)base, &p, future);
    if (err < 0)
        drop_context(&p);
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
    plan p = { .body = RMDI_BODY_CALL, .function = rmd_function_find(name) };
    if (!p.function)
        return rmdi_fail(RMD_ENOENT, "no function \"%s\" was added: see rmd_functions_add()", name);
    int err = encode(&p.encoded, &args);
    if (err < 0)
        return err;
    err = begin_plan(&p, options, future != NULL);
    if (err == 0)
        err = submit_task((rmdi_threads *)(void *)base, &p, future);
    if (err < 0) {
        drop_context(&p);
        rmdi_free(p.encoded);
    }
    return err;
}

/* ---- many at once ---- */

typedef struct batch {
    rmdi_threads *pool;
    rmd_future *futures[RMDI_BATCH_MAX]; /* those that are made, and not in the queue yet */
    size_t made, queued;
} batch;

/* Memory for n tasks, at most a batch, and their numbers; how many there are. */
static size_t take_memory(rmdi_threads *pool, rmdi_thread_task **memory, uint64_t *ids, size_t n)
{
    size_t got = 0;
    do {
        rmdi_brief_enter(&pool->injection.in);
        while (got < n && (memory[got] = rmdi_task_from_kept(pool)))
            ids[got++] = rmdi_threads_draw(&pool->stock);
        rmdi_brief_leave(&pool->injection.in);
    } while (got < n && rmdi_threads_get_memory(pool));
    return got;
}

static void make_batch(batch *b, const rmd_task *tasks, size_t n, plan *p)
{
    rmdi_thread_task *memory[RMDI_BATCH_MAX];
    uint64_t ids[RMDI_BATCH_MAX];
    size_t wanted = 0;
    while (wanted < n && wanted < RMDI_BATCH_MAX && tasks[wanted].fn)
        wanted++;
    b->made = take_memory(b->pool, memory, ids, wanted);
    for (size_t i = 0; i < b->made; i++) {
        p->fn = tasks[i].fn;
        p->arg = tasks[i].arg;
        fill(b->pool, memory[i], ids[i], p, 0);
        b->futures[i] = &memory[i]->future;
    }
}

/* As many as there is room for. As look_for_room(). */
static int queue_batch(batch *b, const rmd_task_options *options)
{
    int err = 0;
    size_t before = b->queued;
    enter_queue(b->pool, options);
    while (b->queued < b->made && (err = look_for_room(b->pool, false, options)) == 0)
        append(b->pool, rmdi_thread_task_of(b->futures[b->queued++]), options);
    leave_queue(b->pool, options);
    if (b->queued > before)
        rmdi_threads_tell(b->pool);
    return err;
}

static void refuse_rest(batch *b, const plan *p)
{
    for (size_t i = b->queued; i < b->made; i++)
        refuse(rmdi_thread_task_of(b->futures[i]), p, p->handled ? 2 : 1);
}

/* How many of n, at most a batch, were accepted; *err why not more. */
static size_t submit_batch(rmdi_threads *pool, const rmd_task *tasks, size_t n, plan *p,
                           rmd_future **futures, int *err)
{
    batch b = { .pool = pool };
    rmd_deadline deadline = deadline_of(p->options);
    make_batch(&b, tasks, n, p);
    if (b.made < n && b.made < RMDI_BATCH_MAX)
        *err = tasks[b.made].fn ? rmdi_fail_memory()
                                : rmdi_fail(RMD_EINVAL, "a task of no function");
    int full = queue_batch(&b, p->options);
    bool waited = full < 0;
    while (full < 0) {
        full = after_full(pool, full, deadline);
        if (full < 0) {
            *err = full;
            break;
        }
        full = queue_batch(&b, p->options);
    }
    if (waited && !is_full(pool))
        rmdi_threads_tell_room(pool); /* as submit_plain() */
    refuse_rest(&b, p);
    if (p->handled)
        memcpy(futures, b.futures, b.queued * sizeof *futures);
    return b.queued;
}

/* One by one: from inside, or what needs more for each. */
static int64_t submit_each(rmd_pool *base, rmd_future **futures, const rmd_task *tasks, size_t n,
                           const rmd_task_options *options)
{
    for (size_t i = 0; i < n; i++) {
        int err = tasks[i].fn ? rmdi_threads_submit(base, futures ? &futures[i] : NULL, tasks[i].fn,
                                                    tasks[i].arg, options)
                              : rmdi_fail(RMD_EINVAL, "task %zu has no function", i);
        if (err < 0)
            return i ? (int64_t)i : err;
    }
    return (int64_t)n;
}

int64_t rmdi_threads_submit_many(rmd_pool *base, rmd_future **futures, const rmd_task *tasks,
                                 size_t n, const rmd_task_options *options)
{
    rmdi_threads *pool = (rmdi_threads *)(void *)base;
    plan p = { .body = RMDI_BODY_POINTER };
    int err = begin_plan(&p, options, futures != NULL);
    if (err < 0)
        return err;
    if (p.context || rmdi_threads_inside(pool) || has_limits(&p.options->limits)) {
        drop_context(&p);
        return submit_each(base, futures, tasks, n, options);
    }
    size_t done = 0;
    while (done < n && err == 0)
        done += submit_batch(pool, tasks + done, n - done, &p, futures ? futures + done : NULL,
                             &err);
    return done || n == 0 ? (int64_t)done : err;
}

/* ---- after another one ---- */

static void drop_first(rmd_future *first, void *ctx)
{
    rmdi_free(ctx); /* the hook lies in it */
    rmdi_future_drop(first);
}

/* In turn: the first may be the last that holds one before it, and so on. */
void rmdi_then_free(rmdi_then *then)
{
    then->hook = (rmdi_on_end){ .fn = drop_first, .ctx = then };
    rmdi_future_run_hook(then->first, &then->hook);
}

/* The end of the first. */
static void on_first_end(rmd_future *first, void *ctx)
{
    rmdi_thread_task *task = ctx;
    rmd_failure failure;
    rmdi_future_describe(first, &failure);
    if (failure.outcome == RMD_OUTCOME_OK) {
        rmdi_threads_release(task);
    } else if (rmdi_future_claim(&task->future, true)) {
        rmdi_task_unqueue(task);
        rmdi_task_end_unstarted(task, failure.outcome, failure.error, failure.detail);
    }
    rmdi_future_drop(&task->future);
}

int rmdi_threads_then(rmd_pool *base, rmd_future **future, rmd_future *first, rmd_then_fn *fn,
                      void *arg, const rmd_task_options *options)
{
    plan p = { .body = RMDI_BODY_THEN };
    rmdi_thread_task *task;
    int err = begin_plan(&p, options, future != NULL);
    p.then = err == 0 ? rmdi_alloc(sizeof *p.then) : NULL;
    if (err == 0 && !p.then)
        err = rmdi_fail_memory();
    if (err == 0) {
        *p.then = (rmdi_then){ .fn = fn, .arg = arg, .first = first };
        rmdi_future_hold(first);
        err = submit_held((rmdi_threads *)(void *)base, &p, true, &task);
    }
    if (err < 0) {
        drop_context(&p);
        if (p.then)
            rmdi_then_free(p.then);
        return err;
    }
    p.then->hook = (rmdi_on_end){ .fn = on_first_end, .ctx = task };
    if (future)
        *future = &task->future;
    /* The hook has our reference. */
    if (!rmdi_future_hook(first, &p.then->hook))
        on_first_end(first, task);
    return 0;
}
