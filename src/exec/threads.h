/* SPDX-License-Identifier: MIT */
/* The threads pool from inside.
 *
 *   threads.c         opening, closing, draining, freeing
 *   threads_task.c    a task: what it consists of, and what its future can do
 *   threads_memory.c  the memory of tasks, and of the pool
 *   threads_submit.c  from outside, and from inside a task; threads_batch.c: many at once;
 *                     threads_then.c: after another one's end; threads_room.c: bounds
 *   threads_run.c     running one, and its end
 *   threads_worker.c  what a worker does all day; spare ones
 *   threads_limits.c  queue, run and total limits
 *   threads_account.c census, statistics, overlooked failures
 *
 * What guards what is said at each member. No lock of the pool is held while user code runs. Orders
 * of locks: crew before the idle list's brief lock and those of the injection, of which `in` comes
 * before `out`; the lock of all waits (waits.c) before those of groups and completions; a group's
 * before those of the injection; a group's and that of completions before a future's brief lock. */
#ifndef RMDI_EXEC_THREADS_H
#define RMDI_EXEC_THREADS_H

#include "data/bytes.h"
#include "exec/census.h"
#include "exec/deadlines.h"
#include "exec/deque.h"
#include "exec/frame.h"
#include "exec/future.h"
#include "exec/idle.h"
#include "exec/injection.h"
#include "exec/overlooked.h"
#include "exec/pool.h"
#include "exec/worker.h"
#include "sync/condition.h"
#include "sync/context.h"
#include "sync/spin.h"
#include "sync/thread.h"

#include <remuda/function.h>
#include <remuda/task.h>

typedef struct rmdi_threads rmdi_threads;

enum {
    RMDI_BATCH_MAX = 32,   /* tasks that a worker takes from the injection queue at once */
    RMDI_LEAVING_MAX = 32, /* and that leave their group together */
    RMDI_SPARES_MAX = 7,   /* and whose memory is given back together */
    RMDI_OUTCOMES = RMD_OUTCOME_DEAD + 1,
    RMDI_WORKER_NAME_MAX = 32,
};

/* Memory of tasks that is kept for the next ones, and how many tasks are allocated at once. None,
 * and one, where use after free is to be seen. */
#if defined(RMD_EXPLORE)
extern uint32_t rmdi_tasks_kept_max; /* 0, unless a harness wants some to be kept */
#define RMDI_TASKS_KEPT_MAX rmdi_tasks_kept_max
#define RMDI_BLOCK_TASKS    1
#elif defined(__SANITIZE_ADDRESS__)
#define RMDI_TASKS_KEPT_MAX 0
#define RMDI_BLOCK_TASKS    1
#else
#define RMDI_TASKS_KEPT_MAX 4096
#define RMDI_BLOCK_TASKS    21
#endif

/* ---- tasks ---- */

typedef enum rmdi_body { RMDI_BODY_POINTER, RMDI_BODY_CALL, RMDI_BODY_THEN } rmdi_body;

/* May it add tasks, and has it done so? */
typedef enum rmdi_adds { RMDI_ADDS_NOT, RMDI_ADDS_MAY, RMDI_ADDS_HAS } rmdi_adds;

typedef struct rmdi_encoded {
    size_t len;
    unsigned char data[];
} rmdi_encoded;

/* There may be millions. Three lines of the cache, of which a plain task fills
 * the second, and its members of groups and those who wait for it the first; the last is for what
 * few tasks have. These two are zeroed where they are not used: see threads_memory.c. */
