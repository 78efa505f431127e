/* SPDX-License-Identifier: MIT */
/* Planted bugs of the threads pool and its futures: each is a protocol of src/exec in small, with
 * one mistake. Some of them were made there once. */
#include "small_lock.h"

#include <stdlib.h>
#include <string.h>

/* ---- the end of a future: see exec/future.c ---- */

typedef enum end_flaw {
    NO_END_FLAW,
    END_IGNORES_WAITED,
    WAITED_AFTER_THE_LOOK,  /* two operations for one */
    FIRED_WITHOUT_THE_LOCK, /* nothing keeps the task from ending meanwhile */
    END_IGNORES_CANCEL,     /* the end does not wait for whoever fires */
    FRAME_NOT_MARKED,       /* fired though the frame is just being written */
    SEEN_RELAXED,           /* the end is looked for without an acquire */
    CLAIMED_THEN_HELD,      /* whoever took it out of the queue drops the last reference */
    CALLBACK_BEHIND_OURS,   /* what is not the first in the list is not found */
} end_flaw;

enum { RUNNING = 1, ENDED = 2, WAITED = 4, CANCEL = 8, FRAMED = 16, CLAIMED = 32, REF = 64 };

typedef struct small_future {
    rmd_atomic(uint32_t) word, woken;
    small_lock lock;
    rmd_atomic(uint32_t) *token; /* of who runs it, on its stack */
    int result;
    int ours, users; /* callbacks: guarded by the lock */
    bool round;
    rmd_atomic(uint32_t) called;
} small_future;

static small_future *future;
static end_flaw end_has;

static void end_small(void)
{
    uint32_t stop = (end_has == END_IGNORES_WAITED ? 0u : WAITED) |
                    (end_has == END_IGNORES_CANCEL ? 0u : CANCEL);
    uint32_t word = rmd_atomic_load(&future->word, RMD_RELAXED);
    while (!(word & stop))
        if (rmd_atomic_cas_weak(&future->word, &word, word | ENDED, RMD_RELEASE, RMD_RELAXED))
            return;
    small_lock_take(&future->lock);
    rmd_atomic_or(&future->word, ENDED, RMD_RELEASE);
    small_lock_drop(&future->lock);
    rmd_atomic_store(&future->woken, 1, RMD_RELAXED);
    rmdi_unpark_all(&future->woken);
}

static void run_small(void *arg)
{
    rmd_atomic(uint32_t) token;
    (void)arg;
    rmd_atomic_init(&token, 0);
    RMD_PLAIN_SET(future->token, &token);
    rmd_atomic_or(&future->word, FRAMED, RMD_ACQ_REL);
    RMD_PLAIN_SET(future->result, 5);
    end_small();
}

static void wait_small(void *arg)
{
    (void)arg;
    small_lock_take(&future->lock);
    uint32_t word = rmd_atomic_load(&future->word, RMD_RELAXED);
    bool ended = word & ENDED;
    if (end_has == WAITED_AFTER_THE_LOOK) {
        rmd_atomic_or(&future->word, WAITED, RMD_RELAXED);
    } else {
        int order = end_has == SEEN_RELAXED ? RMD_RELAXED : RMD_ACQUIRE;
        ended = rmd_atomic_or(&future->word, WAITED, order) & ENDED;
    }
    small_lock_drop(&future->lock);
    while (!ended && !rmd_atomic_load(&future->woken, RMD_RELAXED))
        rmdi_park(&future->woken, 0, RMD_FOREVER);
    if (end_has != SEEN_RELAXED && end_has != WAITED_AFTER_THE_LOOK)
        (void)rmd_atomic_load(&future->word, RMD_ACQUIRE);
    if (ended && end_has != WAITED_AFTER_THE_LOOK)
        RMD_ASSERT(RMD_PLAIN(future->result) == 5);
}

static void fire_small(void)
{
    if (end_has == FRAME_NOT_MARKED || rmd_atomic_load(&future->word, RMD_ACQUIRE) & FRAMED)
        if (RMD_PLAIN(future->token))
            rmd_atomic_store(future->token, 1, RMD_RELAXED);
}

