/* SPDX-License-Identifier: MIT */
/* A function is written once, and called by its name on a pool. What the pool is made of is a text:
 * "threads:2" here, or what the command line says. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

static bool prime(int64_t n)
{
    for (int64_t i = 2; i <= n / i; i++)
        if (n % i == 0)
            return false;
    return n > 1;
}

static int is_prime(rmd_call *call) /* the same on every kind of pool */
{
    int64_t n;
    int err = rmd_call_get(call, 0, &n); /* typed by what n is */
    return err < 0 ? err : rmd_call_return(call, prime(n));
}

static const rmd_function functions[] = {
    { "is_prime", is_prime, .help = "is n a prime number?", .parameters = "n:int" },
    { 0 },
};

static void must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

static void ask(rmd_pool *pool, rmd_value n)
{
    bool yes;
    char text[40];
    rmd_future *future;
    rmd_value_format(&n, text, sizeof text);
    must(rmd_pool_call(pool, &future, "is_prime", RMD_ARGS(n), NULL), "call");
    must(rmd_future_wait(future, rmd_after_ms(10000)), "wait");
    int err = rmd_future_get(future, &yes); /* does not block; 0, or the task's own error */
    if (err < 0)
        printf("%s: %s\n", text, rmd_error_detail());
    else
        printf("%s is %s\n", text, yes ? "a prime" : "none");
    rmd_future_free(future);
}

int main(int argc, char **argv)
{
    rmd_pool *pool;
    rmd_census census;
    char line[100];
    must(rmd_functions_add(functions), "functions");
    rmd_start(&argc, &argv);
    must(rmd_pool_open(&pool, argc > 1 ? argv[1] : "threads:2", NULL, rmd_after_ms(5000)), "open");

    ask(pool, RMD_VALUE(999983));
    ask(pool, RMD_VALUE(INT64_C(1000036000099)));
    ask(pool, RMD_VALUE("seven"));
    if (rmd_pool_call(pool, NULL, "is_odd", RMD_ARGS(7), NULL) == RMD_ENOENT)
        printf("not called: %s\n", rmd_error_detail());

    must(rmd_pool_drain(pool, RMD_FOREVER), "drain");
    must(rmd_pool_census(pool, &census), "census");
    rmd_census_format(&census, line, sizeof line);
    puts(line);
    must(rmd_pool_free(pool), "free");
    return 0;
}
