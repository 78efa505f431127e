/* SPDX-License-Identifier: MIT */
/* The programs pool from inside: programs.c is its callers' side, on any thread;
 * keeper.c is the keeper's side, on the loop's thread. */
#ifndef RMDI_EXEC_PROGRAMS_H
#define RMDI_EXEC_PROGRAMS_H

#include "exec/attempt.h"
#include "exec/future.h"
#include "exec/guard_watch.h"
#include "exec/kept.h"
#include "exec/pool.h"
#include "loop/timers.h"
#include "sync/condition.h"
#include "sync/thread.h"

typedef struct rmdi_programs rmdi_programs;

typedef enum rmdi_task_state {
    RMDI_TASK_QUEUED,
    RMDI_TASK_RUNNING,
    RMDI_TASK_ENDED
} rmdi_task_state;

typedef struct rmdi_task {
    rmd_future future; /* first */
    rmdi_programs *pool;
    rmdi_command command;
    rmdi_attempt attempt; /* keeper only, until the end */
    rmd_exit account;     /* written before the end, then constant */
    rmdi_buffer tail;     /* storage of account.err_tail */
    /* Guarded by the pool's lock: */
    rmdi_task_state state;
    rmdi_link link; /* in queue or running */
    rmdi_kept_call call;
    bool cancel_wanted; /* while it runs */
    unsigned attempts;  /* started so far */
    rmdi_timer timer;   /* the next limit that it can hit */
    /* On the pool's clock; INT64_MAX: no such limit. */
    int64_t queue_due_ns, run_due_ns, total_due_ns;
} rmdi_task;

struct rmdi_programs {
    rmdi_kept kept; /* first */
    rmdi_attempt_host host;
    rmdi_path_cache programs; /* the keeper's own */

    /* Guarded by the lock: */
    rmdi_link queue, running;
    unsigned queue_max;
    rmd_census census;
    rmdi_timers timers;
    size_t timers_needed;
    /* The keeper's own: */
    rmd_source *timer, *sweep;
    rmdi_guard_watch guard;
    bool sweep_wanted; /* an attempt has ended by itself since the last sweep */
    int64_t sweep_not_before_ns;
    bool starved; /* the system refused a start: wait until something has ended */
};

/* ---- keeper.c ---- */

int rmdi_keeper_open(rmdi_programs *pool);
void rmdi_keeper_kick(void *pool); /* the body of the kick */

/* ---- shared: with the lock held ---- */

/* Arms the task's timer for the nearest of its limits. Returns whether it has one. */
bool rmdi_task_arm(rmdi_task *task);
/* Ends a task that does not run: fills its account. The caller then releases the lock,
 * calls rmdi_task_publish_end() and sees to the callbacks. */
void rmdi_task_end_queued(rmdi_task *task, rmd_outcome outcome, int error, const char *detail);
/* Publishes the end of a task whose account is complete. Without the lock. */
void rmdi_task_publish_end(rmdi_task *task);

#endif
