/* SPDX-License-Identifier: MIT */
/* The inside of a condition: see <remuda/condition.h>. rmdi_condition is embedded where others
 * need one; zeroed is ready for use. */
#ifndef RMDI_SYNC_CONDITION_H
#define RMDI_SYNC_CONDITION_H

#include "sync/lock.h" /* before the next: it is about the RMD_DEBUG of users */

#include <remuda/condition.h>

typedef struct rmdi_condition {
    rmdi_wait_list waits;
} rmdi_condition;

struct rmd_condition {
    rmdi_condition condition;
    rmd_lock *lock;
};

/* Releases the lock, waits for a notification, acquires the lock again, whatever it returns. 0: it
 * was notified. RMD_ETIMEDOUT; RMD_ECANCELED when the thread's stop token fired; no detail. */
int rmdi_condition_wait(rmdi_condition *condition, rmdi_lock *lock, rmd_deadline deadline)
    RMD_NODISCARD;

/* Wake one, or everybody, who waits. What they wait for was changed with the lock held; it need not
 * be held any more. Never blocks. */
void rmdi_condition_notify_one(rmdi_condition *condition);
void rmdi_condition_notify_all(rmdi_condition *condition);

#endif
