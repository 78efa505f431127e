/* SPDX-License-Identifier: MIT */
/* The flight recorder: what the scheduler did last, always on. Each thread writes the events of its
 * own into rings of its own (record_ring.h), without a lock or a call of the system; the public
 * header remuda/recorder.h tells what can be had of them, docs/protocol/recorder.md how it is
 * written.
 *
 * What it may cost
 * ----------------
 * An event with its time stamp takes 15 ns or so, and a small task 100 to 200. So what comes once
 * for each task goes through a budget: rmdi_record_often(), rmdi_record_task_begin(). A thread
 * earns time as it passes, and each such event costs RMDI_RECORD_COST of it; as long as there is
 * some, each task is recorded, and else those whose number is a multiple of 256, which are the same
 * in all places, so that one of them can be followed. At every 128th the clock is looked at, so
 * tasks that take long are back in the record after 127 of them at most. Which task runs is always
 * known, for that is only a store.
 *
 * What is rare and slow anyway (a worker sleeps, a process dies) is always recorded, and what is
 * rare and important goes to a second, small ring, where the rest does not push it out.
 *
 * All of these may be called on any thread, never block, never fail. In a schedule of the explorer
 * nothing is recorded: the steps would be many, and are explored by themselves. */
#ifndef RMDI_BASE_RECORDER_H
#define RMDI_BASE_RECORDER_H

#include "base/record_ring.h"
#include "port/thread_name.h"

/* Kinds: the name in a record; what the event's id is of, and what its value is, "" for nothing; 1:
 * it goes to the small ring; how a trace shows it: 'i' a moment, 'B' and 'E' begin and end of what
 * the thread does, 'b' and 'e' of something that has the event's id; and the name of that.
 *
 * The names are a format (docs/protocol/recorder.md): new ones at the end, and none changed. */
#define RMDI_RECORD_KINDS(X)                                            \
    X(SUBMIT, "submit", "task", "", 0, 'i', "")                         \
    X(SUBMIT_MANY, "submit_many", "task", "tasks", 0, 'i', "")          \
    X(TAKE, "take", "task", "tasks", 0, 'i', "")                        \
    X(STEAL, "steal", "task", "worker", 0, 'i', "")                     \
    X(TASK_BEGIN, "task_begin", "task", "count", 0, 'B', "task")        \
    X(TASK_END, "task_end", "task", "outcome", 0, 'E', "task")          \
    X(TASK_FAILED, "task_failed", "task", "outcome", 0, 'i', "")        \
    X(RETRY, "retry", "task", "attempt", 0, 'i', "")                    \
    X(CALLBACK, "callback", "task", "", 0, 'i', "")                     \
    X(PARK, "park", "", "", 0, 'B', "parked")                           \
    X(UNPARK, "unpark", "", "", 0, 'E', "parked")                       \
    X(BLOCK, "block", "task", "", 0, 'B', "blocked")                    \
    X(UNBLOCK, "unblock", "task", "", 0, 'E', "blocked")                \
    X(FULL, "full", "", "queued", 0, 'B', "queue full")                 \
    X(ROOM, "room", "", "", 0, 'E', "queue full")                       \
    X(BENCH, "bench", "", "", 0, 'B', "on the bench")                   \
    X(UNBENCH, "unbench", "", "", 0, 'E', "on the bench")               \
    X(SPARE, "spare", "", "active", 0, 'i', "")                         \
    X(WORKER_BEGIN, "worker_begin", "", "worker", 0, 'i', "")           \
    X(WORKER_END, "worker_end", "", "worker", 0, 'i', "")               \
    X(GIVE, "give", "task", "worker", 0, 'i', "")                       \
    X(TAKE_BACK, "take_back", "task", "worker", 0, 'i', "")             \
    X(ANSWER, "answer", "task", "worker", 0, 'i', "")                   \
    X(PROGRAM_BEGIN, "program_begin", "task", "pid", 0, 'b', "program") \
    X(PROGRAM_END, "program_end", "task", "outcome", 0, 'e', "program") \
    X(CANCEL, "cancel", "task", "", 0, 'i', "")                         \
    X(TIME_LIMIT, "time_limit", "task", "", 1, 'i', "")                 \
    X(CIRCLE, "circle", "task", "", 1, 'i', "")                         \
    X(STUCK, "stuck", "pool", "error", 1, 'i', "")                      \
    X(POOL_OPEN, "pool_open", "pool", "workers", 1, 'i', "")            \
    X(POOL_CLOSE, "pool_close", "pool", "", 1, 'i', "")                 \
    X(POOL_CANCEL, "pool_cancel", "pool", "", 1, 'i', "")               \
    X(POOL_ABORT, "pool_abort", "pool", "", 1, 'i', "")                 \
    X(POOL_DRAIN, "pool_drain", "pool", "", 1, 'i', "")                 \
    X(POOL_END, "pool_end", "pool", "error", 1, 'i', "")                \
    X(PROCESS_FORK, "process_fork", "worker", "pid", 1, 'i', "")        \
    X(PROCESS_READY, "process_ready", "worker", "pid", 1, 'i', "")      \
    X(PROCESS_SIGNAL, "process_signal", "worker", "signal", 1, 'i', "") \
    X(PROCESS_END, "process_end", "worker", "pid", 1, 'i', "")          \
    X(TEMPLATE_BEGIN, "template_begin", "pool", "pid", 1, 'i', "")      \
    X(TEMPLATE_END, "template_end", "pool", "pid", 1, 'i', "")          \
    X(HALT, "halt", "pool", "deaths", 1, 'i', "")                       \
    X(GAP, "gap", "", "events", 0, 'i', "") /* put by who writes a record */

