/* SPDX-License-Identifier: MIT */
/* A processes pool whose owner has few descriptors left, or may have no more processes: it says so,
 * does not spin, and goes on when there are some again. */
#include "processes_testing.h"

#include <sys/resource.h>

enum { FEWEST = 5, MOST = 64, CPU_PERCENT_MAX = 5 };

static int twice(rmd_call *call)
{
    int64_t n;
    int err = rmd_call_get(call, 0, &n);
    return err < 0 ? err : rmd_call_return(call, 2 * n);
}

static int crash(rmd_call *call)
{
    (void)call;
    _exit(9);
}

static const rmd_function functions[] = { { .name = "twice", .fn = twice },
                                          { .name = "crash", .fn = crash },
                                          { 0 } };
WORKERS(functions)

static void limit_to(int kind, rlim_t n)
{
    struct rlimit limit;
    REQUIRE(getrlimit((__rlimit_resource_t)kind, &limit) == 0);
    limit.rlim_cur = n;
    REQUIRE(setrlimit((__rlimit_resource_t)kind, &limit) == 0);
}

static rlim_t limit_of(int kind)
{
    struct rlimit limit;
    REQUIRE(getrlimit((__rlimit_resource_t)kind, &limit) == 0);
    return limit.rlim_cur;
}

static int64_t cpu_ns(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * INT64_C(1000000000) +
           (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * INT64_C(1000);
}

static void use(rmd_pool *pool)
{
    rmd_future *futures[16];
    int64_t result;
    for (int i = 0; i < 16; i++)
        REQUIRE(rmd_pool_call(pool, &futures[i], "twice", RMD_ARGS(i), NULL) == 0);
    for (int i = 0; i < 16; i++) {
        CHECK_EQ(rmd_future_wait(futures[i], soon()), 0);
        CHECK(rmd_future_get(futures[i], &result) == 0 && result == 2 * i);
        rmd_future_free(futures[i]);
    }
}

TEST_LIMIT(with_few_descriptors_it_opens_or_says_why_not, 120)
{
    static char text[200];
    kit_resources before;
    rlim_t whole = limit_of(RLIMIT_NOFILE);
    int opened = 0, refused = 0;
    mark_family();
    kit_resources_take(&before);
    for (rlim_t n = FEWEST; n <= MOST; n += n / 4) {
        rmd_pool *pool = NULL;
        rmd_pool_options options = { .size = sizeof options };
        limit_to(RLIMIT_NOFILE, n);
        int err = rmd_pool_open(&pool, "processes:8", &options, soon());
        if (err == 0) {
            use(pool);
            end_chaos(pool);
            opened++;
        } else {
            CHECK_STR(rmd_error_name(err), "RMD_EMFILE");
            CHECK(*rmd_error_detail());
            refused++;
        }
        limit_to(RLIMIT_NOFILE, whole);
        CHECK_EQ(family_size(), 0);
    }
    rmd_pool *pool = open_chaos("processes:8", (rmd_pool_options){ 0 });
    use(pool);
    end_chaos(pool);
    CHECK_RESOURCES(&before);
    CHECK_INT(refused, >, 0);
    CHECK_INT(opened, >, 0);
    snprintf(text, sizeof text, "%d opened, %d refused", opened, refused);
    kit_remark(text);
}

static void crash_all(rmd_pool *pool)
{
    rmd_future *crashes[4];
    for (int i = 0; i < 4; i++)
        REQUIRE(rmd_pool_call(pool, &crashes[i], "crash", RMD_ARGS(), NULL) == 0);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(rmd_future_wait(crashes[i], soon()), 0);
        CHECK_EQ(rmd_future_outcome(crashes[i]), RMD_OUTCOME_LOST);
        rmd_future_free(crashes[i]);
    }
}

/* All workers end, and cannot be replaced for a second: no number below the limit is free. */
TEST_LIMIT(without_descriptors_it_waits_for_them_and_does_not_spin, 60)
{
    static char text[200];
    kit_resources before;
    rmd_future *future;
    rlim_t whole = limit_of(RLIMIT_NOFILE);
    kit_resources_take(&before);
    rmd_pool *pool = open_chaos("processes:4", (rmd_pool_options){ 0 });
    use(pool);
    limit_to(RLIMIT_NOFILE, 3);
    crash_all(pool);
    REQUIRE(rmd_pool_call(pool, &future, "twice", RMD_ARGS(21), NULL) == 0);
    int64_t used = cpu_ns();
    CHECK_EQ(rmd_future_wait(future, rmd_after_ms(1000)), RMD_ETIMEDOUT);
    used = cpu_ns() - used;
    CHECK_INT(used / 10000000, <=, CPU_PERCENT_MAX * kit_patience());
    limit_to(RLIMIT_NOFILE, whole);
    int64_t result = 0;
    CHECK_EQ(rmd_future_wait(future, soon()), 0);
    CHECK(rmd_future_get(future, &result) == 0 && result == 42);
    rmd_future_free(future);
    use(pool);
    end_chaos(pool);
    CHECK_RESOURCES(&before);
    snprintf(text, sizeof text, "%.1f ms of processor time in a second", (double)used / 1e6);
    kit_remark(text);
}

TEST_LIMIT(without_processes_it_says_so_and_waits_for_them, 60)
{
    if (geteuid() == 0)
        SKIP("RLIMIT_NPROC does not bind root");
    rlim_t whole = limit_of(RLIMIT_NPROC);
    rmd_pool *pool = NULL;
    limit_to(RLIMIT_NPROC, 1);
    int err = open_quietly(&pool, "processes:2", (rmd_pool_options){ 0 });
    CHECK_STR(rmd_error_name(err), "RMD_EAGAIN");
    limit_to(RLIMIT_NPROC, whole);
    pool = open_chaos("processes:2", (rmd_pool_options){ 0 });
    use(pool);
    end_chaos(pool);
}
