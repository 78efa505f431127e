/* SPDX-License-Identifier: MIT */
/* Running a task, and its end.
 *
 * Looking at what runs
 * --------------------
 * Whoever cancels everything, or names what does not stop, looks at the frames of all workers, on
 * whose stacks they lie. A worker that leaves a frame says so, passes a light fence, and looks
 * whether somebody inspects; who inspects says so, passes a heavy fence, and looks at the frames
 * (base/fence.h). So either the frame is not seen any more, or the worker sees that it is being
 * inspected, and waits for the end of that before it goes on and the frame goes. In the same way a
 * task that begins while everything is cancelled either is seen, or sees that: all up to an id are.
 * A visitor has a brief lock for it.
 *
 * Told to stop
 * ------------
 * Who claims a task and runs it makes its frame known, passes a light fence, and looks whether it
 * was told to stop; whoever tells it sets CANCEL or LATE, passes a heavy fence, and looks for the
 * frame. So either the runner sees that it was told, and fires the token itself, or the teller sees
 * the frame; perhaps both. How long the frame is there is told at the head of future.c.
 *
 * The order of an end
 * -------------------
 * The census counts it before it is published, so that who has waited for it sees it counted.
 * `finished` counts it after that, and after its callbacks are in good hands: when all are finished
 * the pool may be taken down. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/fence.h"
#include "base/recorder.h"
#include "exec/call.h"
#include "exec/failure.h"
#include "exec/then.h"
#include "exec/threads.h"
#include "port/forked.h"

#include <remuda/value.h>

enum { TOLD = RMDI_FUTURE_CANCEL | RMDI_FUTURE_LATE };

/* ---- frames ---- */

rmdi_worker *rmdi_worker_here(const rmdi_threads *pool)
{
    rmdi_worker *worker = rmdi_self_worker();
    return worker && worker->pool == pool ? worker : NULL;
}

bool rmdi_worker_is_aborted(void)
{
    const rmdi_worker *worker = rmdi_self_worker();
    return worker &&
           rmd_atomic_load(&worker->pool->cancelled_to, RMD_RELAXED) == UINT64_MAX; /* a hint */
}

bool rmdi_threads_inside(const rmdi_threads *pool)
{
    return rmdi_worker_here(pool) || rmdi_frames_include(rmdi_frame_now(), pool);
}

static void add_visit(rmdi_threads *pool, rmdi_visit *visit, rmdi_frame *frame)
{
    visit->top = frame;
    rmdi_brief_enter(&pool->visits_brief);
    RMD_PLAIN_WRITES(&pool->visits, sizeof pool->visits);
    rmdi_list_append(&pool->visits, &visit->link);
    rmdi_brief_leave(&pool->visits_brief);
}

/* The task runs in this frame from now on. Returns what was to be seen on the worker before: not
 * always the frame beneath, which may be that of a visit to another pool. */
static rmdi_frame *enter_frame(rmdi_thread_task *task, rmdi_worker *worker, rmdi_visit *visit,
                               rmdi_frame *frame)
{
    rmdi_frame *before = NULL;
    rmd_atomic_store(&task->frame, frame, RMD_RELEASE);
    if (worker) {
        before = rmd_atomic_load(&worker->top, RMD_RELAXED); /* our own */
        rmd_atomic_store(&worker->top, frame, RMD_RELEASE);
    } else {
        add_visit(task->pool, visit, frame);
    }
    rmdi_fence_light(); /* with the heavy ones in inspect() and fire() */
    return before;
}

static void leave_frame(rmdi_threads *pool, rmdi_worker *worker, rmdi_visit *visit,
                        rmdi_frame *before)
{
    if (worker) {
        rmd_atomic_store(&worker->top, before, RMD_RELEASE);
        rmdi_fence_light(); /* the same */
        /* Acquire: one that is over has read the frame, and holds the task. */
        if (rmd_atomic_load(&pool->inspecting, RMD_ACQUIRE)) {
            rmdi_lock_enter(&pool->inspect_lock);
            rmdi_lock_release(&pool->inspect_lock);
        }
        return;
    }
    rmdi_brief_enter(&pool->visits_brief);
    RMD_PLAIN_WRITES(&pool->visits, sizeof pool->visits);
    rmdi_list_remove(&visit->link);
    rmdi_brief_leave(&pool->visits_brief);
}

