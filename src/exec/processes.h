/* SPDX-License-Identifier: MIT */
/* The processes pool from inside: functions of the table, called in worker processes.
 *
 *   processes.c           opening, closing, draining, freeing: any thread
 *   processes_task.c      a task: what it consists of, what its future can do
 *   processes_submit.c    how it comes into the queue
 *   processes_place.c     from the queue into the rings of workers, and back out of them
 *   processes_end.c       answers, and the ends of tasks
 *   processes_keeper.c    the keeper's thread: limits, callbacks, what is new in the rings
 *   processes_worker.c    workers: births, what they say, how they are ended; by the keeper
 *   processes_errors.c    what they write to stderr, and how they have ended
 *   processes_death.c     their deaths, and halting
 *   processes_template.c  the template process; by the keeper
 *   ring.h                what pool and worker share
 *   template_process.c, worker_process.c   the other side
 *
 * A task is queued, or placed in the ring of a worker, where it may be begun any time, or ended. It
 * is placed by whoever sees room first: a thread that submits, the keeper, or a thread that has
 * just taken an answer because it waits for it. So a task goes to a worker, and its answer to a
 * thread that waits, without a third one being woken. The keeper sees to all the rest.
 *
 * One lock guards all of it but what is said to be the keeper's own. No code of users runs under
 * it. Ends of tasks are collected under the lock and published after it. */
#ifndef RMDI_EXEC_PROCESSES_H
#define RMDI_EXEC_PROCESSES_H

#include "data/cbor.h"
#include "exec/call.h"
#include "exec/clearing.h"
#include "exec/future.h"
#include "exec/guard_watch.h"
#include "exec/kept.h"
#include "exec/overlooked.h"
#include "exec/pool.h"
#include "exec/tail.h"
#include "exec/template_setup.h"
#include "loop/loop.h"
#include "loop/timers.h"
#include "sync/condition.h"
#include "sync/thread.h"

#include <remuda/loop.h>

typedef struct rmdi_processes rmdi_processes;
typedef struct rmdi_process rmdi_process;

enum {
    RMDI_TASK_PRIORITIES = 3,
    RMDI_SAID_BYTES = 512, /* of what a worker has written last, what is told with a lost task */
    RMDI_HALT_DEATHS = 5,
    RMDI_SPARE_BUFFERS = 4, /* that are kept, if they are between these: */
    RMDI_SPARE_BYTES_MIN = 128 * 1024,
    RMDI_SPARE_BYTES_MAX = 4 * 1024 * 1024,
};

/* ---- tasks ---- */

typedef enum rmdi_placed { RMDI_PLACED_QUEUE, RMDI_PLACED_RING, RMDI_PLACED_ENDED } rmdi_placed;

/* Of few tasks. */
typedef struct rmdi_task_limits {
    struct rmdi_process_task *task;
    rmd_limits limits;                              /* the ladder is our own, too */
    rmdi_timer timer;                               /* the next that it can hit */
    int64_t queue_due_ns, run_due_ns, total_due_ns; /* INT64_MAX: no such limit */
    rmd_kill_step ladder[];
} rmdi_task_limits;

typedef struct rmdi_process_task {
    rmd_future future; /* first */
    rmdi_processes *pool;
    const char *function; /* constant, unless it is our own: */
    bool own_function;
    bool adds;        /* it may add tasks */
    const char *name; /* NULL: the function's; borrowed from the user */
    void *ctx;
    rmdi_buffer arguments;    /* encoded; until the end */
    rmdi_task_limits *limits; /* NULL: none */
    /* guarded by the pool's lock: */
    rmdi_link link; /* in a queue, or among those that have ended */
    rmdi_kept_call call;
    rmdi_process *process; /* in whose ring it is */
    unsigned slot;         /* there */
    unsigned attempts, crashes;
    uint8_t placed;   /* rmdi_placed */
    uint8_t priority; /* 0 is the lowest */
    bool told;        /* to stop, by somebody */
    bool recorded;    /* that it was given to a worker: its answer will be */
    /* written before the end, then constant: */
    uint8_t outcome;
    bool failed;           /* it is in `overlooked` */
    rmdi_link failed_link; /* there */
    int error;
    const char *detail; /* of its failure; NULL: none */
    rmdi_buffer result; /* encoded; the document borrows from it */
    size_t added_len;   /* of these bytes, the last so many are what it has added */
    rmdi_document document;
    rmd_exit *exit; /* of one whose worker has ended in it; NULL: none */
} rmdi_process_task;

