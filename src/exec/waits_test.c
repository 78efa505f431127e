/* SPDX-License-Identifier: MIT */
/* Tasks that wait for each other, and of whose waits the last would never end: it is refused, and
 * no wait that might end is. */
#include "kit.h"
#include "kit_soon.h"

#include <remuda/completions.h>
#include <remuda/error.h>
#include <remuda/event.h>
#include <remuda/group.h>
#include <remuda/pool.h>
#include <remuda/promise.h>
#include <remuda/task.h>
#include <sched.h>
#include <stdio.h>

enum { NODES_MAX = 5, AWAITED_MAX = 3, DETAIL_MAX = 512 };

/* A task that waits when it is told to. */
typedef struct node {
    rmd_event *go;
    rmd_future *future, *awaited[AWAITED_MAX];
    size_t n;
    rmd_wait_for what;
    rmd_deadline deadline;
    rmd_group *group;     /* waited for instead */
    rmd_completions *any; /* the same */
    rmd_pool *drained;    /* the same */
    int64_t result;
    char detail[DETAIL_MAX];
} node;

/* Of one test. Each has a worker. */
static struct {
    rmd_pool *pool, *other; /* the second: of the last task, or NULL */
    rmd_promise *promise;
    rmd_future *promised;
    node nodes[NODES_MAX];
    int len;
} t;

static int64_t wait_as(const node *self)
{
    rmd_future *next;
    if (self->group)
        return rmd_group_wait(self->group, self->deadline);
    if (self->any)
        return rmd_completions_next(self->any, &next, self->deadline);
    if (self->drained)
        return rmd_pool_drain(self->drained, self->deadline);
    return rmd_futures_wait(self->awaited, self->n, self->what, self->deadline);
}

static int run_node(void *arg)
{
    node *self = arg;
    int err = rmd_event_wait(self->go, RMD_FOREVER);
    if (err < 0)
        return err;
    self->result = wait_as(self);
    if (self->result < 0)
        snprintf(self->detail, sizeof self->detail, "%s", rmd_error_detail());
    return self->result < 0 ? (int)self->result : 0;
}

static void submit_node(int i, rmd_pool *pool, rmd_group *group)
{
    static const char *const names[] = { "a", "b", "c", "d", "e" };
    rmd_task_options options = { .size = sizeof options, .name = names[i], .group = group };
    node *self = &t.nodes[i];
    *self = (node){ .deadline = RMD_FOREVER };
    REQUIRE(rmd_event_open(&self->go) == 0);
    REQUIRE(rmd_submit(pool, &self->future, run_node, self, &options) == 0);
}

/* Tasks "a", "b", ..., of which the first so many are in the group. */
static void open_grouped(int n, rmd_group *group, int grouped)
{
    char kind[32];
    t.len = n;
    t.other = NULL;
    snprintf(kind, sizeof kind, "threads:%d", n);
    REQUIRE(rmd_pool_open(&t.pool, kind, NULL, soon()) == 0);
    REQUIRE(rmd_promise_open(&t.promise, &t.promised, NULL) == 0);
    for (int i = 0; i < n; i++)
        submit_node(i, t.pool, i < grouped ? group : NULL);
}

/* "a" in one pool, and in the group, and "b" in another. */
static void open_two_pools(rmd_group *group)
{
    open_grouped(1, group, 1);
    REQUIRE(rmd_pool_open(&t.other, "threads:1", NULL, soon()) == 0);
    submit_node(t.len++, t.other, NULL);
}

static void open_nodes(int n)
{
    open_grouped(n, NULL, 0);
}

/* It waits for these: "bc" for the second and the third; '+' is the promise. */
static void waits_for(int i, rmd_wait_for what, const char *names)
{
    node *self = &t.nodes[i];
    self->what = what;
    for (; *names; names++)
        self->awaited[self->n++] = *names == '+' ? t.promised : t.nodes[*names - 'a'].future;
}

/* How many wait. */
static unsigned blocked(void)
{
    rmd_statistics now = { 0 }, others = { 0 };
    REQUIRE(rmd_pool_statistics(t.pool, &now) == 0);
    REQUIRE(!t.other || rmd_pool_statistics(t.other, &others) == 0);
    return now.blocked + others.blocked;
}

