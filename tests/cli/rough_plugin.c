/* SPDX-License-Identifier: MIT */
/* Functions that do what functions should not, for the tests of `remuda call` and `remuda map`. */
#include <math.h>
#include <remuda.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int die(rmd_call *call)
{
    int signal = SIGABRT;
    if (rmd_call_has(call, 0) && rmd_call_get(call, 0, &signal) < 0)
        return RMD_EINVAL;
    if (!signal)
        return 0;
    fprintf(stderr, "the last words\n");
    raise(signal);
    return 0;
}

static int leave(rmd_call *call)
{
    (void)call;
    _exit(3);
}

/* Milliseconds; says that it has begun if it is long, and gives up when it is told to. */
static int nap(rmd_call *call)
{
    int ms;
    if (rmd_call_get(call, 0, &ms) < 0)
        return RMD_EINVAL;
    if (ms > 10000)
        fprintf(stderr, "napping\n");
    for (; ms > 0 && !rmd_call_cancelled(call); ms -= 10)
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    return ms > 0 ? rmd_call_fail(call, RMD_ECANCELED, "woken up") : rmd_call_return(call, "slept");
}

/* As many bytes. */
static int many(rmd_call *call)
{
    size_t n;
    if (rmd_call_get(call, 0, &n) < 0)
        return RMD_EINVAL;
    char *bytes = calloc(n + 1, 1);
    if (!bytes)
        return RMD_ENOMEM;
    int err = rmd_call_return(call, ((rmd_bytes){ bytes, n }));
    free(bytes);
    return err;
}

/* As many bytes; below 0: nothing, after as many milliseconds. */
static int late(rmd_call *call)
{
    int n;
    if (rmd_call_get(call, 0, &n) < 0)
        return RMD_EINVAL;
    if (n >= 0)
        return many(call);
    for (; n < 0; n += 10)
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    return 0;
}

/* Its argument, whatever it is; several as a list. */
static int echo(rmd_call *call)
{
    const rmd_args *args = rmd_call_args(call);
    if (args->count == 1)
        return rmd_call_return(call, args->values[0]);
    return rmd_call_return(call, rmd_list(args->values, args->count));
}

/* Fails for odd numbers. */
static int even(rmd_call *call)
{
    long n;
    if (rmd_call_get(call, 0, &n) < 0)
        return RMD_EINVAL;
    return n % 2 ? rmd_call_fail(call, RMD_EIO, "%ld is odd", n) : rmd_call_return(call, n);
}

/* Succeeds in the n-th attempt. */
static int attempt(rmd_call *call)
{
    unsigned n;
    if (rmd_call_get(call, 0, &n) < 0)
        return RMD_EINVAL;
    if (rmd_call_attempt(call) < n)
        return rmd_call_fail(call, RMD_EAGAIN, "attempt %u", rmd_call_attempt(call));
    return rmd_call_return(call, rmd_call_attempt(call));
}

/* Adds two of itself, one less each. */
static int tree(rmd_call *call)
{
    int n;
    int err = rmd_call_get(call, 0, &n);
    for (int i = 0; i < 2 && n > 0 && err == 0; i++)
        err = rmd_call_add(call, "tree", RMD_ARGS(n - 1));
    return err < 0 ? err : rmd_call_return(call, n);
}

/* Looks for 7. */
static int seek(rmd_call *call)
{
    int n;
    int err = rmd_call_get(call, 0, &n);
    if (err == 0 && n == 7)
        return rmd_call_fail(call, RMD_ECANCELED, "here is 7");
    return err < 0 ? err : rmd_call_return(call, n);
}

/* Writes to standard output, a part of it not yet when it returns. */
static int print(rmd_call *call)
{
    printf("a line of its own\nand more");
    return rmd_call_return(call, 1);
}

/* Has a child that ends as programs do. */
static int breed(rmd_call *call)
{
    pid_t pid = fork();
    if (pid == 0)
        exit(0);
    waitpid(pid, NULL, 0);
    return rmd_call_return(call, 1);
}

static int red(rmd_call *call)
{
    return rmd_call_fail(call, RMD_EIO, "a\x1b[31m\n\xc2\x9b");
}

static int own_code(rmd_call *call)
{
    return rmd_call_fail(call, -1234, "an error of its own");
}

static int nothing_of(rmd_call *call)
{
    return rmd_call_return(call, (double)NAN);
}

static const rmd_function functions[] = {
    { "die", die, "ends by a signal", "signal:int=", NULL },
    { "leave", leave, "exits", "", NULL },
    { "nap", nap, "takes its time", "ms:int", "text" },
    { "many", many, NULL, "n:int", "bytes" },
    { "late", late, NULL, "n:int", NULL },
    { "echo", echo, "what it gets", NULL, NULL },
    { "even", even, NULL, "n:int", "int" },
    { "attempt", attempt, NULL, "n:int", "int" },
    { "tree", tree, NULL, "n:int", "int" },
    { "seek", seek, NULL, "n:int", "int" },
    { "print", print, NULL, NULL, "int" },
    { "breed", breed, NULL, NULL, "int" },
    { "own", own_code, "", NULL, NULL },
    { "odd.help", echo, "h\xe9llo \x1b[31mred\nnext", NULL, NULL },
    { "red", red, "fails", "", NULL },
    { "nan", nothing_of, NULL, "", "float" },
    { "a.function.whose.name.is.so.long.that.nothing.fits", echo, "help", "*all:any", "any" },
    { 0 },
};

RMD_PLUGIN(functions);
