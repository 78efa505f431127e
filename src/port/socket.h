/* SPDX-License-Identifier: MIT */
/* Messages between two processes of ours, and descriptors with them. */
#ifndef RMDI_PORT_SOCKET_H
#define RMDI_PORT_SOCKET_H

#include <stddef.h>
#include <sys/types.h>

enum { RMDI_SOCKET_FDS_MAX = 4 };

/* A pair of ends (close-on-exec); messages keep their bounds. The first never blocks. 0 or an errno
 * value. */
int rmdi_socket_pair(int ends[2]);

/* Sends one message, with copies of n descriptors. 0 or an errno value: EAGAIN, EPIPE (and no
 * signal), EMFILE. */
int rmdi_socket_send(int fd, const void *data, size_t len, const int *fds, unsigned n);

/* Receives one message of at most len bytes; fds gets at most max descriptors (close-on-exec), and
 * *n how many; what comes beyond them is closed. The message's length; 0 at the end; -errno. */
ssize_t rmdi_socket_receive(int fd, void *data, size_t len, int *fds, unsigned max, unsigned *n);

#endif
