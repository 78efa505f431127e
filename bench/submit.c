/* SPDX-License-Identifier: MIT */
/* Empty tasks submitted by one thread outside to a pool of threads, its queue as it is by default:
 *   submit futures   a future each, of which the latest 1024 are kept, as by a program that wants
 *                    every result: before one more is submitted the oldest is waited for and freed
 *   submit kept      a future each, all kept until all have been submitted; then waited for and
 *                    freed, the oldest first
 *   submit batch N   N at a time, nobody has a future; waited for by their group
 *   submit one       one by one, nobody has a future; they count themselves down, as the peers' do
 *   submit hot       one with a future, waited for, again and again; who waits may run it himself
 *   submit parked    the same after a millisecond of nothing
 *   submit worker    the same, waited for with a deadline, so that a worker has to run it
 * Each prints what submit.h says. */
#include "submit.h"

#include <remuda.h>

enum { RING = 1024, BATCH_MAX = 1024 };

static rmd_pool *pool;
static countdown left;
static rmd_future *futures[TASKS];
static rmd_task batch[BATCH_MAX];
static size_t batch_len;

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int end_one(void *arg)
{
    countdown_end_one((countdown *)arg);
    return 0;
}

static void finish(rmd_future *future)
{
    MUST(rmd_future_wait(future, RMD_FOREVER) == 0);
    rmd_future_free(future);
}

static void submit_futures(long n)
{
    for (long i = 0; i < n; i++) {
        rmd_future **slot = &futures[i % RING];
        if (i >= RING)
            finish(*slot);
        MUST(rmd_submit(pool, slot, nothing, NULL, NULL) == 0);
    }
    for (long i = n - RING; i < n; i++)
        finish(futures[i % RING]);
}

static void submit_kept(long n)
{
    for (long i = 0; i < n; i++)
        MUST(rmd_submit(pool, &futures[i], nothing, NULL, NULL) == 0);
    for (long i = 0; i < n; i++)
        finish(futures[i]);
}

static void submit_batches(long n)
{
    rmd_group *group;
    MUST(rmd_group_open(&group) == 0);
    rmd_task_options options = { .size = sizeof options, .group = group };
    for (long i = 0; i < n; i += (long)batch_len) {
        size_t len = n - i < (long)batch_len ? (size_t)(n - i) : batch_len;
        MUST(rmd_submit_many(pool, NULL, batch, len, &options) == (int64_t)len);
    }
    MUST(rmd_group_wait(group, RMD_FOREVER) == 0);
    MUST(rmd_group_free(group) == 0);
}

static void submit_one_by_one(long n)
{
    countdown_begin(&left, n);
    for (long i = 0; i < n; i++)
        MUST(rmd_submit(pool, NULL, end_one, &left, NULL) == 0);
    countdown_wait(&left);
}

static void one(void)
{
    rmd_future *future;
    MUST(rmd_submit(pool, &future, nothing, NULL, NULL) == 0);
    finish(future);
}

static void one_by_a_worker(void)
{
    rmd_future *future;
    MUST(rmd_submit(pool, &future, nothing, NULL, NULL) == 0);
    MUST(rmd_future_wait(future, rmd_after_ms(10000)) == 0);
    rmd_future_free(future);
}

static void open_pool(void)
{
    char kind[32];
    snprintf(kind, sizeof kind, "threads:%d", WORKERS);
    MUST(rmd_pool_open(&pool, kind, NULL, rmd_after_ms(5000)) == 0);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    batch_len = argc > 2 ? (size_t)atol(argv[2]) : 1;
    MUST(batch_len > 0 && batch_len <= BATCH_MAX);
    for (size_t i = 0; i < batch_len; i++)
        batch[i].fn = nothing;
    open_pool();
    if (strcmp(name, "futures") == 0)
        print_rate(submit_futures);
    else if (strcmp(name, "kept") == 0)
        print_rate(submit_kept);
    else if (strcmp(name, "batch") == 0)
        print_rate(submit_batches);
    else if (strcmp(name, "one") == 0)
        print_rate(submit_one_by_one);
    else if (strcmp(name, "worker") == 0)
        print_case("parked", NULL, one_by_a_worker);
    else
        print_case(name, NULL, one);
    MUST(rmd_pool_drain(pool, RMD_FOREVER) == 0);
    MUST(rmd_pool_free(pool) == 0);
    return 0;
}
