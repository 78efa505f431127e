/* SPDX-License-Identifier: MIT */
/* The waiter: the one object that sleeps. Whatever can be waited for keeps a list of waits; a
 * caller that must sleep puts entries of one waiter into one list, or several, and sleeps until
 * one of them is fired, its deadline passes or its stop token fires.
 *
 *     rmdi_waiter waiter;
 *     rmdi_wait wait;
 *     rmdi_waiter_init(&waiter, true);
 *     rmdi_wait_list_enter(&object->waits);
 *     if (there is no need to wait) { rmdi_wait_list_leave(&object->waits); return 0; }
 *     rmdi_wait_list_add(&object->waits, &wait, &waiter, 0);
 *     rmdi_wait_list_leave(&object->waits);
 *     int err = rmdi_waiter_sleep(&waiter, deadline);
 *     rmdi_wait_list_remove(&object->waits, &wait);
 *     return err;
 *
 * and whoever ends the need to wait does so with the list entered, or before, and then wakes. Why
 * this loses nothing, and who may touch what for how long, is argued at the head of waiter.c. */
#ifndef RMDI_SYNC_WAITER_H
#define RMDI_SYNC_WAITER_H

#include "sync/brief.h"

#include <remuda/deadline.h>
#include <remuda/stop.h>

typedef struct rmdi_sleeper rmdi_sleeper;

typedef struct rmdi_waiter {
    rmd_atomic(uint32_t) state; /* 0: waits; else it is over: RMDI_WAITER_TIMED_OUT, 1 + index */
    bool fired_itself;          /* no wake() will come; its owner's */
    rmdi_sleeper *sleeper;      /* borrowed */
    rmd_stop *stop;             /* borrowed; NULL: nothing stops it */
} rmdi_waiter;

/* What sleeps. A thread parks on the waiter's state; coroutines, and whoever waits for descriptors
 * as well, bring another. */
struct rmdi_sleeper {
    /* Sleeps until wake() is called for this waiter (0), the deadline passes (RMD_ETIMEDOUT), or
     * for no reason (0). By the waiter's owner. */
    int (*sleep)(rmdi_sleeper *self, rmdi_waiter *waiter, rmd_deadline deadline);
    /* Ends the sleep, the present or the next one. Called by whoever fired the waiter, once, with
     * no brief lock but perhaps that of a list held: it never blocks. *waiter may be gone. */
    void (*wake)(rmdi_sleeper *self, rmdi_waiter *waiter);
    /* NULL: *self outlives everything and wake() uses nothing of *waiter but its address. Else:
     * called by the owner of a waiter that another one has fired; returns when the wake() for it
     * has been called and will touch neither any more. */
    void (*settle)(rmdi_sleeper *self, rmdi_waiter *waiter);
};

/* The wake() of threads: for others, too, that park on the waiter's state. */
void rmdi_waiter_unpark(rmdi_sleeper *self, rmdi_waiter *waiter);

/* One entry of a waiter in one list. All but `gift` is guarded by the list's brief lock. */
typedef struct rmdi_wait {
    struct rmdi_wait *next, *prev;
    rmdi_waiter *waiter;
    void *gift; /* what the waker hands over: valid for the entry that fired; NULL: nothing */
    uint32_t index;
    uint32_t wish; /* its object's: what it waits for; 0 when it has been added */
    bool queued;   /* in the list */
    bool taken;    /* taken out by a waker; its owner has not been here since */
} rmdi_wait;

/* Zeroed is empty. */
typedef struct rmdi_wait_list {
    rmdi_brief brief;
    /* Written with the brief lock held. Reading 0 without it means that nobody waits who came
     * before something that the reader knows of, by a lock, say. */
    rmd_atomic(uint32_t) count;
    uint32_t taken; /* how many entries are so */
    rmdi_wait *first, *last;
} rmdi_wait_list;

/* Whom to wake when the brief lock has been left. */
typedef struct rmdi_waker {
    rmdi_sleeper *sleeper; /* NULL: nobody */
    rmdi_waiter *waiter;   /* an address: see wake() */
} rmdi_waker;

enum {
    RMDI_WAIT_INDEX_MAX = 1 << 20,   /* of those who wait; the rest is for the floor itself */
    RMDI_WAIT_STOPPED,               /* the index of the entry in the stop token's list */
    RMDI_WAITER_TIMED_OUT = 1 << 21, /* a state, not an index */
};

/* ---- for those who wait ---- */

