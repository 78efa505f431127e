/* SPDX-License-Identifier: MIT */
/* Planted bugs of the exec floor's parts: each is that part in small, with one mistake. */
#include "port/clock.h"
#include "small_lock.h"

#include <string.h>

/* ---- the deque: see exec/deque.c ---- */

enum { CELLS = 4, ITEMS = 8 };

typedef enum deque_flaw {
    NO_FLAW,
    TAKE_WITHOUT_FENCE,
    STEAL_WITHOUT_FENCE,
    TOP_MOVED_BY_STORE,
    LAST_ONE_NOT_CONTENDED, /* the owner takes it as if it were not the oldest, too */
    BOTTOM_BEFORE_CELL,
    BOTTOM_RELAXED_IN_TAKE, /* older ideas of C11 and of release sequences */
    BOTTOM_READ_RELAXED,
    CELL_READ_LATE, /* after `top` has been moved: it may be another item's by then */
    ONE_TOO_MANY,   /* "full" is asked with > for >= */
} deque_flaw;

static struct {
    rmd_atomic(int) top, bottom;
    rmd_atomic(int) cells[CELLS];
    rmd_atomic(int) got[ITEMS + 1];
    int put;
    deque_flaw flaw;
} deque;

static bool has(deque_flaw flaw)
{
    return deque.flaw == flaw;
}

static bool push(void)
{
    int b = rmd_atomic_load(&deque.bottom, RMD_RELAXED);
    int len = b - rmd_atomic_load(&deque.top, RMD_ACQUIRE);
    if (has(ONE_TOO_MANY) ? len > CELLS : len >= CELLS)
        return false;
    if (has(BOTTOM_BEFORE_CELL))
        rmd_atomic_store(&deque.bottom, b + 1, RMD_RELEASE);
    rmd_atomic_store(&deque.cells[b % CELLS], ++deque.put, RMD_RELAXED);
    if (!has(BOTTOM_BEFORE_CELL))
        rmd_atomic_store(&deque.bottom, b + 1, RMD_RELEASE);
    return true;
}

static bool move_top(int top)
{
    if (!has(TOP_MOVED_BY_STORE))
        return rmd_atomic_cas(&deque.top, &top, top + 1, RMD_SEQ_CST, RMD_RELAXED);
    if (rmd_atomic_load(&deque.top, RMD_SEQ_CST) != top)
        return false;
    rmd_atomic_store(&deque.top, top + 1, RMD_SEQ_CST);
    return true;
}

static void note_got(int item)
{
    RMD_ASSERT(item > 0 && item <= ITEMS);
    RMD_ASSERT(rmd_atomic_add(&deque.got[item], 1, RMD_RELAXED) == 0);
}

static bool take(void)
{
    int order = has(BOTTOM_RELAXED_IN_TAKE) ? RMD_RELAXED : RMD_RELEASE;
    int b = rmd_atomic_load(&deque.bottom, RMD_RELAXED) - 1, item = 0;
    rmd_atomic_store(&deque.bottom, b, order);
    if (!has(TAKE_WITHOUT_FENCE))
        rmd_fence(RMD_SEQ_CST);
    int t = rmd_atomic_load(&deque.top, RMD_RELAXED);
    if (t <= b)
        item = rmd_atomic_load(&deque.cells[b % CELLS], RMD_RELAXED);
    if (t < b || (t == b && has(LAST_ONE_NOT_CONTENDED))) {
        note_got(item);
        return true;
    }
    bool taken = t == b && move_top(t);
    rmd_atomic_store(&deque.bottom, b + 1, order);
    if (taken)
        note_got(item);
    return taken;
}

static bool steal(void)
{
    int t = rmd_atomic_load(&deque.top, RMD_ACQUIRE);
    if (!has(STEAL_WITHOUT_FENCE))
        rmd_fence(RMD_SEQ_CST);
    int b = rmd_atomic_load(&deque.bottom, has(BOTTOM_READ_RELAXED) ? RMD_RELAXED : RMD_ACQUIRE);
    if (t >= b)
        return false;
    int item = rmd_atomic_load(&deque.cells[t % CELLS], RMD_RELAXED);
    if (!move_top(t))
        return false;
    if (has(CELL_READ_LATE))
        item = rmd_atomic_load(&deque.cells[t % CELLS], RMD_RELAXED);
    note_got(item);
    return true;
}

static void put_and_take(void *arg)
{
    (void)arg;
    push();
    push();
    push();
    take();
    push();
    take();
    take();
}

