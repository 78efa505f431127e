/* SPDX-License-Identifier: MIT */
/* What a task takes that waits in the queue of a pool of threads, in bytes:
 *   pool_memory size      the task with its future, as it is declared
 *   pool_memory plain     by how much the process grows per task, of a million without a future
 *   pool_memory handled   the same of a million with one, but for the array of the handles
 */
#include "exec/threads.h"
#include "pinned.h"

#include <remuda/event.h>
#include <remuda/pool.h>
#include <string.h>
#include <unistd.h>

enum { TASKS = 1000000 };

static rmd_event *let_go;
static rmd_future *futures[TASKS];

static int wait_for_event(void *arg)
{
    (void)arg;
    return rmd_event_wait(let_go, RMD_FOREVER);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static long resident_bytes(void)
{
    long all, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    MUST(file && fscanf(file, "%ld %ld", &all, &resident) == 2);
    fclose(file);
    return resident * sysconf(_SC_PAGESIZE);
}

static double bytes_per_task(bool handled)
{
    rmd_pool *pool;
    rmd_pool_options options = { .size = sizeof options, .queue_max = TASKS + 1 };
    MUST(rmd_event_open(&let_go) == 0);
    MUST(rmd_pool_open(&pool, "threads:1", &options, rmd_after_ms(5000)) == 0);
    MUST(rmd_submit(pool, NULL, wait_for_event, NULL, NULL) == 0);
    memset(futures, handled, sizeof futures); /* all of it is there */
    long before = resident_bytes();
    for (int i = 0; i < TASKS; i++)
        MUST(rmd_submit(pool, handled ? &futures[i] : NULL, nothing, NULL, NULL) == 0);
    double bytes = (double)(resident_bytes() - before) / TASKS;
    rmd_event_set(let_go);
    MUST(rmd_pool_drain(pool, RMD_FOREVER) == 0);
    for (int i = 0; handled && i < TASKS; i++)
        rmd_future_free(futures[i]);
    MUST(rmd_pool_free(pool) == 0);
    MUST(rmd_event_free(let_go) == 0);
    return bytes;
}

int main(int argc, char **argv)
{
    MUST(argc == 2);
    if (strcmp(argv[1], "size") == 0)
        printf("%zu\n", sizeof(rmdi_thread_task));
    else
        printf("%.1f\n", bytes_per_task(strcmp(argv[1], "handled") == 0));
    return 0;
}
