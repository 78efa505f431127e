/* SPDX-License-Identifier: MIT */
/* What a worker does all day, and who is a worker.
 *
 * Where work comes from
 * ---------------------
 * Callbacks first; then tasks of high priority; then those in the worker's own deque, the oldest
 * first; then the injection queue, of which it takes several at once if there are many; then the
 * deques of others; then tasks of low priority. Now and then some of the injection queue are put
 * behind what is in its own deque, so that tasks that beget tasks do not starve the others.
 *
 * Spares
 * ------
 * `active` workers look for tasks and run them, as many as the pool was opened with. One that is
 * about to sleep inside a task is not active meanwhile, and if there is work a spare takes its
 * place: one from the bench, or a new thread, as long as there are not twice as many as the pool
 * was opened with. When the sleeper runs again there is one too many; the next that has ended a
 * task goes to the bench. What may be in its deque others find.
 *
 * Work may come when it has gone to sleep. So it says that one is `missing`, passes a fence, and
 * looks whether there is work; who brings work passes one, and looks whether one is missing
 * (rmdi_threads_tell). Both are sequentially consistent: one of the two sees the other. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/recorder.h"
#include "exec/template_setup.h"
#include "exec/threads.h"
#include "port/cpu.h"
#include "port/forked.h"
#include "sync/local_value.h"
#include "sync/spin.h"

#include <remuda/task.h>
#include <string.h>

enum {
    FAIR_TICKS = 61, /* every so often the injection queue is looked at before it is our turn */
};

/* ---- finding a task ---- */

static rmdi_thread_task *of_link(rmdi_link *link)
{
    return RMDI_CONTAINER(link, rmdi_thread_task, link);
}

/* How many of normal priority to take at once, if there are as many: others can steal them. In a
 * small queue one: a task takes a place until it is seen to have been cancelled, and there it is
 * seen at once. */
static unsigned share_max(const rmdi_worker *worker)
{
    if (worker->pool->is_small)
        return 1;
    unsigned room = RMDI_DEQUE_MAX - (unsigned)rmdi_deque_len(&worker->deque);
    return room < RMDI_BATCH_MAX ? room : RMDI_BATCH_MAX;
}

/* They are in the cache of whoever has submitted them: when each comes to its turn both lines that
 * a member of a group takes are here. Only while we run such tasks one after the other: for one
 * that is run at once it is too late, and for others it would be one line too many.
 *
 * Always inlined: to gcc 12 a function that does nothing but this does nothing. */
__attribute__((always_inline)) static inline void prefetch(const rmdi_worker *worker,
                                                           rmdi_link *const *links, unsigned n)
{
    for (unsigned i = 0; worker->leaving && i < n; i++) {
        const rmd_future *future = &of_link(links[i])->future;
        __builtin_prefetch(&future->group, 1);
        __builtin_prefetch(&future->ops, 1);
    }
}

/* The first of n that are taken out of the injection queue; the others go to the own deque, so that
 * whoever looks for them finds them in one of the two. NULL: there is none. first_too: all of them
 * go there. */
static rmdi_thread_task *take_some(rmdi_worker *worker, unsigned priority, unsigned n,
                                   bool first_too)
{
    rmdi_threads *pool = worker->pool;
    rmdi_link *links[RMDI_BATCH_MAX];
    rmdi_brief_enter(&pool->injection.out);
    n = rmdi_injection_take(&pool->injection, priority, links, n);
    for (unsigned i = first_too ? 0 : 1; i < n; i++)
        rmdi_deque_push(&worker->deque, of_link(links[i])); /* nobody else pushes: there is room */
    rmdi_injection_took(&pool->injection, priority);
    rmdi_brief_leave(&pool->injection.out);
    prefetch(worker, links, n);
    if (n)
        rmdi_threads_tell_room(pool);
    if (n && !first_too) /* which is ours alone; others may be gone already */
        rmdi_record_often(RMDI_RECORD_TAKE, of_link(links[0])->future.id, n);
    return n && !first_too ? of_link(links[0]) : NULL;
}

