/* SPDX-License-Identifier: MIT */
/* Descriptors: pipes, temporary files, and writes that raise no signal.
 * All are close-on-exec. Each returns 0 or an errno value unless it says otherwise. */
#ifndef RMDI_PORT_FD_H
#define RMDI_PORT_FD_H

#include "port/shared.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A pipe; `ours` is the end (0 read, 1 write) that never blocks. */
int rmdi_fd_pipe(int ends[2], int ours);

/* An unlinked file of mode 0600 in dir. */
int rmdi_fd_temporary(const char *dir, int *fd);

/* write(2) that never raises SIGPIPE or SIGXFSZ: bytes written, or -errno. */
ssize_t rmdi_fd_write_quietly(int fd, const void *data, size_t len);

/* The whole of data at the offset, through short writes and EINTR. */
int rmdi_fd_write_at(int fd, const void *data, size_t len, uint64_t offset);
/* Exactly len bytes from the offset; EIO when the file is shorter. */
int rmdi_fd_read_at(int fd, void *data, size_t len, uint64_t offset);

/* Gives the space of a part of a file back to the disk; it reads as zeros then. */
int rmdi_fd_punch(int fd, uint64_t offset, uint64_t len);

/* Closes *fd unless it is -1, and sets it to -1. */
RMDI_SHARED void rmdi_fd_close(int *fd);

#endif
