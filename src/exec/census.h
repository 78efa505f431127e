/* SPDX-License-Identifier: MIT */
/* Counting an outcome: the inside of <remuda/census.h>. */
#ifndef RMDI_EXEC_CENSUS_H
#define RMDI_EXEC_CENSUS_H

#include <remuda/census.h>

/* Adds one task with this outcome (not RMD_PENDING) to its count. */
void rmdi_census_add(rmd_census *census, rmd_outcome outcome);

#endif