static rmdi_thread_task *from_injection(rmdi_worker *worker, unsigned priority)
{
    if (!rmdi_injection_has(&worker->pool->injection, priority))
        return NULL;
    unsigned n = priority == RMDI_PRIORITY_NORMAL ? share_max(worker) : 1;
    return take_some(worker, priority, n ? n : 1, false);
}

/* Some from the injection queue go to the end of the own deque. With one worker, what was submitted
 * first must start first, so none of them may pass what was taken before. */
static void top_up(rmdi_worker *worker)
{
    if (rmdi_injection_has(&worker->pool->injection, RMDI_PRIORITY_NORMAL))
        (void)take_some(worker, RMDI_PRIORITY_NORMAL, share_max(worker), true);
}

/* From one other worker's deque. */
static rmdi_thread_task *steal_from(rmdi_worker *victim)
{
    bool again;
    rmdi_thread_task *task;
    do
        task = rmdi_deque_steal(&victim->deque, &again);
    while (again);
    return task;
}

static uint32_t next_random(rmdi_worker *worker)
{
    uint32_t x = worker->random; /* xorshift: Marsaglia 2003 */
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return worker->random = x;
}

static rmdi_thread_task *steal(rmdi_worker *worker)
{
    rmdi_threads *pool = worker->pool;
    unsigned n = pool->threads_max, first = next_random(worker) % n;
    for (unsigned i = 0; i < n; i++) {
        rmdi_worker *victim = &pool->workers[(first + i) % n];
        if (victim == worker || !rmdi_deque_len(&victim->deque))
            continue;
        rmdi_thread_task *task = steal_from(victim);
        if (task) {
            RMDI_TALLY(pool, worker, stolen, 1);
            rmdi_record_often(RMDI_RECORD_STEAL, task->future.id, victim->index + 1);
            if (pool->is_small)
                rmdi_threads_tell_room(pool);
            return task;
        }
    }
    return NULL;
}

static rmdi_thread_task *from_own(rmdi_worker *worker)
{
    rmdi_thread_task *task = rmdi_deque_take_oldest(&worker->deque);
    if (task && worker->pool->is_small)
        rmdi_threads_tell_room(worker->pool);
    return task;
}

static rmdi_thread_task *find(rmdi_worker *worker)
{
    rmdi_thread_task *task = from_injection(worker, RMDI_PRIORITY_HIGH);
    if (!task && ++worker->ticks % FAIR_TICKS == 0)
        top_up(worker);
    if (!task)
        task = from_own(worker);
    if (!task)
        task = from_injection(worker, RMDI_PRIORITY_NORMAL);
    if (!task)
        task = steal(worker);
    return task ? task : from_injection(worker, RMDI_PRIORITY_LOW);
}

bool rmdi_threads_has_work(rmdi_threads *pool)
{
    if (rmdi_injection_has(&pool->injection, RMDI_PRIORITY_NORMAL) ||
        rmdi_injection_others(&pool->injection) ||
        rmd_atomic_load(&pool->calls_waiting, RMD_RELAXED))
        return true;
    for (unsigned i = 0; i < pool->threads_max; i++)
        if (rmdi_deque_len(&pool->workers[i].deque))
            return true;
    return false;
}

static bool quits(const rmdi_threads *pool)
{
    return rmd_atomic_load(&pool->quit, RMD_ACQUIRE);
}

static bool find_none(void *ctx)
{
    rmdi_threads *pool = ctx;
    return !rmdi_threads_has_work(pool) && !quits(pool);
}

/* ---- the crew ---- */

static bool too_many(rmdi_threads *pool)
{
    return rmd_atomic_load(&pool->active, RMD_RELAXED) > pool->pool.workers;
}

