/* SPDX-License-Identifier: MIT */
#include "exec/spool.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

void rmdi_spool_init(rmdi_spool *spool, rmdi_spill *spill)
{
    *spool = (rmdi_spool){ .spill = spill };
    if (spill)
        rmdi_spill_hold(spill);
}

/* ---- the tail as a ring: grows to its bound, then the newest overwrites the oldest ---- */

static void ring_overwrite(rmdi_spool *spool, const char *data, size_t len)
{
    while (len) {
        size_t room = RMDI_TAIL_MAX - spool->ring_start, n = len < room ? len : room;
        memcpy(spool->memory.data + spool->ring_start, data, n);
        spool->ring_start = (spool->ring_start + n) % RMDI_TAIL_MAX;
        data += n;
        len -= n;
    }
}

static int ring_add(rmdi_spool *spool, const char *data, size_t len)
{
    if (len > RMDI_TAIL_MAX) {
        data += len - RMDI_TAIL_MAX;
        len = RMDI_TAIL_MAX;
    }
    size_t room = RMDI_TAIL_MAX - spool->memory.len, n = len < room ? len : room;
    int err = rmdi_buffer_add(&spool->memory, data, n);
    if (err == 0)
        ring_overwrite(spool, data + n, len - n);
    return err;
}

/* ---- everything: memory first, then blocks ---- */

static int add_block(rmdi_spool *spool, const char *data, size_t len)
{
    void *blocks = spool->blocks;
    int err = rmdi_array_reserve(&blocks, &spool->blocks_capacity, spool->blocks_used,
                                 sizeof *spool->blocks);
    spool->blocks = blocks;
    if (err < 0)
        return err;
    rmdi_spool_block *block = &spool->blocks[spool->blocks_used];
    err = rmdi_spill_put(spool->spill, data, len, &block->number);
    if (err < 0)
        return err;
    block->len = (uint32_t)len;
    spool->blocks_used++;
    return 0;
}

/* At most RMDI_SPILL_BLOCK bytes. The last block is filled first: many small pieces must not
 * take a block each. */
static int add_to_file(rmdi_spool *spool, const char *data, size_t len)
{
    rmdi_spool_block *last = spool->blocks_used ? &spool->blocks[spool->blocks_used - 1] : NULL;
    size_t room = last ? RMDI_SPILL_BLOCK - last->len : 0, n = len < room ? len : room;
    int err = n ? rmdi_spill_write(spool->spill, last->number, last->len, data, n) : 0;
    size_t filled = spool->blocks_used - 1; /* add_block may move the blocks */
    if (err == 0 && len > n)
        err = add_block(spool, data + n, len - n);
    if (err == 0 && n) /* all or nothing: after a failure the caller still has the bytes */
        spool->blocks[filled].len += (uint32_t)n;
    return err;
}

/* Moves what lies in memory to the file and gives the budget back. */
static int flush(rmdi_spool *spool)
{
    int err = add_to_file(spool, spool->memory.data, spool->memory.len);
    if (err < 0)
        return err;
    rmdi_spill_give_memory(spool->spill, spool->taken);
    spool->taken = 0;
    rmdi_buffer_clear(&spool->memory);
    return 0;
}

/* At most RMDI_SPILL_BLOCK bytes: what does not fit beside the bytes in memory, or not
 * into the budget, sends those to the file first. */
static int keep(rmdi_spool *spool, const char *data, size_t len)
{
    bool full = spool->memory.len + len > RMDI_SPILL_BLOCK;
    bool paid = !full && rmdi_spill_take_memory(spool->spill, len);
    if (paid)
        spool->taken += len;
    if (!paid && spool->memory.len) {
        int err = flush(spool);
        if (err < 0)
            return err;
    }
    if (!paid && !rmdi_spill_take_memory(spool->spill, len)) {
        rmdi_buffer_free(&spool->memory); /* no budget at all: no memory held */
        return add_to_file(spool, data, len);
    }
    if (!paid)
        spool->taken = len;
    return rmdi_buffer_add(&spool->memory, data, len);
}

