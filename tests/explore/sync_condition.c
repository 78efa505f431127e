/* SPDX-License-Identifier: MIT */
/* The condition: a shelf for one item, with a condition for each side of it. */
#include "crew.h"
#include "sync/condition.h"

#include <remuda.h>

typedef struct shelf {
    rmd_lock *lock;
    rmd_condition *filled, *emptied;
    int item; /* 0: empty; all guarded by the lock */
    bool closed;
    int put, taken;
} shelf;

static void open_shelf_of(shelf *s, bool reentrant)
{
    rmd_lock_options options = { .size = sizeof options, .reentrant = reentrant };
    *s = (shelf){ 0 };
    RMD_ASSERT(rmd_lock_open(&s->lock, &options) == 0);
    RMD_ASSERT(rmd_condition_open(&s->filled, s->lock) == 0);
    RMD_ASSERT(rmd_condition_open(&s->emptied, s->lock) == 0);
}

static void open_shelf(shelf *s)
{
    open_shelf_of(s, false);
}

static void free_shelf(shelf *s)
{
    RMD_ASSERT(rmd_condition_free(s->filled) == 0);
    RMD_ASSERT(rmd_condition_free(s->emptied) == 0);
    RMD_ASSERT(rmd_lock_free(s->lock) == 0);
}

static void put_two(void *arg)
{
    shelf *s = arg;
    for (int i = 0; i < 2; i++) {
        RMD_ASSERT(rmd_lock_acquire(s->lock, RMD_FOREVER) == 0);
        while (RMD_PLAIN(s->item))
            RMD_ASSERT(rmd_condition_wait(s->emptied, RMD_FOREVER) == 0);
        RMD_PLAIN_SET(s->item, 1);
        s->put++;
        RMD_ASSERT(rmd_condition_notify_one(s->filled) == 0);
        RMD_ASSERT(rmd_lock_release(s->lock) == 0);
    }
}

typedef struct taker {
    shelf *shelf;
    rmd_stop *stop;
    int64_t patience_ms; /* 0: for ever */
    int taken;
} taker;

/* With the lock held. False: no more. */
static bool take_one(taker *t)
{
    shelf *s = t->shelf;
    while (!RMD_PLAIN(s->item)) {
        if (RMD_PLAIN(s->closed))
            return false;
        int err = rmd_condition_wait(s->filled,
                                     t->patience_ms ? rmd_after_ms(t->patience_ms) : RMD_FOREVER);
        RMD_ASSERT(err == 0 || (err == RMD_ETIMEDOUT && t->patience_ms) ||
                   (err == RMD_ECANCELED && t->stop));
        if (err == RMD_ECANCELED)
            return false;
    }
    RMD_PLAIN_SET(s->item, 0);
    s->taken++;
    t->taken++;
    RMD_ASSERT(rmd_condition_notify_one(s->emptied) == 0);
    return true;
}

static void take_all(void *arg)
{
    taker *t = arg;
    rmd_stop *before = rmd_stop_set(t->stop);
    bool more = true;
    while (more && rmd_lock_acquire(t->shelf->lock, RMD_FOREVER) == 0) {
        more = take_one(t);
        RMD_ASSERT(rmd_lock_release(t->shelf->lock) == 0);
    }
    rmd_stop_set(before);
}

static void close_shelf(shelf *s)
{
    RMD_ASSERT(rmd_lock_acquire(s->lock, RMD_FOREVER) == 0);
    RMD_PLAIN_SET(s->closed, true);
    RMD_ASSERT(rmd_lock_release(s->lock) == 0);
    RMD_ASSERT(rmd_condition_notify_all(s->filled) == 0);
}

HARNESS(condition_hands_every_item_over)
{
    shelf s;
    crew putters = { 0 }, takers = { 0 };
    open_shelf(&s);
    taker them[2] = { { .shelf = &s }, { .shelf = &s } };
    for (int i = 0; i < 2; i++)
        crew_add(&takers, take_all, &them[i], "taker");
    crew_add(&putters, put_two, &s, "putter");
    crew_add(&putters, put_two, &s, "putter");
    crew_join(&putters);
    close_shelf(&s);
    crew_join(&takers);
    RMD_ASSERT(s.taken == 4 && s.item == 0);
    free_shelf(&s);
}

