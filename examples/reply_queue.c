/* SPDX-License-Identifier: MIT */
/* Every request carries the queue where its answer goes. Three askers each want the sum of the
 * numbers to N: they cut it into parts, which four workers add up in any order, and add what comes
 * back. Whoever has got its last answer frees its queue at once, though the worker that has put it
 * may not have returned from that yet. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

enum { ASKERS = 3, WORKERS = 4, PARTS = 10 };

typedef struct request {
    long first, last, sum;
    rmd_queue *replies;
} request;

typedef struct asker {
    rmd_thread *thread;
    long n, sum;
} asker;

static rmd_queue *requests;

static void must(int err)
{
    if (err < 0) {
        fprintf(stderr, "%s\n", rmd_error_detail());
        exit(1);
    }
}

static void work(void *arg)
{
    (void)arg;
    void *item;
    while (rmd_queue_get(requests, &item, RMD_FOREVER) == 0) {
        request *r = item;
        for (long i = r->first; i <= r->last; i++)
            r->sum += i;
        must(rmd_queue_put(r->replies, r, RMD_NOW)); /* there is room for each: it never waits */
    }
}

static void ask(void *arg)
{
    asker *a = arg;
    request parts[PARTS] = { 0 };
    rmd_queue *replies;
    must(rmd_queue_open(&replies, PARTS, NULL));
    for (int i = 0; i < PARTS; i++) {
        parts[i].first = a->n * i / PARTS + 1;
        parts[i].last = a->n * (i + 1) / PARTS;
        parts[i].replies = replies;
        must(rmd_queue_put(requests, &parts[i], RMD_FOREVER));
    }
    for (int i = 0; i < PARTS; i++) {
        void *item;
        must(rmd_queue_get(replies, &item, RMD_FOREVER));
        a->sum += ((request *)item)->sum;
    }
    rmd_queue_free(replies); /* that was the last one */
}

int main(void)
{
    rmd_thread *workers[WORKERS];
    asker askers[ASKERS] = { { .n = 10 }, { .n = 1000 }, { .n = 100000 } };
    must(rmd_queue_open(&requests, 8, NULL));
    for (int i = 0; i < WORKERS; i++)
        must(rmd_thread_start(&workers[i], work, NULL, NULL));
    for (int i = 0; i < ASKERS; i++)
        must(rmd_thread_start(&askers[i].thread, ask, &askers[i], NULL));
    for (int i = 0; i < ASKERS; i++) {
        must(rmd_thread_join(askers[i].thread, RMD_FOREVER));
        rmd_thread_free(askers[i].thread);
        printf("1 to %ld: %ld\n", askers[i].n, askers[i].sum);
    }
    rmd_queue_close(requests);
    for (int i = 0; i < WORKERS; i++) {
        must(rmd_thread_join(workers[i], RMD_FOREVER));
        rmd_thread_free(workers[i]);
    }
    rmd_queue_free(requests);
    return 0;
}
