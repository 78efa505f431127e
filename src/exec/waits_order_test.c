/* SPDX-License-Identifier: MIT */
/* Circles of waits, and the order in which they are closed. Tasks here are promises with a frame,
 * and wait one after the other on one thread: that of whoever "waits" is taken away when its wait
 * has been noted, and put back. So each order is one that a test chooses. At the end some that are
 * real. */
#include "exec/waits.h"

#include "kit.h"
#include "kit_soon.h"

#include "base/error.h"

#include <remuda/error.h>
#include <remuda/event.h>
#include <remuda/pool.h>
#include <remuda/promise.h>
#include <unistd.h>

enum { MANY = 16 };

typedef struct person {
    char name[8];
    rmd_promise *promise;
    rmd_future *future;
    rmdi_frame frame;
    rmdi_waits waits;
} person;

static person people[MANY]; /* "a", "b", … */

static void open_people_named(const char *name)
{
    for (int i = 0; i < MANY; i++) {
        person *p = &people[i];
        snprintf(p->name, sizeof p->name, "%c", 'a' + i);
        REQUIRE(rmd_promise_open(&p->promise, &p->future, name ? name : p->name) == 0);
        p->frame = (rmdi_frame){ .future = p->future };
    }
}

static void open_people(void)
{
    open_people_named(NULL);
}

static void free_people(void)
{
    for (int i = 0; i < MANY; i++) {
        rmd_promise_free(people[i].promise);
        rmd_future_free(people[i].future);
    }
}

static person *of(char name)
{
    return &people[name - 'a'];
}

/* It begins to wait, on a stack with that frame on top. */
static int begin(person *p, rmdi_frame *top, rmd_future *future, rmd_group *group)
{
    rmdi_self_now()->frame = top;
    rmdi_awaited what = { .future = future, .group = group };
    int err = rmdi_waits_begin(&p->waits, what, RMD_FOREVER);
    rmdi_self_now()->frame = NULL;
    return err;
}

static int begin_for(char who, char whom)
{
    return begin(of(who), &of(who)->frame, of(whom)->future, NULL);
}

static int begin_for_group(char who, rmd_group *group)
{
    return begin(of(who), &of(who)->frame, NULL, group);
}

static void end(char who)
{
    rmdi_waits_end(&of(who)->waits);
}

/* "abca" is: a waits for b, which waits for c, which waits for a. */
static void check_circle(int err, const char *names)
{
    char wanted[RMDI_ERROR_DETAIL_MAX] = "", *at = wanted;
    CHECK_EQ(err, RMD_EDEADLK);
    for (int i = 0; names[i]; i++)
        at += sprintf(at, "%stask %llu \"%c\"",
                      i == 0   ? ""
                      : i == 1 ? " waits for "
                               : ", which waits for ",
                      (unsigned long long)rmd_future_id(of(names[i])->future), names[i]);
    CHECK_STR(rmd_error_detail(), wanted);
}

static rmd_group *open_group(const char *members)
{
    rmd_group *group;
    REQUIRE(rmd_group_open(&group) == 0);
    for (; *members; members++)
        rmdi_group_enter(group, of(*members)->future);
    return group;
}

/* ---- small circles ---- */

TEST(a_task_that_waits_for_itself_is_told_so)
{
    char wanted[64];
    open_people();
    CHECK_EQ(begin_for('a', 'a'), RMD_EDEADLK);
    snprintf(wanted, sizeof wanted, "task %llu \"a\" waits for itself",
             (unsigned long long)rmd_future_id(of('a')->future));
    CHECK_STR(rmd_error_detail(), wanted);
    CHECK_EQ(begin_for('a', 'b'), 0); /* it is not noted */
    end('a');
    free_people();
}

TEST(of_two_that_wait_for_each_other_the_second_is_refused_and_both_are_named)
{
    open_people();
    CHECK_EQ(begin_for('a', 'b'), 0);
    check_circle(begin_for('b', 'a'), "bab");
    check_circle(begin_for('b', 'a'), "bab"); /* as often as it is tried */
    end('a');
    CHECK_EQ(begin_for('b', 'a'), 0);
    end('b');
    free_people();
}

TEST(who_closes_a_circle_of_three_is_refused_whoever_it_is)
{
    open_people();
    CHECK_EQ(begin_for('a', 'b'), 0);
    CHECK_EQ(begin_for('b', 'c'), 0);
    check_circle(begin_for('c', 'a'), "cabc");
    end('a');
    CHECK_EQ(begin_for('c', 'a'), 0);
    check_circle(begin_for('a', 'b'), "abca");
    end('b');
    CHECK_EQ(begin_for('a', 'b'), 0);
    check_circle(begin_for('b', 'c'), "bcab");
    end('a');
    end('c');
    free_people();
}

