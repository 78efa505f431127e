/* SPDX-License-Identifier: MIT */
/* Planted bugs of the ring that a pool shares with a worker, and of what is done when that dies: in
 * small, see exec/ring.c and exec/processes_worker.c. Some of them were there. */
#include "base/alloc.h"
#include "small_lock.h"

#include <string.h>

enum { SLOTS = 2, TASKS = 4, FOR_TASK = 1, FOR_ROOM = 2, BY_THREAD = 1, BY_KEEPER = 2 };
enum { FREE, READY, BEGUN, DONE, TAKEN, SKIPPED };

typedef enum flaw {
    NO_FLAW,
    WAKE_WITHOUT_FENCE,
    WAIT_WITHOUT_FENCE,
    AWAIT_WITHOUT_FENCE,
    TELL_WITHOUT_FENCE,
    WAKE_BEFORE_STORE,
    READY_RELAXED,
    DONE_RELAXED,
    LOOK_BEFORE_AWAITED,   /* whoever is about to sleep looks, and says so then */
    AWAITED_CLEARED_EARLY, /* the worker takes the note that somebody sleeps before it is done */
    SLEEPS_UNNOTED,        /* on a word that does not say any more that a thread does */
    TAKE_BY_STORE,
    LAST_KEEPS_ROOM,   /* the one that was put in last, and is taken back */
    PASSED_KEEPS_ROOM, /* the answer that was in a slot before one that was taken back */
    BEGUN_NOT_ASKED,   /* at a death all that is in the ring goes back */
    DONE_NOT_TAKEN,    /* what the dead one has done is lost */
    ALL_LOST,          /* and what it had not begun */
    NOT_WOKEN_AT_DEATH,
    FREED_UNDER_SLEEPER,
    SHARED_TOO_EARLY, /* the new ring is seen before it is one */
} flaw;

typedef enum fate { OPEN, OVER, TAKEN_BACK, LOST } fate;

/* What both map. */
typedef struct small_ring {
    rmd_atomic(uint32_t) state[SLOTS], sleeps, awaited, quit, refs;
    int task[SLOTS], answer[SLOTS]; /* handed over with the state */
} small_ring;

static struct {
    flaw flaw;
    small_lock lock;
    /* guarded by it: */
    small_ring *ring;
    unsigned head, tail, used; /* used: pieces of the room for arguments */
    bool is_taken[SLOTS];
    int in_slot[SLOTS];
    fate fate[TASKS];
    unsigned over;
    small_condition changed;
    bool quitting;
    rmd_atomic(uint32_t) bell, quits;
    rmd_atomic(int) claims[TASKS]; /* it is run, or taken back: once */
    /* the worker's: */
    bool untold;
    unsigned cursor, oldest, results;
    bool has_piece[SLOTS];
} o;

static bool has(flaw f)
{
    return o.flaw == f;
}

static void claim(int task)
{
    RMD_ASSERT(rmd_atomic_add(&o.claims[task], 1, RMD_RELAXED) == 0);
}

static void fence_unless(flaw f)
{
    if (!has(f))
        rmd_fence(RMD_SEQ_CST);
}

/* ---- the owner, with the lock held ---- */

static small_ring *new_ring(bool kept)
{
    small_ring *ring = rmdi_alloc_zeroed(sizeof *ring);
    RMD_ASSERT(ring);
    if (has(SHARED_TOO_EARLY))
        RMD_PLAIN_SET(o.ring, ring);
    rmd_atomic_init(&ring->awaited, kept ? BY_KEEPER : 0);
    rmd_atomic_init(&ring->refs, 1);
    return ring;
}

static void drop_ring(small_ring *ring)
{
    if (rmd_atomic_sub(&ring->refs, 1, RMD_ACQ_REL) == 1)
        rmdi_free(ring);
}

static void wake(uint32_t what)
{
    small_ring *ring = o.ring;
    fence_unless(WAKE_WITHOUT_FENCE);
    if (rmd_atomic_load(&ring->sleeps, RMD_RELAXED) != what)
        return;
    rmd_atomic_store(&ring->sleeps, 0, RMD_RELAXED);
    rmdi_unpark_shared(&ring->sleeps, 1);
}

