/* SPDX-License-Identifier: MIT */
/* Threads of the system. */
#ifndef RMDI_PORT_THREAD_H
#define RMDI_PORT_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rmdi_os_thread {
    pthread_t id;
} rmdi_os_thread;

/* Starts fn(arg) on a thread with all signals blocked, so that the program's own handlers never run
 * on it; but for those of its own faults (SIGSEGV and the like), which nobody else can be told.
 * name is cut at 15 bytes. 0 or an errno value. */
int rmdi_os_thread_start(rmdi_os_thread *thread, void *(*fn)(void *), void *arg, const char *name);

/* The same with that much stack, rounded up to whole pages; 0: as the system likes. */
int rmdi_os_thread_start_sized(rmdi_os_thread *thread, void *(*fn)(void *), void *arg,
                               const char *name, size_t stack_bytes);

/* Its end is waited for by nobody: the system cleans up after it by itself. */
void rmdi_os_thread_detach(rmdi_os_thread *thread);

/* Waits for its end. 0 or an errno value. */
int rmdi_os_thread_join(rmdi_os_thread *thread);

/* Lets another thread run that waits for the processor, if there is one. */
void rmdi_os_thread_yield(void);

/* A number that differs between live threads; never 0. */
uintptr_t rmdi_os_thread_self(void);

/* Blocks one signal on the calling thread; tells whether it was blocked before. */
int rmdi_os_signal_block(int signal, bool *was_blocked);
int rmdi_os_signal_unblock(int signal);

#endif
