/* SPDX-License-Identifier: MIT */
/* A processes pool in the explorer: all of it is the real one, but for its loop, which is one in
 * small, and what is beyond it. The template is a few lines here; a worker is a fiber that dies
 * between any two steps, or ends when the pool kills it, and goes round as the one in
 * exec/worker_process.c does, over the real ring. The linker puts what is here in the place of what
 * it is called like: see __wrap_ in processes_stage.c and meson.build. */
#ifndef PROCESSES_STAGE_H
#define PROCESSES_STAGE_H

#include "crew.h"

#include <remuda.h>

enum { STAGE_TASKS = 6, STAGE_WORKERS_MAX = 6 };

typedef struct processes_stage {
    rmd_pool *pool;
    rmd_future *futures[STAGE_TASKS];
    rmd_atomic(uint32_t) begun[STAGE_TASKS]; /* how often, by whichever worker */
    rmd_atomic(int) calls;
    bool has_gate;             /* task 0 goes on when it is open: */
    rmd_atomic(uint32_t) gate; /* 1: it is */
    bool is_cancelled;         /* tasks may be */
    unsigned tries;            /* how often one may be begun; 0: once */
    int tasks_max;             /* a worker retires after so many; 0: never */
} processes_stage;

extern processes_stage processes_stage_;
#define P (&processes_stage_)

/* Opens it. False: it could not be, since a worker died before it was ready; that is all then. */
bool open_processes(const char *kind);
/* Drains and frees it, and looks whether all has been as it should, of so many tasks. */
void close_processes(int tasks);
/* The same when it has been drained. */
void free_processes(int tasks);

/* How many workers have died that nobody has killed. */
unsigned deaths(void);

void open_gate(void);
/* Waits until the task of that number has begun. */
void await_begin(int number);

/* Submits the task of that number. 0, RMD_ECLOSED. */
int call_task(int number, const rmd_task_options *options);
/* Waits for its end, which is looked at. */
void await_task(int number);
rmd_outcome outcome_of(int number);

#endif
