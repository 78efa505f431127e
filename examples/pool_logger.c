/* SPDX-License-Identifier: MIT */
/* Two workers handle requests. A debug logger is switched on for some of them by binding it in
 * the context: it goes with the request, through whatever tasks that is made of, and the code
 * deep inside finds it there or stays silent. Each logger belongs to one request. */
#include <remuda.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct logger {
    rmd_lock *lock; /* the tasks of a request may run on both workers at once */
    char last[80];
    int lines;
} logger;

typedef struct request {
    int number, halves[2];
} request;

static rmd_pool *pool;
static const rmd_context_key debug = { "debug logger" };

static void must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

__attribute__((format(printf, 1, 2))) static void log_debug(const char *format, ...)
{
    logger *l = rmd_context_get(&debug);
    if (!l)
        return; /* not for this request */
    va_list args;
    va_start(args, format);
    RMD_WITH_LOCK (l->lock, RMD_FOREVER) {
        vsnprintf(l->last, sizeof l->last, format, args);
        l->lines++;
    }
    va_end(args);
}

static int half(void *arg)
{
    int *n = arg;
    log_debug("a half begins with %d", *n);
    *n = *n * *n;
    return 0;
}

static int handle(void *arg)
{
    request *r = arg;
    int err;
    RMD_WITH_GROUP (group, RMD_FOREVER, &err) {
        rmd_task_options options = { .size = sizeof options, .group = group };
        for (int i = 0; i < 2; i++) {
            r->halves[i] = r->number + i;
            must(rmd_submit(pool, NULL, half, &r->halves[i], &options), "submit");
        }
    }
    log_debug("request %d is done", r->number);
    return err;
}

int main(void)
{
    enum { COUNT = 4 };
    request requests[COUNT];
    logger loggers[COUNT] = { 0 };
    rmd_future *futures[COUNT];
    must(rmd_pool_open(&pool, "threads:2", NULL, RMD_FOREVER), "open");
    for (int i = 0; i < COUNT; i++) {
        requests[i].number = 10 * (i + 1);
        must(rmd_lock_open(&loggers[i].lock, NULL), "lock");
        RMD_WITH_CONTEXT (&debug, i % 2 ? &loggers[i] : NULL) { /* every second one */
            must(rmd_submit(pool, &futures[i], handle, &requests[i], NULL), "submit");
        }
    }
    for (int i = 0; i < COUNT; i++) {
        must(rmd_future_wait(futures[i], RMD_FOREVER), "wait");
        must(rmd_future_error(futures[i]), "handle");
        printf("request %d: %d\n", requests[i].number,
               requests[i].halves[0] + requests[i].halves[1]);
        if (loggers[i].lines)
            printf("  %d lines, the last: %s\n", loggers[i].lines, loggers[i].last);
        rmd_future_free(futures[i]);
        rmd_lock_free(loggers[i].lock);
    }
    must(rmd_pool_drain(pool, RMD_FOREVER), "drain");
    must(rmd_pool_free(pool), "free");
    return 0;
}