static void cancel_small(void *arg)
{
    (void)arg;
    small_lock_take(&future->lock);
    uint32_t word = rmd_atomic_load(&future->word, RMD_RELAXED);
    bool runs = false;
    while (!runs && !(word & ENDED))
        runs = rmd_atomic_cas_weak(&future->word, &word, word | CANCEL, RMD_ACQUIRE, RMD_RELAXED);
    if (end_has == FIRED_WITHOUT_THE_LOCK)
        small_lock_drop(&future->lock);
    if (runs)
        fire_small();
    if (end_has != FIRED_WITHOUT_THE_LOCK)
        small_lock_drop(&future->lock);
}

static void end_one(end_flaw flaw, void (*other)(void *arg))
{
    end_has = flaw;
    future = calloc(1, sizeof *future);
    small_lock_init(&future->lock);
    rmd_atomic_init(&future->word, RUNNING);
    rmd_atomic_init(&future->woken, 0);
    run_together((void (*const[])(void *)){ run_small, other }, NULL, 2);
    free(future);
}

PLANTED(exec_end_ignores_waited, RMD_EXPLORE_DEADLOCK, .no_spurious = true)
{
    end_one(broken ? END_IGNORES_WAITED : NO_END_FLAW, wait_small);
}

PLANTED(exec_wait_is_noted_after_the_look, RMD_EXPLORE_DEADLOCK, .no_spurious = true)
{
    end_one(broken ? WAITED_AFTER_THE_LOOK : NO_END_FLAW, wait_small);
}

PLANTED(exec_end_is_seen_relaxed, RMD_EXPLORE_RACE, .memory = RMD_MEMORY_WEAK)
{
    end_one(broken ? SEEN_RELAXED : NO_END_FLAW, wait_small);
}

PLANTED(exec_cancel_fires_without_the_lock, RMD_EXPLORE_FREED)
{
    end_one(broken ? FIRED_WITHOUT_THE_LOCK : NO_END_FLAW, cancel_small);
}

PLANTED(exec_end_ignores_cancel, RMD_EXPLORE_FREED)
{
    end_one(broken ? END_IGNORES_CANCEL : NO_END_FLAW, cancel_small);
}

PLANTED(exec_cancel_fires_a_frame_that_is_not_marked, RMD_EXPLORE_RACE)
{
    end_one(broken ? FRAME_NOT_MARKED : NO_END_FLAW, cancel_small);
}

/* ---- who has claimed it holds it: see on_due() in exec/threads_limits.c ---- */

static rmd_atomic(uint32_t) gone; /* in place of free(), so that it shows in one way */

static void drop_small(void)
{
    if (rmd_atomic_sub(&future->word, REF, RMD_ACQ_REL) / REF == 1)
        rmd_atomic_store(&gone, 1, RMD_RELAXED);
}

static void hold_small(void)
{
    rmd_atomic_add(&future->word, REF, RMD_RELAXED);
    RMD_ASSERT(!rmd_atomic_load(&gone, RMD_RELAXED));
}

static bool claim_small(void)
{
    return !(rmd_atomic_or(&future->word, CLAIMED, RMD_ACQUIRE) & CLAIMED);
}

/* The worker: has the queue's reference, the only one. Waits for a limit that is just looked at. */
static void take_out(void *arg)
{
    rmd_atomic(uint32_t) *looked = arg;
    if (claim_small())
        while (!rmd_atomic_load(looked, RMD_ACQUIRE))
            rmdi_park(looked, 0, RMD_FOREVER);
    drop_small();
}

static void be_due(void *arg)
{
    rmd_atomic(uint32_t) *looked = arg;
    if (end_has != CLAIMED_THEN_HELD)
        hold_small();
    bool claimed = claim_small();
    if (claimed && end_has == CLAIMED_THEN_HELD)
        hold_small();
    if (claimed || end_has != CLAIMED_THEN_HELD)
        drop_small();
    rmd_atomic_store(looked, 1, RMD_RELEASE);
    rmdi_unpark_all(looked);
}

