/* SPDX-License-Identifier: MIT */
/* Groups: tasks that are waited for and cancelled together. */
#include "suite.h"

static rmd_group *open_group(void)
{
    rmd_group *group = NULL;
    REQUIRE(rmd_group_open(&group) == 0);
    return group;
}

static int into(rmd_pool *pool, rmd_group *group, const char *work, rmd_args args)
{
    return try_begin(pool, NULL, work, args, (rmd_task_options){ .group = group });
}

static rmd_census group_census(rmd_group *group)
{
    rmd_census census;
    rmd_group_census(group, &census);
    CHECK(rmd_census_balances(&census));
    return census;
}

CASE(a_group_is_waited_for_and_tells_what_became_of_its_tasks, ANY)
{
    rmd_pool *pool = open_pool(0);
    rmd_group *group = open_group();
    CHECK_EQ(rmd_group_wait(group, RMD_NOW), 0); /* nobody is in it */
    for (int i = 0; i < 6; i++)
        CHECK_EQ(into(pool, group, "count", RMD_ARGS()), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(into(pool, group, "fail", RMD_ARGS(RMD_EIO, "")), 0);
    CHECK_EQ(rmd_group_wait(group, soon()), 0);
    CHECK_EQ(counted(), 6);
    rmd_census census = group_census(group);
    CHECK_EQ(census.submitted, 8);
    CHECK_EQ(census.ok, 6);
    CHECK_EQ(census.failed, 2);
    CHECK_EQ(rmd_group_free(group), 0);
    end_pool(pool);
}

CASE(a_group_with_a_task_that_has_not_ended_is_not_freed, ANY)
{
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    rmd_group *group = open_group();
    CHECK_EQ(into(pool, group, "gate", RMD_ARGS("a")), 0);
    CHECK_EQ(into(pool, group, "count", RMD_ARGS()), 0);
    await_arrivals(&at, 1);
    CHECK_EQ(rmd_group_free(group), RMD_EBUSY);
    rmd_census census = group_census(group);
    CHECK_EQ(census.running + census.queued, 2);
    CHECK_EQ(rmd_group_wait(group, rmd_after_ms(10)), RMD_ETIMEDOUT); /* runs one, perhaps */
    open_gate(&at);
    CHECK_EQ(rmd_group_wait(group, soon()), 0);
    CHECK_EQ(rmd_group_free(group), 0);
    end_pool(pool);
}

CASE(a_group_is_cancelled_and_others_are_not, ANY)
{
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    rmd_group *group = open_group();
    CHECK_EQ(into(pool, group, "gate", RMD_ARGS("a")), 0);
    await_arrivals(&at, 1);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(into(pool, group, "count", RMD_ARGS()), 0);
    rmd_future *other = begin(pool, "count", RMD_ARGS());
    rmd_group_cancel(group);
    CHECK_EQ(rmd_group_wait(group, soon()), 0);
    CHECK_EQ(group_census(group).cancelled, 4);
    CHECK_END(other, RMD_OUTCOME_OK, 0);
    CHECK_EQ(counted(), 1);
    CHECK_EQ(into(pool, group, "count", RMD_ARGS()), 0); /* it goes on */
    CHECK_EQ(rmd_group_wait(group, soon()), 0);
    CHECK_EQ(group_census(group).ok, 1);
    CHECK_EQ(rmd_group_free(group), 0);
    end_pool(pool);
}

CASE(a_group_may_have_tasks_of_several_pools, ANY)
{
    rmd_group *group = open_group();
    rmd_pool *pools[] = { open_pool(1), open_pool(2) };
    for (int i = 0; i < 10; i++)
        CHECK_EQ(into(pools[i % 2], group, "count", RMD_ARGS()), 0);
    CHECK_EQ(rmd_group_wait(group, soon()), 0);
    CHECK_EQ(counted(), 10);
    CHECK_EQ(group_census(group).ok, 10);
    CHECK_EQ(rmd_group_free(group), 0);
    end_pool(pools[0]);
    end_pool(pools[1]);
}

CASE(what_was_not_accepted_is_not_in_the_group, ANY)
{
    rmd_group *group = open_group();
    rmd_pool *pool = open_pool(0);
    CHECK_EQ(rmd_pool_close(pool), 0);
    CHECK_EQ(into(pool, group, "count", RMD_ARGS()), RMD_ECLOSED);
    CHECK_EQ(rmd_group_wait(group, RMD_NOW), 0);
    CHECK_EQ(group_census(group).submitted, 0);
    CHECK_EQ(rmd_group_free(group), 0);
    end_pool(pool);
}

CASE(a_thread_that_is_told_to_stop_wakes_from_waiting_for_a_group, ANY)
{
    gate at = make_gate("a");
    rmd_stop *stop = fired_stop();
    rmd_pool *pool = open_pool(0);
    rmd_group *group = open_group();
    CHECK_EQ(into(pool, group, "gate", RMD_ARGS("a")), 0);
    await_arrivals(&at, 1);
    rmd_stop_set(stop);
    CHECK_EQ(rmd_group_wait(group, RMD_FOREVER), RMD_ECANCELED);
    rmd_stop_set(NULL);
    open_gate(&at);
    CHECK_EQ(rmd_group_wait(group, soon()), 0);
    CHECK_EQ(group_census(group).ok, 1);
    CHECK_EQ(rmd_group_free(group), 0);
    CHECK_EQ(rmd_stop_free(stop), 0);
    end_pool(pool);
}

/* ---- blocks ---- */

CASE(running_out_of_a_block_waits_for_its_tasks, ANY)
{
    int err = 1;
    rmd_pool *pool = open_pool(0);
    RMD_WITH_GROUP (group, soon(), &err) {
        for (int i = 0; i < 10; i++)
            CHECK_EQ(into(pool, group, "count", RMD_ARGS()), 0);
    }
    CHECK_EQ(err, 0);
    CHECK_EQ(counted(), 10);
    CHECK_EQ(census_of(pool).ok, 10);
    end_pool(pool);
}

CASE(leaving_a_block_by_break_cancels_its_tasks, ANY)
{
    int err = 1;
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    RMD_WITH_GROUP (group, RMD_FOREVER, &err) {
        CHECK_EQ(into(pool, group, "gate", RMD_ARGS("a")), 0);
        await_arrivals(&at, 1);
        CHECK_EQ(into(pool, group, "count", RMD_ARGS()), 0);
        break;
    }
    CHECK_EQ(census_of(pool).cancelled, 2);
    CHECK_EQ(counted(), 0);
    end_pool(pool);
}

static int return_from_block(rmd_pool *pool, const gate *at)
{
    RMD_WITH_GROUP (group, RMD_FOREVER, NULL) {
        CHECK_EQ(into(pool, group, "gate", RMD_ARGS("a")), 0);
        await_arrivals(at, 1);
        return 7;
    }
    return 0;
}

CASE(leaving_a_block_by_return_cancels_its_tasks, ANY)
{
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    CHECK_EQ(return_from_block(pool, &at), 7);
    CHECK_EQ(census_of(pool).cancelled, 1);
    end_pool(pool);
}

CASE(at_its_deadline_a_block_cancels_what_is_left, ANY)
{
    int err = 0;
    gate at = make_gate("a");
    rmd_pool *pool = open_pool(1);
    RMD_WITH_GROUP (group, rmd_after_ms(30 * kit_patience()), &err) {
        CHECK_EQ(into(pool, group, "count", RMD_ARGS()), 0);
        CHECK_EQ(into(pool, group, "gate", RMD_ARGS("a")), 0);
        await_arrivals(&at, 1);
    }
    CHECK_EQ(err, RMD_ETIMEDOUT);
    CHECK_EQ(census_of(pool).cancelled, 1);
    CHECK_EQ(census_of(pool).ok, 1);
    end_pool(pool);
}

CASE(continue_is_the_end_of_a_block, ANY)
{
    int err = 1, before = 0;
    rmd_pool *pool = open_pool(0);
    RMD_WITH_GROUP (group, soon(), &err) {
        CHECK_EQ(into(pool, group, "count", RMD_ARGS()), 0);
        if (++before)
            continue;
        before = 100;
    }
    CHECK_EQ(before, 1);
    CHECK_EQ(err, 0);
    CHECK_EQ(census_of(pool).ok, 1);
    end_pool(pool);
}

CASE(blocks_may_lie_in_each_other, ANY)
{
    int outer_err = 1, inner_err = 1;
    rmd_pool *pool = open_pool(0);
    RMD_WITH_GROUP (outer, soon(), &outer_err) {
        CHECK_EQ(into(pool, outer, "count", RMD_ARGS()), 0);
        RMD_WITH_GROUP (inner, soon(), &inner_err) {
            CHECK_EQ(into(pool, inner, "count", RMD_ARGS()), 0);
            CHECK_EQ(into(pool, outer, "count", RMD_ARGS()), 0);
        }
        CHECK_INT(counted(), >=, 1);
    }
    CHECK_EQ(outer_err, 0);
    CHECK_EQ(inner_err, 0);
    CHECK_EQ(counted(), 3);
    end_pool(pool);
}

typedef struct canceller {
    rmd_group *group;
    rmd_event *over;
} canceller;

static void cancel_again_and_again(void *arg)
{
    canceller *c = arg;
    while (rmd_event_wait(c->over, RMD_NOW) == RMD_ETIMEDOUT)
        rmd_group_cancel(c->group);
}

/* By who submits, and by who cancels it, it is looked at at once; a checker of races sees how. */
CASE(a_member_with_limits_is_cancelled_while_it_is_submitted, THREADS)
{
    canceller c;
    rmd_pool *pool = open_pool(1);
    REQUIRE(rmd_group_open(&c.group) == 0);
    REQUIRE(rmd_event_open(&c.over) == 0);
    rmd_task_options options = { .group = c.group, .limits.queue_ms_max = 60000 };
    rmd_thread *thread = start_thread(cancel_again_and_again, &c);
    for (int i = 0; i < 300; i++)
        CHECK_EQ(try_begin(pool, NULL, "count", RMD_ARGS(), options), 0);
    rmd_event_set(c.over);
    join_thread(thread);
    CHECK_EQ(rmd_group_wait(c.group, soon()), 0);
    CHECK_EQ(census_of(pool).ok, counted());
    CHECK_EQ(rmd_group_free(c.group), 0);
    CHECK_EQ(rmd_event_free(c.over), 0);
    end_pool(pool);
}
