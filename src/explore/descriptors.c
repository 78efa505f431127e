/* SPDX-License-Identifier: MIT */
/* Descriptors of explored code: eventfds that exist only here, in place of what port/poll.c and
 * port/fd.c have of the system. Numbers are used again as the system does it, the lowest first; who
 * writes to one that was closed is reported, since it could be another's by then. */
#include "explore/schedule.h"
#include "explore/trace.h"
#include "port/fd.h"
#include "port/poll.h"

#include <errno.h>

/* Explored code has no other descriptors, so that no schedule leads to the system: files, pipes and
 * epolls are refused. That is at the end. */

enum { FIRST = 1000, DESCRIPTORS_MAX = 32 };

static struct {
    bool open[DESCRIPTORS_MAX];
    bool readable[DESCRIPTORS_MAX];
    uint32_t changes; /* whoever polls is parked on it */
} d;

static rmdi_site poll_site = { "the kernel", 0, "poll", "", false, 0 };

void rmdi_descriptors_begin(void)
{
    d = (__typeof__(d)){ 0 };
}

static bool is_open(int fd)
{
    return fd >= FIRST && fd < FIRST + DESCRIPTORS_MAX && d.open[fd - FIRST];
}

static void step(void)
{
    rmdi_step(rmdi_running->site ? rmdi_running->site : &poll_site);
}

static void changed(void)
{
    d.changes++;
    rmdi_fiber_unpark(&d.changes, RMDI_FIBERS_MAX);
}

int rmdi_poll_event_open(void)
{
    if (!rmdi_running || rmdi_fault_happens())
        return -EMFILE;
    for (int i = 0; i < DESCRIPTORS_MAX; i++)
        if (!d.open[i]) {
            d.open[i] = true;
            d.readable[i] = false;
            return FIRST + i;
        }
    return -EMFILE;
}

void rmdi_poll_event_set(int fd)
{
    if (!rmdi_running)
        return;
    step();
    if (!is_open(fd))
        rmdi_found(RMD_EXPLORE_FREED, rmdi_running->site,
                   "%s writes to a descriptor that was closed, at %s:%d", rmdi_running->name,
                   rmdi_trace_file(rmdi_running->site), rmdi_running->site->line);
    d.readable[fd - FIRST] = true;
    rmdi_trace_note(rmdi_running, "makes descriptor %d readable", fd);
    changed();
}

void rmdi_poll_event_clear(int fd)
{
    if (is_open(fd))
        d.readable[fd - FIRST] = false;
}

void rmdi_fd_close(int *fd)
{
    if (is_open(*fd)) {
        step();
        d.open[*fd - FIRST] = false;
        changed();
    }
    *fd = -1;
}

static int look(struct pollfd *fds, unsigned n)
{
    int ready = 0;
    for (unsigned i = 0; i < n; i++) {
        bool wanted = fds[i].events & POLLIN;
        fds[i].revents = 0;
        if (fds[i].fd < 0)
            continue;
        if (!is_open(fds[i].fd))
            fds[i].revents = POLLNVAL;
        else if (wanted && d.readable[fds[i].fd - FIRST])
            fds[i].revents = POLLIN;
        ready += fds[i].revents != 0;
    }
    return ready;
}

int rmdi_poll_fds(struct pollfd *fds, unsigned n, int64_t deadline_ns)
{
    if (!rmdi_running)
        return -EINVAL;
    step();
    int ready = look(fds, n);
    if (ready || deadline_ns <= 0)
        return ready;
    rmdi_fiber_park(&d.changes, d.changes, deadline_ns);
    return look(fds, n); /* 0: the deadline, or for no reason, as a signal would */
}

/* ---- refused ---- */

int rmdi_poll_open(void)
{
    return -ENOSYS;
}

int rmdi_poll_timer_open(void)
{
    return -ENOSYS;
}

int rmdi_poll_wait(int epoll, struct epoll_event *events, int max, int64_t deadline_ns)
{
    (void)epoll, (void)events, (void)max, (void)deadline_ns;
    return 0;
}

void rmdi_poll_timer_arm(int timerfd, int64_t at_ns)
{
    (void)timerfd, (void)at_ns;
}

bool rmdi_poll_readable(int fd)
{
    return is_open(fd) && d.readable[fd - FIRST];
}

int rmdi_fd_pipe(int ends[2], int ours)
{
    (void)ours;
    ends[0] = ends[1] = -1;
    return ENOSYS;
}

int rmdi_fd_temporary(const char *dir, int *fd)
{
    (void)dir;
    *fd = -1;
    return ENOSYS;
}

ssize_t rmdi_fd_write_quietly(int fd, const void *data, size_t len)
{
    (void)fd, (void)data, (void)len;
    return -EBADF;
}

int rmdi_fd_write_at(int fd, const void *data, size_t len, uint64_t offset)
{
    (void)fd, (void)data, (void)len, (void)offset;
    return EBADF;
}

int rmdi_fd_read_at(int fd, void *data, size_t len, uint64_t offset)
{
    (void)fd, (void)data, (void)len, (void)offset;
    return EBADF;
}

int rmdi_fd_punch(int fd, uint64_t offset, uint64_t len)
{
    (void)fd, (void)offset, (void)len;
    return EBADF;
}
