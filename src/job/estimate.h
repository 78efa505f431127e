/* SPDX-License-Identifier: MIT */
/* How many tasks a run will have, for its progress line: inputs are streamed, so nobody
 * knows; but a file can be counted without keeping it. */
#ifndef RMDI_JOB_ESTIMATE_H
#define RMDI_JOB_ESTIMATE_H

#include "job/inputs.h"

/* Counts the records of the one source (standard input or a file) if it is a regular file
 * and ends its records with a single byte; UINT64_MAX otherwise. The position of the
 * descriptor stays. Blocks on the disk, about a second per GB. */
uint64_t rmdi_estimate_total(const rmdi_inputs_options *options);

#endif
