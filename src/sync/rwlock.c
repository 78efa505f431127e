/* SPDX-License-Identifier: MIT */
/* One word and two lists, which share one brief lock (that of the writers' list): "the line".
 *
 *   WRITER    a writer has it.
 *   READER    is added once for each reader that has it.
 *   WAITERS   somebody is in the line, or was: who releases last must look.
 *   WRITERS   a writer is in the line: readers do not join others that have the lock.
 *   WAKING    some have been woken and none has arrived yet: no others are woken meanwhile.
 *   HANDOVER  somebody waits who shall not be overtaken: nobody takes the lock, and whoever
 *             releases it last hands it over. Only set while it is held.
 *
 * They are set and cleared as lock.c says of its own, and for its reasons: a lock that is free may
 * be taken by whoever comes, for who is awake uses it many times in the time that waking another
 * one takes; one who was woken in vain for a millisecond, or WOKEN_MAX times, sets HANDOVER.
 *
 * Phases. After a writer come all the readers that wait, and after readers the writer that has
 * waited longest; so a reader waits for one writer at most once it is impatient, and a writer for
 * the readers that have the lock. A reader that was woken does not mind WRITERS: it is of the phase
 * that begins. When the last writer in the line gives up, those readers are let in whom it has held
 * back: it takes the lock for reading itself, gives their shares to all of them, and releases.
 *
 * Lifetime. As with the lock: who releases touches the word last when it makes the lock free, or
 * leaves one reader less, and does before what the line needs. A lock that is handed over is
 * touched last in leaving the line, through which its new holders pass.
 *
 * Orders. Acquiring is an acquire and releasing a release; all changes of the word are
 * read-modify-writes, so a writer sees what was done under each of the readers' shares, which lie
 * in one release sequence. Whoever hands over gives away what others have released, too, so it
 * reads the word with acquire, and firing is a release.
 *
 * Sources: B. Brandenburg and J. Anderson, "Spin-based reader-writer synchronization for
 * multiprocessor real-time systems" (2010): phases; the rest as in lock.c. */
#include "sync/rwlock.h"

#include "base/alloc.h"
#include "base/error.h"
#include "port/clock.h"

#include <string.h>

enum { WRITER = 1, WAITERS = 2, WAKING = 4, HANDOVER = 8, WRITERS = 16, READER = 32 };
enum { IMPATIENT_NS = 1000 * 1000, WOKEN_MAX = 4 };

/* One that wants the lock. */
typedef struct attempt {
    rmdi_rwlock *lock;
    rmd_deadline deadline;
    int64_t since_ns;
    unsigned woken;  /* how often */
    uint32_t waking; /* WAKING when that bit is ours to clear */
    uint32_t share;  /* READER or WRITER */
} attempt;

static inline void enter_line(rmdi_rwlock *lock)
{
    rmdi_wait_list_enter(&lock->writers);
}

static inline void leave_line(rmdi_rwlock *lock)
{
    rmdi_wait_list_leave(&lock->writers);
}

/* ---- acquiring ---- */

static inline bool may_read(uint32_t word, bool was_woken)
{
    return !(word & (WRITER | HANDOVER)) && (was_woken || !(word & WRITERS) || word < READER);
}

static inline bool may_take(uint32_t word, uint32_t share, bool was_woken)
{
    return share == READER ? may_read(word, was_woken) : !(word & WRITER) && word < READER;
}

/* The lock if it is to be had, past those who wait. */
static inline bool take(rmdi_rwlock *lock, uint32_t share, uint32_t clear, bool was_woken)
{
    uint32_t seen = rmd_atomic_load(&lock->word, RMD_RELAXED);
    while (may_take(seen, share, was_woken))
        /* Acquire: what the last holders wrote is seen by us. */
        if (rmd_atomic_cas_weak(&lock->word, &seen, (seen & ~clear) + share, RMD_ACQUIRE,
                                RMD_RELAXED))
            return true;
    return false;
}

static bool take_again(attempt *a)
{
    return take(a->lock, a->share, a->waking, a->woken > 0);
}

static bool spin(attempt *a)
{
    unsigned pauses = RMDI_SPIN_PAUSES_FIRST;
    bool ours = false;
    for (unsigned looks = rmdi_spin_looks(&a->lock->spin); looks > 0 && !ours; looks--) {
        rmdi_spin_pause(&pauses);
        ours = take_again(a);
    }
    rmdi_spin_learn(&a->lock->spin, ours);
    return ours;
}

