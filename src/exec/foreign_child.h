/* SPDX-License-Identifier: MIT */
/* A foreign process: a child of ours, with a process group of its own. It belongs to one thread. */
#ifndef RMDI_EXEC_FOREIGN_CHILD_H
#define RMDI_EXEC_FOREIGN_CHILD_H

#include "exec/foreign_crew.h"
#include "exec/foreign_mark.h"
#include "exec/tail.h"
#include "port/pidfd.h"
#include "sync/descriptor.h"

#include <stdint.h>

typedef struct rmdi_foreign_child {
    pid_t pid; /* 0: not started */
    int pidfd;
    int errors; /* the pipe that its standard error goes to; -1: everybody has closed it */
    bool stuck; /* our own standard error takes no more for now */
    rmdi_tail tail;
    bool guarded;           /* it is in the guard's table; in a worker process that itself is */
    rmdi_foreign_mark mark; /* then: its number */
    const rmdi_foreign_crew *crew;
    uint32_t slot;     /* of the guard */
    bool over;         /* it has ended, and is not reaped: its numbers are its own */
    bool how_is_known; /* after its end: */
    rmdi_child_end how;
    struct rmdi_foreign_child *beside; /* the next of several that are waited for at once */
} rmdi_foreign_child;

/* Starts a program that is found in PATH. fds[i], borrowed, becomes its descriptor i; -1: the pipe
 * of its standard error. The crew outlives it. Errors as rmdi_program_start(), RMD_EMFILE,
 * RMD_ENOMEM, RMD_EAGAIN, RMD_EFULL, RMD_EGUARD. */
int rmdi_foreign_child_start(rmdi_foreign_child *child, char *const *argv, const int *fds,
                             unsigned n, const rmdi_foreign_crew *crew);

enum { RMDI_FOREIGN_CHILD_WANTS = 3 };

/* Waits for one of n streams, behind which wanted has room for what the child needs: takes what it
 * writes to standard error meanwhile, and notices its end. RMD_ECANCELED also when the worker
 * process that we are was told to end; other errors as rmdi_fds_wait(). */
int rmdi_foreign_child_wait(rmdi_foreign_child *child, rmdi_fd_wanted *wanted, unsigned n,
                            rmd_deadline due);
/* The same without waiting. */
void rmdi_foreign_child_look(rmdi_foreign_child *child, rmdi_fd_wanted *wanted, unsigned n);

/* Waits some time for its end, and takes its standard error meanwhile. */
void rmdi_foreign_child_await(rmdi_foreign_child *child, int64_t ms);

typedef enum rmdi_foreign_ending {
    RMDI_FOREIGN_DISMISS, /* it has been told, by the end of its stream: time to end by itself */
    RMDI_FOREIGN_STOP,    /* SIGTERM to its group, and two seconds */
    RMDI_FOREIGN_OVER,    /* it has ended by itself, or does not deserve time: SIGKILL */
} rmdi_foreign_ending;

/* Ends it and what is left of its group; a search for strays (rmdi_strays_kill) if that is asked
 * for. When it returns nothing of all that is there any more. Blocks as long as that takes,
 * whatever the thread's stop token says. */
void rmdi_foreign_child_end(rmdi_foreign_child *child, rmdi_foreign_ending how, bool strays);

/* The same for it and those beside it, at the same time and on one ladder, but for the last part:
 * each is still to be ended by itself, which it does not have to be waited for any more. */
void rmdi_foreign_children_dismiss(rmdi_foreign_child *first);

/* After its end: "was ended by signal 9 (Killed)", "has exited with status 1". */
void rmdi_foreign_child_explain(const rmdi_foreign_child *child, char *text, size_t size);

#endif
