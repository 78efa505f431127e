/* SPDX-License-Identifier: MIT */
/* A program that loads plug-ins, and calls a function of theirs on a pool:
 * example-plugin POOL PLUGIN... FUNCTION NUMBER */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

static void must(int err)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s [%s]\n", rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

int main(int argc, char **argv)
{
    rmd_pool *pool;
    rmd_future *future;
    const rmd_value *value;
    char text[200];
    rmd_start(&argc, &argv);
    if (argc < 4)
        return 2;
    for (int i = 2; i < argc - 2; i++)
        must(rmd_plugin_load(argv[i]));
    must(rmd_pool_open(&pool, argv[1], NULL, rmd_after_ms(10000)));
    must(rmd_pool_call(pool, &future, argv[argc - 2], RMD_ARGS(atoll(argv[argc - 1])), NULL));
    must(rmd_future_wait(future, RMD_FOREVER));
    must(rmd_future_value(future, &value));
    rmd_value_format(value, text, sizeof text);
    printf("%s\n", text);
    rmd_future_free(future);
    must(rmd_pool_drain(pool, RMD_FOREVER));
    rmd_pool_free(pool);
    return 0;
}
