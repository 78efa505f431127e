/* SPDX-License-Identifier: MIT */
#include "port/signalfd.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>

int rmdi_signalfd_set(int fd, const sigset_t *signals)
{
    fd = signalfd(fd, signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int rmdi_signalfd_read(int fd)
{
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}