/* With the crew's lock held: it is told to `active` and `missing`. */
static void set_active(rmdi_threads *pool, uint32_t active)
{
    bool could = pool->retired || (pool->threads < pool->threads_max && !pool->start_error);
    rmd_atomic_store(&pool->active, active, RMD_RELAXED);
    rmd_atomic_store(&pool->missing, could && active < pool->pool.workers, RMD_RELAXED);
}

int rmdi_crew_start(rmdi_threads *pool)
{
    rmdi_worker *worker = &pool->workers[pool->threads];
    int err = rmdi_thread_start_sized(&worker->thread, rmdi_worker_main, worker, worker->name,
                                      pool->stack_bytes);
    pool->no_thread = err < 0;
    if (err < 0)
        return err;
    pool->threads++;
    pool->starting++;
    return 0;
}

/* One more takes the place of one that is missing; false: there is none. With the lock held. */
static bool open_spare(rmdi_threads *pool)
{
    uint32_t active = rmd_atomic_load(&pool->active, RMD_RELAXED);
    if (active >= pool->pool.workers || quits(pool))
        return false;
    if (pool->retired) {
        pool->retired--;
        rmdi_wake_one(&pool->benched);
    } else if (pool->threads == pool->threads_max || pool->start_error ||
               rmdi_crew_start(pool) < 0) {
        return false;
    }
    set_active(pool, active + 1);
    rmdi_record(RMDI_RECORD_SPARE, 0, active + 1);
    return true;
}

void rmdi_crew_fill(rmdi_threads *pool)
{
    rmdi_lock_enter(&pool->crew);
    while (rmdi_threads_has_work(pool) && open_spare(pool))
        ;
    rmdi_lock_release(&pool->crew);
}

/* The task on top there, which is the calling thread; 0: none, it is in a callback. */
static uint64_t running_on(const rmdi_worker *worker)
{
    const rmdi_frame *top = rmd_atomic_load(&worker->top, RMD_RELAXED); /* our own */
    return top ? top->future->id : 0;
}

void rmdi_worker_block(rmdi_worker *worker)
{
    rmdi_threads *pool = worker->pool;
    if (!rmdi_process_is(pool->pool.process))
        return; /* a child that a task has forked: its copy of the pool is nobody's */
    if (worker->blocks++)
        return;
    rmdi_worker_flush(worker);
    rmdi_record(RMDI_RECORD_BLOCK, running_on(worker), 0);
    rmdi_lock_enter(&pool->crew);
    pool->blocked++;
    set_active(pool, rmd_atomic_load(&pool->active, RMD_RELAXED) - 1);
    bool missing = rmd_atomic_load(&pool->missing, RMD_RELAXED);
    rmdi_lock_release(&pool->crew);
    rmd_fence(RMD_SEQ_CST); /* with that in rmdi_threads_tell() */
    if (missing && rmdi_threads_has_work(pool))
        rmdi_threads_tell(pool);
}

bool rmdi_worker_is_last(rmdi_worker *worker)
{
    rmdi_threads *pool = worker->pool;
    if (!rmdi_process_is(pool->pool.process))
        return false;
    rmdi_lock_enter(&pool->crew);
    bool none_comes = pool->no_thread || !rmd_atomic_load(&pool->missing, RMD_RELAXED);
    unsigned unsure = pool->start ? pool->starting : 0; /* `start` may fail */
    bool last = rmd_atomic_load(&pool->active, RMD_RELAXED) == unsure && (unsure || none_comes) &&
                rmdi_threads_has_work(pool);
    rmdi_lock_release(&pool->crew);
    return last;
}

void rmdi_worker_unblock(rmdi_worker *worker)
{
    rmdi_threads *pool = worker->pool;
    if (!rmdi_process_is(pool->pool.process) || --worker->blocks)
        return;
    rmdi_lock_enter(&pool->crew);
    pool->blocked--;
    set_active(pool, rmd_atomic_load(&pool->active, RMD_RELAXED) + 1);
    rmdi_lock_release(&pool->crew);
    rmdi_record(RMDI_RECORD_UNBLOCK, running_on(worker), 0);
}