static uint64_t running(void)
{
    rmd_census now = { 0 }, others = { 0 };
    REQUIRE(rmd_pool_census(t.pool, &now) == 0);
    REQUIRE(!t.other || rmd_pool_census(t.other, &others) == 0);
    return now.running + others.running;
}

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static bool is_closed(rmd_pool *pool)
{
    return rmd_submit(pool, NULL, do_nothing, NULL, NULL) == RMD_ECLOSED;
}

static bool has_begun_to_wait(const node *self, unsigned before)
{
    /* Who drains closes the pool when it is known that it waits. */
    return self->drained ? is_closed(self->drained) : blocked() > before;
}

/* Until it waits, or has ended. */
static void let_wait(int i)
{
    node *self = &t.nodes[i];
    unsigned before = blocked();
    CHECK_EQ(rmd_event_set(self->go), 0);
    while (!has_begun_to_wait(self, before) && rmd_future_state(self->future) != RMD_STATE_ENDED)
        sched_yield();
}

/* Each on its own worker: all have begun before the first waits. */
static void let_all_wait(void)
{
    while (running() < (uint64_t)t.len)
        sched_yield();
    for (int i = 0; i < t.len; i++)
        let_wait(i);
}

static bool waits(int i)
{
    return rmd_future_state(t.nodes[i].future) != RMD_STATE_ENDED;
}

static void close_nodes(void)
{
    for (int i = 0; i < t.len; i++)
        CHECK_EQ(rmd_future_wait(t.nodes[i].future, soon()), 0);
    CHECK_EQ(rmd_pool_drain(t.pool, soon()), 0);
    CHECK_EQ(rmd_pool_free(t.pool), 0);
    if (t.other) {
        CHECK_EQ(rmd_pool_drain(t.other, soon()), 0);
        CHECK_EQ(rmd_pool_free(t.other), 0);
    }
    for (int i = 0; i < t.len; i++) {
        rmd_future_free(t.nodes[i].future);
        CHECK_EQ(rmd_event_free(t.nodes[i].go), 0);
    }
    rmd_promise_free(t.promise);
    rmd_future_free(t.promised);
}

/* The last is refused, and all others have waited in vain until then. */
static void check_only_last_refused(void)
{
    let_all_wait();
    for (int i = 0; i < t.len; i++)
        CHECK_EQ(rmd_future_wait(t.nodes[i].future, soon()), 0);
    for (int i = 0; i < t.len; i++)
        CHECK_EQ(t.nodes[i].result == RMD_EDEADLK, i == t.len - 1);
}

/* Nobody is refused: all wait until the promise is set. */
static void check_waits_for_promise(void)
{
    let_all_wait();
    for (int i = 0; i < t.len; i++)
        CHECK(waits(i));
    CHECK_EQ(rmd_promise_set(t.promise, 1), 0);
    for (int i = 0; i < t.len; i++) {
        CHECK_EQ(rmd_future_wait(t.nodes[i].future, soon()), 0);
        CHECK(t.nodes[i].result >= 0);
    }
}

/* ---- any of several ---- */

TEST(a_wait_for_any_of_those_that_all_wait_for_it_is_refused_and_named)
{
    open_nodes(3);
    waits_for(0, RMD_WAIT_ALL, "b");
    waits_for(1, RMD_WAIT_ALL, "c");
    waits_for(2, RMD_WAIT_ANY, "ab");
    check_only_last_refused();
    CHECK_CONTAINS(t.nodes[2].detail, "\"c\" waits for task ");
    CHECK_CONTAINS(t.nodes[2].detail, "\"a\", which waits for task ");
    CHECK_CONTAINS(t.nodes[2].detail, "\"b\", which waits for task ");
    close_nodes();
}

TEST(a_wait_through_a_wait_for_any_is_refused_if_all_of_them_lead_back)
{
    open_nodes(3);
    waits_for(0, RMD_WAIT_ANY, "bc");
    waits_for(1, RMD_WAIT_FIRST_FAILURE, "ac");
    waits_for(2, RMD_WAIT_ALL, "b");
    check_only_last_refused();
    close_nodes();
}

TEST(a_task_that_waits_for_any_of_itself_is_refused)
{
    open_nodes(1);
    waits_for(0, RMD_WAIT_ANY, "aa");
    check_only_last_refused();
    CHECK_CONTAINS(t.nodes[0].detail, "\"a\" waits for itself");
    close_nodes();
}

