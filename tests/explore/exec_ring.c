/* SPDX-License-Identifier: MIT */
/* The ring that an owner shares with a worker: each task is done once, or taken back, never both;
 * answers come in order and are what was answered; and nobody sleeps beside what he waits for. The
 * ring has two slots here, and its rooms are small, so that both are full, and go round, soon. */
#include "ring_stage.h"

#include "base/park.h"

#include <remuda/error.h>

enum { SMALL = 3, LARGE = 5 }; /* how many of the sizes */

/* ---- one thread, no keeper ---- */

HARNESS(ring_one_thread_puts_and_waits)
{
    crew all = { 0 };
    open_ring(LARGE);
    crew_add(&all, work_in_ring, NULL, "worker");
    for (int i = 0; i < 4; i++)
        put_alone(i);
    await_alone(3);
    quit_ring();
    crew_join(&all);
    close_ring(4);
}

/* One at a time, so that both go to sleep between. */
HARNESS(ring_to_and_fro)
{
    crew all = { 0 };
    open_ring(SMALL);
    crew_add(&all, work_in_ring, NULL, "worker");
    for (int i = 0; i < 3; i++) {
        put_alone(i);
        await_alone(i);
    }
    quit_ring();
    crew_join(&all);
    close_ring(3);
}

/* ---- a keeper, and others ---- */

static void put_two(void *arg)
{
    int first = *(int *)arg;
    put_among_others(first);
    put_among_others(first + 1);
}

static void put_three(void *arg)
{
    put_two(arg);
    put_among_others(*(int *)arg + 2);
}

static void await_one(void *arg)
{
    await_among_others(*(int *)arg);
}

/* Until so many have ended, whoever takes the answers. */
static void await_all(unsigned tasks)
{
    for (;;) {
        enter_ring();
        bool all = R->over == tasks;
        uint32_t seen = rmd_atomic_load(&R->changed, RMD_RELAXED);
        leave_ring();
        if (all)
            return;
        rmdi_park(&R->changed, seen, RMD_FOREVER);
    }
}

static int numbers[RING_TASKS] = { 0, 1, 2, 3, 4, 5 };

static void begin(crew *all, unsigned sizes)
{
    open_ring(sizes);
    crew_add(all, work_in_ring, NULL, "worker");
    crew_add(all, keep_ring, NULL, "keeper");
}

static void end(crew *all, int tasks)
{
    await_all((unsigned)tasks);
    quit_ring();
    stop_keeper();
    crew_join(all);
    close_ring(tasks);
}

HARNESS(ring_a_keeper_takes_the_answers)
{
    crew all = { 0 };
    begin(&all, LARGE);
    put_three(&numbers[0]);
    end(&all, 3);
}

/* Two put, one waits for a task of the other, and who takes what is nobody's business. */
HARNESS(ring_two_threads_and_a_keeper)
{
    crew all = { 0 };
    begin(&all, SMALL);
    crew_add(&all, put_two, &numbers[0], "puts");
    crew_add(&all, await_one, &numbers[3], "waits");
    put_two(&numbers[2]);
    end(&all, 4);
}

/* Results so large that there is room for one: the worker sleeps until it has been taken. */
HARNESS(ring_finish_waits_for_room)
{
    crew all = { 0 };
    begin(&all, 1);
    for (int i = 0; i < 3; i++)
        R->tasks[i].out_len = 400;
    crew_add(&all, await_one, &numbers[1], "waits");
    put_three(&numbers[0]);
    end(&all, 3);
}

/* A task may take long: the answer of the one before must not wait for it. */
HARNESS(ring_an_answer_does_not_wait_for_the_next_task)
{
    crew all = { 0 };
    begin(&all, SMALL);
    R->tasks[1].after = &R->tasks[0].is_over;
    put_two(&numbers[0]);
    end(&all, 2);
}

/* ---- taking back ---- */

static void take_back_one(void *arg)
{
    int number = *(int *)arg;
    enter_ring();
    if (take_back(number))
        end_task(number, RING_TAKEN_BACK);
    leave_ring();
}

