/* SPDX-License-Identifier: MIT */
/* A schedule as a word that can be given back: by strategy and seed, or as a list of decisions.
 *
 *     pct:weak:4:57:9af3c2d1e0b7a655:1f2e3d.   strategy, memory, depth, length, seed, hash of all
 *     list:tso:9af3c2d1e0b7a655:3=2,17=64.     memory, seed, and decision = what */
#ifndef RMDI_EXPLORE_TOKEN_H
#define RMDI_EXPLORE_TOKEN_H

#include "explore/choice.h"

/* Writes the word; "" when it does not fit. hash 0: unknown. */
void rmdi_token_write(const rmdi_plan *plan, uint64_t hash, char *text, size_t size);

/* Reads it. *list (taken by the caller, who frees it with free()) is what plan->list borrows.
 * RMD_EINVAL with a detail; RMD_ENOMEM. */
int rmdi_token_read(const char *text, rmdi_plan *plan, uint64_t *hash, rmdi_choice **list);

#endif
