/* SPDX-License-Identifier: MIT */
/* --pipe: cuts a stream into blocks of whole records.
 *
 * A record ends with the text record_end and begins with record_start; a cut is made where one is
 * directly followed by the other (an empty one matches everywhere). Positions are exactly those
 * of GNU parallel:
 *
 *   by size     a block is filled up to block_bytes, then cut at its last border; what is left
 *               begins the next one. A record that is longer makes this and all later blocks
 *               larger (by 30 %).
 *   by records  `records` of them make a block, whatever its size; a border at the very start of
 *               a block does not count. Without any separator a record is a byte, and every
 *               block_bytes of input a block ends.
 *
 * Memory is bounded by a block and one record.
 */
#ifndef RMDI_JOB_BLOCKS_H
#define RMDI_JOB_BLOCKS_H

#include "data/bytes.h"

typedef struct rmdi_blocks rmdi_blocks;

/* Zero is the default of each. Everything is copied. */
typedef struct rmdi_blocks_options {
    int fd;                   /* what is read; borrowed, never closed. 0 is standard input */
    size_t block_bytes;       /* --block; 0: 1 MiB */
    const char *record_start; /* --recstart, with escapes (escapes.h); NULL: not given */
    const char *record_end;   /* --recend; NULL: not given. Neither is given: newline */
    uint64_t records;         /* -N; 0: by size */
    bool remove_separators;   /* --rrs: leave separators out, and blocks of nothing else */
    size_t record_max;        /* longest record in bytes; 0: 1 GiB */
} rmdi_blocks_options;

/* RMD_EINVAL, RMD_ENOMEM. Does not block. */
RMD_NODISCARD int rmdi_blocks_open(rmdi_blocks **made, const rmdi_blocks_options *options);
void rmdi_blocks_free(rmdi_blocks *blocks); /* NULL is fine */

/* The next block: 1, and *block borrows it until the next call; 0 at the end. An empty stream has
 * no block. RMD_EAGAIN: call again when the descriptor is readable. Other errors end the stream:
 * RMD_EIO ..., RMD_E2BIG for a record longer than record_max (the detail names its number and
 * position), RMD_ENOMEM. Does not block but for a disk, as in inputs.h. */
RMD_NODISCARD int rmdi_blocks_next(rmdi_blocks *blocks, rmd_bytes *block);

/* The size that blocks have grown to because of long records; block_bytes at first. For the
 * message that tells the user. */
size_t rmdi_blocks_size(const rmdi_blocks *blocks);

/* The descriptor given at open. */
int rmdi_blocks_fd(const rmdi_blocks *blocks);

#endif
