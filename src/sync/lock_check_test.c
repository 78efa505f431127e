/* SPDX-License-Identifier: MIT */
/* As a program does that is compiled with -DRMD_DEBUG. */
#define RMD_DEBUG

#include <remuda/condition.h>
#include <remuda/error.h>
#include <remuda/guard.h>
#include <remuda/lock.h>
#include <remuda/thread.h>

#include "kit.h"
#include "kit_alloc.h"

#include <unistd.h>

static rmd_lock *a, *b, *c;

static rmd_deadline patience(void)
{
    return rmd_after_ms(15000 * kit_patience());
}

static rmd_lock *named(const char *name, bool reentrant)
{
    rmd_lock *lock;
    rmd_lock_options options = { .size = sizeof options, .name = name, .reentrant = reentrant };
    REQUIRE(rmd_lock_open(&lock, &options) == 0);
    return lock;
}

static void open_locks(bool reentrant)
{
    a = named("a", reentrant);
    b = named("b", reentrant);
    c = named("c", reentrant);
}

static void free_locks(void)
{
    CHECK_EQ(rmd_lock_free(a), 0);
    CHECK_EQ(rmd_lock_free(b), 0);
    CHECK_EQ(rmd_lock_free(c), 0);
}

static int reports;
static char last_report[512];

static void keep_report(void *ctx, const char *text)
{
    (*(int *)ctx)++;
    snprintf(last_report, sizeof last_report, "%s", text);
}

static void on_thread(void (*fn)(void *arg), void *arg, const char *name)
{
    rmd_thread *thread;
    rmd_thread_options options = { .size = sizeof options, .name = name };
    REQUIRE(rmd_thread_start(&thread, fn, arg, &options) == 0);
    CHECK_EQ(rmd_thread_join(thread, RMD_FOREVER), 0);
    CHECK_EQ(rmd_thread_free(thread), 0);
}

/* Acquires one after the other and releases them; what the last acquire returned. */
static int in_order(rmd_lock *first, rmd_lock *second, rmd_deadline deadline)
{
    int err;
    RMD_WITH_LOCK (first, patience(), err)
        RMD_WITH_LOCK (second, deadline, err) {}
    return err;
}

static void a_then_b(void *arg)
{
    CHECK_EQ(in_order(a, b, patience()), 0);
    (void)arg;
}

static int acquire_again(rmd_lock *lock, int *line)
{
    *line = __LINE__ + 1;
    return rmd_lock_acquire(lock, RMD_FOREVER);
}

TEST(a_plain_lock_acquired_again_is_refused_at_once_with_both_places)
{
    char text[512];
    int held, wanted;
    open_locks(false);
    rmd_lock_on_report(keep_report, &reports);
    CHECK_EQ(acquire_again(a, &held), 0);
    CHECK_EQ(acquire_again(a, &wanted), RMD_EDEADLK);
    snprintf(text, sizeof text,
             "lock \"a\" at acquire_again() lock_check_test.c:%d by a thread, "
             "which holds it since acquire_again() lock_check_test.c:%d, and it is not reentrant",
             wanted, held);
    CHECK_STR(rmd_error_detail(), text);
    CHECK_STR(last_report, text);
    CHECK_EQ(reports, 1);
    CHECK_EQ(rmd_lock_acquire(a, RMD_NOW), RMD_ETIMEDOUT); /* which cannot wait */
    CHECK_CONTAINS(rmd_error_detail(), "lock \"a\" is held by a thread since");
    CHECK_EQ(rmd_lock_free(a), RMD_EBUSY);
    CHECK_CONTAINS(rmd_error_detail(), "is held by a thread since");
    rmd_lock_on_report(NULL, NULL);
    CHECK_EQ(rmd_lock_acquire(a, RMD_FOREVER), RMD_EDEADLK);
    CHECK_EQ(reports, 1);
    CHECK_EQ(rmd_lock_release(a), 0);
    CHECK_EQ(rmd_lock_acquire(a, RMD_FOREVER), 0);
    CHECK_EQ(rmd_lock_release(a), 0);
    free_locks();
}

TEST(a_reentrant_lock_acquired_again_is_well)
{
    open_locks(true);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rmd_lock_acquire(a, RMD_FOREVER), 0);
    CHECK_EQ(in_order(b, a, patience()), 0); /* which it holds: not an order */
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rmd_lock_release(a), 0);
    CHECK_EQ(rmd_lock_release(a), RMD_EINVAL);
    free_locks();
}

