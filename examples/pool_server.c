/* SPDX-License-Identifier: MIT */
/* A server whose requests are handled by a pool. However fast they come, two threads work, and 4
 * requests wait; who brings the next one waits himself. It ends by being closed: nobody puts
 * requests that mean "the end", one for each worker. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

enum { REQUESTS = 12 };

typedef struct request {
    int number, answer;
} request;

static rmd_event *open_for_business;
static rmd_semaphore *begun; /* a permit for each request that a worker has */

static void must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

static int handle(void *arg)
{
    request *r = arg;
    rmd_semaphore_release(begun, 1);
    int err = rmd_event_wait(open_for_business, RMD_FOREVER);
    if (err < 0)
        return err; /* told to stop */
    if (r->number % 5 == 0)
        return rmd_fail(RMD_EINVAL, "request %d is not understood", r->number);
    r->answer = r->number * r->number;
    return 0;
}

static rmd_future *submit(rmd_pool *pool, request *r, int64_t full_ms)
{
    rmd_future *future = NULL;
    rmd_task_options options = { .size = sizeof options, .name = "request", .full_ms = full_ms };
    int err = rmd_submit(pool, &future, handle, r, &options);
    if (err == RMD_EFULL || err == RMD_ECLOSED)
        return NULL; /* not taken */
    must(err, "submit");
    return future;
}

static void tell(rmd_future *future, const request *r)
{
    must(rmd_future_wait(future, RMD_FOREVER), "wait");
    if (rmd_future_error(future) < 0)
        printf("request %d: %s\n", r->number, rmd_error_detail());
    else
        printf("request %d: %d\n", r->number, r->answer);
    rmd_future_free(future);
}

int main(void)
{
    static request requests[REQUESTS];
    rmd_future *futures[REQUESTS];
    rmd_pool *pool;
    rmd_pool_options options = { .size = sizeof options, .name = "server", .queue_max = 4 };
    must(rmd_event_open(&open_for_business), "event");
    must(rmd_semaphore_open(&begun, 0, NULL), "semaphore");
    must(rmd_pool_open(&pool, "threads:2", &options, RMD_FOREVER), "open");

    int taken = 0;
    for (int i = 0; i < REQUESTS; i++)
        requests[i].number = i + 1;
    /* Nobody is served yet: the first two go to the workers, and the others wait. */
    for (; taken < 6; taken++)
        futures[taken] = submit(pool, &requests[taken], 0);
    must(rmd_semaphore_acquire_many(begun, 2, RMD_FOREVER), "begun");
    printf("%d taken; the next one is %s\n", taken,
           submit(pool, &requests[taken], -1) ? "taken, too" : "told that it is full");

    must(rmd_event_set(open_for_business), "event");
    for (; taken < REQUESTS; taken++)
        futures[taken] = submit(pool, &requests[taken], 0); /* waits for room */
    must(rmd_pool_close(pool), "close");
    printf("closed: one more is %s\n", submit(pool, &requests[0], 0) ? "taken" : "not taken");
    for (int i = 0; i < REQUESTS; i++)
        tell(futures[i], &requests[i]);
    must(rmd_pool_drain(pool, RMD_FOREVER), "drain");
    must(rmd_pool_free(pool), "free");
    must(rmd_semaphore_free(begun), "semaphore");
    must(rmd_event_free(open_for_business), "event");
    return 0;
}
