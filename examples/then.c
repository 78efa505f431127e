/* SPDX-License-Identifier: MIT */
/* A chain of tasks: each begins when the one before has ended OK, and none of them waits for it
 * on a worker. When one fails those behind it are skipped, and fail with its error. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct loaf {
    const char *flour;
    int grams;
    bool baked;
} loaf;

static void must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

static int knead(void *arg)
{
    loaf *l = arg;
    if (!*l->flour)
        return rmd_fail(RMD_ENOENT, "there is no flour");
    l->grams = 600;
    printf("kneaded %d g of %s\n", l->grams, l->flour);
    return 0;
}

/* What follows gets the future of what was before; its result, if it has one, is there. */
static int bake(rmd_future *kneaded, void *arg)
{
    loaf *l = arg;
    l->grams -= 60;
    l->baked = true;
    printf("baked after \"%s\"\n", rmd_future_name(kneaded));
    return 0;
}

static int slice(rmd_future *baked, void *arg)
{
    loaf *l = arg;
    printf("sliced after \"%s\": %d slices\n", rmd_future_name(baked), l->grams / 45);
    return 0;
}

static rmd_future *after(rmd_pool *pool, rmd_future *first, const char *name, rmd_then_fn *fn,
                         loaf *l)
{
    rmd_future *future;
    must(rmd_then(pool, &future, first, fn, l,
                  &(rmd_task_options){ .size = sizeof(rmd_task_options), .name = name }),
         "then");
    rmd_future_free(first); /* it is held as long as it is needed */
    return future;
}

static void make(rmd_pool *pool, const char *flour)
{
    loaf l = { .flour = flour };
    rmd_failure failure;
    rmd_future *future;
    must(rmd_submit(pool, &future, knead, &l,
                    &(rmd_task_options){ .size = sizeof(rmd_task_options), .name = "knead" }),
         "submit");
    future = after(pool, future, "bake", bake, &l);
    future = after(pool, future, "slice", slice, &l);
    must(rmd_future_wait(future, RMD_FOREVER), "wait");
    if (rmd_future_failure(future, &failure) == 0)
        printf("%s: %s, as %s; it was started %u times\n", failure.name,
               rmd_outcome_name(failure.outcome), failure.detail, failure.attempt);
    rmd_future_free(future);
}

int main(void)
{
    rmd_pool *pool;
    must(rmd_pool_open(&pool, "threads:2", NULL, RMD_FOREVER), "open");
    make(pool, "rye");
    make(pool, "");
    must(rmd_pool_drain(pool, RMD_FOREVER), "drain");
    must(rmd_pool_free(pool), "free");
    return 0;
}
