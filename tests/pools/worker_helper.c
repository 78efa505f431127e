/* SPDX-License-Identifier: MIT */
/* A program that serves a pool of processes as its workers, and has functions that the owner of the
 * pool has not. */
#include <remuda/call.h>
#include <remuda/function.h>
#include <remuda/start.h>

static int twice(rmd_call *call)
{
    int64_t n = 0;
    int err = rmd_call_get(call, 0, &n);
    return err < 0 ? err : rmd_call_return(call, 2 * n);
}

static const rmd_function functions[] = { { .name = "twice", .fn = twice }, { 0 } };

int main(int argc, char **argv)
{
    if (rmd_functions_add(functions) < 0)
        return 1;
    rmd_start(&argc, &argv);
    return 2; /* nobody has started it as a worker */
}
