/* SPDX-License-Identifier: MIT */
/* What JSON has no word for: bytes that are no UTF-8, and moments. */
#ifndef RMDI_JOB_JSON_H
#define RMDI_JOB_JSON_H

#include <jansson.h>
#include <remuda/bytes.h>
#include <remuda/census.h>

/* For json_dumps: one line, times to the nanosecond. */
#define RMDI_JSON_LINE (JSON_COMPACT | JSON_REAL_PRECISION(10))

/* A new string; each byte that is no part of valid UTF-8 becomes U+FFFD. NULL: no memory. */
json_t *rmdi_json_text(rmd_bytes text);

/* A new string like "2026-11-24T13:14:00.123456Z"; null for 0. NULL: no memory. */
json_t *rmdi_json_time(int64_t realtime_ns);

/* Gives back what json_dumps has made. */
void rmdi_json_free(char *text);

/* A new object: submitted, ok, failed, cancelled, timeout, lost, dead, running. NULL: no memory. */
json_t *rmdi_json_census(const rmd_census *census);

#endif
