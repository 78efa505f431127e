/* SPDX-License-Identifier: MIT */
/* The backslashes that options of `remuda run` understand, as GNU parallel's do. */
#ifndef RMDI_JOB_ESCAPES_H
#define RMDI_JOB_ESCAPES_H

#include "data/bytes.h"

/* For --delimiter and --tagstring: \t \n \r, \ddd (three octal digits), \d (one digit: \0 is
 * NUL). Everything else stays as it is, \\ too. Adds to the buffer. RMD_ENOMEM. */
RMD_NODISCARD int rmdi_escapes_delimiter(const char *text, rmdi_buffer *out);

/* For --recstart and --recend: \0 \r \n \t \' \" \\, from left to right. RMD_ENOMEM. */
RMD_NODISCARD int rmdi_escapes_record(const char *text, rmdi_buffer *out);

#endif