static bool is_impatient(const attempt *a)
{
    return a->woken > 0 &&
           (a->woken >= WOKEN_MAX || rmdi_clock_monotonic_ns() - a->since_ns > IMPATIENT_NS);
}

/* ---- with the line entered ---- */

/* True: the lock could be had, and is ours. False: its last holder will look into the line. */
static bool take_or_announce(attempt *a)
{
    uint32_t set = WAITERS | (a->share == WRITER ? WRITERS : 0) | (is_impatient(a) ? HANDOVER : 0);
    uint32_t seen = rmd_atomic_load(&a->lock->word, RMD_RELAXED);
    for (;;) {
        bool ours = may_take(seen, a->share, a->woken > 0);
        uint32_t wanted = (ours ? seen + a->share : seen | set) & ~a->waking;
        /* Acquire for the case that it is ours. */
        if (rmd_atomic_cas_weak(&a->lock->word, &seen, wanted, RMD_ACQUIRE, RMD_RELAXED))
            return ours;
    }
}

/* Adds shares (modulo), clears those bits and those that the lists do not need any more. */
static void settle(rmdi_rwlock *lock, uint32_t shares, uint32_t clear, uint32_t set)
{
    bool writers = rmdi_wait_list_waits(&lock->writers);
    clear |= writers ? 0 : WRITERS;
    clear |= writers || rmdi_wait_list_waits(&lock->readers) ? 0 : WAITERS | HANDOVER;
    uint32_t seen = rmd_atomic_load(&lock->word, RMD_RELAXED);
    /* Release: shares that others get may come to those who do not wait, too. */
    while (!rmd_atomic_cas_weak(&lock->word, &seen, ((seen & ~clear) | set) + shares, RMD_RELEASE,
                                RMD_RELAXED))
        ;
}

static uint32_t fire_readers(rmdi_rwlock *lock, void *gift, rmdi_wakers *wakers)
{
    uint32_t n = 0;
    rmdi_waker waker;
    for (; rmdi_wait_list_fire(&lock->readers, gift, &waker); n++)
        rmdi_wakers_add(wakers, waker);
    return n;
}

static uint32_t fire_writer(rmdi_rwlock *lock, void *gift, rmdi_wakers *wakers)
{
    rmdi_waker waker;
    bool fired = rmdi_wait_list_fire(&lock->writers, gift, &waker);
    if (fired)
        rmdi_wakers_add(wakers, waker);
    return fired;
}

/* Fires those whose phase follows that of the share. Returns their shares. */
static uint32_t fire_next(rmdi_rwlock *lock, uint32_t share, void *gift, rmdi_wakers *wakers)
{
    uint32_t shares = share == WRITER ? READER * fire_readers(lock, gift, wakers) : 0;
    if (!shares)
        shares = WRITER * fire_writer(lock, gift, wakers);
    return shares || share == WRITER ? shares : READER * fire_readers(lock, gift, wakers);
}

/* Lets in all readers that wait; we are one of those who read. */
static void admit(rmdi_rwlock *lock, rmdi_wakers *wakers)
{
    settle(lock, READER * fire_readers(lock, lock, wakers), 0, 0);
}

/* If no writer waits any more: reads, so that the readers can be let in. */
static bool read_for_others(rmdi_rwlock *lock)
{
    uint32_t seen = rmd_atomic_load(&lock->word, RMD_RELAXED);
    while (!rmdi_wait_list_waits(&lock->writers) && !(seen & WRITER))
        if (rmd_atomic_cas_weak(&lock->word, &seen, seen + READER, RMD_ACQUIRE, RMD_RELAXED))
            return true;
    return false; /* a writer has it, or waits: its release looks */
}

/* ---- waiting ---- */

static void give_up(attempt *a, rmdi_wait_list *list, rmdi_wait *wait)
{
    rmdi_waker batch[RMDI_WAKERS_MAX];
    rmdi_wakers wakers = { batch, RMDI_WAKERS_MAX, 0 };
    enter_line(a->lock);
    rmdi_wait_list_drop(list, wait);
    bool reads = a->share == WRITER && read_for_others(a->lock);
    if (reads)
        admit(a->lock, &wakers);
    leave_line(a->lock);
    rmdi_wakers_wake(&wakers);
    if (reads)
        rmdi_rwlock_release(a->lock);
}

static void arrive(rmdi_rwlock *lock, rmdi_wait_list *list, rmdi_wait *wait)
{
    enter_line(lock);
    rmdi_wait_list_drop(list, wait);
    leave_line(lock);
}

