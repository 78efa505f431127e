/* SPDX-License-Identifier: MIT */
#include "port/cpu.h"

#include "kit.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file below the case's own root directory, with the directories that lead to it. */
static void put(const char *path, const char *text)
{
    char full[4096];
    int root = snprintf(full, sizeof full, "%s", getenv("TMPDIR"));
    snprintf(full + root, sizeof full - (size_t)root, "%s", path);
    for (char *slash = full + root + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(full, 0755);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    REQUIRE(file && fputs(text, file) >= 0);
    fclose(file);
}

static unsigned quota(void)
{
    return rmdi_cpu_quota(getenv("TMPDIR"));
}

TEST(without_control_groups_there_is_no_quota)
{
    CHECK_EQ(quota(), UINT_MAX);
    put("/proc/self/cgroup", "0::/\n");
    CHECK_EQ(quota(), UINT_MAX);
    put("/sys/fs/cgroup/cpu.max", "max 100000\n");
    CHECK_EQ(quota(), UINT_MAX);
}

TEST(the_quota_of_version_2_is_rounded_up)
{
    put("/proc/self/cgroup", "0::/job\n");
    put("/sys/fs/cgroup/job/cpu.max", "250000 100000\n");
    CHECK_EQ(quota(), 3);
    put("/sys/fs/cgroup/job/cpu.max", "1000 100000\n");
    CHECK_EQ(quota(), 1);
    put("/sys/fs/cgroup/job/cpu.max", "200000 100000\n");
    CHECK_EQ(quota(), 2);
}

TEST(the_least_quota_of_all_groups_above_counts)
{
    put("/proc/self/cgroup", "0::/a/b/c\n");
    put("/sys/fs/cgroup/a/b/c/cpu.max", "800000 100000\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "300000 100000\n");
    put("/sys/fs/cgroup/a/cpu.max", "max 100000\n");
    CHECK_EQ(quota(), 3);
    put("/sys/fs/cgroup/cpu.max", "200000 100000\n"); /* seen so inside a container */
    CHECK_EQ(quota(), 2);
}

TEST(the_quota_of_version_1_is_that_of_the_cpu_controller)
{
    put("/proc/self/cgroup", "12:cpuset:/other\n4:cpu,cpuacct:/a/b\n1:name=systemd:/x\n");
    put("/sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us", "100000\n");
    CHECK_EQ(quota(), UINT_MAX);
    put("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "150000\n");
    put("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "50000\n");
    CHECK_EQ(quota(), 3);
}

TEST(nonsense_is_no_quota)
{
    put("/proc/self/cgroup", "\n:\nno colon\n4:cpu\n0::/a\n");
    put("/sys/fs/cgroup/a/cpu.max", "many cores\n");
    CHECK_EQ(quota(), UINT_MAX);
    put("/sys/fs/cgroup/a/cpu.max", "0 0\n");
    CHECK_EQ(quota(), UINT_MAX);
    put("/sys/fs/cgroup/a/cpu.max", "9223372036854775807 100000\n");
    CHECK_EQ(quota(), UINT_MAX);
}

TEST(processors_outside_the_affinity_mask_do_not_count)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
    CHECK_EQ(rmdi_cpu_usable(), 1);
}

/* ---- several ---- */

static void *confine_and_ask(void *arg)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t) * (int *)arg, &one);
    REQUIRE(pthread_setaffinity_np(pthread_self(), sizeof one, &one) == 0);
    return rmdi_cpu_several() ? arg : NULL;
}

static int first_processor(int after)
{
    cpu_set_t all;
    REQUIRE(sched_getaffinity(0, sizeof all, &all) == 0);
    for (int i = after + 1; i < CPU_SETSIZE; i++)
        if (CPU_ISSET((size_t)i, &all))
            return i;
    return -1;
}

TEST(a_thread_that_is_confined_does_not_speak_for_the_others)
{
    int cpu = first_processor(-1);
    pthread_t thread;
    void *several;
    if (first_processor(cpu) < 0)
        SKIP("one processor");
    REQUIRE(pthread_create(&thread, NULL, confine_and_ask, &cpu) == 0);
    pthread_join(thread, &several);
    CHECK(several);
    CHECK(rmdi_cpu_several());
}

TEST(a_process_that_is_confined_has_one)
{
    int cpu = first_processor(-1);
    CHECK(!confine_and_ask(&cpu)); /* on the thread that the case began with */
}
