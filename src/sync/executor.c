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
 * Orders: all under the lock; of `done` and `ended` see event.c.
 *
 * Circles. Executors whose threads call each other would wait for ever, for a call that has begun
 * is waited for whatever its deadline says. So each has in `waits_for` the one that its thread
 * waits for, under one lock for all of them; before a thread of an executor begins to wait, the
 * chain from there on is walked, and if it leads back the call is refused. The chain has no circle,
 * so the walk ends; and of several that would close one at once the last finds it closed. The wait
 * of a call begins in the section in which it comes into the line, and the answering thread ends it
 * before it tells the caller: so what runs after an answer may call whoever got it. Who gives up
 * waits until it has left the line. Whoever is pointed at has somebody inside, and is not freed.
 * Threads of others never enter that lock; it is entered before an executor's, and not held while
 * anybody waits. Coroutines are passed over: their waits do not hold up the thread.
 *
 * Forks. In the child that lock is made anew (thread_list.c), and its thread carries no executor
 * any more, which it could not tell from another one at the same address later. But what it
 * returns into uses *x, so *x is marked and not freed there. */
#include "sync/executor.h"

#include "base/alloc.h"
#include "base/error.h"
#include "port/forked.h"
#include "sync/context.h"
#include "sync/local_value.h"

#include <stdio.h>
#include <string.h>

enum { POSTS_MAX = 1024 };

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
    char *detail;       /* RMDI_ERROR_DETAIL_MAX bytes of the caller's; NULL: a post */
    rmd_executor *from; /* whose thread waits; NULL: nobody's */
    /* of a post */
    rmd_context *context;
} node;

static node *of_link(rmdi_link *link)
{
    return RMDI_CONTAINER(link, node, link);
}

static bool is_own(rmd_executor *x)
{
    return rmdi_self_executor() == x;
}

static int check(const rmd_executor *x, const char *what)
{
    if (!x)
        return rmdi_fail(RMD_EINVAL, "%s: no executor was given", what);
    if (!rmdi_process_is(x->process))
        return rmdi_fail(RMD_EFORKED, "%s: executor \"%s\"", what, x->name);
    return 0;
}

/* ---- who waits for whom ---- */

RMD_STATIC rmdi_lock waits; /* guards all waits_for */

void rmdi_executors_forked(void)
{
    rmd_executor *own = rmdi_self_executor();
    waits = (rmdi_lock){ 0 };
    if (own)
        own->forked = true;
    rmdi_self_set_executor(NULL);
}

/* The one whose thread would wait; NULL: nobody's. */
static rmd_executor *waiting_one(rmd_deadline deadline)
{
    return deadline.ns > 0 && rmdi_self_is_own() ? rmdi_self_executor() : NULL;
}

/* `from` may be NULL in all of these: then there is nothing to guard. */
static void enter_waits(const rmd_executor *from)
{
    if (from)
        rmdi_lock_enter(&waits);
}

static void leave_waits(const rmd_executor *from)
{
    if (from)
        rmdi_lock_release(&waits);
}

/* The next two with the lock of the waits held. */
static int fail_circle(rmd_executor *from, rmd_executor *x)
{
    char text[RMDI_ERROR_DETAIL_MAX];
    size_t len = 0;
    for (rmd_executor *at = x; at != from && len < sizeof text; at = RMD_PLAIN(at->waits_for))
        len += (size_t)snprintf(text + len, sizeof text - len, "\"%s\", which waits for ",
                                at->name);
    return rmdi_fail(RMD_EDEADLK, "executor \"%s\" would wait for %s\"%s\"", from->name, text,
                     from->name);
}

static int begin_wait(rmd_executor *from, rmd_executor *x)
{
    rmd_executor *at = x;
    if (!from)
        return 0;
    while (at && at != from)
        at = RMD_PLAIN(at->waits_for);
    if (at)
        return fail_circle(from, x);
    RMD_PLAIN_SET(from->waits_for, x);
    return 0;
}

