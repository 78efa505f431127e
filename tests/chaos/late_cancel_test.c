/* SPDX-License-Identifier: MIT */
/* Ten thousand short programs, cancelled at moments that race with their ends: no signal
 * may reach a wrong process, no outcome and no callback may be lost or doubled. */
#include "kit.h"

#include <errno.h>
#include <pthread.h>
#include <remuda/error.h>
#include <remuda/pool.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TASKS = 10000, BYSTANDERS = 8, BEHIND = 32 };

static rmd_future *futures[TASKS];
static int calls[TASKS]; /* written on the keeper's thread, read after the drain */
static volatile int submitted;

/* A process that ends at any signal, and tells which by its exit status. */
static pid_t start_bystander(void)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    sigset_t all;
    int signal = 0;
    setpgid(0, 0);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    sigwait(&all, &signal);
    _exit(signal);
}

static void on_end(rmd_future *future, void *ctx)
{
    (void)future;
    ++*(int *)ctx;
}

/* Cancels tasks near the newest one, so that some wait, some run and some have ended. */
static void *cancel_some(void *seed)
{
    struct drand48_data dice;
    srand48_r(*(long *)seed, &dice);
    for (int now; (now = __atomic_load_n(&submitted, __ATOMIC_ACQUIRE)) < TASKS;) {
        long number;
        lrand48_r(&dice, &number);
        int chosen = now - 1 - (int)(number % BEHIND);
        if (chosen < 0)
            continue;
        int err = rmd_future_cancel(futures[chosen]);
        CHECK(err == 0 || err == RMD_ETOOLATE);
        struct timespec pause = { .tv_nsec = number % 300000 };
        nanosleep(&pause, NULL); /* to spread the blows, not to wait for anything */
    }
    return NULL;
}

static void submit_all(rmd_pool *pool)
{
    const char *argv[] = { "true", NULL };
    for (int i = 0; i < TASKS; i++) {
        rmd_command command = { .size = sizeof command, .argv = argv };
        REQUIRE(rmd_pool_exec(pool, &futures[i], &command) == 0);
        CHECK_EQ(rmd_future_on_end(futures[i], on_end, &calls[i]), 0);
        __atomic_store_n(&submitted, i + 1, __ATOMIC_RELEASE);
    }
}

static void check_tasks(rmd_pool *pool)
{
    rmd_census census;
    uint64_t ok = 0, cancelled = 0;
    for (int i = 0; i < TASKS; i++) {
        rmd_outcome outcome = rmd_future_outcome(futures[i]);
        ok += outcome == RMD_OUTCOME_OK;
        cancelled += outcome == RMD_OUTCOME_CANCELLED;
        CHECK_EQ(calls[i], 1);
        rmd_future_free(futures[i]);
    }
    CHECK_EQ(ok + cancelled, TASKS);
    CHECK_INT(cancelled, >, 0);
    CHECK_EQ(rmd_pool_census(pool, &census), 0);
    CHECK(rmd_census_balances(&census));
    CHECK_EQ(census.ok, ok);
    CHECK_EQ(census.cancelled, cancelled);
    printf("%llu ok, %llu cancelled\n", (unsigned long long)ok, (unsigned long long)cancelled);
}

TEST_LIMIT(late_cancels_hit_nobody_else_and_lose_nothing, 100)
{
    pid_t bystanders[BYSTANDERS];
    const char *given = getenv("SEED");
    long seed = given ? atol(given) : (long)time(NULL);
    printf("SEED=%ld repeats it\n", seed);
    for (int i = 0; i < BYSTANDERS; i++)
        bystanders[i] = start_bystander();
    rmd_pool *pool;
    pthread_t thread;
    REQUIRE(rmd_pool_open(&pool, "programs:4?queue=16", NULL, RMD_FOREVER) == 0);
    REQUIRE(pthread_create(&thread, NULL, cancel_some, &seed) == 0);
    submit_all(pool);
    pthread_join(thread, NULL);
    CHECK_EQ(rmd_pool_drain(pool, RMD_FOREVER), 0);
    check_tasks(pool);
    CHECK_EQ(rmd_pool_free(pool), 0);
    for (int i = 0; i < BYSTANDERS; i++) {
        int status = 0;
        CHECK_EQ(waitpid(bystanders[i], &status, WNOHANG), 0);
        kill(bystanders[i], SIGKILL);
        waitpid(bystanders[i], &status, 0);
    }
}
