/* SPDX-License-Identifier: MIT */
#include "base/record_ring.h"

static rmdi_record_cell *cell_of(const rmdi_record_ring *ring, uint64_t number)
{
    return &ring->cells[number & (ring->size - 1)];
}

void rmdi_record_ring_put(rmdi_record_ring *ring, const uint64_t words[RMDI_RECORD_WORDS])
{
    uint64_t head = rmd_atomic_load(&ring->head, RMD_RELAXED); /* only we write it */
    rmdi_record_cell *cell = cell_of(ring, head);
    rmd_fence(RMD_RELEASE); /* with the acquire one in rmdi_record_ring_read() */
    for (int i = 0; i < RMDI_RECORD_WORDS; i++)
        rmd_atomic_store(&cell->words[i], words[i], RMD_RELAXED);
    rmd_atomic_store(&ring->head, head + 1, RMD_RELEASE);
}

uint64_t rmdi_record_ring_head(const rmdi_record_ring *ring)
{
    return rmd_atomic_load(&ring->head, RMD_ACQUIRE);
}

bool rmdi_record_ring_read(const rmdi_record_ring *ring, uint64_t number,
                           uint64_t words[RMDI_RECORD_WORDS])
{
    const rmdi_record_cell *cell = cell_of(ring, number);
    for (int i = 0; i < RMDI_RECORD_WORDS; i++)
        words[i] = rmd_atomic_load(&cell->words[i], RMD_RELAXED);
    rmd_fence(RMD_ACQUIRE); /* with the release one in rmdi_record_ring_put() */
    return rmd_atomic_load(&ring->head, RMD_RELAXED) < number + ring->size;
}
