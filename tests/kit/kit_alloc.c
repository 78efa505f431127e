/* SPDX-License-Identifier: MIT */
#include "kit_alloc.h"
#include "kit.h"

#include <remuda/alloc.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { RUNS_MAX = 100000 };

static atomic_int until_failure; /* counts down; the one that makes it 0 fails */
static atomic_int failed;
static atomic_long blocks;

static bool fails_now(void)
{
    bool now = atomic_load(&until_failure) > 0 && atomic_fetch_sub(&until_failure, 1) == 1;
    if (now)
        atomic_fetch_add(&failed, 1);
    return now;
}

static void *take(void *ctx, size_t bytes)
{
    (void)ctx;
    void *p = fails_now() ? NULL : malloc(bytes);
    if (p != NULL)
        atomic_fetch_add(&blocks, 1);
    return p;
}

static void *retake(void *ctx, void *p, size_t bytes)
{
    (void)ctx;
    void *q = fails_now() ? NULL : realloc(p, bytes);
    if (q != NULL && p == NULL)
        atomic_fetch_add(&blocks, 1);
    return q;
}

static void give(void *ctx, void *p)
{
    (void)ctx;
    if (p != NULL)
        atomic_fetch_sub(&blocks, 1);
    free(p);
}

void kit_alloc_fail(int n)
{
    static const rmd_allocator failing = { sizeof failing, take, retake, give, NULL };
    REQUIRE(rmd_set_allocator(&failing) == 0);
    atomic_store(&failed, 0);
    atomic_store(&until_failure, n);
}

/* One run; false when the series is over. */
static bool run(int n, int (*scenario)(void *arg), void *arg, int expected)
{
    kit_alloc_fail(n);
    long before = atomic_load(&blocks);
    int result = scenario(arg);
    bool was_reached = atomic_load(&failed) > 0;
    atomic_store(&until_failure, 0);
    bool right = result == 0 || (was_reached && result == expected);
    long kept = atomic_load(&blocks) - before;
    if (!right || kept != 0)
        fprintf(stderr, "allocation %d %s: result %d, %ld blocks kept\n", n,
                was_reached ? "failed" : "was never asked for", result, kept);
    CHECK(right);
    CHECK(kept == 0);
    return was_reached;
}

int kit_alloc(int (*scenario)(void *arg), void *arg, int expected)
{
    int n = 1;
    while (n < RUNS_MAX && run(n, scenario, arg, expected))
        n++;
    CHECK_INT(n, <, RUNS_MAX);
    char text[64];
    snprintf(text, sizeof text, "each of %d allocations failed once", n - 1);
    kit_remark(text);
    return n;
}