/* What was found on one of two branches holds for the other one. */
TEST(two_branches_of_a_wait_for_any_may_meet_in_one_task)
{
    open_nodes(4);
    waits_for(0, RMD_WAIT_ALL, "c");
    waits_for(1, RMD_WAIT_ALL, "c");
    waits_for(2, RMD_WAIT_ALL, "d");
    waits_for(3, RMD_WAIT_ANY, "ab");
    check_only_last_refused();
    close_nodes();
}

/* Each of the first two is looked at while the other one is. */
TEST(waits_for_any_may_lead_to_each_other_and_back)
{
    open_nodes(3);
    waits_for(0, RMD_WAIT_ANY, "bc");
    waits_for(1, RMD_WAIT_ANY, "ac");
    waits_for(2, RMD_WAIT_ANY, "ab");
    check_only_last_refused();
    close_nodes();
}

TEST(a_wait_for_any_is_not_refused_if_one_of_them_may_end)
{
    open_nodes(3);
    waits_for(0, RMD_WAIT_ALL, "b");
    waits_for(1, RMD_WAIT_ALL, "c");
    waits_for(2, RMD_WAIT_ANY, "ab+");
    check_waits_for_promise();
    close_nodes();
}

TEST(the_first_failure_is_waited_for_until_nothing_else_can_end)
{
    open_nodes(2);
    waits_for(0, RMD_WAIT_ALL, "b");
    waits_for(1, RMD_WAIT_FIRST_FAILURE, "a+");
    let_all_wait();
    CHECK(waits(0) && waits(1));
    CHECK_EQ(rmd_promise_set(t.promise, 1), 0);
    CHECK_EQ(rmd_future_wait(t.nodes[1].future, soon()), 0);
    CHECK_EQ(t.nodes[1].result, RMD_EDEADLK);
    close_nodes();
}

TEST(a_wait_for_any_with_a_deadline_ends_by_that)
{
    open_nodes(2);
    waits_for(0, RMD_WAIT_ANY, "b");
    waits_for(1, RMD_WAIT_ANY, "a");
    t.nodes[1].deadline = rmd_after_ms(50);
    let_all_wait();
    close_nodes();
    CHECK_EQ(t.nodes[0].result, 0);
    CHECK_EQ(t.nodes[1].result, RMD_ETIMEDOUT);
}

TEST(a_wait_for_any_of_those_that_will_give_up_is_not_refused)
{
    open_nodes(2);
    waits_for(0, RMD_WAIT_ALL, "b");
    waits_for(1, RMD_WAIT_ANY, "a");
    t.nodes[0].deadline = rmd_after_ms(50);
    let_all_wait();
    close_nodes();
    CHECK_EQ(t.nodes[0].result, RMD_ETIMEDOUT);
    CHECK_EQ(t.nodes[1].result, 0);
}

TEST(completions_that_two_wait_for_may_be_all_that_is_left)
{
    rmd_completions *ends;
    open_nodes(2);
    rmd_future *both[] = { t.nodes[0].future, t.nodes[1].future };
    REQUIRE(rmd_completions_open(&ends, both, 2) == 0);
    t.nodes[0].any = t.nodes[1].any = ends;
    check_only_last_refused();
    CHECK_EQ(rmd_completions_left(ends), 1);
    rmd_completions_free(ends);
    close_nodes();
}

/* ---- groups ---- */

TEST(a_search_comes_by_a_group_that_it_is_going_through)
{
    rmd_group *group;
    REQUIRE(rmd_group_open(&group) == 0);
    open_grouped(3, group, 1);
    waits_for(0, RMD_WAIT_ANY, "b+");
    t.nodes[1].group = t.nodes[2].group = group;
    check_waits_for_promise();
    close_nodes();
    open_grouped(2, group, 1);
    waits_for(0, RMD_WAIT_ANY, "b");
    t.nodes[1].group = group;
    check_only_last_refused();
    CHECK_CONTAINS(t.nodes[1].detail, "\"b\" waits for task ");
    close_nodes();
    CHECK_EQ(rmd_group_free(group), 0);
}

/* While it looks at the first, the second is found to wait for none but tasks that are being looked
 * at; and then that the first may end. */
