/* SPDX-License-Identifier: MIT */
/* Noticing that we are a fork of the process that made an object, without a system
 * call: a page that the kernel wipes in the child. */
#ifndef RMDI_PORT_FORKED_H
#define RMDI_PORT_FORKED_H

#include <stdbool.h>
#include <stdint.h>

/* A number for this process, the same at each call, another one in a child made by
 * fork(). 0 only when there is no memory for the page. Any thread. */
uint64_t rmdi_process_mark(void);

extern uint64_t *rmdi_process_page; /* that page; NULL: nobody has asked yet */

/* Is this still the process that had this mark? Two loads: no lock that a thread of
 * the parent could have held at the moment of the fork. */
static inline bool rmdi_process_is(uint64_t mark)
{
    uint64_t *page = __atomic_load_n(&rmdi_process_page, __ATOMIC_ACQUIRE);
    return page && __atomic_load_n(page, __ATOMIC_RELAXED) == mark;
}

#endif