PLANTED(exec_limit_claims_and_then_holds, RMD_EXPLORE_ASSERTION)
{
    static rmd_atomic(uint32_t) looked;
    end_has = broken ? CLAIMED_THEN_HELD : NO_END_FLAW;
    rmd_atomic_init(&looked, 0);
    rmd_atomic_init(&gone, 0);
    future = calloc(1, sizeof *future);
    rmd_atomic_init(&future->word, REF);
    run_together((void (*const[])(void *)){ take_out, be_due }, &looked, 2);
    RMD_ASSERT(rmd_atomic_load(&gone, RMD_RELAXED));
    free(future);
}

/* ---- callbacks that come while ours are being run: see take_callback() in exec/future.c ---- */

static void begin_round(void)
{
    for (;;) {
        small_lock_take(&future->lock);
        bool hidden = end_has == CALLBACK_BEHIND_OURS && RMD_PLAIN(future->ours);
        bool any = RMD_PLAIN(future->users) && !hidden;
        if (any)
            RMD_PLAIN_SET(future->users, RMD_PLAIN(future->users) - 1);
        else
            RMD_PLAIN_SET(future->round, false);
        small_lock_drop(&future->lock);
        if (!any)
            return;
        rmd_atomic_add(&future->called, 1, RMD_RELAXED);
    }
}

static void bring_callback(void *arg)
{
    (void)arg;
    small_lock_take(&future->lock);
    RMD_PLAIN_SET(future->users, RMD_PLAIN(future->users) + 1);
    bool ended = rmd_atomic_or(&future->word, WAITED, RMD_ACQUIRE) & ENDED;
    bool begin = ended && !RMD_PLAIN(future->round);
    if (begin)
        RMD_PLAIN_SET(future->round, true);
    small_lock_drop(&future->lock);
    if (begin)
        begin_round();
}

static void end_with_ours(void *arg)
{
    (void)arg;
    small_lock_take(&future->lock);
    bool round = RMD_PLAIN(future->users) > 0;
    RMD_PLAIN_SET(future->round, round);
    rmd_atomic_or(&future->word, ENDED, RMD_RELEASE);
    small_lock_drop(&future->lock);
    small_lock_take(&future->lock);
    RMD_PLAIN_SET(future->ours, 0);
    small_lock_drop(&future->lock);
    if (round)
        begin_round();
}

PLANTED(exec_callback_is_hidden_behind_ours, RMD_EXPLORE_ASSERTION)
{
    end_has = broken ? CALLBACK_BEHIND_OURS : NO_END_FLAW;
    future = calloc(1, sizeof *future);
    small_lock_init(&future->lock);
    rmd_atomic_init(&future->word, RUNNING);
    rmd_atomic_init(&future->called, 0);
    future->ours = 1;
    run_together((void (*const[])(void *)){ end_with_ours, bring_callback, bring_callback }, NULL,
                 3);
    RMD_ASSERT(rmd_atomic_load(&future->called, RMD_RELAXED) == 2);
    free(future);
}

/* ---- idle workers: see exec/idle.c ---- */

typedef enum idle_flaw {
    NO_IDLE_FLAW,
    NO_SECOND_LOOK,
    TELL_WITHOUT_FENCE,
    SLEEP_WITHOUT_FENCE,
    NOT_PASSED_ON,       /* who found one of two things does not tell of the other */
    NOT_SEARCHING_AGAIN, /* nor does who was about to sleep, and then found something */
} idle_flaw;

static struct {
    rmd_atomic(uint32_t) work, done, searching, sleeping, told;
    idle_flaw flaw;
} crew;

static bool idle_has(idle_flaw flaw)
{
    return crew.flaw == flaw;
}

static bool take_work(void)
{
    uint32_t n = rmd_atomic_load(&crew.work, RMD_RELAXED);
    while (n)
        if (rmd_atomic_cas(&crew.work, &n, n - 1, RMD_RELAXED, RMD_RELAXED))
            return true;
    return false;
}

