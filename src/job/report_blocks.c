/* SPDX-License-Identifier: MIT */
#include "job/report_blocks.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

/* With cells of the largest size a time lies in one of two, before or after the run's start. */
enum { OUTCOMES = RMD_OUTCOME_DEAD + 1, LEAST_PER_LANE = 2 * OUTCOMES };

static const int64_t first_cell_ns = 1024, largest_cell_ns = INT64_C(1) << 62;

uint32_t rmdi_report_blocks_lanes_max(size_t limit)
{
    uint32_t lanes = (uint32_t)(limit / (LEAST_PER_LANE + 1));
    return lanes ? lanes : 1;
}

int rmdi_report_blocks_init(rmdi_report_blocks *blocks, size_t limit)
{
    *blocks = (rmdi_report_blocks){ .limit = limit < 2 * LEAST_PER_LANE ? 2 * LEAST_PER_LANE
                                                                        : limit };
    blocks->places_len = 64;
    while (blocks->places_len < 2 * blocks->limit)
        blocks->places_len *= 2;
    blocks->items = rmdi_alloc(blocks->limit * sizeof *blocks->items);
    blocks->places = rmdi_alloc_zeroed(blocks->places_len * sizeof *blocks->places);
    if (blocks->items && blocks->places)
        return 0;
    rmdi_report_blocks_free(blocks);
    return rmdi_fail_memory();
}

void rmdi_report_blocks_free(rmdi_report_blocks *blocks)
{
    for (size_t i = 0; i < blocks->count; i++) {
        rmdi_free(blocks->items[i].command);
        rmdi_free(blocks->items[i].detail);
    }
    rmdi_free(blocks->items);
    rmdi_free(blocks->places);
    *blocks = (rmdi_report_blocks){ 0 };
}

static int64_t cell_of(const rmdi_report_blocks *blocks, const rmdi_report_block *block)
{
    int64_t cell = block->start / blocks->cell_ns;
    return block->start % blocks->cell_ns < 0 ? cell - 1 : cell; /* rounded down */
}

static bool share_place(const rmdi_report_blocks *blocks, const rmdi_report_block *a,
                        const rmdi_report_block *b)
{
    return a->lane == b->lane && a->outcome == b->outcome &&
           cell_of(blocks, a) == cell_of(blocks, b);
}

/* The place of the block's cell: 0, or where the block is that it belongs to. */
static uint32_t *place_of(const rmdi_report_blocks *blocks, const rmdi_report_block *block)
{
    uint64_t hash = (uint64_t)cell_of(blocks, block) * 0x9e3779b97f4a7c15;
    hash = (hash ^ (hash >> 29) ^ block->lane * OUTCOMES ^ block->outcome) * 0xbf58476d1ce4e5b9;
    for (size_t at = (size_t)(hash >> 32);; at++) {
        uint32_t *place = &blocks->places[at & (blocks->places_len - 1)];
        if (!*place || share_place(blocks, &blocks->items[*place - 1], block))
            return place;
    }
}

static void merge(rmdi_report_block *into, const rmdi_report_block *block)
{
    if (block->start < into->start)
        into->task = block->task;
    into->start = block->start < into->start ? block->start : into->start;
    into->end = block->end > into->end ? block->end : into->end;
    into->busy += block->busy;
    into->cpu += block->cpu;
    into->count += block->count;
    if (block->memory_bytes > into->memory_bytes)
        into->memory_bytes = block->memory_bytes;
}

/* Its start stays in the cell, so a place holds good: of two starts the earlier is in it, too. */
static void put(rmdi_report_blocks *blocks, const rmdi_report_block *block)
{
    uint32_t *place = block->end - block->start < blocks->cell_ns ? place_of(blocks, block) : NULL;
    if (place && *place) {
        merge(&blocks->items[*place - 1], block);
        return;
    }
    blocks->items[blocks->count++] = *block;
    if (place)
        *place = (uint32_t)blocks->count;
}

void rmdi_report_blocks_coarsen(rmdi_report_blocks *blocks, int64_t cell_ns)
{
    if (cell_ns <= blocks->cell_ns)
        return;
    size_t count = blocks->count;
    blocks->cell_ns = cell_ns;
    blocks->count = 0;
    memset(blocks->places, 0, blocks->places_len * sizeof *blocks->places);
    for (size_t i = 0; i < count; i++) {
        rmdi_report_block block = blocks->items[i]; /* put may write over it */
        size_t before = blocks->count;
        put(blocks, &block);
        if (blocks->count == before) {
            rmdi_free(block.command);
            rmdi_free(block.detail);
        }
    }
}

/* Down to three quarters, so that the next ones do not make all this necessary again. */
static void make_room(rmdi_report_blocks *blocks)
{
    while (blocks->count > blocks->limit / 4 * 3 && blocks->cell_ns < largest_cell_ns)
        rmdi_report_blocks_coarsen(blocks, blocks->cell_ns ? blocks->cell_ns * 2 : first_cell_ns);
}

void rmdi_report_blocks_add(rmdi_report_blocks *blocks, const rmdi_report_block *block)
{
    if (blocks->count == blocks->limit)
        make_room(blocks);
    if (blocks->count < blocks->limit)
        put(blocks, block);
}
