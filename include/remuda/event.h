/* SPDX-License-Identifier: MIT */
/* floor: sync */
/* Events: a flag that threads wait for.
 *
 *     err = rmd_event_open(&ready);
 *     err = rmd_event_wait(ready, rmd_after_ms(250));        some threads
 *     rmd_event_set(ready);                                  another
 *
 * Setting it wakes everybody who waits, and lets everybody pass who comes later, until it is
 * cleared. Whoever waited when it was set has been woken for good: clearing it at once takes
 * nothing back. What was written before it was set is seen by those who pass. Whoever has passed
 * may free it, even if rmd_event_set() has not returned yet. Any thread may call any of these. */
#ifndef REMUDA_EVENT_H
#define REMUDA_EVENT_H

#include <remuda/api.h>
#include <remuda/deadline.h>

RMD_BEGIN

typedef struct rmd_event rmd_event;

/* A new event, not set. Errors: RMD_ENOMEM, RMD_EINVAL. Never blocks. */
RMD_API int rmd_event_open(rmd_event **event) RMD_NODISCARD;

/* Frees an event. Errors: RMD_EBUSY while a thread waits for it, also one that was woken and has
 * not passed yet. NULL is fine. Never blocks. */
RMD_API int rmd_event_free(rmd_event *event);

/* Set it, clear it; again is fine. Errors: RMD_EINVAL (NULL). Never block. */
RMD_API int rmd_event_set(rmd_event *event);
RMD_API int rmd_event_clear(rmd_event *event);

/* Is it set? False for NULL. Never blocks. */
RMD_API bool rmd_event_is_set(const rmd_event *event);

/* Waits until it is set; one load if it is. Errors: RMD_ETIMEDOUT, RMD_ECANCELED (the thread's stop
 * token fired: see stop.h), RMD_EINVAL (NULL). Blocks. */
RMD_API int rmd_event_wait(rmd_event *event, rmd_deadline deadline) RMD_NODISCARD;

RMD_END

#endif
