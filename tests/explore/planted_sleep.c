/* SPDX-License-Identifier: MIT */
/* Planted bugs of going to sleep and being woken: somebody sleeps on although there is something to
 * do, or goes on although there is not. */
#include "small_lock.h"

/* ---- a wake-up that comes too early ---- */

static struct {
    rmd_atomic(uint32_t) done;
    bool broken;
} bell;

static void await_bell(void *arg)
{
    (void)arg;
    while (rmd_atomic_load(&bell.done, RMD_ACQUIRE) == 0)
        rmdi_park(&bell.done, 0, RMD_FOREVER);
}

static void ring_bell(void *arg)
{
    (void)arg;
    if (bell.broken)
        rmdi_unpark_one(&bell.done);
    rmd_atomic_store(&bell.done, 1, RMD_RELEASE);
    if (!bell.broken)
        rmdi_unpark_one(&bell.done);
}

PLANTED(unpark_before_store, RMD_EXPLORE_LOST_WAKEUP)
{
    bell.broken = broken;
    rmd_atomic_init(&bell.done, 0);
    run_together((void (*const[])(void *)){ await_bell, ring_bell }, NULL, 2);
}

/* ---- an eventcount ---- */

/* Who waits announces itself, then looks; who notifies makes the condition true, then looks for
 * waiters. Each needs the fence between the two: folly ParkingLot #2700, oneTBB #2136. */
static struct {
    rmd_atomic(uint32_t) epoch;
    rmd_atomic(int) waiters, ready;
    bool broken;
} eventcount;

static void wait_until_ready(void *arg)
{
    (void)arg;
    for (;;) {
        rmd_atomic_add(&eventcount.waiters, 1, RMD_RELAXED);
        uint32_t epoch = rmd_atomic_load(&eventcount.epoch, RMD_ACQUIRE);
        rmd_fence(RMD_SEQ_CST);
        bool ready = rmd_atomic_load(&eventcount.ready, RMD_ACQUIRE);
        if (!ready)
            rmdi_park(&eventcount.epoch, epoch, RMD_FOREVER);
        rmd_atomic_sub(&eventcount.waiters, 1, RMD_RELAXED);
        if (ready)
            return;
    }
}

static void make_ready(void *arg)
{
    (void)arg;
    rmd_atomic_store(&eventcount.ready, 1, RMD_RELEASE);
    if (!eventcount.broken)
        rmd_fence(RMD_SEQ_CST);
    if (rmd_atomic_load(&eventcount.waiters, RMD_RELAXED) == 0)
        return;
    rmd_atomic_add(&eventcount.epoch, 1, RMD_RELEASE);
    rmdi_unpark_all(&eventcount.epoch);
}

PLANTED(eventcount_without_fence, RMD_EXPLORE_DEADLOCK)
{
    eventcount.broken = broken;
    rmd_atomic_init(&eventcount.epoch, 0);
    rmd_atomic_init(&eventcount.waiters, 0);
    rmd_atomic_init(&eventcount.ready, 0);
    run_together((void (*const[])(void *)){ wait_until_ready, make_ready }, NULL, 2);
}

/* ---- a queue under a lock ---- */

static struct {
    small_lock lock;
    small_condition changed;
    int items, room, got;
    bool broken;
} queue;

static void queue_init(bool broken, int room)
{
    small_lock_init(&queue.lock);
    small_condition_init(&queue.changed);
    queue.items = queue.got = 0;
    queue.room = room;
    queue.broken = broken;
}

static void take_item(void)
{
    RMD_PLAIN_SET(queue.items, RMD_PLAIN(queue.items) - 1);
    RMD_PLAIN_SET(queue.got, RMD_PLAIN(queue.got) + 1);
    RMD_ASSERT(RMD_PLAIN(queue.items) >= 0);
}

static void put_one(void *arg)
{
    (void)arg;
    small_lock_take(&queue.lock);
    RMD_PLAIN_SET(queue.items, RMD_PLAIN(queue.items) + 1);
    small_lock_drop(&queue.lock);
    small_condition_notify_one(&queue.changed);
}

/* Looks once, with `if`, where it has to look again: another getter may have been quicker, or it
 * woke for no reason. */
static void get_one(void *arg)
{
    (void)arg;
    small_lock_take(&queue.lock);
    if (queue.broken) {
        if (RMD_PLAIN(queue.items) == 0)
            small_condition_wait(&queue.changed, &queue.lock);
    } else {
        while (RMD_PLAIN(queue.items) == 0)
            small_condition_wait(&queue.changed, &queue.lock);
    }
    take_item();
    small_lock_drop(&queue.lock);
}

