/* SPDX-License-Identifier: MIT */
/* A hundred process numbers are used again and again, by programs of a pool that are
 * cancelled late and by processes of others: no signal may reach those. In a namespace of
 * its own, where there are only so many numbers. COUNT=N runs N tasks, SEED=N repeats. */
#include "kit.h"

#include "exec/programs_testing.h"
#include "sync/thread.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

enum { WATCHERS = 8, BREEDERS = 3, BEHIND = 14, LONG_AGO = 300, NO_RIGHT = 55 };

/* Shared by all processes of the case. */
static struct {
    volatile bool stop;
    int hits, bred;
} * shared;

/* A process of its own group that must not get a signal. */
static void watch_for_signals(void)
{
    sigset_t all;
    int signal;
    setpgid(0, 0);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    if (sigwait(&all, &signal) == 0)
        __atomic_add_fetch(&shared->hits, 1, __ATOMIC_RELAXED);
    _exit(0);
}

/* Others come and go, and take the numbers that have just become free. */
static void breed(void)
{
    static const struct timespec life = { .tv_nsec = 2000000 };
    while (!shared->stop) {
        pid_t pid = fork();
        if (pid == 0) {
            setpgid(0, 0);
            nanosleep(&life, NULL);
            _exit(0);
        }
        int status = 0;
        if (pid > 0 && waitpid(pid, &status, 0) == pid && status != 0)
            __atomic_add_fetch(&shared->hits, 1, __ATOMIC_RELAXED);
        __atomic_add_fetch(&shared->bred, pid > 0, __ATOMIC_RELAXED);
    }
    _exit(0);
}

static pid_t start(void (*fn)(void))
{
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0)
        fn();
    return pid;
}

/* ---- the tasks ---- */

static rmd_future **futures;
static int count, submitted;
static long seed;

static void cancel_late(void *arg)
{
    struct drand48_data dice;
    (void)arg;
    srand48_r(seed, &dice);
    for (int now; (now = __atomic_load_n(&submitted, __ATOMIC_ACQUIRE)) < count;) {
        long number;
        lrand48_r(&dice, &number);
        /* One that waits, runs or ends just now; or one whose number others have by now. */
        int chosen = now - 1 - (int)(number / 2 % (number % 2 ? BEHIND : LONG_AGO));
        if (chosen >= 0)
            CHECK_INT(rmd_future_cancel(futures[chosen]), <=, 0);
        const struct timespec pause = { .tv_nsec = number % 200000 };
        nanosleep(&pause, NULL); /* to spread the blows, not to wait for anything */
    }
}

static void run_tasks(void)
{
    static const char *const quick[] = { "true", NULL }, *const slow[] = { "sleep", "0.003", NULL };
    rmdi_thread thread;
    rmd_census census;
    rmd_pool *pool = open_pool("programs:6?queue=4");
    futures = calloc((size_t)count, sizeof(rmd_future *));
    REQUIRE(rmdi_thread_start(&thread, cancel_late, NULL, "cancel") == 0);
    for (int i = 0; i < count; i++) {
        futures[i] = run_argv(pool, i % 3 ? quick : slow, (rmd_command){ 0 });
        __atomic_store_n(&submitted, i + 1, __ATOMIC_RELEASE);
    }
    CHECK_EQ(rmdi_thread_join(&thread, RMD_FOREVER), 0);
    CHECK_EQ(rmd_pool_drain(pool, RMD_FOREVER), 0);
    CHECK_EQ(rmd_pool_census(pool, &census), 0);
    CHECK_EQ(census.ok + census.cancelled, count);
    CHECK_INT(census.cancelled, >, count / 50);
    for (int i = 0; i < count; i++)
        rmd_future_free(futures[i]);
    CHECK_EQ(rmd_pool_free(pool), 0);
    free(futures);
}

/* ---- the namespace ---- */

static void run_beside_others(void) /* does not return */
{
    pid_t others[WATCHERS + BREEDERS];
    for (int i = 0; i < WATCHERS + BREEDERS; i++)
        others[i] = start(i < WATCHERS ? watch_for_signals : breed);
    run_tasks();
    shared->stop = true;
    for (int i = 0; i < WATCHERS + BREEDERS; i++) {
        if (i < WATCHERS)
            kill(others[i], SIGKILL);
        waitpid(others[i], NULL, 0);
    }
    CHECK_EQ(shared->hits, 0);
    CHECK_INT(shared->bred, >, 100); /* the numbers went round more than once */
    _exit(0);
}

/* The first process: gives the namespace its few numbers, reaps, and ends it. */
static void rule_namespace(void)
{
    int status = 1, fd;
    REQUIRE(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    REQUIRE(mount("proc", "/proc", "proc", 0, NULL) == 0);
    fd = open("/proc/sys/kernel/pid_max", O_WRONLY | O_CLOEXEC);
    REQUIRE(fd >= 0 && write(fd, "400", 3) == 3);
    close(fd);
    pid_t main_process = start(run_beside_others);
    for (pid_t pid; (pid = waitpid(-1, &status, 0)) != main_process;)
        REQUIRE(pid > 0);
    _exit(status != 0);
}

/* A process of its own for it: after this nothing but the first process can be started. */
static void make_namespace(void)
{
    int status;
    if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0)
        _exit(NO_RIGHT);
    pid_t first = start(rule_namespace);
    REQUIRE(waitpid(first, &status, 0) == first);
    _exit(status != 0);
}

/* Before Linux 6.14 the number of numbers was that of the whole machine. */
static bool numbers_are_the_namespaces_own(void)
{
    struct utsname name;
    int major = 0, minor = 0;
    return uname(&name) == 0 && sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
           (major > 6 || (major == 6 && minor >= 14));
}

TEST_LIMIT(signals_reach_nobody_who_got_a_number_of_ours, 6000)
{
    int status;
    const char *given = getenv("SEED"), *tasks = getenv("COUNT");
    seed = given ? atol(given) : (long)time(NULL);
    count = tasks ? atoi(tasks) : 6000 / kit_patience();
    fprintf(stderr, "SEED=%ld repeats it\n", seed);
    if (!numbers_are_the_namespaces_own())
        SKIP("this kernel has one limit of process numbers for all");
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(shared != MAP_FAILED);
    pid_t outside = start(make_namespace);
    REQUIRE(waitpid(outside, &status, 0) == outside);
    if (WEXITSTATUS(status) == NO_RIGHT)
        SKIP("no right to a namespace");
    CHECK_EQ(status, 0);
}
