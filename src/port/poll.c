/* SPDX-License-Identifier: MIT */
#include "port/poll.h"

#include "port/clock.h"

#include <errno.h>
#include <limits.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

int rmdi_poll_open(void)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int rmdi_poll_event_open(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int rmdi_poll_timer_open(void)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

/* Kernels before 5.11 have only milliseconds: round up. */
static int wait_ms(int epoll, struct epoll_event *events, int max, int64_t left_ns)
{
    int64_t ms = left_ns / 1000000 + (left_ns % 1000000 != 0);
    return epoll_wait(epoll, events, max, ms > INT_MAX ? INT_MAX : (int)ms);
}

int rmdi_poll_wait(int epoll, struct epoll_event *events, int max, int64_t deadline_ns)
{
    int n;
    if (deadline_ns == INT64_MAX) {
        n = epoll_wait(epoll, events, max, -1);
    } else if (deadline_ns == 0) {
        n = epoll_wait(epoll, events, max, 0);
    } else {
        int64_t left = deadline_ns - rmdi_clock_monotonic_ns();
        left = left < 0 ? 0 : left;
        struct timespec t = { .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };
        n = epoll_pwait2(epoll, events, max, &t, NULL);
        if (n < 0 && errno == ENOSYS)
            n = wait_ms(epoll, events, max, left);
    }
    return n < 0 ? 0 : n;
}

void rmdi_poll_event_set(int eventfd)
{
    uint64_t one = 1;
    /* Fails only when the counter is full: then it is readable already. */
    ssize_t n = write(eventfd, &one, sizeof one);
    (void)n;
}

void rmdi_poll_event_clear(int eventfd)
{
    uint64_t count;
    ssize_t n = read(eventfd, &count, sizeof count);
    (void)n;
}

void rmdi_poll_timer_arm(int timerfd, int64_t at_ns)
{
    struct itimerspec at = { 0 }; /* zero unarms */
    if (at_ns != INT64_MAX) {
        at_ns = at_ns < 1 ? 1 : at_ns;
        at.it_value.tv_sec = at_ns / 1000000000;
        at.it_value.tv_nsec = at_ns % 1000000000;
    }
    timerfd_settime(timerfd, TFD_TIMER_ABSTIME, &at, NULL);
}

int rmdi_poll_fds(struct pollfd *fds, unsigned n, int64_t deadline_ns)
{
    struct timespec left = { 0 };
    if (deadline_ns > 0 && deadline_ns != INT64_MAX) {
        int64_t ns = deadline_ns - rmdi_clock_monotonic_ns();
        ns = ns < 0 ? 0 : ns;
        left = (struct timespec){ .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };
    }
    int ready = ppoll(fds, n, deadline_ns == INT64_MAX ? NULL : &left, NULL);
    if (ready < 0)
        return errno == EINTR ? 0 : -errno;
    return ready;
}

bool rmdi_poll_readable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    return poll(&p, 1, 0) > 0;
}
