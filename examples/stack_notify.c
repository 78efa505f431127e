/* SPDX-License-Identifier: MIT */
/* A stack with four threads asleep in pop. One notification for each push wakes as many as there
 * are items; after a batch, notify_all wakes everybody, and who finds nothing goes to sleep again.
 * No item is left and nobody is left asleep. */
#include <remuda.h>
#include <stdio.h>

enum { POPPERS = 4, ITEMS = 1000, BATCH = 10 };

static rmd_lock *lock;
static rmd_condition *not_empty; /* of the lock */
static int items[ITEMS], len;    /* guarded by the lock, as what follows */
static bool closed;
static long popped, sum;

static void push_one_by_one(void)
{
    for (int i = 1; i <= ITEMS; i++) {
        RMD_WITH_LOCK (lock, RMD_FOREVER) {
            items[len++] = i;
        }
        rmd_condition_notify_one(not_empty);
    }
}

static void push_batches(void)
{
    for (int i = 1; i <= ITEMS; i += BATCH) {
        RMD_WITH_LOCK (lock, RMD_FOREVER) {
            for (int n = 0; n < BATCH; n++)
                items[len++] = i + n;
        }
        rmd_condition_notify_all(not_empty);
    }
}

static void pop_all(void *arg)
{
    (void)arg;
    RMD_WITH_LOCK (lock, RMD_FOREVER) {
        for (;;) {
            while (len == 0 && !closed)
                if (rmd_condition_wait(not_empty, RMD_FOREVER) < 0)
                    return; /* told to stop; the lock is released on the way out */
            if (len == 0)
                break;
            sum += items[--len];
            popped++;
        }
    }
}

static int run(void (*push)(void), const char *how)
{
    rmd_thread *threads[POPPERS];
    closed = false;
    popped = sum = 0;
    for (int i = 0; i < POPPERS; i++)
        if (rmd_thread_start(&threads[i], pop_all, NULL, NULL) < 0)
            return 1;
    push();
    RMD_WITH_LOCK (lock, RMD_FOREVER) {
        closed = true;
    }
    rmd_condition_notify_all(not_empty);
    for (int i = 0; i < POPPERS; i++) {
        if (rmd_thread_join(threads[i], RMD_FOREVER) < 0)
            return 1;
        rmd_thread_free(threads[i]);
    }
    printf("%s: %ld popped, sum %ld, %d left\n", how, popped, sum, len);
    return 0;
}

int main(void)
{
    if (rmd_lock_open(&lock, NULL) < 0 || rmd_condition_open(&not_empty, lock) < 0)
        return 1;
    int err = run(push_one_by_one, "notify_one") || run(push_batches, "notify_all");
    rmd_condition_free(not_empty);
    rmd_lock_free(lock);
    return err;
}
