/* SPDX-License-Identifier: MIT */
/* The sum of a big array by the tasks of a pool. Each sends its part of the result to a queue of
 * replies, where they arrive in any order; whoever asked adds them up while the others still
 * work. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBERS = 4000000, PARTS = 16 };

typedef struct part {
    const int *numbers;
    size_t count;
    int64_t sum;
    rmd_queue *replies;
} part;

static void must(int64_t err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name((int)err));
    exit(1);
}

static int add_up(void *arg)
{
    part *p = arg;
    for (size_t i = 0; i < p->count; i++)
        p->sum += p->numbers[i];
    return rmd_queue_put(p->replies, p, RMD_FOREVER); /* the part itself is the reply */
}

static int64_t sum(rmd_pool *pool, const int *numbers, size_t count)
{
    int64_t whole = 0;
    rmd_task tasks[PARTS];
    part parts[PARTS];
    rmd_queue *replies;
    must(rmd_queue_open(&replies, PARTS, NULL), "queue");
    for (size_t i = 0; i < PARTS; i++) {
        size_t from = count * i / PARTS, to = count * (i + 1) / PARTS;
        parts[i] = (part){ .numbers = numbers + from, .count = to - from, .replies = replies };
        tasks[i] = (rmd_task){ add_up, &parts[i] };
    }
    must(rmd_submit_many(pool, NULL, tasks, PARTS, NULL), "submit");
    for (int i = 0; i < PARTS; i++) {
        void *reply;
        must(rmd_queue_get(replies, &reply, RMD_FOREVER), "get");
        whole += ((part *)reply)->sum;
    }
    rmd_queue_free(replies); /* that was the last one */
    return whole;
}

int main(void)
{
    rmd_pool *pool;
    int *numbers = malloc(NUMBERS * sizeof *numbers);
    if (!numbers)
        return 1;
    for (int i = 0; i < NUMBERS; i++)
        numbers[i] = i % 1000;
    must(rmd_pool_open(&pool, "threads:2", NULL, RMD_FOREVER), "open");
    printf("%d numbers in %d parts: %lld\n", NUMBERS, PARTS,
           (long long)sum(pool, numbers, NUMBERS));
    printf("the first hundred of them: %lld\n", (long long)sum(pool, numbers, 100));
    must(rmd_pool_drain(pool, RMD_FOREVER), "drain");
    must(rmd_pool_free(pool), "free");
    free(numbers);
    return 0;
}
