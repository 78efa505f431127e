/* SPDX-License-Identifier: MIT */
/* The waiter: no wake-up is lost, waking one lets exactly one run, and nobody is touched who has
 * gone. */
#include "base/park.h"
#include "crew.h"
#include "sync/self.h"
#include "sync/waiter.h"

#include <remuda/error.h>

/* One who waits in one list, and what came of it. */
typedef struct guest {
    rmdi_wait_list *list;
    rmd_stop *stop;
    rmd_deadline deadline;
    int result;
} guest;

static void wait_in_list(void *arg)
{
    guest *g = arg;
    rmdi_self self = { .stop = g->stop };
    rmdi_self_swap(&self);
    rmdi_waiter waiter;
    rmdi_wait wait;
    rmdi_waiter_init(&waiter, true);
    rmdi_wait_list_enter(g->list);
    rmdi_wait_list_add(g->list, &wait, &waiter, 7);
    rmdi_wait_list_leave(g->list);
    g->result = rmdi_waiter_sleep(&waiter, g->deadline);
    rmdi_wait_list_remove(g->list, &wait);
}

typedef struct waking {
    rmdi_wait_list *list;
    int times;
    size_t fired;
} waking;

static void wake_some(void *arg)
{
    waking *w = arg;
    for (int i = 0; i < w->times; i++)
        w->fired += rmdi_wake_one(w->list);
}

static void request_stop(void *arg)
{
    RMD_ASSERT(rmd_stop_request(arg) == 0);
}

/* Whoever was fired says so, and nobody else: a deadline and a stop token compete. */
HARNESS(waiter_each_wake_up_lets_one_run)
{
    rmdi_wait_list list = { 0 };
    rmd_stop *stop;
    crew crew = { 0 };
    RMD_ASSERT(rmd_stop_open(&stop) == 0);
    guest guests[3] = { { &list, NULL, rmd_after_ms(2), 0 },
                        { &list, stop, RMD_FOREVER, 0 },
                        { &list, stop, rmd_after_ms(1), 0 } };
    waking first = { &list, 2, 0 };
    for (int i = 0; i < 3; i++)
        crew_add(&crew, wait_in_list, &guests[i], "guest");
    crew_add(&crew, wake_some, &first, "waker");
    crew_add(&crew, request_stop, stop, "stopper");
    crew_join(&crew);
    size_t woken = 0;
    for (int i = 0; i < 3; i++) {
        RMD_ASSERT(guests[i].result == 7 || guests[i].result == RMD_ETIMEDOUT ||
                   guests[i].result == RMD_ECANCELED);
        woken += guests[i].result == 7;
    }
    RMD_ASSERT(woken == first.fired);
    RMD_ASSERT(!list.first && !list.last);
    RMD_ASSERT(rmd_stop_free(stop) == 0);
}

static void wake_until_three(void *arg)
{
    waking *w = arg;
    while (w->fired < 3) {
        w->fired += rmdi_wake_one(w->list);
        rmd_pause();
    }
}

static void wake_all_until_three(void *arg)
{
    waking *w = arg;
    while (w->fired < 3) {
        w->fired += rmdi_wake_all(w->list);
        rmd_pause();
    }
}

/* Nobody has a deadline: a lost wake-up would be a deadlock. */
HARNESS(waiter_no_wake_up_is_lost)
{
    rmdi_wait_list list = { 0 };
    crew crew = { 0 };
    bool all = rmd_explore_choose(2);
    guest guests[3];
    waking waking = { &list, 0, 0 };
    for (int i = 0; i < 3; i++) {
        guests[i] = (guest){ &list, NULL, RMD_FOREVER, 0 };
        crew_add(&crew, wait_in_list, &guests[i], "guest");
    }
    crew_add(&crew, all ? wake_all_until_three : wake_until_three, &waking, "waker");
    crew_join(&crew);
    for (int i = 0; i < 3; i++)
        RMD_ASSERT(guests[i].result == 7);
}

/* ---- a waiter in two lists, and gifts ---- */

typedef struct shopper {
    rmdi_wait_list lists[2];
    rmd_deadline deadline;
    int result;
    void *gift;
} shopper;

static void wait_in_two(void *arg)
{
    shopper *s = arg;
    rmdi_waiter waiter;
    rmdi_wait waits[2];
    rmdi_waiter_init(&waiter, true);
    for (int i = 0; i < 2; i++) {
        rmdi_wait_list_enter(&s->lists[i]);
        rmdi_wait_list_add(&s->lists[i], &waits[i], &waiter, (uint32_t)i);
        rmdi_wait_list_leave(&s->lists[i]);
    }
    s->result = rmdi_waiter_sleep(&waiter, s->deadline);
    for (int i = 0; i < 2; i++)
        rmdi_wait_list_remove(&s->lists[i], &waits[i]);
    s->gift = s->result >= 0 ? waits[s->result].gift : NULL;
}