/* The tasks of this pool on one thread, held. */
static size_t gather(rmdi_threads *pool, rmdi_frame *frame, rmd_future **running, size_t n,
                     size_t max)
{
    for (; frame; frame = RMD_PLAIN(frame->outer)) {
        if (RMD_PLAIN(frame->pool) != &pool->pool)
            continue;
        if (n < max) {
            running[n] = RMD_PLAIN(frame->future);
            rmdi_future_hold(running[n]);
        }
        n++;
    }
    return n;
}

static size_t gather_visits(rmdi_threads *pool, rmd_future **running, size_t n, size_t max)
{
    rmdi_brief_enter(&pool->visits_brief);
    for (rmdi_link *l = pool->visits.next; l != &pool->visits; l = l->next) {
        /* Only the frame of the visit: those beneath have their own. */
        rmd_future *future = RMDI_CONTAINER(l, rmdi_visit, link)->top->future;
        if (n < max) {
            rmdi_future_hold(future);
            running[n] = future;
        }
        n++;
    }
    rmdi_brief_leave(&pool->visits_brief);
    return n;
}

size_t rmdi_threads_inspect(rmdi_threads *pool, rmd_future **running, size_t max)
{
    size_t n = 0;
    rmdi_lock_enter(&pool->inspect_lock);
    rmd_atomic_store(&pool->inspecting, 1, RMD_RELAXED);
    rmdi_fence_heavy(); /* with the light ones above */
    for (unsigned i = 0; i < pool->threads_max; i++)
        n = gather(pool, rmd_atomic_load(&pool->workers[i].top, RMD_ACQUIRE), running, n, max);
    n = gather_visits(pool, running, n, max);
    /* Release: of the frames we have read, and the tasks we hold now. */
    rmd_atomic_store(&pool->inspecting, 0, RMD_RELEASE);
    rmdi_lock_release(&pool->inspect_lock);
    return n;
}

/* ---- being told to stop ---- */

static void fire(rmd_future *future)
{
    rmdi_fence_heavy(); /* with the light one in enter_frame() */
    /* Acquire: what is in the frame. */
    rmdi_frame *frame = rmd_atomic_load(&rmdi_thread_task_of(future)->frame, RMD_ACQUIRE);
    if (frame)
        (void)rmd_stop_request(&frame->stop);
}

bool rmdi_task_tell(rmdi_thread_task *task, bool late)
{
    return rmdi_future_tell(&task->future, late, fire);
}

/* After it has entered the frame: was it told before that? */
static void heed(rmdi_thread_task *task, rmdi_frame *frame)
{
    if (rmd_atomic_load(&task->future.word, RMD_RELAXED) & TOLD)
        (void)rmd_stop_request(&frame->stop);
}

/* ---- the body ---- */

static int call_function(rmdi_thread_task *task, rmdi_frame *frame, const rmd_value **value)
{
    rmdi_buffer result = { 0 };
    rmd_bytes encoded = { task->encoded->data, task->encoded->len };
    int err = rmdi_call_run(task->function, encoded, task->future.id, frame->attempt, &frame->stop,
                            &result, frame->added);
    if (err == 0)
        err = rmd_value_decode(value, rmdi_buffer_view(&result), NULL);
    if (err < 0 && result.len)
        rmdi_fail(err, "%s: the result: %s", task->function->name, rmd_error_detail());
    rmdi_buffer_free(&result);
    return err;
}

static int run_body(rmdi_thread_task *task, rmdi_frame *frame, const rmd_value **value)
{
    switch ((rmdi_body)task->body) {
    case RMDI_BODY_CALL: return call_function(task, frame, value);
    case RMDI_BODY_THEN: return task->then->fn(task->then->first, task->then->arg);
    case RMDI_BODY_POINTER: break;
    }
    return task->fn(task->arg);
}

