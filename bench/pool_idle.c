/* SPDX-License-Identifier: MIT */
/* What a pool costs that has nothing to do: pool_idle WORKERS SECONDS. A pool that has worked is
 * left alone for so long; prints the processor time that the process has used meanwhile, in us, and
 * how often it was switched to. (One of these is the thread that measures.) */
#include "pinned.h"

#include <remuda.h>
#include <string.h>

enum { TASKS = 100000 };

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void work(rmd_pool *pool)
{
    rmd_group *group;
    MUST(rmd_group_open(&group) == 0);
    rmd_task_options options = { .size = sizeof options, .group = group };
    for (int i = 0; i < TASKS; i++)
        MUST(rmd_submit(pool, NULL, nothing, NULL, &options) == 0);
    MUST(rmd_group_wait(group, RMD_FOREVER) == 0);
    MUST(rmd_group_free(group) == 0);
}

static int64_t used_us(const struct rusage *usage)
{
    return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000 + usage->ru_utime.tv_usec +
           usage->ru_stime.tv_usec;
}

static long switches(const struct rusage *usage)
{
    return usage->ru_nvcsw + usage->ru_nivcsw;
}

int main(int argc, char **argv)
{
    rmd_pool *pool;
    struct rusage before, after;
    char kind[32];
    MUST(argc == 3);
    snprintf(kind, sizeof kind, "threads:%d", atoi(argv[1]));
    MUST(rmd_pool_open(&pool, kind, NULL, rmd_after_ms(5000)) == 0);
    work(pool);
    nap_us(200 * 1000); /* all have gone to sleep */
    getrusage(RUSAGE_SELF, &before);
    nap_us(atol(argv[2]) * 1000000);
    getrusage(RUSAGE_SELF, &after);
    printf("%lld %ld\n", (long long)(used_us(&after) - used_us(&before)),
           switches(&after) - switches(&before));
    MUST(rmd_pool_drain(pool, RMD_FOREVER) == 0);
    MUST(rmd_pool_free(pool) == 0);
    return 0;
}
