/* SPDX-License-Identifier: MIT */
/* The queue from outside: each item is obtained once, by a taker or by who takes it out of the
 * middle, with what was written before it was put in; those of one submitter leave in their order;
 * there are never more than were asked for, and at the end none is missing. The ring has two cells
 * here, or one, so that it is full, and goes round, soon. */
#include "crew.h"
#include "exec/injection.h"

#include <string.h>

enum { ITEMS = 8, SUBMITTERS = 2, ROOM = 3, HALF = ITEMS / SUBMITTERS };

typedef struct item {
    rmdi_link link;
    uint16_t place;
    int payload;
} item;

static struct {
    rmdi_injection queue;
    item items[ITEMS];           /* the first half are of the first submitter */
    unsigned priority;           /* of all */
    int put, latest[SUBMITTERS]; /* guarded by `out`: the number taken last of each */
    rmd_atomic(int) got;         /* as bits, one for each */
} q;

static void begin(uint32_t cells, unsigned priority)
{
    memset(&q.items, 0, sizeof q.items);
    q.priority = priority;
    q.put = 0;
    q.latest[0] = q.latest[1] = -1;
    rmd_atomic_init(&q.got, 0);
    RMD_ASSERT(rmdi_injection_open(&q.queue, cells) == 0);
}

static void note_got(const item *it)
{
    int number = (int)(it - q.items);
    RMD_ASSERT(RMD_PLAIN(it->payload) == number + 1);
    RMD_ASSERT(!(rmd_atomic_or(&q.got, 1 << number, RMD_RELAXED) & 1 << number));
}

static bool put(item *it)
{
    RMD_PLAIN_SET(it->payload, (int)(it - q.items) + 1);
    rmdi_brief_enter(&q.queue.in);
    bool below = rmdi_injection_room(&q.queue, ROOM, 1);
    if (below) {
        RMD_PLAIN_SET(q.put, RMD_PLAIN(q.put) + 1);
        rmdi_injection_add(&q.queue, &it->link, &it->place, q.priority);
        rmdi_injection_note_most(&q.queue);
        RMD_ASSERT(rmdi_injection_all(&q.queue) <= ROOM);
    }
    rmdi_brief_leave(&q.queue.in);
    return below;
}

static unsigned take(unsigned n)
{
    rmdi_link *links[ITEMS];
    rmdi_brief_enter(&q.queue.out);
    n = rmdi_injection_take(&q.queue, q.priority, links, n);
    rmdi_injection_took(&q.queue, q.priority);
    for (unsigned i = 0; i < n; i++) {
        int number = (int)(RMDI_CONTAINER(links[i], item, link) - q.items);
        RMD_ASSERT(number > RMD_PLAIN(q.latest[number / HALF]));
        RMD_PLAIN_SET(q.latest[number / HALF], number);
    }
    rmdi_brief_leave(&q.queue.out);
    for (unsigned i = 0; i < n; i++)
        note_got(RMDI_CONTAINER(links[i], item, link));
    return n;
}

static void take_out(item *it)
{
    rmdi_brief_enter(&q.queue.out);
    bool there = rmdi_injection_remove(&q.queue, &it->link, it->place, q.priority);
    rmdi_brief_leave(&q.queue.out);
    if (there)
        note_got(it);
}

/* Takes what is left: what was put and not obtained before. */
static void end(void)
{
    while (take(2))
        ;
    RMD_ASSERT(!rmdi_injection_all(&q.queue) && !rmdi_injection_has(&q.queue, q.priority));
    RMD_ASSERT(__builtin_popcount((unsigned)rmd_atomic_load(&q.got, RMD_RELAXED)) == q.put);
    RMD_ASSERT(q.queue.most <= ROOM && (!q.put || q.queue.most > 0));
    rmdi_injection_free(&q.queue);
}

/* ---- who does what ---- */

static void put_three(void *arg)
{
    item *first = arg;
    for (int i = 0; i < 3; i++)
        put(first + i);
}

static void put_and_take_out(void *arg)
{
    item *first = arg;
    bool second = false;
    for (int i = 0; i < 3; i++)
        second = put(first + i) && (i == 1 || second);
    if (second)
        take_out(first + 1);
}

static void take_some(void *arg)
{
    (void)arg;
    take(1);
    take(2);
}

