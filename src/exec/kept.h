/* SPDX-License-Identifier: MIT */
/* A pool with a keeper: one thread with a loop, which does what no caller may wait for, and runs
 * callbacks. What the kinds programs and processes have in common: how one waits for the keeper,
 * suspending, callbacks, and the end of the pool.
 *
 *     typedef struct rmdi_programs {
 *         rmdi_kept kept;                                first
 *         ...
 *     } rmdi_programs;
 *
 * The pool's lock guards all of it but what is said to be constant. The keeper is told by a kick,
 * and looks then at everything. A task's end is published before its callbacks are put in the
 * keeper's hands, and `unfinished` counts it until they have run: so when the pool is drained
 * nothing of any task is still under way. */
#ifndef RMDI_EXEC_KEPT_H
#define RMDI_EXEC_KEPT_H

#include "exec/future.h"
#include "exec/pool.h"
#include "loop/loop.h"
#include "sync/condition.h"
#include "sync/thread.h"

typedef struct rmdi_kept rmdi_kept;

typedef struct rmdi_kept_ops {
    /* As rmd_pool_cancel(). */
    void (*cancel)(rmd_pool *pool, bool queued_only);
    /* What the keeper does when it is kicked. */
    void (*kick)(void *kept);
    /* The keeper is gone: gives back what else the pool holds. */
    void (*let_go)(rmdi_kept *kept);
    /* Sends the signal to all that run. With the lock held, on the thread of the loop. */
    void (*signal)(rmdi_kept *kept, int signal);
    /* Its memory. */
    void (*free)(rmdi_kept *kept);
} rmdi_kept_ops;

struct rmdi_kept {
    rmd_pool pool; /* first */
    const rmdi_kept_ops *ops;
    rmd_atomic(uint32_t) refs; /* of its memory: the user's, and one for each future */
    rmd_loop *loop;            /* NULL when the pool was drained, if it is its own */
    bool own_loop;
    rmdi_thread keeper;
    rmd_atomic(uintptr_t) keeper_id; /* own loop: the keeper's thread */

    rmdi_lock lock;
    rmdi_condition place;   /* in the queue is free, or there will be none: closed */
    rmdi_condition changed; /* everything has ended, or the keeper has gone, or a drain */
    /* Guarded by the lock: */
    uint64_t unfinished; /* accepted, and their callbacks have not all run */
    rmdi_link to_call;   /* rmdi_kept_call, of tasks whose callbacks are to be run */
    bool closed;
    bool quit;     /* nobody will submit or wait any more: the keeper may go */
    bool gone;     /* the keeper has let go of everything */
    bool draining; /* somebody is in drain */
    bool drained;
    bool suspended;              /* wanted */
    bool stopped;                /* SIGSTOP was sent, and the pool's clock stands */
    int64_t stopped_ns, held_ns; /* since when; for how long altogether, before that */

    rmdi_post kick; /* makes the keeper look at all of the above */
};

/* In a task: its callbacks are to be run. */
typedef struct rmdi_kept_call {
    rmdi_link link;
    bool waits; /* it is in to_call */
    rmd_future *future;
} rmdi_kept_call;

static inline rmdi_kept *rmdi_kept_of(rmd_pool *pool)
{
    return (rmdi_kept *)(void *)pool;
}

/* ---- opening ---- */

/* Of zeroed memory. loop: the caller's; NULL: one of its own. */
void rmdi_kept_init(rmdi_kept *kept, const rmdi_pool_ops *pool_ops, const rmdi_kept_ops *ops,
                    const rmdi_pool_request *request);
/* Its loop, if it is to have one of its own. */
int rmdi_kept_open_loop(rmdi_kept *kept);
/* Its thread: the last step. */
int rmdi_kept_start(rmdi_kept *kept, const char *name);
/* Drops a reference of its memory. */
void rmdi_kept_drop(rmdi_kept *kept);

/* ---- who is where; any thread ---- */

/* Are we inside a callback of the pool? */
bool rmdi_kept_on_keeper(rmdi_kept *kept);
/* RMD_EDEADLK if so. */
int rmdi_kept_how_to_wait(rmdi_kept *kept);
/* Turns the caller's own loop, on which the pool lives, once. */
int rmdi_kept_turn(rmdi_kept *kept, rmd_deadline deadline);

/* ---- with the lock held ---- */

/* Makes the keeper look. (Once it is gone so may be the loop.) */
void rmdi_kept_kick(rmdi_kept *kept);
/* Waits, the lock is released and taken again meanwhile, until done() holds: by turning the loop if
 * that is ours to do, else parked on the condition. 0, RMD_ETIMEDOUT, RMD_ECANCELED. */
int rmdi_kept_wait(rmdi_kept *kept, rmdi_condition *condition, bool (*done)(rmdi_kept *kept),
                   rmd_deadline deadline);
/* The clock of the limits: monotonic, but standing while the pool is suspended. */
int64_t rmdi_kept_clock(const rmdi_kept *kept);
/* So many milliseconds from now on it; INT64_MAX for 0, which is no limit. */
int64_t rmdi_kept_due(const rmdi_kept *kept, int64_t ms);
/* A point of that clock on the system's; INT64_MAX also while it stands. */
int64_t rmdi_kept_due_really(const rmdi_kept *kept, int64_t due_ns);
/* The keeper shall run the callbacks of a task, and let go of it. It is counted as unfinished. */
void rmdi_kept_call_later(rmdi_kept *kept, rmdi_kept_call *call);

/* ---- without it ---- */

/* Ops of futures: the callbacks of one that has ended. False: here and now. */
bool rmdi_kept_future_call_later(rmdi_kept *kept, rmdi_kept_call *call);
/* So many tasks are done with. */
void rmdi_kept_finished(rmdi_kept *kept, uint64_t n);

/* ---- on the keeper's thread ---- */

/* Runs the callbacks that are to be run; how many. */
unsigned rmdi_kept_run_callbacks(rmdi_kept *kept);
void rmdi_kept_apply_suspension(rmdi_kept *kept);
/* The end of it: nothing that it watches is left. */
void rmdi_kept_leave(rmdi_kept *kept);

/* ---- ops of pools ---- */

void rmdi_kept_close(rmd_pool *pool);
int rmdi_kept_drain(rmd_pool *pool, rmd_deadline deadline);
int rmdi_kept_abort(rmd_pool *pool, rmd_deadline deadline);
int rmdi_kept_suspend(rmd_pool *pool, bool suspend);
int rmdi_kept_free(rmd_pool *pool);
/* Also for a pool that could not be opened after all: nothing of it is accepted yet. */
void rmdi_kept_dismiss(rmdi_kept *kept);

#endif
