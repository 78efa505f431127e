/* SPDX-License-Identifier: MIT */
/* Where workers sleep that have found nothing to do: an eventcount. See the head of idle.c. */
#ifndef RMDI_EXEC_IDLE_H
#define RMDI_EXEC_IDLE_H

#include "sync/queue.h" /* for RMDI_LINE_BYTES */
#include "sync/waiter.h"

/* Zeroed: nobody sleeps, nobody searches. */
typedef struct rmdi_idle {
    rmdi_wait_list sleepers;
    char line
        [RMDI_LINE_BYTES]; /* it changes far more seldom than the next, and both are read by all */
    rmd_atomic(uint32_t) searching; /* who is awake, looks for work and has found none yet, and who
                                     * has been woken to do so */
} rmdi_idle;

/* There is something to be found: to be called after it can be. Wakes one who sleeps, if there is
 * one and nobody searches. A few loads otherwise. False: nobody sleeps, and nobody searches. */
bool rmdi_idle_tell(rmdi_idle *idle);

/* Wakes all, to look at something else. */
void rmdi_idle_tell_all(rmdi_idle *idle);

/* Begins to search; false: enough others do, as many as `limit`. Who searches ends it by one of the
 * two that follow. */
bool rmdi_idle_search(rmdi_idle *idle, uint32_t limit);

/* Found something. True: nobody searches any more, so that the caller must tell if there may be
 * more. */
bool rmdi_idle_found(rmdi_idle *idle);

/* Sleeps until told, if find_none(ctx) says, after it has been announced, that there is still
 * nothing to be found. searching: the caller searches, and ends it. When it returns, the caller
 * searches. */
void rmdi_idle_sleep(rmdi_idle *idle, bool searching, bool (*find_none)(void *ctx), void *ctx);

#endif