static inline rmdi_process_task *rmdi_process_task_of(const rmd_future *future)
{
    return RMDI_CONTAINER(future, rmdi_process_task, future);
}

/* ---- workers ---- */

typedef enum rmdi_process_state {
    RMDI_PROCESS_NONE,     /* there is none: one is to be forked */
    RMDI_PROCESS_FORKING,  /* the template was told */
    RMDI_PROCESS_STARTING, /* it runs its initializer */
    RMDI_PROCESS_READY,
    RMDI_PROCESS_LEAVING, /* it takes no more: it was told to quit, or has retired, or is damaged */
    RMDI_PROCESS_STOPPING, /* it is being ended for the sake of the task that it runs */
    RMDI_PROCESS_CLEARING, /* it has ended, and what it has left is being ended */
} rmdi_process_state;

/* The ring's memory, which a thread that sleeps on it keeps there. */
typedef struct rmdi_ring_share {
    rmd_atomic(uint32_t) refs;
    unsigned sleepers; /* threads that sleep on it, or are about to; guarded by the pool's lock */
    rmdi_ring_memory *memory;
} rmdi_ring_share;

struct rmdi_process {
    rmdi_processes *pool;
    unsigned index;
    /* guarded by the pool's lock: */
    rmdi_process_state state;
    rmdi_ring ring; /* when it is at least STARTING */
    rmdi_ring_share *share;
    rmdi_process_task *tasks[RMDI_RING_SLOTS];
    bool damaged;   /* its ring: see ring.h */
    unsigned timed; /* tasks in the ring with limits of their attempts */
    bool idle;      /* link is in the pool's idle */
    bool busy;      /* there is something in its ring */
    bool stopped;   /* by SIGSTOP */
    bool useful;    /* it has done a task in its life */
    rmdi_link link;
    pid_t pid;        /* 0: none */
    rmd_outcome stop; /* why it is being stopped: the outcome of its task; RMD_PENDING: it is not */
    rmdi_process_task *stop_task;
    /* the keeper's own: */
    uint64_t number; /* in the guard's table */
    uint32_t guard_slot;
    bool listed; /* there */
    int pidfd;
    int memory_fd, errors_fd; /* to be sent to the template */
    bool to_bury;             /* nothing of it is left, and the template is still to be told */
    bool ours_to_reap;        /* its group may be signalled: the template waits for our word */
    rmd_source *end, *errors, *ladder;
    int errors_ours;
    size_t step; /* of the kill ladder */
    rmdi_clearing clearing;
    rmdi_child_end how; /* it has ended */
    bool how_is_known;
    rmdi_tail tail; /* of stderr */
};

/* ---- the pool ---- */

struct rmdi_processes {
    rmdi_kept kept;       /* first */
    char *name, *program; /* program: NULL: this one */
    rmd_shared *shared;   /* NULL: none */
    rmdi_template_setup *setup;
    int bell, setup_fd;
    unsigned queue_max, chunk;

