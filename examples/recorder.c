/* SPDX-License-Identifier: MIT */
/* What the pools of a program did last can be had at any time: on request, as here, on a signal, or
 * when it crashes. `remuda explain FILE` puts it into words. */
#include <remuda.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

static int succeed(void *arg)
{
    (void)arg;
    return 0;
}

static int fail(void *arg)
{
    (void)arg;
    return rmd_fail(RMD_EINVAL, "on purpose");
}

/* On a worker: who waits without a deadline may run the task himself. */
static void run(rmd_pool *pool, rmd_task_fn *fn, void *arg)
{
    rmd_future *future;
    must(rmd_submit(pool, &future, fn, arg, NULL), "submit");
    must(rmd_future_wait(future, rmd_after_ms(10000)), "wait");
    rmd_future_free(future);
}

/* The tasks in it, without the times. */
static void show(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[256], *event;
    while (file && fgets(line, sizeof line, file))
        if (*line == '-' && (event = strstr(line, " task_")))
            printf("%s", event + 1);
    if (file)
        fclose(file);
}

int main(int argc, char **argv)
{
    rmd_pool *pool;
    rmd_recorder_options options = { .size = sizeof options, .path = "flight-%p.txt" };
    rmd_start(&argc, &argv);
    options.signal = SIGUSR2; /* kill -USR2 writes one, too, and the program goes on */
    options.crash = true;
    must(rmd_recorder_on(&options), "recorder");

    must(rmd_pool_open(&pool, "threads:1", NULL, rmd_after_ms(10000)), "open");
    run(pool, succeed, NULL);
    run(pool, fail, NULL);
    must(rmd_pool_drain(pool, RMD_FOREVER), "drain");
    must(rmd_pool_free(pool), "free");

    must(rmd_recorder_save("flight.txt", RMD_RECORDER_TEXT), "save");
    must(rmd_recorder_save("flight.json", RMD_RECORDER_TRACE), "save"); /* ui.perfetto.dev */
    rmd_recorder_off();
    show("flight.txt");
    return 0;
}
