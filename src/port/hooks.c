/* SPDX-License-Identifier: MIT */
#include "port/hooks.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

int rmdi_hooks_set(void (*at_exit)(void), void (*in_child)(void))
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool forks_done, exit_done;
    int err = 0;
    pthread_mutex_lock(&lock);
    if (!forks_done) {
        err = pthread_atfork(NULL, NULL, in_child);
        forks_done = !err;
    }
    if (!err && !exit_done) {
        err = atexit(at_exit) ? ENOMEM : 0;
        exit_done = !err;
    }
    pthread_mutex_unlock(&lock);
    return err;
}
