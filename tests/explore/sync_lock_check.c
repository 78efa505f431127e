/* SPDX-License-Identifier: MIT */
/* Locks that are checked: whatever the threads do, they never end in a deadlock. */
#include "crew.h"
#include "sync/condition.h"

#include <remuda.h>
#include <string.h>

/* Each thread takes two of the locks, or is refused. */
typedef struct pair {
    rmd_lock *first, *second;
    rmd_deadline deadline; /* for the second */
    int refused;
} pair;

static void take_both(void *arg)
{
    pair *p = arg;
    RMD_ASSERT(rmd_lock_acquire_at(p->first, RMD_FOREVER, RMD_HERE) == 0);
    int err = rmd_lock_acquire_at(p->second, p->deadline, RMD_HERE);
    RMD_ASSERT(err == 0 || err == RMD_EDEADLK || (err == RMD_ETIMEDOUT && p->deadline.ns == 0));
    p->refused = err == RMD_EDEADLK;
    if (err == 0)
        RMD_ASSERT(rmd_lock_release_at(p->second, RMD_HERE) == 0);
    RMD_ASSERT(rmd_lock_release_at(p->first, RMD_HERE) == 0);
}

static void open_locks(rmd_lock *locks[3])
{
    rmd_lock_options options = { .size = sizeof options, .name = "one of three" };
    for (int i = 0; i < 3; i++)
        RMD_ASSERT(rmd_lock_open(&locks[i], &options) == 0);
}

static void free_locks(rmd_lock *locks[3])
{
    for (int i = 0; i < 3; i++)
        RMD_ASSERT(rmd_lock_free(locks[i]) == 0);
}

/* A circle of n: whoever comes last is refused, and only he. */
static void go_around(int n)
{
    rmd_lock *locks[3];
    pair pairs[3];
    crew crew = { 0 };
    int refused = 0;
    open_locks(locks);
    for (int i = 0; i < n; i++) {
        pairs[i] = (pair){ locks[i], locks[(i + 1) % n], RMD_FOREVER, 0 };
        crew_add(&crew, take_both, &pairs[i], "taker");
    }
    crew_join(&crew);
    for (int i = 0; i < n; i++)
        refused += pairs[i].refused;
    RMD_ASSERT(refused == 1);
    free_locks(locks);
}

HARNESS(lock_check_refuses_one_of_two)
{
    go_around(2);
}

HARNESS(lock_check_refuses_one_of_three)
{
    go_around(3);
}

HARNESS(lock_check_refuses_none_that_does_not_wait)
{
    rmd_lock *locks[3];
    crew crew = { 0 };
    open_locks(locks);
    pair pairs[3] = { { locks[0], locks[1], RMD_FOREVER, 0 },
                      { locks[1], locks[0], RMD_NOW, 0 },
                      { locks[0], locks[1], RMD_FOREVER, 0 } };
    for (int i = 0; i < 3; i++)
        crew_add(&crew, take_both, &pairs[i], "taker");
    crew_join(&crew);
    for (int i = 0; i < 3; i++)
        RMD_ASSERT(!pairs[i].refused);
    free_locks(locks);
}

/* ---- locks that come and go while others are looked at ---- */

static void use_own_lock(void *arg)
{
    rmd_lock *mine, **locks = arg;
    RMD_ASSERT(rmd_lock_open(&mine, NULL) == 0);
    pair before = { mine, locks[0], RMD_FOREVER, 0 }, after = { locks[1], mine, RMD_FOREVER, 0 };
    take_both(&before);
    take_both(&after); /* locks[1], mine, locks[0] */
    RMD_ASSERT(!before.refused);
    RMD_ASSERT(rmd_lock_free(mine) == 0);
}

HARNESS(lock_check_forgets_a_lock_that_is_freed)
{
    rmd_lock *locks[3];
    crew crew = { 0 };
    open_locks(locks);
    for (int i = 0; i < 2; i++)
        crew_add(&crew, use_own_lock, locks, "owner");
    crew_join(&crew);
    pair other = { locks[0], locks[1], RMD_FOREVER, 0 }; /* against what went through those */
    take_both(&other);
    RMD_ASSERT(!other.refused);
    free_locks(locks);
}

typedef struct shared_lock {
    rmd_lock *lock;
    int users; /* guarded by the lock */
} shared_lock;

