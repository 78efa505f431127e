/* SPDX-License-Identifier: MIT */
/* The inside of an executor: see <remuda/executor.h>, and the head of executor.c. */
#ifndef RMDI_SYNC_EXECUTOR_H
#define RMDI_SYNC_EXECUTOR_H

#include "base/error.h"
#include "base/list.h"
#include "sync/condition.h"
#include "sync/event.h"
#include "sync/lock.h"
#include "sync/stop.h"
#include "sync/thread.h"

#include <remuda/executor.h>

struct rmd_executor {
    rmdi_thread thread;
    rmdi_lock lock;
    rmdi_condition work, room;
    rmdi_event ended; /* the thread's last use, but for its own `done` */
    rmd_stop stop;    /* the token of posts */
    /* guarded by the lock */
    rmdi_link line;  /* of calls and posts that have not begun */
    size_t posts;    /* in the line */
    unsigned inside; /* threads in a call of ours */
    bool closed;
    int refusal;                        /* 0, or what is said to all that have not begun */
    char detail[RMDI_ERROR_DETAIL_MAX]; /* and with these words */
    int start_err;                      /* written before `ended`, by the thread */
    /* guarded by the lock of all waits */
    rmd_executor *waits_for; /* whom its thread calls, or drains; NULL: nobody */
    /* written before there is a thread */
    size_t posts_max;
    int (*start)(void *arg);
    void (*end)(void *arg);
    void *arg;
    void (*dropped)(int (*fn)(void *arg), void *arg);
    uint64_t process;
    bool forked; /* in a child made by fork(): the one thread there was ours */
    char name[];
};

/* In a child made by fork(), on its one thread: which is none of an executor any more. */
void rmdi_executors_forked(void);

#endif
