/* SPDX-License-Identifier: MIT */
/* The output of one program: counted, and kept whole or only its end. */
#ifndef RMDI_EXEC_SPOOL_H
#define RMDI_EXEC_SPOOL_H

#include "data/bytes.h"
#include "exec/spill.h"

enum { RMDI_TAIL_MAX = 64 * 1024 };

typedef struct rmdi_spool_block {
    uint32_t number, len;
} rmdi_spool_block;

/* Zeroed, then rmdi_spool_init. Used by one thread until it is complete, then read by
 * any. The end of the output lies in `memory`, what came before it in blocks. */
typedef struct rmdi_spool {
    rmdi_spill *spill; /* NULL: only the tail is kept, in memory as a ring */
    rmdi_buffer memory;
    size_t taken; /* of the spill's memory budget */
    rmdi_spool_block *blocks;
    size_t blocks_used, blocks_capacity;
    size_t ring_start; /* tail only: where the oldest byte lies once the ring is full */
    uint64_t total;    /* bytes that came */
} rmdi_spool;

/* Keeps everything (spill given; holds a reference to it) or the last RMDI_TAIL_MAX bytes. */
void rmdi_spool_init(rmdi_spool *spool, rmdi_spill *spill);

/* Adds output. RMD_ENOMEM, RMD_ENOSPC, RMD_EIO: then none of data was kept, and the
 * caller must treat the output as incomplete. */
int rmdi_spool_add(rmdi_spool *spool, const void *data, size_t len);

/* Up to len bytes from offset, of a spool that keeps everything: how many, or an error. */
int64_t rmdi_spool_read(const rmdi_spool *spool, uint64_t offset, void *data, size_t len);

/* Nothing more will come: gives back the memory that was only for growing, so that what
 * ten thousand ended programs keep stays within the budget. */
void rmdi_spool_complete(rmdi_spool *spool);

/* Completes it, makes the last RMDI_TAIL_MAX bytes one run and gives a view of it, valid
 * until spool or storage is freed; empty when there is no memory for it. Once. A spool that
 * keeps only the tail keeps nothing more after it. */
rmd_bytes rmdi_spool_tail(rmdi_spool *spool, rmdi_buffer *storage);

void rmdi_spool_free(rmdi_spool *spool);

#endif
