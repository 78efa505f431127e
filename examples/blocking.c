/* SPDX-License-Identifier: MIT */
/* A task that waits for something that is not Remuda's, a slow system call, says so; another worker
 * takes its place meanwhile. Here the only worker reads from a pipe into which another task of the
 * same pool writes: without RMD_BLOCKING nobody would be there to run that. */
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

static int pipes[2];

static int read_slowly(void *arg)
{
    char *text = arg;
    ssize_t length = -1;
    RMD_BLOCKING
    {
        length = read(pipes[0], text, 31); /* as long as it takes */
    }
    if (length < 0)
        return rmd_fail(RMD_EIO, "nothing can be read");
    text[length] = '\0';
    return 0;
}

static int write_greeting(void *arg)
{
    (void)arg;
    return write(pipes[1], "hello", 5) == 5 ? 0 : rmd_fail(RMD_EIO, "nothing can be written");
}

int main(void)
{
    char text[32];
    rmd_pool *pool;
    rmd_future *reader, *writer;
    if (pipe(pipes) < 0)
        return 1;
    must(rmd_pool_open(&pool, "threads:1", NULL, RMD_FOREVER), "open");
    must(rmd_submit(pool, &reader, read_slowly, text, NULL), "submit");
    must(rmd_submit(pool, &writer, write_greeting, NULL, NULL), "submit");
    must(rmd_future_wait(reader, rmd_after_ms(10000)), "wait");
    must(rmd_future_error(reader), "read");
    printf("read: %s\n", text);
    must(rmd_future_wait(writer, rmd_after_ms(10000)), "wait");
    must(rmd_future_error(writer), "write");
    rmd_future_free(reader);
    rmd_future_free(writer);
    must(rmd_pool_drain(pool, RMD_FOREVER), "drain");
    must(rmd_pool_free(pool), "free");
    close(pipes[0]);
    close(pipes[1]);
    return 0;
}
