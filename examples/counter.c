/* SPDX-License-Identifier: MIT */
/* Two threads count up and down at the same time. Without the lock the end would be anywhere. */
#include <remuda.h>
#include <stdio.h>

enum { TIMES = 100000 };

static rmd_lock *lock;
static int counter; /* guarded by the lock */

static void count(void *arg)
{
    int step = *(int *)arg;
    for (int i = 0; i < TIMES; i++) {
        if (rmd_lock_acquire(lock, RMD_FOREVER) < 0)
            return; /* told to stop */
        counter += step;
        rmd_lock_release(lock);
    }
}

int main(void)
{
    int steps[] = { 1, -1 };
    rmd_thread *threads[2];
    if (rmd_lock_open(&lock, NULL) < 0)
        return 1;
    for (int i = 0; i < 2; i++)
        if (rmd_thread_start(&threads[i], count, &steps[i], NULL) < 0)
            return 1;
    for (int i = 0; i < 2; i++) {
        if (rmd_thread_join(threads[i], RMD_FOREVER) < 0)
            return 1;
        rmd_thread_free(threads[i]);
    }
    rmd_lock_free(lock);
    printf("%d times up and down: %d\n", TIMES, counter);
    return 0;
}
