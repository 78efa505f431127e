/* SPDX-License-Identifier: MIT */
#include "exec/injection.h"

#include <stddef.h>

void rmdi_injection_init(rmdi_injection *injection)
{
    *injection = (rmdi_injection){ 0 };
    for (unsigned i = 0; i < RMDI_PRIORITIES; i++)
        rmdi_list_init(&injection->lists[i]);
}

uint32_t rmdi_injection_len(const rmdi_injection *injection, unsigned priority)
{
    return rmd_atomic_load(&injection->lens[priority], RMD_RELAXED);
}

uint32_t rmdi_injection_all(const rmdi_injection *injection)
{
    uint32_t all = 0;
    for (unsigned i = 0; i < RMDI_PRIORITIES; i++)
        all += rmdi_injection_len(injection, i);
    return all;
}

/* Relaxed: the lock orders it for those who enter, and to the others it is a hint; who must not
 * miss it passes a fence (idle.c). */
static void set_len(rmdi_injection *injection, unsigned priority, uint32_t len)
{
    rmd_atomic_store(&injection->lens[priority], len, RMD_RELAXED);
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