TEST(an_inversion_is_refused_with_both_places_of_both_sides)
{
    open_locks(false);
    on_thread(a_then_b, NULL, "auditor");
    CHECK_EQ(in_order(b, a, patience()), RMD_EDEADLK);
    CHECK_CONTAINS(rmd_error_detail(), "lock \"a\" at in_order() lock_check_test.c:");
    CHECK_CONTAINS(rmd_error_detail(), "by a thread while \"b\" is held since in_order() lock");
    CHECK_CONTAINS(rmd_error_detail(), "but \"b\" was wanted at in_order() lock_check_test.c:");
    CHECK_CONTAINS(rmd_error_detail(), "by \"auditor\" while \"a\" was held since in_order() lock");
    CHECK_EQ(in_order(a, b, patience()), 0); /* the first order stands */
    CHECK_EQ(in_order(b, a, patience()), RMD_EDEADLK);
    free_locks();
}

TEST(a_circle_of_three_is_found)
{
    open_locks(false);
    CHECK_EQ(in_order(a, b, patience()), 0);
    CHECK_EQ(in_order(b, c, patience()), 0);
    CHECK_EQ(in_order(a, c, patience()), 0);
    CHECK_EQ(in_order(c, a, RMD_NOW), 0); /* never refused, and no order */
    CHECK_EQ(in_order(c, a, patience()), RMD_EDEADLK);
    CHECK_CONTAINS(rmd_error_detail(), "lock \"a\"");
    CHECK_CONTAINS(rmd_error_detail(), "but \"c\" was wanted");
    CHECK_EQ(rmd_lock_free(c), 0);
    c = named("c", false);
    CHECK_EQ(in_order(c, a, patience()), 0); /* another lock: no order yet */
    CHECK_EQ(in_order(b, c, patience()), RMD_EDEADLK);
    CHECK_CONTAINS(rmd_error_detail(), "but \"b\" was wanted");
    CHECK_CONTAINS(rmd_error_detail(), "; and \"a\" was wanted");
    free_locks();
}

TEST(what_was_taken_without_waiting_comes_before_what_is_waited_for)
{
    open_locks(false);
    CHECK_EQ(rmd_lock_acquire(a, RMD_NOW), 0);
    CHECK_EQ(rmd_lock_acquire(b, patience()), 0);
    CHECK_EQ(rmd_lock_release(a), 0);
    CHECK_EQ(rmd_lock_acquire(a, RMD_NOW), 0); /* the other way round, which is well */
    CHECK_EQ(rmd_lock_release(a), 0);
    CHECK_EQ(rmd_lock_acquire(a, patience()), RMD_EDEADLK);
    CHECK_EQ(rmd_lock_release(b), 0);
    free_locks();
}

TEST(an_acquire_that_gave_up_was_an_order_all_the_same)
{
    open_locks(false);
    CHECK_EQ((rmd_lock_acquire)(b, RMD_NOW), 0); /* as code without places: by nobody known */
    CHECK_EQ(in_order(a, b, rmd_after_ms(5)), RMD_ETIMEDOUT);
    CHECK_EQ((rmd_lock_release)(b), 0);
    CHECK_EQ(in_order(b, a, patience()), RMD_EDEADLK);
    free_locks();
}

TEST(an_acquire_that_was_refused_is_no_order)
{
    open_locks(false);
    CHECK_EQ(in_order(b, a, patience()), 0);
    CHECK_EQ(rmd_lock_acquire(c, patience()), 0);
    CHECK_EQ(in_order(a, b, patience()), RMD_EDEADLK); /* under c, which was well; under a not */
    CHECK_EQ(rmd_lock_release(c), 0);
    CHECK_EQ(in_order(b, c, patience()), 0);
    free_locks();
}

static void report_under_a(void *ctx, const char *text)
{
    int err;
    (*(int *)ctx)++;
    CHECK_CONTAINS(text, "lock \"a\" at acquire_again()");
    RMD_WITH_LOCK (a, patience(), err)
        FAIL("it is held");
    CHECK_EQ(err, RMD_EDEADLK);
    CHECK_CONTAINS(rmd_error_detail(), "lock \"a\" at report_under_a()");
}

TEST(what_a_report_does_is_refused_without_a_report)
{
    int line;
    open_locks(false);
    rmd_lock_on_report(report_under_a, &reports);
    CHECK_EQ(acquire_again(a, &line), 0);
    for (int i = 1; i <= 2; i++) {
        CHECK_EQ(acquire_again(a, &line), RMD_EDEADLK);
        CHECK_EQ(reports, i);
        CHECK_CONTAINS(rmd_error_detail(), "lock \"a\" at acquire_again()");
    }
    CHECK_EQ(rmd_lock_release(a), 0);
    rmd_lock_on_report(NULL, NULL);
    free_locks();
}

