/* SPDX-License-Identifier: MIT */
#include "exec/program.h"

#include "base/alloc.h"
#include "base/error.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Of a failed start we know only the errno value: find out whether the directory was meant. */
static int explain(const char *dir, const char *path, int err)
{
    char there[2 * PATH_MAX];
    struct stat st;
    if (dir && (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode)))
        return rmdi_fail_errno(stat(dir, &st) < 0 ? errno : ENOTDIR, "directory \"%s\"", dir);
    bool relative = dir && *path != '/';
    snprintf(there, sizeof there, "%s%s%s", relative ? dir : "", relative ? "/" : "", path);
    if (err == ENOENT && stat(there, &st) == 0)
        return rmdi_fail(RMD_EEXEC, "program \"%s\": its interpreter is missing", path);
    return rmdi_fail_errno(err, "program \"%s\"", path);
}

/* A text file without "#!" is run by the shell, as a shell itself would do it. */
static int start_as_script(const rmdi_spawn *spawn, rmdi_spawned *child)
{
    size_t n = 0;
    while (spawn->argv[n])
        n++;
    char **argv = rmdi_alloc((n + 2) * sizeof *argv), shell[] = "/bin/sh";
    if (!argv)
        return ENOMEM;
    char *file = rmdi_strdup(spawn->path);
    argv[0] = shell;
    argv[1] = file;
    memcpy(argv + 2, spawn->argv + 1, n * sizeof *argv);
    rmdi_spawn script = *spawn;
    script.path = shell;
    script.argv = argv;
    int err = file ? rmdi_spawn_program(&script, child) : ENOMEM;
    rmdi_free(file);
    rmdi_free(argv);
    return err;
}

int rmdi_program_start(const rmdi_spawn *spawn, rmdi_spawned *child)
{
    int err = rmdi_spawn_program(spawn, child);
    if (err == ENOEXEC)
        err = start_as_script(spawn, child);
    return err ? explain(spawn->dir, spawn->path, err) : 0;
}
