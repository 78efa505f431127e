/* SPDX-License-Identifier: MIT */
/* Numbers as users write them. Each answers RMD_EINVAL for anything else, with a detail that
 * quotes the text and tells what is accepted; *result is then untouched. Surrounding blanks are
 * not accepted. */
#ifndef RMDI_JOB_SIZE_H
#define RMDI_JOB_SIZE_H

#include <remuda/api.h>

/* Bytes: 300, 1.5k, 10M. k m g t p e are powers of 1000, K M G T P E of 1024, as are ki Mi ... in
 * any case. A fraction of a byte is dropped. */
RMD_NODISCARD int rmdi_size_parse(const char *text, uint64_t *result);

/* A time in nanoseconds: 10, 1.5 (seconds), 10s, 2m, 1h, 1.5d, 1h30m; letters in any case.
 * More than 292 years are RMD_EINVAL as well. */
RMD_NODISCARD int rmdi_duration_parse(const char *text, int64_t *result);

/* 150% or 12.5%: 1.5 and 0.125. */
RMD_NODISCARD int rmdi_percent_parse(const char *text, double *result);

/* A whole number from min to max, with the suffixes of a size: 2k is 2000. */
RMD_NODISCARD int rmdi_count_parse(const char *text, uint64_t min, uint64_t max, uint64_t *result);

#endif
