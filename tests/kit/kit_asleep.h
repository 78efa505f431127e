/* SPDX-License-Identifier: MIT */
/* Waiting until another thread sleeps in the kernel: so that a test of a wake-up wakes somebody. */
#ifndef KIT_ASLEEP_H
#define KIT_ASLEEP_H

#include "kit.h"

#include <sched.h>

/* Returns when the thread of that number (gettid()), of any process, sleeps. Ends the case when it
 * is gone. What it sleeps in is for the caller to know. */
static inline void await_sleep(pid_t thread)
{
    char path[64], state[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)thread);
    for (;;) {
        FILE *file = fopen(path, "re");
        REQUIRE(file != NULL);
        char *line = fgets(state, sizeof state, file);
        fclose(file);
        REQUIRE(line != NULL);
        const char *after = strrchr(state, ')');
        if (after && strncmp(after, ") S", 3) == 0)
            return;
        sched_yield();
    }
}

#endif
