/* SPDX-License-Identifier: MIT */
/* The flag is set, and everybody who waits is fired, in one section of the list's brief lock: they
 * return for having been fired and do not look at the flag again, so it may be cleared at once. */
#include "sync/event.h"

#include "base/alloc.h"
#include "base/error.h"

void rmdi_event_set(rmdi_event *event)
{
    rmdi_wait_list_enter(&event->waits);
    /* Release: what we wrote is seen by whoever passes without entering the list. */
    rmd_atomic_store(&event->is_set, 1, RMD_RELEASE);
    rmdi_wait_list_leave_all(&event->waits);
}

void rmdi_event_clear(rmdi_event *event)
{
    /* Relaxed: it publishes nothing. */
    rmd_atomic_store(&event->is_set, 0, RMD_RELAXED);
}

bool rmdi_event_is_set(const rmdi_event *event)
{
    return rmd_atomic_load(&event->is_set, RMD_ACQUIRE);
}

bool rmdi_event_add(rmdi_event *event, rmdi_wait *wait, rmdi_waiter *waiter, uint32_t index)
{
    rmdi_wait_not_added(wait);
    rmdi_wait_list_enter(&event->waits);
    bool is_set = rmdi_event_is_set(event);
    if (!is_set)
        rmdi_wait_list_add(&event->waits, wait, waiter, index);
    rmdi_wait_list_leave(&event->waits);
    return !is_set;
}

static int wait_asleep(rmdi_event *event, rmd_deadline deadline)
{
    rmdi_waiter waiter;
    rmdi_wait wait;
    rmdi_waiter_init(&waiter, true);
    if (!rmdi_event_add(event, &wait, &waiter, 0))
        return 0;
    int err = rmdi_waiter_sleep(&waiter, deadline);
    rmdi_wait_list_remove(&event->waits, &wait);
    return err;
}

int rmdi_event_wait(rmdi_event *event, rmd_deadline deadline)
{
    return rmdi_event_is_set(event) ? 0 : wait_asleep(event, deadline);
}

bool rmdi_event_busy(rmdi_event *event)
{
    return rmdi_wait_list_busy(&event->waits);
}

/* ---- the public event ---- */

int rmd_event_open(rmd_event **event)
{
    if (!event)
        return rmdi_fail(RMD_EINVAL, "event: no place for it was given");
    *event = rmdi_alloc_zeroed(sizeof **event);
    return *event ? 0 : rmdi_fail_memory();
}

int rmd_event_free(rmd_event *event)
{
    if (event && rmdi_event_busy(&event->event))
        return rmdi_fail(RMD_EBUSY, "a thread waits for the event");
    rmdi_free(event);
    return 0;
}

int rmd_event_set(rmd_event *event)
{
    if (!event)
        return rmdi_fail(RMD_EINVAL, "set: no event was given");
    rmdi_event_set(&event->event);
    return 0;
}

int rmd_event_clear(rmd_event *event)
{
    if (!event)
        return rmdi_fail(RMD_EINVAL, "clear: no event was given");
    rmdi_event_clear(&event->event);
    return 0;
}

bool rmd_event_is_set(const rmd_event *event)
{
    return event && rmdi_event_is_set(&event->event);
}

int rmd_event_wait(rmd_event *event, rmd_deadline deadline)
{
    if (!event)
        return rmdi_fail(RMD_EINVAL, "wait: no event was given");
    int err = rmdi_event_wait(&event->event, deadline);
    return err < 0 ? rmdi_fail(err, "the event was not set") : 0;
}
