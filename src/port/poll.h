/* SPDX-License-Identifier: MIT */
/* Waiting for descriptors: epoll, and what goes with it. */
#ifndef RMDI_PORT_POLL_H
#define RMDI_PORT_POLL_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/* Each returns a descriptor (close-on-exec, never blocking) or -errno. */
int rmdi_poll_open(void);
int rmdi_poll_event_open(void); /* an eventfd */
int rmdi_poll_timer_open(void); /* a timerfd on the monotonic clock */

/* Waits for up to `max` events until the deadline (INT64_MAX: no limit; 0: not at all),
 * never too short. The number of events; 0 at the deadline or when a signal came. */
int rmdi_poll_wait(int epoll, struct epoll_event *events, int max, int64_t deadline_ns);

void rmdi_poll_event_set(int eventfd);
void rmdi_poll_event_clear(int eventfd);

/* Arms the timerfd for a point in time; INT64_MAX unarms it. */
void rmdi_poll_timer_arm(int timerfd, int64_t at_ns);

/* poll(2) until the deadline (INT64_MAX: no limit; 0: not at all), never too short. The number of
 * those with revents; 0 at the deadline or when a signal came; -errno. */
int rmdi_poll_fds(struct pollfd *fds, unsigned n, int64_t deadline_ns);

/* Is the descriptor readable (or at its end) right now? */
bool rmdi_poll_readable(int fd);

#endif
