/* SPDX-License-Identifier: MIT */
/* The places that use the door, as the linker has listed them. A function in a header has a place
 * in each source that uses it: those count as one. */
#include "explore/trace.h"

#include <stdlib.h>
#include <string.h>

extern rmdi_site *const rmdi_first_site[] __asm__("__start_rmdi_sites") __attribute__((weak));
extern rmdi_site *const rmdi_last_site[] __asm__("__stop_rmdi_sites") __attribute__((weak));

static int by_place(const void *a, const void *b)
{
    const rmdi_site *x = *(rmdi_site *const *)a, *y = *(rmdi_site *const *)b;
    int order = strcmp(rmdi_trace_file(x), rmdi_trace_file(y));
    if (order == 0)
        order = x->line < y->line ? -1 : x->line > y->line;
    if (order == 0)
        order = strcmp(x->operation, y->operation);
    return order ? order : strcmp(x->object, y->object);
}

static size_t sorted(rmdi_site ***sites)
{
    size_t n = (size_t)(rmdi_last_site - rmdi_first_site);
    *sites = n ? malloc(n * sizeof **sites) : NULL;
    if (!*sites)
        return 0;
    memcpy(*sites, rmdi_first_site, n * sizeof **sites);
    qsort(*sites, n, sizeof **sites, by_place);
    return n;
}

/* Calls fn once for each place, in order. */
static void walk(void (*fn)(void *ctx, const rmdi_site *site, bool hit), void *ctx)
{
    rmdi_site **sites;
    size_t n = sorted(&sites);
    for (size_t i = 0; i < n;) {
        bool hit = false;
        size_t first = i;
        for (; i < n && by_place(&sites[first], &sites[i]) == 0; i++)
            hit |= sites[i]->hits > 0;
        fn(ctx, sites[first], hit);
    }
    free(sites);
}

typedef struct coverage_walk {
    void (*fn)(void *ctx, const rmd_explore_coverage *source);
    void *ctx;
    rmd_explore_coverage source;
} coverage_walk;

static void tell(coverage_walk *w)
{
    if (w->source.sites)
        w->fn(w->ctx, &w->source);
}

static void count(void *ctx, const rmdi_site *site, bool hit)
{
    coverage_walk *w = ctx;
    const char *file = rmdi_trace_file(site);
    if (!w->source.file || strcmp(file, w->source.file) != 0) {
        tell(w);
        w->source = (rmd_explore_coverage){ .file = file };
    }
    w->source.sites++;
    w->source.hit += hit;
}

void rmd_explore_coverage_walk(void (*fn)(void *ctx, const rmd_explore_coverage *source), void *ctx)
{
    coverage_walk w = { .fn = fn, .ctx = ctx };
    walk(count, &w);
    tell(&w);
}

typedef struct missed_walk {
    void (*fn)(void *ctx, const char *file, int line, const char *operation, const char *object);
    void *ctx;
} missed_walk;

static void tell_missed(void *ctx, const rmdi_site *site, bool hit)
{
    missed_walk *w = ctx;
    if (!hit)
        w->fn(w->ctx, rmdi_trace_file(site), site->line, site->operation, site->object);
}

void rmd_explore_missed_walk(void (*fn)(void *ctx, const char *file, int line,
                                        const char *operation, const char *object),
                             void *ctx)
{
    missed_walk w = { .fn = fn, .ctx = ctx };
    walk(tell_missed, &w);
}
