/* SPDX-License-Identifier: MIT */
/* The life of a future is one word: its state, its outcome, some flags, and the references.
 *
 * One begins, one ends
 * --------------------
 * A task that waits for its start is claimed by compare-and-swap from QUEUED to RUNNING: by a
 * worker that runs it, a thread that waits for it and runs it itself, a cancel, a limit. One of
 * them wins, and whoever has won ends it; so there is one outcome, published once. The others find
 * it claimed.
 *
 * No waiter, callback or cancel is lost
 * -------------------------------------
 * The end is one compare-and-swap to ENDED, as long as WAITED, CANCEL and LATE are not set. Who
 * waits, or brings a callback, does so with the brief lock of `waits` held, sets WAITED there, and
 * sees in the same operation whether it has ended. Both are operations on one word, so one of the
 * two comes first: either the end finds WAITED, and goes the long way through the brief lock, where
 * it finds the entry; or the other finds ENDED, and does not wait.
 *
 * CANCEL and LATE are set with the brief lock held, too, and the stop token of the task that runs
 * is fired before that is left. An end that finds one of them enters the lock before it goes on; so
 * the token, on the stack of the thread that runs the task, is there as long as somebody fires it.
 * An end that comes first makes the cancel find ENDED.
 *
 * Callbacks
 * ---------
 * run in rounds, one at a time, each taking the first from the list until none is left. ROUND says
 * that there is one, or will be; who adds a callback to an ended future without one begins it. It
 * is changed with the brief lock held, as `callbacks` is. What is ours runs right at the end, on
 * the thread that ends the task, and stands first in the list. It may end another task, whose hooks
 * then wait until it is through (rmdi_future_run_hook()), so a chain of tasks takes no stack.
 *
 * References
 * ----------
 * One is the pool's, until the task has ended and nothing more will be done for it; one the user's.
 * They are counted in the same word, so that a task that nobody looks at costs no operation more.
 * The last drop is a release of what was done to it, and an acquire of what the others did. */
#include "exec/future.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/recorder.h"
#include "port/forked.h"
#include "sync/self.h"

#include <remuda/executor.h>

uint64_t rmdi_future_next_ids(uint64_t n)
{
    RMD_STATIC rmd_atomic(uint64_t) last_id;
    return rmd_atomic_add(&last_id, n, RMD_RELAXED) + 1;
}

void rmdi_future_init(rmd_future *future, const rmdi_future_ops *ops, uint64_t id, unsigned refs,
                      uint32_t flags)
{
    RMD_PLAIN_WRITES(future, sizeof *future);
    *future = (rmd_future){ 0 };
    rmdi_future_init_again(future, ops, id, refs, flags);
}

static void free_callbacks(rmd_future *future)
{
    for (rmdi_on_end *call; (call = future->callbacks);) {
        future->callbacks = call->next;
        if (!call->ours)
            rmdi_free(call);
    }
}

void rmdi_future_drop(rmd_future *future)
{
    uint32_t before = rmd_atomic_load(&future->word, RMD_ACQUIRE);
    /* Nobody else has one, so nobody can make another: no need to count it down. */
    if (before / RMDI_FUTURE_REF != 1)
        before = rmd_atomic_sub(&future->word, RMDI_FUTURE_REF, RMD_ACQ_REL);
    if (before / RMDI_FUTURE_REF != 1)
        return;
    if (before & RMDI_FUTURE_WAITED) /* else there never were any */
        free_callbacks(future);
    future->ops->destroy(future);
}

void rmd_future_free(rmd_future *future)
{
    if (future)
        rmdi_future_drop(future);
}

/* ---- beginning ---- */

bool rmdi_future_claim(rmd_future *future, bool held)
{
    uint32_t word = rmd_atomic_load(&future->word, RMD_RELAXED);
    uint32_t not = RMDI_FUTURE_STATE | (held ? 0 : RMDI_FUTURE_HELD);
    while (!(word & not ))
        /* Acquire: what the submitter has written; relaxed if it fails, for nothing is used then.
         */
        if (rmd_atomic_cas_weak(&future->word, &word, word | RMDI_FUTURE_RUNNING, RMD_ACQUIRE,
                                RMD_RELAXED))
            return true;
    return false;
}

