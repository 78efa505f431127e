/* SPDX-License-Identifier: MIT */
/* A plug-in that does odd things while it is loaded, for the tests of `remuda call`: $ODD says
 * which, $ODD_FILE names a file. */
#include <fcntl.h>
#include <remuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int nothing(rmd_call *call)
{
    return rmd_call_return(call, rmd_null());
}

static const rmd_function functions[] = {
    { "nothing", nothing, NULL, "", NULL },
    { 0 },
};

RMD_PLUGIN(functions);

/* Not in the command, but in what its workers are made of. */
static bool is_template(void)
{
    char name[32] = "";
    FILE *file = fopen("/proc/self/comm", "r");
    if (!file || !fgets(name, sizeof name, file))
        return false;
    fclose(file);
    return strncmp(name, "remuda\n", 7) != 0;
}

static void load_another(void)
{
    int err = rmd_plugin_load(getenv("ODD_FILE"));
    fprintf(stderr, "in the constructor: %s: %s\n", rmd_error_name(err), rmd_error_detail());
}

__attribute__((constructor)) static void odd(void)
{
    const char *what = getenv("ODD");
    if (!what)
        return;
    if (strcmp(what, "load") == 0)
        load_another();
    else if (strcmp(what, "exit") == 0)
        exit(0);
    else if (strcmp(what, "change") == 0 && !is_template())
        utimensat(AT_FDCWD, getenv("ODD_FILE"), (struct timespec[2]){ { 1, 0 }, { 1, 0 } }, 0);
    else if (strcmp(what, "crash later") == 0 && is_template())
        abort();
    else if (strcmp(what, "exit later") == 0 && is_template())
        exit(0);
}
