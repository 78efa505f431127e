/* SPDX-License-Identifier: MIT */
#include "port/thread_end.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum { FUNCTIONS_MAX = 2 }; /* as many as the library has */

/* A key for each function; the value of a key is its entry here. */
typedef struct entry {
    void (*fn)(void);
    unsigned key_plus_one;
} entry;

static entry entries[FUNCTIONS_MAX];

static void run(void *value)
{
    const entry *e = value;
    __atomic_load_n(&e->fn, __ATOMIC_RELAXED)();
}

/* Its entry, made if there is none; NULL: there are too many. Relaxed: an address of the program,
 * which publishes nothing. */
static entry *entry_of(void (*fn)(void))
{
    for (entry *e = entries; e < entries + FUNCTIONS_MAX; e++) {
        void (*there)(void) = NULL;
        if (__atomic_compare_exchange_n(&e->fn, &there, fn, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED) ||
            there == fn)
            return e;
    }
    return NULL;
}

/* No lock: a child made by fork() would find it held for ever if another thread were in here at
 * that moment. Of two keys made at once one is given back. */
static int get_key(entry *e, pthread_key_t *key)
{
    unsigned there = __atomic_load_n(&e->key_plus_one, __ATOMIC_ACQUIRE);
    if (!there) {
        int err = pthread_key_create(key, run);
        if (err)
            return err;
        /* Release, and acquire of another one's: who sees the number sees the key. */
        if (__atomic_compare_exchange_n(&e->key_plus_one, &there, *key + 1, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            return 0;
        pthread_key_delete(*key);
    }
    *key = there - 1;
    return 0;
}

int rmdi_thread_end_call(void (*fn)(void))
{
    pthread_key_t key;
    entry *e = entry_of(fn);
    int err = e ? get_key(e, &key) : EAGAIN;
    return err ? err : pthread_setspecific(key, e);
}