int rmdi_spool_add(rmdi_spool *spool, const void *data, size_t len)
{
    const char *from = data;
    spool->total += len;
    if (!spool->spill)
        return ring_add(spool, from, len);
    while (len) {
        size_t n = len < RMDI_SPILL_BLOCK ? len : RMDI_SPILL_BLOCK;
        int err = keep(spool, from, n);
        if (err < 0)
            return err;
        from += n;
        len -= n;
    }
    return 0;
}

static int64_t read_memory(const rmdi_spool *spool, uint64_t offset, void *data, size_t len)
{
    if (offset >= spool->memory.len)
        return 0;
    size_t left = spool->memory.len - (size_t)offset, n = len < left ? len : left;
    memcpy(data, spool->memory.data + offset, n);
    return (int64_t)n;
}

/* All blocks but the last one are full. */
static uint64_t in_file(const rmdi_spool *spool)
{
    if (!spool->blocks_used)
        return 0;
    size_t full = spool->blocks_used - 1;
    return (uint64_t)full * RMDI_SPILL_BLOCK + spool->blocks[full].len;
}

int64_t rmdi_spool_read(const rmdi_spool *spool, uint64_t offset, void *data, size_t len)
{
    if (!len)
        return 0;
    uint64_t written = in_file(spool);
    if (offset >= written)
        return read_memory(spool, offset - written, data, len);
    const rmdi_spool_block *block = &spool->blocks[offset / RMDI_SPILL_BLOCK];
    size_t from = offset % RMDI_SPILL_BLOCK, left = block->len - from, n = len < left ? len : left;
    int err = rmdi_spill_get(spool->spill, block->number, from, data, n);
    return err < 0 ? err : (int64_t)n;
}

/* The end of a spool that keeps everything, when a part of it lies in the file. */
static rmd_bytes copy_tail(const rmdi_spool *spool, rmdi_buffer *storage)
{
    uint64_t from = spool->total > RMDI_TAIL_MAX ? spool->total - RMDI_TAIL_MAX : 0;
    if (rmdi_buffer_reserve(storage, RMDI_TAIL_MAX) < 0)
        return (rmd_bytes){ 0 };
    for (int64_t n; storage->len < RMDI_TAIL_MAX;) {
        n = rmdi_spool_read(spool, from + storage->len, storage->data + storage->len,
                            RMDI_TAIL_MAX - storage->len);
        if (n <= 0)
            break;
        rmdi_buffer_filled(storage, (size_t)n);
    }
    rmdi_buffer_trim(storage);
    return rmdi_buffer_view(storage);
}

static rmd_bytes turn_ring(rmdi_spool *spool, rmdi_buffer *storage)
{
    const char *data = spool->memory.data;
    size_t start = spool->ring_start;
    if (rmdi_buffer_reserve(storage, spool->memory.len) < 0)
        return (rmd_bytes){ 0 };
    rmdi_buffer_add(storage, data + start, spool->memory.len - start); /* has its room */
    rmdi_buffer_add(storage, data, start);
    rmdi_buffer_free(&spool->memory);
    spool->ring_start = 0;
    rmdi_buffer_trim(storage);
    return rmdi_buffer_view(storage);
}

void rmdi_spool_complete(rmdi_spool *spool)
{
    rmdi_buffer_trim(&spool->memory);
}

rmd_bytes rmdi_spool_tail(rmdi_spool *spool, rmdi_buffer *storage)
{
    if (spool->ring_start)
        return turn_ring(spool, storage);
    rmdi_spool_complete(spool);
    if (spool->blocks_used)
        return copy_tail(spool, storage);
    return rmdi_buffer_view(&spool->memory); /* at most a block, which is the tail's bound */
}

void rmdi_spool_free(rmdi_spool *spool)
{
    for (size_t i = 0; i < spool->blocks_used; i++)
        rmdi_spill_free_block(spool->spill, spool->blocks[i].number);
    rmdi_free(spool->blocks);
    rmdi_buffer_free(&spool->memory);
    if (spool->spill) {
        rmdi_spill_give_memory(spool->spill, spool->taken);
        rmdi_spill_drop(spool->spill);
    }
    *spool = (rmdi_spool){ 0 };
}
