/* SPDX-License-Identifier: MIT */
/* From just before the waker's call until the sleeper runs, on the other processor, idle before:
 * wake ROUNDS. One line per round, in us: p50 and p99 of a bare futex, an event, a condition. The
 * three take turns, wake-up by wake-up. */
#include "pinned.h"

#include <linux/futex.h>
#include <remuda.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FUTEX, EVENT, CONDITION, KINDS };
enum { TIMES = 200, IDLE_US = 200 };

static _Alignas(128) _Atomic(uint32_t) word;
static _Alignas(128) _Atomic(uint32_t) awake; /* how often the sleeper was */
static rmd_event *event;
static rmd_lock *lock;
static rmd_condition *condition;
static uint32_t turn; /* guarded by the lock */
static int64_t woken_ns;
static uint32_t total;

static void sleep_on_futex(uint32_t n)
{
    while (word < n)
        syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, n - 1, NULL, NULL, 0);
}

static void sleep_on_event(void)
{
    MUST(rmd_event_wait(event, RMD_FOREVER) == 0);
    rmd_event_clear(event);
}

static void sleep_on_condition(uint32_t n)
{
    MUST(rmd_lock_acquire(lock, RMD_FOREVER) == 0);
    while (turn < n)
        MUST(rmd_condition_wait(condition, RMD_FOREVER) == 0);
    rmd_lock_release(lock);
}

static void sleeper(void *arg)
{
    (void)arg;
    pin(1);
    for (uint32_t i = 0; i < total; i++) {
        switch (i % KINDS) {
        case FUTEX: sleep_on_futex(i / KINDS + 1); break;
        case EVENT: sleep_on_event(); break;
        default: sleep_on_condition(i / KINDS + 1);
        }
        woken_ns = now_ns();
        awake++;
    }
}

static int64_t wake(uint32_t i)
{
    int64_t begin;
    switch (i % KINDS) {
    case FUTEX:
        begin = now_ns();
        word++;
        syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
        return begin;
    case EVENT:
        begin = now_ns();
        rmd_event_set(event);
        return begin;
    default:
        MUST(rmd_lock_acquire(lock, RMD_FOREVER) == 0);
        turn++;
        rmd_lock_release(lock);
        begin = now_ns();
        rmd_condition_notify_one(condition);
        return begin;
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static double us[KINDS][TIMES];
    rmd_thread *thread;
    int rounds = argc > 1 ? atoi(argv[1]) : 15;
    total = (uint32_t)rounds * TIMES * KINDS;
    MUST(rmd_event_open(&event) == 0 && rmd_lock_open(&lock, NULL) == 0 &&
         rmd_condition_open(&condition, lock) == 0);
    pin(0);
    MUST(rmd_thread_start(&thread, sleeper, NULL, NULL) == 0);
    for (uint32_t i = 0; i < total; i++) {
        nap_us(IDLE_US);
        int64_t begin = wake(i);
        while (awake <= i)
            ;
        uint32_t n = i / KINDS % TIMES;
        us[i % KINDS][n] = (double)(woken_ns - begin) / 1e3;
        if (n == TIMES - 1 && i % KINDS == KINDS - 1)
            for (int kind = 0; kind < KINDS; kind++) {
                qsort(us[kind], TIMES, sizeof us[kind][0], compare);
                printf("%.2f %.2f%c", us[kind][TIMES / 2], us[kind][TIMES * 99 / 100],
                       kind == KINDS - 1 ? '\n' : ' ');
            }
    }
    return rmd_thread_join(thread, RMD_FOREVER) == 0 ? 0 : 2;
}
