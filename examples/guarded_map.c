/* SPDX-License-Identifier: MIT */
/* Three threads fill a map. Each asks whether a key is there and adds it if not, which is right
 * only if nobody comes in between: the guard is held for both, and again inside of each. */
#include <remuda.h>
#include <stdio.h>
#include <string.h>

enum { KEYS = 1000, THREADS = 3 };

typedef struct map {
    int keys[KEYS * THREADS];
    int len;
} map;

static bool has(rmd_guard *guard, int key)
{
    bool found = false;
    RMD_WITH_GUARD (map *m, guard, RMD_FOREVER) {
        for (int i = 0; i < m->len && !found; i++)
            found = m->keys[i] == key;
    }
    return found;
}

static void add(rmd_guard *guard, int key)
{
    RMD_WITH_GUARD (map *m, guard, RMD_FOREVER) {
        m->keys[m->len++] = key;
    }
}

static bool add_if_missing(rmd_guard *guard, int key)
{
    RMD_WITH_GUARD (map *m, guard, RMD_FOREVER) {
        int before = m->len;
        if (!has(guard, key))
            add(guard, key);
        return m->len > before;
    }
    return false; /* told to stop */
}

typedef struct worker {
    rmd_thread *thread;
    rmd_guard *guard;
    int added;
} worker;

static void fill(void *arg)
{
    worker *w = arg;
    for (int key = 0; key < KEYS; key++)
        w->added += add_if_missing(w->guard, key);
}

int main(void)
{
    rmd_guard *guard;
    worker workers[THREADS];
    int added = 0;
    rmd_guard_options options = { .size = sizeof options, .name = "map", .reentrant = true };
    if (rmd_guard_open(&guard, sizeof(map), &options) < 0)
        return 1;
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){ .guard = guard };
        if (rmd_thread_start(&workers[i].thread, fill, &workers[i], NULL) < 0)
            return 1;
    }
    for (int i = 0; i < THREADS; i++) {
        if (rmd_thread_join(workers[i].thread, RMD_FOREVER) < 0)
            return 1;
        added += workers[i].added;
        rmd_thread_free(workers[i].thread);
    }
    RMD_WITH_GUARD (map *m, guard, RMD_FOREVER) {
        printf("%d keys, added by %d threads %d times\n", m->len, THREADS, added);
    }
    return rmd_guard_free(guard) < 0;
}
