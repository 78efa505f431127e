/* SPDX-License-Identifier: MIT */
/* Promises by themselves: what each way to complete one leaves behind, what is refused, with which
 * words, and that what is refused changes nothing. */
#include "kit.h"
#include "kit_alloc.h"

#include "base/error.h"

#include <limits.h>
#include <remuda/promise.h>
#include <remuda/thread.h>
#include <unistd.h>

static rmd_promise *promise;
static rmd_future *future;

static void open_promise(const char *name)
{
    REQUIRE(rmd_promise_open(&promise, &future, name) == 0);
}

static void free_both(void)
{
    rmd_promise_free(promise);
    rmd_future_free(future);
}

static rmd_failure failure(void)
{
    rmd_failure f = { 0 };
    REQUIRE(rmd_future_failure(future, &f) == 0);
    return f;
}

/* "promise 7 <words>" */
static void check_detail(const char *words)
{
    char text[128];
    snprintf(text, sizeof text, "promise %llu %s", (unsigned long long)rmd_future_id(future),
             words);
    CHECK_STR(rmd_error_detail(), text);
}

/* ---- opening ---- */

TEST(a_promise_needs_places_for_both_its_ends)
{
    rmd_promise *p = NULL;
    rmd_future *f = NULL;
    CHECK_EQ(rmd_promise_open(NULL, &f, NULL), RMD_EINVAL);
    CHECK_EQ(rmd_promise_open(&p, NULL, NULL), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "promise: places for it and for its future must be given");
    CHECK(!p && !f);
}

static int open_and_free(void *arg)
{
    rmd_promise *p = arg;
    rmd_future *f = arg;
    int err = rmd_promise_open(&p, &f, NULL);
    if (err < 0)
        CHECK(p == arg && f == arg); /* untouched */
    if (err < 0)
        return err;
    rmd_promise_free(p);
    rmd_future_free(f);
    return 0;
}

TEST(a_promise_without_memory_is_not_opened)
{
    CHECK_INT(kit_alloc(open_and_free, NULL, RMD_ENOMEM), >, 1);
}

TEST(the_name_of_a_promise_is_borrowed)
{
    char name[] = "answer";
    open_promise(name);
    CHECK(rmd_future_name(future) == name);
    name[0] = 'A';
    CHECK_EQ(rmd_promise_fail(promise, RMD_EIO, "no"), 0);
    CHECK_STR(failure().name, "Answer");
    free_both();
}

TEST(each_promise_has_a_number_of_its_own)
{
    uint64_t last = 0;
    for (int i = 0; i < 5; i++) {
        open_promise(NULL);
        CHECK(rmd_future_id(future) > last);
        last = rmd_future_id(future);
        free_both();
    }
}

TEST(an_open_promise_has_not_ended_and_tells_nothing)
{
    const rmd_value *value = NULL;
    rmd_failure f;
    open_promise(NULL);
    CHECK(rmd_future_state(future) != RMD_STATE_ENDED);
    CHECK_EQ(rmd_future_outcome(future), RMD_PENDING);
    CHECK_EQ(rmd_future_error(future), RMD_EBUSY);
    CHECK_EQ(rmd_future_failure(future, &f), RMD_EBUSY);
    CHECK_EQ(rmd_future_value(future, &value), RMD_EBUSY);
    CHECK(!value && !rmd_future_ctx(future));
    free_both();
}

/* ---- a value ---- */

TEST(a_value_is_there_until_the_future_is_freed)
{
    const char *text = NULL, *again = NULL;
    open_promise(NULL);
    CHECK_EQ(rmd_promise_set(promise, "some text that is longer than a pointer"), 0);
    CHECK_EQ(rmd_future_state(future), RMD_STATE_ENDED);
    CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_OK);
    CHECK_EQ(rmd_future_error(future), 0);
    CHECK_EQ(rmd_future_get(future, &text), 0);
    rmd_promise_free(promise);
    CHECK_EQ(rmd_future_get(future, &again), 0);
    CHECK(text == again);
    CHECK_STR(text, "some text that is longer than a pointer");
    rmd_future_free(future);
}

