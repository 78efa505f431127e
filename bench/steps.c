/* SPDX-License-Identifier: MIT */
/* How many steps the explorer makes in a second: steps ROUNDS. Three threads take a lock in turn,
 * twice each; every strategy and memory model in turn. One line per round. */
#include "pinned.h"

#include <remuda/atomics.h>
#include <remuda/explore.h>
#include <remuda/lock.h>

enum { THREADS = 3, SCHEDULES = 2000 };

typedef struct ledger {
    rmd_lock *lock;
    int entries; /* guarded by the lock */
} ledger;

static void write_entries(void *arg)
{
    ledger *l = arg;
    for (int i = 0; i < 2; i++) {
        RMD_ASSERT(rmd_lock_acquire(l->lock, RMD_FOREVER) == 0);
        int entries = RMD_PLAIN(l->entries);
        RMD_PLAIN_SET(l->entries, entries + 1);
        RMD_ASSERT(rmd_lock_release(l->lock) == 0);
    }
}

static void body(void *arg)
{
    (void)arg;
    ledger l = { .entries = 0 };
    rmd_explore_thread *threads[THREADS];
    RMD_ASSERT(rmd_lock_open(&l.lock, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        threads[i] = rmd_explore_start(write_entries, &l, "clerk");
    for (int i = 0; i < THREADS; i++)
        rmd_explore_join(threads[i]);
    RMD_ASSERT(l.entries == 2 * THREADS);
    RMD_ASSERT(rmd_lock_free(l.lock) == 0);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 15;
    for (int i = 0; i < rounds; i++) {
        rmd_explore_result result;
        rmd_explore_options options = { .size = sizeof options,
                                        .schedules = SCHEDULES,
                                        .seed = (uint64_t)i + 1,
                                        .result = &result };
        int64_t begin = now_ns();
        MUST(rmd_explore(body, NULL, &options) == 0);
        printf("%.0f\n", (double)result.steps / ((double)(now_ns() - begin) / 1e9));
    }
    return 0;
}
