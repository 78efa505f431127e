/* SPDX-License-Identifier: MIT */
/* Workers that are replaced because they have done enough, or taken too much; and limits of their
 * memory. */
#include "exec/processes_testing.h"

#include <sys/mman.h>

enum { MIB = 1024 * 1024 };

/* So many MiB that stay: the memory that a task has left behind. */
static int do_leak(rmd_call *call)
{
    size_t n = (size_t)int_at(call, 0) * MIB;
    char *bytes = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED)
        return rmd_call_fail(call, RMD_ENOMEM, "no memory");
    memset(bytes, 1, n);
    return rmd_call_return(call, (int64_t)getpid());
}

static const rmd_function own[] = { { .name = "leak", .fn = do_leak }, { 0 } };
WORKERS(own)

TEST(after_so_many_tasks_a_worker_is_replaced_and_none_is_lost)
{
    enum { N = 60, EACH = 7 };
    rmd_future *futures[N];
    rmd_census census;
    int changes = 0, in_a_row = 0;
    int64_t last = 0;
    rmd_pool *pool = open_pool_with("processes:1", (rmd_pool_options){ .tasks_max = EACH });
    for (int i = 0; i < N; i++)
        futures[i] = call(pool, "pid", RMD_ARGS());
    for (int i = 0; i < N; i++) {
        int64_t pid = INT_OF(futures[i]);
        CHECK_INT(pid, >, 0);
        if (pid != last) {
            CHECK(i == 0 || in_a_row == EACH);
            changes++;
            in_a_row = 0;
        }
        in_a_row++;
        last = pid;
    }
    CHECK_EQ(changes, (N + EACH - 1) / EACH);
    CHECK_EQ(rmd_pool_census(pool, &census), 0);
    CHECK_EQ(census.ok, N);
    close_pool(pool);
}

TEST(a_worker_may_be_for_one_task_only)
{
    enum { N = 40 };
    rmd_future *futures[N];
    char pids[N * 16] = " ", one[16];
    rmd_pool *pool = open_pool_with("processes:2", (rmd_pool_options){ .tasks_max = 1 });
    for (int i = 0; i < N; i++)
        futures[i] = call(pool, "pid", RMD_ARGS());
    for (int i = 0; i < N; i++) {
        snprintf(one, sizeof one, " %d ", (int)INT_OF(futures[i]));
        CHECK(!strstr(pids, one));
        strcat(pids, one + 1);
    }
    close_pool(pool);
}

TEST(tasks_that_fail_count_too)
{
    rmd_pool *pool = open_pool_with("processes:1", (rmd_pool_options){ .tasks_max = 2 });
    pid_t pid = pid_of_worker(pool);
    CHECK_ENDED(call(pool, "fail", RMD_ARGS(-1001, "")), RMD_OUTCOME_FAILED, -1001);
    CHECK_INT(pid_of_worker(pool), !=, pid);
    close_pool(pool);
}

TEST(many_workers_that_are_worn_out_all_the_time_lose_nothing)
{
    enum { N = 1500 };
    rmd_pool *pool = open_pool_with("processes:2", (rmd_pool_options){ .tasks_max = 13 });
    rmd_future *futures[N];
    for (int i = 0; i < N; i++)
        futures[i] = call(pool, "add", RMD_ARGS(i, 1));
    for (int i = 0; i < N; i++)
        CHECK_EQ(INT_OF(futures[i]), i + 1);
    close_pool(pool);
}

TEST(a_worker_that_has_grown_is_replaced_after_its_task)
{
    if (KIT_SANITIZED)
        SKIP("a sanitizer has much memory of its own");
    rmd_pool *pool = open_pool_with("processes:1",
                                    (rmd_pool_options){ .resident_bytes_max = 64 * MIB });
    int64_t pid = INT_OF(call(pool, "leak", RMD_ARGS(1)));
    CHECK_EQ(INT_OF(call(pool, "leak", RMD_ARGS(1))), pid);
    CHECK_EQ(INT_OF(call(pool, "leak", RMD_ARGS(80))), pid);
    CHECK_INT(INT_OF(call(pool, "leak", RMD_ARGS(1))), !=, pid);
    close_pool(pool);
}

TEST(beyond_its_address_space_a_task_gets_no_memory)
{
    if (KIT_SANITIZED)
        SKIP("a sanitizer needs terabytes of it");
    rmd_pool *pool = open_pool_with("processes:1",
                                    (rmd_pool_options){ .address_bytes_max = 512 * MIB });
    pid_t pid = pid_of_worker(pool);
    CHECK_EQ(INT_OF(call(pool, "leak", RMD_ARGS(10))), pid);
    rmd_future *future = call(pool, "leak", RMD_ARGS(600));
    CHECK_STR(detail_of(future), "no memory");
    CHECK_ENDED(future, RMD_OUTCOME_FAILED, RMD_ENOMEM);
    CHECK_EQ(pid_of_worker(pool), pid);
    close_pool(pool);
}

TEST(an_address_space_in_which_no_worker_can_begin_is_told)
{
    rmd_pool *pool = NULL;
    rmd_pool_options options = { .size = sizeof options, .address_bytes_max = 4096 };
    int err = rmd_pool_open(&pool, "processes:1", &options, soon());
    if (err == 0) { /* it had all that it needed */
        rmd_future *future = call(pool, "leak", RMD_ARGS(1));
        REQUIRE(rmd_future_wait(future, soon()) == 0);
        CHECK(rmd_future_outcome(future) != RMD_OUTCOME_OK);
        rmd_future_free(future);
        close_pool(pool);
    } else {
        CHECK(err == RMD_EWORKER || err == RMD_ENOMEM);
    }
}
