/* SPDX-License-Identifier: MIT */
/* How values are spread: counts in bins as wide as a 512th of the value, so that any quantile and
 * any histogram can be made of them later, whatever the values were, in memory that is bounded.
 * After HdrHistogram (Tene). */
#ifndef RMDI_JOB_REPORT_SPREAD_H
#define RMDI_JOB_REPORT_SPREAD_H

#include <stddef.h>
#include <stdint.h>

typedef struct rmdi_spread {
    uint64_t *bins;
    uint64_t count, min, max; /* min and max are exact */
    double sum;
} rmdi_spread;

int rmdi_spread_init(rmdi_spread *spread); /* RMD_ENOMEM */
void rmdi_spread_free(rmdi_spread *spread);

void rmdi_spread_add(rmdi_spread *spread, uint64_t value);

/* The value below which this share of all is; 0 when there is none. */
uint64_t rmdi_spread_quantile(const rmdi_spread *spread, double share);

/* counts[i] becomes how many lie from edges[i] on and below edges[i + 1]; those outside are counted
 * in the first and the last. */
void rmdi_spread_count(const rmdi_spread *spread, const double *edges, uint64_t *counts, size_t n);

#endif
