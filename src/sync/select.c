/* SPDX-License-Identifier: MIT */
/* One waiter with an entry in the list of each thing. Whatever fires it first is chosen; the others
 * find that it is over and wake somebody else instead (waiter.c), so a select takes one wake-up and
 * no more. Descriptors have no list: the sleeper looks at them itself. */
#include "sync/select.h"

#include "base/error.h"
#include "port/forked.h"
#include "sync/descriptor.h"
#include "sync/event.h"
#include "sync/stop.h"
#include "sync/thread.h"

typedef struct selection {
    const rmd_waitable *what;
    size_t n;
    size_t added; /* entries before this one are to be removed */
    bool at_once; /* the one that fired was found ready when its entry was to be added */
    rmdi_waiter waiter;
    rmdi_fd_sleeper fds;
    rmdi_wait waits[RMD_SELECT_MAX];
} selection;

/* ---- what can be waited for ---- */

static bool event_take(const rmd_waitable *what)
{
    return rmdi_event_is_set(what->object);
}

static bool event_add(const rmd_waitable *what, rmdi_wait *wait, rmdi_waiter *waiter,
                      uint32_t index)
{
    return rmdi_event_add(what->object, wait, waiter, index);
}

static void event_remove(const rmd_waitable *what, rmdi_wait *wait)
{
    rmdi_wait_list_remove(&((rmdi_event *)what->object)->waits, wait);
}

static const rmdi_waitable_ops event_ops = {
    .take = event_take,
    .add = event_add,
    .remove = event_remove,
};

rmd_waitable rmd_event_waitable(rmd_event *event)
{
    return (rmd_waitable){ .ops = &event_ops, .object = event ? &event->event : NULL };
}

rmd_waitable rmd_thread_waitable(rmd_thread *thread)
{
    bool ours = thread && rmdi_process_is(thread->process);
    return (rmd_waitable){ .ops = &event_ops, .object = ours ? &thread->ended : NULL };
}

static bool stop_take(const rmd_waitable *what)
{
    return rmd_stop_requested(what->object);
}

static bool stop_add(const rmd_waitable *what, rmdi_wait *wait, rmdi_waiter *waiter, uint32_t index)
{
    return rmdi_stop_add(what->object, wait, waiter, index);
}

static void stop_remove(const rmd_waitable *what, rmdi_wait *wait)
{
    rmdi_wait_list_remove(&((rmd_stop *)what->object)->waits, wait);
}

static const rmdi_waitable_ops stop_ops = {
    .take = stop_take,
    .add = stop_add,
    .remove = stop_remove,
};

rmd_waitable rmd_stop_waitable(rmd_stop *stop)
{
    return (rmd_waitable){ .ops = &stop_ops, .object = stop };
}

static const rmdi_waitable_ops fd_ops; /* has no list */

rmd_waitable rmd_fd_waitable(int fd, unsigned events)
{
    return (rmd_waitable){ .ops = &fd_ops, .fd = fd, .events = events };
}

static bool is_fd(const rmd_waitable *what)
{
    return what->ops == &fd_ops;
}

/* ---- selecting ---- */

static int prepare(selection *s)
{
    int err = 0;
    rmdi_fd_sleeper_init(&s->fds);
    for (size_t i = 0; i < s->n && err == 0; i++) {
        const rmd_waitable *w = &s->what[i];
        if (w->ops && is_fd(w))
            err = rmdi_fd_sleeper_add(&s->fds, w->fd, w->events, (uint32_t)i);
        else if (!w->ops || !w->object)
            err = rmdi_fail(RMD_EINVAL, "select: number %zu is not something to wait for", i);
    }
    return err;
}

/* The first that is ready; RMD_EAGAIN: none. */
static int look(selection *s)
{
    unsigned k = 1;
    int err = rmdi_fd_sleeper_look(&s->fds);
    for (size_t i = 0; i < s->n && err == 0; i++)
        if (is_fd(&s->what[i]) ? s->fds.fds[k++].revents != 0 : s->what[i].ops->take(&s->what[i]))
            return (int)i;
    return err < 0 ? err : RMD_EAGAIN;
}

/* Until one is found ready. */
static void add_entries(selection *s)
{
    s->at_once = false;
    for (s->added = 0; s->added < s->n && !s->at_once; s->added++) {
        size_t i = s->added;
        const rmd_waitable *w = &s->what[i];
        if (!is_fd(w) && !w->ops->add(w, &s->waits[i], &s->waiter, (uint32_t)i))
            s->at_once = rmdi_waiter_fire_itself(&s->waiter, (uint32_t)i);
    }
}

static void remove_entries(selection *s)
{
    for (size_t i = 0; i < s->added; i++)
        if (!is_fd(&s->what[i]))
            s->what[i].ops->remove(&s->what[i], &s->waits[i]);
}

/* Sleeps once. The index of the one that fired, or an error. */
static int sleep_once(selection *s, rmd_deadline deadline)
{
    size_t fds = s->fds.n - 1;
    rmdi_waiter_init(&s->waiter, true);
    int err = fds ? rmdi_fd_sleeper_open(&s->fds, &s->waiter, fds == s->n) : 0;
    if (err < 0)
        return err;
    add_entries(s);
    err = rmdi_waiter_sleep(&s->waiter, deadline);
    remove_entries(s);
    rmdi_fd_sleeper_close(&s->fds);
    if (err < 0)
        return rmdi_fail(err, "select: none of %zu was ready", s->n);
    return s->fds.err ? s->fds.err : err;
}

/* Has what fired really something to give? */
static bool claim(selection *s, int index)
{
    const rmd_waitable *w = &s->what[index];
    return !w->ops->claim || w->ops->claim(w, s->at_once ? NULL : &s->waits[index]);
}

int rmd_select(const rmd_waitable *what, size_t n, rmd_deadline deadline)
{
    if (n > RMD_SELECT_MAX)
        return rmdi_fail(RMD_E2BIG, "select: %zu things, the limit is %d", n, RMD_SELECT_MAX);
    if (!what && n)
        return rmdi_fail(RMD_EINVAL, "select: nothing to wait for was given");
    selection s;
    s.what = what;
    s.n = n;
    int err = prepare(&s);
    if (err == 0)
        err = look(&s);
    if (err == RMD_EAGAIN && deadline.ns <= 0)
        return rmdi_fail(RMD_ETIMEDOUT, "select: none of %zu was ready", n);
    while (err == RMD_EAGAIN) {
        err = sleep_once(&s, deadline);
        if (err >= 0 && !claim(&s, err))
            err = RMD_EAGAIN;
    }
    return err;
}
