/* SPDX-License-Identifier: MIT */
/* What the harnesses of the ring have in common (exec_ring*.c): its owner in small, with one lock
 * for all that its threads know, as the pool's; a worker that looks at what it gets; and an end at
 * which each task has been done once, or taken back. */
#ifndef RING_STAGE_H
#define RING_STAGE_H

#include "crew.h"
#include "exec/ring.h"
#include "sync/brief.h"

enum { RING_TASKS = 6 };

typedef enum ring_fate { RING_OPEN, RING_DONE, RING_TAKEN_BACK, RING_LOST } ring_fate;

/* Memory that is freed when the last who uses it has let go, as rmdi_ring_share. */
typedef struct ring_share {
    rmd_atomic(uint32_t) refs;
    unsigned sleepers; /* guarded by the lock */
    rmdi_ring_memory *memory;
    void *block; /* where it lies */
} ring_share;

typedef struct ring_task {
    rmd_atomic(uint32_t) *after;  /* it goes on when this is set; NULL: it does not wait */
    rmd_atomic(uint32_t) is_over; /* its answer has been taken */
    rmd_atomic(uint32_t) is_put;
    rmd_atomic(int) begun;    /* how often */
    uint32_t in_len, out_len; /* of its arguments and its result, as the explorer likes */
    bool timed, fails;        /* its answer is an error */
    ring_fate fate;           /* guarded by the lock, as all that follows: */
    unsigned attempts, turn;  /* when it was put in last */
    int slot;                 /* -1: in no ring */
} ring_task;

typedef struct ring_stage {
    rmdi_brief lock;
    rmdi_ring ring;
    ring_share *share;            /* NULL: there is no ring */
    int in_slot[RMDI_RING_SLOTS]; /* number of the task; -1: none */
    ring_task tasks[RING_TASKS];
    unsigned turns, latest;       /* of the one that was done last: they are done in order */
    unsigned over;                /* tasks that have ended */
    bool is_retired;              /* the worker takes no more */
    rmd_atomic(uint32_t) changed; /* counts what may be waited for: whoever waits looks again */
    rmd_atomic(uint32_t) bell, keeper_quits;
    rmdi_ring_end end; /* the worker's */
} ring_stage;

extern ring_stage ring_stage_;
#define R (&ring_stage_)

/* Each harness begins with it: there is a ring, and nobody at it. Results of the tasks take up to
 * so many of the sizes that there are. */
void open_ring(unsigned sizes);
/* Frees it: so many tasks have each been done once, or taken back before they had begun. */
void close_ring(int tasks);

void enter_ring(void);
void leave_ring(void);

/* ---- with the lock held ---- */

void take_answers(void);
bool put_task(int number);
/* If it has not begun. */
bool take_back(int number);
/* The last one; its number, or -1. */
int take_back_last(void);
void end_task(int number, ring_fate fate);
ring_share *open_share(void);
void drop_share(ring_share *share);
void note_change(void);

/* ---- threads of the owner ---- */

/* Puts it in, for which it sleeps until something has been done; nobody else takes answers. */
void put_alone(int number);
void await_alone(int number);
/* The same where others take answers, too, and a keeper is there. */
void put_among_others(int number);
void await_among_others(int number);
/* Takes answers until it is told to stop; sleeps on the bell. */
void keep_ring(void *arg);
void stop_keeper(void);
void quit_ring(void);

/* ---- the worker ---- */

/* As exec/worker_process.c; the second retires after one task. */
void work_in_ring(void *arg);
void work_once_in_ring(void *arg);
void ring_the_bell(void *arg);

#endif