static bool put(int task)
{
    unsigned slot = o.tail % SLOTS;
    if (o.tail - o.head == SLOTS || o.used == SLOTS)
        return false;
    if (has(WAKE_BEFORE_STORE))
        wake(FOR_TASK);
    RMD_PLAIN_SET(o.ring->task[slot], task);
    rmd_atomic_store(&o.ring->state[slot], READY, has(READY_RELAXED) ? RMD_RELAXED : RMD_RELEASE);
    if (!has(WAKE_BEFORE_STORE))
        wake(FOR_TASK);
    o.is_taken[slot] = false;
    o.in_slot[slot] = task;
    o.tail++;
    o.used++;
    return true;
}

static bool change(unsigned slot, uint32_t to)
{
    uint32_t ready = READY;
    if (!has(TAKE_BY_STORE))
        return rmd_atomic_cas(&o.ring->state[slot], &ready, to, RMD_RELAXED, RMD_RELAXED);
    if (rmd_atomic_load(&o.ring->state[slot], RMD_RELAXED) != READY)
        return false;
    rmd_atomic_store(&o.ring->state[slot], to, RMD_RELAXED);
    return true;
}

static void end_task(int task, fate how)
{
    RMD_ASSERT(o.fate[task] == OPEN);
    o.fate[task] = how;
    o.over++;
    small_condition_notify_all(&o.changed);
}

static bool take_first(void)
{
    unsigned slot = o.head % SLOTS;
    if (o.head == o.tail || o.is_taken[slot] || !change(slot, TAKEN))
        return false;
    o.is_taken[slot] = true;
    return true;
}

/* Its number, or -1. */
static int take_last(void)
{
    unsigned slot = (o.tail - 1) % SLOTS;
    if (o.head == o.tail || o.is_taken[slot] || !change(slot, FREE))
        return -1;
    o.tail--;
    o.used -= !has(LAST_KEEPS_ROOM);
    return o.in_slot[slot];
}

static bool has_answer(void)
{
    if (o.head == o.tail)
        return false;
    uint32_t state = rmd_atomic_load(&o.ring->state[o.head % SLOTS], RMD_ACQUIRE);
    return state == DONE || state == SKIPPED;
}

static void collect(void)
{
    for (; has_answer(); o.head++, o.used--) {
        unsigned slot = o.head % SLOTS;
        if (!o.is_taken[slot]) {
            RMD_ASSERT(RMD_PLAIN(o.ring->answer[slot]) == o.in_slot[slot] + 100);
            end_task(o.in_slot[slot], OVER);
        }
        rmd_atomic_store(&o.ring->state[slot], FREE, RMD_RELEASE);
        wake(FOR_ROOM);
    }
}

static bool await(uint32_t who)
{
    bool done = has(LOOK_BEFORE_AWAITED) && has_answer();
    rmd_atomic_or(&o.ring->awaited, who, RMD_RELAXED);
    fence_unless(AWAIT_WITHOUT_FENCE);
    return done || (!has(LOOK_BEFORE_AWAITED) && has_answer());
}

/* ---- threads of the owner ---- */

/* With the lock held, which is let go meanwhile. */
static void sleep_in_ring(void)
{
    small_ring *ring = o.ring;
    uint32_t awaited = 0;
    if (!has(FREED_UNDER_SLEEPER))
        rmd_atomic_add(&ring->refs, 1, RMD_RELAXED);
    if (!await(BY_THREAD))
        awaited = rmd_atomic_load(&ring->awaited, RMD_RELAXED);
    small_lock_drop(&o.lock);
    if (has(SLEEPS_UNNOTED) ? awaited : awaited & BY_THREAD)
        rmdi_park_shared(&ring->awaited, awaited, RMD_FOREVER);
    if (!has(FREED_UNDER_SLEEPER))
        drop_ring(ring);
    small_lock_take(&o.lock);
}

