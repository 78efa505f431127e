/* SPDX-License-Identifier: MIT */
/* Maps whose tasks add tasks, and whose producers have threads of their own; what is collected. */
#include "suite.h"

#include <unistd.h>

/* What producer and sink share. With a producer's thread each writes its own. */
typedef struct tree {
    const char *work;
    rmd_value args[2];
    int roots, produced; /* to be produced, and so far: the producer's */
    int given, ok;       /* the sink's */
    int enough_at;       /* the sink has enough then; 0: never */
    uint64_t wrong_order;
} tree;

static int next_root(void *ctx, rmd_map_task *task)
{
    tree *t = ctx;
    if (t->produced == t->roots)
        return 0;
    int given = the_kind->map(task, t->work, (rmd_args){ .values = t->args, .count = 2 });
    t->produced += given == 1;
    return given;
}

static int take_any(void *ctx, rmd_future *future, uint64_t index)
{
    tree *t = ctx;
    t->wrong_order += index != (uint64_t)t->given;
    t->given++;
    t->ok += rmd_future_outcome(future) == RMD_OUTCOME_OK;
    return t->given == t->enough_at ? rmd_fail(-777, "enough") : 0;
}

static rmd_map_options options_of(tree *t, rmd_map_account *account)
{
    return (rmd_map_options){ .size = sizeof(rmd_map_options),
                              .next = next_root,
                              .sink = take_any,
                              .ctx = t,
                              .account = account };
}

static tree tree_of(int roots, int depth, int width)
{
    return (tree){ .work = "tree", .roots = roots, .args = { RMD_VALUE(depth), RMD_VALUE(width) } };
}

static void check_all(const tree *t, const rmd_map_account *account, int tasks)
{
    CHECK_EQ(t->given, tasks);
    CHECK_EQ(t->ok, tasks);
    CHECK_EQ(account->census.submitted, tasks);
    CHECK_EQ(account->census.ok, tasks);
    CHECK_EQ(account->added, tasks - t->roots);
    CHECK_EQ(account->given, tasks);
    CHECK_EQ(account->waiting + account->dropped + account->bytes, 0);
    CHECK(account->produced);
}

CASE(tasks_that_tasks_add_go_through_the_sink_like_all_others, CALLS)
{
    for (int i = 0; i < 8; i++) {
        tree t = tree_of(2, 5, 3); /* 364 each */
        rmd_map_account account;
        rmd_map_options options = options_of(&t, &account);
        options.as_completed = i & 1;
        options.window = i & 2 ? 1 : 0;
        options.producer_thread = i & 4;
        rmd_pool *pool = open_pool(0);
        CHECK_EQ(rmd_map(pool, &options, soon()), 0);
        check_all(&t, &account, 2 * 364);
        CHECK(t.wrong_order == 0 || options.as_completed);
        end_pool(pool);
    }
}

CASE(a_long_chain_of_tasks_each_of_which_adds_the_next_comes_to_its_end, CALLS)
{
    tree t = tree_of(1, 2000, 1);
    rmd_map_account account;
    rmd_map_options options = options_of(&t, &account);
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(rmd_map(pool, &options, soon()), 0);
    check_all(&t, &account, 2001);
    end_pool(pool);
}

CASE(what_an_attempt_that_failed_has_added_does_not_count, CALLS)
{
    tree t = { .work = "add_until", .roots = 5, .args = { RMD_VALUE(3), RMD_VALUE(0) } };
    rmd_map_account account;
    rmd_map_options options = options_of(&t, &account);
    options.task.limits.attempts_max = 3;
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(rmd_map(pool, &options, soon()), 0);
    check_all(&t, &account, 10);
    CHECK_EQ(counted(), 5);
    options.task.limits.attempts_max = 2; /* and they end FAILED */
    t.produced = t.given = t.ok = 0;
    CHECK_EQ(rmd_map(pool, &options, soon()), 0);
    CHECK_EQ(t.given, 5);
    CHECK_EQ(account.added, 0);
    CHECK_EQ(counted(), 5);
    end_pool(pool);
}

