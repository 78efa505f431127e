/* SPDX-License-Identifier: MIT */
#include "exec/failure.h"

#include "base/alloc.h"

#include <stddef.h>

const char rmdi_cancelled_unstarted[] = "cancelled before it started";
const char rmdi_late_in_queue[] = "it waited too long for its start";
const char rmdi_late_in_all[] = "its time was over before it could start";
static const char nothing[] = "";
static const char no_memory[] = "there was no memory for what it said";

static const char *const kept[] = { rmdi_cancelled_unstarted, rmdi_late_in_queue, rmdi_late_in_all,
                                    nothing, no_memory };

const char *rmdi_failure_take(const char *detail)
{
    if (!detail || !*detail)
        return nothing;
    const char *copy = rmdi_strdup(detail);
    return copy ? copy : no_memory;
}

void rmdi_failure_free(const char *detail)
{
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (detail == kept[i])
            return;
    rmdi_free((char *)(size_t)detail);
}