static void put_or_sleep(int task)
{
    small_lock_take(&o.lock);
    while (collect(), !put(task))
        sleep_in_ring();
    small_lock_drop(&o.lock);
}

static void await_task(int task)
{
    small_lock_take(&o.lock);
    while (collect(), o.fate[task] == OPEN)
        sleep_in_ring();
    small_lock_drop(&o.lock);
}

static void await_all(unsigned tasks)
{
    small_lock_take(&o.lock);
    while (o.over < tasks)
        small_condition_wait(&o.changed, &o.lock);
    small_lock_drop(&o.lock);
}

static void keep(void *arg)
{
    (void)arg;
    for (;;) {
        uint32_t heard = rmd_atomic_load(&o.bell, RMD_ACQUIRE);
        small_lock_take(&o.lock);
        while (await(BY_KEEPER))
            collect();
        small_condition_notify_all(&o.changed);
        small_lock_drop(&o.lock);
        if (rmd_atomic_load(&o.quits, RMD_RELAXED))
            return;
        rmdi_park(&o.bell, heard, RMD_FOREVER);
    }
}

static void ring_bell(void)
{
    rmd_atomic_add(&o.bell, 1, RMD_RELEASE);
    rmdi_unpark_one(&o.bell);
}

static void quit(void)
{
    small_lock_take(&o.lock);
    o.quitting = true;
    rmd_atomic_store(&o.ring->quit, 1, RMD_RELAXED);
    rmd_fence(RMD_SEQ_CST);
    rmd_atomic_store(&o.ring->sleeps, 0, RMD_RELAXED);
    rmdi_unpark_shared(&o.ring->sleeps, 1);
    small_lock_drop(&o.lock);
}

/* ---- the worker ---- */

/* Threads, or the keeper, if they sleep; noted: who did, if it is known. */
static void tell(small_ring *ring, uint32_t whom, uint32_t noted)
{
    fence_unless(TELL_WITHOUT_FENCE);
    if (!has(AWAITED_CLEARED_EARLY) || whom == BY_KEEPER)
        noted = rmd_atomic_load(&ring->awaited, RMD_RELAXED);
    if (!(noted & whom))
        return;
    rmd_atomic_and(&ring->awaited, ~whom, RMD_RELAXED);
    if (whom == BY_THREAD)
        rmdi_unpark_shared(&ring->awaited, SLOTS + TASKS);
    else
        ring_bell();
}

static void tell_keeper(small_ring *ring, bool always)
{
    if (o.untold || always)
        tell(ring, BY_KEEPER, 0);
    o.untold = false;
}

static bool is_in_use(small_ring *ring, unsigned index)
{
    if (o.cursor - index >= SLOTS)
        return false;
    uint32_t state = rmd_atomic_load(&ring->state[index % SLOTS], RMD_ACQUIRE);
    return state == DONE || state == SKIPPED;
}

static void take_back_room(small_ring *ring)
{
    for (; o.oldest != o.cursor && !is_in_use(ring, o.oldest); o.oldest++)
        o.results -= o.has_piece[o.oldest % SLOTS];
}

/* The last task's answer takes all the room. */
static bool find_room(small_ring *ring, int task)
{
    take_back_room(ring);
    return task < TASKS - 1 ? o.results < SLOTS : o.results == 0;
}

static void finish(small_ring *ring, int task)
{
    unsigned slot = o.cursor % SLOTS;
    while (!find_room(ring, task)) {
        tell_keeper(ring, true);
        rmd_atomic_store(&ring->sleeps, FOR_ROOM, RMD_RELAXED);
        rmd_fence(RMD_SEQ_CST);
        if (!find_room(ring, task))
            rmdi_park_shared(&ring->sleeps, FOR_ROOM, RMD_FOREVER);
        rmd_atomic_store(&ring->sleeps, 0, RMD_RELAXED);
    }
    o.cursor++;
    o.results++;
    o.has_piece[slot] = true;
    RMD_PLAIN_SET(ring->answer[slot], task + 100);
    uint32_t noted = 0;
    if (has(AWAITED_CLEARED_EARLY))
        noted = rmd_atomic_and(&ring->awaited, ~(uint32_t)BY_THREAD, RMD_RELAXED);
    rmd_atomic_store(&ring->state[slot], DONE, has(DONE_RELAXED) ? RMD_RELAXED : RMD_RELEASE);
    o.untold = true;
    tell(ring, BY_THREAD, noted);
}

