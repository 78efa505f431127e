/* SPDX-License-Identifier: MIT */
/* Delta debugging (Zeller & Hildebrandt 2002) over the decisions that left the ordinary course.
 * What a decision means depends on those before it, so pieces are tried from the end: what comes
 * before the piece stays as it is. After each success the list is written anew from what was really
 * decided. */
#include "explore/shrink.h"

#include <stdlib.h>
#include <string.h>

enum { TRIES_MAX = 3000 };

bool rmdi_plan_recorded(const rmdi_plan *of, rmdi_plan *plan)
{
    size_t len;
    const rmdi_choice *recorded = rmdi_choice_recorded(&len);
    rmdi_choice *list = malloc((len ? len : 1) * sizeof *list);
    if (!list)
        return false;
    if (len)
        memcpy(list, recorded, len * sizeof *list);
    *plan = *of;
    plan->listed = true;
    plan->list = list;
    plan->list_len = len;
    return true;
}

/* The same failure, so that what is shown is what was found; not another assertion. Of those who
 * wait it is no matter which step was the last. */
static bool is_the_same(const rmdi_verdict *a, const rmdi_verdict *b)
{
    bool placed = a->verdict == RMD_EXPLORE_ASSERTION || a->verdict == RMD_EXPLORE_RACE ||
                  a->verdict == RMD_EXPLORE_FREED;
    return a->verdict == b->verdict && (!placed || a->site == b->site);
}

/* The plan without the piece, if that still fails: takes its place. */
static bool try_without(const rmdi_subject *subject, rmdi_plan *plan, size_t from, size_t len,
                        const rmdi_verdict *wanted)
{
    rmdi_verdict verdict;
    rmdi_plan fewer = *plan, written;
    rmdi_choice *list = malloc(plan->list_len * sizeof *list);
    if (!list)
        return false;
    memcpy(list, plan->list, from * sizeof *list);
    memcpy(list + from, plan->list + from + len, (plan->list_len - from - len) * sizeof *list);
    fewer.list = list;
    fewer.list_len = plan->list_len - len;
    rmdi_choice_record(true);
    rmdi_schedule_run(subject->body, subject->arg, &fewer, subject->limits, &verdict);
    bool shorter = is_the_same(&verdict, wanted) && rmdi_plan_recorded(&fewer, &written);
    free(list);
    if (!shorter)
        return false;
    if (written.list_len >= plan->list_len) {
        free((void *)(uintptr_t)written.list);
        return false;
    }
    free((void *)(uintptr_t)plan->list);
    *plan = written;
    return true;
}

/* Pieces of one size, from the end. True: something went. */
static bool pass(const rmdi_subject *subject, rmdi_plan *plan, size_t size,
                 const rmdi_verdict *wanted, unsigned *tries)
{
    bool any = false;
    for (size_t end = plan->list_len; end > 0 && *tries < TRIES_MAX;) {
        size_t from = end > size ? end - size : 0;
        ++*tries;
        any |= try_without(subject, plan, from, end - from, wanted);
        end = from < plan->list_len ? from : plan->list_len;
    }
    return any;
}

bool rmdi_shrink(const rmdi_subject *subject, rmdi_plan *plan, const rmdi_verdict *verdict)
{
    unsigned tries = 0;
    bool any = false;
    for (size_t size = plan->list_len; size > 0 && tries < TRIES_MAX;) {
        if (size > plan->list_len)
            size = plan->list_len;
        if (size && pass(subject, plan, size, verdict, &tries))
            any = true;
        else
            size /= 2;
    }
    return any;
}
