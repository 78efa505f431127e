/* SPDX-License-Identifier: MIT */
/* The ring as both its sides see it, taking turns on one thread: what goes through, in which order,
 * and what is taken back. */
#include "exec/ring_testing.h"

#include <limits.h>
#include <remuda/error.h>
#include <stdlib.h>

enum { SLOTS = RMDI_RING_SLOTS, LARGE = 16 * 1024 * 1024 };

/* The owner's: the next answer is that of this slot, with these words. */
static void check_next(unsigned slot, int error, const char *words)
{
    rmdi_ring_answer answer;
    REQUIRE(rmdi_ring_next(&ring, &answer) == 1);
    CHECK_EQ(answer.slot, slot);
    CHECK_EQ(answer.error, error);
    CHECK_EQ(answer.result.len, strlen(words));
    CHECK_MEM(answer.result.data, words, strlen(words));
    rmdi_ring_release(&ring);
}

static void check_no_answer(void)
{
    rmdi_ring_answer answer;
    CHECK_EQ(rmdi_ring_next(&ring, &answer), 0);
}

/* ---- one task ---- */

TEST(a_task_arrives_as_it_was_put_in)
{
    unsigned slot;
    const char arguments[] = { 0, 1, 2, (char)0xff };
    rmdi_ring_order order = { .id = UINT64_MAX - 1,
                              .attempt = 3,
                              .function = "function",
                              .name = "the name",
                              .arguments = { arguments, sizeof arguments },
                              .timed = true };
    open_ring();
    CHECK(!rmdi_ring_claim(&end));
    REQUIRE(rmdi_ring_put(&ring, &order, &slot));
    CHECK_EQ(rmdi_ring_len(&ring), 1);
    CHECK_EQ(rmdi_ring_slot_at(&ring, 0), slot);
    rmdi_ring_slot *task = claim(UINT64_MAX - 1);
    CHECK(task == &memory->slots[slot]);
    CHECK_EQ(task->attempt, 3);
    CHECK(task->timed);
    const char *texts = (const char *)memory->in + task->in_at;
    CHECK_STR(texts, "function");
    CHECK_EQ(task->function_len, sizeof "function");
    CHECK_STR(texts + task->function_len, "the name");
    CHECK_EQ(task->name_len, sizeof "the name");
    CHECK_EQ(task->in_len, task->function_len + task->name_len + sizeof arguments);
    CHECK_MEM(texts + task->function_len + task->name_len, arguments, sizeof arguments);
    CHECK(!rmdi_ring_claim(&end));
}

TEST(a_task_without_a_name_and_arguments)
{
    open_ring();
    put_small(1);
    rmdi_ring_slot *task = claim(1);
    CHECK_EQ(task->name_len, 0);
    CHECK_EQ(task->in_len, sizeof "f");
    CHECK(!task->timed);
}

TEST(a_long_name_is_cut)
{
    enum { LONG = 100000 };
    unsigned slot;
    char *name = malloc(LONG);
    REQUIRE(name != NULL);
    memset(name, 'n', LONG - 1);
    name[LONG - 1] = 0;
    rmdi_ring_order order = { .id = 1, .function = "f", .name = name, .arguments = { "x", 1 } };
    open_ring();
    REQUIRE(rmdi_ring_put(&ring, &order, &slot));
    rmdi_ring_slot *task = claim(1);
    const char *texts = (const char *)memory->in + task->in_at;
    CHECK_EQ(task->name_len, RMDI_RING_TEXT_MAX + 1);
    CHECK_EQ(strlen(texts + task->function_len), RMDI_RING_TEXT_MAX);
    CHECK_EQ(task->in_len, 2 + task->name_len + 1);
    CHECK_EQ(texts[task->in_len - 1], 'x');
    free(name);
}

