/* SPDX-License-Identifier: MIT */
/* A map over tiny tasks; workers of processes are this program.
 *
 *   map order KIND TASKS    tasks/s, results in the order of the producer
 *   map ends KIND TASKS     tasks/s, results as they end
 *   map memory KIND TASKS   KiB by which the memory has grown since the first tenth
 */
#include "pinned.h"

#include <remuda.h>
#include <string.h>
#include <sys/resource.h>

typedef struct numbers {
    int64_t next, end, given, sum;
    int64_t begun_kib; /* at the end of the first tenth */
} numbers;

static int echo(rmd_call *call)
{
    int64_t n;
    int err = rmd_call_get(call, 0, &n);
    return err < 0 ? err : rmd_call_return(call, n);
}

static const rmd_function functions[] = { { .name = "echo", .fn = echo }, { 0 } };

static int next(void *ctx, rmd_map_task *task)
{
    numbers *n = ctx;
    return n->next == n->end ? 0 : rmd_map_call(task, "echo", RMD_ARGS(n->next++));
}

static int64_t peak_kib(void)
{
    struct rusage usage;
    MUST(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_maxrss;
}

static int sink(void *ctx, rmd_future *future, uint64_t index)
{
    numbers *n = ctx;
    int64_t value = 0;
    (void)index;
    int err = rmd_future_get(future, &value);
    n->sum += value;
    if (++n->given == n->end / 10)
        n->begun_kib = peak_kib();
    return err;
}

int main(int argc, char **argv)
{
    MUST(rmd_functions_add(functions) == 0);
    rmd_start(&argc, &argv);
    MUST(argc == 4);
    rmd_pool *pool = NULL;
    numbers n = { .end = atoll(argv[3]) };
    rmd_map_options options = { .size = sizeof options,
                                .next = next,
                                .sink = sink,
                                .ctx = &n,
                                .as_completed = strcmp(argv[1], "ends") == 0 };
    MUST(rmd_pool_open(&pool, argv[2], NULL, rmd_after_ms(10000)) == 0);
    int64_t begin = now_ns();
    MUST(rmd_map(pool, &options, RMD_FOREVER) == 0);
    double seconds = (double)(now_ns() - begin) / 1e9;
    MUST(n.given == n.end && n.sum == n.end * (n.end - 1) / 2);
    if (strcmp(argv[1], "memory") == 0)
        printf("%lld\n", (long long)(peak_kib() - n.begun_kib));
    else
        printf("%.0f\n", (double)n.end / seconds);
    MUST(rmd_pool_drain(pool, RMD_FOREVER) == 0 && rmd_pool_free(pool) == 0);
    return 0;
}