static void leave_lock(void *arg)
{
    shared_lock *s = arg;
    rmd_lock *lock = s->lock;
    const rmd_place *place = rmd_explore_choose(2) ? RMD_HERE : NULL; /* mixed code */
    RMD_ASSERT(rmd_lock_acquire_at(lock, RMD_FOREVER, place) == 0);
    RMD_PLAIN_SET(s->users, RMD_PLAIN(s->users) - 1);
    bool last = RMD_PLAIN(s->users) == 0;
    RMD_ASSERT(rmd_lock_release_at(lock, rmd_explore_choose(2) ? RMD_HERE : NULL) == 0);
    if (last)
        RMD_ASSERT(rmd_lock_free(lock) == 0);
}

HARNESS(lock_check_leaves_the_end_to_the_last_user)
{
    shared_lock s = { .users = 3 };
    crew crew = { 0 };
    rmd_lock_options options = { .size = sizeof options, .reentrant = rmd_explore_choose(2) };
    RMD_ASSERT(rmd_lock_open(&s.lock, &options) == 0);
    for (int i = 0; i < 3; i++)
        crew_add(&crew, leave_lock, &s, "user");
    crew_join(&crew);
}

/* ---- misuse ---- */

static void count_report(void *ctx, const char *text)
{
    RMD_ASSERT(text[0]);
    ++*(int *)ctx;
}

static void be_refused(void *arg)
{
    RMD_ASSERT(rmd_lock_release_at(arg, RMD_HERE) == RMD_EINVAL);
}

HARNESS(lock_check_refuses_misuse)
{
    rmd_lock *locks[3];
    crew crew = { 0 };
    int reports = 0;
    open_locks(locks);
    rmd_lock_on_report(count_report, &reports);
    RMD_ASSERT(rmd_lock_acquire_at(locks[0], RMD_FOREVER, RMD_HERE) == 0);
    RMD_ASSERT(rmd_lock_acquire_at(locks[0], RMD_FOREVER, RMD_HERE) == RMD_EDEADLK);
    RMD_ASSERT(reports == 1);
    rmd_lock_on_report(NULL, NULL);
    RMD_ASSERT(rmd_lock_acquire_at(locks[0], RMD_NOW, RMD_HERE) == RMD_ETIMEDOUT);
    crew_add(&crew, be_refused, locks[0], "thief");
    crew_join(&crew);
    RMD_ASSERT(rmd_lock_free(locks[0]) == RMD_EBUSY);
    RMD_ASSERT(rmd_lock_release_at(locks[0], RMD_HERE) == 0);
    free_locks(locks);
}

typedef struct reported {
    rmd_lock *lock;
    rmd_atomic(int) reports;
} reported;

static void report_under_lock(void *ctx, const char *text)
{
    reported *r = ctx;
    (void)text;
    rmd_atomic_add(&r->reports, 1, RMD_RELAXED);
    RMD_ASSERT(rmd_lock_acquire_at(r->lock, RMD_FOREVER, RMD_HERE) == 0);
    RMD_ASSERT(rmd_lock_acquire_at(r->lock, RMD_FOREVER, RMD_HERE) == RMD_EDEADLK);
    RMD_ASSERT(rmd_lock_release_at(r->lock, RMD_HERE) == 0);
}

static void deserve_reports(void *arg)
{
    rmd_lock *lock = arg;
    RMD_ASSERT(rmd_lock_acquire_at(lock, RMD_FOREVER, RMD_HERE) == 0);
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmd_lock_acquire_at(lock, RMD_FOREVER, RMD_HERE) == RMD_EDEADLK);
    RMD_ASSERT(rmd_lock_release_at(lock, RMD_HERE) == 0);
}

/* Each thread by itself: what one of them does while it reports is not reported, all else is. */
HARNESS(lock_check_reports_are_not_reported)
{
    rmd_lock *locks[3];
    crew crew = { 0 };
    open_locks(locks);
    reported r = { .lock = locks[2] };
    rmd_lock_on_report(report_under_lock, &r);
    for (int i = 0; i < 2; i++)
        crew_add(&crew, deserve_reports, locks[i], "culprit");
    crew_join(&crew);
    rmd_lock_on_report(NULL, NULL);
    RMD_ASSERT(rmd_atomic_load(&r.reports, RMD_RELAXED) == 4);
    free_locks(locks);
}

