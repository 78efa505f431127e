/* SPDX-License-Identifier: MIT */
/* One word and a line of those who wait. The word counts the permits, and its bit WAITERS says that
 * somebody may be in line: set, nobody takes or gives a permit but with the line entered. An
 * entry's wish is how many permits it waits for (0, as rmd_select() leaves it, is 1).
 *
 * With the line entered permits are given to the first as long as they suffice for it (serve). So,
 * whenever nobody has the line entered, it is empty or its first waits for more than there is. What
 * comes behind waits as well, even for less: so that many permits can be had at all. Two things
 * change that: a release, and the first one's giving up; both serve. One that has given up is
 * passed over even before it has taken out its entry. (One of a select that gives up need not
 * serve: it waits for one permit and did not get it, so there is none.)
 *
 * Those who wait are handed what they wait for: the permits are taken from the word with the line
 * entered, and whoever is fired has them. Where the deadline or a stop is faster, firing fails, and
 * nothing is taken from the word (waiter.c: a waiter ends once).
 *
 * Lifetime. A release that finds nobody in line touches the word once and nothing else. One that
 * serves touches the semaphore last in leaving the line, through which those who were served pass
 * before they return, and the free() of everybody else.
 *
 * Orders. Acquiring is an acquire, releasing a release, and as both are read-modify-writes the
 * permits of several releases lie in one release sequence. Who serves gives away what others have
 * released: it reads the word with acquire, and firing is a release.
 *
 * Spinning: see spin.h. Whoever spins is in no line, and takes only what nobody waits for. */
#include "sync/semaphore.h"

#include "base/alloc.h"
#include "base/error.h"
#include "sync/select.h"

#include <string.h>

#define WAITERS UINT32_C(0x80000000)

/* What somebody wants who may have to wait. */
typedef struct request {
    uint32_t n;     /* permits */
    uint32_t index; /* of the entry */
    bool look;      /* do not take them if they are there */
    rmdi_wait *wait;
    rmdi_waiter *waiter;
} request;

static inline uint32_t count_in(uint32_t word)
{
    return word & ~WAITERS;
}

static inline uint32_t wish_of(rmdi_semaphore *s)
{
    uint32_t wish = RMD_PLAIN(RMD_PLAIN(s->line.first)->wish);
    return wish ? wish : 1;
}

/* Without the line: only if nobody is in it. */
static inline bool take(rmdi_semaphore *s, uint32_t n)
{
    uint32_t seen = rmd_atomic_load(&s->word, RMD_RELAXED);
    while (!(seen & WAITERS) && seen >= n)
        /* Acquire: what was written before the release is seen by us. */
        if (rmd_atomic_cas_weak(&s->word, &seen, seen - n, RMD_ACQUIRE, RMD_RELAXED))
            return true;
    return false;
}

static bool spin(rmdi_semaphore *s, uint32_t n)
{
    unsigned pauses = RMDI_SPIN_PAUSES_FIRST;
    bool ours = false;
    for (unsigned looks = rmdi_spin_looks(&s->spin); looks > 0 && !ours; looks--) {
        rmdi_spin_pause(&pauses);
        ours = take(s, n);
    }
    rmdi_spin_learn(&s->spin, ours);
    return ours;
}

/* ---- with the line entered ---- */

/* Gives what there is to those in front. */
static void serve(rmdi_semaphore *s, rmdi_wakers *wakers)
{
    rmdi_waker waker;
    while (rmdi_wait_list_waits(&s->line)) {
        uint32_t wish = wish_of(s);
        bool over = rmdi_waiter_is_over(RMD_PLAIN(s->line.first)->waiter);
        /* Acquire: what the permits bring goes on to who is fired. */
        if (!over && count_in(rmd_atomic_load(&s->word, RMD_ACQUIRE)) < wish)
            return;
        if (rmdi_wait_list_fire_first(&s->line, s, &waker)) {
            rmd_atomic_sub(&s->word, wish, RMD_RELAXED);
            rmdi_wakers_add(wakers, waker);
        }
    }
}

/* True: nobody is in line, and there are enough, which are taken unless we only look.
 * False: WAITERS is set, and we are to go into the line if we may wait. */
static bool take_or_announce(rmdi_semaphore *s, const request *r)
{
    bool first = !rmdi_wait_list_waits(&s->line);
    uint32_t seen = rmd_atomic_load(&s->word, RMD_RELAXED);
    for (;;) {
        bool enough = first && count_in(seen) >= r->n;
        uint32_t wanted = enough ? count_in(seen) - (r->look ? 0 : r->n) : seen | WAITERS;
        if (rmd_atomic_cas_weak(&s->word, &seen, wanted, RMD_ACQUIRE, RMD_RELAXED))
            return enough;
    }
}

