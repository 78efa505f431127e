/* SPDX-License-Identifier: MIT */
/* A ring of events that one thread writes and any thread reads meanwhile: the last ones, as many as
 * there are cells. Writing never waits and never fails; a reader is told when what it has read was
 * overwritten under it.
 *
 * Why no torn event is believed
 * -----------------------------
 * Event i lies in cell i % cells; `head` is how many there have been. The writer of event i has
 * stored head = i before (for event i - 1), passes a release fence, stores the words, and then
 * stores head = i + 1, with release.
 *   - A reader that has loaded head > i with acquire sees all words of event i, or later ones.
 *   - It loads the words, passes an acquire fence, and loads head again. If one of the words was of
 *     event j = i + cells, or later, then the two fences order: the store of head = j came before
 *     the writer's fence, so the second load sees j or more. So an event is whole if head is at
 *     most i + cells - 1 then; at i + cells the cell may be half written.
 * The words are relaxed atomics, since they are read while they are written.
 *
 * On x86 both fences only keep the compiler from moving anything; on Arm the writer's is one
 * barrier for each event.
 *
 * Source: the sequence lock, in the form of H.-J. Boehm, "Can Seqlocks Get Along With Programming
 * Language Memory Models?", 2012, with the position as its sequence. */
#ifndef RMDI_BASE_RECORD_RING_H
#define RMDI_BASE_RECORD_RING_H

#include <remuda/atomics.h>

enum { RMDI_RECORD_WORDS = 4 };

typedef struct rmdi_record_cell {
    rmd_atomic(uint64_t) words[RMDI_RECORD_WORDS];
} rmdi_record_cell;

typedef struct rmdi_record_ring {
    rmd_atomic(uint64_t) head;
    uint64_t size; /* cells, a power of two; constant */
    rmdi_record_cell *cells;
} rmdi_record_ring;

/* On the one thread that writes. */
void rmdi_record_ring_put(rmdi_record_ring *ring, const uint64_t words[RMDI_RECORD_WORDS]);

/* How many there have been: what was written of them is there to be read. Any thread. */
uint64_t rmdi_record_ring_head(const rmdi_record_ring *ring);

/* The event of that number, less than a head that was seen. False: it has been overwritten. Any
 * thread, also in a signal handler. */
bool rmdi_record_ring_read(const rmdi_record_ring *ring, uint64_t number,
                           uint64_t words[RMDI_RECORD_WORDS]);

#endif
