/* SPDX-License-Identifier: MIT */
/* What follows the end of a future: callbacks, in order and one at a time, and the library's own
 * hooks; each runs once, whenever it was brought. */
#include "future_stage.h"

#include <stdlib.h>

static void count_call(rmd_future *future, void *ctx)
{
    rmd_atomic(int) *calls = ctx;
    check_ended(thing_of(future));
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
    RMD_ASSERT(destroyed() == 1);
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
    RMD_ASSERT(destroyed() == 1);
}

/* ---- without memory ---- */

HARNESS(futures_without_memory, .faults_max = 1, .fail_allocations = true)
{
    rmd_completions *ends;
    rmd_promise *promise;
    rmd_future *promised;
    crew all = { 0 };
    bringer b = { .t = new_thing_with(0) };
    if (!b.t)
        return;
    crew_add(&all, run_thing, b.t, "runs");
    int err = rmd_future_on_end(&b.t->future, count_call, &b.calls);
    int opened = rmd_completions_open(&ends, (rmd_future *[]){ &b.t->future }, 1);
    RMD_ASSERT((err == 0 || err == RMD_ENOMEM) && (opened == 0 || opened == RMD_ENOMEM));
    if (rmd_promise_open(&promise, &promised, NULL) == 0) {
        int set = rmd_promise_set(promise, "a text");
        RMD_ASSERT(set == 0 || set == RMD_ENOMEM);
        rmd_promise_free(promise);
        RMD_ASSERT(rmd_future_outcome(promised) == (set ? RMD_OUTCOME_LOST : RMD_OUTCOME_OK));
        rmd_future_free(promised);
    }
    crew_join(&all);
    if (opened == 0)
        rmd_completions_free(ends);
    RMD_ASSERT(rmd_atomic_load(&b.calls, RMD_RELAXED) == (err == 0));
    free_thing(b.t);
}