/* Goes to the bench until it is wanted again. With the lock held, which is released. */
static void sit(rmdi_threads *pool)
{
    rmdi_waiter waiter;
    rmdi_wait wait;
    pool->retired++;
    set_active(pool, rmd_atomic_load(&pool->active, RMD_RELAXED) - 1);
    rmdi_waiter_init(&waiter, false);
    rmdi_wait_list_enter(&pool->benched);
    rmdi_wait_list_add_first(&pool->benched, &wait, &waiter, 0);
    rmdi_wait_list_leave(&pool->benched);
    rmdi_lock_release(&pool->crew);
    rmdi_threads_tell(pool); /* what is in our deque is for others now */
    rmdi_record(RMDI_RECORD_BENCH, 0, 0);
    (void)rmdi_waiter_sleep(&waiter, RMD_FOREVER);
    rmdi_record(RMDI_RECORD_UNBENCH, 0, 0);
    rmdi_wait_list_remove(&pool->benched, &wait);
}

static void retire_if_too_many(rmdi_worker *worker)
{
    rmdi_threads *pool = worker->pool;
    rmdi_worker_flush(worker);
    rmdi_lock_enter(&pool->crew);
    if (too_many(pool) && !quits(pool))
        sit(pool);
    else
        rmdi_lock_release(&pool->crew);
}

/* ---- a worker ---- */

/* Runs a task that was taken out of a queue; or drops it, if somebody else has claimed it there.
 * False: this is a child that the body has forked. */
static bool run(rmdi_worker *worker, rmdi_thread_task *task)
{
    bool ours = true;
    if (worker->leaving && (worker->leaving == RMDI_LEAVING_MAX ||
                            worker->leavers[0]->group != rmdi_future_group(&task->future)))
        rmdi_worker_flush(worker);
    if (rmdi_future_claim(&task->future, false))
        ours = rmdi_task_run(task, worker, true);
    if (worker->leaving && worker->leavers[worker->leaving - 1] == &task->future)
        return true; /* it has the reference */
    if (ours)
        rmdi_worker_drop(worker, task);
    return ours;
}

/* Looks around for some microseconds, if not enough others do. *searching: we do when it returns.
 */
static rmdi_thread_task *search(rmdi_worker *worker, bool *searching)
{
    rmdi_threads *pool = worker->pool;
    rmdi_thread_task *task = NULL;
    unsigned pauses = RMDI_SPIN_PAUSES_FIRST;
    if (!*searching)
        *searching = rmdi_idle_search(&pool->idle, (pool->pool.workers + 1) / 2);
    if (!*searching || !rmdi_cpu_several())
        return *searching ? find(worker) : NULL;
    for (unsigned looks = RMDI_SPIN_LOOKS; looks > 0 && !task && !quits(pool); looks--) {
        if (rmd_atomic_load(&pool->calls_waiting, RMD_RELAXED))
            break;
        rmdi_spin_pause(&pauses); /* we have just looked */
        task = find(worker);
    }
    return task;
}

/* Somebody who searched has found something: if nobody else does, and there is more, another one is
 * woken for that. */
static void end_search(rmdi_threads *pool, bool *searching)
{
    if (*searching && rmdi_idle_found(&pool->idle) && rmdi_threads_has_work(pool))
        rmdi_threads_tell(pool);
    *searching = false;
}

