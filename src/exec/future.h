/* SPDX-License-Identifier: MIT */
/* The inside of a future: what a kind of pool builds its tasks on. */
#ifndef RMDI_EXEC_FUTURE_H
#define RMDI_EXEC_FUTURE_H

#include "base/list.h"
#include "sync/waiter.h"

#include <remuda/atomics.h>
#include <remuda/future.h>
#include <remuda/group.h>

/* What a kind of pool does for its futures. */
typedef struct rmdi_future_ops {
    /* rmdi_process_mark() of its owner. */
    uint64_t (*process)(const rmd_future *future);
    int (*cancel)(rmd_future *future);
    /* Arranges that rmdi_future_call_back() runs where callbacks run, and holds the future
     * meanwhile; false when that is here and now. */
    bool (*call_later)(rmd_future *future);
    /* NULL: parked. How can this thread wait for the end? RMD_EAGAIN: parked. 0: by turn(), because
     * it has to do the work. RMD_EDEADLK: not at all, it would wait for itself. Takes no lock. */
    int (*how_to_wait)(const rmd_future *future);
    /* Turns the loop once; RMD_ETIMEDOUT when the deadline has passed then. */
    int (*turn)(const rmd_future *future, rmd_deadline deadline);
    /* That loop, with turn(). */
    struct rmd_loop *(*loop)(const rmd_future *future);
    /* NULL: the thread parks. Sleeps as long as the waiter's state is 0, or for no reason (0);
     * RMD_ETIMEDOUT. It is woken by unparking that state, and may do what brings the end nearer. */
    int (*sleep)(rmd_future *future, struct rmdi_waiter *waiter, rmd_deadline deadline);
    /* NULL: the word tells. Of one that is said to be queued: has it begun, elsewhere? */
    bool (*runs)(const rmd_future *future);
    /* NULL: never. Runs it on the calling thread, if it has not begun and this thread may: then it
     * has ended, and true. as_worker: only if that is a worker of its pool. */
    bool (*help)(rmd_future *future, bool as_worker);
    /* Would that be refused to the calling thread, now and later? Takes no lock. NULL: never. */
    bool (*is_not_for_us)(const rmd_future *future);
    const char *(*name)(const rmd_future *future); /* constant */
    void *(*ctx)(const rmd_future *future);        /* the user's; NULL: none has one */
    /* Of one that has ended, fills detail and attempt. */
    void (*describe)(const rmd_future *future, rmd_failure *failure);
    /* NULL: nothing. The future whose end a task that must not begin yet waits for; NULL: none. */
    rmd_future *(*held_for)(const rmd_future *future);
    int (*value)(const rmd_future *future, const rmd_value **value); /* NULL: it has none */
    rmd_bytes (*added)(const rmd_future *future);      /* NULL: nothing. See added.h */
    const rmd_exit *(*exit)(const rmd_future *future); /* NULL, also what it returns: none */
    int64_t (*read)(const rmd_future *future, int stream, uint64_t offset, void *buffer,
                    size_t len);
    void (*destroy)(rmd_future *future); /* the last reference is gone */
} rmdi_future_ops;

/* The bits of `word`. The state is the two lowest. */
enum {
    RMDI_FUTURE_QUEUED = 0,
    RMDI_FUTURE_RUNNING = 1, /* claimed: by whoever runs it, or ends it otherwise */
    RMDI_FUTURE_ENDED = 2,
    RMDI_FUTURE_STATE = 3,
    RMDI_FUTURE_OUTCOME = 1 << 2,  /* three bits from here on: valid when it has ended */
    RMDI_FUTURE_WAITED = 1 << 5,   /* somebody is in the lists, or may be */
    RMDI_FUTURE_CANCEL = 1 << 6,   /* it was told to stop while it ran, by somebody */
    RMDI_FUTURE_LATE = 1 << 7,     /* the same, by a limit */
    RMDI_FUTURE_SEEN = 1 << 8,     /* somebody has asked what became of it: see rmdi_future_see() */
    RMDI_FUTURE_HELD = 1 << 9,     /* it must not begin yet */
    RMDI_FUTURE_ROUND = 1 << 10,   /* its callbacks are being run, or will be */
    RMDI_FUTURE_GROUPED = 1 << 11, /* it is in a group */
    RMDI_FUTURE_REF = 1 << 13,     /* one reference */
};

/* Something to be done at the end: a callback of the user's, or, for ours, in memory of ours. */
typedef struct rmdi_on_end {
    struct rmdi_on_end *next;
    rmd_future_fn *fn;
    void *ctx;
    rmd_executor *executor; /* borrowed; NULL: none */
    rmd_future *future;     /* while it is posted there, or waits for its turn */
    bool ours;              /* runs on the thread that ends it, at once: never blocks */
} rmdi_on_end;

/* Embedded in a kind's task, first. What is used only of those that are waited for, have callbacks,
 * or are members of a group comes first, and takes a line of the cache; so a kind can put what it
 * needs of every task beside the rest. */
struct rmd_future {
    rmdi_wait_list waits;   /* for the end; its brief lock guards `callbacks`, too */
    rmdi_on_end *callbacks; /* ours first, then the user's in their order */
    rmd_group *group;       /* valid with GROUPED: see rmdi_future_group() */
    rmdi_link group_link;

    const rmdi_future_ops *ops;
    rmd_atomic(uint32_t) word;
    int32_t error; /* written before the end, then constant */
    uint64_t id;
};

/* id: of rmdi_future_next_ids(). refs: 2 when the user has a handle, 1 when not. flags: 0, HELD, or
 * ROUND: a round of callbacks will come in any case. */
void rmdi_future_init(rmd_future *future, const rmdi_future_ops *ops, uint64_t id, unsigned refs,
                      uint32_t flags);
