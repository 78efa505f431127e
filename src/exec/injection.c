/* SPDX-License-Identifier: MIT */
#include "exec/injection.h"

#include <stddef.h>

void rmdi_injection_init(rmdi_injection *injection)
{
    *injection = (rmdi_injection){ 0 };
    for (unsigned i = 0; i < RMDI_PRIORITIES; i++)
        rmdi_list_init(&injection->lists[i]);
}

/* Relaxed: the lock orders it for those who enter, and to the others it is a hint; who must not
 * miss it passes a fence (idle.c). */
static void set_len(rmdi_injection *injection, unsigned priority, uint32_t len)
{
    rmd_atomic_store(priority == RMDI_PRIORITY_NORMAL ? &injection->normal
                     : priority == RMDI_PRIORITY_HIGH ? &injection->high
                                                      : &injection->low,
                     len, RMD_RELAXED);
}

void rmdi_injection_add(rmdi_injection *injection, rmdi_link *link, unsigned priority)
{
    RMD_PLAIN_WRITES(&injection->lists[priority], sizeof *injection->lists);
    rmdi_list_append(&injection->lists[priority], link);
    set_len(injection, priority, rmdi_injection_len(injection, priority) + 1);
}

rmdi_link *rmdi_injection_take(rmdi_injection *injection, unsigned priority)
{
    RMD_PLAIN_WRITES(&injection->lists[priority], sizeof *injection->lists);
    rmdi_link *link = rmdi_list_take_first(&injection->lists[priority]);
    if (link)
        set_len(injection, priority, rmdi_injection_len(injection, priority) - 1);
    return link;
}

void rmdi_injection_remove(rmdi_injection *injection, rmdi_link *link, unsigned priority)
{
    RMD_PLAIN_WRITES(&injection->lists[priority], sizeof *injection->lists);
    rmdi_list_remove(link);
    set_len(injection, priority, rmdi_injection_len(injection, priority) - 1);
}