bool rmdi_future_offer(rmd_future *future)
{
    const uint32_t told = RMDI_FUTURE_CANCEL | RMDI_FUTURE_LATE;
    uint32_t word = rmd_atomic_load(&future->word, RMD_RELAXED);
    while (!(word & told))
        /* Release: who claims it sees all that it is made of. */
        if (rmd_atomic_cas_weak(&future->word, &word, word & ~(uint32_t)RMDI_FUTURE_RUNNING,
                                RMD_RELEASE, RMD_RELAXED))
            return true;
    return false;
}

void rmdi_future_unclaim(rmd_future *future)
{
    /* Release: the next claim sees what this attempt has left. */
    rmd_atomic_and(&future->word, ~(uint32_t)RMDI_FUTURE_RUNNING, RMD_RELEASE);
}

bool rmdi_future_tell(rmd_future *future, bool late, void (*fire)(rmd_future *future))
{
    uint32_t flag = late ? RMDI_FUTURE_LATE : RMDI_FUTURE_CANCEL;
    rmdi_wait_list_enter(&future->waits);
    uint32_t word = rmd_atomic_load(&future->word, RMD_RELAXED);
    bool runs = false;
    while (!runs && (word & RMDI_FUTURE_STATE) == RMDI_FUTURE_RUNNING)
        /* Acquire: the frame in which it runs, that fire() uses. */
        runs = rmd_atomic_cas_weak(&future->word, &word, word | flag, RMD_ACQUIRE, RMD_RELAXED);
    if (runs)
        fire(future);
    rmdi_wait_list_leave(&future->waits);
    return runs;
}

bool rmdi_future_renew(rmd_future *future, void (*reset)(rmd_future *future))
{
    rmdi_wait_list_enter(&future->waits);
    bool told = rmd_atomic_load(&future->word, RMD_RELAXED) & RMDI_FUTURE_CANCEL;
    if (!told) {
        reset(future);
        /* Relaxed: who tells it has the brief lock. */
        rmd_atomic_and(&future->word, ~(uint32_t)RMDI_FUTURE_LATE, RMD_RELAXED);
    }
    rmdi_wait_list_leave(&future->waits);
    return !told;
}

/* ---- the end ---- */

static uint32_t ended_word(uint32_t word, rmd_outcome outcome)
{
    return (word & ~(uint32_t)RMDI_FUTURE_STATE) | RMDI_FUTURE_ENDED |
           (uint32_t)outcome * RMDI_FUTURE_OUTCOME;
}

/* The first callback that is ours (or the user's, as wanted), taken out. With the brief lock. Of
 * the user's it may be wanted while ours, before it, are still to be run. */
static rmdi_on_end *take_callback(rmd_future *future, bool ours)
{
    rmdi_on_end **at = &future->callbacks, *call;
    while ((call = RMD_PLAIN(*at)) && RMD_PLAIN(call->ours) != ours)
        at = &call->next;
    if (call)
        RMD_PLAIN_SET(*at, RMD_PLAIN(call->next));
    return call;
}

/* Hooks that wait until the one that runs on this thread is through. */
typedef struct rmdi_turn {
    rmdi_on_end *first, **end;
} turn;

static void wait_for_turn(turn *t, rmd_future *future, rmdi_on_end *hook)
{
    rmdi_future_hold(future);
    hook->future = future;
    hook->next = NULL;
    *t->end = hook;
    t->end = &hook->next;
}

void rmdi_future_run_hook(rmd_future *future, rmdi_on_end *hook)
{
    rmdi_self *self = rmdi_self_now();
    if (self->turn) {
        wait_for_turn(self->turn, future, hook);
        return;
    }
    turn t = { NULL, &t.first };
    self->turn = &t;
    hook->fn(future, hook->ctx); /* *hook may be gone */
    while ((hook = t.first)) {
        t.first = hook->next;
        if (!t.first)
            t.end = &t.first;
        future = hook->future;
        hook->fn(future, hook->ctx);
        rmdi_future_drop(future);
    }
    self->turn = NULL;
}

static void run_ours(rmd_future *future)
{
    for (;;) {
        rmdi_wait_list_enter(&future->waits);
        rmdi_on_end *hook = take_callback(future, true);
        rmdi_wait_list_leave(&future->waits);
        if (!hook)
            return;
        rmdi_future_run_hook(future, hook);
    }
}

