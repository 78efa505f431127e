/* SPDX-License-Identifier: MIT */
/* Three producers and four workers share a queue of eight places. rmd_queue_join() tells that all
 * that was put has been dealt with. rmd_queue_close() ends the workers: they get what is left, and
 * then learn that it was all; nobody puts items that mean "the end", one for each of them. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

enum { PLACES = 8, PRODUCERS = 3, WORKERS = 4, EACH = 100 };

typedef struct worker {
    rmd_thread *thread;
    long items, sum;
} worker;

static rmd_queue *queue; /* of numbers, each in memory of its own */
static worker workers[WORKERS];

static void must(int err)
{
    if (err < 0) {
        fprintf(stderr, "%s\n", rmd_error_detail());
        exit(1);
    }
}

static int put(int n)
{
    int *number = malloc(sizeof *number);
    if (!number)
        return RMD_ENOMEM;
    *number = n;
    int err = rmd_queue_put(queue, number, RMD_FOREVER); /* waits while the queue is full */
    if (err < 0)
        free(number); /* not taken: still ours */
    return err;
}

static void produce(void *arg)
{
    for (int i = 1; i <= EACH; i++)
        if (put(*(int *)arg * i) < 0)
            return; /* told to stop, or the queue was closed */
}

static void work(void *arg)
{
    worker *w = arg;
    void *item;
    while (rmd_queue_get(queue, &item, RMD_FOREVER) == 0) {
        w->items++;
        w->sum += *(int *)item;
        free(item); /* got: it is ours now */
        rmd_queue_task_done(queue);
    } /* RMD_ECLOSED: that was all; or told to stop */
}

static void report(const char *when)
{
    long items = 0, sum = 0;
    for (int i = 0; i < WORKERS; i++) {
        items += workers[i].items;
        sum += workers[i].sum;
    }
    printf("%s: %ld items done, sum %ld\n", when, items, sum);
}

static void join(rmd_thread *thread)
{
    must(rmd_thread_join(thread, RMD_FOREVER));
    rmd_thread_free(thread);
}

static void run_producers(void)
{
    rmd_thread *threads[PRODUCERS];
    int factors[] = { 1, 2, 3 };
    for (int i = 0; i < PRODUCERS; i++)
        must(rmd_thread_start(&threads[i], produce, &factors[i], NULL));
    for (int i = 0; i < PRODUCERS; i++)
        join(threads[i]);
}

int main(void)
{
    must(rmd_queue_open(&queue, PLACES, NULL));
    for (int i = 0; i < WORKERS; i++)
        must(rmd_thread_start(&workers[i].thread, work, &workers[i], NULL));

    run_producers();
    must(rmd_queue_join(queue, RMD_FOREVER)); /* the workers are idle now, and stay */
    report("first round");
    run_producers();
    must(rmd_queue_join(queue, RMD_FOREVER));
    report("second round");

    must(put(1000));
    rmd_queue_close(queue);
    if (put(1) == RMD_ECLOSED)
        puts("closed: nothing can be put any more");
    for (int i = 0; i < WORKERS; i++)
        join(workers[i].thread);
    report("the workers have ended");
    rmd_queue_free(queue);
    return 0;
}
