/* SPDX-License-Identifier: MIT */
/* A sleeper that sleeps in poll(2): for those who wait for descriptors as well. */
#ifndef RMDI_SYNC_DESCRIPTOR_H
#define RMDI_SYNC_DESCRIPTOR_H

#include "sync/waiter.h"

#include <poll.h>
#include <remuda/descriptor.h>
#include <remuda/select.h>

/* Lies on the stack of the waiter's owner. fds[0] is an eventfd by which it is woken, or -1 when
 * nobody can; the descriptor in fds[k] fires the waiter with indices[k]. */
typedef struct rmdi_fd_sleeper {
    rmdi_sleeper sleeper; /* first */
    int err;              /* of poll(2); look at it when the sleep is over */
    unsigned n;
    struct pollfd fds[1 + RMD_SELECT_MAX];
    uint32_t indices[1 + RMD_SELECT_MAX];
} rmdi_fd_sleeper;

/* With no descriptor yet. */
void rmdi_fd_sleeper_init(rmdi_fd_sleeper *sleeper);

/* RMD_EINVAL when events is not a set of RMD_READABLE and RMD_WRITABLE, or fd is negative. */
int rmdi_fd_sleeper_add(rmdi_fd_sleeper *sleeper, int fd, unsigned events, uint32_t index);

/* Looks at all of them without sleeping. RMD_EINVAL when one is not open. */
int rmdi_fd_sleeper_look(rmdi_fd_sleeper *sleeper);

/* What is the matter with fds[k], as a set of RMD_READABLE and so on. */
unsigned rmdi_fd_sleeper_ready(const rmdi_fd_sleeper *sleeper, unsigned k);

/* Makes it the waiter's. `alone`: nobody else will fire the waiter. RMD_EMFILE, RMD_ENOMEM. */
int rmdi_fd_sleeper_open(rmdi_fd_sleeper *sleeper, rmdi_waiter *waiter, bool alone);
void rmdi_fd_sleeper_close(rmdi_fd_sleeper *sleeper);

/* One of several descriptors, and what is wanted of it. */
typedef struct rmdi_fd_wanted {
    int fd;
    unsigned events; /* as in rmd_fd_wait() */
    unsigned ready;  /* what it returns; 0: nothing is so */
} rmdi_fd_wanted;

/* rmd_fd_wait() for n of them, at most RMD_SELECT_MAX: sleeps until one is ready. 0, or an error.
 * It does not look first: for those who have just seen that none is. */
int rmdi_fds_wait(rmdi_fd_wanted *wanted, unsigned n, rmd_deadline deadline);

/* Looks without sleeping. */
void rmdi_fds_look(rmdi_fd_wanted *wanted, unsigned n);

#endif
