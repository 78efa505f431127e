/* SPDX-License-Identifier: MIT */
/* Ten threads, three slots: never more than three are at work at once. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 10, SLOTS = 3, TIMES = 50 };

static rmd_semaphore *slots;
static rmd_lock *lock;
static int working, most, done; /* guarded by the lock */

static void must(int err)
{
    if (err < 0) {
        fprintf(stderr, "%s\n", rmd_error_detail());
        exit(1);
    }
}

static void count(int step)
{
    must(rmd_lock_acquire(lock, RMD_FOREVER));
    working += step;
    most = working > most ? working : most;
    done += step < 0;
    rmd_lock_release(lock);
}

static void work(void *arg)
{
    (void)arg;
    for (int i = 0; i < TIMES; i++) {
        if (rmd_semaphore_acquire(slots, RMD_FOREVER) < 0)
            return; /* told to stop */
        count(1);
        must(rmd_select(NULL, 0, rmd_after_ns(1000)) == RMD_ETIMEDOUT ? 0 : -1);
        count(-1);
        rmd_semaphore_release(slots, 1);
    }
}

int main(void)
{
    rmd_thread *threads[THREADS];
    rmd_semaphore_options options = { .size = sizeof options, .name = "slots", .count_max = SLOTS };
    must(rmd_lock_open(&lock, NULL));
    must(rmd_semaphore_open(&slots, SLOTS, &options));
    for (int i = 0; i < THREADS; i++)
        must(rmd_thread_start(&threads[i], work, NULL, NULL));
    for (int i = 0; i < THREADS; i++) {
        must(rmd_thread_join(threads[i], RMD_FOREVER));
        rmd_thread_free(threads[i]);
    }
    printf("%d threads worked %d times, %s more than %d at once\n", THREADS, done,
           most <= SLOTS ? "never" : "once", SLOTS);

    must(rmd_semaphore_acquire_many(slots, SLOTS, RMD_FOREVER)); /* all: nobody works */
    if (rmd_semaphore_acquire(slots, rmd_after_ms(10)) == RMD_ETIMEDOUT)
        puts("no slot is free");
    must(rmd_semaphore_release(slots, SLOTS));
    if (rmd_semaphore_release(slots, 1) == RMD_EFULL)
        puts(rmd_error_detail());
    rmd_semaphore_free(slots);
    rmd_lock_free(lock);
    return 0;
}