static void stop_taker(void *arg)
{
    RMD_ASSERT(rmd_stop_request(arg) == 0);
}

/* One notification for one item: if it went to a taker that is just told to stop, or whose patience
 * is at its end, the other one must hear of it. */
HARNESS(condition_a_notification_is_not_lost_to_who_leaves)
{
    shelf s;
    rmd_stop *stop;
    crew others = { 0 }, takers = { 0 };
    open_shelf(&s);
    RMD_ASSERT(rmd_stop_open(&stop) == 0);
    taker them[3] = { { .shelf = &s, .stop = stop },
                      { .shelf = &s, .patience_ms = 1 },
                      { .shelf = &s } };
    for (int i = 0; i < 3; i++)
        crew_add(&takers, take_all, &them[i], "taker");
    crew_add(&others, put_two, &s, "putter");
    crew_add(&others, stop_taker, stop, "stopper");
    crew_join(&others);
    close_shelf(&s);
    crew_join(&takers);
    RMD_ASSERT(s.taken + (s.item != 0) == 2 && s.item == 0);
    RMD_ASSERT(rmd_stop_free(stop) == 0);
    free_shelf(&s);
}

/* ---- of a reentrant lock that is held twice ---- */

static void take_deeply(void *arg)
{
    taker *t = arg;
    RMD_ASSERT(rmd_lock_acquire(t->shelf->lock, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_lock_acquire(t->shelf->lock, RMD_FOREVER) == 0);
    RMD_ASSERT(take_one(t));
    RMD_ASSERT(rmd_lock_release(t->shelf->lock) == 0);
    RMD_ASSERT(take_one(t)); /* held once still: twice would keep the putters out */
    RMD_ASSERT(rmd_lock_release(t->shelf->lock) == 0);
    RMD_ASSERT(rmd_lock_release(t->shelf->lock) == RMD_EINVAL);
}

HARNESS(condition_of_a_reentrant_lock_gives_all_of_it_away)
{
    shelf s;
    crew crew = { 0 };
    open_shelf_of(&s, true);
    taker them[2] = { { .shelf = &s }, { .shelf = &s } };
    for (int i = 0; i < 2; i++)
        crew_add(&crew, take_deeply, &them[i], "taker");
    crew_add(&crew, put_two, &s, "putter");
    crew_add(&crew, put_two, &s, "putter");
    crew_join(&crew);
    RMD_ASSERT(s.taken == 4 && s.item == 0);
    free_shelf(&s);
}

/* ---- one turn for each notification ---- */

typedef struct turnstile {
    rmd_lock *lock;
    rmd_condition *turn;
    int waiting, passed; /* guarded by the lock */
} turnstile;

static void pass_turnstile(void *arg)
{
    turnstile *t = arg;
    RMD_ASSERT(rmd_lock_acquire(t->lock, RMD_FOREVER) == 0);
    t->waiting++;
    RMD_ASSERT(rmd_condition_wait(t->turn, RMD_FOREVER) == 0); /* never for no reason */
    t->passed++;
    RMD_ASSERT(rmd_lock_release(t->lock) == 0);
}

static void let_one_pass(turnstile *t, int by)
{
    for (bool done = false; !done;) {
        RMD_ASSERT(rmd_lock_acquire(t->lock, RMD_FOREVER) == 0);
        done = t->waiting >= by;
        if (done)
            RMD_ASSERT(rmd_condition_notify_one(t->turn) == 0);
        RMD_ASSERT(rmd_lock_release(t->lock) == 0);
        rmd_pause();
    }
}

HARNESS(condition_one_notification_lets_one_pass)
{
    turnstile t = { .waiting = 0 };
    crew crew = { 0 };
    RMD_ASSERT(rmd_lock_open(&t.lock, NULL) == 0);
    RMD_ASSERT(rmd_condition_open(&t.turn, t.lock) == 0);
    for (int i = 0; i < 3; i++)
        crew_add(&crew, pass_turnstile, &t, "visitor");
    let_one_pass(&t, 3);
    let_one_pass(&t, 3);
    RMD_ASSERT(rmd_lock_acquire(t.lock, RMD_FOREVER) == 0);
    RMD_ASSERT(t.passed <= 2);
    RMD_ASSERT(rmd_lock_release(t.lock) == 0);
    let_one_pass(&t, 3);
    crew_join(&crew);
    RMD_ASSERT(t.passed == 3);
    RMD_ASSERT(rmd_condition_free(t.turn) == 0);
    RMD_ASSERT(rmd_lock_free(t.lock) == 0);
}

/* ---- notified without the lock ---- */

static void wait_a_little(void *arg)
{
    rmd_condition *condition = arg;
    int err = rmd_condition_wait(condition, rmd_after_ms(1));
    RMD_ASSERT(err == 0 || err == RMD_ETIMEDOUT);
}

typedef struct bell {
    rmd_lock *lock;
    rmd_condition *rung;
} bell;

static void listen_twice(void *arg)
{
    bell *b = arg;
    for (int i = 0; i < 2; i++) {
        RMD_ASSERT(rmd_lock_acquire(b->lock, RMD_FOREVER) == 0);
        wait_a_little(b->rung);
        RMD_ASSERT(rmd_lock_release(b->lock) == 0);
    }
}

static void ring(void *arg)
{
    bell *b = arg;
    RMD_ASSERT(rmd_condition_notify_one(b->rung) == 0);
    RMD_ASSERT(rmd_condition_notify_all(b->rung) == 0);
}

HARNESS(condition_notified_by_who_never_had_the_lock)
{
    bell b;
    crew crew = { 0 };
    RMD_ASSERT(rmd_lock_open(&b.lock, NULL) == 0);
    RMD_ASSERT(rmd_condition_open(&b.rung, b.lock) == 0);
    for (int i = 0; i < 2; i++)
        crew_add(&crew, listen_twice, &b, "listener");
    crew_add(&crew, ring, &b, "ringer");
    crew_add(&crew, ring, &b, "ringer");
    crew_join(&crew);
    RMD_ASSERT(rmd_condition_free(b.rung) == 0);
    RMD_ASSERT(rmd_lock_free(b.lock) == 0);
}

HARNESS(condition_misuse_is_an_error)
{
    rmd_lock *lock;
    rmd_condition *condition;
    RMD_ASSERT(rmd_lock_open(&lock, NULL) == 0);
    RMD_ASSERT(rmd_condition_open(&condition, NULL) == RMD_EINVAL);
    RMD_ASSERT(rmd_condition_open(&condition, lock) == 0);
    RMD_ASSERT(rmd_condition_wait(condition, RMD_FOREVER) == RMD_EINVAL);
    RMD_ASSERT(rmd_lock_acquire(lock, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_condition_wait(condition, rmd_after_ms(1)) == RMD_ETIMEDOUT);
    RMD_ASSERT(rmd_lock_free(lock) == RMD_EBUSY);
    RMD_ASSERT(rmd_lock_release(lock) == 0);
    RMD_ASSERT(rmd_condition_free(condition) == 0);
    RMD_ASSERT(rmd_lock_free(lock) == 0);
}

static void wait_once(void *arg)
{
    taker *t = arg;
    RMD_ASSERT(rmd_lock_acquire(t->shelf->lock, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_condition_wait(t->shelf->filled, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_lock_release(t->shelf->lock) == 0);
}

/* ---- freed by whoever notified, as soon as it lets itself be, and its lock with it ---- */

HARNESS(condition_is_busy_until_all_have_their_lock_back)
{
    shelf s;
    int err;
    crew takers = { 0 };
    open_shelf(&s);
    taker them[2] = { { .shelf = &s }, { .shelf = &s } };
    rmd_lock *lock = s.lock;
    for (int i = 0; i < 2; i++)
        crew_add(&takers, wait_once, &them[i], "taker");
    while (rmd_atomic_load(&s.filled->condition.waits.count, RMD_ACQUIRE) < 2)
        rmd_pause();
    close_shelf(&s);
    while ((err = rmd_condition_free(s.filled)) == RMD_EBUSY)
        rmd_pause();
    RMD_ASSERT(err == 0);
    while ((err = rmd_lock_free(lock)) == RMD_EBUSY)
        rmd_pause();
    RMD_ASSERT(err == 0);
    RMD_ASSERT(rmd_condition_free(s.emptied) == 0);
    crew_join(&takers);
}