/* Goes round: the thieves must keep up. */
static void fill(void *arg)
{
    (void)arg;
    for (int i = 0; i < ITEMS; i++)
        if (!push())
            take();
}

static void steal_three(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        steal();
}

static void pass_items(void (*own)(void *arg), deque_flaw flaw)
{
    deque.flaw = flaw;
    deque.put = 0;
    rmd_atomic_init(&deque.top, 0);
    rmd_atomic_init(&deque.bottom, 0);
    for (int i = 0; i < CELLS; i++)
        rmd_atomic_init(&deque.cells[i], 0);
    for (int i = 0; i <= ITEMS; i++)
        rmd_atomic_init(&deque.got[i], 0);
    run_together((void (*const[])(void *)){ own, steal_three, steal_three }, NULL, 3);
    while (rmd_atomic_load(&deque.bottom, RMD_RELAXED) > rmd_atomic_load(&deque.top, RMD_RELAXED))
        take();
    for (int i = 1; i <= deque.put; i++)
        RMD_ASSERT(rmd_atomic_load(&deque.got[i], RMD_RELAXED) == 1);
}

PLANTED(exec_deque_take_without_fence, RMD_EXPLORE_ASSERTION)
{
    pass_items(put_and_take, broken ? TAKE_WITHOUT_FENCE : NO_FLAW);
}

PLANTED(exec_deque_steal_without_fence, RMD_EXPLORE_ASSERTION, .memory = RMD_MEMORY_WEAK)
{
    pass_items(put_and_take, broken ? STEAL_WITHOUT_FENCE : NO_FLAW);
}

PLANTED(exec_deque_top_moved_by_store, RMD_EXPLORE_ASSERTION)
{
    pass_items(put_and_take, broken ? TOP_MOVED_BY_STORE : NO_FLAW);
}

PLANTED(exec_deque_last_one_not_contended, RMD_EXPLORE_ASSERTION)
{
    pass_items(put_and_take, broken ? LAST_ONE_NOT_CONTENDED : NO_FLAW);
}

PLANTED(exec_deque_bottom_before_cell, RMD_EXPLORE_ASSERTION)
{
    pass_items(put_and_take, broken ? BOTTOM_BEFORE_CELL : NO_FLAW);
}

PLANTED(exec_deque_bottom_relaxed_in_take, RMD_EXPLORE_ASSERTION, .memory = RMD_MEMORY_WEAK)
{
    pass_items(put_and_take, broken ? BOTTOM_RELAXED_IN_TAKE : NO_FLAW);
}

PLANTED(exec_deque_bottom_read_relaxed, RMD_EXPLORE_ASSERTION, .memory = RMD_MEMORY_WEAK)
{
    pass_items(put_and_take, broken ? BOTTOM_READ_RELAXED : NO_FLAW);
}

PLANTED(exec_deque_cell_read_late, RMD_EXPLORE_ASSERTION)
{
    pass_items(fill, broken ? CELL_READ_LATE : NO_FLAW);
}

PLANTED(exec_deque_one_too_many, RMD_EXPLORE_ASSERTION)
{
    pass_items(fill, broken ? ONE_TOO_MANY : NO_FLAW);
}

/* ---- the ring of the queue from outside: see exec/injection.c ---- */

enum { RING = 2, PUT = 5 };

typedef enum ring_flaw {
    RING_NO_FLAW,
    HEAD_BEFORE_EMPTY, /* whoever puts may fill the cell, and it is emptied after that */
    HEAD_RELAXED,      /* that a cell is empty may be seen later than that it may be filled */
    COUNTED_AFTER,     /* one can be taken, and counted as gone, before it counts as added */
} ring_flaw;

static struct {
    rmd_atomic(int) cells[RING]; /* 0: nothing there */
    rmd_atomic(int) head, added, gone;
    int taken; /* the one that was taken last */
    ring_flaw flaw;
} ring;

static void put_all(void *arg)
{
    (void)arg;
    for (int tail = 0; tail < PUT; tail++) {
        int head = rmd_atomic_load(&ring.head, RMD_ACQUIRE);
        if (tail - head == RING)
            break;
        if (ring.flaw != COUNTED_AFTER)
            rmd_atomic_store(&ring.added, tail + 1, RMD_RELAXED);
        rmd_atomic_store(&ring.cells[tail % RING], tail + 1, RMD_RELEASE);
        if (ring.flaw == COUNTED_AFTER)
            rmd_atomic_store(&ring.added, tail + 1, RMD_RELAXED);
    }
}

