/* SPDX-License-Identifier: MIT */
/* Strays: processes that an attempt has left behind, in its group or outside it. They
 * are found by looking at all processes; one that has left the group and cleared its
 * environment is not found. */
#ifndef RMDI_EXEC_STRAY_H
#define RMDI_EXEC_STRAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct rmdi_stray_search {
    const char *instance;           /* whose attempts */
    uint64_t number;                /* which attempt; 0: every one that is not alive */
    pid_t group;                    /* and the members of this process group; 0: none */
    bool (*alive)(uint64_t number); /* for number 0; NULL: none is alive */
    /* Set when not all could be looked at: no descriptor was left, or a process was being
     * executed for so long that it was not waited for. */
    bool incomplete;
    /* Called for each one, which has just been sent SIGKILL; NULL: no call. */
    void (*found)(void *ctx, pid_t pid);
    void *ctx;
} rmdi_stray_search;

/* Kills what it finds, by pidfd, so that a reused number is not hit; zombies and what we
 * may not signal are passed over. How many were killed. Takes about 10 µs per process
 * of the machine; does not wait for their end. */
unsigned rmdi_strays_kill(rmdi_stray_search *search);

/* For a helper process whose owner has gone: kills all of that instance, round after round until
 * two in a row find nobody. Takes a second at most. */
void rmdi_strays_kill_all(const char *instance);

#endif