TEST(a_chain_is_no_circle_however_many_wait_for_its_end)
{
    open_people();
    for (char who = 'a'; who < 'p'; who++)
        CHECK_EQ(begin_for(who, (char)(who + 1)), 0);
    for (char who = 'a'; who < 'p'; who++)
        end(who);
    for (char who = 'a'; who < 'p'; who++)
        CHECK_EQ(begin_for(who, 'p'), 0);
    for (char who = 'a'; who < 'p'; who++)
        end(who);
    free_people();
}

/* Its own wait, which is noted yet, holds nobody up any more. */
TEST(a_task_that_has_ended_is_in_no_circle)
{
    open_people();
    CHECK_EQ(begin_for('a', 'b'), 0);
    CHECK_EQ(begin_for('b', 'c'), 0);
    CHECK_EQ(rmd_promise_set(of('b')->promise, 1), 0);
    CHECK_EQ(begin_for('c', 'a'), 0);
    end('a');
    end('b');
    end('c');
    free_people();
}

TEST(a_wait_outside_of_tasks_closes_no_circle)
{
    person *none = of('p');
    open_people();
    CHECK_EQ(begin_for('a', 'b'), 0);
    CHECK_EQ(begin(none, NULL, of('a')->future, NULL), 0);
    rmdi_waits_end(&none->waits);
    check_circle(begin_for('b', 'a'), "bab"); /* the note of the other one is still there */
    end('a');
    free_people();
}

TEST(a_wait_that_has_a_deadline_is_refused_too)
{
    open_people();
    CHECK_EQ(begin_for('a', 'b'), 0);
    rmdi_self_now()->frame = &of('b')->frame;
    check_circle(rmd_future_wait(of('a')->future, soon()), "bab");
    CHECK_EQ(rmd_future_wait(of('a')->future, RMD_NOW), RMD_ETIMEDOUT); /* that is no wait */
    rmdi_self_now()->frame = NULL;
    end('a');
    free_people();
}

/* ---- stacks ---- */

TEST(who_waits_for_a_task_beneath_itself_is_refused)
{
    open_people();
    of('a')->frame.outer = &of('b')->frame;
    check_circle(begin_for('a', 'b'), "aba");
    free_people();
}

/* c waits for b, on top of which a runs. */
TEST(a_circle_may_lead_through_what_lies_beneath)
{
    open_people();
    of('a')->frame.outer = &of('b')->frame;
    CHECK_EQ(begin_for('c', 'b'), 0);
    check_circle(begin_for('a', 'c'), "acba");
    end('c');
    CHECK_EQ(begin_for('a', 'c'), 0);
    check_circle(begin_for('c', 'b'), "cbc"); /* what a waits for b waits for */
    check_circle(begin_for('c', 'a'), "cac");
    end('a');
    free_people();
}

/* ---- groups ---- */

TEST(a_task_that_waits_for_a_group_of_its_own_waits_for_itself)
{
    open_people();
    rmd_group *group = open_group("bac");
    CHECK_EQ(begin_for_group('a', group), RMD_EDEADLK);
    CHECK_CONTAINS(rmd_error_detail(), "\"a\" waits for itself");
    CHECK_EQ(begin_for_group('d', group), 0);
    end('d');
    free_people();
    CHECK_EQ(rmd_group_free(group), 0);
}

TEST(a_circle_may_lead_through_any_member_of_a_group)
{
    open_people();
    rmd_group *group = open_group("bcd"), *other = open_group("gf");
    CHECK_EQ(begin_for_group('a', group), 0);
    CHECK_EQ(begin_for('b', 'e'), 0);
    CHECK_EQ(begin_for('e', 'f'), 0);
    check_circle(begin_for('d', 'a'), "dad");
    check_circle(begin_for('f', 'a'), "fabef");
    CHECK_EQ(rmd_promise_set(of('b')->promise, 1), 0); /* it has left the group */
    CHECK_EQ(begin_for('f', 'a'), 0);
    end('a');
    check_circle(begin_for_group('a', other), "afa");
    end('b');
    end('e');
    end('f');
    free_people();
    CHECK_EQ(rmd_group_free(group), 0);
    CHECK_EQ(rmd_group_free(other), 0);
}

