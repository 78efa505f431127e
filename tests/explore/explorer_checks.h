/* SPDX-License-Identifier: MIT */
/* What the checks of the explorer have in common (explorer_*.c). */
#ifndef EXPLORER_CHECKS_H
#define EXPLORER_CHECKS_H

#include "small_lock.h"

static rmd_explore_result result; /* of the last one explored */

static inline int explore(void (*body)(void *arg), rmd_explore_options options)
{
    return check_explore(body, NULL, &options, &result);
}

static inline void nothing(void *arg)
{
    (void)arg;
}

static inline void one_point(void *arg)
{
    (void)arg;
    rmd_explore_point();
}

/* Another thread, which does nothing, or has one point if there is an argument. */
static inline void start_one(void *arg)
{
    rmd_explore_join(rmd_explore_start(arg ? one_point : nothing, NULL, "other"));
}

#endif
