/* SPDX-License-Identifier: MIT */
/* Items per second through a queue of 1024 pointers. A driver defines put(item) and get(), which
 * wait, and calls main_of(). */
#ifndef BENCH_THROUGH_H
#define BENCH_THROUGH_H

#include "pinned.h"

#include <pthread.h>
#include <stdbool.h>

enum { SIZE = 1024, PAIRS_MAX = 8, ITEMS = 4000000 };

static inline void put(void *item);
static inline void *get(void);

/* One thread: what it does, when it began and ended, the sum of what it got. */
typedef struct part {
    bool puts;
    int64_t begin_ns, end_ns;
    long sum;
} part;

static long share;
static pthread_barrier_t start;

static void *run_part(void *arg)
{
    part mine = *(part *)arg;
    pthread_barrier_wait(&start);
    mine.begin_ns = now_ns();
    for (long i = 1; i <= share; i++) {
        if (mine.puts)
            put((void *)i);
        else
            mine.sum += (long)get();
    }
    mine.end_ns = now_ns();
    *(part *)arg = mine;
    return NULL;
}

/* With so many threads on either side. */
static double through(int pairs)
{
    part parts[2 * PAIRS_MAX] = { { 0 } };
    pthread_t threads[2 * PAIRS_MAX];
    int64_t begin = INT64_MAX, end = 0;
    long sum = 0;
    share = ITEMS / pairs;
    MUST(pthread_barrier_init(&start, NULL, (unsigned)(2 * pairs)) == 0);
    for (int i = 0; i < 2 * pairs; i++) {
        parts[i].puts = i < pairs;
        MUST(pthread_create(&threads[i], NULL, run_part, &parts[i]) == 0);
    }
    for (int i = 0; i < 2 * pairs; i++) {
        MUST(pthread_join(threads[i], NULL) == 0);
        begin = parts[i].begin_ns < begin ? parts[i].begin_ns : begin;
        end = parts[i].end_ns > end ? parts[i].end_ns : end;
        sum += parts[i].sum;
    }
    pthread_barrier_destroy(&start);
    MUST(sum == pairs * (share * (share + 1) / 2)); /* none was lost */
    return (double)(share * pairs) / ((double)(end - begin) / 1e9);
}

static inline void pause_a_moment(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#endif
}

/* How to wait for a queue that does not. */
static inline void back_off(int *n)
{
    if (++*n < 64) {
        pause_a_moment();
    } else {
        sched_yield();
        *n = 0;
    }
}

/* PAIRS: a line with the rate. */
static inline int main_of(const char *pairs)
{
    MUST(atoi(pairs) > 0 && atoi(pairs) <= PAIRS_MAX);
    through(1); /* warm-up */
    printf("%.0f\n", through(atoi(pairs)));
    return 0;
}

#endif
