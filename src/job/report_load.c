/* SPDX-License-Identifier: MIT */
#include "job/report_private.h"

/* Twice as wide bins, half as many. */
static void fold(report_load *load)
{
    for (size_t i = 0; i < REPORT_LOAD_BINS; i++) {
        bool kept = i < REPORT_LOAD_BINS / 2;
        load->busy[i] = kept ? load->busy[2 * i] + load->busy[2 * i + 1] : 0;
        load->cpu[i] = kept ? load->cpu[2 * i] + load->cpu[2 * i + 1] : 0;
    }
    load->used = (load->used + 1) / 2;
    load->bin_ns *= 2;
}

/* CPU time is told for the attempt as a whole; it is spread evenly over it. */
void rmdi_load_add(report_load *load, int64_t start, int64_t end, double cpu)
{
    double from = start > 0 ? (double)start : 0, to = (double)end;
    if (to <= from)
        return;
    while (to > load->bin_ns * REPORT_LOAD_BINS)
        fold(load);
    size_t first = (size_t)(from / load->bin_ns), i = first;
    for (; i < REPORT_LOAD_BINS && (double)i * load->bin_ns < to; i++) {
        double low = (double)i * load->bin_ns, high = low + load->bin_ns;
        double part = (high < to ? high : to) - (low > from ? low : from);
        load->busy[i] += part;
        load->cpu[i] += cpu * part / (to - from);
    }
    if (i > load->used)
        load->used = i;
}
