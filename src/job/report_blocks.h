/* SPDX-License-Identifier: MIT */
/* What a timeline shows: a block per attempt, as long as there are not too many. Then neighbours in
 * a slot that ended alike and are short become one block with a count. How short is doubled until
 * the limit is kept, so that a long task is never merged while a shorter one is not. Blocks may be
 * added in any order. */
#ifndef RMDI_JOB_REPORT_BLOCKS_H
#define RMDI_JOB_REPORT_BLOCKS_H

#include <remuda/census.h>

#include <stddef.h>
#include <stdint.h>

typedef struct rmdi_report_block {
    int64_t start, end;    /* ns since the run's start; end >= start */
    double busy, cpu;      /* ns, the sums of its attempts */
    uint64_t count;        /* attempts */
    uint64_t memory_bytes; /* the largest */
    int64_t task;          /* the first that began */
    uint32_t lane;
    rmd_outcome outcome;
    /* Of a block of one attempt: */
    unsigned number;
    int status, signal;
    /* Of its task, learned later: */
    uint64_t seq;
    char *command; /* clean, owned; NULL in a block of several */
    char *detail;
} rmdi_report_block;

typedef struct rmdi_report_blocks {
    rmdi_report_block *items;
    size_t count, limit;
    int64_t cell_ns;  /* what is shorter is merged; 0: nothing is */
    uint32_t *places; /* where a merged block is + 1, by lane, outcome and cell */
    size_t places_len;
} rmdi_report_blocks;

/* The lanes that fit into a limit in any case. */
uint32_t rmdi_report_blocks_lanes_max(size_t limit);

int rmdi_report_blocks_init(rmdi_report_blocks *blocks, size_t limit); /* RMD_ENOMEM */
void rmdi_report_blocks_free(rmdi_report_blocks *blocks);

void rmdi_report_blocks_add(rmdi_report_blocks *blocks, const rmdi_report_block *block);

/* Merges what is shorter than this, for a picture that has no finer pixels. */
void rmdi_report_blocks_coarsen(rmdi_report_blocks *blocks, int64_t cell_ns);

#endif
