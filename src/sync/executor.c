/* SPDX-License-Identifier: MIT */
/* A line of calls under a lock. The node of a caller that waits lies on its stack, that of a post
 * is allocated. A node is in the line until the executor's thread takes it out, or its caller does,
 * who has waited long enough: whoever has the lock and finds it there decides. From then on it is
 * the thread's until `done` is set. So a call that has not begun when its caller gives up never
 * runs, and one that has begun is waited for.
 *
 * Three wait: the thread for work (`work`), posts for room (`room`), callers for their node
 * (`done`), and whoever drains for the end (`ended`). One is woken for each node, and one for each
 * place that becomes free; one that is woken for a place and gives up at that moment has either
 * been told, and takes the place, or is passed over (condition.c). Closing wakes all.
 *
 * Lifetimes. `inside` counts, under the lock, the threads that are in a call of ours and will take
 * the lock again, or wait for `ended`; the executor's thread touches nothing of *x after it has set
 * `ended`, but for rmdi_thread.done, which the join in free() waits for. So free(), which enters
 * the lock and finds nobody inside and the end reached, comes after everybody's last use: a release
 * of a lock touches it last in what lets the next one in (lock.c). A caller passes through the
 * event of its node before the frame is left, as who frees an event must (waiter.c).
 *
 * Orders: all under the lock; of `done` and `ended` see event.c. `owner` is compared by a thread
 * with its own number, and only that thread has written it if they are equal: relaxed. No later
 * thread has that number as long as *x is there, since the executor's is joined only in free(). */
#include "sync/executor.h"

#include "base/alloc.h"
#include "base/error.h"
#include "port/forked.h"
#include "sync/context.h"
#include "sync/local_value.h"

#include <string.h>

enum { CALLS_MAX = 1024 };

/* One that waits to be run, and runs. */
typedef struct node {
    rmdi_link link;
    int (*fn)(void *arg);
    void *arg;
    const rmd_binding *bindings; /* a caller's, borrowed */
    rmd_stop *stop;              /* borrowed */
    bool queued;                 /* in the line; guarded by the lock */
    /* of a call */
    int err, result; /* written by the thread before `done` */
    rmdi_event done;
    char *detail; /* RMDI_ERROR_DETAIL_MAX bytes of the caller's; NULL: a post */
    /* of a post */
    rmd_context *context;
} node;

static node *of_link(rmdi_link *link)
{
    return RMDI_CONTAINER(link, node, link);
}

static bool is_own(rmd_executor *x)
{
    return rmd_atomic_load(&x->owner, RMD_RELAXED) == rmdi_thread_self();
}

static int check(const rmd_executor *x, const char *what)
{
    if (!x)
        return rmdi_fail(RMD_EINVAL, "%s: no executor was given", what);
    if (!rmdi_process_is(x->process))
        return rmdi_fail(RMD_EFORKED, "%s: executor \"%s\"", what, x->name);
    return 0;
}

/* ---- the line; with the lock held ---- */

static void append(rmd_executor *x, node *n)
{
    RMD_PLAIN_WRITES(&x->line, sizeof x->line);
    rmdi_list_append(&x->line, &n->link);
    RMD_PLAIN_SET(n->queued, true);
    if (!n->detail)
        x->posts++;
}

static void take_out(rmd_executor *x, node *n)
{
    RMD_PLAIN_WRITES(&x->line, sizeof x->line);
    rmdi_list_remove(&n->link);
    RMD_PLAIN_SET(n->queued, false);
    if (n->detail)
        return;
    x->posts--;
    rmdi_condition_notify_one(&x->room);
}

static int refuse_closed(rmd_executor *x)
{
    if (RMD_PLAIN(x->closed))
        return rmdi_fail(RMD_ECLOSED, "executor \"%s\"", x->name);
    return 0;
}

/* ---- the thread ---- */