/* One sleeper takes one `told`; it searches from then on. */
static void tell(void)
{
    if (!idle_has(TELL_WITHOUT_FENCE))
        rmd_fence(RMD_SEQ_CST);
    if (rmd_atomic_load(&crew.searching, RMD_RELAXED) ||
        !rmd_atomic_load(&crew.sleeping, RMD_RELAXED))
        return;
    rmd_atomic_add(&crew.searching, 1, RMD_RELAXED);
    rmd_atomic_add(&crew.told, 1, RMD_RELAXED);
    rmdi_unpark_all(&crew.told);
}

static bool take_told(void)
{
    uint32_t n = rmd_atomic_load(&crew.told, RMD_RELAXED);
    while (n)
        if (rmd_atomic_cas(&crew.told, &n, n - 1, RMD_RELAXED, RMD_RELAXED))
            return true;
    return false;
}

/* Returns whether the caller searches. */
static bool sleep_idle(void)
{
    rmd_atomic_add(&crew.sleeping, 1, RMD_RELAXED);
    rmd_atomic_sub(&crew.searching, 1, RMD_RELAXED);
    if (!idle_has(SLEEP_WITHOUT_FENCE))
        rmd_fence(RMD_SEQ_CST);
    bool told = false;
    if (idle_has(NO_SECOND_LOOK) || !rmd_atomic_load(&crew.work, RMD_RELAXED))
        while (!(told = take_told()))
            rmdi_park(&crew.told, 0, RMD_FOREVER);
    rmd_atomic_sub(&crew.sleeping, 1, RMD_RELAXED);
    if (!told && !(told = take_told()) && !idle_has(NOT_SEARCHING_AGAIN)) {
        rmd_atomic_add(&crew.searching, 1, RMD_RELAXED);
        told = true;
    }
    return told;
}

static void end_search(bool searching)
{
    if (!searching || rmd_atomic_sub(&crew.searching, 1, RMD_RELAXED) != 1)
        return;
    rmd_fence(RMD_SEQ_CST);
    if (!idle_has(NOT_PASSED_ON) && rmd_atomic_load(&crew.work, RMD_RELAXED))
        tell();
}

/* Each does one thing, and does not end before the other one does its. */
static void work_once(void *arg)
{
    bool searching = true;
    (void)arg;
    rmd_atomic_add(&crew.searching, 1, RMD_RELAXED);
    while (!take_work()) {
        if (!searching) {
            rmd_atomic_add(&crew.searching, 1, RMD_RELAXED);
            searching = true;
        }
        searching = sleep_idle();
    }
    end_search(searching);
    rmd_atomic_add(&crew.done, 1, RMD_RELAXED);
    rmdi_unpark_all(&crew.done);
    for (uint32_t done; (done = rmd_atomic_load(&crew.done, RMD_RELAXED)) < 2;)
        rmdi_park(&crew.done, done, RMD_FOREVER);
}

static void put_work(void *arg)
{
    (void)arg;
    rmd_atomic_add(&crew.work, 1, RMD_RELAXED);
    tell();
    rmd_atomic_add(&crew.work, 1, RMD_RELAXED);
    tell();
}

static void put_burst(void *arg)
{
    (void)arg;
    rmd_atomic_add(&crew.work, 2, RMD_RELAXED);
    tell();
}

static void work_together(idle_flaw flaw, void (*puts)(void *arg))
{
    crew.flaw = flaw;
    rmd_atomic_init(&crew.work, 0);
    rmd_atomic_init(&crew.done, 0);
    rmd_atomic_init(&crew.searching, 0);
    rmd_atomic_init(&crew.sleeping, 0);
    rmd_atomic_init(&crew.told, 0);
    run_together((void (*const[])(void *)){ work_once, work_once, puts }, NULL, 3);
}

PLANTED(exec_idle_without_the_second_look, RMD_EXPLORE_DEADLOCK, .no_spurious = true)
{
    work_together(broken ? NO_SECOND_LOOK : NO_IDLE_FLAW, put_work);
}