PLANTED(if_instead_of_while, RMD_EXPLORE_ASSERTION, .no_spurious = true)
{
    queue_init(broken, 2);
    run_together((void (*const[])(void *)){ get_one, get_one, put_one, put_one }, NULL, 4);
    RMD_ASSERT(queue.got == 2);
}

/* Looks under the lock, but reads the number of notifications after having dropped it. */
static void get_carelessly(void *arg)
{
    (void)arg;
    small_lock_take(&queue.lock);
    while (RMD_PLAIN(queue.items) == 0) {
        if (queue.broken) {
            small_lock_drop(&queue.lock);
            uint32_t seen = rmd_atomic_load(&queue.changed.notified, RMD_RELAXED);
            rmdi_park(&queue.changed.notified, seen, RMD_FOREVER);
            small_lock_take(&queue.lock);
        } else {
            small_condition_wait(&queue.changed, &queue.lock);
        }
    }
    take_item();
    small_lock_drop(&queue.lock);
}

PLANTED(check_outside_the_lock, RMD_EXPLORE_DEADLOCK)
{
    queue_init(broken, 1);
    run_together((void (*const[])(void *)){ get_carelessly, put_one }, NULL, 2);
}

/* Two items, one notification. */
static void put_two(void *arg)
{
    (void)arg;
    small_lock_take(&queue.lock);
    RMD_PLAIN_SET(queue.items, RMD_PLAIN(queue.items) + 2);
    small_lock_drop(&queue.lock);
    small_condition_notify_one(&queue.changed);
    if (!queue.broken)
        small_condition_notify_one(&queue.changed);
}

static void get_one_rightly(void *arg)
{
    (void)arg;
    small_lock_take(&queue.lock);
    while (RMD_PLAIN(queue.items) == 0)
        small_condition_wait(&queue.changed, &queue.lock);
    take_item();
    small_lock_drop(&queue.lock);
}

PLANTED(one_notify_for_two, RMD_EXPLORE_LOST_WAKEUP)
{
    queue_init(broken, 2);
    run_together((void (*const[])(void *)){ get_one_rightly, get_one_rightly, put_two }, NULL, 3);
}

/* Putters and getters sleep on the same condition, and one notification wakes the wrong kind. */
static void notify_others(void)
{
    if (queue.broken)
        small_condition_notify_one(&queue.changed);
    else
        small_condition_notify_all(&queue.changed);
}

static void put_bounded(void *arg)
{
    (void)arg;
    small_lock_take(&queue.lock);
    while (RMD_PLAIN(queue.items) == queue.room)
        small_condition_wait(&queue.changed, &queue.lock);
    RMD_PLAIN_SET(queue.items, RMD_PLAIN(queue.items) + 1);
    small_lock_drop(&queue.lock);
    notify_others();
}

static void get_bounded(void *arg)
{
    (void)arg;
    small_lock_take(&queue.lock);
    while (RMD_PLAIN(queue.items) == 0)
        small_condition_wait(&queue.changed, &queue.lock);
    take_item();
    small_lock_drop(&queue.lock);
    notify_others();
}

PLANTED(wrong_sleeper_is_woken, RMD_EXPLORE_LOST_WAKEUP)
{
    queue_init(broken, 1);
    run_together((void (*const[])(void *)){ get_bounded, get_bounded, get_bounded, put_bounded,
                                            put_bounded, put_bounded },
                 NULL, 6);
}

/* ---- closing ---- */

/* A getter that has seen the queue open and empty must not sleep when it is closed in that moment:
 * the epoch is to be read before looking, not after. */
static struct {
    rmd_atomic(uint32_t) epoch;
    rmd_atomic(int) items, closed;
    bool broken;
} channel;

static bool try_get(void)
{
    int items = rmd_atomic_load(&channel.items, RMD_ACQUIRE);
    while (items > 0)
        if (rmd_atomic_cas_weak(&channel.items, &items, items - 1, RMD_ACQUIRE, RMD_ACQUIRE))
            return true;
    return false;
}

static void get_until_closed(void *arg)
{
    (void)arg;
    for (;;) {
        uint32_t epoch = rmd_atomic_load(&channel.epoch, RMD_ACQUIRE);
        if (try_get())
            continue;
        if (rmd_atomic_load(&channel.closed, RMD_ACQUIRE)) {
            while (try_get()) /* what was put between the two looks */
                continue;
            return;
        }
        if (channel.broken)
            epoch = rmd_atomic_load(&channel.epoch, RMD_ACQUIRE);
        rmdi_park(&channel.epoch, epoch, RMD_FOREVER);
    }
}