CASE(what_cannot_be_added_is_refused_and_changes_nothing, CALLS)
{
    tree t = { .work = "add_nonsense", .roots = 1 };
    rmd_map_account account;
    rmd_map_options options = options_of(&t, &account);
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(rmd_map(pool, &options, soon()), 0);
    check_all(&t, &account, 2);
    CHECK_EQ(counted(), 1);
    end_pool(pool);
}

CASE(outside_of_a_map_no_task_adds_another, CALLS)
{
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin(pool, "tree", RMD_ARGS(1, 1));
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_error(future), RMD_ENOTSUP);
    CHECK_CONTAINS(rmd_error_detail(), "tree: only a task of a map can add tasks");
    rmd_future_free(future);
    end_pool(pool);
}

static int note_added(void *ctx, const rmd_added *added)
{
    int *n = ctx;
    int64_t depth = 0;
    CHECK_STR(added->function, "tree");
    CHECK_EQ(added->args.count, 2);
    CHECK_EQ(rmd_value_get(&added->args.values[0], &depth), 0);
    CHECK_EQ(depth, 6);
    return ++*n == 3 ? 17 : 0;
}

CASE(who_asks_for_what_a_task_adds_gets_it, CALLS)
{
    int n = 0;
    rmd_pool *pool = open_pool(0);
    rmd_future *future = begin_with(pool, "tree", RMD_ARGS(7, 4),
                                    (rmd_task_options){ .adds = true });
    CHECK_EQ(rmd_future_added(NULL, note_added, &n), RMD_EINVAL);
    CHECK_EQ(rmd_future_added(future, NULL, &n), RMD_EINVAL);
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK_EQ(rmd_future_added(future, note_added, &n), 17);
    CHECK_EQ(n, 3);
    rmd_future_free(future);
    end_pool(pool);
}

static int next_marked(void *ctx, rmd_map_task *task)
{
    static int marks[3];
    int *n = ctx;
    if (*n == 3)
        return 0;
    rmd_map_ctx(task, &marks[*n]);
    marks[*n] = 10 + *n;
    ++*n;
    return rmd_map_call(task, "tree", RMD_ARGS(1, 2));
}

static int sum_of_marks, unmarked;

static int take_marked(void *ctx, rmd_future *future, uint64_t index)
{
    const int *mark = rmd_future_ctx(future);
    (void)index;
    if (mark == ctx)
        unmarked++;
    else
        sum_of_marks += *mark;
    return 0;
}

CASE(the_sink_is_told_which_task_of_the_producer_it_is, CALLS)
{
    int n = 0;
    rmd_map_options options = {
        .size = sizeof options, .next = next_marked, .sink = take_marked, .ctx = &n, .task.ctx = &n
    };
    rmd_pool *pool = open_pool(0);
    sum_of_marks = unmarked = 0;
    CHECK_EQ(rmd_map(pool, &options, soon()), 0);
    CHECK_EQ(sum_of_marks, 10 + 11 + 12);
    CHECK_EQ(unmarked, 6);
    end_pool(pool);
}

/* ---- the end that comes early ---- */

CASE(what_was_added_and_not_submitted_when_a_map_ends_early_is_told, CALLS)
{
    tree t = tree_of(1, 1, 50);
    rmd_map_account account;
    rmd_map_options options = options_of(&t, &account);
    options.window = 4;
    t.enough_at = 5; /* the root, and four of the 50 */
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(rmd_map(pool, &options, soon()), -777);
    CHECK_EQ(account.waiting, 0);
    CHECK_EQ(account.added + account.dropped, 50);
    CHECK_INT(account.dropped, >=, 50 - 4 - 4);
    CHECK(rmd_census_balances(&account.census));
    CHECK_EQ(account.given, account.census.submitted);
    end_pool(pool);
}