typedef struct giver {
    rmdi_wait_list *list;
    int gift; /* its address is */
    bool given;
} giver;

static void give(void *arg)
{
    giver *g = arg;
    rmdi_waker waker;
    RMD_PLAIN_SET(g->gift, 5); /* the woken reads it without more ado */
    rmdi_wait_list_enter(g->list);
    g->given = rmdi_wait_list_fire(g->list, &g->gift, &waker);
    rmdi_wait_list_leave(g->list);
    rmdi_waker_wake(&waker);
}

HARNESS(waiter_in_two_lists_gets_one_gift)
{
    shopper s = { .deadline = rmd_after_ms(1) };
    giver givers[2] = { { &s.lists[0], 0, false }, { &s.lists[1], 0, false } };
    crew crew = { 0 };
    crew_add(&crew, wait_in_two, &s, "shopper");
    crew_add(&crew, give, &givers[0], "giver 0");
    crew_add(&crew, give, &givers[1], "giver 1");
    crew_join(&crew);
    RMD_ASSERT(givers[0].given + givers[1].given == (s.result >= 0));
    if (s.result >= 0) {
        giver *g = &givers[s.result];
        RMD_ASSERT(g->given && s.gift == &g->gift && RMD_PLAIN(g->gift) == 5);
    } else {
        RMD_ASSERT(s.result == RMD_ETIMEDOUT);
    }
}

/* ---- another kind of sleeper ---- */

/* As a coroutine's would be: it needs wake() to have been called, and is gone afterwards. */
typedef struct own_sleeper {
    rmdi_sleeper sleeper;
    rmd_atomic(uint32_t) woken;
} own_sleeper;

static own_sleeper *own(rmdi_sleeper *self)
{
    return (own_sleeper *)(void *)self; /* its first member */
}

static int own_sleep(rmdi_sleeper *self, rmdi_waiter *waiter, rmd_deadline deadline)
{
    (void)waiter;
    if (rmd_atomic_load(&own(self)->woken, RMD_ACQUIRE))
        return 0;
    return rmdi_park(&own(self)->woken, 0, deadline);
}

static void own_wake(rmdi_sleeper *self, rmdi_waiter *waiter)
{
    (void)waiter;
    RMD_ASSERT(rmd_atomic_add(&own(self)->woken, 1, RMD_RELEASE) == 0); /* once */
    rmdi_unpark_one(&own(self)->woken);
}

static void own_settle(rmdi_sleeper *self, rmdi_waiter *waiter)
{
    (void)waiter;
    while (!rmd_atomic_load(&own(self)->woken, RMD_ACQUIRE))
        rmdi_park(&own(self)->woken, 0, RMD_FOREVER);
}

static void wait_with_own_sleeper(void *arg)
{
    guest *g = arg;
    own_sleeper sleeper = { .sleeper = { own_sleep, own_wake, own_settle } };
    rmd_atomic_init(&sleeper.woken, 0);
    rmdi_self self = { .sleeper = &sleeper.sleeper, .stop = g->stop };
    void *before = rmdi_self_swap(&self);
    rmdi_waiter waiter;
    rmdi_wait wait;
    rmdi_waiter_init(&waiter, true);
    rmdi_wait_list_enter(g->list);
    rmdi_wait_list_add(g->list, &wait, &waiter, 7);
    rmdi_wait_list_leave(g->list);
    g->result = rmdi_waiter_sleep(&waiter, g->deadline);
    rmdi_wait_list_remove(g->list, &wait);
    rmdi_self_swap(before);
    bool by_another = g->result != RMD_ETIMEDOUT;
    /* A token that had fired before it went to sleep is noticed by itself. */
    RMD_ASSERT(by_another || !rmd_atomic_load(&sleeper.woken, RMD_ACQUIRE));
}

HARNESS(waiter_with_a_sleeper_that_must_stay_alive)
{
    rmdi_wait_list list = { 0 };
    rmd_stop *stop;
    crew crew = { 0 };
    RMD_ASSERT(rmd_stop_open(&stop) == 0);
    guest guests[2] = { { &list, stop, rmd_after_ms(1), 0 }, { &list, NULL, rmd_after_ms(2), 0 } };
    waking waking = { &list, 2, 0 };
    crew_add(&crew, wait_with_own_sleeper, &guests[0], "own");
    crew_add(&crew, wait_with_own_sleeper, &guests[1], "own");
    crew_add(&crew, wake_some, &waking, "waker");
    crew_add(&crew, request_stop, stop, "stopper");
    crew_join(&crew);
    RMD_ASSERT((guests[0].result == 7) + (guests[1].result == 7) == (int)waking.fired);
    RMD_ASSERT(rmd_stop_free(stop) == 0);
}