/* Of 2^20 ways through them none leads back: each is come by once, or this takes for ever. */
TEST(each_wait_is_come_by_once_in_a_search)
{
    enum { LAYERS = 20 };
    static person two[LAYERS][2];
    static rmd_group *groups[LAYERS];
    open_people();
    for (int i = 0; i < LAYERS; i++) {
        REQUIRE(rmd_group_open(&groups[i]) == 0);
        for (int j = 0; j < 2; j++) {
            person *p = &two[i][j];
            REQUIRE(rmd_promise_open(&p->promise, &p->future, NULL) == 0);
            p->frame = (rmdi_frame){ .future = p->future };
            rmdi_group_enter(groups[i], p->future);
            CHECK_EQ(i ? begin(p, &p->frame, NULL, groups[i - 1]) : 0, 0);
        }
    }
    for (int i = 0; i < 200; i++) {
        CHECK_EQ(begin_for_group('a', groups[LAYERS - 1]), 0);
        end('a');
    }
    for (int i = 0; i < LAYERS; i++) {
        for (int j = 0; j < 2; j++) {
            if (i)
                rmdi_waits_end(&two[i][j].waits);
            rmd_promise_free(two[i][j].promise);
            rmd_future_free(two[i][j].future);
        }
        CHECK_EQ(rmd_group_free(groups[i]), 0);
    }
    free_people();
}

/* ---- words ---- */

static int count_of(const char *text, const char *word)
{
    int n = 0;
    for (; (text = strstr(text, word)); text++)
        n++;
    return n;
}

TEST(of_a_large_circle_the_end_is_named)
{
    open_people();
    for (char who = 'a'; who < 'n'; who++)
        CHECK_EQ(begin_for(who, (char)(who + 1)), 0);
    /* n waits for a, b, … g, h, i, j, k, l, m, n */
    check_circle(begin_for('n', 'a'), "nghijklmn");
    for (char who = 'a'; who < 'n'; who++)
        end(who);
    free_people();
}

TEST(long_names_are_cut_and_so_is_the_whole)
{
    char name[200], cut[64];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    open_people_named(name);
    CHECK_EQ(begin_for('a', 'b'), 0);
    CHECK_EQ(begin_for('b', 'a'), RMD_EDEADLK);
    snprintf(cut, sizeof cut, " \"%.40s\" waits for", name);
    CHECK_CONTAINS(rmd_error_detail(), cut);
    for (char who = 'b'; who < 'n'; who++)
        CHECK_EQ(begin_for(who, (char)(who + 1)), 0);
    CHECK_EQ(begin_for('n', 'a'), RMD_EDEADLK);
    CHECK_EQ(strlen(rmd_error_detail()), RMDI_ERROR_DETAIL_MAX - 1);
    CHECK_INT(count_of(rmd_error_detail(), "task "), >=, 5);
    for (char who = 'a'; who < 'n'; who++)
        end(who);
    free_people();
}

/* ---- what is held back until another one has ended ---- */

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int go_on(rmd_future *first, void *arg)
{
    (void)first;
    return do_nothing(arg);
}

static rmd_pool *open_pool(const char *kind)
{
    rmd_pool *pool;
    REQUIRE(rmd_pool_open(&pool, kind, NULL, soon()) == 0);
    return pool;
}

static void close_pool(rmd_pool *pool)
{
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
}

/* x is held back by a, so that who waits for x waits for a. */
TEST(a_circle_may_lead_through_a_task_that_is_held_back)
{
    rmd_future *x, *y;
    char wanted[128];
    rmd_pool *pool = open_pool("threads:1");
    open_people();
    REQUIRE(rmd_then(pool, &x, of('a')->future, go_on, NULL, NULL) == 0);
    REQUIRE(rmd_then(pool, &y, x, go_on, NULL, NULL) == 0);
    CHECK_EQ(begin(of('b'), &of('b')->frame, y, NULL), 0);
    CHECK_EQ(begin(of('a'), &of('a')->frame, y, NULL), RMD_EDEADLK);
    unsigned long long a = rmd_future_id(of('a')->future);
    snprintf(wanted, sizeof wanted,
             "task %llu \"a\" waits for task %llu \"task\", which waits for task %llu \"task\", "
             "which waits for task %llu \"a\"",
             a, (unsigned long long)rmd_future_id(y), (unsigned long long)rmd_future_id(x), a);
    CHECK_STR(rmd_error_detail(), wanted);
    CHECK_EQ(begin_for('a', 'b'), RMD_EDEADLK);
    end('b');
    CHECK_EQ(rmd_promise_set(of('a')->promise, 1), 0);
    CHECK_EQ(rmd_future_wait(y, soon()), 0);
    rmd_future_free(x);
    rmd_future_free(y);
    free_people();
    close_pool(pool);
}

/* ---- real ones ---- */

