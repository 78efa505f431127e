/* SPDX-License-Identifier: MIT */
/* floor: sync */
/* Waiting for a descriptor: a pipe, a socket, a terminal. Unlike poll(2) it ends when the thread is
 * told to stop, so a thread on a silent socket can be ended.
 *
 *     int ready = rmd_fd_wait(fd, RMD_READABLE, rmd_after_ms(1000));
 *     if (ready > 0)
 *         n = read(fd, ...);
 */
#ifndef REMUDA_DESCRIPTOR_H
#define REMUDA_DESCRIPTOR_H

#include <remuda/api.h>
#include <remuda/deadline.h>

RMD_BEGIN

enum {
    RMD_READABLE = 1,
    RMD_WRITABLE = 2,
    RMD_HANGUP = 4, /* the other side is gone, or an error: told unasked */
};

/* Waits until the descriptor, which is borrowed and must stay open, can be read or written without
 * blocking: events is a set of RMD_READABLE and RMD_WRITABLE, not empty. Returns the set of what
 * is so, with RMD_HANGUP perhaps, which ends the wait, too. A regular file is always ready. Errors:
 * RMD_ETIMEDOUT, RMD_ECANCELED (the thread's stop token fired: see stop.h), RMD_EINVAL (bad
 * descriptor or events), RMD_EMFILE and RMD_ENOMEM: a sleep that can be stopped needs a descriptor
 * for itself. Any thread. Blocks. */
RMD_API int rmd_fd_wait(int fd, unsigned events, rmd_deadline deadline) RMD_NODISCARD;

RMD_END

#endif