static bool take_first(void)
{
    int head = rmd_atomic_load(&ring.head, RMD_RELAXED);
    rmd_atomic(int) *at = &ring.cells[head % RING];
    int item = rmd_atomic_load(at, RMD_ACQUIRE);
    if (!item)
        return false;
    RMD_ASSERT(item == ++ring.taken);
    if (ring.flaw == HEAD_BEFORE_EMPTY)
        rmd_atomic_store(&ring.head, head + 1, RMD_RELEASE);
    rmd_atomic_store(at, 0, RMD_RELAXED);
    if (ring.flaw != HEAD_BEFORE_EMPTY)
        rmd_atomic_store(&ring.head, head + 1,
                         ring.flaw == HEAD_RELAXED ? RMD_RELAXED : RMD_RELEASE);
    rmd_atomic_store(&ring.gone, head + 1, RMD_RELEASE);
    return true;
}

static void take_four(void *arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++)
        take_first();
}

static void look_at_counts(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        int gone = rmd_atomic_load(&ring.gone, RMD_ACQUIRE);
        RMD_ASSERT(rmd_atomic_load(&ring.added, RMD_RELAXED) >= gone);
    }
}

static void pass_through_ring(ring_flaw flaw)
{
    ring.flaw = flaw;
    ring.taken = 0;
    rmd_atomic_init(&ring.head, 0);
    rmd_atomic_init(&ring.added, 0);
    rmd_atomic_init(&ring.gone, 0);
    for (int i = 0; i < RING; i++)
        rmd_atomic_init(&ring.cells[i], 0);
    run_together((void (*const[])(void *)){ put_all, take_four, look_at_counts }, NULL, 3);
    while (take_first())
        ;
    RMD_ASSERT(ring.taken == rmd_atomic_load(&ring.added, RMD_RELAXED));
}

PLANTED(exec_ring_head_before_empty, RMD_EXPLORE_ASSERTION)
{
    pass_through_ring(broken ? HEAD_BEFORE_EMPTY : RING_NO_FLAW);
}

PLANTED(exec_ring_head_relaxed, RMD_EXPLORE_ASSERTION, .memory = RMD_MEMORY_WEAK)
{
    pass_through_ring(broken ? HEAD_RELAXED : RING_NO_FLAW);
}

PLANTED(exec_ring_counted_after, RMD_EXPLORE_ASSERTION)
{
    pass_through_ring(broken ? COUNTED_AFTER : RING_NO_FLAW);
}

/* A worker takes two, of which others must find the second: in the queue, or where it puts it. */
static struct {
    rmd_atomic(int) queued, own, begun;
    bool gone_first;
} taken;

static void take_two(void *arg)
{
    (void)arg;
    if (taken.gone_first)
        rmd_atomic_store(&taken.queued, 0, RMD_RELEASE);
    rmd_atomic_store(&taken.own, 1, RMD_RELEASE);
    if (!taken.gone_first)
        rmd_atomic_store(&taken.queued, 0, RMD_RELEASE);
    rmd_atomic_store(&taken.begun, 1, RMD_RELAXED); /* it takes the second out again, and runs it */
    rmd_atomic_store(&taken.own, 0, RMD_RELEASE);
}

/* Goes to sleep if there is neither. */
static void look_for_second(void *arg)
{
    (void)arg;
    if (!rmd_atomic_load(&taken.queued, RMD_ACQUIRE) && !rmd_atomic_load(&taken.own, RMD_ACQUIRE))
        RMD_ASSERT(rmd_atomic_load(&taken.begun, RMD_RELAXED));
}

PLANTED(exec_ring_gone_before_it_is_found, RMD_EXPLORE_ASSERTION)
{
    taken.gone_first = broken;
    rmd_atomic_init(&taken.queued, 2);
    rmd_atomic_init(&taken.own, 0);
    rmd_atomic_init(&taken.begun, 0);
    run_together((void (*const[])(void *)){ take_two, look_for_second }, NULL, 2);
}

/* ---- the keeper of deadlines: see exec/deadlines.c ---- */

enum { DUES = 2, HOUR_MS = 3600000 };

