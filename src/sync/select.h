/* SPDX-License-Identifier: MIT */
/* What makes a thing something that rmd_select() can wait for: see <remuda/select.h>. Higher floors
 * bring their own. */
#ifndef RMDI_SYNC_SELECT_H
#define RMDI_SYNC_SELECT_H

#include "sync/waiter.h"

#include <remuda/select.h>

typedef struct rmdi_waitable_ops {
    /* Is it ready now? If being ready is something to have, an item of a queue, takes it. Never
     * blocks. */
    bool (*take)(const rmd_waitable *what);
    /* Puts the waiter's entry into its list, unless it is ready (false; takes nothing):
     * rmdi_wait_not_added() then. */
    bool (*add)(const rmd_waitable *what, rmdi_wait *wait, rmdi_waiter *waiter, uint32_t index);
    /* rmdi_wait_list_remove() for its list. */
    void (*remove)(const rmd_waitable *what, rmdi_wait *wait);
    /* NULL: what has fired, or was found ready by add(), is chosen. Else: takes what it then has
     * to give; wait is the entry, out of its list, if it was fired (see its gift), and NULL if
     * add() found it ready. False: another one was faster, and the select goes on. */
    bool (*claim)(const rmd_waitable *what, rmdi_wait *wait);
} rmdi_waitable_ops;

#endif
