/* SPDX-License-Identifier: MIT */
#include "ring_stage.h"

#include "base/alloc.h"
#include "base/park.h"

#include <remuda/error.h>
#include <string.h>

ring_stage ring_stage_;

/* Rooms are of 512 bytes, of which 256 are gone round in. */
static const uint32_t lengths[] = { 20, 128, 60, 192, 400 };

static const char function[] = "f";

/* ---- memory ---- */

ring_share *open_share(void)
{
    enum { PAGE = 4096 };
    ring_share *share = rmdi_alloc(sizeof *share);
    RMD_ASSERT(share);
    share->block = rmdi_alloc_zeroed(sizeof(rmdi_ring_memory) + PAGE);
    RMD_ASSERT(share->block);
    uintptr_t at = ((uintptr_t)share->block + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
    share->memory = (rmdi_ring_memory *)at;
    rmd_atomic_init(&share->refs, 1);
    share->sleepers = 0;
    rmdi_ring_init(&R->ring, share->memory);
    for (int i = 0; i < RMDI_RING_SLOTS; i++)
        R->in_slot[i] = -1;
    return share;
}

void drop_share(ring_share *share)
{
    if (rmd_atomic_sub(&share->refs, 1, RMD_ACQ_REL) != 1)
        return;
    rmdi_free(share->block);
    rmdi_free(share);
}

void open_ring(unsigned sizes)
{
    memset(R, 0, sizeof *R);
    for (int i = 0; i < RING_TASKS; i++) {
        ring_task *task = &R->tasks[i];
        task->in_len = lengths[rmd_explore_choose(sizes)];
        task->out_len = lengths[rmd_explore_choose(sizes)];
        task->timed = rmd_explore_choose(4) == 0;
        task->fails = rmd_explore_choose(4) == 0;
        task->slot = -1;
    }
    R->share = open_share();
    rmdi_ring_end_init(&R->end, R->share->memory, ring_the_bell, NULL);
}

void close_ring(int tasks)
{
    for (int i = 0; i < tasks; i++) {
        const ring_task *task = &R->tasks[i];
        RMD_ASSERT(task->fate == RING_DONE || task->fate == RING_TAKEN_BACK);
        RMD_ASSERT(rmd_atomic_load(&task->begun, RMD_RELAXED) == (task->fate == RING_DONE));
    }
    RMD_ASSERT(R->over == (unsigned)tasks);
    drop_share(R->share);
}

void enter_ring(void)
{
    rmdi_brief_enter(&R->lock);
}

void leave_ring(void)
{
    rmdi_brief_leave(&R->lock);
}

/* ---- what tasks consist of ---- */

static unsigned char in_byte(int number)
{
    return (unsigned char)(0x10 + number);
}

static unsigned char out_byte(int number)
{
    return (unsigned char)(0x80 + number);
}

static bool consists_of(const unsigned char *data, size_t len, unsigned char byte)
{
    for (size_t i = 0; i < len; i++)
        if (data[i] != byte)
            return false;
    return true;
}

/* ---- with the lock held ---- */

void note_change(void)
{
    rmd_atomic_add(&R->changed, 1, RMD_RELAXED);
    rmdi_unpark_all(&R->changed);
}

static void open_gate(rmd_atomic(uint32_t) *gate)
{
    rmd_atomic_store(gate, 1, RMD_RELEASE);
    rmdi_unpark_all(gate);
}

static void forget_task(int number)
{
    R->in_slot[R->tasks[number].slot] = -1;
    R->tasks[number].slot = -1;
}

void end_task(int number, ring_fate fate)
{
    RMD_ASSERT(R->tasks[number].fate == RING_OPEN);
    R->tasks[number].fate = fate;
    open_gate(&R->tasks[number].is_over);
    R->over++;
    note_change();
}

static void take_answer(const rmdi_ring_answer *answer)
{
    int number = R->in_slot[answer->slot];
    RMD_ASSERT(number >= 0);
    ring_task *task = &R->tasks[number];
    RMD_PLAIN_READS(answer->result.data, answer->result.len);
    RMD_ASSERT(task->turn > R->latest);
    RMD_ASSERT(answer->error == (task->fails ? RMD_EAGAIN : 0));
    RMD_ASSERT(answer->result.len == task->out_len);
    RMD_ASSERT(consists_of(answer->result.data, answer->result.len, out_byte(number)));
    R->latest = task->turn;
    forget_task(number);
    end_task(number, RING_DONE);
}

void take_answers(void)
{
    rmdi_ring_answer answer;
    int more;
    while ((more = rmdi_ring_next(&R->ring, &answer)) == 1) {
        take_answer(&answer);
        rmdi_ring_release(&R->ring);
    }
    RMD_ASSERT(more == 0);
}

bool take_back(int number)
{
    int slot = R->tasks[number].slot;
    if (slot < 0 || !rmdi_ring_take(&R->ring, (unsigned)slot))
        return false;
    RMD_ASSERT(!rmdi_ring_take(&R->ring, (unsigned)slot));
    forget_task(number);
    R->tasks[number].attempts--;
    return true;
}

int take_back_last(void)
{
    unsigned slot;
    if (!rmdi_ring_take_last(&R->ring, &slot))
        return -1;
    int number = R->in_slot[slot];
    RMD_ASSERT(number >= 0);
    forget_task(number);
    R->tasks[number].attempts--;
    return number;
}

bool put_task(int number)
{
    ring_task *task = &R->tasks[number];
    unsigned char arguments[512];
    unsigned slot;
    memset(arguments, in_byte(number), task->in_len);
    rmdi_ring_order order = { .id = (uint64_t)number,
                              .attempt = task->attempts + 1,
                              .function = function,
                              .arguments = { arguments, task->in_len },
                              .timed = task->timed };
    if (!rmdi_ring_put(&R->ring, &order, &slot))
        return false;
    RMD_ASSERT(R->in_slot[slot] == -1 && rmdi_ring_len(&R->ring) <= RMDI_RING_SLOTS);
    task->slot = (int)slot;
    task->attempts++;
    task->turn = ++R->turns;
    R->in_slot[slot] = number;
    rmdi_ring_wake(&R->ring);
    open_gate(&task->is_put);
    return true;
}

/* ---- threads of the owner ---- */

/* Parks on the word of the ring, or, among others, on that and on what they change; on a kernel
 * that cannot, on the latter alone, without a sign in the ring. */
static void park_in_ring(ring_share *share, uint32_t awaited, uint32_t seen, bool among_others)
{
    if (among_others && !rmdi_can_park_either())
        rmdi_park(&R->changed, seen, RMD_FOREVER);
    else if (awaited && among_others)
        rmdi_park_either(&R->changed, seen, &share->memory->awaited, awaited, RMD_FOREVER);
    else if (awaited)
        rmdi_park_shared(&share->memory->awaited, awaited, RMD_FOREVER);
}

/* With the lock held, which is released: sleeps until something has been done in the ring, or,
 * among others, they have taken it. As look_closely() in processes_task.c: the last that has slept
 * there takes back the sign, and whoever has slept takes what is done. */
static void sleep_in_ring(bool among_others)
{
    ring_share *share = R->share;
    bool signs = !among_others || rmdi_can_park_either();
    uint32_t seen = rmd_atomic_load(&R->changed, RMD_RELAXED), awaited = 0;
    rmd_atomic_add(&share->refs, 1, RMD_RELAXED);
    share->sleepers += signs;
    if (signs && !rmdi_ring_await(&R->ring, RMDI_AWAITED_BY_THREAD))
        awaited = rmdi_ring_awaited(&R->ring);
    leave_ring();
    park_in_ring(share, awaited, seen, among_others);
    enter_ring();
    if (signs && --share->sleepers == 0)
        rmdi_ring_await_no_more(share->memory);
    take_answers();
    leave_ring();
    drop_share(share);
}

static void await_end(int number, bool among_others)
{
    for (;;) {
        enter_ring();
        take_answers();
        if (R->tasks[number].fate != RING_OPEN)
            break;
        sleep_in_ring(among_others);
    }
    leave_ring();
}

void put_alone(int number)
{
    for (;;) {
        enter_ring();
        take_answers();
        if (put_task(number))
            break;
        sleep_in_ring(false);
    }
    leave_ring();
}

void await_alone(int number)
{
    await_end(number, false);
}

/* Whoever takes an answer, or one back, may make room: that is told by `changed`. */
void put_among_others(int number)
{
    for (;;) {
        enter_ring();
        take_answers();
        bool put = put_task(number);
        uint32_t seen = rmd_atomic_load(&R->changed, RMD_RELAXED);
        leave_ring();
        if (put)
            return;
        rmdi_park(&R->changed, seen, RMD_FOREVER);
    }
}

void await_among_others(int number)
{
    await_end(number, true);
}

/* As look_at_rings() in exec/processes_keeper.c, and what comes round it. */
void keep_ring(void *arg)
{
    (void)arg;
    for (;;) {
        uint32_t heard = rmd_atomic_load(&R->bell, RMD_ACQUIRE);
        enter_ring();
        while (rmdi_ring_await(&R->ring, RMDI_AWAITED_BY_KEEPER))
            take_answers();
        R->is_retired = rmd_atomic_load(&R->share->memory->life, RMD_ACQUIRE) == RMDI_LIFE_RETIRED;
        note_change(); /* a place may be free that was not */
        leave_ring();
        if (rmd_atomic_load(&R->keeper_quits, RMD_RELAXED))
            return;
        rmdi_park(&R->bell, heard, RMD_FOREVER);
    }
}

void stop_keeper(void)
{
    rmd_atomic_store(&R->keeper_quits, 1, RMD_RELAXED);
    ring_the_bell(NULL);
}

void quit_ring(void)
{
    enter_ring();
    rmdi_ring_quit(&R->ring);
    leave_ring();
}

/* ---- the worker ---- */

void ring_the_bell(void *arg)
{
    (void)arg;
    rmd_atomic_add(&R->bell, 1, RMD_RELEASE);
    rmdi_unpark_one(&R->bell);
}

static void check_arguments(const rmdi_ring_slot *slot, int number)
{
    const unsigned char *in = R->end.memory->in + slot->in_at;
    RMD_PLAIN_READS(in, slot->in_len);
    RMD_ASSERT(slot->function_len == sizeof function && slot->name_len == 0);
    RMD_ASSERT(memcmp(in, function, sizeof function) == 0);
    RMD_ASSERT(slot->in_len == sizeof function + R->tasks[number].in_len);
    RMD_ASSERT(consists_of(in + sizeof function, R->tasks[number].in_len, in_byte(number)));
}

static void finish(int number)
{
    const ring_task *task = &R->tasks[number];
    unsigned char result[512 + 1];
    memset(result, out_byte(number), sizeof result);
    RMD_ASSERT(rmdi_ring_finish(&R->end, 0, (rmd_bytes){ result, sizeof result }, 0) == RMD_E2BIG);
    int error = task->fails ? RMD_EAGAIN : 0;
    RMD_ASSERT(rmdi_ring_finish(&R->end, error, (rmd_bytes){ result, task->out_len }, 0) == 0);
}

static void run_in_ring(rmdi_ring_slot *slot)
{
    int number = (int)RMD_PLAIN(slot->id);
    RMD_ASSERT(number >= 0 && number < RING_TASKS);
    rmd_atomic_add(&R->tasks[number].begun, 1, RMD_RELAXED);
    check_arguments(slot, number);
    if (slot->timed)
        rmd_atomic_store(&slot->begun_ns, 1, RMD_RELAXED);
    rmdi_ring_tell_begun(&R->end, slot->timed);
    rmd_atomic(uint32_t) *after = R->tasks[number].after;
    while (after && !rmd_atomic_load(after, RMD_ACQUIRE))
        rmdi_park(after, 0, RMD_FOREVER);
    check_arguments(slot, number);
    finish(number);
}

static void be_idle(void *arg)
{
    (void)arg;
}

static void retire(void)
{
    rmd_atomic_store(&R->end.memory->life, RMDI_LIFE_RETIRED, RMD_RELEASE);
    rmdi_ring_tell(&R->end, true);
}

void work_in_ring(void *arg)
{
    (void)arg;
    do {
        rmdi_ring_slot *slot;
        while ((slot = rmdi_ring_claim(&R->end)))
            run_in_ring(slot);
    } while (rmdi_ring_wait(&R->end, be_idle));
    retire();
}

void work_once_in_ring(void *arg)
{
    rmdi_ring_slot *slot = NULL;
    (void)arg;
    while (!(slot = rmdi_ring_claim(&R->end)) && rmdi_ring_wait(&R->end, be_idle))
        ;
    if (slot)
        run_in_ring(slot);
    retire();
}
