/* SPDX-License-Identifier: MIT */
/* remuda-guard: the guard as a program of its own, for owners that cannot call
 * rmd_start(). It is started by the library only. */
#include "exec/guard_table.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], RMDI_GUARD_NAME) == 0)
        rmdi_guard_process();
    fputs("remuda-guard is started by libremuda; it does nothing by itself\n", stderr);
    return 1;
}
