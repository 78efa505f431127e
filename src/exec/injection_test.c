/* SPDX-License-Identifier: MIT */
/* The queue from outside, by itself: its order, its holes, its laps, and what it says about itself
 * without a lock. */
#include "exec/injection.h"

#include "kit.h"
#include "kit_alloc.h"
#include "sync/thread.h"

#include <remuda/error.h>
#include <sched.h>

enum { LOW = RMDI_PRIORITY_LOW, NORMAL = RMDI_PRIORITY_NORMAL, HIGH = RMDI_PRIORITY_HIGH };

typedef struct item {
    rmdi_link link;
    uint16_t place;
    int number;
} item;

static rmdi_injection queue;
static item items[64]; /* numbered from 1, so that 0 is none */

static item *of(rmdi_link *link)
{
    return RMDI_CONTAINER(link, item, link);
}

static void open_queue(uint32_t about)
{
    REQUIRE(rmdi_injection_open(&queue, about) == 0);
    for (int i = 0; i < 64; i++)
        items[i].number = i;
}

static void add_item(item *it, unsigned priority)
{
    rmdi_brief_enter(&queue.in);
    rmdi_injection_add(&queue, &it->link, &it->place, priority);
    rmdi_injection_note_most(&queue);
    rmdi_brief_leave(&queue.in);
}

static void add(int number, unsigned priority)
{
    add_item(&items[number], priority);
}

static void add_all(int first, int last, unsigned priority)
{
    for (int i = first; i <= last; i++)
        add(i, priority);
}

/* The number of the next one, which is where others find it; 0: there is none. */
static int take(unsigned priority)
{
    rmdi_link *link;
    rmdi_brief_enter(&queue.out);
    unsigned n = rmdi_injection_take(&queue, priority, &link, 1);
    rmdi_injection_took(&queue, priority);
    rmdi_brief_leave(&queue.out);
    return n ? of(link)->number : 0;
}

static void check_taken(int first, int last, unsigned priority)
{
    for (int i = first; i <= last; i++)
        CHECK_EQ(take(priority), i);
}

static bool take_out(int number, unsigned priority)
{
    rmdi_brief_enter(&queue.out);
    bool out = rmdi_injection_remove(&queue, &items[number].link, items[number].place, priority);
    rmdi_brief_leave(&queue.out);
    return out;
}

static uint32_t room(uint32_t max, uint32_t wanted)
{
    rmdi_brief_enter(&queue.in);
    uint32_t n = rmdi_injection_room(&queue, max, wanted);
    rmdi_brief_leave(&queue.in);
    return n;
}

static void close_queue(void)
{
    for (unsigned i = 0; i < RMDI_PRIORITIES; i++) {
        CHECK_EQ(take(i), 0);
        CHECK(!rmdi_injection_has(&queue, i));
    }
    CHECK_EQ(rmdi_injection_all(&queue), 0);
    rmdi_injection_free(&queue);
}

/* ---- opening ---- */

static void check_cells(uint32_t about, uint64_t cells)
{
    open_queue(about);
    CHECK_EQ(queue.mask + 1, cells);
    close_queue();
}

TEST(a_ring_has_the_next_power_of_two_cells_up_to_what_a_place_can_tell)
{
    check_cells(0, 1);
    check_cells(1, 1);
    check_cells(3, 4);
    check_cells(1024, 1024);
    check_cells(RMDI_RING_MAX, RMDI_RING_MAX);
    check_cells(RMDI_RING_MAX + 1, RMDI_RING_MAX);
    check_cells(UINT32_MAX, RMDI_RING_MAX);
}

TEST(a_queue_without_memory_for_its_ring_is_not_opened_and_may_be_freed)
{
    kit_alloc_fail(1);
    CHECK_EQ(rmdi_injection_open(&queue, 8), RMD_ENOMEM);
    kit_alloc_fail(0);
    rmdi_injection_free(&queue);
    queue = (rmdi_injection){ 0 };
    rmdi_injection_free(&queue);
}

/* ---- order ---- */