HARNESS(lock_check_forgets_what_it_refused, .schedules = 2000)
{
    rmd_lock *locks[3];
    open_locks(locks);
    pair known = { locks[1], locks[0], RMD_FOREVER, 0 };
    pair against = { locks[0], locks[1], RMD_FOREVER, 0 };
    pair later = { locks[1], locks[2], RMD_FOREVER, 0 };
    take_both(&known);
    RMD_ASSERT(rmd_lock_acquire_at(locks[2], RMD_FOREVER, RMD_HERE) == 0);
    take_both(&against); /* under the third lock, which alone would be well */
    RMD_ASSERT(rmd_lock_release_at(locks[2], RMD_HERE) == 0);
    RMD_ASSERT(!known.refused && against.refused);
    take_both(&later);
    RMD_ASSERT(!later.refused);
    free_locks(locks);
}

/* A release that is not its thread's to make, by code without places, which nobody notices:
 * whatever it does to the others, the records of who holds what do not break. */
static void acquire_and_release(void *arg)
{
    if (rmd_lock_acquire_at(arg, rmd_after_ms(1), RMD_HERE) == 0)
        (void)rmd_lock_release_at(arg, RMD_HERE);
}

static void release_of_others(void *arg)
{
    (void)rmd_lock_release(arg);
}

HARNESS(lock_check_lives_with_a_thief)
{
    rmd_lock *locks[3], *stolen;
    crew crew = { 0 };
    RMD_ASSERT(rmd_lock_open(&stolen, NULL) == 0);
    crew_add(&crew, acquire_and_release, stolen, "first");
    crew_add(&crew, acquire_and_release, stolen, "second");
    crew_add(&crew, release_of_others, stolen, "thief");
    crew_join(&crew);
    (void)rmd_lock_release(stolen);
    RMD_ASSERT(rmd_lock_free(stolen) == 0);
    open_locks(locks);
    pair others = { locks[0], locks[1], RMD_FOREVER, 0 };
    take_both(&others);
    RMD_ASSERT(!others.refused);
    free_locks(locks);
}

/* ---- what is told ---- */

static bool tells(const char *text)
{
    return strstr(rmd_error_detail(), text) != NULL;
}

