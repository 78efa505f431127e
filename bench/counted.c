/* SPDX-License-Identifier: MIT */
/* Small fixed workloads whose instructions bench/instructions counts, those in measured() and what
 * it calls: counted WORKLOAD. Prints how many operations those are; without a WORKLOAD, which there
 * are. The only worker of the pool is kept busy meanwhile, so that nothing depends on who runs
 * when. */
#include "pinned.h"

#include <remuda.h>
#include <string.h>

enum { N = 1024, BATCH = 256, INSIDE = 200 };

static rmd_pool *pool;
static rmd_group *group;
static rmd_task_options in_group = { .size = sizeof in_group };
static rmd_event *busy, *let_go;
static rmd_future *futures[N];
static rmd_task tasks[N];
static rmd_lock *lock;
static rmd_queue *queue;

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int add(rmd_call *call)
{
    int64_t a, b;
    if (rmd_call_get(call, 0, &a) < 0 || rmd_call_get(call, 1, &b) < 0)
        return rmd_call_fail(call, RMD_EINVAL, "add takes two integers");
    return rmd_call_return(call, a + b);
}

static const rmd_function functions[] = { { "add", add, .help = "a + b" }, { 0 } };

/* ---- what is prepared ---- */

static void submit_all(void)
{
    for (int i = 0; i < N; i++)
        MUST(rmd_submit(pool, &futures[i], nothing, NULL, NULL) == 0);
}

static void submit_group(void)
{
    MUST(rmd_submit_many(pool, NULL, tasks, N, &in_group) == N);
}

static void end_all(void)
{
    submit_all();
    for (int i = 0; i < N; i++)
        MUST(rmd_future_wait(futures[i], RMD_FOREVER) == 0);
}

static void free_all(void)
{
    for (int i = 0; i < N; i++)
        rmd_future_free(futures[i]);
}

/* So that memory of tasks is at hand. */
static void warm_up(void)
{
    end_all();
    free_all();
}

/* ---- what is measured; each returns the number of operations ---- */

static int do_submit(void)
{
    for (int i = 0; i < N; i++)
        MUST(rmd_submit(pool, NULL, nothing, NULL, NULL) == 0);
    return N;
}

static int do_submit_future(void)
{
    submit_all();
    return N;
}

static int do_submit_many(void)
{
    for (int i = 0; i < N; i += BATCH)
        MUST(rmd_submit_many(pool, NULL, tasks + i, BATCH, &in_group) == BATCH);
    return N;
}

static int do_wait_group(void)
{
    MUST(rmd_group_wait(group, RMD_FOREVER) == 0);
    return N;
}

static int do_wait_future(void)
{
    for (int i = 0; i < N; i++)
        MUST(rmd_future_wait(futures[i], RMD_FOREVER) == 0);
    return N;
}

static int do_free_future(void)
{
    free_all();
    return N;
}

static int do_call(void)
{
    for (int i = 0; i < N; i++) {
        rmd_future *future;
        int64_t sum;
        MUST(rmd_pool_call(pool, &future, "add", RMD_ARGS(i, 1), NULL) == 0);
        MUST(rmd_future_wait(future, RMD_FOREVER) == 0);
        MUST(rmd_future_get(future, &sum) == 0 && sum == i + 1);
        rmd_future_free(future);
    }
    return N;
}

/* By a task: into the worker's own deque, and out of it again. */
static int do_inside(void)
{
    for (int i = 0; i < INSIDE; i++)
        MUST(rmd_submit(pool, &futures[i], nothing, NULL, NULL) == 0);
    for (int i = INSIDE - 1; i >= 0; i--) {
        MUST(rmd_future_wait(futures[i], RMD_FOREVER) == 0);
        rmd_future_free(futures[i]);
    }
    return INSIDE;
}

static int do_lock(void)
{
    for (int i = 0; i < N; i++) {
        MUST(rmd_lock_acquire(lock, RMD_FOREVER) == 0);
        rmd_lock_release(lock);
    }
    return N;
}

static int do_queue(void)
{
    for (intptr_t i = 0; i < N; i++) {
        void *item;
        MUST(rmd_queue_put(queue, (void *)(i + 1), RMD_FOREVER) == 0);
        MUST(rmd_queue_get(queue, &item, RMD_FOREVER) == 0);
    }
    return N;
}

typedef struct workload {
    const char *name;
    void (*prepare)(void);
    int (*run)(void);
    bool inside; /* on the worker */
} workload;

static const workload workloads[] = {
    { "submit", warm_up, do_submit, false },
    { "submit-future", warm_up, do_submit_future, false },
    { "submit-many", warm_up, do_submit_many, false },
    { "wait-group", submit_group, do_wait_group, false },
    { "wait-future", submit_all, do_wait_future, false },
    { "wait-ended", end_all, do_wait_future, false },
    { "free-ended", end_all, do_free_future, false },
    { "call", warm_up, do_call, false },
    { "inside", NULL, do_inside, true },
    { "lock", NULL, do_lock, false },
    { "queue", NULL, do_queue, false },
};

/* Found by name: see bench/instructions. */
__attribute__((noinline)) int measured(int (*run)(void));

int measured(int (*run)(void))
{
    return run();
}

/* ---- around it ---- */

static int keep_busy(void *arg)
{
    const workload *w = arg;
    if (w->inside) {
        do_inside(); /* the first time takes memory */
        printf("%d\n", measured(w->run));
    }
    rmd_event_set(busy);
    return rmd_event_wait(let_go, RMD_FOREVER);
}

static void open_all(void)
{
    rmd_pool_options options = { .size = sizeof options, .queue_max = 2 * N };
    for (int i = 0; i < N; i++)
        tasks[i].fn = nothing;
    MUST(rmd_functions_add(functions) == 0);
    MUST(rmd_event_open(&busy) == 0 && rmd_event_open(&let_go) == 0);
    MUST(rmd_lock_open(&lock, NULL) == 0 && rmd_queue_open(&queue, N, NULL) == 0);
    MUST(rmd_pool_open(&pool, "threads:1", &options, rmd_after_ms(5000)) == 0);
    MUST(rmd_group_open(&group) == 0);
    in_group.group = group;
}

/* The compiler, then the names of the workloads. */
static int list(void)
{
#ifdef __clang__
    puts(__VERSION__);
#else
    puts("gcc " __VERSION__);
#endif
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        puts(workloads[i].name);
    return 0;
}

int main(int argc, char **argv)
{
    const workload *w = workloads, *end = w + sizeof workloads / sizeof *workloads;
    if (argc == 1)
        return list();
    while (w < end && strcmp(w->name, argv[1]) != 0)
        w++;
    MUST(w < end);
    open_all();
    MUST(rmd_submit(pool, NULL, keep_busy, (void *)(uintptr_t)w, NULL) == 0);
    MUST(rmd_event_wait(busy, RMD_FOREVER) == 0);
    if (w->prepare)
        w->prepare();
    if (!w->inside)
        printf("%d\n", measured(w->run));
    rmd_event_set(let_go);
    MUST(rmd_pool_drain(pool, RMD_FOREVER) == 0);
    return 0;
}
