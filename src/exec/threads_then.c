/* SPDX-License-Identifier: MIT */
/* A task that begins when another one has ended OK, and else ends as that one has. It is held until
 * then; a hook at the end of the first releases it, or ends it. */
#include "base/alloc.h"
#include "base/error.h"
#include "exec/threads_submit.h"

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
        rmdi_future_see(first); /* its failure is ours from now on, and listed once */
        rmdi_task_unqueue(task);
        rmdi_task_end_unstarted(task, failure.outcome, failure.error, failure.detail);
    }
    rmdi_future_drop(&task->future);
}

int rmdi_threads_then(rmd_pool *base, rmd_future **future, rmd_future *first, rmd_then_fn *fn,
                      void *arg, const rmd_task_options *options)
{
    rmdi_threads *pool = (rmdi_threads *)(void *)base;
    rmdi_plan p = { .body = RMDI_BODY_THEN };
    rmdi_thread_task *task;
    int err = rmdi_plan_begin(&p, pool, options, future != NULL);
    p.then = err == 0 ? rmdi_alloc(sizeof *p.then) : NULL;
    if (err == 0 && !p.then)
        err = rmdi_fail_memory();
    if (err == 0) {
        *p.then = (rmdi_then){ .fn = fn, .arg = arg, .first = first };
        rmdi_future_hold(first);
        err = rmdi_submit_held(pool, &p, true, &task);
    }
    if (err < 0) {
        rmdi_plan_drop(&p);
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