typedef struct rmdi_thread_task {
    rmd_future future; /* first; the end of it begins the second line */
    rmdi_threads *pool;
    union {
        rmd_task_fn *fn;
        const rmd_function *function;
        struct rmdi_then *then;
        struct rmdi_thread_task *next; /* not in use, in a block */
    };
    union {
        void *arg;
        rmdi_encoded *encoded;  /* of a call, until it has run */
        const rmd_value *value; /* then; NULL: none */
    };
    rmd_atomic(rmdi_frame *) frame; /* where it runs: see rmdi_future_tell(); NULL: it does not */
    uint16_t place;                 /* in the injection's ring, if it is there */
    int8_t priority;                /* RMDI_PRIORITY_… */
    uint8_t body;                   /* rmdi_body */
    bool handled;                   /* the user has a handle; constant */
    bool ran;                       /* the body has been entered */
    bool cold;                      /* there is something in the third line */
    uint8_t adds;                   /* rmdi_adds */

    rmdi_link link;       /* guarded by `out` of the injection: in its lists, or in `held`;
                                 * after the end, guarded by the lock of `overlooked`, in that;
                                 * else zeroed */
    void *ctx;            /* the user's */
    rmd_context *context; /* under which it runs; NULL: none */
    const char *name;     /* NULL: the function's, or "task" */
    union {
        const char *detail; /* of its failure; NULL: none */
        rmdi_buffer *added; /* of one that has added tasks, and has so ended OK */
    };
    struct rmdi_limits *limits; /* NULL: none */
    uint32_t attempt;           /* of one that failed, or has limits: the last; 0: none */
    bool held;                  /* guarded as link: it is in `held` */
    bool coming;                /* guarded so, too: and counted in `coming` */
    bool failed;                /* it is in `overlooked`, or was */
    uint8_t slot;               /* of its block; constant */
} rmdi_thread_task;

/* The second line: where it begins, and its size. */
enum {
    RMDI_TASK_HOT = offsetof(rmd_future, ops),
    RMDI_TASK_HOT_BYTES = offsetof(rmdi_thread_task, link) - RMDI_TASK_HOT,
    RMDI_TASK_LINE = 64,
};

_Static_assert(sizeof(void *) != 8 ||
                   (sizeof(rmdi_thread_task) == 3 * RMDI_TASK_LINE &&
                    RMDI_TASK_HOT == RMDI_TASK_LINE && RMDI_TASK_HOT_BYTES == RMDI_TASK_LINE),
               "a task and its future are three lines");

/* ---- counting ---- */

/* Written by one worker, or (that of the pool) by all others. */
typedef struct rmdi_tally {
    rmd_atomic(uint64_t) submitted; /* accepted */
    rmd_atomic(uint64_t) begun;     /* claimed: to be run, or to be ended otherwise */
    rmd_atomic(uint64_t) ended[RMDI_OUTCOMES];
    rmd_atomic(uint64_t) finished; /* nothing will be done for it any more, but for callbacks */
    rmd_atomic(uint64_t) stolen, helped, in_place, parked, callbacks;
} rmdi_tally;

/* Numbers of tasks, which all pools share: several at once, so that they are shared less often. */
typedef struct rmdi_stock {
    uint64_t next_id, ids; /* the next one, and how many there are */
} rmdi_stock;

/* ---- workers ---- */

struct rmdi_worker {
    rmdi_deque deque;
    rmdi_threads *pool;
    rmd_atomic(rmdi_frame *) top; /* what runs on it; for those who inspect: see threads_run.c */
    rmdi_tally tally;
    /* its own: */
    unsigned index, ticks;
    uint32_t random;
    unsigned blocks; /* how often it is blocked, in each other */
    /* tasks of one group that have ended, and that nobody has a handle of */
    unsigned leaving;
    rmd_future *leavers[RMDI_LEAVING_MAX];
    unsigned spares_len;
    rmdi_thread_task *spares[RMDI_SPARES_MAX];
    rmdi_thread thread;
    char name[RMDI_WORKER_NAME_MAX];
};

/* A thread of others, that runs a task it waits for. On its stack. */
typedef struct rmdi_visit {
    rmdi_link link;
    rmdi_frame *top;
} rmdi_visit;