    /* guarded by the lock: */
    rmdi_link queue[RMDI_TASK_PRIORITIES];
    unsigned queued;                       /* in them */
    unsigned placed[RMDI_TASK_PRIORITIES]; /* in rings, by priority */
    unsigned in_rings;                     /* all of them */
    unsigned busy;                         /* workers that have some */
    unsigned queued_max;                   /* the most that have waited at once */
    uint64_t moved, called;                /* from one ring to another; callbacks */
    rmdi_link idle;                        /* workers without a task */
    rmdi_process *processes;
    unsigned cursor;   /* the worker to look at next for a place */
    unsigned ready;    /* workers that have become so, ever */
    rmd_census census; /* without queued and running */
    rmdi_timers timers;
    size_t timers_needed;
    int start_error; /* why it cannot be opened */
    char start_detail[RMDI_RING_DETAIL];
    char template_error[RMDI_RING_DETAIL]; /* why a later one could not begin; the keeper's */
    char template_busy[RMDI_RING_DETAIL];  /* what the template does; "": not known; the keeper's */
    unsigned place_waiters;
    bool opened;
    bool looks; /* the keeper looks now and then, whoever calls it */
    bool halted;
    char halt_cause[RMDI_RING_DETAIL];
    unsigned deaths; /* since a task was finished last, */
    int64_t deaths_since_ns;

    rmdi_brief spares_brief;
    rmdi_buffer spares[RMDI_SPARE_BUFFERS]; /* guarded by it */
    rmdi_overlooked overlooked;
    rmd_atomic(int64_t) waited_ns; /* when a thread had waited for a task last; a hint */
    /* the keeper's own: */
    rmd_source *bell_source, *timer, *retry, *socket_source, *look, *leave;
    rmd_source *stderr_source; /* our own stderr is full */
    bool looks_soon;           /* `look` is armed */
    rmdi_guard_watch guard;
    int socket;
    pid_t template_pid;
    uint64_t template_number;
    uint32_t template_slot;
    bool template_ready;
};

static inline rmdi_processes *rmdi_processes_of(rmd_pool *pool)
{
    return (rmdi_processes *)(void *)pool;
}

/* ---- processes.c ---- */

/* Large buffers, whose pages are there already, for the next tasks. Without the lock. */
void rmdi_processes_get_buffer(rmdi_processes *pool, rmdi_buffer *buffer);
void rmdi_processes_give_buffer(rmdi_processes *pool, rmdi_buffer *buffer);

/* ---- processes_submit.c ---- */

int rmdi_processes_call(rmd_pool *pool, rmd_future **future, const char *function, rmd_args args,
                        const rmd_task_options *options);

/* With the lock held: is there room in the queue, or no need of it? */
bool rmdi_processes_has_place(rmdi_processes *pool);

/* ---- processes_task.c ---- */

extern const rmdi_future_ops rmdi_process_task_ops;

/* ---- processes_place.c: with the lock held ---- */

/* Tasks that wait in the queue go to workers that have room. */
void rmdi_processes_place(rmdi_processes *pool);
/* A new one does. Those that have less priority, and have not begun, make room for it. */
void rmdi_processes_enqueue(rmdi_processes *pool, rmdi_process_task *task);
/* A worker has nothing to do, and others more than they can do now: it gets some of theirs. */
void rmdi_processes_balance(rmdi_processes *pool);
/* Has it begun? */
bool rmdi_process_task_runs(const rmdi_process_task *task, int64_t *begun_ns);
/* After something has changed with a worker: does it have nothing to do? */
void rmdi_process_settle(rmdi_process *process);
/* Takes it out of wherever it is, if it has not begun. */
bool rmdi_process_task_take(rmdi_process_task *task);
/* It is in the ring no more. */
void rmdi_process_forget(rmdi_process_task *task);
/* All that has not begun in a worker's ring goes back to the head of the queue. */
void rmdi_process_take_all(rmdi_process *process);
/* The only one that runs in it, perhaps; NULL: none. */
rmdi_process_task *rmdi_process_running(rmdi_process *process);
/* Tasks that have not begun. */
unsigned rmdi_processes_waiting(rmdi_processes *pool);
/* To the head of the queue. */
void rmdi_processes_requeue(rmdi_process_task *task);

/* ---- processes_end.c ---- */

/* With the lock held: takes the answers out of a ring; what has ended is appended to `ended`. */
void rmdi_process_collect(rmdi_process *process, rmdi_link *ended);
/* With the lock held: this is how it has ended. It is in no list, and in no ring. detail is copied
 * unless it is one of failure.h. */
void rmdi_process_task_end(rmdi_process_task *task, rmd_outcome outcome, int error,
                           const char *detail, rmdi_link *ended);
