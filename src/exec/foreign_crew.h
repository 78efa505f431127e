/* SPDX-License-Identifier: MIT */
/* The foreign processes of one thread. A worker of a pool keeps its own until it ends; another
 * thread has some for the time of a call. */
#ifndef RMDI_EXEC_FOREIGN_CREW_H
#define RMDI_EXEC_FOREIGN_CREW_H

#include "base/list.h"

#include <signal.h>
#include <stdint.h>

typedef struct rmdi_foreign_crew {
    uint64_t process;        /* rmdi_process_mark() of whom it belongs to */
    bool kept;               /* beyond the call */
    bool guarded;            /* it holds the guard; in a worker process nobody does */
    int64_t search_after_ns; /* when programs that ended by themselves are next searched after */
    bool to_search;          /* some have, since the last time */
    rmdi_link members;       /* rmdi_foreign_member */
    /* SIGTERM to a worker process, by which a cancel or a limit ends what runs there, would end it
     * at once, and by that its foreign process without a word. So it waits during a call: */
    bool holds_term;
    int term; /* readable when it has come; below 0: not open */
    sigset_t mask;
} rmdi_foreign_crew;

/* A process that stays. */
typedef struct rmdi_foreign_member {
    rmdi_link link;
    const void *foreign; /* whose worker it is */
    struct rmdi_foreign_child *child;
    /* Tells it to end, and returns at once; ends it, and frees its memory; frees its memory, as it
     * is another process's. */
    void (*dismiss)(struct rmdi_foreign_member *member);
    void (*end)(struct rmdi_foreign_member *member);
    void (*forget)(struct rmdi_foreign_member *member);
} rmdi_foreign_member;

/* The calling thread's crew: its own, or *brief, which is initialised, for a call. RMD_EGUARD,
 * RMD_EMFILE, RMD_ENOMEM, RMD_EAGAIN. */
int rmdi_foreign_crew_enter(rmdi_foreign_crew **crew, rmdi_foreign_crew *brief);
/* The call is over: a brief one ends its members. If SIGTERM waits, the process ends here, after
 * all its members. */
void rmdi_foreign_crew_leave(rmdi_foreign_crew *crew);

void rmdi_foreign_crew_add(rmdi_foreign_crew *crew, rmdi_foreign_member *member);
/* NULL: there is none. */
rmdi_foreign_member *rmdi_foreign_crew_find(const rmdi_foreign_crew *crew, const void *foreign);
void rmdi_foreign_crew_remove(rmdi_foreign_member *member);

/* A program has ended by itself, and may have left strays: they are searched for now and then,
 * which takes a hundredth of the time at most, and when the crew ends. */
void rmdi_foreign_crew_note_end(rmdi_foreign_crew *crew);

#endif
