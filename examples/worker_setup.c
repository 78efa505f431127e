/* SPDX-License-Identifier: MIT */
/* What workers have in common is loaded once, before they are forked, and shared by all of them
 * until one writes to it; what each needs for itself is set up in it. After four tasks a worker is
 * replaced by a fresh one. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TASKS = 24 };

static char *table;          /* loaded once */
static pid_t loaded_by, own; /* the template; each worker */

static void must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

static int load(rmd_call *call)
{
    size_t bytes = 0;
    int err = rmd_call_get(call, 0, &bytes);
    if (err < 0)
        return err;
    table = malloc(bytes);
    if (!table)
        return rmd_call_fail(call, RMD_ENOMEM, "no memory for the table");
    memset(table, 'x', bytes);
    loaded_by = getpid();
    return 0;
}

static int set_up(rmd_call *call)
{
    (void)call;
    own = getpid();
    return 0;
}

static int look(rmd_call *call)
{
    bool good = table && table[12345] == 'x' && own == getpid() && loaded_by != own;
    return good ? rmd_call_return(call, getpid())
                : rmd_call_fail(call, RMD_EINVAL, "this worker was not set up");
}

static const rmd_function functions[] = {
    { "load", load, .parameters = "bytes:int" },
    { "set_up", set_up, .parameters = "" },
    { "look", look, .parameters = "" },
    { 0 },
};

int main(int argc, char **argv)
{
    rmd_pool *pool;
    rmd_future *future;
    pid_t pid, last = 0;
    int workers = 0;
    must(rmd_functions_add(functions), "functions");
    rmd_start(&argc, &argv);
    rmd_pool_options options = { .size = sizeof options,
                                 .preload = "load",
                                 .preload_args = RMD_ARGS(1 << 20),
                                 .initializer = "set_up",
                                 .tasks_max = 4 };
    must(rmd_pool_open(&pool, "processes:1", &options, rmd_after_ms(10000)), "open");
    for (int i = 0; i < TASKS; i++) {
        must(rmd_pool_call(pool, &future, "look", RMD_ARGS(), NULL), "call");
        must(rmd_future_wait(future, RMD_FOREVER), "wait");
        must(rmd_future_get(future, &pid), "look");
        rmd_future_free(future);
        workers += pid != last;
        last = pid;
    }
    printf("%d tasks, by %d workers one after the other\n", TASKS, workers);
    must(rmd_pool_drain(pool, RMD_FOREVER), "drain");
    must(rmd_pool_free(pool), "free");
    return 0;
}
