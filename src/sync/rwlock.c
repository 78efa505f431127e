/* SPDX-License-Identifier: MIT */
/* One word and two lists, which share one brief lock (that of the writers' list): "the line".
 *
 *   WRITER    a writer has it.
 *   READER    is added once for each reader that has it. When that makes FULL, the highest bit,
 *             more are refused; the other half is for those who waited, fewer than fit into memory.
 *   WAITERS   somebody is in the line, or was: who releases last must look.
 *   WRITERS   a writer is in the line: readers do not join others that have the lock.
 *   WAKING    some have been woken and none has arrived yet: no others are woken meanwhile. Each of
 *             them clears it when it has taken the lock, or goes back into the line: with the line
 *             entered, else it might do so before it is set.
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
 * Readers wait for writers only: while readers have the lock, none is in the line unless a writer
 * is, too, or one who was woken, or gives up, is about to enter the line and lets it in. For one
 * gets into the line because of
 *   - a writer in the line (WRITERS is set when, and only when, there is one; HANDOVER while
 *     readers have the lock is for a writer). That one gives up, and lets them in, or is woken;
 *   - a writer that has the lock. Its release looks, except while somebody who was woken is on his
 *     way (WAKING). A writer that arrives has the lock, and its own release looks; a reader that
 *     arrives with a share lets in all readers, unless a writer is in the line; who does not get
 *     the lock clears WAKING while another one has it, whose release looks then.
 *
 * Lifetime. As with the lock: who releases touches the word last when it makes the lock free, or
 * leaves one reader less, and does before what the line needs. A lock that is handed over is
 * touched last in leaving the line, through which its new holders pass. One that was woken to take
 * the lock keeps its entry (`taken`) until it enters the line with the lock taken, or goes back: so
 * the lock is busy all the while, for however many are on their way.
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
static const uint32_t FULL = (uint32_t)READER * RMDI_RWLOCK_READERS_MAX;
enum { IMPATIENT_NS = 1000 * 1000, WOKEN_MAX = 4 };

/* One that wants the lock. */
typedef struct attempt {
    rmdi_rwlock *lock;
    rmdi_wait_list *list;
    rmd_deadline deadline;
    int64_t since_ns;
    unsigned wakes; /* how often it was woken: then, when not in the line, its entry is `taken` */
    uint32_t share; /* READER or WRITER */
    rmdi_waiter waiter;
    rmdi_wait wait;
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
    return !(word & (WRITER | HANDOVER)) &&
           (was_woken || !(word & (WRITERS | FULL)) || word < READER);
}

static inline bool may_take(uint32_t word, uint32_t share, bool was_woken)
{
    return share == READER ? may_read(word, was_woken) : !(word & WRITER) && word < READER;
}

/* Who has been woken is not refused: a place was kept for it. */
static inline bool is_full(uint32_t word, const attempt *a)
{
    return (word & FULL) && a->share == READER && !a->wakes;
}

/* The lock if it is to be had, past those who wait. */
static inline bool take(rmdi_rwlock *lock, uint32_t share, bool was_woken)
{
    uint32_t seen = rmd_atomic_load(&lock->word, RMD_RELAXED);
    while (may_take(seen, share, was_woken))
        /* Acquire: what the last holders wrote is seen by us. */
        if (rmd_atomic_cas_weak(&lock->word, &seen, seen + share, RMD_ACQUIRE, RMD_RELAXED))
            return true;
    return false;
}

static bool take_again(attempt *a)
{
    return take(a->lock, a->share, a->wakes > 0);
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
    return a->wakes > 0 &&
           (a->wakes >= WOKEN_MAX || rmdi_clock_monotonic_ns() - a->since_ns > IMPATIENT_NS);
}

/* ---- with the line entered ---- */

/* 0: the lock could be had, and is ours. RMD_EAGAIN: its last holder will look into the line.
 * RMD_E2BIG: we would be one too many. */