/* With the future's brief lock: nobody uses the token any more. */
static void reset_token(rmd_future *future)
{
    rmd_atomic_load(&rmdi_thread_task_of(future)->frame, RMD_RELAXED)->stop = (rmd_stop){ 0 };
}

/* May it be tried again? One that was told to stop by the limit of its attempt may. */
static bool may_try_again(rmdi_thread_task *task)
{
    if (!rmdi_task_limits(task) || !rmdi_process_is(task->pool->pool.process) ||
        !rmdi_limits_leave_another(task))
        return false;
    uint32_t told = rmd_atomic_load(&task->future.word, RMD_RELAXED) & TOLD;
    return !told || rmdi_future_renew(&task->future, reset_token);
}

static bool tries_again(rmdi_thread_task *task)
{
    bool again = may_try_again(task);
    if (again)
        rmdi_record(RMDI_RECORD_RETRY, task->future.id, task->attempt + 1);
    return again;
}

/* One attempt: the code of the body. The detail is that of the body, and of nothing before. */
static int attempt(rmdi_thread_task *task, rmdi_frame *frame, const rmd_value **value)
{
    rmdi_fail_clear();
    int code = run_body(task, frame, value);
    if (code > 0)
        return rmdi_fail(RMD_EINVAL, "it returned %d, which is neither 0 nor the code of an error",
                         code);
    return code;
}

static int attempts(rmdi_thread_task *task, rmdi_self *self, rmdi_frame *frame,
                    const rmd_value **value)
{
    int code;
    do {
        frame->attempt++;
        self->stop = &frame->stop; /* whatever the attempt before has left */
        if (rmdi_task_limits(task)) {
            task->attempt = frame->attempt;
            rmdi_limits_attempt(task);
        }
        if (frame->added)
            rmdi_buffer_clear(frame->added); /* what failed has added nothing */
        code = attempt(task, frame, value);
    } while (code < 0 && tries_again(task));
    return code;
}

/* What a task has added is kept with it, if it has ended OK: the code of its end. */
static __attribute__((noinline)) int keep_added(rmdi_thread_task *task, rmdi_buffer *added,
                                                int code)
{
    rmdi_buffer *kept = code == 0 && added->len ? rmdi_alloc(sizeof *kept) : NULL;
    if (!kept) {
        code = code == 0 && added->len ? rmdi_fail_memory() : code;
        rmdi_buffer_free(added);
        return code;
    }
    *kept = *added;
    task->cold = true;
    task->added = kept;
    task->adds = RMDI_ADDS_HAS;
    return code;
}

/* ---- the end ---- */

static rmd_outcome outcome_of(rmdi_thread_task *task, int *code)
{
    uint32_t word = rmd_atomic_load(&task->future.word, RMD_RELAXED);
    if (*code == 0)
        return RMD_OUTCOME_OK;
    if (*code != RMD_ECANCELED || !(word & TOLD))
        return RMD_OUTCOME_FAILED;
    if (word & RMDI_FUTURE_CANCEL)
        return RMD_OUTCOME_CANCELLED;
    *code = RMD_ETIMEDOUT;
    return RMD_OUTCOME_TIMEOUT;
}

void rmdi_worker_flush(rmdi_worker *worker)
{
    unsigned n = worker->leaving;
    if (!n)
        return;
    worker->leaving = 0;
    rmdi_group_leave_many(worker->leavers[0]->group, worker->leavers, n);
    RMDI_TALLY(worker->pool, worker, finished, n);
    for (unsigned i = 0; i < n; i++)
        rmdi_worker_drop(worker, rmdi_thread_task_of(worker->leavers[i]));
    rmdi_threads_tell_finished(worker->pool);
}

/* A task of a group, and nobody has a handle: its end is seen by the group only, which need not be
 * told before others of the same group have ended here, too. */
static bool leaves_later(rmdi_thread_task *task, rmdi_worker *worker, bool on_top)
{
    return on_top && worker && rmdi_future_group(&task->future) && !task->handled &&
           (!worker->leaving || worker->leavers[0]->group == task->future.group) &&
           worker->leaving < RMDI_LEAVING_MAX;
}

