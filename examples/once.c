/* SPDX-License-Identifier: MIT */
/* A table that the first who needs it makes, for ten threads that all need it. The first attempt
 * fails, so somebody makes another one. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 10, NUMBERS = 100 };

static int attempts;
static int squares[NUMBERS];

static int make_squares(void *arg)
{
    (void)arg;
    if (++attempts == 1) /* never two at once: no lock */
        return RMD_EIO;
    for (int i = 0; i < NUMBERS; i++)
        squares[i] = i * i;
    return 0;
}

static rmd_once once = RMD_ONCE;

static int square_of(int n, int *square)
{
    int err = rmd_once_call(&once, make_squares, NULL, RMD_FOREVER);
    if (err == 0)
        *square = squares[n]; /* what make_squares wrote is seen */
    return err;
}

static void ask(void *arg)
{
    int *n = arg, square = 0;
    int err = square_of(*n, &square);
    *n = err < 0 ? err : square;
}

static void must(int err)
{
    if (err < 0) {
        fprintf(stderr, "%s\n", rmd_error_detail());
        exit(1);
    }
}

int main(void)
{
    rmd_thread *threads[THREADS];
    int numbers[THREADS], failed = 0, sum = 0;
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        must(rmd_thread_start(&threads[i], ask, &numbers[i], NULL));
    }
    for (int i = 0; i < THREADS; i++) {
        must(rmd_thread_join(threads[i], RMD_FOREVER));
        rmd_thread_free(threads[i]);
        failed += numbers[i] == RMD_EIO;
    }
    for (int i = 0; i < THREADS; i++) {
        must(square_of(i, &numbers[i]));
        sum += numbers[i];
    }
    printf("%d threads, %d attempts, %d failed; 0 to 9 squared: %d\n", THREADS, attempts, failed,
           sum);
    return 0;
}
