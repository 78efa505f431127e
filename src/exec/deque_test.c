/* SPDX-License-Identifier: MIT */
#include "exec/deque.h"

#include "kit.h"
#include "sync/thread.h"

static void *item(uintptr_t number) /* from 1 on */
{
    return (void *)number;
}

static uintptr_t number(const void *p)
{
    return (uintptr_t)p;
}

static void *steal(rmdi_deque *deque)
{
    bool again = true;
    void *stolen = rmdi_deque_steal(deque, &again);
    CHECK(!again); /* with one thread nobody is faster */
    return stolen;
}

static void fill(rmdi_deque *deque, uintptr_t from, uintptr_t to)
{
    for (uintptr_t i = from; i <= to; i++)
        CHECK(rmdi_deque_push(deque, item(i)));
}

TEST(the_newest_leaves_at_one_end_and_the_oldest_at_the_other)
{
    static rmdi_deque deque;
    fill(&deque, 1, 6);
    CHECK_EQ(rmdi_deque_len(&deque), 6);
    CHECK_EQ(number(rmdi_deque_take(&deque)), 6);
    CHECK_EQ(number(steal(&deque)), 1);
    CHECK_EQ(number(rmdi_deque_take_oldest(&deque)), 2);
    CHECK_EQ(number(rmdi_deque_peek(&deque)), 5);
    CHECK_EQ(number(rmdi_deque_take(&deque)), 5);
    CHECK_EQ(number(rmdi_deque_take(&deque)), 4);
    CHECK_EQ(rmdi_deque_len(&deque), 1);
    CHECK_EQ(number(rmdi_deque_take(&deque)), 3);
    CHECK_EQ(rmdi_deque_len(&deque), 0);
}

TEST(an_empty_deque_says_so_at_both_ends_and_goes_on)
{
    static rmdi_deque deque;
    for (uintptr_t i = 1; i < 4; i++) {
        CHECK(!rmdi_deque_take(&deque));
        CHECK(!rmdi_deque_take_oldest(&deque));
        CHECK(!rmdi_deque_peek(&deque));
        CHECK(!steal(&deque));
        CHECK_EQ(rmdi_deque_len(&deque), 0);
        fill(&deque, i, i);
        CHECK_EQ(number(i == 1   ? rmdi_deque_take(&deque)
                        : i == 2 ? steal(&deque)
                                 : rmdi_deque_take_oldest(&deque)),
                 i);
    }
}

TEST(a_full_deque_takes_nothing_until_one_has_left)
{
    static rmdi_deque deque;
    fill(&deque, 1, RMDI_DEQUE_MAX);
    CHECK(!rmdi_deque_push(&deque, item(7)));
    CHECK_EQ(rmdi_deque_len(&deque), RMDI_DEQUE_MAX);
    CHECK_EQ(number(rmdi_deque_take(&deque)), RMDI_DEQUE_MAX);
    fill(&deque, RMDI_DEQUE_MAX, RMDI_DEQUE_MAX);
    CHECK(!rmdi_deque_push(&deque, item(7)));
    CHECK_EQ(number(steal(&deque)), 1);
    fill(&deque, RMDI_DEQUE_MAX + 1, RMDI_DEQUE_MAX + 1);
    CHECK(!rmdi_deque_push(&deque, item(7)));
    CHECK_EQ(number(rmdi_deque_take_oldest(&deque)), 2);
    fill(&deque, RMDI_DEQUE_MAX + 2, RMDI_DEQUE_MAX + 2);
    for (uintptr_t i = 3; i <= RMDI_DEQUE_MAX + 2; i++)
        CHECK_EQ(number(steal(&deque)), i);
}

TEST(the_cells_are_used_round_and_round)
{
    static rmdi_deque deque;
    uintptr_t in = 1, out = 1;
    for (size_t step = 1; step < 2 * (size_t)RMDI_DEQUE_MAX; step++) {
        size_t n = step % RMDI_DEQUE_MAX;
        fill(&deque, in, in + n - 1);
        in += n;
        for (; out < in; out++)
            CHECK_EQ(number(out % 2 ? steal(&deque) : rmdi_deque_take_oldest(&deque)), out);
    }
}

/* ---- threads ---- */

enum { ITEMS = 2000000, THIEVES = 3 };

static struct {
    rmdi_deque deque;
    unsigned payloads[ITEMS]; /* plain: what is written before is to be seen */
    unsigned char seen[ITEMS];
    rmd_atomic(uint32_t) put_all;
    size_t got[1 + THIEVES];
} race;

/* Each item is of one thread alone: so the thread sanitizer sees it obtained twice. */
static void note(size_t who, unsigned *payload)
{
    size_t i = (size_t)(payload - race.payloads);
    if (*payload != i + 1 || race.seen[i]++)
        FAIL("an item came twice, or without what was written before");
    race.got[who]++;
}

static void steal_all(void *arg)
{
    size_t who = *(size_t *)arg;
    unsigned *last = NULL;
    for (;;) {
        /* Before: nothing is put any more after that. */
        bool over = rmd_atomic_load(&race.put_all, RMD_ACQUIRE), again;
        unsigned *payload = rmdi_deque_steal(&race.deque, &again);
        if (payload) {
            if (payload <= last)
                FAIL("not the oldest came first");
            last = payload;
            note(who, payload);
        } else if (over && !again) {
            return;
        }
    }
}

/* What does not fit it takes out, at either end. */
static void own(void)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        race.payloads[i] = i + 1;
        while (!rmdi_deque_push(&race.deque, &race.payloads[i])) {
            unsigned *payload = i % 3 ? rmdi_deque_take(&race.deque)
                                      : rmdi_deque_take_oldest(&race.deque);
            if (payload)
                note(0, payload);
        }
        unsigned *newest = i % 5 == 0 ? rmdi_deque_take(&race.deque) : NULL;
        if (newest)
            note(0, newest);
    }
    rmd_atomic_store(&race.put_all, 1, RMD_RELEASE);
}

static void run_race(size_t thieves)
{
    rmdi_thread threads[THIEVES];
    size_t names[THIEVES], all = 0;
    char remark[64];
    for (size_t i = 0; i < thieves; i++) {
        names[i] = i + 1;
        REQUIRE(rmdi_thread_start(&threads[i], steal_all, &names[i], "thief") == 0);
    }
    own();
    for (size_t i = 0; i < thieves; i++)
        REQUIRE(rmdi_thread_join(&threads[i], RMD_FOREVER) == 0);
    for (size_t i = 0; i <= THIEVES; i++)
        all += race.got[i];
    CHECK_EQ(all, ITEMS);
    CHECK_EQ(rmdi_deque_len(&race.deque), 0);
    snprintf(remark, sizeof remark, "the owner had %zu, the thieves %zu", race.got[0],
             all - race.got[0]);
    kit_remark(remark);
}

TEST_LIMIT(an_owner_and_a_thief_obtain_each_of_two_million_items_once, 60)
{
    run_race(1);
}

TEST_LIMIT(an_owner_and_three_thieves_obtain_each_of_two_million_items_once, 60)
{
    run_race(THIEVES);
}
