/* SPDX-License-Identifier: MIT */
/* A pool of processes; its workers are this program.
 *
 *   process parked TIMES    p50 of a round trip of 64 bytes, in us, each 1 ms after the last
 *   process hot TIMES       a round trip of 64 bytes, in us, one after the other
 *   process big TIMES       the same with 1 MiB each way
 *   process place TIMES     the same in shared memory, where it lies
 *   process many TASKS      tasks/s, one by one, in one group
 *   process open WORKERS    ms until a pool of so many is open
 *   process replace TIMES   p99, in ms, from the end of a worker until another one has done a task,
 *                           with as many that compute as there are processors
 */
#include "pinned.h"

#include <remuda.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static int echo(rmd_call *call)
{
    const rmd_value *value;
    int err = rmd_call_get(call, 0, &value);
    return err < 0 ? err : rmd_call_return(call, value);
}

static int own_pid(rmd_call *call)
{
    return rmd_call_return(call, getpid());
}

static int spin(rmd_call *call)
{
    (void)call;
    for (volatile bool for_ever = true; for_ever;)
        ;
    return 0;
}

static int look(rmd_call *call)
{
    void *data;
    size_t len;
    int err = rmd_call_shared(call, 0, &data, &len);
    return err < 0 ? err : rmd_call_return(call, len);
}

static const rmd_function functions[] = {
    { .name = "look", .fn = look },
    { .name = "echo", .fn = echo },
    { .name = "pid", .fn = own_pid },
    { .name = "spin", .fn = spin },
    { 0 },
};

static rmd_pool *open_pool(const char *kind)
{
    rmd_pool *pool = NULL;
    if (rmd_pool_open(&pool, kind, NULL, rmd_after_ms(10000)) < 0)
        fprintf(stderr, "%s\n", rmd_error_detail());
    MUST(pool);
    return pool;
}

static void end_pool(rmd_pool *pool)
{
    MUST(rmd_pool_abort(pool, RMD_FOREVER) == 0 && rmd_pool_free(pool) == 0);
}

