/* SPDX-License-Identifier: MIT */
/* A ring with both its sides in one process. */
#ifndef RMDI_EXEC_RING_TESTING_H
#define RMDI_EXEC_RING_TESTING_H

#include "exec/ring.h"

#include "kit.h"

#include <sys/mman.h>

static rmdi_ring_memory *memory;
static rmdi_ring ring;    /* the owner's side */
static rmdi_ring_end end; /* the worker's */
static rmd_atomic(int) bells;

static void count_bell(void *ctx)
{
    (void)ctx;
    rmd_atomic_add(&bells, 1, RMD_RELAXED);
}

/* As if so many tasks had gone through it already. */
static inline void open_ring_at(unsigned index)
{
    memory = mmap(NULL, sizeof *memory, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    rmdi_ring_init(&ring, memory);
    rmdi_ring_end_init(&end, memory, count_bell, NULL);
    ring.head = ring.tail = end.cursor = end.oldest = index;
    rmd_atomic_store(&memory->awaited, 0, RMD_RELAXED);
}

static inline void open_ring(void)
{
    open_ring_at(0);
}

/* A task with so many bytes of arguments, all of the same value. */
static inline bool put_task(uint64_t id, const void *arguments, size_t len)
{
    unsigned slot;
    rmdi_ring_order order = {
        .id = id, .attempt = 1, .function = "f", .arguments = { arguments, len }
    };
    return rmdi_ring_put(&ring, &order, &slot);
}

static inline unsigned put_small(uint64_t id)
{
    REQUIRE(put_task(id, NULL, 0));
    return rmdi_ring_slot_at(&ring, rmdi_ring_len(&ring) - 1);
}

/* The worker's: begins the next, which must be that one. */
static inline rmdi_ring_slot *claim(uint64_t id)
{
    rmdi_ring_slot *slot = rmdi_ring_claim(&end);
    REQUIRE(slot != NULL);
    CHECK_EQ(slot->id, id);
    return slot;
}

static inline void finish(int error, const char *words)
{
    CHECK_EQ(rmdi_ring_finish(&end, error, (rmd_bytes){ words, strlen(words) }, 0), 0);
}

static inline void run_one(uint64_t id)
{
    claim(id);
    finish(0, "done");
}

#endif
