/* SPDX-License-Identifier: MIT */
#include "port/thread_end.h"

#include <pthread.h>
#include <stdbool.h>

static void (*at_end)(void); /* the value of the key, by its address */

static void run(void *value)
{
    (void)value;
    __atomic_load_n(&at_end, __ATOMIC_RELAXED)();
}

/* No lock: a child made by fork() would find it held for ever if another thread were in here at
 * that moment. Of two keys made at once one is given back. */
static int get_key(pthread_key_t *key)
{
    static unsigned key_plus_one;
    unsigned there = __atomic_load_n(&key_plus_one, __ATOMIC_ACQUIRE);
    if (!there) {
        int err = pthread_key_create(key, run);
        if (err)
            return err;
        /* Release, and acquire of another one's: who sees the number sees the key. */
        if (__atomic_compare_exchange_n(&key_plus_one, &there, *key + 1, false, __ATOMIC_ACQ_REL,
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
    /* Relaxed: it is the thread itself that calls it, and all write the same. */
    __atomic_store_n(&at_end, fn, __ATOMIC_RELAXED);
    int err = get_key(&key);
    return err ? err : pthread_setspecific(key, &at_end);
}
