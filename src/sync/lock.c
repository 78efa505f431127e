/* SPDX-License-Identifier: MIT */
/* One word and a list of waiters.
 *
 *   HELD      somebody has it.
 *   WAITERS   somebody is in the list, or was: whoever releases must look. Set with the list
 *             entered, by the same operation that finds HELD, so that the holder's release, which
 *             expects HELD alone, fails and looks.
 *   WAKING    one has been woken and has not arrived yet. While it is set no other is woken: a
 *             holder that releases and acquires ten times in the 30 us a thread takes to wake up
 *             would else wake ten, for one lock. Who was woken clears it when it takes the lock or
 *             goes back into the list (at its front), and then the next release wakes again.
 *   HANDOVER  somebody waits who shall not be overtaken: the next release gives the lock to the
 *             first in the list without ever making it free.
 *
 * A lock that is free may be taken by whoever comes, also past those who wait (barging): a running
 * thread takes and releases it thousands of times in the time that waking another one costs. So
 * that nobody starves, one who was woken, finds the lock taken again and has been waiting for more
 * than IMPATIENT_NS, or was woken in vain WOKEN_MAX times, sets HANDOVER. A fair lock has HANDOVER
 * whenever it has WAITERS.
 *
 * Lifetime. Whoever has a reference by which it may use the lock may, after having held it, free
 * the memory. So a release touches the lock last in the compare-and-swap that makes it free, and
 * does all that the list needs before: it fires one waiter while it still holds the lock, leaves
 * the list, makes the lock free, and only then wakes, by the waiter's address. Who was fired finds
 * the lock held for that moment and goes on spinning or back into the list, where the release that
 * is under way finds it again. A lock that is handed over is touched last in leaving the list,
 * which its new holder passes through (waiter.c, Lifetimes).
 *
 * Orders. Taking the lock is an acquire, making it free a release, and a hand-over is release and
 * acquire on the waiter's state. WAITERS and the like are set and read by compare-and-swap on the
 * word that HELD is in: they need no order of their own. The list is ordered by its brief lock.
 *
 * Sources: F. Pizlo, "Locking in WebKit" (a word and a list; barging); the hand-over after a
 * millisecond as in Go's sync.Mutex, the one who is on its way as in its mutexWoken. */
#include "sync/lock.h"

#include "base/alloc.h"
#include "base/error.h"
#include "port/clock.h"
#include "sync/lock_check.h"
#include "sync/lock_owner.h"

#include <string.h>

enum { HELD = 1, WAITERS = 2, WAKING = 4, HANDOVER = 8 };
enum { IMPATIENT_NS = 1000 * 1000, WOKEN_MAX = 4 };

/* One that waits. */
typedef struct attempt {
    rmdi_lock *lock;
    rmd_deadline deadline;
    int64_t since_ns;
    unsigned woken;  /* how often */
    uint32_t waking; /* WAKING when that bit is ours to clear */
    bool stoppable;
} attempt;

/* ---- acquiring ---- */

/* The lock if it is not held, past those who wait. It looks before it tries, so that a lock others
 * wait for costs its holder no more than one that nobody waits for. */
static inline bool take(rmdi_lock *lock, uint32_t clear)
{
    uint32_t seen = rmd_atomic_load(&lock->word, RMD_RELAXED);
    while (!(seen & HELD))
        /* Acquire: what the last holder wrote is seen by us. */
        if (rmd_atomic_cas_weak(&lock->word, &seen, (seen | HELD) & ~clear, RMD_ACQUIRE,
                                RMD_RELAXED))
            return true;
    return false;
}

/* With the list entered. True: the lock became free, and is ours. False: its holder will look
 * into the list. */
static bool take_or_announce(rmdi_lock *lock, uint32_t set, uint32_t clear)
{
    uint32_t seen = rmd_atomic_load(&lock->word, RMD_RELAXED);
    for (;;) {
        bool free = !(seen & HELD);
        uint32_t wanted = ((free ? seen | HELD : seen | set) & ~clear);
        /* Acquire for the case that it is free. */
        if (rmd_atomic_cas_weak(&lock->word, &seen, wanted, RMD_ACQUIRE, RMD_RELAXED))
            return free;
    }
}

/* ---- waiting ---- */

/* A lock that goes to and fro between two processors is slower than one that stays with either of
 * them for a while: hence the pauses of spin.h. Not with a fair lock: whoever spins stands in no
 * line. */
