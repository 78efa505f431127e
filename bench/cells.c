/* SPDX-License-Identifier: MIT */
/* The limit for queues of several threads on either side: an array with a sequence number per cell,
 * after D. Vyukov, that never sleeps; waiting is pausing and yielding. bench-cells PAIRS */
#include "through.h"

typedef struct cell {
    uint64_t sequence;
    void *item;
} cell;

static struct {
    _Alignas(128) uint64_t tail;
    _Alignas(128) uint64_t head;
    _Alignas(128) cell cells[SIZE];
} cells;

/* The cell whose turn it is, for the taking of the position at `end`. */
static inline cell *take_turn(uint64_t *end, uint64_t ahead, uint64_t *position)
{
    *position = __atomic_load_n(end, __ATOMIC_RELAXED);
    for (int n = 0;;) {
        cell *c = &cells.cells[*position % SIZE];
        uint64_t sequence = __atomic_load_n(&c->sequence, __ATOMIC_ACQUIRE);
        int64_t turn = (int64_t)(sequence - (*position + ahead));
        if (turn == 0 && __atomic_compare_exchange_n(end, position, *position + 1, 1,
                                                     __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return c;
        if (turn < 0)
            back_off(&n);
        if (turn != 0)
            *position = __atomic_load_n(end, __ATOMIC_RELAXED);
    }
}

static inline void put(void *item)
{
    uint64_t position;
    cell *c = take_turn(&cells.tail, 0, &position);
    c->item = item;
    __atomic_store_n(&c->sequence, position + 1, __ATOMIC_RELEASE);
}

static inline void *get(void)
{
    uint64_t position;
    cell *c = take_turn(&cells.head, 1, &position);
    void *item = c->item;
    __atomic_store_n(&c->sequence, position + SIZE, __ATOMIC_RELEASE);
    return item;
}

int main(int argc, char **argv)
{
    MUST(argc == 2);
    for (uint64_t i = 0; i < SIZE; i++)
        cells.cells[i].sequence = i;
    return main_of(argv[1]);
}