/* Is there one of the user's? With the brief lock. */
static bool has_users(rmdi_on_end *call)
{
    while (call && RMD_PLAIN(call->ours))
        call = RMD_PLAIN(call->next);
    return call != NULL;
}

/* Somebody is in the lists, or fires the token. */
static unsigned publish_watched(rmd_future *future, rmd_outcome outcome)
{
    rmdi_wait_list_enter(&future->waits);
    rmdi_on_end *first = RMD_PLAIN(future->callbacks);
    uint32_t round = has_users(first) ? RMDI_FUTURE_ROUND : 0;
    uint32_t word = rmd_atomic_load(&future->word, RMD_RELAXED);
    /* Release: `error` and what the kind has written. References may come and go meanwhile. */
    while (!rmd_atomic_cas_weak(&future->word, &word, ended_word(word, outcome) | round,
                                RMD_RELEASE, RMD_RELAXED))
        ;
    rmdi_wait_list_leave_all(&future->waits);
    return (round && !(word & RMDI_FUTURE_ROUND) ? RMDI_LEFT_ROUND : 0) |
           (first ? RMDI_LEFT_OURS : 0);
}

unsigned rmdi_future_publish(rmd_future *future, rmd_outcome outcome, int error)
{
    RMD_PLAIN_SET(future->error, error);
    uint32_t word = rmd_atomic_load(&future->word, RMD_RELAXED);
    while (!(word & (RMDI_FUTURE_WAITED | RMDI_FUTURE_CANCEL | RMDI_FUTURE_LATE)))
        if (rmd_atomic_cas_weak(&future->word, &word, ended_word(word, outcome), RMD_RELEASE,
                                RMD_RELAXED))
            return 0;
    return publish_watched(future, outcome);
}

bool rmdi_future_end(rmd_future *future, rmd_outcome outcome, int error)
{
    unsigned left = rmdi_future_group(future) ? rmdi_group_leave(future, outcome, error)
                                              : rmdi_future_publish(future, outcome, error);
    if (left & RMDI_LEFT_OURS)
        run_ours(future); /* without the group's lock: it may end others of the group */
    return left & RMDI_LEFT_ROUND;
}

/* ---- hooks and callbacks ---- */

/* With the brief lock: says that somebody is in the lists. Has it ended? */
static bool watch(rmd_future *future)
{
    /* Acquire: of the end. The release of the end finds the flag. */
    uint32_t word = rmd_atomic_or(&future->word, RMDI_FUTURE_WAITED, RMD_ACQUIRE);
    return (word & RMDI_FUTURE_STATE) == RMDI_FUTURE_ENDED;
}

bool rmdi_future_hook(rmd_future *future, rmdi_on_end *hook)
{
    hook->ours = true;
    rmdi_wait_list_enter(&future->waits);
    bool ended = watch(future);
    if (!ended) {
        RMD_PLAIN_SET(hook->next, RMD_PLAIN(future->callbacks));
        RMD_PLAIN_SET(future->callbacks, hook);
    }
    rmdi_wait_list_leave(&future->waits);
    return !ended;
}

bool rmdi_future_unhook(rmd_future *future, rmdi_on_end *hook)
{
    rmdi_wait_list_enter(&future->waits);
    rmdi_on_end **at = &future->callbacks;
    while (RMD_PLAIN(*at) && *at != hook)
        at = &(*at)->next;
    bool found = *at == hook;
    if (found)
        RMD_PLAIN_SET(*at, hook->next);
    rmdi_wait_list_leave(&future->waits);
    return found;
}

static void append(rmd_future *future, rmdi_on_end *call)
{
    rmdi_on_end **at = &future->callbacks;
    while (RMD_PLAIN(*at))
        at = &(*at)->next;
    RMD_PLAIN_SET(*at, call);
}

/* Returns whether its round is to be begun. */
static bool add_callback(rmd_future *future, rmdi_on_end *call)
{
    rmdi_wait_list_enter(&future->waits);
    append(future, call);
    bool begin = watch(future) && !(rmd_atomic_or(&future->word, RMDI_FUTURE_ROUND, RMD_RELAXED) &
                                    RMDI_FUTURE_ROUND);
    rmdi_wait_list_leave(&future->waits);
    return begin;
}