static void leave_later(rmdi_thread_task *task, rmdi_worker *worker, rmd_outcome outcome, int error)
{
    unsigned left = rmdi_future_publish(&task->future, outcome, error);
    RMD_ASSERT(!left); /* without a handle there are no callbacks, and no hooks */
    (void)left;
    worker->leavers[worker->leaving++] = &task->future;
}

static void end(rmdi_thread_task *task, rmd_outcome outcome, int error, rmdi_worker *worker,
                bool on_top)
{
    rmdi_threads *pool = task->pool;
    rmd_future *future = &task->future;
    if (outcome != RMD_OUTCOME_OK && outcome != RMD_OUTCOME_CANCELLED &&
        !rmdi_future_group(future)) {
        task->failed = true;
        rmdi_overlooked_add(&pool->overlooked, &task->link);
    }
    RMDI_TALLY(pool, worker, ended[outcome], 1);
    if (leaves_later(task, worker, on_top)) {
        leave_later(task, worker, outcome, error);
        return;
    }
    bool round = rmdi_future_end(future, outcome, error);
    if (round && on_top && worker) {
        rmdi_worker_flush(worker);
        rmdi_record_often(RMDI_RECORD_CALLBACK, future->id, 0);
        rmdi_future_call_back(future);
        if (!rmdi_process_is(pool->pool.process))
            return; /* a callback has forked */
        RMDI_TALLY(pool, worker, callbacks, 1);
    } else if (round && !rmdi_threads_call_later(pool, future)) {
        rmdi_future_call_back(future);
    }
    RMDI_TALLY(pool, worker, finished, 1);
    rmdi_threads_tell_finished(pool);
}

/* What few tasks have. */
static void conclude_cold(rmdi_thread_task *task)
{
    if (task->limits)
        rmdi_limits_end(task);
    if (task->context) {
        rmd_context_free(task->context);
        task->context = NULL;
    }
}

/* What it needed to run, and its account. */
static void conclude(rmdi_thread_task *task, const rmdi_frame *frame, const rmd_value *value,
                     rmd_outcome outcome)
{
    if (task->cold)
        conclude_cold(task);
    if (task->body == RMDI_BODY_CALL) {
        rmdi_free(task->encoded);
        task->value = value;
        task->ran = true;
    }
    if (outcome != RMD_OUTCOME_OK) {
        task->cold = true;
        task->attempt = frame->attempt;
        task->detail = rmdi_failure_take(rmd_error_detail());
    }
}

/* Those it was submitted under. */
static const rmd_binding *bindings_of(const rmdi_thread_task *task)
{
    return task->cold && task->context ? task->context->innermost : NULL;
}

/* How many tasks have begun there; what grows like that on a thread that is no worker. */
static uint64_t begun_on(const rmdi_worker *worker, const rmdi_thread_task *task)
{
    return worker ? rmd_atomic_load(&worker->tally.begun, RMD_RELAXED) : task->future.id;
}

bool rmdi_task_run(rmdi_thread_task *task, rmdi_worker *worker, bool on_top)
{
    rmdi_threads *pool = task->pool;
    rmdi_self *self = rmdi_self_now();
    rmdi_visit visit;
    const rmd_value *value = NULL;
    rmdi_frame frame = { .outer = self->frame, .future = &task->future, .pool = &pool->pool };
    rmd_stop *stop = self->stop;
    RMD_PLAIN_WRITES(&frame, sizeof frame);
    rmdi_frame *before = enter_frame(task, worker, &visit, &frame);
    /* Relaxed: ordered by the entry. */
    if (task->future.id <= rmd_atomic_load(&pool->cancelled_to, RMD_RELAXED)) {
        leave_frame(pool, worker, &visit, before);
        rmdi_task_end_unstarted(task, RMD_OUTCOME_CANCELLED, RMD_ECANCELED,
                                rmdi_cancelled_unstarted);
        return true;
    }
    RMDI_TALLY(pool, worker, begun, 1);
    self->frame = &frame;
    const rmd_binding *bound = self->context;
    self->context = bindings_of(task);
    heed(task, &frame);
    rmdi_task_record record = rmdi_record_task_begin(task->future.id, begun_on(worker, task));
    rmdi_buffer added = { 0 };
    frame.added = task->adds ? &added : NULL;
    int code = attempts(task, self, &frame, &value);
    if (frame.added)
        code = keep_added(task, &added, code);
    self->context = bound;
    self->stop = stop;
    self->frame = frame.outer;
    if (!rmdi_process_is(pool->pool.process))
        return false;
    rmd_outcome outcome = outcome_of(task, &code);
    rmdi_record_task_end(record, task->future.id, frame.outer ? frame.outer->future->id : 0,
                         outcome, outcome != RMD_OUTCOME_OK);
    leave_frame(pool, worker, &visit, before);
    conclude(task, &frame, value, outcome);
    end(task, outcome, code, worker, on_top);
    return !on_top || rmdi_process_is(pool->pool.process);
}

