/* SPDX-License-Identifier: MIT */
/* Futures, of a kind that does no more than it must: one end, which all see who wait, cancel, bring
 * callbacks and hooks, or give back what they hold, whenever they do. Promises and completions are
 * built on the same. */
#include "crew.h"
#include "exec/future.h"
#include "port/forked.h"
#include "sync/event.h"
#include "sync/stop.h"

#include <remuda.h>
#include <stdlib.h>

/* A mark of the harness in the word: the frame is known. */
enum { FRAMED = 1 << 12 };

/* ---- a kind of future ---- */

static const int cause = -1001; /* with which it ends */

typedef struct thing {
    rmd_future future; /* first */
    rmd_stop *stop;    /* of whoever runs it, on its stack */
    void *ctx;
    int result; /* written by it, nothing but its end guards it */
    rmd_atomic(int) begun, ends, calls, told;
} thing;

static rmd_atomic(int) destroyed;

static thing *of(const rmd_future *future)
{
    return RMDI_CONTAINER(future, thing, future);
}

static uint64_t process(const rmd_future *future)
{
    (void)future;
    return rmdi_process_mark();
}

static void end_thing(thing *t, rmd_outcome outcome, int error)
{
    rmd_atomic_add(&t->ends, 1, RMD_RELAXED);
    if (rmdi_future_end(&t->future, outcome, error))
        rmdi_future_call_back(&t->future);
}

static void fire(rmd_future *future)
{
    rmd_atomic_add(&of(future)->told, 1, RMD_RELAXED);
    if (rmd_atomic_load(&future->word, RMD_ACQUIRE) & FRAMED)
        (void)rmd_stop_request(RMD_PLAIN(of(future)->stop));
}

