/* SPDX-License-Identifier: MIT */
#include "sync/select.h"

#include "kit.h"
#include "sync/thread.h"

#include <remuda/error.h>
#include <unistd.h>

enum { EVENTS = 4 };

static rmd_event *events[EVENTS];
static rmd_waitable what[EVENTS + 1];

static rmd_deadline patience(void)
{
    return rmd_after_ms(15000 * kit_patience());
}

static void open_events(void)
{
    for (int i = 0; i < EVENTS; i++) {
        REQUIRE(rmd_event_open(&events[i]) == 0);
        what[i] = rmd_event_waitable(events[i]);
    }
}

static void free_events(void)
{
    for (int i = 0; i < EVENTS; i++)
        CHECK_EQ(rmd_event_free(events[i]), 0);
}

TEST(the_first_that_is_ready_is_chosen)
{
    open_events();
    CHECK_EQ(rmd_select(what, EVENTS, RMD_NOW), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_select(what, EVENTS, rmd_after_ms(5)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_event_set(events[3]), 0);
    CHECK_EQ(rmd_select(what, EVENTS, RMD_NOW), 3);
    CHECK_EQ(rmd_event_set(events[1]), 0);
    CHECK_EQ(rmd_select(what, EVENTS, RMD_FOREVER), 1);
    free_events();
}

TEST(misuse_of_select_is_refused)
{
    static rmd_waitable many[RMD_SELECT_MAX + 1];
    CHECK_EQ(rmd_select(NULL, 1, RMD_NOW), RMD_EINVAL);
    CHECK_EQ(rmd_select(many, RMD_SELECT_MAX + 1, RMD_NOW), RMD_E2BIG);
    CHECK_EQ(rmd_select(many, 1, RMD_NOW), RMD_EINVAL);
    rmd_waitable wrong[] = { rmd_event_waitable(NULL), rmd_thread_waitable(NULL),
                             rmd_stop_waitable(NULL),  rmd_fd_waitable(-1, RMD_READABLE),
                             rmd_fd_waitable(0, 0),    rmd_fd_waitable(900, RMD_READABLE) };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_EQ(rmd_select(&wrong[i], 1, patience()), RMD_EINVAL);
}

TEST(nothing_to_wait_for_is_a_sleep)
{
    rmd_deadline soon = rmd_after_ms(20);
    CHECK_EQ(rmd_select(NULL, 0, soon), RMD_ETIMEDOUT);
    CHECK(rmd_deadline_passed(soon));
}

TEST(as_many_as_the_limit_can_be_waited_for)
{
    rmd_waitable many[RMD_SELECT_MAX];
    int ends[2];
    open_events();
    REQUIRE(pipe(ends) == 0);
    for (int i = 0; i < RMD_SELECT_MAX; i++)
        many[i] = i % 2 ? rmd_fd_waitable(ends[0], RMD_READABLE) : what[i % EVENTS];
    CHECK_EQ(rmd_select(many, RMD_SELECT_MAX, rmd_after_ms(5)), RMD_ETIMEDOUT);
    REQUIRE(write(ends[1], "x", 1) == 1);
    CHECK_EQ(rmd_select(many, RMD_SELECT_MAX, patience()), 1);
    free_events();
}

/* ---- from other threads ---- */

static void set_one(void *arg)
{
    CHECK_EQ(rmd_event_set(arg), 0);
}

TEST_LIMIT(whatever_happens_while_it_sleeps_is_chosen, 60)
{
    open_events();
    for (int round = 0; round < 1000; round++) {
        rmdi_thread threads[2];
        int a = round % EVENTS, b = (round / EVENTS) % EVENTS;
        REQUIRE(rmdi_thread_start(&threads[0], set_one, events[a], "a") == 0);
        REQUIRE(rmdi_thread_start(&threads[1], set_one, events[b], "b") == 0);
        int index = rmd_select(what, EVENTS, patience());
        CHECK(index == a || index == b);
        for (int i = 0; i < 2; i++)
            CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
        CHECK_EQ(rmd_select(what, EVENTS, RMD_NOW), a < b ? a : b);
        rmd_event_clear(events[a]);
        rmd_event_clear(events[b]);
    }
    free_events();
}

static void write_byte(void *arg)
{
    CHECK_EQ(write(*(int *)arg, "x", 1), 1);
}

TEST_LIMIT(descriptors_and_events_race_and_neither_is_lost, 60)
{
    int ends[2];
    char byte;
    open_events();
    REQUIRE(pipe(ends) == 0);
    rmd_waitable both[] = { what[0], rmd_fd_waitable(ends[0], RMD_READABLE) };
    for (int round = 0; round < 1000; round++) {
        rmdi_thread setter, writer;
        REQUIRE(rmdi_thread_start(&setter, set_one, events[0], "setter") == 0);
        REQUIRE(rmdi_thread_start(&writer, write_byte, &ends[1], "writer") == 0);
        int index = rmd_select(both, 2, patience());
        CHECK(index == 0 || index == 1);
        CHECK_EQ(rmdi_thread_join(&setter, RMD_FOREVER), 0);
        CHECK_EQ(rmdi_thread_join(&writer, RMD_FOREVER), 0);
        CHECK_EQ(rmd_select(&both[0], 1, RMD_NOW), 0);
        CHECK_EQ(rmd_select(&both[1], 1, RMD_NOW), 0);
        CHECK_EQ(read(ends[0], &byte, 1), 1);
        rmd_event_clear(events[0]);
    }
    free_events();
}

static rmd_stop *token;

static void request(void *arg)
{
    (void)arg;
    CHECK_EQ(rmd_stop_request(token), 0);
}

TEST(tokens_and_ends_of_threads_can_be_selected)
{
    rmd_thread *thread;
    open_events();
    REQUIRE(rmd_stop_open(&token) == 0);
    REQUIRE(rmd_thread_start(&thread, request, NULL, NULL) == 0);
    rmd_waitable two[] = { rmd_stop_waitable(token), rmd_thread_waitable(thread) };
    CHECK_EQ(rmd_select(two, 2, patience()), 0);
    CHECK_EQ(rmd_select(&two[1], 1, patience()), 0);
    CHECK_EQ(rmd_thread_free(thread), 0);
    CHECK_EQ(rmd_stop_free(token), 0);
    free_events();
}

/* ---- things that are taken ---- */

/* One item that several want: what a queue will be. */
typedef struct box {
    rmdi_wait_list waits;
    bool full; /* guarded by the list's brief lock */
} box;

static box boxes[2];
static rmd_atomic(uint32_t) taken, over;

static bool box_take(const rmd_waitable *w)
{
    box *b = w->object;
    rmdi_wait_list_enter(&b->waits);
    bool full = b->full;
    b->full = false;
    rmdi_wait_list_leave(&b->waits);
    return full;
}

static bool box_add(const rmd_waitable *w, rmdi_wait *wait, rmdi_waiter *waiter, uint32_t index)
{
    box *b = w->object;
    rmdi_wait_not_added(wait);
    rmdi_wait_list_enter(&b->waits);
    bool full = b->full;
    if (!full)
        rmdi_wait_list_add(&b->waits, wait, waiter, index);
    rmdi_wait_list_leave(&b->waits);
    return !full;
}

static void box_remove(const rmd_waitable *w, rmdi_wait *wait)
{
    rmdi_wait_list_remove(&((box *)w->object)->waits, wait);
}

static bool box_claim(const rmd_waitable *w, rmdi_wait *wait)
{
    return wait ? wait->gift != NULL : box_take(w);
}

static const rmdi_waitable_ops box_ops = { box_take, box_add, box_remove, box_claim };

static void put(box *b)
{
    rmdi_waker waker;
    rmdi_wait_list_enter(&b->waits);
    if (!rmdi_wait_list_fire(&b->waits, b, &waker))
        b->full = true;
    rmdi_wait_list_leave(&b->waits);
    rmdi_waker_wake(&waker);
}

static void take_items(void *arg)
{
    (void)arg;
    rmd_waitable two[] = { { .ops = &box_ops, .object = &boxes[0] },
                           { .ops = &box_ops, .object = &boxes[1] } };
    while (!rmd_atomic_load(&over, RMD_ACQUIRE))
        if (rmd_select(two, 2, rmd_after_ns(100000)) >= 0)
            rmd_atomic_add(&taken, 1, RMD_RELEASE);
}

TEST_LIMIT(an_item_goes_to_exactly_one_of_those_who_select, 60)
{
    rmdi_thread threads[3];
    for (int i = 0; i < 3; i++)
        REQUIRE(rmdi_thread_start(&threads[i], take_items, NULL, "taker") == 0);
    for (uint32_t i = 0; i < 3000; i++) {
        put(&boxes[i % 2]);
        while (rmd_atomic_load(&taken, RMD_ACQUIRE) < i + 1)
            ;
    }
    rmd_atomic_store(&over, 1, RMD_RELEASE);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_EQ(rmd_atomic_load(&taken, RMD_RELAXED), 3000);
}