static struct {
    rmd_future *futures[3];
    rmd_event *all_there;
    int errs[3];
} ring;

static int wait_for_next(void *arg)
{
    int *err = arg;
    size_t self = (size_t)(err - ring.errs);
    int waited = rmd_event_wait(ring.all_there, soon());
    *err = waited < 0 ? waited : rmd_future_wait(ring.futures[(self + 1) % 3], soon());
    if (*err == RMD_EDEADLK)
        CHECK_EQ(count_of(rmd_error_detail(), "waits for"), 3);
    return 0;
}

TEST(of_three_tasks_of_several_pools_that_wait_in_a_circle_one_is_refused)
{
    int refused = 0;
    rmd_pool *pools[] = { open_pool("threads:1"), open_pool("threads:1"), open_pool("threads:1") };
    for (int round = 0; round < 100; round++) {
        REQUIRE(rmd_event_open(&ring.all_there) == 0);
        for (int i = 0; i < 3; i++)
            REQUIRE(rmd_submit(pools[i], &ring.futures[i], wait_for_next, &ring.errs[i], NULL) ==
                    0);
        CHECK_EQ(rmd_event_set(ring.all_there), 0);
        for (int i = 0; i < 3; i++)
            CHECK_EQ(rmd_future_wait(ring.futures[i], soon()), 0);
        for (int i = 0; i < 3; i++) {
            rmd_future_free(ring.futures[i]);
            CHECK(ring.errs[i] == 0 || ring.errs[i] == RMD_EDEADLK);
            refused += ring.errs[i] == RMD_EDEADLK;
        }
        CHECK_EQ(rmd_event_free(ring.all_there), 0);
    }
    CHECK_EQ(refused, 100);
    for (int i = 0; i < 3; i++)
        close_pool(pools[i]);
}

static rmd_event *gate;
static rmd_group *the_group;
static rmd_future *awaited;

static int wait_for_gate(void *arg)
{
    (void)arg;
    return rmd_event_wait(gate, RMD_FOREVER);
}

static int wait_for_awaited(void *arg)
{
    (void)arg;
    return rmd_future_wait(awaited, RMD_FOREVER);
}

static int wait_for_group(void *arg)
{
    (void)arg;
    return rmd_group_wait(the_group, RMD_FOREVER);
}

/* One worker and one in its place. The first waits for what another task holds back, the second for
 * the first, as one of a group: it is the last that is awake, and runs what holds up all. */
TEST(the_last_worker_runs_what_a_member_of_its_group_waits_for)
{
    rmd_future *first, *waiting;
    rmd_pool *pool = open_pool("threads:1");
    REQUIRE(rmd_event_open(&gate) == 0 && rmd_group_open(&the_group) == 0);
    rmd_task_options low = { .size = sizeof low, .priority = RMD_PRIORITY_LOW };
    rmd_task_options member = { .size = sizeof member, .group = the_group };
    REQUIRE(rmd_submit(pool, NULL, wait_for_gate, NULL, NULL) == 0); /* nothing begins before */
    REQUIRE(rmd_submit(pool, NULL, wait_for_awaited, NULL, &member) == 0);
    REQUIRE(rmd_submit(pool, &waiting, wait_for_group, NULL, NULL) == 0);
    REQUIRE(rmd_submit(pool, &first, do_nothing, NULL, &low) == 0);
    REQUIRE(rmd_then(pool, &awaited, first, go_on, NULL, NULL) == 0);
    CHECK_EQ(rmd_event_set(gate), 0);
    CHECK_EQ(rmd_future_wait(waiting, soon()), 0);
    CHECK_EQ(rmd_future_error(waiting), 0);
    rmd_future_free(waiting);
    rmd_future_free(first);
    rmd_future_free(awaited);
    close_pool(pool);
    CHECK_EQ(rmd_group_free(the_group), 0);
    CHECK_EQ(rmd_event_free(gate), 0);
}

/* ---- a child ---- */

TEST(in_a_forked_child_nobody_waits)
{
    if (KIT_SANITIZED)
        SKIP("sanitizers let no child of a process with threads do much");
    rmd_pool *pool = open_pool("threads:1"); /* since there is one forks are watched */
    open_people();
    CHECK_EQ(begin_for('a', 'b'), 0);
    pid_t child = fork();
    if (child == 0) {
        CHECK_EQ(begin_for('b', 'a'), 0);
        check_circle(begin_for('a', 'b'), "aba");
        end('b');
        _exit(0);
    }
    CHECK_CHILD(child);
    check_circle(begin_for('b', 'a'), "bab");
    end('a');
    free_people();
    close_pool(pool);
}
