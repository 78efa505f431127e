/* SPDX-License-Identifier: MIT */
/* Sources: how they come into a loop, change and go. */
#include "base/alloc.h"
#include "base/error.h"
#include "loop/loop_private.h"
#include "port/clock.h"
#include "port/fd.h"
#include "port/pidfd.h"
#include "port/poll.h"
#include "port/signalfd.h"
#include "port/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>

uint64_t rmdi_slot_key(const rmd_loop *loop, uint32_t slot)
{
    return (uint64_t)loop->slots[slot].generation << 32 | slot;
}

static int take_slot(rmd_loop *loop, rmd_source *source)
{
    uint32_t slot = loop->free_slot;
    if (slot) {
        loop->free_slot = loop->slots[slot].next_free;
    } else {
        void *slots = loop->slots;
        int err = rmdi_array_reserve(&slots, &loop->slots_capacity, loop->slots_used,
                                     sizeof *loop->slots);
        loop->slots = slots;
        if (err < 0)
            return err;
        slot = (uint32_t)loop->slots_used++;
        loop->slots[slot].generation = 0;
    }
    loop->slots[slot].source = source;
    source->slot = slot;
    return 0;
}

static void give_slot(rmd_loop *loop, uint32_t slot)
{
    loop->slots[slot].source = NULL;
    loop->slots[slot].generation++;
    loop->slots[slot].next_free = loop->free_slot;
    loop->free_slot = slot;
}

static bool can_call_back(const rmd_source *source)
{
    switch (source->kind) {
    case RMDI_SOURCE_TIMER: return source->timer.place != 0;
    case RMDI_SOURCE_CHILD: return source->in_epoll;
    default: return true;
    }
}

void rmdi_source_count(rmd_source *source)
{
    bool counts = !source->dead && !source->background && can_call_back(source);
    if (counts && !source->counted)
        source->loop->counted++;
    if (!counts && source->counted)
        source->loop->counted--;
    source->counted = counts;
}

static int new_source(rmd_loop *loop, rmdi_source_kind kind, rmd_source_fn *fn, void *ctx,
                      rmd_source **source)
{
    if (!loop || !fn)
        return rmdi_fail(RMD_EINVAL, "a source needs a loop and a callback");
    rmd_source *s = rmdi_alloc_zeroed(sizeof *s);
    if (!s)
        return rmdi_fail_memory();
    s->loop = loop;
    s->kind = kind;
    s->fn = fn;
    s->ctx = ctx;
    s->fd = -1;
    rmdi_list_init(&s->ready_link);
    rmdi_list_init(&s->dead_link);
    rmdi_list_init(&s->later_link);
    int err = take_slot(loop, s);
    if (err < 0) {
        rmdi_free(s);
        return err;
    }
    rmdi_list_append(&loop->sources, &s->link);
    *source = s;
    return 0;
}

/* Brings a new source into the open, or takes it back when err says so. */
static int finish(rmd_source **out, rmd_source *source, int err)
{
    if (err < 0) {
        rmd_source_free(source);
        return err;
    }
    rmdi_source_count(source);
    rmdi_loop_tell_foreign(source->loop);
    *out = source;
    return 0;
}

static int enter_epoll(rmd_source *source, unsigned events)
{
    int err = rmdi_loop_epoll(source->loop, EPOLL_CTL_ADD, source->fd, events, source->slot);
    source->in_epoll = !err;
    return err;
}

int rmd_loop_watch(rmd_loop *loop, rmd_source **source, int fd, unsigned events, rmd_source_fn *fn,
                   void *ctx)
{
    rmd_source *s;
    if (fd < 0 || (events & ~(unsigned)(RMD_READABLE | RMD_WRITABLE)))
        return rmdi_fail(RMD_EINVAL, "watch: descriptor %d, events %#x", fd, events);
    int err = new_source(loop, RMDI_SOURCE_FD, fn, ctx, &s);
    if (err < 0)
        return err;
    s->fd = fd;
    s->events = events;
    int system = enter_epoll(s, events);
    if (system == EPERM) { /* a regular file or the like: always ready */
        rmdi_list_append(&loop->always_ready, &s->ready_link);
        system = 0;
    }
    if (system == EEXIST)
        err = rmdi_fail(RMD_EINVAL, "descriptor %d is watched already", fd);
    else if (system)
        err = rmdi_fail_errno(system == EBADF ? EINVAL : system, "watching descriptor %d", fd);
    return finish(source, s, err);
}

/* ---- watched later ---- */

static const int64_t later_pause_ns = INT64_C(2) * 1000 * 1000;

/* One timer for all, which is not set back when those it was set for have gone: so for most
 * sources there is nothing to do. The newest may wait for up to two pauses. */
