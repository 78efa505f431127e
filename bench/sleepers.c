/* SPDX-License-Identifier: MIT */
/* Many that sleep, ours and the C library's in turn; one line per round:
 *   sleepers woken ROUNDS N     N threads woken at once: us until the last one runs, of an event,
 *                               of pthread_cond_broadcast, of a bare futex
 *   sleepers timed ROUNDS N     N threads wait in vain, ten times each, for 1 to 20 ms: how late
 *                               they wake, in us, p50 and p99, and the processor time of all in ms,
 *                               of an event; then the same of pthread_cond_timedwait */
#include "pinned.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <remuda.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EVENT, CONDITION, FUTEX, KINDS };
enum { SLEEPERS_MAX = 4000, WAITS = 10, SETTLE_US = 20000 };

static rmd_event *event;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition;
static bool go; /* guarded by the mutex */
static _Alignas(128) _Atomic(uint32_t) word;
static _Alignas(128) _Atomic(int) asleep, awake;
static _Atomic(int64_t) last_ns;
static int sleepers_n, kind;
static pthread_t threads[SLEEPERS_MAX];

/* Threads of the C library for both, with small stacks. */
static void start_all(void *(*fn)(void *), void *args, size_t bytes)
{
    pthread_attr_t small;
    MUST(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 64 * 1024) == 0);
    for (int i = 0; i < sleepers_n; i++)
        MUST(pthread_create(&threads[i], &small, fn, (char *)args + bytes * (size_t)i) == 0);
    pthread_attr_destroy(&small);
}

static void join_all(void)
{
    for (int i = 0; i < sleepers_n; i++)
        MUST(pthread_join(threads[i], NULL) == 0);
}

/* ---- woken at once ---- */

static void sleep_on_condition(void)
{
    pthread_mutex_lock(&mutex);
    asleep++;
    while (!go)
        pthread_cond_wait(&condition, &mutex);
    pthread_mutex_unlock(&mutex);
}

static void *sleep_until_woken(void *arg)
{
    if (kind == CONDITION) {
        sleep_on_condition();
    } else if (kind == EVENT) {
        asleep++;
        MUST(rmd_event_wait(event, RMD_FOREVER) == 0);
    } else {
        asleep++;
        while (!word)
            syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    }
    if (++awake == sleepers_n)
        last_ns = now_ns();
    return arg;
}

static void wake_all(void)
{
    if (kind == EVENT) {
        rmd_event_set(event);
    } else if (kind == CONDITION) {
        pthread_mutex_lock(&mutex);
        go = true;
        pthread_mutex_unlock(&mutex);
        pthread_cond_broadcast(&condition);
    } else {
        word = 1;
        syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
    }
}

static double woken_us(int which)
{
    kind = which;
    asleep = awake = 0;
    word = 0;
    go = false;
    rmd_event_clear(event);
    start_all(sleep_until_woken, NULL, 0);
    while (asleep < sleepers_n)
        nap_us(1000);
    nap_us(SETTLE_US); /* the last ones are on their way into the kernel */
    int64_t begin = now_ns();
    wake_all();
    join_all();
    return (double)(last_ns - begin) / 1e3;
}

static void woken(int rounds)
{
    for (int i = 0; i < rounds; i++) {
        double us[KINDS];
        for (int j = 0; j < KINDS; j++)
            us[(i + j) % KINDS] = woken_us((i + j) % KINDS);
        printf("%.1f %.1f %.1f\n", us[EVENT], us[CONDITION], us[FUTEX]);
    }
}

/* ---- woken by their deadlines ---- */

typedef struct sleeper {
    unsigned seed;
    double late_us[WAITS];
} sleeper;

static sleeper sleepers[SLEEPERS_MAX];
static double late_us[SLEEPERS_MAX * WAITS];

static void wait_for_event(int64_t until_ns)
{
    MUST(rmd_event_wait(event, (rmd_deadline){ until_ns }) == RMD_ETIMEDOUT);
}

static void wait_for_condition(int64_t until_ns)
{
    struct timespec until = { until_ns / 1000000000, until_ns % 1000000000 };
    pthread_mutex_lock(&mutex);
    while (pthread_cond_timedwait(&condition, &mutex, &until) != ETIMEDOUT)
        ;
    pthread_mutex_unlock(&mutex);
}

static void *wait_in_vain(void *arg)
{
    sleeper *s = arg;
    while (!word) /* begin together */
        syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    for (int i = 0; i < WAITS; i++) {
        int64_t until_ns = now_ns() + 1000000 + rand_r(&s->seed) % 19000000;
        (kind == EVENT ? wait_for_event : wait_for_condition)(until_ns);
        s->late_us[i] = (double)(now_ns() - until_ns) / 1e3;
    }
    return NULL;
}

static double used_ms(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct lateness {
    double p50_us, p99_us, used_ms;
} lateness;

static lateness wait_all(int which)
{
    size_t n = (size_t)sleepers_n * WAITS;
    kind = which;
    word = 0;
    for (int i = 0; i < sleepers_n; i++)
        sleepers[i].seed = (unsigned)i; /* the same deadlines for both */
    start_all(wait_in_vain, sleepers, sizeof *sleepers);
    nap_us(SETTLE_US);
    double begin_ms = used_ms();
    word = 1;
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
    join_all();
    lateness l = { .used_ms = used_ms() - begin_ms };
    for (int i = 0; i < sleepers_n; i++)
        memcpy(&late_us[i * WAITS], sleepers[i].late_us, sizeof sleepers[i].late_us);
    qsort(late_us, n, sizeof *late_us, compare);
    l.p50_us = late_us[n / 2];
    l.p99_us = late_us[n * 99 / 100];
    return l;
}

static void timed(int rounds)
{
    for (int i = 0; i < rounds; i++) {
        lateness l[2];
        l[i % 2] = wait_all(i % 2);
        l[!(i % 2)] = wait_all(!(i % 2));
        for (int k = EVENT; k <= CONDITION; k++)
            printf("%.2f %.2f %.2f%c", l[k].p50_us, l[k].p99_us, l[k].used_ms,
                   k == CONDITION ? '\n' : ' ');
    }
}

int main(int argc, char **argv)
{
    pthread_condattr_t monotonic;
    MUST(argc == 4);
    sleepers_n = atoi(argv[3]);
    MUST(sleepers_n > 0 && sleepers_n <= SLEEPERS_MAX);
    MUST(pthread_condattr_init(&monotonic) == 0 &&
         pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
         pthread_cond_init(&condition, &monotonic) == 0);
    MUST(rmd_event_open(&event) == 0);
    if (strcmp(argv[1], "woken") == 0)
        woken(atoi(argv[2]));
    else
        timed(atoi(argv[2]));
    return 0;
}