/* The next callback of the round, which is over when there is none. */
static rmdi_on_end *next_callback(rmd_future *future)
{
    rmdi_wait_list_enter(&future->waits);
    rmdi_on_end *call = take_callback(future, false);
    if (!call) /* relaxed: the brief lock orders it */
        rmd_atomic_and(&future->word, ~(uint32_t)RMDI_FUTURE_ROUND, RMD_RELAXED);
    rmdi_wait_list_leave(&future->waits);
    return call;
}

/* On an executor: there the future is held until it has run. */
static int call_posted(void *arg)
{
    rmdi_on_end *call = arg;
    rmd_future *future = call->future;
    call->fn(future, call->ctx);
    rmdi_free(call);
    rmdi_future_drop(future);
    return 0;
}

static bool post(rmd_future *future, rmdi_on_end *call)
{
    if (!call->executor)
        return false;
    rmdi_future_hold(future);
    call->future = future;
    if (rmd_executor_post(call->executor, call_posted, call, RMD_NOW) == 0)
        return true;
    rmdi_future_drop(future);
    return false;
}

unsigned rmdi_future_call_back(rmd_future *future)
{
    unsigned n = 0;
    rmdi_future_hold(future); /* a callback may free the user's handle */
    for (rmdi_on_end *call; (call = next_callback(future)); n++) {
        if (post(future, call))
            continue;
        call->fn(future, call->ctx);
        if (!rmdi_process_is(future->ops->process(future)))
            return n; /* in a child that it has forked no others run */
        rmdi_free(call);
    }
    rmdi_future_drop(future);
    return n;
}

int rmd_future_on_end_in(rmd_future *future, rmd_executor *executor, rmd_future_fn *fn, void *ctx)
{
    if (!future || !fn)
        return rmdi_fail(RMD_EINVAL, "on_end: a future and a function must be given");
    int err = rmdi_future_check(future, "on_end");
    if (err < 0)
        return err;
    rmdi_on_end *call = rmdi_alloc(sizeof *call);
    if (!call)
        return rmdi_fail_memory();
    *call = (rmdi_on_end){ .fn = fn, .ctx = ctx, .executor = executor };
    if (!add_callback(future, call))
        return 0;
    rmdi_future_hold(future); /* it may free the user's handle before we are through */
    if (!future->ops->call_later(future))
        rmdi_future_call_back(future);
    rmdi_future_drop(future);
    return 0;
}

int rmd_future_on_end(rmd_future *future, rmd_future_fn *fn, void *ctx)
{
    return rmd_future_on_end_in(future, NULL, fn, ctx);
}

/* ---- what became of it ---- */

int rmdi_future_check(const rmd_future *future, const char *what)
{
    if (!future)
        return rmdi_fail(RMD_EINVAL, "%s: no future was given", what);
    if (!rmdi_process_is(future->ops->process(future)))
        return rmdi_fail(RMD_EFORKED, "the task belongs to the process that submitted it");
    return 0;
}

int rmdi_future_not_ended(const rmd_future *future, int err)
{
    return rmdi_fail(err, "task %llu has not ended", (unsigned long long)rmd_future_id(future));
}

/* As somebody who asks: it is noted that it was seen. RMD_PENDING: it has not ended. */
static rmd_outcome look(const rmd_future *future)
{
    uint32_t word = rmd_atomic_load(&future->word, RMD_ACQUIRE);
    if ((word & RMDI_FUTURE_STATE) != RMDI_FUTURE_ENDED)
        return RMD_PENDING;
    if (rmdi_future_outcome_in(word) != RMD_OUTCOME_OK && !(word & RMDI_FUTURE_SEEN))
        rmdi_future_see((rmd_future *)(uintptr_t)future); /* it is const to those who ask */
    return rmdi_future_outcome_in(word);
}

rmd_outcome rmd_future_outcome(const rmd_future *future)
{
    return future ? look(future) : RMD_PENDING;
}

rmd_state rmd_future_state(const rmd_future *future)
{
    if (!future)
        return RMD_STATE_QUEUED;
    rmd_state state = (rmd_state)(rmd_atomic_load(&future->word, RMD_ACQUIRE) & RMDI_FUTURE_STATE);
    bool runs = state == RMD_STATE_QUEUED && future->ops->runs && future->ops->runs(future);
    return runs ? RMD_STATE_RUNNING : state;
}

