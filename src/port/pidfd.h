/* SPDX-License-Identifier: MIT */
/* Children: noticing their end, and what became of them. */
#ifndef RMDI_PORT_PIDFD_H
#define RMDI_PORT_PIDFD_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

/* A descriptor that becomes readable when the process ends; -errno on failure. */
int rmdi_pidfd_open(pid_t pid);

/* Sends a signal to exactly that process: a reused number is not hit. 0 or errno. */
int rmdi_pidfd_signal(int pidfd, int signal);

/* How a child ended. */
typedef struct rmdi_child_end {
    int status;          /* exit status, or -1 */
    int signal;          /* signal that ended it, or 0 */
    struct rusage usage; /* with the descendants it has waited for */
} rmdi_child_end;

/* Has our child ended? It stays a zombie, so its number and its group's stay its
 * own. 0 and *ended; ECHILD when it is not ours or somebody else has reaped it. */
int rmdi_child_peek(pid_t pid, bool *ended);

/* Takes the ended child off the list; never blocks. 0; EAGAIN when it still runs;
 * ECHILD as above. */
int rmdi_child_reap(pid_t pid, rmdi_child_end *end);

/* What is new with our child. An end is told again and again, for it stays a zombie, whose numbers
 * are its own; the others once. *end is set when it has ended. */
typedef enum rmdi_child_news {
    RMDI_CHILD_RUNS,
    RMDI_CHILD_ENDED,
    RMDI_CHILD_STOPPED,
    RMDI_CHILD_CONTINUED,
} rmdi_child_news;
rmdi_child_news rmdi_child_look(pid_t pid, rmdi_child_end *end);

/* Waits for the end of our child, which was told to end or does so at once, and reaps it. Also
 * returns when somebody else has reaped it. */
void rmdi_child_bury(pid_t pid);

/* True when the system reaps our children by itself (SIGCHLD is ignored), so that
 * nobody can know how they ended. */
bool rmdi_child_ends_are_dropped(void);

#endif
