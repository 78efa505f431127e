/* SPDX-License-Identifier: MIT */
/* A worker runs code of others, which may write anywhere in the memory that it shares with the
 * owner: that is noticed, or does no harm, and is never followed out of bounds. */
#include "exec/ring_testing.h"

#include <limits.h>
#include <remuda/error.h>
#include <stdlib.h>

static void set_state(unsigned slot, uint32_t state)
{
    rmd_atomic_store(&memory->slots[slot].state, state, RMD_RELAXED);
}

static int next_of(uint32_t state)
{
    rmdi_ring_answer answer;
    open_ring();
    unsigned slot = put_small(1);
    set_state(slot, state);
    return rmdi_ring_next(&ring, &answer);
}

TEST(a_state_that_cannot_be_is_damage)
{
    CHECK_EQ(next_of(RMDI_RING_READY), 0);
    CHECK_EQ(next_of(RMDI_RING_BEGUN), 0);
    CHECK_EQ(next_of(RMDI_RING_FREE), RMD_EIO);
    CHECK_EQ(next_of(RMDI_RING_TAKEN), RMD_EIO);
    CHECK_EQ(next_of(RMDI_RING_SKIPPED), RMD_EIO);
    CHECK_EQ(next_of(RMDI_RING_SKIPPED + 1), RMD_EIO);
    CHECK_EQ(next_of(UINT32_MAX), RMD_EIO);
}

static int next_of_taken(uint32_t state)
{
    rmdi_ring_answer answer;
    open_ring();
    unsigned slot = put_small(1);
    CHECK(rmdi_ring_take(&ring, slot));
    set_state(slot, state);
    return rmdi_ring_next(&ring, &answer);
}

TEST(a_state_that_one_that_was_taken_cannot_have_is_damage)
{
    CHECK_EQ(next_of_taken(RMDI_RING_TAKEN), 0);
    CHECK_EQ(next_of_taken(RMDI_RING_SKIPPED), 0);
    CHECK_EQ(next_of_taken(RMDI_RING_READY), RMD_EIO);
    CHECK_EQ(next_of_taken(RMDI_RING_BEGUN), RMD_EIO);
    CHECK_EQ(next_of_taken(RMDI_RING_DONE), RMD_EIO);
    CHECK_EQ(next_of_taken(RMDI_RING_FREE), RMD_EIO);
}

TEST(damage_is_waited_for_by_nobody)
{
    open_ring();
    set_state(put_small(1), 77);
    CHECK(rmdi_ring_has_answer(&ring));
    CHECK(rmdi_ring_await(&ring, RMDI_AWAITED_BY_KEEPER));
}

/* An answer of which the worker has changed these. */
static int next_with(uint32_t at, uint32_t len, int32_t error, rmdi_ring_answer *answer)
{
    open_ring();
    unsigned slot = put_small(1);
    run_one(1);
    memory->slots[slot].out_at = at;
    memory->slots[slot].out_len = len;
    memory->slots[slot].error = error;
    return rmdi_ring_next(&ring, answer);
}

TEST(an_answer_beyond_its_room_is_damage)
{
    enum { ROOM = RMDI_RING_ROOM };
    rmdi_ring_answer answer;
    CHECK_EQ(next_with(ROOM, 1, 0, &answer), RMD_EIO);
    CHECK_EQ(next_with(ROOM + 1, 0, 0, &answer), RMD_EIO);
    CHECK_EQ(next_with(0, ROOM + 1, 0, &answer), RMD_EIO);
    CHECK_EQ(next_with(1, ROOM, 0, &answer), RMD_EIO);
    CHECK_EQ(next_with(UINT32_MAX, 2, 0, &answer), RMD_EIO); /* their sum is small */
    CHECK_EQ(next_with(2, UINT32_MAX, 0, &answer), RMD_EIO);
    CHECK_EQ(next_with(UINT32_MAX, UINT32_MAX, 0, &answer), RMD_EIO);
    CHECK_EQ(next_with(0, ROOM, 0, &answer), 1);
    CHECK(answer.result.data == memory->out && answer.result.len == ROOM);
    CHECK_EQ(next_with(ROOM, 0, 0, &answer), 1);
    CHECK_EQ(answer.result.len, 0);
}

TEST(a_positive_error_is_damage)
{
    rmdi_ring_answer answer;
    CHECK_EQ(next_with(0, 1, 1, &answer), RMD_EIO);
    CHECK_EQ(next_with(0, 1, INT32_MAX, &answer), RMD_EIO);
    CHECK_EQ(next_with(0, 1, INT32_MIN, &answer), 1);
    CHECK_EQ(answer.error, INT32_MIN);
}

