/* SPDX-License-Identifier: MIT */
/* A pool's eye on the guard: nothing is started without a guard that is there and watched. On the
 * thread of the pool's loop. */
#ifndef RMDI_EXEC_GUARD_WATCH_H
#define RMDI_EXEC_GUARD_WATCH_H

#include <remuda/loop.h>

typedef struct rmdi_guard_watch {
    rmd_loop *loop;     /* borrowed */
    rmd_source *source; /* NULL: it is not watched */
    pid_t pid;          /* that is watched, or was; 0: it is not known */
} rmdi_guard_watch;

/* Watches the guard, which is held. RMD_ENOMEM, RMD_EMFILE. */
int rmdi_guard_watch_open(rmdi_guard_watch *watch, rmd_loop *loop);
/* Before something is started: if the guard has ended, another one is there afterwards. Errors:
 * those of rmdi_guard_revive(). */
int rmdi_guard_watch_ensure(rmdi_guard_watch *watch);
void rmdi_guard_watch_close(rmdi_guard_watch *watch);

#endif
