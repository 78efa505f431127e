/* SPDX-License-Identifier: MIT */
#include "port/fd.h"

#include "port/sigpipe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int rmdi_fd_pipe(int ends[2], int ours)
{
    if (pipe2(ends, O_CLOEXEC) < 0)
        return errno;
    /* Only our end: the flag belongs to the open end, and a program that met a
     * non-blocking standard output would fail with EAGAIN. */
    int flags = ours == 0 ? O_RDONLY : O_WRONLY;
    if (fcntl(ends[ours], F_SETFL, flags | O_NONBLOCK) == 0)
        return 0;
    int err = errno;
    close(ends[0]);
    close(ends[1]);
    return err;
}

/* Where O_TMPFILE is not supported (some network file systems). */
static int temporary_by_name(const char *dir, int *fd)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/remuda-XXXXXX", dir) >= (int)sizeof path)
        return ENAMETOOLONG;
    *fd = mkostemp(path, O_CLOEXEC);
    if (*fd < 0)
        return errno;
    unlink(path);
    return 0;
}

int rmdi_fd_temporary(const char *dir, int *fd)
{
    *fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*fd >= 0)
        return 0;
    if (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)
        return temporary_by_name(dir, fd);
    return errno;
}

ssize_t rmdi_fd_write_quietly(int fd, const void *data, size_t len)
{
    rmdi_sigpipe held;
    rmdi_sigpipe_hold(&held);
    ssize_t n = write(fd, data, len);
    int err = n < 0 ? errno : 0;
    rmdi_sigpipe_release(&held, err == EPIPE || err == EFBIG);
    return err ? -err : n;
}

int rmdi_fd_write_at(int fd, const void *data, size_t len, uint64_t offset)
{
    const char *from = data;
    while (len) {
        ssize_t n = pwrite(fd, from, len, (off_t)offset);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n == 0)
            return ENOSPC;
        if (n > 0) {
            from += n;
            len -= (size_t)n;
            offset += (uint64_t)n;
        }
    }
    return 0;
}

int rmdi_fd_read_at(int fd, void *data, size_t len, uint64_t offset)
{
    char *to = data;
    while (len) {
        ssize_t n = pread(fd, to, len, (off_t)offset);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n == 0)
            return EIO;
        if (n > 0) {
            to += n;
            len -= (size_t)n;
            offset += (uint64_t)n;
        }
    }
    return 0;
}

int rmdi_fd_punch(int fd, uint64_t offset, uint64_t len)
{
    int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    return fallocate(fd, mode, (off_t)offset, (off_t)len) < 0 ? errno : 0;
}

void rmdi_fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}