TEST(what_the_worker_does_to_orders_does_not_reach_the_owner)
{
    rmdi_ring_answer answer;
    open_ring();
    unsigned slot = put_small(1);
    memory->slots[slot].in_at = UINT32_MAX;
    memory->slots[slot].in_len = UINT32_MAX;
    memory->slots[slot].id = 77;
    memset(memory->in, 0xff, 4096);
    claim(77);
    finish(0, "x");
    REQUIRE(rmdi_ring_next(&ring, &answer) == 1);
    CHECK_EQ(answer.slot, slot);
    rmdi_ring_release(&ring);
    CHECK_EQ(rmdi_ring_len(&ring), 0);
    put_small(2);
    CHECK_EQ(memory->slots[rmdi_ring_slot_at(&ring, 0)].in_at, 0);
}

TEST(one_that_is_not_the_oldest_is_not_looked_at_before_its_turn)
{
    rmdi_ring_answer answer;
    open_ring();
    put_small(1);
    set_state(put_small(2), UINT32_MAX);
    run_one(1);
    CHECK_EQ(rmdi_ring_next(&ring, &answer), 1);
    rmdi_ring_release(&ring);
    CHECK_EQ(rmdi_ring_next(&ring, &answer), RMD_EIO);
}

/* ---- everything, at random ---- */

static uint64_t dice = 42;

static uint32_t roll(void)
{
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(dice >> 32);
}

static void scribble(void)
{
    rmdi_ring_slot *slot = &memory->slots[roll() % RMDI_RING_SLOTS];
    set_state((unsigned)(slot - memory->slots), roll() % 3 ? roll() % 7 : roll());
    slot->out_at = roll() >> roll() % 32;
    slot->out_len = roll() >> roll() % 32;
    slot->error = (int32_t)roll();
    slot->in_at = roll();
    slot->in_len = roll();
    rmd_atomic_store(&slot->begun_ns, roll(), RMD_RELAXED);
    rmd_atomic_store(&memory->sleeps, roll() % 4, RMD_RELAXED);
    rmd_atomic_store(&memory->awaited, roll() % 16, RMD_RELAXED);
}

static void check_answer(const rmdi_ring_answer *answer)
{
    const unsigned char *data = answer->result.data;
    CHECK_INT(answer->slot, <, RMDI_RING_SLOTS);
    CHECK(data >= memory->out && answer->result.len <= RMDI_RING_ROOM);
    CHECK(data + answer->result.len <= memory->out + RMDI_RING_ROOM);
    CHECK_INT(answer->error, <=, 0);
}

/* One round of what an owner does; false: it has found the damage, and would end the worker. */
static bool use_ring(void)
{
    static const char bytes[3000];
    int64_t begun_ns;
    unsigned slot;
    rmdi_ring_answer answer;
    int found;
    for (uint32_t n = roll() % 8; n > 0; n--)
        put_task(1, bytes, roll() % sizeof bytes);
    rmdi_ring_wake(&ring);
    if (roll() % 2)
        rmdi_ring_take_last(&ring, &slot);
    for (unsigned i = 0; i < rmdi_ring_len(&ring); i++) {
        slot = rmdi_ring_slot_at(&ring, i);
        rmdi_ring_has_begun(&ring, slot, &begun_ns);
        rmdi_ring_is_done(&ring, slot);
        if (roll() % 16 == 0)
            rmdi_ring_take(&ring, slot);
    }
    rmdi_ring_await(&ring, RMDI_AWAITED_BY_THREAD);
    rmdi_ring_wake_threads(memory);
    while ((found = rmdi_ring_next(&ring, &answer)) == 1) {
        check_answer(&answer);
        rmdi_ring_release(&ring);
    }
    CHECK_INT(rmdi_ring_len(&ring), <=, RMDI_RING_SLOTS);
    CHECK(found == 0 || found == RMD_EIO);
    return found == 0;
}

TEST(whatever_the_worker_writes_the_owner_stays_within_bounds)
{
    int damaged = 0;
    for (int i = 0; i < 300; i++) {
        open_ring_at(roll());
        for (int round = 0; round < 300; round++) {
            if (!use_ring()) {
                damaged++;
                break;
            }
            scribble();
        }
        munmap(memory, sizeof *memory);
    }
    CHECK_INT(damaged, >, 200);
}
