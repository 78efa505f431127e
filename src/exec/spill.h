/* SPDX-License-Identifier: MIT */
/* Where captured output goes when memory is full: one unlinked temporary file for a
 * whole pool, cut into blocks that are given out, taken back and used again. So ten
 * thousand waiting outputs cost one descriptor, and the file is as large as the most
 * that was ever waiting at once. */
#ifndef RMDI_EXEC_SPILL_H
#define RMDI_EXEC_SPILL_H

#include "sync/lock.h"

#include <stddef.h>

enum { RMDI_SPILL_BLOCK = 64 * 1024 };

typedef struct rmdi_spill rmdi_spill;

/* memory_max: bytes of output that all spools of this spill may keep in memory. dir is
 * copied; the file is made when it is first needed. One reference. RMD_ENOMEM. */
int rmdi_spill_open(rmdi_spill **spill, const char *dir, size_t memory_max);
void rmdi_spill_hold(rmdi_spill *spill);
void rmdi_spill_drop(rmdi_spill *spill); /* the last one closes the file */

/* Takes memory from the budget; false when it is used up. Give the same back later. */
bool rmdi_spill_take_memory(rmdi_spill *spill, size_t bytes);
void rmdi_spill_give_memory(rmdi_spill *spill, size_t bytes);

/* Writes up to RMDI_SPILL_BLOCK bytes to a free block. Errors: RMD_ENOSPC, RMD_EIO, …
 * with a detail that names the directory; then no block is held. Blocks on the disk. */
int rmdi_spill_put(rmdi_spill *spill, const void *data, size_t len, uint32_t *block);
/* Writes more into a block that is held: up to its end. The same errors; it stays held. */
int rmdi_spill_write(rmdi_spill *spill, uint32_t block, size_t offset, const void *data,
                     size_t len);
/* Reads len bytes from a place within a block. RMD_EIO. */
int rmdi_spill_get(rmdi_spill *spill, uint32_t block, size_t offset, void *data, size_t len);
void rmdi_spill_free_block(rmdi_spill *spill, uint32_t block);

#endif
