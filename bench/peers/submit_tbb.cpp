// SPDX-License-Identifier: MIT
// oneTBB's task_arena::enqueue: the queue of an arena for whoever is outside of it. submit_tbb CASE
#include "../submit.h"

#include <tbb/global_control.h>
#include <tbb/task_arena.h>

static tbb::task_arena *arena;
static countdown left;

static void submit(long n)
{
    countdown_begin(&left, n);
    for (long i = 0; i < n; i++)
        arena->enqueue([] { countdown_end_one(&left); });
    countdown_wait(&left);
}

static void one()
{
    submit(1);
}

int main(int argc, char **argv)
{
    MUST(argc == 2);
    // One place is that of the submitter, who stays outside.
    tbb::global_control control(tbb::global_control::max_allowed_parallelism, WORKERS + 1);
    tbb::task_arena of_workers(WORKERS + 1, 1);
    arena = &of_workers;
    print_case(argv[1], submit, one);
    return 0;
}