typedef enum keeper_flaw {
    NO_KEEPER_FLAW,
    TOLD_WHEN_EMPTY_ONLY, /* an earlier one does not wake the thread from the sleep for another */
    TOLD_BEFORE_ARMED,    /* the thread looks, finds nothing, and sleeps */
    COUNTED_LATE,         /* the number of wake-ups is read when the lock has been released */
    CLOCK_NOT_READ,       /* whatever woke it, the time has come */
    TAKEN_OUT_LATE,       /* after the call: it is disarmed in time, and called */
    CALL_NOT_NOTED,       /* nobody waits for its end */
    CALL_NOTED_LATE,      /* in another section than that in which it is taken out */
} keeper_flaw;

typedef struct small_due {
    int64_t due_ns; /* 0: not armed */
    int64_t asked_ns;
    rmd_atomic(uint32_t) called, over; /* so that no race is seen where an assertion is meant */
} small_due;

static struct {
    small_lock lock;
    small_due dues[DUES];
    small_due *called;
    bool closing;
    rmd_atomic(uint32_t) told, ended, calls;
    keeper_flaw flaw;
} keeper;

static bool keeper_has(keeper_flaw flaw)
{
    return keeper.flaw == flaw;
}

static small_due *first_due(void)
{
    small_due *first = NULL;
    for (small_due *s = keeper.dues; s < keeper.dues + DUES; s++)
        if (RMD_PLAIN(s->due_ns) && (!first || s->due_ns < first->due_ns))
            first = s;
    return first;
}

static void tell_keeper(void)
{
    rmd_atomic_add(&keeper.told, 1, RMD_RELAXED);
    rmdi_unpark_all(&keeper.told);
}

static void call(small_due *due)
{
    if (!keeper_has(TAKEN_OUT_LATE))
        RMD_PLAIN_SET(due->due_ns, 0);
    if (keeper_has(CALL_NOTED_LATE)) {
        small_lock_drop(&keeper.lock);
        small_lock_take(&keeper.lock);
    }
    if (!keeper_has(CALL_NOT_NOTED))
        RMD_PLAIN_SET(keeper.called, due);
    small_lock_drop(&keeper.lock);
    RMD_ASSERT(rmdi_clock_monotonic_ns() >= RMD_PLAIN(due->asked_ns));
    rmd_atomic_store(&due->called, 1, RMD_RELAXED);
    RMD_ASSERT(!rmd_atomic_load(&due->over, RMD_RELAXED));
    rmd_atomic_add(&keeper.calls, 1, RMD_RELEASE);
    rmdi_unpark_all(&keeper.calls);
    small_lock_take(&keeper.lock);
    RMD_PLAIN_SET(due->due_ns, 0);
    RMD_PLAIN_SET(keeper.called, NULL);
    rmd_atomic_add(&keeper.ended, 1, RMD_RELAXED);
    rmdi_unpark_all(&keeper.ended);
}

static void sleep_till(int64_t due_ns)
{
    uint32_t seen = rmd_atomic_load(&keeper.told, RMD_RELAXED);
    small_lock_drop(&keeper.lock);
    if (keeper_has(COUNTED_LATE))
        seen = rmd_atomic_load(&keeper.told, RMD_RELAXED);
    rmdi_park(&keeper.told, seen, RMD_DEADLINE_AT(due_ns));
    small_lock_take(&keeper.lock);
}

static void keep(void *arg)
{
    bool woken = false;
    (void)arg;
    small_lock_take(&keeper.lock);
    while (!RMD_PLAIN(keeper.closing)) {
        small_due *first = first_due();
        bool due = first &&
                   (keeper_has(CLOCK_NOT_READ) ? woken
                                               : first->due_ns <= rmdi_clock_monotonic_ns());
        if (due)
            call(first);
        else
            sleep_till(first ? first->due_ns : INT64_MAX);
        woken = !due;
    }
    small_lock_drop(&keeper.lock);
}

static void arm(small_due *due, int64_t due_ns)
{
    if (keeper_has(TOLD_BEFORE_ARMED))
        tell_keeper();
    small_lock_take(&keeper.lock);
    bool empty = !first_due();
    RMD_PLAIN_SET(due->asked_ns, due_ns);
    RMD_PLAIN_SET(due->due_ns, due_ns);
    if (!keeper_has(TOLD_BEFORE_ARMED) && (empty || !keeper_has(TOLD_WHEN_EMPTY_ONLY)))
        tell_keeper();
    small_lock_drop(&keeper.lock);
}

