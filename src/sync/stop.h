/* SPDX-License-Identifier: MIT */
/* The inside of a stop token: see <remuda/stop.h>. Zeroed is one that has not fired. */
#ifndef RMDI_SYNC_STOP_H
#define RMDI_SYNC_STOP_H

#include "sync/waiter.h"

struct rmd_stop {
    rmdi_wait_list waits;
    rmd_atomic(uint32_t) requested; /* written with the list entered */
};

/* Puts the waiter's entry into the token's list, unless the token has fired (false). Either way:
 * rmdi_wait_list_remove() afterwards. */
bool rmdi_stop_add(rmd_stop *stop, rmdi_wait *wait, rmdi_waiter *waiter, uint32_t index);

/* Is it waited on? For whoever is about to free the memory around it: nobody who has fired it uses
 * it afterwards. */
bool rmdi_stop_busy(rmd_stop *stop);

#endif
