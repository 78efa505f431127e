/* SPDX-License-Identifier: MIT */
/* Promises: completed once, by whoever keeps or cancels them, or broken. */
#include "crew.h"

#include <remuda.h>

static const int cause = -1001;

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