CASE(a_task_that_says_that_it_was_cancelled_cancels_the_map, CALLS)
{
    tree t = { .work = "fail", .roots = -1 }; /* for ever */
    t.args[0] = RMD_VALUE(RMD_ECANCELED);
    t.args[1] = rmd_text("found it");
    rmd_map_account account;
    rmd_map_options options = options_of(&t, &account);
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(rmd_map(pool, &options, soon()), RMD_ECANCELED);
    CHECK_STR(rmd_error_detail(), "found it");
    CHECK_INT(account.given, >=, 1);
    CHECK(rmd_census_balances(&account.census));
    end_pool(pool);
}

CASE(tasks_that_add_more_than_may_wait_end_the_map, CALLS)
{
    tree t = tree_of(1, 3, 100);
    rmd_map_account account;
    rmd_map_options options = options_of(&t, &account);
    options.added_bytes_max = 4000;
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(rmd_map(pool, &options, soon()), RMD_EFULL);
    CHECK_CONTAINS(rmd_error_detail(),
                   "map: tasks that were added and wait for room have more than 4000 bytes");
    CHECK_EQ(account.waiting, 0);
    CHECK_INT(account.dropped, >=, 100);
    end_pool(pool);
}

/* Each task of it adds one more, for ever. */
static int take_one_of_many(void *ctx, rmd_future *future, uint64_t index)
{
    tree *t = ctx;
    (void)future;
    (void)index;
    t->given++;
    CHECK_INT(t->given, <, 1000000);
    return 0;
}

static int map_without_end(rmd_pool *pool, bool as_completed, rmd_deadline deadline)
{
    tree t = tree_of(1, 1000000000, 1);
    rmd_map_account account;
    rmd_map_options options = options_of(&t, &account);
    options.sink = take_one_of_many;
    options.as_completed = as_completed;
    int err = rmd_map(pool, &options, deadline);
    CHECK_EQ(account.given, account.census.submitted);
    return err;
}

CASE(a_map_whose_tasks_add_others_without_an_end_ends_at_its_deadline, CALLS)
{
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(map_without_end(pool, false, rmd_after_ms(50)), RMD_ETIMEDOUT);
    CHECK_EQ(map_without_end(pool, true, rmd_after_ms(50)), RMD_ETIMEDOUT);
    end_pool(pool);
}

/* All have ended sooner than they are given, so no wait looks at the time. */
static int take_slowly_many(void *ctx, rmd_future *future, uint64_t index)
{
    tree *t = ctx;
    (void)index;
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    t->given++;
    usleep(1000);
    return 0;
}

CASE(a_slow_sink_of_tasks_that_add_others_does_not_outlast_the_deadline, CALLS)
{
    tree t = tree_of(1, 12, 2); /* 8191 */
    rmd_map_account account;
    rmd_map_options options = options_of(&t, &account);
    options.sink = take_slowly_many;
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(rmd_map(pool, &options, rmd_after_ms(50)), RMD_ETIMEDOUT);
    CHECK_INT(t.given, <, 8191);
    CHECK_EQ(account.given, account.census.submitted);
    end_pool(pool);
}

/* ---- producers on threads of their own ---- */

typedef struct slow {
    rmd_event *given;
    int produced, taken, end;
    int fail_at; /* after so many it fails; < 0: never */
} slow;

/* Gives the next only when the one before has been through the sink: on the calling thread that
 * would be for ever. */
static int next_slowly(void *ctx, rmd_map_task *task)
{
    slow *s = ctx;
    if (s->produced && rmd_event_wait(s->given, RMD_FOREVER) < 0)
        return rmd_fail(-2222, "told to stop");
    rmd_event_clear(s->given);
    if (s->produced == s->fail_at)
        return rmd_fail(-1234, "the producer is tired");
    if (s->produced == s->end)
        return 0;
    s->produced++;
    return the_kind->map(task, "add", RMD_ARGS(1, 2));
}

