/* SPDX-License-Identifier: MIT */
/* Threads of ours: named, with all signals blocked. rmdi_thread is embedded in what owns it; the
 * inside of rmd_thread, see <remuda/thread.h>, follows. */
#ifndef RMDI_SYNC_THREAD_H
#define RMDI_SYNC_THREAD_H

#include "base/list.h"
#include "port/thread.h"
#include "sync/event.h"
#include "sync/lock.h"
#include "sync/self.h"
#include "sync/stop.h"

#include <remuda/atomics.h>
#include <remuda/deadline.h>
#include <remuda/thread.h>

typedef struct rmdi_thread {
    rmdi_os_thread os;
    void (*fn)(void *arg);
    void *arg;
    rmd_atomic(uint32_t) done; /* fn has returned */
} rmdi_thread;

/* Runs fn(arg) on a new thread. *thread is borrowed until joined; name is copied, at
 * most 15 bytes of it. RMD_EAGAIN when the system gives no more threads. */
int rmdi_thread_start(rmdi_thread *thread, void (*fn)(void *arg), void *arg, const char *name);

/* The same with that much stack; 0: as the system likes. */
int rmdi_thread_start_sized(rmdi_thread *thread, void (*fn)(void *arg), void *arg, const char *name,
                            size_t stack_bytes);

/* Waits for its end. RMD_ETIMEDOUT: it still runs and must be joined again. */
int rmdi_thread_join(rmdi_thread *thread, rmd_deadline deadline);

/* Differs between live threads, never 0. */
uintptr_t rmdi_thread_self(void);

/* Two references: its user's and its own, besides passing ones. */
struct rmd_thread {
    rmdi_os_thread os;
    void (*fn)(void *arg);
    void *arg;
    rmd_stop stop;
    rmdi_event ended;               /* fn has returned */
    rmd_atomic(uint32_t) collected; /* the system's thread was joined or detached */
    rmdi_link link;                 /* guarded, as what follows, by the lock in thread_list.c */
    unsigned references;
    uint64_t process; /* rmdi_process_mark() of the one that started it */
    bool daemon;
    char name[];
};

/* ---- the list of all of them ---- */

/* Starts it and puts it into the list. 0 or an errno value. */
int rmdi_thread_list_start(rmd_thread *thread, void *(*run)(void *), size_t stack_bytes);

/* From now on a child made by fork() is put right, also while there are no threads of ours. 0 or an
 * errno value. */
int rmdi_thread_list_watch_forks(void);

/* The same, and fn is called there, too; one fn in all, for the floor above. */
int rmdi_thread_list_on_fork(void (*fn)(void));

/* Drops a reference; the last one frees it. */
void rmdi_thread_drop(rmd_thread *thread);

/* Waits for the end of the system's thread, once fn has returned. */
void rmdi_thread_collect(rmd_thread *thread);

#endif