static void check_value(rmd_value given, const char *wanted)
{
    char text[64] = "";
    const rmd_value *value = NULL;
    open_promise(NULL);
    CHECK_EQ(rmd_promise_set_value(promise, given), 0);
    CHECK_EQ(rmd_future_value(future, &value), 0);
    if (value)
        rmd_value_format(value, text, sizeof text);
    CHECK_STR(text, wanted);
    free_both();
}

TEST(a_value_may_be_of_any_type)
{
    check_value(RMD_VALUE(INT64_MIN), "-9223372036854775808");
    check_value(RMD_VALUE(UINT64_MAX), "18446744073709551615");
    check_value(RMD_VALUE(0.5), "0.5");
    check_value(rmd_bool(true), "true");
    check_value(RMD_VALUE(""), "\"\"");
    check_value(RMD_VALUE(((rmd_bytes){ "\0\xff", 2 })), "h'00ff'");
    check_value(RMD_VALUE(RMD_LIST_OF(1, "two", RMD_LIST_OF(3.5))), "[1, \"two\", [3.5]]");
    check_value(rmd_null(), "null");
}

TEST(a_value_is_not_had_as_one_of_another_type)
{
    const char *text = NULL;
    int number = 0;
    open_promise(NULL);
    CHECK_EQ(rmd_promise_set(promise, 42), 0);
    CHECK_EQ(rmd_future_get(future, &text), RMD_EINVAL);
    CHECK(!text);
    CHECK_EQ(rmd_future_get(future, &number), 0);
    CHECK_EQ(number, 42);
    free_both();
}

TEST(a_promise_is_no_command)
{
    const rmd_exit *account = NULL;
    char byte;
    open_promise(NULL);
    CHECK_EQ(rmd_promise_set(promise, 42), 0);
    CHECK_EQ(rmd_future_exit(future, &account), RMD_ENOTSUP);
    CHECK_EQ(rmd_future_read(future, 1, 0, &byte, 1), RMD_ENOTSUP);
    CHECK(!account);
    free_both();
}

TEST(a_value_beyond_the_limits_leaves_the_promise_open)
{
    static char much[(16 << 20) + 1];
    open_promise(NULL);
    CHECK_EQ(rmd_promise_set(promise, ((rmd_bytes){ much, sizeof much })), RMD_E2BIG);
    CHECK_CONTAINS(rmd_error_detail(), "limit");
    CHECK_EQ(rmd_future_outcome(future), RMD_PENDING);
    CHECK_EQ(rmd_promise_set(promise, 1), 0);
    CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_OK);
    free_both();
}

/* Whatever allocation it is that fails, the promise is still to be completed. */
static int set_with_little_memory(void *arg)
{
    int number = 0;
    (void)arg;
    int err = rmd_promise_open(&promise, &future, NULL);
    if (err < 0)
        return err;
    err = rmd_promise_set(promise, RMD_LIST_OF("one", "two"));
    if (err < 0) {
        CHECK_EQ(rmd_future_outcome(future), RMD_PENDING);
        CHECK_EQ(rmd_promise_set(promise, 7), 0);
        CHECK_EQ(rmd_future_get(future, &number), 0);
        CHECK_EQ(number, 7);
    } else {
        err = rmd_promise_set(promise, "what comes too late is given back");
        CHECK(err == RMD_ETOOLATE || err == RMD_ENOMEM);
        err = err == RMD_ETOOLATE ? 0 : err;
    }
    free_both();
    return err;
}

TEST(a_value_without_memory_leaves_the_promise_open)
{
    CHECK_INT(kit_alloc(set_with_little_memory, NULL, RMD_ENOMEM), >, 3);
}

/* ---- an error ---- */

