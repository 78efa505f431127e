/* SPDX-License-Identifier: MIT */
/* The prime farm: random integers are tested by the workers of a pool. It measures how the time
 * depends on how many workers there are, and on how many integers; submitted one by one, each
 * waited for before the next (synchronous), or all at once (asynchronous).
 *
 *     example-primes TABLE SVG [INTEGERS [threads|processes]]
 *
 * Nothing is printed while the time is measured. */
#include "chart.h"
#include "farm.h"

#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROWS = 4, INTEGERS_DEFAULT = 2000 };

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* A pool whose workers are set up runs tasks on these only, and not on the thread that waits. */
static int set_up(void *arg)
{
    (void)arg;
    return 0;
}

static const char *workers_are = "threads";

static void measure(FILE *table, panel *p, int workers, int count)
{
    char kind[32];
    int primes[2];
    rmd_pool *pool;
    rmd_pool_options options = { .size = sizeof options,
                                 .queue_max = INTEGERS_MAX,
                                 .start = *workers_are == 't' ? set_up : NULL };
    snprintf(kind, sizeof kind, "%s:%d", workers_are, workers);
    must(rmd_pool_open(&pool, kind, &options, RMD_FOREVER), "open");
    for (int way = 0; way < 2; way++) {
        double before = now_ms();
        primes[way] = count_primes(pool, count, way);
        p->ms[way][p->points] = now_ms() - before;
    }
    must(rmd_pool_drain(pool, RMD_FOREVER), "drain");
    must(rmd_pool_free(pool), "free");
    must(primes[0] == primes[1] ? 0 : RMD_EIO, "both ways find the same primes");
    fprintf(table, "%7d %8d %6d %14.3f %15.3f\n", workers, count, primes[0], p->ms[0][p->points],
            p->ms[1][p->points]);
    p->points++;
}

int main(int argc, char **argv)
{
    open_farm();
    rmd_start(&argc, &argv); /* worker processes go to work here */
    int count = argc > 3 ? atoi(argv[3]) : INTEGERS_DEFAULT;
    FILE *table = argc > 2 ? fopen(argv[1], "w") : NULL;
    workers_are = argc > 4 ? argv[4] : workers_are;
    if (!table || count < 8 || count > INTEGERS_MAX) {
        fprintf(stderr, "usage: %s TABLE SVG [INTEGERS [threads|processes]], from 8 to %d\n",
                argv[0], INTEGERS_MAX);
        return 2;
    }
    panel panels[2] = { { .title = "Time against workers", .x_title = "workers" },
                        { .title = "Time against integers", .x_title = "integers" } };
    fprintf(table, "workers integers primes synchronous_ms asynchronous_ms\n");
    for (int i = 0; i < ROWS; i++) {
        panels[0].x[i] = 1 << i;
        measure(table, &panels[0], 1 << i, count);
    }
    for (int i = 0; i < ROWS; i++) {
        panels[1].x[i] = count >> (ROWS - 1 - i);
        measure(table, &panels[1], 2, count >> (ROWS - 1 - i));
    }
    if (fclose(table) != 0 || write_chart(argv[2], panels) < 0) {
        fprintf(stderr, "%s: a result cannot be written\n", argv[0]);
        return 1;
    }
    printf("%d integers, %d measurements\n", count, 2 * 2 * ROWS);
    return 0;
}
