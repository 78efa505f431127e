/* SPDX-License-Identifier: MIT */
/* What other pools of processes have a method for each of: a call, and a map, with their settings.
 * apply, apply_async, map, map_async, imap, imap_unordered, starmap. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

enum { ITEMS = 8 };

static rmd_pool *pool;

static void must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

static int power(rmd_call *call)
{
    int64_t base, exponent = 2, product = 1;
    int err = rmd_call_get(call, 0, &base);
    if (err == 0 && rmd_call_has(call, 1))
        err = rmd_call_get(call, 1, &exponent);
    for (; err == 0 && exponent > 0; exponent--)
        product *= base;
    return err < 0 ? err : rmd_call_return(call, product);
}

static const rmd_function functions[] = {
    { .name = "power", .fn = power, .parameters = "base:int, exponent:int=" },
    { 0 }
};

static int64_t value_of(rmd_future *future)
{
    int64_t value = 0;
    must(rmd_future_wait(future, RMD_FOREVER), "wait");
    must(rmd_future_get(future, &value), "power");
    return value;
}

/* Where a map is: what comes next, and what has come back. */
typedef struct work {
    int next;
    bool pairs; /* each item is a pair */
    int64_t sum, results[ITEMS];
} work;

static int next(void *ctx, rmd_map_task *task)
{
    work *w = ctx;
    int i = w->next++;
    if (i == ITEMS)
        return 0;
    return w->pairs ? rmd_map_call(task, "power", RMD_ARGS(2, i))
                    : rmd_map_call(task, "power", RMD_ARGS(i));
}

static int keep(void *ctx, rmd_future *future, uint64_t index)
{
    work *w = ctx;
    w->results[index] = value_of(future);
    w->sum += w->results[index];
    return 0;
}

static void map(const char *what, bool pairs, bool as_completed)
{
    work w = { .pairs = pairs };
    rmd_map_options options = {
        .size = sizeof options, .ctx = &w, .next = next, .sink = keep, .as_completed = as_completed
    };
    must(rmd_map(pool, &options, RMD_FOREVER), what);
    printf("%-14s", what);
    for (int i = 0; i < ITEMS; i++)
        printf(" %lld", (long long)w.results[i]);
    printf(", sum %lld\n", (long long)w.sum);
}

int main(int argc, char **argv)
{
    rmd_future *future, *all[ITEMS];
    int64_t sum = 0;
    must(rmd_functions_add(functions), "functions");
    rmd_start(&argc, &argv);
    must(rmd_pool_open(&pool, "processes:2?chunk=4", NULL, rmd_after_ms(10000)), "open");

    must(rmd_pool_call(pool, &future, "power", RMD_ARGS(12), NULL), "apply");
    printf("%-14s %lld\n", "apply", (long long)value_of(future));
    rmd_future_free(future);

    for (int i = 0; i < ITEMS; i++) /* apply_async, and so map_async: wait for them later */
        must(rmd_pool_call(pool, &all[i], "power", RMD_ARGS(i, RMD_NAMED("exponent", 3)), NULL),
             "apply_async");
    for (int i = 0; i < ITEMS; i++) {
        sum += value_of(all[i]);
        rmd_future_free(all[i]);
    }
    printf("%-14s sum %lld\n", "apply_async", (long long)sum);

    map("map, imap", false, false);     /* in the order of the items */
    map("imap_unordered", false, true); /* as they are done */
    map("starmap", true, false);
    must(rmd_pool_drain(pool, RMD_FOREVER), "drain");
    must(rmd_pool_free(pool), "free");
    return 0;
}