static void take_when_there(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        if (rmdi_injection_has(&q.queue, q.priority))
            take(2);
}

static void run(void (*put_first)(void *arg), void (*put_second)(void *arg),
                void (*take_first)(void *arg), void (*take_second)(void *arg))
{
    crew all = { 0 };
    crew_add(&all, put_first, &q.items[0], "submitter 1");
    if (put_second)
        crew_add(&all, put_second, &q.items[HALF], "submitter 2");
    crew_add(&all, take_first, NULL, "taker 1");
    if (take_second)
        crew_add(&all, take_second, NULL, "taker 2");
    crew_join(&all);
    end();
}

HARNESS(injection_goes_round)
{
    begin(2, RMDI_PRIORITY_NORMAL);
    run(put_three, put_three, take_some, take_some);
}

HARNESS(injection_of_one_cell)
{
    begin(1, RMDI_PRIORITY_NORMAL);
    run(put_three, put_three, take_some, take_when_there);
}

HARNESS(injection_one_is_taken_out_of_the_middle)
{
    begin(2, RMDI_PRIORITY_NORMAL);
    run(put_and_take_out, put_three, take_some, NULL);
}

HARNESS(injection_two_take_out_what_others_take)
{
    begin(4, RMDI_PRIORITY_NORMAL);
    run(put_and_take_out, put_and_take_out, take_some, take_when_there);
}

HARNESS(injection_of_high_priority)
{
    begin(2, RMDI_PRIORITY_HIGH);
    run(put_and_take_out, put_three, take_some, take_when_there);
}

/* A look without a lock finds neither more gone than added nor more than were put. */
static void look(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        RMD_ASSERT(rmdi_injection_normal(&q.queue) <= ITEMS);
}

HARNESS(injection_hints_are_possible)
{
    begin(2, RMDI_PRIORITY_NORMAL);
    run(put_three, NULL, take_some, look);
}

static bool is_third(const rmdi_link *link, const void *ctx)
{
    return link == ctx;
}

static void find_third(void *arg)
{
    (void)arg;
    rmdi_brief_enter(&q.queue.out);
    rmdi_link *third = &q.items[2].link;
    rmdi_link *found = rmdi_injection_find(&q.queue, q.priority, is_third, third);
    if (found) {
        RMD_ASSERT(found == third);
        RMD_ASSERT(rmdi_injection_remove(&q.queue, third, q.items[2].place, q.priority));
    }
    rmdi_brief_leave(&q.queue.out);
    if (found)
        note_got(&q.items[2]);
}

HARNESS(injection_what_is_found_is_there)
{
    begin(2, RMDI_PRIORITY_NORMAL);
    run(put_three, NULL, take_some, find_third);
}

/* In whatever order: nothing is said to be there when all have been taken out, and there is room
 * for as many as before. */
HARNESS(injection_holes_are_nothing)
{
    begin(4, RMDI_PRIORITY_NORMAL);
    for (int lap = 0; lap < 2; lap++) {
        bool out[3] = { false };
        put_three(&q.items[lap * HALF]);
        for (int left = 3; left > 0; left--) {
            unsigned i = rmd_explore_choose(3);
            while (out[i])
                i = (i + 1) % 3;
            out[i] = true;
            take_out(&q.items[lap * HALF + (int)i]);
        }
        RMD_ASSERT(!rmdi_injection_has(&q.queue, q.priority) && !rmdi_injection_all(&q.queue));
        RMD_ASSERT(!rmd_atomic_load(&q.queue.listed, RMD_RELAXED));
    }
    end();
}

/* One that puts two, and takes them out again, leaves nothing that looks like one. */
static void put_two_and_take_out(void *arg)
{
    item *first = arg;
    bool second = put(first), third = put(first + 1);
    if (second)
        take_out(first);
    if (third)
        take_out(first + 1);
}

HARNESS(injection_what_was_taken_out_is_not_said_to_be_there)
{
    crew all = { 0 };
    begin(2, RMDI_PRIORITY_NORMAL);
    crew_add(&all, put_two_and_take_out, &q.items[0], "submitter 1");
    crew_add(&all, put_two_and_take_out, &q.items[HALF], "submitter 2");
    crew_join(&all);
    RMD_ASSERT(!rmdi_injection_has(&q.queue, q.priority));
    end();
}
