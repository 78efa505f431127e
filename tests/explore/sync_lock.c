/* SPDX-License-Identifier: MIT */
/* The lock: one at a time, nobody waits for ever, and who was the last may free it. */
#include "crew.h"
#include "sync/lock.h"

#include <remuda.h>

typedef struct ledger {
    rmd_lock *lock;
    int entries; /* guarded by the lock */
} ledger;

typedef struct clerk {
    ledger *ledger;
    rmd_stop *stop;
    int64_t patience_ms; /* 0: for ever; < 0: not at all */
    int rounds, written;
} clerk;

static rmd_deadline patience(const clerk *c)
{
    return c->patience_ms < 0 ? RMD_NOW
           : c->patience_ms   ? rmd_after_ms(c->patience_ms)
                              : RMD_FOREVER;
}

static void write_entries(void *arg)
{
    clerk *c = arg;
    rmd_stop *before = rmd_stop_set(c->stop);
    for (int i = 0; i < c->rounds; i++) {
        int err = rmd_lock_acquire(c->ledger->lock, patience(c));
        if (err < 0) {
            RMD_ASSERT((err == RMD_ETIMEDOUT && c->patience_ms) ||
                       (err == RMD_ECANCELED && c->stop));
            continue;
        }
        RMD_PLAIN_SET(c->ledger->entries, RMD_PLAIN(c->ledger->entries) + 1);
        c->written++;
        RMD_ASSERT(rmd_lock_release(c->ledger->lock) == 0);
    }
    rmd_stop_set(before);
}

static void open_ledger(ledger *l, bool fair)
{
    rmd_lock_options options = { .size = sizeof options, .fair = fair };
    l->entries = 0;
    RMD_ASSERT(rmd_lock_open(&l->lock, &options) == 0);
}

static void close_ledger(ledger *l, const clerk *clerks, int n)
{
    int written = 0;
    for (int i = 0; i < n; i++)
        written += clerks[i].written;
    RMD_ASSERT(l->entries == written);
    RMD_ASSERT(rmd_lock_acquire(l->lock, RMD_NOW) == 0);
    RMD_ASSERT(rmd_lock_release(l->lock) == 0);
    RMD_ASSERT(rmd_lock_free(l->lock) == 0);
}

static void work_without_limit(bool fair)
{
    ledger l;
    crew crew = { 0 };
    open_ledger(&l, fair);
    clerk clerks[3] = { { .ledger = &l, .rounds = 2 },
                        { .ledger = &l, .rounds = 2 },
                        { .ledger = &l, .rounds = 2 } };
    for (int i = 0; i < 3; i++)
        crew_add(&crew, write_entries, &clerks[i], "clerk");
    crew_join(&crew);
    RMD_ASSERT(l.entries == 6);
    close_ledger(&l, clerks, 3);
}

HARNESS(lock_excludes)
{
    work_without_limit(false);
}

HARNESS(lock_fair_excludes)
{
    work_without_limit(true);
}

static void stop_clerk(void *arg)
{
    RMD_ASSERT(rmd_stop_request(arg) == 0);
}

HARNESS(lock_with_deadline_and_stop)
{
    ledger l;
    rmd_stop *stop;
    crew crew = { 0 };
    open_ledger(&l, rmd_explore_choose(2));
    RMD_ASSERT(rmd_stop_open(&stop) == 0);
    clerk clerks[4] = { { .ledger = &l, .rounds = 2 },
                        { .ledger = &l, .rounds = 1, .patience_ms = 1 },
                        { .ledger = &l, .rounds = 2, .stop = stop },
                        { .ledger = &l, .rounds = 1, .patience_ms = -1 } };
    for (int i = 0; i < 4; i++)
        crew_add(&crew, write_entries, &clerks[i], "clerk");
    crew_add(&crew, stop_clerk, stop, "stopper");
    crew_join(&crew);
    RMD_ASSERT(clerks[0].written == 2);
    RMD_ASSERT(rmd_stop_free(stop) == 0);
    close_ledger(&l, clerks, 4);
}

/* Few are enough to be overtaken again and again: then the lock is handed over. */
HARNESS(lock_is_handed_to_who_was_overtaken, .schedules = 40000)
{
    ledger l;
    crew crew = { 0 };
    open_ledger(&l, false);
    clerk clerks[3] = { { .ledger = &l, .rounds = 1 },
                        { .ledger = &l, .rounds = 8 },
                        { .ledger = &l, .rounds = 8 } };
    for (int i = 0; i < 3; i++)
        crew_add(&crew, write_entries, &clerks[i], i ? "busy" : "patient");
    crew_join(&crew);
    close_ledger(&l, clerks, 3);
}

