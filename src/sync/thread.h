/* SPDX-License-Identifier: MIT */
/* Threads of ours: named, with all signals blocked. */
#ifndef RMDI_SYNC_THREAD_H
#define RMDI_SYNC_THREAD_H

#include "base/atomics.h"
#include "port/thread.h"

#include <remuda/deadline.h>

typedef struct rmdi_thread {
    rmdi_os_thread os;
    void (*fn)(void *arg);
    void *arg;
    rmd_atomic(uint32_t) done; /* fn has returned */
} rmdi_thread;

/* Runs fn(arg) on a new thread. *thread is borrowed until joined; name is copied, at
 * most 15 bytes of it. RMD_EAGAIN when the system gives no more threads. */
int rmdi_thread_start(rmdi_thread *thread, void (*fn)(void *arg), void *arg, const char *name);

/* Waits for its end. RMD_ETIMEDOUT: it still runs and must be joined again. */
int rmdi_thread_join(rmdi_thread *thread, rmd_deadline deadline);

/* Differs between live threads, never 0. */
uintptr_t rmdi_thread_self(void);

#endif
