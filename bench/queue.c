/* SPDX-License-Identifier: MIT */
/* Items per second through a queue of Remuda's: bench-queue ring|pair PAIRS */
#include "through.h"

#include <remuda.h>
#include <string.h>

static rmd_queue *queue;

static inline void put(void *item)
{
    MUST(rmd_queue_put(queue, item, RMD_FOREVER) == 0);
}

static inline void *get(void)
{
    void *item;
    MUST(rmd_queue_get(queue, &item, RMD_FOREVER) == 0);
    return item;
}

int main(int argc, char **argv)
{
    MUST(argc == 3);
    rmd_queue_options options = { .size = sizeof options,
                                  .one_to_one = strcmp(argv[1], "pair") == 0 };
    MUST(rmd_queue_open(&queue, SIZE, &options) == 0);
    int status = main_of(argv[2]);
    MUST(rmd_queue_free(queue) == 0);
    return status;
}
