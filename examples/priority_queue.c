/* SPDX-License-Identifier: MIT */
/* The same messages, put in the same order, come out in three orders. The queues have no bound, as
 * nobody gets anything before all have been put. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct message {
    const char *text;
    int64_t priority; /* the lowest first */
} message;

static void must(int err)
{
    if (err < 0) {
        fprintf(stderr, "%s\n", rmd_error_detail());
        exit(1);
    }
}

static int64_t priority_of(void *ctx, const void *item)
{
    (void)ctx;
    const message *m = item;
    return m->priority;
}

static void show(const char *what, rmd_queue_order order)
{
    static message messages[] = { { "mail", 5 }, { "music", 9 }, { "fire", 1 }, { "news", 5 } };
    rmd_queue *queue;
    void *item;
    rmd_queue_options options = { .size = sizeof options,
                                  .order = order,
                                  .priority_of = order == RMD_PRIORITY ? priority_of : NULL };
    must(rmd_queue_open(&queue, RMD_UNBOUNDED, &options));
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        must(rmd_queue_put(queue, &messages[i], RMD_NOW)); /* never full */

    printf("%s:", what);
    int err;
    while ((err = rmd_queue_get(queue, &item, RMD_NOW)) == 0)
        printf(" %s", ((message *)item)->text);
    printf("; then %s\n", rmd_error_name(err)); /* empty, and RMD_NOW does not wait */
    rmd_queue_free(queue);
}

int main(void)
{
    show("RMD_FIFO", RMD_FIFO);
    show("RMD_LIFO", RMD_LIFO);
    show("RMD_PRIORITY", RMD_PRIORITY);
    return 0;
}