/* Runs one, or passes one. False: there is none. */
static bool work_once(small_ring *ring)
{
    unsigned slot = o.cursor % SLOTS;
    uint32_t state = rmd_atomic_load(&ring->state[slot], RMD_ACQUIRE);
    if (state == TAKEN) {
        if (!has(PASSED_KEEPS_ROOM))
            take_back_room(ring);
        o.has_piece[slot] = false;
        o.cursor++;
        o.untold = true;
        rmd_atomic_store(&ring->state[slot], SKIPPED, RMD_RELEASE);
    } else if (state != READY) {
        return false;
    } else if (rmd_atomic_cas(&ring->state[slot], &state, BEGUN, RMD_ACQUIRE, RMD_RELAXED)) {
        int task = RMD_PLAIN(ring->task[slot]);
        claim(task);
        tell_keeper(ring, false);
        finish(ring, task);
    }
    return true;
}

static void work(void *arg)
{
    small_ring *ring = arg;
    for (bool quits = false; !quits;) {
        while (work_once(ring))
            ;
        tell_keeper(ring, false);
        rmd_atomic_store(&ring->sleeps, FOR_TASK, RMD_RELAXED);
        fence_unless(WAIT_WITHOUT_FENCE);
        uint32_t next = rmd_atomic_load(&ring->state[o.cursor % SLOTS], RMD_RELAXED);
        bool found = next == READY || next == TAKEN;
        quits = !found && rmd_atomic_load(&ring->quit, RMD_RELAXED);
        if (!found && !quits)
            rmdi_park_shared(&ring->sleeps, FOR_TASK, RMD_FOREVER);
        rmd_atomic_store(&ring->sleeps, 0, RMD_RELAXED);
    }
}

/* ---- what happens to them ---- */

static void begin_ring(flaw f, bool kept)
{
    memset(&o, 0, sizeof o);
    o.flaw = f;
    o.ring = new_ring(kept);
}

static void end_ring(int tasks)
{
    for (int i = 0; i < tasks; i++) {
        RMD_ASSERT(o.fate[i] == OVER || o.fate[i] == TAKEN_BACK);
    }
    drop_ring(o.ring);
}

static void pass_alone(flaw f, bool kept)
{
    begin_ring(f, kept);
    rmd_explore_thread *worker = rmd_explore_start(work, o.ring, "worker");
    for (int i = 0; i < 3; i++) {
        put_or_sleep(i);
        if (i != 1)
            await_task(i);
    }
    quit();
    rmd_explore_join(worker);
    end_ring(3);
}

static void put_among_others(int task)
{
    small_lock_take(&o.lock);
    while (collect(), !put(task))
        small_condition_wait(&o.changed, &o.lock);
    small_lock_drop(&o.lock);
}

static void end_taken(int task)
{
    claim(task);
    end_task(task, TAKEN_BACK);
}

static void take_back(void *arg)
{
    (void)arg;
    small_lock_take(&o.lock);
    int task = o.head != o.tail ? o.in_slot[o.head % SLOTS] : -1;
    if (take_first())
        end_taken(task);
    small_lock_drop(&o.lock);
    for (int i = 0; i < 2; i++) {
        small_lock_take(&o.lock);
        task = take_last();
        if (task >= 0)
            end_taken(task);
        small_lock_drop(&o.lock);
    }
}

