/* SPDX-License-Identifier: MIT */
#include "exec/deadlines.h"

#include "base/random.h"
#include "kit.h"
#include "port/clock.h"
#include "sync/event.h"

#include <dirent.h>
#include <stdlib.h>

/* Far enough that no test lasts until then. */
static int64_t in_an_hour(void)
{
    return rmd_after_ms(3600000).ns;
}

typedef struct alarm_call {
    rmdi_due due;
    int64_t called_ns;
    int order;
    rmd_atomic(int) calls;
} alarm_call;

static rmdi_deadlines deadlines;
static rmdi_event reached; /* by the last of them */
static rmd_atomic(int) calls, expected;

static void note(rmdi_due *due)
{
    alarm_call *a = RMDI_CONTAINER(due, alarm_call, due);
    a->called_ns = rmdi_clock_monotonic_ns();
    a->order = rmd_atomic_add(&calls, 1, RMD_RELAXED);
    rmd_atomic_add(&a->calls, 1, RMD_RELAXED);
    if (a->order + 1 == rmd_atomic_load(&expected, RMD_RELAXED))
        rmdi_event_set(&reached);
}

static void open_for(int n)
{
    REQUIRE(rmdi_deadlines_open(&deadlines, "deadlines") == 0);
    rmd_atomic_store(&expected, n, RMD_RELAXED);
}

static void arm(alarm_call *a, int64_t due_ns)
{
    CHECK_EQ(rmdi_deadlines_arm(&deadlines, &a->due, due_ns, note), 0);
}

static void wait_for_all(void)
{
    CHECK_EQ(rmdi_event_wait(&reached, RMD_FOREVER), 0);
}

/* Threads of this process that have the name; the thread sanitizer has one of its own. */
static int threads_named(const char *name)
{
    int n = 0;
    DIR *tasks = opendir("/proc/self/task");
    REQUIRE(tasks != NULL);
    for (struct dirent *entry; (entry = readdir(tasks));) {
        char path[300], comm[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = fopen(path, "r");
        if (file && fgets(comm, sizeof comm, file))
            comm[strcspn(comm, "\n")] = '\0';
        if (file)
            fclose(file);
        n += strcmp(comm, name) == 0;
    }
    closedir(tasks);
    return n;
}

TEST(the_thread_is_started_when_it_is_needed_and_ends_with_close)
{
    alarm_call a = { 0 };
    open_for(1);
    arm(&a, INT64_MAX);
    CHECK(!rmdi_deadlines_disarm(&deadlines, &a.due));
    CHECK_EQ(threads_named("deadlines"), 0);
    arm(&a, in_an_hour());
    CHECK_EQ(threads_named("deadlines"), 1);
    CHECK(rmdi_deadlines_disarm(&deadlines, &a.due));
    rmdi_deadlines_close(&deadlines);
    while (threads_named("deadlines") != 0) /* who was joined may still be listed for a moment */
        rmdi_os_thread_yield();
    open_for(1);
    rmdi_deadlines_close(&deadlines);
    CHECK_EQ(rmd_atomic_load(&a.calls, RMD_RELAXED), 0);
}

TEST(none_is_called_early)
{
    enum { COUNT = 100 };
    static alarm_call alarms[COUNT];
    open_for(COUNT);
    int64_t begin = rmdi_clock_monotonic_ns();
    for (int i = 0; i < COUNT; i++) /* 37 and 100 have no common factor */
        arm(&alarms[i], begin + 2000000 + i * 37 % COUNT * INT64_C(500000));
    wait_for_all();
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(rmd_atomic_load(&alarms[i].calls, RMD_RELAXED), 1);
        CHECK_INT(alarms[i].called_ns, >=, begin + 2000000 + i * 37 % COUNT * INT64_C(500000));
        CHECK(!rmdi_deadlines_disarm(&deadlines, &alarms[i].due));
    }
    rmdi_deadlines_close(&deadlines);
}

static rmdi_event inside, go_on;

static void hold_up(rmdi_due *due)
{
    (void)due;
    rmdi_event_set(&inside);
    CHECK_EQ(rmdi_event_wait(&go_on, RMD_FOREVER), 0);
}

