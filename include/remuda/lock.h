/* SPDX-License-Identifier: MIT */
/* floor: sync */
/* Locks: one thread at a time.
 *
 *     rmd_lock *lock;
 *     err = rmd_lock_open(&lock, NULL);
 *
 *     RMD_WITH_LOCK (lock, rmd_after_ms(250)) {
 *         ...                                              the lock is held, until here
 *     } else {
 *         ...                                              it could not be had in time
 *     }
 *
 * A lock that is not reentrant waits, in a thread that holds it, for itself until the deadline. A
 * reentrant one may be acquired again by the thread that holds it, and is released as often: for an
 * object whose methods call each other.
 *
 * A lock is given to whoever comes when it is free. But when one that waits has been woken in vain,
 * and has waited for more than a millisecond or was so four times, the next release hands the lock
 * to the first who waits, and nobody overtakes it; who was woken waits in front of who was not. A
 * fair lock is given in the order in which they came, which costs a switch of threads each time it
 * is contended.
 *
 * Where nobody else wants it, it costs one atomic operation to acquire and one to release. What
 * was written before a release is seen by the next holder. A thread releases what it has acquired
 * before it ends. */
#ifndef REMUDA_LOCK_H
#define REMUDA_LOCK_H

#include <remuda/api.h>
#include <remuda/deadline.h>
#include <remuda/place.h>

RMD_BEGIN

typedef struct rmd_lock rmd_lock;

typedef struct rmd_lock_options {
    size_t size;      /* sizeof(rmd_lock_options), exactly: else RMD_EINVAL */
    const char *name; /* for errors; copied; NULL: "" */
    bool fair;        /* in the order of arrival */
    bool reentrant;   /* its holder may acquire it again */
} rmd_lock_options;

/* A new lock, free. options is borrowed and may be NULL. Errors: RMD_ENOMEM, RMD_EINVAL. Never
 * blocks. */
RMD_API int rmd_lock_open(rmd_lock **lock, const rmd_lock_options *options) RMD_NODISCARD;

/* Frees a lock. Errors: RMD_EBUSY while it is held or waited for. NULL is fine. Never blocks. */
RMD_API int rmd_lock_free(rmd_lock *lock);

/* Acquires the lock; with RMD_NOW only if it is free, or reentrant and held by the calling thread,
 * which never waits. Errors: RMD_ETIMEDOUT, RMD_ECANCELED (the thread's stop token fired: see
 * stop.h), RMD_EINVAL (NULL), RMD_E2BIG (acquired again 4 billion times). Any thread. Blocks. */
RMD_API int rmd_lock_acquire(rmd_lock *lock, rmd_deadline deadline) RMD_NODISCARD;

/* Releases it, once; by the thread that acquired it. Errors: RMD_EINVAL (NULL; nobody holds it; it
 * is reentrant, and another thread holds it: of others this is noticed with RMD_DEBUG only). Never
 * blocks. */
RMD_API int rmd_lock_release(rmd_lock *lock);

/* ---- scoped use ---- */

/* RMD_WITH_LOCK(lock, deadline) { held } else { not held }
 * RMD_WITH_LOCK(lock, deadline, err) { held } else { not held }
 *
 * Acquires the lock and runs the first block, at whose end it is released: by running out of it, by
 * `return` and `goto`, by `break` and `continue`, which both leave this block and no loop around
 * it, and by an exception of C++. If the lock is not acquired the other block runs, which may be
 * left out. err, an int variable, is set to what rmd_lock_acquire() returned, before either block
 * begins; rmd_error_detail() tells more. Each argument is evaluated once.
 *
 * Not by longjmp(). In an `if` without braces the else would be taken for its own: put braces
 * around. Compilers do not see that one of the blocks always runs, and want a `return` behind. */
#define RMD_WITH_LOCK(...) RMDI_WITH_CHOOSE(__VA_ARGS__, RMDI_WITH_3, RMDI_WITH_2, )(__VA_ARGS__)

/* ---- finding wrong use: RMD_DEBUG ---- */

