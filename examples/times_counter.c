/* SPDX-License-Identifier: MIT */
/* A counter whose method holds the lock and calls another method, which takes it, too. With a plain
 * lock it waits for itself, and with a reentrant one it counts. Compiled with -DRMD_DEBUG
 * (times_counter_debug) the plain lock is refused at once, with both places. */
#include <remuda.h>
#include <stdio.h>

typedef struct counter {
    rmd_lock *lock;
    int value; /* guarded by the lock */
} counter;

static int add(counter *c, int by)
{
    int err = rmd_lock_acquire(c->lock, rmd_after_ms(50));
    if (err < 0)
        return err;
    c->value += by;
    rmd_lock_release(c->lock);
    return 0;
}

static int add_times(counter *c, int times)
{
    int err = rmd_lock_acquire(c->lock, rmd_after_ms(50));
    if (err < 0)
        return err;
    for (int i = 0; i < times && err == 0; i++)
        err = add(c, 1); /* which acquires the lock again */
    rmd_lock_release(c->lock);
    return err;
}

static int count_to(int times, bool reentrant)
{
    counter c = { .value = 0 };
    rmd_lock_options options = { .size = sizeof options,
                                 .name = "counter",
                                 .reentrant = reentrant };
    if (rmd_lock_open(&c.lock, &options) < 0)
        return 1;
    int err = add_times(&c, times);
    printf("%s: %d\n", reentrant ? "reentrant" : "plain", c.value);
    if (err < 0)
        printf("    %s: %s\n", rmd_strerror(err), rmd_error_detail());
    return rmd_lock_free(c.lock) < 0;
}

int main(void)
{
    return count_to(3, false) + count_to(3, true);
}