struct rmdi_threads {
    rmd_pool pool; /* first */
    unsigned queue_max;
    bool is_small; /* queue_max is less than a deque holds */
    int (*start)(void *arg);
    void (*end)(void *arg);
    void *arg;
    size_t stack_bytes;
    char *name;

    char line_1[RMDI_LINE_BYTES];
    rmdi_injection injection;
    rmdi_link held; /* tasks that must not begin yet; guarded by `out` of the injection */
    rmd_atomic(uint32_t) coming; /* of them, those that will be queued at once, and take a place;
                                  * written with `out`, grows with both locks */
    /* guarded by `in` of the injection: */
    rmdi_stock stock;
    struct rmdi_spares *kept;    /* memory of tasks */
    rmd_atomic(uint32_t) closed; /* written with it; a hint without */
    char line_2[RMDI_LINE_BYTES];
    rmdi_wait_list place; /* submitters wait for it: see threads_room.c */
    rmdi_spin place_spin;

    char line_3[RMDI_LINE_BYTES];
    rmd_atomic(struct rmdi_spares *) freed; /* memory of tasks, pushed by all, taken as a whole */
    rmd_atomic(uint32_t) freed_len;         /* about */
    rmd_atomic(uint32_t) refs;              /* of its memory: the user's, and one of each block */
    rmdi_brief blocks_brief;
    rmdi_link blocks; /* guarded by it: of which some tasks are not in use */

    char line_4[RMDI_LINE_BYTES];
    rmdi_idle idle;
    char line_5[RMDI_LINE_BYTES];
    rmdi_tally others; /* what is done on threads that are no workers of the pool */

    char line_6[RMDI_LINE_BYTES];
    rmdi_brief calls_brief;
    rmdi_link to_call;                  /* guarded by it: see struct rmdi_to_call */
    rmd_atomic(uint32_t) calls_waiting; /* how many are in it; written with it held */
    rmd_atomic(uint32_t) calls_due;     /* those, and those that are just being run */
    bool gone;                          /* guarded by it: no callbacks are taken any more */

    /* The crew: guarded by its lock, written with it held. */
    rmdi_lock crew;
    rmdi_condition crew_changed;   /* a worker has started */
    unsigned threads_max, threads; /* that may be, and are started, from the first */
    unsigned starting;             /* of them, that have not come to the end of `start` */
    unsigned ready;                /* that have passed `start` */
    int start_error;               /* of the first that failed */
    char *start_detail;            /* and its words */
    bool no_thread;                /* a spare could not be started, the last time */
    unsigned blocked, retired;
    rmd_atomic(uint32_t) active;  /* that look for tasks, and run them */
    rmd_atomic(uint32_t) missing; /* one that could be active is not: see threads_worker.c */
    rmdi_wait_list benched;       /* the retired sleep here */
    rmd_atomic(uint32_t) quit;
    rmdi_worker *workers;

    /* Inspecting what runs. */
    rmdi_lock inspect_lock;
    rmd_atomic(uint32_t) inspecting;
    rmd_atomic(uint64_t) cancelled_to; /* tasks up to this id do not begin any more */
    rmdi_brief visits_brief;
    rmdi_link visits; /* guarded by it */

    /* The end. */
    rmd_atomic(uint32_t) draining; /* somebody waits until all is finished */
    rmdi_lock drain_lock;
    rmdi_condition drain_changed;
    bool drain_taken, drained; /* guarded by it */
    rmdi_wait_list finished;   /* who drains sleeps here */

    rmdi_deadlines deadlines;

    rmdi_overlooked overlooked;
};

/* ---- threads_task.c ---- */

extern const rmdi_future_ops rmdi_thread_task_ops;

static inline rmdi_thread_task *rmdi_thread_task_of(const rmd_future *future)
{
    return RMDI_CONTAINER(future, rmdi_thread_task, future);
}

