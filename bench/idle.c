/* SPDX-License-Identifier: MIT */
/* What waiting costs: idle ROUNDS THREADS. Of each kind of wait so many threads sleep for a second;
 * prints the processor time that the process has used meanwhile, in us, a line per round. */
#include "pinned.h"

#include <remuda.h>
#include <sys/resource.h>
#include <unistd.h>

static rmd_lock *held, *lock;
static rmd_condition *condition;
static rmd_event *event;
static int ends[2];

/* Each ends with RMD_ECANCELED. */
static void in_event(void *arg)
{
    *(int *)arg = rmd_event_wait(event, RMD_FOREVER);
}

static void in_condition(void *arg)
{
    MUST(rmd_lock_acquire(lock, RMD_FOREVER) == 0);
    *(int *)arg = rmd_condition_wait(condition, RMD_FOREVER);
    rmd_lock_release(lock);
}

static void in_lock(void *arg)
{
    *(int *)arg = rmd_lock_acquire(held, RMD_FOREVER);
}

static void in_select(void *arg)
{
    rmd_waitable what[] = { rmd_event_waitable(event), rmd_fd_waitable(ends[0], RMD_READABLE) };
    *(int *)arg = rmd_select(what, 2, RMD_FOREVER);
}

static void in_descriptor(void *arg)
{
    *(int *)arg = rmd_fd_wait(ends[0], RMD_READABLE, RMD_FOREVER);
}

static void (*const waits[])(void *) = { in_event, in_condition, in_lock, in_select,
                                         in_descriptor };
enum { KINDS = sizeof waits / sizeof *waits, THREADS_MAX = 64 };

static int64_t used_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 1, each = argc > 2 ? atoi(argv[2]) : 4;
    static int ended_by[KINDS * THREADS_MAX];
    MUST(each <= THREADS_MAX && pipe(ends) == 0);
    MUST(rmd_lock_open(&held, NULL) == 0 && rmd_lock_open(&lock, NULL) == 0);
    MUST(rmd_condition_open(&condition, lock) == 0 && rmd_event_open(&event) == 0);
    MUST(rmd_lock_acquire(held, RMD_FOREVER) == 0);
    for (int i = 0; i < KINDS * each; i++) {
        rmd_thread *thread;
        MUST(rmd_thread_start(&thread, waits[i % KINDS], &ended_by[i], NULL) == 0);
    }
    nap_us(200 * 1000); /* all sleep */
    for (int i = 0; i < rounds; i++) {
        int64_t before = used_us();
        nap_us(1000 * 1000);
        printf("%lld\n", (long long)(used_us() - before));
    }
    rmd_threads_stop_all();
    MUST(rmd_threads_join_all(RMD_FOREVER) == 0);
    for (int i = 0; i < KINDS * each; i++)
        MUST(ended_by[i] == RMD_ECANCELED);
    return 0;
}
