/* SPDX-License-Identifier: MIT */
#include "sync/stop.h"

#include "base/alloc.h"
#include "base/error.h"

int rmd_stop_open(rmd_stop **stop)
{
    if (!stop)
        return rmdi_fail(RMD_EINVAL, "stop: no place for the token was given");
    *stop = rmdi_alloc_zeroed(sizeof **stop);
    return *stop ? 0 : rmdi_fail_memory();
}

bool rmdi_stop_busy(rmd_stop *stop)
{
    return rmdi_wait_list_busy(&stop->waits);
}

int rmd_stop_free(rmd_stop *stop)
{
    if (stop && rmdi_stop_busy(stop))
        return rmdi_fail(RMD_EBUSY, "a thread sleeps that this stop token would wake");
    rmdi_free(stop);
    return 0;
}

int rmd_stop_request(rmd_stop *stop)
{
    if (!stop)
        return rmdi_fail(RMD_EINVAL, "request: no stop token was given");
    rmdi_wait_list_enter(&stop->waits);
    /* Release: what was written before the request is seen by whoever sees it, as
     * rmd_stop_requested() needs no lock. */
    rmd_atomic_store(&stop->requested, 1, RMD_RELEASE);
    rmdi_wait_list_leave_all(&stop->waits);
    return 0;
}

bool rmd_stop_requested(const rmd_stop *stop)
{
    return stop && rmd_atomic_load(&stop->requested, RMD_ACQUIRE);
}

bool rmdi_stop_add(rmd_stop *stop, rmdi_wait *wait, rmdi_waiter *waiter, uint32_t index)
{
    rmdi_wait_not_added(wait);
    rmdi_wait_list_enter(&stop->waits);
    bool requested = rmd_stop_requested(stop);
    if (!requested)
        rmdi_wait_list_add(&stop->waits, wait, waiter, index);
    rmdi_wait_list_leave(&stop->waits);
    return !requested;
}
