/* SPDX-License-Identifier: MIT */
/* Foreign functions: a worker in Python (WORKER: foreign_worker.py), and a program for each call.
 *
 *   foreign many TASKS KIND WORKER     tasks/s of workers on a pool of that kind, in one group
 *   foreign trip TIMES KIND WORKER     a round trip, in us, one after the other
 *   foreign program TASKS KIND WORKER  tasks/s of `true`, run for each
 */
#include "pinned.h"

#include <remuda.h>
#include <string.h>

static void add_functions(const char *worker)
{
    const char *python[] = { "python3", worker, NULL };
    static const char *const program[] = { "true", NULL };
    const rmd_foreign foreign[] = {
        { .size = sizeof *foreign, .name = "many", .argv = python, .worker = true },
        { .size = sizeof *foreign, .name = "program", .argv = program },
    };
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        MUST(rmd_foreign_add(&foreign[i]) == 0);
}

static void run_many(rmd_pool *pool, const char *function, int tasks)
{
    rmd_group *group;
    rmd_census census;
    MUST(rmd_group_open(&group) == 0);
    rmd_task_options options = { .size = sizeof options, .group = group };
    for (int i = 0; i < tasks; i++)
        MUST(rmd_pool_call(pool, NULL, function, RMD_ARGS("hello"), &options) == 0);
    MUST(rmd_group_wait(group, RMD_FOREVER) == 0);
    rmd_group_census(group, &census);
    MUST(census.ok == (uint64_t)tasks);
    MUST(rmd_group_free(group) == 0);
}

static void many(rmd_pool *pool, const char *function, int tasks)
{
    run_many(pool, function, 100); /* the workers have started */
    int64_t begin = now_ns();
    run_many(pool, function, tasks);
    printf("%.0f\n", tasks / ((double)(now_ns() - begin) / 1e9));
}

static void one_trip(rmd_pool *pool)
{
    rmd_future *future;
    rmd_bytes back;
    MUST(rmd_pool_call(pool, &future, "many", RMD_ARGS("hello"), NULL) == 0);
    MUST(rmd_future_wait(future, rmd_after_ms(60000)) == 0); /* by the pool's worker, not by us */
    MUST(rmd_future_get(future, &back) == 0 && back.len == 5);
    rmd_future_free(future);
}

static void trip(rmd_pool *pool, int times)
{
    for (int i = 0; i < 20; i++)
        one_trip(pool);
    int64_t begin = now_ns();
    for (int i = 0; i < times; i++)
        one_trip(pool);
    printf("%.3f\n", (double)(now_ns() - begin) / times / 1000);
}

int main(int argc, char **argv)
{
    rmd_pool *pool;
    rmd_start(&argc, &argv);
    MUST(argc == 5);
    add_functions(argv[4]);
    MUST(rmd_pool_open(&pool, argv[3], NULL, rmd_after_ms(10000)) == 0);
    if (strcmp(argv[1], "trip") == 0)
        trip(pool, atoi(argv[2]));
    else
        many(pool, argv[1], atoi(argv[2]));
    MUST(rmd_pool_drain(pool, RMD_FOREVER) == 0 && rmd_pool_free(pool) == 0);
    return 0;
}