/* What is in its third line, or nothing. */
static inline struct rmdi_limits *rmdi_task_limits(const rmdi_thread_task *task)
{
    return task->cold ? task->limits : NULL;
}
/* n more are coming. With `out` of the injection held. */
static inline void rmdi_threads_count_coming(rmdi_threads *pool, uint32_t n)
{
    uint32_t coming = rmd_atomic_load(&pool->coming, RMD_RELAXED) + n;
    RMD_ASSERT(coming <= pool->queue_max); /* each has found room */
    rmd_atomic_store(&pool->coming, coming, RMD_RELAXED);
}
/* Takes it out of `held`, if it is there. With `out` of the injection held. */
bool rmdi_task_unhold(rmdi_thread_task *task);
/* Takes it out of the queue, if it is in it: a reference that the queue has had is dropped. */
void rmdi_task_unqueue(rmdi_thread_task *task);
/* Ends one that has not begun; false: it has been claimed. The caller holds it. */
bool rmdi_task_cancel_unstarted(rmdi_thread_task *task);

/* ---- threads_memory.c ---- */

/* Memory for a task; NULL: none is kept. With `in` of the injection held. */
rmdi_thread_task *rmdi_task_from_kept(rmdi_threads *pool);
/* Gets some to be kept; false: there is no memory. With no lock held. */
bool rmdi_threads_get_memory(rmdi_threads *pool);
/* A task is not in use any more, and its memory clean. */
void rmdi_task_keep(rmdi_threads *pool, rmdi_thread_task *task);
/* The same of one in a child process, where the pool is nobody's. */
void rmdi_task_forget(rmdi_thread_task *task);
/* Drops a reference, on a worker of its pool; a plain task takes few steps. */
void rmdi_worker_drop(rmdi_worker *worker, rmdi_thread_task *task);
/* Gives back what a worker keeps. */
void rmdi_worker_give_spares(rmdi_worker *worker);
/* Drops n references of the pool's memory. */
void rmdi_threads_drop(rmdi_threads *pool, uint32_t n);
/* The user gives up the pool. */
void rmdi_threads_give_up(rmdi_threads *pool);

/* ---- threads_submit.c ---- */

/* Ids for n new tasks, at most a batch, one after the other: the first. What is too few for all of
 * them is left out. */
void rmdi_threads_stock_up(rmdi_stock *stock);
static inline uint64_t rmdi_threads_draw(rmdi_stock *stock, unsigned n)
{
    if (stock->ids < n)
        rmdi_threads_stock_up(stock);
    stock->ids -= n;
    stock->next_id += n;
    return stock->next_id - n;
}

int rmdi_threads_call(rmd_pool *pool, rmd_future **future, const char *function, rmd_args args,
                      const rmd_task_options *options);
int rmdi_threads_submit(rmd_pool *pool, rmd_future **future, rmd_task_fn *fn, void *arg,
                        const rmd_task_options *options);
int64_t rmdi_threads_submit_many(rmd_pool *pool, rmd_future **futures, const rmd_task *tasks,
                                 size_t n, const rmd_task_options *options);
int rmdi_threads_then(rmd_pool *pool, rmd_future **future, rmd_future *first, rmd_then_fn *fn,
                      void *arg, const rmd_task_options *options);
/* Tasks wait for a worker: wakes one, or opens a spare. */
void rmdi_threads_tell(rmdi_threads *pool);
/* Tasks have left the queue: wakes submitters who wait for that. (threads_room.c) */
void rmdi_threads_tell_room(rmdi_threads *pool);
/* A task that was held may begin now, whatever the bounds. */
void rmdi_threads_release(rmdi_thread_task *task);

/* ---- threads_run.c ---- */

/* Runs a task that was claimed, on the calling thread. worker: that of the pool which the thread
 * is, or NULL. on_top: nothing else runs on it, so callbacks may. False: this is a child that the
 * body has forked. */
bool rmdi_task_run(rmdi_thread_task *task, rmdi_worker *worker, bool on_top);
/* Ends one that was claimed, and has not begun. */
void rmdi_task_end_unstarted(rmdi_thread_task *task, rmd_outcome outcome, int error,
                             const char *detail);
