/* SPDX-License-Identifier: MIT */
#include "kit.h"

#include "exec/programs_testing.h"
#include "sync/thread.h"

static rmd_group *open_group(void)
{
    rmd_group *group;
    REQUIRE(rmd_group_open(&group) == 0);
    return group;
}

static void check_census(rmd_group *group, const char *wanted)
{
    char text[128];
    rmd_census census;
    rmd_group_census(group, &census);
    CHECK(rmd_census_balances(&census));
    rmd_census_format(&census, text, sizeof text);
    CHECK_STR(text, wanted);
}

TEST(a_group_counts_its_tasks_and_waits_for_all_of_them)
{
    rmd_group *group = open_group(), *other = open_group();
    rmd_pool *pool = open_pool("programs:2");
    CHECK_EQ(rmd_group_wait(group, RMD_NOW), 0); /* none has entered */
    rmd_future *futures[] = { run_with(pool, "sleep 0.05", (rmd_command){ .group = group }),
                              run_with(pool, "exit 1", (rmd_command){ .group = group }),
                              run_with(pool, "true", (rmd_command){ .group = other }),
                              run(pool, "true") };
    CHECK_EQ(rmd_group_wait(group, soon()), 0);
    for (int i = 0; i < 2; i++)
        CHECK(rmd_future_outcome(futures[i]) != RMD_PENDING);
    check_census(group, "2 submitted = 1 ok + 1 failed");
    CHECK_EQ(rmd_group_wait(other, soon()), 0);
    check_census(other, "1 submitted = 1 ok");
    CHECK_EQ(rmd_group_free(group), 0);
    CHECK_EQ(rmd_group_free(other), 0);
    CHECK_EQ(rmd_group_free(NULL), 0);
    CHECK_EQ(rmd_group_wait(NULL, RMD_NOW), RMD_EINVAL);
    for (int i = 0; i < 4; i++)
        rmd_future_free(futures[i]); /* they outlive their group */
    close_pool(pool);
}

TEST(a_group_is_cancelled_as_a_whole_and_nobody_else)
{
    rmd_group *group = open_group();
    rmd_pool *pool = open_pool("programs:2");
    rmd_future *outsider = run(pool, "sleep 0.2"), *members[40];
    for (int i = 0; i < 40; i++)
        members[i] = run_with(pool, "sleep 60", (rmd_command){ .group = group });
    CHECK_EQ(rmd_group_free(group), RMD_EBUSY);
    CHECK_CONTAINS(rmd_error_detail(), "40 tasks");
    CHECK_EQ(rmd_group_wait(group, rmd_after_ms(5)), RMD_ETIMEDOUT);
    rmd_group_cancel(group);
    CHECK_EQ(rmd_group_wait(group, soon()), 0);
    check_census(group, "40 submitted = 40 cancelled");
    CHECK_EQ(rmd_group_free(group), 0);
    for (int i = 0; i < 40; i++)
        CHECK_END(members[i], RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_END(outsider, RMD_OUTCOME_OK, 0);
    close_pool(pool);
}

TEST(a_group_may_be_freed_as_soon_as_its_last_task_is_seen_to_have_ended)
{
    rmd_pool *pool = open_pool("programs:2");
    for (int i = 0; i < 200; i++) {
        rmd_group *group = open_group();
        rmd_future *future = run_argv(pool, (const char *const[]){ "true", NULL },
                                      (rmd_command){ .group = group });
        if (i % 2)
            while (rmd_future_outcome(future) == RMD_PENDING)
                ;
        else
            CHECK_EQ(rmd_future_wait(future, soon()), 0);
        CHECK_EQ(rmd_group_free(group), 0);
        rmd_future_free(future);
    }
    close_pool(pool);
}

static void wait_for_group(rmd_future *future, void *ctx)
{
    CHECK_EQ(rmd_group_wait(ctx, RMD_FOREVER), RMD_EDEADLK);
    CHECK_EQ(rmd_future_wait(future, RMD_FOREVER), 0); /* it has ended: there is no wait */
}

TEST(waiting_for_a_group_in_a_callback_of_its_pool_is_refused)
{
    rmd_group *group = open_group();
    rmd_pool *pool = open_pool("programs:2"), *other = open_pool("programs:1");
    /* A task of another pool stands first in the group, for which one could wait. */
    rmd_future *first = run_with(other, "sleep 60", (rmd_command){ .group = group });
    rmd_future *second = run_with(pool, "sleep 60", (rmd_command){ .group = group });
    rmd_future *third = run(pool, "true");
    CHECK_EQ(rmd_future_on_end(third, wait_for_group, group), 0);
    CHECK_END(third, RMD_OUTCOME_OK, 0);
    rmd_group_cancel(group);
    CHECK_END(first, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    CHECK_END(second, RMD_OUTCOME_CANCELLED, RMD_ECANCELED);
    close_pool(pool);
    close_pool(other);
    CHECK_EQ(rmd_group_free(group), 0);
}

TEST(a_group_over_a_keepers_pool_and_one_on_our_own_loop_is_waited_for)
{
    rmd_loop *loop;
    rmd_group *group = open_group();
    REQUIRE(rmd_loop_open(&loop) == 0);
    rmd_pool *keepers = open_pool("programs:1");
    rmd_pool *ours = open_pool_with("programs:1", (rmd_pool_options){ .loop = loop });
    rmd_command member = { .group = group };
    int told[2];
    REQUIRE(pipe(told) == 0);
    /* The first ends only when the second, which needs our turning, has run. */
    rmd_future *first = run_with(
        keepers, "read line",
        (rmd_command){ .group = group, .in = { .kind = RMD_STREAM_FD, .fd = told[0] } });
    rmd_future *second = run_with(ours, "echo >&3",
                                  (rmd_command){ .group = group, .fds = &told[1], .fds_len = 1 });
    rmd_future *third = run_with(ours, "true", member);
    CHECK_EQ(rmd_group_wait(group, soon()), 0);
    check_census(group, "3 submitted = 3 ok");
    CHECK_END(first, RMD_OUTCOME_OK, 0);
    CHECK_END(second, RMD_OUTCOME_OK, 0);
    CHECK_END(third, RMD_OUTCOME_OK, 0);
    close_pool(keepers);
    close_pool(ours);
    CHECK_EQ(rmd_loop_free(loop), 0);
    CHECK_EQ(rmd_group_free(group), 0);
}

static void cancel_group(void *group)
{
    for (int i = 0; i < 50; i++)
        rmd_group_cancel(group);
}

TEST(a_group_may_be_cancelled_by_many_at_once_while_it_grows)
{
    rmdi_thread threads[3];
    rmd_group *group = open_group();
    rmd_pool *pool = open_pool("programs:2");
    for (int i = 0; i < 3; i++)
        REQUIRE(rmdi_thread_start(&threads[i], cancel_group, group, "cancel") == 0);
    for (int i = 0; i < 100; i++)
        rmd_future_free(run_argv(pool, (const char *const[]){ "sleep", "0.001", NULL },
                                 (rmd_command){ .group = group }));
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rmdi_thread_join(&threads[i], RMD_FOREVER), 0);
    CHECK_EQ(rmd_group_wait(group, soon()), 0);
    CHECK_EQ(rmd_group_free(group), 0);
    close_pool(pool);
}