/* Sleeps once. 0: the lock is ours; RMD_EAGAIN: we were woken to take it; or it is over. */
static int sleep_once(attempt *a)
{
    rmdi_waiter waiter;
    rmdi_wait wait;
    rmdi_wait_list *list = a->share == WRITER ? &a->lock->writers : &a->lock->readers;
    rmdi_waiter_init(&waiter, true);
    enter_line(a->lock);
    bool ours = take_or_announce(a);
    if (!ours)
        (a->woken ? rmdi_wait_list_add_first : rmdi_wait_list_add)(list, &wait, &waiter, 0);
    leave_line(a->lock);
    if (ours)
        return 0;
    int err = rmdi_waiter_sleep(&waiter, a->deadline);
    if (err < 0) {
        give_up(a, list, &wait);
        return err;
    }
    arrive(a->lock, list, &wait);
    if (RMD_PLAIN(wait.gift))
        return 0;
    a->woken++;
    a->waking = WAKING;
    return RMD_EAGAIN;
}

static __attribute__((noinline)) int acquire_slowly(rmdi_rwlock *lock, uint32_t share,
                                                    rmd_deadline deadline)
{
    if (deadline.ns <= 0)
        return RMD_ETIMEDOUT;
    attempt a = { .lock = lock, .deadline = deadline, .share = share };
    if (spin(&a))
        return 0;
    a.since_ns = rmdi_clock_monotonic_ns();
    for (;;) {
        int err = sleep_once(&a);
        if (err != RMD_EAGAIN)
            return err;
        if (take_again(&a) || spin(&a))
            return 0;
    }
}

int rmdi_rwlock_acquire_read(rmdi_rwlock *lock, rmd_deadline deadline)
{
    return take(lock, READER, 0, false) ? 0 : acquire_slowly(lock, READER, deadline);
}

int rmdi_rwlock_acquire_write(rmdi_rwlock *lock, rmd_deadline deadline)
{
    return take(lock, WRITER, 0, false) ? 0 : acquire_slowly(lock, WRITER, deadline);
}

/* ---- releasing ---- */

static inline uint32_t share_in(uint32_t word)
{
    return word & WRITER ? WRITER : READER;
}

static inline bool is_held(uint32_t word)
{
    return (word & WRITER) || word >= READER;
}

static inline bool must_look(uint32_t word)
{
    bool last = (word & WRITER) || word < 2 * READER;
    return last && (word & WAITERS) && (!(word & WAKING) || (word & HANDOVER));
}

/* With the line entered, by a holder: fires who comes next. True: the lock is theirs now. */
static bool fire_or_hand_over(rmdi_rwlock *lock, uint32_t word, rmdi_wakers *wakers)
{
    bool hand_over = word & HANDOVER;
    uint32_t shares = fire_next(lock, share_in(word), hand_over ? lock : NULL, wakers);
    if (hand_over && shares)
        settle(lock, shares - share_in(word), HANDOVER, 0);
    else
        settle(lock, 0, 0, shares ? WAKING : 0);
    return hand_over && shares;
}

/* By one that was the last holder. True: the lock is not ours any more, and may be gone. */
static bool pass_on(rmdi_rwlock *lock, rmdi_wakers *wakers)
{
    enter_line(lock);
    /* Acquire: what other readers have done goes on to whom it is handed over. That HANDOVER is set
     * stays so while we are in the line, and then nobody else takes a share; but before we entered
     * somebody may have. */
    uint32_t word = rmd_atomic_load(&lock->word, RMD_ACQUIRE);
    bool gone = must_look(word) && fire_or_hand_over(lock, word, wakers);
    leave_line(lock);
    return gone;
}

/* False: the word has changed, and *seen with it; look again. */
static inline bool give_back(rmdi_rwlock *lock, uint32_t *seen)
{
    /* Release: what we did is seen by the next writer, or reader. */
    return rmd_atomic_cas_weak(&lock->word, seen, *seen - share_in(*seen), RMD_RELEASE,
                               RMD_RELAXED);
}

static __attribute__((noinline)) bool release_slowly(rmdi_rwlock *lock)
{
    rmdi_waker batch[RMDI_WAKERS_MAX];
    rmdi_wakers wakers = { batch, RMDI_WAKERS_MAX, 0 };
    uint32_t seen = rmd_atomic_load(&lock->word, RMD_RELAXED);
    if (!is_held(seen))
        return false;
    for (;;) {
        if (must_look(seen)) {
            if (pass_on(lock, &wakers))
                break;
            seen = rmd_atomic_load(&lock->word, RMD_RELAXED);
        } else if (give_back(lock, &seen)) {
            break;
        }
    }
    rmdi_wakers_wake(&wakers);
    return true;
}

