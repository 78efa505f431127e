/* SPDX-License-Identifier: MIT */
/* Four worker processes: exact Fibonacci numbers, the names of those who have worked, and a wait
 * that is given up, which leaves the task running. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WORKERS = 4 };

static void must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

static int fibonacci(rmd_call *call)
{
    int n;
    rmd_int128 a = 0, b = 1;
    if (rmd_call_get(call, 0, &n) < 0 || n < 0 || n > 100)
        return rmd_call_fail(call, RMD_EINVAL, "fibonacci takes a number up to 100");
    for (; n > 0; n--) {
        rmd_int128 sum = a + b;
        a = b;
        b = sum;
    }
    return rmd_call_return(call, a);
}

/* Takes its time, so that each worker gets one. */
static int who(rmd_call *call)
{
    nanosleep(&(struct timespec){ .tv_nsec = 300 * 1000 * 1000 }, NULL);
    return rmd_call_return(call, rmd_worker_name());
}

static const rmd_function functions[] = {
    { "fibonacci", fibonacci, .parameters = "n:int" },
    { "who", who, .parameters = "" },
    { 0 },
};

static void print_value(rmd_future *future, const char *before)
{
    char text[64];
    const rmd_value *value;
    must(rmd_future_wait(future, RMD_FOREVER), "wait");
    must(rmd_future_value(future, &value), "value");
    rmd_value_format(value, text, sizeof text);
    printf("%s%s\n", before, text);
    rmd_future_free(future);
}

int main(int argc, char **argv)
{
    rmd_pool *pool;
    rmd_future *futures[WORKERS];
    const char *name;
    bool seen[WORKERS] = { false };
    must(rmd_functions_add(functions), "functions");
    rmd_start(&argc, &argv); /* the worker processes go to work here */
    must(rmd_pool_open(&pool, "processes:4", NULL, rmd_after_ms(10000)), "open");
    for (int n = 97; n <= 100; n++)
        must(rmd_pool_call(pool, &futures[n - 97], "fibonacci", RMD_ARGS(n), NULL), "call");
    for (int i = 0; i < WORKERS; i++)
        print_value(futures[i], "");

    for (int i = 0; i < WORKERS; i++)
        must(rmd_pool_call(pool, &futures[i], "who", RMD_ARGS(), NULL), "call");
    int err = rmd_future_wait(futures[0], rmd_after_ms(10));
    printf("after 10 ms: %s\n", rmd_error_name(err));
    for (int i = 0; i < WORKERS; i++) {
        must(rmd_future_wait(futures[i], RMD_FOREVER), "wait");
        must(rmd_future_get(futures[i], &name), "who");
        seen[atoi(strrchr(name, '-') + 1) - 1] = true;
        rmd_future_free(futures[i]);
    }
    for (int i = 0; i < WORKERS; i++)
        printf("processes-%d: %s\n", i + 1, seen[i] ? "has worked" : "has not worked");
    must(rmd_pool_drain(pool, RMD_FOREVER), "drain");
    must(rmd_pool_free(pool), "free");
    return 0;
}
