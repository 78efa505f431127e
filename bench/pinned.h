/* SPDX-License-Identifier: MIT */
/* What the drivers share: processors and the clock. */
#ifndef BENCH_PINNED_H
#define BENCH_PINNED_H

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define MUST(condition)                                                     \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            exit(2);                                                        \
        }                                                                   \
    } while (0)

static cpu_set_t usable;

__attribute__((constructor)) static void look_up_processors(void)
{
    MUST(sched_getaffinity(0, sizeof usable, &usable) == 0);
}

/* Keeps the calling thread on the n-th of the processors that the process started with. */
static inline void pin(int n)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &usable) && n-- == 0)
            CPU_SET(cpu, &one);
    MUST(CPU_COUNT(&one) == 1 && sched_setaffinity(0, sizeof one, &one) == 0);
}

/* The calling thread runs before all others, if it may. */
static inline void run_first(void)
{
    struct sched_param first = { .sched_priority = 1 };
    (void)pthread_setschedparam(pthread_self(), SCHED_FIFO, &first);
}

/* How often the calling thread was displaced by others until now. */
static inline long displaced(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
}

static inline int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void nap_us(long us)
{
    struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
    nanosleep(&t, NULL);
}

#endif