/* Leaves the line, in which nobody may be left. */
static void leave(rmdi_semaphore *s)
{
    if (!rmdi_wait_list_waits(&s->line))
        /* Relaxed: a step of the release sequence that it is in. */
        rmd_atomic_and(&s->word, ~WAITERS, RMD_RELAXED);
    rmdi_wait_list_leave(&s->line);
}

/* ---- acquiring ---- */

/* Enters the line and leaves it. True: nobody had to wait. False: the entry is in line now, if one
 * was given. */
static bool take_or_queue(rmdi_semaphore *s, const request *r)
{
    rmdi_wait_list_enter(&s->line);
    bool enough = take_or_announce(s, r);
    if (!enough && r->wait) {
        rmdi_wait_list_add(&s->line, r->wait, r->waiter, r->index);
        RMD_PLAIN_SET(r->wait->wish, r->n);
    }
    leave(s);
    return enough;
}

/* Our entry may have held back others. */
static void give_up(rmdi_semaphore *s, rmdi_wait *wait)
{
    rmdi_waker batch[RMDI_WAKERS_MAX];
    rmdi_wakers wakers = { batch, RMDI_WAKERS_MAX, 0 };
    rmdi_wait_list_enter(&s->line);
    rmdi_wait_list_drop(&s->line, wait);
    serve(s, &wakers);
    leave(s);
    rmdi_wakers_wake(&wakers);
}

static int wait_in_line(rmdi_semaphore *s, uint32_t n, rmd_deadline deadline)
{
    rmdi_waiter waiter;
    rmdi_wait wait;
    request r = { .n = n, .wait = &wait, .waiter = &waiter };
    rmdi_waiter_init(&waiter, true);
    if (take_or_queue(s, &r))
        return 0;
    int err = rmdi_waiter_sleep(&waiter, deadline);
    if (err < 0)
        give_up(s, &wait);
    else
        rmdi_wait_list_remove(&s->line, &wait);
    return err;
}

/* The bit WAITERS may have been left by one who is gone: then the line tells. */
static bool take_at_once(rmdi_semaphore *s, uint32_t n)
{
    request r = { .n = n };
    return take(s, n) ||
           ((rmd_atomic_load(&s->word, RMD_RELAXED) & WAITERS) && take_or_queue(s, &r));
}

int rmdi_semaphore_acquire(rmdi_semaphore *s, uint32_t n, rmd_deadline deadline)
{
    if (take(s, n))
        return 0;
    if (deadline.ns <= 0)
        return take_at_once(s, n) ? 0 : RMD_ETIMEDOUT;
    return spin(s, n) ? 0 : wait_in_line(s, n, deadline);
}

/* ---- releasing ---- */

static uint32_t count_max(const rmdi_semaphore *s)
{
    return s->count_max ? s->count_max : RMD_SEMAPHORE_MAX;
}

/* Adds n to the word, unless that were too many. With WAITERS set only if `in_line`, with the line
 * entered. 0, RMD_EFULL, or RMD_EAGAIN: it is set. */
static inline int give(rmdi_semaphore *s, uint32_t n, bool in_line)
{
    uint32_t seen = rmd_atomic_load(&s->word, RMD_RELAXED);
    for (;;) {
        if ((seen & WAITERS) && !in_line)
            return RMD_EAGAIN;
        if (n > count_max(s) || count_in(seen) > count_max(s) - n)
            return RMD_EFULL;
        /* Release: what we wrote is seen by who acquires. */
        if (rmd_atomic_cas_weak(&s->word, &seen, seen + n, RMD_RELEASE, RMD_RELAXED))
            return 0;
    }
}

static bool give_to_line(rmdi_semaphore *s, uint32_t n)
{
    rmdi_waker batch[RMDI_WAKERS_MAX];
    rmdi_wakers wakers = { batch, RMDI_WAKERS_MAX, 0 };
    rmdi_wait_list_enter(&s->line);
    int err = give(s, n, true);
    serve(s, &wakers);
    leave(s);
    rmdi_wakers_wake(&wakers);
    return err == 0;
}

bool rmdi_semaphore_release(rmdi_semaphore *s, uint32_t n)
{
    int err = give(s, n, false);
    return err == RMD_EAGAIN ? give_to_line(s, n) : err == 0;
}

uint32_t rmdi_semaphore_value(const rmdi_semaphore *s)
{
    return count_in(rmd_atomic_load(&s->word, RMD_RELAXED));
}

bool rmdi_semaphore_busy(rmdi_semaphore *s)
{
    return rmdi_wait_list_busy(&s->line);
}

/* ---- in a select ---- */

static bool waitable_take(const rmd_waitable *what)
{
    return take_at_once(what->object, 1);
}

