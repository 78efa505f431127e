/* SPDX-License-Identifier: MIT */
/* Data races: two accesses to the same bytes by two threads, at least one of them a write, at least
 * one of them plain, and nothing orders them. After FastTrack (Flanagan & Freund, PLDI 2009). */
#ifndef RMDI_EXPLORE_RACE_H
#define RMDI_EXPLORE_RACE_H

#include "explore/schedule.h"

void rmdi_race_begin(void);

/* The running fiber reads or writes plain memory. Ends the schedule when that is a race, or when
 * the memory is not there any more. */
void rmdi_race_plain(const rmdi_site *site, const volatile void *p, size_t bytes, bool write);

/* It uses an atomic object: a race with plain accesses only. */
void rmdi_race_atomic(const rmdi_site *site, const volatile void *p, size_t bytes, bool write);

/* It frees the block: as if it wrote all of it. */
void rmdi_race_free(const volatile void *p, size_t bytes);

#endif
