/* SPDX-License-Identifier: MIT */
/* What a thread, or a coroutine, is to the sync floor: how it sleeps, what stops it, what it is.
 * A thread that is not ours has none, and is given the defaults. */
#ifndef RMDI_SYNC_SELF_H
#define RMDI_SYNC_SELF_H

#include <remuda/stop.h>
#include <remuda/thread.h>

struct rmdi_sleeper;

typedef struct rmdi_self {
    struct rmdi_sleeper *sleeper; /* borrowed; NULL: the thread parks */
    rmd_stop *stop;               /* borrowed; NULL: nothing stops it */
    rmd_thread *thread;           /* borrowed; NULL: not one of rmd_thread_start() */
} rmdi_self;

/* Makes *self, which is borrowed, that of the calling thread. Returns what was there, to be given
 * back: it may be no pointer to an rmdi_self. For the start of a thread and the switch between
 * coroutines. */
void *rmdi_self_swap(void *self);

/* Of the calling thread; NULL as above. */
struct rmdi_sleeper *rmdi_self_sleeper(void);
rmd_stop *rmdi_self_stop(void);
rmd_thread *rmdi_self_thread(void);

#endif
