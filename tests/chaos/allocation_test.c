/* SPDX-License-Identifier: MIT */
/* Every allocation on the way of a task fails once; nothing leaks and nothing hangs. */
#include "kit.h"
#include "kit_alloc.h"
#include "kit_resources.h"
#include "kit_soon.h"

#include <remuda/error.h>
#include <remuda/pool.h>

/* What became of it: 0, or the error that the task ended with. */
static int judge(rmd_future *future)
{
    const rmd_exit *account;
    char text[16] = "";
    int err = rmd_future_wait(future, soon());
    if (err == 0)
        err = rmd_future_exit(future, &account);
    if (err < 0)
        return err;
    if (account->outcome != RMD_OUTCOME_OK)
        return account->error;
    CHECK_EQ(rmd_future_read(future, RMD_STDOUT, 0, text, sizeof text), 6);
    CHECK_STR(text, "hello\n");
    return 0;
}

static void ignore(rmd_future *future, void *ctx)
{
    (void)future;
    ++*(int *)ctx;
}

static int run_task(rmd_pool *pool, rmd_group *group)
{
    const char *argv[] = { "sh", "-c", "cat; echo oh >&2", NULL };
    rmd_command command = { .size = sizeof command,
                            .argv = argv,
                            .in = { .kind = RMD_STREAM_BYTES, .bytes = { "hello\n", 6 } },
                            .err = { .kind = RMD_STREAM_CAPTURE },
                            .limits = { .run_ms_max = 60000 },
                            .group = group };
    rmd_future *future;
    int calls = 0, err = rmd_pool_exec(pool, &future, &command);
    if (err < 0)
        return err;
    int callback = rmd_future_on_end(future, ignore, &calls);
    err = judge(future);
    CHECK_EQ(rmd_group_wait(group, soon()), 0);
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(calls, callback == 0);
    rmd_future_free(future);
    return err ? err : callback;
}

static int whole_life(void *kind)
{
    rmd_pool *pool;
    rmd_group *group;
    rmd_census census;
    int err = rmd_group_open(&group);
    if (err < 0)
        return err;
    err = rmd_pool_open(&pool, kind, NULL, soon());
    if (err == 0) {
        err = run_task(pool, group);
        CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
        rmd_pool_census(pool, &census);
        CHECK(rmd_census_balances(&census));
        CHECK_EQ(rmd_pool_free(pool), 0);
    }
    CHECK_EQ(rmd_group_free(group), 0);
    return err;
}

TEST_LIMIT(a_task_survives_the_failure_of_every_allocation_on_its_way, 60)
{
    char kind[] = "programs:1";
    kit_resources before;
    kit_resources_take(&before);
    kit_alloc(whole_life, kind, RMD_ENOMEM);
    kit_resources_check(&before, __FILE__, __LINE__);
}

static int on_own_loop(void *unused)
{
    rmd_loop *loop;
    rmd_pool *pool;
    int err = rmd_loop_open(&loop);
    (void)unused;
    if (err < 0)
        return err;
    rmd_pool_options options = { .size = sizeof options, .loop = loop };
    err = rmd_pool_open(&pool, "programs:2", &options, soon());
    if (err == 0) {
        const char *argv[] = { "true", NULL };
        rmd_command command = { .size = sizeof command, .argv = argv };
        rmd_future *future;
        err = rmd_pool_exec(pool, &future, &command);
        if (err == 0) {
            CHECK_EQ(rmd_loop_run(loop, soon()), 0);
            const rmd_exit *account;
            CHECK_EQ(rmd_future_exit(future, &account), 0);
            err = account->error;
            rmd_future_free(future);
        }
        CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
        CHECK_EQ(rmd_pool_free(pool), 0);
    }
    CHECK_EQ(rmd_loop_free(loop), 0);
    return err;
}

TEST_LIMIT(a_pool_on_the_users_loop_survives_the_same, 60)
{
    kit_resources before;
    kit_resources_take(&before);
    kit_alloc(on_own_loop, NULL, RMD_ENOMEM);
    kit_resources_check(&before, __FILE__, __LINE__);
}

TEST_LIMIT(twenty_lives_of_a_pool_leave_nothing_behind, 60)
{
    char kind[] = "programs:3";
    kit_resources before;
    kit_resources_take(&before);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(whole_life(kind), 0);
    kit_resources_check(&before, __FILE__, __LINE__);
}
