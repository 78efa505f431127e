/* SPDX-License-Identifier: MIT */
/* The inside of a future: what a kind of pool builds its tasks on. */
#ifndef RMDI_EXEC_FUTURE_H
#define RMDI_EXEC_FUTURE_H

#include "base/list.h"
#include "sync/event.h"
#include "sync/lock.h"

#include <remuda/atomics.h>
#include <remuda/future.h>
#include <remuda/group.h>

/* What a kind of pool does for its futures. */
typedef struct rmdi_future_ops {
    int (*cancel)(rmd_future *future);
    /* Arranges that rmdi_future_call_back() runs on the keeper; false when there is no
     * keeper any more. Holds the future meanwhile. */
    bool (*call_later)(rmd_future *future);
    /* How can this thread wait for the end? RMD_EAGAIN: parked. 0: by turn(), because it has
     * to do the work. RMD_EDEADLK: not at all, it would wait for itself. Takes no lock. */
    int (*how_to_wait)(const rmd_future *future);
    /* Turns the loop once; RMD_ETIMEDOUT when the deadline has passed then. */
    int (*turn)(const rmd_future *future, rmd_deadline deadline);
    int64_t (*read)(const rmd_future *future, int stream, uint64_t offset, void *buffer,
                    size_t len);
    void (*destroy)(rmd_future *future); /* the last reference is gone */
} rmdi_future_ops;

/* Embedded in a kind's task. Two references at first: the pool's and the user's. */
struct rmd_future {
    const rmdi_future_ops *ops;
    rmd_atomic(uint32_t) refs;
    rmdi_event ended; /* set when everything in `exit` is complete */
    rmd_exit exit;    /* written before the end, then constant */
    rmdi_lock lock;   /* guards callbacks and called */
    rmdi_link callbacks;
    bool called; /* the round of callbacks at the end has begun */
    uint64_t id;
    uint64_t process; /* rmdi_process_mark() of its owner */
    void *ctx;
    rmd_group *group;
    rmdi_link group_link;
};

void rmdi_future_init(rmd_future *future, const rmdi_future_ops *ops, void *ctx);
void rmdi_future_hold(rmd_future *future);
void rmdi_future_drop(rmd_future *future);

bool rmdi_future_ended(const rmd_future *future);

/* Publishes the end: future->exit is complete. Counts it in its group, wakes all waiters;
 * no callbacks yet. */
void rmdi_future_end(rmd_future *future);

/* Runs the callbacks that are there, without any lock held. On the keeper. */
void rmdi_future_call_back(rmd_future *future);

/* ---- groups ---- */

/* When a task is accepted, and when it ends: publish(future) is called under the group's
 * lock, so that nobody sees the one without the other. */
void rmdi_group_enter(rmd_group *group, rmd_future *future);
void rmdi_group_leave(rmd_future *future, void (*publish)(rmd_future *future));

#endif