static bool waitable_add(const rmd_waitable *what, rmdi_wait *wait, rmdi_waiter *waiter,
                         uint32_t index)
{
    request r = { .n = 1, .look = true, .index = index, .wait = wait, .waiter = waiter };
    rmdi_wait_not_added(wait);
    return !take_or_queue(what->object, &r);
}

static void waitable_remove(const rmd_waitable *what, rmdi_wait *wait)
{
    rmdi_wait_list_remove(&((rmdi_semaphore *)what->object)->line, wait);
}

static bool waitable_claim(const rmd_waitable *what, rmdi_wait *wait)
{
    return wait || take_at_once(what->object, 1); /* who was fired has it */
}

static const rmdi_waitable_ops semaphore_ops = {
    .take = waitable_take,
    .add = waitable_add,
    .remove = waitable_remove,
    .claim = waitable_claim,
};

rmd_waitable rmd_semaphore_waitable(rmd_semaphore *semaphore)
{
    return (rmd_waitable){ .ops = &semaphore_ops,
                           .object = semaphore ? &semaphore->semaphore : NULL };
}

/* ---- the public semaphore ---- */

static int check_open(uint32_t count, const rmd_semaphore_options *options)
{
    if (options && options->size != sizeof *options)
        return rmdi_fail(RMD_EINVAL, "semaphore: options of size %zu, not %zu", options->size,
                         sizeof *options);
    uint32_t limit = options && options->count_max ? options->count_max : RMD_SEMAPHORE_MAX;
    if (limit > RMD_SEMAPHORE_MAX || count > limit)
        return rmdi_fail(RMD_E2BIG, "semaphore: %u permits, of at most %u; the limit is %d", count,
                         limit, RMD_SEMAPHORE_MAX);
    return 0;
}

int rmd_semaphore_open(rmd_semaphore **semaphore, uint32_t count,
                       const rmd_semaphore_options *options)
{
    if (!semaphore)
        return rmdi_fail(RMD_EINVAL, "semaphore: no place for it was given");
    *semaphore = NULL;
    int err = check_open(count, options);
    if (err < 0)
        return err;
    const char *name = options && options->name ? options->name : "";
    size_t bytes = strlen(name) + 1;
    rmd_semaphore *s = rmdi_alloc_zeroed(sizeof *s + bytes);
    if (!s)
        return rmdi_fail_memory();
    memcpy(s->name, name, bytes);
    s->semaphore.count_max = options ? options->count_max : 0;
    rmd_atomic_init(&s->semaphore.word, count);
    *semaphore = s;
    return 0;
}

int rmd_semaphore_free(rmd_semaphore *semaphore)
{
    if (semaphore && rmdi_semaphore_busy(&semaphore->semaphore))
        return rmdi_fail(RMD_EBUSY, "a thread waits for the semaphore \"%s\"", semaphore->name);
    rmdi_free(semaphore);
    return 0;
}

int rmd_semaphore_acquire(rmd_semaphore *semaphore, rmd_deadline deadline)
{
    return rmd_semaphore_acquire_many(semaphore, 1, deadline);
}

int rmd_semaphore_acquire_many(rmd_semaphore *semaphore, uint32_t n, rmd_deadline deadline)
{
    if (!semaphore)
        return rmdi_fail(RMD_EINVAL, "acquire: no semaphore was given");
    if (n == 0)
        return rmdi_fail(RMD_EINVAL, "acquire: no permits of the semaphore \"%s\": ask for one",
                         semaphore->name);
    if (n > count_max(&semaphore->semaphore))
        return rmdi_fail(RMD_E2BIG, "acquire of %u: the semaphore \"%s\" has at most %u permits", n,
                         semaphore->name, count_max(&semaphore->semaphore));
    int err = rmdi_semaphore_acquire(&semaphore->semaphore, n, deadline);
    return err < 0 ? rmdi_fail(err, "semaphore \"%s\", %u permits", semaphore->name, n) : 0;
}

int rmd_semaphore_release(rmd_semaphore *semaphore, uint32_t n)
{
    if (!semaphore)
        return rmdi_fail(RMD_EINVAL, "release: no semaphore was given");
    if (n == 0)
        return rmdi_fail(RMD_EINVAL, "release: no permits of the semaphore \"%s\": release one",
                         semaphore->name);
    if (!rmdi_semaphore_release(&semaphore->semaphore, n))
        return rmdi_fail(RMD_EFULL, "release of %u: the semaphore \"%s\" has at most %u permits", n,
                         semaphore->name, count_max(&semaphore->semaphore));
    return 0;
}

uint32_t rmd_semaphore_value(const rmd_semaphore *semaphore)
{
    return semaphore ? rmdi_semaphore_value(&semaphore->semaphore) : 0;
}