static int take_slowly(void *ctx, rmd_future *future, uint64_t index)
{
    slow *s = ctx;
    (void)index;
    CHECK_EQ(rmd_future_outcome(future), RMD_OUTCOME_OK);
    s->taken++;
    rmd_event_set(s->given);
    return 0;
}

static int map_slowly(slow *s, rmd_deadline deadline, rmd_map_account *account)
{
    rmd_pool *pool = open_pool(0);
    int results[2];
    for (int i = 0; i < 2; i++) {
        rmd_map_options options = { .size = sizeof options,
                                    .next = next_slowly,
                                    .sink = take_slowly,
                                    .ctx = s,
                                    .as_completed = i,
                                    .producer_thread = true,
                                    .account = account };
        s->produced = s->taken = 0;
        REQUIRE(rmd_event_open(&s->given) == 0);
        results[i] = rmd_map(pool, &options, deadline);
        CHECK_EQ(rmd_event_free(s->given), 0);
        CHECK_EQ(account->given, s->taken);
        CHECK_EQ(account->census.submitted, s->taken);
    }
    CHECK_EQ(results[0], results[1]);
    end_pool(pool);
    return results[0];
}

CASE(a_slow_producer_on_its_own_thread_holds_up_no_result, ANY)
{
    slow s = { .end = 20, .fail_at = -1 };
    rmd_map_account account;
    CHECK_EQ(map_slowly(&s, soon(), &account), 0);
    CHECK_EQ(s.taken, 20);
    CHECK(account.produced);
}

CASE(a_producer_on_its_own_thread_may_have_nothing_to_give, ANY)
{
    slow s = { .end = 0, .fail_at = -1 };
    rmd_map_account account;
    CHECK_EQ(map_slowly(&s, soon(), &account), 0);
    CHECK_EQ(s.taken, 0);
}

CASE(a_producer_on_its_own_thread_may_fail, ANY)
{
    slow s = { .end = 20, .fail_at = 7 };
    rmd_map_account account;
    CHECK_EQ(map_slowly(&s, soon(), &account), -1234);
    CHECK_STR(rmd_error_detail(), "the producer is tired");
    CHECK_EQ(s.taken, 7);
}

static int next_never(void *ctx, rmd_map_task *task)
{
    (void)task;
    int err = rmd_event_wait(ctx, RMD_FOREVER);
    return err < 0 ? err : 0;
}

CASE(a_producer_that_sleeps_on_its_own_thread_is_told_that_the_map_ends, ANY)
{
    rmd_event *never;
    rmd_pool *pool = open_pool(0);
    REQUIRE(rmd_event_open(&never) == 0);
    for (int i = 0; i < 2; i++) {
        rmd_map_options options = { .size = sizeof options,
                                    .next = next_never,
                                    .ctx = never,
                                    .as_completed = i,
                                    .producer_thread = true };
        CHECK_EQ(rmd_map(pool, &options, rmd_after_ms(20)), RMD_ETIMEDOUT);
        CHECK_STR(rmd_error_detail(), "map: the deadline passed while the producer had none");
    }
    CHECK_EQ(rmd_event_free(never), 0);
    end_pool(pool);
}

static int next_always(void *ctx, rmd_map_task *task)
{
    (void)ctx;
    return the_kind->map(task, "add", RMD_ARGS(1, 2));
}

static int take_300(void *ctx, rmd_future *future, uint64_t index)
{
    int *given = ctx;
    (void)future;
    (void)index;
    return ++*given == 300 ? rmd_fail(-777, "enough") : 0;
}

