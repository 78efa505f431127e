/* SPDX-License-Identifier: MIT */
/* The same through the library, output captured: library COUNT WORKERS */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    rmd_pool *pool;
    char kind[32];
    const char *words[] = { "/bin/true", NULL };
    int count = argc > 1 ? atoi(argv[1]) : 5000;
    rmd_start(&argc, &argv);
    snprintf(kind, sizeof kind, "programs:%d", argc > 2 ? atoi(argv[2]) : 2);
    if (rmd_pool_open(&pool, kind, NULL, RMD_FOREVER) < 0)
        return 1;
    for (int i = 0; i < count; i++) {
        rmd_command command = { .size = sizeof command, .argv = words };
        if (rmd_pool_exec(pool, NULL, &command) < 0)
            return 1;
    }
    rmd_census census;
    rmd_pool_drain(pool, RMD_FOREVER);
    rmd_pool_census(pool, &census);
    rmd_pool_free(pool);
    return census.ok == (uint64_t)count ? 0 : 1;
}
