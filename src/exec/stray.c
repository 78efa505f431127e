/* SPDX-License-Identifier: MIT */
#include "exec/stray.h"

#include "exec/attempt_id.h"
#include "port/clock.h"
#include "port/fd.h"
#include "port/pidfd.h"
#include "port/procfs.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

enum {
    LOOK_DESCRIPTORS = 3, /* /proc, a file in it, a process */
    NEWER_ROUNDS = 1000,
    NEWER_MAX = 10000,
    ALL_NS = 1000 * 1000 * 1000,
    PAUSE_MS = 10,
};

typedef struct round {
    rmdi_stray_search *search;
    unsigned killed;
} round_state;

static bool in_group(const rmdi_stray_search *search, pid_t pid)
{
    bool zombie;
    return search->group && rmdi_procfs_group(pid, &zombie) == search->group && !zombie;
}

static bool carries_id(rmdi_stray_search *search, pid_t pid)
{
    char path[RMDI_ATTEMPT_ID_MAX];
    uint64_t number;
    int found = rmdi_procfs_environment(pid, RMDI_ATTEMPT_ID_NAME, path, sizeof path);
    search->incomplete |= found < 0;
    if (found != 1 || !rmdi_attempt_id_find(path, search->instance, &number))
        return false;
    if (search->number)
        return number == search->number;
    return !search->alive || !search->alive(number);
}

static bool is_stray(rmdi_stray_search *search, pid_t pid)
{
    return in_group(search, pid) || carries_id(search, pid);
}

static bool look_at(void *ctx, pid_t pid)
{
    round_state *round = ctx;
    if (pid == getpid() || !is_stray(round->search, pid))
        return true;
    int pidfd = rmdi_pidfd_open(pid);
    if (pidfd < 0) { /* gone, or only a thread; unless there was nothing to look with */
        round->search->incomplete |= pidfd == -EMFILE || pidfd == -ENFILE || pidfd == -ENOMEM;
        return true;
    }
    /* Look again now that the descriptor names one process for good: between the first
     * look and the open the number could have passed to another one. */
    if (is_stray(round->search, pid) && rmdi_pidfd_signal(pidfd, SIGKILL) == 0) {
        round->killed++;
        if (round->search->found)
            round->search->found(round->search->ctx, pid);
    }
    rmdi_fd_close(&pidfd);
    return true;
}

/* A look needs that many descriptors at once; without them nobody would be found. */
static bool can_look(void)
{
    int copies[LOOK_DESCRIPTORS];
    bool all = true;
    for (int i = 0; i < LOOK_DESCRIPTORS; i++) {
        copies[i] = rmdi_pidfd_open(getpid());
        all &= copies[i] >= 0;
    }
    for (int i = 0; i < LOOK_DESCRIPTORS; i++)
        if (copies[i] >= 0)
            rmdi_fd_close(&copies[i]);
    return all;
}

/* Those that were started during the walk are not in its list: one that forks and ends,
 * again and again, could slip through. So their numbers are looked at, one by one, until no
 * more have been given out. */
static void look_at_newer(round_state *round, pid_t before)
{
    for (int i = 0; i < NEWER_ROUNDS; i++) {
        pid_t newest = rmdi_procfs_newest();
        if (newest == before || !newest)
            return;
        if (newest < before || newest - before > NEWER_MAX) { /* they began anew, or jumped */
            before = newest;
            if (rmdi_procfs_each(look_at, round))
                break;
            continue;
        }
        for (pid_t pid = before + 1; pid <= newest; pid++)
            look_at(round, pid);
        before = newest;
    }
    round->search->incomplete = true;
}

unsigned rmdi_strays_kill(rmdi_stray_search *search)
{
    round_state round = { .search = search };
    pid_t before = rmdi_procfs_newest();
    search->incomplete = !can_look();
    if (search->incomplete)
        return 0;
    if (rmdi_procfs_each(look_at, &round))
        search->incomplete = true;
    if (before)
        look_at_newer(&round, before);
    return round.killed;
}

/* They may still be forking, and a program that the owner was about to start may not have its
 * environment yet. */
void rmdi_strays_kill_all(const char *instance)
{
    rmdi_stray_search search = { .instance = instance };
    int64_t end = rmdi_clock_monotonic_ns() + ALL_NS;
    for (int quiet = 0; quiet < 2 && rmdi_clock_monotonic_ns() < end;) {
        quiet = rmdi_strays_kill(&search) ? 0 : quiet + 1;
        poll(NULL, 0, PAUSE_MS); /* they are not our children: nothing would wake us */
    }
}