static int take_or_announce(attempt *a)
{
    uint32_t set = WAITERS | (a->share == WRITER ? WRITERS : 0) | (is_impatient(a) ? HANDOVER : 0);
    uint32_t clear = a->wakes ? WAKING : 0;
    uint32_t seen = rmd_atomic_load(&a->lock->word, RMD_RELAXED);
    for (;;) {
        bool ours = may_take(seen, a->share, a->wakes > 0);
        if (!ours && is_full(seen, a))
            return RMD_E2BIG;
        uint32_t wanted = (ours ? seen + a->share : seen | set) & ~clear;
        /* Acquire for the case that it is ours. */
        if (rmd_atomic_cas_weak(&a->lock->word, &seen, wanted, RMD_ACQUIRE, RMD_RELAXED))
            return ours ? 0 : RMD_EAGAIN;
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
    return false; /* a writer waits, or has it: that one's release, or who is on his way, looks */
}

/* By one that was woken and has the lock now. */
static void arrive(attempt *a, rmdi_wakers *wakers)
{
    rmdi_rwlock *lock = a->lock;
    rmdi_wait_list_drop(a->list, &a->wait);
    /* Some may have come into the line after we were woken, for a writer that has gone again
     * without a look, as we were on our way. */
    bool admits = a->share == READER && !rmdi_wait_list_waits(&lock->writers);
    settle(lock, admits ? READER * fire_readers(lock, lock, wakers) : 0, WAKING, 0);
}

/* In one go with taking out the entry of the last time, so that the lock stays busy. */
static void go_into_line(attempt *a)
{
    if (a->wakes)
        rmdi_wait_list_drop(a->list, &a->wait);
    rmdi_waiter_init(&a->waiter, true);
    (a->wakes ? rmdi_wait_list_add_first : rmdi_wait_list_add)(a->list, &a->wait, &a->waiter, 0);
}

/* ---- waiting ---- */

static int take_or_go_into_line(attempt *a)
{
    rmdi_waker batch[RMDI_WAKERS_MAX];
    rmdi_wakers wakers = { batch, RMDI_WAKERS_MAX, 0 };
    enter_line(a->lock);
    int err = take_or_announce(a);
    if (err == RMD_EAGAIN)
        go_into_line(a);
    else if (a->wakes)
        arrive(a, &wakers);
    leave_line(a->lock);
    rmdi_wakers_wake(&wakers);
    return err;
}

static void arrive_with_lock(attempt *a)
{
    rmdi_waker batch[RMDI_WAKERS_MAX];
    rmdi_wakers wakers = { batch, RMDI_WAKERS_MAX, 0 };
    enter_line(a->lock);
    arrive(a, &wakers);
    leave_line(a->lock);
    rmdi_wakers_wake(&wakers);
}

/* Our share was added for us, and our WAKING cleared when we went into the line. */
static void arrive_with_gift(attempt *a)
{
    enter_line(a->lock);
    rmdi_wait_list_drop(a->list, &a->wait);
    leave_line(a->lock);
}

static void give_up(attempt *a)
{
    rmdi_waker batch[RMDI_WAKERS_MAX];
    rmdi_wakers wakers = { batch, RMDI_WAKERS_MAX, 0 };
    enter_line(a->lock);
    rmdi_wait_list_drop(a->list, &a->wait);
    bool reads = a->share == WRITER && read_for_others(a->lock);
    if (reads)
        admit(a->lock, &wakers);
    else
        settle(a->lock, 0, 0, 0);
    leave_line(a->lock);
    rmdi_wakers_wake(&wakers);
    if (reads)
        rmdi_rwlock_release(a->lock);
}

/* Sleeps once. 0: the lock is ours; RMD_EAGAIN: we were woken to take it; or it is over. */
static int sleep_once(attempt *a)
{
    int err = take_or_go_into_line(a);
    if (err != RMD_EAGAIN)
        return err;
    err = rmdi_waiter_sleep(&a->waiter, a->deadline);
    if (err < 0) {
        give_up(a);
        return err;
    }
    if (RMD_PLAIN(a->wait.gift)) {
        arrive_with_gift(a);
        return 0;
    }
    a->wakes++;
    return RMD_EAGAIN;
}

static int wait_in_line(attempt *a)
{
    for (;;) {
        int err = sleep_once(a);
        if (err != RMD_EAGAIN)
            return err;
        if (take_again(a) || spin(a)) {
            arrive_with_lock(a);
            return 0;
        }
    }
}

static __attribute__((noinline)) int acquire_slowly(rmdi_rwlock *lock, uint32_t share,
                                                    rmd_deadline deadline)
{
    attempt a = { .lock = lock, .deadline = deadline, .share = share };
    if (is_full(rmd_atomic_load(&lock->word, RMD_RELAXED), &a))
        return RMD_E2BIG;
    if (deadline.ns <= 0)
        return RMD_ETIMEDOUT;
    if (spin(&a))
        return 0;
    a.list = share == WRITER ? &lock->writers : &lock->readers;
    a.since_ns = rmdi_clock_monotonic_ns();
    return wait_in_line(&a);
}

int rmdi_rwlock_acquire_read(rmdi_rwlock *lock, rmd_deadline deadline)
{
    return take(lock, READER, false) ? 0 : acquire_slowly(lock, READER, deadline);
}

int rmdi_rwlock_acquire_write(rmdi_rwlock *lock, rmd_deadline deadline)
{
    return take(lock, WRITER, false) ? 0 : acquire_slowly(lock, WRITER, deadline);
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
    /* In the line: those who are in it, or on their way, hold it before their entries go. Acquire:
     * whoever is told that it is free sees what its last holders wrote. */
    uint32_t word = rmd_atomic_load(&lock->word, RMD_ACQUIRE);
    leave_line(lock);
    return busy || is_held(word);
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
    if (err == RMD_E2BIG)
        return rmdi_fail(err,
                         "lock \"%s\": %d readers hold it, as many as may: does each release it?",
                         lock->name, RMDI_RWLOCK_READERS_MAX);
    return err < 0 ? rmdi_fail(err, "lock \"%s\", to %s", lock->name, how) : 0;
}

int rmd_rwlock_acquire_read(rmd_rwlock *lock, rmd_deadline deadline)
{
    bool ours = lock && take(&lock->lock, READER, false);
    return ours ? 0 : acquire_or_fail(lock, READER, deadline);
}

int rmd_rwlock_acquire_write(rmd_rwlock *lock, rmd_deadline deadline)
{
    bool ours = lock && take(&lock->lock, WRITER, false);
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
