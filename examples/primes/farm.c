/* SPDX-License-Identifier: MIT */
/* What is measured: a function, and the two ways to have it called many times. */
#include "farm.h"

#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t integers[INTEGERS_MAX];
static rmd_future *futures[INTEGERS_MAX];

void must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

/* By the slowest of all ways, so that there is something to do. */
static int is_prime(rmd_call *call)
{
    int64_t n;
    int err = rmd_call_get(call, 0, &n);
    if (err < 0)
        return err;
    for (int64_t i = 2; i < n; i++)
        if (n % i == 0)
            return rmd_call_return(call, false);
    return rmd_call_return(call, true);
}

static const rmd_function functions[] = { { "is_prime", is_prime, .parameters = "n:int" }, { 0 } };

/* From 1000 to 1000000, the same ones each time. */
static void draw_integers(void)
{
    uint64_t state = 20260731;
    for (int i = 0; i < INTEGERS_MAX; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        integers[i] = 1000 + (int64_t)((state >> 33) % 999001);
    }
}

static int take_answer(rmd_future *future)
{
    bool yes = false;
    must(rmd_future_wait(future, RMD_FOREVER), "wait");
    must(rmd_future_get(future, &yes), "is_prime");
    rmd_future_free(future);
    return yes;
}

static void submit(rmd_pool *pool, int i)
{
    must(rmd_pool_call(pool, &futures[i], "is_prime", RMD_ARGS(integers[i]), NULL), "call");
}

int count_primes(rmd_pool *pool, int count, bool asynchronous)
{
    int primes = 0;
    for (int i = 0; i < count; i++) {
        submit(pool, i);
        if (!asynchronous)
            primes += take_answer(futures[i]);
    }
    for (int i = 0; asynchronous && i < count; i++)
        primes += take_answer(futures[i]);
    return primes;
}

void open_farm(void)
{
    draw_integers();
    must(rmd_functions_add(functions), "functions");
}