PLANTED(exec_idle_tells_without_fence, RMD_EXPLORE_DEADLOCK, .no_spurious = true,
        .memory = RMD_MEMORY_WEAK)
{
    work_together(broken ? TELL_WITHOUT_FENCE : NO_IDLE_FLAW, put_work);
}

PLANTED(exec_idle_sleeps_without_fence, RMD_EXPLORE_DEADLOCK, .no_spurious = true,
        .memory = RMD_MEMORY_WEAK)
{
    work_together(broken ? SLEEP_WITHOUT_FENCE : NO_IDLE_FLAW, put_work);
}

PLANTED(exec_idle_found_is_not_passed_on, RMD_EXPLORE_DEADLOCK, .no_spurious = true)
{
    work_together(broken ? NOT_PASSED_ON : NO_IDLE_FLAW, put_burst);
}

PLANTED(exec_idle_found_before_the_sleep_is_not_passed_on, RMD_EXPLORE_DEADLOCK,
        .no_spurious = true)
{
    work_together(broken ? NOT_SEARCHING_AGAIN : NO_IDLE_FLAW, put_work);
}

/* ---- groups: see exec/group.c and leave_later() in exec/threads_run.c ---- */

typedef enum group_flaw {
    NO_GROUP_FLAW,
    PUBLISHED_LATER, /* when the group's lock has been left: it seems empty before all have ended */
    LEFT_LATER,      /* the end is seen before it has left: whoever sees it frees the group */
    NOT_FLUSHED,     /* those that are to leave together never do */
} group_flaw;

typedef struct small_group {
    small_lock lock;
    small_condition changed;
    int members;
} small_group;

static small_group *group;
static group_flaw group_has;
static rmd_atomic(uint32_t) member_ended;

static void publish_member(void)
{
    rmd_atomic_store(&member_ended, 1, RMD_RELEASE);
    rmdi_unpark_all(&member_ended);
}

static void leave_group(void *arg)
{
    (void)arg;
    if (group_has == LEFT_LATER)
        publish_member();
    if (group_has == NOT_FLUSHED) {
        publish_member();
        return;
    }
    small_lock_take(&group->lock);
    RMD_PLAIN_SET(group->members, RMD_PLAIN(group->members) - 1);
    if (group_has == NO_GROUP_FLAW)
        publish_member();
    small_condition_notify_all(&group->changed);
    small_lock_drop(&group->lock);
    if (group_has == PUBLISHED_LATER)
        publish_member();
}

static void wait_for_members(void *arg)
{
    (void)arg;
    small_lock_take(&group->lock);
    while (RMD_PLAIN(group->members))
        small_condition_wait(&group->changed, &group->lock);
    small_lock_drop(&group->lock);
    RMD_ASSERT(rmd_atomic_load(&member_ended, RMD_ACQUIRE));
}

/* Sees the end, passes through the lock, as rmd_group_free() does, and frees it. */
static void see_end_and_free(void *arg)
{
    (void)arg;
    while (!rmd_atomic_load(&member_ended, RMD_ACQUIRE))
        rmdi_park(&member_ended, 0, RMD_FOREVER);
    small_lock_take(&group->lock);
    small_lock_drop(&group->lock);
    free(group);
}

static void end_member(group_flaw flaw, void (*other)(void *arg))
{
    group_has = flaw;
    group = calloc(1, sizeof *group);
    small_lock_init(&group->lock);
    small_condition_init(&group->changed);
    rmd_atomic_init(&member_ended, 0);
    group->members = 1;
    run_together((void (*const[])(void *)){ leave_group, other }, NULL, 2);
    if (other == wait_for_members)
        free(group);
}

PLANTED(exec_group_is_left_before_the_end_is_seen, RMD_EXPLORE_ASSERTION)
{
    end_member(broken ? PUBLISHED_LATER : NO_GROUP_FLAW, wait_for_members);
}

