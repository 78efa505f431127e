/* SPDX-License-Identifier: MIT */
/* A stack for several threads: pop waits while it is empty, push while it is full. Two conditions
 * on one lock, so that whoever pops wakes one that pushes, and never one that pops. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROOM = 3, POPPERS = 4, ITEMS = 1000 };

static rmd_lock *lock;
static rmd_condition *not_empty, *not_full;
static int items[ROOM], len, most; /* guarded by the lock, as is: */
static bool closed;

static void must(int err)
{
    if (err < 0) {
        fprintf(stderr, "%s\n", rmd_error_detail());
        exit(1);
    }
}

static int push(int item, rmd_deadline deadline)
{
    int err = rmd_lock_acquire(lock, deadline);
    if (err < 0)
        return err;
    while (err == 0 && len == ROOM)
        err = rmd_condition_wait(not_full, deadline);
    if (err == 0) {
        items[len++] = item;
        most = len > most ? len : most;
        rmd_condition_notify_one(not_empty);
    }
    rmd_lock_release(lock); /* held again after a wait, whatever came of it */
    return err;
}

/* RMD_ECLOSED: nothing is left, and nothing will come. */
static int pop(int *item, rmd_deadline deadline)
{
    int err = rmd_lock_acquire(lock, deadline);
    if (err < 0)
        return err;
    while (err == 0 && len == 0)
        err = closed ? RMD_ECLOSED : rmd_condition_wait(not_empty, deadline);
    if (err == 0) {
        *item = items[--len];
        rmd_condition_notify_one(not_full);
    }
    rmd_lock_release(lock);
    return err;
}

static void pop_all(void *sum)
{
    for (int item; pop(&item, RMD_FOREVER) == 0;)
        *(long *)sum += item;
}

int main(void)
{
    rmd_thread *threads[POPPERS];
    long sums[POPPERS] = { 0 }, sum = 0;
    must(rmd_lock_open(&lock, NULL));
    must(rmd_condition_open(&not_empty, lock));
    must(rmd_condition_open(&not_full, lock));
    for (int i = 1; i <= ROOM; i++)
        must(push(i, RMD_FOREVER));
    if (push(ROOM + 1, rmd_after_ms(10)) == RMD_ETIMEDOUT)
        puts("full: a push waits until its deadline");
    for (int i = 0; i < POPPERS; i++)
        must(rmd_thread_start(&threads[i], pop_all, &sums[i], NULL));
    for (int i = ROOM + 1; i <= ITEMS; i++)
        must(push(i, RMD_FOREVER));
    must(rmd_lock_acquire(lock, RMD_FOREVER));
    closed = true;
    rmd_lock_release(lock);
    rmd_condition_notify_all(not_empty);
    for (int i = 0; i < POPPERS; i++) {
        must(rmd_thread_join(threads[i], RMD_FOREVER));
        rmd_thread_free(threads[i]);
        sum += sums[i];
    }
    printf("1 to %d, popped by %d threads: %ld; never more than %d at once\n", ITEMS, POPPERS, sum,
           most);
    rmd_condition_free(not_full);
    rmd_condition_free(not_empty);
    rmd_lock_free(lock);
    return 0;
}
