/* SPDX-License-Identifier: MIT */
/* The owner's side of the guard: one for all programs pools of the process. */
#ifndef RMDI_EXEC_GUARD_H
#define RMDI_EXEC_GUARD_H

#include <remuda/atomics.h>
#include <stdbool.h>
#include <sys/types.h>

/* Starts the guard if it is not there and holds it. RMD_EGUARD with a detail that names
 * the cure, RMD_EMFILE, RMD_ENOMEM. Every success needs one rmdi_guard_drop(); the last
 * one ends the guard and waits for its end (about a millisecond). */
int rmdi_guard_hold(void);
void rmdi_guard_drop(void);

/* The guard's process, to be watched; when it has ended, rmdi_guard_revive() starts another
 * one (once for all who noticed). dead is the one that ended, or 0: then it only starts one
 * when there is none, because that failed before. RMD_EGUARD when it dies again and again:
 * not for 10 s; other errors as rmdi_guard_hold. */
pid_t rmdi_guard_pid(void);
int rmdi_guard_revive(pid_t dead);

/* Guards that are started from now on keep this descriptor open, too (-1: none): a lock on it
 * that is not given back lasts until everything of ours has ended, however we end. Borrowed. */
void rmdi_guard_lend(int fd);

/* Lists an attempt that is about to start: a new number for it and its slot. RMD_EFULL
 * when all slots are taken. */
int rmdi_guard_enter(uint64_t *number, uint32_t *slot);
void rmdi_guard_set_group(uint32_t slot, pid_t group);
/* Call it before the group's leader is reaped. */
void rmdi_guard_leave(uint32_t slot);

/* Is the attempt with this number listed? */
bool rmdi_guard_is_listed(uint64_t number);

/* This process in attempt ids; valid while the guard is held. */
const char *rmdi_guard_instance(void);

/* Noted by rmd_start(): our own executable can be the guard. */
void rmdi_guard_use_self(void);
bool rmdi_guard_uses_self(void);

#endif
