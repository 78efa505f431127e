/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"
#include "base/error.h"
#include "port/fd.h"
#include "port/signalfd.h"
#include "port/thread.h"

#include <remuda/descriptor.h>
#include <remuda/signals.h>

struct rmd_signals {
    int fd;
    sigset_t all;        /* that it collects */
    sigset_t to_unblock; /* of these, those that were not blocked before */
};

static void unblock(rmd_signals *signals)
{
    for (int number = 1; number < _NSIG; number++)
        if (sigismember(&signals->to_unblock, number) == 1)
            rmdi_os_signal_unblock(number);
}

static int block(rmd_signals *signals, int number)
{
    bool was_blocked;
    if (number < 1 || number >= _NSIG || number == SIGKILL || number == SIGSTOP)
        return rmdi_fail(RMD_EINVAL, "signal %d cannot be waited for", number);
    int err = rmdi_os_signal_block(number, &was_blocked);
    if (err)
        return rmdi_fail_errno(err, "signal %d", number);
    if (!was_blocked)
        sigaddset(&signals->to_unblock, number);
    sigaddset(&signals->all, number);
    return 0;
}

static int open_all(rmd_signals *signals, const int *numbers)
{
    int err = 0;
    sigemptyset(&signals->all);
    sigemptyset(&signals->to_unblock);
    for (; *numbers && err == 0; numbers++)
        err = block(signals, *numbers);
    if (err < 0)
        return err;
    signals->fd = rmdi_signalfd_set(-1, &signals->all);
    return signals->fd < 0 ? rmdi_fail_errno(-signals->fd, "a descriptor for signals") : 0;
}

int rmd_signals_open(rmd_signals **signals, const int *numbers)
{
    if (!signals || !numbers || !*numbers)
        return rmdi_fail(RMD_EINVAL, "signals: they need a place and numbers");
    *signals = NULL;
    rmd_signals *s = rmdi_alloc_zeroed(sizeof *s);
    if (!s)
        return rmdi_fail_memory();
    int err = open_all(s, numbers);
    if (err < 0) {
        unblock(s);
        rmdi_free(s);
        return err;
    }
    *signals = s;
    return 0;
}

int rmd_signals_wait(rmd_signals *signals, int *number, rmd_deadline deadline)
{
    if (!signals)
        return rmdi_fail(RMD_EINVAL, "wait: no signals were given");
    int came, err = 0;
    while (!(came = rmdi_signalfd_read(signals->fd)) && err >= 0)
        err = rmd_fd_wait(signals->fd, RMD_READABLE, deadline);
    if (came && number)
        *number = came;
    return came ? 0 : err;
}

void rmd_signals_free(rmd_signals *signals)
{
    if (!signals)
        return;
    rmdi_fd_close(&signals->fd);
    unblock(signals);
    rmdi_free(signals);
}
