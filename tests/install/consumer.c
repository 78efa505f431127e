/* SPDX-License-Identifier: MIT */
/* A program as a user writes it; install_test builds it against what was installed. */
#include <remuda.h>
#include <stdio.h>
#include <string.h>

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s: %s\n", what, rmd_error_name(err), rmd_error_detail());
    return 1;
}

int main(void)
{
    const char *argv[] = { "true", NULL };
    rmd_command command = { .size = sizeof command, .argv = argv };
    rmd_pool *pool;
    rmd_future *future;
    int err = rmd_pool_open(&pool, "programs:2", NULL, rmd_after_ms(5000));
    if (err < 0)
        return fail("open", err);
    err = rmd_pool_exec(pool, &future, &command);
    if (err < 0)
        return fail("exec", err);
    err = rmd_future_wait(future, rmd_after_ms(5000));
    if (err < 0)
        return fail("wait", err);
    rmd_future_free(future);
    err = rmd_pool_drain(pool, rmd_after_ms(5000));
    if (err < 0)
        return fail("drain", err);
    rmd_pool_free(pool);
    if (strcmp(rmd_version(), RMD_VERSION) != 0)
        return fail("version", 0);
    puts(rmd_version());
    return 0;
}
