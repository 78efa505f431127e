/* SPDX-License-Identifier: MIT */
/* The parts of waiting for a future. */
#ifndef RMDI_EXEC_FUTURE_WAIT_H
#define RMDI_EXEC_FUTURE_WAIT_H

#include "exec/future.h"

#include <remuda/deadline.h>

/* Runs it on the calling thread if it has not begun and that is allowed. any: it is one of several,
 * any of which would do. True: it has ended. */
bool rmdi_future_help(rmd_future *future, rmd_deadline deadline, bool any);
/* Might it be? False stays so. Takes no lock. */
bool rmdi_future_may_help(const rmd_future *future);

/* Sleeps until it has ended: as rmd_future_wait(). */
int rmdi_future_wait_parked(rmd_future *future, rmd_deadline deadline);

/* Puts the waiter's entry into its list, unless it has ended (false). */
bool rmdi_future_add_wait(rmd_future *future, rmdi_wait *wait, rmdi_waiter *waiter, uint32_t index);

#endif
