/* SPDX-License-Identifier: MIT */
/* Heat along a rod, by three threads: each step needs the whole rod as the step before has left it,
 * so nobody begins a step before all have ended the last one. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 3, EACH = 4, CELLS = THREADS * EACH, STEPS = 60 };

static rmd_barrier *barrier;
static double rods[2][CELLS + 2]; /* read from one, written to the other; with both ends */
static int steps;                 /* by the last to arrive */

static void must(int err)
{
    if (err < 0) {
        fprintf(stderr, "%s\n", rmd_error_detail());
        exit(1);
    }
}

static void compute(const double *from, double *to, int first)
{
    for (int i = first; i < first + EACH; i++)
        to[i] = (from[i - 1] + from[i + 1]) / 2;
}

static void work(void *arg)
{
    int first = *(int *)arg;
    for (int step = 0; step < STEPS; step++) {
        compute(rods[step % 2], rods[(step + 1) % 2], first);
        int err = rmd_barrier_wait(barrier, RMD_FOREVER);
        if (err < 0)
            return; /* told to stop, or the barrier was closed */
        if (err == RMD_BARRIER_LAST)
            steps++;
    }
}

int main(void)
{
    rmd_thread *threads[THREADS];
    int first[THREADS];
    rods[0][0] = rods[1][0] = 100;
    must(rmd_barrier_open(&barrier, THREADS));
    for (int i = 0; i < THREADS; i++) {
        first[i] = 1 + i * EACH;
        must(rmd_thread_start(&threads[i], work, &first[i], NULL));
    }
    for (int i = 0; i < THREADS; i++) {
        must(rmd_thread_join(threads[i], RMD_FOREVER));
        rmd_thread_free(threads[i]);
    }
    printf("after %d steps:", steps);
    for (int i = 0; i < CELLS + 2; i++)
        printf(" %.0f", rods[STEPS % 2][i]);
    putchar('\n');

    if (rmd_barrier_wait(barrier, rmd_after_ms(10)) == RMD_ETIMEDOUT)
        puts("one of three alone waits in vain");
    rmd_barrier_close(barrier);
    if (rmd_barrier_wait(barrier, RMD_FOREVER) == RMD_ECLOSED)
        puts("closed: nobody waits any more");
    rmd_barrier_free(barrier);
    return 0;
}
