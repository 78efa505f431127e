/* SPDX-License-Identifier: MIT */
/* Four programs at a time, from C: the first look of the README. */
#include <remuda.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    rmd_pool *pool;
    rmd_future *futures[3];
    const char *names[] = { "Ada", "Grace", "Barbara" };

    rmd_start(&argc, &argv);
    if (rmd_pool_open(&pool, "programs:4", NULL, rmd_after_ms(5000)) < 0) {
        fprintf(stderr, "pool: %s\n", rmd_error_detail());
        return 1;
    }
    for (int i = 0; i < 3; i++) {
        const char *words[] = { "printf", "hello, %s\n", names[i], NULL };
        rmd_command command = { .size = sizeof command, .argv = words };
        if (rmd_pool_exec(pool, &futures[i], &command) < 0)
            return 1;
    }
    for (int i = 0; i < 3; i++) {
        char text[64];
        if (rmd_future_wait(futures[i], RMD_FOREVER) < 0)
            return 1;
        int64_t n = rmd_future_read(futures[i], RMD_STDOUT, 0, text, sizeof text);
        fwrite(text, 1, n > 0 ? (size_t)n : 0, stdout);
        rmd_future_free(futures[i]);
    }
    rmd_pool_drain(pool, RMD_FOREVER);
    rmd_pool_free(pool);
    return 0;
}
