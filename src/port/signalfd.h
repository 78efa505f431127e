/* SPDX-License-Identifier: MIT */
/* Signals read from a descriptor instead of handled. */
#ifndef RMDI_PORT_SIGNALFD_H
#define RMDI_PORT_SIGNALFD_H

#include <signal.h>

/* Opens (fd -1) or changes a descriptor that delivers these signals, which the caller
 * keeps blocked. The descriptor or -errno. */
int rmdi_signalfd_set(int fd, const sigset_t *signals);

/* The next signal that came, 0 when there is none. */
int rmdi_signalfd_read(int fd);

#endif
