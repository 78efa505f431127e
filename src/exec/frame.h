/* SPDX-License-Identifier: MIT */
/* A task that runs on a thread: it lies on that thread's stack. One task may run on top of another,
 * which waits for it. */
#ifndef RMDI_EXEC_FRAME_H
#define RMDI_EXEC_FRAME_H

#include "sync/self.h"
#include "sync/stop.h"

#include <remuda/future.h>
#include <remuda/task.h>

typedef struct rmdi_frame {
    struct rmdi_frame *outer; /* the one beneath; NULL: none */
    rmd_future *future;       /* the task's, which is held */
    rmd_pool *pool;           /* whose task it is */
    rmd_stop stop;            /* the task's own token */
    unsigned attempt;
    struct rmdi_buffer *added; /* what it adds goes there (added.h); NULL: it may add nothing */
} rmdi_frame;

/* Of the calling thread; NULL: no task runs here. */
static inline rmdi_frame *rmdi_frame_now(void)
{
    return rmdi_self_now()->frame;
}

#endif
