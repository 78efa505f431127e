/* SPDX-License-Identifier: MIT */
/* A harness as a user writes it, with a race: the status is what rmd_explore() says, 1. */
#include <remuda.h>
#include <remuda/atomics.h>
#include <remuda/explore.h>

static void add_one(void *value)
{
    RMD_PLAIN_SET(*(int *)value, RMD_PLAIN(*(int *)value) + 1);
}

static void body(void *arg)
{
    int value = 0;
    rmd_thread *threads[2];
    (void)arg;
    for (int i = 0; i < 2; i++)
        RMD_ASSERT(rmd_thread_start(&threads[i], add_one, &value, NULL) == 0);
    for (int i = 0; i < 2; i++) {
        RMD_ASSERT(rmd_thread_join(threads[i], RMD_FOREVER) == 0);
        RMD_ASSERT(rmd_thread_free(threads[i]) == 0);
    }
}

int main(void)
{
    rmd_explore_result result;
    rmd_explore_options options = { .size = sizeof options, .quiet = true, .result = &result };
    int found = rmd_explore(body, NULL, &options);
    puts(rmd_explore_verdict_name(result.verdict));
    return found;
}