/* False: there is nothing to do any more. */
static bool work_once(rmdi_worker *worker, bool *searching)
{
    rmdi_threads *pool = worker->pool;
    if (too_many(pool)) {
        end_search(pool, searching);
        retire_if_too_many(worker);
    }
    if (rmd_atomic_load(&pool->calls_waiting, RMD_RELAXED)) {
        end_search(pool, searching);
        if (rmdi_threads_run_callbacks(pool, worker))
            return true;
        if (!rmdi_process_is(pool->pool.process))
            return false; /* in the child that a callback has forked */
    }
    rmdi_thread_task *task = find(worker);
    if (!task) {
        rmdi_worker_flush(worker);
        rmdi_worker_give_spares(worker);
        task = search(worker, searching);
    }
    if (task) {
        end_search(pool, searching);
        return run(worker, task);
    }
    if (quits(pool)) {
        end_search(pool, searching);
        return false;
    }
    RMDI_TALLY(pool, worker, parked, 1);
    rmdi_record(RMDI_RECORD_PARK, 0, 0);
    rmdi_idle_sleep(&pool->idle, *searching, find_none, pool);
    rmdi_record(RMDI_RECORD_UNPARK, 0, 0);
    *searching = true;
    return true;
}

/* Tells rmd_pool_open(), or whoever opened a spare, what came of `start`. */
static bool begin(rmdi_worker *worker)
{
    rmdi_threads *pool = worker->pool;
    int err = pool->start ? pool->start(pool->arg) : 0;
    rmdi_lock_enter(&pool->crew);
    pool->starting--;
    if (err < 0) {
        if (!pool->start_error) {
            pool->start_error = err;
            pool->start_detail = rmdi_strdup(rmd_error_detail());
        }
        set_active(pool, rmd_atomic_load(&pool->active, RMD_RELAXED) - 1);
    } else {
        pool->ready++;
    }
    rmdi_condition_notify_all(&pool->crew_changed);
    rmdi_lock_release(&pool->crew);
    if (err < 0)
        rmdi_threads_tell(pool); /* one may have gone to the bench for us */
    return err >= 0;
}

void rmdi_worker_main(void *arg)
{
    rmdi_worker *worker = arg;
    rmdi_threads *pool = worker->pool;
    bool searching = false;
    rmdi_self_set_worker(worker);
    rmdi_recorder_name(worker->name);
    rmdi_record(RMDI_RECORD_WORKER_BEGIN, 0, worker->index + 1);
    if (begin(worker)) {
        while (work_once(worker, &searching))
            ;
        if (!rmdi_process_is(pool->pool.process))
            return; /* in a child that a task has forked: its copy of the pool is nobody's */
        rmdi_worker_flush(worker);
        if (pool->end)
            pool->end(pool->arg);
    }
    rmdi_values_end(rmdi_self_now());
    rmdi_self_set_worker(NULL);
    rmdi_record(RMDI_RECORD_WORKER_END, 0, worker->index + 1);
    rmdi_worker_give_spares(worker);
}

/* ---- what a task can ask ---- */

const char *rmd_worker_name(void)
{
    rmdi_worker *worker = rmdi_self_worker();
    return worker ? worker->name : rmdi_worker_process_name();
}

bool rmd_task_cancelled(void)
{
    rmdi_frame *frame = rmdi_frame_now();
    return frame && rmd_stop_requested(&frame->stop);
}

uint64_t rmd_task_id(void)
{
    rmdi_frame *frame = rmdi_frame_now();
    return frame ? rmd_future_id(frame->future) : 0;
}

unsigned rmd_task_attempt(void)
{
    rmdi_frame *frame = rmdi_frame_now();
    return frame ? frame->attempt : 0;
}

const char *rmd_task_name(void)
{
    rmdi_frame *frame = rmdi_frame_now();
    return frame ? rmd_future_name(frame->future) : "";
}

rmd_blocking *rmd_blocking_begin(rmd_blocking *blocking)
{
    rmdi_worker *worker = rmdi_self_worker();
    blocking->worker = worker;
    if (worker)
        rmdi_worker_block(worker);
    return blocking;
}

void rmd_blocking_end(rmd_blocking *blocking)
{
    if (blocking->worker)
        rmdi_worker_unblock(blocking->worker);
    blocking->worker = NULL;
}