TEST(an_answer_arrives_as_it_was_given)
{
    open_ring();
    unsigned first = put_small(1), second = put_small(2), third = put_small(3);
    claim(1);
    check_no_answer();
    finish(0, "a result");
    claim(2);
    finish(RMD_EINVAL, "why it failed");
    claim(3);
    finish(0, "");
    check_next(first, 0, "a result");
    check_next(second, RMD_EINVAL, "why it failed");
    check_next(third, 0, "");
    check_no_answer();
    CHECK_EQ(rmdi_ring_len(&ring), 0);
}

TEST(an_answer_stays_until_it_is_released)
{
    rmdi_ring_answer answer;
    open_ring();
    put_small(1);
    run_one(1);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(rmdi_ring_next(&ring, &answer), 1);
    CHECK_EQ(rmdi_ring_len(&ring), 1);
    rmdi_ring_release(&ring);
    CHECK_EQ(rmdi_ring_len(&ring), 0);
}

/* ---- its bounds ---- */

static void fill_and_empty(unsigned index)
{
    unsigned slots[SLOTS];
    open_ring_at(index);
    for (uint64_t lap = 0; lap < 3; lap++) {
        for (uint64_t i = 0; i < SLOTS; i++)
            slots[i] = put_small(lap * SLOTS + i);
        CHECK_EQ(rmdi_ring_len(&ring), SLOTS);
        CHECK(!put_task(999, NULL, 0));
        for (uint64_t i = 0; i < SLOTS; i++)
            run_one(lap * SLOTS + i);
        CHECK(!rmdi_ring_claim(&end));
        CHECK(!put_task(999, NULL, 0)); /* what is done has a place until it is released */
        for (unsigned i = 0; i < SLOTS; i++) {
            CHECK_EQ(rmdi_ring_slot_at(&ring, 0), slots[i]);
            check_next(slots[i], 0, "done");
        }
        check_no_answer();
    }
}

TEST(it_holds_as_many_as_it_has_slots_and_keeps_their_order)
{
    fill_and_empty(0);
}

TEST(its_indexes_may_overflow)
{
    fill_and_empty(UINT_MAX - SLOTS / 2);
    fill_and_empty(UINT_MAX - SLOTS + 1);
    fill_and_empty(UINT_MAX);
}

static unsigned char *large(size_t len, int value)
{
    unsigned char *bytes = malloc(len);
    REQUIRE(bytes != NULL);
    return memset(bytes, value, len);
}

TEST(room_for_arguments_goes_round)
{
    enum { PIECE = 100 * 1024 };
    unsigned char *bytes = large(PIECE, 1);
    open_ring();
    CHECK(put_task(1, bytes, PIECE));
    CHECK(put_task(2, bytes, PIECE));
    CHECK(!put_task(3, bytes, PIECE));
    CHECK(put_task(3, bytes, PIECE / 4)); /* a smaller one still goes */
    CHECK_EQ(rmdi_ring_len(&ring), 3);
    for (uint64_t id = 1; id <= 3; id++)
        run_one(id);
    check_next(rmdi_ring_slot_at(&ring, 0), 0, "done");
    CHECK(put_task(4, bytes, PIECE));
    CHECK_EQ(claim(4)->in_at, 0);
    CHECK(!put_task(5, bytes, PIECE));
    free(bytes);
}

TEST(what_is_large_goes_alone)
{
    unsigned char *bytes = large(RMDI_RING_ROOM, 9);
    open_ring();
    put_small(1);
    CHECK(!put_task(2, bytes, LARGE));
    run_one(1);
    check_next(0, 0, "done");
    CHECK(put_task(2, bytes, LARGE));
    CHECK(!put_task(3, NULL, 0)); /* nothing behind it */
    rmdi_ring_slot *task = claim(2);
    CHECK_MEM(memory->in + task->in_at + task->function_len, bytes, LARGE);
    CHECK_EQ(rmdi_ring_finish(&end, 0, (rmd_bytes){ bytes, LARGE }, 0), 0);
    rmdi_ring_answer answer;
    REQUIRE(rmdi_ring_next(&ring, &answer) == 1);
    REQUIRE(answer.result.len == LARGE);
    CHECK_MEM(answer.result.data, bytes, LARGE);
    rmdi_ring_release(&ring);
    put_small(3);
    free(bytes);
}