CASE(a_fast_producer_without_an_end_on_its_own_thread_fills_no_more_than_the_window, ANY)
{
    rmd_pool *pool = open_pool(0);
    for (int i = 0; i < 2; i++) {
        int given = 0;
        rmd_map_account account;
        rmd_map_options options = { .size = sizeof options,
                                    .next = next_always,
                                    .sink = take_300,
                                    .ctx = &given,
                                    .window = 8,
                                    .as_completed = i,
                                    .producer_thread = true,
                                    .account = &account };
        CHECK_EQ(rmd_map(pool, &options, soon()), -777);
        CHECK_INT(account.census.submitted, <=, 300 - 1 + 8);
        CHECK_EQ(account.census.queued + account.census.running, 0);
        CHECK(rmd_census_balances(&account.census));
    }
    end_pool(pool);
}

/* ---- bytes ---- */

typedef struct sized {
    int produced, end, under_way, peak;
    size_t bytes; /* of the argument */
    uint64_t more;
} sized;

static int next_sized(void *ctx, rmd_map_task *task)
{
    static char text[4096];
    sized *s = ctx;
    if (s->produced == s->end)
        return 0;
    memset(text, 'x', sizeof text);
    rmd_map_bytes(task, s->more);
    int given = rmd_map_call(task, "echo", RMD_ARGS(rmd_text_of(text, s->bytes)));
    s->produced += given == 1;
    s->under_way += given == 1;
    s->peak = s->under_way > s->peak ? s->under_way : s->peak;
    return given;
}

static int take_sized(void *ctx, rmd_future *future, uint64_t index)
{
    sized *s = ctx;
    (void)index;
    s->under_way--;
    return rmd_future_error(future);
}

static int peak_of(size_t bytes, uint64_t more, uint64_t window_bytes)
{
    sized s = { .end = 50, .bytes = bytes, .more = more };
    rmd_pool *pool = open_pool(0);
    rmd_map_options options = { .size = sizeof options,
                                .next = next_sized,
                                .sink = take_sized,
                                .ctx = &s,
                                .window = 16,
                                .window_bytes = window_bytes };
    CHECK_EQ(rmd_map(pool, &options, soon()), 0);
    CHECK_EQ(s.produced, 50);
    end_pool(pool);
    return s.peak;
}

CASE(a_window_has_bytes_as_well_as_tasks, CALLS)
{
    CHECK_EQ(peak_of(1000, 0, 0), 16);
    CHECK_EQ(peak_of(1000, 0, 3000), 3);
    CHECK_EQ(peak_of(1000, 0, 1), 1); /* one is always let through */
    CHECK_EQ(peak_of(10, 1000, 3000), 3);
    CHECK_EQ(peak_of(10, 0, 1 << 20), 16);
}

/* ---- what is collected ---- */

static int next_of_ten(void *ctx, rmd_map_task *task)
{
    int *n = ctx;
    if (*n == 10)
        return 0;
    ++*n;
    if (*n == 5)
        return rmd_map_call(task, "fail", RMD_ARGS(RMD_EIO, "the fifth"));
    return rmd_map_call(task, "add", RMD_ARGS(*n, 100));
}

static int let_pass(void *ctx, rmd_future *future, uint64_t index)
{
    (void)ctx;
    (void)future;
    (void)index;
    return 0;
}

CASE(a_map_collects_the_values_of_its_tasks_if_asked, CALLS)
{
    int n = 0;
    const rmd_value *values = NULL;
    char text[256];
    rmd_map_options options = { .size = sizeof options,
                                .next = next_of_ten,
                                .sink = let_pass,
                                .ctx = &n,
                                .collected = &values };
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(rmd_map(pool, &options, soon()), 0);
    if (CHECK(values != NULL))
        rmd_value_format(values, text, sizeof text);
    CHECK_STR(text, "[101, 102, 103, 104, null, 106, 107, 108, 109, 110]");
    rmd_value_free(values);
    values = NULL;
    options.sink = NULL; /* then one that fails ends it */
    n = 0;
    CHECK_EQ(rmd_map(pool, &options, soon()), RMD_EIO);
    CHECK(values == NULL);
    end_pool(pool);
}