/* ---- reentrant ---- */

/* As write_entries, but each entry is written by a method that acquires the lock again. */
static void write_reentrantly(void *arg)
{
    clerk *c = arg;
    rmd_stop *before = rmd_stop_set(c->stop);
    for (int i = 0; i < c->rounds; i++)
        RMD_WITH_LOCK (c->ledger->lock, patience(c)) {
            RMD_ASSERT(rmd_lock_acquire(c->ledger->lock, RMD_NOW) == 0);
            RMD_PLAIN_SET(c->ledger->entries, RMD_PLAIN(c->ledger->entries) + 1);
            RMD_ASSERT(rmd_lock_release(c->ledger->lock) == 0);
            RMD_PLAIN_SET(c->ledger->entries, RMD_PLAIN(c->ledger->entries) + 1);
            c->written += 2;
        } else {
            RMD_ASSERT(c->patience_ms || c->stop);
        }
    rmd_stop_set(before);
}

HARNESS(lock_reentrant_excludes_until_it_was_released_as_often)
{
    ledger l = { .entries = 0 };
    rmd_stop *stop;
    crew crew = { 0 };
    rmd_lock_options options = { .size = sizeof options,
                                 .reentrant = true,
                                 .fair = rmd_explore_choose(2) };
    RMD_ASSERT(rmd_lock_open(&l.lock, &options) == 0);
    RMD_ASSERT(rmd_stop_open(&stop) == 0);
    clerk clerks[3] = { { .ledger = &l, .rounds = 2 },
                        { .ledger = &l, .rounds = 2, .patience_ms = 1 },
                        { .ledger = &l, .rounds = 2, .stop = stop } };
    for (int i = 0; i < 3; i++)
        crew_add(&crew, write_reentrantly, &clerks[i], "clerk");
    crew_add(&crew, stop_clerk, stop, "stopper");
    crew_join(&crew);
    RMD_ASSERT(clerks[0].written == 4);
    RMD_ASSERT(rmd_stop_free(stop) == 0);
    close_ledger(&l, clerks, 3);
}

static void release_what_is_not_held(void *arg)
{
    RMD_ASSERT(rmd_lock_release(arg) == RMD_EINVAL);
}

HARNESS(lock_reentrant_is_released_by_its_holder_only)
{
    rmd_lock *lock;
    crew crew = { 0 };
    rmd_lock_options options = { .size = sizeof options, .reentrant = true };
    RMD_ASSERT(rmd_lock_open(&lock, &options) == 0);
    crew_add(&crew, release_what_is_not_held, lock, "thief");
    crew_add(&crew, release_what_is_not_held, lock, "thief");
    for (int i = 0; i < 2; i++) {
        RMD_ASSERT(rmd_lock_acquire(lock, RMD_FOREVER) == 0);
        RMD_ASSERT(rmd_lock_acquire(lock, RMD_FOREVER) == 0);
        RMD_ASSERT(rmd_lock_release(lock) == 0);
        RMD_ASSERT(rmd_lock_free(lock) == RMD_EBUSY);
        RMD_ASSERT(rmd_lock_release(lock) == 0);
    }
    crew_join(&crew);
    RMD_ASSERT(rmd_lock_free(lock) == 0);
}

/* ---- fairness ---- */

typedef struct queue_of_clerks {
    rmd_lock *lock;
    int order[3], len; /* guarded by the lock */
} queue_of_clerks;

typedef struct place {
    queue_of_clerks *queue;
    int number;
} place;

static void stand_in_line(void *arg)
{
    place *p = arg;
    RMD_ASSERT(rmd_lock_acquire(p->queue->lock, RMD_FOREVER) == 0);
    p->queue->order[p->queue->len++] = p->number;
    RMD_ASSERT(rmd_lock_release(p->queue->lock) == 0);
}

static void until_waiting(rmd_lock *lock, uint32_t n)
{
    while (rmd_atomic_load(&lock->lock.waits.count, RMD_ACQUIRE) < n)
        rmd_pause();
}

HARNESS(lock_fair_keeps_the_order, .no_spurious = true)
{
    queue_of_clerks q = { .len = 0 };
    place places[3] = { { &q, 0 }, { &q, 1 }, { &q, 2 } };
    rmd_lock_options options = { .size = sizeof options, .fair = true };
    crew crew = { 0 };
    RMD_ASSERT(rmd_lock_open(&q.lock, &options) == 0);
    RMD_ASSERT(rmd_lock_acquire(q.lock, RMD_FOREVER) == 0);
    for (uint32_t i = 0; i < 2; i++) {
        crew_add(&crew, stand_in_line, &places[i], i ? "second" : "first");
        until_waiting(q.lock, i + 1);
    }
    RMD_ASSERT(rmd_lock_release(q.lock) == 0);
    stand_in_line(&places[2]); /* at once, and yet the last */
    crew_join(&crew);
    for (int i = 0; i < 3; i++)
        RMD_ASSERT(q.order[i] == i);
    RMD_ASSERT(rmd_lock_free(q.lock) == 0);
}

