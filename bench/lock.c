/* SPDX-License-Identifier: MIT */
/* A lock beside pthread_mutex, in turn. One line per round:
 *   lock alone ROUNDS            ns of lock and unlock: ours, the peer's; a second thread is alive
 *   lock contended ROUNDS WORK   two threads: sections/s of ours, the peer's, a fair one; then the
 *                                worst wait of each in ms. WORK: so many steps between sections
 * Two threads contend only while both run, so they run before all others if we may (SCHED_FIFO),
 * and a run in which one was displaced is made again. */
#include "pinned.h"

#include <pthread.h>
#include <remuda.h>
#include <string.h>

enum { ALONE_TIMES = 4000000, CONTENDED_MS = 20, TRIES_MAX = 25, CHUNK = 64 };
enum { OURS, PEER, FAIR, KINDS };

static rmd_lock *locks[KINDS]; /* not of PEER */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t counter; /* guarded by the lock in use */
static int rounds, work;

static inline __attribute__((always_inline)) void acquire(int kind)
{
    if (kind == PEER)
        pthread_mutex_lock(&mutex);
    else
        MUST(rmd_lock_acquire(locks[kind], RMD_FOREVER) == 0);
}

static inline __attribute__((always_inline)) void release(int kind)
{
    if (kind == PEER)
        pthread_mutex_unlock(&mutex);
    else
        rmd_lock_release(locks[kind]);
}

/* ---- alone ---- */

static void sleep_on(void *event)
{
    MUST(rmd_event_wait(event, RMD_FOREVER) == 0);
}

static inline __attribute__((always_inline)) double time_alone(int kind)
{
    int64_t begin = now_ns();
    for (int i = 0; i < ALONE_TIMES; i++) {
        acquire(kind);
        release(kind);
    }
    return (double)(now_ns() - begin) / ALONE_TIMES;
}

static void alone(void)
{
    rmd_event *end;
    rmd_thread *thread;
    MUST(rmd_event_open(&end) == 0);
    MUST(rmd_thread_start(&thread, sleep_on, end, NULL) == 0);
    for (int i = 0; i < rounds; i++) {
        double ours = i % 2 ? time_alone(OURS) : 0, peer = time_alone(PEER);
        ours = i % 2 ? ours : time_alone(OURS);
        printf("%.4f %.4f\n", ours, peer);
    }
    rmd_event_set(end);
    MUST(rmd_thread_join(thread, RMD_FOREVER) == 0);
}

/* ---- contended ---- */

typedef struct contender {
    int kind, cpu;
    bool timed; /* looks at the clock around each acquire, which slows it down */
    uint64_t sections;
    int64_t worst_ns;
    long displaced; /* how often by others */
} contender;

static _Atomic(int) ready;

static void compute(void)
{
    for (int i = 0; i < work; i++)
        __asm__ volatile("" ::: "memory");
}

static inline __attribute__((always_inline)) void contend_for(contender *c, int kind, bool timed)
{
    int64_t end_ns = now_ns() + CONTENDED_MS * 1000000;
    while (now_ns() < end_ns)
        for (int i = 0; i < CHUNK; i++) {
            int64_t begin = timed ? now_ns() : 0;
            acquire(kind);
            int64_t wait = timed ? now_ns() - begin : 0;
            counter++;
            release(kind);
            c->worst_ns = wait > c->worst_ns ? wait : c->worst_ns;
            c->sections++;
            compute();
        }
}

static void contend(void *arg)
{
    contender mine = *(contender *)arg;
    pin(mine.cpu);
    run_first();
    mine.displaced = -displaced();
    ready++;
    while (ready < 2)
        ;
    switch (mine.kind * 2 + mine.timed) {
    case OURS * 2:
    case FAIR * 2: contend_for(&mine, mine.kind, false); break;
    case PEER * 2: contend_for(&mine, PEER, false); break;
    default: contend_for(&mine, mine.kind, true);
    }
    mine.displaced += displaced();
    *(contender *)arg = mine;
}

/* Sections per second, or the worst wait in ms. False: they were disturbed. */
static bool run_two(int kind, bool timed, double *result)
{
    contender two[2] = { { .kind = kind, .timed = timed }, { .kind = kind, .timed = timed } };
    rmd_thread *threads[2];
    ready = 0;
    counter = 0;
    for (int i = 0; i < 2; i++) {
        two[i].cpu = i;
        MUST(rmd_thread_start(&threads[i], contend, &two[i], NULL) == 0);
    }
    for (int i = 0; i < 2; i++) {
        MUST(rmd_thread_join(threads[i], RMD_FOREVER) == 0);
        MUST(rmd_thread_free(threads[i]) == 0);
    }
    int64_t worst = two[0].worst_ns > two[1].worst_ns ? two[0].worst_ns : two[1].worst_ns;
    MUST(counter == two[0].sections + two[1].sections);
    *result = timed ? (double)worst / 1e6 : (double)counter / (CONTENDED_MS / 1e3);
    return two[0].displaced + two[1].displaced == 0;
}

static double run_undisturbed(int kind, bool timed)
{
    double result = 0;
    for (int tries = 0; tries < TRIES_MAX && !run_two(kind, timed, &result); tries++)
        ;
    return result;
}

static void contended(void)
{
    for (int i = 0; i < rounds; i++) {
        double rates[KINDS], waits[KINDS];
        for (int j = 0; j < KINDS; j++) {
            int kind = (i + j) % KINDS;
            rates[kind] = run_undisturbed(kind, false);
            waits[kind] = run_undisturbed(kind, true);
        }
        for (int kind = 0; kind < KINDS; kind++)
            printf("%.0f %.4f%c", rates[kind], waits[kind], kind == KINDS - 1 ? '\n' : ' ');
    }
}

int main(int argc, char **argv)
{
    rmd_lock_options fair = { .size = sizeof fair, .fair = true };
    MUST(argc > 2);
    rounds = atoi(argv[2]);
    work = argc > 3 ? atoi(argv[3]) : 0;
    MUST(rmd_lock_open(&locks[OURS], NULL) == 0 && rmd_lock_open(&locks[FAIR], &fair) == 0);
    if (strcmp(argv[1], "alone") == 0)
        alone();
    else
        contended();
    return 0;
}