/* The next one, out of the line. NULL: closed, and all has been done. */
static node *next(rmd_executor *x, int *refusal)
{
    node *n = NULL;
    int err = 0;        /* stays so, without a token: */
    rmd_stop_set(NULL); /* whichever was left here */
    rmdi_lock_enter(&x->lock);
    while (err == 0 && rmdi_list_empty(&x->line) && !RMD_PLAIN(x->closed))
        err = rmdi_condition_wait(&x->work, &x->lock, RMD_FOREVER);
    if (!rmdi_list_empty(&x->line)) {
        n = of_link(x->line.next);
        take_out(x, n);
    }
    *refusal = RMD_PLAIN(x->refusal);
    rmdi_lock_release(&x->lock);
    return n;
}

/* With the context and the token of whoever wants it. */
static int run(const node *n, const rmd_binding *bindings, rmd_stop *stop)
{
    const rmd_binding *outer = rmdi_bindings_swap(bindings);
    rmd_stop *before = rmd_stop_set(stop);
    rmdi_fail_copy(0, ""); /* of an earlier one */
    int result = n->fn(n->arg);
    rmd_stop_set(before);
    rmdi_bindings_swap(outer);
    return result;
}

static void answer(rmd_executor *x, node *n, int refusal)
{
    n->err = refusal;
    if (refusal)
        rmdi_fail_copy(0, x->detail);
    else
        n->result = run(n, n->bindings, n->stop);
    if (!rmdi_process_is(x->process))
        return;
    if (refusal || n->result < 0)
        memcpy(n->detail, rmd_error_detail(), strlen(rmd_error_detail()) + 1);
    RMD_PLAIN_WRITES(&n->err, sizeof n->err + sizeof n->result);
    rmdi_event_set(&n->done); /* the last use of it */
}

static void run_post(rmd_executor *x, node *n, int refusal)
{
    if (!refusal)
        (void)run(n, n->context ? n->context->innermost : NULL, &x->stop);
    else if (x->dropped)
        x->dropped(n->fn, n->arg);
    rmdi_free(n->context);
    rmdi_free(n);
}

static void start(rmd_executor *x)
{
    rmd_stop_set(&x->stop);
    int err = x->start ? x->start(x->arg) : 0;
    if (err >= 0 || !rmdi_process_is(x->process))
        return;
    rmdi_lock_enter(&x->lock);
    x->start_err = err;
    RMD_PLAIN_SET(x->refusal, err);
    memcpy(x->detail, rmd_error_detail(), strlen(rmd_error_detail()) + 1);
    rmdi_lock_release(&x->lock);
}

/* The child of a fork in one of these functions has nothing here any more, and only returns. */
static void serve(void *arg)
{
    rmd_executor *x = arg;
    uint64_t process = x->process;
    int refusal;
    rmd_atomic_store(&x->owner, rmdi_thread_self(), RMD_RELAXED);
    start(x);
    for (node *n; rmdi_process_is(process) && (n = next(x, &refusal));)
        (n->detail ? answer : run_post)(x, n, refusal);
    if (!rmdi_process_is(process))
        return;
    if (x->end && !x->start_err)
        x->end(x->arg);
    rmdi_values_end(rmdi_self_now()); /* who has drained sees what their destructors did */
    if (rmdi_process_is(process))
        rmdi_event_set(&x->ended);
}

/* ---- open ---- */

static int check_options(const rmd_executor_options *options)
{
    if (options && options->size != sizeof *options)
        return rmdi_fail(RMD_EINVAL, "executor: options of size %zu, not %zu", options->size,
                         sizeof *options);
    return 0;
}

static rmd_executor *new_executor(const rmd_executor_options *options)
{
    rmd_executor_options o = { 0 };
    if (options)
        o = *options;
    const char *name = o.name ? o.name : "executor";
    size_t bytes = strlen(name) + 1;
    rmd_executor *x = rmdi_alloc_zeroed(sizeof *x + bytes);
    if (!x)
        return NULL;
    memcpy(x->name, name, bytes);
    rmdi_list_init(&x->line);
    x->posts_max = o.calls_max ? o.calls_max : CALLS_MAX;
    x->start = o.start;
    x->end = o.end;
    x->arg = o.arg;
    x->dropped = o.dropped;
    x->process = rmdi_process_mark();
    return x;
}