TEST(what_is_no_error_leaves_the_promise_open)
{
    open_promise(NULL);
    CHECK_EQ(rmd_promise_fail(promise, 0, "no"), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "promise: 0 is no error code, or no text was given");
    CHECK_EQ(rmd_promise_fail(promise, 1, "no"), RMD_EINVAL);
    CHECK_EQ(rmd_promise_fail(promise, INT_MAX, "no"), RMD_EINVAL);
    CHECK_EQ(rmd_promise_fail(promise, RMD_EIO, NULL), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "promise: -12 is no error code, or no text was given");
    CHECK_EQ(rmd_future_outcome(future), RMD_PENDING);
    CHECK_EQ(rmd_promise_fail(promise, RMD_EIO, "yes"), 0);
    CHECK_EQ(rmd_future_error(future), RMD_EIO);
    CHECK_STR(rmd_error_detail(), "yes");
    free_both();
}

TEST(any_negative_code_is_an_error)
{
    static const int codes[] = { -1, RMD_ELOST, RMD_ECANCELED, -1001, INT_MIN };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        const rmd_value *value = NULL;
        open_promise(NULL);
        CHECK_EQ(rmd_promise_fail(promise, codes[i], "%s", "so it was"), 0);
        CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_FAILED);
        CHECK_EQ(rmd_future_error(future), codes[i]);
        CHECK_EQ(rmd_future_value(future, &value), codes[i]);
        CHECK(!value);
        free_both();
    }
}

TEST(the_words_of_an_error_may_be_none_or_too_many)
{
    char words[RMDI_ERROR_DETAIL_MAX + 100];
    memset(words, 'w', sizeof words - 1);
    words[sizeof words - 1] = 0;
    open_promise(NULL);
    CHECK_EQ(rmd_promise_fail(promise, RMD_EIO, "%s", ""), 0);
    CHECK_STR(failure().detail, "");
    CHECK_EQ(rmd_future_error(future), RMD_EIO);
    CHECK_STR(rmd_error_detail(), "");
    free_both();
    open_promise(NULL);
    CHECK_EQ(rmd_promise_fail(promise, RMD_EIO, "%s", words), 0);
    words[RMDI_ERROR_DETAIL_MAX - 1] = 0;
    CHECK_STR(failure().detail, words);
    free_both();
}

TEST(an_error_tells_which_promise_it_is_of)
{
    open_promise("answer");
    CHECK_EQ(rmd_promise_fail(promise, -1234, "%d of %s", 6, "seven"), 0);
    rmd_failure f = failure();
    CHECK_EQ(f.id, rmd_future_id(future));
    CHECK_STR(f.name, "answer");
    CHECK_EQ(f.outcome, RMD_OUTCOME_FAILED);
    CHECK_EQ(f.error, -1234);
    CHECK_STR(f.detail, "6 of seven");
    free_both();
}

TEST(an_error_without_memory_for_its_words_is_still_that_error)
{
    open_promise(NULL);
    kit_alloc_fail(1);
    int err = rmd_promise_fail(promise, RMD_EIO, "%s", "many words");
    kit_alloc_fail(0);
    CHECK_EQ(err, 0);
    CHECK_EQ(rmd_future_error(future), RMD_EIO);
    CHECK_STR(rmd_error_detail(), "there was no memory for what it said");
    free_both();
}

/* ---- cancelled, and broken ---- */

TEST(a_promise_that_was_cancelled_says_so_and_is_not_completed)
{
    open_promise(NULL);
    CHECK_EQ(rmd_future_cancel(future), 0);
    CHECK_EQ(rmd_promise_set(promise, 1), RMD_ETOOLATE);
    check_detail("was completed, or cancelled");
    CHECK_EQ(rmd_promise_fail(promise, RMD_EIO, "no"), RMD_ETOOLATE);
    check_detail("was completed, or cancelled");
    rmd_promise_free(promise);
    CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_CANCELLED);
    CHECK_EQ(rmd_future_error(future), RMD_ECANCELED);
    CHECK_STR(rmd_error_detail(), "the promise was cancelled");
    rmd_future_free(future);
}

