/* SPDX-License-Identifier: MIT */
/* What the chaos tests of processes pools have in common. Their programs are their own workers. */
#ifndef CHAOS_PROCESSES_TESTING_H
#define CHAOS_PROCESSES_TESTING_H

#include "kit_resources.h"
#include "kit_soon.h"

#include "port/procfs.h"
#include <fcntl.h>
#include <poll.h>
#include <remuda.h>
#include <remuda/atomics.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* What the workers run: of the program itself, which is started anew for them. */
#define WORKERS(own)                        \
    void kit_first(int *argc, char ***argv) \
    {                                       \
        if (rmd_functions_add(own) < 0)     \
            _exit(2);                       \
        rmd_start(argc, argv);              \
    }

/* How much: in the checks, with a sanitizer, at night ($REMUDA_ALL). */
static inline int how_many(int checks, int sanitized, int night)
{
    if (getenv("REMUDA_ALL"))
        return night;
    return KIT_SANITIZED ? sanitized : checks;
}

/* $SEED repeats a run's random numbers (not its races). */
static inline uint64_t begin_dice(void)
{
    uint64_t seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : (uint64_t)time(NULL);
    printf("SEED=%llu repeats it\n", (unsigned long long)seed);
    return seed * 2654435769U + 1;
}

/* xorshift: Marsaglia 2003. */
static inline uint32_t draw(uint64_t *dice, uint32_t n)
{
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    return (uint32_t)(*dice >> 32) % n;
}

static inline void rest_us(long us)
{
    struct timespec t = { us / 1000000, us % 1000000 * 1000 };
    nanosleep(&t, NULL); /* to spread events, not to wait for any */
}

static inline int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* ---- memory that the case and all its workers map: without a file that could stay ---- */

/* In the case, before it opens a pool. */
static inline void *make_shared(size_t bytes)
{
    static char path[64];
    int fd = memfd_create("chaos", MFD_CLOEXEC);
    REQUIRE(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
    snprintf(path, sizeof path, "/proc/%d/fd/%d", getpid(), fd);
    setenv("CHAOS_SHARED", path, 1);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    REQUIRE(memory != MAP_FAILED);
    return memory;
}

/* In a worker; NULL: there is none. */
static inline void *find_shared(size_t bytes)
{
    const char *path = getenv("CHAOS_SHARED");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *memory = fd < 0 ? MAP_FAILED
                          : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return memory == MAP_FAILED ? NULL : memory;
}

/* ---- everything that a pool has started, and what those have ---- */

static inline void mark_family(void)
{
    char number[16];
    snprintf(number, sizeof number, "%d", getpid());
    setenv("CHAOS_FAMILY", number, 1);
}

typedef struct family_count {
    char name[16];
    int count;
} family_count;

static inline bool count_member(void *ctx, pid_t pid)
{
    family_count *family = ctx;
    char value[16];
    bool zombie = false;
    if (rmdi_procfs_environment(pid, "CHAOS_FAMILY", value, sizeof value) == 1 &&
        strcmp(value, family->name) == 0 && rmdi_procfs_group(pid, &zombie) > 0 && !zombie)
        family->count++;
    return true;
}

/* How many there are, zombies not counted. */
static inline int family_size(void)
{
    family_count family = { .count = 0 };
    snprintf(family.name, sizeof family.name, "%d", getpid());
    rmdi_procfs_each(count_member, &family);
    return family.count;
}

/* ---- pools ---- */

/* Whatever its workers and their children print is nobody's business. */
static inline int open_quietly(rmd_pool **pool, const char *kind, rmd_pool_options options)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), out = fcntl(1, F_DUPFD_CLOEXEC, 3);
    options.size = sizeof options;
    fflush(stdout);
    dup2(null, 1);
    int err = rmd_pool_open(pool, kind, &options, soon());
    dup2(out, 1);
    close(out);
    close(null);
    return err;
}

static inline rmd_pool *open_chaos(const char *kind, rmd_pool_options options)
{
    rmd_pool *pool = NULL;
    if (open_quietly(&pool, kind, options) < 0)
        FAIL(rmd_error_detail());
    REQUIRE(pool != NULL);
    return pool;
}

/* Drains it; its account balances, and nothing of it is left. */
static inline rmd_census end_chaos(rmd_pool *pool)
{
    rmd_census census = { 0 };
    CHECK_EQ(rmd_pool_drain(pool, soon()), 0);
    CHECK_EQ(rmd_pool_census(pool, &census), 0);
    CHECK(rmd_census_balances(&census));
    CHECK_EQ(census.queued + census.running, 0);
    CHECK_EQ(rmd_pool_free(pool), 0);
    return census;
}

/* Waits until *count is at least n: that many callbacks have run. */
static inline bool await_count(rmd_atomic(int) *count, int n)
{
    rmd_deadline limit = soon();
    while (rmd_atomic_load(count, RMD_ACQUIRE) < n && !rmd_deadline_passed(limit))
        rest_us(200);
    return CHECK_INT(rmd_atomic_load(count, RMD_ACQUIRE), >=, n);
}

/* ---- processes ---- */

static inline int hold_process(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* Does it end within the time? -1, of one that had gone already, has ended. */
static inline bool ends_within(int pidfd, int ms)
{
    struct pollfd end = { .fd = pidfd, .events = POLLIN };
    return pidfd < 0 || poll(&end, 1, ms) == 1;
}

#endif