static void release_a(void *arg)
{
    CHECK_EQ(rmd_lock_release(a), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "release: lock \"a\" at release_a() lock_check_test.c:");
    CHECK_CONTAINS(rmd_error_detail(), "by \"thief\", but it is held by a thread since ");
    CHECK_EQ(rmd_condition_wait(arg, RMD_NOW), RMD_EINVAL);
    CHECK_CONTAINS(rmd_error_detail(), "wait: lock \"a\" at release_a() lock_check_test.c:");
}

TEST(a_release_by_another_thread_names_the_holder)
{
    rmd_condition *condition;
    for (int reentrant = 0; reentrant < 2; reentrant++) {
        open_locks(reentrant);
        REQUIRE(rmd_condition_open(&condition, a) == 0);
        CHECK_EQ(rmd_lock_release(a), RMD_EINVAL);
        CHECK_CONTAINS(rmd_error_detail(), "not held");
        CHECK_EQ(rmd_lock_acquire(a, RMD_NOW), 0);
        on_thread(release_a, condition, "thief");
        CHECK_EQ(rmd_lock_release(a), 0);
        CHECK_EQ(rmd_condition_free(condition), 0);
        free_locks();
    }
}

/* ---- conditions ---- */

static rmd_condition *turned;
static bool turn; /* guarded by a */

static void turn_it(void *arg)
{
    RMD_WITH_LOCK (a, patience()) {
        turn = true;
        CHECK_EQ(rmd_condition_notify_one(arg), 0);
    }
}

TEST(a_wait_gives_the_lock_away_and_it_is_the_waiters_again)
{
    rmd_thread *thread;
    open_locks(false);
    REQUIRE(rmd_condition_open(&turned, a) == 0);
    CHECK_EQ(rmd_lock_acquire(a, patience()), 0);
    REQUIRE(rmd_thread_start(&thread, turn_it, turned, NULL) == 0);
    while (!turn)
        CHECK_EQ(rmd_condition_wait(turned, patience()), 0);
    CHECK_EQ(rmd_lock_acquire(a, patience()), RMD_EDEADLK);
    CHECK_EQ(rmd_lock_release(a), 0);
    CHECK_EQ(rmd_thread_join(thread, RMD_FOREVER), 0);
    CHECK_EQ(rmd_thread_free(thread), 0);
    CHECK_EQ(rmd_condition_free(turned), 0);
    free_locks();
}

TEST(a_wait_that_acquires_its_lock_again_under_another_one_is_refused)
{
    open_locks(false);
    REQUIRE(rmd_condition_open(&turned, a) == 0);
    RMD_WITH_LOCK (a, patience())
        RMD_WITH_LOCK (b, patience()) {
            CHECK_EQ(rmd_condition_wait(turned, rmd_after_ms(5)), RMD_EDEADLK);
            CHECK_CONTAINS(rmd_error_detail(), "lock \"a\" at");
            CHECK_CONTAINS(rmd_error_detail(), "while \"b\" is held since");
        }
    CHECK_EQ(rmd_condition_free(turned), 0);
    free_locks();
}

/* ---- mixed with code that has no places ---- */

TEST(code_without_places_is_refused_nothing_and_leaves_no_wrong_record)
{
    open_locks(false);
    CHECK_EQ(rmd_lock_acquire(a, patience()), 0);
    CHECK_EQ((rmd_lock_release)(a), 0);
    CHECK_EQ(rmd_lock_acquire(a, patience()), 0);
    CHECK_EQ(rmd_lock_release(a), 0);
    CHECK_EQ((rmd_lock_acquire)(a, patience()), 0);
    CHECK_EQ((rmd_lock_acquire)(a, rmd_after_ms(5)), RMD_ETIMEDOUT);
    CHECK_EQ(rmd_lock_acquire(a, patience()), RMD_EDEADLK);
    CHECK_CONTAINS(rmd_error_detail(), "since somewhere compiled without RMD_DEBUG");
    CHECK_EQ(rmd_lock_release(a), 0);
    CHECK_EQ((rmd_lock_acquire)(b, patience()), 0); /* not known yet */
    CHECK_EQ(rmd_lock_release(b), 0);
    CHECK_EQ(in_order(a, b, patience()), 0);
    CHECK_EQ((rmd_lock_acquire)(b, patience()), 0);
    CHECK_EQ((rmd_lock_acquire)(a, patience()), 0); /* an inversion, not looked at */
    CHECK_EQ((rmd_lock_release)(a), 0);
    CHECK_EQ(rmd_lock_acquire(a, patience()), RMD_EDEADLK); /* but its locks count */
    CHECK_EQ((rmd_lock_release)(b), 0);
    CHECK_EQ(rmd_lock_acquire_at(a, RMD_NOW, NULL), 0);
    CHECK_EQ(rmd_lock_release_at(a, NULL), 0);
    CHECK_EQ(rmd_lock_acquire_at(NULL, RMD_NOW, RMD_HERE), RMD_EINVAL);
    CHECK_EQ(rmd_lock_release_at(NULL, RMD_HERE), RMD_EINVAL);
    free_locks();
}

