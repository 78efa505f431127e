/* SPDX-License-Identifier: MIT */
/* The sleeper's eventfd lives for one sleep. It must not be written to when it has been closed and
 * its number has gone to another descriptor, so whoever was fired waits in settle() until the
 * eventfd is readable: then the one write that comes has been made. That, and a descriptor for a
 * sleep of which most threads need none, is why it is not kept: opening and closing it costs about
 * 2 us of the 30 that the sleep takes. */
#include "sync/descriptor.h"

#include "base/error.h"
#include "port/fd.h"
#include "port/poll.h"

/* ---- the sleeper ---- */

static rmdi_fd_sleeper *of_sleeper(rmdi_sleeper *sleeper)
{
    return (rmdi_fd_sleeper *)sleeper; /* its first member */
}

static int not_open(const struct pollfd *fd)
{
    return rmdi_fail(RMD_EINVAL, "descriptor %d is not open", fd->fd);
}

/* The first that is ready fires the waiter, if nothing else has. */
static void fire_ready(rmdi_fd_sleeper *s, rmdi_waiter *waiter)
{
    unsigned k = 1;
    while (k < s->n && !s->fds[k].revents)
        k++;
    if (k < s->n && rmdi_waiter_fire_itself(waiter, s->indices[k]) &&
        (s->fds[k].revents & POLLNVAL)) /* closed since it was looked at */
        s->err = not_open(&s->fds[k]);
}

static int sleep_in_poll(rmdi_sleeper *self, rmdi_waiter *waiter, rmd_deadline deadline)
{
    rmdi_fd_sleeper *s = of_sleeper(self);
    int n = rmdi_poll_fds(s->fds, s->n, deadline.ns > 0 ? deadline.ns : 0);
    if (n == 0)
        return rmd_deadline_passed(deadline) ? RMD_ETIMEDOUT : 0;
    if (n > 0) {
        fire_ready(s, waiter);
    } else if (rmdi_waiter_fire_itself(waiter, 0)) {
        /* too many descriptors for the process's limit, no memory: not a reason to spin */
        s->err = rmdi_fail_errno(-n, "poll");
    }
    return 0;
}

static void wake(rmdi_sleeper *self, rmdi_waiter *waiter)
{
    (void)waiter;
    rmdi_poll_event_set(of_sleeper(self)->fds[0].fd);
}

static void settle(rmdi_sleeper *self, rmdi_waiter *waiter)
{
    struct pollfd event = of_sleeper(self)->fds[0];
    (void)waiter;
    while (rmdi_poll_fds(&event, 1, INT64_MAX) <= 0)
        ;
    rmdi_poll_event_clear(event.fd); /* it is closed next; reading orders that for the sanitizer */
}

void rmdi_fd_sleeper_init(rmdi_fd_sleeper *s)
{
    s->sleeper = (rmdi_sleeper){ .sleep = sleep_in_poll, .wake = wake, .settle = settle };
    s->err = 0;
    s->n = 1;
    s->fds[0] = (struct pollfd){ .fd = -1, .events = POLLIN };
}

int rmdi_fd_sleeper_add(rmdi_fd_sleeper *s, int fd, unsigned events, uint32_t index)
{
    if (fd < 0 || !events || (events & ~(unsigned)(RMD_READABLE | RMD_WRITABLE)))
        return rmdi_fail(RMD_EINVAL, "descriptor %d, events %#x", fd, events);
    int wanted = (events & RMD_READABLE ? POLLIN : 0) | (events & RMD_WRITABLE ? POLLOUT : 0);
    s->fds[s->n] = (struct pollfd){ .fd = fd, .events = (short)wanted };
    s->indices[s->n++] = index;
    return 0;
}