static void put_and_close(void *arg)
{
    (void)arg;
    rmd_atomic_add(&channel.items, 1, RMD_RELEASE);
    rmd_atomic_add(&channel.epoch, 1, RMD_RELEASE);
    rmdi_unpark_one(&channel.epoch);
    rmd_atomic_store(&channel.closed, 1, RMD_RELEASE);
    rmd_atomic_add(&channel.epoch, 1, RMD_RELEASE);
    rmdi_unpark_all(&channel.epoch);
}

PLANTED(missed_close, RMD_EXPLORE_DEADLOCK)
{
    channel.broken = broken;
    rmd_atomic_init(&channel.epoch, 0);
    rmd_atomic_init(&channel.items, 0);
    rmd_atomic_init(&channel.closed, 0);
    run_together((void (*const[])(void *)){ get_until_closed, get_until_closed, put_and_close },
                 NULL, 3);
    RMD_ASSERT(rmd_atomic_load(&channel.items, RMD_RELAXED) == 0);
}

/* ---- unlocking ---- */

static struct {
    rmd_atomic(uint32_t) state;
    int first, second;
    enum { RIGHT, TOO_EARLY, RELAXED } how;
} guarded;

static void change_both(void *arg)
{
    (void)arg;
    while (rmd_atomic_exchange(&guarded.state, 1, RMD_ACQUIRE))
        rmdi_park(&guarded.state, 1, RMD_FOREVER);
    RMD_PLAIN_SET(guarded.first, RMD_PLAIN(guarded.first) + 1);
    if (guarded.how == TOO_EARLY)
        rmd_atomic_store(&guarded.state, 0, RMD_RELEASE);
    RMD_PLAIN_SET(guarded.second, RMD_PLAIN(guarded.second) + 1);
    if (guarded.how != TOO_EARLY)
        rmd_atomic_store(&guarded.state, 0, guarded.how == RELAXED ? RMD_RELAXED : RMD_RELEASE);
    rmdi_unpark_one(&guarded.state);
}

static void change_in_two_threads(void)
{
    rmd_atomic_init(&guarded.state, 0);
    guarded.first = guarded.second = 0;
    run_together((void (*const[])(void *)){ change_both, change_both }, NULL, 2);
    RMD_ASSERT(guarded.first == 2 && guarded.second == 2);
}

PLANTED(unlock_before_the_last_write, RMD_EXPLORE_RACE)
{
    guarded.how = broken ? TOO_EARLY : RIGHT;
    change_in_two_threads();
}

PLANTED(unlock_relaxed, RMD_EXPLORE_RACE)
{
    guarded.how = broken ? RELAXED : RIGHT;
    change_in_two_threads();
}

/* ---- two locks ---- */

static struct {
    small_lock left, right;
    bool broken;
} pair;

static void take_left_first(void *arg)
{
    (void)arg;
    small_lock_take(&pair.left);
    small_lock_take(&pair.right);
    small_lock_drop(&pair.right);
    small_lock_drop(&pair.left);
}

static void take_right_first(void *arg)
{
    (void)arg;
    small_lock *first = pair.broken ? &pair.right : &pair.left;
    small_lock *second = pair.broken ? &pair.left : &pair.right;
    small_lock_take(first);
    small_lock_take(second);
    small_lock_drop(second);
    small_lock_drop(first);
}

PLANTED(two_locks, RMD_EXPLORE_DEADLOCK)
{
    pair.broken = broken;
    small_lock_init(&pair.left);
    small_lock_init(&pair.right);
    run_together((void (*const[])(void *)){ take_left_first, take_right_first }, NULL, 2);
}

/* ---- after you ---- */

/* Each gives way as long as the other one wants to pass, without end; the cure is that one of them
 * goes first. Nobody sleeps: it is no deadlock. */
static struct {
    rmd_atomic(int) wants[2];
    bool broken;
} door;

static void pass_door(int self)
{
    rmd_atomic_store(&door.wants[self], 1, RMD_SEQ_CST);
    while (rmd_atomic_load(&door.wants[!self], RMD_SEQ_CST) && (door.broken || self == 1))
        rmd_pause();
    rmd_atomic_store(&door.wants[self], 0, RMD_SEQ_CST);
}

static void pass_left(void *arg)
{
    (void)arg;
    pass_door(0);
}

static void pass_right(void *arg)
{
    (void)arg;
    pass_door(1);
}

PLANTED(two_polite_threads, RMD_EXPLORE_LIVELOCK, .steps_max = 500)
{
    door.broken = broken;
    for (int i = 0; i < 2; i++)
        rmd_atomic_init(&door.wants[i], 0);
    run_together((void (*const[])(void *)){ pass_left, pass_right }, NULL, 2);
}