TEST(those_of_each_priority_leave_in_the_order_in_which_they_came)
{
    open_queue(8);
    for (int i = 1; i <= 4; i++) {
        add(i, NORMAL);
        add(10 + i, LOW);
        add(20 + i, HIGH);
    }
    CHECK_EQ(rmdi_injection_normal(&queue), 4);
    CHECK_EQ(rmdi_injection_others(&queue), 8);
    CHECK_EQ(rmdi_injection_all(&queue), 12);
    check_taken(21, 24, HIGH);
    CHECK(!rmdi_injection_has(&queue, HIGH));
    CHECK(rmdi_injection_has(&queue, NORMAL) && rmdi_injection_has(&queue, LOW));
    check_taken(11, 14, LOW);
    check_taken(1, 4, NORMAL);
    close_queue();
}

TEST(what_comes_while_the_ring_is_full_leaves_after_what_is_in_it)
{
    open_queue(4);
    add_all(1, 7, NORMAL);
    CHECK_EQ(rmdi_injection_normal(&queue), 7);
    check_taken(1, 4, NORMAL);
    CHECK(rmdi_injection_has(&queue, NORMAL)); /* in the list only */
    check_taken(5, 7, NORMAL);
    close_queue();
}

TEST(one_that_was_taken_makes_room_for_one_in_the_ring)
{
    open_queue(4);
    add_all(1, 4, NORMAL);
    for (int i = 5; i < 40; i++) {
        CHECK_EQ(take(NORMAL), i - 4);
        add(i, NORMAL);
        CHECK(items[i].link.next == NULL);
    }
    add(40, NORMAL);
    CHECK(items[40].link.next != NULL);
    check_taken(36, 40, NORMAL);
    close_queue();
}

/* The ring has room again, but what is in the list came earlier. */
TEST(what_comes_while_there_are_some_in_the_list_goes_there_too)
{
    open_queue(4);
    add_all(1, 6, NORMAL);
    check_taken(1, 3, NORMAL);
    add_all(7, 8, NORMAL);
    CHECK(items[7].link.next != NULL); /* in a list */
    check_taken(4, 8, NORMAL);
    add(9, NORMAL);
    CHECK(items[9].link.next == NULL); /* in the ring again */
    check_taken(9, 9, NORMAL);
    close_queue();
}

TEST(the_cells_are_used_round_and_round_whatever_number_lies_in_them)
{
    int in = 0, out = 0;
    open_queue(4);
    for (int step = 0; step < 400; step++) {
        for (int n = step % 5; n > 0; n--)
            add(1 + in++ % 63, NORMAL);
        CHECK_EQ(rmdi_injection_normal(&queue), in - out);
        CHECK_EQ(rmdi_injection_has(&queue, NORMAL), in != out);
        while (out < in)
            CHECK_EQ(take(NORMAL), 1 + out++ % 63);
    }
    close_queue();
}

TEST(several_are_taken_at_once_from_the_ring_and_then_from_the_list)
{
    rmdi_link *links[8];
    open_queue(4);
    add_all(1, 6, NORMAL);
    CHECK_EQ(rmdi_injection_take(&queue, NORMAL, links, 2), 2);
    rmdi_injection_took(&queue, NORMAL);
    CHECK_EQ(of(links[0])->number, 1);
    CHECK_EQ(of(links[1])->number, 2);
    CHECK_EQ(rmdi_injection_take(&queue, NORMAL, links, 8), 4);
    rmdi_injection_took(&queue, NORMAL);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(of(links[i])->number, 3 + i);
    CHECK(links[2]->next == NULL && links[3]->next == NULL); /* zeroed: they are in no list */
    close_queue();
}

/* Who looks first here and then where they are put must not miss them. */
TEST(what_was_taken_is_said_to_be_there_until_it_is_where_others_find_it)
{
    static const unsigned priorities[] = { LOW, NORMAL, HIGH };
    rmdi_link *links[6];
    open_queue(2);
    for (unsigned i = 0; i < 6; i++) {
        unsigned priority = priorities[i / 2], n = 2 + i % 2; /* in the ring only, or not */
        add_all(1, (int)n, priority);
        CHECK_EQ(rmdi_injection_take(&queue, priority, links, 6), n);
        CHECK(rmdi_injection_has(&queue, priority));
        CHECK_EQ(rmdi_injection_all(&queue), n);
        rmdi_injection_took(&queue, priority);
        CHECK(!rmdi_injection_has(&queue, priority));
        CHECK_EQ(rmdi_injection_all(&queue), 0);
    }
    close_queue();
}

