/* SPDX-License-Identifier: MIT */
/* Money moved between accounts, with the locks of both held: first the payer's, which can deadlock;
 * then always the one with the smaller number. two_locks [TOKEN] */
#include <remuda.h>
#include <remuda/atomics.h>
#include <remuda/explore.h>

enum { ACCOUNTS = 3 };

typedef struct account {
    rmd_lock *lock;
    int money; /* guarded by the lock */
} account;

typedef struct transfer {
    account *from, *to;
    bool ordered;
} transfer;

static void move(void *arg)
{
    transfer *t = arg;
    bool swap = t->ordered && t->to < t->from;
    account *first = swap ? t->to : t->from, *second = swap ? t->from : t->to;
    RMD_ASSERT(rmd_lock_acquire(first->lock, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_lock_acquire(second->lock, RMD_FOREVER) == 0);
    RMD_PLAIN_SET(t->from->money, RMD_PLAIN(t->from->money) - 1);
    RMD_PLAIN_SET(t->to->money, RMD_PLAIN(t->to->money) + 1);
    rmd_lock_release(second->lock);
    rmd_lock_release(first->lock);
}

/* Each pays the next one, and the last the first. */
static void body(void *arg)
{
    static const char *const names[] = { "payer 1", "payer 2", "payer 3" };
    account accounts[ACCOUNTS] = { 0 };
    transfer transfers[ACCOUNTS];
    rmd_thread *threads[ACCOUNTS];
    for (int i = 0; i < ACCOUNTS; i++)
        RMD_ASSERT(rmd_lock_open(&accounts[i].lock, NULL) == 0);
    for (int i = 0; i < ACCOUNTS; i++) {
        rmd_thread_options options = { .size = sizeof options, .name = names[i] };
        transfers[i] = (transfer){ &accounts[i], &accounts[(i + 1) % ACCOUNTS], *(bool *)arg };
        RMD_ASSERT(rmd_thread_start(&threads[i], move, &transfers[i], &options) == 0);
    }
    for (int i = 0; i < ACCOUNTS; i++) {
        RMD_ASSERT(rmd_thread_join(threads[i], RMD_FOREVER) == 0);
        RMD_ASSERT(rmd_thread_free(threads[i]) == 0);
    }
    for (int i = 0; i < ACCOUNTS; i++) {
        RMD_ASSERT(accounts[i].money == 0);
        RMD_ASSERT(rmd_lock_free(accounts[i].lock) == 0);
    }
}

int main(int argc, char **argv)
{
    bool ordered = false;
    rmd_explore_options options = { .size = sizeof options,
                                    .name = "accounts",
                                    .command = "./two_locks",
                                    .report = stdout,
                                    .replay = argc > 1 ? argv[1] : NULL };
    int found = rmd_explore(body, &ordered, &options);
    if (options.replay)
        return found;
    printf("in any order: %d found\n", found);
    ordered = true;
    printf("in one order: %d found\n", rmd_explore(body, &ordered, &options));
    return 0;
}
