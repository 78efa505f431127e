/* SPDX-License-Identifier: MIT */
/* Makes a failing schedule as ordinary as it can be. */
#ifndef RMDI_EXPLORE_SHRINK_H
#define RMDI_EXPLORE_SHRINK_H

#include "explore/schedule.h"

/* What is explored. */
typedef struct rmdi_subject {
    void (*body)(void *arg);
    void *arg;
    const rmdi_limits *limits;
} rmdi_subject;

/* plan is a list (taken from malloc, as is the result in its place) that leads to `verdict`: takes
 * decisions out of it as long as it still does, at the same place. False: nothing could be taken
 * out. */
bool rmdi_shrink(const rmdi_subject *subject, rmdi_plan *plan, const rmdi_verdict *verdict);

/* The decisions of the last recorded schedule as a plan of its own. False: no memory. */
bool rmdi_plan_recorded(const rmdi_plan *of, rmdi_plan *plan);

#endif