/* The same in memory of which the first line is zeroed, or was another future's that has been
 * destroyed: that line is left alone. */
static inline void rmdi_future_init_again(rmd_future *future, const rmdi_future_ops *ops,
                                          uint64_t id, unsigned refs, uint32_t flags)
{
    future->ops = ops;
    future->id = id;
    rmd_atomic_init(&future->word, refs * RMDI_FUTURE_REF | flags);
}

/* NULL: it is in none. */
static inline rmd_group *rmdi_future_group(const rmd_future *future)
{
    /* Relaxed: it is constant when others know the task. */
    bool grouped = rmd_atomic_load(&future->word, RMD_RELAXED) & RMDI_FUTURE_GROUPED;
    return grouped ? future->group : NULL;
}

static inline void rmdi_future_hold(rmd_future *future)
{
    /* Relaxed: the caller holds one already. */
    rmd_atomic_add(&future->word, RMDI_FUTURE_REF, RMD_RELAXED);
}
void rmdi_future_drop(rmd_future *future);

static inline bool rmdi_future_ended(const rmd_future *future)
{
    /* Acquire: then all that its end is about is seen, too. */
    return (rmd_atomic_load(&future->word, RMD_ACQUIRE) & RMDI_FUTURE_STATE) == RMDI_FUTURE_ENDED;
}

/* Somebody has asked what became of it, or has taken that on. */
static inline void rmdi_future_see(rmd_future *future)
{
    /* Relaxed: a note. */
    rmd_atomic_or(&future->word, RMDI_FUTURE_SEEN, RMD_RELAXED);
}

/* Of the word of one that has ended. */
static inline rmd_outcome rmdi_future_outcome_in(uint32_t word)
{
    return (rmd_outcome)(word / RMDI_FUTURE_OUTCOME & 7);
}

/* From QUEUED to RUNNING: whoever does that, alone, begins it, or ends it. held: also if it must
 * not begin yet. */
bool rmdi_future_claim(rmd_future *future, bool held);
/* A task that was born claimed, so that whoever has come to know it could only tell it to stop, may
 * be begun from now on. False: it was told to stop, stays claimed, and is to be ended. */
bool rmdi_future_offer(rmd_future *future);
/* Back again, for another attempt. */
void rmdi_future_unclaim(rmd_future *future);

/* Tells a task that runs to stop: late when because of a limit. True: it still runs, and fire(ctx)
 * was called meanwhile, which keeps it from ending. */
bool rmdi_future_tell(rmd_future *future, bool late, void (*fire)(rmd_future *future));

/* For another attempt: forgets that a limit has told it to stop, and calls reset(future), which
 * keeps others from telling it meanwhile. False: somebody else has told it, too. */
bool rmdi_future_renew(rmd_future *future, void (*reset)(rmd_future *future));

/* Publishes the end: everything about it is complete. By whoever has claimed it (or whose kind
 * knows no claims). Counts it in its group, wakes all waiters, runs what is ours. True: there are
 * callbacks, and rmdi_future_call_back() is to be called for them, or arranged. */
bool rmdi_future_end(rmd_future *future, rmd_outcome outcome, int error);

/* The first step of it, without the group and what is ours; what else there is to do. Also for a
 * task that is to be counted in its group later, with others. */
enum { RMDI_LEFT_ROUND = 1, RMDI_LEFT_OURS = 2 };
unsigned rmdi_future_publish(rmd_future *future, rmd_outcome outcome, int error);

/* Runs the hook, which is in no list, or, when the calling thread is just running one, when that is
 * through: so what one end leads to is done in a loop, however long the chain is. */
void rmdi_future_run_hook(rmd_future *future, rmdi_on_end *hook);

/* Runs the callbacks that are there, without any lock held; how many. */
unsigned rmdi_future_call_back(rmd_future *future);

/* *hook, which is borrowed until it runs, is run at the end. False: it has ended, and is not. */
bool rmdi_future_hook(rmd_future *future, rmdi_on_end *hook);
/* True: it will not run. False: it has, or is running. */
bool rmdi_future_unhook(rmd_future *future, rmdi_on_end *hook);

/* 0, or RMD_EINVAL for NULL, or RMD_EFORKED; what: for the message. */
int rmdi_future_check(const rmd_future *future, const char *what);
/* err with the detail that the task has not ended. */
int rmdi_future_not_ended(const rmd_future *future, int err);
/* All of a failure. */
void rmdi_future_describe(const rmd_future *future, rmd_failure *failure);

/* The first of the next n numbers of tasks. */
uint64_t rmdi_future_next_ids(uint64_t n);

/* ---- groups ---- */

/* May a task be put into it? 0 (also NULL), or RMD_EFORKED. */
int rmdi_group_check(const rmd_group *group);
/* When a task is accepted. Before anybody else knows it. */
void rmdi_group_enter(rmd_group *group, rmd_future *future);
/* Several, and in the same moment in which they are queued: between the first and the last of these
 * the group's lock is held, so that nobody finds them in the group before. */
void rmdi_group_open_door(rmd_group *group);
void rmdi_group_let_in(rmd_group *group, rmd_future *future);
void rmdi_group_close_door(rmd_group *group);
/* It was not accepted after all. */
void rmdi_group_undo(rmd_future *future);
/* When one ends: rmdi_future_publish() is called under the group's lock, so that nobody sees the
 * one without the other. Returns what that returned. */
unsigned rmdi_group_leave(rmd_future *future, rmd_outcome outcome, int error);
/* Several that have been published, and that nobody but the group can have looked at. */
void rmdi_group_leave_many(rmd_group *group, rmd_future *const *futures, size_t n);

#endif