PLANTED(exec_group_leavers_are_not_flushed, RMD_EXPLORE_DEADLOCK, .no_spurious = true)
{
    end_member(broken ? NOT_FLUSHED : NO_GROUP_FLAW, wait_for_members);
}

/* ---- a worker that blocks, and what comes meanwhile: see exec/threads_worker.c ---- */

typedef enum spare_flaw {
    NO_SPARE_FLAW,
    NOT_LOOKED_AGAIN,    /* after it has said that one is missing */
    FINISHED_OVERLOOKED, /* two finish at once, and neither sees the other's count */
} spare_flaw;

static struct {
    rmd_atomic(uint32_t) missing, work, spared, finished[2], drained;
    spare_flaw flaw;
} bench;

static void open_spare(void)
{
    if (rmd_atomic_exchange(&bench.missing, 0, RMD_RELAXED)) {
        rmd_atomic_store(&bench.spared, 1, RMD_RELAXED);
        rmdi_unpark_all(&bench.spared);
    }
}

static void block_worker(void *arg)
{
    (void)arg;
    rmd_atomic_store(&bench.missing, 1, RMD_RELAXED);
    rmd_fence(RMD_SEQ_CST);
    if (bench.flaw != NOT_LOOKED_AGAIN && rmd_atomic_load(&bench.work, RMD_RELAXED))
        open_spare();
    while (!rmd_atomic_load(&bench.spared, RMD_RELAXED))
        rmdi_park(&bench.spared, 0, RMD_FOREVER); /* for what the spare does */
}

static void bring_work(void *arg)
{
    (void)arg;
    rmd_atomic_store(&bench.work, 1, RMD_RELAXED);
    rmd_fence(RMD_SEQ_CST);
    if (rmd_atomic_load(&bench.missing, RMD_RELAXED))
        open_spare();
}

static void begin_bench(spare_flaw flaw)
{
    bench.flaw = flaw;
    rmd_atomic_init(&bench.missing, 0);
    rmd_atomic_init(&bench.work, 0);
    rmd_atomic_init(&bench.spared, 0);
    rmd_atomic_init(&bench.finished[0], 0);
    rmd_atomic_init(&bench.finished[1], 0);
    rmd_atomic_init(&bench.drained, 0);
}

PLANTED(exec_block_does_not_look_again, RMD_EXPLORE_DEADLOCK, .no_spurious = true)
{
    begin_bench(broken ? NOT_LOOKED_AGAIN : NO_SPARE_FLAW);
    run_together((void (*const[])(void *)){ block_worker, bring_work }, NULL, 2);
}

/* ---- the last two tasks: see rmdi_threads_tell_finished() ---- */

static void finish(unsigned i)
{
    rmd_atomic_store(&bench.finished[i], 1, RMD_RELEASE);
    if (bench.flaw != FINISHED_OVERLOOKED)
        rmd_fence(RMD_SEQ_CST);
    if (!rmd_atomic_load(&bench.finished[1 - i], RMD_ACQUIRE))
        return;
    rmd_atomic_store(&bench.drained, 1, RMD_RELAXED);
    rmdi_unpark_all(&bench.drained);
}

static void finish_first(void *arg)
{
    (void)arg;
    finish(0);
}

static void finish_second(void *arg)
{
    (void)arg;
    finish(1);
}

static void drain(void *arg)
{
    (void)arg;
    while (!rmd_atomic_load(&bench.drained, RMD_RELAXED))
        rmdi_park(&bench.drained, 0, RMD_FOREVER);
}

PLANTED(exec_drain_is_told_by_neither_of_two, RMD_EXPLORE_DEADLOCK, .no_spurious = true,
        .memory = RMD_MEMORY_TSO)
{
    begin_bench(broken ? FINISHED_OVERLOOKED : NO_SPARE_FLAW);
    run_together((void (*const[])(void *)){ finish_first, finish_second, drain }, NULL, 3);
}

PLANTED(exec_group_is_left_after_the_end_is_seen, RMD_EXPLORE_FREED)
{
    end_member(broken ? LEFT_LATER : NO_GROUP_FLAW, see_end_and_free);
}