static void end_wait(rmd_executor *from)
{
    enter_waits(from);
    if (from)
        RMD_PLAIN_SET(from->waits_for, NULL);
    leave_waits(from);
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
    uint64_t process = x->process;
    n->err = refusal;
    if (refusal)
        rmdi_fail_copy(0, x->detail);
    else
        n->result = run(n, n->bindings, n->stop);
    if (!rmdi_process_is(process))
        return;
    if (refusal || n->result < 0)
        memcpy(n->detail, rmd_error_detail(), strlen(rmd_error_detail()) + 1);
    RMD_PLAIN_WRITES(&n->err, sizeof n->err + sizeof n->result);
    end_wait(n->from);
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
    uint64_t process = x->process;
    rmd_stop_set(&x->stop);
    int err = x->start ? x->start(x->arg) : 0;
    if (err >= 0 || !rmdi_process_is(process))
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
    rmdi_self_set_executor(x);
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
    x->posts_max = o.posts_max ? o.posts_max : POSTS_MAX;
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
    if (err < 0 && withdraw(x, n)) {
        end_wait(n->from);
        return rmdi_fail(err, "executor \"%s\": the call had not begun", x->name);
    }
    if (err < 0) { /* it uses our stack, so nothing ends this but its end */
        rmd_stop *stop = rmd_stop_set(NULL);
        err = rmdi_event_wait(&n->done, RMD_FOREVER);
        rmd_stop_set(stop);
    }
    RMD_PLAIN_READS(&n->err, sizeof n->err + sizeof n->result);
    (void)rmdi_event_busy(&n->done); /* whoever has set it has left it after this */
    if (n->err < 0 || n->result < 0)
        rmdi_fail_copy(0, n->detail); /* nothing, too: what is there is about something else */
    return n->err;
}

static int come_into_line(rmd_executor *x, node *n, rmd_deadline deadline)
{
    enter_waits(n->from);
    rmdi_lock_enter(&x->lock);
    int err = refuse_closed(x);
    if (err == 0 && deadline.ns <= 0) /* if it began, it would have to be waited for */
        err = rmdi_fail(RMD_ETIMEDOUT, "executor \"%s\" would have to be waited for", x->name);
    if (err == 0)
        err = begin_wait(n->from, x);
    if (err == 0) {
        append(x, n);
        x->inside++;
        rmdi_condition_notify_one(&x->work);
    }
    rmdi_lock_release(&x->lock);
    leave_waits(n->from);
    return err;
}

static int call_elsewhere(rmd_executor *x, node *n, rmd_deadline deadline)
{
    int err = come_into_line(x, n, deadline);
    if (err < 0)
        return err;
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
    if (err < 0)
        return err;
    if (!fn)
        return rmdi_fail(RMD_EINVAL, "call: executor \"%s\": no function", executor->name);
    node n = { .fn = fn,
               .arg = arg,
               .bindings = rmdi_bindings_now(),
               .stop = rmdi_self_stop(),
               .detail = detail,
               .from = waiting_one(deadline) };
    if (is_own(executor))
        n.result = fn(arg);
    else
        err = call_elsewhere(executor, &n, deadline);
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

/* Closes, and stays inside. */
static int begin_drain(rmd_executor *x, rmd_executor *from)
{
    enter_waits(from);
    int err = begin_wait(from, x);
    if (err == 0) {
        rmdi_lock_enter(&x->lock);
        (void)close_it(x);
        x->inside++;
        rmdi_lock_release(&x->lock);
    }
    leave_waits(from);
    return err;
}

int rmd_executor_drain(rmd_executor *executor, rmd_deadline deadline)
{
    int err = check(executor, "drain");
    if (err < 0)
        return err;
    if (is_own(executor))
        return rmdi_fail(RMD_EDEADLK, "executor \"%s\" drains itself", executor->name);
    rmd_executor *from = waiting_one(deadline);
    err = begin_drain(executor, from);
    if (err < 0)
        return err;
    err = rmdi_event_wait(&executor->ended, deadline);
    end_wait(from);
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
    if (here ? is_own(executor) || in_use(executor) : executor->forked)
        return rmdi_fail(RMD_EBUSY, "executor \"%s\" was not drained", executor->name);
    if (here)
        (void)rmdi_thread_join(&executor->thread, RMD_FOREVER);
    rmdi_free(executor);
    return 0;
}
