/* SPDX-License-Identifier: MIT */
/* What a small task pays for the flight recorder, on one thread. Prints nanoseconds: for its begin
 * and end, on the worker; for its submission, on the submitter; and the length of the task, so that
 * the budget is that of such tasks.
 *
 * Turning the recorder off (REMUDA_RECORD=off) is no measure for that: calls are left then.
 * And two pools that are compared differ by more, from run to run, than what is sought. */
#include "base/recorder.h"

#include <stdio.h>
#include <time.h>

enum { TASKS = 100000, WORK = 45, ROUNDS = 41 };

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* What runs a task has its number at hand, before and after, recorder or not. */
static void use(uint64_t id)
{
    __asm__ volatile("" : : "r"(id));
}

/* Several chains at once, so that the processor has no time to spare, and records for nothing. */
static void work(void)
{
    uint64_t x[4] = { 1, 2, 3, 4 };
    for (int i = 0; i < WORK; i++)
        for (int j = 0; j < 4; j++) {
            x[j] = x[j] * UINT64_C(6364136223846793005) + 1;
            __asm__ volatile("" : "+r"(x[j]));
        }
}

__attribute__((noinline)) static void bare(uint64_t id)
{
    use(id);
    work();
    use(id);
}

__attribute__((noinline)) static void run(uint64_t id)
{
    use(id);
    rmdi_task_record record = rmdi_record_task_begin(id, id);
    work();
    use(id);
    rmdi_record_task_end(record, id, 0, 1, false);
}

__attribute__((noinline)) static void submit(uint64_t id)
{
    use(id);
    work();
    rmdi_record_often(RMDI_RECORD_SUBMIT, id, 0);
}

static double measure(void (*fn)(uint64_t id))
{
    double begin = now_ns();
    for (uint64_t id = 1; id <= TASKS; id++)
        fn(id);
    return (now_ns() - begin) / TASKS;
}

/* The best of some rounds, in turn: what disturbs only adds. */
int main(void)
{
    void (*const all[])(uint64_t id) = { bare, run, submit };
    double best[] = { 1e18, 1e18, 1e18 };
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < 3; i++) {
            double each = measure(all[i]);
            best[i] = each < best[i] ? each : best[i];
        }
    printf("%.3f %.3f %.3f\n", best[1] - best[0], best[2] - best[0], best[0]);
    return 0;
}