static void take_both_on_thread(pair *p, const char *name)
{
    rmd_thread *thread;
    rmd_thread_options options = { .size = sizeof options, .name = name };
    RMD_ASSERT(rmd_thread_start(&thread, take_both, p, &options) == 0);
    RMD_ASSERT(rmd_thread_join(thread, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_thread_free(thread) == 0);
    RMD_ASSERT(!p->refused);
}

static int parts(const char *text, const char *part)
{
    int n = 0;
    while ((text = strstr(text, part))) {
        n++;
        text += strlen(part);
    }
    return n;
}

/* The searches before the last one leave traces in the locks, also to one that is freed. */
HARNESS(lock_check_tells_the_whole_circle, .schedules = 2000)
{
    rmd_lock *locks[3], *others[3];
    open_locks(locks);
    open_locks(others);
    pair passing = { locks[1], others[0], RMD_FOREVER, 0 };
    pair first = { locks[0], locks[1], RMD_FOREVER, 0 };
    pair front = { others[1], locks[0], RMD_FOREVER, 0 };
    pair outer = { others[2], others[1], RMD_FOREVER, 0 };
    pair second = { locks[1], locks[2], RMD_FOREVER, 0 };
    pair third = { locks[2], locks[0], RMD_FOREVER, 0 };
    take_both_on_thread(&passing, "passer");
    take_both_on_thread(&first, "payer");
    RMD_ASSERT(rmd_lock_free(others[0]) == 0);
    take_both_on_thread(&front, "passer");
    take_both_on_thread(&outer, "passer");
    take_both_on_thread(&second, "auditor");
    take_both(&third);
    RMD_ASSERT(third.refused);
    RMD_ASSERT(tells("by \"payer\" while") && tells("by \"auditor\" while"));
    RMD_ASSERT(parts(rmd_error_detail(), "was wanted at take_both() sync_lock_check.c:") == 2);
    RMD_ASSERT(parts(rmd_error_detail(), "held since take_both() sync_lock_check.c:") == 1 + 2);
    RMD_ASSERT(rmd_lock_free(others[1]) == 0 && rmd_lock_free(others[2]) == 0);
    free_locks(locks);
}

static void acquire_here(rmd_lock *lock)
{
    RMD_ASSERT(rmd_lock_acquire_at(lock, RMD_FOREVER, RMD_HERE) == 0);
}

static void acquire_in_vain(void *arg)
{
    RMD_ASSERT(rmd_lock_acquire_at(arg, RMD_NOW, RMD_HERE) == RMD_ETIMEDOUT);
    RMD_ASSERT(tells("is held by \"holder\" since acquire_here() sync_lock_check.c:"));
}

static void hold_and_wait(void *arg)
{
    rmd_lock *lock = ((rmd_condition *)arg)->lock;
    crew crew = { 0 };
    acquire_here(lock);
    RMD_ASSERT(rmd_condition_wait_at(arg, RMD_NOW, RMD_HERE) == RMD_ETIMEDOUT);
    crew_add(&crew, acquire_in_vain, lock, "other"); /* since before the wait */
    crew_join(&crew);
    RMD_ASSERT(rmd_lock_release_at(lock, RMD_HERE) == 0);
}

HARNESS(lock_check_tells_who_holds_it_since_where, .schedules = 2000)
{
    rmd_lock *lock, *inner;
    rmd_condition *condition;
    rmd_thread *thread;
    rmd_thread_options options = { .size = sizeof options, .name = "holder" };
    RMD_ASSERT(rmd_lock_open(&lock, NULL) == 0);
    RMD_ASSERT(rmd_lock_open(&inner, NULL) == 0);
    RMD_ASSERT(rmd_condition_open(&condition, lock) == 0);
    RMD_ASSERT(rmd_thread_start(&thread, hold_and_wait, condition, &options) == 0);
    RMD_ASSERT(rmd_thread_join(thread, RMD_FOREVER) == 0);
    RMD_ASSERT(rmd_thread_free(thread) == 0);
    acquire_here(lock);
    acquire_here(inner); /* under which the wait would have to acquire the outer one again */
    RMD_ASSERT(rmd_condition_wait_at(condition, RMD_NOW, RMD_HERE) == RMD_EDEADLK);
    RMD_ASSERT(rmd_lock_release_at(inner, RMD_HERE) == 0);
    RMD_ASSERT(rmd_lock_release_at(lock, RMD_HERE) == 0);
    RMD_ASSERT(rmd_condition_free(condition) == 0);
    RMD_ASSERT(rmd_lock_free(lock) == 0 && rmd_lock_free(inner) == 0);
}

/* ---- without memory nothing is found, and nothing else is different ---- */

HARNESS(lock_check_does_without_memory, .faults_max = 3)
{
    rmd_lock *a, *b;
    int err = rmd_lock_open(&a, NULL);
    RMD_ASSERT(err == 0 || err == RMD_ENOMEM);
    err = rmd_lock_open(&b, NULL);
    RMD_ASSERT(err == 0 || err == RMD_ENOMEM);
    if (a && b) {
        pair forth = { a, b, RMD_FOREVER, 0 }, back = { b, a, RMD_FOREVER, 0 };
        take_both(&forth);
        RMD_ASSERT(!forth.refused);
        take_both(&back);
    }
    RMD_ASSERT(rmd_lock_free(a) == 0 && rmd_lock_free(b) == 0);
}

/* ---- conditions: reentrant or not, with places or without ---- */

typedef struct door {
    rmd_lock *lock;
    rmd_condition *opened;
    bool open; /* guarded by the lock */
} door;

static void pass_door(void *arg)
{
    door *d = arg;
    const rmd_place *place = rmd_explore_choose(2) ? RMD_HERE : NULL;
    RMD_ASSERT(rmd_lock_acquire_at(d->lock, RMD_FOREVER, place) == 0);
    while (!RMD_PLAIN(d->open))
        RMD_ASSERT(rmd_condition_wait_at(d->opened, RMD_FOREVER, place) == 0);
    RMD_ASSERT(rmd_lock_release_at(d->lock, place) == 0);
}

static void open_door(door *d)
{
    RMD_ASSERT(rmd_lock_acquire(d->lock, RMD_FOREVER) == 0);
    RMD_PLAIN_SET(d->open, true);
    RMD_ASSERT(rmd_lock_release(d->lock) == 0);
    RMD_ASSERT(rmd_condition_notify_all(d->opened) == 0);
}

HARNESS(lock_check_follows_a_condition)
{
    door d = { .open = false };
    crew crew = { 0 };
    rmd_lock_options options = { .size = sizeof options, .reentrant = rmd_explore_choose(2) };
    RMD_ASSERT(rmd_lock_open(&d.lock, &options) == 0);
    RMD_ASSERT(rmd_condition_open(&d.opened, d.lock) == 0);
    for (int i = 0; i < 2; i++)
        crew_add(&crew, pass_door, &d, "visitor");
    open_door(&d);
    crew_join(&crew);
    RMD_ASSERT(rmd_lock_release_at(d.lock, RMD_HERE) == RMD_EINVAL);
    RMD_ASSERT(rmd_condition_free(d.opened) == 0);
    RMD_ASSERT(rmd_lock_free(d.lock) == 0);
}