TEST(with_both_locks_held_they_are_added_in_the_same_order)
{
    open_queue(2);
    rmdi_brief_enter(&queue.in);
    rmdi_brief_enter(&queue.out);
    for (int i = 1; i <= 4; i++) {
        rmdi_injection_add_here(&queue, &items[i].link, &items[i].place, NORMAL);
        rmdi_injection_add_here(&queue, &items[10 + i].link, &items[10 + i].place, HIGH);
    }
    rmdi_brief_leave(&queue.out);
    rmdi_brief_leave(&queue.in);
    CHECK_EQ(rmdi_injection_all(&queue), 8);
    CHECK(items[2].link.next == NULL); /* in the ring, as there was room */
    CHECK(items[3].link.next != NULL);
    check_taken(1, 4, NORMAL);
    check_taken(11, 14, HIGH);
    close_queue();
}

/* ---- out of the middle ---- */

TEST(one_that_is_taken_out_of_the_middle_is_passed_over_and_counts_no_more)
{
    open_queue(4);
    add_all(1, 7, NORMAL); /* three of them in the list */
    CHECK(take_out(2, NORMAL));
    CHECK(take_out(4, NORMAL));
    CHECK(take_out(6, NORMAL));
    CHECK_EQ(rmdi_injection_normal(&queue), 4);
    static const int left[] = { 1, 3, 5, 7 };
    for (int i = 0; i < 4; i++)
        CHECK_EQ(take(NORMAL), left[i]);
    close_queue();
}

TEST(one_that_was_taken_before_is_not_taken_out_again)
{
    open_queue(4);
    add_all(1, 6, NORMAL);
    add_all(11, 12, HIGH);
    CHECK(take_out(2, NORMAL));
    CHECK(!take_out(2, NORMAL)); /* a hole */
    CHECK(take_out(12, HIGH));
    CHECK(!take_out(12, HIGH));
    CHECK_EQ(take(NORMAL), 1);
    CHECK(!take_out(1, NORMAL)); /* its address is in its cell yet, behind the head */
    check_taken(3, 6, NORMAL);
    for (int i = 1; i <= 6; i++)
        CHECK(!take_out(i, NORMAL));
    CHECK_EQ(take(HIGH), 11);
    CHECK(!take_out(11, HIGH));
    close_queue();
}

/* And now others lie in the cells of its lap. */
TEST(one_that_was_taken_a_lap_ago_is_not_taken_out)
{
    open_queue(4);
    add_all(1, 4, NORMAL);
    check_taken(1, 4, NORMAL);
    add_all(5, 8, NORMAL);
    for (int i = 1; i <= 4; i++)
        CHECK(!take_out(i, NORMAL));
    CHECK_EQ(rmdi_injection_normal(&queue), 4);
    check_taken(5, 8, NORMAL);
    close_queue();
}

TEST(holes_make_no_room_in_the_ring_but_the_queue_goes_on)
{
    open_queue(4);
    add_all(1, 4, NORMAL);
    for (int i = 2; i <= 4; i++)
        CHECK(take_out(i, NORMAL));
    CHECK_EQ(rmdi_injection_normal(&queue), 1);
    add_all(5, 6, NORMAL); /* behind the first the ring is full of holes */
    CHECK(items[5].link.next != NULL);
    CHECK_EQ(take(NORMAL), 1);
    check_taken(5, 6, NORMAL); /* and now it is empty */
    add(7, NORMAL);
    CHECK(items[7].link.next == NULL);
    CHECK_EQ(take(NORMAL), 7);
    close_queue();
}

TEST(holes_at_the_head_make_room_at_once)
{
    open_queue(4);
    add_all(1, 4, NORMAL);
    for (int i = 4; i >= 1; i--) {
        CHECK(rmdi_injection_has(&queue, NORMAL));
        CHECK(take_out(i, NORMAL));
    }
    CHECK(!rmdi_injection_has(&queue, NORMAL));
    add_all(5, 8, NORMAL);
    CHECK(items[8].link.next == NULL); /* in the ring */
    check_taken(5, 8, NORMAL);
    close_queue();
}