TEST(all_the_room_can_be_taken_and_not_a_byte_more)
{
    unsigned char *bytes = large(RMDI_RING_ROOM + 1, 9);
    rmdi_ring_order order = { .function = "f", .arguments = { bytes, RMDI_RING_ROOM - 2 } };
    open_ring();
    CHECK_EQ(rmdi_ring_bytes(&order), RMDI_RING_ROOM);
    CHECK(put_task(1, bytes, RMDI_RING_ROOM - 2));
    claim(1);
    CHECK_EQ(rmdi_ring_finish(&end, 0, (rmd_bytes){ bytes, RMDI_RING_ROOM + 1 }, 0), RMD_E2BIG);
    CHECK_EQ(rmdi_ring_finish(&end, 0, (rmd_bytes){ bytes, RMDI_RING_ROOM }, 0), 0);
    rmdi_ring_answer answer;
    CHECK_EQ(rmdi_ring_next(&ring, &answer), 1);
    CHECK_EQ(answer.result.len, RMDI_RING_ROOM);
    rmdi_ring_release(&ring);
    order.arguments.len++;
    CHECK_INT(rmdi_ring_bytes(&order), >, RMDI_RING_ROOM);
    CHECK(!put_task(2, bytes, RMDI_RING_ROOM - 1));
    free(bytes);
}

/* ---- taking back ---- */

TEST(the_last_is_taken_back_and_leaves_its_place)
{
    unsigned slot;
    open_ring();
    CHECK(!rmdi_ring_take_last(&ring, &slot));
    unsigned first = put_small(1), second = put_small(2);
    REQUIRE(rmdi_ring_take_last(&ring, &slot));
    CHECK_EQ(slot, second);
    CHECK_EQ(rmdi_ring_len(&ring), 1);
    CHECK_EQ(put_small(3), second);
    claim(1);
    finish(0, "");
    claim(3);
    CHECK(!rmdi_ring_take_last(&ring, &slot)); /* it has begun */
    finish(0, "");
    CHECK(!rmdi_ring_take_last(&ring, &slot));
    check_next(first, 0, "");
    check_next(second, 0, "");
}

TEST(the_room_of_the_last_can_be_taken_again)
{
    enum { PIECE = 120 * 1024 };
    unsigned char *bytes = large(PIECE, 5);
    unsigned slot;
    open_ring();
    put_small(1);
    for (int i = 0; i < 100; i++) {
        REQUIRE(put_task(2, bytes, PIECE));
        REQUIRE(put_task(3, bytes, PIECE));
        CHECK(!put_task(4, bytes, PIECE));
        REQUIRE(rmdi_ring_take_last(&ring, &slot));
        REQUIRE(rmdi_ring_take_last(&ring, &slot));
    }
    REQUIRE(rmdi_ring_take_last(&ring, &slot)); /* and of the only one */
    CHECK_EQ(rmdi_ring_len(&ring), 0);
    CHECK(put_task(5, bytes, PIECE));
    CHECK_EQ(claim(5)->in_at, 0);
    free(bytes);
}

TEST(one_in_the_middle_is_taken_back_and_passed_by_the_worker)
{
    open_ring();
    unsigned first = put_small(1), second = put_small(2), third = put_small(3);
    CHECK(rmdi_ring_take(&ring, second));
    CHECK(!rmdi_ring_take(&ring, second)); /* once */
    CHECK_EQ(rmdi_ring_len(&ring), 3);
    run_one(1);
    check_next(first, 0, "done");
    check_no_answer(); /* it has not been passed yet */
    CHECK(!rmdi_ring_has_answer(&ring));
    run_one(3);
    check_next(third, 0, "done");
    CHECK_EQ(rmdi_ring_len(&ring), 0);
}

