/* SPDX-License-Identifier: MIT */
/* The ring of the flight recorder: whatever a reader believes is whole, and the event of that
 * number; and of what was seen to be there at most the oldest are missing. Two cells here, so that
 * each is overwritten under its reader. */
#include "base/record_ring.h"
#include "crew.h"

enum { CELLS = 2, EVENTS = 5 };

static struct {
    rmdi_record_ring ring;
    rmdi_record_cell cells[CELLS];
} o;

static void begin(void)
{
    o.ring = (rmdi_record_ring){ .size = CELLS, .cells = o.cells };
    rmd_atomic_init(&o.ring.head, 0);
    for (int i = 0; i < CELLS; i++)
        for (int j = 0; j < RMDI_RECORD_WORDS; j++)
            rmd_atomic_init(&o.cells[i].words[j], 0);
}

static void put(uint64_t number)
{
    const uint64_t words[RMDI_RECORD_WORDS] = { number, 10 + number, 20 + number, 30 + number };
    rmdi_record_ring_put(&o.ring, words);
}

static void write_all(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < EVENTS; i++)
        put(i);
}

static bool read_one(uint64_t number)
{
    uint64_t words[RMDI_RECORD_WORDS];
    if (!rmdi_record_ring_read(&o.ring, number, words))
        return false;
    for (uint64_t j = 0; j < RMDI_RECORD_WORDS; j++)
        RMD_ASSERT(words[j] == number + 10 * j);
    return true;
}

/* All that a record would hold. */
static void read_all(void *arg)
{
    (void)arg;
    for (int times = 0; times < 2; times++) {
        uint64_t head = rmdi_record_ring_head(&o.ring);
        for (uint64_t i = head >= CELLS ? head - CELLS + 1 : 0; i < head; i++)
            read_one(i);
    }
}

HARNESS(record_ring_is_read_while_it_is_written)
{
    crew all = { 0 };
    begin();
    crew_add(&all, write_all, NULL, "writer");
    crew_add(&all, read_all, NULL, "reader");
    crew_add(&all, read_all, NULL, "another");
    crew_join(&all);
    RMD_ASSERT(rmdi_record_ring_head(&o.ring) == EVENTS);
    RMD_ASSERT(read_one(EVENTS - 1)); /* the cell before may be the next to be written */
    RMD_ASSERT(!read_one(EVENTS - CELLS));
    RMD_ASSERT(!read_one(0));
}

/* A thread has ended, and another one writes to its ring. */
static void write_more(void *arg)
{
    (void)arg;
    put(EVENTS);
    put(EVENTS + 1);
}

HARNESS(record_ring_is_taken_over)
{
    crew first = { 0 }, all = { 0 };
    begin();
    crew_add(&first, write_all, NULL, "writer");
    crew_join(&first);
    crew_add(&all, write_more, NULL, "the next writer");
    crew_add(&all, read_all, NULL, "reader");
    crew_join(&all);
    RMD_ASSERT(read_one(EVENTS + 1));
}