TEST(they_are_called_in_the_order_of_their_times)
{
    enum { COUNT = 100 };
    static alarm_call alarms[COUNT];
    rmdi_due first = { 0 };
    open_for(COUNT);
    CHECK_EQ(rmdi_deadlines_arm(&deadlines, &first, 0, hold_up), 0);
    CHECK_EQ(rmdi_event_wait(&inside, RMD_FOREVER), 0);
    for (int i = 0; i < COUNT; i++)
        arm(&alarms[i], 1 + i * 37 % COUNT);
    rmdi_event_set(&go_on);
    wait_for_all();
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(alarms[i].order, i * 37 % COUNT);
    rmdi_deadlines_close(&deadlines);
}

TEST(an_earlier_one_is_called_before_a_later_one_that_was_armed_first)
{
    alarm_call late = { 0 }, soon = { 0 };
    open_for(1);
    arm(&late, in_an_hour());
    arm(&soon, rmd_after_ms(1).ns);
    wait_for_all();
    CHECK_EQ(rmd_atomic_load(&soon.calls, RMD_RELAXED), 1);
    CHECK(rmdi_deadlines_disarm(&deadlines, &late.due));
    rmdi_deadlines_close(&deadlines);
}

TEST(one_that_is_disarmed_is_not_called_and_can_be_armed_again)
{
    alarm_call a = { 0 }, other = { 0 };
    open_for(2);
    arm(&a, in_an_hour());
    CHECK(rmdi_deadlines_disarm(&deadlines, &a.due));
    CHECK(!rmdi_deadlines_disarm(&deadlines, &a.due));
    arm(&a, in_an_hour());
    arm(&a, 0); /* instead of it; long over */
    arm(&other, rmd_after_ms(1).ns);
    wait_for_all();
    CHECK_EQ(a.order, 0);
    arm(&a, in_an_hour());
    arm(&a, INT64_MAX); /* never */
    CHECK(!rmdi_deadlines_disarm(&deadlines, &a.due));
    rmdi_deadlines_close(&deadlines);
}

/* ---- what a call may do ---- */

static rmd_atomic(int) rounds;

static void again(rmdi_due *due)
{
    if (rmd_atomic_add(&rounds, 1, RMD_RELAXED) < 9)
        CHECK_EQ(rmdi_deadlines_arm(&deadlines, due, rmd_after_ns(1000).ns, again), 0);
    else
        rmdi_event_set(&reached);
}

TEST(a_call_may_arm_its_own_again)
{
    rmdi_due due = { 0 };
    open_for(0);
    CHECK_EQ(rmdi_deadlines_arm(&deadlines, &due, 0, again), 0);
    wait_for_all();
    CHECK(!rmdi_deadlines_disarm_wait(&deadlines, &due));
    CHECK_EQ(rmd_atomic_load(&rounds, RMD_RELAXED), 10);
    rmdi_deadlines_close(&deadlines);
}

static void free_it(rmdi_due *due)
{
    free(due);
    if (rmd_atomic_add(&calls, 1, RMD_RELAXED) + 1 == rmd_atomic_load(&expected, RMD_RELAXED))
        rmdi_event_set(&reached);
}

TEST(a_call_may_free_its_own)
{
    enum { COUNT = 1000 };
    open_for(COUNT);
    for (int i = 0; i < COUNT; i++) {
        rmdi_due *due = calloc(1, sizeof *due);
        REQUIRE(due != NULL);
        CHECK_EQ(rmdi_deadlines_arm(&deadlines, due, rmd_after_ns(i * 100).ns, free_it), 0);
    }
    wait_for_all();
    rmdi_deadlines_close(&deadlines);
}

static rmd_atomic(int) over;

static void take_long(rmdi_due *due)
{
    CHECK_EQ(rmdi_deadlines_arm(&deadlines, due, in_an_hour(), take_long), 0);
    CHECK(!rmdi_deadlines_disarm_wait(&deadlines, due)); /* of itself: does not wait */
    CHECK_EQ(rmdi_deadlines_arm(&deadlines, due, 0, take_long), 0);
    rmdi_event_set(&inside);
    CHECK_EQ(rmdi_event_wait(&go_on, RMD_FOREVER), 0);
    CHECK_EQ(rmdi_deadlines_arm(&deadlines, due, 0, take_long), 0); /* somebody waits: forgotten */
    rmd_atomic_store(&over, 1, RMD_RELAXED);
}