/* Compiled with -DRMD_DEBUG, a source passes the places of its calls (function, file, line) of
 * rmd_lock_acquire and release, RMD_WITH_LOCK, rmd_condition_wait, and those of guard.h. The
 * library is the same, and a lock that is used in this way even once is checked:
 *
 *   - a thread that acquires a lock which it holds, and which is not reentrant;
 *   - locks acquired in an order that closes a circle with those in which any thread, at any time
 *     before, has acquired or waited for locks: two, or more. Threads that do so at once may end
 *     with each waiting for the next one;
 *   - the same for a condition's lock, which a wait acquires again, under other locks;
 *   - a lock released by a thread that does not hold it.
 *
 * The first three are refused with RMD_EDEADLK before they wait, also when luck would have gone
 * well with them this time; the last with RMD_EINVAL. rmd_error_detail() names locks, threads and
 * both places of each. RMD_EBUSY of rmd_lock_free() and RMD_ETIMEDOUT name the holder.
 *
 * An order is between two locks, not between the lines that acquire them, and holds until one of
 * them is freed; a call that is refused makes none. A circle is refused also where another lock,
 * which all of these threads hold around it, lets only one of them in at a time. What is acquired
 * with RMD_NOW cannot wait, so it is never refused and comes after nothing; but what is acquired
 * while it is held comes after it. Sources compiled without RMD_DEBUG may use the same locks: they
 * are told nothing and refused nothing, and their locks count as held.
 *
 * It costs a list per process, under one lock, at each call, and memory (by alloc.h, whose
 * functions must not use checked locks) for each order of two locks; without memory something may
 * not be found. In a child of fork() nothing is checked. With RMD_EXPLORE this is off, as the
 * explorer sees more. */
#if defined(RMD_DEBUG) && !defined(RMD_EXPLORE)
#define RMDI_CALLER                      RMD_HERE
#define rmd_lock_acquire(lock, deadline) rmd_lock_acquire_at(lock, deadline, RMD_HERE)
#define rmd_lock_release(lock)           rmd_lock_release_at(lock, RMD_HERE)
#else
#define RMDI_CALLER NULL
#endif

/* The same at a place, which is borrowed for good; NULL: as without. */
RMD_API int rmd_lock_acquire_at(rmd_lock *lock, rmd_deadline deadline, const rmd_place *place)
    RMD_NODISCARD;
RMD_API int rmd_lock_release_at(rmd_lock *lock, const rmd_place *place);

/* From now on fn(ctx, text) is called for each finding, by the thread whose call is refused, before
 * the call returns: for programs that do not look at all errors. What fn itself does wrong is
 * refused as ever, but not reported, so that a logger may use locks that are checked. text is
 * borrowed until it returns, ctx until another one has been set and no thread finds anything. NULL:
 * nobody is told. Any thread. Never blocks. */
RMD_API void rmd_lock_on_report(void (*fn)(void *ctx, const char *text), void *ctx);

/* ---- the inside of RMD_WITH_LOCK ---- */

typedef struct rmdi_with {
    rmd_lock *lock; /* NULL: not acquired */
    void *data;     /* of a guard */
    const rmd_place *place;
    bool over;
} rmdi_with;

static inline rmdi_with rmdi_with_lock(rmd_lock *lock, rmd_deadline deadline, int *error,
                                       const rmd_place *place)
{
    int err = rmd_lock_acquire_at(lock, deadline, place);
    rmdi_with with = { err < 0 ? NULL : lock, NULL, place, false };
    if (error)
        *error = err;
    return with;
}

static inline void rmdi_with_end(rmdi_with *with)
{
    if (with->lock)
        rmd_lock_release_at(with->lock, with->place);
}

#define RMDI_WITH_CHOOSE(a, b, c, chosen, ...) chosen
#define RMDI_WITH_2(lock, deadline)            RMDI_WITH_LOCK(lock, deadline, NULL, RMDI_WITH_NAME)
#define RMDI_WITH_3(lock, deadline, e)         RMDI_WITH_LOCK(lock, deadline, &(e), RMDI_WITH_NAME)
/* A name of its own for each use, also on one line: blocks within blocks shadow nothing. To be an
 * argument of the macro that uses it, which makes one name of it. */
#define RMDI_WITH_NAME                         RMDI_WITH_PASTE(rmdi_with_, __COUNTER__)
#define RMDI_WITH_PASTE(a, b)                  RMDI_WITH_PASTE_(a, b)
#define RMDI_WITH_PASTE_(a, b)                 a##b
/* A loop that turns once, so that `break` ends it, and its variable with it. */
#define RMDI_WITH_LOCK(lock, deadline, error, with) \
    RMDI_WITH_TURN(rmdi_with_lock(lock, deadline, error, RMDI_CALLER), with)
#define RMDI_WITH_TURN(begin, with) RMDI_WITH_SCOPE(begin, with) if (with.lock)
#define RMDI_WITH_SCOPE(begin, with)                                                   \
    for (__attribute__((cleanup(rmdi_with_end))) rmdi_with with = (begin); !with.over; \
         with.over = true)

RMD_END

#endif
