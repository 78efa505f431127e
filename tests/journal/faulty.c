/* SPDX-License-Identifier: MIT */
/* The command, with faults: KILL_AT=NAME:N kills it with SIGKILL when it passes the named point
 * (base/point.h) for the N-th time; POINTS_LOG=FILE gets a line for each point passed; FAULT and
 * FAULT_LOG are those of fault_vfs.c. The command's own main is compiled under another name. */
#undef main

#include "base/point.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int remuda_main(int argc, char **argv);
void fault_vfs_register(void);
void fault_vfs_closing(void);

static char kill_name[64];
static atomic_long kill_left;
static int points_log = -1;

static void on_point(const char *name)
{
    char line[80];
    int n = snprintf(line, sizeof line, "%s\n", name);
    if (points_log >= 0 && write(points_log, line, (size_t)n) != n)
        abort();
    if (strcmp(name, "journal-end") == 0)
        fault_vfs_closing();
    if (strcmp(name, kill_name) == 0 && atomic_fetch_sub(&kill_left, 1) == 1)
        kill(getpid(), SIGKILL);
}

int main(int argc, char **argv)
{
    const char *kill_at = getenv("KILL_AT"), *log = getenv("POINTS_LOG");
    long n;
    if (kill_at && sscanf(kill_at, "%63[^:]:%ld", kill_name, &n) == 2)
        atomic_store(&kill_left, n);
    if (log)
        points_log = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    rmdi_point_hook = on_point;
    fault_vfs_register();
    return remuda_main(argc, argv);
}
