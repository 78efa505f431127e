/* SPDX-License-Identifier: MIT */
/* Calls a function when a time has come: for the limits of tasks. One thread for all of them,
 * started when the first is armed; it sleeps until the earliest and is woken only for an earlier
 * one. Arming and disarming is a few steps under a lock; no memory is taken.
 *
 *     struct task { ...; rmdi_due limit; };                      zeroed
 *     err = rmdi_deadlines_arm(&deadlines, &task->limit, due_ns, time_is_up);
 *     ...
 *     if (!rmdi_deadlines_disarm(&deadlines, &task->limit))
 *         ...                          time_is_up() is being called, or was: it does the rest
 *
 * Any thread may call these, fn too unless it says otherwise. In a child made by fork() they are
 * not to be used. */
#ifndef RMDI_EXEC_DEADLINES_H
#define RMDI_EXEC_DEADLINES_H

#include "exec/due_heap.h"
#include "sync/lock.h"
#include "sync/thread.h"

/* Embedded in what has a limit, zeroed before its first use, and then the keeper's until it is
 * neither armed nor being called. */
typedef struct rmdi_due {
    rmdi_due_link link;
    void (*fn)(struct rmdi_due *due);
    uint64_t id;       /* differs between all that ever were armed; 0: it was not */
    uint32_t unwanted; /* so many wait for the end of its call; it is not armed meanwhile */
    bool armed;
} rmdi_due;

typedef struct rmdi_deadlines {
    rmdi_lock lock; /* guards all the rest, and the dues */
    rmdi_due_link *first;
    uint64_t last_id;
    uint64_t called;     /* id of the due whose fn is being called; 0: none is */
    int64_t sleeps_till; /* the thread sleeps, and no earlier due has been seen; else INT64_MIN */
    rmdi_wait_list sleeper; /* the thread, when there is nothing to do */
    rmdi_wait_list ends;    /* those who wait for the end of a call */
    uintptr_t self;         /* the thread's; 0: it has not got there */
    rmdi_thread thread;
    bool started, closing;
    char name[16];
} rmdi_deadlines;

/* Makes it ready; starts no thread. name is copied, at most 15 bytes. Returns 0. */
int rmdi_deadlines_open(rmdi_deadlines *deadlines, const char *name);

/* Has fn(due) called once, on the thread of *deadlines, as soon as CLOCK_MONOTONIC has reached
 * due_ns, and never before. *due is borrowed until then; if it is armed already, this is instead of
 * that. INT64_MAX is never: it is disarmed.
 *
 * fn is called without a lock and must be short: others wait for their turn. It may arm its due
 * again, or free it; after the call it is not used unless it was armed again.
 *
 * Errors: RMD_EAGAIN, RMD_ENOMEM when the thread cannot be started, so not after one that was armed
 * for less than for ever; *due is as it was then. Never blocks. */
int rmdi_deadlines_arm(rmdi_deadlines *deadlines, rmdi_due *due, int64_t due_ns,
                       void (*fn)(rmdi_due *due)) RMD_NODISCARD;

/* Has fn not called any more. True: it was armed, and fn has not begun. False: fn has been called,
 * or is being called right now (if it has been armed again meanwhile, that is taken back, too); or
 * it was not armed. Never blocks. */
bool rmdi_deadlines_disarm(rmdi_deadlines *deadlines, rmdi_due *due);

/* The same, and returns when fn is not running: then *due may be freed. Until then it cannot be
 * armed: that is forgotten. fn is one that does not free it; called in fn itself this does not
 * wait. Blocks for as long as fn takes, whatever the stop token says. */
bool rmdi_deadlines_disarm_wait(rmdi_deadlines *deadlines, rmdi_due *due);

/* Ends the thread, and waits for that. Nothing is armed, nobody else calls any of these, and this
 * is not fn. */
void rmdi_deadlines_close(rmdi_deadlines *deadlines);

#endif