TEST(what_has_begun_or_is_done_is_not_taken_back)
{
    open_ring();
    unsigned slot = put_small(1);
    claim(1);
    CHECK(!rmdi_ring_take(&ring, slot));
    finish(0, "");
    CHECK(!rmdi_ring_take(&ring, slot));
    check_next(slot, 0, "");
}

TEST(the_last_may_have_been_taken_before)
{
    unsigned slot;
    open_ring();
    put_small(1);
    CHECK(rmdi_ring_take(&ring, put_small(2)));
    CHECK(!rmdi_ring_take_last(&ring, &slot)); /* those before it are to be taken one by one */
    run_one(1);
    CHECK(!rmdi_ring_claim(&end));
    check_next(0, 0, "done");
    check_no_answer();
    CHECK_EQ(rmdi_ring_len(&ring), 0); /* it was released on the way */
}

TEST(all_can_be_taken_and_the_worker_finds_none)
{
    open_ring_at(UINT_MAX - 5);
    for (int lap = 0; lap < 3; lap++) {
        for (uint64_t i = 0; i < SLOTS; i++)
            CHECK(rmdi_ring_take(&ring, put_small(i)));
        CHECK(!rmdi_ring_claim(&end));
        check_no_answer();
        CHECK_EQ(rmdi_ring_len(&ring), 0);
        put_small(7);
        run_one(7);
        check_next(rmdi_ring_slot_at(&ring, 0), 0, "done");
    }
}

/* ---- what can be seen of a task ---- */

TEST(it_is_seen_when_a_task_begins_and_is_done)
{
    int64_t begun_ns = -1;
    open_ring();
    unsigned slot = put_small(1), behind = put_small(2);
    CHECK(!rmdi_ring_has_begun(&ring, slot, &begun_ns));
    CHECK_EQ(begun_ns, 0);
    rmdi_ring_slot *task = claim(1);
    CHECK(rmdi_ring_has_begun(&ring, slot, &begun_ns));
    CHECK(!rmdi_ring_has_begun(&ring, behind, &begun_ns));
    CHECK(!rmdi_ring_is_done(&ring, slot));
    CHECK(!rmdi_ring_has_answer(&ring));
    rmd_atomic_store(&task->begun_ns, 12345, RMD_RELAXED);
    finish(0, "");
    CHECK(rmdi_ring_has_begun(&ring, slot, &begun_ns));
    CHECK_EQ(begun_ns, 12345);
    CHECK(rmdi_ring_is_done(&ring, slot));
    CHECK(!rmdi_ring_is_done(&ring, behind));
    CHECK(rmdi_ring_has_answer(&ring));
}

TEST(one_that_was_taken_back_has_not_begun)
{
    int64_t begun_ns;
    open_ring();
    unsigned slot = put_small(1);
    CHECK(rmdi_ring_take(&ring, slot));
    CHECK(!rmdi_ring_has_begun(&ring, slot, &begun_ns));
    CHECK(!rmdi_ring_claim(&end));
    CHECK(!rmdi_ring_has_begun(&ring, slot, &begun_ns));
    CHECK(rmdi_ring_has_answer(&ring)); /* something is to be released */
}

TEST(when_a_task_has_begun_is_not_told_of_the_next_in_its_slot)
{
    int64_t begun_ns;
    open_ring();
    for (uint64_t id = 0; id <= SLOTS; id++) {
        unsigned slot = put_small(id);
        CHECK(!rmdi_ring_has_begun(&ring, slot, &begun_ns));
        CHECK_EQ(begun_ns, 0);
        rmd_atomic_store(&claim(id)->begun_ns, 1, RMD_RELAXED);
        finish(0, "");
        check_next(slot, 0, "");
    }
}

/* ---- everything, at random ---- */