static int start_thread(rmd_executor *x)
{
    int err = rmdi_thread_list_watch_forks();
    if (err)
        return rmdi_fail_errno(err, "executor \"%s\"", x->name);
    return x->process ? rmdi_thread_start(&x->thread, serve, x, x->name) : rmdi_fail_memory();
}

int rmd_executor_open(rmd_executor **executor, const rmd_executor_options *options)
{
    if (!executor)
        return rmdi_fail(RMD_EINVAL, "executor: no place for it was given");
    *executor = NULL;
    int err = check_options(options);
    if (err < 0)
        return err;
    rmd_executor *x = new_executor(options);
    if (!x)
        return rmdi_fail_memory();
    err = start_thread(x);
    if (err < 0)
        rmdi_free(x);
    else
        *executor = x;
    return err;
}

/* ---- calls ---- */

static void leave_inside(rmd_executor *x)
{
    x->inside--;
    rmdi_lock_release(&x->lock);
}

/* False: it has begun, or is over. */
static bool withdraw(rmd_executor *x, node *n)
{
    rmdi_lock_enter(&x->lock);
    bool queued = RMD_PLAIN(n->queued);
    if (queued)
        take_out(x, n);
    rmdi_lock_release(&x->lock);
    return queued;
}

/* Until it has run, or never will. */
static int wait_for(rmd_executor *x, node *n, rmd_deadline deadline)
{
    int err = rmdi_event_wait(&n->done, deadline);
    if (err < 0 && withdraw(x, n))
        return rmdi_fail(err, "executor \"%s\": the call had not begun", x->name);
    if (err < 0) { /* it uses our stack, so nothing ends this but its end */
        rmd_stop *stop = rmd_stop_set(NULL);
        err = rmdi_event_wait(&n->done, RMD_FOREVER);
        rmd_stop_set(stop);
    }
    RMD_PLAIN_READS(&n->err, sizeof n->err + sizeof n->result);
    (void)rmdi_event_busy(&n->done); /* whoever has set it has left it after this */
    return n->err;
}

static int call_elsewhere(rmd_executor *x, node *n, rmd_deadline deadline)
{
    rmdi_lock_enter(&x->lock);
    int err = refuse_closed(x);
    if (err == 0 && deadline.ns <= 0) /* if it began, it would have to be waited for */
        err = rmdi_fail(RMD_ETIMEDOUT, "executor \"%s\" would have to be waited for", x->name);
    if (err < 0) {
        rmdi_lock_release(&x->lock);
        return err;
    }
    append(x, n);
    x->inside++;
    rmdi_condition_notify_one(&x->work);
    rmdi_lock_release(&x->lock);
    err = wait_for(x, n, deadline);
    rmdi_lock_enter(&x->lock);
    leave_inside(x);
    return err;
}

int rmd_executor_call(rmd_executor *executor, int (*fn)(void *arg), void *arg, int *result,
                      rmd_deadline deadline)
{
    char detail[RMDI_ERROR_DETAIL_MAX];
    int err = check(executor, "call");
    *detail = '\0';
    if (err < 0)
        return err;
    if (!fn)
        return rmdi_fail(RMD_EINVAL, "call: executor \"%s\": no function", executor->name);
    node n = { .fn = fn,
               .arg = arg,
               .bindings = rmdi_bindings_now(),
               .stop = rmdi_self_stop(),
               .detail = detail };
    if (is_own(executor))
        n.result = fn(arg);
    else
        err = call_elsewhere(executor, &n, deadline);
    if (*detail)
        rmdi_fail_copy(0, detail);
    if (err == 0 && result)
        *result = n.result;
    return err;
}

/* ---- posts ---- */

static int new_post(node **post, int (*fn)(void *arg), void *arg)
{
    node *n = rmdi_alloc_zeroed(sizeof *n);
    if (!n)
        return rmdi_fail_memory();
    n->fn = fn;
    n->arg = arg;
    int err = rmdi_bindings_now() ? rmd_context_capture(&n->context) : 0;
    if (err < 0)
        rmdi_free(n);
    else
        *post = n;
    return err;
}

