/* SPDX-License-Identifier: MIT */
#include "port/cpu.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned affinity(void)
{
    /* The mask may be larger than cpu_set_t: grow until the kernel is content. */
    for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        if (!set)
            break;
        size_t size = CPU_ALLOC_SIZE((size_t)cpus);
        int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count > 0)
            return (unsigned)count;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

static bool read_line(const char *path, char *line, int size)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool got = fgets(line, size, file) != NULL;
    fclose(file);
    return got;
}

/* Processors for quota microseconds in each period, rounded up; UINT_MAX: no limit. */
static unsigned from_quota(long long quota, long long period)
{
    if (quota <= 0 || period <= 0)
        return UINT_MAX;
    long long cpus = quota / period + (quota % period != 0);
    return cpus < UINT_MAX ? (unsigned)cpus : UINT_MAX;
}

static unsigned quota_v2(const char *dir)
{
    char path[PATH_MAX + 32], line[64];
    long long quota, period;
    snprintf(path, sizeof path, "%s/cpu.max", dir);
    if (!read_line(path, line, sizeof line) || sscanf(line, "%lld %lld", &quota, &period) != 2)
        return UINT_MAX; /* "max 100000" does not scan as a number: no limit */
    return from_quota(quota, period);
}

static unsigned quota_v1(const char *dir)
{
    char path[PATH_MAX + 32], quota[64], period[64];
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", dir);
    if (!read_line(path, quota, sizeof quota))
        return UINT_MAX;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", dir);
    if (!read_line(path, period, sizeof period))
        return UINT_MAX;
    return from_quota(atoll(quota), atoll(period));
}

/* The least quota of the group and all groups above it, up to the mount point. */
static unsigned least_upwards(const char *mount, char *group, unsigned (*quota)(const char *))
{
    unsigned least = UINT_MAX;
    for (;;) {
        char dir[PATH_MAX];
        if (snprintf(dir, sizeof dir, "%s%s", mount, group) >= (int)sizeof dir)
            return least;
        unsigned here = quota(dir);
        least = here < least ? here : least;
        char *slash = strrchr(group, '/');
        if (!slash)
            return least;
        *slash = 0;
    }
}

/* One line of /proc/self/cgroup: "0::/group" (v2) or "4:cpu,cpuacct:/group" (v1). */
static unsigned quota_of_line(const char *root, char *line)
{
    char *controllers = strchr(line, ':'), mount[PATH_MAX];
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return UINT_MAX;
    *group++ = 0;
    group[strcspn(group, "\n")] = 0;
    controllers++;
    if (!*controllers) {
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup", root);
        return least_upwards(mount, group, quota_v2);
    }
    char around[PATH_MAX];
    snprintf(around, sizeof around, ",%s,", controllers);
    if (!strstr(around, ",cpu,"))
        return UINT_MAX;
    snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/cpu", root);
    return least_upwards(mount, group, quota_v1);
}

unsigned rmdi_cpu_quota(const char *root)
{
    char path[PATH_MAX], line[PATH_MAX];
    unsigned least = UINT_MAX;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    if (!file)
        return least;
    while (fgets(line, sizeof line, file)) {
        unsigned here = quota_of_line(root, line);
        least = here < least ? here : least;
    }
    fclose(file);
    return least;
}

unsigned rmdi_cpu_usable(void)
{
    unsigned cpus = affinity(), quota = rmdi_cpu_quota("");
    return quota < cpus ? quota : cpus;
}

/* A thread may be confined to one processor while the others are not: the calling one is looked at
 * and the one that the program began with. (A mask that does not fit has many.) */
static bool see_several(void)
{
    cpu_set_t own, first;
    if (sched_getaffinity(0, sizeof own, &own) != 0 ||
        sched_getaffinity(getpid(), sizeof first, &first) != 0)
        return true;
    return CPU_COUNT(&own) > 1 || CPU_COUNT(&first) > 1 || !CPU_EQUAL(&own, &first);
}

bool rmdi_cpu_several(void)
{
    /* Only yes is kept: no may be true of this thread alone. Relaxed: whoever does not see the
     * answer finds the same one. */
    static bool known;
    if (__atomic_load_n(&known, __ATOMIC_RELAXED))
        return true;
    bool several = see_several();
    if (several)
        __atomic_store_n(&known, true, __ATOMIC_RELAXED);
    return several;
}
