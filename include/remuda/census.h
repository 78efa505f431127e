/* SPDX-License-Identifier: MIT */
/* floor: exec */
/* The census: what became of every task. It always balances: nothing is lost. */
#ifndef REMUDA_CENSUS_H
#define REMUDA_CENSUS_H

#include <remuda/api.h>

RMD_BEGIN

/* How a task ended. */
typedef enum rmd_outcome {
    RMD_PENDING = 0,       /* it has not ended */
    RMD_OUTCOME_OK,        /* it ran and succeeded */
    RMD_OUTCOME_FAILED,    /* it ran and failed, or could not be started */
    RMD_OUTCOME_CANCELLED, /* it was stopped, or never started, because somebody asked */
    RMD_OUTCOME_TIMEOUT,   /* it was stopped, or never started, because of a limit */
    RMD_OUTCOME_LOST,      /* its worker is gone and what it did is not known */
    RMD_OUTCOME_DEAD,      /* a service gave it up after too many attempts */
} rmd_outcome;

/* "ok", "failed", "cancelled", "timeout", "lost", "dead"; "pending" before the end.
 * Static storage. */
RMD_API const char *rmd_outcome_name(rmd_outcome outcome);

typedef struct rmd_census {
    uint64_t submitted; /* accepted tasks */
    uint64_t ok, failed, cancelled, timeout, lost, dead;
    uint64_t queued, running; /* not ended yet */
} rmd_census;

/* Does submitted equal the sum of all the others? */
RMD_API bool rmd_census_balances(const rmd_census *census);

/* Writes one line without a newline, as "7 submitted = 5 ok + 2 failed", naming only
 * what is not zero; cut at size. Returns the length it would have, like snprintf. */
RMD_API int rmd_census_format(const rmd_census *census, char *text, size_t size);

RMD_END

#endif