TEST(who_takes_finds_nothing_among_holes_and_then_none_is_said_to_be_there)
{
    open_queue(4);
    add_all(1, 3, NORMAL);
    for (int i = 1; i <= 3; i++)
        CHECK(take_out(i, NORMAL));
    CHECK_EQ(take(NORMAL), 0);
    CHECK(!rmdi_injection_has(&queue, NORMAL));
    close_queue();
}

/* Places are of 16 bits, positions are not. */
TEST(places_are_told_from_each_other_after_a_hundred_thousand)
{
    open_queue(8);
    for (int i = 0; i < 100000; i++) {
        add(1 + i % 60, NORMAL);
        add(61, NORMAL);
        CHECK(take_out(61, NORMAL));
        CHECK_EQ(take(NORMAL), 1 + i % 60);
    }
    close_queue();
}

TEST(the_largest_ring_is_filled_and_any_of_it_taken_out)
{
    enum { MANY = RMDI_RING_MAX };
    static item many[MANY + 1];
    open_queue(MANY);
    for (int lap = 0; lap < 3; lap++) {
        for (int i = 0; i <= MANY; i++)
            add_item(&many[i], NORMAL);
        CHECK(many[MANY - 1].link.next == NULL);
        CHECK(many[MANY].link.next != NULL); /* one too many */
        for (int i = MANY; i >= 0; i--) {
            CHECK(rmdi_injection_remove(&queue, &many[i].link, many[i].place, NORMAL));
            CHECK(!rmdi_injection_remove(&queue, &many[i].link, many[i].place, NORMAL));
        }
        CHECK_EQ(take(NORMAL), 0);
    }
    close_queue();
}

/* ---- finding ---- */

static bool is_multiple(const rmdi_link *link, const void *ctx)
{
    const item *it = (const item *)(const void *)link;
    return it->number % *(const int *)ctx == 0;
}

static int find(unsigned priority, int of_what)
{
    rmdi_link *link = rmdi_injection_find(&queue, priority, is_multiple, &of_what);
    return link ? of(link)->number : 0;
}

TEST(the_oldest_that_is_wanted_is_found_in_the_ring_or_the_list_and_stays)
{
    open_queue(4);
    add_all(1, 7, NORMAL);
    add_all(8, 10, LOW);
    CHECK_EQ(find(NORMAL, 2), 2);
    CHECK_EQ(find(NORMAL, 2), 2);
    CHECK(take_out(2, NORMAL));
    CHECK_EQ(find(NORMAL, 2), 4);
    CHECK_EQ(find(NORMAL, 5), 5);
    CHECK_EQ(find(NORMAL, 8), 0); /* of another priority */
    CHECK_EQ(find(LOW, 2), 8);
    CHECK_EQ(find(LOW, 9), 9);
    CHECK_EQ(find(HIGH, 1), 0);
    CHECK_EQ(take(NORMAL), 1);
    CHECK_EQ(find(NORMAL, 1), 3);
    check_taken(3, 7, NORMAL);
    CHECK_EQ(find(NORMAL, 1), 0);
    check_taken(8, 10, LOW);
    close_queue();
}

/* ---- bounds ---- */

TEST(there_is_room_for_as_many_as_are_wanted_until_there_are_as_many_as_there_may_be)
{
    open_queue(4);
    CHECK_EQ(room(8, 3), 3);
    CHECK_EQ(room(8, 100), 8);
    CHECK_EQ(room(0, 1), 0);
    add_all(1, 4, NORMAL);
    add(11, HIGH);
    add(12, LOW);
    CHECK_EQ(room(8, 3), 2);
    CHECK_EQ(room(6, 1), 0);
    CHECK_EQ(room(5, 1), 0); /* more are there than may be: as limits do not bind everybody */
    CHECK_EQ(take(NORMAL), 1);
    CHECK(take_out(3, NORMAL));
    CHECK(take_out(12, LOW));
    CHECK_EQ(room(6, 9), 3);
    CHECK_EQ(take(HIGH), 11);
    CHECK_EQ(room(6, 9), 4);
    CHECK_EQ(take(NORMAL), 2);
    CHECK_EQ(take(NORMAL), 4);
    close_queue();
}

