/* SPDX-License-Identifier: MIT */
#include "cli/results.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <remuda/descriptor.h>
#include <remuda/stop.h>
#include <stdio.h>
#include <unistd.h>

int rmdi_results_open(int *fd)
{
    *fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (*fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        return rmdi_fail_errno(errno, "standard output");
    setvbuf(stdout, NULL, _IONBF, 0);
    return 0;
}

/* Results that are there are not lost because of a signal: the next one leaves at once. */
static int wait_for_room(int fd)
{
    rmd_stop *before = rmd_stop_set(NULL);
    int ready = rmd_fd_wait(fd, RMD_WRITABLE, RMD_FOREVER);
    rmd_stop_set(before);
    return ready < 0 ? EAGAIN : 0;
}

int rmdi_results_write(int fd, const void *data, size_t len)
{
    const char *rest = data;
    int err = 0;
    while (len && !err) {
        ssize_t n = write(fd, rest, len);
        if (n < 0 && errno == EAGAIN)
            err = wait_for_room(fd);
        else if (n < 0 && errno != EINTR)
            err = errno;
        rest += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return err;
}

void rmdi_results_close(int fd)
{
    if (fd < 0)
        return;
    clearerr(stdout);
    close(fd);
}
