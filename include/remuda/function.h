/* SPDX-License-Identifier: MIT */
/* floor: exec */
/* Functions: C functions that are called by name, from anywhere.
 *
 *     static int is_prime(rmd_call *call)
 *     {
 *         int64_t n;
 *         int err = rmd_call_get(call, 0, &n);
 *         return err < 0 ? err : rmd_call_return(call, prime(n));
 *     }
 *
 *     static const rmd_function functions[] = {
 *         { "is_prime", is_prime, .help = "is n a prime number?", .parameters = "n:int" },
 *         { 0 },
 *     };
 *
 *     err = rmd_functions_add(functions);
 *
 * A program has one table of functions. It only grows: what was found stays. All calls may be made
 * from any thread, at any time, and in a process made by fork(); none blocks. */
#ifndef REMUDA_FUNCTION_H
#define REMUDA_FUNCTION_H

#include <remuda/api.h>

RMD_BEGIN

typedef struct rmd_call rmd_call;

/* The body of a function. 0: it has succeeded, and its result is what it gave to rmd_call_return(),
 * else null. Less: it has failed with that code. It may run on several threads at once. */
typedef int rmd_function_fn(rmd_call *call);

/* Later versions add fields at the end; zero means the default. */
typedef struct rmd_function {
    const char *name; /* letters, digits, and _ . - : inside, up to 128 of them */
    rmd_function_fn *fn;
    const char *help; /* one sentence, for people; may be NULL */
    /* What it takes, so that arguments are checked before it runs: "n:int, base:int=, *rest".
     *
     *   name:type    an argument; types: any null bool int float text bytes list map reference.
     *                An int is also a float, and 0 and 1 are also bools.
     *   name:type=   it may be left out, and so may those behind it: they must end in '=', too
     *   *name:type   last: any number of further arguments; with ":type" left out, of any type
     *
     * A caller gives an argument by its place, or by its name; the body gets it at its place.
     * "": it takes none. NULL: nothing is checked, and what has a name keeps it. */
    const char *parameters;
    const char *result; /* its type, for people; may be NULL */
} rmd_function;

/* Adds functions: table ends with one whose name is NULL, and is borrowed for ever, with all its
 * texts. All are added or none. Errors: RMD_EINVAL naming the entry and what is wrong with it (a
 * name that is none, or is taken; no fn; parameters that are not understood), RMD_ENOMEM. */
RMD_API int rmd_functions_add(const rmd_function *table);

/* The function of that name; NULL when there is none. */
RMD_API const rmd_function *rmd_function_find(const char *name);

/* Calls fn for each function, in the order in which they were added, until it returns something
 * else than 0, and returns that. Functions that are added meanwhile are left out. */
typedef int rmd_function_walk_fn(const rmd_function *function, void *ctx);
RMD_API int rmd_functions_walk(rmd_function_walk_fn *fn, void *ctx);

RMD_END

#endif
