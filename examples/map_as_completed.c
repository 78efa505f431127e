/* SPDX-License-Identifier: MIT */
/* The same work through a map twice: in the order of its producer, as Python's executor.map()
 * gives it, and as completed. The first task takes long; in order it holds up those behind it, as
 * completed it does not. Either way at most three are under way. */
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 5 };
static const char *const words[WORDS] = { "slow", "ox", "cat", "horse", "donkey" };

static rmd_event *others_are_done; /* the slow one waits for it, so that it is slow for sure */

typedef struct lengths {
    int next, taken;
    bool as_completed;
} lengths;

static void must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, rmd_error_detail(), rmd_error_name(err));
    exit(1);
}

static int length(rmd_call *call)
{
    const char *word;
    int err = rmd_call_get(call, 0, &word);
    if (err == 0 && *word == 's')
        err = rmd_event_wait(others_are_done, RMD_FOREVER);
    return err < 0 ? err : rmd_call_return(call, strlen(word));
}

static const rmd_function functions[] = { { "length", length, .parameters = "word:text" }, { 0 } };

/* The producer: asked for a task when there is room for one. */
static int next_word(void *ctx, rmd_map_task *task)
{
    lengths *l = ctx;
    if (!l->as_completed && l->next == 2)
        rmd_event_set(others_are_done); /* else it would wait for ever: nobody passes it */
    return l->next == WORDS ? 0 : rmd_map_call(task, "length", RMD_ARGS(words[l->next++]));
}

/* The sink: gets each task, when it has ended, and its number. */
static int show(void *ctx, rmd_future *future, uint64_t index)
{
    int n = 0;
    lengths *l = ctx;
    must(rmd_future_get(future, &n), words[index]);
    printf(" %s:%d", words[index], n);
    if (++l->taken == WORDS - 1)
        rmd_event_set(others_are_done);
    return 0;
}

static void run(rmd_pool *pool, const char *what, bool as_completed)
{
    lengths l = { .as_completed = as_completed };
    rmd_map_options options = { .size = sizeof options,
                                .next = next_word,
                                .sink = show,
                                .ctx = &l,
                                .window = as_completed ? 2 : 3,
                                .as_completed = as_completed };
    rmd_event_clear(others_are_done);
    printf("%s:", what);
    must(rmd_map(pool, &options, RMD_FOREVER), "map");
    puts("");
}

int main(void)
{
    rmd_pool *pool;
    must(rmd_functions_add(functions), "functions");
    must(rmd_event_open(&others_are_done), "event");
    must(rmd_pool_open(&pool, "threads:2", NULL, RMD_FOREVER), "open");
    run(pool, "in order", false);
    run(pool, "as completed", true);
    must(rmd_pool_drain(pool, RMD_FOREVER), "drain");
    must(rmd_pool_free(pool), "free");
    must(rmd_event_free(others_are_done), "event");
    return 0;
}