/* Without the lock: publishes them. */
void rmdi_processes_publish(rmdi_processes *pool, rmdi_link *ended);
/* With the lock held: its attempt has ended otherwise than OK. Another one, or is that its end? */
void rmdi_process_task_fail(rmdi_process_task *task, rmd_outcome outcome, int error,
                            const char *detail, rmdi_link *ended);
/* With the lock held: after answers were taken, or a task in the queue was ended. */
void rmdi_processes_go_on(rmdi_processes *pool);
void rmdi_ring_share_free(rmdi_ring_share *share);

/* ---- processes_keeper.c ---- */

int rmdi_processes_keeper_open(rmdi_processes *pool);
/* Also the template. */
void rmdi_processes_keeper_close(rmdi_processes *pool);
void rmdi_processes_keeper_kick(void *pool);
/* With the lock held: arms the task's timer for the nearest of its limits. */
void rmdi_process_task_arm(rmdi_process_task *task);

/* ---- processes_worker.c: by the keeper, without the lock ---- */

/* Forks workers where there are none. */
void rmdi_processes_fork(rmdi_processes *pool);
void rmdi_process_forked(rmdi_process *process, pid_t pid, int pidfd);
/* It does not run, and nothing is left of the try; that is made again a little later. */
void rmdi_process_not_forked(rmdi_process *process, int error, const char *text);
/* Looks at what it says of itself, and what was asked of it. */
void rmdi_process_look(rmdi_process *process);
/* With the lock held: if its initializer has failed, that is why the pool cannot be opened. */
void rmdi_process_note_failure(rmdi_process *process);
/* Sends a signal to its group, as long as that is its own. */
void rmdi_process_signal(const rmdi_process *process, int signal);
/* With the lock held: it is to be ended, for the sake of the task that it runs. */
void rmdi_process_stop(rmdi_process *process, rmdi_process_task *task, rmd_outcome why);
/* Closes what there is of it but its ring. */
void rmdi_process_close(rmdi_process *process);
/* With the lock held: gives up its ring. */
void rmdi_process_drop_share(rmdi_process *process);

/* ---- processes_errors.c: the same ---- */

int rmdi_process_open_errors(rmdi_process *process);
/* What is there is read, when it has ended. */
void rmdi_process_drain_errors(rmdi_process *process);
/* How it has ended, and what it has written last, as a sentence. */
void rmdi_process_explain(const rmdi_process *process, char *text, size_t size);
/* The same as the account of its task; without memory there is none. */
void rmdi_process_keep_account(const rmdi_process *process, rmdi_process_task *task,
                               const char *detail);

/* ---- processes_death.c: the same ---- */

/* It has ended. how: NULL: nobody knows. */
void rmdi_process_ended(rmdi_process *process, const rmdi_child_end *how);
/* Tells the template what there was no room to tell. */
void rmdi_processes_bury(rmdi_processes *pool);
/* The template is gone, and cannot tell their ends. */
void rmdi_processes_orphaned(rmdi_processes *pool);
/* Have all gone? With the lock held. */
bool rmdi_processes_are_gone(const rmdi_processes *pool);
/* Something has died that is to be forked anew. True: once more; false: no more, it is halted. */
bool rmdi_processes_count_death(rmdi_processes *pool, const char *cause);
/* With the lock held: a pool that has halted starts no more workers, so what has come back from the
 * last one has nobody left to run it. */
void rmdi_processes_end_hopeless(rmdi_processes *pool, rmdi_link *ended);

/* ---- processes_template.c: by the keeper ---- */

int rmdi_template_start(rmdi_processes *pool);
void rmdi_template_stop(rmdi_processes *pool);
/* Starts it again when it has died. */
void rmdi_template_revive(rmdi_processes *pool);
int rmdi_template_send(rmdi_processes *pool, const rmdi_template_message *message, const int *fds,
                       unsigned n);
/* The setup of what options say. */
int rmdi_setup_open(rmdi_processes *pool, const rmd_pool_options *options);

#endif