TEST(a_promise_that_is_freed_without_a_value_is_lost_and_says_so)
{
    open_promise(NULL);
    rmd_promise_free(promise);
    CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_LOST);
    CHECK_EQ(rmd_future_error(future), RMD_ELOST);
    CHECK_STR(rmd_error_detail(), "its promise was freed without a value");
    CHECK_EQ(rmd_future_cancel(future), RMD_ETOOLATE);
    rmd_future_free(future);
}

TEST(only_one_that_was_cancelled_says_that_it_was)
{
    open_promise(NULL);
    CHECK(!rmd_promise_cancelled(promise));
    CHECK_EQ(rmd_promise_set(promise, 1), 0);
    CHECK_EQ(rmd_future_cancel(future), RMD_ETOOLATE);
    CHECK(!rmd_promise_cancelled(promise));
    free_both();
    open_promise(NULL);
    CHECK_EQ(rmd_promise_fail(promise, RMD_ECANCELED, "as if"), 0);
    CHECK(!rmd_promise_cancelled(promise));
    free_both();
}

TEST(what_comes_too_late_changes_nothing)
{
    int number = 0;
    open_promise(NULL);
    CHECK_EQ(rmd_promise_set(promise, 42), 0);
    CHECK_EQ(rmd_promise_set(promise, "a text"), RMD_ETOOLATE);
    check_detail("was completed, or cancelled");
    CHECK_EQ(rmd_promise_fail(promise, RMD_EIO, "no"), RMD_ETOOLATE);
    rmd_promise_free(promise);
    CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_OK);
    CHECK_EQ(rmd_future_get(future, &number), 0);
    CHECK_EQ(number, 42);
    rmd_future_free(future);
}

TEST(without_a_promise_everything_is_refused_or_nothing)
{
    CHECK_EQ(rmd_promise_set(NULL, 1), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "promise: none was given");
    rmd_fail(RMD_EIO, "another one");
    CHECK_EQ(rmd_promise_fail(NULL, RMD_EIO, "no"), RMD_EINVAL);
    CHECK_STR(rmd_error_detail(), "promise: none was given");
    CHECK(!rmd_promise_cancelled(NULL));
    rmd_promise_free(NULL);
}

/* ---- callbacks ---- */

static char order[8], a[] = "a", b[] = "b", c[] = "c";

static void note(rmd_future *f, void *ctx)
{
    CHECK(f == future);
    CHECK_EQ(rmd_future_outcome(f), RMD_OUTCOME_OK);
    strncat(order, ctx, 1);
}

TEST(callbacks_begin_in_the_order_given_when_all_is_there)
{
    open_promise(NULL);
    CHECK_EQ(rmd_future_on_end(future, note, a), 0);
    CHECK_EQ(rmd_future_on_end(future, note, b), 0);
    CHECK_EQ(rmd_future_on_end(future, note, c), 0);
    CHECK_STR(order, "");
    CHECK_EQ(rmd_promise_set(promise, 1), 0);
    CHECK_STR(order, "abc");
    free_both();
}

static void free_future(rmd_future *f, void *ctx)
{
    int number = 0;
    CHECK_EQ(rmd_future_get(f, &number), 0);
    CHECK_EQ(number, 42);
    rmd_future_free(f);
    ++*(int *)ctx;
}

TEST(a_callback_may_free_the_future_under_the_hands_of_whoever_completes_it)
{
    int calls = 0;
    open_promise(NULL);
    CHECK_EQ(rmd_future_on_end(future, free_future, &calls), 0);
    CHECK_EQ(rmd_promise_set(promise, 42), 0);
    CHECK_EQ(calls, 1);
    CHECK_EQ(rmd_promise_set(promise, 43), RMD_ETOOLATE); /* the promise is still ours */
    rmd_promise_free(promise);
}

