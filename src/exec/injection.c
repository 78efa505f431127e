/* SPDX-License-Identifier: MIT */
#include "exec/injection.h"

#include "base/alloc.h"
#include "base/error.h"

int rmdi_injection_open(rmdi_injection *injection, uint32_t about)
{
    uint64_t cells = 1;
    while (cells < about && cells < RMDI_RING_MAX)
        cells *= 2;
    *injection = (rmdi_injection){ .mask = cells - 1 };
    for (unsigned i = 0; i < RMDI_PRIORITIES; i++)
        rmdi_list_init(&injection->lists[i]);
    injection->ring = rmdi_alloc_zeroed(cells * sizeof(rmdi_link *));
    return injection->ring ? 0 : rmdi_fail_memory();
}

void rmdi_injection_free(rmdi_injection *injection)
{
    rmdi_free(injection->ring);
}

/* ---- with the brief lock held ---- */

/* Relaxed: the lock orders it for those who enter, and to the others it is a hint; who must not
 * miss it passes a fence (idle.c). */
static void set_len(rmdi_injection *injection, unsigned priority, uint32_t len)
{
    rmd_atomic_store(priority == RMDI_PRIORITY_NORMAL ? &injection->normal
                     : priority == RMDI_PRIORITY_HIGH ? &injection->high
                                                      : &injection->low,
                     len, RMD_RELAXED);
}

static rmdi_link **cell(const rmdi_injection *injection, uint64_t place)
{
    return &injection->ring[place & injection->mask];
}

/* May it go into the ring? Not past those in the list, which came earlier. */
static bool has_room(const rmdi_injection *injection)
{
    return RMD_PLAIN(injection->tail) - injection->head <= injection->mask &&
           rmdi_list_empty(&injection->lists[RMDI_PRIORITY_NORMAL]);
}

static void put_into_ring(rmdi_injection *injection, rmdi_link *link)
{
    link->next = NULL;
    link->prev = (rmdi_link *)(uintptr_t)injection->tail;
    RMD_PLAIN_SET(*cell(injection, injection->tail), link);
    RMD_PLAIN_SET(injection->tail, injection->tail + 1);
}

void rmdi_injection_add(rmdi_injection *injection, rmdi_link *link, unsigned priority)
{
    RMD_PLAIN_WRITES(&injection->lists[priority], sizeof *injection->lists);
    if (priority == RMDI_PRIORITY_NORMAL && has_room(injection))
        put_into_ring(injection, link);
    else
        rmdi_list_append(&injection->lists[priority], link);
    set_len(injection, priority, rmdi_injection_len(injection, priority) + 1);
}

/* Nothing of the task is touched. NULL: there is none in it. */
static rmdi_link *take_from_ring(rmdi_injection *injection)
{
    rmdi_link *link = NULL;
    while (!link && injection->head != injection->tail) {
        rmdi_link **at = cell(injection, injection->head);
        link = RMD_PLAIN(*at);
        RMD_PLAIN_SET(*at, NULL);
        RMD_PLAIN_SET(injection->head, injection->head + 1);
    }
    return link;
}

static rmdi_link *take_from_list(rmdi_link *list)
{
    rmdi_link *link = rmdi_list_take_first(list);
    if (link)
        link->prev = NULL; /* says that it has been taken */
    return link;
}

unsigned rmdi_injection_take(rmdi_injection *injection, unsigned priority, rmdi_link **links,
                             unsigned n)
{
    unsigned taken = 0;
    rmdi_link *link;
    RMD_PLAIN_WRITES(&injection->lists[priority], sizeof *injection->lists);
    while (priority == RMDI_PRIORITY_NORMAL && taken < n && (link = take_from_ring(injection)))
        links[taken++] = link;
    while (taken < n && (link = take_from_list(&injection->lists[priority])))
        links[taken++] = link;
    set_len(injection, priority, rmdi_injection_len(injection, priority) - taken);
    return taken;
}

bool rmdi_injection_remove(rmdi_injection *injection, rmdi_link *link, unsigned priority)
{
    RMD_PLAIN_WRITES(&injection->lists[priority], sizeof *injection->lists);
    if (!link->next) {
        rmdi_link **at = cell(injection, (uintptr_t)link->prev);
        if (RMD_PLAIN(*at) != link)
            return false;
        RMD_PLAIN_SET(*at, NULL);
    } else {
        if (!link->prev)
            return false;
        rmdi_list_remove(link);
        link->prev = NULL;
    }
    set_len(injection, priority, rmdi_injection_len(injection, priority) - 1);
    return true;
}

rmdi_link *rmdi_injection_find(const rmdi_injection *injection, unsigned priority,
                               bool (*wanted)(const rmdi_link *link, const void *ctx),
                               const void *ctx)
{
    uint64_t at = priority == RMDI_PRIORITY_NORMAL ? injection->head : injection->tail;
    for (; at != injection->tail; at++) {
        rmdi_link *link = RMD_PLAIN(*cell(injection, at));
        if (link && wanted(link, ctx))
            return link;
    }
    const rmdi_link *list = &injection->lists[priority];
    for (rmdi_link *l = list->next; l != list; l = l->next)
        if (wanted(l, ctx))
            return l;
    return NULL;
}