static void pass_with_keeper(flaw f)
{
    begin_ring(f, true);
    rmd_explore_thread *worker = rmd_explore_start(work, o.ring, "worker");
    rmd_explore_thread *keeper = rmd_explore_start(keep, NULL, "keeper");
    rmd_explore_thread *taker = rmd_explore_start(take_back, NULL, "takes back");
    for (int i = 0; i < TASKS; i++)
        put_among_others(i);
    await_all(TASKS);
    quit();
    rmd_atomic_store(&o.quits, 1, RMD_RELAXED);
    ring_bell();
    rmd_explore_join(taker);
    rmd_explore_join(keeper);
    rmd_explore_join(worker);
    end_ring(TASKS);
}

PLANTED(ring_wake_without_fence, RMD_EXPLORE_DEADLOCK, .no_spurious = true)
{
    pass_alone(broken ? WAKE_WITHOUT_FENCE : NO_FLAW, false);
}

PLANTED(ring_wait_without_fence, RMD_EXPLORE_DEADLOCK, .no_spurious = true)
{
    pass_alone(broken ? WAIT_WITHOUT_FENCE : NO_FLAW, false);
}

PLANTED(ring_await_without_fence, RMD_EXPLORE_DEADLOCK, .no_spurious = true)
{
    pass_alone(broken ? AWAIT_WITHOUT_FENCE : NO_FLAW, false);
}

PLANTED(ring_tell_without_fence, RMD_EXPLORE_DEADLOCK, .no_spurious = true)
{
    pass_alone(broken ? TELL_WITHOUT_FENCE : NO_FLAW, false);
}

PLANTED(ring_wake_before_store, RMD_EXPLORE_DEADLOCK, .no_spurious = true)
{
    pass_alone(broken ? WAKE_BEFORE_STORE : NO_FLAW, false);
}

PLANTED(ring_ready_relaxed, RMD_EXPLORE_RACE)
{
    pass_alone(broken ? READY_RELAXED : NO_FLAW, false);
}

PLANTED(ring_done_relaxed, RMD_EXPLORE_RACE)
{
    pass_alone(broken ? DONE_RELAXED : NO_FLAW, false);
}

PLANTED(ring_look_before_awaited, RMD_EXPLORE_DEADLOCK, .no_spurious = true)
{
    pass_alone(broken ? LOOK_BEFORE_AWAITED : NO_FLAW, false);
}

PLANTED(ring_awaited_cleared_early, RMD_EXPLORE_DEADLOCK, .no_spurious = true)
{
    pass_alone(broken ? AWAITED_CLEARED_EARLY : NO_FLAW, false);
}

PLANTED(ring_sleeps_unnoted, RMD_EXPLORE_LOST_WAKEUP, .no_spurious = true)
{
    pass_alone(broken ? SLEEPS_UNNOTED : NO_FLAW, true);
}

PLANTED(ring_take_by_store, RMD_EXPLORE_ASSERTION)
{
    pass_with_keeper(broken ? TAKE_BY_STORE : NO_FLAW);
}

PLANTED(ring_last_keeps_room, RMD_EXPLORE_DEADLOCK)
{
    pass_with_keeper(broken ? LAST_KEEPS_ROOM : NO_FLAW);
}

PLANTED(ring_passed_keeps_room, RMD_EXPLORE_DEADLOCK)
{
    pass_with_keeper(broken ? PASSED_KEEPS_ROOM : NO_FLAW);
}

/* ---- a worker dies ---- */

static rmd_explore_thread *mortal;

/* With the lock held: what the dead one has left. The tasks to be put into the next ring. */
static unsigned bury(int *again, unsigned lost_max)
{
    unsigned n = 0;
    if (!has(DONE_NOT_TAKEN))
        collect();
    for (unsigned i = o.head; i != o.tail; i++) {
        unsigned slot = i % SLOTS;
        bool is_ready = rmd_atomic_load(&o.ring->state[slot], RMD_ACQUIRE) == READY;
        if ((is_ready && !has(ALL_LOST)) || has(BEGUN_NOT_ASKED)) {
            again[n++] = o.in_slot[slot];
        } else {
            RMD_ASSERT(lost_max-- > 0);
            end_task(o.in_slot[slot], LOST);
        }
    }
    return n;
}

