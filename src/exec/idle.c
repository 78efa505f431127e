/* SPDX-License-Identifier: MIT */
/* Why no work is left lying while workers sleep
 * ---------------------------------------------
 * Who is about to sleep enters the list, ends its search, passes a fence, and looks once more
 * whether there is anything to be found; only then it sleeps. Who has something lets it be found,
 * passes a fence, and looks whether anybody searches, and whether anybody sleeps. Both fences are
 * sequentially consistent, so one of the two sees the other:
 *   - If the sleeper's look comes to nothing, the teller sees it in the list, and that it does
 *     not search; it wakes somebody, this one or another, unless somebody else searches.
 *   - Somebody who searches has yet to end it. Either it does so to sleep, and looks once more
 *     after the fence: then it finds what there is. Or it has found something, this or another
 *     thing; then, if nobody else searches, it passes a fence, too, looks whether there is more,
 *     and tells.
 * So one search is on its way as long as there is something and somebody sleeps, and a burst of a
 * thousand tells costs one wake-up and not a thousand; the woken wake each other, as long as
 * there is more than they can do.
 *
 * Who is woken searches from the moment it was fired, before it runs: the next teller wakes
 * nobody for the same thing. It is counted by the one who fires it, in the list's brief section.
 * The one who was about to sleep, and then found something itself, searches again, fired
 * meanwhile or not: of two things a teller may have seen it search, and so woken nobody; it takes
 * one, and then has to tell of the other.
 *
 * The last to have gone to sleep is the first to be woken: its caches are the warmest.
 *
 * Source: D. Vyukov's eventcount, and the wake-up rule of Go's scheduler (runtime/proc.go,
 * "Worker thread parking/unparking"). (Not base/fence.h: who has found something would have to
 * pass the heavy one, for each burst.) */
#include "exec/idle.h"

/* With the list entered, which is left. */
static void wake_one(rmdi_idle *idle)
{
    rmdi_waker waker;
    if (rmdi_wait_list_fire(&idle->sleepers, NULL, &waker))
        /* Relaxed: the brief lock orders it for the woken, and for others it is a hint that is true
         * from now on. */
        rmd_atomic_add(&idle->searching, 1, RMD_RELAXED);
    rmdi_wait_list_leave(&idle->sleepers);
    rmdi_waker_wake(&waker);
}

bool rmdi_idle_tell(rmdi_idle *idle)
{
    rmd_fence(RMD_SEQ_CST); /* with those in rmdi_idle_found() and rmdi_idle_sleep() */
    if (rmd_atomic_load(&idle->searching, RMD_RELAXED))
        return true;
    if (!rmdi_wait_list_waits(&idle->sleepers))
        return false;
    rmdi_wait_list_enter(&idle->sleepers);
    /* Another teller may have woken one since. */
    if (rmd_atomic_load(&idle->searching, RMD_RELAXED))
        rmdi_wait_list_leave(&idle->sleepers);
    else
        wake_one(idle);
    return true;
}

void rmdi_idle_tell_all(rmdi_idle *idle)
{
    rmdi_wait_list_enter(&idle->sleepers);
    /* Relaxed: as above. Those that are over already count themselves out. */
    uint32_t n = rmd_atomic_load(&idle->sleepers.count, RMD_RELAXED);
    rmd_atomic_add(&idle->searching, n, RMD_RELAXED);
    rmdi_wait_list_leave_all(&idle->sleepers);
}

bool rmdi_idle_search(rmdi_idle *idle, uint32_t limit)
{
    if (rmd_atomic_load(&idle->searching, RMD_RELAXED) >= limit)
        return false;
    rmd_atomic_add(&idle->searching, 1, RMD_RELAXED); /* a hint to others until it ends */
    return true;
}

bool rmdi_idle_found(rmdi_idle *idle)
{
    bool last = rmd_atomic_sub(&idle->searching, 1, RMD_RELAXED) == 1;
    if (last)
        rmd_fence(RMD_SEQ_CST); /* with that of a teller who has still seen us search */
    return last;
}

void rmdi_idle_sleep(rmdi_idle *idle, bool searching, bool (*find_none)(void *ctx), void *ctx)
{
    rmdi_waiter waiter;
    rmdi_wait wait;
    rmdi_waiter_init(&waiter, false);
    rmdi_wait_list_enter(&idle->sleepers);
    rmdi_wait_list_add_first(&idle->sleepers, &wait, &waiter, 0);
    rmdi_wait_list_leave(&idle->sleepers);
    if (searching)
        rmd_atomic_sub(&idle->searching, 1, RMD_RELAXED); /* ordered by the fence */
    rmd_fence(RMD_SEQ_CST);                               /* with that in rmdi_idle_tell() */
    if (find_none(ctx))
        (void)rmdi_waiter_sleep(&waiter, RMD_FOREVER);
    rmdi_wait_list_remove(&idle->sleepers, &wait);
    if (!RMD_PLAIN(wait.taken)) /* else whoever has fired it has counted it */
        rmd_atomic_add(&idle->searching, 1, RMD_RELAXED); /* ends by rmdi_idle_found() at least */
}
