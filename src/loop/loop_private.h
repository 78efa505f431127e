/* SPDX-License-Identifier: MIT */
/* What loop.c (turning) and source.c (coming and going of sources) share. */
#ifndef RMDI_LOOP_PRIVATE_H
#define RMDI_LOOP_PRIVATE_H

#include "base/list.h"
#include "loop/loop.h"
#include "loop/timers.h"
#include "sync/lock.h"

#include <signal.h>

typedef enum rmdi_source_kind {
    RMDI_SOURCE_FD,
    RMDI_SOURCE_TIMER,
    RMDI_SOURCE_SIGNAL,
    RMDI_SOURCE_CHILD,
} rmdi_source_kind;

struct rmd_source {
    rmd_loop *loop;
    rmdi_source_kind kind;
    rmd_source_fn *fn;
    void *ctx;
    rmdi_link link;       /* in loop->sources until its memory is given back */
    rmdi_link dead_link;  /* in loop->dead once it is freed */
    rmdi_link ready_link; /* in loop->always_ready (a regular file), else alone */
    rmdi_link later_link; /* in loop->later until it is watched, else alone */
    int64_t later_ns;     /* when that is to be */
    bool dead, background;
    bool counted;    /* keeps a run going: foreground, and able to call back again */
    bool in_epoll;   /* fd is registered */
    uint32_t slot;   /* its place in loop->slots */
    int fd;          /* watched (borrowed), or a child's pidfd (owned) */
    unsigned events; /* FD: what for */
    rmdi_timer timer;
    int64_t period_ns;
    int signal;
};

/* epoll gives back a slot and its generation, not a pointer: an event that was under
 * way when its source ended then finds another generation and is dropped. */
typedef struct rmdi_slot {
    rmd_source *source;
    uint32_t generation;
    uint32_t next_free;
} rmdi_slot;

enum { RMDI_SLOT_WAKE, RMDI_SLOT_SIGNALS, RMDI_SLOT_TIMER, RMDI_SLOT_LATER, RMDI_SLOT_FIRST };

struct rmd_loop {
    int epoll, wake, signals, timer, later_timer; /* descriptors; from signals on -1 until needed */
    rmdi_slot *slots;
    size_t slots_used, slots_capacity;
    uint32_t free_slot; /* 0: none */
    rmdi_link sources, dead, always_ready;
    rmdi_link later; /* in the order of their times */
    bool later_armed;
    size_t counted;
    rmdi_timers timers;
    size_t timer_sources;
    int64_t armed_ns; /* what the timerfd is set to */
    /* Timers are not set for earlier: while the due ones run, what is set for now waits for
     * the next turn, so that it does not starve the others. */
    int64_t due_min_ns;
    unsigned signal_sources[_NSIG];
    bool signal_was_blocked[_NSIG];

    rmd_atomic(uintptr_t) turning; /* the thread that is in a turn, else 0 */
    rmd_atomic(uintptr_t) owner;   /* the thread that opened it or turned it last */
    rmd_atomic(bool) stop;

    rmdi_lock lock; /* guards posts and wake_sent */
    rmdi_link posts;
    bool wake_sent;
};

uint64_t rmdi_slot_key(const rmd_loop *loop, uint32_t slot);
void rmdi_source_count(rmd_source *source); /* sets `counted` anew after a change */
void rmdi_sources_bury(rmd_loop *loop);     /* gives back the memory of the dead */
/* Keeps rmd_loop_fd() true, after a change outside a turn: readable at once for posts and
 * what is always ready, else when a timer is due. */
void rmdi_loop_tell_foreign(rmd_loop *loop);
void rmdi_sources_admit(rmd_loop *loop); /* watches the later ones whose time has come */
/* A timerfd that is reported as this slot; 0 or errno. */
int rmdi_loop_open_timer(rmd_loop *loop, int *timer, uint32_t slot);
/* events: RMD_READABLE, RMD_WRITABLE, EPOLLONESHOT. 0 or errno. */
int rmdi_loop_epoll(rmd_loop *loop, int op, int fd, unsigned events, uint32_t slot);

#endif
