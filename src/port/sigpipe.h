/* SPDX-License-Identifier: MIT */
/* Writing without a SIGPIPE. It goes to the thread that writes: so it is blocked, and one that came
 * is taken off again; unless one was pending before, which is not ours to take. */
#ifndef RMDI_PORT_SIGPIPE_H
#define RMDI_PORT_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

typedef struct rmdi_sigpipe {
    bool pending; /* one was there before: nothing is done */
    sigset_t mask;
} rmdi_sigpipe;

void rmdi_sigpipe_hold(rmdi_sigpipe *held);
/* raised: the write between the two has failed with EPIPE. */
void rmdi_sigpipe_release(const rmdi_sigpipe *held, bool raised);

#endif
