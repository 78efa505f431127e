/* SPDX-License-Identifier: MIT */
/* The guard: a small process that outlives its owner by a moment.
 *
 * The owner may be killed at any time without a chance to clean up. The guard sleeps
 * until the lifeline (a pipe that only the owner holds) closes or the owner's pidfd
 * says that it has ended, whichever is first: a fork of the owner may hold the
 * lifeline, and an owner that executes another program keeps its pid. Then it kills
 * every group in the table.
 *
 * Is it safe to signal these groups by number? A slot is cleared before its leader is
 * reaped, so while the owner lives a listed number is taken. After the owner's death
 * init reaps the leader, and the number would have to be given out again, to a group,
 * within the milliseconds until we run: with numbers given out in a circle of at least
 * 32768 that does not happen. */
#include "exec/guard_table.h"
#include "exec/stray.h"
#include "port/pidfd.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

static bool table_is_empty(const rmdi_guard_table *table)
{
    uint32_t used = rmd_atomic_load(&table->slots_used, RMD_ACQUIRE);
    for (uint32_t i = 0; i < used; i++)
        if (rmd_atomic_load(&table->slots[i].number, RMD_ACQUIRE))
            return false;
    return true;
}

static void kill_groups(const rmdi_guard_table *table)
{
    uint32_t used = rmd_atomic_load(&table->slots_used, RMD_ACQUIRE);
    for (uint32_t i = 0; i < used; i++) {
        pid_t group = rmd_atomic_load(&table->slots[i].group, RMD_ACQUIRE);
        if (group > 1 && rmd_atomic_load(&table->slots[i].number, RMD_ACQUIRE))
            kill(-group, SIGKILL);
    }
}

static void wait_for_the_end(const rmdi_guard_table *table)
{
    struct pollfd ends[2] = { { .fd = RMDI_GUARD_LIFELINE, .events = POLLIN },
                              { .fd = rmdi_pidfd_open(table->owner), .events = POLLIN } };
    if (getppid() != table->owner) /* it ended before we could ask for its pidfd */
        return;
    while (poll(ends, ends[1].fd < 0 ? 1 : 2, -1) <= 0)
        ;
}

_Noreturn void rmdi_guard_process(void)
{
    /* Signals for the owner's session do not reach us (we lead one of our own), but a
     * `killall` might: whatever can be blocked is. */
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    const rmdi_guard_table *table = mmap(NULL, sizeof *table, PROT_READ, MAP_SHARED,
                                         RMDI_GUARD_MEMORY, 0);
    if (table == MAP_FAILED || chdir("/") < 0)
        _exit(1);
    wait_for_the_end(table);
    if (getppid() == table->owner && table_is_empty(table))
        _exit(0); /* an orderly end */
    kill_groups(table);
    rmdi_strays_kill_all(table->instance);
    _exit(0);
}
