/* SPDX-License-Identifier: MIT */
/* floor: sync */
/* Thread-local values: one name, and each thread its own value behind it.
 *
 *     rmd_local *buffers;
 *     err = rmd_local_open(&buffers, free);
 *
 *     buffer *b = rmd_local_get(buffers);           any thread: NULL at first
 *     if (!b && (b = malloc(sizeof *b)))
 *         err = rmd_local_set(buffers, b);          free(b) when the thread ends
 *
 * At the end of a thread, whoever has started it, the destructor runs on it for each value that is
 * not NULL, in any order; what destructors set meanwhile is destroyed, too, but after 4 passes what
 * is still there is forgotten. With rmd_thread_start() that is before the thread can be joined, and
 * rmd_thread_self() is still the thread; a call that sleeps in a destructor answers RMD_ECANCELED
 * if the thread was told to stop. For the thread that ends the process, by exit() or by returning
 * from main, no destructor runs.
 *
 * In a child made by fork() its one thread has the values it had; those of the other threads are
 * lost, and count no more. Any thread may call any of these. */
#ifndef REMUDA_LOCAL_H
#define REMUDA_LOCAL_H

#include <remuda/api.h>

RMD_BEGIN

typedef struct rmd_local rmd_local;

enum { RMD_LOCALS_MAX = 4096 }; /* that are open at once in a process */

/* A new one, without a value on any thread. destroy gets values, which are not NULL, when they go
 * (see above); NULL: nothing is to be done. Errors: RMD_EFULL (RMD_LOCALS_MAX are open),
 * RMD_ENOMEM, RMD_EINVAL. Never blocks. */
RMD_API int rmd_local_open(rmd_local **local, void (*destroy)(void *value)) RMD_NODISCARD;

/* Destroys the calling thread's value, if it has one, and frees it. Errors: RMD_EBUSY while another
 * thread has a value, or is in the destructor of it: join the threads before, or let them set NULL;
 * then the own value is untouched. NULL is fine. Never blocks, but for what the destructor does. */
RMD_API int rmd_local_free(rmd_local *local);

/* Sets the calling thread's value, which is taken; NULL: none. The one before is not destroyed: it
 * is the caller's again. Errors: RMD_ENOMEM, RMD_EAGAIN (the system's own thread-local values are
 * used up), RMD_EINVAL (NULL for a local): then nothing has changed, and value is the caller's.
 * Fails only with the first value a thread sets, or the first of a local opened since. Never
 * blocks. */
RMD_API int rmd_local_set(rmd_local *local, void *value) RMD_NODISCARD;

/* The calling thread's value, NULL when it has none (and for NULL). A few loads. */
RMD_API void *rmd_local_get(const rmd_local *local);

RMD_END

#endif
