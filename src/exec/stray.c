/* SPDX-License-Identifier: MIT */
#include "exec/stray.h"

#include "exec/attempt_id.h"
#include "port/fd.h"
#include "port/pidfd.h"
#include "port/procfs.h"

#include <signal.h>
#include <unistd.h>

typedef struct round {
    const rmdi_stray_search *search;
    unsigned killed;
} round_state;

static bool in_group(const rmdi_stray_search *search, pid_t pid)
{
    bool zombie;
    return search->group && rmdi_procfs_group(pid, &zombie) == search->group && !zombie;
}

static bool carries_id(const rmdi_stray_search *search, pid_t pid)
{
    char path[RMDI_ATTEMPT_ID_MAX];
    uint64_t number;
    if (!rmdi_procfs_environment(pid, RMDI_ATTEMPT_ID_NAME, path, sizeof path) ||
        !rmdi_attempt_id_find(path, search->instance, &number))
        return false;
    if (search->number)
        return number == search->number;
    return !search->alive || !search->alive(number);
}

static bool is_stray(const rmdi_stray_search *search, pid_t pid)
{
    return in_group(search, pid) || carries_id(search, pid);
}

static bool look_at(void *ctx, pid_t pid)
{
    round_state *round = ctx;
    if (pid == getpid() || !is_stray(round->search, pid))
        return true;
    int pidfd = rmdi_pidfd_open(pid);
    if (pidfd < 0)
        return true;
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

unsigned rmdi_strays_kill(const rmdi_stray_search *search)
{
    round_state round = { .search = search };
    rmdi_procfs_each(look_at, &round);
    return round.killed;
}
