/* SPDX-License-Identifier: MIT */
/* Parking: the only way a thread of ours goes to sleep on memory. */
#ifndef RMDI_BASE_PARK_H
#define RMDI_BASE_PARK_H

#include "base/atomics.h"

#include <remuda/deadline.h>

/* Sleeps while *word is expected. 0 when woken, for no reason even, or when *word was
 * something else: look again. RMD_ETIMEDOUT when the deadline has passed (no detail:
 * the caller knows what it waited for). Reading the word again needs its own
 * acquire: parking orders nothing. */
int rmdi_park(rmd_atomic(uint32_t) *word, uint32_t expected, rmd_deadline deadline);

/* Wakes one, or all, that are parked on the word. Change the word before. */
void rmdi_unpark_one(rmd_atomic(uint32_t) *word);
void rmdi_unpark_all(rmd_atomic(uint32_t) *word);

#endif