TEST(the_most_that_there_were_at_once_are_counted_and_not_all_that_came)
{
    open_queue(4);
    for (int i = 0; i < 10; i++) {
        add_all(1, 3, NORMAL);
        check_taken(1, 3, NORMAL);
        add(4, NORMAL);
        CHECK_EQ(queue.most, 3);
        CHECK_EQ(take(NORMAL), 4);
    }
    add_all(1, 6, NORMAL);
    add(11, HIGH);
    CHECK(take_out(5, NORMAL));
    add(12, LOW);
    CHECK_EQ(queue.most, 7);
    while (take(NORMAL) || take(HIGH) || take(LOW))
        ;
    CHECK_EQ(queue.most, 7);
    close_queue();
}

/* ---- threads ---- */

enum { PUTTERS = 2, TAKERS = 2, EACH = 200000, MAX = 100, BATCH = 8 };

/* Each item is of one thread at a time: so the thread sanitizer sees it obtained twice. */
typedef struct racer {
    item item;
    unsigned payload, seen;
} racer;

static racer racers[PUTTERS][EACH];
static rmd_atomic(uint32_t) obtained;
static int latest[PUTTERS]; /* guarded by `out` */

static void obtain(racer *r)
{
    if (r->payload != 1 || r->seen++)
        FAIL("one came twice, or without what was written before");
    rmd_atomic_add(&obtained, 1, RMD_RELAXED);
}

static bool put(racer *r)
{
    rmdi_brief_enter(&queue.in);
    bool below = rmdi_injection_room(&queue, MAX, 1);
    if (below)
        rmdi_injection_add(&queue, &r->item.link, &r->item.place, NORMAL);
    rmdi_brief_leave(&queue.in);
    return below;
}

static void put_each(void *arg)
{
    racer *own = arg;
    for (int i = 0; i < EACH; i++) {
        own[i].item.number = i;
        own[i].payload = 1;
        while (!put(&own[i]))
            sched_yield();
        if (i % 3)
            continue;
        rmdi_brief_enter(&queue.out);
        bool out = rmdi_injection_remove(&queue, &own[i].item.link, own[i].item.place, NORMAL);
        rmdi_brief_leave(&queue.out);
        if (out)
            obtain(&own[i]);
    }
}

/* With `out` held. */
static void check_order(racer *r)
{
    int putter = r >= racers[1];
    if (r->item.number <= latest[putter])
        FAIL("those of one submitter came out of order");
    latest[putter] = r->item.number;
}

static void take_each(void *arg)
{
    (void)arg;
    while (rmd_atomic_load(&obtained, RMD_RELAXED) < PUTTERS * EACH) {
        rmdi_link *links[BATCH];
        rmdi_brief_enter(&queue.out);
        unsigned n = rmdi_injection_take(&queue, NORMAL, links, BATCH);
        for (unsigned i = 0; i < n; i++)
            check_order((racer *)(void *)of(links[i]));
        rmdi_injection_took(&queue, NORMAL);
        rmdi_brief_leave(&queue.out);
        for (unsigned i = 0; i < n; i++)
            obtain((racer *)(void *)of(links[i]));
        if (!n)
            sched_yield();
    }
}

TEST_LIMIT(each_is_obtained_once_by_a_taker_or_by_who_takes_it_out, 60)
{
    rmdi_thread putters[PUTTERS], takers[TAKERS];
    open_queue(64); /* less than there may be, so that the list is used */
    for (int i = 0; i < PUTTERS; i++) {
        latest[i] = -1;
        REQUIRE(rmdi_thread_start(&putters[i], put_each, racers[i], "puts") == 0);
    }
    for (int i = 0; i < TAKERS; i++)
        REQUIRE(rmdi_thread_start(&takers[i], take_each, NULL, "takes") == 0);
    for (int i = 0; i < PUTTERS; i++)
        REQUIRE(rmdi_thread_join(&putters[i], RMD_FOREVER) == 0);
    for (int i = 0; i < TAKERS; i++)
        REQUIRE(rmdi_thread_join(&takers[i], RMD_FOREVER) == 0);
    CHECK_EQ(rmd_atomic_load(&obtained, RMD_RELAXED), PUTTERS * EACH);
    for (int i = 0; i < PUTTERS; i++)
        for (int j = 0; j < EACH; j++)
            if (racers[i][j].seen != 1)
                FAIL("one was lost");
    close_queue();
}
