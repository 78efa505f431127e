/* SPDX-License-Identifier: MIT */
/* One worker handles requests. A debug logger is switched on for some of them, and for no others,
 * by binding it in the context: it goes with the request to the worker's thread, and the code deep
 * inside finds it there or stays silent. */
#include <remuda.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct logger {
    const char *prefix;
    int lines;
} logger;

static const rmd_context_key debug = { "debug logger" };

__attribute__((format(printf, 1, 2))) static void log_debug(const char *format, ...)
{
    logger *l = rmd_context_get(&debug);
    if (!l)
        return; /* not for this request */
    va_list args;
    va_start(args, format);
    printf("  %s: ", l->prefix);
    vprintf(format, args);
    puts("");
    va_end(args);
    l->lines++;
}

/* ---- what the worker does; nothing of it is told of loggers ---- */

static int square(int n)
{
    log_debug("square of %d", n);
    return n * n;
}

static int handle(void *arg)
{
    int number = *(int *)arg;
    log_debug("request %d comes in", number);
    printf("request %d: %d\n", number, square(number));
    return 0;
}

/* ---- who has the requests ---- */

static void must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

static void submit(rmd_executor *worker, int *number, logger *l)
{
    RMD_WITH_CONTEXT (&debug, l) { /* NULL: none, whatever is bound around here */
        must(rmd_executor_post(worker, handle, number, RMD_FOREVER), "post");
    }
}

int main(void)
{
    rmd_executor *worker;
    int numbers[] = { 1, 2, 3, 4 };
    logger loud = { .prefix = "debug" };
    must(rmd_executor_open(&worker, NULL), "open");
    for (int i = 0; i < 4; i++)
        submit(worker, &numbers[i], numbers[i] % 2 == 0 ? &loud : NULL);
    must(rmd_executor_drain(worker, RMD_FOREVER), "drain");
    printf("%d lines for those who wanted them\n", loud.lines);
    must(rmd_executor_free(worker), "free");
    return 0;
}
