/* SPDX-License-Identifier: MIT */
/* Two threads count up and down at the same time. `counter += step` is a read and a write, and what
 * another thread writes between the two is lost; here that is written out, with atomic operations,
 * since with plain ones it would not even be defined. The lock keeps the two together.
 * (examples/explore/counter_race.c has the explorer find it.) */
#include <remuda.h>
#include <remuda/atomics.h>
#include <stdio.h>

enum { TIMES = 100000 };

typedef struct counter {
    rmd_lock *lock;
    int value;            /* guarded by the lock */
    rmd_atomic(int) racy; /* by nothing */
} counter;

typedef struct worker {
    counter *counter;
    int step;
    rmd_thread *thread;
} worker;

static void count_with_the_race(counter *c, int step)
{
    int seen = rmd_atomic_load(&c->racy, RMD_RELAXED);
    rmd_atomic_store(&c->racy, seen + step, RMD_RELAXED); /* and what others stored is lost */
}

static void count(void *arg)
{
    worker *w = arg;
    for (int i = 0; i < TIMES; i++) {
        RMD_WITH_LOCK (w->counter->lock, RMD_FOREVER) {
            w->counter->value += w->step;
        } else {
            return; /* told to stop */
        }
        count_with_the_race(w->counter, w->step);
    }
}

int main(void)
{
    counter c = { .value = 0 };
    worker workers[] = { { .counter = &c, .step = 1 }, { .counter = &c, .step = -1 } };
    if (rmd_lock_open(&c.lock, NULL) < 0)
        return 1;
    for (int i = 0; i < 2; i++)
        if (rmd_thread_start(&workers[i].thread, count, &workers[i], NULL) < 0)
            return 1;
    for (int i = 0; i < 2; i++) {
        if (rmd_thread_join(workers[i].thread, RMD_FOREVER) < 0)
            return 1;
        rmd_thread_free(workers[i].thread);
    }
    int racy = rmd_atomic_load(&c.racy, RMD_RELAXED);
    printf("with the lock, %d times up and down: %d\n", TIMES, c.value);
    printf("without: somewhere from %d to %d%s\n", -TIMES, TIMES,
           racy < -TIMES || racy > TIMES ? ", but it is not" : "");
    return rmd_lock_free(c.lock) < 0;
}