static void take_back_the_last(void *arg)
{
    (void)arg;
    enter_ring();
    int number = take_back_last();
    if (number >= 0)
        end_task(number, RING_TAKEN_BACK);
    leave_ring();
}

/* As rmdi_processes_balance(): it is done later. */
static void put_the_last_again(void *arg)
{
    (void)arg;
    enter_ring();
    int number = take_back_last();
    leave_ring();
    if (number >= 0)
        put_among_others(number);
}

HARNESS(ring_tasks_are_done_or_taken_back)
{
    crew all = { 0 };
    begin(&all, SMALL);
    crew_add(&all, take_back_one, &numbers[rmd_explore_choose(3)], "takes back");
    crew_add(&all, rmd_explore_choose(2) ? take_back_the_last : put_the_last_again, NULL, "last");
    put_three(&numbers[0]);
    put_among_others(3);
    end(&all, 4);
}

/* All that have not begun, as when a worker is to be ended. */
static void take_back_all(void)
{
    int number;
    while ((number = take_back_last()) >= 0)
        end_task(number, RING_TAKEN_BACK);
    for (unsigned i = rmdi_ring_len(&R->ring); i-- > 0;) {
        number = R->in_slot[rmdi_ring_slot_at(&R->ring, i)];
        if (number >= 0 && take_back(number))
            end_task(number, RING_TAKEN_BACK);
    }
}

static void take_two_back(void *arg)
{
    (void)arg;
    take_back_one(&numbers[0]);
    enter_ring();
    take_back_all();
    leave_ring();
}

/* Slots that were taken back are passed by the worker, and free then. */
HARNESS(ring_goes_on_after_all_were_taken_back)
{
    crew all = { 0 };
    begin(&all, SMALL);
    crew_add(&all, take_two_back, NULL, "takes back");
    put_three(&numbers[0]);
    put_among_others(3);
    end(&all, 4);
}

/* ---- who waits until something has begun ---- */

/* With the lock held, as rmdi_processes_waiting(). */
static unsigned waiting(void)
{
    int64_t begun_ns;
    unsigned n = 0;
    for (unsigned i = 0; i < rmdi_ring_len(&R->ring); i++) {
        unsigned slot = rmdi_ring_slot_at(&R->ring, i);
        n += R->in_slot[slot] >= 0 && !rmdi_ring_has_begun(&R->ring, slot, &begun_ns);
    }
    return n;
}

static bool has_place_soon(void)
{
    if (waiting() == 0)
        return true;
    rmdi_ring_await(&R->ring, RMDI_AWAITED_BEGIN);
    return waiting() == 0;
}

/* One may wait, no more. As wait_for_place() in exec/processes_submit.c. */
static void put_in_place(int number)
{
    for (;;) {
        enter_ring();
        bool put = has_place_soon() && rmdi_ring_len(&R->ring) < RMDI_RING_SLOTS &&
                   put_task(number);
        uint32_t seen = rmd_atomic_load(&R->changed, RMD_RELAXED);
        leave_ring();
        if (put)
            return;
        rmdi_park(&R->changed, seen, RMD_FOREVER);
    }
}

static void put_one_in_place(void *arg)
{
    put_in_place(*(int *)arg);
}

/* The first goes on only when the second has been put in. */
HARNESS(ring_who_waits_for_a_begin_is_told)
{
    crew all = { 0 };
    begin(&all, 1);
    R->tasks[0].after = &R->tasks[1].is_put;
    put_in_place(0);
    put_in_place(1);
    crew_add(&all, put_one_in_place, &numbers[2], "puts");
    end(&all, 3);
}

/* ---- the worker's end ---- */

