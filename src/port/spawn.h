/* SPDX-License-Identifier: MIT */
/* Starting a program. The child borrows our memory for the moment until exec instead of
 * copying its page tables, so that the cost does not grow with the size of the process
 * that calls it. */
#ifndef RMDI_PORT_SPAWN_H
#define RMDI_PORT_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { RMDI_SPAWN_FDS_MAX = 64 };

typedef struct rmdi_spawn {
    const char *path;  /* the executable itself: no search */
    char *const *argv; /* NULL-terminated */
    char *const *envp; /* NULL-terminated */
    const char *dir;   /* working directory, NULL: ours */
    const int *fds;    /* fds[i] becomes descriptor i (-1: is closed there); every
                        * other one is closed */
    size_t fds_len;    /* at least 3, at most RMDI_SPAWN_FDS_MAX */
    bool new_session;  /* a session of its own; else a process group of its own */
} rmdi_spawn;

typedef struct rmdi_spawned {
    pid_t pid;
    int pidfd; /* readable when it has ended; the caller closes it */
} rmdi_spawned;

/* Starts it with an empty signal mask and with SIGPIPE and SIGXFSZ at their
 * defaults (other ignored signals stay ignored: nohup). Returns when the program
 * was executed: 0 and *child, or the errno value of what failed (also of exec); then
 * nothing of it has run. The caller's thread stands still meanwhile. */
int rmdi_spawn_program(const rmdi_spawn *spawn, rmdi_spawned *child);

/* fork(): for a process with one thread, because the copy has only the one that calls. */
pid_t rmdi_spawn_copy(void);

#endif
