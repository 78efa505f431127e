/* SPDX-License-Identifier: MIT */
/* What the pool tells about itself.
 *
 * Counts only grow, and each is written by one worker, or by all others together. A task is counted
 * as submitted, then as begun, then as ended, and each of these is a release. They are read in the
 * opposite order, as acquires: who sees it ended sees it begun. So what is queued and what runs, as
 * differences, are never less than nothing, and the sum balances at every moment.
 *
 * Finished
 * --------
 * A drain says that it waits, passes a heavy fence, and compares the sums: finished first, then
 * whether callbacks are due, then submitted. Tasks are submitted by those that have not finished,
 * by callbacks, or before the pool was closed; so if the sums are equal and no callback was due,
 * nothing is left, and nothing will come. Who finishes a task counts it, passes a light fence, and
 * looks whether somebody drains (base/fence.h). If so it passes a full fence before it compares the
 * sums: of two that finish at once, each writing its own count and reading the other's, one sees
 * both. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/fence.h"
#include "exec/failure.h"
#include "exec/threads.h"

#include <stddef.h>
#include <string.h>

/* ---- sums ---- */

/* Of one count of all tallies, by its place. */
static uint64_t sum(rmdi_threads *pool, size_t offset)
{
    uint64_t n = 0;
    for (unsigned i = 0; i <= pool->threads_max; i++) {
        rmdi_tally *tally = i < pool->threads_max ? &pool->workers[i].tally : &pool->others;
        n += rmd_atomic_load((rmd_atomic(uint64_t) *)(void *)((char *)tally + offset), RMD_ACQUIRE);
    }
    return n;
}

#define SUM(pool, member) sum(pool, offsetof(rmdi_tally, member))

void rmdi_threads_census(rmd_pool *base, rmd_census *census)
{
    rmdi_threads *pool = (rmdi_threads *)(void *)base;
    uint64_t ended[RMDI_OUTCOMES], all = 0;
    for (unsigned i = 0; i < RMDI_OUTCOMES; i++)
        all += ended[i] = sum(pool, offsetof(rmdi_tally, ended) + i * sizeof(uint64_t));
    uint64_t begun = SUM(pool, begun), submitted = SUM(pool, submitted);
    *census = (rmd_census){ .submitted = submitted,
                            .ok = ended[RMD_OUTCOME_OK],
                            .failed = ended[RMD_OUTCOME_FAILED],
                            .cancelled = ended[RMD_OUTCOME_CANCELLED],
                            .timeout = ended[RMD_OUTCOME_TIMEOUT],
                            .lost = ended[RMD_OUTCOME_LOST],
                            .dead = ended[RMD_OUTCOME_DEAD],
                            .running = begun - all,
                            .queued = submitted - begun };
}

int rmdi_threads_statistics(rmd_pool *base, rmd_statistics *statistics)
{
    rmdi_threads *pool = (rmdi_threads *)(void *)base;
    rmdi_lock_enter(&pool->crew);
    *statistics = (rmd_statistics){ .workers = pool->pool.workers,
                                    .spares = pool->threads - pool->pool.workers,
                                    .blocked = pool->blocked };
    rmdi_lock_release(&pool->crew);
    rmdi_brief_enter(&pool->injection.in);
    statistics->queued_max = RMD_PLAIN(pool->injection.most);
    rmdi_brief_leave(&pool->injection.in);
    statistics->stolen = SUM(pool, stolen);
    statistics->helped = SUM(pool, helped);
    statistics->in_place = SUM(pool, in_place);
    statistics->parked = SUM(pool, parked);
    statistics->callbacks = SUM(pool, callbacks);
    return 0;
}

/* ---- finished ---- */

bool rmdi_threads_is_finished(rmdi_threads *pool)
{
    uint64_t finished = SUM(pool, finished);
    /* After those whose ends have left callbacks, and before what these have submitted. */
    uint32_t due = rmd_atomic_load(&pool->calls_due, RMD_ACQUIRE);
    return finished == SUM(pool, submitted) && !due;
}

void rmdi_threads_tell_finished(rmdi_threads *pool)
{
    rmdi_fence_light(); /* with the heavy one in threads.c */
    if (!rmd_atomic_load(&pool->draining, RMD_RELAXED))
        return;
    rmd_fence(RMD_SEQ_CST); /* with the same of others: the last two must not overlook each other */
    if (rmdi_threads_is_finished(pool))
        rmdi_wake_all(&pool->finished);
}

/* ---- overlooked failures ---- */

static rmd_future *future_of(rmdi_link *link)
{
    return &RMDI_CONTAINER(link, rmdi_thread_task, link)->future;
}

void rmdi_threads_overlooked_init(rmdi_threads *pool)
{
    rmdi_overlooked_init(&pool->overlooked, future_of);
}

int rmdi_threads_overlooked(rmd_pool *pool, void (*fn)(void *ctx, const rmd_failure *failure),
                            void *ctx, uint64_t *more)
{
    rmdi_overlooked_tell(&((rmdi_threads *)(void *)pool)->overlooked, fn, ctx, more);
    return 0;
}