static void replace_ring(void)
{
    small_ring *before = o.ring;
    if (!has(NOT_WOKEN_AT_DEATH)) {
        rmd_fence(RMD_SEQ_CST);
        rmd_atomic_and(&before->awaited, ~(uint32_t)BY_THREAD, RMD_RELAXED);
        rmdi_unpark_shared(&before->awaited, TASKS);
    }
    o.ring = new_ring(true);
    rmd_atomic_init(&o.ring->quit, o.quitting);
    o.head = o.tail = o.used = o.cursor = o.oldest = o.results = 0;
    o.untold = false;
    memset(o.has_piece, 0, sizeof o.has_piece);
    drop_ring(before);
}

/* Waits for the end of the worker. If it has died, another one goes on with what it has left. */
static void supervise(void *arg)
{
    int again[SLOTS];
    (void)arg;
    if (rmd_explore_join(mortal))
        return;
    small_lock_take(&o.lock);
    unsigned n = bury(again, 1);
    replace_ring();
    for (unsigned i = 0; i < n; i++)
        put(again[i]);
    small_condition_notify_all(&o.changed);
    small_ring *ring = o.ring;
    small_lock_drop(&o.lock);
    rmd_explore_join(rmd_explore_start(work, ring, "worker 2"));
}

static void await_last(void *arg)
{
    (void)arg;
    await_task(1);
}

/* A task that was begun is over, or lost; it is never begun again; the other one is done. */
static void survive(flaw f)
{
    begin_ring(f, true);
    put(0);
    put(1);
    mortal = rmd_explore_process(work, o.ring, "worker");
    rmd_explore_thread *supervisor = rmd_explore_start(supervise, NULL, "supervisor");
    rmd_explore_thread *waiter = rmd_explore_start(await_last, NULL, "waits");
    await_task(0);
    rmd_explore_join(waiter);
    quit();
    rmd_explore_join(supervisor);
    RMD_ASSERT(o.fate[0] != OPEN && o.fate[1] != OPEN);
    drop_ring(o.ring);
}

PLANTED(ring_begun_not_asked_at_death, RMD_EXPLORE_ASSERTION, .kills_max = 1)
{
    survive(broken ? BEGUN_NOT_ASKED : NO_FLAW);
}

PLANTED(ring_done_not_taken_at_death, RMD_EXPLORE_ASSERTION, .kills_max = 1)
{
    survive(broken ? DONE_NOT_TAKEN : NO_FLAW);
}

PLANTED(ring_all_lost_at_death, RMD_EXPLORE_ASSERTION, .kills_max = 1)
{
    survive(broken ? ALL_LOST : NO_FLAW);
}

PLANTED(ring_not_woken_at_death, RMD_EXPLORE_DEADLOCK, .kills_max = 1, .no_spurious = true)
{
    survive(broken ? NOT_WOKEN_AT_DEATH : NO_FLAW);
}

PLANTED(ring_freed_under_a_sleeper, RMD_EXPLORE_FREED, .kills_max = 1)
{
    survive(broken ? FREED_UNDER_SLEEPER : NO_FLAW);
}

/* ---- another one is born ---- */

static void use_ring(void *arg)
{
    (void)arg;
    small_lock_take(&o.lock);
    if (RMD_PLAIN(o.ring))
        await(BY_KEEPER);
    small_lock_drop(&o.lock);
}

PLANTED(ring_shared_too_early, RMD_EXPLORE_RACE)
{
    memset(&o, 0, sizeof o);
    o.flaw = broken ? SHARED_TOO_EARLY : NO_FLAW;
    rmd_explore_thread *user = rmd_explore_start(use_ring, NULL, "uses it");
    small_ring *ring = new_ring(true);
    small_lock_take(&o.lock);
    RMD_PLAIN_SET(o.ring, ring);
    small_lock_drop(&o.lock);
    rmd_explore_join(user);
    drop_ring(ring);
}