bool rmdi_rwlock_release(rmdi_rwlock *lock)
{
    uint32_t seen = rmd_atomic_load(&lock->word, RMD_RELAXED);
    bool simply = is_held(seen) && !must_look(seen);
    return (simply && give_back(lock, &seen)) || release_slowly(lock);
}

bool rmdi_rwlock_downgrade(rmdi_rwlock *lock)
{
    rmdi_waker batch[RMDI_WAKERS_MAX];
    rmdi_wakers wakers = { batch, RMDI_WAKERS_MAX, 0 };
    uint32_t seen = rmd_atomic_load(&lock->word, RMD_RELAXED);
    if (!(seen & WRITER))
        return false;
    /* Release: what we wrote is seen by other readers. */
    while (
        !rmd_atomic_cas_weak(&lock->word, &seen, seen - WRITER + READER, RMD_RELEASE, RMD_RELAXED))
        ;
    if (!(seen & WAITERS))
        return true;
    enter_line(lock);
    admit(lock, &wakers);
    leave_line(lock);
    rmdi_wakers_wake(&wakers);
    return true;
}

bool rmdi_rwlock_busy(rmdi_rwlock *lock)
{
    enter_line(lock);
    bool busy = rmdi_wait_list_waits(&lock->writers) || rmdi_wait_list_waits(&lock->readers) ||
                RMD_PLAIN(lock->writers.taken) || RMD_PLAIN(lock->readers.taken);
    uint32_t word = rmd_atomic_load(&lock->word, RMD_RELAXED);
    leave_line(lock);
    return busy || is_held(word) || (word & WAKING);
}

/* ---- the public lock ---- */

int rmd_rwlock_open(rmd_rwlock **lock, const rmd_rwlock_options *options)
{
    if (!lock)
        return rmdi_fail(RMD_EINVAL, "rwlock: no place for the lock was given");
    *lock = NULL;
    if (options && options->size != sizeof *options)
        return rmdi_fail(RMD_EINVAL, "rwlock: options of size %zu, not %zu", options->size,
                         sizeof *options);
    const char *name = options && options->name ? options->name : "";
    size_t bytes = strlen(name) + 1;
    rmd_rwlock *l = rmdi_alloc_zeroed(sizeof *l + bytes);
    if (!l)
        return rmdi_fail_memory();
    memcpy(l->name, name, bytes);
    *lock = l;
    return 0;
}

static __attribute__((noinline)) int acquire_or_fail(rmd_rwlock *lock, uint32_t share,
                                                     rmd_deadline deadline)
{
    const char *how = share == READER ? "read" : "write";
    if (!lock)
        return rmdi_fail(RMD_EINVAL, "acquire to %s: no lock was given", how);
    int err = acquire_slowly(&lock->lock, share, deadline);
    return err < 0 ? rmdi_fail(err, "lock \"%s\", to %s", lock->name, how) : 0;
}

int rmd_rwlock_acquire_read(rmd_rwlock *lock, rmd_deadline deadline)
{
    bool ours = lock && take(&lock->lock, READER, 0, false);
    return ours ? 0 : acquire_or_fail(lock, READER, deadline);
}

int rmd_rwlock_acquire_write(rmd_rwlock *lock, rmd_deadline deadline)
{
    bool ours = lock && take(&lock->lock, WRITER, 0, false);
    return ours ? 0 : acquire_or_fail(lock, WRITER, deadline);
}

int rmd_rwlock_downgrade(rmd_rwlock *lock)
{
    if (!lock)
        return rmdi_fail(RMD_EINVAL, "downgrade: no lock was given");
    if (!rmdi_rwlock_downgrade(&lock->lock))
        return rmdi_fail(RMD_EINVAL, "downgrade: no writer holds the lock \"%s\"", lock->name);
    return 0;
}

int rmd_rwlock_release(rmd_rwlock *lock)
{
    if (!lock)
        return rmdi_fail(RMD_EINVAL, "release: no lock was given");
    if (!rmdi_rwlock_release(&lock->lock))
        return rmdi_fail(RMD_EINVAL, "release: the lock \"%s\" is not held", lock->name);
    return 0;
}

int rmd_rwlock_free(rmd_rwlock *lock)
{
    if (lock && rmdi_rwlock_busy(&lock->lock))
        return rmdi_fail(RMD_EBUSY, "the lock \"%s\" is held or waited for", lock->name);
    rmdi_free(lock);
    return 0;
}
