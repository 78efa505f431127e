/* SPDX-License-Identifier: MIT */
#include "port/hooks.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

int rmdi_hooks_set(void (*at_exit)(void), void (*in_child)(void))
{
    /* No lock: a child made by fork() would find it held for ever if another thread were in here at
     * that moment. Relaxed: whoever does not see that it is done does it again. */
    static bool forks_done, exit_done;
    if (!__atomic_load_n(&forks_done, __ATOMIC_RELAXED)) {
        int err = pthread_atfork(NULL, NULL, in_child);
        if (err)
            return err;
        __atomic_store_n(&forks_done, true, __ATOMIC_RELAXED);
    }
    if (at_exit && !__atomic_load_n(&exit_done, __ATOMIC_RELAXED)) {
        if (atexit(at_exit))
            return ENOMEM;
        __atomic_store_n(&exit_done, true, __ATOMIC_RELAXED);
    }
    return 0;
}
