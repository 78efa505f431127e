/* SPDX-License-Identifier: MIT */
/* Fibonacci numbers by tasks that call and wait for others of their own pool: however few workers
 * it has, that never deadlocks. Up to index 100 they are exact: ints have no bounds. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

static rmd_pool *pool;

static void must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

static int value_of(rmd_future *future, rmd_int128 *value)
{
    int err = rmd_future_wait(future, RMD_FOREVER); /* may run it here, or its like; or sleep */
    if (err == 0)
        err = rmd_future_get(future, value);
    rmd_future_free(future);
    return err;
}

/* F(2k) = F(k) (2 F(k+1) - F(k)) and F(2k+1) = F(k)^2 + F(k+1)^2: each needs two others. */
static int fibonacci(rmd_call *call)
{
    int n;
    rmd_int128 a, b;
    rmd_future *first, *second;
    if (rmd_call_get(call, 0, &n) < 0 || n < 0 || n > 100)
        return rmd_call_fail(call, RMD_EINVAL, "fibonacci takes a number up to 100");
    if (n < 2)
        return rmd_call_return(call, n);
    if (n == 2)
        return rmd_call_return(call, 1);
    int err = rmd_pool_call(pool, &first, "fibonacci", RMD_ARGS(n / 2), NULL);
    if (err < 0)
        return err;
    err = rmd_pool_call(pool, &second, "fibonacci", RMD_ARGS(n / 2 + 1), NULL);
    if (err == 0)
        err = value_of(second, &b);
    int other = value_of(first, &a);
    if (err < 0 || other < 0)
        return err < 0 ? err : other;
    return rmd_call_return(call, n % 2 ? a * a + b * b : a * (2 * b - a));
}

static const rmd_function functions[] = { { "fibonacci", fibonacci, .parameters = "n:int" },
                                          { 0 } };

static void ask(int n)
{
    char text[64];
    const rmd_value *value;
    rmd_future *future;
    must(rmd_pool_call(pool, &future, "fibonacci", RMD_ARGS(n), NULL), "call");
    must(rmd_future_wait(future, RMD_FOREVER), "wait");
    must(rmd_future_value(future, &value), "fibonacci");
    rmd_value_format(value, text, sizeof text);
    printf("fibonacci(%d) = %s\n", n, text);
    rmd_future_free(future);
}

int main(void)
{
    static const int some[] = { 1, 2, 10, 92, 93, 99, 100 };
    rmd_future *future;
    must(rmd_functions_add(functions), "functions");
    must(rmd_pool_open(&pool, "threads:1", NULL, RMD_FOREVER), "open");
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        ask(some[i]);
    must(rmd_pool_call(pool, &future, "fibonacci", RMD_ARGS(101), NULL), "call");
    must(rmd_future_wait(future, RMD_FOREVER), "wait");
    if (rmd_future_error(future) < 0)
        printf("fibonacci(101): %s\n", rmd_error_detail());
    rmd_future_free(future);
    must(rmd_pool_drain(pool, RMD_FOREVER), "drain");
    must(rmd_pool_free(pool), "free");
    return 0;
}
