/* SPDX-License-Identifier: MIT */
/* Nobody is left behind: a generator in a process of its own makes arithmetic tasks, slower or
 * faster than the workers do them; two worker processes do them; each result goes through a sink,
 * where a division by zero gives 0, and what the sink says is collected. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

static int calculate(rmd_call *call)
{
    int64_t a, b;
    if (rmd_call_get(call, 0, &a) < 0 || rmd_call_get(call, 1, &b) < 0)
        return RMD_EINVAL;
    switch (rmd_call_name(call)[0]) {
    case 'a': return rmd_call_return(call, a + b);
    case 's': return rmd_call_return(call, a - b);
    case 'm': return rmd_call_return(call, a * b);
    }
    return b ? rmd_call_return(call, a / b) : rmd_call_fail(call, RMD_EINVAL, "division by zero");
}

static const rmd_function functions[] = {
    { .name = "add", .fn = calculate },
    { .name = "sub", .fn = calculate },
    { .name = "mul", .fn = calculate },
    { .name = "div", .fn = calculate },
    { 0 },
};

/* ---- the generator, in its own process: writes calls to a pipe ---- */

static void generate(int fd)
{
    static const char *const names[] = { "add", "sub", "mul", "div" };
    rmd_framed *out;
    must(rmd_framed_open(&out, -1, fd, NULL), "pipe");
    for (int a = 10; a < 14; a++)
        for (int i = 0; i < 4; i++)
            must(rmd_map_write(out, names[i], RMD_ARGS(a, a % 4), RMD_FOREVER), "write");
    rmd_framed_free(out);
}

static pid_t start_generator(int *fd)
{
    int ends[2];
    if (pipe(ends) < 0)
        exit(1);
    pid_t pid = fork();
    if (pid == 0) {
        generate(ends[1]);
        _exit(0);
    }
    close(ends[1]);
    *fd = ends[0];
    return pid;
}

static int next(void *ctx, rmd_map_task *task)
{
    return rmd_map_read(task, ctx); /* 0 at the end of the stream */
}

static int collect(void *ctx, rmd_future *future, uint64_t index, rmd_value *value)
{
    int64_t result = 0; /* stays so if it has failed */
    (void)ctx, (void)index;
    (void)!rmd_future_get(future, &result);
    *value = RMD_VALUE(result);
    return 0;
}

int main(int argc, char **argv)
{
    must(rmd_functions_add(functions), "functions");
    rmd_start(&argc, &argv);
    int fd;
    char text[256];
    rmd_pool *pool;
    rmd_framed *tasks;
    const rmd_value *results;
    pid_t generator = start_generator(&fd);
    must(rmd_framed_open(&tasks, fd, -1, NULL), "pipe");
    must(rmd_pool_open(&pool, "processes:2", NULL, rmd_after_ms(5000)), "open");
    rmd_map_options options = { .size = sizeof options,
                                .next = next,
                                .ctx = tasks,
                                .producer_thread = true,
                                .collect = collect,
                                .collected = &results };
    must(rmd_map(pool, &options, RMD_FOREVER), "map");
    rmd_value_format(results, text, sizeof text);
    printf("%s\n", text);
    rmd_value_free(results);
    rmd_framed_free(tasks);
    waitpid(generator, NULL, 0);
    must(rmd_pool_drain(pool, RMD_FOREVER), "drain");
    must(rmd_pool_free(pool), "free");
    return 0;
}
