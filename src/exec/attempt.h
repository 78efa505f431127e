/* SPDX-License-Identifier: MIT */
/* One attempt: an external program from its start until nothing of it is left. All of
 * it happens on one loop's thread. */
#ifndef RMDI_EXEC_ATTEMPT_H
#define RMDI_EXEC_ATTEMPT_H

#include "exec/clearing.h"
#include "exec/command.h"
#include "exec/path.h"
#include "exec/spool.h"
#include "loop/loop.h"
#include "port/pidfd.h"

#include <remuda/census.h>

enum { RMDI_DETAIL_MAX = 200, RMDI_READ_MAX = 64 * 1024 };

/* Why it is being stopped, if it is. */
typedef enum rmdi_stop {
    RMDI_STOP_NONE,
    RMDI_STOP_CANCEL,
    RMDI_STOP_TIMEOUT,
    RMDI_STOP_ERROR, /* its output cannot be kept */
} rmdi_stop;

typedef struct rmdi_attempt rmdi_attempt;

/* What all attempts of a pool share; borrowed by each. */
typedef struct rmdi_attempt_host {
    rmd_loop *loop;
    rmdi_spill *spill;
    char **envp;               /* the pool's environment */
    char *outer_id;            /* the attempt that the owner itself is part of, or NULL */
    char *scratch;             /* RMDI_READ_MAX bytes to read into */
    int null;                  /* /dev/null */
    rmdi_path_cache *programs; /* where the last one was found */
    bool quick; /* the last one ended soon and wrote little: as the next one will, perhaps */
    void (*ended)(void *task, rmdi_attempt *attempt);
} rmdi_attempt_host;

struct rmdi_attempt {
    const rmdi_attempt_host *host;
    const rmdi_command *command; /* borrowed until the end */
    void *task;                  /* given to host->ended */
    unsigned ordinal;            /* which attempt of its task, from 1 */

    uint64_t number; /* in the guard's table */
    uint32_t slot;
    pid_t pid;    /* 0: not started */
    int pidfd;    /* of a started one, until its source takes it over */
    bool started; /* the program was started, whatever came of it */
    rmd_source *child;
    int pipes[3]; /* our ends: stdin's to write, the others to read; -1: none */
    rmd_source *watches[3];
    size_t input_done;    /* bytes of stdin written */
    rmdi_spool spools[3]; /* [1] and [2] */

    rmdi_stop stop;
    size_t step; /* of the kill ladder */
    rmd_source *ladder;
    rmdi_clearing clearing; /* the program has ended, what is left of the attempt is being ended */

    /* The result. */
    rmd_outcome outcome;
    int error;
    char detail[RMDI_DETAIL_MAX];
    rmdi_child_end end;
    int64_t started_ns, started_realtime_ns, executed_ns, exited_ns, ended_ns;
};

/* Prepares an attempt whose memory is zeroed or was freed by rmdi_attempt_free. */
void rmdi_attempt_init(rmdi_attempt *attempt, const rmdi_attempt_host *host,
                       const rmdi_command *command, void *task, unsigned ordinal);

/* Starts it. On success host->ended(task, attempt) is called once, later, from the
 * loop. On failure (the program cannot be executed, a file not opened, RMD_EAGAIN,
 * RMD_EMFILE, RMD_ENOMEM) nothing runs, and the result says why; attempt->started tells
 * whether it ran for a moment all the same. */
int rmdi_attempt_start(rmdi_attempt *attempt);

/* The same failure without an attempt to start it. Returns err. */
int rmdi_attempt_refuse(rmdi_attempt *attempt, int err);

/* Begins to end it: the first step of the kill ladder. Nothing happens when it is being
 * stopped already, or has ended and only waits to be noticed: then what it did counts. */
void rmdi_attempt_stop(rmdi_attempt *attempt, rmdi_stop why);

/* SIGSTOP or SIGCONT to its group. */
void rmdi_attempt_signal(rmdi_attempt *attempt, int signal);

/* Gives back what the outputs hold. Only before a start or after the end. */
void rmdi_attempt_free(rmdi_attempt *attempt);

#endif