/* With the lock held. */
static int wait_for_room(rmd_executor *x, rmd_deadline deadline)
{
    int err = refuse_closed(x);
    while (err == 0 && RMD_PLAIN(x->posts) >= x->posts_max) {
        if (is_own(x))
            return rmdi_fail(RMD_EFULL, "executor \"%s\": %zu posts wait", x->name, x->posts);
        err = rmdi_condition_wait(&x->room, &x->lock, deadline);
        if (err < 0)
            return rmdi_fail(err, "executor \"%s\": %zu posts wait", x->name, x->posts);
        err = refuse_closed(x);
    }
    return err;
}

static int post_it(rmd_executor *x, node *n, rmd_deadline deadline)
{
    rmdi_lock_enter(&x->lock);
    x->inside++;
    int err = wait_for_room(x, deadline);
    if (err == 0) {
        append(x, n);
        rmdi_condition_notify_one(&x->work);
    }
    leave_inside(x);
    return err;
}

int rmd_executor_post(rmd_executor *executor, int (*fn)(void *arg), void *arg,
                      rmd_deadline deadline)
{
    node *n = NULL;
    int err = check(executor, "post");
    if (err < 0)
        return err;
    if (!fn)
        return rmdi_fail(RMD_EINVAL, "post: executor \"%s\": no function", executor->name);
    err = new_post(&n, fn, arg);
    if (err < 0)
        return err;
    err = post_it(executor, n, deadline);
    if (err < 0) {
        rmdi_free(n->context);
        rmdi_free(n);
    }
    return err;
}

/* ---- the end ---- */

/* With the lock held. RMD_ECLOSED: it was already. */
static int close_it(rmd_executor *x)
{
    int err = refuse_closed(x);
    RMD_PLAIN_SET(x->closed, true);
    rmdi_condition_notify_all(&x->work);
    rmdi_condition_notify_all(&x->room);
    return err;
}

int rmd_executor_close(rmd_executor *executor)
{
    int err = check(executor, "close");
    if (err < 0)
        return err;
    rmdi_lock_enter(&executor->lock);
    err = close_it(executor);
    rmdi_lock_release(&executor->lock);
    return err;
}

int rmd_executor_abort(rmd_executor *executor)
{
    int err = check(executor, "abort");
    if (err < 0)
        return err;
    rmdi_lock_enter(&executor->lock);
    (void)close_it(executor);
    if (!RMD_PLAIN(executor->refusal)) {
        RMD_PLAIN_SET(executor->refusal, RMD_ECANCELED);
        memcpy(executor->detail, "the executor was aborted", sizeof "the executor was aborted");
    }
    rmd_stop_request(&executor->stop);
    rmdi_lock_release(&executor->lock);
    return 0;
}

int rmd_executor_drain(rmd_executor *executor, rmd_deadline deadline)
{
    int err = check(executor, "drain");
    if (err < 0)
        return err;
    if (is_own(executor))
        return rmdi_fail(RMD_EDEADLK, "executor \"%s\" drains itself", executor->name);
    rmdi_lock_enter(&executor->lock);
    (void)close_it(executor);
    executor->inside++;
    rmdi_lock_release(&executor->lock);
    err = rmdi_event_wait(&executor->ended, deadline);
    if (err < 0)
        err = rmdi_fail(err, "executor \"%s\" still works", executor->name);
    else if (executor->start_err)
        err = rmdi_fail(executor->start_err, "%s", executor->detail);
    rmdi_lock_enter(&executor->lock);
    leave_inside(executor);
    return err;
}

static bool in_use(rmd_executor *x)
{
    rmdi_lock_enter(&x->lock);
    bool inside = x->inside > 0;
    rmdi_lock_release(&x->lock);
    return inside || !rmdi_event_is_set(&x->ended) || rmdi_lock_busy(&x->lock);
}

int rmd_executor_free(rmd_executor *executor)
{
    if (!executor)
        return 0;
    bool here = rmdi_process_is(executor->process);
    if (is_own(executor) || (here && in_use(executor)))
        return rmdi_fail(RMD_EBUSY, "executor \"%s\" was not drained", executor->name);
    if (here)
        (void)rmdi_thread_join(&executor->thread, RMD_FOREVER);
    rmdi_free(executor);
    return 0;
}
