/* SPDX-License-Identifier: MIT */
/* What the suite is told on its command line; the test kit does the rest. */
#include "suite.h"

#include <stdlib.h>
#include <unistd.h>

static const char help[] =
    "usage: %s --pool KIND [--list | --no-fork NAME | NAME...]\n"
    "\n"
    "What every pool must do, tried on one. KIND is as for rmd_pool_open(): threads:2,\n"
    "programs:2. Known kinds: %s.\n"
    "\n"
    "  NAME...         only the cases whose names contain one of these words\n"
    "  --list          prints the names of the cases\n"
    "  --no-fork NAME  runs a case in this process and without a time limit, for a debugger\n"
    "\n"
    "Each case runs in a process of its own. Only cases that need what this kind of pool cannot\n"
    "do are skipped, and say so. The last line is \"N passed, N failed, N skipped\". Exit status: "
    "0\n"
    "when none has failed, 1 when one has, 2 for wrong use, 77 when all were skipped.\n"
    "\n"
    "tests/pools/*.list name the cases that must pass on each kind; see tests/pools/listed_test.\n";

static int explain(FILE *file, const char *program, int status)
{
    fprintf(file, help, program, kind_names());
    return status;
}

static bool asks_for_help(char **argv)
{
    for (; *argv; argv++)
        if (strcmp(*argv, "--help") == 0)
            return true;
    return false;
}

/* Takes --pool KIND or --pool=KIND out of the arguments; NULL: it is not there. */
static const char *take_pool(int *argc, char **argv)
{
    const char *pool = NULL;
    int left = 1;
    for (int i = 1; i < *argc; i++)
        if (strcmp(argv[i], "--pool") == 0 && i + 1 < *argc)
            pool = argv[++i];
        else if (strncmp(argv[i], "--pool=", 7) == 0)
            pool = argv[i] + 7;
        else
            argv[left++] = argv[i];
    argv[left] = NULL;
    *argc = left;
    return pool;
}

int main(int argc, char **argv)
{
    static char name[4096];
    add_works();
    rmd_start(&argc, &argv); /* of a pool of processes this is where the workers go */
    if (argc > 1 && strcmp(argv[1], "--work") == 0)
        return run_work(argv + 2);
    if (asks_for_help(argv))
        return explain(stdout, argv[0], 0);
    const char *pool = take_pool(&argc, argv);
    bool list = argc == 2 && strcmp(argv[1], "--list") == 0;
    if (!pool && !list)
        return explain(stderr, argv[0], 2);
    if (pool && !choose_kind(pool)) {
        fprintf(stderr, "%s: unknown kind of pool \"%s\"; known: %s\n", argv[0], pool,
                kind_names());
        return 2;
    }
    snprintf(name, sizeof name, "%s --pool %s", argv[0], pool ? pool : "");
    argv[0] = name; /* as failures show how to run one again */
    return kit_main(argc, argv);
}
