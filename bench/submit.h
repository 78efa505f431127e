/* SPDX-License-Identifier: MIT */
/* What the drivers of submissions share, ours and those of the peers, in C and C++: one thread
 * submits empty tasks to WORKERS others. Each prints a line:
 *   rate     tasks/s of TASKS submitted and waited for, after as many as a warm-up
 *   hot      one task submitted and waited for, again and again: p50 and p99 in us
 *   parked   the same, each after a millisecond in which nothing happens
 */
#ifndef BENCH_SUBMIT_H
#define BENCH_SUBMIT_H

#include "pinned.h"

#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WORKERS = 2, TASKS = 1000000, GAP_US = 1000, HOT_SAMPLES = 20000, PARKED_SAMPLES = 500 };

/* ---- for pools that tell nobody when tasks have ended: they count themselves ---- */

enum { COUNTS, ALL_ENDED, SLEEPS };

/* The last of n tasks wakes who waits. */
typedef struct countdown {
    long left;
    uint32_t word;
} countdown;

static inline long futex(uint32_t *word, int op, uint32_t value)
{
    return syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

static inline void countdown_begin(countdown *c, long n)
{
    c->left = n;
    __atomic_store_n(&c->word, COUNTS, __ATOMIC_RELEASE);
}

static inline void countdown_end_one(countdown *c)
{
    if (__atomic_sub_fetch(&c->left, 1, __ATOMIC_ACQ_REL) == 0 &&
        __atomic_exchange_n(&c->word, ALL_ENDED, __ATOMIC_ACQ_REL) == SLEEPS)
        futex(&c->word, FUTEX_WAKE_PRIVATE, 1);
}

static inline void countdown_wait(countdown *c)
{
    uint32_t counts = COUNTS;
    if (__atomic_load_n(&c->word, __ATOMIC_ACQUIRE) == ALL_ENDED)
        return;
    __atomic_compare_exchange_n(&c->word, &counts, SLEEPS, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    while (__atomic_load_n(&c->word, __ATOMIC_ACQUIRE) != ALL_ENDED)
        futex(&c->word, FUTEX_WAIT_PRIVATE, SLEEPS);
}

/* ---- measuring ---- */

static inline void print_rate(void (*submit)(long n))
{
    submit(TASKS); /* warm-up */
    int64_t begin = now_ns();
    submit(TASKS);
    printf("%.0f\n", TASKS / ((double)(now_ns() - begin) / 1e9));
}

static inline int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static inline void print_latency(void (*one)(void), int samples, long gap_us)
{
    static int64_t times[HOT_SAMPLES];
    for (int i = 0; i < 200; i++) /* warm-up */
        one();
    for (int i = 0; i < samples; i++) {
        if (gap_us)
            nap_us(gap_us);
        int64_t begin = now_ns();
        one();
        times[i] = now_ns() - begin;
    }
    qsort(times, (size_t)samples, sizeof *times, compare);
    printf("%.3f %.3f\n", (double)times[samples / 2] / 1e3,
           (double)times[samples * 99 / 100] / 1e3);
}

static inline void print_parked(const char *name, void (*one)(void))
{
    MUST(strcmp(name, "parked") == 0);
    print_latency(one, PARKED_SAMPLES, GAP_US);
}

/* CASE: see above. */
static inline void print_case(const char *name, void (*submit)(long n), void (*one)(void))
{
    if (strcmp(name, "rate") == 0)
        print_rate(submit);
    else if (strcmp(name, "hot") == 0)
        print_latency(one, HOT_SAMPLES, 0);
    else
        print_parked(name, one);
}

#endif