void rmdi_future_describe(const rmd_future *future, rmd_failure *failure)
{
    uint32_t word = rmd_atomic_load(&future->word, RMD_ACQUIRE);
    *failure = (rmd_failure){ .id = rmd_future_id(future),
                              .outcome = rmdi_future_outcome_in(word),
                              .error = future->error,
                              .detail = "",
                              .name = future->ops->name(future) };
    future->ops->describe(future, failure);
}

int rmd_future_failure(const rmd_future *future, rmd_failure *failure)
{
    if (!future || !failure)
        return rmdi_fail(RMD_EINVAL, "failure: a future and a place for it must be given");
    rmd_outcome outcome = look(future);
    if (outcome == RMD_PENDING)
        return rmdi_future_not_ended(future, RMD_EBUSY);
    if (outcome == RMD_OUTCOME_OK)
        return rmdi_fail(RMD_ENOENT, "task %llu has ended OK",
                         (unsigned long long)rmd_future_id(future));
    rmdi_future_describe(future, failure);
    return 0;
}

int rmd_future_error(const rmd_future *future)
{
    rmd_failure failure;
    if (!future)
        return rmdi_fail(RMD_EINVAL, "error: no future was given");
    rmd_outcome outcome = look(future);
    if (outcome == RMD_OUTCOME_OK)
        return 0;
    if (outcome == RMD_PENDING)
        return rmdi_future_not_ended(future, RMD_EBUSY);
    rmdi_future_describe(future, &failure);
    return rmdi_fail_copy(failure.error, failure.detail);
}

int rmd_future_value(const rmd_future *future, const rmd_value **value)
{
    if (!future || !value)
        return rmdi_fail(RMD_EINVAL, "value: a future and a place for it must be given");
    int err = rmd_future_error(future);
    if (err < 0)
        return err;
    if (!future->ops->value)
        return rmdi_fail(RMD_EINVAL, "task %llu \"%s\" is none that returns a value",
                         (unsigned long long)rmd_future_id(future), rmd_future_name(future));
    return future->ops->value(future, value);
}

int rmd_future_exit(const rmd_future *future, const rmd_exit **exit)
{
    if (!future || !exit)
        return rmdi_fail(RMD_EINVAL, "exit: a future and a place for the answer must be given");
    if (look(future) == RMD_PENDING)
        return rmdi_future_not_ended(future, RMD_EBUSY);
    const rmd_exit *found = future->ops->exit ? future->ops->exit(future) : NULL;
    if (!found)
        return rmdi_fail(RMD_ENOTSUP, "task %llu is no command, and its worker has not ended in it",
                         (unsigned long long)rmd_future_id(future));
    *exit = found;
    return 0;
}

int64_t rmd_future_read(const rmd_future *future, int stream, uint64_t offset, void *buffer,
                        size_t len)
{
    enum { OUT = 1, ERR = 2 }; /* RMD_STDOUT, RMD_STDERR */
    if (!future || (!buffer && len) || (stream != OUT && stream != ERR))
        return rmdi_fail(RMD_EINVAL, "read: needs a future, a buffer, and stream 1 or 2, not %d",
                         stream);
    if (look(future) == RMD_PENDING)
        return rmdi_future_not_ended(future, RMD_EBUSY);
    if (!future->ops->read)
        return rmdi_fail(RMD_ENOTSUP, "task %llu is no command",
                         (unsigned long long)rmd_future_id(future));
    return future->ops->read(future, stream, offset, buffer, len);
}

int rmd_future_cancel(rmd_future *future)
{
    if (!future)
        return rmdi_fail(RMD_EINVAL, "cancel: no future was given");
    if (rmdi_future_ended(future))
        return rmdi_fail(RMD_ETOOLATE, "task %llu has ended",
                         (unsigned long long)rmd_future_id(future));
    int err = rmdi_future_check(future, "cancel");
    if (err < 0)
        return err;
    rmdi_record(RMDI_RECORD_CANCEL, future->id, 0);
    return future->ops->cancel(future);
}

void *rmd_future_ctx(const rmd_future *future)
{
    return future && future->ops->ctx ? future->ops->ctx(future) : NULL;
}

uint64_t rmd_future_id(const rmd_future *future)
{
    return future ? future->id : 0;
}

const char *rmd_future_name(const rmd_future *future)
{
    return future ? future->ops->name(future) : "";
}