static void arm_later(rmd_loop *loop)
{
    bool some = !rmdi_list_empty(&loop->later);
    int64_t at = INT64_MAX;
    if (some)
        at = RMDI_CONTAINER(loop->later.next, rmd_source, later_link)->later_ns;
    rmdi_poll_timer_arm(loop->later_timer, at);
    loop->later_armed = some;
}

int rmdi_loop_ready_later(rmd_loop *loop)
{
    if (loop->later_timer >= 0)
        return 0;
    int err = rmdi_loop_open_timer(loop, &loop->later_timer, RMDI_SLOT_LATER);
    return err ? rmdi_fail_errno(err, "a timer of the event loop") : 0;
}

int rmdi_loop_watch_later(rmd_loop *loop, rmd_source **source, int fd, unsigned events,
                          rmd_source_fn *fn, void *ctx)
{
    rmd_source *s;
    int err = rmdi_loop_ready_later(loop);
    if (err == 0)
        err = new_source(loop, RMDI_SOURCE_FD, fn, ctx, &s);
    if (err < 0)
        return err;
    s->fd = fd;
    s->events = events;
    s->later_ns = rmdi_clock_monotonic_ns() + later_pause_ns;
    rmdi_list_append(&loop->later, &s->later_link);
    if (!loop->later_armed)
        arm_later(loop);
    return finish(source, s, 0);
}

void rmdi_sources_admit(rmd_loop *loop)
{
    for (int64_t now = rmdi_clock_monotonic_ns(); !rmdi_list_empty(&loop->later);) {
        rmd_source *source = RMDI_CONTAINER(loop->later.next, rmd_source, later_link);
        if (source->later_ns > now)
            break;
        rmdi_list_remove(&source->later_link);
        if (enter_epoll(source, source->events) == 0)
            continue;
        source->later_ns = now + later_pause_ns; /* the kernel has no memory for it: again */
        rmdi_list_append(&loop->later, &source->later_link);
    }
    arm_later(loop);
}

int rmd_source_set_events(rmd_source *source, unsigned events)
{
    if (source->kind != RMDI_SOURCE_FD || (events & ~(unsigned)(RMD_READABLE | RMD_WRITABLE)))
        return rmdi_fail(RMD_EINVAL, "events %#x for a source that cannot have them", events);
    if (events == source->events)
        return 0;
    source->events = events;
    if (!source->in_epoll) {
        rmdi_loop_tell_foreign(source->loop);
        return 0;
    }
    int err = rmdi_loop_epoll(source->loop, EPOLL_CTL_MOD, source->fd, events, source->slot);
    return err ? rmdi_fail_errno(err, "descriptor %d", source->fd) : 0;
}

int rmd_loop_timer(rmd_loop *loop, rmd_source **source, rmd_deadline due, int64_t period_ms,
                   rmd_source_fn *fn, void *ctx)
{
    rmd_source *s;
    if (period_ms < 0 || period_ms > INT64_MAX / 1000000)
        return rmdi_fail(RMD_EINVAL, "timer: a period of %lld ms", (long long)period_ms);
    int err = new_source(loop, RMDI_SOURCE_TIMER, fn, ctx, &s);
    if (err < 0)
        return err;
    /* Room for all timers that exist, so that arming one cannot fail. */
    err = rmdi_timers_reserve(&loop->timers, loop->timer_sources + 1);
    loop->timer_sources++;
    if (err == 0) {
        s->period_ns = period_ms * 1000000;
        rmd_source_set_due(s, due);
    }
    return finish(source, s, err);
}

int rmd_source_set_due(rmd_source *source, rmd_deadline due)
{
    if (source->kind != RMDI_SOURCE_TIMER)
        return rmdi_fail(RMD_EINVAL, "a time for a source that is no timer");
    rmd_loop *loop = source->loop;
    if (due.ns == INT64_MAX)
        rmdi_timers_disarm(&loop->timers, &source->timer);
    else
        rmdi_timers_arm(&loop->timers, &source->timer,
                        due.ns < loop->due_min_ns ? loop->due_min_ns : due.ns);
    rmdi_source_count(source);
    rmdi_loop_tell_foreign(loop);
    return 0;
}

/* Makes the signalfd deliver what loop->signal_sources counts. */
static int update_signals(rmd_loop *loop)
{
    sigset_t set;
    sigemptyset(&set);
    for (int signal = 1; signal < _NSIG; signal++)
        if (loop->signal_sources[signal])
            sigaddset(&set, signal);
    bool first = loop->signals < 0;
    int fd = rmdi_signalfd_set(loop->signals, &set);
    if (fd < 0)
        return -fd;
    loop->signals = fd;
    if (!first)
        return 0;
    int err = rmdi_loop_epoll(loop, EPOLL_CTL_ADD, fd, RMD_READABLE, RMDI_SLOT_SIGNALS);
    if (err) /* as if it had never been: the next signal tries again */
        rmdi_fd_close(&loop->signals);
    return err;
}