/* ---- whoever uses it last frees it ---- */

typedef struct shared_thing {
    rmd_lock *lock;
    int users; /* guarded by the lock */
} shared_thing;

static void leave_thing(void *arg)
{
    shared_thing *t = arg;
    rmd_lock *lock = t->lock;
    RMD_ASSERT(rmd_lock_acquire(lock, RMD_FOREVER) == 0);
    RMD_PLAIN_SET(t->users, RMD_PLAIN(t->users) - 1);
    bool last = RMD_PLAIN(t->users) == 0;
    RMD_ASSERT(rmd_lock_release(lock) == 0);
    if (last)
        RMD_ASSERT(rmd_lock_free(lock) == 0);
}

HARNESS(lock_is_freed_by_its_last_user)
{
    shared_thing t = { .users = 3 };
    crew crew = { 0 };
    rmd_lock_options options = { .size = sizeof options, .reentrant = rmd_explore_choose(2) };
    RMD_ASSERT(rmd_lock_open(&t.lock, &options) == 0);
    for (int i = 0; i < 3; i++)
        crew_add(&crew, leave_thing, &t, "user");
    crew_join(&crew);
}

/* ---- freed by somebody who asks until it is not busy ---- */

typedef struct passer {
    rmd_lock *lock;
    rmd_stop *stop;
    rmd_event *has_passed;
} passer;

static void wait_until_stopped(void *arg)
{
    passer *p = arg;
    rmd_stop *before = rmd_stop_set(p->stop);
    int err = rmd_lock_acquire(p->lock, RMD_FOREVER);
    RMD_ASSERT(err == 0 || err == RMD_ECANCELED);
    if (err == 0)
        RMD_ASSERT(rmd_lock_release(p->lock) == 0);
    rmd_stop_set(before);
}

static void pass_by(void *arg)
{
    passer *p = arg;
    bool got = rmd_lock_acquire(p->lock, RMD_NOW) == 0;
    RMD_ASSERT(rmd_event_set(p->has_passed) == 0);
    if (got)
        RMD_ASSERT(rmd_lock_release(p->lock) == 0);
}

/* One that was woken finds it taken, goes back into the list and is stopped. */
HARNESS(lock_is_busy_until_who_waited_has_left, .schedules = 100000)
{
    passer p = { 0 };
    crew crew = { 0 };
    RMD_ASSERT(rmd_lock_open(&p.lock, NULL) == 0 && rmd_stop_open(&p.stop) == 0);
    RMD_ASSERT(rmd_event_open(&p.has_passed) == 0);
    RMD_ASSERT(rmd_lock_acquire(p.lock, RMD_FOREVER) == 0);
    crew_add(&crew, wait_until_stopped, &p, "patient");
    until_waiting(p.lock, 1);
    RMD_ASSERT(rmd_lock_release(p.lock) == 0);
    crew_add(&crew, pass_by, &p, "passer");
    RMD_ASSERT(rmd_event_wait(p.has_passed, RMD_FOREVER) == 0);
    crew_add(&crew, stop_clerk, p.stop, "stopper");
    int err;
    while ((err = rmd_lock_free(p.lock)) == RMD_EBUSY)
        rmd_pause();
    RMD_ASSERT(err == 0);
    crew_join(&crew);
    RMD_ASSERT(rmd_event_free(p.has_passed) == 0 && rmd_stop_free(p.stop) == 0);
}

HARNESS(lock_misuse_is_an_error)
{
    rmd_lock *lock;
    RMD_ASSERT(rmd_lock_open(NULL, NULL) == RMD_EINVAL);
    RMD_ASSERT(rmd_lock_open(&lock, NULL) == 0);
    RMD_ASSERT(rmd_lock_release(lock) == RMD_EINVAL);
    RMD_ASSERT(rmd_lock_acquire(lock, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_lock_acquire(lock, rmd_after_ms(5)) == RMD_ETIMEDOUT);
    RMD_ASSERT(rmd_lock_free(lock) == RMD_EBUSY);
    RMD_ASSERT(rmd_lock_release(lock) == 0);
    RMD_ASSERT(rmd_lock_free(lock) == 0);
}