int rmdi_fd_sleeper_look(rmdi_fd_sleeper *s)
{
    int n = s->n > 1 ? rmdi_poll_fds(s->fds, s->n, 0) : 0;
    if (n < 0)
        return rmdi_fail_errno(-n, "poll");
    for (unsigned k = 1; k < s->n; k++)
        if (s->fds[k].revents & POLLNVAL)
            return not_open(&s->fds[k]);
    return 0;
}

unsigned rmdi_fd_sleeper_ready(const rmdi_fd_sleeper *s, unsigned k)
{
    int seen = s->fds[k].revents;
    return (seen & POLLIN ? (unsigned)RMD_READABLE : 0) |
           (seen & POLLOUT ? (unsigned)RMD_WRITABLE : 0) |
           (seen & (POLLHUP | POLLERR) ? (unsigned)RMD_HANGUP : 0);
}

int rmdi_fd_sleeper_open(rmdi_fd_sleeper *s, rmdi_waiter *waiter, bool alone)
{
    waiter->sleeper = &s->sleeper;
    if (alone && !waiter->stop)
        return 0;
    int fd = rmdi_poll_event_open();
    if (fd < 0)
        return rmdi_fail_errno(-fd, "a descriptor to be woken by");
    s->fds[0].fd = fd;
    return 0;
}

void rmdi_fd_sleeper_close(rmdi_fd_sleeper *s)
{
    rmdi_fd_close(&s->fds[0].fd);
}

/* ---- several descriptors ---- */

static int sleep_for(rmdi_fd_sleeper *s, rmd_deadline deadline)
{
    rmdi_waiter waiter;
    rmdi_waiter_init(&waiter, true);
    int err = rmdi_fd_sleeper_open(s, &waiter, true);
    if (err < 0)
        return err;
    err = rmdi_waiter_sleep(&waiter, deadline);
    rmdi_fd_sleeper_close(s);
    if (err < 0)
        return rmdi_fail(err, "descriptor %d is not ready", s->fds[1].fd);
    return s->err;
}

static int add_wanted(rmdi_fd_sleeper *s, const rmdi_fd_wanted *wanted, unsigned n)
{
    int err = 0;
    rmdi_fd_sleeper_init(s);
    for (unsigned i = 0; i < n && err == 0; i++)
        err = rmdi_fd_sleeper_add(s, wanted[i].fd, wanted[i].events, i);
    return err;
}

static void tell_ready(const rmdi_fd_sleeper *s, rmdi_fd_wanted *wanted, unsigned n, bool looked)
{
    for (unsigned i = 0; i < n; i++)
        wanted[i].ready = looked ? rmdi_fd_sleeper_ready(s, 1 + i) : 0;
}

int rmdi_fds_wait(rmdi_fd_wanted *wanted, unsigned n, rmd_deadline deadline)
{
    rmdi_fd_sleeper s;
    int err = add_wanted(&s, wanted, n);
    if (err == 0)
        err = sleep_for(&s, deadline);
    tell_ready(&s, wanted, n, err == 0);
    return err;
}

void rmdi_fds_look(rmdi_fd_wanted *wanted, unsigned n)
{
    rmdi_fd_sleeper s;
    bool looked = add_wanted(&s, wanted, n) == 0 && rmdi_fd_sleeper_look(&s) == 0;
    tell_ready(&s, wanted, n, looked);
}

/* ---- one descriptor ---- */

int rmd_fd_wait(int fd, unsigned events, rmd_deadline deadline)
{
    rmdi_fd_sleeper s;
    rmdi_fd_sleeper_init(&s);
    int err = rmdi_fd_sleeper_add(&s, fd, events, 0);
    if (err == 0)
        err = rmdi_fd_sleeper_look(&s);
    if (err == 0 && !s.fds[1].revents)
        err = deadline.ns > 0 ? sleep_for(&s, deadline)
                              : rmdi_fail(RMD_ETIMEDOUT, "descriptor %d is not ready", fd);
    return err < 0 ? err : (int)rmdi_fd_sleeper_ready(&s, 1);
}
