/* SPDX-License-Identifier: MIT */
#include "job/report_spread.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

enum { BITS = 9, PART = 1 << BITS, BINS = (64 - BITS + 1) << BITS };

int rmdi_spread_init(rmdi_spread *spread)
{
    *spread = (rmdi_spread){ .bins = rmdi_alloc_zeroed(BINS * sizeof *spread->bins),
                             .min = UINT64_MAX };
    return spread->bins ? 0 : rmdi_fail_memory();
}

void rmdi_spread_free(rmdi_spread *spread)
{
    rmdi_free(spread->bins);
    spread->bins = NULL;
}

/* Values below 512 have a bin each; above, each doubling is divided into 512. */
static size_t bin_of(uint64_t value)
{
    if (value < PART)
        return value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - BITS;
    return ((size_t)(shift + 1) << BITS) + (size_t)((value >> shift) - PART);
}

static uint64_t value_of(const rmdi_spread *spread, size_t bin)
{
    uint64_t value = bin;
    if (bin >= PART) {
        unsigned shift = (unsigned)(bin >> BITS) - 1;
        value = ((uint64_t)(bin & (PART - 1)) + PART) << shift;
        value += (UINT64_C(1) << shift) / 2;
    }
    return value < spread->min ? spread->min : value > spread->max ? spread->max : value;
}

void rmdi_spread_add(rmdi_spread *spread, uint64_t value)
{
    spread->bins[bin_of(value)]++;
    spread->count++;
    spread->sum += (double)value;
    if (value < spread->min)
        spread->min = value;
    if (value > spread->max)
        spread->max = value;
}

uint64_t rmdi_spread_quantile(const rmdi_spread *spread, double share)
{
    uint64_t below = 0, wanted = (uint64_t)(share * (double)spread->count);
    for (size_t bin = 0; bin < BINS; bin++) {
        below += spread->bins[bin];
        if (below > wanted)
            return value_of(spread, bin);
    }
    return spread->count ? spread->max : 0;
}

void rmdi_spread_count(const rmdi_spread *spread, const double *edges, uint64_t *counts, size_t n)
{
    memset(counts, 0, n * sizeof *counts);
    size_t at = 0;
    for (size_t bin = 0; bin < BINS; bin++) {
        if (!spread->bins[bin])
            continue;
        double value = (double)value_of(spread, bin);
        while (at + 1 < n && value >= edges[at + 1])
            at++;
        counts[at] += spread->bins[bin];
    }
}