typedef enum rmdi_record_kind {
#define RMDI_RECORD_KIND(name, ...) RMDI_RECORD_##name,
    RMDI_RECORD_KINDS(RMDI_RECORD_KIND)
#undef RMDI_RECORD_KIND
        RMDI_RECORD_KINDS_LEN
} rmdi_record_kind;

enum {
    RMDI_RECORD_MANY = 2048, /* cells of the ring of a thread, of 32 bytes */
    RMDI_RECORD_FEW = 128,   /* and of the small one */
    RMDI_RECORD_THREADS_MAX = 256,
    RMDI_RECORD_NAME_BYTES = 24,
    RMDI_RECORD_SAMPLE = 255, /* of tasks that are too many: where number & this is 0 */
    RMDI_RECORD_COST = 32768, /* ticks that an event takes of the budget: some 12 us */
    RMDI_RECORD_EARNED_MAX = 256 * RMDI_RECORD_COST,
    RMDI_RECORD_LOOK = 127, /* the clock is looked at where the count of tasks & this is 0 */
};

/* What is recorded of one thread. It is the thread's own but for what readers load. */
typedef struct rmdi_recorded {
    rmd_atomic(uint64_t) task; /* what runs on it; 0: nothing that we know of */
    /* its own: */
    uint64_t sample;              /* those are recorded whose number & this is 0 */
    uint64_t last;                /* when the budget was counted */
    uint64_t earned;              /* ticks */
    rmd_atomic(uint64_t) process; /* its mark (port/forked.h): another one's thread is not here */
    rmdi_record_ring rings[2];
    /* who it is: changes when another thread takes it over; see recorder.c */
    rmd_atomic(uint32_t) epoch; /* odd: just changing */
    rmd_atomic(uint32_t) state; /* RMDI_RECORDED_… */
    rmd_atomic(uint32_t) thread;
    rmd_atomic(uint32_t) number;   /* from 1, never again the same in a process */
    rmd_atomic(uint64_t) ended;    /* when, for those that have */
    rmd_atomic(uint64_t) first[2]; /* of its events in each ring */
    rmd_atomic(uint64_t) name[RMDI_RECORD_NAME_BYTES / 8];
    rmdi_record_cell cells[RMDI_RECORD_MANY + RMDI_RECORD_FEW];
} rmdi_recorded;

enum { RMDI_RECORDED_LIVE, RMDI_RECORDED_ENDED };

/* ---- in recorder.c, for what is here ---- */

/* Has everything ready, if that was not done yet. False: recording is off. */
bool rmdi_recorder_prepare(void);
/* Where the calling thread is recorded; NULL: it is not, since there are too many or recording is
 * off, and asking again costs a call. */
rmdi_recorded *rmdi_recorder_claim(void);
void rmdi_recorded_put(rmdi_recorded *recorded, rmdi_record_kind kind, uint64_t id, uint64_t value);
/* Looks at the clock, and puts it if it is its turn by then; was it? */
bool rmdi_recorded_put_due(rmdi_recorded *recorded, rmdi_record_kind kind, uint64_t id,
                           uint64_t value);
void rmdi_recorded_put_end(rmdi_recorded *recorded, uint64_t task, bool begun, unsigned outcome,
                           bool failed);

/* Read for each task: the build's model of access (initial-exec) spares a call. */
extern _Thread_local rmdi_recorded *rmdi_recorded_here;

