/* SPDX-License-Identifier: MIT */
/* Large data that worker processes work on where it lies: each gets a slice of an array, and
 * nothing is copied. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 1 << 20, SLICES = 16, BYTES = COUNT / SLICES * sizeof(double) };

static void must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

/* Squares each number in its place, and returns their sum. */
static int square_all(rmd_call *call)
{
    void *data;
    size_t len;
    double sum = 0;
    int err = rmd_call_shared(call, 0, &data, &len);
    if (err < 0)
        return err;
    for (double *x = data; x < (double *)data + len / sizeof *x; x++)
        sum += *x *= *x;
    return rmd_call_return(call, sum);
}

static const rmd_function functions[] = { { .name = "square_all", .fn = square_all }, { 0 } };

int main(int argc, char **argv)
{
    rmd_shared *shared;
    rmd_shared_part all, slice;
    rmd_pool *pool;
    rmd_future *futures[SLICES];
    double part, sum = 0;
    must(rmd_functions_add(functions), "functions");
    rmd_start(&argc, &argv);
    must(rmd_shared_open(&shared, SLICES * BYTES), "shared memory");
    rmd_pool_options options = { .size = sizeof options, .shared = shared };
    must(rmd_pool_open(&pool, "processes:2", &options, rmd_after_ms(10000)), "open");

    must(rmd_shared_take(shared, SLICES * BYTES, &all), "take");
    double *numbers = all.data;
    for (int i = 0; i < COUNT; i++)
        numbers[i] = i % 10;
    for (size_t i = 0; i < SLICES; i++) {
        must(rmd_shared_slice(&all, i * BYTES, BYTES, &slice), "slice");
        must(rmd_pool_call(pool, &futures[i], "square_all", RMD_ARGS(rmd_shared_value(&slice)),
                           NULL),
             "call");
    }
    for (int i = 0; i < SLICES; i++) {
        must(rmd_future_wait(futures[i], RMD_FOREVER), "wait");
        must(rmd_future_get(futures[i], &part), "square_all");
        sum += part;
        rmd_future_free(futures[i]);
    }
    printf("the sum of all squares is %.0f; the last number is %.0f now\n", sum,
           numbers[COUNT - 1]);
    must(rmd_shared_give(shared, &all), "give");
    must(rmd_pool_drain(pool, RMD_FOREVER), "drain");
    must(rmd_pool_free(pool), "free");
    must(rmd_shared_free(shared), "free");
    return 0;
}
