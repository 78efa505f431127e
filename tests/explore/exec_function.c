/* SPDX-License-Identifier: MIT */
/* The table of functions, and results that several read: nobody waits for anybody, what is found is
 * whole, and of two who make the same the first one's stays. */
#include "crew.h"
#include "data/cbor.h"
#include "exec/function.h"

#include <remuda.h>
#include <string.h>

static int body(rmd_call *call)
{
    return rmd_call_return(call, 0);
}

static const rmd_function first[] = { { .name = "a", .fn = body },
                                      { .name = "shared", .fn = body, .parameters = "n:int" },
                                      { 0 } };
static const rmd_function second[] = { { .name = "shared", .fn = body },
                                       { .name = "b", .fn = body },
                                       { 0 } };
static const rmd_function third[] = { { .name = "c", .fn = body }, { 0 } };

typedef struct adder {
    const rmd_function *table;
    int result;
} adder;

static void add(void *arg)
{
    adder *a = arg;
    a->result = rmd_functions_add(a->table);
    if (a->result == 0)
        RMD_ASSERT(rmd_function_find(a->table[0].name) == &a->table[0]);
}

/* All of a table is found, or nothing of it. */
static void find(void *arg)
{
    (void)arg;
    const rmd_function *a = rmd_function_find("a"), *shared = rmd_function_find("shared");
    RMD_ASSERT(!a || shared == &first[1]);
    RMD_ASSERT(!a || rmdi_function_parameters(shared));
    RMD_ASSERT(shared != &second[0] || rmd_function_find("b") == &second[1]);
}

HARNESS(functions_are_added_whole_or_not_at_all, .faults_max = 1, .fail_allocations = true)
{
    adder adders[] = { { .table = first }, { .table = second }, { .table = third } };
    crew crew = { 0 };
    for (int i = 0; i < 3; i++)
        crew_add(&crew, add, &adders[i], "adder");
    crew_add(&crew, find, NULL, "finder");
    crew_join(&crew);
    find(NULL);
    RMD_ASSERT(adders[0].result < 0 || adders[1].result < 0); /* both have "shared" */
    RMD_ASSERT(!rmd_function_find("c") == (adders[2].result < 0));
    rmdi_functions_forget();
}