static int next_deep(void *ctx, rmd_map_task *task)
{
    rmd_value nest[RMD_VALUE_DEPTH_MAX];
    int *depth = ctx;
    if (*depth < 0)
        return 0;
    nest[0] = rmd_int(1);
    for (int i = 1; i <= *depth; i++)
        nest[i] = rmd_list(&nest[i - 1], 1);
    int at = *depth;
    *depth = -1;
    return rmd_map_call(task, "echo", RMD_ARGS(nest[at]));
}

static int collect_nest(void *ctx, rmd_future *future, uint64_t index, rmd_value *value)
{
    static rmd_value outer[2];
    const rmd_value *inner;
    (void)ctx;
    (void)index;
    int err = rmd_future_value(future, &inner);
    if (err < 0)
        return err;
    outer[0] = rmd_list(inner, 1);
    outer[1] = rmd_list(&outer[0], 1);
    *value = rmd_list(&outer[1], 1);
    return 0;
}

static int map_deep(rmd_pool *pool, int depth)
{
    const rmd_value *values = NULL;
    rmd_map_options options = { .size = sizeof options,
                                .next = next_deep,
                                .ctx = &depth,
                                .collected = &values,
                                .collect = collect_nest };
    int err = rmd_map(pool, &options, soon());
    rmd_value_free(values);
    return err;
}

CASE(what_is_too_deep_to_be_collected_is_refused_when_it_is, CALLS)
{
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(map_deep(pool, 59), 0); /* 63 with those around it, and the list of all */
    CHECK_EQ(map_deep(pool, 60), RMD_E2BIG);
    CHECK_CONTAINS(rmd_error_detail(), "map: what is collected has more than 63 levels");
    end_pool(pool);
}

static int collect_odd(void *ctx, rmd_future *future, uint64_t index, rmd_value *value)
{
    int64_t n = 0;
    (void)ctx;
    (void)index;
    int err = rmd_future_get(future, &n);
    if (err < 0)
        *value = rmd_text("none");
    else if (n % 2)
        *value = RMD_VALUE(n * n);
    return 0;
}

CASE(what_is_collected_is_what_the_user_says, CALLS)
{
    int n = 0;
    const rmd_value *values = NULL;
    char text[256];
    rmd_map_options options = { .size = sizeof options,
                                .next = next_of_ten,
                                .ctx = &n,
                                .collected = &values,
                                .collect = collect_odd };
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(rmd_map(pool, &options, soon()), 0);
    if (CHECK(values != NULL))
        rmd_value_format(values, text, sizeof text);
    CHECK_STR(text, "[10201, 10609, \"none\", 11449, 11881]");
    rmd_value_free(values);
    options.collected = NULL;
    CHECK_EQ(rmd_map(pool, &options, soon()), RMD_EINVAL);
    end_pool(pool);
}

/* ---- how it goes ---- */

typedef struct told {
    tree t;
    int times;
    rmd_map_account last;
} told;

static void note_progress(void *ctx, const rmd_map_account *account)
{
    told *p = ctx;
    p->times++;
    CHECK(rmd_census_balances(&account->census));
    CHECK_INT(account->given, <=, account->census.submitted);
    p->last = *account;
}

CASE(a_map_tells_how_it_goes_and_where_everything_is, CALLS)
{
    told p = { .t = tree_of(3, 6, 3) };
    rmd_map_options options = options_of(&p.t, NULL);
    options.progress = note_progress;
    options.progress_ms = 1;
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(rmd_map(pool, &options, soon()), 0);
    CHECK_INT(p.times, >=, 1);
    check_all(&p.t, &p.last, 3 * 1093);
    options.progress_ms = -1;
    CHECK_EQ(rmd_map(pool, &options, soon()), RMD_EINVAL);
    end_pool(pool);
}