void rmdi_task_end_unstarted(rmdi_thread_task *task, rmd_outcome outcome, int error,
                             const char *detail)
{
    rmdi_worker *worker = rmdi_worker_here(task->pool);
    RMDI_TALLY(task->pool, worker, begun, 1);
    rmdi_record(RMDI_RECORD_TASK_FAILED, task->future.id, outcome);
    if (rmdi_task_limits(task))
        rmdi_limits_end(task);
    task->cold = true;
    task->detail = rmdi_failure_take(detail);
    end(task, outcome, error, worker, false);
}

/* ---- callbacks ---- */

/* A future whose round of callbacks is to be run; it is held. */
typedef struct to_call {
    rmdi_link link;
    rmd_future *future;
} to_call;

bool rmdi_threads_call_later(rmdi_threads *pool, rmd_future *future)
{
    to_call *call = rmdi_alloc(sizeof *call);
    if (!call)
        return false; /* then here and now, rather than not at all */
    call->future = future;
    rmdi_brief_enter(&pool->calls_brief);
    bool taken = !RMD_PLAIN(pool->gone);
    if (taken) {
        rmdi_future_hold(future);
        RMD_PLAIN_WRITES(&pool->to_call, sizeof pool->to_call);
        rmdi_list_append(&pool->to_call, &call->link);
        /* Relaxed: the brief lock orders the first; the task is not finished before the second. */
        rmd_atomic_add(&pool->calls_waiting, 1, RMD_RELAXED);
        rmd_atomic_add(&pool->calls_due, 1, RMD_RELAXED);
    }
    rmdi_brief_leave(&pool->calls_brief);
    if (taken)
        rmdi_threads_tell(pool);
    else
        rmdi_free(call);
    return taken;
}

static to_call *next_call(rmdi_threads *pool)
{
    rmdi_brief_enter(&pool->calls_brief);
    RMD_PLAIN_WRITES(&pool->to_call, sizeof pool->to_call);
    rmdi_link *link = rmdi_list_take_first(&pool->to_call);
    if (link)
        rmd_atomic_sub(&pool->calls_waiting, 1, RMD_RELAXED);
    rmdi_brief_leave(&pool->calls_brief);
    return link ? RMDI_CONTAINER(link, to_call, link) : NULL;
}

bool rmdi_threads_run_callbacks(rmdi_threads *pool, rmdi_worker *worker)
{
    to_call *call = next_call(pool);
    if (!call)
        return false;
    rmdi_worker_flush(worker);
    rmdi_record_often(RMDI_RECORD_CALLBACK, call->future->id, 0);
    rmdi_future_call_back(call->future);
    rmdi_future_drop(call->future);
    rmdi_free(call);
    if (!rmdi_process_is(pool->pool.process))
        return false; /* a callback has forked */
    RMDI_TALLY(pool, worker, callbacks, 1);
    /* Release: who sees it finished sees that they have run. */
    rmd_atomic_sub(&pool->calls_due, 1, RMD_RELEASE);
    rmdi_threads_tell_finished(pool);
    return true;
}
