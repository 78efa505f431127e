/* SPDX-License-Identifier: MIT */
/* floor: exec */
/* Limits of a task: how long it may wait, run and take in all, and how often it may be tried. They
 * are the same for tasks of all kinds of pools. A limit that is hit is a cancel whose outcome reads
 * RMD_OUTCOME_TIMEOUT: it ends what has not begun at once; what runs is told to stop, or killed
 * where the kind of pool can do that. Never early. */
#ifndef REMUDA_LIMITS_H
#define REMUDA_LIMITS_H

#include <remuda/api.h>

RMD_BEGIN

/* One step of the way to end a program: a signal to its process group, then so much
 * time to obey before the next step. */
typedef struct rmd_kill_step {
    int signal;
    int64_t wait_ms;
} rmd_kill_step;

/* Limits of one task. Times are in milliseconds; 0: no limit. */
typedef struct rmd_limits {
    int64_t queue_ms_max;        /* from submission to the first start; else TIMEOUT */
    int64_t run_ms_max;          /* one attempt; then it is stopped: TIMEOUT */
    int64_t total_ms_max;        /* from submission to the end, all attempts; else TIMEOUT */
    unsigned attempts_max;       /* starts in all, if it fails or times out; 0: one */
    unsigned crashes_max;        /* of processes: it is tried again when its worker dies of it,
                                  * until it has killed so many: then it is LOST, and never tried
                                  * again; 0: one. They are counted apart from attempts_max */
    const rmd_kill_step *ladder; /* of programs and processes: NULL: TERM, 2 s, KILL. A KILL is
                                  * added if missing */
    size_t ladder_len;
} rmd_limits;

RMD_END

#endif