/* A waiter of the calling thread, and of its stop token if it is stoppable. */
void rmdi_waiter_init(rmdi_waiter *waiter, bool stoppable);

/* Sleeps. Returns the index of the entry that fired, RMD_ETIMEDOUT or RMD_ECANCELED (without a
 * detail). Take all entries out of their lists afterwards, whatever it returns. Blocks. */
int rmdi_waiter_sleep(rmdi_waiter *waiter, rmd_deadline deadline);

/* By its owner, before or in its sleep: as if the entry of that index had been fired. False: it is
 * over already. */
bool rmdi_waiter_fire_itself(rmdi_waiter *waiter, uint32_t index);

/* Adds an entry at the end, or at the front. With the list entered, after having found there that
 * there is need to wait. */
void rmdi_wait_list_add(rmdi_wait_list *list, rmdi_wait *wait, rmdi_waiter *waiter, uint32_t index);
void rmdi_wait_list_add_first(rmdi_wait_list *list, rmdi_wait *wait, rmdi_waiter *waiter,
                              uint32_t index);

/* Takes the entry out if it is still in; when it returns, nobody who fired it uses the list any
 * more. Once for each entry that was added. Enters the list. */
void rmdi_wait_list_remove(rmdi_wait_list *list, rmdi_wait *wait);

/* The same with the list entered, for those who have more to do there. */
void rmdi_wait_list_drop(rmdi_wait_list *list, rmdi_wait *wait);

/* An entry that is not added after all, and may be given to rmdi_wait_list_remove(). */
static inline void rmdi_wait_not_added(rmdi_wait *wait)
{
    wait->queued = wait->taken = false;
}

/* ---- for those who wake ---- */

static inline void rmdi_wait_list_enter(rmdi_wait_list *list)
{
    rmdi_brief_enter(&list->brief);
}

static inline void rmdi_wait_list_leave(rmdi_wait_list *list)
{
    rmdi_brief_leave(&list->brief);
}

/* Does anybody wait? With the list entered; see `count` for what it is worth without. */
static inline bool rmdi_wait_list_waits(rmdi_wait_list *list)
{
    /* Relaxed: the brief lock, or what the reader knows, orders it. */
    return rmd_atomic_load(&list->count, RMD_RELAXED) != 0;
}

/* Has anybody an entry in the list who has not taken it out himself, be it that he was fired long
 * ago? For whoever is about to free the memory around the list: if not, nobody who has waited or
 * fired uses it any more. Enters the list. */
bool rmdi_wait_list_busy(rmdi_wait_list *list);

/* With a list entered that an entry of it is in: has its wait ended, so that firing it would fail?
 * A hint if not. */
static inline bool rmdi_waiter_is_over(rmdi_waiter *waiter)
{
    return rmd_atomic_load(&waiter->state, RMD_RELAXED) != 0;
}

/* With the list entered: takes entries from the front until one is fired, whose waiter so far was
 * neither fired nor over, and gives it the gift. False: there is none (*waker is nobody then).
 * Wake it when the list has been left. */
bool rmdi_wait_list_fire(rmdi_wait_list *list, void *gift, rmdi_waker *waker);
/* The same with the first entry alone; there is one. False: it was over, and *waker is not set. */
bool rmdi_wait_list_fire_first(rmdi_wait_list *list, void *gift, rmdi_waker *waker);
void rmdi_waker_wake(rmdi_waker *waker);

/* Several of them: rmdi_wakers wakers = { batch, RMDI_WAKERS_MAX, 0 }; */
enum {
#ifdef RMD_EXPLORE
    RMDI_WAKERS_MAX = 2, /* so that three who wait are more */
#else
    RMDI_WAKERS_MAX = 64, /* a kilobyte of stack */
#endif
};
typedef struct rmdi_wakers {
    rmdi_waker *batch; /* borrowed */
    size_t max, n;
} rmdi_wakers;

/* Adds one, and wakes all when that fills it; or wakes what is in it, once. */
void rmdi_wakers_add(rmdi_wakers *wakers, rmdi_waker waker);
void rmdi_wakers_wake(rmdi_wakers *wakers);

/* With the list entered: fires one, or all, leaves the list and wakes them. How many. */
size_t rmdi_wait_list_leave_one(rmdi_wait_list *list);
size_t rmdi_wait_list_leave_all(rmdi_wait_list *list);

/* The same, entering the list first. */
size_t rmdi_wake_one(rmdi_wait_list *list);
size_t rmdi_wake_all(rmdi_wait_list *list);

#endif