static void trip(rmd_pool *pool, rmd_bytes bytes)
{
    rmd_future *future;
    rmd_bytes back;
    MUST(rmd_pool_call(pool, &future, "echo", RMD_ARGS(bytes), NULL) == 0);
    MUST(rmd_future_wait(future, RMD_FOREVER) == 0);
    MUST(rmd_future_get(future, &back) == 0 && back.len == bytes.len);
    rmd_future_free(future);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double percentile(int64_t *ns, int n, int percent)
{
    qsort(ns, (size_t)n, sizeof *ns, by_size);
    return (double)ns[(n - 1) * percent / 100];
}

static void parked(int times)
{
    char data[64] = { 1 };
    rmd_pool *pool = open_pool("processes:1");
    int64_t *ns = calloc((size_t)times, sizeof *ns);
    MUST(ns);
    for (int i = -20; i < times; i++) {
        nap_us(1000);
        int64_t begin = now_ns();
        trip(pool, (rmd_bytes){ data, sizeof data });
        if (i >= 0)
            ns[i] = now_ns() - begin;
    }
    printf("%.3f\n", percentile(ns, times, 50) / 1000);
    free(ns);
    end_pool(pool);
}

static void in_a_row(int times, size_t len)
{
    char *data = calloc(1, len);
    rmd_pool *pool = open_pool("processes:1");
    MUST(data);
    memset(data, 1, len);
    for (int i = 0; i < 20; i++)
        trip(pool, (rmd_bytes){ data, len });
    int64_t begin = now_ns();
    for (int i = 0; i < times; i++)
        trip(pool, (rmd_bytes){ data, len });
    printf("%.3f\n", (double)(now_ns() - begin) / times / 1000);
    end_pool(pool);
    free(data);
}

static void hot(int times)
{
    in_a_row(times, 64);
}

static void big(int times)
{
    in_a_row(times, 1 << 20);
}

static void in_place(int times)
{
    rmd_shared *shared;
    rmd_shared_part part;
    rmd_pool *pool = NULL;
    MUST(rmd_shared_open(&shared, 1 << 24) == 0 && rmd_shared_take(shared, 1 << 20, &part) == 0);
    rmd_pool_options options = { .size = sizeof options, .shared = shared };
    MUST(rmd_pool_open(&pool, "processes:1", &options, rmd_after_ms(10000)) == 0);
    memset(part.data, 1, part.len);
    int64_t begin = 0;
    for (int i = -20; i < times; i++) {
        rmd_future *future;
        if (i == 0)
            begin = now_ns();
        MUST(rmd_pool_call(pool, &future, "look", RMD_ARGS(rmd_shared_value(&part)), NULL) == 0);
        MUST(rmd_future_wait(future, RMD_FOREVER) == 0 && rmd_future_error(future) == 0);
        rmd_future_free(future);
    }
    printf("%.3f\n", (double)(now_ns() - begin) / times / 1000);
    end_pool(pool);
    MUST(rmd_shared_free(shared) == 0);
}

static void many(int tasks)
{
    rmd_group *group;
    rmd_pool *pool = open_pool("processes:2");
    MUST(rmd_group_open(&group) == 0);
    rmd_task_options options = { .size = sizeof options, .group = group };
    int64_t begin = now_ns();
    for (int i = 0; i < tasks; i++)
        MUST(rmd_pool_call(pool, NULL, "echo", RMD_ARGS(i), &options) == 0);
    MUST(rmd_group_wait(group, RMD_FOREVER) == 0);
    printf("%.0f\n", tasks / ((double)(now_ns() - begin) / 1e9));
    end_pool(pool);
    MUST(rmd_group_free(group) == 0);
}

static void opening(int workers)
{
    char kind[32];
    snprintf(kind, sizeof kind, "processes:%d", workers);
    int64_t begin = now_ns();
    rmd_pool *pool = open_pool(kind);
    printf("%.3f\n", (double)(now_ns() - begin) / 1e6);
    end_pool(pool);
}

static pid_t ask_pid(rmd_pool *pool)
{
    rmd_future *future;
    int64_t pid = 0;
    MUST(rmd_pool_call(pool, &future, "pid", RMD_ARGS(), NULL) == 0);
    MUST(rmd_future_wait(future, RMD_FOREVER) == 0);
    int err = rmd_future_get(future, &pid);
    rmd_future_free(future);
    return err < 0 ? 0 : (pid_t)pid;
}

static void replace(int times)
{
    rmd_pool *busy = open_pool("processes"), *pool = open_pool("processes:1");
    int64_t *ns = calloc((size_t)times, sizeof *ns);
    MUST(ns);
    for (unsigned i = 0; i < rmd_pool_size(busy); i++)
        MUST(rmd_pool_call(busy, NULL, "spin", RMD_ARGS(), NULL) == 0);
    for (int i = 0; i < times; i++) {
        pid_t pid = ask_pid(pool);
        MUST(pid > 0 && kill(pid, SIGKILL) == 0);
        int64_t begin = now_ns();
        for (pid_t now = 0; now == 0 || now == pid;)
            now = ask_pid(pool);
        ns[i] = now_ns() - begin;
    }
    printf("%.3f\n", percentile(ns, times, 99) / 1e6);
    free(ns);
    end_pool(pool);
    end_pool(busy);
}

static const struct {
    const char *name;
    void (*run)(int n);
} figures[] = { { "parked", parked },  { "hot", hot },   { "big", big },
                { "place", in_place }, { "many", many }, { "open", opening },
                { "replace", replace } };

int main(int argc, char **argv)
{
    MUST(rmd_functions_add(functions) == 0);
    rmd_start(&argc, &argv);
    MUST(argc == 3);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        if (strcmp(argv[1], figures[i].name) == 0) {
            figures[i].run(atoi(argv[2]));
            return 0;
        }
    fprintf(stderr, "process: no figure is called \"%s\"\n", argv[1]);
    return 2;
}