static bool spin(attempt *a)
{
    if (a->lock->fair)
        return false;
    unsigned pauses = RMDI_SPIN_PAUSES_FIRST;
    bool ours = false;
    for (unsigned looks = rmdi_spin_looks(&a->lock->spin); looks > 0 && !ours; looks--) {
        rmdi_spin_pause(&pauses);
        ours = take(a->lock, a->waking);
    }
    rmdi_spin_learn(&a->lock->spin, ours);
    return ours;
}

static bool is_impatient(const attempt *a)
{
    return a->woken > 0 &&
           (a->woken >= WOKEN_MAX || rmdi_clock_monotonic_ns() - a->since_ns > IMPATIENT_NS);
}

/* Sleeps once. 0: the lock is ours; RMD_EAGAIN: we were woken to take it; or it is over. */
static int sleep_once(attempt *a)
{
    rmdi_waiter waiter;
    rmdi_wait wait;
    rmdi_wait_list *waits = &a->lock->waits;
    uint32_t set = WAITERS | (a->lock->fair || is_impatient(a) ? HANDOVER : 0);
    rmdi_waiter_init(&waiter, a->stoppable);
    rmdi_wait_list_enter(waits);
    bool ours = take_or_announce(a->lock, set, a->waking);
    if (!ours)
        (a->woken ? rmdi_wait_list_add_first : rmdi_wait_list_add)(waits, &wait, &waiter, 0);
    rmdi_wait_list_leave(waits);
    if (ours)
        return 0;
    int err = rmdi_waiter_sleep(&waiter, a->deadline);
    rmdi_wait_list_remove(waits, &wait);
    if (err < 0 || RMD_PLAIN(wait.gift))
        return err;
    a->woken++;
    a->waking = WAKING;
    return RMD_EAGAIN;
}

static int acquire_slowly(rmdi_lock *lock, rmd_deadline deadline, bool stoppable)
{
    if (deadline.ns <= 0)
        return RMD_ETIMEDOUT;
    attempt a = { .lock = lock, .deadline = deadline, .stoppable = stoppable };
    if (spin(&a))
        return 0;
    a.since_ns = rmdi_clock_monotonic_ns();
    for (;;) {
        int err = sleep_once(&a);
        if (err != RMD_EAGAIN)
            return err;
        if (take(lock, a.waking) || spin(&a))
            return 0;
    }
}

int rmdi_lock_acquire(rmdi_lock *lock, rmd_deadline deadline)
{
    return take(lock, 0) ? 0 : acquire_slowly(lock, deadline, true);
}

void rmdi_lock_enter(rmdi_lock *lock)
{
    if (!take(lock, 0))
        (void)acquire_slowly(lock, RMD_FOREVER, false);
}

/* ---- releasing ---- */

/* Fires the first in the list, if there is one. True: the lock is its now, and may be gone. */
static bool pass_on(rmdi_lock *lock, rmdi_waker *waker)
{
    rmdi_wait_list_enter(&lock->waits);
    /* We hold the lock and have entered the list: nobody else changes these two bits. */
    bool hand_over = rmd_atomic_load(&lock->word, RMD_RELAXED) & HANDOVER;
    bool fired = rmdi_wait_list_fire(&lock->waits, hand_over ? lock : NULL, waker);
    uint32_t clear = rmdi_wait_list_waits(&lock->waits) ? 0 : WAITERS | HANDOVER;
    if (hand_over && !lock->fair)
        clear |= HANDOVER;
    if (clear)
        rmd_atomic_and(&lock->word, ~clear, RMD_RELAXED);
    if (fired && !hand_over)
        rmd_atomic_or(&lock->word, WAKING, RMD_RELAXED);
    rmdi_wait_list_leave(&lock->waits);
    return fired && hand_over;
}

static inline bool must_look(uint32_t word)
{
    return (word & WAITERS) && (!(word & WAKING) || (word & HANDOVER));
}

/* False: the word has changed, and *seen with it; look again. */
static inline bool make_free(rmdi_lock *lock, uint32_t *seen)
{
    /* Release: what we wrote is seen by the next holder's acquire. */
    return rmd_atomic_cas_weak(&lock->word, seen, *seen & ~(uint32_t)HELD, RMD_RELEASE,
                               RMD_RELAXED);
}

static __attribute__((noinline)) bool release_slowly(rmdi_lock *lock)
{
    rmdi_waker waker = { 0 };
    uint32_t seen = rmd_atomic_load(&lock->word, RMD_RELAXED);
    if (!(seen & HELD))
        return false;
    for (;;) {
        if (must_look(seen)) {
            rmdi_waker_wake(&waker); /* one that has gone back into the list, perhaps */
            if (pass_on(lock, &waker))
                break;
            seen = rmd_atomic_load(&lock->word, RMD_RELAXED);
        } else if (make_free(lock, &seen)) {
            break;
        }
    }
    rmdi_waker_wake(&waker);
    return true;
}

