/* SPDX-License-Identifier: MIT */
/* Ending what a process has left behind: everything that carries its mark or is in its group is
 * killed and waited for, until nothing is left. On a loop's thread. */
#ifndef RMDI_EXEC_CLEARING_H
#define RMDI_EXEC_CLEARING_H

#include <remuda/loop.h>
#include <stdint.h>

typedef struct rmdi_clearing {
    rmd_loop *loop;
    uint64_t number; /* of the mark: see stray.h */
    pid_t leader;    /* has ended, and is not waited for */
    /* Its group, as long as that number is its own; else 0. */
    pid_t (*group)(void *ctx);
    void (*done)(void *ctx); /* nothing is left; *clearing is not used any more */
    void *ctx;
    /* its own; zeroed: */
    rmd_source *timer;
    unsigned rounds; /* of looking that could not see everything */
    unsigned strays; /* that were killed and whose end is awaited */
    struct rmdi_stray_watch *watches;
} rmdi_clearing;

/* *clearing is borrowed until done() is called: at once, or later from the loop. */
void rmdi_clearing_begin(rmdi_clearing *clearing);

#endif
