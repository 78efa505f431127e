/* SPDX-License-Identifier: MIT */
/* floor: sync */
/* Stop tokens: telling threads that wait to give up, without polling.
 *
 *     rmd_stop *stop;
 *     err = rmd_stop_open(&stop);
 *
 *     rmd_stop *before = rmd_stop_set(stop);            the thread that shall be stoppable
 *     err = rmd_event_wait(event, RMD_FOREVER);         RMD_ECANCELED when the token fires
 *     rmd_stop_set(before);
 *
 *     rmd_stop_request(stop);                           another thread
 *
 * Each thread has a current token, or none. While it has one, every call of Remuda that would
 * sleep returns RMD_ECANCELED when the token fires or has fired; a call that need not sleep
 * succeeds as ever, and so does one that has got what it waited for at the same moment. A thread
 * started by rmd_thread_start() begins with a token of its own (rmd_thread_stop); others begin with
 * none. A token does not ask what work a thread does between its waits: rmd_stop_requested() does.
 *
 * Clean-up that must be able to wait after a stop puts a shield around itself:
 *
 *     rmd_stop *before = rmd_stop_set(NULL);
 *     ...
 *     rmd_stop_set(before);
 *
 * Any thread may call any of these. */
#ifndef REMUDA_STOP_H
#define REMUDA_STOP_H

#include <remuda/api.h>

RMD_BEGIN

typedef struct rmd_stop rmd_stop;

/* A new token, which has not fired. Errors: RMD_ENOMEM, RMD_EINVAL. Never blocks. */
RMD_API int rmd_stop_open(rmd_stop **stop) RMD_NODISCARD;

/* Frees a token that is no thread's current one. Errors: RMD_EBUSY while a thread sleeps with it
 * or selects on it. NULL is fine. Never blocks. */
RMD_API int rmd_stop_free(rmd_stop *stop);

/* Fires the token, for good: wakes everybody who sleeps with it, and lets nobody with it sleep any
 * more. Again is fine. What the caller wrote before is seen by whoever learns of it. Errors:
 * RMD_EINVAL (NULL). Never blocks. */
RMD_API int rmd_stop_request(rmd_stop *stop);

/* Has it fired? False for NULL. One load. */
RMD_API bool rmd_stop_requested(const rmd_stop *stop);

/* Makes a token, which is borrowed, the calling thread's current one; NULL: none. Returns the one
 * before, NULL for none, to be set again. Never fails. */
RMD_API rmd_stop *rmd_stop_set(rmd_stop *stop);

RMD_END

#endif