TEST(what_is_found_out_later_about_a_wait_for_any_is_heeded)
{
    rmd_group *group;
    REQUIRE(rmd_group_open(&group) == 0);
    open_grouped(3, group, 2);
    waits_for(0, RMD_WAIT_ANY, "bc+");
    waits_for(1, RMD_WAIT_ANY, "ac");
    t.nodes[2].group = group;
    check_waits_for_promise();
    close_nodes();
    CHECK_EQ(rmd_group_free(group), 0);
}

/* ---- the end of a pool ---- */

TEST(a_task_that_waits_for_one_that_waits_for_the_end_of_its_pool_is_refused)
{
    open_two_pools(NULL);
    t.nodes[0].drained = t.other;
    waits_for(1, RMD_WAIT_ALL, "a");
    check_only_last_refused();
    CHECK_CONTAINS(t.nodes[1].detail, "\"b\" waits for task ");
    CHECK_CONTAINS(t.nodes[1].detail, "\"a\", which waits for task ");
    CHECK_EQ(t.nodes[0].result, 0);
    close_nodes();
}

TEST(a_task_that_waits_for_a_group_in_which_one_waits_for_the_end_of_its_pool_is_refused)
{
    rmd_group *group;
    REQUIRE(rmd_group_open(&group) == 0);
    open_two_pools(group);
    t.nodes[0].drained = t.other;
    t.nodes[1].group = group;
    check_only_last_refused();
    close_nodes();
    CHECK_EQ(rmd_group_free(group), 0);
}

TEST(a_drain_inside_a_task_that_one_of_the_pools_tasks_waits_for_is_refused)
{
    open_two_pools(NULL);
    waits_for(0, RMD_WAIT_ALL, "b");
    t.nodes[1].drained = t.pool;
    check_only_last_refused();
    CHECK_CONTAINS(t.nodes[1].detail, "\"a\", which waits for task ");
    CHECK(!is_closed(t.pool));
    close_nodes();
}

TEST(of_two_tasks_that_drain_each_others_pool_one_is_refused)
{
    open_two_pools(NULL);
    t.nodes[0].drained = t.other;
    t.nodes[1].drained = t.pool;
    check_only_last_refused();
    CHECK_EQ(t.nodes[0].result, 0);
    CHECK(!is_closed(t.pool));
    close_nodes();
}

TEST(a_task_may_wait_for_any_of_one_that_waits_for_the_end_of_its_pool_and_another)
{
    open_two_pools(NULL);
    t.nodes[0].drained = t.other;
    waits_for(1, RMD_WAIT_ANY, "a+");
    check_waits_for_promise();
    close_nodes();
}

TEST(a_drain_with_a_deadline_ends_by_that)
{
    open_two_pools(NULL);
    t.nodes[0].drained = t.other;
    t.nodes[0].deadline = rmd_after_ms(50);
    waits_for(1, RMD_WAIT_ALL, "a");
    let_all_wait();
    close_nodes();
    CHECK_EQ(t.nodes[0].result, RMD_ETIMEDOUT);
    CHECK_EQ(t.nodes[1].result, RMD_ECANCELED);
}

/* ---- the last worker ---- */

static int go_on(rmd_future *first, void *arg)
{
    (void)first;
    return do_nothing(arg);
}

/* Two on one worker, and its spare: what would be left to run the first? */
TEST(the_last_worker_runs_what_any_of_several_is_held_back_by)
{
    rmd_future *first, *second;
    open_nodes(1);
    node last = { .go = t.nodes[0].go, .deadline = RMD_FOREVER };
    rmd_task_options low = { .size = sizeof low, .priority = RMD_PRIORITY_LOW };
    REQUIRE(rmd_submit(t.pool, &last.future, run_node, &last, NULL) == 0);
    REQUIRE(rmd_submit(t.pool, &first, do_nothing, NULL, &low) == 0);
    REQUIRE(rmd_then(t.pool, &second, first, go_on, NULL, NULL) == 0);
    last.awaited[last.n++] = second;
    last.what = RMD_WAIT_ANY;
    t.nodes[0].awaited[t.nodes[0].n++] = second;
    t.nodes[0].what = RMD_WAIT_FIRST_FAILURE;
    CHECK_EQ(rmd_event_set(last.go), 0);
    CHECK_EQ(rmd_future_wait(last.future, soon()), 0);
    CHECK_EQ(last.result, 0);
    close_nodes();
    CHECK_EQ(t.nodes[0].result, 1);
    rmd_future_free(last.future);
    rmd_future_free(first);
    rmd_future_free(second);
}