static uint64_t dice = 88172645463325252u;

static unsigned roll(unsigned n)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (unsigned)(dice % n);
}

typedef struct kept {
    uint64_t id;
    size_t len;
    bool taken;
} kept;

static kept in_ring[SLOTS]; /* by slot */
static unsigned char pattern[200 * 1024];

/* Sizes of all kinds, mostly small; what an id stands for can be told at any time. */
static size_t size_of(uint64_t id)
{
    size_t spread = id % 7 == 0 ? sizeof pattern / 2 : id % 3 == 0 ? 9000 : 100;
    return (size_t)((id * 2654435761u) % spread);
}

static const unsigned char *bytes_of(uint64_t id)
{
    return pattern + (id * 31) % (sizeof pattern / 2);
}

static void put_some(uint64_t *next_id)
{
    unsigned slot;
    rmdi_ring_order order = { .id = *next_id,
                              .function = "f",
                              .arguments = { bytes_of(*next_id), size_of(*next_id) } };
    for (unsigned n = roll(20); n > 0 && rmdi_ring_put(&ring, &order, &slot); n--) {
        in_ring[slot] = (kept){ *next_id, size_of(*next_id), false };
        order.id = ++*next_id;
        order.arguments = (rmd_bytes){ bytes_of(order.id), size_of(order.id) };
    }
}

static void take_some(uint64_t *taken)
{
    unsigned slot;
    for (unsigned n = roll(4); n > 0 && rmdi_ring_take_last(&ring, &slot); n--)
        ++*taken;
    unsigned i = rmdi_ring_len(&ring) ? roll(rmdi_ring_len(&ring)) : 0;
    slot = rmdi_ring_slot_at(&ring, i);
    if (rmdi_ring_len(&ring) && !in_ring[slot].taken && rmdi_ring_take(&ring, slot)) {
        in_ring[slot].taken = true;
        ++*taken;
    }
}

/* As long as there is room for the answer: this thread could not make any while it waits. */
static void run_some(unsigned *unread)
{
    rmdi_ring_slot *task;
    for (unsigned n = roll(20); n > 0 && *unread < 2 && (task = rmdi_ring_claim(&end)); n--) {
        const unsigned char *arguments = memory->in + task->in_at + task->function_len;
        CHECK_EQ(task->in_len - task->function_len, size_of(task->id));
        CHECK_MEM(arguments, bytes_of(task->id), size_of(task->id));
        CHECK_EQ(rmdi_ring_finish(&end, 0, (rmd_bytes){ arguments, size_of(task->id) }, 0), 0);
        ++*unread;
    }
}

static void read_some(uint64_t *done, unsigned *unread)
{
    rmdi_ring_answer answer;
    while (rmdi_ring_next(&ring, &answer) == 1) {
        const kept *k = &in_ring[answer.slot];
        CHECK(!k->taken);
        CHECK_EQ(answer.result.len, k->len);
        CHECK_MEM(answer.result.data, bytes_of(k->id), k->len);
        rmdi_ring_release(&ring);
        ++*done;
    }
    *unread = 0;
}

TEST(whatever_the_order_of_calls_each_task_is_done_once_or_taken_back)
{
    uint64_t next_id = 1, taken = 0, done = 0;
    unsigned unread = 0;
    open_ring_at(UINT_MAX - 1000);
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (unsigned char)(i * 7 + i / 251);
    for (int i = 0; i < 20000; i++)
        switch (roll(4)) {
        case 0: put_some(&next_id); break;
        case 1: take_some(&taken); break;
        case 2: run_some(&unread); break;
        default: read_some(&done, &unread); break;
        }
    while (rmdi_ring_len(&ring)) {
        run_some(&unread);
        read_some(&done, &unread);
    }
    CHECK_EQ(taken + done, next_id - 1);
    CHECK_INT(done, >, 2000);
    CHECK_INT(taken, >, 1000);
}
