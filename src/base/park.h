/* SPDX-License-Identifier: MIT */
/* Parking: the only way a thread of ours goes to sleep on memory. */
#ifndef RMDI_BASE_PARK_H
#define RMDI_BASE_PARK_H

#include <remuda/atomics.h>
#include <remuda/deadline.h>
#include <stdbool.h>

/* Sleeps while *word is expected. 0 when woken, for no reason even, or when *word was
 * something else: look again. RMD_ETIMEDOUT when the deadline has passed (no detail:
 * the caller knows what it waited for). Reading the word again needs its own
 * acquire: parking orders nothing. */
int rmdi_park(rmd_atomic(uint32_t) *word, uint32_t expected, rmd_deadline deadline);

/* The same on a word that several processes map. */
int rmdi_park_shared(rmd_atomic(uint32_t) *word, uint32_t expected, rmd_deadline deadline);

/* The same on both: a word of this process, and one that several map. Only if the system can. */
bool rmdi_can_park_either(void);
int rmdi_park_either(rmd_atomic(uint32_t) *word, uint32_t expected, rmd_atomic(uint32_t) *shared,
                     uint32_t shared_expected, rmd_deadline deadline);

/* Wakes one, or all, that are parked on the word. Change the word before. */
void rmdi_unpark_one(rmd_atomic(uint32_t) *word);
void rmdi_unpark_all(rmd_atomic(uint32_t) *word);

/* Wakes up to n that are parked by rmdi_park_shared(). */
void rmdi_unpark_shared(rmd_atomic(uint32_t) *word, int n);

#ifdef RMD_EXPLORE
/* The place of the call is one of the door's, too. */
#define rmdi_park(word, expected, deadline) \
    (rmdi_explore_here(RMDI_SITE("park", #word)), (rmdi_park)(word, expected, deadline))
#define rmdi_park_shared(word, expected, deadline) \
    (rmdi_explore_here(RMDI_SITE("park", #word)), (rmdi_park_shared)(word, expected, deadline))
#define rmdi_park_either(word, expected, shared, shared_expected, deadline) \
    (rmdi_explore_here(RMDI_SITE("park", #word)),                           \
     (rmdi_park_either)(word, expected, shared, shared_expected, deadline))
#define rmdi_unpark_one(word) \
    (rmdi_explore_here(RMDI_SITE("unpark one", #word)), (rmdi_unpark_one)(word))
#define rmdi_unpark_all(word) \
    (rmdi_explore_here(RMDI_SITE("unpark all", #word)), (rmdi_unpark_all)(word))
#define rmdi_unpark_shared(word, n) \
    (rmdi_explore_here(RMDI_SITE("unpark", #word)), (rmdi_unpark_shared)(word, n))
#endif

#endif
