/* SPDX-License-Identifier: MIT */
/* Foreign text made fit for a page, and numbers for people. */
#ifndef RMDI_JOB_REPORT_TEXT_H
#define RMDI_JOB_REPORT_TEXT_H

#include "data/bytes.h"

/* Each adds at the end: 0 or RMD_ENOMEM. */

/* Valid UTF-8 of any bytes, in which HTML, XML and JSON find nothing that they forbid: what is not
 * UTF-8 becomes U+FFFD, control characters but newline and tab their pictures (U+2400...), and
 * those that turn the direction of writing U+FFFD, lest a command read differently from what it
 * does. Cut with an ellipsis before it costs more than limit bytes as JSON; 0: never. */
int rmdi_report_clean(rmd_bytes raw, size_t limit, rmdi_buffer *text);

/* Clean text as HTML or XML, in content or in a quoted attribute. */
int rmdi_report_escape(rmd_bytes clean, rmdi_buffer *text);

/* "0 s", "350 ns", "2.40 µs", "14.2 ms", "1.40 s", "12 min 05 s", "3 h 10 min", "21 d 4 h". */
int rmdi_report_time(int64_t ns, rmdi_buffer *text);
/* The same for a mark on an axis, which is a round number: "0", "2 µs", "1.5 s", "1:30 min",
 * "10 min". */
int rmdi_report_mark(int64_t ns, rmdi_buffer *text);
/* "512 B", "1.50 KiB", "12.0 MiB", "120 GiB". */
int rmdi_report_size(uint64_t bytes, rmdi_buffer *text);
/* For a mark: "64 MiB". */
int rmdi_report_size_mark(uint64_t bytes, rmdi_buffer *text);
/* "1,234,567". */
int rmdi_report_count(uint64_t count, rmdi_buffer *text);
/* "2026-11-24 12:55:58 UTC". */
int rmdi_report_date(int64_t ns, rmdi_buffer *text);

#endif