static inline rmdi_recorded *rmdi_recorder_mine(void)
{
    rmdi_recorded *recorded = rmdi_recorded_here;
    return __builtin_expect(recorded != NULL, 1) ? recorded : rmdi_recorder_claim();
}

/* Is it the turn of this number, or that of the clock? Two tests, for what comes for each task. */
static inline bool rmdi_recorded_is_due(const rmdi_recorded *recorded, uint64_t count, uint64_t id)
{
    return __builtin_expect(!(count & RMDI_RECORD_LOOK) || !(id & recorded->sample), 0);
}

/* ---- recording ---- */

/* A task that has begun: where it is recorded, and whether its begin was. */
typedef struct rmdi_task_record {
    rmdi_recorded *on; /* NULL: nowhere */
    bool begun;
} rmdi_task_record;

#ifndef RMD_EXPLORE

/* What is rare enough. id: of a task, or what the kind says. */
static inline void rmdi_record(rmdi_record_kind kind, uint64_t id, uint64_t value)
{
    rmdi_recorded *recorded = rmdi_recorder_mine();
    if (recorded)
        rmdi_recorded_put(recorded, kind, id, value);
}

/* What may come for each task: as far as the budget goes; returns whether it did. Numbers of tasks
 * grow, so they serve as the count. */
static inline bool rmdi_record_often(rmdi_record_kind kind, uint64_t task, uint64_t value)
{
    rmdi_recorded *recorded = rmdi_recorder_mine();
    return recorded && rmdi_recorded_is_due(recorded, task, task) &&
           rmdi_recorded_put_due(recorded, kind, task, value);
}

/* A task begins on this thread. count: of tasks on it, or what else grows by one or so from one to
 * the next. What is returned is for its end, on the same thread. */
static inline rmdi_task_record rmdi_record_task_begin(uint64_t task, uint64_t count)
{
    rmdi_task_record record = { rmdi_recorder_mine(), false };
    if (!record.on)
        return record;
    rmd_atomic_store(&record.on->task, task, RMD_RELAXED); /* a number, which publishes nothing */
    record.begun = rmdi_recorded_is_due(record.on, count, task) &&
                   rmdi_recorded_put_due(record.on, RMDI_RECORD_TASK_BEGIN, task, count);
    return record;
}

/* It has ended; outer: what it ran on top of; 0: nothing. Any outcome but OK is recorded in any
 * case. */
static inline void rmdi_record_task_end(rmdi_task_record record, uint64_t task, uint64_t outer,
                                        unsigned outcome, bool failed)
{
    if (!record.on)
        return;
    rmd_atomic_store(&record.on->task, outer, RMD_RELAXED);
    if (__builtin_expect(record.begun | failed, 0))
        rmdi_recorded_put_end(record.on, task, record.begun, outcome, failed);
}

#else

static inline void rmdi_record(rmdi_record_kind kind, uint64_t id, uint64_t value)
{
    (void)kind, (void)id, (void)value;
}
static inline bool rmdi_record_often(rmdi_record_kind kind, uint64_t task, uint64_t value)
{
    (void)kind, (void)task, (void)value;
    return false;
}
static inline rmdi_task_record rmdi_record_task_begin(uint64_t task, uint64_t count)
{
    (void)task, (void)count;
    return (rmdi_task_record){ 0 };
}
static inline void rmdi_record_task_end(rmdi_task_record record, uint64_t task, uint64_t outer,
                                        unsigned outcome, bool failed)
{
    (void)record, (void)task, (void)outer, (void)outcome, (void)failed;
}

#endif

/* What the calling thread is called in records, from its next event on if it has none yet; else the
 * system's name for it. Borrowed until the thread ends; 23 bytes of it are kept. */
void rmdi_recorder_name(const char *name);

/* A number for a new pool, from 1. */
uint64_t rmdi_recorder_pool_number(void);

/* ---- for who reads ---- */

/* What is recorded of the threads, those that have ended included: at most
 * RMDI_RECORD_THREADS_MAX, borrowed for good. Returns how many. */
unsigned rmdi_recorder_all(rmdi_recorded **all);

/* Threads for which there was no room. */
uint64_t rmdi_recorder_unrecorded(void);

/* Two moments, each in ticks and on the system's clock: when recording began, and now. False:
 * nothing was recorded yet. */
typedef struct rmdi_record_moment {
    uint64_t tick;
    int64_t ns;
} rmdi_record_moment;
bool rmdi_recorder_began(rmdi_record_moment *began);
rmdi_record_moment rmdi_recorder_now(void);

#endif