bool rmdi_lock_release(rmdi_lock *lock)
{
    uint32_t seen = rmd_atomic_load(&lock->word, RMD_RELAXED);
    bool simply = (seen & HELD) && !must_look(seen);
    return (simply && make_free(lock, &seen)) || release_slowly(lock);
}

bool rmdi_lock_is_held(rmdi_lock *lock)
{
    return rmd_atomic_load(&lock->word, RMD_RELAXED) & HELD;
}

bool rmdi_lock_busy(rmdi_lock *lock)
{
    rmdi_wait_list_enter(&lock->waits);
    bool busy = rmdi_wait_list_waits(&lock->waits) || RMD_PLAIN(lock->waits.taken);
    /* With the list entered: who was woken, and goes back into it, clears WAKING in one go with
     * that. Acquire: whoever is told that it is free sees what its last holder wrote, even if it
     * has never held the lock itself. */
    uint32_t word = rmd_atomic_load(&lock->word, RMD_ACQUIRE);
    rmdi_wait_list_leave(&lock->waits);
    return busy || (word & (HELD | WAKING));
}

/* ---- the public lock ---- */

static int check_options(const rmd_lock_options *options)
{
    if (options && options->size != sizeof *options)
        return rmdi_fail(RMD_EINVAL, "lock: options of size %zu, not %zu", options->size,
                         sizeof *options);
    return 0;
}

int rmd_lock_open(rmd_lock **lock, const rmd_lock_options *options)
{
    if (!lock)
        return rmdi_fail(RMD_EINVAL, "lock: no place for the lock was given");
    *lock = NULL;
    int err = check_options(options);
    if (err < 0)
        return err;
    const char *name = options && options->name ? options->name : "";
    size_t bytes = strlen(name) + 1;
    rmd_lock *l = rmdi_alloc_zeroed(sizeof *l + bytes);
    if (!l)
        return rmdi_fail_memory();
    memcpy(l->name, name, bytes);
    l->lock.fair = options && options->fair;
    rmd_atomic_init(&l->ways, options && options->reentrant ? RMDI_LOCK_REENTRANT : 0);
    *lock = l;
    return 0;
}

/* Relaxed: what a thread has to see of it, it has set itself, or the lock orders it. */
static inline bool is_plain(rmd_lock *lock)
{
    return rmd_atomic_load(&lock->ways, RMD_RELAXED) == 0;
}

int rmd_lock_acquire(rmd_lock *lock, rmd_deadline deadline)
{
    if (!lock)
        return rmdi_fail(RMD_EINVAL, "acquire: no lock was given");
    if (!is_plain(lock))
        return rmdi_lock_acquire_owned(lock, deadline, NULL);
    if (take(&lock->lock, 0))
        return 0;
    int err = acquire_slowly(&lock->lock, deadline, true);
    return err < 0 ? rmdi_fail(err, "lock \"%s\"", lock->name) : 0;
}

int rmd_lock_acquire_at(rmd_lock *lock, rmd_deadline deadline, const rmd_place *place)
{
    return lock && place ? rmdi_lock_acquire_owned(lock, deadline, place)
                         : rmd_lock_acquire(lock, deadline);
}

int rmd_lock_release(rmd_lock *lock)
{
    if (!lock)
        return rmdi_fail(RMD_EINVAL, "release: no lock was given");
    if (!is_plain(lock))
        return rmdi_lock_release_owned(lock, NULL);
    if (!rmdi_lock_release(&lock->lock))
        return rmdi_fail(RMD_EINVAL, "release: the lock \"%s\" is not held", lock->name);
    return 0;
}

int rmd_lock_release_at(rmd_lock *lock, const rmd_place *place)
{
    return lock && place ? rmdi_lock_release_owned(lock, place) : rmd_lock_release(lock);
}

int rmd_lock_free(rmd_lock *lock)
{
    char by[RMDI_LOCK_HOLDER_MAX];
    if (!lock)
        return 0;
    if (rmdi_lock_busy(&lock->lock))
        return rmdi_fail(RMD_EBUSY, "the lock \"%s\" is held%s or waited for", lock->name,
                         rmdi_lock_check_holder(lock, by));
    rmdi_lock_check_forget(lock);
    rmdi_free(lock);
    return 0;
}
