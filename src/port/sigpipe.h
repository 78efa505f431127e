/* SPDX-License-Identifier: MIT */
/* Writing without a SIGPIPE, or a SIGXFSZ where a file may not grow. Both go to the thread that
 * writes: so they are blocked, and one that came is taken off again; unless one was pending before,
 * which is not ours to take. */
#ifndef RMDI_PORT_SIGPIPE_H
#define RMDI_PORT_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

typedef struct rmdi_sigpipe {
    sigset_t ours; /* those that were not pending before */
    sigset_t mask;
} rmdi_sigpipe;

void rmdi_sigpipe_hold(rmdi_sigpipe *held);
/* raised: the write between the two has failed with EPIPE or EFBIG. */
void rmdi_sigpipe_release(const rmdi_sigpipe *held, bool raised);

#endif