/* Tells one that runs to stop. False: it has ended. */
bool rmdi_task_tell(rmdi_thread_task *task, bool late);
/* Runs callbacks that wait for it. False: there are none. */
bool rmdi_threads_run_callbacks(rmdi_threads *pool, rmdi_worker *worker);
/* Arranges for a round of callbacks; false: the pool takes none any more. */
bool rmdi_threads_call_later(rmdi_threads *pool, rmd_future *future);
/* Lets those leave their group that have ended on this worker. */
void rmdi_worker_flush(rmdi_worker *worker);
/* All that run, held, at most max of them; how many there are. */
size_t rmdi_threads_inspect(rmdi_threads *pool, rmd_future **running, size_t max);
/* The pool's worker that the calling thread is; NULL: none. */
rmdi_worker *rmdi_worker_here(const rmdi_threads *pool);
/* Does a task of the pool run on the calling thread, or is that a worker of it? */
bool rmdi_threads_inside(const rmdi_threads *pool);
/* Is one of these of the pool? */
static inline bool rmdi_frames_include(const rmdi_frame *frame, const rmdi_threads *pool)
{
    while (frame && frame->pool != &pool->pool)
        frame = frame->outer;
    return frame != NULL;
}

/* ---- threads_worker.c ---- */

void rmdi_worker_main(void *worker);
/* Starts one more thread of the crew. With the crew's lock held. */
int rmdi_crew_start(rmdi_threads *pool);
/* Opens spares, as long as there is work and one is missing. */
void rmdi_crew_fill(rmdi_threads *pool);
bool rmdi_threads_has_work(rmdi_threads *pool);

/* ---- threads_limits.c ---- */

/* The limits of a task that has been made and not been submitted. RMD_ENOMEM, RMD_EAGAIN. */
int rmdi_limits_open(rmdi_thread_task *task, const rmd_limits *limits);
void rmdi_limits_free(struct rmdi_limits *limits);
/* It is submitted: its time begins. */
void rmdi_limits_begin(rmdi_thread_task *task);
/* An attempt begins. */
void rmdi_limits_attempt(rmdi_thread_task *task);
/* Is there another attempt, after the one that has just failed? Its own limit is over. */
bool rmdi_limits_leave_another(rmdi_thread_task *task);
/* It has come to its end: after this nobody looks at it for a limit. */
void rmdi_limits_end(rmdi_thread_task *task);

/* ---- threads_account.c ---- */

/* Adds to a member of the tally, of the worker, or, without one, of the others. */
#define RMDI_TALLY(pool, worker, member, n) \
    rmdi_count((worker) ? &(worker)->tally.member : NULL, &(pool)->others.member, n)
static inline void rmdi_count_own(rmd_atomic(uint64_t) *count, uint64_t n)
{
    /* Only we write it. Release: who sees it sees what was counted before. */
    rmd_atomic_store(count, rmd_atomic_load(count, RMD_RELAXED) + n, RMD_RELEASE);
}
static inline void rmdi_count(rmd_atomic(uint64_t) *own, rmd_atomic(uint64_t) *others, uint64_t n)
{
    if (own)
        rmdi_count_own(own, n);
    else
        rmd_atomic_add(others, n, RMD_RELEASE); /* the same */
}
void rmdi_threads_census(rmd_pool *pool, rmd_census *census);
int rmdi_threads_statistics(rmd_pool *pool, rmd_statistics *statistics);
int rmdi_threads_overlooked(rmd_pool *pool, void (*fn)(void *ctx, const rmd_failure *failure),
                            void *ctx, uint64_t *more);
/* Has everything that was submitted been finished? */
bool rmdi_threads_is_finished(rmdi_threads *pool);
/* One has: wakes who drains. */
void rmdi_threads_tell_finished(rmdi_threads *pool);
void rmdi_threads_overlooked_init(rmdi_threads *pool);

#endif
