/* SPDX-License-Identifier: MIT */
#include "exec/due_heap.h"

#include "kit.h"

static uint32_t state = 1;

static uint32_t next_random(void) /* the same in every run */
{
    state = state * 1664525 + 1013904223;
    return state >> 8;
}

static rmdi_due_link *take_first(rmdi_due_link **top)
{
    rmdi_due_link *first = *top;
    if (first)
        rmdi_due_heap_remove(top, first);
    return first;
}

TEST(they_leave_in_the_order_of_their_times)
{
    static const int64_t times[] = { 5, 3, INT64_MIN, 9, 3, INT64_MAX, 0, 4 };
    enum { COUNT = sizeof times / sizeof *times };
    rmdi_due_link dues[COUNT] = { 0 }, *top = NULL;
    int64_t last = INT64_MIN;
    for (int i = 0; i < COUNT; i++) {
        dues[i].due_ns = times[i];
        rmdi_due_heap_add(&top, &dues[i]);
    }
    CHECK(top == &dues[2]);
    for (int i = 0; i < COUNT; i++) {
        REQUIRE(top != NULL);
        int64_t due = take_first(&top)->due_ns;
        CHECK_INT(due, >=, last);
        last = due;
    }
    CHECK(top == NULL);
}

enum { COUNT = 500, ROUNDS = 200 };

static rmdi_due_link dues[COUNT];
static bool in[COUNT];

static rmdi_due_link *earliest(void)
{
    rmdi_due_link *found = NULL;
    for (int i = 0; i < COUNT; i++)
        if (in[i] && (!found || dues[i].due_ns < found->due_ns))
            found = &dues[i];
    return found;
}

/* Against looking through all of them. */
TEST(the_earliest_is_on_top_whoever_comes_and_goes)
{
    rmdi_due_link *top = NULL;
    for (int step = 0; step < ROUNDS * COUNT; step++) {
        uint32_t i = next_random() % COUNT;
        if (in[i]) {
            rmdi_due_heap_remove(&top, &dues[i]);
        } else {
            dues[i].due_ns = next_random() % 1000;
            rmdi_due_heap_add(&top, &dues[i]);
        }
        in[i] = !in[i];
        if (step % 50 == 0 || step < 5 * COUNT) {
            rmdi_due_link *first = earliest();
            if (!first != !top || (top && top->due_ns != first->due_ns))
                FAIL("not the earliest is on top");
        }
    }
    int left = 0;
    for (int i = 0; i < COUNT; i++)
        left += in[i];
    for (int64_t last = 0; top; left--) {
        int64_t due = take_first(&top)->due_ns;
        CHECK_INT(due, >=, last);
        last = due;
    }
    CHECK_EQ(left, 0);
}

TEST(a_long_row_needs_no_stack)
{
    enum { MANY = 1000000 };
    static rmdi_due_link many[MANY];
    rmdi_due_link *top = NULL;
    for (int i = 0; i < MANY; i++) {
        many[i].due_ns = i;
        rmdi_due_heap_add(&top, &many[i]);
    }
    for (int i = 0; i < MANY; i++)
        if (take_first(&top) != &many[i])
            FAIL("not in order");
    CHECK(top == NULL);
}
