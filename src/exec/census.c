/* SPDX-License-Identifier: MIT */
#include "exec/census.h"

#include <inttypes.h>
#include <stdio.h>

const char *rmd_outcome_name(rmd_outcome outcome)
{
    static const char *const names[] = {
        [RMD_PENDING] = "pending",         [RMD_OUTCOME_OK] = "ok",
        [RMD_OUTCOME_FAILED] = "failed",   [RMD_OUTCOME_CANCELLED] = "cancelled",
        [RMD_OUTCOME_TIMEOUT] = "timeout", [RMD_OUTCOME_LOST] = "lost",
        [RMD_OUTCOME_DEAD] = "dead",
    };
    return (unsigned)outcome < sizeof names / sizeof *names ? names[outcome] : "unknown";
}

void rmdi_census_add(rmd_census *census, rmd_outcome outcome)
{
    switch (outcome) {
    case RMD_OUTCOME_OK: census->ok++; break;
    case RMD_OUTCOME_FAILED: census->failed++; break;
    case RMD_OUTCOME_CANCELLED: census->cancelled++; break;
    case RMD_OUTCOME_TIMEOUT: census->timeout++; break;
    case RMD_OUTCOME_LOST: census->lost++; break;
    case RMD_OUTCOME_DEAD: census->dead++; break;
    case RMD_PENDING: break;
    }
}

bool rmd_census_balances(const rmd_census *c)
{
    return c->submitted == c->ok + c->failed + c->cancelled + c->timeout + c->lost + c->dead +
                               c->queued + c->running;
}

int rmd_census_format(const rmd_census *c, char *text, size_t size)
{
    const struct {
        uint64_t count;
        const char *name;
    } parts[] = {
        { c->ok, "ok" },           { c->failed, "failed" },   { c->cancelled, "cancelled" },
        { c->timeout, "timeout" }, { c->lost, "lost" },       { c->dead, "dead" },
        { c->queued, "queued" },   { c->running, "running" },
    };
    int used = snprintf(text, size, "%" PRIu64 " submitted =", c->submitted);
    const char *between = " ";
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!parts[i].count)
            continue;
        size_t at = (size_t)used < size ? (size_t)used : size;
        used += snprintf(text + at, size - at, "%s%" PRIu64 " %s", between, parts[i].count,
                         parts[i].name);
        between = " + ";
    }
    if (*between == ' ' && between[1] == 0) {
        size_t at = (size_t)used < size ? (size_t)used : size;
        used += snprintf(text + at, size - at, " 0");
    }
    return used;
}
