/* SPDX-License-Identifier: MIT */
/* A reader-writer lock beside pthread_rwlock, in turn: rwlock ROUNDS READS THREADS, READS of 100
 * sections read. One line per round: sections/s of ours, the peer's. As lock.c does, two threads
 * run before all others if they may, each on a processor of its own, and a run in which one was
 * displaced is made again; more threads than that share the processors as the system likes. The
 * peer's default kind lets readers pass a writer that waits; ours does not. */
#include "pinned.h"

#include <pthread.h>
#include <remuda.h>

enum { CONTENDED_MS = 20, TRIES_MAX = 25, CHUNK = 100, THREADS_MAX = 16 };
enum { OURS, PEER };

static rmd_rwlock *lock;
static pthread_rwlock_t peer = PTHREAD_RWLOCK_INITIALIZER;
static uint64_t counter; /* guarded by the lock in use */
static int threads_n, reads;
static _Atomic(int) ready;

static inline __attribute__((always_inline)) void acquire_read(int kind)
{
    if (kind == PEER)
        pthread_rwlock_rdlock(&peer);
    else
        MUST(rmd_rwlock_acquire_read(lock, RMD_FOREVER) == 0);
}

static inline __attribute__((always_inline)) void acquire_write(int kind)
{
    if (kind == PEER)
        pthread_rwlock_wrlock(&peer);
    else
        MUST(rmd_rwlock_acquire_write(lock, RMD_FOREVER) == 0);
}

static inline __attribute__((always_inline)) void release(int kind)
{
    if (kind == PEER)
        pthread_rwlock_unlock(&peer);
    else
        rmd_rwlock_release(lock);
}

typedef struct contender {
    int kind, cpu;
    uint64_t sections, writes;
    uint64_t seen; /* so that it is read */
    long displaced;
} contender;

/* Which of a hundred are writes is spread by a stride that has no factor in common with it. */
static inline __attribute__((always_inline)) void contend_for(contender *c, int kind)
{
    int64_t end_ns = now_ns() + CONTENDED_MS * 1000000;
    while (now_ns() < end_ns)
        for (int i = 0; i < CHUNK; i++) {
            bool write = i * 37 % CHUNK >= reads;
            if (write) {
                acquire_write(kind);
                counter++;
                c->writes++;
            } else {
                acquire_read(kind);
                c->seen += *(volatile uint64_t *)&counter;
            }
            release(kind);
            c->sections++;
        }
}

static void contend(void *arg)
{
    contender mine = *(contender *)arg;
    if (threads_n == 2) {
        pin(mine.cpu);
        run_first();
    }
    mine.displaced = -displaced();
    ready++;
    while (ready < threads_n)
        sched_yield();
    if (mine.kind == OURS)
        contend_for(&mine, OURS);
    else
        contend_for(&mine, PEER);
    mine.displaced += displaced();
    *(contender *)arg = mine;
}

/* False: they were disturbed. */
static bool run(int kind, double *per_second)
{
    contender all[THREADS_MAX];
    rmd_thread *threads[THREADS_MAX];
    uint64_t sections = 0, writes = 0;
    long disturbed = 0;
    ready = 0;
    counter = 0;
    for (int i = 0; i < threads_n; i++) {
        all[i] = (contender){ .kind = kind, .cpu = i };
        MUST(rmd_thread_start(&threads[i], contend, &all[i], NULL) == 0);
    }
    for (int i = 0; i < threads_n; i++) {
        MUST(rmd_thread_join(threads[i], RMD_FOREVER) == 0 && rmd_thread_free(threads[i]) == 0);
        sections += all[i].sections;
        writes += all[i].writes;
        disturbed += all[i].displaced;
    }
    MUST(counter == writes);
    *per_second = (double)sections / (CONTENDED_MS / 1e3);
    return threads_n > 2 || disturbed == 0;
}

static double run_undisturbed(int kind)
{
    double per_second = 0;
    for (int tries = 0; tries < TRIES_MAX && !run(kind, &per_second); tries++)
        ;
    return per_second;
}

int main(int argc, char **argv)
{
    MUST(argc == 4);
    int rounds = atoi(argv[1]);
    reads = atoi(argv[2]);
    threads_n = atoi(argv[3]);
    MUST(threads_n >= 2 && threads_n <= THREADS_MAX);
    MUST(rmd_rwlock_open(&lock, NULL) == 0);
    for (int i = 0; i < rounds; i++) {
        double rates[2];
        rates[i % 2] = run_undisturbed(i % 2);
        rates[!(i % 2)] = run_undisturbed(!(i % 2));
        printf("%.0f %.0f\n", rates[OURS], rates[PEER]);
    }
    return 0;
}