static void let_go_on(void *arg)
{
    rmdi_lock *lock = arg;
    rmdi_lock_enter(lock); /* until the other one waits, having released it */
    while (!rmdi_wait_list_waits(&deadlines.ends)) {
        rmdi_lock_release(lock);
        rmdi_os_thread_yield();
        rmdi_lock_enter(lock);
    }
    rmdi_lock_release(lock);
    rmdi_event_set(&go_on);
}

TEST(disarming_waits_for_the_end_of_a_call_that_arms_it_again)
{
    rmdi_due due = { 0 };
    rmdi_thread thread;
    open_for(0);
    CHECK_EQ(rmdi_deadlines_arm(&deadlines, &due, 0, take_long), 0);
    CHECK_EQ(rmdi_event_wait(&inside, RMD_FOREVER), 0);
    CHECK(!rmdi_deadlines_disarm(&deadlines, &due)); /* that it was armed again does not matter */
    REQUIRE(rmdi_thread_start(&thread, let_go_on, &deadlines.lock, "let") == 0);
    CHECK(!rmdi_deadlines_disarm_wait(&deadlines, &due));
    CHECK_EQ(rmd_atomic_load(&over, RMD_RELAXED), 1);
    CHECK(!due.armed);
    REQUIRE(rmdi_thread_join(&thread, RMD_FOREVER) == 0);
    rmdi_deadlines_close(&deadlines);
}

/* ---- many threads ---- */

enum { WORKERS = 4, ROUNDS = 20000 };

static rmd_atomic(int) armed_in_all, disarmed_in_all, called_in_all;

typedef struct brief_task {
    rmdi_due due;
    bool is_called; /* plain: whoever sees disarm() answer false may read it after waiting */
} brief_task;

static void count_call(rmdi_due *due)
{
    brief_task *t = RMDI_CONTAINER(due, brief_task, due);
    if (t->is_called)
        FAIL("called twice");
    t->is_called = true;
    rmd_atomic_add(&called_in_all, 1, RMD_RELAXED);
}

/* Each task has its limit, some of which pass. */
static void run_tasks(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        brief_task t = { 0 };
        int64_t limit_ns = (int64_t)(rmdi_random() % 30000);
        if (rmdi_deadlines_arm(&deadlines, &t.due, rmd_after_ns(limit_ns).ns, count_call) < 0)
            FAIL("it cannot be armed");
        rmd_atomic_add(&armed_in_all, 1, RMD_RELAXED);
        for (int64_t n = (int64_t)(rmdi_random() % 1000); n > 0; n--)
            rmd_pause();
        bool in_time = rmdi_deadlines_disarm_wait(&deadlines, &t.due);
        rmd_atomic_add(&disarmed_in_all, in_time, RMD_RELAXED);
        if (in_time == t.is_called)
            FAIL("called and disarmed, or neither");
    }
}

TEST_LIMIT(of_many_each_is_either_called_once_or_disarmed, 60)
{
    rmdi_thread workers[WORKERS];
    char remark[64];
    open_for(0);
    for (int i = 0; i < WORKERS; i++)
        REQUIRE(rmdi_thread_start(&workers[i], run_tasks, NULL, "worker") == 0);
    for (int i = 0; i < WORKERS; i++)
        REQUIRE(rmdi_thread_join(&workers[i], RMD_FOREVER) == 0);
    rmdi_deadlines_close(&deadlines);
    int called = rmd_atomic_load(&called_in_all, RMD_RELAXED);
    CHECK_EQ(called + rmd_atomic_load(&disarmed_in_all, RMD_RELAXED), WORKERS * ROUNDS);
    snprintf(remark, sizeof remark, "%d of %d were called", called, WORKERS * ROUNDS);
    kit_remark(remark);
}
