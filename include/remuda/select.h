/* SPDX-License-Identifier: MIT */
/* floor: sync */
/* Select: waiting for the first of several things.
 *
 *     rmd_waitable what[] = { rmd_event_waitable(ready), rmd_fd_waitable(fd, RMD_READABLE) };
 *     switch (rmd_select(what, 2, rmd_after_ms(250))) {
 *     case 0: ...                                  the event is set
 *     case 1: ...                                  the descriptor can be read
 *     default: ...                                 < 0: RMD_ETIMEDOUT, RMD_ECANCELED, ...
 *     }
 *
 * Of several that are ready the first in the array is taken, so put first what is most urgent; what
 * stands behind something that is always ready is never taken. With nothing to wait for it is a
 * sleep that a stop request ends: rmd_select(NULL, 0, rmd_after_ms(500)). */
#ifndef REMUDA_SELECT_H
#define REMUDA_SELECT_H

#include <remuda/api.h>
#include <remuda/deadline.h>
#include <remuda/descriptor.h>
#include <remuda/event.h>
#include <remuda/stop.h>
#include <remuda/thread.h>

RMD_BEGIN

enum { RMD_SELECT_MAX = 64 };

/* Something to wait for, made by one of the functions below; it borrows what it was made of. The
 * members are Remuda's. */
typedef struct rmd_waitable {
    const struct rmdi_waitable_ops *ops;
    void *object;
    int fd;
    unsigned events;
} rmd_waitable;

/* Ready while the event is set; also if it was set and cleared meanwhile. */
RMD_API rmd_waitable rmd_event_waitable(rmd_event *event);
/* Ready when the thread's function has returned. */
RMD_API rmd_waitable rmd_thread_waitable(rmd_thread *thread);
/* Ready when the token has fired. (The thread's own current token need not be among them.) */
RMD_API rmd_waitable rmd_stop_waitable(rmd_stop *stop);
/* Ready as rmd_fd_wait() says: see descriptor.h. */
RMD_API rmd_waitable rmd_fd_waitable(int fd, unsigned events);
/* And, made by their own headers, queues, semaphores and futures. */

/* Waits until one of n is ready, and returns its index. what is borrowed; n is at most
 * RMD_SELECT_MAX, and may be 0. Errors: RMD_ETIMEDOUT, RMD_ECANCELED (the thread's stop token
 * fired), RMD_E2BIG, RMD_EINVAL (made of NULL, a bad descriptor, a thread of the process that
 * forked), RMD_EMFILE and RMD_ENOMEM (only with a descriptor among them). Any thread. Blocks. */
RMD_API int rmd_select(const rmd_waitable *what, size_t n, rmd_deadline deadline) RMD_NODISCARD;

RMD_END

#endif