/* It does one and no more; what is left in its ring goes back. */
HARNESS(ring_what_a_worker_leaves_is_taken_back)
{
    crew all = { 0 };
    bool retired = false;
    open_ring(SMALL);
    crew_add(&all, work_once_in_ring, NULL, "worker");
    crew_add(&all, keep_ring, NULL, "keeper");
    enter_ring();
    put_task(0);
    put_task(1);
    leave_ring();
    while (!retired) {
        enter_ring();
        take_answers();
        retired = R->is_retired;
        uint32_t seen = rmd_atomic_load(&R->changed, RMD_RELAXED);
        leave_ring();
        if (!retired)
            rmdi_park(&R->changed, seen, RMD_FOREVER);
    }
    enter_ring();
    take_answers(); /* it had been done before that was said */
    RMD_ASSERT(R->tasks[0].fate == RING_DONE);
    if (R->tasks[1].slot >= 0)
        take_back_all();
    leave_ring();
    for (int i = 0; i < 2; i++)
        if (R->tasks[i].slot < 0 && R->tasks[i].fate == RING_OPEN)
            end_task(i, RING_TAKEN_BACK); /* there was no room for it */
    stop_keeper();
    crew_join(&all);
    close_ring(2);
}

static void quit(void *arg)
{
    (void)arg;
    quit_ring();
}

/* Told to end while it has tasks: they are done first; and it ends, whatever it sleeps for. */
HARNESS(ring_quit_ends_the_worker)
{
    crew all = { 0 };
    open_ring(SMALL);
    enter_ring();
    put_task(0);
    leave_ring();
    crew_add(&all, work_in_ring, NULL, "worker");
    crew_add(&all, quit, NULL, "quits");
    await_alone(0);
    crew_join(&all);
    close_ring(1);
}

/* ---- a worker that writes anything ---- */

/* Without marks: it is another process, of which nothing is expected. */
static void write_anything(void *arg)
{
    static const uint32_t offsets[] = { 0, 100, RMDI_RING_ROOM, RMDI_RING_ROOM + 1, UINT32_MAX };
    (void)arg;
    for (int i = 0; i < 4; i++) {
        rmdi_ring_slot *slot = &R->end.memory->slots[rmd_explore_choose(RMDI_RING_SLOTS)];
        *(volatile uint32_t *)&slot->out_at = offsets[rmd_explore_choose(5)];
        *(volatile uint32_t *)&slot->out_len = offsets[rmd_explore_choose(5)];
        *(volatile int32_t *)&slot->error = (int32_t)rmd_explore_choose(3) - 1;
        rmd_atomic_store(&slot->state, rmd_explore_choose(7), RMD_RELAXED);
        rmd_atomic_store(&R->end.memory->sleeps, rmd_explore_choose(3), RMD_RELAXED);
    }
}

static void expect_within(const rmdi_ring_answer *answer)
{
    const unsigned char *out = R->share->memory->out, *at = answer->result.data;
    RMD_ASSERT(answer->slot < RMDI_RING_SLOTS && answer->error <= 0);
    RMD_ASSERT(at >= out && at <= out + RMDI_RING_ROOM);
    RMD_ASSERT(answer->result.len <= (size_t)(out + RMDI_RING_ROOM - at));
}

HARNESS(ring_a_worker_can_harm_only_itself)
{
    crew all = { 0 };
    open_ring(LARGE);
    crew_add(&all, write_anything, NULL, "worker");
    for (int i = 0; i < 8; i++) {
        rmdi_ring_answer answer;
        const rmdi_ring_order order = { .function = "f", .id = 1 };
        unsigned slot;
        int64_t begun_ns;
        switch (rmd_explore_choose(4)) {
        case 0: rmdi_ring_put(&R->ring, &order, &slot); break;
        case 1: rmdi_ring_take(&R->ring, rmdi_ring_slot_at(&R->ring, 0)); break;
        case 2: rmdi_ring_take_last(&R->ring, &slot); break;
        default:
            if (rmdi_ring_next(&R->ring, &answer) == 1) {
                expect_within(&answer);
                rmdi_ring_has_begun(&R->ring, answer.slot, &begun_ns);
                rmdi_ring_is_done(&R->ring, answer.slot);
                rmdi_ring_release(&R->ring);
            }
        }
        RMD_ASSERT(rmdi_ring_len(&R->ring) <= RMDI_RING_SLOTS);
    }
    crew_join(&all);
    close_ring(0);
}