static int cancel(rmd_future *future)
{
    if (rmdi_future_claim(future, true)) {
        end_thing(of(future), RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
        return 0;
    }
    return rmdi_future_tell(future, false, fire) ? 0 : RMD_ETOOLATE;
}

static bool call_later(rmd_future *future)
{
    (void)future;
    return false;
}

static void *ctx_of(const rmd_future *future)
{
    return of(future)->ctx;
}

static const char *name_of(const rmd_future *future)
{
    (void)future;
    return "thing";
}

static void describe(const rmd_future *future, rmd_failure *failure)
{
    failure->attempt = (unsigned)rmd_atomic_load(&of(future)->begun, RMD_RELAXED);
}

static void destroy(rmd_future *future)
{
    RMD_ASSERT(rmdi_future_ended(future));
    rmd_atomic_add(&destroyed, 1, RMD_RELAXED);
    free(of(future));
}

static const rmdi_future_ops ops = {
    .process = process,
    .cancel = cancel,
    .call_later = call_later,
    .ctx = ctx_of,
    .name = name_of,
    .describe = describe,
    .destroy = destroy,
};

static thing *new_thing_with(uint32_t flags)
{
    thing *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    rmdi_future_init(&t->future, &ops, rmdi_future_next_ids(1), 2, flags);
    rmd_atomic_init(&destroyed, 0);
    return t;
}

static thing *new_thing(void)
{
    thing *t = new_thing_with(0);
    RMD_ASSERT(t != NULL);
    return t;
}

/* Without the claim: until it is told to stop, or not. */
static void run_claimed(thing *t)
{
    rmd_stop stop = { 0 };
    rmd_atomic_add(&t->begun, 1, RMD_RELAXED);
    RMD_PLAIN_SET(t->stop, &stop);
    uint32_t word = rmd_atomic_or(&t->future.word, FRAMED, RMD_ACQ_REL);
    if (word & (RMDI_FUTURE_CANCEL | RMDI_FUTURE_LATE))
        (void)rmd_stop_request(&stop);
    RMD_PLAIN_SET(t->result, 5);
    bool stopped = rmd_stop_requested(&stop);
    end_thing(t, stopped ? RMD_OUTCOME_CANCELLED : RMD_OUTCOME_FAILED,
              stopped ? RMD_ECANCELED : cause);
}

/* A worker, who has the pool's reference. */
static void run_thing(void *arg)
{
    thing *t = arg;
    if (rmdi_future_claim(&t->future, false))
        run_claimed(t);
    rmdi_future_drop(&t->future);
}

static void check_ended(thing *t)
{
    int error = rmd_future_error(&t->future);
    RMD_ASSERT(rmd_atomic_load(&t->ends, RMD_RELAXED) == 1);
    RMD_ASSERT(error == cause || error == RMD_ECANCELED);
    RMD_ASSERT(rmd_future_state(&t->future) == RMD_STATE_ENDED);
    RMD_ASSERT((error == cause) == (rmd_future_outcome(&t->future) == RMD_OUTCOME_FAILED));
    RMD_ASSERT(RMD_PLAIN(t->result) == (rmd_atomic_load(&t->begun, RMD_RELAXED) ? 5 : 0));
}

static void free_thing(thing *t)
{
    check_ended(t);
    rmd_future_free(&t->future);
    RMD_ASSERT(rmd_atomic_load(&destroyed, RMD_RELAXED) == 1);
}

/* ---- waiting ---- */

static void wait_for_it(void *arg)
{
    thing *t = arg;
    RMD_ASSERT(rmd_future_wait(&t->future, RMD_FOREVER) == 0);
    check_ended(t);
}

static void wait_a_while(void *arg)
{
    thing *t = arg;
    int err = rmd_future_wait(&t->future, rmd_after_ms(1));
    RMD_ASSERT(err == 0 || err == RMD_ETIMEDOUT);
    if (err == 0)
        check_ended(t);
    else
        RMD_ASSERT(rmd_future_error(&t->future) == RMD_EBUSY || rmdi_future_ended(&t->future));
}

static void cancel_it(void *arg)
{
    thing *t = arg;
    int err = rmd_future_cancel(&t->future);
    RMD_ASSERT(err == 0 || err == RMD_ETOOLATE);
    if (err < 0)
        check_ended(t);
}

HARNESS(future_end_wakes_all_who_wait)
{
    crew all = { 0 };
    thing *t = new_thing();
    crew_add(&all, wait_for_it, t, "waits 1");
    crew_add(&all, wait_for_it, t, "waits 2");
    crew_add(&all, wait_a_while, t, "waits a while");
    crew_add(&all, run_thing, t, "runs");
    crew_join(&all);
    free_thing(t);
}

HARNESS(future_cancel_tells_or_ends_or_comes_too_late)
{
    crew all = { 0 };
    thing *t = new_thing();
    crew_add(&all, run_thing, t, "runs");
    crew_add(&all, cancel_it, t, "cancels 1");
    crew_add(&all, cancel_it, t, "cancels 2");
    crew_add(&all, wait_for_it, t, "waits");
    crew_join(&all);
    free_thing(t);
}

/* Sleeps in something else: nothing but its token ends that. */
static void sleep_until_told(void *arg)
{
    thing *t = arg;
    rmd_stop stop = { 0 };
    rmdi_event never = { 0 };
    if (rmdi_future_claim(&t->future, false)) {
        rmd_atomic_add(&t->begun, 1, RMD_RELAXED);
        RMD_PLAIN_SET(t->result, 5);
        RMD_PLAIN_SET(t->stop, &stop);
        uint32_t word = rmd_atomic_or(&t->future.word, FRAMED, RMD_ACQ_REL);
        if (word & RMDI_FUTURE_CANCEL)
            (void)rmd_stop_request(&stop);
        rmd_stop *before = rmd_stop_set(&stop);
        RMD_ASSERT(rmdi_event_wait(&never, RMD_FOREVER) == RMD_ECANCELED);
        rmd_stop_set(before);
        end_thing(t, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    }
    rmdi_future_drop(&t->future);
}

HARNESS(future_cancel_wakes_what_sleeps)
{
    crew all = { 0 };
    thing *t = new_thing();
    crew_add(&all, sleep_until_told, t, "sleeps");
    crew_add(&all, cancel_it, t, "cancels");
    crew_add(&all, wait_for_it, t, "waits");
    crew_join(&all);
    free_thing(t);
}

static void stop_it(void *stop)
{
    RMD_ASSERT(rmd_stop_request(stop) == 0);
}

typedef struct stoppable {
    thing *t;
    rmd_stop *stop;
} stoppable;

static void wait_stoppably(void *arg)
{
    stoppable *s = arg;
    rmd_stop_set(s->stop);
    int err = rmd_future_wait(&s->t->future, RMD_FOREVER);
    RMD_ASSERT(err == 0 || err == RMD_ECANCELED);
    rmd_stop_set(NULL);
}

HARNESS(future_wait_ends_when_it_is_told_to_stop)
{
    crew all = { 0 };
    stoppable s = { .t = new_thing() };
    RMD_ASSERT(rmd_stop_open(&s.stop) == 0);
    crew_add(&all, wait_stoppably, &s, "waits");
    crew_add(&all, stop_it, s.stop, "stops");
    crew_add(&all, run_thing, s.t, "runs");
    crew_join(&all);
    RMD_ASSERT(rmd_stop_free(s.stop) == 0);
    free_thing(s.t);
}

/* Whoever waits for it gives it back at once, while others still have to do with its end. */
static void wait_and_free(void *arg)
{
    thing *t = arg;
    RMD_ASSERT(rmd_future_wait(&t->future, RMD_FOREVER) == 0);
    check_ended(t);
    rmd_future_free(&t->future);
}

static void give_back(void *arg)
{
    rmd_future_free(arg);
}

HARNESS(future_is_freed_by_the_last)
{
    crew all = { 0 };
    thing *t = new_thing();
    bool waits = rmd_explore_choose(2);
    rmdi_future_hold(&t->future);
    crew_add(&all, run_thing, t, "runs");
    crew_add(&all, waits ? wait_and_free : give_back, t, "user");
    crew_add(&all, wait_and_free, t, "another user");
    crew_join(&all);
    RMD_ASSERT(rmd_atomic_load(&destroyed, RMD_RELAXED) == 1);
}

/* ---- held, unclaimed, told again ---- */

static void begin_at_last(void *arg)
{
    thing *t = arg;
    rmd_atomic_and(&t->future.word, ~(uint32_t)RMDI_FUTURE_HELD, RMD_RELEASE);
    run_thing(t);
}

HARNESS(future_that_is_held_is_ended_by_cancel_only)
{
    crew all = { 0 };
    thing *t = new_thing_with(RMDI_FUTURE_HELD);
    RMD_ASSERT(!rmdi_future_claim(&t->future, false));
    crew_add(&all, begin_at_last, t, "begins");
    crew_add(&all, cancel_it, t, "cancels");
    crew_add(&all, wait_for_it, t, "waits");
    crew_join(&all);
    free_thing(t);
}

/* An attempt that leaves it to another one, here or elsewhere. */
static void begin_and_leave(void *arg)
{
    thing *t = arg;
    if (rmdi_future_claim(&t->future, false)) {
        RMD_PLAIN_SET(t->result, 4);
        rmdi_future_unclaim(&t->future);
    }
    run_thing(t);
}

HARNESS(future_is_begun_again_by_another)
{
    crew all = { 0 };
    thing *t = new_thing();
    rmdi_future_hold(&t->future);
    crew_add(&all, begin_and_leave, t, "begins 1");
    crew_add(&all, begin_and_leave, t, "begins 2");
    crew_add(&all, wait_for_it, t, "waits");
    crew_join(&all);
    free_thing(t);
}

static void reset_told(rmd_future *future)
{
    rmd_atomic_store(&of(future)->told, 0, RMD_RELAXED);
}

/* Two attempts; a limit may end the first, a cancel both. */
static void run_twice(void *arg)
{
    thing *t = arg;
    rmd_stop stop = { 0 };
    if (rmdi_future_claim(&t->future, false)) {
        RMD_PLAIN_SET(t->stop, &stop);
        if (rmd_atomic_or(&t->future.word, FRAMED, RMD_ACQ_REL) & RMDI_FUTURE_CANCEL)
            (void)rmd_stop_request(&stop);
        bool again = rmdi_future_renew(&t->future, reset_told);
        rmd_atomic_add(&t->begun, 1, RMD_RELAXED);
        RMD_PLAIN_SET(t->result, 5);
        uint32_t word = rmd_atomic_load(&t->future.word, RMD_RELAXED);
        RMD_ASSERT(again || word & RMDI_FUTURE_CANCEL);
        end_thing(t, again ? RMD_OUTCOME_FAILED : RMD_OUTCOME_CANCELLED,
                  again ? cause : RMD_ECANCELED);
    }
    rmdi_future_drop(&t->future);
}

static void be_late(void *arg)
{
    thing *t = arg;
    rmdi_future_tell(&t->future, true, fire);
}

HARNESS(future_is_tried_again_after_a_limit_not_after_a_cancel)
{
    crew all = { 0 };
    thing *t = new_thing();
    crew_add(&all, run_twice, t, "runs");
    crew_add(&all, be_late, t, "is late");
    if (rmd_explore_choose(2))
        crew_add(&all, cancel_it, t, "cancels");
    crew_add(&all, wait_for_it, t, "waits");
    crew_join(&all);
    free_thing(t);
}

/* ---- callbacks and hooks ---- */

static void count_call(rmd_future *future, void *ctx)
{
    rmd_atomic(int) *calls = ctx;
    check_ended(of(future));
    rmd_atomic_add(calls, 1, RMD_RELAXED);
}

typedef struct bringer {
    thing *t;
    rmd_atomic(int) calls;
    int last; /* of those that bring_in_order() brings */
} bringer;

static void bring_two(void *arg)
{
    bringer *b = arg;
    RMD_ASSERT(rmd_future_on_end(&b->t->future, count_call, &b->calls) == 0);
    RMD_ASSERT(rmd_future_on_end(&b->t->future, count_call, &b->calls) == 0);
}

HARNESS(future_calls_each_callback_once)
{
    crew all = { 0 };
    bringer b = { .t = new_thing() };
    crew_add(&all, bring_two, &b, "brings 1");
    crew_add(&all, bring_two, &b, "brings 2");
    crew_add(&all, run_thing, b.t, "runs");
    if (rmd_explore_choose(2))
        crew_add(&all, cancel_it, b.t, "cancels");
    crew_join(&all);
    RMD_ASSERT(rmd_atomic_load(&b.calls, RMD_RELAXED) == 4);
    free_thing(b.t);
}

static void second(rmd_future *future, void *ctx)
{
    bringer *b = ctx;
    (void)future;
    RMD_ASSERT(RMD_PLAIN(b->last) == 1);
    RMD_PLAIN_SET(b->last, 2);
}

static void first(rmd_future *future, void *ctx)
{
    bringer *b = ctx;
    RMD_ASSERT(RMD_PLAIN(b->last) == 0);
    RMD_PLAIN_SET(b->last, 1);
    if (rmd_explore_choose(2)) /* from inside a callback: after those that are there */
        RMD_ASSERT(rmd_future_on_end(future, count_call, &b->calls) == 0);
}

static void bring_in_order(void *arg)
{
    bringer *b = arg;
    RMD_ASSERT(rmd_future_on_end(&b->t->future, first, b) == 0);
    RMD_ASSERT(rmd_future_on_end(&b->t->future, second, b) == 0);
}

HARNESS(future_callbacks_run_in_order_and_one_at_a_time)
{
    crew all = { 0 };
    bringer b = { .t = new_thing() };
    crew_add(&all, bring_in_order, &b, "brings");
    crew_add(&all, bring_two, &b, "brings others");
    crew_add(&all, run_thing, b.t, "runs");
    crew_join(&all);
    RMD_ASSERT(RMD_PLAIN(b.last) == 2 && rmd_atomic_load(&b.calls, RMD_RELAXED) >= 2);
    free_thing(b.t);
}

static void free_here(rmd_future *future, void *ctx)
{
    (void)ctx;
    rmd_future_free(future);
}

HARNESS(future_is_freed_in_its_callback)
{
    crew all = { 0 };
    bringer b = { .t = new_thing() };
    crew_add(&all, run_thing, b.t, "runs");
    bring_two(&b);
    RMD_ASSERT(rmd_future_on_end(&b.t->future, free_here, NULL) == 0);
    crew_join(&all);
    RMD_ASSERT(rmd_atomic_load(&destroyed, RMD_RELAXED) == 1);
    RMD_ASSERT(rmd_atomic_load(&b.calls, RMD_RELAXED) == 2);
}

/* Ours, in memory of its owner's, which is gone when it knows that it does not run any more. */
typedef struct hooked {
    rmdi_on_end hook;
    rmd_atomic(int) runs;
} hooked;

static void run_hook(rmd_future *future, void *ctx)
{
    hooked *h = ctx;
    RMD_ASSERT(rmdi_future_ended(future));
    rmd_atomic_add(&h->runs, 1, RMD_RELEASE);
}

static void hook_and_unhook(void *arg)
{
    thing *t = arg;
    hooked *h = calloc(1, sizeof *h);
    RMD_ASSERT(h != NULL);
    h->hook = (rmdi_on_end){ .fn = run_hook, .ctx = h };
    bool hangs = rmdi_future_hook(&t->future, &h->hook);
    RMD_ASSERT(hangs || rmdi_future_ended(&t->future));
    if (hangs && rmdi_future_unhook(&t->future, &h->hook))
        RMD_ASSERT(rmd_atomic_load(&h->runs, RMD_RELAXED) == 0);
    else if (hangs)
        while (!rmd_atomic_load(&h->runs, RMD_ACQUIRE))
            rmd_pause();
    free(h);
}

/* A callback that comes while ours are being run is not forgotten, nor are they. */
HARNESS(future_hooks_and_callbacks_do_not_lose_each_other)
{
    crew all = { 0 };
    hooked h = { 0 };
    bringer b = { .t = new_thing() };
    h.hook = (rmdi_on_end){ .fn = run_hook, .ctx = &h };
    RMD_ASSERT(rmdi_future_hook(&b.t->future, &h.hook));
    crew_add(&all, run_thing, b.t, "runs");
    crew_add(&all, hook_and_unhook, b.t, "hooks");
    crew_add(&all, bring_two, &b, "brings");
    crew_join(&all);
    RMD_ASSERT(rmd_atomic_load(&h.runs, RMD_RELAXED) == 1);
    RMD_ASSERT(rmd_atomic_load(&b.calls, RMD_RELAXED) == 2);
    free_thing(b.t);
}

static void bring_posted(void *arg)
{
    bringer *b = arg;
    rmd_executor *executor = rmd_future_ctx(&b->t->future);
    RMD_ASSERT(rmd_future_on_end_in(&b->t->future, executor, count_call, &b->calls) == 0);
}

/* It holds the future until it has run there; nobody else does. */
HARNESS(future_callback_in_an_executor)
{
    crew all = { 0 };
    bringer b = { .t = new_thing() };
    rmd_executor *executor;
    rmd_executor_options options = { .size = sizeof options, .posts_max = 1 };
    RMD_ASSERT(rmd_executor_open(&executor, &options) == 0);
    b.t->ctx = executor;
    rmdi_future_hold(&b.t->future);
    crew_add(&all, bring_posted, &b, "brings");
    crew_add(&all, run_thing, b.t, "runs");
    bring_posted(&b);
    rmd_future_free(&b.t->future);
    crew_join(&all);
    rmd_future_free(&b.t->future);
    RMD_ASSERT(rmd_executor_drain(executor, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_executor_free(executor) == 0);
    RMD_ASSERT(rmd_atomic_load(&b.calls, RMD_RELAXED) == 2);
    RMD_ASSERT(rmd_atomic_load(&destroyed, RMD_RELAXED) == 1);
}

/* ---- promises ---- */

typedef struct promised {
    rmd_promise *promise;
    rmd_future *future;
    rmd_atomic(int) wins, calls;
} promised;

static void open_promise(promised *p)
{
    *p = (promised){ 0 };
    RMD_ASSERT(rmd_promise_open(&p->promise, &p->future, NULL) == 0);
}

static void count_win(promised *p, int err)
{
    RMD_ASSERT(err == 0 || err == RMD_ETOOLATE);
    if (err == 0)
        rmd_atomic_add(&p->wins, 1, RMD_RELAXED);
}

static void set_promise(void *arg)
{
    promised *p = arg;
    count_win(p, rmd_promise_set(p->promise, 42));
}

static void fail_promise(void *arg)
{
    promised *p = arg;
    count_win(p, rmd_promise_fail(p->promise, cause, "it cannot be had"));
}

static void cancel_promise(void *arg)
{
    promised *p = arg;
    count_win(p, rmd_future_cancel(p->future));
}

static void check_promise(promised *p)
{
    int n = 0, err = rmd_future_get(p->future, &n);
    switch (rmd_future_outcome(p->future)) {
    case RMD_OUTCOME_OK: RMD_ASSERT(err == 0 && n == 42); break;
    case RMD_OUTCOME_FAILED: RMD_ASSERT(err == cause); break;
    case RMD_OUTCOME_CANCELLED: RMD_ASSERT(err == RMD_ECANCELED); break;
    default: RMD_ASSERT(err == RMD_ELOST);
    }
}

static void wait_for_promise(void *arg)
{
    promised *p = arg;
    RMD_ASSERT(rmd_future_wait(p->future, RMD_FOREVER) == 0);
    check_promise(p);
}

HARNESS(promise_is_completed_once)
{
    crew all = { 0 };
    promised p;
    open_promise(&p);
    crew_add(&all, set_promise, &p, "sets");
    crew_add(&all, fail_promise, &p, "fails");
    crew_add(&all, cancel_promise, &p, "cancels");
    crew_add(&all, wait_for_promise, &p, "waits");
    crew_join(&all);
    RMD_ASSERT(rmd_promise_cancelled(p.promise) ==
               (rmd_future_outcome(p.future) == RMD_OUTCOME_CANCELLED));
    RMD_ASSERT(rmd_atomic_load(&p.wins, RMD_RELAXED) == 1);
    rmd_promise_free(p.promise);
    check_promise(&p);
    rmd_future_free(p.future);
}

static void keep_promise(void *arg)
{
    promised *p = arg;
    if (rmd_explore_choose(2))
        set_promise(p);
    rmd_promise_free(p->promise);
}

static void count_promised(rmd_future *future, void *ctx)
{
    promised *p = ctx;
    RMD_ASSERT(future == p->future);
    check_promise(p);
    rmd_atomic_add(&p->calls, 1, RMD_RELAXED);
}

/* Kept or broken, while the other side waits, loses interest, or brings a callback. */
HARNESS(promise_is_kept_or_broken)
{
    crew all = { 0 };
    promised p;
    open_promise(&p);
    crew_add(&all, keep_promise, &p, "keeps");
    bool called = rmd_explore_choose(2);
    if (called)
        RMD_ASSERT(rmd_future_on_end(p.future, count_promised, &p) == 0);
    if (rmd_explore_choose(2))
        cancel_promise(&p);
    if (rmd_explore_choose(2))
        wait_for_promise(&p);
    if (!called)
        rmd_future_free(p.future);
    crew_join(&all);
    RMD_ASSERT(rmd_atomic_load(&p.calls, RMD_RELAXED) == called);
    if (called)
        rmd_future_free(p.future);
}

/* ---- several ---- */

typedef struct several {
    thing *things[3];
    rmd_future *futures[3];
    rmd_completions *ends;
    rmd_atomic(int) given;
} several;

static void open_several(several *s)
{
    *s = (several){ 0 };
    for (int i = 0; i < 3; i++) {
        s->things[i] = new_thing();
        s->futures[i] = &s->things[i]->future;
    }
}

static void free_several(several *s)
{
    for (int i = 0; i < 3; i++)
        rmd_future_free(s->futures[i]);
    RMD_ASSERT(rmd_atomic_load(&destroyed, RMD_RELAXED) == 3);
}

static void run_pair(void *arg)
{
    several *s = arg;
    run_thing(s->things[0]);
    run_thing(s->things[1]);
}

static void wait_for_any(void *arg)
{
    several *s = arg;
    int64_t i = rmd_futures_wait(s->futures, 3, RMD_WAIT_ANY, RMD_FOREVER);
    RMD_ASSERT(i >= 0 && i < 3 && rmdi_future_ended(s->futures[i]));
}

static void wait_for_all(void *arg)
{
    several *s = arg;
    RMD_ASSERT(rmd_futures_wait(s->futures, 3, RMD_WAIT_ALL, RMD_FOREVER) == 3);
}

static void wait_for_failure(void *arg)
{
    several *s = arg;
    int64_t i = rmd_futures_wait(s->futures, 3, RMD_WAIT_FIRST_FAILURE, rmd_after_ms(1));
    RMD_ASSERT(i == RMD_ETIMEDOUT || (i >= 0 && i < 3 && rmdi_future_ended(s->futures[i])));
}

HARNESS(futures_are_waited_for_together)
{
    crew all = { 0 };
    several s;
    open_several(&s);
    crew_add(&all, run_pair, &s, "runs 1 and 2");
    crew_add(&all, run_thing, s.things[2], "runs 3");
    crew_add(&all, wait_for_any, &s, "waits for any");
    crew_add(&all, rmd_explore_choose(2) ? wait_for_all : wait_for_failure, &s, "waits");
    crew_join(&all);
    free_several(&s);
}

/* Of those that have ended before, no entry is added. */
static void select_one(void *arg)
{
    several *s = arg;
    rmd_waitable what[3];
    for (int i = 0; i < 3; i++)
        what[i] = rmd_future_waitable(s->futures[i]);
    int i = rmd_select(what, 3, rmd_explore_choose(2) ? RMD_FOREVER : rmd_after_ms(1));
    RMD_ASSERT(i == RMD_ETIMEDOUT || (i >= 0 && i < 3 && rmdi_future_ended(s->futures[i])));
}

HARNESS(future_is_selected_among_others)
{
    crew all = { 0 };
    several s;
    open_several(&s);
    crew_add(&all, run_pair, &s, "runs 1 and 2");
    crew_add(&all, select_one, &s, "selects");
    crew_add(&all, run_thing, s.things[2], "runs 3");
    select_one(&s);
    crew_join(&all);
    free_several(&s);
}

static void take_all(void *arg)
{
    several *s = arg;
    rmd_future *future;
    int err;
    while ((err = rmd_completions_next(s->ends, &future, RMD_FOREVER)) == 0) {
        RMD_ASSERT(rmdi_future_ended(future));
        rmd_atomic_add(&s->given, 1, RMD_RELAXED);
    }
    RMD_ASSERT(err == RMD_ENOENT);
}

/* Two take what ends, each once, and both end; one more comes while they do. */
HARNESS(completions_give_each_once)
{
    crew all = { 0 };
    several s;
    open_several(&s);
    RMD_ASSERT(rmd_completions_open(&s.ends, s.futures, 2) == 0);
    crew_add(&all, take_all, &s, "takes 1");
    crew_add(&all, take_all, &s, "takes 2");
    crew_add(&all, run_pair, &s, "runs 1 and 2");
    crew_add(&all, run_thing, s.things[2], "runs 3");
    RMD_ASSERT(rmd_completions_add(s.ends, s.futures[2]) == 0);
    crew_join(&all);
    take_all(&s);
    RMD_ASSERT(rmd_atomic_load(&s.given, RMD_RELAXED) == 3);
    RMD_ASSERT(rmd_completions_left(s.ends) == 0);
    rmd_completions_free(s.ends);
    free_several(&s);
}

/* Freed with some of them taken, some ended, some just ending, and some not. */
HARNESS(completions_are_freed_while_futures_end)
{
    crew all = { 0 };
    several s;
    rmd_future *future;
    open_several(&s);
    RMD_ASSERT(rmd_completions_open(&s.ends, s.futures, 3) == 0);
    crew_add(&all, run_pair, &s, "runs 1 and 2");
    crew_add(&all, run_thing, s.things[2], "runs 3");
    if (rmd_explore_choose(2)) {
        int err = rmd_completions_next(s.ends, &future, rmd_after_ms(1));
        RMD_ASSERT(err == RMD_ETIMEDOUT || (err == 0 && rmdi_future_ended(future)));
    }
    rmd_completions_free(s.ends);
    for (int i = 0; i < 3; i++)
        rmd_future_free(s.futures[i]);
    crew_join(&all);
    RMD_ASSERT(rmd_atomic_load(&destroyed, RMD_RELAXED) == 3);
}

HARNESS(futures_without_memory, .faults_max = 1, .fail_allocations = true)
{
    rmd_completions *ends;
    promised p = { 0 };
    crew all = { 0 };
    bringer b = { .t = new_thing_with(0) };
    if (!b.t)
        return;
    crew_add(&all, run_thing, b.t, "runs");
    int err = rmd_future_on_end(&b.t->future, count_call, &b.calls);
    int opened = rmd_completions_open(&ends, (rmd_future *[]){ &b.t->future }, 1);
    RMD_ASSERT((err == 0 || err == RMD_ENOMEM) && (opened == 0 || opened == RMD_ENOMEM));
    int promise = rmd_promise_open(&p.promise, &p.future, NULL);
    if (promise == 0) {
        int set = rmd_promise_set(p.promise, "a text");
        RMD_ASSERT(set == 0 || set == RMD_ENOMEM);
        rmd_promise_free(p.promise);
        RMD_ASSERT(rmd_future_outcome(p.future) == (set ? RMD_OUTCOME_LOST : RMD_OUTCOME_OK));
        rmd_future_free(p.future);
    }
    crew_join(&all);
    if (opened == 0)
        rmd_completions_free(ends);
    RMD_ASSERT(rmd_atomic_load(&b.calls, RMD_RELAXED) == (err == 0));
    free_thing(b.t);
}