TEST(guards_are_checked_too)
{
    rmd_guard *guard;
    void *data;
    int err;
    REQUIRE(rmd_guard_open(&guard, sizeof(int), NULL) == 0);
    CHECK_EQ(rmd_guard_acquire(guard, &data, patience()), 0);
    RMD_WITH_GUARD (int *n, guard, patience(), err)
        FAIL(n ? "it is held" : "");
    CHECK_EQ(err, RMD_EDEADLK);
    CHECK_EQ(rmd_guard_release(guard), 0);
    CHECK_EQ(rmd_guard_free(guard), 0);
}

/* ---- memory, forks, many threads ---- */

static int use_without_memory(void *arg)
{
    (void)arg;
    rmd_lock *x = NULL, *y = NULL;
    int err = rmd_lock_open(&x, NULL);
    if (err == 0)
        err = rmd_lock_open(&y, NULL);
    if (err == 0)
        err = in_order(x, y, patience()); /* never for lack of memory */
    CHECK_EQ(rmd_lock_free(x), 0);
    CHECK_EQ(rmd_lock_free(y), 0);
    return err;
}

TEST(without_memory_the_check_is_passed_over)
{
    rmd_lock *x, *y;
    kit_alloc(use_without_memory, NULL, RMD_ENOMEM);
    REQUIRE(rmd_lock_open(&x, NULL) == 0);
    REQUIRE(rmd_lock_open(&y, NULL) == 0);
    CHECK_EQ(in_order(x, y, patience()), 0);
    CHECK_EQ(in_order(y, x, patience()), RMD_EDEADLK);
    CHECK_EQ(rmd_lock_free(x), 0);
    CHECK_EQ(rmd_lock_free(y), 0);
}

TEST(a_child_of_fork_checks_nothing_and_works)
{
    open_locks(false);
    CHECK_EQ(in_order(a, b, patience()), 0);
    CHECK_EQ(rmd_lock_acquire(c, patience()), 0);
    pid_t child = fork();
    if (child == 0) {
        CHECK_EQ(in_order(b, a, patience()), 0);
        CHECK_EQ(rmd_lock_acquire(c, rmd_after_ms(5)), RMD_ETIMEDOUT);
        CHECK_EQ(rmd_lock_release(c), 0);
        free_locks();
        _exit(0);
    }
    CHECK_CHILD(child);
    CHECK_EQ(rmd_lock_release(c), 0);
    free_locks();
}

enum { LOCKS = 6, ROUNDS = 3000 };

static rmd_lock *many[LOCKS];
static long counters[LOCKS];

/* Always upwards: nothing is to be found. */
static void go_upwards(void *arg)
{
    unsigned step = *(unsigned *)arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned low = i * step % LOCKS, high = low + 1 + i % (LOCKS - low);
        for (unsigned n = low; n < high; n++)
            CHECK_EQ(rmd_lock_acquire(many[n], patience()), 0);
        for (unsigned n = low; n < high; n++)
            counters[n]++;
        for (unsigned n = low; n < high; n++)
            CHECK_EQ(rmd_lock_release(many[n]), 0);
    }
}

static void open_and_free_locks(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS / 10; i++) {
        rmd_lock *mine = named("short", false);
        CHECK_EQ(in_order(mine, many[i % LOCKS], patience()), 0);
        CHECK_EQ(rmd_lock_free(mine), 0);
    }
}

TEST_LIMIT(threads_that_keep_an_order_are_told_nothing_while_locks_come_and_go, 60)
{
    rmd_thread *threads[4];
    unsigned steps[3] = { 1, 5, 7 };
    for (int i = 0; i < LOCKS; i++)
        many[i] = named("many", false);
    for (int i = 0; i < 4; i++)
        REQUIRE(rmd_thread_start(&threads[i], i < 3 ? go_upwards : open_and_free_locks,
                                 i < 3 ? &steps[i] : NULL, NULL) == 0);
    long sum = 0, expected = 0;
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(rmd_thread_join(threads[i], RMD_FOREVER), 0);
        CHECK_EQ(rmd_thread_free(threads[i]), 0);
    }
    for (int i = 0; i < LOCKS; i++) {
        CHECK_EQ(rmd_lock_free(many[i]), 0);
        sum += counters[i];
    }
    for (int t = 0; t < 3; t++)
        for (unsigned i = 0; i < ROUNDS; i++)
            expected += 1 + i % (LOCKS - i * steps[t] % LOCKS);
    CHECK_EQ(sum, expected);
}
