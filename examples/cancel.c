/* SPDX-License-Identifier: MIT */
/* Cancelling tasks of threads, which cannot be killed: they are told, and what became of them is
 * told truthfully. One never starts, one stops at a check, one wakes from its sleep, one is
 * stopped by its limit, and one does not listen and finishes anyway. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

static rmd_event *never, *told;
static rmd_semaphore *begun; /* one permit for each that runs */

static void must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

static int compute(void *arg)
{
    (void)arg;
    rmd_semaphore_release(begun, 1);
    for (uint64_t step = 0;; step++)
        if (step % 1024 == 0 && rmd_task_cancelled()) /* one load */
            return rmd_fail(RMD_ECANCELED, "stopped at a check");
}

static int sleep_long(void *arg)
{
    (void)arg;
    rmd_semaphore_release(begun, 1);
    return rmd_event_wait(never, RMD_FOREVER); /* as any call that sleeps: RMD_ECANCELED */
}

static int ignore(void *arg)
{
    (void)arg;
    rmd_semaphore_release(begun, 1);
    rmd_stop *before = rmd_stop_set(NULL); /* a shield: what must be done to its end */
    int err = rmd_event_wait(told, RMD_FOREVER);
    rmd_stop_set(before);
    return err;
}

static rmd_future *start(rmd_pool *pool, const char *name, rmd_task_fn *fn, int64_t run_ms_max)
{
    rmd_future *future;
    rmd_task_options options = { .size = sizeof options,
                                 .name = name,
                                 .limits.run_ms_max = run_ms_max };
    must(rmd_submit(pool, &future, fn, NULL, &options), name);
    return future;
}

static void tell(rmd_future *future)
{
    must(rmd_future_wait(future, rmd_after_ms(10000)), "wait");
    printf("%s: %s\n", rmd_future_name(future), rmd_outcome_name(rmd_future_outcome(future)));
    rmd_future_free(future);
}

static void cancel_running(rmd_pool *pool, const char *name, rmd_task_fn *fn)
{
    must(rmd_event_clear(told), "told");
    rmd_future *future = start(pool, name, fn, 0);
    must(rmd_semaphore_acquire(begun, RMD_FOREVER), "begun");
    must(rmd_future_cancel(future), "cancel"); /* does not wait */
    must(rmd_event_set(told), "told");
    tell(future);
}

int main(void)
{
    rmd_pool *pool;
    must(rmd_event_open(&never), "event");
    must(rmd_event_open(&told), "event");
    must(rmd_semaphore_open(&begun, 0, NULL), "semaphore");
    must(rmd_pool_open(&pool, "threads:1", NULL, RMD_FOREVER), "open");

    rmd_future *limited = start(pool, "one with a limit", sleep_long, 50);
    rmd_future *queued = start(pool, "one that waited behind it", compute, 0);
    must(rmd_semaphore_acquire(begun, RMD_FOREVER), "begun");
    must(rmd_future_cancel(queued), "cancel");
    tell(queued);
    tell(limited);
    cancel_running(pool, "one that computes", compute);
    cancel_running(pool, "one that sleeps", sleep_long);
    cancel_running(pool, "one that does not listen", ignore);

    must(rmd_pool_drain(pool, RMD_FOREVER), "drain");
    must(rmd_pool_free(pool), "free");
    rmd_semaphore_free(begun);
    rmd_event_free(told);
    rmd_event_free(never);
    return 0;
}
