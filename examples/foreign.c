/* SPDX-License-Identifier: MIT */
/* Functions in other languages, called by name on threads and on processes: a worker in Python, one
 * in a shell (examples/workers), and a program that is run for each call. */
#include <remuda.h>
#include <stdio.h>

#ifndef WORKERS
#define WORKERS "examples/workers/"
#endif

static int add_functions(void)
{
    static const char *const python[] = { "python3", WORKERS "gc.py", NULL };
    static const char *const shell[] = { "bash", WORKERS "complement.sh", NULL };
    static const char *const program[] = { "tr", "T", "U", NULL };
    const rmd_foreign foreign[] = {
        { .size = sizeof *foreign, .name = "gc", .argv = python, .worker = true },
        { .size = sizeof *foreign, .name = "complement", .argv = shell, .worker = true },
        { .size = sizeof *foreign, .name = "transcribe", .argv = program },
    };
    int err = 0;
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign && err == 0; i++)
        err = rmd_foreign_add(&foreign[i]);
    return err;
}

static void ask(rmd_pool *pool, const char *function, const char *sequence)
{
    rmd_future *future;
    rmd_bytes answer;
    int err = rmd_pool_call(pool, &future, function, RMD_ARGS(sequence), NULL);
    if (err < 0) {
        printf("  %s: %s\n", function, rmd_error_detail());
        return;
    }
    err = rmd_future_wait(future, RMD_FOREVER);
    if (err == 0)
        err = rmd_future_get(future, &answer);
    if (err < 0)
        printf("  %s(%s) has failed: %s\n", function, sequence, rmd_error_detail());
    else
        printf("  %s(%s) = %.*s\n", function, sequence, (int)answer.len, (const char *)answer.data);
    rmd_future_free(future);
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = { "threads:2", "processes:2" };
    rmd_start(&argc, &argv);
    if (add_functions() < 0) {
        fprintf(stderr, "%s\n", rmd_error_detail());
        return 1;
    }
    for (int i = 0; i < 2; i++) {
        rmd_pool *pool;
        if (rmd_pool_open(&pool, kinds[i], NULL, rmd_after_ms(10000)) < 0) {
            fprintf(stderr, "%s\n", rmd_error_detail());
            return 1;
        }
        printf("%s\n", kinds[i]);
        ask(pool, "gc", "GATTACA");
        ask(pool, "complement", "GATTACA");
        ask(pool, "complement", "hello");
        ask(pool, "transcribe", "GATTACA");
        if (rmd_pool_drain(pool, RMD_FOREVER) < 0 || rmd_pool_free(pool) < 0)
            return 1;
    }
    return 0;
}