int rmd_loop_signal(rmd_loop *loop, rmd_source **source, int signal, rmd_source_fn *fn, void *ctx)
{
    rmd_source *s;
    if (signal < 1 || signal >= _NSIG || signal == SIGKILL || signal == SIGSTOP)
        return rmdi_fail(RMD_EINVAL, "signal %d cannot be watched", signal);
    int err = new_source(loop, RMDI_SOURCE_SIGNAL, fn, ctx, &s);
    if (err < 0)
        return err;
    s->signal = signal;
    int system = 0;
    if (loop->signal_sources[signal]++ == 0) {
        system = rmdi_os_signal_block(signal, &loop->signal_was_blocked[signal]);
        if (!system)
            system = update_signals(loop);
    }
    if (system)
        err = rmdi_fail_errno(system, "signal %d", signal);
    return finish(source, s, err);
}

int rmdi_source_follow(rmd_source *source, int pidfd)
{
    source->fd = pidfd;
    /* Once: it will not end again, and its end needs no call to take it off. */
    int system = enter_epoll(source, RMD_READABLE | EPOLLONESHOT);
    if (system)
        return rmdi_fail_errno(system, "watching a process");
    rmdi_source_count(source);
    return 0;
}

int rmd_loop_child(rmd_loop *loop, rmd_source **source, pid_t pid, rmd_source_fn *fn, void *ctx)
{
    rmd_source *s;
    int err = new_source(loop, RMDI_SOURCE_CHILD, fn, ctx, &s);
    if (err < 0)
        return err;
    int fd = rmdi_pidfd_open(pid);
    if (fd < 0)
        err = rmdi_fail_errno(fd == -ESRCH ? ENOENT : -fd, "process %d", (int)pid);
    else
        err = rmdi_source_follow(s, fd);
    return finish(source, s, err);
}

int rmdi_loop_child_reserve(rmd_loop *loop, rmd_source **source, rmd_source_fn *fn, void *ctx)
{
    rmd_source *s;
    int err = new_source(loop, RMDI_SOURCE_CHILD, fn, ctx, &s);
    return err < 0 ? err : finish(source, s, 0);
}

void rmd_source_set_background(rmd_source *source, bool background)
{
    source->background = background;
    rmdi_source_count(source);
}

static void leave_signal(rmd_source *source)
{
    rmd_loop *loop = source->loop;
    int signal = source->signal;
    if (!signal || --loop->signal_sources[signal] > 0)
        return;
    if (loop->signals >= 0)
        update_signals(loop);
    if (!loop->signal_was_blocked[signal])
        rmdi_os_signal_unblock(signal);
}

static void leave(rmd_source *source)
{
    rmd_loop *loop = source->loop;
    /* Before the descriptor is closed: a copy of it, kept for a moment by a child
     * between clone and exec, would keep the registration alive. (After the end of a child
     * it may stay alive that long: it was for once, so it tells nothing any more.) */
    if (source->in_epoll)
        rmdi_loop_epoll(loop, EPOLL_CTL_DEL, source->fd, 0, source->slot);
    source->in_epoll = false;
    rmdi_list_remove(&source->ready_link);
    rmdi_list_remove(&source->later_link);
    switch (source->kind) {
    case RMDI_SOURCE_TIMER:
        rmdi_timers_disarm(&loop->timers, &source->timer);
        loop->timer_sources--;
        break;
    case RMDI_SOURCE_SIGNAL: leave_signal(source); break;
    case RMDI_SOURCE_CHILD: rmdi_fd_close(&source->fd); break;
    case RMDI_SOURCE_FD: break;
    }
}

void rmd_source_free(rmd_source *source)
{
    if (!source || source->dead)
        return;
    rmd_loop *loop = source->loop;
    leave(source);
    source->dead = true;
    rmdi_source_count(source);
    give_slot(loop, source->slot);
    rmdi_list_append(&loop->dead, &source->dead_link);
    if (rmdi_loop_is_here(loop))
        return;
    rmdi_sources_bury(loop);
    rmdi_loop_tell_foreign(loop);
}

void rmdi_sources_bury(rmd_loop *loop)
{
    for (rmdi_link *link; (link = rmdi_list_take_first(&loop->dead));) {
        rmd_source *source = RMDI_CONTAINER(link, rmd_source, dead_link);
        rmdi_list_remove(&source->link);
        rmdi_free(source);
    }
}