static bool disarm_wait(small_due *due)
{
    small_lock_take(&keeper.lock);
    bool in_time = RMD_PLAIN(due->due_ns);
    RMD_PLAIN_SET(due->due_ns, 0);
    while (RMD_PLAIN(keeper.called) == due) {
        uint32_t seen = rmd_atomic_load(&keeper.ended, RMD_RELAXED);
        small_lock_drop(&keeper.lock);
        rmdi_park(&keeper.ended, seen, RMD_FOREVER);
        small_lock_take(&keeper.lock);
    }
    rmd_atomic_store(&due->over, 1, RMD_RELAXED);
    small_lock_drop(&keeper.lock);
    return in_time;
}

static void begin_keeper(keeper_flaw flaw)
{
    memset(&keeper, 0, sizeof keeper);
    keeper.flaw = flaw;
    small_lock_init(&keeper.lock);
    rmd_atomic_init(&keeper.told, 0);
    rmd_atomic_init(&keeper.ended, 0);
    rmd_atomic_init(&keeper.calls, 0);
    for (int i = 0; i < DUES; i++) {
        rmd_atomic_init(&keeper.dues[i].called, 0);
        rmd_atomic_init(&keeper.dues[i].over, 0);
    }
}

static void close_keeper(rmd_explore_thread *thread)
{
    small_lock_take(&keeper.lock);
    RMD_PLAIN_SET(keeper.closing, true);
    tell_keeper();
    small_lock_drop(&keeper.lock);
    rmd_explore_join(thread);
}

/* One that is due soon, while the thread sleeps for a later one, or for ever. */
static void arm_and_wait(keeper_flaw flaw, bool later)
{
    begin_keeper(flaw);
    rmd_explore_thread *thread = rmd_explore_start(keep, NULL, "keeper");
    if (later)
        arm(&keeper.dues[0], rmd_after_ms(HOUR_MS).ns);
    arm(&keeper.dues[1], rmd_after_ms(1).ns);
    while (!rmd_atomic_load(&keeper.calls, RMD_ACQUIRE))
        rmdi_park(&keeper.calls, 0, RMD_FOREVER);
    RMD_ASSERT(disarm_wait(&keeper.dues[0]) == later);
    close_keeper(thread);
}

PLANTED(exec_keeper_told_when_empty_only, RMD_EXPLORE_ASSERTION, .no_early_timeouts = true)
{
    arm_and_wait(broken ? TOLD_WHEN_EMPTY_ONLY : NO_KEEPER_FLAW, true);
}

PLANTED(exec_keeper_told_before_armed, RMD_EXPLORE_DEADLOCK, .no_spurious = true)
{
    arm_and_wait(broken ? TOLD_BEFORE_ARMED : NO_KEEPER_FLAW, false);
}

PLANTED(exec_keeper_counts_late, RMD_EXPLORE_DEADLOCK, .no_spurious = true)
{
    arm_and_wait(broken ? COUNTED_LATE : NO_KEEPER_FLAW, false);
}

static void end_one(void *arg)
{
    small_due *due = arg;
    arm(due, rmd_after_ms(1).ns);
    bool in_time = disarm_wait(due);
    RMD_ASSERT(in_time != rmd_atomic_load(&due->called, RMD_RELAXED));
}

/* Each is called, or disarmed; and afterwards left alone. */
static void arm_and_end(keeper_flaw flaw)
{
    rmd_explore_thread *ends[DUES];
    begin_keeper(flaw);
    rmd_explore_thread *thread = rmd_explore_start(keep, NULL, "keeper");
    for (int i = 0; i < DUES; i++)
        ends[i] = rmd_explore_start(end_one, &keeper.dues[i], "ends");
    for (int i = 0; i < DUES; i++)
        rmd_explore_join(ends[i]);
    close_keeper(thread);
}

PLANTED(exec_keeper_does_not_read_the_clock, RMD_EXPLORE_ASSERTION)
{
    arm_and_end(broken ? CLOCK_NOT_READ : NO_KEEPER_FLAW);
}

PLANTED(exec_keeper_takes_out_late, RMD_EXPLORE_ASSERTION)
{
    arm_and_end(broken ? TAKEN_OUT_LATE : NO_KEEPER_FLAW);
}

PLANTED(exec_keeper_does_not_note_the_call, RMD_EXPLORE_ASSERTION)
{
    arm_and_end(broken ? CALL_NOT_NOTED : NO_KEEPER_FLAW);
}

PLANTED(exec_keeper_notes_the_call_late, RMD_EXPLORE_ASSERTION)
{
    arm_and_end(broken ? CALL_NOTED_LATE : NO_KEEPER_FLAW);
}