static void set_next(rmd_future *f, void *next)
{
    int number = 0;
    CHECK_EQ(rmd_future_get(f, &number), 0);
    CHECK_EQ(rmd_promise_set((rmd_promise *)next, number + 1), 0);
}

TEST(a_callback_may_complete_another_promise)
{
    enum { LINKS = 100 };
    rmd_promise *promises[LINKS];
    rmd_future *futures[LINKS];
    int number = 0;
    for (int i = 0; i < LINKS; i++)
        REQUIRE(rmd_promise_open(&promises[i], &futures[i], NULL) == 0);
    for (int i = 0; i + 1 < LINKS; i++)
        CHECK_EQ(rmd_future_on_end(futures[i], set_next, promises[i + 1]), 0);
    CHECK_EQ(rmd_promise_set(promises[0], 1), 0);
    CHECK_EQ(rmd_future_get(futures[LINKS - 1], &number), 0);
    CHECK_EQ(number, LINKS);
    for (int i = 0; i < LINKS; i++) {
        rmd_promise_free(promises[i]);
        rmd_future_free(futures[i]);
    }
}

/* ---- threads ---- */

enum { ROUNDS = 2000 };

static rmd_promise *promises[ROUNDS];
static rmd_future *futures[ROUNDS];

static void set_or_break(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        int err = i % 2 ? rmd_promise_set(promises[i], "of one") : 0;
        CHECK(err == 0 || err == RMD_ETOOLATE);
        rmd_promise_free(promises[i]);
    }
}

/* The future is given up while the promise is completed, and cancelled before: whoever is last
 * frees the memory, which the sanitizers watch. */
TEST(a_future_is_cancelled_and_freed_while_its_promise_is_completed_and_freed)
{
    rmd_thread *thread;
    for (int i = 0; i < ROUNDS; i++)
        REQUIRE(rmd_promise_open(&promises[i], &futures[i], NULL) == 0);
    REQUIRE(rmd_thread_start(&thread, set_or_break, NULL, NULL) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        bool cancelled = i % 3 == 0 && rmd_future_cancel(futures[i]) == 0;
        if (cancelled)
            CHECK_EQ(rmd_future_outcome(futures[i]), RMD_OUTCOME_CANCELLED);
        rmd_future_free(futures[i]);
    }
    CHECK_EQ(rmd_thread_join(thread, RMD_FOREVER), 0);
    CHECK_EQ(rmd_thread_free(thread), 0);
}

/* ---- a child ---- */

static void be_child(void)
{
    static const char words[] = "the promise belongs to the process that made it";
    CHECK_EQ(rmd_promise_set(promise, 1), RMD_EFORKED);
    CHECK_STR(rmd_error_detail(), words);
    rmd_fail(RMD_EIO, "another one");
    CHECK_EQ(rmd_promise_fail(promise, RMD_EIO, "no"), RMD_EFORKED);
    CHECK_STR(rmd_error_detail(), words);
    CHECK_EQ(rmd_future_cancel(future), RMD_EFORKED);
    CHECK_EQ(rmd_future_wait(future, RMD_FOREVER), RMD_EFORKED);
    CHECK(!rmd_promise_cancelled(promise));
    rmd_promise_free(promise);
    CHECK_EQ(rmd_future_outcome(future), RMD_PENDING); /* what the parent does with it is open */
    CHECK_STR(order, "");
    rmd_future_free(future);
    open_promise("the child's own");
    CHECK_EQ(rmd_promise_set(promise, 1), 0);
    CHECK_EQ(rmd_future_error(future), 0);
    free_both();
}

TEST(in_a_forked_child_a_promise_is_the_parents_which_completes_it)
{
    open_promise(NULL);
    CHECK_EQ(rmd_future_on_end(future, note, a), 0);
    pid_t child = fork();
    if (child == 0) {
        be_child();
        _exit(0);
    }
    CHECK_CHILD(child);
    CHECK_EQ(rmd_promise_set(promise, 1), 0);
    CHECK_STR(order, "a");
    free_both();
}
