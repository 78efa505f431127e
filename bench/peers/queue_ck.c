/* SPDX-License-Identifier: MIT */
/* Items per second through Concurrency Kit's ring for one thread on either side, which never
 * sleeps: queue_ck 1 */
#include "../through.h"

#include <ck_ring.h>

static _Alignas(128) ck_ring_t ring;
static ck_ring_buffer_t items[2 * SIZE];

static inline void put(void *item)
{
    for (int n = 0; !ck_ring_enqueue_spsc(&ring, items, item);)
        back_off(&n);
}

static inline void *get(void)
{
    void *item = NULL;
    for (int n = 0; !ck_ring_dequeue_spsc(&ring, items, &item);)
        back_off(&n);
    return item;
}

int main(int argc, char **argv)
{
    MUST(argc == 2);
    ck_ring_init(&ring, SIZE);
    return main_of(argv[1]);
}
