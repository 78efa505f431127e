/* SPDX-License-Identifier: MIT */
/* Three threads add to a counter, without a lock and with one: counter_race [TOKEN] */
#include <remuda.h>
#include <remuda/atomics.h>
#include <remuda/explore.h>

typedef struct counter {
    rmd_lock *lock; /* NULL: forgotten */
    int value;
} counter;

static void add_one(void *arg)
{
    counter *c = arg;
    if (c->lock)
        RMD_ASSERT(rmd_lock_acquire(c->lock, RMD_FOREVER) == 0);
    RMD_PLAIN_SET(c->value, RMD_PLAIN(c->value) + 1);
    if (c->lock)
        rmd_lock_release(c->lock);
}

/* One schedule, from its beginning to its end. */
static void body(void *arg)
{
    bool locked = *(bool *)arg;
    counter c = { 0 };
    rmd_thread *threads[3];
    if (locked)
        RMD_ASSERT(rmd_lock_open(&c.lock, NULL) == 0);
    for (int i = 0; i < 3; i++) {
        const char *names[] = { "adder 1", "adder 2", "adder 3" };
        rmd_thread_options options = { .size = sizeof options, .name = names[i] };
        RMD_ASSERT(rmd_thread_start(&threads[i], add_one, &c, &options) == 0);
    }
    for (int i = 0; i < 3; i++) {
        RMD_ASSERT(rmd_thread_join(threads[i], RMD_FOREVER) == 0);
        RMD_ASSERT(rmd_thread_free(threads[i]) == 0);
    }
    RMD_ASSERT(RMD_PLAIN(c.value) == 3);
    RMD_ASSERT(rmd_lock_free(c.lock) == 0);
}

int main(int argc, char **argv)
{
    bool locked = false;
    rmd_explore_options options = { .size = sizeof options,
                                    .name = "counter",
                                    .schedules = 2000,
                                    .command = "./counter_race",
                                    .report = stdout,
                                    .replay = argc > 1 ? argv[1] : NULL };
    int found = rmd_explore(body, &locked, &options);
    if (options.replay)
        return found;
    printf("without the lock: %d found\n", found);
    locked = true;
    printf("with the lock: %d found\n", rmd_explore(body, &locked, &options));
    return 0;
}
