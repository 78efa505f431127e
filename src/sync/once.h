/* SPDX-License-Identifier: MIT */
/* The inside of a once: see <remuda/once.h>. rmdi_once is embedded where others need one; zeroed
 * has not been done. */
#ifndef RMDI_SYNC_ONCE_H
#define RMDI_SYNC_ONCE_H

#include "sync/self.h"
#include "sync/waiter.h"

#include <remuda/once.h>

typedef struct rmdi_once {
    rmd_atomic(uint32_t) state; /* see once.c; 0: not done */
    rmdi_wait_list waits;
    const void *runs; /* who runs the function; guarded by the list; NULL: nobody */
} rmdi_once;

/* As the public ones; with a detail, of fn's errors its own. */
int rmdi_once_call(rmdi_once *once, int (*fn)(void *arg), void *arg, rmd_deadline deadline)
    RMD_NODISCARD;
bool rmdi_once_is_done(const rmdi_once *once);

#endif
