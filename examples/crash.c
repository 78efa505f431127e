/* SPDX-License-Identifier: MIT */
/* A task that crashes costs itself, and nothing else; how its worker ended is told. One that may
 * crash is tried again; one that hangs is ended at its limit, with what it has started. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

static int crash(rmd_call *call)
{
    unsigned until = 0;
    if (rmd_call_get(call, 0, &until) == 0 && rmd_call_attempt(call) > until)
        return rmd_call_return(call, rmd_call_attempt(call));
    abort();
}

static int hang(rmd_call *call)
{
    (void)call;
    if (fork() >= 0) /* two processes that do nothing */
        for (;;)
            pause();
    return RMD_EAGAIN;
}

static int square(rmd_call *call)
{
    int64_t n;
    int err = rmd_call_get(call, 0, &n);
    return err < 0 ? err : rmd_call_return(call, n * n);
}

static const rmd_function functions[] = { { .name = "crash", .fn = crash },
                                          { .name = "hang", .fn = hang },
                                          { .name = "square", .fn = square },
                                          { 0 } };

static void tell(const char *what, rmd_future *future)
{
    int64_t n;
    const rmd_exit *account;
    must(rmd_future_wait(future, RMD_FOREVER), "wait");
    printf("%s: %s", what, rmd_outcome_name(rmd_future_outcome(future)));
    if (rmd_future_exit(future, &account) == 0)
        printf(", by signal %d in attempt %u", account->signal, account->attempts);
    if (rmd_future_get(future, &n) == 0)
        printf(", %lld", (long long)n);
    printf("\n");
    rmd_future_free(future);
}

int main(int argc, char **argv)
{
    rmd_pool *pool;
    rmd_future *futures[5];
    rmd_task_options again = { .size = sizeof again, .limits.crashes_max = 3 };
    rmd_task_options limited = { .size = sizeof limited, .limits.run_ms_max = 100 };
    must(rmd_functions_add(functions), "functions");
    rmd_start(&argc, &argv);
    must(rmd_pool_open(&pool, "processes:2", NULL, rmd_after_ms(10000)), "open");
    must(rmd_pool_call(pool, &futures[0], "crash", RMD_ARGS(9), NULL), "call");
    must(rmd_pool_call(pool, &futures[1], "crash", RMD_ARGS(9), &again), "call");
    must(rmd_pool_call(pool, &futures[2], "crash", RMD_ARGS(2), &again), "call");
    must(rmd_pool_call(pool, &futures[3], "hang", RMD_ARGS(), &limited), "call");
    must(rmd_pool_call(pool, &futures[4], "square", RMD_ARGS(12), NULL), "call");
    tell("crash", futures[0]);
    tell("crash, again and again", futures[1]);
    tell("crash, and then succeed", futures[2]);
    tell("hang", futures[3]);
    tell("square of 12", futures[4]);
    must(rmd_pool_drain(pool, RMD_FOREVER), "drain");
    must(rmd_pool_free(pool), "free");
    return 0;
}
