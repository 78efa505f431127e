/* SPDX-License-Identifier: MIT */
/* When a body crashes or ends the process: says which schedule it was, before what happens then
 * happens. */
#ifndef RMDI_EXPLORE_CRASH_H
#define RMDI_EXPLORE_CRASH_H

#include "explore/choice.h"

/* While explored code runs; signal handlers that were there are put back. Texts are borrowed. */
void rmdi_crash_open(const char *name, const char *command);
void rmdi_crash_close(void);

/* The schedule that begins; borrowed until the next. */
void rmdi_crash_in(const rmdi_plan *plan, uint64_t number);

#endif
