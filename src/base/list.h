/* SPDX-License-Identifier: MIT */
/* A doubly linked list whose links lie inside the elements: no memory of its own, and
 * an element leaves in constant time. The head is a link like the others. */
#ifndef RMDI_BASE_LIST_H
#define RMDI_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rmdi_link {
    struct rmdi_link *next, *prev;
} rmdi_link;

/* The structure around a link. */
#define RMDI_CONTAINER(link, type, member) ((type *)((uintptr_t)(link)-offsetof(type, member)))

static inline void rmdi_list_init(rmdi_link *head)
{
    head->next = head->prev = head;
}

static inline bool rmdi_list_empty(const rmdi_link *head)
{
    return head->next == head;
}

static inline void rmdi_list_append(rmdi_link *head, rmdi_link *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

static inline void rmdi_list_prepend(rmdi_link *head, rmdi_link *link)
{
    rmdi_list_append(head->next, link);
}

/* Takes it out and leaves it as a list of its own, so that it may be removed twice. */
static inline void rmdi_list_remove(rmdi_link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    rmdi_list_init(link);
}

/* The first link, taken out; NULL when there is none. */
static inline rmdi_link *rmdi_list_take_first(rmdi_link *head)
{
    rmdi_link *first = head->next;
    if (first == head)
        return NULL;
    rmdi_list_remove(first);
    return first;
}

/* Moves everything from one list to the end of another. */
static inline void rmdi_list_move_all(rmdi_link *from, rmdi_link *to)
{
    for (rmdi_link *link; (link = rmdi_list_take_first(from));)
        rmdi_list_append(to, link);
}

#endif
