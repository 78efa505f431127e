/* SPDX-License-Identifier: MIT */
/* --halt: when a run stops early, and with which exit status a run ends. Pure logic. */
#ifndef RMDI_JOB_HALT_H
#define RMDI_JOB_HALT_H

#include <remuda/api.h>

typedef enum rmdi_halt_verdict {
    RMDI_HALT_GO_ON,
    RMDI_HALT_SOON, /* start nothing new, let the running ones finish */
    RMDI_HALT_NOW,  /* and kill those */
} rmdi_halt_verdict;

typedef enum rmdi_halt_event {
    RMDI_HALT_NEVER,
    RMDI_HALT_FAIL,
    RMDI_HALT_SUCCESS,
    RMDI_HALT_DONE,
} rmdi_halt_event;

/* Zeroed is "never", and how runs without --halt are counted. */
typedef struct rmdi_halt {
    rmdi_halt_verdict when; /* SOON or NOW; without meaning when on is NEVER */
    rmdi_halt_event on;
    bool percent;
    uint64_t threshold; /* tasks, or percent of all tasks */

    uint64_t completed, failed; /* so far */
    bool reached;
    int status; /* of the run; once reached */
} rmdi_halt;

/* never | (now|soon),(fail|success|done)=(N|N%), where , and = may stand for each other, and the
 * old spellings 0 1 2 -1 -2 N%. Sets *halt anew. RMD_EINVAL with a detail that tells what is
 * accepted. */
RMD_NODISCARD int rmdi_halt_parse(rmdi_halt *halt, const char *text);

/* How a task ended for good (after its retries). All zero: it succeeded. */
typedef struct rmdi_halt_end {
    int exit_value;
    int signal;     /* that killed it; 0: none */
    bool timed_out; /* counts as failed, whatever its exit value */
    bool lost;      /* never ran to an end for another cause: failed, status 255 */
} rmdi_halt_end;

/* Counts a finished task and says how to go on; once it was reached the answer stays. total is
 * the number of all tasks of the run, UINT64_MAX while it is not known: a limit in percent
 * cannot be reached before it is. */
rmdi_halt_verdict rmdi_halt_finished(rmdi_halt *halt, const rmdi_halt_end *end, uint64_t total);

/* The exit status of the run as it stands: 0 to 255. started: how many tasks were started. */
int rmdi_halt_status(const rmdi_halt *halt, uint64_t started);

#endif
